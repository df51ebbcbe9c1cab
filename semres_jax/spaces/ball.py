"""The solid ball: features in a box without corners."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from semres_jax._types import Array, ArrayLike
from semres_jax.spaces import _variates
from semres_jax.spaces._integrals import cap
from semres_jax.spaces._normal import normal
from semres_jax.spaces.base import Euclidean, coordinates, safe_norm, space, together


@space
class Ball(Euclidean):
    """The ball of radius 1 in R^dim with Euclidean distance (at most 2) and the uniform measure.

    Heterogeneous: with ρ = |p|, b_p(r) is r^dim while r <= 1 - ρ, then the lens of two balls,
    b = F(α) + r^dim F(β), where F is the share of a ball in a polar cap and α, β are the angles at 0 and p of the
    triangle with sides 1, ρ, r. Points are vectors of shape (dim,).

    Args:
        dim: dimension, >= 1 (2 is the disk).

    Raises:
        ValueError: dim not a whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> float(spaces.Ball(3).ball_measure(np.array([0.0, 0.0, 0.25]), 0.5))
        0.125
    """

    name: ClassVar[str] = "ball"
    diameter: ClassVar[Any] = 2.0
    probe_uniforms: ClassVar[Any] = 1
    has_ball_measure: ClassVar[bool] = True

    @property
    def uniforms(self) -> int:
        return self.dim if self.dim <= 2 else self.dim + 1

    def point(self, u: ArrayLike) -> Array:
        u = coordinates(self, u)
        if self.dim == 1:
            return 2.0 * u - 1.0
        if self.dim == 2:
            radius, turn = jnp.sqrt(u[..., 0]), 2.0 * math.pi * u[..., 1]
            return jnp.stack([radius * jnp.cos(turn), radius * jnp.sin(turn)], axis=-1)
        g = normal(u[..., :-1])
        radius = u[..., -1:] ** (1.0 / self.dim)
        return g * (radius * jax.lax.rsqrt(jnp.sum(g * g, axis=-1, keepdims=True)))

    def variates(self, words: list[Array], dtype: Any) -> list[Array]:
        if self.dim == 1:
            side = 1.0 - 2.0 * _variates.fold(words[0], dtype)
            return [jnp.where(_variates.upper(words[0]), side, -side)]
        if self.dim == 2:
            radius = jnp.sqrt(_variates.unit(words[0], dtype))
            return [radius * x for x in _variates.turn(words[1], dtype)]
        g, inverse = _variates.direction(words[:-1], dtype)
        scale = _variates.root(words[-1], self.dim, dtype) * inverse
        return [*(scale * x for x in g), inverse]

    def _blur(self, x: list[Array]) -> Any:
        if self.dim <= 2:
            return 2.0 * (_variates.TURN_ERROR + _variates.ROOT_ERROR)
        return _variates.direction_error(x[-1], self.dim) + _variates.ROOT_ERROR

    @property
    def smooth_balls(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dim % 2 == 1

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        rho, r = together(safe_norm(jnp.asarray(p)), r)
        lens = (r > 1.0 - rho) & (r < 1.0 + rho)
        # An equilateral triangle stands in where there is none, so that no angle or gradient is NaN.
        side, rho = jnp.where(lens, r, 1.0), jnp.where(lens, rho, 1.0)
        at_centre, at_p = triangle_angles(side, jnp.ones_like(side), rho, lambda x: x)
        b = cap(self.dim, at_centre) + side**self.dim * cap(self.dim, at_p)
        inside = jnp.clip(r, 0.0, 1.0) ** self.dim
        return jnp.where(lens, jnp.minimum(b, 1.0), inside)

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        rho = safe_norm(jnp.asarray(p))
        return 1.0 - rho, 1.0 + rho

    def probe(self, v: Array) -> Array:
        return on_first_axis(v[..., 0] ** (1.0 / self.dim), self.dim)

    def probe_kinks(self, r: ArrayLike) -> tuple[tuple[Any, ...], ...]:
        return ((jnp.abs(1.0 - jnp.asarray(r)) ** self.dim,),)


def on_first_axis(radius: Array, dim: int) -> Array:
    """The points (radius, 0, ..., 0) of R^dim."""
    return jnp.pad(radius[..., None], [(0, 0)] * radius.ndim + [(0, dim - 1)])


def triangle_halves(a: Array, b: Array, c: Array) -> tuple[Array, Array, Array, Array]:
    """s - a, s - b, s - c and s, half the perimeter of a triangle: each to one rounding, also where it is flat."""
    half = (a + b + c) / 2.0
    tiny = float(jnp.finfo(half.dtype).tiny)
    # Sums before halves.
    not_a, not_b, not_c = (jnp.maximum(x / 2.0, tiny) for x in (b + (c - a), a + (c - b), (a - c) + b))
    return not_a, not_b, not_c, half


def triangle_angles(a: Array, b: Array, c: Array, f: Any) -> tuple[Array, Array]:
    """The angles opposite sides a and b, by the half-angle formula: tan²(A/2) = f(s-b) f(s-c) / (f(s) f(s-a)).

    s is half the perimeter; f is the identity in the plane and sinh on the hyperbolic plane.
    """
    not_a, not_b, not_c, whole = (jnp.sqrt(f(x)) for x in triangle_halves(a, b, c))
    return 2.0 * jnp.arctan2(not_b * not_c, whole * not_a), 2.0 * jnp.arctan2(not_a * not_c, whole * not_b)
