"""The one interface of all stimulus spaces."""

import abc
import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete, require_count
from semres_jax._pytrees import Registered, pytree, static as static
from semres_jax._types import Array, ArrayLike, Point
from semres_jax.spaces import _variates
from semres_jax.spaces._draws import distinct_equal, distinct_weighted

# No two points that are drawn are so far apart, in any space that is unbounded.
_FAR = 1e9

# What makes a space a frozen dataclass whose fields are leaves.
space = pytree


class MetricSpace(Registered, abc.ABC):
    """A metric space (M, d) with a probability measure ν, from which stimuli and probes are drawn.

    A point is an array whose *trailing* axes (none for scalar points, one for vectors) hold its coordinates, or a
    tuple of points; every leading axis is a batch axis. Spaces are pytrees, and so is what is derived from this class:
    floats and arrays are leaves, whole numbers and text, which decide shapes, are structure. Decorated with `space` it
    is a frozen dataclass of which all fields are leaves but those of `static`.
    """

    # One short lower-case word; with its parameters it makes `label`.
    name: ClassVar[str]
    # `uniforms`, `diameter` and `probe_uniforms` are plain class attributes where they are the same for all parameters.
    # The four flags below are properties instead where they depend on parameters (a product is as homogeneous as its
    # factors): read them from an instance.
    # False where `distance` breaks the triangle inequality (a product by "min"; cosine "distances" too, unchecked).
    triangle: ClassVar[bool] = True
    # True where b_p(r) is the same for every p (almost surely).
    homogeneous: ClassVar[bool] = False
    # True where distances have atoms (finite spaces, Hamming): ties happen, and distinct items differ from repeated.
    discrete: ClassVar[bool] = False
    # Whether `ball_measure` is there; engines ask this instead of calling and failing.
    has_ball_measure: ClassVar[bool] = False
    # Whether `ticks` is there: points that are their uniforms and do without floating point.
    has_ticks: ClassVar[bool] = False
    # Whether `statistic` is there, and with it `variates`, `statistic_at`, `distance_at` and `statistic_error`.
    has_statistic: ClassVar[bool] = False
    # Whether distances depend on differences of coordinates modulo 1 only.
    wraps: ClassVar[bool] = False
    # Number of stimuli of a finite space, which then has `distinct`; None for all others.
    size: ClassVar[int | None] = None
    # Of a finite space: the (N, N) table of distances, None where there is none; (N,) probabilities, None where all are
    # equal; names of the stimuli, where they have any.
    distances: Any = None
    weights: Any = None
    labels: Any = ()
    # Whether a finite space without a table gives its distances row by row (`rows`): `spaces.Points`.
    by_rows: ClassVar[bool] = False

    @property
    def enumerable(self) -> bool:
        """Whether exact sums over stimuli can be made: there is a table of distances, or rows of them."""
        return self.distances is not None or self.by_rows

    def rows(self, first: int, last: int) -> np.ndarray:
        """(last - first, N) distances of these stimuli to all, in float64, where the space is `by_rows`."""
        raise NotImplementedError(f"{self.label} gives no rows of distances")

    @property
    def shells(self) -> Any:
        """The distances that have mass, a NumPy array in any order; None where there are none, or they are traced."""
        return None

    @property
    def label(self) -> str:
        """How tables and figures name this space, parameters included: `"sphere(9)"`."""
        return self.name

    @property
    @abc.abstractmethod
    def uniforms(self) -> int:
        """How many U(0, 1) numbers make one point; at least 1."""

    @property
    @abc.abstractmethod
    def diameter(self) -> Any:
        """sup d(x, y), in the space's own unit of distance; `inf` where unbounded."""

    @abc.abstractmethod
    def point(self, u: ArrayLike) -> Point:
        """Push uniforms forward to ν: `u` of shape (*batch, uniforms), entries in [0, 1) -> points of batch shape."""

    @abc.abstractmethod
    def distance(self, x: Point, y: Point) -> Array:
        """d(x, y) >= 0, broadcasting over batch axes; its gradient is finite everywhere, also at x = y."""

    def ticks(self, x: list[Array], y: list[Array]) -> Array:
        """The distance in units of 2^-32, uint32 and exact, of points given by words of 32 bits, one per coordinate.

        A word w stands for the coordinate w / 2^32. Twice as fast as floating point in the innermost Monte Carlo loop,
        and d <= epsilon is decided to 2^-32 there.
        """
        raise NotImplementedError(f"{self.label} has no integer distance")

    def within(self, x: list[Array], y: list[Array], ticks: Array) -> Array:
        """Whether `self.ticks(x, y) <= ticks` (uint32): in fewer operations where there is a way."""
        return self.ticks(x, y) <= ticks

    # What follows is for estimates, which draw points by the thousand million: an increasing function of the distance
    # that is cheaper than it, of coordinates that are cheaper than `point`. Balls are told by it in 32 bits, but for
    # pairs so near to the edge of a ball that rounding may put them on the other side: those are made anew in 64.
    def __init_subclass__(cls, **more: Any) -> None:
        """A class with a `point` or `distance` of its own has no use for what it inherits of a statistic."""
        super().__init_subclass__(**more)
        own = vars(cls).keys()
        unmade = "point" in own and "variates" not in own
        if unmade or ("distance" in own and "statistic" not in own):
            cls.has_statistic = False

    def variates(self, words: list[Array], dtype: Any) -> list[Array]:
        """The coordinates of `point((w + 1/2) / 2^32)`, w the words of 32 bits, one per uniform; a list of arrays.

        In float64 to rounding, in float32 to what `statistic_error` says; more numbers that are needed may follow.
        """
        raise NotImplementedError(f"{self.label} has no statistic")

    def statistic(self, x: list[Array], y: list[Array]) -> Array:
        """A number that increases with the distance of two points, given by their `variates` in either precision."""
        raise NotImplementedError(f"{self.label} has no statistic")

    def statistic_at(self, d: ArrayLike) -> Array:
        """The statistic of points at distance d; finite, and from the diameter on as large as of any two points."""
        raise NotImplementedError(f"{self.label} has no statistic")

    def distance_at(self, s: ArrayLike) -> Array:
        """The distance of points of which the statistic is s."""
        raise NotImplementedError(f"{self.label} has no statistic")

    def statistic_error(self, s: Array, x: list[Array], y: list[Array]) -> Array:
        """How far the statistic of x and y, in float32, may be from s where it is s exactly; non-decreasing in s.

        s - error(s) increases wherever it is positive. So pairs within a ball to whose edge s belongs have at most
        s + error(s) in float32, and those beyond it more than s - error(s). Infinite where nothing is known.
        """
        raise NotImplementedError(f"{self.label} has no statistic")

    def ball_measure(self, p: Point, r: ArrayLike) -> Array:
        """b_p(r) = ν{x : d(x, p) <= r} in [0, 1], broadcasting the batch shape of `p` against `r`."""
        raise NotImplementedError(f"{self.label} has no ball measure in closed form; use semres_jax.estimate")

    @property
    def weighted(self) -> bool:
        """Whether stimuli are drawn with different probabilities (taken for so where weights are traced)."""
        if self.weights is None:
            return False
        known = concrete(self.weights)
        return known is None or bool(np.ptp(known) > 0)

    def _available(self) -> tuple[int | None, str]:
        """How many different stimuli can be drawn, and what messages add to their number."""
        known = concrete(self.weights)
        available = self.size if known is None else int((known > 0).sum())
        return available, "" if available == self.size else " of positive weight"

    def require_distinct(self, n: int) -> None:
        """Raise `ValueError` unless a probe and n distinct items can be drawn."""
        available, weighed = self._available()
        if available is not None and n + 1 > available:
            raise ValueError(
                f"{n} distinct items and a probe need {n + 1} stimuli; {self.label} has {available}{weighed} (use "
                "fewer items, or replace=True)"
            )

    def distinct(self, u: Any) -> Any:
        """Different points of a finite space, drawn one after the other from ν restricted to those not yet drawn.

        With equal weights every ordered m-tuple of different points is equally likely.

        Args:
            u: uniforms in [0, 1), one per point: an array of shape (*batch, m), or a list of m arrays of batch shape
                (faster inside a loop: nothing is interleaved).

        Returns:
            int32 indices: (*batch, m), or a list of m arrays of batch shape.

        Raises:
            ValueError: m greater than the number of points.
            NotImplementedError: the space is not finite.

        Example:
            >>> from semres_jax import spaces
            >>> space = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
            >>> [int(i) for i in space.distinct([0.5, 0.5, 0.0])]
            [1, 2, 0]
        """
        if self.size is None:
            raise NotImplementedError(f"{self.label} is not finite: its points are different by themselves")
        if not isinstance(u, (list, tuple)):
            u = jnp.asarray(u)
            return jnp.stack(self.distinct([u[..., j] for j in range(u.shape[-1])]), axis=-1)
        available, weighed = self._available()
        if not 1 <= len(u) <= (available or 0):
            raise ValueError(f"{len(u)} distinct points asked of {self.label}, which has {available}{weighed}")
        u = [real(column) for column in u]
        if self.weights is None:
            return distinct_equal(self.size, u)
        return distinct_weighted(cumulative(self.weights, u[0].dtype), u)

    # Averages over the probe. b_p(r) often depends on p through one number only (the distance to the centre of a ball,
    # say): `probe` maps that many uniforms to probes p whose b_p(r) is distributed as that of p ~ ν.
    @property
    def probe_uniforms(self) -> int:
        """How many uniforms decide b_p: 0 where the space is homogeneous."""
        return 0 if self.homogeneous else self.uniforms

    # Whether v -> b_{probe(v)}(r) has no singularity worse than a square root, at 0 and 1 neither.
    probe_smooth: ClassVar[bool] = False

    def probe(self, v: Array) -> Point:
        """Probes for averages over p ~ ν: `v` of shape (*batch, probe_uniforms) -> points of batch shape."""
        if self.homogeneous:
            return self.point(jnp.full((*v.shape[:-1], self.uniforms), 0.5, v.dtype))
        return self.point(v)

    def probe_kinks(self, r: ArrayLike) -> tuple[tuple[Any, ...], ...]:
        """For each of the `probe_uniforms`: the places in (0, 1) where v -> b_{probe(v)}(r) is not smooth.

        Shaped like `r`; places outside (0, 1) are allowed and ignored. Smooth up to end-point singularities between.
        """
        return ((),) * self.probe_uniforms

    # Whether r -> b_p(r) is smooth on both sides of its kinks: no square roots there, as lenses of balls have them.
    smooth_balls: ClassVar[bool] = False
    # 1 / sqrt(-curvature) of a space that is curved like the hyperbolic plane, where balls grow like exponentials of
    # distances beyond that one; infinity of others, where they grow like powers.
    curvature_radius: ClassVar[Any] = math.inf

    def radius_kinks(self, p: Point) -> tuple[Array, ...]:
        """Radii, each of the batch shape of `p`, where r -> b_p(r) is not smooth or jumps; b_p is 1 from the last on.

        Between them b_p is smooth up to square roots at the ends. Quadratures over distances split there.
        """
        raise NotImplementedError(f"{self.label} has no ball measure in closed form; use semres_jax.estimate")


