"""Long sums in pieces: spread over threads, told of as they go on, and stopped between two pieces."""

import concurrent.futures
import contextlib
import contextvars
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

_R = TypeVar("_R")
_watcher: contextvars.ContextVar[Callable[[int, int], None] | None] = contextvars.ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched(tell: Callable[[int, int], None] | None) -> Iterator[None]:
    """Within it, sums in pieces call `tell` with pieces done and planned; what it raises ends the sum."""
    token = _watcher.set(tell)
    try:
        yield
    finally:
        _watcher.reset(token)


def report(done: int, planned: int) -> None:
    """Tell who watches, if anybody does."""
    tell = _watcher.get()
    if tell is not None:
        tell(done, planned)


def by_threads(piece: Callable[[Any], _R], pieces: Sequence[Any]) -> Iterator[_R]:
    """The results of all pieces, in order; an error or Ctrl-C leaves those undone that haven't begun.

    Example:
        >>> from semres_jax import _watching
        >>> calls = []
        >>> with _watching.watched(lambda done, planned: calls.append((done, planned))):
        ...     list(_watching.by_threads(lambda x: x**2, [3, 4]))
        [9, 16]
        >>> calls
        [(1, 2), (2, 2)]
    """
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        for done, result in enumerate(pool.map(piece, pieces), 1):
            report(done, len(pieces))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
