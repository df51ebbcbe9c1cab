"""Fits of similarities whose likelihood isn't smooth in the resolution: all else at its best, resolution by resolution.

Of constant and linear similarities the likelihood is smooth in ε between two neighbouring distances (of a constant one:
the same); at a distance it jumps, or has a kink. Without floor it is 0 in most windows: a trial with an item within
reach, whose chosen one isn't, rules out all ε between the two. Windows are counted, not stepped over.

Of other kinds, such as a user's own, nothing is known: a grid of resolutions takes the place of the windows, and the
best of it is closed in on from both sides, which finds kinks and jumps too. Where such a kind says that it ends at ε,
the edges of the windows are tried as well.
"""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

import numpy as np

from semres_jax.measure.choices import _model as model
from semres_jax.measure.choices._model import Setup

# Distances that differ by less, relatively, are one; an edge of a window is approached to this.
_SAME, BESIDE = 1e-11, 1e-12
# Windows that are climbed in at first; more that are tried in a round; rounds.
_ANCHORS, _TRIED, _ROUNDS = 64, 160, 6
# Items times resolutions for which no window is left out; points near the best that tell a profile without jumps.
_ALL, _ENOUGH = 4_000_000, 60
# What is this far below the best, in log likelihood, is not looked at more closely.
_FAR, _NEAR = 25.0, 12.0
# Starts are moved to within this.
_AWAY = -6.0, 3.0
# Points of a zoom, its rounds (where kinks may be anywhere: twice as many), and how many maxima are zoomed in on.
_ZOOM, _ZOOMS, _PEAKS = 7, 8, 3
# Resolutions of the grid, from a share of the least distances to a multiple of the largest.
_GRID, _FROM, _TO = 241, 0.02, 8.0


class Path(NamedTuple):
    """Profile of ε at resolutions that were tried, in rising order.

    Attributes:
        theta: (K, P) the best of all else at each.
        value: (K,) log likelihood.
        slope: (K,) largest slope that is left.
        low, high: (K,) ln ε, ends of the window over which the value is this one; of a linear similarity, ln ε.
    """

    theta: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Windows(NamedTuple):
    """Between neighbouring distances: (W,) ends, from 0 to infinity."""

    low: np.ndarray
    high: np.ndarray


def windows(setup: Setup) -> Windows:
    """Of the distances that there are; those that differ by rounding are one."""
    d = np.unique(setup.table.distances[setup.table.there])
    d = d[d > 0]
    new = np.append(True, np.diff(d) > _SAME * d[1:])
    first, last = d[new], d[np.append(new[1:], True)]
    return Windows(np.append(0.0, last), np.append(first, np.inf))


def possible(setup: Setup, of: Windows) -> np.ndarray:
    """(W,) in which windows the choices can be without a floor."""
    d, there = setup.table.distances, setup.table.there
    nearest = np.where(there, d, np.inf).min(1)
    chosen = np.where(setup.counts > 0, d, -np.inf).max(1)
    # A distance is within reach from this window on.
    first = np.searchsorted(of.low[1:], nearest * (1 - _SAME), side="left") + (nearest > 0)
    last = np.searchsorted(of.low[1:], chosen * (1 - _SAME), side="left") + (chosen > 0)
    out = last > first
    change = np.zeros(len(of.low) + 1, int)
    np.add.at(change, first[out], 1)
    np.add.at(change, last[out], -1)
    return change.cumsum()[:-1] == 0


def inner(setup: Setup, of: Windows, which: np.ndarray, *, jumps: bool) -> np.ndarray:
    """Resolutions to try in windows: the middle; unless there are steps the ends too, one if there is no jump there."""
    low, high = of.low[which], of.high[which]
    last = np.isinf(high)
    middle = np.where(last, low, (low + np.where(last, low, high)) / 2)
    if setup.steps:
        return middle
    places = [middle[~last & (low > 0) & jumps], (high / 2)[low == 0], (low * (1 + BESIDE))[low > 0]]
    if jumps:
        places.append((high * (1 - BESIDE))[~last & (low > 0)])
    if last.any():
        places.append(low[last] * np.geomspace(1.01, np.exp(model.ABOVE), 40))
    return np.sort(np.concatenate(places))


def search(setup: Setup) -> Path:
    """The profile of ε where it matters, and its maximum."""
    of = windows(setup)
    places, floorless = (_in_windows if setup.windowed else _on_grid)(setup, of)
    parts = []
    if setup.free[1] or setup.start[1] <= model.FLOOR:
        floor = model.FLOOR if setup.free[1] else setup.start[1]
        parts.append(_searched(setup, np.log(floorless), [floor]))
    if setup.free[1] or setup.start[1] > model.FLOOR:
        parts.append(_searched(setup, np.log(places), [-4.0, -0.5] if setup.free[1] else [setup.start[1]]))
    tried = _ordered(parts)
    if not setup.steps:
        tried = _zoomed(setup, tried, _ZOOMS * (1 if setup.windowed else 2))
        return Path(*tried, tried.theta[:, 0], tried.theta[:, 0])
    place = np.searchsorted(of.low[1:], np.exp(tried.theta[:, 0]) * (1 + BESIDE), side="right")
    with np.errstate(divide="ignore"):
        return Path(*tried, np.log(of.low[place]), np.log(of.high[place]))


