"""Two items of a finite space whose distances are known, a few rows at a time: in threads, in memory that is small."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import _memory, _watching
from semres_jax._checks import concrete
from semres_jax._surroundings import usual
from semres_jax._types import Accuracy, Array
from semres_jax.laws import _condensed, _two_items
from semres_jax.laws._precision import traced
from semres_jax.laws._two_items import Pairs
from semres_jax.laws.reciprocal import strength_logs, zero
from semres_jax.similarity import Similarity
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.neighbours import row_block, shares

# Lanes of a walk over items, probes times members of a grid, and at most so many members.
_LANES, _MEMBERS = 512, 16
# Strengths above this have lost no digits; and the largest exponent at which the rounding of those near 1 is no matter.
_PLAIN, _GENTLE = 1e-280, 1e3


def applies(space: MetricSpace, members: Similarity, exponent: Any, n: int) -> bool:
    """Whether all is known, and there are two items."""
    known = space.by_rows or concrete(space.distances) is not None
    return n == 2 and known and not traced(space, members, exponent)


def accuracy(space: MetricSpace, members: Similarity, exponent: Any, *, replace: bool) -> Accuracy:
    """(members,) accuracies for two items: of many similarities that are smooth at once, of others item by item."""
    power = float(np.asarray(exponent))
    if space.weighted or np.isinf(power):
        return _walked(space, members, power, replace=replace)
    known = jax.tree.map(np.asarray, members)
    smooth, ranges = _condensed.smooth(space, known, power)
    parts = np.zeros((2, len(smooth)))
    for chosen in (smooth, ~smooth):
        if chosen.any():
            some = jax.tree.map(lambda x, own=chosen: x[own], known)
            parts[:, chosen] = np.stack(
                _condensed.accuracy(space, some, power, ranges, replace=replace) if chosen is smooth
                else _walked(space, some, power, replace=replace)
            )  # fmt: skip
    return Accuracy(*parts)


def _walked(space: MetricSpace, members: Similarity, power: float, *, replace: bool) -> Accuracy:
    """Item by item: sums of pairs have an error of 1e-14, ties are told exactly."""
    size: Any = space.size
    number = max(np.shape(leaf)[0] for leaf in jax.tree.leaves(members))
    together = min(_MEMBERS, number)
    groups = -(-number // together)
    probes = min(_LANES // together, size)
    grouped = jax.tree.map(lambda x: _padded(np.asarray(x), groups * together).reshape(
        groups, together, *np.shape(x)[1:]), members)  # fmt: skip
    weights = None
    if space.weighted:
        weights = np.asarray(concrete(space.weights), np.float64)
        weights = weights / weights.sum()
    kept = size if replace else size - 1
    _memory.require(64 * probes * size, f"{probes} rows of distances of {size} stimuli")

    def block(first: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.array(row_block(space, first, min(first + probes, size)), np.float64)
        chance = np.full(len(rows), 1.0 / size) if weights is None else weights[first : first + probes]
        d, pairs = _nearest_first(rows, first, weights, replace)
        # The last block is as large as the others: one program serves all.
        d, *pairs = (None if x is None else _padded(x, probes).T for x in (d, *pairs))
        with usual(), jax.enable_x64(True):
            accuracies = _run(d, pairs, grouped, power, count=kept, twice=replace, sharp=bool(np.isinf(power)))
        return tuple(np.asarray(p)[:, : len(rows)] @ chance for p in accuracies)  # pyright: ignore

    sums = np.zeros((2, groups * together))
    for part in _watching.by_threads(block, range(0, size, probes)):
        sums += np.stack(part)
    return Accuracy(*sums[:, :number])


def _nearest_first(rows: np.ndarray, first: int, weights: Any, replace: bool) -> tuple[np.ndarray, tuple[Any, Any]]:
    """(B, items) distances, nearest first, and the items' shares and odds, None for equal ones."""
    own = np.arange(rows.shape[1])[None] == first + np.arange(len(rows))[:, None]
    rows[own] = -1.0  # the probe itself comes first, whatever it ties with
    left = 0 if replace else 1
    if weights is None:
        rows.sort(axis=1)
        return np.maximum(rows[:, left:], 0.0), (None, None)
    order = np.argsort(rows, axis=1)[:, left:]
    d = np.maximum(np.take_along_axis(rows, order, axis=1), 0.0)
    if replace:
        return d, (weights[order], weights[order])
    share, odds = (np.take_along_axis(x, order, axis=1) for x in shares(np, weights[None], own))
    return d, (share, odds)


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    """The last again and again."""
    return values[np.minimum(np.arange(length), len(values) - 1)]


@functools.partial(jax.jit, static_argnames=("count", "twice", "sharp"))
def _run(
    d: Array, pairs: Any, members: Similarity, power: Array, *, count: int, twice: bool, sharp: bool
) -> tuple[Array, Array]:
    """(members, B) accuracies of probes with (items, B) distances, nearest first; members are in groups."""

    def group(members: Similarity) -> Accuracy:
        def keys(rows: Array) -> Array:
            made = _orders(members, rows) if sharp else _logs(members, rows, power)
            return jnp.moveaxis(made, 0, 1).reshape(len(rows), -1)

        number = jax.tree.leaves(members)[0].shape[0]
        top = keys(jnp.zeros_like(d[:1]))[0] if sharp else None
        accuracies = _two_items.accuracy(keys, d, count, number * d.shape[1], Pairs(pairs[0], pairs[1], twice), top)
        return Accuracy(*(p.reshape(number, -1) for p in accuracies))

    return tuple(p.reshape(-1, p.shape[-1]) for p in jax.lax.map(group, members))


def _orders(members: Similarity, rows: Array) -> Array:
    return jax.vmap(lambda member: member.order(rows))(members)


def _logs(members: Similarity, rows: Array, power: Array) -> Array:
    """(members, items, B) `strength_logs` of (items, B) distances: where strengths tell them to 1e-13, from strengths.

    That is several times faster than what is good for strengths of any size.
    """
    g = jax.vmap(lambda member: member(rows))(members)
    # Where ln g at the largest distances is -inf, 0 is no underflow.
    ends = jax.vmap(lambda member: member.log(rows[-1:]))(members) == -jnp.inf
    plain = (power > 0) & (power <= _GENTLE) & jnp.all((g > _PLAIN) | ((g == 0) & ends))

    def simple() -> Array:
        return jnp.where(g > 0, power * jnp.log(jnp.where(g > 0, g, 1.0)), zero(g.dtype))

    return jax.lax.cond(plain, simple, lambda: jax.vmap(lambda member: strength_logs(member, rows, power))(members))
