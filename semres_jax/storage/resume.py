"""Long runs that may be killed at any moment: what they have done so far, in one file from which they go on.

A run is made of cells. A finished cell is kept as its numbers, a cell in the making as the accumulators of its
estimate, so that a run that goes on ends with the bits of one that was never stopped.
"""

import hashlib
import json
import os
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from semres_jax._version import __version__
from semres_jax.storage import processes
from semres_jax.storage.locks import Lock
from semres_jax.storage.results import Unwritable, plain, write_bytes

# A killed run loses what it did since it last wrote.
SECONDS_BETWEEN_WRITES = 5.0
# Of the time, however slow the disk.
_MOST_SPENT_WRITING = 0.1
# The file: this line with the SHA-256 of all that follows, a line of JSON, and the arrays named there, end to end.
_MAGIC, _FORMAT = "semres-state", "1"
_KINDS = "biufU"

Numbers = dict[str, np.ndarray]
_OPEN: "weakref.WeakSet[Saved]" = weakref.WeakSet()


class Saved:
    """What a run has done, in memory and in a file, which is written whole every few seconds and when the run stops.

    A run calls `open` once its input is checked; asks `finished` and `running` for what is there of a cell; calls
    `keep` while it computes a cell and `finish` when it has. As a context manager it writes what is unwritten when the
    block ends, however it ends. Whoever holds the results calls `complete` when they are written.

    Of several processes (`processes.hosts`) the first reads and writes, and all go on from what it read: each of them
    has to make this object and to open it. Another run on the same file is refused, until the block ends or the run is
    complete, and at the latest until this object or its process is gone.

    Args:
        path: of the file; None keeps everything in memory only.
        resume: go on from the file, if there is one. Otherwise the file is replaced when there is something to write.
        results: called with the table given to `finish`, after each writing of the file: results so far, for readers.
        begins: called by `open` once nothing is refused any more, with what was found: "nothing", "unfinished",
            "complete", or (without `resume`) "broken".

    Raises:
        ValueError: the file is not one of these, even without `resume`, or another process is using it; with `resume`,
            the file is broken or of a newer format. One line; the file stays as it is.

    Example:
        >>> import tempfile, numpy as np
        >>> from semres_jax.storage.resume import Saved
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Saved(folder + "/run.state") as saved:
        ...         saved.open({"trials": 7})
        ...         saved.finish("circle", {"p_s": np.array([0.75])})
        ...     again = Saved(folder + "/run.state", resume=True)
        ...     again.open({"trials": 7})
        ...     again.finished("circle")["p_s"].tolist(), again.finished("torus")
        ([0.75], None)
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        resume: bool = False,
        results: Callable[[Any], Any] | None = None,
        begins: Callable[[str], None] | None = None,
    ):
        self.path = None if path is None else Path(path)
        self.opened, self._there = False, "nothing"
        self._resume, self._results, self._begins, self._table = resume, results, begins, None
        self._writes = processes.hosts()[0] == 0 and path is not None
        self._finished: dict[str, Numbers] = {}
        self._running: dict[str, Numbers] = {}
        self._settings: Any = None
        self._was_made_with: Any = None
        self._complete = self._unwritten = self._written = False
        self._before, self._started = 0.0, time.perf_counter()
        self._last, self._pause = self._started, SECONDS_BETWEEN_WRITES
        self._lock: Lock | None = None
        if path is not None:
            _OPEN.add(self)
            try:
                self._find()
            except BaseException:
                self._let_go()
                raise

    @property
    def seconds(self) -> float:
        """How long the run has taken, what was done before it was stopped included."""
        return self._before + time.perf_counter() - self._started

    def open(self, settings: Mapping[str, Any]) -> None:
        """Say what the run is, before anything is computed.

        Args:
            settings: everything that decides the numbers, in what JSON has; arrays too large for it as `fingerprint`.

        Raises:
            ValueError: the file is of another run; names the first setting that differs, with both values.
        """
        self._settings = run_settings(settings)
        if self._was_made_with is not None:
            require_same(self._settings, self._was_made_with, repr(str(self.path)))
        self.opened = True
        if self._begins is not None:
            self._begins(self._there)

    def finished(self, cell: str) -> Numbers | None:
        """The numbers of a finished cell, None where it isn't."""
        return self._finished.get(cell)

    def running(self, cell: str) -> Numbers | None:
        """The accumulators of a cell in the making, None where there are none."""
        return self._running.get(cell)

    def keep(self, cell: str, snapshot: Callable[[], Mapping[str, np.ndarray]]) -> None:
        """Keep the accumulators of a cell in the making, if it is time to write.

        Args:
            cell: its name.
            snapshot: gives them; called at once or never.

        Raises:
            Unwritable: the file can't be written.
        """
        if self._writes and self._due():
            self._running = {cell: dict(snapshot())}
            self._write()

    def finish(self, cell: str, numbers: Mapping[str, np.ndarray], table: Any = None) -> None:
        """Keep the numbers of a cell that is done; write, if it is time to.

        Args:
            cell: its name.
            numbers: arrays of numbers or strings.
            table: the results so far, this cell among them.

        Raises:
            Unwritable: the file can't be written.
        """
        self._finished[cell] = dict(numbers)
        self._running.pop(cell, None)
        self._table, self._unwritten = table, True
        if self._writes and self._due():
            self._write()

    def complete(self) -> None:
        """Say that the results are written: the file stays, and a run that resumes it has nothing to compute.

        Raises:
            Unwritable: the file can't be written.
        """
        self._complete, self._table = True, None
        if self._writes:
            self._write()
        self._let_go()

    def __enter__(self) -> "Saved":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        # Who stops a run that is about to replace an unfinished one may have noticed that this is not what they want.
        regretted = error is not None and self._there == "unfinished" and not self._resume and not self._written
        try:
            if self._writes and self._unwritten and not regretted and not isinstance(error, Unwritable):
                self._write()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _due(self) -> bool:
        return time.perf_counter() - self._last >= self._pause

    def _write(self) -> None:
        started = time.perf_counter()
        cells = [("finished", self._finished), ("running", self._running)]
        named = [(kind, cell, name, np.asarray(array)) for kind, some in cells for cell, numbers in some.items()
                 for name, array in numbers.items()]  # fmt: skip
        for _, cell, name, array in named:
            if array.dtype.kind not in _KINDS:
                raise TypeError(f"only numbers and strings can be kept; {name} of {cell} is of {array.dtype}")
        header = {
            "settings": self._settings,
            "complete": self._complete,
            "seconds": self.seconds,
            "arrays": [[kind, cell, name, array.dtype.str, array.shape] for kind, cell, name, array in named],
        }
        body = json.dumps(header).encode() + b"\n" + b"".join(array.tobytes() for *_, array in named)
        first = f"{_MAGIC} {_FORMAT} {hashlib.sha256(body).hexdigest()}\n".encode()
        assert self.path is not None
        write_bytes(first + body, self.path)
        if self._results is not None and self._table is not None:
            self._results(self._table)
        self._unwritten, self._written, self._table = False, True, None
        self._last = time.perf_counter()
        self._pause = max(SECONDS_BETWEEN_WRITES, (self._last - started) / _MOST_SPENT_WRITING)

    def _locked_content(self) -> bytes | None:
        assert self.path is not None
        self._lock = Lock(self.path)
        return _content(self.path)

    def _find(self) -> None:
        """What the file holds, the same in all processes."""
        content = processes.on_first(self._locked_content)
        if content is None:
            return
        try:
            header, self._finished, self._running = _parsed(content)
        except ValueError as error:
            if self._resume:
                raise ValueError(f"{str(self.path)!r} {error}") from None
            self._there = "broken"
            return
        self._there = "complete" if header["complete"] else "unfinished"
        if self._resume:
            self._was_made_with, self._before = header["settings"], header["seconds"]
        else:
            self._finished, self._running = {}, {}


