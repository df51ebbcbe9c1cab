"""Different points of a finite space, drawn one after the other with one uniform each.

A uniform is a place in the mass that earlier draws have left; the place in the whole mass follows by skipping the
earlier picks in increasing order. Nothing is sorted, rejected or drawn again.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from semres_jax._types import Array

# Unrolled, m draws are about m² elementwise operations in one loop over the batch, which XLA computes anew for each of
# the m results: past a few, a scan over arrays of picks is faster.
_UNROLLED = 4


def distinct_equal(size: int, u: list[Array]) -> list[Array]:
    """Indices in [0, size): draw j is uniform on the size - j that are left, as exactly as its uniform is."""

    def rank(u_j: Array, j: Any) -> Array:
        left = size - j
        return jnp.minimum((u_j * left).astype(jnp.int32), left - 1)

    if len(u) <= _UNROLLED:
        return _unrolled(u, lambda u_j, j, picks: _fold(lambda i, pick: i + (i >= pick), rank(u_j, j), picks))
    u = list(jnp.broadcast_arrays(*u))
    place = jnp.arange(len(u), dtype=jnp.int32).reshape(-1, *(1,) * u[0].ndim)

    def step(picks: Array, column: tuple[Array, Array]) -> tuple[Array, Array]:
        # The fold above at once: pick i (in increasing order) is skipped just if i picks and the rank lie below it.
        first = rank(*column)
        new = first + jnp.sum(picks - place <= first[None], axis=0, dtype=jnp.int32)
        shifted = jnp.concatenate([jnp.full_like(picks[:1], -1), picks[:-1]])
        return jnp.minimum(picks, jnp.maximum(shifted, new[None])), new

    return _scanned(step, u, 2 * size)  # no rank reaches `2 * size`


def distinct_weighted(edges: Array, u: list[Array]) -> list[Array]:
    """The same where point i has the mass from edges[i] to edges[i + 1], with edges from 0 to 1."""
    size = edges.shape[0] - 1
    # One more point, of no mass at infinity, stands for a pick that hasn't been made.
    start, end = jnp.append(edges[:-1], jnp.inf), jnp.append(edges[1:], jnp.inf)
    mass = jnp.append(edges[1:] - edges[:-1], 0.0)
    # The last point of positive mass up to each one.
    solid = jax.lax.cummax(jnp.where(mass[:-1] > 0, jnp.arange(size, dtype=jnp.int32), -1))

    def skip(t: Array, pick: Array) -> Array:
        # At least to its end: a rounded sum must not fall back into the interval it skips.
        beyond = jnp.maximum(t + jnp.take(mass, pick), jnp.take(end, pick))
        return jnp.where(t >= jnp.take(start, pick), beyond, t)

    def draw(u_j: Array, j: Any, picks: Any) -> Array:
        taken = _fold(lambda total, pick: total + jnp.take(mass, pick), jnp.zeros_like(u_j, mass.dtype), picks)
        place = _fold(skip, u_j * jnp.maximum(1.0 - taken, 0.0), picks)
        index = jnp.searchsorted(edges[1:], place, side="right").astype(jnp.int32)
        # Where rounding leads past the end: the last point of positive mass that is left.
        last = _fold(
            lambda i, pick: jnp.where(i == pick, jnp.take(solid, jnp.maximum(i - 1, 0)), i),
            jnp.full_like(index, 0) + solid[-1],
            picks,
            reverse=True,
        )
        return jnp.where(index < size, index, last)

    if len(u) <= _UNROLLED:
        return _unrolled(u, draw)

    def step(picks: Array, column: tuple[Array, Array]) -> tuple[Array, Array]:
        new = draw(*column, picks)
        return jax.lax.scan(lambda x, pick: (jnp.maximum(x, pick), jnp.minimum(x, pick)), new, picks)[1], new

    return _scanned(step, list(jnp.broadcast_arrays(*u)), size)  # `size` is beyond every index: no rank skips it


def _unrolled(u: list[Array], draw: Callable[[Array, Any, Any], Array]) -> list[Array]:
    """Calls draw(u_j, j, earlier picks in increasing order) for every j."""
    drawn, picks = [], []
    for j, u_j in enumerate(u):
        new = draw(u_j, j, picks)
        drawn.append(new)
        for k, pick in enumerate(picks):
            picks[k], new = jnp.minimum(pick, new), jnp.maximum(pick, new)
        picks.append(new)
    return drawn


def _scanned(step: Callable[..., tuple[Array, Array]], u: list[Array], unfilled: int) -> list[Array]:
    """The same in a scan, the picks an array, whose places that aren't filled yet hold `unfilled`."""
    empty = jnp.full((len(u), *u[0].shape), unfilled, jnp.int32)
    return list(jax.lax.scan(step, empty, (jnp.stack(u), jnp.arange(len(u), dtype=jnp.int32)))[1])


def _fold(f: Callable[[Any, Any], Any], start: Array, picks: Any, *, reverse: bool = False) -> Array:
    """f(... f(f(start, picks[0]), picks[1]) ...), over a list of arrays or over the first axis of one."""
    if isinstance(picks, list):
        for pick in reversed(picks) if reverse else picks:
            start = f(start, pick)
        return start
    return jax.lax.scan(lambda carry, pick: (f(carry, pick), None), start, picks, reverse=reverse)[0]
