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
from semres_jax.spaces.base import MetricSpace, real
from semres_jax.spaces.product import Product

# Integrals over more uniforms than this are a matter for Monte Carlo.
MOST_UNIFORMS = 2
# Probes whose integrals are done at once.
_AT_ONCE = 512


def applies(space: MetricSpace) -> bool:
    """Whether a quadrature can average over the probes of `space`; it has a ball measure to be averaged."""
    return space.has_ball_measure and sum(isinstance(rule, bool) for rule in _probe_axes(space)) <= MOST_UNIFORMS


def _probe_axes(space: MetricSpace) -> list[Any]:
    """For each of the `probe_uniforms`: its space's `probe_smooth`; nodes, weights where it picks from a table."""
    if isinstance(space, Product):
        return [axis for factor in space.factors for axis in _probe_axes(factor)]
    if space.size is None:
        return [space.probe_smooth] * space.probe_uniforms
    weights = np.full(space.size, 1.0 / space.size) if space.weights is None else space.weights
    return [(jnp.cumsum(jnp.asarray(weights)) - jnp.asarray(weights) / 2.0, weights)]


def roots_only(space: MetricSpace) -> bool:
    """Whether `probe_nodes` takes the shorter, Gauss rule for all uniforms where it is told one."""
    return all(rule is not False for rule in _probe_axes(space))


def probe_nodes(
    space: MetricSpace, radii: Sequence[Array], dtype: Any, step: float, smooth: int = 0
) -> tuple[Array, Array]:
    """(q, probe_uniforms) uniforms of probes, and their (q,) weights.

    Panels are split at the kinks of the ball at `radii`, scalars. `step` is that of the double exponential rule,
    `smooth` the nodes of the Gauss rule in its stead, where all singularities are square roots; 0: nowhere.
    """
    if space.probe_uniforms == 0:
        return jnp.zeros((1, 0), dtype), jnp.ones(1, dtype)
    kinks: Any = zip(*(space.probe_kinks(r) for r in radii), strict=True) if radii else [()] * space.probe_uniforms
    axes: list[Any] = [
        _panels.composite([kink for of_radius in own for kink in of_radius], dtype, _panel_rule(rule, step, smooth))
        if isinstance(rule, bool)
        else tuple(jnp.asarray(x, dtype) for x in rule)
        for rule, own in zip(_probe_axes(space), kinks, strict=True)
    ]
    v = jnp.stack([x.ravel() for x in jnp.meshgrid(*(v for v, _ in axes), indexing="ij")], axis=-1)
    return v, functools.reduce(lambda a, b: (a[:, None] * b[None, :]).ravel(), (w for _, w in axes))


def probe_count(space: MetricSpace, radii: int, step: float, smooth: int = 0) -> int:
    """How many probes an average split for so many radii takes."""
    kinks = jax.eval_shape(lambda r: space.probe_kinks(real(r)), jax.ShapeDtypeStruct((), np.float32))
    rules = zip(_probe_axes(space), kinks, strict=True)
    return math.prod(
        (radii * len(own) + 1) * len(_panel_rule(rule, step, smooth)[0]) if isinstance(rule, bool) else len(rule[1])
        for rule, own in rules
    )


def _panel_rule(has_roots_only: bool, step: float, smooth: int) -> tuple[np.ndarray, np.ndarray]:
    if has_roots_only and smooth:
        return _panels.root_rule(smooth)
    return _panels.double_exponential_rule(step)


def in_parts(f: Any, v: Array, weights: Array) -> Any:
    """The average over probes, as `probe_nodes` gives them, of f: (q, uniforms) -> a pytree of (q, ...).

    A bounded number of them at a time.
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
    averages = jax.lax.map(lambda x: part(*x), (v.reshape(parts, -1, v.shape[1]), weights.reshape(parts, -1)))
    return jax.tree.map(lambda p: jnp.sum(p, axis=0), averages)