@space
class Dimensional(MetricSpace):
    """What spaces of a whole number of dimensions share."""

    dim: Any = static(default=2)

    def __post_init__(self):
        object.__setattr__(self, "dim", require_count("dim", self.dim, 1))

    @property
    def label(self) -> str:
        return f"{self.name}({self.dim})"

    @property
    def uniforms(self) -> int:
        return self.dim


class Euclidean(Dimensional):
    """What spaces of points in R^dim with Euclidean distances share."""

    has_statistic: ClassVar[bool] = True

    @abc.abstractmethod
    def _blur(self, x: list[Array]) -> Any:
        """How far a point by its `variates` in float32 may be from the exact one."""

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        return safe_norm(x - y)

    def statistic(self, x: list[Array], y: list[Array]) -> Array:
        return _variates.squared_distance(x[: self.dim], y[: self.dim])

    def statistic_at(self, d: ArrayLike) -> Array:
        return jnp.square(jnp.clip(d, 0.0, _FAR))

    def distance_at(self, s: ArrayLike) -> Array:
        return jnp.sqrt(s)

    def statistic_error(self, s: Array, x: list[Array], y: list[Array]) -> Array:
        return _variates.squared_error(s, self._blur(x) + self._blur(y), self.dim)


def cumulative(weights: Any, dtype: Any) -> Array:
    """(N + 1,) mass before each point; the last is exactly 1, so that points of weight 0 at the end stay unseen."""
    total = jnp.cumsum(jnp.asarray(weights))
    return jnp.concatenate([jnp.zeros(1, total.dtype), total / total[-1]]).astype(dtype)


