"""Quadrature over probes: which spaces it is for, its nodes and weights."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws import _panels
from semres_jax.spaces._base import MetricSpace, real

# Integrals over more uniforms than this are a matter for Monte Carlo.
MOST_UNIFORMS = 2
# Probes whose integrals are done at once.
_AT_ONCE = 512


def applies(space: MetricSpace) -> bool:
    """Whether a quadrature can average over the probes of `space`; it has a ball measure to be averaged."""
    return space.has_ball_measure and sum(rule is None for rule in _probe_axes(space)) <= MOST_UNIFORMS


def _probe_axes(space: MetricSpace) -> list[tuple[Any, Any] | None]:
    """For each of the `probe_uniforms`: None where b_p is smooth in it; nodes, weights where it picks from a table."""
    factors = getattr(space, "factors", None)
    if factors is not None:
        return [axis for factor in factors for axis in _probe_axes(factor)]
    if space.size is None:
        return [None] * space.probe_uniforms
    weights: Any = getattr(space, "weights", None)
    weights = np.full(space.size, 1.0 / space.size) if weights is None else weights
    return [(jnp.cumsum(jnp.asarray(weights)) - jnp.asarray(weights) / 2.0, weights)]


def probe_nodes(space: MetricSpace, radii: Sequence[Array], dtype: Any, step: float) -> tuple[Array, Array]:
    """(q, probe_uniforms) uniforms of probes, and their (q,) weights."""
    if space.probe_uniforms == 0:
        return jnp.zeros((1, 0), dtype), jnp.ones(1, dtype)
    kinks: Any = zip(*(space.probe_kinks(r) for r in radii), strict=True) if radii else [()] * space.probe_uniforms
    axes: list[Any] = [
        tuple(jnp.asarray(x, dtype) for x in rule)
        if rule is not None
        else _panels.double_exponential([kink for each in own for kink in each], dtype, step)
        for rule, own in zip(_probe_axes(space), kinks, strict=True)
    ]
    v = jnp.stack([x.ravel() for x in jnp.meshgrid(*(v for v, _ in axes), indexing="ij")], axis=-1)
    return v, functools.reduce(lambda a, b: (a[:, None] * b[None, :]).ravel(), (w for _, w in axes))


def probe_count(space: MetricSpace, radii: int, step: float) -> int:
    """How many probes an average split for so many radii takes."""
    kinks = jax.eval_shape(lambda r: space.probe_kinks(real(r)), jax.ShapeDtypeStruct((), np.float32))
    each = len(_panels.double_exponential_rule(step)[0])
    rules = zip(_probe_axes(space), kinks, strict=True)
    return math.prod((radii * len(own) + 1) * each if rule is None else len(rule[1]) for rule, own in rules)


def in_parts(f: Any, v: Array, weights: Array) -> Any:
    """The average of f over probes, a bounded number of them at a time.

    Args:
        f: (q, uniforms) -> a pytree of (q, ...).
        v, weights: as `probe_nodes` gives them.
    """
    parts = -(-len(v) // _AT_ONCE)
    padding = parts * -(-len(v) // parts) - len(v)
    # Probes of no weight: the last one again.
    v = jnp.concatenate([v, jnp.broadcast_to(v[-1:], (padding, v.shape[1]))])
    weights = jnp.concatenate([weights, jnp.zeros(padding, weights.dtype)])

    def part(v: Array, weights: Array) -> Any:
        return jax.tree.map(lambda p: jnp.tensordot(weights, p, axes=1), f(v))

    if parts == 1:
        return part(v, weights)
    each = jax.lax.map(lambda x: part(*x), (v.reshape(parts, -1, v.shape[1]), weights.reshape(parts, -1)))
    return jax.tree.map(lambda p: jnp.sum(p, axis=0), each)