def _in_windows(setup: Setup, of: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Resolutions to try with a floor, and without one."""
    everywhere = np.arange(len(of.low))
    floorless = inner(setup, of, np.flatnonzero(possible(setup, of)), jumps=True)
    if setup.straight and setup.free[1]:
        return np.append(inner(setup, of, everywhere[:-1], jumps=False), of.low[-1] * (1 + BESIDE)), floorless
    return inner(setup, of, everywhere, jumps=False), floorless


def _on_grid(setup: Setup, of: Windows) -> tuple[np.ndarray, np.ndarray]:
    """The same where nothing is known of kinks and jumps, or that they are at the distances."""
    d = setup.table.distances[setup.table.there]
    places = np.geomspace(_FROM * np.quantile(d[d > 0], 0.05), _TO * d.max(), _GRID)
    if setup.family.kind.ends:
        places = np.unique(np.append(places, inner(setup, of, np.arange(len(of.low)), jumps=True)))
    return places, places


def beside(of: Windows, log_epsilon: float, count: int) -> tuple[int, np.ndarray]:
    """The window that ends at or holds ln ε, and it with `count` windows to either side."""
    middle = int(np.searchsorted(of.low, np.exp(log_epsilon) * (1 - BESIDE / 2))) - 1
    return middle, np.arange(max(middle - count, 0), min(middle + count + 1, len(of.low)))


def around(setup: Setup, log_epsilon: float, count: int) -> np.ndarray:
    """About `count` ln ε in the windows next to one, and it: half of them next to it, half up to 30 % off."""
    of = windows(setup)
    middle, near = beside(of, log_epsilon, count // 4)
    wide = np.searchsorted(of.low, np.exp(log_epsilon) * np.exp(np.linspace(-0.3, 0.3, count // 2))) - 1
    which = np.setdiff1d(np.append(near, wide), middle)
    low, high = of.low[which], of.high[which]
    last = np.isinf(high)
    inside = np.where(last, low * (1 + BESIDE), (low + np.where(last, low, high)) / 2)
    return np.append(np.log(inside), log_epsilon)


def thinned(values: np.ndarray, most: int) -> np.ndarray:
    """Evenly spread ones of more than `most` values."""
    if len(values) <= most:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))]


def climbed(setup: Setup, theta: np.ndarray) -> model.Climbed:
    """The best of all but ε, from (B, P)."""
    return model.climb(setup, theta, setup.basis(0)[None])


def _ordered(parts: Iterable[model.Climbed]) -> model.Climbed:
    """In rising order of ε, the best of those that are at one, the first among equals."""
    theta, value, slope = map(np.concatenate, zip(*parts, strict=True))
    order = np.lexsort((-value.round(7), theta[:, 0]))
    order = order[np.append(True, np.diff(theta[order, 0]) > 0)]
    return model.Climbed(theta[order], value[order], slope[order])


def _searched(setup: Setup, log_epsilon: np.ndarray, floors: list[float]) -> model.Climbed:
    """Climb at some of (E,) resolutions, then at those between the best ones, until there are no more."""
    size = len(log_epsilon)
    even = np.linspace(0, size - 1, _ANCHORS).round().astype(int)
    grid = np.searchsorted(log_epsilon, np.linspace(log_epsilon[0], log_epsilon[-1], _ANCHORS // 2))
    at = np.unique(np.concatenate([even, grid.clip(0, size - 1)]))
    climbs = []
    for floor, power in product(floors, [-0.7, 0.7] if setup.free[2] else [setup.start[2]]):
        start = np.tile(setup.start, (len(at), 1))
        start[:, 0], start[:, 1], start[:, 2] = log_epsilon[at], floor, power
        climbs.append(climbed(setup, start))
    theta, value, slope = model.highest(climbs)
    far = _FAR
    for _ in range(_ROUNDS):
        inside = np.maximum(value[1:], value[:-1]) >= value.max() - far
        gaps = [np.arange(a + 1, b) for a, b in zip(at[:-1][inside], at[1:][inside], strict=True)]
        more = np.concatenate([at[:0], *gaps])
        if not len(more):
            break
        if len(more) * setup.table.distances.size > _ALL:
            more = thinned(more, _TRIED)
        right = np.searchsorted(at, more)
        share = ((more - at[right - 1]) / (at[right] - at[right - 1]))[:, None]
        start = (1 - share) * theta[right - 1] + share * theta[right]
        if floors[0] > model.FLOOR:  # from a floor of 0 or 1 there is no slope to climb by
            start = np.where(setup.free, np.clip(start, *_AWAY), start)
        start[:, 0] = log_epsilon[more]
        raised, ahead = _ahead(setup, start)
        good = ahead >= max(value.max(), raised.max()) - _NEAR
        got = climbed(setup, start[good])
        start[good], raised[good] = got.theta, got.value
        left = np.full(len(more), np.nan)
        left[good] = got.slope
        at = np.concatenate([at, more])
        order = np.argsort(at)
        at = at[order]
        theta, value, slope = (np.concatenate(x)[order] for x in ((theta, start), (value, raised), (slope, left)))
        far = _NEAR
        thin = (value >= value.max() - _NEAR / 2).sum() < _ENOUGH
        if not setup.steps and floors[0] > model.FLOOR and not thin:
            break
    return model.Climbed(theta, value, slope)


def _ahead(setup: Setup, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B,) log likelihoods, and what they would be after Newton's step in all but ε."""
    value, gradient, hessian = model.derivatives(setup, theta)
    basis = setup.basis(0)
    stiff, axis = np.linalg.eigh(basis.T @ hessian @ basis)
    along = np.einsum("bpk,bp->bk", axis, gradient @ basis)
    stiff = abs(stiff)
    return value, value + np.where(stiff > 1e-9, along**2 / np.maximum(stiff, 1e-9), 0.0).sum(1) / 2


def _zoomed(setup: Setup, tried: model.Climbed, rounds: int) -> model.Climbed:
    """Points added around the best maxima among (K,), between their neighbours."""
    theta, value, _ = tried
    edged = np.pad(value, 1, constant_values=-np.inf)
    peak = np.flatnonzero((value >= edged[:-2]) & (value >= edged[2:]) & (value >= value.max() - 2.0))
    peak = peak[np.argsort(-value[peak])][:_PEAKS]
    if not len(peak):
        return tried
    low, high = theta[np.maximum(peak - 1, 0), 0], theta[np.minimum(peak + 1, len(theta) - 1), 0]
    centre, top = theta[peak].copy(), value[peak].copy()
    parts = [tried]
    for _ in range(rounds):
        points = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _ZOOM + 2)[1:-1]
        start = np.repeat(centre, _ZOOM, axis=0)
        start[:, 0] = points.ravel()
        got = climbed(setup, start)
        parts.append(got)
        values = np.concatenate([top[:, None], got.value.reshape(points.shape)], axis=1)
        places = np.concatenate([centre[:, :1], points], axis=1)
        thetas = np.concatenate([centre[:, None], got.theta.reshape(*points.shape, -1)], axis=1)
        rows = np.arange(len(peak))
        k = values.argmax(1)
        centre, top, here = thetas[rows, k], values[rows, k], places[rows, k][:, None]
        low = np.maximum(low, np.where(places < here, places, -np.inf).max(1))
        high = np.minimum(high, np.where(places > here, places, np.inf).min(1))
    return _ordered(parts)


