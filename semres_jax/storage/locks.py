"""Files and folders that one process at a time may change: locks that end with the process, however it ends.

The lock is the operating system's on a small file beside what is locked. A killed process leaves that file behind, but
no lock on it.
"""

import contextlib
import os
import platform
import threading
import weakref
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None

# The file of a folder's lock is in the folder; that of a file is beside it, with the file's name after this one.
LOCK_NAME = ".semres-lock"
_MOST_BYTES = 200


class Lock:
    """This process's hold on a file or folder, until `release`, the end of the block, or the object's own end.

    Within a process a hold may be taken several times, and lasts until the last one is released. Where locks can't be
    had (a read-only folder, a file system or operating system without them) nothing is held and nobody is refused.

    Args:
        path: of the folder, which exists, or of the file, which need not.

    Raises:
        ValueError: another process holds it; one line that names the path and, where it is known, the process.

    Example:
        >>> import tempfile, pathlib
        >>> from semres_jax.storage.locks import Lock
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Lock(folder), Lock(folder):
        ...         inside = [path.name for path in pathlib.Path(folder).iterdir()]
        ...     inside, list(pathlib.Path(folder).iterdir())
        (['.semres-lock'], [])
    """

    def __init__(self, path: str | os.PathLike[str]):
        place = Path(path)
        file = place / LOCK_NAME if place.is_dir() else place.with_name(f"{LOCK_NAME}-{place.name}")
        key = os.path.realpath(file)
        with _own:
            if key not in _held:
                handle = _locked(key, path)
                if handle is None:
                    self._end: Any = None
                    return
                _held[key] = [handle, 0, os.getpid()]
            _held[key][1] += 1
        self._end = weakref.finalize(self, _release, key)

    def release(self) -> None:
        """Let others have it; a second time nothing happens."""
        if self._end is not None:
            self._end()

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()


# By the path of the lock's file: the open file, how many times this process holds it, and which process that is.
_held: dict[str, list[int]] = {}
_own = threading.RLock()  # a garbage collection within a locked block may release another one


def _locked(file: str, path: Any) -> int | None:
    """The open file with the lock on it; None where there are no locks."""
    if fcntl is None:
        return None
    while True:
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            with os.fdopen(handle, "rb") as content:
                holder = content.read(_MOST_BYTES).decode(errors="replace").strip()
            raise ValueError(
                f"{str(path)!r} is in use by {holder or 'another run'}: wait until it ends, or name another folder"
            ) from None
        except OSError:
            os.close(handle)
            return None
        # Whoever had the lock before may have removed the file between its opening and its locking here.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(handle), os.stat(file)):
                break
        os.close(handle)
    with contextlib.suppress(OSError):  # a full disk
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {platform.node()}".encode(), 0)
    return handle


def leave() -> None:
    """Remove the files of this process's locks, for a process that is about to end without clearing up."""
    for key, (handle, _, process) in list(_held.items()):
        _remove(key, handle, process)


def _remove(file: str, handle: int, process: int) -> None:
    """The file goes while it is locked, and only if it is ours. A forked child leaves it to its parent."""
    with contextlib.suppress(OSError):
        if process == os.getpid() and os.path.samestat(os.fstat(handle), os.stat(file)):
            os.unlink(file)


def _release(key: str) -> None:
    with _own:
        held = _held.get(key)
        if held is None:
            return
        held[1] -= 1
        if held[1]:
            return
        del _held[key]
        _remove(key, held[0], held[2])
        os.close(held[0])