def coordinates(space: MetricSpace, u: Any) -> Array:
    """`u` as an array, once its last axis is known to hold one uniform per coordinate; every `point` begins here.

    Raises:
        ValueError: `u` is not of shape (*batch, space.uniforms).
    """
    u = jnp.asarray(u)
    if u.ndim == 0 or u.shape[-1] != space.uniforms:
        raise ValueError(
            f"a point of {space.label} takes u of shape (*batch, {space.uniforms}), one number in [0, 1) per "
            f"coordinate; got shape {u.shape}"
        )
    return u


def real(value: Any) -> Array:
    """`value` as a floating-point array; integers become the default float, floats keep their precision."""
    value = jnp.asarray(value)
    return value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(jnp.result_type(float))


def spread(b: Array, batch: tuple[int, ...]) -> Array:
    """`b` broadcast against a batch of probes: what is the same for every probe of a homogeneous space."""
    return jnp.broadcast_to(b, jnp.broadcast_shapes(b.shape, batch))


def together(x: Any, r: Any) -> tuple[Array, Array]:
    """Both as floating-point arrays of one precision and one shape (explicitly: rank promotion may be an error)."""
    x, r = real(x), real(r)
    dtype = jnp.result_type(x, r)
    shape = jnp.broadcast_shapes(x.shape, r.shape)
    return jnp.broadcast_to(x, shape).astype(dtype), jnp.broadcast_to(r, shape).astype(dtype)


def safe_sqrt(x: Array) -> Array:
    """√x whose gradient at 0 is 0, not infinite (double-where)."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def safe_norm(v: Any, axis: int = -1) -> Array:
    """Euclidean norm along `axis` whose gradient at the zero vector is 0, not NaN."""
    return safe_sqrt(jnp.sum(v * v, axis=axis))
