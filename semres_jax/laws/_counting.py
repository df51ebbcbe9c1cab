"""The constant similarity on finite spaces, from how many stimuli are within epsilon of which; and ties."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import _watching
from semres_jax._checks import concrete
from semres_jax._types import Accuracy, Array
from semres_jax.laws import closed_form
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.neighbours import balls, counts_of, row_block, shares

# Numbers in one batch of laws: k along one axis, the number of items inside along the other.
_BATCH = 2**20
# Distances of a block of rows.
_ROWS = 2**18


def distinct_values(values: Any) -> tuple[Any, np.ndarray]:
    """Sorted values without repetition, and where in them each member's is; traced ones stay as they are."""
    if concrete(values) is None:
        return values, np.arange(values.size)
    return np.unique(np.asarray(values), return_inverse=True)


def two_items(space: MetricSpace, weighted: bool, epsilons: Any, replace: bool) -> tuple[Any, Any]:
    """(epsilons,) probabilities that an item is within each epsilon of the probe, and that just one of two items is."""
    if weighted:
        weights, (ball, share, split) = balls(space, epsilons)
        xp: Any = np if isinstance(ball, np.ndarray) else jnp
        if replace:
            share, split = ball, 2.0 * ball * (1.0 - ball)
        return xp.sum(weights[:, None] * share, axis=0), xp.sum(weights[:, None] * split, axis=0)
    inside = counts_of(space, epsilons)
    xp = np if isinstance(inside, np.ndarray) else jnp
    size = inside.shape[0]
    m = size if replace else size - 1
    k = (inside if replace else inside - 1).astype(float)  # without replacement not the ball's own centre
    total = xp.sum(k, axis=0)
    both = 2.0 * (m * total - xp.einsum("ij,ij->j", k, k))
    return total / (size * m), both / (float(size) * m * (m if replace else m - 1))


def equal_weights(space: MetricSpace, epsilons, at_epsilon, floors, at_delta, n: int, replace: bool) -> Accuracy:
    """Equal weights: each member is a histogram of k, times the law of k."""
    inside = counts_of(space, epsilons)
    centre = 0 if replace else 1  # every ball has its own, which is none of the others
    histograms = _histograms(inside - centre, len(inside) + 1 - centre)
    return _from_counts(histograms, at_epsilon, floors, at_delta, n=n, replace=replace)


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
        return jax.lax.map(lambda inside: law(inside, floor), k, batch_size=max(1, _BATCH // (n + 1)))

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
        accuracies = closed_form.constant(ball[:, indices[0]].astype(floors.dtype), n=n, delta=floors[indices[1]])
        return Accuracy(*(jnp.sum(weights.astype(floors.dtype) * p) for p in accuracies))

    return jax.lax.map(member, (at_epsilon, at_delta))


def tie_rates(space: MetricSpace, weights: np.ndarray, n: int, replace: bool, weighted: bool) -> np.ndarray:
    """(N,) probabilities of each probe that the closest of its n items shares its distance."""
    size = len(weights)
    length = max(1, _ROWS // size)

    def block(first: int) -> list[float]:
        rows = row_block(space, first, min(first + length, size))
        ordered = np.sort(rows, axis=1)
        # The probe itself, at 0, ties with none but copies; where no two are as far, nothing does.
        alike = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1) | replace
        return [ties(row, weights, first + k, n, replace, weighted) if alike[k] else 0.0 for k, row in enumerate(rows)]

    return np.array([rate for rates in _watching.by_threads(block, range(0, size, length)) for rate in rates])


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
    tied = chance_of_all(after, n - 1, others - 1) - chance_of_all(farther, n - 1, others - 1)
    return float(np.sum(tied)) * n / others


def chance_of_all(j: np.ndarray, draws: int, total: int) -> np.ndarray:
    """C(j, draws) / C(total, draws)."""
    t = np.arange(draws)[None]
    return np.prod(np.maximum(j[:, None] - t, 0) / np.maximum(total - t, 1), axis=1)
