"""The likelihood of choices under Luce's rule, its gradient and Hessian, written out in NumPy.

A fit asks for them at hundreds of θ, of one table or of many simulated ones. With arrays that stay in a processor's
cache that costs some twenty nanoseconds for each item and θ, and no program is compiled for each family or number of
trials. Items come first in all arrays here: sums over the items of trials are then sums of whole arrays.
"""

from typing import Any

import numpy as np

from semres_jax.measure.choices import _strengths as strengths
from semres_jax.similarity import Family

# Items whose scores are worked on together: arrays of so many numbers stay in a processor's cache, and are just too
# small to be fetched anew from the system each time (from 128 KiB on).
_CHUNK = 15 << 10
# What is less likely is as good as impossible: it has no say in where to climb.
_LEAST = float(np.finfo(np.float64).tiny)
# Up to so many biases products of all pairs of them are made for each item; of more, for each θ.
_WIDE = 8


def derivatives(
    theta: np.ndarray,
    counts: np.ndarray,
    table: Any,
    family: Family,
    wanted: np.ndarray | None = None,
    which: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log likelihoods (B,), gradients (B, P) and Hessians (B, P, P).

    With θ = (ln ε, logit Δ, ln a, biases) and J the slopes of the scores s = a ln g + bias: gradient = Σ (c - N p) J,
    Hessian = -Σ N Jᵀ (diag p - p pᵀ) J + Σ (c - N p) ∂²s. Slopes in ε are those within a window, 0 for a constant one.

    Args:
        theta: (B, P).
        counts: (D, T, n) choices; D is 1, or B, or what `which` counts in.
        table: distances, items, design.
        family: of the similarity.
        wanted: (P,) entries of θ whose derivatives are needed; the others are 0. None: all.
        which: (B,) the table of choices of each row. None: the only one, or each row its own.
    """
    rows, size = len(theta), theta.shape[1]
    wanted = np.ones(size, bool) if wanted is None else wanted
    if which is None:
        which = np.arange(rows) if len(counts) > 1 else np.zeros(rows, int)
    biases = np.flatnonzero(wanted[3:])
    places = np.append(np.arange(3), biases + 3)
    used = [j for j in range(3) if wanted[j] and (j or not family.kind.steps)]
    own = strengths.numbers(theta)
    trials, items = table.distances.shape
    value, gradient, hessian = np.zeros(rows), np.zeros((rows, len(places))), np.zeros((rows, len(places), len(places)))
    block = min(trials, max(1, _CHUNK // items))
    step = max(1, _CHUNK // (items * block))
    for start in range(0, trials, block):
        some = slice(start, start + block)
        part = _Block(table, some, bool(theta[:, 3:].any()), biases)
        shared = part.chosen(counts[0, some]) if len(counts) == 1 else None
        for first in range(0, rows, step):
            these = slice(first, first + step)
            c = part.chosen(counts[which[these], some]) if shared is None else shared
            got = _chunk(theta[these], tuple(x[these] for x in own), c, part, family, used)
            for total, term in zip((value, gradient, hessian), got, strict=True):
                total[these] += term
    lower = np.tril_indices(len(places), -1)
    hessian[:, lower[0], lower[1]] = hessian[:, lower[1], lower[0]]
    if len(places) == size:
        return value, gradient, hessian
    whole, bend = np.zeros((rows, size)), np.zeros((rows, size, size))
    whole[:, places] = gradient
    bend[:, places[:, None], places] = hessian
    return value, whole, bend


def log_shares(theta: np.ndarray, table: Any, family: Family) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """ln P (n, B, T) of (B, P), -inf where it is 0; P; and the slopes of a ln g in ln ε, logit Δ, ln a."""
    part = _Block(table, slice(None), bool(theta[:, 3:].any()), np.arange(theta.shape[1] - 3))
    own = strengths.of(theta, strengths.numbers(theta), part.d, family)
    return *_shares(theta, own, part), own.slopes


class _Block:
    """Some trials of a table, items first.

    Attributes:
        d, there: (n, 1, t) distances, and where there is an item.
        full: whether there is an item everywhere.
        design: (n, W, t) which items have which of the biases whose derivatives are wanted.
        every: the same of all biases, None if these are 0 in all θ.
    """

    def __init__(self, table: Any, some: slice, biased: bool, biases: np.ndarray):
        self.d, self.there = (np.ascontiguousarray(x[some].T)[:, None] for x in (table.distances, table.there))
        self.full = bool(self.there.all())
        design = np.moveaxis(table.design[some], 0, 2)
        self.every = np.ascontiguousarray(design) if biased else None
        self.design = np.ascontiguousarray(design[:, biases])

    def chosen(self, counts: np.ndarray) -> np.ndarray:
        """(n, B, t) of (B, t, n) or (t, n)."""
        counts = counts[None] if counts.ndim == 2 else counts
        return np.ascontiguousarray(np.moveaxis(counts, 2, 0))


def _shares(theta: np.ndarray, own: strengths.Strengths, part: _Block) -> tuple[np.ndarray, np.ndarray]:
    """ln P and P (n, B, t); where all strengths of a trial are 0, by bias alone."""
    score = own.value
    if part.every is not None:
        score = score + theta[:, 3:] @ part.every
    alive = part.there
    if own.positive is not True:
        alive = own.positive & part.there
        alive = np.where(alive.any(0), alive, part.there)
    if own.positive is not True or not part.full:
        score = np.where(alive, score, -np.inf)
    score = score - score.max(0)
    p = np.exp(score)
    total = p.sum(0)
    p /= total
    score -= np.log(total)
    return score, p


def _chunk(
    theta: np.ndarray, numbers: Any, counts: np.ndarray, part: _Block, family: Family, used: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What some rows of θ get from some trials; of the Hessian, the upper half."""
    own = strengths.of(theta, numbers, part.d, family, used)
    log_p, p = _shares(theta, own, part)
    rows, wide = len(theta), part.design.shape[1]
    everywhere = own.positive is True and part.full
    if not everywhere:
        log_p = np.where(counts > 0, log_p, 0.0)
    value = np.vecdot(counts, log_p).sum(0)
    total = counts.sum(0)
    flow = total * p
    rest = counts - flow
    if p.min() < _LEAST:
        rest[p < _LEAST] = 0.0
    gradient, hessian = np.zeros((rows, 3 + wide)), np.zeros((rows, 3 + wide, 3 + wide))
    spread = _biased(gradient, hessian, p, flow, rest, total, part.design) if wide else None
    mean = {j: (p * own.slopes[j]).sum(0) for j in used}
    for j in used:
        gradient[:, j] = np.vecdot(rest, own.slopes[j]).sum(0)
        moved, weighted = flow * own.slopes[j], total * mean[j]
        for k in used[used.index(j) :]:
            hessian[:, j, k] = np.vecdot(weighted, mean[k]) - np.vecdot(moved, own.slopes[k]).sum(0)
        if spread is not None:
            hessian[:, j, 3:] = (spread @ weighted[..., None])[..., 0]
            for i in range(len(p)):
                hessian[:, j, 3:] -= moved[i] @ part.design[i].T
    own.bend(hessian, rest, gradient, used)
    return value, gradient, hessian


def _biased(
    gradient: np.ndarray,
    hessian: np.ndarray,
    p: np.ndarray,
    flow: np.ndarray,
    rest: np.ndarray,
    total: np.ndarray,
    design: np.ndarray,
) -> np.ndarray:
    """Set what biases alone have, and give their means (B, W, t) in each trial."""
    items, wide, trials = design.shape
    rows = p.shape[1]
    spread = p[0][:, None] * design[0]
    for i in range(1, items):
        spread += p[i][:, None] * design[i]
    hessian[:, 3:, 3:] = (spread * np.broadcast_to(total, (rows, trials))[:, None]) @ np.swapaxes(spread, 1, 2)
    for i in range(items):
        gradient[:, 3:] += rest[i] @ design[i].T
        if wide > _WIDE:
            hessian[:, 3:, 3:] -= (flow[i][:, None] * design[i]) @ design[i].T
        else:
            pairs = (design[i][:, None] * design[i]).reshape(-1, trials)
            hessian[:, 3:, 3:] -= (flow[i] @ pairs.T).reshape(rows, wide, wide)
    return spread
