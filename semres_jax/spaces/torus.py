"""The flat torus: several periodic features at once (hue and orientation, say)."""

import functools
import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array, ArrayLike
from semres_jax.spaces import _variates
from semres_jax.spaces.base import Dimensional, coordinates, real, safe_norm, space, spread, static
from semres_jax.spaces.circle import on_arc

_METRICS = ("max", "l1", "l2")


@space
class Torus(Dimensional):
    """[0, 1)^dim with periodic edges and the uniform measure; homogeneous.

    With the gaps t_k = min(|x_k - y_k|, 1 - |x_k - y_k|) <= 1/2 the distance is max t_k ("max"), Σ t_k ("l1") or
    (Σ t_k²)^(1/2) ("l2"). Points are vectors of shape (dim,).

    b(r) is min(2 r, 1)^dim for "max", the Irwin-Hall distribution function at 2 r for "l1" (gaps are uniform on
    [0, 1/2]), disk ∩ square for "l2" in up to two dimensions; "l2" in more has none.

    Args:
        dim: number of periodic coordinates, >= 1.
        metric: "max", "l1" or "l2".

    Raises:
        ValueError: dim not a whole number of at least 1, metric unknown.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> float(spaces.Torus(2).ball_measure(np.zeros(2), 0.25))
        0.25
    """

    metric: str = static(default="max")
    name: ClassVar[str] = "torus"
    homogeneous: ClassVar[bool] = True
    wraps: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        if self.metric not in _METRICS:
            raise ValueError(f"metric of a torus must be one of {', '.join(_METRICS)}; got {self.metric!r}")

    @property
    def label(self) -> str:
        return super().label if self.metric == "max" else f"torus({self.dim}, {self.metric})"

    @property
    def smooth_balls(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.metric != "l2" or self.dim == 1

    @property
    def has_ball_measure(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.metric != "l2" or self.dim <= 2

    @property
    def has_ticks(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.metric == "max"

    @property
    def diameter(self) -> float:
        return {"max": 0.5, "l1": 0.5 * self.dim, "l2": 0.5 * math.sqrt(self.dim)}[self.metric]

    def point(self, u: ArrayLike) -> Array:
        return coordinates(self, u)

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        gap = jnp.abs(x - y)
        gap = jnp.minimum(gap, 1.0 - gap)
        if self.metric == "max":
            return jnp.max(gap, axis=-1)
        return jnp.sum(gap, axis=-1) if self.metric == "l1" else safe_norm(gap)

    @property
    def has_statistic(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.metric == "l2"

    def variates(self, words: list[Array], dtype: Any) -> list[Array]:
        return [_variates.unit(word, dtype) for word in words]

    def statistic(self, x: list[Array], y: list[Array]) -> Array:
        gaps = [jnp.abs(a - b) for a, b in zip(x, y, strict=True)]
        return _variates.squared_length([jnp.minimum(gap, 1.0 - gap) for gap in gaps])

    def statistic_at(self, d: ArrayLike) -> Array:
        return jnp.square(jnp.clip(d, 0.0, 1.001 * self.diameter))

    def distance_at(self, s: ArrayLike) -> Array:
        return jnp.sqrt(s)

    def statistic_error(self, s: Array, x: list[Array], y: list[Array]) -> Array:
        return _variates.squared_error(s, 6.0 * _variates.ROUNDING * math.sqrt(self.dim), self.dim)

    def ticks(self, x: list[Array], y: list[Array]) -> Array:
        return functools.reduce(jnp.maximum, (jnp.minimum(a - b, b - a) for a, b in zip(x, y, strict=True)))

    def within(self, x: list[Array], y: list[Array], ticks: Array) -> Array:
        return functools.reduce(jnp.logical_and, (on_arc(a, b, ticks) for a, b in zip(x, y, strict=True)))

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        r = real(r)
        if self.metric == "max" or self.dim == 1:
            b = jnp.clip(2.0 * r, 0.0, 1.0) ** self.dim
        elif self.metric == "l1":
            b = _irwin_hall(self.dim, 2.0 * r)
        elif self.dim == 2:
            b = _disk_in_square(r)
        else:
            return super().ball_measure(p, r)
        return spread(b, np.shape(p)[:-1])

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        if not self.has_ball_measure:
            return super().radius_kinks(p)
        steps = {"max": 1, "l1": self.dim, "l2": 1}[self.metric]
        kinks = [0.5 * k for k in range(1, steps + 1)] + [math.sqrt(0.5)] * (self.metric == "l2" and self.dim == 2)
        return tuple(spread(jnp.asarray(kink, real(p).dtype), jnp.shape(p)[:-1]) for kink in kinks)


def _irwin_hall(n: int, x: Array) -> Array:
    """P(U_1 + ... + U_n <= x): a sum of cardinal B-splines, by de Boor's recurrence (all terms positive).

    The textbook alternating sum loses a digit per dimension.
    """
    x = jnp.clip(x, 0.0, float(n))
    # splines[k] = N_m(x - k); N_1 is the indicator of [0, 1). F_n(x) = Σ_k N_{n+1}(x - k).
    splines = [jnp.where((x >= k) & (x < k + 1), 1.0, 0.0).astype(x.dtype) for k in range(n + 1)]
    splines.append(jnp.zeros_like(x))
    for m in range(2, n + 2):
        splines = [
            ((x - k) * splines[k] + (m + k - x) * splines[k + 1]) / (m - 1) if k + 1 < len(splines) else splines[k]
            for k in range(len(splines))
        ]
    return jnp.where(x >= n, 1.0, jnp.minimum(sum(splines[: n + 1], jnp.zeros_like(x)), 1.0))


def _disk_in_square(r: Array) -> Array:
    """Area of the disk of radius r inside the unit square around its centre."""
    cut = (r > 0.5) & (r < math.sqrt(0.5))
    safe = jnp.where(cut, r, 0.6)
    beyond = jnp.sqrt((2.0 * safe - 1.0) * (2.0 * safe + 1.0))  # 2 × half the chord on each side
    clipped = safe * safe * (math.pi - 4.0 * jnp.arctan(beyond)) + beyond
    return jnp.where(cut, clipped, jnp.where(r > 0.5, 1.0, math.pi * jnp.square(jnp.clip(r, 0.0, 0.5))))
