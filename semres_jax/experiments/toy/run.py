"""The toy network's experiments: conditions trained, their learned resolution fitted, laid over exact fronts."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from semres_jax import frontier, measure, similarity
from semres_jax._checks import require_count
from semres_jax.experiments.toy.summaries import summary as summary
from semres_jax.experiments.toy.table import joined, stacked
from semres_jax.laws import tables
from semres_jax.spaces import Finite
from semres_jax.storage.locks import Lock
from semres_jax.storage.processes import on_first
from semres_jax.training import toy

if TYPE_CHECKING:
    import xarray

FAMILIES = measure.FITTED
# Resolutions along an exact front of two items, and of more, where each takes longer.
_FRONT, _FRONT_MANY = 160, 40
# Weights of p_S along a front of best similarities: the part near the best p_S, where networks end.
_OPTIMAL_WEIGHTS = (1.0, 0.9, 0.75, 0.6, 0.45)
# Entries of tables that are scored in one call.
_TABLES = 2**24
# Recorded steps whose tables of similarities are kept, as shares of the run: those of the paper's figure 4.
_SHOWN = (0.0, 17 / 500, 35 / 500, 160 / 500, 1.0)


@dataclasses.dataclass(frozen=True)
class Condition:
    """One line of an experiment: what is trained on which stimuli.

    Args:
        name: as it appears in results and figures.
        space: of N equally likely stimuli.
        design: network, trials, loss.
        hyper: numbers; a grid of them makes as many conditions, trained in one compiled program.
    """

    name: str
    space: Finite
    design: toy.Design = dataclasses.field(default_factory=toy.Design)
    hyper: toy.Hyper = dataclasses.field(default_factory=toy.Hyper)

    def members(self) -> list[tuple[str, toy.Hyper]]:
        """Name and numbers of each member of the grid."""
        fields = dataclasses.fields(self.hyper)  # pyright: ignore[reportArgumentType]
        values = {f.name: np.asarray(getattr(self.hyper, f.name)) for f in fields}
        varied = [name for name, value in values.items() if value.size > 1]
        found = []
        for place in np.ndindex(self.hyper.shape):
            here = {name: float(np.broadcast_to(value, self.hyper.shape)[place]) for name, value in values.items()}
            told = ", ".join(f"{name} {here[name]:g}" for name in varied)
            found.append((f"{self.name}, {told}" if told else self.name, toy.Hyper(**here)))
        return found


def study(
    conditions: Sequence[Condition],
    *,
    runs: int = 10,
    steps: int = 7500,
    records: int = 100,
    seed: int = 0,
    test_items: Sequence[int] = (),
    optimal: bool = False,
    checkpoints: Any = None,
    resume: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    finished: Callable[["xarray.Dataset"], Any] | None = None,
) -> "xarray.Dataset":
    """Train every condition, measure every recorded step, and lay it over the exact fronts of the same stimuli.

    Args:
        conditions: with different names.
        runs, steps, records, seed: of `training.toy.train`; `shown_steps` are recorded too.
        test_items: numbers of items at which the networks are tested after the last step (one slot only).
        optimal: find the front of the best similarity with the floor that each condition learned (seconds each;
            two items, one slot).
        checkpoints: a folder in which each condition has one of its own.
        resume: go on from these.
        progress: called with what is being done, and steps done and planned of all conditions.
        finished: called with the dataset of the conditions done so far.

    Returns:
        A dataset with dimensions condition, run, step, n (items of the trials), family, level (of distance), ...:
        accuracies, losses, the reach of similarities (`mean_b`, `var_b`), their profile, fits of each family with the
        accuracies these predict on the same stimuli, exact fronts, final weights. Every variable has a `long_name`.

    Raises:
        ValueError: conditions of the same name; as `training.toy.train`, for the folder of all checkpoints too.
        training.toy.Diverged: a loss was not finite.

    Example (a minute on two cores; `semres toy --preset fig4` does this and writes files and figures):

        found = toy.study(presets.PRESETS["fig4"].conditions())
        toy.summary(found)[0]["best_p_s"]
    """
    names = [name for condition in conditions for name, _ in condition.members()]
    if len(set(names)) < len(names) or not names:
        twice = next((name for name in names if names.count(name) > 1), "none")
        raise ValueError(f"conditions must be at least one, with different names; got {twice!r} twice or none at all")
    test_items = [require_count("test_items", n, 2) for n in test_items]
    asked = np.union1d(toy.record_steps(steps, records), shown_steps(steps))
    planned, found = steps * len(conditions), []
    with contextlib.ExitStack() as held:

        def hold() -> None:
            Path(checkpoints).mkdir(parents=True, exist_ok=True)
            held.enter_context(Lock(checkpoints))

        if checkpoints is not None:
            on_first(hold)
        for number, condition in enumerate(conditions):

            def say(done: int, _: int, number: int = number, name: str = condition.name) -> None:
                if progress is not None:
                    progress(name, steps * number + done, planned)

            say(0, steps)

            history = toy.train(
                condition.space,
                condition.design,
                condition.hyper,
                seed=seed,
                runs=runs,
                steps=steps,
                records=asked,
                checkpoint=None if checkpoints is None else Path(checkpoints) / folder_name(condition.name),
                resume=resume,
                progress=say,
            )
            for place, (name, hyper) in zip(np.ndindex(condition.hyper.shape), condition.members(), strict=True):
                one = toy.History(*history[:2], *(x[place] for x in history[2:]))
                measured = _measured(name, condition, hyper, one, test_items)
                if optimal and condition.design.items == 2 and condition.design.slots == 1:
                    measured |= _optimal_front(condition.space, float(measured["relative_floor"][1][:, -1].mean()))
                found.append(measured)
            if finished is not None:
                finished(joined(found, steps))
    return joined(found, steps)


def shown_steps(steps: int) -> list[int]:
    """The steps whose tables of similarities are kept, for a run of so many.

    Example:
        >>> from semres_jax.experiments import toy
        >>> toy.shown_steps(7500)
        [0, 255, 525, 2400, 7500]
    """
    return sorted({round(share * steps) for share in _SHOWN})


def folder_name(name: str) -> str:
    """A condition's name as that of a folder."""
    return "".join(c if c.isalnum() or c in "-.=" else "_" for c in name)


