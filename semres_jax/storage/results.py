"""Results on disk: xarray datasets that say where they come from, in files that are never half written."""

import contextlib
import datetime
import io
import json
import os
import platform
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semres_jax._version import __version__

if TYPE_CHECKING:
    import xarray

_GIT_SECONDS = 5
# Files in the making: .semres-HOST-PID-NANOSECONDS-NAME. Those that a killed process left are removed after a day, or
# as soon as this machine knows the process to be gone.
_TEMPORARY = re.compile(r"\.semres-(.*)-(\d+)-(\d+)-.*")
_DAY = 86400.0
# Held while a file is being written: who ends the process from another thread waits for it.
WRITING = threading.RLock()


class Unwritable(OSError):
    """A file can't be written: the disk is full, the folder read-only or gone. One line that names file and reason."""


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
        >>> from semres_jax.storage import results
        >>> results.provenance(seed=3)["seed"]
        3
    """
    import jax

    devices = jax.devices()
    attributes: dict[str, Any] = {
        "semres_jax": __version__,
        "commit": _commit(Path(__file__).parents[2]),
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
    """The folder, made if missing and proved to be writable; what killed processes left half written is removed.

    Raises:
        OSError: it can't be made or written to; one line that names the folder, the reason and what would do.

    Example:
        >>> import tempfile
        >>> from semres_jax.storage import results
        >>> with tempfile.TemporaryDirectory() as root:
        ...     results.output_folder(root + "/a/b").is_dir()
        True
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = _temporary(folder / "trial")  # asking for permissions is not enough: try
        try:
            trial.write_bytes(b"")
        finally:
            trial.unlink(missing_ok=True)
    except OSError as error:
        blocking = next((p for p in (folder, *folder.parents) if os.path.exists(p) and not os.path.isdir(p)), None)
        reason = f"{str(blocking)!r} is a file" if blocking else _reason(error)
        raise OSError(f"cannot write to folder {str(folder)!r}: {reason}; name a folder that can be made") from None
    for entry in folder.iterdir():
        if _left_over(entry):
            with contextlib.suppress(OSError):
                entry.unlink()
    return folder


def _temporary(path: Path) -> Path:
    # The suffix stays: matplotlib takes the format of a picture from it.
    return path.with_name(f".semres-{platform.node()}-{os.getpid()}-{time.monotonic_ns()}-{path.name}")


def _left_over(path: Path) -> bool:
    """Whether nobody is going to finish this temporary file."""
    named = _TEMPORARY.fullmatch(path.name)
    if named is None:
        return False
    try:
        if time.time() - path.stat().st_mtime > _DAY:
            return True
        if named[1] == platform.node() and os.name == "posix":  # elsewhere signal 0 ends the process
            os.kill(int(named[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's process; or a file that has gone by now
        pass
    return False


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of `path`, renamed to it at the end: readers see the old file or the new, whole.

    What was written is on the disk before the new name is, so that a power cut leaves one of the two as well. If the
    block raises, Ctrl-C included, the temporary file is removed and `path` stays as it was.

    Raises:
        Unwritable: the block or the renaming raised OSError.

    Example:
        >>> import tempfile, pathlib
        >>> from semres_jax.storage import results
        >>> with tempfile.TemporaryDirectory() as root:
        ...     target = pathlib.Path(root, "answer.txt")
        ...     with results.replacing(target) as temporary:
        ...         _ = temporary.write_text("42")
        ...     target.read_text()
        '42'
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        with WRITING:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    except OSError as error:
        raise Unwritable(
            f"cannot write {str(path)!r}: {_reason(error)}; what was written before is whole and stays"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    return error.strerror.lower() if error.strerror else " ".join(str(error).split())


def write(dataset: "xarray.Dataset", path: str | os.PathLike[str]) -> Path:
    """Write a dataset as NetCDF4, whole or not at all.

    Args:
        dataset: attributes must be strings and numbers.
        path: of the file, by convention ending in .nc; its folder exists (`output_folder`).

    Returns:
        The path.

    Raises:
        Unwritable: the file can't be written.
    """
    dataset = _encodable(dataset)
    made = io.BytesIO()  # HDF5 takes a full disk badly: what it raises is no OSError, and again when the process ends
    dataset.to_netcdf(made, engine="h5netcdf")
    return write_bytes(made.getvalue(), path)


def _encodable(dataset: "xarray.Dataset") -> "xarray.Dataset":
    """The same with texts that UTF-8 has: names of files may hold bytes that are none, which are written as codes."""

    def text(value: Any) -> Any:
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value

    import numpy as np

    dataset = dataset.assign_attrs({name: text(value) for name, value in dataset.attrs.items()})
    for name, variable in dataset.variables.items():
        if variable.dtype.kind in "OUT":
            values = [text(value) for value in variable.values.ravel().tolist()]
            if values != variable.values.ravel().tolist():
                dataset = dataset.assign({name: (variable.dims, np.array(values).reshape(variable.shape))})
    return dataset


def write_json(content: Any, path: str | os.PathLike[str]) -> Path:
    """Write JSON, whole or not at all; NumPy numbers and arrays become plain ones, NaN and infinity null."""
    return write_bytes((json.dumps(plain(content), indent=1, allow_nan=False) + "\n").encode(), path)


def write_bytes(content: bytes, path: str | os.PathLike[str]) -> Path:
    """Write a file, whole or not at all.

    Raises:
        Unwritable: the file can't be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def plain(content: Any) -> Any:
    """The same content in what JSON has: dicts, lists, strings, finite numbers, true, false, null.

    Example:
        >>> import numpy as np
        >>> from semres_jax.storage import results
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
