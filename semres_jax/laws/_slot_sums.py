"""Sums over the ways in which slots of a whole may fall inside or outside, for constant similarities.

Items are of finitely many classes: which (or how many) slots of an item lie outside the probe's balls decides its
strength. Everything is made of a class's probability, its strength, and its probability together with being nearer than
some distance. All terms are positive: nothing cancels. On the host, in float64.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semres_jax import _memory
from semres_jax.laws.reciprocal import node, nodes

# Strengths whose ratio is e^-_GAP decide as any larger ratio would.
_GAP = 45.0
_STEP = 0.25
_S_CHUNK = 256
# Up to so many nodes a panel has what a polynomial takes; beyond, panels are graded, of so many nodes.
_MOST_EXACT, _GRADED = 512, 20


class Classes(NamedTuple):
    """What an item can be to a probe: of C classes."""

    chance: np.ndarray  # (C,) probabilities
    log_strength: np.ndarray  # (C,) at most 0; -inf where the strength is 0


class Order(NamedTuple):
    """How items of the classes come in the order of distance, at R nodes of a rule over it."""

    weight: np.ndarray  # (R,) of the rule
    nearer: np.ndarray  # (C, R) probability of the class and of being nearer than the node
    density: np.ndarray  # (C, R) its derivative by what the rule integrates over


def alike(b: float, delta: float, slots: int, aggregate: str) -> Classes:
    """Classes of S slots with one ball measure and floor: the number K of slots outside, from 0 to S."""
    outside = np.arange(slots + 1)
    chance = np.ones(1)
    for _ in range(slots):
        chance = np.convolve(chance, [b, 1.0 - b])
    with np.errstate(divide="ignore", invalid="ignore"):
        if aggregate == "product":
            return Classes(chance, np.where(outside > 0, outside * np.log(delta), 0.0))
        return Classes(chance, np.log((slots - outside + outside * delta) / slots))


def alike_order(b: float, slots: int, n: int) -> Order:
    """Of `alike` classes by the largest rank r: the share of stimuli closer in a feature, uniform on [0, 1]."""
    rank, weight = rule([0.0, b, 1.0], slots, n)
    _require(slots + 1, len(rank))
    inside, beyond = np.minimum(rank, b)[None], np.maximum(rank - b, 0.0)[None]
    k, within = np.arange(slots + 1)[:, None], (rank < b)[None]
    choices = np.array([math.comb(slots, i) for i in range(slots + 1)], np.float64)[:, None]
    nearer = choices * inside ** (slots - k) * beyond**k
    grows_inside = np.where(within, (slots - k) * inside ** np.maximum(slots - k - 1, 0) * beyond**k, 0.0)
    grows_beyond = np.where(within, 0.0, k * inside ** (slots - k) * beyond ** np.maximum(k - 1, 0))
    return Order(weight, nearer, choices * (grows_inside + grows_beyond))


def different(b: np.ndarray, delta: np.ndarray, aggregate: str) -> Classes:
    """Classes of slots with ball measures and floors of their own: the 2^S patterns of inside and outside."""
    outside = _patterns(len(b))
    chance = np.prod(np.where(outside, 1.0 - b, b), axis=1)
    with np.errstate(divide="ignore"):
        if aggregate == "product":
            return Classes(chance, np.where(outside, np.log(delta), 0.0).sum(axis=1))
        return Classes(chance, np.log(np.where(outside, delta, 1.0).mean(axis=1)))


def different_order(ball: np.ndarray, slope: np.ndarray, b: np.ndarray, weight: np.ndarray) -> Order:
    """Of `different` classes by the largest distance, at nodes r of a rule.

    Args:
        ball, slope: (S, R) ball measures of the slots at r, and their derivatives.
        b: (S,) ball measures at the resolutions.
        weight: (R,) of the rule.
    """
    outside = _patterns(len(b))
    _require(len(outside), len(weight))
    nearer, density = np.ones((len(outside), len(weight))), np.zeros((len(outside), len(weight)))
    for s in range(len(b)):
        within, out = ball[s] < b[s], outside[:, s, None]
        own = np.where(out, np.maximum(ball[s] - b[s], 0.0), np.minimum(ball[s], b[s]))
        grows = np.where(out, ~within, within) * slope[s]
        nearer, density = nearer * own, density * own + nearer * grows
    return Order(weight, nearer, density)


def _require(classes: int, count: int) -> None:
    _memory.require(64 * classes * count, f"the order of {classes:,} kinds of items at {count:,} distances")


def _patterns(slots: int) -> np.ndarray:
    """(2^S, S) whether each slot is outside."""
    return np.array(list(itertools.product((False, True), repeat=slots)))


def identification(classes: Classes, n: int | float) -> float:
    """E[1 / (1 + Σ strengths of n - 1 items)] = ∫ e^{-s} (E e^{-s h})^{n-1} ds; n may be a fraction."""
    s, weight = nodes(n)
    lost = -np.expm1(-s[:, None] * np.exp(classes.log_strength)[None]) @ classes.chance  # 1 - E e^{-s h}
    return float(weight @ (np.exp(-s) * _power(lost, n - 1)))


def nearest(classes: Classes, order: Order, n: int) -> float:
    """Expected credit of the nearest of n items; 1/n where all strengths are 0."""
    log, nothing = classes.log_strength, np.isneginf(classes.log_strength)
    density = order.density * order.weight[None]
    farther = classes.chance[:, None] - order.nearer
    if n == 2:
        both = density @ farther.T  # probability that the right item is of one class, the other of another
        with np.errstate(invalid="ignore"):
            share = 1.0 / (1.0 + np.exp(np.minimum(log[None, :] - log[:, None], 700.0)))
        return float(2.0 * (both * np.where(nothing[None, :] & nothing[:, None], 0.5, share)).sum())
    log = np.where(nothing, 0.0, _shortened(log))
    depth = -log.min(initial=0.0)
    count = 2 + math.ceil(math.log(1e6 * n) / _STEP) + math.ceil((3.62 + depth) / _STEP)
    total = classes.chance[nothing].sum() ** n / n
    for first in range(0, count, _S_CHUNK):
        log_s, ratio = node(np.arange(first, min(first + _S_CHUNK, count)), n, _STEP)
        sh = np.where(
            nothing[:, None], 0.0, np.exp(np.minimum(log_s[None] + np.where(nothing, 0.0, log)[:, None], 7.0))
        )
        lost = order.nearer.sum(axis=0)[:, None] + farther.T @ -np.expm1(-sh)
        total += n * float((density.T @ (ratio[None] * sh * np.exp(-sh)) * _power(lost, n - 1)).sum())
    return float(total)


def _power(lost: np.ndarray, power: int | float) -> np.ndarray:
    """(1 - lost)^power, without losing digits where `lost` is small."""
    return np.exp(power * np.log1p(-np.minimum(lost, 1.0 - 2.0**-53)))


def _shortened(log: np.ndarray) -> np.ndarray:
    """Logarithms of strengths with gaps between neighbours of at most `_GAP`; -inf stays."""
    values, place = np.unique(np.append(log[~np.isneginf(log)], 0.0), return_inverse=True)
    gaps = np.minimum(np.diff(values), _GAP)
    shorter = np.append(-np.cumsum(gaps[::-1])[::-1], 0.0)
    result = np.full(log.shape, -np.inf)
    result[~np.isneginf(log)] = shorter[place[:-1]]
    return result


def rule(ends: Sequence[float], degree: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights over panels: exact for n-th powers of polynomials of a degree, else graded toward their starts.

    What 1 - r^j has left of n - 1 items falls within a share 1/j of an octave, wherever that is.
    """
    starts = np.unique(np.asarray(ends, np.float64))
    exact = (degree * n + 1) // 2
    x, w = _gauss(exact if exact <= _MOST_EXACT else _GRADED)
    shares = np.array([0.0, 1.0])
    if exact > _MOST_EXACT:  # n r^j is below the last digit where j octaves are more than these
        octaves, deep = math.ceil(math.log2(64.0 * n)), math.log2(n) + 56.0
        parts = [min(degree, math.ceil(deep / octave)) if octave else degree for octave in range(octaves)]
        logs = [octave + np.arange(count) / count for octave, count in enumerate(parts)]
        shares = np.concatenate([[0.0], 2.0 ** -np.concatenate(logs)])
    cuts = np.unique(np.concatenate([low + (high - low) * shares for low, high in itertools.pairwise(starts)]))
    half = np.diff(cuts)[:, None] / 2
    return (cuts[:-1, None] + half * (1.0 + x)[None]).ravel(), (half * w[None]).ravel()


@functools.cache
def _gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(count)
