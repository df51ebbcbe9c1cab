"""How figures of the paper are made: quickly or in full, from which seed, where long parts keep what they have done."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from semres_jax.execution import Execution
from semres_jax.storage.resume import Saved, run_settings

if TYPE_CHECKING:
    import xarray


@dataclasses.dataclass(frozen=True)
class Setting:
    """One run over figures.

    Attributes:
        quick: smaller samples and networks, minutes in all.
        seed: all random numbers follow from it.
        folder: where long parts keep states and checkpoints; None: nowhere.
        resume: go on from what is in the folder.
        execution: how to run; its `progress` is told.
        studies: what several figures show, by name, so that it is made once.
    """

    quick: bool = False
    seed: int = 0
    folder: Path | None = None
    resume: bool = False
    execution: Execution = dataclasses.field(default_factory=Execution)
    studies: "dict[str, xarray.Dataset]" = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> Any:
        return jax.random.key(self.seed)

    def part(self, name: str) -> Path | None:
        """The folder of a long part, which is made if it is missing."""
        if self.folder is None:
            return None
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def saved(self, name: str) -> Saved:
        """The state of a long part that is made of cells."""
        folder = self.part(name)
        return Saved(None if folder is None else folder / "part.state", resume=self.resume)

    def settings(self, figure: str) -> dict[str, Any]:
        """What decides the numbers of a figure, as JSON has it.

        Example:
            >>> from semres_jax.experiments import paper
            >>> paper.Setting(quick=True).settings("2")["quick"]
            True
        """
        return run_settings({"figure": figure, "quick": self.quick, "seed": self.seed})
