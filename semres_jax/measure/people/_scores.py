"""Judgements split in three, and how likely each part is by what was trained on the first."""

import dataclasses
from typing import Any

import jax
import numpy as np
from scipy import special

from semres_jax._random import generator
from semres_jax._types import Quantity
from semres_jax.data.triplets import Triplets
from semres_jax.execution import Execution
from semres_jax.measure.people._judged import pairs_of
from semres_jax.measure.people._training import Part, Trained, Training
from semres_jax.similarity import Family

# Fewer sets of three stimuli than these are not split: nothing would be known from what is held out.
_FEWEST = 20
# This share of the sets of three stimuli, of those that aren't held out, ends a fit. What is trained again on all may
# make what was fitted less likely by so much, in nats a judgement; by more, it went to another place.
_LOOK, _LOST = 0.1, 0.005
# Starts agree whose judgements held out are as likely, to this, in nats a judgement.
_AGREE = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """How likely judgements are by embeddings of one dimension.

    Attributes:
        dimensions: number of coordinates.
        train, look: (S,) mean ln P of judgements that were fitted, and that ended the fit, by start.
        steps: (S,) to the best.
        delta: the floor of the best start.
        held_out: mean ln P of judgements that had no part in anything, by the best start.
        right: share of these in which the closest pair was chosen.
    """

    dimensions: int
    train: np.ndarray
    look: np.ndarray
    steps: np.ndarray
    delta: float
    held_out: Quantity
    right: Quantity

    @property
    def best(self) -> int:
        """The start by which what ended the fit is most likely."""
        return int(np.argmax(self.look))

    @property
    def agreeing(self) -> int:
        """How many starts are as good as the best, to 1e-3 nats a judgement."""
        return int((self.look >= self.look.max() - _AGREE).sum())


@dataclasses.dataclass(frozen=True)
class Data:
    """Judgements in three parts, over the pairs that there are.

    Attributes:
        ends: (U, 2) stimuli of the pairs.
        seen: judgements that are fitted in the end.
        fit, look: (T,) weights of those of them that are fitted at first, and that end this fit.
        left: those held out.
        counts: (3,) how many judgements each has.
    """

    ends: np.ndarray
    seen: Part
    fit: np.ndarray
    look: np.ndarray
    left: Part
    counts: tuple[float, float, float]


