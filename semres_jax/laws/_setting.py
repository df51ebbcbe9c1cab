"""What the integrals over distances know of a member before they begin: its strengths, its probes, where to split."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws._probes import probe_count, probe_nodes, roots_only
from semres_jax.laws.reciprocal import bisected
from semres_jax.similarity import Similarity
from semres_jax.spaces.base import MetricSpace

# Where a similarity falls to 0 itself, what is closer than e^-_LEAST of the way to there is as good as no mass.
_LEAST = 27.0
# How deep ln(1/g) is resolved by panels, in nats; `_deep` goes on from _OVERLAP nats before: where e^-_OVERLAP is
# nothing, strengths further down don't matter.
_DEPTH, _OVERLAP = 1024, 40
# e^-NOTHING is nothing.
NOTHING = 30.0
# Nats that exponentials of float64 hold.
_DEEPEST = 700.0
# What g has above a floor is resolved from e^4 down to e^-17 floors, by panels of this width in its logarithm.
_ABOVE_FLOOR, _FLOOR_NATS, _FLOOR_LEVELS = 4.0, 3.0, 8
# Kinks of a similarity at which panels of probes are split where b_p hangs on more than one uniform; and where a Gauss
# rule does in these.
_MOST_SPLITS, _MOST_GAUSS_SPLITS = 4, 12
# Nats by which what a smooth similarity has above its floor has fallen where it has as good as ended; how many floors,
# at most, what is above the floor has where that takes over; and how far these are looked for in an unbounded space.
_ENDED, _SETTLED, _FAR = 4.0, 8.0, 64.0
# How much wider than the distance to a kink of the ball a panel may be that ends close to it, and how many ends are put
# between where it is wider.
_WIDENS, _GRADES = 64.0, 3
# Masses between which panels of distances are split: down to nothing, where the ball grows steeply, and out to a tail.
_LOW = 10.0 ** -np.array([2, 3, 4, 6, 8, 11, 14, 17])
_HIGH = np.concatenate([[0.5, 0.75], 1.0 - 0.1 ** np.arange(1, 7)])


class Rule(NamedTuple):
    """What decides the size of the program."""

    nodes: int  # in a panel of distances
    nats: float  # width of a panel in ln(1/g), at most
    step: float  # of ln s
    probe_step: float  # of the double exponential rule for probes
    probe_nodes: int  # in a panel of probes where a Gauss rule does
    depth: int = _DEPTH


FINE = Rule(nodes=16, nats=2.0, step=0.3, probe_step=0.14, probe_nodes=32)
COARSE = Rule(nodes=12, nats=2.0, step=0.4, probe_step=0.2, probe_nodes=22)


class Setting(NamedTuple):
    """A similarity, raised to the Luce exponent, around the probes of a space."""

    log_g: Callable[[Array], Array]  # ln g^a of distances
    probes: Array  # (q, probe_uniforms) uniforms: the nodes of the average over probes ...
    weights: Array  # ... and theirs, (q,)
    kinks: Array  # (k,) distances at which g or its slope jumps
    levels: Array  # (radii,) at which panels end whatever the probe
    deep: Array  # whether ln(1/g) falls deeper than panels resolve
    cut: Array  # distance from which on `_deep` counts p_S; infinity where there is no such


def setting_probes(space: MetricSpace, similarity: Similarity, rule: Rule) -> int:
    """How many probes `setting` takes."""
    return probe_count(space, len(splits(space, similarity)) or 2, rule.probe_step, rule.probe_nodes)


def splits(space: MetricSpace, similarity: Similarity) -> tuple[Any, ...]:
    """Kinks of g at which panels of probes are split."""
    kinks = tuple(similarity.kinks())
    most = _MOST_GAUSS_SPLITS if roots_only(space) else _MOST_SPLITS
    return kinks if space.probe_uniforms < 2 or len(kinks) <= most else ()


def setting(space: MetricSpace, similarity: Similarity, exponent: Array, rule: Rule) -> Setting:
    """Of a single similarity. The radii of `levels` and `cut` don't move with its numbers; the kinks do."""
    dtype = exponent.dtype

    def log_g(r: Array) -> Array:
        some, log = exponent > 0, similarity.log(r)  # 0^0 = 1
        alive = log > -jnp.inf
        power = jnp.where(some, exponent, 1.0) * jnp.where(alive, log, 0.0)
        return jnp.where(some, jnp.where(alive, power, -jnp.inf), 0.0)

    radii = splits(space, similarity) or _reaches(space, log_g, exponent, dtype)
    probes, weights = probe_nodes(space, radii, dtype, rule.probe_step, rule.probe_nodes)
    own = jnp.stack(space.radius_kinks(space.probe(probes)), axis=-1)
    farthest = jax.lax.stop_gradient(jnp.max(own)).astype(dtype)
    # The depth at the farthest distance, or as good as where g reaches 0.
    alive = -jnp.expm1(jnp.asarray(-_LEAST, dtype))
    last = bisected(lambda r: log_g(r) == -jnp.inf, jnp.zeros(1, dtype), farthest[None], 60)[0] * alive
    ends = log_g(farthest) == -jnp.inf
    depth = jax.lax.stop_gradient(-log_g(jnp.where(ends, last, farthest)))
    deep = depth > rule.depth
    # A power of the distance from where g reaches 0 is smooth over so many nats of that distance, however low it is;
    # where a floor ends that, over so many nats of g itself.
    low = jnp.minimum(exponent, 1.0)
    share = jnp.where(
        ends, jnp.clip(depth / _LEAST, 1e-6, 1.0), jnp.clip(depth / rule.depth, jnp.maximum(low, 1e-6), 1.0)
    )
    level = share * rule.nats * jnp.arange(1, math.ceil(rule.depth / rule.nats), dtype=dtype)
    radii = bisected(lambda r: -log_g(r) > level, jnp.zeros_like(level), jnp.full_like(level, farthest), 40)
    cut = jnp.where(deep, radii[round((rule.depth - _OVERLAP) / rule.nats) - 1], jnp.inf)
    levels = jnp.concatenate([jnp.where(level > depth, jnp.inf, radii), _settling_radii(log_g, low, farthest)])
    kinks = jnp.stack([jnp.zeros((), dtype), *(jnp.asarray(kink, dtype) for kink in similarity.kinks())])
    return Setting(log_g, probes, weights, kinks, *(jax.lax.stop_gradient(x) for x in (levels, deep, cut)))


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


