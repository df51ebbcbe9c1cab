"""Results on disk: xarray datasets that say where they come from, in files that are never half written."""

import contextlib
import datetime
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semres_jax._version import __version__

if TYPE_CHECKING:
    import xarray

_GIT_SECONDS = 5


def provenance(*, seed: int | None = None, command: str = "") -> dict[str, Any]:
    """Where a result comes from, as attributes that NetCDF and JSON can hold.

    Args:
        seed: the seed that all random numbers derive from.
        command: the command line, as the user would type it again.

    Returns:
        Keys `semres_jax`, `commit` ("unknown" outside a git checkout of the project; ends in "-dirty" where tracked
        files were changed), `jax`, `python`, `platform`, `device_kind`, `devices`, `started` (UTC, ISO 8601); `seed`
        and `command` where given. `seconds` is the business of whoever finishes the run.

    Example:
        >>> from semres_jax import results
        >>> results.provenance(seed=3)["seed"]
        3
    """
    import jax

    devices = jax.devices()
    attributes: dict[str, Any] = {
        "semres_jax": __version__,
        "commit": _commit(Path(__file__).parent.parent),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device_kind": devices[0].device_kind,
        "devices": len(devices),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    if seed is not None:
        attributes["seed"] = int(seed)
    if command:
        attributes["command"] = command
    return attributes


def _commit(project: Path) -> str:
    """The commit of the checkout in `project`; "unknown" where it is none (an installed package, no git, no commit)."""
    if not (project / ".git").exists():  # a repository further up is somebody else's
        return "unknown"
    try:
        done = subprocess.run(
            ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def output_folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made if missing and proved to be writable.

    Raises:
        OSError: it can't be made or written to; one line that names the folder, the reason and what would do.

    Example:
        >>> import tempfile
        >>> from semres_jax import results
        >>> with tempfile.TemporaryDirectory() as root:
        ...     results.output_folder(root + "/a/b").is_dir()
        True
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".semres-"):  # asking for permissions is not enough: try
            pass
    except OSError as error:
        blocking = next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)
        reason = f"{str(blocking)!r} is a file" if blocking else (error.strerror or str(error)).lower()
        raise OSError(f"cannot write to folder {str(folder)!r}: {reason}; name a folder that can be made") from None
    return folder


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of `path`, renamed to it at the end: readers see the old file or the new, whole.

    If the block raises, Ctrl-C included, the temporary file is removed and `path` stays as it was.

    Example:
        >>> import tempfile, pathlib
        >>> from semres_jax import results
        >>> with tempfile.TemporaryDirectory() as root:
        ...     target = pathlib.Path(root, "answer.txt")
        ...     with results.replacing(target) as temporary:
        ...         _ = temporary.write_text("42")
        ...     target.read_text()
        '42'
    """
    path = Path(path)
    # The suffix stays: matplotlib takes the format of a picture from it.
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-{time.monotonic_ns()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(dataset: "xarray.Dataset", path: str | os.PathLike[str]) -> Path:
    """Write a dataset as NetCDF4, whole or not at all.

    Args:
        dataset: attributes must be strings and numbers.
        path: of the file, by convention ending in .nc; its folder exists (`output_folder`).

    Returns:
        The path.

    Raises:
        OSError: the file can't be written.
    """
    with replacing(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf")
    return Path(path)


def write_json(content: Any, path: str | os.PathLike[str]) -> Path:
    """Write JSON, whole or not at all; NumPy numbers and arrays become plain ones, NaN and infinity null."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plain(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return Path(path)


def plain(content: Any) -> Any:
    """The same content in what JSON has: dicts, lists, strings, finite numbers, true, false, null.

    Example:
        >>> import numpy as np
        >>> from semres_jax import results
        >>> results.plain({"z": np.array([1.5, np.nan]), 2: np.int64(3)})
        {'z': [1.5, None], '2': 3}
    """
    if isinstance(content, dict):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [plain(value) for value in content]
    if hasattr(content, "values"):  # xarray
        content = content.values
    if hasattr(content, "tolist"):  # NumPy, whose float64 is a float too
        return plain(content.tolist())
    if isinstance(content, float):
        return content if abs(content) < float("inf") else None
    return content if isinstance(content, (str, bool, int)) or content is None else str(content)
