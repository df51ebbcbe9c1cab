"""Finite spaces, exactly: counting which stimuli are within epsilon of which.

All resolutions of a grid are read off one sort of each row of the distance table. Where weights are equal only the
number k of stimuli inside the ball matters: a histogram of k over the probes, and the law of each k. Where they are
not, and items are distinct, sums over ordered pairs factorise for n = 2.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import choice
from semres_jax._checks import concrete, require_count
from semres_jax._types import Accuracy, Array, ArrayLike
from semres_jax.laws import closed_form
from semres_jax.similarity import Constant
from semres_jax.spaces._base import MetricSpace

# Numbers in one batch of laws: k along one axis, the number of items inside along the other.
_BATCH = 2**20


def unequal(space: MetricSpace) -> bool:
    """Whether points are drawn with different probabilities (taken for so where weights are traced)."""
    weights: Any = getattr(space, "weights", None)
    if weights is None:
        return False
    known = concrete(weights)
    return known is None or bool(np.ptp(known) > 0)


def constant(
    space: MetricSpace, similarity: Constant, *, n: int = 2, exponent: ArrayLike = 1.0, replace: bool = False
) -> Accuracy:
    """Accuracies of the constant similarity on a finite space, exactly.

    Distinct items (`replace=False`): probe and items are drawn one after the other from the measure restricted to what
    is left. With equal weights the probe has k of the m = N - 1 others within ε, and

        p = <laws.finite_constant(k, m, n, Δ^a)>, averaged over the N probes.

    With unequal weights w, for n = 2, with the floor f = Δ^a and credit c = 1/2 where both items or neither is within
    ε, c = 1/(1+f) where one is,

        p_S = Σ_p w_p Σ_{x≠p} w_x/(1-w_p) Σ_{y≠p,x} w_y/(1-w_p-w_x) c(x, y),
        p_I = Σ_p w_p Σ_{x≠p} w_x/(1-w_p) / (1 + g(x, p)^a).

    Independent items (`replace=True`, the probe itself may be among them): p = Σ_p w_p laws.constant(b_p(ε), n, Δ^a).
    Source: new, of this project, but for the last (theorem 3 of Nurisso et al., arXiv 2506.14797).

    Args:
        space: finite, with `distances` and `weights` (`spaces.Finite`, `spaces.Tree`). d <= ε is decided exactly.
        similarity: of any shape; all its resolutions are counted in one pass.
        n: number of items, at least 2; static.
        exponent: a, the Luce exponent, at least 0.
        replace: whether stimuli may repeat.

    Returns:
        Accuracy of the similarity's shape. Differentiable in delta; steps in epsilon have slope 0. Memory is the number
        of different resolutions times N. Traced resolutions are counted by comparing each with every distance.

    Raises:
        ValueError: fewer stimuli than n distinct items and a probe; unequal weights and n > 2 distinct items.

    Example:
        >>> from semres_jax import Constant, spaces
        >>> from semres_jax.laws import enumeration
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(p), 4) for p in enumeration.constant(line, Constant(1.0))]
        [0.8333, 0.6667]
    """
    n = require_count("n", n, 2, " (the probe needs items to choose from)")
    if not replace:
        require_distinct(space, n)
        if unequal(space) and n > 2:
            raise ValueError(
                f"distinct items of unequal weights are enumerated for n = 2 only; got n = {n} (use semres_jax."
                "estimate, or replace=True)"
            )
    shape = similarity.shape
    epsilon = _leaf(similarity.epsilon, shape)
    delta = _leaf(similarity.delta, shape)
    # The same resolution, or the same floor, in many members of a grid is dealt with once.
    epsilons, at_epsilon = _distinct_values(epsilon)
    deltas, at_delta = _distinct_values(delta)
    floors = choice.power(jnp.asarray(deltas), exponent)
    if unequal(space):
        each = _weighted(space, epsilons, at_epsilon, floors, at_delta, n, replace)
    else:
        each = _counted(space, epsilons, at_epsilon, floors, at_delta, n, replace)
    return Accuracy(*(p.reshape(shape) for p in each))


def share_moments(space: MetricSpace, epsilons: ArrayLike) -> tuple[Any, Any]:
    """Mean and variance over probes of the share of the *other* stimuli within epsilon.

        b_p = Σ_{x≠p, d(x,p) <= ε} w_x / (1 - w_p),   probes weighted by w

    Args:
        space: finite, as in `constant`.
        epsilons: resolutions, of any shape.

    Returns:
        (mean, variance), float64 of that shape.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.laws import enumeration
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(x), 4) for x in enumeration.share_moments(line, 1.0)]
        [0.6667, 0.0556]
    """
    return _moments(space, epsilons, among_others=True)


def ball_moments(space: MetricSpace, epsilons: ArrayLike) -> tuple[Any, Any]:
    """Mean and variance over probes of the ball measure b_p(ε), the probe included. Arguments as `share_moments`.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.laws import enumeration
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(x), 4) for x in enumeration.ball_moments(line, 1.0)]
        [0.7778, 0.0247]
    """
    return _moments(space, epsilons, among_others=False)


def require_distinct(space: MetricSpace, n: int) -> None:
    """Raise `ValueError` unless a probe and n distinct items can be drawn."""
    weights: Any = getattr(space, "weights", None)
    positive = concrete(weights)
    size = space.size if positive is None else int((positive > 0).sum())
    if size is not None and n + 1 > size:
        weighed = "" if size == space.size else " of positive weight"
        raise ValueError(
            f"{n} distinct items and a probe need {n + 1} stimuli; {space.label} has {size}{weighed} (use fewer items, "
            "or replace=True)"
        )


def _leaf(value: Any, shape: tuple[int, ...]) -> Any:
    """One number for each member of a grid, in NumPy where it is known."""
    xp: Any = jnp if concrete(value) is None else np
    return xp.broadcast_to(xp.asarray(value), shape).ravel()


def _distinct_values(values: Any) -> tuple[Any, np.ndarray]:
    """Sorted values without repetition, and where in them each member's is; traced ones stay as they are."""
    if concrete(values) is None:
        return values, np.arange(values.size)
    return np.unique(np.asarray(values), return_inverse=True)


