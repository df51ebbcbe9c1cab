"""How many stimuli, and how much weight, lie within epsilon of each stimulus of a finite space."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete
from semres_jax._types import Accuracy, Array
from semres_jax.laws import closed_form
from semres_jax.spaces.base import MetricSpace

# Numbers in one batch of laws: k along one axis, the number of items inside along the other.
_BATCH = 2**20
# Side of the square of distances that a thread counts at once: it stays in its cache.
_TILE = 256


def distinct_values(values: Any) -> tuple[Any, np.ndarray]:
    """Sorted values without repetition, and where in them each member's is; traced ones stay as they are."""
    if concrete(values) is None:
        return values, np.arange(values.size)
    return np.unique(np.asarray(values), return_inverse=True)


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
        found = pool.map(lambda some: [row.searchsorted(known, side="right") for row in np.sort(some, axis=1)], rows)
        return np.concatenate(list(found))


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
    each = np.zeros((len(table), width), np.intp)
    for (i, j), (rows, columns) in zip(corners, pool.map(tile, corners), strict=True):
        each[i : i + _TILE] += rows
        if columns is not None:
            each[j : j + _TILE] += columns
    return np.cumsum(each[:, :-1], axis=1)


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
        found = passed.take(own, mode="clip")
        found += beyond
        return found

    return reached


@jax.jit
def _compared(distances: Array, epsilons: Array) -> Array:
    """`counts` without a sort."""
    return jax.lax.map(lambda row: jnp.sum(row[None, :] <= epsilons[:, None], axis=1), distances)


def two_items(space: MetricSpace, weighted: bool, epsilons: Any, replace: bool) -> tuple[Any, Any]:
    """(epsilons,) probabilities that an item is within each epsilon of the probe, and that just one of two items is."""
    if weighted:
        weights, (ball, share, split) = balls(space, epsilons)
        xp: Any = np if isinstance(ball, np.ndarray) else jnp
        if replace:
            share, split = ball, 2.0 * ball * (1.0 - ball)
        return xp.sum(weights[:, None] * share, axis=0), xp.sum(weights[:, None] * split, axis=0)
    inside = counts(getattr(space, "distances", None), epsilons)
    xp = np if isinstance(inside, np.ndarray) else jnp
    size = inside.shape[0]
    m = size if replace else size - 1
    k = (inside if replace else inside - 1).astype(float)  # without replacement not the ball's own centre
    total = xp.sum(k, axis=0)
    both = 2.0 * (m * total - xp.einsum("ij,ij->j", k, k))
    return total / (size * m), both / (float(size) * m * (m if replace else m - 1))


def equal_weights(space: MetricSpace, epsilons, at_epsilon, floors, at_delta, n: int, replace: bool) -> Accuracy:
    """Equal weights: each member is a histogram of k, times the law of k."""
    inside = counts(getattr(space, "distances", None), epsilons)
    if replace:
        return _from_counts(_histograms(inside, len(inside) + 1), at_epsilon, floors, at_delta, n=n, replace=True)
    others = inside - 1  # every ball has its own centre
    return _from_counts(_histograms(others, len(inside)), at_epsilon, floors, at_delta, n=n, replace=False)


