"""What of a toy training goes into its checkpoints, and what has to be the same to go on from one."""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax.spaces.base import MetricSpace
from semres_jax.storage.processes import on_first
from semres_jax.storage.resume import fingerprint
from semres_jax.training.toy.settings import Design, Hyper

if TYPE_CHECKING:
    from semres_jax.training.checkpoints import Checkpoints


def settings(space: MetricSpace, design: Design, hyper: Hyper, seed: int, runs: int) -> dict[str, Any]:
    """What has to be the same when a run is resumed."""
    told = {"space": space.label, "distances": fingerprint(getattr(space, "distances"))}  # noqa: B009
    numbers = {
        field.name: np.asarray(getattr(hyper, field.name)).tolist()
        for field in dataclasses.fields(hyper)  # pyright: ignore[reportArgumentType]
    }
    return told | dataclasses.asdict(design) | numbers | {"seed": seed, "runs": runs}


class Kept:
    """Checkpoints of a training, or nothing where no folder is given. Of several processes the first has them."""

    def __init__(self, folder: Any, settings: dict[str, Any], resume: bool, recorded: np.ndarray):
        self.folder, self._recorded = folder, recorded
        self._store: Checkpoints | None = None

        def opened() -> None:
            from semres_jax.training.checkpoints import Checkpoints

            self._store = Checkpoints(folder, settings, resume=resume)

        if folder is not None:
            on_first(opened)

    def save(self, state: Any, found: list[Any]) -> None:
        def written() -> None:
            content = {
                "state": jax.tree.leaves(state),
                "steps": self._recorded[: len(found)],
                "scores": [np.stack(column) for column in zip(*found, strict=True)],
            }
            if self._store is not None:
                self._store.save(int(state.step), content)

        if self.folder is not None:
            on_first(written)

    def restore(self, state: Any) -> tuple[Any, list[Any]]:
        """The newest checkpoint, or the state given and no scores."""

        def read() -> Any:
            return None if self._store is None or self._store.latest() is None else self._store.restore()

        content = on_first(read) if self.folder is not None else None
        if content is None:
            return state, []
        leaves = [jnp.asarray(x) for x in content["state"]]
        state = jax.tree.unflatten(jax.tree.structure(state), leaves)
        there, now = np.asarray(content["steps"]).tolist(), int(state.step)
        wanted = [int(step) for step in self._recorded if step <= now]
        missing = [step for step in wanted if step not in there]
        past = now > self._recorded[-1]
        if missing or past:
            what = f"is at step {now}, past the last one asked for" if past else f"has no record of step {missing[0]}"
            raise ValueError(
                f"can't resume: the checkpoint in {str(self.folder)!r} {what} (give the steps and records that it was "
                "made with, or leave out resume)"
            )
        columns = [np.asarray(x) for x in content["scores"]]
        return state, [tuple(column[there.index(step)] for column in columns) for step in wanted]

    def close(self) -> None:
        if self._store is not None:
            self._store.__exit__()
