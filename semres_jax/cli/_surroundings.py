"""What a command finds around it, and does with it: streams, warnings, logs, the width of the terminal."""

import contextlib
import io
import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from semres_jax._files import shown
from semres_jax.cli import _programs

# Columns below which help is laid out as for these: tyro never ends where there is no room for words.
_LEAST_COLUMNS = 40
# What JAX says of a compiled program that it can't read or keep, once for each.
_CACHE_TROUBLE = re.compile(r"Error (reading|writing) persistent compilation cache entry")
_LONGEST_LINE = 2000


def say(what: object) -> None:
    """One line on standard error, without the control characters that names from outside may have."""
    print(f"semres: {shown(' '.join(str(what).split()), _LONGEST_LINE)}", file=sys.stderr, flush=True)


class Stream:
    """A standard stream that can always be written to: the first error is kept, and what follows it is dropped.

    Letters that the stream's encoding lacks are written as their codes.

    Args:
        stream: None where the stream was closed before the process began.
    """

    def __init__(self, stream: Any):
        self._stream = io.StringIO() if stream is None else stream
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._trying(lambda: self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding)))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._trying(lambda: self._stream.flush())

    def _trying(self, action: Callable[[], Any]) -> None:
        if self.error is None:
            try:
                action()
            except (OSError, ValueError) as error:  # ValueError: closed meanwhile
                self.error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def streams(*, of_process: bool) -> Iterator[Stream]:
    """While the block runs, standard output and error are streams that can always be written to.

    Args:
        of_process: whether the process is the command's own. Then files don't get the number of a closed stream, and
            the interpreter doesn't try again to write what could not be written.

    Yields:
        Standard output; it is flushed at the end of the block.
    """
    if of_process:
        for number in (0, 1, 2):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield out
        finally:
            out.flush()
            err.flush()
            for number, stream in ((1, out), (2, err)):
                if of_process and stream.error is not None:
                    nothing = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nothing, number)
                    os.close(nothing)


def unwritten(out: Stream) -> str | None:
    """What there is to say of standard output: None where all was written, or whoever read it has had enough."""
    out.flush()
    if out.error is None or isinstance(out.error, BrokenPipeError):
        return None
    reason = getattr(out.error, "strerror", None) or str(out.error)
    return f"cannot write to standard output: {reason.lower()}; files that were written are whole"


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """For a process of a command: warnings are one line each, whatever filters the user has; matplotlib's logs are off.

    Programs of the compiler's cache that can't be read are told once, and removed where the cache is the command's own.
    """
    lines: set[str] = set()

    def tell(message: Warning | str, *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())
        trouble = _CACHE_TROUBLE.match(text)
        if trouble is not None:
            text = f"cannot use all compiled programs in {os.environ.get('JAX_COMPILATION_CACHE_DIR')}; compiling anew"
        if text not in lines:
            lines.add(text)
            say(f"warning: {text}")
        if trouble is not None and trouble[1] == "reading":
            _programs.forget_at_the_end()

    logs = logging.getLogger("matplotlib")
    level = logs.level
    logs.setLevel(logging.ERROR)  # it tells of each letter and folder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in (UserWarning, RuntimeWarning):
            warnings.simplefilter("default", kind)
        warnings.showwarning = tell
        try:
            yield
        finally:
            logs.setLevel(level)
            _programs.forget()


@contextlib.contextmanager
def wide_enough() -> Iterator[None]:
    """While the block runs, the terminal is taken to have room for words."""
    before = os.environ.get("COLUMNS")
    if shutil.get_terminal_size().columns >= _LEAST_COLUMNS:
        yield
        return
    os.environ["COLUMNS"] = str(_LEAST_COLUMNS)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
