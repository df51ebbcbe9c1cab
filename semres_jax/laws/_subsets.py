"""Accuracies on a finite space for any strengths h: sums over all sets of items, by recurrences from far to near.

Credits are 1/x of sums of strengths, and 1/x = ∫ e^{-xs} ds makes them products over the items. With the others of a
probe in the order of their distance, the right item is the nearest one of a set, so that

    p_S = ∫ ds Σ_i h_i e^{-s h_i} <Π_j e^{-s h_j}> over sets whose nearest item is i,
    p_I = ∫ ds e^{-s} <Π_j e^{-s h_j}>.

The averages over sets grow item by item, the farthest first. All terms are positive: nothing cancels. Tied items have
equal strengths, and any order among them gives the same credit.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Accuracy, Array
from semres_jax.laws import _two_items
from semres_jax.laws._counting import chance_of_all, shares
from semres_jax.laws._two_items import Pairs
from semres_jax.laws.reciprocal import CHUNK, ZERO, decays, nodes, shortened, strength_logs, sum_over_nodes
from semres_jax.similarity import Similarity

# Numbers that a step of a recurrence works on: probes times nodes times what else is carried.
_BUDGET = 2**15


class _Draws(NamedTuple):
    """How items are drawn: averages over the sets of items from among those so far.

    Carries have probes in front and nodes at the end, (B, ..., Q).
    """

    start: Callable[[int], Array]  # Q -> the carry before the first item
    # (carry, (B, Q) factors e of the next item, its own row of `items`) -> the carry with it, and the (B, Q) average
    # over n items of Π e where that item is the nearest, its own factor left out
    add: Callable[[Array, Array, Any], tuple[Array, Array]]
    total: Callable[[Array], Array]  # carry after all items -> (B, Q) average of Π e over n - 1 items
    items: Any  # arrays with the items in front, farthest first


@functools.partial(jax.jit, static_argnames=("n", "replace", "sharp"))
def averages(
    distances: Array,
    weights: Array | None,
    similarity: Similarity,
    exponent: Array,
    clock: tuple[Array, Array] | None,
    *,
    n: int,
    replace: bool,
    sharp: bool,
) -> Accuracy:
    """(members,) accuracies of a similarity with one axis of members.

    Args:
        weights: (N,) summing to 1, None for equal ones.
        exponent: finite, of Luce's rule; not read where `sharp`: an infinite one, the strongest share the choice.
        clock: times and weights of `clock_times`, for n > 2 distinct items of unequal weights.
    """
    size, dtype = distances.shape[0], distances.dtype
    carried = (n - 1) * (1 if clock is None else 2 * clock[0].size) * CHUNK
    blocks = -(-size // max(1, _BUDGET // carried))
    length = -(-size // blocks)

    def block(number: Array) -> Accuracy:
        probes = number * length + jnp.arange(length)
        share = 1.0 / size if weights is None else jnp.take(weights, probes, mode="clip")
        chance = jnp.where(probes < size, share, 0.0)
        probes = jnp.minimum(probes, size - 1)
        d, draws, pairs = _sorted_draws(distances, weights, probes, clock, n, replace)

        def member(single: Similarity) -> Accuracy:
            if sharp:
                accuracies = _argmax(single.order(d), single.order(jnp.zeros((), d.dtype)), draws, n)
            else:
                accuracies = _luce(strength_logs(single, d, exponent), draws, pairs, n)
            return Accuracy(*(jnp.sum(chance.astype(dtype) * p) for p in accuracies))

        return jax.lax.map(member, similarity)

    return Accuracy(*(jnp.sum(p, axis=0) for p in jax.lax.map(block, jnp.arange(blocks))))


def _luce(log_h: Array, draws: _Draws, pairs: Pairs | None, n: int) -> Accuracy:
    """(B,) accuracies for (items, B) logarithms of strengths, farthest first."""
    if pairs is None:
        return _all_sets(shortened(log_h), draws, n)
    return _two_items.accuracy(lambda key: key, log_h[::-1], log_h.shape[0], log_h.shape[1], pairs)


def _all_sets(log_h: Array, draws: _Draws, n: int) -> Accuracy:
    """Any n: by the recurrence at every node of s."""
    nothing = log_h == ZERO
    lowest = jnp.min(jnp.where(nothing, 0.0, log_h))

    def chunk(log_s: Array, ratio: Array) -> Accuracy:
        def factors(log_h: Array) -> tuple[Array, Array]:
            sh, e = decays(log_h, log_s)
            return e, ratio[None] * sh * e

        credit, carry = _walk(log_h, factors, draws, log_s.size)
        probe = ratio * decays(jnp.zeros((), log_s.dtype), log_s)[0] * jnp.exp(-jnp.exp(jnp.minimum(log_s, 7.0)))
        return Accuracy(jnp.sum(credit, axis=-1), jnp.sum(probe[None] * draws.total(carry), axis=-1))

    p_s, p_i = sum_over_nodes(chunk, n, lowest)

    # Where all n strengths are zero the credit is 1/n: one more node at infinity, where only these factors are left.
    def last(log_h: Array) -> tuple[Array, Array]:
        left = jnp.where(log_h == ZERO, 1.0, 0.0).astype(log_h.dtype)[:, None]
        return left, left / n

    return Accuracy(p_s + _walk(log_h, last, draws, 1)[0][:, 0], p_i)


def _walk(
    items: Array, factors: Callable[[Array], tuple[Array, Array]], draws: _Draws, count: int, before: Any = None
) -> tuple[Array, Array]:
    """Σ_i credit_i (B, count) and the last carry; factors(items_i) are e of item i, and of its credit.

    `before` changes the carry by items_i, before the item is added.
    """

    @jax.checkpoint  # pyright: ignore[reportPrivateImportUsage]
    def step(state: tuple[Array, Array], item: tuple[Array, Any]) -> tuple[tuple[Array, Array], None]:
        carry, credit = state
        carry = carry if before is None else before(carry, item[0])
        e, own = factors(item[0])
        carry, others = draws.add(carry, e, item[1])
        return (carry, credit + own * others), None

    start = draws.start(count)
    nothing = jnp.zeros((items.shape[1], count), start.dtype)
    (carry, credit), _ = jax.lax.scan(step, (start, nothing), (items, draws.items))
    return credit, carry


def _argmax(rank: Array, top: Array, draws: _Draws, n: int) -> Accuracy:
    """`_luce` for an infinite exponent: x counts the strongest, whose factors are e^{-s}; weaker ones have 1.

    `rank` is the similarity's `order`, (items, B), farthest first; `top` that of the probe itself.
    """
    s, weight = (jnp.asarray(x, rank.dtype) for x in nodes(n))
    unit = jnp.ones(1, rank.dtype)
    e = jnp.concatenate([jnp.exp(-s), unit])[None]  # with a last node, at 0, for all factors being 1
    own = jnp.concatenate([weight * jnp.exp(-s), 0.0 * unit])[None]

    def weaker(carry: Array, closer: Array) -> Array:
        closer = jnp.expand_dims(closer, range(1, carry.ndim))
        return jnp.where(closer, carry[..., -1:], carry)

    stronger = jnp.concatenate([jnp.zeros((1, rank.shape[1]), bool), rank[1:] > rank[:-1]])
    factors = jnp.broadcast_to(e, (rank.shape[1], e.size)), own
    credit, carry = _walk(stronger, lambda _: factors, draws, e.size, weaker)
    carry = weaker(carry, rank[-1] < top)  # the probe's own
    return Accuracy(jnp.sum(credit, axis=-1), jnp.sum(own * draws.total(carry), axis=-1))


def _sorted_draws(
    distances: Array, weights: Array | None, probes: Array, clock: tuple[Array, Array] | None, n: int, replace: bool
) -> tuple[Array, _Draws, Pairs | None]:
    """(items, B) distances, farthest first, of all that can be drawn with the probes; how sets and pairs are drawn."""
    size, dtype = distances.shape[0], distances.dtype
    own = jnp.arange(size)[None] == probes[:, None]
    # The probe itself comes last, whatever it ties with.
    rows = jnp.where(own, -1.0, jnp.take(distances, probes, axis=0))
    kept = size if replace else size - 1
    if weights is None and not replace:
        d = -jnp.sort(-rows, axis=1)[:, :kept].T
        return d, _equal(size - 1, len(probes), n, dtype), Pairs(None, None, False) if n == 2 else None
    even = weights is None
    weights = jnp.full(size, 1.0 / size, dtype) if weights is None else weights.astype(dtype)
    order = jnp.argsort(-rows, axis=1)[:, :kept]

    def sorted_items(values: Array) -> Array:
        return jnp.take_along_axis(values, order, axis=1).T

    d = jnp.maximum(sorted_items(rows), 0.0)
    if replace:
        drawn = jnp.take(weights, order).T
        nearest = None if even else drawn[::-1]
        return d, _independent(drawn, n), Pairs(nearest, nearest, True) if n == 2 else None
    share, odds = (sorted_items(x) for x in shares(jnp, weights[None], own))
    if clock is None:
        return d, _pair(share, odds), Pairs(share[::-1], odds[::-1], False)
    return d, _clocks(share, *clock, n), None


def _equal(others: int, probes: int, n: int, dtype: Any) -> _Draws:
    """Distinct items of equal weight: M_k, the mean of Π e over the k-subsets of the items so far, k = 1..n-1."""
    j = np.arange(others)
    nearest = n / others * chance_of_all(j, n - 1, others - 1)  # C(j, n-1) / C(others, n): the j-th is the nearest of n
    taken = np.minimum(np.arange(1, n) / (j[:, None] + 1), 1.0)  # the next one's to be among k of the first j + 1

    def add(carry: Array, e: Array, item: tuple[Array, Array]) -> tuple[Array, Array]:
        chance, taken = item
        fewer = jnp.concatenate([jnp.ones_like(carry[:, :1]), carry[:, :-1]], axis=1)
        taken = taken[None, :, None]
        return (1.0 - taken) * carry + taken * (e[:, None] * fewer), chance * carry[:, -1]

    items = (jnp.asarray(nearest, dtype), jnp.asarray(taken, dtype))
    return _Draws(lambda nodes: jnp.zeros((probes, n - 1, nodes), dtype), add, lambda carry: carry[:, -1], items)


def _independent(weights: Array, n: int) -> _Draws:
    """Independent items: R = Σ w e over the items so far; with the next, R^n grows to (R + w e)^n."""

    def add(carry: Array, e: Array, w: Array) -> tuple[Array, Array]:
        w = w[:, None]
        new = carry + w * e
        # ((R + w e)^n - R^n) / e by repeated squaring, of sums only.
        high, low, gap = new, carry, w
        for bit in bin(n)[3:]:
            high, low, gap = high * high, low * low, gap * (high + low)
            if bit == "1":
                high, low, gap = high * new, low * carry, gap * new + low * w
        return new, gap

    start = lambda nodes: jnp.zeros((weights.shape[1], nodes), weights.dtype)  # noqa: E731
    return _Draws(start, add, lambda carry: carry ** (n - 1), weights)


def _pair(share: Array, odds: Array) -> _Draws:
    """Two distinct items: sums of share · e and odds · e over the items so far. Either may have been drawn first."""

    def add(carry: Array, e: Array, item: tuple[Array, Array]) -> tuple[Array, Array]:
        first, second = (x[:, None] for x in item)
        return carry + jnp.stack([first, second], axis=1) * e[:, None], second * carry[:, 0] + first * carry[:, 1]

    start = lambda nodes: jnp.zeros((share.shape[1], 2, nodes), share.dtype)  # noqa: E731
    return _Draws(start, add, lambda carry: carry[:, 0], (share, odds))


def _clocks(share: Array, times: Array, weights: Array, n: int) -> _Draws:
    """n distinct items of unequal weights: the first n of independent clocks of rates w to ring, at times T_i.

    The sets are summed with the last ring at t, weighed by the density of t, before it is integrated over. The carry
    (B, 2, n, times, nodes) sums over sets of k of the items so far: all rung before t, and one of them just at t.
    """
    probes, dtype = share.shape[1], share.dtype
    # Sums of the nearer ones only: a difference would lose the light ones next to the heavy.
    nearer = jnp.concatenate([jnp.cumsum(share[:0:-1], axis=0)[::-1], jnp.zeros_like(share[:1])])
    times, weights = times.astype(dtype), weights.astype(dtype)[None, :, None]

    def start(nodes: int) -> Array:
        return jnp.zeros((probes, 2, n, times.size, nodes), dtype).at[:, 0, 0].set(1.0)

    def add(carry: Array, e: Array, item: tuple[Array, Array]) -> tuple[Array, Array]:
        rate, nearer = (x[:, None] * times[None] for x in item)
        silent = jnp.exp(-rate)[:, :, None]
        rung, now = -jnp.expm1(-rate)[:, :, None], (item[0][:, None, None] * silent)
        before, at = carry[:, 0, -1], carry[:, 1, -1]
        quiet = weights * jnp.exp(-nearer)[:, :, None]  # none of the nearer ones
        others = jnp.sum(quiet * (rung * at + now * before), axis=1)
        e = e[:, None, None]
        fewer = jnp.concatenate([jnp.zeros_like(carry[:, :, :1]), carry[:, :, :-1]], axis=2)
        silent, rung, now = silent[:, None], rung[:, None], now[:, None]
        before = silent * carry[:, 0] + rung * e * fewer[:, 0]
        at = silent * carry[:, 1] + rung * e * fewer[:, 1] + now * e * fewer[:, 0]
        return jnp.stack([before, at], axis=1), others

    return _Draws(start, add, lambda carry: jnp.sum(weights * carry[:, 1, -1], axis=1), (share, nearer))


def clock_times(weights: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Times at which n clocks have just rung, and weights: the trapezoid rule in ln t, for `_clocks`.

    The k-th ring (k = n - 1 or n) has a width of about 1/√k in ln t, which decides the step. It as good as never
    happens before k exp(-1 - 39/k), or while all but n of the lightest are silent. Padded to a multiple of 16, so that
    programs differ less.
    """
    positive = np.sort(weights[weights > 0])
    silent = positive[: positive.size - n].sum() / positive.sum()
    first = math.log(n - 1) - 1 - 39 / (n - 1)
    last = math.log((40 + n * math.log(positive.size)) / silent)
    step = min(0.25, 0.6 / math.sqrt(n))
    log_t = first + step * np.arange(math.ceil((last - first) / step) + 1)
    padding = -log_t.size % 16
    return np.append(np.exp(log_t), np.ones(padding)), np.append(step * np.exp(log_t), np.zeros(padding))
