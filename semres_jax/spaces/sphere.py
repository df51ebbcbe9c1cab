"""Spheres of any dimension: directions, unit-length embeddings."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array, ArrayLike
from semres_jax.spaces import _variates
from semres_jax.spaces._integrals import cap
from semres_jax.spaces._normal import normal
from semres_jax.spaces.base import Dimensional, coordinates, real, safe_norm, space, spread


@space
class Sphere(Dimensional):
    """The sphere S^dim of radius 1 in R^(dim+1), geodesic distance (an angle, 0 to π) and the uniform measure.

    Homogeneous: b(r) = ∫_0^r sin^(dim-1) / ∫_0^π sin^(dim-1), a regularised incomplete beta function. d(x, y) is
    2 atan2(|x - y|, |x + y|) (Kahan), precise for near and for opposite points alike. Points are unit vectors of shape
    (dim + 1,).

    Args:
        dim: dimension of the surface, >= 1 (1 is a circle of circumference 2π).

    Raises:
        ValueError: dim not a whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> round(float(spaces.Sphere(2).ball_measure(np.array([0.0, 0.0, 1.0]), np.pi / 3)), 6)
        0.25
    """

    name: ClassVar[str] = "sphere"
    homogeneous: ClassVar[bool] = True
    diameter: ClassVar[Any] = math.pi
    has_ball_measure: ClassVar[bool] = True
    smooth_balls: ClassVar[bool] = True
    has_statistic: ClassVar[bool] = True

    @property
    def uniforms(self) -> int:
        return self.dim if self.dim <= 2 else self.dim + 1

    def point(self, u: ArrayLike) -> Array:
        u = coordinates(self, u)
        if self.dim == 1:
            turn = 2.0 * math.pi * u[..., 0]
            return jnp.stack([jnp.cos(turn), jnp.sin(turn)], axis=-1)
        if self.dim == 2:  # Archimedes: height and longitude are uniform
            height, turn = u[..., 0], 2.0 * math.pi * u[..., 1]
            around = 2.0 * jnp.sqrt(height * (1.0 - height))
            return jnp.stack([around * jnp.cos(turn), around * jnp.sin(turn), 2.0 * height - 1.0], axis=-1)
        g = normal(u)
        return g * jax.lax.rsqrt(jnp.sum(g * g, axis=-1, keepdims=True))

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        return 2.0 * jnp.arctan2(safe_norm(x - y), safe_norm(x + y))

    def variates(self, words: list[Array], dtype: Any) -> list[Array]:
        if self.dim == 1:
            return list(_variates.turn(words[0], dtype))
        if self.dim == 2:
            least = _variates.fold(words[0], dtype)  # of the height, from the nearer pole
            around, height = 2.0 * jnp.sqrt(least * (1.0 - least)), 1.0 - 2.0 * least
            along = [around * x for x in _variates.turn(words[1], dtype)]
            return [*along, jnp.where(_variates.upper(words[0]), height, -height)]
        g, inverse = _variates.direction(words, dtype)
        return [*(inverse * x for x in g), inverse]

    def statistic(self, x: list[Array], y: list[Array]) -> Array:
        return _variates.squared_distance(x[: self.dim + 1], y[: self.dim + 1])

    def statistic_at(self, d: ArrayLike) -> Array:
        d = real(d)
        return jnp.where(d >= math.pi, 5.0, 4.0 * jnp.square(jnp.sin(jnp.clip(d, 0.0, math.pi) / 2.0)))

    def distance_at(self, s: ArrayLike) -> Array:
        return 2.0 * _variates.arcsine(jnp.sqrt(real(s)) / 2.0)

    def statistic_error(self, s: Array, x: list[Array], y: list[Array]) -> Array:
        if self.dim <= 2:
            error: Any = 4.0 * (_variates.TURN_ERROR + _variates.ROOT_ERROR)
        else:
            error = _variates.direction_error(x[-1], self.dim + 1) + _variates.direction_error(y[-1], self.dim + 1)
        return _variates.squared_error(s, error, self.dim + 1)

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        r = real(r)
        b = cap(self.dim - 1, jnp.clip(r, 0.0, math.pi))
        return spread(jnp.where(r >= math.pi, 1.0, b), np.shape(p)[:-1])

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        return (spread(jnp.asarray(math.pi, real(p).dtype), jnp.shape(p)[:-1]),)
