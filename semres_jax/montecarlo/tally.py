"""What a tile of trials adds up to: the innermost loop of every Monte Carlo run.

The constant similarity has two strengths only, so both credits of a trial are functions of K, the number of its n
items within epsilon of the probe. Such a run keeps integer counts of K: exact, the same in any order and on any device,
and the floor delta and the choice exponent enter only at the very end (`histogram`). Any other similarity adds up
credits in float64 (`credits`).
"""

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import choice
from semres_jax._types import Array
from semres_jax.montecarlo.uniforms import BLOCK, WordSource, to_unit
from semres_jax.similarity import Similarity
from semres_jax.spaces.base import MetricSpace

# Up to this many items a trial is one fused elementwise program; beyond, items are an array axis.
UNROLLED_ITEMS = 32
# Up to so many numbers in 64 bits a trial on a space with a statistic is such a program.
UNROLLED_NUMBERS = 20
# Coarse bins of the distances on the way to those that the epsilons make.
_CELLS = 4096
# `crowding` of evenly spaced epsilons, and the share of 2^-32 by which rounding may move them.
EVEN, _HAIR = -1, 1e-4
# Moments per similarity that `credits` adds up, and how far distances reach, of which the largest counts.
MOMENTS = ("p_s", "p_s²", "p_i", "p_i²", "k", "k²")
REACH = ("-d", "d")
# How an infinite Luce exponent, any other one, and 1 make credits of strengths.
ARGMAX, STEEP, POWER, LUCE = "argmax", "steep", "power", "luce"


class Distances(NamedTuple):
    """Distances of n items to the probe: a list of n arrays, or one (n, lanes) array where n is large.

    `unit` is what one step is worth: 1, or 2^-32 where the distances are exact integers.
    """

    items: list[Array] | Array
    unit: float


def distances(space: MetricSpace, words: WordSource, n: int, replace: bool) -> Distances:
    """Draw probe and n items with `words`; their distances, integers where the space allows."""
    per_point = space.uniforms
    if space.has_statistic:
        unrolled = n <= UNROLLED_ITEMS and (n + 1) * per_point <= UNROLLED_NUMBERS
        made = statistics(space, words, n, jnp.float64, unrolled)
        return Distances([space.distance_at(s) for s in made] if unrolled else space.distance_at(made), 1.0)
    if not space.has_ticks:
        return Distances(of_pairs(space, words, n, replace, space.distance), 1.0)
    if n <= UNROLLED_ITEMS:
        groups = groups_of_words(words, n, per_point)
        return Distances([space.ticks(groups[0], group) for group in groups[1:]], 2.0**-32)
    stacked = _stacked_words(words, n, per_point)
    ticks = jax.vmap(lambda item: space.ticks(list(stacked[0]), list(item)))
    return Distances(ticks(stacked[1:]), 2.0**-32)


def of_pairs(space: MetricSpace, words: WordSource, n: int, replace: bool, of_pair: Callable[..., Any]) -> Any:
    """Draw probe and n items with `words`; what `of_pair` makes of the probe and each item, such as their distance.

    Returns:
        A list of n, or where n is large the same with the items along the first axis of its arrays.
    """
    if n <= UNROLLED_ITEMS:
        probe, *items = _points(space, groups_of_words(words, n, space.uniforms), replace)
        return [of_pair(probe, item) for item in items]
    stacked = _stacked_words(words, n, space.uniforms)
    if space.size is not None and not replace:
        points = jnp.stack(space.distinct(list(to_unit(stacked[:, 0]))))
    else:
        points = jax.vmap(lambda group: space.point(jnp.moveaxis(to_unit(group), 0, -1)))(stacked)
    probe, items = (jax.tree.map(lambda x, part=part: x[part], points) for part in (0, slice(1, None)))
    return jax.vmap(of_pair, (None, 0))(probe, items)


