"""Ctrl-C: the first SIGINT ends a command, in one line and within two seconds, wherever it arrives."""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

# Seconds that a command has to end by itself once it is interrupted, and until an interrupt that got lost comes again.
_GRACE, _AGAIN = 0.9, 0.02
INTERRUPTED = 130
_LINE = "semres: interrupted; files written so far are whole"
_telling, _pressed = threading.Lock(), threading.Event()


def happened() -> bool:
    """Whether this command was interrupted."""
    return _pressed.is_set()


def tell() -> None:
    """The one line of an interrupted command on standard error, unless it is there already."""
    if not _telling.acquire(blocking=False):
        return
    if threading.current_thread() is threading.main_thread():
        print(_LINE, file=sys.stderr, flush=True)
    else:  # the main thread may hold the stream
        os.write(2, f"{_LINE}\n".encode())


@contextlib.contextmanager
def never_lost(*, of_process: bool) -> Iterator[None]:
    """While the block runs, Ctrl-C raises `KeyboardInterrupt` in the main thread, and that can't get lost.

    Where it arrives in a callback of the garbage collector, such as JAX's, in an import or while a lock is taken, it
    would be printed and dropped, or leave half a module or the lock's file: it is raised a moment later then, and again
    if a finalizer dropped it. Where it arrives in a compiled program, or while one is compiled, Python waits until that
    returns: a thread ends the process, once no file is being written.

    Args:
        of_process: whether the process is the command's own, and may be ended.
    """
    _pressed.clear()
    if _telling.locked():  # by an earlier command of this process
        _telling.release()
    usual = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if not usual or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    dropped = sys.unraisablehook

    def again(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        else:
            dropped(unraisable)

    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGALRM)}
    sys.unraisablehook = again
    if of_process:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(target=_watch, args=(reading,), daemon=True).start()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = dropped
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt`, or come back in a moment where it would do harm."""
    _pressed.set()
    callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None:
        module = frame.f_globals.get("__name__")  # a lock is taken or given back at once, or its file stays
        importing = frame.f_code.co_filename.startswith("<frozen importlib")
        if importing or module == "semres_jax.storage.locks" or frame.f_code in callbacks:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _watch(reading: int) -> None:
    """Wait for SIGINT; end the process if it is there still when its time is up."""
    while signal.SIGINT not in os.read(reading, 1):
        pass
    time.sleep(_GRACE)
    storage = sys.modules.get("semres_jax.storage.resume")
    with contextlib.suppress(Exception):
        if storage is not None:
            storage.write_open()
    results, locks = (sys.modules.get(f"semres_jax.storage.{name}") for name in ("results", "locks"))
    with results.WRITING if results is not None else contextlib.nullcontext():
        with contextlib.suppress(Exception):  # a standard error that is closed or full
            if sys.stderr.isatty():
                os.write(2, b"\r\x1b[K\x1b[?25h")  # what is left of a progress bar
            tell()
        if locks is not None:
            locks.leave()
        os._exit(INTERRUPTED)
