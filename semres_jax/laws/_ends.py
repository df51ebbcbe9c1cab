"""Ends of panels of distances, which lie where they lie whatever the integrals: for what is deep."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws.reciprocal import bisected
from semres_jax.spaces.base import MetricSpace

# How much wider than the distance to a kink of the ball a panel may be that ends close to it, and how many ends are put
# between where it is wider.
_WIDENS, _GRADES = 64.0, 3
# Masses between which panels of distances are split: down to nothing, where the ball grows steeply, and out to a tail.
_LOW = 10.0 ** -np.array([2, 3, 4, 6, 8, 11, 14, 17])
_HIGH = np.concatenate([[0.5, 0.75], 1.0 - 0.1 ** np.arange(1, 7)])


def around(space: MetricSpace, v: Array) -> tuple[Callable[[Array], Array], Array, Array]:
    """The ball measure as a function of (q, radii), the radii (q, kinks) at which it is not smooth, the last (q, 1)."""
    probes = space.probe(v)
    own = jnp.stack(space.radius_kinks(probes), axis=-1).astype(v.dtype)

    def ball(r: Array) -> Array:
        return jax.vmap(lambda p, x: space.ball_measure(jax.tree.map(lambda c: c[None], p), x))(probes, r)

    return ball, own, jnp.max(own, axis=-1, keepdims=True)


def panel_ends(fixed: Array, kinks: Array, own: Array, farthest: Array) -> Array:
    """(q, ends) in order, between 0 and the farthest distance (q, 1).

    Of (q, radii) `fixed` ones that may be anywhere, (k,) kinks of g, and (q, k) own ones of the ball. Ends that meet
    move as one, as the kink of the ball or else of g that is among them moves: a panel of width 0 would not know by
    itself how it opens.
    """
    kinks = jnp.broadcast_to(kinks[None], (len(own), kinks.size))
    kinks = _met(jnp.clip(kinks, 0.0, farthest), own, farthest)
    fixed = _met(jnp.clip(fixed, 0.0, farthest), jnp.concatenate([own, kinks], axis=-1), farthest)
    ends = jnp.sort(jnp.concatenate([jnp.clip(fixed, 0.0, farthest), kinks, own], axis=-1), axis=-1)
    if len(own) > 1:  # of many probes few have an end so close to a kink
        return ends
    return jnp.sort(jnp.concatenate([ends, jnp.clip(_graded(ends, own, farthest), 0.0, farthest)], axis=-1), axis=-1)


def _graded(ends: Array, own: Array, farthest: Array) -> Array:
    """Further ends, where a wide panel begins or stops close to a kink of the ball, but not at it; infinity elsewhere.

    There the density of distances goes as a square root of the distance from the kink: a rule for panels that end at
    kinks lost up to 2e-9 so (a level of ln g at 1.00001 times the kink). Panels that widen step by step lose nothing.
    """
    rounding = 64.0 * float(jnp.finfo(ends.dtype).eps) * farthest[..., None]
    further = []
    for side in (1.0, -1.0):
        gaps = side * (ends[:, None, :] - own[:, :, None])
        gaps = jnp.sort(jnp.where(gaps > rounding, gaps, jnp.inf), axis=-1)
        near, next_ = gaps[..., :-1], gaps[..., 1:]
        ratio = jnp.where(jnp.isfinite(next_), next_ / jnp.where(jnp.isfinite(near), near, 1.0), 0.0)
        widest = jnp.max(ratio, axis=-1, keepdims=True)
        start = jnp.max(jnp.where(ratio == widest, near, 0.0), axis=-1, keepdims=True)
        steps = start * widest ** (np.arange(1, _GRADES + 1) / (_GRADES + 1.0))[None, None]
        further.append(jnp.where(widest > _WIDENS, own[:, :, None] + side * steps, jnp.inf))
    return jax.lax.stop_gradient(jnp.concatenate(further, axis=-1).reshape(len(own), -1).astype(ends.dtype))


def _met(ends: Array, kinks: Array, farthest: Array) -> Array:
    """Each end, or the farthest of the kinks that it meets."""
    rounding = 4.0 * float(jnp.finfo(ends.dtype).eps) * farthest[..., None]
    kinks = jnp.broadcast_to(kinks[:, None, :], (*ends.shape, kinks.shape[-1]))
    # No argmin: its programs in 64 bits can't be lowered where JAX's precision is another.
    met = jnp.max(jnp.where(jnp.abs(ends[:, :, None] - kinks) <= rounding, kinks, -1.0), axis=-1)
    return jnp.where(met >= 0.0, met, ends)


def mass_radii(ball: Callable[[Array], Array], farthest: Array, n: int) -> Array:
    """(q, radii) that divide the mass: down to what the closest of n items is in, down a steep rise, out to a tail."""
    small = 0.25 ** np.arange(1, 2 + math.ceil(math.log(n, 4)))
    mass = jnp.asarray(np.concatenate([small, _HIGH, _LOW])[None], farthest.dtype)
    farthest = jax.lax.stop_gradient(farthest)
    low, high = (jnp.full((len(farthest), mass.shape[1]), x, farthest.dtype) for x in (-60.0, 0.0))
    high = bisected(lambda e: ball(farthest * jnp.exp2(e)) > mass, low, high, 22)
    # Infinity, not the farthest: clipped to that it moves with it, as gradients need.
    radii = jnp.where(high < 0, farthest * jnp.exp2(high), jnp.inf)
    main, low = radii[:, : -len(_LOW)], radii[:, -len(_LOW) :]
    # A ball that grows like a low power of the radius needs no panels where it is as good as empty.
    before = jnp.concatenate([main[:, :1], low[:, :-1]], axis=-1)
    return jnp.concatenate([main, jnp.where(low > 0.5 * before, low, jnp.inf)], axis=-1)