def crossed(setup: Setup, path: Path, cut: np.ndarray) -> tuple[float, float]:
    """Ends of ln ε's interval: from the first to the last resolution where neither side is more than cut / 2 below.

    Between such a resolution and the next one that isn't, where the profile is as far below; infinite at the last.
    """
    left, right = np.maximum.accumulate(path.value), np.maximum.accumulate(path.value[::-1])[::-1]
    inside = np.flatnonzero(2 * abs(left - right) <= cut)
    first, last = inside[0], inside[-1]
    low = -np.inf if first == 0 else path.low[first]
    high = np.inf if last == len(path.value) - 1 else path.high[last]
    if setup.steps:
        return float(low), float(high)
    ends = []
    for end, here, there in ((low, first, first - 1), (high, last, last + 1)):
        if np.isfinite(end):
            target = min(path.value.max() - cut[here] / 2, path.value[here])
            start, x, y = path.theta[here], path.theta[here, 0], path.theta[there, 0]
            for _ in range(_ZOOMS):
                points = x + (y - x) * np.linspace(0, 1, _ZOOM + 2)[1:-1]
                rows = np.tile(start, (_ZOOM, 1))
                rows[:, 0] = points
                got = climbed(setup, rows)
                good = np.flatnonzero(got.value >= target)
                edge = good[-1] if len(good) else -1
                if edge >= 0:
                    x, start = points[edge], got.theta[edge]
                y = points[edge + 1] if edge + 1 < _ZOOM else y
            end = x
        ends.append(float(end))
    return ends[0], ends[1]
