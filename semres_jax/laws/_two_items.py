"""Accuracies for two items on a finite space, for any strengths: sums over pairs in one walk from near to far.

Of two items with strengths h >= h' the farther one wins with probability z/(1 + z), z = h'/h. On [0, 1] this is a
polynomial Σ_k c_k z^k to 1e-15, and with the items in the order of their distance each term is a recurrence,

    Σ_{i nearer than j} (h_j/h_i)^k = r^k (1 + Σ_{i nearer than j - 1} (h_{j-1}/h_i)^k),   r = h_j/h_{j-1},

so that all pairs of N items cost N steps. Nothing is assumed of the similarity but that it doesn't increase.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from semres_jax._types import Accuracy, Array
from semres_jax.laws.reciprocal import is_zero

# Powers of z as products of two: what a step works on has these two axes, and lanes.
_HIGH, _LOW = 5, 4
_TERMS = _HIGH * _LOW
# Items after which it is asked whether all that come have no strength.
_CHUNK = 64


def _coefficients() -> np.ndarray:
    """(HIGH, LOW) c_k of z/(1 + z) = Σ c_k z^k for k = 1, 2, ...: interpolation at Chebyshev's points of 1/(1 + z)."""
    in_x = Chebyshev.interpolate(lambda x: 2.0 / (3.0 + x), _TERMS - 1).convert(kind=Polynomial)
    return in_x(Polynomial([-1.0, 2.0])).coef.reshape(_HIGH, _LOW)


class Pairs(NamedTuple):
    """How two items are drawn: i and j, i < j, with probability share_i odds_j + share_j odds_i.

    Attributes:
        share, odds: (items, B), nearest first; None: 1/items and 1/(items - 1), or both 1/items where items may repeat.
        twice: whether an item may be drawn twice, and then shares the choice with itself.
    """

    share: Any
    odds: Any
    twice: bool


class _Walk(NamedTuple):
    """What a walk carries, for L lanes: (L,) keys of the last item, and sums over items up to there.

    `nearer` are (HIGH, LOW, L) sums of (h/h_i)^k, or two of these by share and by odds; `lost` the powers of what pairs
    lose; `mass` (1 or 3, L) those of share, odds, and their product, of items with a strength.
    """

    key: Array
    nearer: Array
    lost: Array
    hit: Array
    mass: Array


