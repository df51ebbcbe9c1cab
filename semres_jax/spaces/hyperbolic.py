"""A disk of the hyperbolic plane: room grows exponentially with radius, as in hierarchies."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp

from semres_jax._checks import concrete, number_leaf, require
from semres_jax._types import Array, ArrayLike
from semres_jax.spaces import _variates
from semres_jax.spaces.ball import on_first_axis, triangle_angles, triangle_halves
from semres_jax.spaces.base import MetricSpace, coordinates, real, safe_norm, space, together


@space
class Hyperbolic(MetricSpace):
    """The disk of hyperbolic radius R (2 by default) in the plane of curvature -1, uniform in hyperbolic area.

    A point at distance t from the centre is the vector of length sinh(t/2) in its direction, shape (2,): in this
    equal-area chart the measure is uniform on a flat disk. Intrinsic distance: with c = (1 + |x|²)^(1/2) = cosh(t/2),
    sinh(d/2) = |c_y x - c_x y|, computed without cancellation; at most 2 R.

    Heterogeneous: b_p(r) = sinh²(r/2) / sinh²(R/2) inside, then the lens of two disks, whose area is
    2 (α cosh R + β cosh r + γ - π) with α, β, γ the angles of the triangle with sides r, R, t opposite to them.

    Args:
        radius: R, hyperbolic length, from 1e-50 (a flat disk) to 200 (beyond, areas leave float64). Below 20 in
            float32, whose digits it uses up exponentially.

    Raises:
        ValueError: radius outside that range.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> disk = spaces.Hyperbolic()
        >>> round(float(disk.ball_measure(np.zeros(2), 1.0)), 4)  # sinh²(1/2) / sinh²(1)
        0.1966
    """

    radius: Any = 2.0
    name: ClassVar[str] = "hyperbolic"
    uniforms: ClassVar[Any] = 2
    probe_uniforms: ClassVar[Any] = 1
    has_ball_measure: ClassVar[bool] = True
    has_statistic: ClassVar[bool] = True
    curvature_radius: ClassVar[Any] = 1.0

    def __post_init__(self):
        object.__setattr__(self, "radius", number_leaf(self.radius, "radius"))
        require("radius", self.radius, 1e-50, 200.0, "a hyperbolic length from 1e-50 to 200")

    @property
    def label(self) -> str:
        radius = concrete(self.radius)
        return self.name if radius is None or radius.ndim or radius == 2.0 else f"{self.name}({float(radius):g})"

    @property
    def diameter(self) -> Any:
        return 2.0 * self.radius

    def _edge(self, dtype: Any) -> Array:
        """sinh(R/2), the radius of the flat disk, in the precision of what is computed."""
        return jnp.sinh(jnp.asarray(self.radius, dtype) / 2.0)

    def point(self, u: ArrayLike) -> Array:
        u = coordinates(self, u)
        radius, turn = jnp.sqrt(u[..., 0]) * self._edge(u.dtype), 2.0 * math.pi * u[..., 1]
        return jnp.stack([radius * jnp.cos(turn), radius * jnp.sin(turn)], axis=-1)

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        c_x = jnp.sqrt(1.0 + jnp.sum(x * x, axis=-1, keepdims=True))
        c_y = jnp.sqrt(1.0 + jnp.sum(y * y, axis=-1, keepdims=True))
        gap, middle, c = x - y, (x + y) / 2.0, (c_x + c_y) / 2.0
        # c_y x - c_x y with the difference x - y drawn out of it: near points keep their digits, and exchanging the two
        # changes no bit.
        along = jnp.sum(gap * middle, axis=-1, keepdims=True) / c
        return 2.0 * jnp.arcsinh(safe_norm(c * gap - middle * along))

    def variates(self, words: list[Array], dtype: Any) -> list[Array]:
        """The two coordinates, and cosh(t/2)."""
        radius = jnp.sqrt(_variates.unit(words[0], dtype)) * self._edge(real(self.radius).dtype).astype(dtype)
        return [*(radius * x for x in _variates.turn(words[1], dtype)), jnp.sqrt(1.0 + radius * radius)]

    def statistic(self, x: list[Array], y: list[Array]) -> Array:
        """sinh²(d/2)."""
        return _variates.squared_length([y[2] * a - x[2] * b for a, b in zip(x[:2], y[:2], strict=True)])

    def statistic_at(self, d: ArrayLike) -> Array:
        return jnp.square(jnp.sinh(jnp.clip(real(d), 0.0, 1.001 * self.diameter) / 2.0))

    def distance_at(self, s: ArrayLike) -> Array:
        return 2.0 * jnp.arcsinh(jnp.sqrt(real(s)))

    def statistic_error(self, s: Array, x: list[Array], y: list[Array]) -> Array:
        # A point is off by `error` of its own length in the chart, where lengths are at least 1 / 2 cosh(t/2) of those
        # of the plane: by `error` sinh R at most there. So much is d off twice, and sinh²(d/2) by sinh(d)/2 of it. The
        # differences are rounded to about as much. A tiny disk is all underflow in 32 bits.
        error = _variates.TURN_ERROR + 2.0 * _variates.ROOT_ERROR
        root, wide = jnp.sqrt(s), jnp.sinh(jnp.asarray(self.radius, s.dtype))
        off = 2.0 * error * wide * jnp.sqrt(1.0 + s)
        return 2.0 * root * off + jnp.square(off) + 8.0 * _variates.ROUNDING * s + _variates.UNDERFLOW

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        t, r = together(2.0 * jnp.arcsinh(safe_norm(jnp.asarray(p))), r)
        disk = jnp.broadcast_to(jnp.asarray(self.radius, r.dtype), r.shape)
        lens = (r > disk - t) & (r < disk + t)
        side, t = jnp.where(lens, r, disk), jnp.where(lens, t, disk)
        # 2 (α cosh R + β cosh r + γ - π), the flat part of each term taken out: what the angles lack of π is the area
        # of the triangle, by L'Huilier's formula to all its digits.
        product: Any = math.prod(jnp.tanh(x / 2.0) for x in triangle_halves(side, disk, t))
        flat = product <= 0.0  # a triangle that closes, where rounding may say so and a root has no slope
        lacks = 4.0 * jnp.where(flat, 0.0, jnp.arctan(jnp.sqrt(jnp.where(flat, 1.0, product))))
        opposite_r, opposite_edge = triangle_angles(side, disk, t, jnp.sinh)
        beyond = jnp.square(jnp.sinh(side / 2.0) / jnp.sinh(disk / 2.0))
        lacking = lacks / jnp.square(jnp.sinh(disk / 2.0))
        b = (opposite_r + opposite_edge * beyond - lacking / 2.0) / math.pi
        inside = jnp.square(jnp.sinh(jnp.clip(r, 0.0, disk) / 2.0) / jnp.sinh(disk / 2.0))
        return jnp.where(lens, jnp.clip(b, 0.0, 1.0), inside)

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        t = 2.0 * jnp.arcsinh(safe_norm(jnp.asarray(p)))
        return self.radius - t, self.radius + t

    def probe(self, v: Array) -> Array:
        return on_first_axis(jnp.sqrt(v[..., 0]) * self._edge(v.dtype), 2)

    def probe_kinks(self, r: ArrayLike) -> tuple[tuple[Any, ...], ...]:
        r = real(r)
        edge = self._edge(r.dtype)
        return ((jnp.square(jnp.sinh((jnp.asarray(self.radius, r.dtype) - r) / 2.0) / edge),),)