def write_open() -> None:
    """Write what is unwritten of all runs that go on, before the process is ended from another thread."""
    for saved in list(_OPEN):
        saved.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def run_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be the same where a run goes on: its settings, and what computes it, as they come back from JSON.

    Args:
        settings: everything that decides the numbers, in what JSON has; arrays too large for it as `fingerprint`.

    Example:
        >>> from semres_jax.storage import resume
        >>> list(resume.run_settings({"trials": 7}))
        ['trials', 'semres_jax', 'jax', 'processor']
    """
    made_by = {"semres_jax": __version__, "jax": jax.__version__, "processor": jax.devices()[0].platform}
    return json.loads(json.dumps(plain(dict(settings) | made_by)))


def _content(path: Path) -> bytes | None:
    """What is in the file, refused where it is none of ours; None where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{str(path)!r} can't be read: {(error.strerror or str(error)).lower()}") from None
    if content[: len(_MAGIC)] != _MAGIC.encode()[: len(content)]:  # one that is cut short is ours
        raise ValueError(f"{str(path)!r} is no state of a run; move it away, or name another folder")
    return content


def _parsed(content: bytes) -> tuple[dict[str, Any], dict[str, Numbers], dict[str, Numbers]]:
    """Header, finished cells, running cells.

    Raises:
        ValueError: broken, or of a newer format; the message goes on from the name of the file.
    """
    first, _, body = content.partition(b"\n")
    words = first.decode("ascii", "replace").split(" ")
    if len(words) == 3 and words[1].isdigit() and words[1] != _FORMAT:
        raise ValueError(
            f"has format {words[1]}, semres_jax {__version__} reads {_FORMAT} (take the version that wrote it, or "
            "leave out resume to start anew)"
        )
    if len(words) != 3 or words[2] != hashlib.sha256(body).hexdigest():
        raise ValueError("is broken: torn, truncated or changed (leave out resume to start anew)")
    head, _, arrays = body.partition(b"\n")
    header, cells, at = json.loads(head), {"finished": {}, "running": {}}, 0
    for kind, cell, name, dtype, shape in header["arrays"]:
        array = np.ndarray(shape, dtype, arrays, at).copy()  # one that can be added to
        cells[kind].setdefault(cell, {})[name] = array
        at += array.nbytes
    return header, cells["finished"], cells["running"]


