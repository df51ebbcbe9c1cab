"""The best similarity function of distance on a finite space, with a certificate: a concave program over its steps."""

from typing import NamedTuple

import jax
import numpy as np

from semres_jax._checks import require
from semres_jax._types import Accuracy, ArrayLike
from semres_jax.frontier import _simplex
from semres_jax.frontier._measures import similar, slope
from semres_jax.laws import tables
from semres_jax.similarity import Tabulated
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.named import on_space

# What no similarity may gain, in units of min(1, ln(1/Δ)): smaller gains are rounding.
_SETTLED = 1e-12
# Distances at which -ln g may rise, to begin with; others join where a rise there would gain.
_FEW = 64
_ROUNDS, _STEPS, _HALVINGS = 60, 60, 40
# Of the rise of F that its slope promises, what a step must bring; and how F is rounded.
_KEPT, _ROUNDING = 0.1, 4e-16
# Makes curvatures that vanish, where similarities are far apart, no obstacle to a step.
_RIDGE = 1e-13


class FiniteOptimum(NamedTuple):
    """The best similarity there is.

    Attributes:
        accuracy: of it, n = 2 distinct items, exactly.
        similarity: g(d), `Tabulated` at the distances there are.
        gap: no similarity of this floor has a larger weight p_S + (1 - weight) p_I by more than this (and rounding).
    """

    accuracy: Accuracy
    similarity: Tabulated
    gap: float


@on_space
def optimal_finite(space: MetricSpace, delta: ArrayLike, *, weight: ArrayLike = 1.0) -> FiniteOptimum:
    """The non-increasing g(d) in [Δ, 1] that maximises weight p_S + (1 - weight) p_I on a finite space, n = 2.

    A finite space has no continuous distribution of distances, and distinct items are not independent: the front of all
    similarities (`optimal_front`) is not quite its own, and this is. With φ = -ln g at the distances of the nearer and
    the farther item of a trial, and σ the logistic function, F is the average over trials of

        weight σ(φ_far - φ_near) + (1 - weight) σ(φ).

    σ is concave on [0, ∞), where these differences are, and φ is a sum of steps s_k >= 0 at the distances there are,
    Σ s_k <= Λ = ln(1/Δ): a concave program, whose maximum is global. It is found by Newton's method, exactly on each
    set of steps, with more steps where they would gain; by concavity no similarity is better than that by more than

        gap = Λ max_k ∂F/∂s_k - Σ_k s_k ∂F/∂s_k.

    Source: new, of this project.

    Args:
        space: finite, of equally likely stimuli.
        delta: floor Δ, above 0 and below 1.
        weight: of p_S against p_I, in [0, 1].

    Returns:
        `FiniteOptimum`. Time grows like N times the square of the number of steps of the best g, some hundreds.

    Raises:
        ValueError: out of range; no table of distances; fewer than 3 stimuli.

    Example:
        >>> from semres_jax import frontier, spaces
        >>> ring = spaces.grid(spaces.get("circle"), 20)
        >>> best = frontier.optimal_finite(ring, 0.1)
        >>> round(float(best.accuracy.p_s), 4), best.gap < 1e-11
        (0.7277, True)
    """
    require("delta", delta, 1e-300, 1 - 1e-12, "a floor above 0 and below 1")
    require("weight", weight, 0.0, 1.0, "between 0 (identification alone) and 1 (generalization alone)")
    space.require_distinct(2)
    tables.ranking(space)  # refuses what has no table of distances, or unequal weights
    d = np.asarray(space.distances, np.float64)
    levels, which = np.unique(d, return_inverse=True)
    which, floor = which.reshape(d.shape), float(np.asarray(delta))
    reach = -np.log(floor)
    if len(levels) == 1:  # all at one place: nothing to tell apart
        phi, gap = np.zeros(1), 0.0
    else:
        trials = _Trials(which, float(np.asarray(weight)))
        phi, gap = _climbed(trials, len(levels), reach)
    g = np.maximum(np.minimum.accumulate(np.exp(-phi)), floor)
    with jax.enable_x64(True):
        accuracy = Accuracy(*(float(p) for p in tables.accuracy(space, g[which])))
    return FiniteOptimum(accuracy, Tabulated(levels, g), gap)


class _Trials:
    """The trials of a finite space as levels of distance, `rows` of them by probe, nearest first."""

    def __init__(self, which: np.ndarray, weight: float):
        others = ~np.eye(len(which), dtype=bool)
        rows = np.sort(which[others].reshape(len(which), -1), axis=1)
        self.rows, counts = np.unique(rows, axis=0, return_counts=True)
        self.items = self.rows.shape[1]
        share = counts / counts.sum()
        # The first and last places of those as far as each item.
        self.first, self.last = _ends(self.rows)
        # What a pair of items of a probe counts for in F, and what an item does.
        self.pair = share * weight * 2 / (self.items * (self.items - 1))
        self.single = share * (1 - weight) / self.items

    def within(self, steps: np.ndarray) -> "_Blocks":
        """The trials for a φ that rises at these levels alone: those between are one block."""
        block = np.searchsorted(steps, self.rows, side="right")
        size = len(steps) + 1
        at = np.arange(len(self.rows))[:, None] * size + block
        number = np.bincount(at.ravel(), minlength=len(self.rows) * size).reshape(-1, size).astype(float)
        pairs = (number * self.pair[:, None]).T @ number
        alike = np.diagonal(pairs) - self.pair @ number
        return _Blocks(np.triu(pairs, 1), self.single @ number, alike.sum() / 2, block, number)

    def gains(self, blocks: "_Blocks", phi: np.ndarray, levels: int) -> np.ndarray:
        """∂F/∂s_k for a step at each level but the first."""
        away = phi[:, None] - phi
        pull = np.sign(away) * slope(np.abs(away))
        pulled = np.take_along_axis(blocks.number @ pull.T, blocks.block, axis=1)
        # Others of the same block are at σ'(0) = 1/4, nearer ones on one side and farther ones on the other.
        first, last = _ends(blocks.block)
        pulled += ((self.first - first) - (last - self.last)) / 4
        slopes = pulled * self.pair[:, None] + slope(phi)[blocks.block] * self.single[:, None]
        by_level = np.bincount(self.rows.ravel(), slopes.ravel(), minlength=levels)
        return np.cumsum(by_level[::-1])[::-1][1:]