def _measured(
    name: str, condition: Condition, hyper: toy.Hyper, history: toy.History, test_items: Sequence[int]
) -> dict[str, Any]:
    """Arrays of one condition, by variable: (dimensions, values)."""
    space, design = condition.space, condition.design
    n, floor = design.items, float(np.float32(hyper.floor))  # as it was trained with
    size = space.size
    numbers: dict[str, Any] = {
        name: ((), float(getattr(hyper, name))) for name in ("lambda_sim", "lambda_rec", "learning_rate", "floor")
    }
    for word in ("items", "hidden", "slots"):
        numbers[word] = ((), getattr(design, word))
    out: dict[str, Any] = numbers | {
        "condition": name,
        "steps": history.steps,
        "n": history.test_items,
        "stimuli": ((), size),
        "decision": ((), design.decision if design.slots > 1 else ""),
        "label": ((), design.label if design.slots > 1 else ""),
        "loss_sim": (("run", "step"), history.loss_sim),
        "loss_rec": (("run", "step"), history.loss_rec),
        "weights": (("run", "slot", "stimulus", "dimension"), history.weights[:, -1]),
    }
    for field in ("p_s", "p_i", "p_s_stderr", "p_i_stderr"):
        out[field] = (("run", "step", "n"), getattr(history, field))
    with jax.enable_x64(True):
        each = [np.asarray(toy.similarity_tables(weights)) for weights in history.weights]  # by run: (T, S, N, N)
    reach = [measure.reach(g) for g in each]
    out["mean_b"], out["var_b"] = (
        (("run", "step"), np.stack([np.asarray(pair[part]).mean(-1) for pair in reach])) for part in range(2)
    )
    own = np.stack([np.diagonal(g, axis1=-2, axis2=-1).mean((-1, -2)) for g in each])
    out["relative_floor"] = (("run", "step"), floor / (own + floor))
    seen = [measure.profile(space, g + floor) for g in each]
    profile = measure.Profile(
        seen[0].distance,
        seen[0].pairs,
        np.stack([one.mean.mean(1) for one in seen]),
        np.stack([(one.variance + one.mean**2).mean(1) - one.mean.mean(1) ** 2 for one in seen]),
    )
    out["profile"] = (("run", "step", "level"), profile.mean)
    out["profile_sd"] = (("run", "step", "level"), np.sqrt(np.maximum(profile.variance, 0.0)))
    out["distance"] = (("level",), profile.distance)
    out["pairs"] = (("level",), profile.pairs)
    fits = {family: measure.fit(profile, family) for family in FAMILIES}
    for field in ("epsilon", "delta", "epsilon_stderr", "delta_stderr", "aic"):
        values = np.stack([getattr(fits[family], field) for family in FAMILIES], axis=-1)
        out["fit_delta" if field == "delta" else field] = (("run", "step", "family"), values)
    predicted = np.full((2, *profile.mean.shape[:2], len(FAMILIES)), np.nan)
    # Of many items only the last step: a table takes some ten milliseconds.
    rows = slice(None) if n == 2 else slice(-1, None)
    for column, family in enumerate(FAMILIES):
        epsilon, delta = (x[:, rows] for x in (fits[family].epsilon, fits[family].delta))
        predicted[:, :, rows, column] = _predicted(space, family, epsilon, delta, n)
    out["predicted_p_s"], out["predicted_p_i"] = ((("run", "step", "family"), x) for x in predicted)
    shown = [int(np.flatnonzero(history.steps == step)[0]) for step in shown_steps(int(history.steps[-1]))
             if step in history.steps]  # fmt: skip
    out["similarity"] = (("shown", "probe", "stimulus"), each[0][shown, 0].astype(np.float32))
    out["shown_step"] = (("shown",), history.steps[shown])
    fronts = [
        frontier.family_front(space, family, n=n, points=_FRONT if n == 2 else _FRONT_MANY) for family in FAMILIES
    ]
    for field in ("epsilon", "p_s", "p_i"):
        out[f"front_{field}"] = (("family", "point"), stacked([getattr(front, field) for front in fronts]))
    tested = tuple(sorted({k for k in test_items if k < size}))
    if tested and design.slots == 1:
        out["test_n"] = tested
        with jax.enable_x64(True):
            last = np.stack([g[-1, 0] for g in each]) + floor
            pairs = [tables.accuracy(space, last, n=k) for k in tested]
        out["tested_p_s"], out["tested_p_i"] = (
            (("run", "test_n"), np.stack([np.asarray(pair[part]) for pair in pairs], axis=-1)) for part in range(2)
        )
    return out


def _optimal_front(space: Finite, floor: float) -> dict[str, Any]:
    each = [frontier.optimal_finite(space, floor, weight=weight).accuracy for weight in _OPTIMAL_WEIGHTS]
    return {
        "optimal_p_s": (("weight",), np.array([one.p_s for one in each])),
        "optimal_p_i": (("weight",), np.array([one.p_i for one in each])),
    }


def _predicted(space: Finite, family: str, epsilon: np.ndarray, delta: np.ndarray, n: int) -> np.ndarray:
    """(2, ...) accuracies on the same stimuli of a family with numbers of shape (...)."""
    kind = similarity.get(family)
    d = np.asarray(space.distances, np.float64)[None]
    rows = max(1, _TABLES // d.size)
    found = []
    with jax.enable_x64(True):
        for i in range(0, epsilon.size, rows):
            part = kind(*(x.reshape(-1, 1, 1)[i : i + rows] for x in (epsilon, delta)))
            found.append(np.stack(tables.accuracy(space, part(d), n=n)))
    return np.concatenate(found, axis=1).reshape(2, *epsilon.shape)
