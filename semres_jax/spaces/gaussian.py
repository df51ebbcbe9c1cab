"""The standard gaussian, the unbounded space of features without preferred values."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from semres_jax._types import Array, ArrayLike
from semres_jax.spaces import _variates
from semres_jax.spaces._integrals import chi_cdf, chi_quantile, legendre_rule
from semres_jax.spaces._normal import normal
from semres_jax.spaces.ball import on_first_axis
from semres_jax.spaces.base import Euclidean, coordinates, safe_norm, space, together

# Beyond this many standard deviations a float64 gaussian holds nothing (Φ(-8.5) = 1e-17).
_REACH = 8.5
_NODES = 80


@space
class Gaussian(Euclidean):
    """R^dim with Euclidean distance (unbounded) and the standard gaussian measure N(0, I).

    Heterogeneous: b_p(r) is the noncentral chi-square distribution function with dim degrees of freedom and
    noncentrality |p|², at r²; computed along the coordinate t through p as
    ∫ φ(t - |p|) P(χ_(dim-1) <= (r² - t²)^(1/2)) dt. Points are vectors of shape (dim,).

    Args:
        dim: dimension, >= 1.

    Raises:
        ValueError: dim not a whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> round(float(spaces.Gaussian(2).ball_measure(np.zeros(2), 1.0)), 5)  # 1 - exp(-1/2)
        0.39347
    """

    name: ClassVar[str] = "gaussian"
    diameter: ClassVar[Any] = math.inf
    probe_uniforms: ClassVar[Any] = 1
    has_ball_measure: ClassVar[bool] = True
    smooth_balls: ClassVar[bool] = True

    def point(self, u: ArrayLike) -> Array:
        return normal(coordinates(self, u))

    def variates(self, words: list[Array], dtype: Any) -> list[Array]:
        return _variates.normals(words, dtype)

    def _blur(self, x: list[Array]) -> Any:
        fixed, relative = _variates.NORMAL_ERROR
        return math.sqrt(self.dim) * (fixed + relative * _variates.FARTHEST)

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        rho, r = together(safe_norm(jnp.asarray(p)), r)
        # The ball of this radius around p holds all but 1e-16: larger ones, infinity included, are 1.
        everything = rho + math.sqrt(self.dim) + _REACH
        part = jnp.clip(r, 0.0, everything)
        if self.dim == 1:
            b = ndtr(part - rho) - ndtr(-part - rho)
        else:
            b = self._slices(rho, jnp.where(part > 0, part, 1.0))
        return jnp.where(r >= everything, 1.0, jnp.where(r > 0, jnp.clip(b, 0.0, 1.0), 0.0))

    def _slices(self, rho: Array, r: Array) -> Array:
        """The integral over t = r cos θ, on the part of [-r, r] where the gaussian is not negligible."""
        # The ends carry no mass (sin θ = 0 there, or φ = 0), so they need no gradient; arccos would give infinite ones.
        first, last = (
            jax.lax.stop_gradient(jnp.arccos(jnp.clip((rho + side) / r, -1.0, 1.0))) for side in (_REACH, -_REACH)
        )
        nodes, weights = legendre_rule(_NODES, r)
        theta = first[..., None] + (last - first)[..., None] * nodes
        radius = r[..., None]
        across = radius * jnp.sin(theta)
        along = radius * jnp.cos(theta) - rho[..., None]
        density = jnp.exp(-0.5 * jnp.square(along)) * across * chi_cdf(self.dim - 1, across)
        return (last - first) * jnp.sum(weights * density, axis=-1) / math.sqrt(2.0 * math.pi)

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        return (safe_norm(jnp.asarray(p)) + math.sqrt(self.dim) + _REACH,)

    def probe(self, v: Array) -> Array:
        return on_first_axis(chi_quantile(self.dim, v[..., 0]), self.dim)
