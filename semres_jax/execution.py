"""How a computation runs, as opposed to what it computes: none of it changes a number."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from semres_jax._types import Progress

if TYPE_CHECKING:
    from semres_jax.storage.resume import Saved


@dataclasses.dataclass(frozen=True)
class Execution:
    """Devices, pieces, progress and resume of one run. Results are the same bits whatever it says.

    Attributes:
        devices: devices of this host, or how many; None: all local ones.
        chunk: trials per call of the devices; None: as many as take about a twentieth of a second.
        progress: called with (what is being done, done, planned) as the run goes on.
        finished: called with the results so far after each part of the run, for readers who don't want to wait.
        saved: where the run keeps what it has done and goes on from (`storage.resume.Saved`); None: nowhere.
        cell: name of the run within `saved`, where that holds several.

    Example:
        >>> import jax
        >>> from semres_jax import Constant, Execution, estimate, spaces
        >>> calls = []
        >>> how = Execution(devices=1, progress=lambda what, done, planned: calls.append((done, planned)))
        >>> answer = estimate(spaces.Circle(), Constant(0.25), key=jax.random.key(0), trials=2**16, execution=how)
        >>> calls[-1]
        (65536, 65536)
    """

    devices: Any = None
    chunk: int | None = None
    progress: Progress | None = None
    finished: Callable[[Any], Any] | None = None
    saved: "Saved | None" = None
    cell: str = "estimate"

    def tell(self, what: str, done: int, planned: int) -> None:
        """Call `progress`, if there is one."""
        if self.progress is not None:
            self.progress(what, done, planned)

    def within(self, cell: str, progress: Progress | None = None) -> "Execution":
        """The same for one part of the run: a cell of its own in `saved`, and its own progress."""
        return dataclasses.replace(self, cell=cell, progress=progress, finished=None)
