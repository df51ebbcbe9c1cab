"""The unit interval, the simplest space with an edge."""

from typing import Any, ClassVar

import jax.numpy as jnp

from semres_jax._types import Array, ArrayLike
from semres_jax.spaces.base import MetricSpace, coordinates, real, space, together


@space
class Interval(MetricSpace):
    """The interval [0, 1] with d(x, y) = |x - y| <= 1 and the uniform measure.

    Heterogeneous: b_p(r) = min(p + r, 1) - max(p - r, 0), half as much at the ends as in the middle. Points are scalars
    in [0, 1).

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> [float(b) for b in spaces.Interval().ball_measure(np.array([0.0, 0.5]), 0.25)]
        [0.25, 0.5]
    """

    name: ClassVar[str] = "interval"
    uniforms: ClassVar[Any] = 1
    diameter: ClassVar[Any] = 1.0
    has_ball_measure: ClassVar[bool] = True
    smooth_balls: ClassVar[bool] = True
    has_ticks: ClassVar[bool] = True

    def point(self, u: ArrayLike) -> Array:
        return coordinates(self, u)[..., 0]

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        return jnp.abs(x - y)

    def ticks(self, x: list[Array], y: list[Array]) -> Array:
        return jnp.maximum(x[0], y[0]) - jnp.minimum(x[0], y[0])

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        p, r = together(p, r)
        # Two one-sided pieces: no cancellation where r is small.
        return jnp.clip(r, 0.0, 1.0 - p) + jnp.clip(r, 0.0, p)

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        p = real(p)
        return p, 1.0 - p

    probe_smooth = True

    def probe(self, v: Array) -> Array:
        return v[..., 0] / 2.0  # b_p = b_(1-p): one half is enough

    def probe_kinks(self, r: ArrayLike) -> tuple[tuple[Any, ...], ...]:
        return ((2.0 * jnp.minimum(r, 1.0 - jnp.asarray(r)),),)
