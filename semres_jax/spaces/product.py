"""Products: stimuli with several independent features, each in a space of its own."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array, ArrayLike, Point
from semres_jax.spaces._base import MetricSpace, coordinates, real, safe_norm, space, static

_METRICS = ("max", "l1", "l2", "min")


@space
class Product(MetricSpace):
    """M_1 × ... × M_k with independent features, and their distances combined by max, sum, root of squares, or min.

    By "max" stimuli are as far apart as their most different feature, b_p(r) = Π b_i; by "min" as their most similar
    one, b_p(r) = 1 - Π (1 - b_i), which breaks the triangle inequality (`triangle` is False): sharing one feature with
    each of two stimuli does not make these alike. "l1" and "l2" have no ball measure. Points are tuples of points.

    Args:
        factors: one or more spaces.
        metric: "max", "l1", "l2" or "min".

    Raises:
        ValueError: no factors, or something else than spaces among them; metric unknown.

    Example:
        >>> from semres_jax import spaces
        >>> pair = spaces.Product((spaces.Circle(), spaces.Interval()))
        >>> pair.label, float(pair.ball_measure((0.0, 0.5), 0.25))
        ('product(circle, interval; max)', 0.25)
    """

    factors: Any
    metric: str = static(default="max")
    name: ClassVar[str] = "product"

    def __post_init__(self):
        factors = self.factors
        if isinstance(factors, Sequence) and not isinstance(factors, str):
            object.__setattr__(self, "factors", tuple(factors))
            # Pytrees are rebuilt with placeholders, which are not ours to judge; what users mix in by mistake is.
            wrong = [factor for factor in factors if isinstance(factor, (str, int, float, type, np.ndarray))]
            if not factors or wrong:
                raise ValueError(f"factors must be one or more spaces; got {wrong[0] if wrong else factors!r}")
        elif isinstance(factors, (str, MetricSpace)):
            raise ValueError(f"factors must be a tuple of spaces; got {factors!r}")
        if self.metric not in _METRICS:
            raise ValueError(f"metric of a product must be one of {', '.join(_METRICS)}; got {self.metric!r}")

    @property
    def label(self) -> str:
        return f"product({', '.join(factor.label for factor in self.factors)}; {self.metric})"

    @property
    def triangle(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        single = len(self.factors) == 1
        return (single or self.metric != "min") and all(factor.triangle for factor in self.factors)

    @property
    def homogeneous(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return all(factor.homogeneous for factor in self.factors)

    @property
    def discrete(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        # The largest of two distances ties where either does; a sum needs all its terms to.
        some = any if self.metric in ("max", "min") else all
        return some(factor.discrete for factor in self.factors)

    @property
    def has_ball_measure(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        known = self.metric in ("max", "min") or len(self.factors) == 1
        return known and all(factor.has_ball_measure for factor in self.factors)

    @property
    def uniforms(self) -> int:
        return sum(factor.uniforms for factor in self.factors)

    @property
    def diameter(self) -> Any:
        diameters = [factor.diameter for factor in self.factors]
        traced = any(isinstance(diameter, jax.Array) for diameter in diameters)
        xp: Any = jnp if traced else np  # outside of jit in float64, whatever JAX's precision
        diameters = [xp.asarray(diameter) for diameter in diameters]
        if self.metric in ("max", "min"):
            whole = functools.reduce(xp.maximum if self.metric == "max" else xp.minimum, diameters)
        else:
            whole = sum(diameters) if self.metric == "l1" else xp.sqrt(sum(d * d for d in diameters))
        return whole if traced else float(whole)

    @property
    def shells(self) -> Any:
        each = [factor.shells for factor in self.factors if factor.discrete]
        some = self.discrete and self.metric in ("max", "min") and all(shells is not None for shells in each)
        return np.unique(np.concatenate(each)) if some else None

    def point(self, u: ArrayLike) -> Point:
        u = coordinates(self, u)
        return self._each(lambda factor, own: factor.point(own), u, [factor.uniforms for factor in self.factors])

    def distance(self, x: Point, y: Point) -> Array:
        each = [factor.distance(a, b) for factor, a, b in zip(self.factors, x, y, strict=True)]
        if self.metric == "max":
            return functools.reduce(jnp.maximum, each)
        if self.metric == "min":
            return functools.reduce(jnp.minimum, each)
        if self.metric == "l1":
            return functools.reduce(jnp.add, each)
        return safe_norm(jnp.stack(jnp.broadcast_arrays(*each)), axis=0)

    def ball_measure(self, p: Point, r: ArrayLike) -> Array:
        if not self.has_ball_measure:
            return super().ball_measure(p, r)
        each = [factor.ball_measure(a, real(r)) for factor, a in zip(self.factors, p, strict=True)]
        if self.metric != "min":
            return functools.reduce(jnp.multiply, each)
        # 1 - (1 - a)(1 - b) = a + b (1 - a): no digits lost where both are small.
        return functools.reduce(lambda a, b: a + b * (1.0 - a), each)

    def radius_kinks(self, p: Point) -> tuple[Array, ...]:
        if not self.has_ball_measure:
            return super().radius_kinks(p)
        each = [factor.radius_kinks(own) for factor, own in zip(self.factors, p, strict=True)]
        return tuple(itertools.chain.from_iterable(each))

    @property
    def probe_uniforms(self) -> int:
        return sum(factor.probe_uniforms for factor in self.factors)

    def probe(self, v: Array) -> Point:
        counts = [factor.probe_uniforms for factor in self.factors]
        return self._each(lambda factor, own: factor.probe(own), v, counts)

    def probe_kinks(self, r: ArrayLike) -> tuple[tuple[Any, ...], ...]:
        return tuple(itertools.chain.from_iterable(factor.probe_kinks(r) for factor in self.factors))

    def _each(self, f: Callable[[MetricSpace, Array], Point], u: Array, counts: list[int]) -> tuple[Point, ...]:
        """f of each factor and its share of the last axis of u."""
        ends = list(itertools.accumulate(counts))
        return tuple(
            f(factor, u[..., end - count : end]) for factor, count, end in zip(self.factors, counts, ends, strict=True)
        )