def split(triplets: Triplets, held_out: float, key: Any, notes: list[str]) -> Data:
    """Judgements of some sets of three stimuli, of others, and of the rest."""
    three = np.sort(triplets.items, axis=1)
    size = triplets.stimuli
    group = np.unique((three[:, 0] * size + three[:, 1]) * size + three[:, 2], return_inverse=True)[1]
    groups = int(group.max()) + 1
    few = round(held_out * groups)
    if held_out > 0 and groups < _FEWEST:
        notes.append(f"only {groups} different sets of three stimuli: none are held out, and fits go to their end")
        few = 0
    part, order = np.zeros(groups, int), generator(key, 1).permutation(groups)
    ending = round(_LOOK * (groups - few)) if groups >= _FEWEST else 0
    part[order[:few]], part[order[few : few + ending]] = 2, 1
    part = np.where(triplets.counts > 0, part[group], -1)
    pairs = np.sort(pairs_of(triplets.items, triplets.layout), axis=2)
    known, which = np.unique(pairs[..., 0] * size + pairs[..., 1], return_inverse=True)
    which = which.reshape(pairs.shape[:2])
    counts = [float(triplets.counts[part == k].sum()) for k in range(3)]
    seen, left = (part == 0) | (part == 1), part == 2

    def weight(of: np.ndarray, within: np.ndarray) -> np.ndarray:
        some = np.where(of, triplets.counts, 0.0)[within]
        return some / max(some.sum(), 1e-300)

    fit, look = (weight(part == k, seen) for k in range(2))
    return Data(
        np.stack([known // size, known % size], axis=1), Part(which[seen], weight(seen, seen)), fit,
        look if counts[1] > 0 else fit, Part(which[left], weight(left, left)), (counts[0], counts[1], counts[2]),
    )  # fmt: skip


def kept(data: Data, dimensions: int, how: Execution, **settings: Any) -> dict[str, Trained]:
    """What `Training` gives "first", to what ends the fit, and on "all" that isn't held out, for as many steps.

    What was kept is not trained again.
    """
    cell = f"{dimensions} dimensions"
    there = None if how.saved is None else how.saved.finished(cell)
    if there is not None:
        names = ("first", "all")
        return {name: Trained(*(there[f"{name}_{field}"] for field in Trained._fields)) for name in names}
    training = Training(data.ends, data.seen.pairs, dimensions=dimensions, **settings)
    first = training.run(data.fit, data.look)
    trained = {"first": first, "all": training.run(data.seen.weight, data.look, first.steps)}
    if how.saved is not None:
        how.saved.finish(
            cell, {f"{name}_{field}": x for name, run in trained.items() for field, x in run._asdict().items()}
        )
    return trained


def scored(
    data: Data, trained: dict[str, Trained], dimensions: int, kind: Family, exponent: float
) -> tuple[Scores, np.ndarray]:
    """How likely all parts are by each start, in float64, and the places of the best along their principal axes."""

    def of(name: str, start: int) -> tuple[np.ndarray, float, np.ndarray]:
        points = np.asarray(trained[name].points[start], np.float64)
        floor = float(special.expit(np.float64(trained[name].logit[start])))
        return points, floor, _log_strengths(points, data.ends, kind, floor, exponent)

    def seen(name: str, start: int, *weights: np.ndarray) -> list[float]:
        log_p = _log_p(of(name, start)[2], data.seen)
        return [float((weight * log_p).sum()) for weight in weights]

    first = trained["first"]
    fitted, looked = np.array([seen("first", start, data.fit, data.look) for start in range(len(first.steps))]).T
    best = int(np.argmax(looked))
    again = seen("all", best, data.fit)[0] >= fitted[best] - _LOST
    points, floor, score = of("all" if again else "first", best)
    held_out = right = Quantity(np.nan)
    if data.counts[2] > 0:
        chosen = score[data.left.pairs]
        most = chosen == chosen.max(axis=1, keepdims=True)
        held_out = _interval(_log_p(score, data.left), data.left, data.counts[2])
        right = _interval(most[:, 0] / most.sum(1), data.left, data.counts[2])
    points = points - points.mean(0)
    turned = points @ np.linalg.svd(points, full_matrices=False)[2].T
    # The sign of an axis is free: the stimulus farthest along it is at its positive end.
    signs = np.sign(turned[abs(turned).argmax(0), np.arange(turned.shape[1])])
    return Scores(dimensions, fitted, looked, first.steps, floor, held_out, right), turned * signs


def _log_strengths(points: np.ndarray, ends: np.ndarray, kind: Family, floor: float, exponent: float) -> np.ndarray:
    """(U,) a ln g of the pairs."""
    apart = np.sqrt(((points[ends[:, 0]] - points[ends[:, 1]]) ** 2).sum(-1))
    with jax.enable_x64(True):
        return exponent * np.asarray(kind(1.0, floor).log(apart), np.float64)


def _log_p(score: np.ndarray, part: Part) -> np.ndarray:
    """(T,) ln P of the chosen."""
    return special.log_softmax(score[part.pairs], axis=1)[:, 0]


def _mean(values: np.ndarray, part: Part) -> tuple[float, float]:
    """Mean and variance over judgements."""
    mean = float((part.weight * values).sum())
    return mean, float((part.weight * (values - mean) ** 2).sum())


def _interval(values: np.ndarray, part: Part, count: float) -> Quantity:
    """A mean over judgements with its standard error and normal 95 % interval."""
    mean, variance = _mean(values, part)
    error = float(np.sqrt(variance / count))
    return Quantity(mean, error, mean - 1.959964 * error, mean + 1.959964 * error)
