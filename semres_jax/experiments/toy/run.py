"""The toy network's experiments: conditions trained, their learned resolution fitted, laid over exact fronts."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from semres_jax import frontier, measure, similarity
from semres_jax._checks import require_count
from semres_jax.execution import Execution
from semres_jax.experiments.toy.summaries import summary as summary
from semres_jax.experiments.toy.table import joined, stacked
from semres_jax.laws import tables
from semres_jax.spaces import Finite
from semres_jax.training import toy
from semres_jax.training.checkpoints import held

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
        shape, values = self.hyper.shape, self.hyper.numbers()
        varied = [name for name, value in values.items() if value.size > 1]
        members = []
        for place in np.ndindex(shape):
            here = {name: float(np.broadcast_to(value, shape)[place]) for name, value in values.items()}
            label = ", ".join([self.name, *(f"{name} {here[name]:g}" for name in varied)])
            members.append((label, toy.Hyper(**here)))
        return members


def study(
    conditions: Sequence[Condition],
    *,
    runs: int = 10,
    steps: int = 7500,
    records: int = 100,
    key: Any = None,
    test_items: Sequence[int] = (),
    optimal: bool = False,
    checkpoints: Any = None,
    resume: bool = False,
    execution: Execution | None = None,
) -> "xarray.Dataset":
    """Train every condition, measure every recorded step, and lay it over the exact fronts of the same stimuli.

    Args:
        conditions: with different names.
        runs, steps, records, key: of `training.toy.train`; `shown_steps` are recorded too.
        test_items: numbers of items at which the networks are tested after the last step (one slot only).
        optimal: find the front of the best similarity with the floor that each condition learned (seconds each;
            two items, one slot).
        checkpoints: a folder in which each condition has one of its own.
        resume: go on from these.
        execution: devices; progress in steps of all conditions; `finished` gets the dataset of the conditions so far.

    Returns:
        A dataset with dimensions condition, run, step, n (items of the trials), family, level (of distance), ...:
        accuracies, losses, the reach of similarities (`mean_b`, `var_b`), their profile, fits of each family with the
        accuracies these predict on the same stimuli, exact fronts, final weights, how stimuli share the dimensions
        (`measure.superposition`). All have `long_name` and `units`.

    Raises:
        ValueError: conditions of the same name; as `training.toy.train`, for the folder of all checkpoints too.
        training.toy.Diverged: a loss was not finite.

    Example (a minute on two cores; `semres toy --preset fig4` does this and writes files and figures):

        data = toy.study(presets.PRESETS["fig4"].conditions())
        toy.summary(data)[0]["best_p_s"]
    """
    names = [name for condition in conditions for name, _ in condition.members()]
    if len(set(names)) < len(names) or not names:
        twice = next((name for name in names if names.count(name) > 1), "none")
        raise ValueError(f"conditions must be at least one, with different names; got {twice!r} twice or none at all")
    test_items = [require_count("test_items", n, 2) for n in test_items]
    recorded = np.union1d(toy.record_steps(steps, records), shown_steps(steps))
    execution, planned, measured = execution or Execution(), steps * len(conditions), []
    with held(checkpoints):
        for number, condition in enumerate(conditions):

            def tell(_: str, done: int, __: int, number: int = number, name: str = condition.name) -> None:
                execution.tell(name, steps * number + done, planned)

            tell("", 0, steps)
            folder = None if checkpoints is None else Path(checkpoints) / folder_name(condition.name)
            history = toy.train(
                condition.space, condition.design, condition.hyper, key=key, runs=runs, steps=steps, records=recorded,
                checkpoint=folder, resume=resume, execution=execution.within(condition.name, tell),
            )  # fmt: skip
            for place, (name, hyper) in zip(np.ndindex(condition.hyper.shape), condition.members(), strict=True):
                own = toy.History(*history[:2], *(x[place] for x in history[2:]))
                measured.append(_measured(name, condition, hyper, own, test_items))
                if optimal and condition.design.items == 2 and condition.design.slots == 1:
                    floor = float(measured[-1]["relative_floor"][1][:, -1].mean())
                    measured[-1] |= _optimal_front(condition.space, floor)
            if execution.finished is not None:
                execution.finished(joined(measured, steps))
    return joined(measured, steps)


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
    floor = float(np.float32(hyper.floor))  # as it was trained with
    with jax.enable_x64(True):
        learned = [np.asarray(toy.similarity_tables(weights)) for weights in history.weights]  # by run: (T, S, N, N)
    profile = _profile(space, learned, floor)
    return {
        "condition": name,
        **_trained(space, design, hyper, history),
        **_similarities(learned, floor, history.steps),
        **_geometry(history),
        "profile": (("run", "step", "level"), profile.mean),
        "profile_sd": (("run", "step", "level"), np.sqrt(np.maximum(profile.variance, 0.0))),
        "distance": (("level",), profile.distance),
        "pairs": (("level",), profile.pairs),
        **_fitted(space, profile, design.items),
        **_fronts(space, design.items),
        **(_tested(space, learned, floor, test_items) if design.slots == 1 else {}),
    }


def _trained(space: Finite, design: toy.Design, hyper: toy.Hyper, history: toy.History) -> dict[str, Any]:
    """What was trained, and its history."""
    scored, several = ("p_s", "p_i", "p_s_stderr", "p_i_stderr"), design.slots > 1
    return {
        **{name: ((), float(getattr(hyper, name))) for name in ("lambda_sim", "lambda_rec", "learning_rate", "floor")},
        **{name: ((), getattr(design, name)) for name in ("items", "hidden", "slots")},
        **{name: ((), getattr(design, name) if several else "") for name in ("decision", "label")},
        "stimuli": ((), space.size),
        "steps": history.steps,
        "n": history.test_items,
        **{name: (("run", "step"), getattr(history, name)) for name in ("loss_sim", "loss_rec")},
        **{name: (("run", "step", "n"), getattr(history, name)) for name in scored},
        "weights": (("run", "slot", "stimulus", "dimension"), history.weights[:, -1]),
    }


def _similarities(learned: list[np.ndarray], floor: float, steps: np.ndarray) -> dict[str, Any]:
    """How far similarities reach, how high the floor is, and tables of the first run and slot."""
    mean_b, var_b = zip(*(measure.reach(g) for g in learned), strict=True)
    own = np.stack([np.diagonal(g, axis1=-2, axis2=-1).mean((-1, -2)) for g in learned])
    shown = np.flatnonzero(np.isin(steps, shown_steps(int(steps[-1]))))
    return {
        "mean_b": (("run", "step"), np.stack([np.asarray(b).mean(-1) for b in mean_b])),
        "var_b": (("run", "step"), np.stack([np.asarray(b).mean(-1) for b in var_b])),
        "relative_floor": (("run", "step"), floor / (own + floor)),
        "similarity": (("shown", "probe", "stimulus"), learned[0][shown, 0].astype(np.float32)),
        "shown_step": (("shown",), steps[shown]),
    }


def _geometry(history: toy.History) -> dict[str, Any]:
    """How stimuli share the dimensions of the maps: of each at the shown steps, means over slots and stimuli of all."""
    shared = measure.superposition(history.weights)
    shown = np.flatnonzero(np.isin(history.steps, shown_steps(int(history.steps[-1]))))
    own = (history.weights.astype(np.float64) ** 2).sum((-1, -2, -3))
    with np.errstate(divide="ignore", invalid="ignore"):
        interference, passed = (x.sum((-1, -2)) / own for x in (shared.interference, shared.passed))
    return {
        "feature_dimensions": (("run", "shown", "slot", "stimulus"), shared.dimensions[:, shown]),
        "mean_feature_dimensions": (("run", "step"), shared.dimensions.mean((-1, -2))),
        "interference": (("run", "step"), interference),
        "passed_interference": (("run", "step"), passed),
        "per_feature": (("run", "step"), shared.per_feature.mean(-1)),
    }


def _profile(space: Finite, learned: list[np.ndarray], floor: float) -> measure.Profile:
    """Profiles of runs and steps, over the pairs of all slots."""
    runs = [measure.profile(space, g + floor) for g in learned]
    mean = np.stack([run.mean.mean(1) for run in runs])
    square = np.stack([(run.variance + run.mean**2).mean(1) for run in runs])
    return measure.Profile(runs[0].distance, runs[0].pairs, mean, square - mean**2)


def _fitted(space: Finite, profile: measure.Profile, n: int) -> dict[str, Any]:
    """Fits of all families, and what each predicts on the same stimuli."""
    fits = [measure.fit_profile(profile, family) for family in FAMILIES]
    names = ("epsilon", "epsilon_stderr", "fit_delta", "delta_stderr", "aic")
    columns = zip(*((*fit.epsilon[:2], *fit.delta[:2], fit.aic) for fit in fits), strict=True)
    by_family = ("run", "step", "family")
    out = {name: (by_family, np.stack(column, axis=-1)) for name, column in zip(names, columns, strict=True)}
    predicted = np.full((2, *profile.mean.shape[:2], len(FAMILIES)), np.nan)
    # Of many items only the last step: a table takes some ten milliseconds.
    rows = slice(None) if n == 2 else slice(-1, None)
    for column, (family, fit) in enumerate(zip(FAMILIES, fits, strict=True)):
        epsilon, delta = (number.value[:, rows] for number in (fit.epsilon, fit.delta))
        predicted[:, :, rows, column] = _predicted(space, family, epsilon, delta, n)
    return out | {f"predicted_p_{p}": (by_family, x) for p, x in zip("si", predicted, strict=True)}


def _fronts(space: Finite, n: int) -> dict[str, Any]:
    points = _FRONT if n == 2 else _FRONT_MANY
    fronts = [frontier.family_front(space, family, n=n, points=points) for family in FAMILIES]
    columns = {name: stacked([getattr(front, name) for front in fronts]) for name in ("epsilon", "p_s", "p_i")}
    return {f"front_{name}": (("family", "point"), column) for name, column in columns.items()}


def _tested(space: Finite, learned: list[np.ndarray], floor: float, test_items: Sequence[int]) -> dict[str, Any]:
    """Accuracies with other numbers of items after the last step."""
    tested = tuple(sorted({n for n in test_items if n < (space.size or 0)}))
    if not tested:
        return {}
    with jax.enable_x64(True):
        last = np.stack([g[-1, 0] for g in learned]) + floor
        pairs = [tables.accuracy(space, last, n=n) for n in tested]
    p_s, p_i = (np.stack([np.asarray(p) for p in column], axis=-1) for column in zip(*pairs, strict=True))
    return {"test_n": tested, "tested_p_s": (("run", "test_n"), p_s), "tested_p_i": (("run", "test_n"), p_i)}


def _optimal_front(space: Finite, floor: float) -> dict[str, Any]:
    pairs = [frontier.optimal_finite(space, floor, weight=weight).accuracy for weight in _OPTIMAL_WEIGHTS]
    columns = zip("si", zip(*pairs, strict=True), strict=True)
    return {f"optimal_p_{p}": (("weight",), np.array(column)) for p, column in columns}


def _predicted(space: Finite, family: str, epsilon: np.ndarray, delta: np.ndarray, n: int) -> np.ndarray:
    """(2, ...) accuracies on the same stimuli of a family with numbers of shape (...)."""
    kind = similarity.get(family)
    d = np.asarray(space.distances, np.float64)[None]
    rows = max(1, _TABLES // d.size)
    pieces = []
    with jax.enable_x64(True):
        for i in range(0, epsilon.size, rows):
            part = kind(*(x.reshape(-1, 1, 1)[i : i + rows] for x in (epsilon, delta)))
            pieces.append(np.stack(tables.accuracy(space, part(d), n=n)))
    return np.concatenate(pieces, axis=1).reshape(2, *epsilon.shape)