def require_same(
    settings: Any, there: Any, what: str, advice: str = "give the same, or another folder, or leave out resume"
) -> None:
    """Refuse to go on from what was made with other settings: the message names the first, with both values."""
    differ = difference(settings, there)
    if differ is not None:
        name, given, other = differ
        raise ValueError(f"can't resume with {name} = {given}: {what} was made with {other} ({advice})")


def difference(settings: Any, there: Any, name: str = "") -> tuple[str, str, str] | None:
    """Where two settings first differ: the name, and both values for a reader; None where they don't.

    Example:
        >>> from semres_jax.storage import resume
        >>> resume.difference({"n": 2, "delta": [0.0, 0.1]}, {"n": 2, "delta": [0.0, 0.2]})
        ('delta[1]', '0.1', '0.2')
    """
    if isinstance(settings, dict) and isinstance(there, dict):
        for key in [*settings, *(key for key in there if key not in settings)]:
            where = f"{name}: {key}" if name else key
            if key not in settings or key not in there:
                return where, _shown(settings.get(key)), _shown(there.get(key))
            differ = difference(settings[key], there[key], where)
            if differ is not None:
                return differ
        return None
    if isinstance(settings, list) and isinstance(there, list) and len(settings) == len(there):
        pairs = enumerate(zip(settings, there, strict=True))
        return next((differ for i, (a, b) in pairs if (differ := difference(a, b, f"{name}[{i}]"))), None)
    return None if settings == there else (name, _shown(settings), _shown(there))


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
