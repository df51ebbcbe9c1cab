"""What the integrals over distances know of a member before they begin: its strengths, its probes, where they begin."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from semres_jax._types import Array
from semres_jax.laws._mapped import any_of_all
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
# Kinks of a similarity at which panels of probes are split where b_p hangs on more than one uniform; and where a Gauss
# rule does in these.
_MOST_SPLITS, _MOST_GAUSS_SPLITS = 4, 12
# Nats by which what a smooth similarity has above its floor has fallen where it has as good as ended; how many floors,
# at most, what is above the floor has where that takes over; and how far these are looked for in an unbounded space.
_ENDED, _SETTLED, _FAR = 4.0, 8.0, 64.0


class Rule(NamedTuple):
    """What decides the size of the program."""

    nodes: int  # in a panel of distances
    nats: float  # width of a panel in ln(1/g), at most
    step: float  # of ln s
    probe_step: float  # of the double exponential rule for probes
    probe_nodes: int  # in a panel of probes where a Gauss rule does
    depth: int = _DEPTH


FINE = Rule(nodes=16, nats=2.5, step=0.28, probe_step=0.14, probe_nodes=24)
COARSE = Rule(nodes=12, nats=2.5, step=0.4, probe_step=0.2, probe_nodes=16)


class Setting(NamedTuple):
    """Where the panels of members are, whatever the probe; each an array of the members' shape, and fixed."""

    share: Array  # of the nats of a panel of distances that counts, as the exponent or a depth need
    depth: Array  # ln(1/g^a) at the farthest distance, or as good as where g reaches 0
    deep: Array  # whether ln(1/g) falls deeper than panels resolve
    end: Array  # the distance from which on g is 0; infinity where there is none
    last: Array  # the distance at which panels begin: that one, or where g is too deep; else infinity
    cut: Array  # distance from which on `_deep` counts p_S; infinity where there is no such
    floor: Array  # ln g at the farthest distance: of g itself where the exponent is below 1 ...
    root: Array  # ... and 1 / the exponent then


def powered(similarity: Similarity, exponent: Array) -> Callable[[Array], Array]:
    """ln g^a of distances."""

    def log_g(r: Array) -> Array:
        some, log = exponent > 0, similarity.log(r)  # 0^0 = 1
        alive = log > -jnp.inf
        power = jnp.where(some, exponent, 1.0) * jnp.where(alive, log, 0.0)
        return jnp.where(some, jnp.where(alive, power, -jnp.inf), 0.0)

    return log_g


def setting(log_g: Callable[[Array], Array], exponent: Array, farthest: Array, rule: Rule) -> Setting:
    """Of members whose ln g^a of distances of their shape is `log_g`, as is `farthest`, the last distance there is."""
    farthest = jax.lax.stop_gradient(farthest)
    floor = log_g(farthest)
    ends = floor == -jnp.inf
    low = jnp.minimum(exponent, 1.0)

    def bisected_depths() -> tuple[Array, Array, Array, Array]:
        levels = jnp.asarray([math.inf, rule.depth - _OVERLAP, rule.depth], farthest.dtype)
        levels = levels.reshape(-1, *(1,) * farthest.ndim)

        def beyond(r: Array) -> Array:
            return (-log_g(r) > levels) | (log_g(r) == -jnp.inf)

        high = jnp.broadcast_to(farthest[None], (3, *farthest.shape))
        last, cut, deepest = bisected(beyond, jnp.zeros_like(high), high, 60)
        alive = -jnp.expm1(jnp.asarray(-_LEAST, farthest.dtype))
        depth = -log_g(jnp.where(ends, last * alive, farthest))
        deep = depth > rule.depth
        end = jnp.where(ends, last, jnp.inf)
        return depth, end, jnp.where(deep, deepest, end), jnp.where(deep, cut, jnp.inf)

    def shallow() -> tuple[Array, Array, Array, Array]:
        never = jnp.full_like(farthest, jnp.inf)
        return -floor, never, never, never

    depth, end, last, cut = jax.lax.cond(any_of_all(-floor > rule.depth), bisected_depths, shallow)
    # A power of the distance from where g reaches 0 is smooth over so many nats of that distance, however low it is;
    # where a floor ends that, over so many nats of g itself.
    share = jnp.where(
        ends, jnp.clip(depth / _LEAST, 1e-6, 1.0), jnp.clip(depth / rule.depth, jnp.maximum(low, 1e-6), 1.0)
    )
    root = jnp.broadcast_to(1.0 / jnp.where(exponent > 0, low, 1.0), floor.shape)
    settings = Setting(share, depth, depth > rule.depth, end, last, cut, floor * root, root)
    return jax.tree.map(jax.lax.stop_gradient, settings)


def setting_probes(space: MetricSpace, similarity: Similarity, rule: Rule) -> int:
    """How many probes `probes_of` takes."""
    return probe_count(space, len(splits(space, similarity)) or 2, rule.probe_step, rule.probe_nodes)


def probes_of(space: MetricSpace, similarity: Similarity, exponent: Array, rule: Rule) -> tuple[Array, Array]:
    """The probes of a single similarity that are averaged over: (q, probe_uniforms) uniforms, (q,) weights."""
    radii = splits(space, similarity) or _reaches(space, powered(similarity, exponent), exponent)
    return probe_nodes(space, radii, exponent.dtype, rule.probe_step, rule.probe_nodes)


def splits(space: MetricSpace, similarity: Similarity) -> tuple[Any, ...]:
    """Kinks of g at which panels of probes are split."""
    kinks = tuple(similarity.kinks())
    most = _MOST_GAUSS_SPLITS if roots_only(space) else _MOST_SPLITS
    return kinks if space.probe_uniforms < 2 or len(kinks) <= most else ()


def _reaches(space: MetricSpace, log_g: Callable[[Array], Array], exponent: Array) -> tuple[Array, ...]:
    """Distances at which a smooth similarity has as good as ended, and at which its floor takes over.

    Probes closer than that to an edge see it, others don't: panels of probes are split there, too.
    """
    dtype, diameter = exponent.dtype, space.diameter
    farthest = jnp.asarray(diameter if isinstance(diameter, jax.Array) or math.isfinite(diameter) else _FAR, dtype)
    floor = jnp.maximum(jax.lax.stop_gradient(log_g(farthest)), -_DEEPEST)
    # in floors
    settled = jnp.clip(jax.lax.stop_gradient(exponent), 0.1, _SETTLED)
    level = jnp.stack([jnp.expm1(-floor) * math.exp(-_ENDED), settled])
    low, high = jnp.full(2, -60.0, dtype), jnp.zeros(2, dtype)
    ends = bisected(lambda e: jnp.expm1(log_g(farthest * jnp.exp2(e)) - floor) < level, low, high, 20)
    return tuple(farthest * jnp.exp2(ends))