def accuracy(
    keys_of: Callable[[Any], Array], items: Any, count: int, lanes: int, pairs: Pairs, top: Any = None
) -> Accuracy:
    """(L,) accuracies for a probe in each lane.

    Args:
        keys_of: maps some of the `items` to (some, L) logarithms of strengths, as of `strength_logs`.
        items: a pytree with `count` items in front, nearest first.
        lanes: L.
        pairs: of B lanes, which the L are several times.
        top: None; or, for an infinite exponent, (L,) keys of the probe itself: keys then are `order`, not logarithms.
    """
    even = pairs.share is None
    weights = None if even else (pairs.share, pairs.odds)
    length = min(_CHUNK, count)
    chunks = -(-count // length)

    def padded(x: Array) -> Array:
        x = jnp.concatenate([x, jnp.broadcast_to(x[-1:], (chunks * length - count, *x.shape[1:]))])
        return x.reshape(chunks, length, *x.shape[1:])

    entries = jax.tree.map(padded, (items, weights))
    dtype = jax.eval_shape(keys_of, items).dtype

    def chunk(state: tuple[Array, _Walk]) -> tuple[Array, _Walk]:
        number, walk = state
        own, weight = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, number, keepdims=False), entries)
        keys = keys_of(own)
        place = number * length + jnp.arange(length)
        weight = None if weight is None else tuple(jnp.tile(w, (1, lanes // w.shape[1])) for w in weight)
        return number + 1, _with_chunk(walk, keys, place[:, None], count, weight, top)

    def more(state: tuple[Array, _Walk]) -> Array:
        number, walk = state
        strong = jnp.any(~is_zero(walk.key)) if top is None else jnp.asarray(True)
        return (number < chunks) & strong

    empty = jnp.zeros((_HIGH, _LOW, lanes), dtype)
    zero, mass = empty[0, 0], jnp.zeros((1 if even else 3, lanes), dtype)
    start = _Walk(zero, empty if even else jnp.stack([empty, empty]), empty, zero, mass)
    walk = jax.lax.while_loop(more, chunk, (jnp.zeros((), jnp.int32), start))[1]
    return _finished(walk, weights, count, pairs.twice, lanes)


def _with_chunk(walk: _Walk, keys: Array, place: Array, count: int, weight: Any, top: Any) -> _Walk:
    """With (CHUNK, L) more items, of weights 1, or share and odds; those from `count` on are none."""
    before = jnp.concatenate([walk.key[None], keys[:-1]])
    there = place < count
    if top is None:
        live = ~is_zero(keys) & there
        # No gradient through what is not taken.
        ratio = jnp.exp(jnp.where(live & (place > 0), keys - jnp.where(is_zero(before), keys, before), 0.0))
        hit = jax.nn.sigmoid(jnp.where(live, -keys, 0.0))
    else:
        live = jnp.broadcast_to(there, keys.shape)
        ratio = (keys >= before).astype(walk.lost.dtype)
        hit = jnp.where(keys >= top, 0.5, 1.0)
    ratio = jnp.where(live & (place > 0), ratio, 0.0)
    hit, counted = jnp.where(live, hit, 0.0), live.astype(walk.lost.dtype)
    if weight is None:
        mass, added = counted[None], counted
    else:
        hit, (share, odds) = weight[0] * hit, (w * counted for w in weight)
        mass, added = jnp.stack([share, odds, share * odds]), (share, odds)
    (nearer, lost), _ = jax.lax.scan(_step, (walk.nearer, walk.lost), (ratio, added))
    return _Walk(keys[-1], nearer, lost, walk.hit + jnp.sum(hit, axis=0), walk.mass + jnp.sum(mass, axis=1))


def _step(state: tuple[Array, Array], item: Any) -> tuple[tuple[Array, Array], None]:
    """With one more item, whose strength is (L,) times that of the last."""
    (nearer, lost), (ratio, weight) = state, item
    second = ratio * ratio
    fourth = second * second
    eighth = fourth * fourth
    low = [ratio, second, second * ratio, fourth]
    high = [jnp.ones_like(ratio), fourth, eighth, eighth * fourth, eighth * eighth]
    power = jnp.stack(high)[:, None] * jnp.stack(low)[None]
    if not isinstance(weight, tuple):
        nearer = power * nearer + weight
        return (nearer, lost + nearer), None  # what the item itself adds is taken out in the end
    share, odds = weight
    nearer = power * nearer
    lost = lost + odds * nearer[0] + share * nearer[1]
    return (nearer + jnp.stack(weight)[:, None, None], lost), None


def _finished(walk: _Walk, weights: Any, count: int, twice: bool, lanes: int) -> Accuracy:
    """Accuracies, once pairs without any strength, which share the choice, have joined."""
    c = jnp.asarray(_coefficients(), walk.lost.dtype)[..., None]
    if weights is None:
        alive = walk.mass[0]
        pair = 2.0 / (count * (count if twice else max(count - 1, 1)))
        dead = count - alive
        lost = pair * (jnp.sum(c * (walk.lost - alive), axis=(0, 1)) + dead * (dead - 1.0) / 4.0)
        tied = 0.5 / count if twice else 0.0
        return Accuracy(1.0 - lost - tied, (walk.hit + dead) / count)
    share, odds = (jnp.tile(w, (1, lanes // w.shape[1])) for w in weights)
    both = jnp.sum(share * odds, axis=0)
    dead = [jnp.sum(share, axis=0), jnp.sum(odds, axis=0), both]
    dead = [jnp.maximum(whole - alive, 0.0) for whole, alive in zip(dead, walk.mass, strict=True)]
    lost = jnp.sum(c * walk.lost, axis=(0, 1)) + (dead[0] * dead[1] - dead[2]) / 2.0
    return Accuracy(1.0 - lost - (both / 2.0 if twice else 0.0), walk.hit + dead[0])