class _Blocks(NamedTuple):
    """What pairs of items from two blocks count for (nearer, farther), single ones of a block, pairs within blocks."""

    pairs: np.ndarray
    singles: np.ndarray
    alike: float
    block: np.ndarray
    number: np.ndarray

    def value(self, phi: np.ndarray) -> float:
        told_apart = 1.0 - similar(np.maximum(phi - phi[:, None], 0.0))
        return float((self.pairs * told_apart).sum() + self.alike / 2 + self.singles @ (1.0 - similar(phi)))

    def slopes(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and (minus) second derivatives in the steps, of which the first block has none."""
        away = np.maximum(phi - phi[:, None], 0.0)
        pulls, own = self.pairs * slope(away), self.singles * slope(phi)
        first = pulls.sum(0) - pulls.sum(1) + own
        bends, own = self.pairs * _bend(away), self.singles * _bend(phi)
        second = np.diag(bends.sum(0) + bends.sum(1) + own) - bends - bends.T
        second = np.cumsum(np.cumsum(second[::-1, ::-1], axis=0), axis=1)[::-1, ::-1]
        return np.cumsum(first[::-1])[::-1][1:], second[1:, 1:]


def _ends(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each entry of rows that don't fall: the first and the last place in its row of an equal one."""
    place, new = np.arange(rows.shape[1]), np.diff(rows, axis=1) != 0
    edge = np.ones((len(rows), 1), bool)
    first = np.maximum.accumulate(np.where(np.hstack([edge, new]), place, 0), axis=1)
    last = np.where(np.hstack([new, edge]), place, rows.shape[1])[:, ::-1]
    return first, np.minimum.accumulate(last, axis=1)[:, ::-1]


def _bend(x: np.ndarray) -> np.ndarray:
    """-σ''(x), of x >= 0."""
    decayed = np.exp(-x)
    return decayed * -np.expm1(-x) / (1.0 + decayed) ** 3


def _climbed(trials: _Trials, levels: int, reach: float) -> tuple[np.ndarray, float]:
    """φ at the levels, and the most that any other one gains."""
    steps = np.unique(np.linspace(1, levels - 1, min(levels - 1, _FEW)).round().astype(int))
    share = np.full(len(steps), 1.0 / len(steps))
    settled, best, least = _SETTLED * min(1.0, reach), (np.zeros(levels), np.inf), -np.inf
    for _ in range(_ROUNDS):
        blocks = trials.within(steps)
        share, value = _newton(blocks, share, reach, settled / 4)
        phi = np.append(0.0, reach * np.cumsum(share))
        phi[-1] = reach  # the last of all levels loses nothing by it
        gains = reach * trials.gains(blocks, phi, levels)
        excess = gains - share @ gains[steps - 1]
        gap = float(max(excess.max(), 0.0))
        if gap < best[1]:
            best = phi[np.searchsorted(steps, np.arange(levels), side="right")], gap
        if gap <= settled or value <= least:
            break
        least = value
        used = share > 0
        steps, share = steps[used], share[used]
        # Between two steps, the level where another one would gain most.
        between = np.searchsorted(steps, np.arange(1, levels), side="right")
        order = np.lexsort((excess, between))
        most = order[np.append(np.flatnonzero(np.diff(between[order])), levels - 2)]
        joining = np.setdiff1d(most[excess[most] > 0] + 1, steps)
        place = np.searchsorted(steps, joining)
        steps, share = np.insert(steps, place, joining), np.insert(share, place, 0.0)
    return best


def _newton(blocks: _Blocks, share: np.ndarray, reach: float, settled: float) -> tuple[np.ndarray, float]:
    """The shares of the reach that maximise F on these blocks, and F."""

    def phi(x: np.ndarray) -> np.ndarray:
        return np.append(0.0, reach * np.cumsum(x))

    value = blocks.value(phi(share))
    for _ in range(_STEPS):
        first, second = blocks.slopes(phi(share))
        first, matrix = reach * first, reach**2 * second
        if first.max() - first @ share <= settled:
            break
        matrix = matrix + _RIDGE * max(float(np.diagonal(matrix).max()), 1e-300) * np.eye(len(matrix))
        move = _simplex.maximise(matrix, first + matrix @ share, share > 0) - share
        hoped, length = float(first @ move), 1.0
        for _ in range(_HALVINGS):
            there = blocks.value(phi(share + length * move))
            if there >= value + _KEPT * length * hoped - _ROUNDING:
                break
            length /= 2
        else:
            break
        share = np.maximum(share + length * move, 0.0)
        share, value = share / share.sum(), there
    return share, value
