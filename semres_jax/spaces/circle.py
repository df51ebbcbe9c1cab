"""The circle of circumference 1, the space of hues, orientations and hours."""

from typing import Any, ClassVar

import jax.numpy as jnp

from semres_jax._types import Array, ArrayLike
from semres_jax.spaces.base import MetricSpace, coordinates, real, space, spread


@space
class Circle(MetricSpace):
    """The circle R/Z with arc length d(x, y) = min(|x - y|, 1 - |x - y|) <= 1/2 and the uniform measure.

    Homogeneous: b(r) = min(2 r, 1) around every point. Points are scalars in [0, 1).

    Example:
        >>> from semres_jax import spaces
        >>> float(spaces.Circle().ball_measure(0.3, 0.125))
        0.25
    """

    name: ClassVar[str] = "circle"
    homogeneous: ClassVar[bool] = True
    uniforms: ClassVar[Any] = 1
    diameter: ClassVar[Any] = 0.5
    has_ball_measure: ClassVar[bool] = True
    smooth_balls: ClassVar[bool] = True
    has_ticks: ClassVar[bool] = True
    wraps: ClassVar[bool] = True

    def point(self, u: ArrayLike) -> Array:
        return coordinates(self, u)[..., 0]

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        gap = jnp.abs(x - y)
        return jnp.minimum(gap, 1.0 - gap)

    def ticks(self, x: list[Array], y: list[Array]) -> Array:
        # modulo 2^32: the two ways round
        return jnp.minimum(x[0] - y[0], y[0] - x[0])

    def within(self, x: list[Array], y: list[Array], ticks: Array) -> Array:
        return on_arc(x[0], y[0], ticks)

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        return jnp.clip(2.0 * jnp.asarray(r), 0.0, 1.0) + 0.0 * jnp.asarray(p)

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        return (spread(jnp.asarray(0.5, real(p).dtype), jnp.shape(p)),)


def on_arc(x: Array, y: Array, ticks: Array) -> Array:
    """Whether two words are at most so many ticks apart on the circle: x - y + ticks modulo 2^32 is 0, ..., 2 ticks."""
    top = jnp.uint32(2**31)
    return x - y + ticks <= jnp.where(ticks < top, 2 * ticks, jnp.uint32(2**32 - 1))
