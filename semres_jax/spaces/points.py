"""Finitely many stimuli given by coordinates, too many for a table of their distances."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete
from semres_jax._types import Array, ArrayLike
from semres_jax.spaces import _from_points, _tables
from semres_jax.spaces.base import real, safe_norm, space, static
from semres_jax.spaces.finite import Stimuli

# Numbers of the rows that the largest distance is looked for in at once.
_NUMBERS = 2**22


def _cosine(x: Array, y: Array) -> Array:
    lengths = jnp.sqrt(jnp.sum(x * x, axis=-1)) * jnp.sqrt(jnp.sum(y * y, axis=-1))
    return jnp.maximum(1.0 - jnp.sum(x * y, axis=-1) / lengths, 0.0)


# Metrics with a name in JAX, as `distance` needs them; rows come from scipy, which knows more.
_IN_JAX: dict[str, Callable[[Array, Array], Array]] = {
    "euclidean": lambda x, y: safe_norm(x - y),
    "sqeuclidean": lambda x, y: jnp.sum((x - y) ** 2, axis=-1),
    "cityblock": lambda x, y: jnp.sum(jnp.abs(x - y), axis=-1),
    "chebyshev": lambda x, y: jnp.max(jnp.abs(x - y), axis=-1),
    "hamming": lambda x, y: jnp.mean((x != y).astype(x.dtype), axis=-1),
    "cosine": _cosine,
}


@space
class Points(Stimuli):
    """N stimuli given by their coordinates; distances are computed, row by row, where they are needed.

    The same space as `Finite.from_points` makes, whose table of distances has N² numbers: here N may be tens of
    thousands. Exact accuracies (`accuracy`, `frontier.sweep`) of two items and any similarity, and of the constant
    similarity and any number of items, take memory that grows like N; so does Monte Carlo. What needs the table itself
    says that there is none.

    Args:
        points: (N, features), or (N,) for scalars. The names of the rows of a pandas.DataFrame or an xarray.DataArray
            become labels.
        metric: as in `Finite.from_points`. A function of two batches of points, as `MetricSpace.distance` is, is called
            with some hundred rows at once; one of two points N² times.
        weights: (N,) probabilities summing to 1; None: all 1/N.
        labels: N different names of the stimuli.

    Raises:
        ValueError: as `Finite.from_points`.

    Example:
        >>> import numpy as np
        >>> from semres_jax import Exponential, accuracy, spaces
        >>> cloud = spaces.Points(np.random.default_rng(0).random((500, 2)))
        >>> round(float(accuracy(cloud, Exponential(0.2)).p_s), 4)
        0.7475
    """

    points: Any = dataclasses.field()
    metric: Any = static(default="euclidean")
    weights: Any = None
    labels: Any = static(default=())
    name: ClassVar[str] = "points"
    by_rows: ClassVar[bool] = True

    def __post_init__(self):
        names = _tables.named(self.points, self.labels)
        points = _from_points.checked(self.points, self.metric)
        if names and len(names) != len(points):
            raise ValueError(f"labels must name each of the {len(points)} points; got {len(names)}")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "labels", names)
        self.rows(0, 2)  # refuses a metric that can't be
        if self.weights is not None:
            object.__setattr__(self, "weights", _tables.checked_weights(self.weights, points, names))

    @property
    def size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """N, the number of stimuli."""
        return np.shape(self.points)[0]

    @property
    def diameter(self) -> float:
        """The largest distance, found by looking at all of them at the first call."""
        if "_diameter" not in self.__dict__:
            step = max(1, _NUMBERS // self.size)
            largest = max(float(self.rows(i, i + step).max()) for i in range(0, self.size, step))
            object.__setattr__(self, "_diameter", largest)
        return self.__dict__["_diameter"]

    def rows(self, first: int, last: int) -> np.ndarray:
        known = concrete(self.points)
        if known is None:
            raise ValueError("points must be known numbers, not traced ones (spaces.Finite takes traced distances)")
        return _from_points.rows(known, self.metric, first, min(last, self.size))

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        metric = _IN_JAX.get(self.metric) if isinstance(self.metric, str) else self.metric
        if metric is None:
            raise ValueError(
                f"metric {self.metric!r} can't be drawn from, only enumerated; draw with {', '.join(_IN_JAX)}, a "
                "function, or spaces.Finite.from_points"
            )
        points = jnp.asarray(self.points)
        x, y = jnp.broadcast_arrays(jnp.asarray(x), jnp.asarray(y))
        d = metric(*(jnp.take(points, index, axis=0, mode="clip") for index in (x, y)))
        return jnp.where(x == y, 0.0, d)

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        p, r = jnp.broadcast_arrays(jnp.asarray(p), real(r))
        everyone = jnp.arange(self.size)

        def measure(ball: tuple[Array, Array]) -> Array:
            return self._mass(self.distance(ball[0], everyone) <= ball[1], r.dtype)

        return jax.lax.map(measure, (p.ravel(), r.ravel())).reshape(r.shape)
