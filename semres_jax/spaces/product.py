"""Products: stimuli with several independent features, each in a space of its own."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete
from semres_jax._types import Array, ArrayLike, Point
from semres_jax.spaces.base import MetricSpace, coordinates, real, safe_norm, space, static

_METRICS = ("max", "l1", "l2", "min")
# Stimuli of a product whose distances are put in a table: 800 MB.
_MOST_LISTED = 10_000


@space
class Product(MetricSpace):
    """M_1 × ... × M_k with independent features, and their distances combined by max, sum, root of squares, or min.

    By "max" stimuli are as far apart as their most different feature, b_p(r) = Π b_i; by "min" as their most similar
    one, b_p(r) = 1 - Π (1 - b_i), which breaks the triangle inequality (`triangle` is False): sharing one feature with
    each of two stimuli does not make these alike. "l1" and "l2" have no ball measure. Points are tuples of points.

    A product of finite spaces alone (`Finite`, `Tree`, products of them) is a finite space: items are distinct unless
    asked otherwise, and up to 10,000 stimuli have a table of `distances`, which is enumerated. A point may be given by
    its number, too: the last feature changes fastest. With a continuous factor no two points are ever the same, even by
    "min", where they may well be at distance 0 of each other; `Hamming` draws its strings independently, here too.

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
    def size(self) -> int | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """N, the number of stimuli, where all factors are finite."""
        sizes = [factor.size for factor in self.factors]
        return None if None in sizes else math.prod(sizes)  # pyright: ignore[reportArgumentType]

    @property
    def distances(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """(N, N) table of a product of finite spaces; None where a factor has none, or of more than 10,000 stimuli."""
        tables, size, known = [factor.distances for factor in self.factors], self.size, True
        if size is None or size > _MOST_LISTED or any(table is None for table in tables):
            return None
        if "_table" in self.__dict__:
            return self.__dict__["_table"]
        for place, table in enumerate(tables):
            known = known and concrete(table) is not None
            shape = [len(table) if k == place else 1 for k in range(len(tables))]
            tables[place] = table.reshape(shape + shape)
        whole = self._combined(tables, np if known else jnp)
        whole = whole.reshape(size, size)
        if known:
            object.__setattr__(self, "_table", whole)
        return whole

    @property
    def weights(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """(N,) probabilities of the stimuli of a product of finite spaces; None where all are equal, or not finite."""
        given = [factor.weights for factor in self.factors]
        if self.size is None or all(weights is None for weights in given):
            return None
        marginals = [
            np.full(factor.size, 1.0 / factor.size) if weights is None else weights
            for factor, weights in zip(self.factors, given, strict=True)
        ]
        xp: Any = np if all(concrete(weights) is not None for weights in marginals) else jnp
        return functools.reduce(lambda a, b: (xp.asarray(a)[:, None] * xp.asarray(b)[None]).ravel(), marginals)

    def distinct(self, u: Any) -> Any:
        """As `MetricSpace.distinct`, of up to 2,147,483,647 stimuli; of up to 10,000 where weights are unequal."""
        size, equal = self.size, self.weights is None
        if size is not None and size > (2**31 - 1 if equal else _MOST_LISTED):
            most, kind = ("2,147,483,647", "") if equal else (f"{_MOST_LISTED:,}", " of unequal weights")
            raise ValueError(
                f"distinct points{kind} are drawn from at most {most}; {self.label} has {size:,} (use replace=True: "
                "that they repeat makes a difference of the order of 1/N)"
            )
        return super().distinct(u)

    def _features(self, p: Point) -> tuple[Point, ...]:
        """A point as the tuple of its features."""
        if isinstance(p, (tuple, list)) or self.size is None:
            return tuple(p)
        number, features = jnp.asarray(p), []
        for factor in reversed(self.factors):
            features.append(number % factor.size)
            number = number // factor.size
        return tuple(reversed(features))

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
    def smooth_balls(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return all(factor.smooth_balls for factor in self.factors)

    @property
    def curvature_radius(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return min(factor.curvature_radius for factor in self.factors)

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
        whole = self._combined(diameters, xp)
        return whole if traced else float(whole)

    @property
    def shells(self) -> Any:
        shells = [factor.shells for factor in self.factors if factor.discrete]
        some = self.discrete and self.metric in ("max", "min") and all(shell is not None for shell in shells)
        return np.unique(np.concatenate(shells)) if some else None

    def point(self, u: ArrayLike) -> Point:
        u = coordinates(self, u)
        return self._by_factor(lambda factor, own: factor.point(own), u, [factor.uniforms for factor in self.factors])

    def distance(self, x: Point, y: Point) -> Array:
        return self.of_features(self.distances_by_feature(x, y))

    def of_features(self, distances: list[Array]) -> Array:
        """The distance of stimuli that distances in each feature make, by the metric."""
        return self._combined(distances, jnp)

    def distances_by_feature(self, x: Point, y: Point) -> list[Array]:
        """Distances of two stimuli in each feature, in the order of the factors; they make `distance` by the metric.

        Example:
            >>> from semres_jax import spaces
            >>> pair = spaces.Product((spaces.Circle(), spaces.Interval()))
            >>> [round(float(d), 3) for d in pair.distances_by_feature((0.0, 0.5), (0.9, 0.7))]
            [0.1, 0.2]
        """
        pairs = zip(self.factors, self._features(x), self._features(y), strict=True)
        return [factor.distance(a, b) for factor, a, b in pairs]

    def _combined(self, parts: list[Any], xp: Any) -> Any:
        """The distance that distances of the features make, in NumPy or JAX."""
        if self.metric != "l2":
            return functools.reduce({"max": xp.maximum, "min": xp.minimum, "l1": xp.add}[self.metric], parts)
        if xp is np:
            return np.sqrt(functools.reduce(np.add, [part * part for part in parts]))
        return safe_norm(jnp.stack(jnp.broadcast_arrays(*parts)), axis=0)

    def ball_measure(self, p: Point, r: ArrayLike) -> Array:
        if not self.has_ball_measure:
            return super().ball_measure(p, r)
        balls = [factor.ball_measure(a, real(r)) for factor, a in zip(self.factors, self._features(p), strict=True)]
        if self.metric != "min":
            return functools.reduce(jnp.multiply, balls)
        # 1 - (1 - a)(1 - b) = a + b (1 - a): no digits lost where both are small.
        return functools.reduce(lambda a, b: a + b * (1.0 - a), balls)

    def radius_kinks(self, p: Point) -> tuple[Array, ...]:
        if not self.has_ball_measure:
            return super().radius_kinks(p)
        kinks = [factor.radius_kinks(own) for factor, own in zip(self.factors, self._features(p), strict=True)]
        return tuple(itertools.chain.from_iterable(kinks))

    @property
    def probe_uniforms(self) -> int:
        return sum(factor.probe_uniforms for factor in self.factors)

    def probe(self, v: Array) -> Point:
        counts = [factor.probe_uniforms for factor in self.factors]
        return self._by_factor(lambda factor, own: factor.probe(own), v, counts)

    def probe_kinks(self, r: ArrayLike) -> tuple[tuple[Any, ...], ...]:
        return tuple(itertools.chain.from_iterable(factor.probe_kinks(r) for factor in self.factors))

    def _by_factor(self, f: Callable[[MetricSpace, Array], Point], u: Array, counts: list[int]) -> tuple[Point, ...]:
        """f of each factor and its share of the last axis of u."""
        return tuple(map(f, self.factors, jnp.split(u, np.cumsum(counts)[:-1], axis=-1)))