def _reaches(space: MetricSpace, log_g: Callable[[Array], Array], exponent: Array, dtype: Any) -> tuple[Array, ...]:
    """Distances at which a smooth similarity has as good as ended, and at which its floor takes over.

    Probes closer than that to an edge see it, others don't: panels of probes are split there, too.
    """
    diameter = space.diameter
    farthest = jnp.asarray(diameter if isinstance(diameter, jax.Array) or math.isfinite(diameter) else _FAR, dtype)
    floor = jnp.maximum(jax.lax.stop_gradient(log_g(farthest)), -_DEEPEST)
    # in floors
    settled = jnp.clip(jax.lax.stop_gradient(exponent), 0.1, _SETTLED)
    level = jnp.stack([jnp.expm1(-floor) * math.exp(-_ENDED), settled])
    low, high = jnp.full(2, -60.0, dtype), jnp.zeros(2, dtype)
    ends = bisected(lambda e: jnp.expm1(log_g(farthest * jnp.exp2(e)) - floor) < level, low, high, 20)
    return tuple(farthest * jnp.exp2(ends))


def _settling_radii(log_g: Callable[[Array], Array], exponent: Array, farthest: Array) -> Array:
    """Radii between which g comes close to a floor; infinity where there is none.

    Where a floor takes over ln g hardly changes any more, but what g is above the floor falls on. A panel from there to
    the farthest would see all of that fall in its first few nodes, if at all. With a Luce exponent below 1 it is g
    itself that is looked at: its power hides how far it has to fall.
    """
    power = jax.lax.stop_gradient(jnp.where(exponent > 0, exponent, 1.0))
    floor = jax.lax.stop_gradient(log_g(farthest)) / power
    some = floor > -jnp.inf
    floor = jnp.where(some, floor, 0.0)
    levels = jnp.exp(_ABOVE_FLOOR - _FLOOR_NATS * jnp.arange(_FLOOR_LEVELS, dtype=floor.dtype))
    above = -jnp.expm1(floor) * levels  # in floors
    low, high = jnp.zeros_like(above), jnp.full_like(above, farthest)
    # Compared in logarithms: p_S compares items of nearly no strength, too.
    settling = bisected(lambda r: log_g(r) / power - floor < jnp.log1p(above), low, high, 40)
    return jnp.where(some, settling, jnp.inf)


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