@functools.partial(jax.jit, static_argnames=("n", "replace"))
def _from_counts(
    histograms: Array, at_epsilon: Array, floors: Array, at_delta: Array, *, n: int, replace: bool
) -> Accuracy:
    """(members,) accuracies of shares of probes (epsilons, k) with k stimuli in their balls."""
    largest = histograms.shape[1] - 1
    k = jnp.arange(largest + 1, dtype=floors.dtype)

    def law(k: Array, floor: Array) -> Accuracy:
        if replace:
            return closed_form.constant(k / largest, n=n, delta=floor)
        return closed_form.finite_constant(k, largest, n=n, delta=floor)

    def laws(floor: Array) -> Accuracy:  # the law of every k
        return jax.lax.map(lambda one: law(one, floor), k, batch_size=max(1, _BATCH // (n + 1)))

    table = jax.lax.map(laws, floors)

    def member(indices: tuple[Array, Array]) -> Accuracy:
        share = histograms[indices[0]].astype(floors.dtype)
        return Accuracy(*(jnp.sum(share * p[indices[1]]) for p in table))

    return jax.lax.map(member, (at_epsilon, at_delta))


def _histograms(counts: Any, length: int) -> Any:
    """(epsilons, length) shares of the probes with each count."""
    size, columns = counts.shape
    if not isinstance(counts, np.ndarray):
        return jax.vmap(lambda k: jnp.bincount(k, length=length) / size, in_axes=1)(counts)
    flat = (counts + length * np.arange(columns)[None, :]).ravel()
    return np.bincount(flat, minlength=columns * length).reshape(columns, length) / size


@functools.partial(jax.jit, static_argnames="n")
def independent(weights: Array, ball: Array, at_epsilon: Array, floors: Array, at_delta: Array, *, n: int) -> Accuracy:
    """Theorem 3 over (N, epsilons) ball measures."""

    def member(indices: tuple[Array, Array]) -> Accuracy:
        each = closed_form.constant(ball[:, indices[0]].astype(floors.dtype), n=n, delta=floors[indices[1]])
        return Accuracy(*(jnp.sum(weights.astype(floors.dtype) * p) for p in each))

    return jax.lax.map(member, (at_epsilon, at_delta))


def balls(space: MetricSpace, epsilons: Any) -> tuple[Any, tuple[Any, Any, Any]]:
    """The weights, and three (N, epsilons) tables for unequal ones.

    The measure of the ball; the share of the others' weight in it; the probability that of two items drawn one after
    the other from the others one is inside and one outside.
    """
    distances: Any = getattr(space, "distances", None)
    given: Any = getattr(space, "weights", None)  # there, as they are unequal
    if all(concrete(x) is not None for x in (distances, given, epsilons)):
        table, weights = np.asarray(distances), np.asarray(given, np.float64)
        weights = weights / weights.sum()
        epsilons = np.asarray(epsilons)
        rows = [_ball(np, weights, p, _sorted_split(row, epsilons)) for p, row in enumerate(table)]
        ball, share, split = (np.stack(column) for column in zip(*rows, strict=True))
        return weights, (ball, share, split)
    weights = jnp.asarray(given)
    weights = weights / jnp.sum(weights)
    epsilons = jnp.asarray(epsilons)

    return weights, _compared_balls(jnp.asarray(distances), weights, epsilons)


@jax.jit
def _compared_balls(distances: Array, weights: Array, epsilons: Array) -> tuple[Array, Array, Array]:
    """The tables of `balls` without a sort."""

    def probe(numbered: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        p, row = numbered
        inside = row[None, :] <= epsilons[:, None]
        return _ball(jnp, weights, p, lambda x: (_total(inside, x), _total(~inside, x)))

    return jax.lax.map(probe, (jnp.arange(weights.size), distances))


def _total(chosen: Array, x: Array) -> Array:
    return jnp.sum(jnp.where(chosen, x[None, :], 0.0), axis=1)


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

    Args:
        xp: numpy or jax.numpy.
        weights: along the last axis, broadcasting against `own`.
        own: where the probe is; 0 there.
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


def ties(row: np.ndarray, weights: np.ndarray, p: int, n: int, replace: bool, weighted: bool) -> float:
    """Probability that the closest of n items to probe p shares its distance. `row`: distances to p."""
    own = np.arange(row.size) == p
    if replace:
        _, level = np.unique(row, return_inverse=True)
        mass = np.bincount(level, weights)
        beyond = np.append(np.cumsum(mass[::-1])[::-1][1:], 0.0)
        # (T^n - R^n) - n W R^(n-1) for T = R + W, of positive terms only.
        shared, power = mass**2, beyond
        for k in range(2, n):
            shared, power = (mass + beyond) * shared + k * mass**2 * power, power * beyond
        return float(np.sum(shared))
    _, level, count = np.unique(row[~own], return_inverse=True, return_counts=True)
    if weighted:  # two items
        share, odds = (x[~own] for x in shares(np, weights, own))
        return float(odds @ (np.bincount(level, share)[level] - share))
    others = row.size - 1
    after = others - 1 - np.arange(others)  # that come after each in the order of distance
    farther = others - np.repeat(np.cumsum(count), count)
    tied = _chance_of_all(after, n - 1, others - 1) - _chance_of_all(farther, n - 1, others - 1)
    return float(np.sum(tied)) * n / others


def _chance_of_all(j: np.ndarray, draws: int, total: int) -> np.ndarray:
    """C(j, draws) / C(total, draws)."""
    t = np.arange(draws)[None]
    return np.prod(np.maximum(j[:, None] - t, 0) / np.maximum(total - t, 1), axis=1)
