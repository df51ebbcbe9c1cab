"""How many stimuli, and how much weight, lie within epsilon of each stimulus of a finite space."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import _memory, _watching
from semres_jax._checks import concrete
from semres_jax._types import Array, ArrayLike
from semres_jax.spaces.base import MetricSpace

# Side of the square of distances that a thread counts at once: it stays in its cache.
_TILE = 256


def moments(space: MetricSpace, epsilons: ArrayLike, *, replace: bool = False) -> tuple[Any, Any]:
    """Mean and variance over probes of the share of the *other* stimuli within epsilon.

        b_p = Σ_{x≠p, d(x,p) <= ε} w_x / (1 - w_p),   probes weighted by w

    Args:
        space: finite, with a table of distances or rows of them.
        epsilons: resolutions, of any shape.
        replace: whether the probe itself may be drawn again: moments of the ball measure b_p(ε), the probe included.

    Returns:
        (mean, variance), float64 of that shape.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.spaces import neighbours
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(x), 4) for x in neighbours.moments(line, 1.0)]
        [0.6667, 0.0556]
        >>> [round(float(x), 4) for x in neighbours.moments(line, 1.0, replace=True)]
        [0.7778, 0.0247]
    """
    shape = np.shape(epsilons)
    values, member = np.unique(np.asarray(epsilons, np.float64), return_inverse=True)
    if space.weighted:
        weights, tables = balls(space, values)
        share = tables[0] if replace else tables[1]
    else:
        count = counts_of(space, values)
        size = len(count)
        weights = np.full(size, 1.0 / size)
        share = count / size if replace else (count - 1) / max(size - 1, 1)
    mean = weights @ share
    variance = weights @ (share - mean) ** 2
    return mean[member].reshape(shape)[()], variance[member].reshape(shape)[()]


def row_block(space: MetricSpace, first: int, last: int) -> np.ndarray:
    """(last - first, N) distances of these stimuli to all, where they are known: of the table, or made for the time."""
    return space.rows(first, last) if space.by_rows else np.asarray(space.distances)[first:last]


def counts_of(space: MetricSpace, epsilons: Any) -> Any:
    """`counts` of a finite space, with a table of distances or without."""
    if not space.by_rows:
        return counts(space.distances, epsilons)
    known = concrete(epsilons)
    if known is None:
        raise ValueError(f"resolutions must be known numbers, not traced ones, on {space.label}, which has no table")
    size: Any = space.size
    _memory.require(16 * size * known.size, f"counts of {size} stimuli at {known.size} resolutions")
    reached, length = _lookup(known), max(1, _TILE**2 // size)

    def block(first: int) -> np.ndarray:
        distances = space.rows(first, first + length)
        if reached is None:
            return np.stack([row.searchsorted(known, side="right") for row in np.sort(distances, axis=1)])
        places = reached(distances) + (known.size + 1) * np.arange(len(distances))[:, None]
        number = np.bincount(places.ravel(), minlength=len(distances) * (known.size + 1))
        return np.cumsum(number.reshape(len(distances), -1)[:, :-1], axis=1)

    return np.concatenate(list(_watching.by_threads(block, range(0, size, length))))


def counts(distances: Any, epsilons: Any) -> Any:
    """(N, epsilons) numbers of points within each of the sorted epsilons of each point, itself included."""
    table, known = concrete(distances), concrete(epsilons)
    if table is None or known is None:
        return _compared(jnp.asarray(distances), jnp.asarray(epsilons))
    reached = _lookup(known)
    # NumPy does all of this without the GIL.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        if reached is not None:
            return _by_tiles(table, reached, known.size + 1, pool)
        rows = np.array_split(table, -(-table.size // _TILE**2))
        passed = pool.map(lambda block: [row.searchsorted(known, side="right") for row in np.sort(block, axis=1)], rows)
        return np.concatenate(list(passed))


def _by_tiles(table: np.ndarray, reached: Callable[[np.ndarray], np.ndarray], width: int, pool: Any) -> np.ndarray:
    """`counts` by half of the table, which is symmetric: what a tile says of its rows and of its columns."""
    starts = range(0, len(table), _TILE)
    row = width * np.arange(_TILE)

    def histogram(places: np.ndarray, points: int) -> np.ndarray:
        return np.bincount(places.ravel(), minlength=width * points).reshape(points, width)

    def tile(corner: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
        i, j = corner
        passed = reached(table[i : i + _TILE, j : j + _TILE])
        height, across = passed.shape
        columns = None if i == j else histogram(passed + row[None, :across], across)
        passed += row[:height, None]
        return histogram(passed, height), columns

    corners = [(i, j) for i in starts for j in starts if i <= j]
    histograms = np.zeros((len(table), width), np.intp)
    for (i, j), (rows, columns) in zip(corners, pool.map(tile, corners), strict=True):
        histograms[i : i + _TILE] += rows
        if columns is not None:
            histograms[j : j + _TILE] += columns
    return np.cumsum(histograms[:, :-1], axis=1)


def _lookup(epsilons: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
    """How many of the epsilons each distance is beyond, by a table of buckets; None where two epsilons share one.

    Faster than a sort, and as exact: d * scale, rounded, never falls as d grows, so that a distance has passed all
    epsilons of lower buckets and none of higher ones, and is compared with the one of its own.
    """
    for buckets in (2**12, 2**16):
        scale = buckets / np.maximum(np.float64(epsilons[-1]), np.finfo(float).tiny * buckets)
        bucket = (epsilons * scale).astype(np.intp)
        if np.unique(bucket).size == bucket.size:
            break
    else:
        return None
    passed = bucket.searchsorted(np.arange(buckets + 2))
    bound = np.append(epsilons, np.inf)[passed]

    def reached(some: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # an infinite place is beyond all buckets, as it should be
            place = some * scale
        np.minimum(place, buckets + 1, out=place)
        own = place.astype(np.intp)
        beyond = some > bound.take(own, mode="clip", out=place)
        count = passed.take(own, mode="clip")
        count += beyond
        return count

    return reached


@jax.jit
def _compared(distances: Array, epsilons: Array) -> Array:
    """`counts` without a sort."""
    return jax.lax.map(lambda row: jnp.sum(row[None, :] <= epsilons[:, None], axis=1), distances)


def balls(space: MetricSpace, epsilons: Any) -> tuple[Any, tuple[Any, Any, Any]]:
    """The weights, and three (N, epsilons) tables for unequal ones.

    The measure of the ball; the share of the others' weight in it; the probability that of two items drawn one after
    the other from the others one is inside and one outside.
    """
    if not space.by_rows and any(concrete(x) is None for x in (space.distances, space.weights, epsilons)):
        weights = jnp.asarray(space.weights)
        weights = weights / jnp.sum(weights)
        return weights, _compared_balls(jnp.asarray(space.distances), weights, jnp.asarray(epsilons))
    weights = np.asarray(space.weights, np.float64)
    weights = weights / weights.sum()
    size: Any = space.size
    _memory.require(24 * size * len(epsilons), f"balls of {size} stimuli at {len(epsilons)} resolutions")
    length = max(1, _TILE**2 // size)

    def block(first: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        last = min(first + length, size)
        return [
            _ball(np, weights, first + k, _sorted_split(row, np.asarray(epsilons)))
            for k, row in enumerate(row_block(space, first, last))
        ]

    balls = [ball for block in _watching.by_threads(block, range(0, size, length)) for ball in block]
    ball, share, split = map(np.stack, zip(*balls, strict=True))
    return weights, (ball, share, split)


@jax.jit
def _compared_balls(distances: Array, weights: Array, epsilons: Array) -> tuple[Array, Array, Array]:
    """The tables of `balls` without a sort."""

    def probe(numbered: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        p, row = numbered
        inside = row[None, :] <= epsilons[:, None]
        sides = (inside, ~inside)
        return _ball(jnp, weights, p, lambda x: [jnp.sum(jnp.where(side, x[None], 0.0), axis=1) for side in sides])

    return jax.lax.map(probe, (jnp.arange(weights.size), distances))


def _sorted_split(row: np.ndarray, epsilons: np.ndarray):
    """A function that sums values over the points within each epsilon, and over those beyond."""
    order = np.argsort(row)
    count = np.searchsorted(row[order], epsilons, side="right")

    def split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = values[order]
        # Each side from its own end: the difference of two sums would have the rounding of the larger.
        near = np.concatenate([[0.0], np.cumsum(values)])
        far = np.concatenate([np.cumsum(values[::-1])[::-1], [0.0]])
        return near[count], far[count]

    return split


def _ball(xp: Any, weights: Any, p: Any, split: Any) -> tuple[Any, Any, Any]:
    """One row of the tables of `balls`."""
    share, odds = shares(xp, weights, xp.arange(weights.size) == p)
    near, far = split(share)
    odds_near, odds_far = split(odds)
    near = xp.minimum(near, 1.0)
    return weights[p] + (1.0 - weights[p]) * near, near, odds_near * far + near * odds_far


def shares(xp: Any, weights: Any, own: Any) -> tuple[Any, Any]:
    """Each stimulus' share of the weight of all others than the probe, w/(1-w_p), and its odds w/(1-w_p-w).

    Weights are along the last axis, broadcasting against `own`: where the probe is, and 0 comes out. `xp` is a NumPy.
    """
    others = xp.where(own, 0.0, weights)
    rest = xp.sum(others, axis=-1, keepdims=True)
    # What is left after x, too: at most half of `rest` can be lost to rounding but where x is the heaviest.
    # The first of the heaviest; no argmax: its programs in 64 bits can't be lowered where JAX's precision is another.
    largest = others == xp.max(others, axis=-1, keepdims=True)
    heaviest = largest & (xp.cumsum(largest, axis=-1) == 1)
    left = xp.where(heaviest, xp.sum(xp.where(heaviest, 0.0, others), axis=-1, keepdims=True), rest - others)
    odds = xp.where(left > 0, others / xp.where(left > 0, left, 1.0), 0.0)
    return others / xp.where(rest > 0, rest, 1.0), odds