def _counted(space, epsilons, at_epsilon, floors, at_delta, n: int, replace: bool) -> Accuracy:
    """Equal weights: each member is a histogram of k, times the law of k."""
    counts = _counts(space.distances, epsilons)
    if replace:
        return _from_counts(_histograms(counts, space.size + 1), at_epsilon, floors, at_delta, n=n, replace=True)
    others = counts - 1  # every ball has its own centre
    return _from_counts(_histograms(others, space.size), at_epsilon, floors, at_delta, n=n, replace=False)


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


def _counts(distances: Any, epsilons: Any) -> Any:
    """(N, epsilons) numbers of points within each epsilon of each point, itself included."""
    table, known = concrete(distances), concrete(epsilons)
    if table is None or known is None:
        return _compared(jnp.asarray(distances), jnp.asarray(epsilons))
    return np.stack([np.searchsorted(np.sort(row), known, side="right") for row in table])


@jax.jit
def _compared(distances: Array, epsilons: Array) -> Array:
    """`_counts` without a sort."""
    return jax.lax.map(lambda row: jnp.sum(row[None, :] <= epsilons[:, None], axis=1), distances)


def _histograms(counts: Any, length: int) -> Any:
    """(epsilons, length) shares of the probes with each count."""
    size, columns = counts.shape
    if not isinstance(counts, np.ndarray):
        return jax.vmap(lambda k: jnp.bincount(k, length=length) / size, in_axes=1)(counts)
    flat = (counts + length * np.arange(columns)[None, :]).ravel()
    return np.bincount(flat, minlength=columns * length).reshape(columns, length) / size


def _weighted(space, epsilons, at_epsilon, floors, at_delta, n: int, replace: bool) -> Accuracy:
    """Unequal weights: sums over probes of what their ball holds."""
    weights, (ball, share, split) = _balls(space, epsilons)
    if replace:
        return _independent(weights, ball, at_epsilon, floors, at_delta, n=n)
    xp: Any = np if isinstance(share, np.ndarray) else jnp
    share, split = (xp.sum(weights[:, None] * x, axis=0)[at_epsilon] for x in (share, split))
    gain = 1.0 / (1.0 + floors[at_delta]) - 0.5  # of a far item over one that ties
    return Accuracy(0.5 + gain * split, 0.5 + gain * (1.0 - share))


@functools.partial(jax.jit, static_argnames="n")
def _independent(weights: Array, ball: Array, at_epsilon: Array, floors: Array, at_delta: Array, *, n: int) -> Accuracy:
    """Theorem 3 over (N, epsilons) ball measures."""

    def member(indices: tuple[Array, Array]) -> Accuracy:
        each = closed_form.constant(ball[:, indices[0]].astype(floors.dtype), n=n, delta=floors[indices[1]])
        return Accuracy(*(jnp.sum(weights.astype(floors.dtype) * p) for p in each))

    return jax.lax.map(member, (at_epsilon, at_delta))


def _balls(space: MetricSpace, epsilons: Any) -> tuple[Any, tuple[Any, Any, Any]]:
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
    """The tables of `_balls` without a sort."""

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
    """One row of the tables of `_balls`."""
    index = xp.arange(weights.size)
    others = xp.where(index == p, 0.0, weights)
    rest = xp.sum(others)
    # What is left after x, too: at most half of `rest` can be lost to rounding but where x is the heaviest.
    heaviest = index == xp.argmax(others)
    left = xp.where(heaviest, xp.sum(xp.where(heaviest, 0.0, others)), rest - others)
    odds = xp.where(left > 0, others / xp.where(left > 0, left, 1.0), 0.0)
    near, far = split(others)
    odds_near, odds_far = split(odds)
    rest = xp.where(rest > 0, rest, 1.0)
    ball = xp.minimum(near + weights[p], 1.0)
    return ball, xp.minimum(near / rest, 1.0), (odds_near * far + near * odds_far) / rest


def _moments(space: MetricSpace, epsilons: ArrayLike, *, among_others: bool) -> tuple[Any, Any]:
    shape = np.shape(epsilons)
    values, member = np.unique(np.asarray(epsilons, np.float64), return_inverse=True)
    if unequal(space):
        weights, tables = _balls(space, values)
        share = tables[1] if among_others else tables[0]
    else:
        count = _counts(np.asarray(getattr(space, "distances", None)), values)
        size = len(count)
        weights = np.full(size, 1.0 / size)
        share = (count - 1) / max(size - 1, 1) if among_others else count / size
    mean = weights @ share
    variance = weights @ (share - mean) ** 2
    return mean[member].reshape(shape)[()], variance[member].reshape(shape)[()]
