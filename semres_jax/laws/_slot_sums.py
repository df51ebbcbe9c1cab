"""Sums over the ways in which slots of a whole may fall inside or outside, for constant similarities.

Items are of finitely many classes: which (or how many) slots of an item lie outside the probe's balls decides its
strength. Everything is made of a class's probability, its strength, and its probability together with being nearer than
some rank r of the distance. All terms are positive: nothing cancels. On the host, in float64.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from semres_jax.laws.reciprocal import node, nodes

# Strengths whose ratio is e^-_GAP decide as any larger ratio would.
_GAP = 45.0
_STEP = 0.25
_S_CHUNK = 256
# Up to so many nodes a panel of ranks has what a polynomial takes; beyond, panels are graded, of so many nodes.
_MOST_EXACT, _GRADED = 160, 20


class Classes(NamedTuple):
    """What an item can be to a probe."""

    chance: np.ndarray  # (C,) probabilities
    log_strength: np.ndarray  # (C,) at most 0; -inf where the strength is 0
    rank: np.ndarray  # (R,) ranks r of the largest distance, over panels of [0, 1], and
    weight: np.ndarray  # (R,) weights of the rule that they make
    nearer: np.ndarray  # (C, R) probability of the class and a rank of at most r
    density: np.ndarray  # (C, R) its derivative by r


def alike(b: float, delta: float, slots: int, aggregate: str, n: int) -> Classes:
    """Classes of S slots with one ball measure and floor: the number K of slots outside, from 0 to S."""
    outside = np.arange(slots + 1)
    chance = np.ones(1)
    for _ in range(slots):
        chance = np.convolve(chance, [b, 1.0 - b])
    with np.errstate(divide="ignore", invalid="ignore"):
        if aggregate == "product":
            log_strength = np.where(outside > 0, outside * np.log(delta), 0.0)
        else:
            log_strength = np.log((slots - outside + outside * delta) / slots)
    rank, weight = _ranks([b], slots, n)
    inside, beyond = np.minimum(rank, b)[None], np.maximum(rank - b, 0.0)[None]
    choices = np.array([math.comb(slots, k) for k in outside], np.float64)[:, None]
    k, within = outside[:, None], (rank < b)[None]
    nearer = choices * inside ** (slots - k) * beyond**k
    grows_inside = np.where(within, (slots - k) * inside ** np.maximum(slots - k - 1, 0) * beyond**k, 0.0)
    grows_beyond = np.where(within, 0.0, k * inside ** (slots - k) * beyond ** np.maximum(k - 1, 0))
    return Classes(chance, log_strength, rank, weight, nearer, choices * (grows_inside + grows_beyond))


def different(b: np.ndarray, delta: np.ndarray, aggregate: str, n: int) -> Classes:
    """Classes of slots with ball measures and floors of their own: the 2^S patterns of inside and outside."""
    slots = len(b)
    outside = np.array(list(itertools.product((False, True), repeat=slots)))
    chance = np.prod(np.where(outside, 1.0 - b, b), axis=1)
    with np.errstate(divide="ignore"):
        if aggregate == "product":
            log_strength = np.where(outside, np.log(delta), 0.0).sum(axis=1)
        else:
            log_strength = np.log(np.where(outside, delta, 1.0).mean(axis=1))
    rank, weight = _ranks(b, slots, n)
    nearer, density = np.ones((len(outside), rank.size)), np.zeros((len(outside), rank.size))
    for s in range(slots):
        within, out = rank[None] < b[s], outside[:, s, None]
        own = np.where(out, np.maximum(rank - b[s], 0.0)[None], np.minimum(rank, b[s])[None])
        grows = np.where(out, ~within, within)
        nearer, density = nearer * own, density * own + nearer * grows
    return Classes(chance, log_strength, rank, weight, nearer, density)


def identification(classes: Classes, n: int) -> float:
    """E[1 / (1 + Σ strengths of n - 1 items)] = ∫ e^{-s} (E e^{-s h})^{n-1} ds."""
    s, weight = nodes(n)
    lost = -np.expm1(-s[:, None] * np.exp(classes.log_strength)[None]) @ classes.chance  # 1 - E e^{-s h}
    return float(weight @ (np.exp(-s) * _power(lost, n - 1)))


def nearest(classes: Classes, n: int) -> float:
    """Expected credit of the item of the smallest rank among n; 1/n where all strengths are 0."""
    log, nothing = classes.log_strength, np.isneginf(classes.log_strength)
    density = classes.density * classes.weight[None]
    farther = classes.chance[:, None] - classes.nearer
    if n == 2:
        both = density @ farther.T  # probability that the right item is of one class, the other of another
        with np.errstate(invalid="ignore"):
            share = 1.0 / (1.0 + np.exp(np.minimum(log[None, :] - log[:, None], 700.0)))
        return float(2.0 * (both * np.where(nothing[None, :] & nothing[:, None], 0.5, share)).sum())
    log = _shortened(log)
    depth = -min(log[~nothing].min(initial=0.0), 0.0)
    count = 2 + math.ceil(math.log(1e6 * n) / _STEP) + math.ceil((3.62 + depth) / _STEP)
    total = classes.chance[nothing].sum() ** n / n
    for first in range(0, count, _S_CHUNK):
        log_s, ratio = node(np.arange(first, min(first + _S_CHUNK, count)), n, _STEP)
        sh = np.where(nothing[:, None], 0.0, np.exp(np.minimum(log_s[None] + np.where(nothing, 0.0, log)[:, None], 7.0)))
        lost = classes.nearer.T.sum(axis=1)[:, None] + farther.T @ -np.expm1(-sh)
        total += n * float((density.T @ (ratio[None] * sh * np.exp(-sh)) * _power(lost, n - 1)).sum())
    return float(total)


def _power(lost: np.ndarray, power: int) -> np.ndarray:
    """(1 - lost)^power, without losing digits where `lost` is small."""
    with np.errstate(divide="ignore"):
        return np.exp(power * np.log1p(-np.minimum(lost, 1.0)))


def _shortened(log: np.ndarray) -> np.ndarray:
    """Logarithms of strengths with gaps between neighbours of at most `_GAP`; -inf stays."""
    values, place = np.unique(np.append(log[~np.isneginf(log)], 0.0), return_inverse=True)
    gaps = np.minimum(np.diff(values), _GAP)
    shorter = np.append(-np.cumsum(gaps[::-1])[::-1], 0.0)
    result = np.full(log.shape, -np.inf)
    result[~np.isneginf(log)] = shorter[place[:-1]]
    return result


def _ranks(kinks: "np.ndarray | list[float]", slots: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights over [0, 1]: exact for the polynomials of few items, graded toward each kink for those of many.

    Between kinks the integrand is a polynomial of degree S n - 1 in r.
    """
    ends = np.unique(np.clip(np.concatenate([[0.0], np.asarray(kinks, np.float64), [1.0]]), 0.0, 1.0))
    exact = (slots * n + 1) // 2
    x, w = np.polynomial.legendre.leggauss(exact if exact <= _MOST_EXACT else _GRADED)
    fractions = np.array([0.0, 1.0])
    if exact > _MOST_EXACT:  # (1 - r^j)^n falls within a share 1/j of an octave, wherever that is
        fractions = np.concatenate([[0.0], 2.0 ** (-np.arange(slots * math.ceil(math.log2(64.0 * n)), -1, -1) / slots)])
    cuts = np.unique(np.concatenate([low + (high - low) * fractions for low, high in itertools.pairwise(ends)]))
    half = np.diff(cuts)[:, None] / 2
    return (cuts[:-1, None] + half * (1.0 + x)[None]).ravel(), (half * w[None]).ravel()