def groups_of_words(words: WordSource, n: int, per_point: int) -> list[list[Array]]:
    """The words of the probe and of n items."""
    flat = words(0, -(-(n + 1) * per_point // BLOCK))
    return [flat[i * per_point : (i + 1) * per_point] for i in range(n + 1)]


def _stacked_words(words: WordSource, n: int, per_point: int) -> Array:
    """The same as an array (n + 1, per_point, ...), made by a loop, which is quick to compile."""

    # BLOCK points take per_point whole blocks of words.
    def block_of_points(first: Array) -> Array:
        flat = words(first * per_point, per_point)
        return jnp.stack([jnp.stack(flat[i * per_point : (i + 1) * per_point]) for i in range(BLOCK)])

    stacked = jax.lax.map(block_of_points, jnp.arange(-(-(n + 1) // BLOCK)))
    return stacked.reshape(-1, *stacked.shape[2:])[: n + 1]


def statistics(
    space: MetricSpace,
    words: WordSource,
    n: int,
    dtype: Any,
    unrolled: bool,
    of_pair: Callable[..., Array] | None = None,
) -> Any:
    """The space's statistic of n items and the probe, or what else there is of their variates.

    Args:
        space: one that has a statistic.
        words: of probe and items.
        n: items.
        dtype: float32 or float64.
        unrolled: as one program for all points, which is faster and takes longer to compile, or one for each in turn.
        of_pair: a function of the variates of the probe and those of an item; None for the statistic.

    Returns:
        A list of n arrays, or one with the items along its first axis.
    """
    of_pair = of_pair or space.statistic
    if unrolled:
        probe, *items = (space.variates(group, dtype) for group in groups_of_words(words, n, space.uniforms))
        return [of_pair(probe, item) for item in items]
    stacked = _stacked_words(words, n, space.uniforms)
    points = jax.lax.map(lambda group: jnp.stack(space.variates(list(group), dtype)), stacked)
    return jax.lax.map(lambda item: of_pair(list(points[0]), list(item)), points[1:])


def _points(space: MetricSpace, groups: list[list[Array]], replace: bool) -> list:
    if space.size is not None and not replace:
        return space.distinct([to_unit(group[0]) for group in groups])
    return [space.point(jnp.stack([to_unit(word) for word in group], axis=-1)) for group in groups]


def histogram(d: Distances, epsilons: Array, crowd: int, valid: Array | None) -> Array:
    """Counts of trials by K.

    Args:
        d: distances of (lanes,) trials.
        epsilons: (m,) increasing resolutions.
        crowd: what `crowding` says of the epsilons.
        valid: (lanes,) bool, the trials that count; None for all.

    Returns:
        (m, n + 1) int32: how many trials have K items within each epsilon.
    """
    n = len(d.items)
    if d.unit != 1.0 and crowd != EVEN:
        epsilons = ticks_within(epsilons, jnp)
    if epsilons.shape[0] == 1:
        return _count(_within(d.items, epsilons[0]), n, valid)[None]
    if n <= UNROLLED_ITEMS and crowd:
        return _ranked(list(d.items), epsilons, crowd, valid)
    if crowd == EVEN:
        epsilons = ticks_within(epsilons, jnp)
    items = jnp.stack(d.items) if isinstance(d.items, list) else d.items
    return jax.lax.map(lambda e: _count(_within(items, e), n, valid), epsilons)


def _within(items: list[Array] | Array, epsilon: Array) -> Array:
    """K: how many of the items are within epsilon."""
    if isinstance(items, list):
        return functools.reduce(operator.add, ((item <= epsilon).astype(jnp.int32) for item in items))
    return jnp.sum(items <= epsilon, axis=0, dtype=jnp.int32)


def ticks_within(epsilons: Any, xp: Any) -> Any:
    """The largest distance in units of 2^-32 that is within each epsilon."""
    return xp.clip(xp.floor(epsilons * 2.0**32), 0.0, 2.0**32 - 1.0).astype(xp.uint32)


def crowding(epsilons: np.ndarray, ticks: bool) -> int:
    """How `_first_reaching` may look up these increasing epsilons.

    `EVEN` where they are evenly spaced and distances are integers; otherwise the largest number that share one of the
    `_CELLS` cells, and 0 if those are too many.
    """
    if ticks and len(epsilons) > 2:
        even = np.linspace(epsilons[0], epsilons[-1], len(epsilons))
        if np.abs(epsilons - even).max() < 0.1 * _HAIR * 2.0**-32:
            return EVEN
    cells = _cell(ticks_within(epsilons, np) if ticks else epsilons, epsilons[-1], np)
    crowd = int(np.bincount(cells).max())
    return crowd if crowd <= 4 else 0


def _count(k: Array, n: int, valid: Array | None) -> Array:
    """(n + 1,) counts of the values 0..n in k."""
    if valid is None and n == 2 and k.size % 256 == 0 and k.size <= 256 * 65535:
        # Both counts in one sum of 32-bit integers, so that nothing but the sum leaves the registers: K in the low
        # half (at most 2 * 2^15 of it in a row), the number of K = 2 in the high half.
        rows = jnp.sum(
            (k + jnp.where(k == 2, 65536, 0)).reshape(-1, min(k.size // 256, 2**14)), axis=1, dtype=jnp.int32
        )
        both = jnp.sum(rows >> 16, dtype=jnp.int32)
        once = jnp.sum(rows & 65535, dtype=jnp.int32) - 2 * both
        return jnp.stack([k.size - once - both, once, both])
    weight = 1 if valid is None else valid.astype(jnp.int32)
    return _scatter(k, n + 1, weight)


def _ranked(items: list[Array], epsilons: Array, crowd: int, valid: Array | None) -> Array:
    """The same for many epsilons at the price of few: one histogram over (rank of the item, first epsilon reaching it).

    The j-th closest item (rank j) enters the ball at the first epsilon >= its distance; K >= j + 1 from there on.
    """
    n, m = len(items), epsilons.shape[0]
    weight = 1 if valid is None else valid.astype(jnp.int32)
    if n == 2:
        bins = [_first_reaching(item, epsilons, crowd) for item in items]
        joint = _scatter(jnp.minimum(*bins) * (m + 1) + jnp.maximum(*bins), (m + 1) ** 2, weight).reshape(m + 1, m + 1)
        entering = jnp.stack([joint.sum(1, dtype=jnp.int32), joint.sum(0, dtype=jnp.int32)])
    else:
        small = jnp.uint8 if m < 255 else jnp.int32  # 64 to a vector
        reached = jax.lax.map(lambda item: _first_reaching(item, epsilons, crowd).astype(small), jnp.stack(items))

        def enter(i: Array, entering: Array) -> Array:
            own = reached[i]
            # closer, or as close and earlier in the list; written out, since a reduction would not be vectorised
            ranks = ((reached[j] < own + (j < i).astype(small)).astype(jnp.uint8) for j in range(n))
            rank = functools.reduce(operator.add, ranks).astype(jnp.int32)
            return entering + _scatter(rank * (m + 1) + own.astype(jnp.int32), n * (m + 1), weight)

        entering = jax.lax.fori_loop(0, n, enter, jnp.zeros(n * (m + 1), jnp.int32)).reshape(n, m + 1)
    at_least = jnp.cumsum(entering, axis=1, dtype=jnp.int32)[:, :m]  # K >= j + 1, by epsilon
    total = jnp.sum(entering[0], dtype=jnp.int32)
    at_least = jnp.concatenate([jnp.full((1, m), total), at_least, jnp.zeros((1, m), jnp.int32)])
    return (at_least[:-1] - at_least[1:]).T


def _cell(d: Any, top: Any, xp: Any) -> Any:
    """A coarse bin of each distance, never decreasing in it."""
    if d.dtype == xp.uint32:
        return (d >> xp.uint32(20)).astype(xp.int32)
    return xp.minimum(d * (_CELLS / xp.maximum(top, 1e-300)), _CELLS).astype(xp.int32)


def _first_reaching(d: Array, epsilons: Array, crowd: int) -> Array:
    """How many epsilons are < d: by arithmetic where they are evenly spaced (`crowd` is `EVEN`).

    Otherwise one look-up of its cell, then as many comparisons as epsilons can share a cell.

    Three times faster than a binary search, and as exact: the cell never decreases in d, so epsilons of lower cells
    are smaller and those of higher cells larger.
    """
    if crowd == EVEN:
        first, step = epsilons[0] * 2.0**32, (epsilons[-1] - epsilons[0]) * 2.0**32 / (epsilons.shape[0] - 1)
        # A distance equal to an epsilon is within it, whatever the rounding.
        reached = jnp.ceil((d.astype(first.dtype) - (first + _HAIR)) / step)
        return jnp.clip(reached, 0, epsilons.shape[0]).astype(jnp.int32)
    below = jnp.searchsorted(_cell(epsilons, epsilons[-1], jnp), jnp.arange(_CELLS + 1), side="left").astype(jnp.int32)
    infinite = jnp.full(crowd, jnp.iinfo(d.dtype).max if d.dtype == jnp.uint32 else jnp.inf, d.dtype)
    padded = jnp.concatenate([epsilons.astype(d.dtype), infinite])
    reached = below.at[_cell(d, epsilons[-1], jnp)].get(mode="promise_in_bounds")
    for _ in range(crowd):
        reached = reached + (d > padded.at[reached].get(mode="promise_in_bounds"))
    return jnp.minimum(reached, epsilons.shape[0])


def _scatter(index: Array, size: int, weight: Array | int) -> Array:
    return jnp.zeros(size, jnp.int32).at[index].add(weight, mode="promise_in_bounds")


def credits(d: Distances, similarity: Similarity, rule: str, exponent: Array, valid: Array | None) -> Array:
    """Sums of the `MOMENTS` over the trials, for every member of a similarity with one leading axis of m.

    Args:
        d: distances of (lanes,) trials.
        similarity: leaves with a leading axis of m.
        rule: `LUCE`, `POWER`, `STEEP` where strengths may underflow, or `ARGMAX`.
        exponent: Luce exponent, for `POWER` and `STEEP`.
        valid: (lanes,) bool, the trials that count; None for all.

    Returns:
        (m, 8): the sums, and beside them the `REACH` of the distances, largest -d and largest d.
    """
    n = len(d.items)
    items = d.items if d.unit == 1.0 else [item.astype(float) * d.unit for item in d.items]
    if n > UNROLLED_ITEMS:
        items = jnp.stack(items) if isinstance(items, list) else items
    sums = jax.lax.map(functools.partial(_member, items, n, rule, exponent, valid), similarity)
    reach = jnp.broadcast_to(_reach(items, valid)[None], (sums.shape[0], len(REACH)))
    return jnp.concatenate([sums, reach], axis=1)


def _reach(items: list[Array] | Array, valid: Array | None) -> Array:
    """Largest -d and largest d of the trials that count, without the item that makes room for the probe."""
    items = items[:-1]
    if isinstance(items, list):
        extremes = -functools.reduce(jnp.minimum, items), functools.reduce(jnp.maximum, items)
    else:
        extremes = -jnp.min(items, axis=0), jnp.max(items, axis=0)
    if valid is not None:
        extremes = tuple(jnp.where(valid, x, -jnp.inf) for x in extremes)
    return jnp.stack([jnp.max(x) for x in extremes])


def _member(
    items: list[Array] | Array, n: int, rule: str, exponent: Array, valid: Array | None, similarity: Similarity
) -> Array:
    if rule == ARGMAX:
        # By `order`, which rounding beside a floor does not touch, as it does the similarities themselves.
        order = jnp.stack([similarity.order(item) for item in items]) if isinstance(items, list) else None
        order = similarity.order(items) if order is None else order
        strongest = jnp.sum(order >= jnp.max(order, axis=0, keepdims=True), axis=0, dtype=jnp.int32)
        similar = 1.0 / strongest
        as_strong = jnp.sum(order[: n - 1] >= similarity.order(0.0), axis=0, dtype=jnp.int32)
        others = as_strong.astype(similar.dtype)
    elif rule == STEEP:
        # In logarithms: a strength that is 0 in floating point may still be the largest.
        logs = jnp.stack([similarity.log(item) for item in items]) if isinstance(items, list) else similarity.log(items)
        logs = jnp.where(exponent > 0, exponent * logs, 0.0)
        top = jnp.max(logs, axis=0)
        some = top > -jnp.inf
        relative = jnp.exp(logs - jnp.where(some, top, 0.0)[None])
        similar = jnp.where(some, 1.0 / jnp.where(some, jnp.sum(relative, axis=0), 1.0), 1.0 / n)
        others = jnp.sum(jnp.exp(logs[: n - 1]), axis=0)
    elif rule == POWER:
        strengths = jnp.stack([similarity(item) for item in items]) if isinstance(items, list) else similarity(items)
        # relative to the largest, so that nothing underflows
        similar = jnp.max(choice.luce(strengths, exponent, axis=0), axis=0)
        others = jnp.sum(choice.power(strengths[: n - 1], exponent), axis=0)
    elif isinstance(items, list):
        *most, last = (similarity(item) for item in items)
        others = functools.reduce(operator.add, most)
        similar = choice.similarity_credit(functools.reduce(jnp.maximum, most, last), others + last, n)
    else:
        strengths = similarity(items)
        others = jnp.sum(strengths[:-1], axis=0)
        similar = choice.similarity_credit(jnp.max(strengths, axis=0), others + strengths[-1], n)
    identify = choice.identification_credit(others)
    epsilon = getattr(similarity, "epsilon", None)
    if epsilon is None:
        k = jnp.full_like(similar, jnp.nan)
    else:
        k = _within(items, epsilon).astype(similar.dtype)
    return summed(similar, identify, k, valid)


def summed(similar: Array, identify: Array, k: Array, valid: Array | None) -> Array:
    """Sums of the `MOMENTS` over the trials that count, of both credits and of K."""
    moments = (similar, similar**2, identify, identify**2, k, k**2)
    if valid is not None:
        moments = tuple(jnp.where(valid, moment, 0.0) for moment in moments)
    return jnp.stack([jnp.sum(moment) for moment in moments])
