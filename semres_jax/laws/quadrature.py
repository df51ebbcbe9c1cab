"""Averages over the probe by quadrature, on every space whose ball measure is known.

b_p(r) depends on the probe p through few uniforms only (`MetricSpace.probe`): one on a ball, a gaussian or a hyperbolic
disk, none where the space is homogeneous. The average over p ~ ν is an integral over these uniforms, smooth between
known kinks, with end-point singularities there (the edge of a lens, a gaussian tail). The double exponential rule in
each panel between kinks doesn't mind them.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import choice
from semres_jax._types import Accuracy, Array, ArrayLike
from semres_jax.laws import closed_form
from semres_jax.similarity import Constant
from semres_jax.spaces._base import MetricSpace, real

# The rule's points are t = -_LAST, ..., _LAST by _STEP; its ends are 1e-18 of a panel away from the panel's.
_STEP, _LAST = 0.1, 3.2
# Integrals over more uniforms than this are a matter for Monte Carlo.
MOST_UNIFORMS = 2
# Probes handled at once, over all members of a grid; bounds memory where a ball measure is itself a quadrature.
_PROBES = 2**13


def applies(space: MetricSpace) -> bool:
    """Whether `probe_average` can integrate over the probes of `space`, which has a ball measure to be averaged."""
    return space.has_ball_measure and space.probe_uniforms <= MOST_UNIFORMS and _smooth(space)


def _smooth(space: MetricSpace) -> bool:
    """Whether b_p is smooth in the probe between few kinks: not where a factor has a table of points."""
    factors = getattr(space, "factors", None)
    if factors is not None:
        return all(_smooth(factor) for factor in factors)
    return space.homogeneous or not space.discrete


def constant(space: MetricSpace, similarity: Constant, *, n: int = 2, exponent: ArrayLike = 1.0) -> Accuracy:
    """Accuracies of the constant similarity on a space with a ball measure, items drawn independently.

        p = <laws.constant(b_p(ε), n, Δ^a)>, averaged over the probes p ~ ν

    Source: theorems 1 to 3 of Nurisso et al., arXiv 2506.14797; exact up to the quadrature, whose error is below 1e-11
    in float64. Runs in the dtype of the similarity; can be jitted, vmapped, and differentiated in epsilon and delta.

    Args:
        space: heterogeneous in at most two uniforms (`probe_uniforms`), or homogeneous.
        similarity: of any shape.
        n: number of items, at least 2; static.
        exponent: a, the Luce exponent, at least 0.

    Returns:
        Accuracy of the similarity's shape.

    Raises:
        ValueError: no ball measure, or one that depends on the probe in too many ways; n below 2.

    Example:
        >>> from semres_jax import Constant, spaces
        >>> from semres_jax.laws import quadrature
        >>> [round(float(p), 4) for p in quadrature.constant(spaces.Interval(), Constant(0.5))]
        [0.6667, 0.625]
    """
    if not applies(space):
        why = "it has none" if not space.has_ball_measure else "it depends on the probe in too many ways"
        raise ValueError(f"no quadrature over the ball measure of {space.label}: {why}; use semres_jax.estimate")
    shape = similarity.shape
    dtype = jnp.result_type(similarity.epsilon, similarity.delta, 0.0)
    epsilon, delta = (
        jnp.broadcast_to(jnp.asarray(leaf, dtype), shape).ravel() for leaf in (similarity.epsilon, similarity.delta)
    )
    each = _constant(space, epsilon, choice.power(delta, exponent), n=n)
    return Accuracy(*(p.reshape(shape) for p in each))


@functools.partial(jax.jit, static_argnames="n")
def _constant(space: MetricSpace, epsilon: Array, floor: Array, *, n: int) -> Accuracy:
    """For (members,) resolutions and floors."""

    def member(e: Array, f: Array) -> Accuracy:
        return probe_average(space, lambda p: closed_form.constant(space.ball_measure(p, e), n=n, delta=f), (e,))

    if space.probe_uniforms == 0:
        return jax.vmap(member)(epsilon, floor)
    together = max(1, _PROBES // _count(space))
    return jax.lax.map(lambda pair: member(*pair), (epsilon, floor), batch_size=together)


def probe_average(space: MetricSpace, f: Callable[[Any], Any], radii: Sequence[Array] = ()) -> Any:
    """The average of f(p) over probes p ~ ν, where f depends on p through ball measures b_p(r) only.

    Args:
        space: at most `MOST_UNIFORMS` of `probe_uniforms`.
        f: maps a batch of probes of batch shape (q,) to a pytree of arrays of shape (q, ...).
        radii: scalars r; panels are split where v -> b_probe(v)(r) is not smooth.

    Returns:
        The pytree of averages, each of shape (...).

    Example:
        >>> import jax.numpy as jnp
        >>> from semres_jax import spaces
        >>> from semres_jax.laws.quadrature import probe_average
        >>> segment, r = spaces.Interval(), jnp.asarray(0.5)
        >>> round(float(probe_average(segment, lambda p: segment.ball_measure(p, r), (r,))), 5)  # r (2 - r)
        0.75
    """
    dtype = jnp.result_type(*radii) if radii else jnp.result_type(float)
    kinks = zip(*(space.probe_kinks(r) for r in radii), strict=True) if radii else [()] * space.probe_uniforms
    axes = [_panels([kink for own in axis for kink in own], dtype) for axis in kinks] if space.probe_uniforms else []
    v = jnp.stack([x.ravel() for x in jnp.meshgrid(*(v for v, _ in axes), indexing="ij")], axis=-1) if axes else None
    weights = functools.reduce(lambda a, b: (a[:, None] * b[None, :]).ravel(), (w for _, w in axes), jnp.ones(1, dtype))
    values = f(space.probe(jnp.zeros((1, 0), dtype) if v is None else v))
    return jax.tree.map(lambda value: jnp.tensordot(weights, value, axes=1), values)


def _panels(kinks: Sequence[Any], dtype: Any) -> tuple[Array, Array]:
    """Nodes and weights on [0, 1], split at the kinks inside it."""
    # Panels move with the kinks, gradients included, so that also second derivatives in the resolution are right.
    edges = jnp.sort(jnp.clip(jnp.stack([jnp.asarray(x, dtype) for x in (0.0, *kinks, 1.0)]), 0.0, 1.0))
    start, width = edges[:-1, None], jnp.diff(edges)[:, None]
    nodes, weights = (jnp.asarray(x[None], dtype) for x in _double_exponential())
    info = jnp.finfo(dtype)
    # Never 0 or 1 exactly, where quantiles have no finite slope.
    v = jnp.clip(start + width * nodes, float(info.tiny), 1.0 - float(info.eps) / 2)
    return v.ravel(), (width * weights).ravel()


@functools.cache
def _double_exponential() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]: the trapezoid rule in t, with x = 1 / (1 + exp(-π sinh t)) (Takahasi, Mori 1974)."""
    t = np.arange(-round(_LAST / _STEP), round(_LAST / _STEP) + 1) * _STEP
    x = 1.0 / (1.0 + np.exp(-np.pi * np.sinh(t)))
    slope = np.cosh(t) / (np.exp(np.pi * np.sinh(t)) + 2.0 + np.exp(-np.pi * np.sinh(t)))
    return x, slope / slope.sum()


def _count(space: MetricSpace) -> int:
    """How many probes an average with one radius takes."""
    kinks = jax.eval_shape(lambda r: space.probe_kinks(real(r)), jax.ShapeDtypeStruct((), np.float32))
    return math.prod((len(axis) + 1) * len(_double_exponential()[0]) for axis in kinks)
