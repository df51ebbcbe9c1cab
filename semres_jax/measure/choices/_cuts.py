"""Where to cut profiles of likelihoods that jump: twice the drop that tables simulated from the fit show."""

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from semres_jax._random import generator
from semres_jax.measure.choices import _likelihood as likelihood, _model as model
from semres_jax.measure.choices._model import Setup
from semres_jax.measure.choices._windows import BESIDE, Path, beside, inner, thinned, windows

# Tables simulated for a cut; resolutions at which they are compared; how far below the best these reach; how many
# windows to either side of the best; at how many resolutions a likelihood that jumps gets a cut of its own.
_TABLES, _POINTS, _REACH, _BESIDES, _TRUTHS = 400, 60, 12.0, 25, 12
# Statistics that differ by less are equal.
_TIE = 1e-6
# Numbers that are worked on together; the logarithm of what can't be.
_CHUNK, _NEVER = 4_000_000, -1e5


class Cuts(NamedTuple):
    """Twice the drop of the log likelihood to which intervals reach.

    Attributes:
        others: (P,) for all entries of θ but ε.
        epsilon: (K,) for ε, at each resolution of the path.
    """

    others: np.ndarray
    epsilon: np.ndarray


def cuts(setup: Setup, path: Path, best: int, level: float) -> Cuts:
    """Quantiles of the statistics of tables that are simulated from the fit.

    In each table the profile of ε is found to second order in all else: ln L + zᵀ I⁻¹ z / 2 with its slopes z and the
    information I. Statistics: for ε, how far the better side of the truth is above the other side, as an interval
    reaches from the first to the last resolution within the cut; for another number, how far the maximum is above that
    with the number held at the truth. Where the likelihood jumps in ε, tables are simulated at each resolution that may
    be in the interval (Neyman's construction): how it jumps differs from window to window. Shares of choices can't be
    simulated: χ², and for an ε at which the likelihood jumps the bound that holds for all jumps.
    """
    # Twice the drop that is never more often exceeded, all else known: to either side of the truth the ratio of
    # likelihoods is a martingale of mean 1 as windows pass, so that it reaches x with a probability of 1 / x at most
    # (Ville); the two sides are independent. Hansen's law for small steps.
    bound, regular = -2 * math.log(1 - math.sqrt(level)), special.chdtri(1, 1 - level)
    totals = setup.counts.sum(1)
    candidates = np.flatnonzero(path.value >= path.value[best] - bound / 2 - 1e-9)
    jumps = setup.steps or bool(path.theta[best, 1] <= model.FLOOR + 1)
    if (totals != totals.round()).any():
        return Cuts(np.full(len(setup.free), regular), np.full(len(path.value), bound if jumps else regular))
    candidates = thinned(candidates, _TRUTHS) if jumps else np.array([best])
    log_epsilon = _resolutions(setup, path, best, candidates, jumps)
    theta = np.tile(path.theta[best], (len(log_epsilon), 1))
    theta[:, 0] = log_epsilon
    some = _Comparison(setup, theta)
    rng = generator(None)
    place = np.searchsorted(log_epsilon, path.theta[best, 0])
    others = _quantile(some.statistics(int(place), _TABLES, rng), level)
    # No less than in regular theory, and that where a floor of 0 is at the end of its range.
    others[1:] = np.maximum(others[1:], regular)
    own = [others[0]]
    if jumps:
        truths = np.searchsorted(log_epsilon, path.theta[candidates, 0]).tolist()
        own = [_quantile(some.statistics(k, _TABLES // 2, rng, alone=True)[:1], level)[0] for k in truths]
    return Cuts(others, np.interp(path.theta[:, 0], path.theta[candidates, 0], np.minimum(own, bound)))


def _quantile(statistics: np.ndarray, level: float) -> np.ndarray:
    """Of each row the largest statistic that isn't exceeded too seldom, those that are equal counted by half."""
    quantiles = []
    for row in np.sort(statistics, axis=1):
        below = (np.searchsorted(row, row - _TIE) + np.searchsorted(row, row + _TIE)) / 2
        quantiles.append(row[below <= level * len(row)].max() + _TIE)
    return np.array(quantiles)


def _resolutions(setup: Setup, path: Path, best: int, candidates: np.ndarray, jumps: bool) -> np.ndarray:
    """ln ε to compare, rising: those that are good in the table, and if it jumps in windows next to the best."""
    near = thinned(np.flatnonzero(path.value >= path.value[best] - _REACH), _POINTS)
    good = np.concatenate([path.theta[near, 0], path.theta[candidates, 0], path.theta[[best], 0]])
    if not jumps:
        return np.unique(good)
    of = windows(setup)
    near = beside(of, path.theta[best, 0], _BESIDES)[1]
    return np.unique(np.append(good, np.log(inner(setup, of, near, jumps=True))))


def _information(setup: Setup, theta: np.ndarray, which: np.ndarray) -> np.ndarray:
    """(B, P, P) expected information of some trials."""
    table = model.Table(*(x[which] for x in setup.table))
    if not which.any():
        return np.zeros((len(theta), theta.shape[1], theta.shape[1]))
    p = np.moveaxis(likelihood.log_shares(theta, table, setup.family)[1], 0, 2)
    counts = p * setup.counts[which].sum(1)[None, :, None]
    return -likelihood.derivatives(theta, counts, table, setup.family)[2]


class _Comparison:
    """Choices at K resolutions with all else the same: what is needed to compare them in simulated tables."""

    def __init__(self, setup: Setup, theta: np.ndarray):
        fixed = (0,) if theta[0, 1] > model.FLOOR + 1 else (0, 1)
        free = [int(j) for j in np.flatnonzero(setup.free) if j not in fixed]
        size = theta.shape[1]
        # Trials in which no resolution makes a difference are a normal sum of slopes in all tables.
        d, low, high = setup.table.distances, np.exp(theta[0, 0]), np.exp(theta[-1, 0])
        local = np.ones(len(d), bool)
        if setup.steps:
            local = ((d > low * (1 - BESIDE)) & (d <= high * (1 + BESIDE)) & setup.table.there).any(1)
        rest = _information(setup, theta[:1], ~local)[0]
        table = model.Table(*(x[local] for x in setup.table))
        log_p, self.p, slopes = likelihood.log_shares(theta, table, setup.family)
        slopes = [np.broadcast_to(slope, self.p.shape) for slope in slopes]
        # In a large table it changes slowly.
        some = thinned(np.arange(len(theta)), max(8, _CHUNK // setup.table.distances.size))
        information = np.array([_information(setup, row[None], local)[0] for row in theta[some]])
        self.information = rest + information[np.searchsorted(some, np.arange(len(theta)))]
        values, vectors = np.linalg.eigh(rest)
        self.root = vectors * np.sqrt(np.maximum(values, 0.0))
        self.totals = setup.counts[local].sum(1)
        flat = (len(theta), table.distances.size)
        self.log_p = np.maximum(np.swapaxes(log_p, 0, 1).reshape(flat), _NEVER)
        expected = np.swapaxes(self.p * self.totals, 0, 1).reshape(flat)
        self.design = np.moveaxis(table.design, 1, 0).reshape(table.distances.size, size - 3)
        self.moves = {k: np.swapaxes(slopes[k], 0, 1).reshape(flat) for k in (1, 2) if k in free}
        self.mean = np.zeros((len(theta), size))
        for k, move in self.moves.items():
            self.mean[:, k] = (move * expected).sum(1)
        self.mean[:, 3:] = expected @ self.design
        self.bases = {}
        for j in (-1, *free):
            basis = setup.basis(*fixed, j)
            basis = basis[:, abs(basis).sum(0) > 0]
            inverse = np.linalg.pinv(basis.T @ self.information @ basis, hermitian=True)
            self.bases[j] = basis, inverse

    def statistics(self, truth: int, tables: int, rng: np.random.Generator, *, alone: bool = False) -> np.ndarray:
        """(P, B) twice the drops at the truth, in B tables that are simulated there; alone: that of ε alone."""
        points, size = self.mean.shape
        step = max(1, _CHUNK // max(self.log_p.shape[1], points * size))
        parts = []
        p = np.ascontiguousarray(self.p[:, truth].T)
        for first in range(0, tables, step):
            count = min(step, tables - first)
            drawn = rng.multinomial(self.totals.astype(int), p, (count, len(p))).astype(float)
            drawn = np.moveaxis(drawn, 2, 1).reshape(count, -1).T
            score = np.zeros((points, count, size))
            for k, move in self.moves.items():
                score[:, :, k] = move @ drawn
            score[:, :, 3:] = drawn.T @ self.design
            score += (rng.standard_normal((count, size)) @ self.root.T)[None] - self.mean[:, None]
            value, statistic, top = self.log_p @ drawn, np.zeros((size, count)), None
            for j, (basis, inverse) in list(self.bases.items())[: 1 if alone else None]:
                z = score @ basis
                height = value + ((z @ inverse) * z).sum(-1) / 2
                if top is None:  # the first: nothing is held
                    top = height.max(0)
                    statistic[0] = 2 * abs(height[: truth + 1].max(0) - height[truth:].max(0))
                else:
                    statistic[j] = 2 * (top - height.max(0))
            parts.append(statistic)
        return np.concatenate(parts, axis=1)
