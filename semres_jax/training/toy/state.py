"""What of a toy training goes into its checkpoints, and what has to be the same to go on from one."""

import dataclasses
from typing import Any

import numpy as np

from semres_jax._random import setting
from semres_jax.spaces.base import MetricSpace
from semres_jax.storage.resume import fingerprint
from semres_jax.training.checkpoints import Store
from semres_jax.training.toy.settings import Design, Hyper


def settings(space: MetricSpace, design: Design, hyper: Hyper, key: Any, runs: int) -> dict[str, Any]:
    """What has to be the same when a run is resumed."""
    stimuli = {"space": space.label, "distances": fingerprint(space.distances)}
    numbers = {name: value.tolist() for name, value in hyper.numbers().items()}
    return stimuli | dataclasses.asdict(design) | numbers | setting(key) | {"runs": runs}


def restored(store: Store, state: Any, recorded: np.ndarray) -> tuple[Any, list[tuple[np.ndarray, ...]]]:
    """The state of the newest checkpoint and scores of the steps recorded so far, or the state given and no scores.

    Raises:
        ValueError: the checkpoint lacks the scores of a step, or is past the last one.
    """
    state, content = store.restore(state)
    if content is None:
        return state, []
    there, now = np.asarray(content["steps"]).tolist(), int(state.step)
    wanted = [int(step) for step in recorded if step <= now]
    missing = [step for step in wanted if step not in there]
    past = now > recorded[-1]
    if missing or past:
        what = f"is at step {now}, past the last one asked for" if past else f"has no record of step {missing[0]}"
        raise ValueError(
            f"can't resume: the checkpoint in {str(store.folder)!r} {what} (give the steps and records that it was "
            "made with, or leave out resume)"
        )
    columns = [np.asarray(x) for x in content["scores"]]
    return state, [tuple(column[there.index(step)] for column in columns) for step in wanted]
