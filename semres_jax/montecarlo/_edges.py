"""Counts of K on spaces with a statistic: in 32 bits, and in 64 what rounding might put on the other side of an edge.

An item is within epsilon of the probe where its statistic s is at most that of the edge, t. In 32 bits s is off by up
to `statistic_error`, e. With 32 bits alone a share P(t - e < s <= t + e) of the items, about 2 e times the density of s
at t, might be on the wrong side: 1e-6 to 1e-5. The standard error of N plain trials is about 1 / (2 sqrt(N)), and P is
a tenth of it at N = (20 P)^-2, between 2e7 and 3e9; that of a lattice falls to 1e-6 within some million trials.

So it is decided item by item, not by N. One of s <= t - e in 32 bits is within the ball, and one of s > t + e beyond
it, as certainly as in 64 bits. Where a row of trials has an item between, or one of which 32 bits know nothing (NaN),
the row is made once more in 64 bits, from the same words, with the points and distances that any other run has. Counts
are those of 64 bits, then: the bias is 0 whatever the standard error, and no ball measure is asked for it. That costs
P(between) times the items of a row times a row in 64 bits, some hundredths of the time; where e is large (a hyperbolic
disk of radius 20 and a large ball) as much as if there were no 32 bits.
"""

import functools

import jax
import jax.numpy as jnp

from semres_jax._types import Array
from semres_jax.montecarlo import tally
from semres_jax.montecarlo.uniforms import WordSource
from semres_jax.spaces.base import MetricSpace

# Up to so many numbers in 32 bits a trial, all its points are one program; beyond, that takes long to compile.
_UNROLLED_NUMBERS = 40
# Added to a K that rounding might change.
_DOUBTFUL = 128


def numbers_within(space: MetricSpace, n: int, epsilon: Array, words: WordSource) -> Array:
    """K of trials, bytes of the shape of their words: how many of the n items are within epsilon of the probe.

    Args:
        space: one that has a statistic.
        n: items, less than 128.
        epsilon: resolution, a float64 scalar.
        words: of probe and items.
    """
    unrolled = (n + 1) * space.uniforms <= _UNROLLED_NUMBERS

    codes = tally.statistics(space, words, n, jnp.float32, unrolled, functools.partial(by_statistic, space, epsilon))
    quick = functools.reduce(_together, list(codes))

    def exact() -> Array:
        statistics = tally.statistics(space, words, n, jnp.float64, unrolled=False)
        return jnp.sum(space.distance_at(statistics) <= epsilon, axis=0, dtype=jnp.uint8)

    return jax.lax.cond(jnp.any(quick >= _DOUBTFUL), exact, lambda: quick)


def by_statistic(space: MetricSpace, epsilon: Array, x: list[Array], y: list[Array]) -> Array:
    """Whether points by their variates in float32 are within epsilon, as bytes: 128 where rounding might change it."""
    s, edge = space.statistic(x, y), space.statistic_at(epsilon).astype(jnp.float32)
    error = space.statistic_error(edge, x, y)
    inside = s <= edge - error
    known = inside | (s > edge + error)  # where s is NaN, neither
    return jnp.where(known, inside.astype(jnp.uint8), jnp.uint8(_DOUBTFUL))


def _together(a: Array, b: Array) -> Array:
    """K of some items and K of others, in doubt where either is."""
    return ((a & (_DOUBTFUL - 1)) + (b & (_DOUBTFUL - 1))) | ((a | b) & _DOUBTFUL)
