"""Toy networks on tuples of features: trained with slots of their own and without, scored exactly, laid over fronts."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from semres_jax import frontier, measure, similarity
from semres_jax._checks import require_count
from semres_jax._types import Accuracy
from semres_jax.execution import Execution
from semres_jax.experiments.compositional.scores import Ratios, identification, of_shared, ratios
from semres_jax.experiments.compositional.table import Trained, joined
from semres_jax.laws import tables
from semres_jax.spaces import Finite, get, grid
from semres_jax.training import compositional, toy
from semres_jax.training.checkpoints import held

if TYPE_CHECKING:
    import xarray

# Families that slots are fitted with; and those whose fronts are drawn. (An exponential similarity without a floor has
# none: the narrower it is, the better it does both, up to ties.)
FAMILIES, FRONTS = measure.FITTED, ("constant", "linear")
# Slots up to which a shared map is trained: it is scored on pairs of wholes.
_SHARED = 3
# Weights of p_S along a front of best similarities.
_WEIGHTS = (1.0, 0.9, 0.75, 0.6, 0.45, 0.3, 0.15, 0.0)


class Member(NamedTuple):
    """One way to train, and how what was trained is tested.

    Attributes:
        training: "features", similarity of each feature alone, or "end to end", with identification of wholes.
        hyper: its numbers.
        aggregates: in which ways slots are put together in the test; "whole" for a shared map.
    """

    training: str
    hyper: dict[str, float]
    aggregates: tuple[str, ...]


_FEATURES = {"lambda_id": 0.0, "gate": 1.0, "learns": 0.0}
_PRODUCT, _MEAN = {"gate": 1.0, "learns": 0.0}, {"gate": 0.0, "learns": 0.0}
_MEMBERS = {
    "own": (
        Member("features", _FEATURES, ("product", "mean")),
        Member("end to end", {"gate": 0.5, "learns": 1.0}, ("gate",)),
        Member("end to end", _PRODUCT, ("product",)),
        Member("end to end", _MEAN, ("mean",)),
    ),
    # Of one slot there is nothing to put together.
    "one": (Member("features", _FEATURES, ("product",)), Member("end to end", _PRODUCT, ("product",))),
    "shared": (Member("features", _FEATURES, ("whole",)), Member("end to end", _PRODUCT, ("whole",))),
}


def study(
    *,
    slots: Sequence[int] = (1, 2, 3, 4),
    space: Any = "circle",
    stimuli: int = 16,
    hidden: int = 24,
    batch: int = 128,
    runs: int = 10,
    steps: int = 3000,
    records: int = 40,
    key: Any = None,
    checkpoints: Any = None,
    resume: bool = False,
    execution: Execution | None = None,
) -> "xarray.Dataset":
    """Train toy networks on tuples of S features, and lay feature p_S and whole p_I over the front of one similarity.

    Every network has `hidden` units altogether. With slots of their own it is trained on similarity of each feature
    alone, and tested on identification of wholes with the product and the mean of the slots' similarities; and end to
    end on both tasks (`training.compositional.train`, weights 1 and 1), with the product, with the mean, and with a
    gate between them that is learned from 1/2 on. The control has one map of all features, trained in both ways, for up
    to 3 slots. All of one code and number of slots are trained in one program.

    Predicted from each slot alone: by the family that fits its profile best (`measure.fit_profile`), by sums over the
    tables of these fits; and by the law of the constant similarity at its mean ball measure (`measure.reach`). The
    fronts are those of one similarity on the stimuli of one slot, n = 2 (`frontier.family_front`), and of the best
    similarity with the floor that networks with one slot learned.

    Args:
        slots: numbers of slots; of one the fronts are taken, and the floor of the best similarity.
        space: of each slot's features, by name.
        stimuli: spread over it in each slot.
        hidden: units, a multiple of each number of slots.
        batch: trials of a step.
        runs, steps, records, key, checkpoints, resume, execution: as in `experiments.toy.study`.

    Returns:
        A dataset with dimensions row, run (scores), group, member, step (gates, losses), family, point (fronts).

    Raises:
        ValueError: numbers of slots below 1 or twice the same; as `training.compositional.train`.

    Example (three minutes on two cores; `semres toy --preset compositional` does this and writes files and figures):

        data = compositional.study()
        compositional.summary(data)[1]["off_constant"]
    """
    counts = [require_count("slots", count, 1) for count in slots]
    if not counts or len(set(counts)) < len(counts):
        raise ValueError(f"slots must be different numbers of at least 1; got {list(slots)}")
    feature = grid(get(space) if isinstance(space, str) else space, stimuli)
    groups = [("own", count) for count in counts] + [("shared", count) for count in counts if 1 < count <= _SHARED]
    designs = {code: compositional.Design(hidden, code, batch) for code in compositional.CODES}
    for code, count in groups:
        designs[code].units(count)
    recorded = toy.record_steps(steps, records)
    execution, trained = execution or Execution(), []
    with held(checkpoints):
        for number, (code, count) in enumerate(groups):
            name = f"{code}-{count}"

            def tell(_: str, done: int, __: int, number: int = number, name: str = name) -> None:
                execution.tell(name, steps * number + done, steps * len(groups))

            tell("", 0, steps)
            members = _MEMBERS["one" if count == 1 else code]
            history = compositional.train(
                [feature] * count, designs[code], _hyper(members), key=key, runs=runs, steps=steps, records=recorded,
                checkpoint=None if checkpoints is None else Path(checkpoints) / name, resume=resume,
                execution=execution.within(name, tell),
            )  # fmt: skip
            trained.append(_group(code, feature, members, history))
            if execution.finished is not None:
                execution.finished(joined(trained, *_fronts(feature, trained)))
    return joined(trained, *_fronts(feature, trained))


def _hyper(members: Sequence[Member]) -> compositional.Hyper:
    usual = {field.name: field.default for field in dataclasses.fields(compositional.Hyper)}  # pyright: ignore[reportArgumentType]
    named = {name for member in members for name in member.hyper}
    return compositional.Hyper(**{name: [member.hyper.get(name, usual[name]) for member in members] for name in named})


def _group(code: str, feature: Finite, members: Sequence[Member], history: compositional.History) -> Trained:
    """What was trained in one program, and its scores."""
    floor = float(np.float32(compositional.Hyper().floor))  # as it was trained with
    rows, conditions = [], []
    for place, member in enumerate(members):
        maps, gates = history.maps[place, :, -1], history.gate[place, :, -1]
        slots, ways = maps.shape[1], member.aggregates
        begin = f"{slots} slot{'s' * (slots > 1)}, {code}, {member.training}"
        paths = {f"path_{key}": getattr(history, key)[place] for key in ("gate", "loss_sim", "loss_id")}
        conditions.append({"condition": f"{begin}, {' or '.join(ways)}", "maps": maps} | paths)
        scored = _own(feature, maps, gates, floor, ways) if code == "own" else _shared(feature, maps, floor)
        for way, scores in zip(ways, scored, strict=True):
            about = {"code": code, "slots": slots, "training": member.training, "aggregate": way}
            rows.append({"row": f"{begin}, {way}"} | about | scores)
    return Trained(history.steps, conditions, rows)


def _own(
    feature: Finite, maps: np.ndarray, gates: np.ndarray, floor: float, ways: Sequence[str]
) -> list[dict[str, np.ndarray]]:
    """(R,) scores of (R, S, N, m) maps with slots of their own, for each way of putting slots together."""
    with jax.enable_x64(True):
        learned = np.asarray(toy.similarity_tables(maps))
    ranks = tables.ranking(feature)
    size = len(ranks.order)
    pairs = [[tables.of_ranking(feature, ranks, table + floor, 2) for table in run] for run in learned]
    p_s, p_i = np.array(pairs, float).mean(1).T
    mean_b, _ = measure.reach(learned)
    fitted, epsilon = _fits(feature, learned + floor)
    own = np.diagonal(learned, axis1=-2, axis2=-1).mean((-1, -2))
    scores = {
        "p_s": p_s, "slot_p_i": p_i, "mean_b": mean_b.mean(-1), "epsilon": epsilon.mean(-1), "gate": gates,
        "relative_floor": floor / (own + floor),
    }  # fmt: skip
    laws = {
        "p_i": [[ratios(table + floor) for table in run] for run in learned],
        "predicted_p_i": [[ratios(table) for table in run] for run in fitted],
        "ball_p_i": [[_constant(b, size) for b in run] for run in mean_b],
    }

    def identified(slots: Sequence[Sequence[Ratios]], way: str) -> np.ndarray:
        return np.array([identification(law, way, float(gate)) for law, gate in zip(slots, gates, strict=True)])

    return [scores | {name: identified(slots, way) for name, slots in laws.items()} for way in ways]


def _constant(b: float, size: int) -> Ratios:
    """Of a constant similarity without a floor, whose ball holds the probe and a share b of the others."""
    inside = (1.0 + b * (size - 1)) / size
    return Ratios(np.array([0.0, 1.0]), np.array([1.0 - inside, inside]), size)


def _fits(feature: Finite, learned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R, S, N, N) tables of the families that fit slots best, and (R, S) their resolutions."""
    profile = measure.profile(feature, learned)
    fits = [measure.fit_profile(profile, family) for family in FAMILIES]
    best = np.argmin([fit.aic for fit in fits], axis=0)
    d, out = np.asarray(feature.distances, np.float64), np.empty(learned.shape)
    epsilon = np.take_along_axis(np.stack([fit.epsilon.value for fit in fits]), best[None], axis=0)[0]
    delta = np.take_along_axis(np.stack([fit.delta.value for fit in fits]), best[None], axis=0)[0]
    with jax.enable_x64(True):
        for place in np.ndindex(best.shape):
            out[place] = similarity.get(FAMILIES[best[place]])(epsilon[place], delta[place])(d)
    return out, epsilon


def _shared(feature: Finite, maps: np.ndarray, floor: float) -> list[dict[str, np.ndarray]]:
    """(R,) scores of (R, S, N, m) maps of all features."""
    scores = [of_shared([feature] * maps.shape[1], run, floor) for run in maps]
    names = {"p_s": "p_s", "p_s_stderr": "p_s_sampling", "p_i": "p_i"}
    return [{name: np.array([getattr(score, key) for score in scores]) for key, name in names.items()}]


def _fronts(feature: Finite, trained: Sequence[Trained]) -> tuple[dict[str, Accuracy], float]:
    """Fronts of one similarity on the stimuli of one slot by name, and the floor of the best."""
    fronts: dict[str, Accuracy] = {}
    for family in FRONTS:
        front = frontier.family_front(feature, family)
        fronts[family] = Accuracy(front.p_s, front.p_i)
    single = [row["relative_floor"] for group in trained for row in group.rows if row["slots"] == 1]
    floor = float(np.mean(single)) if single else np.nan
    if single:
        best = [frontier.optimal_finite(feature, floor, weight=weight).accuracy for weight in _WEIGHTS]
        fronts["optimal"] = Accuracy(*(np.array(column) for column in zip(*best, strict=True)))
    return fronts, floor
