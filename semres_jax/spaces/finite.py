"""Finitely many stimuli with a table of distances."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete, number_leaf
from semres_jax._types import Array, ArrayLike
from semres_jax.spaces.base import MetricSpace, coordinates, cumulative, real, space

# Asymmetry and diagonal up to this share of the largest distance is rounding of whoever made the table.
_ROUNDING = 1e-6
# Rows of the distance table that `from_points` hands to a callable metric at once.
_BLOCK = 256


@space
class Finite(MetricSpace):
    """N stimuli with distances d(i, j) in a table, drawn with probabilities `weights`. Points are int32 indices.

    Heterogeneous: b_i(r) is the weight of {j : d(i, j) <= r}, i itself included, compared exactly. Asymmetry and
    diagonal of at most 1e-6 of the largest distance are taken for rounding and removed; the triangle inequality (N³
    comparisons) isn't checked.

    Args:
        distances: (N, N), symmetric, >= 0, 0 on the diagonal, in the user's own unit.
        weights: (N,) probabilities summing to 1; None: all 1/N.

    Raises:
        ValueError: distances not square, not symmetric, negative, NaN or infinite, diagonal not 0 (the first offending
            entry is named); weights of another length, negative, or not summing to 1.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(b), 4) for b in line.ball_measure(np.array([0, 1]), 1.0)]
        [0.6667, 1.0]
    """

    distances: Any = dataclasses.field()
    weights: Any = None
    name: ClassVar[str] = "finite"
    discrete: ClassVar[bool] = True
    uniforms: ClassVar[Any] = 1
    has_ball_measure: ClassVar[bool] = True

    def __post_init__(self):
        object.__setattr__(self, "distances", _checked_distances(number_leaf(self.distances)))
        if self.weights is not None:
            object.__setattr__(self, "weights", _checked_weights(number_leaf(self.weights), np.shape(self.distances)))

    @classmethod
    def from_points(
        cls, points: Any, metric: str | Callable[[Any, Any], Any] = "euclidean", weights: Any = None
    ) -> "Finite":
        """The space of the rows of an array, with distances computed in float64 (by differences, not inner products).

        Args:
            points: (N, features), or (N,) for scalars; N up to a few thousand.
            metric: a name that `scipy.spatial.distance.pdist` knows ("euclidean", "cityblock", "chebyshev", "hamming",
                "cosine", ...), or a function of two broadcasting batches of points, as `MetricSpace.distance` is.
            weights: as in `Finite`.

        Raises:
            ValueError: fewer than 2 points, points not finite, metric unknown.

        Example:
            >>> from semres_jax import spaces
            >>> float(spaces.Finite.from_points([[0.0, 0.0], [3.0, 4.0]]).distance(0, 1))
            5.0
        """
        points = np.asarray(points)
        if points.dtype.kind in "biu" or points.dtype == np.float16:
            points = points.astype(np.float64)
        points = points[:, None] if points.ndim == 1 and isinstance(metric, str) else points
        if points.ndim == 0 or len(points) < 2:
            raise ValueError(f"points must be at least 2 rows, of shape (N, features); got shape {points.shape}")
        if points.dtype.kind != "f" or not np.isfinite(points).all():
            raise ValueError("points must be finite real numbers; got NaN, infinity or another kind of data")
        table = _named_distances(points, metric) if isinstance(metric, str) else _called_distances(points, metric)
        return cls(table, weights)

    @property
    def size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """N, the number of stimuli."""
        return np.shape(self.distances)[0]

    @property
    def label(self) -> str:
        return f"{self.name}({self.size})"

    @property
    def diameter(self) -> Any:
        table = concrete(self.distances)
        return jnp.max(self.distances) if table is None else float(np.max(table))

    @property
    def shells(self) -> Any:
        table = concrete(self.distances)
        return None if table is None else np.unique(table)

    def point(self, u: ArrayLike) -> Array:
        u = coordinates(self, u)[..., 0]
        if self.weights is None:
            return jnp.minimum((u * self.size).astype(jnp.int32), self.size - 1)
        index = jnp.searchsorted(cumulative(self.weights, u.dtype)[1:], u, side="right")
        return jnp.minimum(index, self.size - 1).astype(jnp.int32)

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        table = jnp.asarray(self.distances)
        # One flat gather; indices come from `point` or `distinct`, so they are in bounds (others are clipped).
        return jnp.take(table.ravel(), jnp.asarray(x) * self.size + jnp.asarray(y), mode="clip")

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        p, r = jnp.broadcast_arrays(jnp.asarray(p), real(r))
        inside = jnp.take(jnp.asarray(self.distances), p, axis=0, mode="clip") <= r[..., None]
        if self.weights is None:
            return jnp.sum(inside, axis=-1).astype(r.dtype) / self.size
        weights = jnp.asarray(self.weights, r.dtype).reshape((1,) * r.ndim + (-1,))
        return jnp.minimum(jnp.sum(jnp.where(inside, weights, 0.0), axis=-1), 1.0)

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        rows = jnp.take(jnp.asarray(self.distances), jnp.asarray(p), axis=0, mode="clip")
        return tuple(jnp.moveaxis(rows, -1, 0))


def _checked_distances(table: Any) -> Any:
    shape = np.shape(table)
    array = concrete(table)
    if array is None:
        return table
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 1:
        raise ValueError(f"distances must be a square table of shape (N, N), N >= 1; got shape {shape}")
    _refuse(~np.isfinite(array), array, "distances must be finite numbers")
    _refuse(array < 0, array, "distances must be at least 0")
    slack = _ROUNDING * array.max(initial=0.0)
    _refuse(np.diag(np.abs(np.diag(array)) > slack), array, "the distance of a point to itself must be 0")
    _refuse(np.abs(array - array.T) > slack, array, "distances must be symmetric", both=True)
    if np.diag(array).any() or (array != array.T).any():
        array = (array + array.T) / 2.0
        np.fill_diagonal(array, 0.0)
        return array
    return table


def _refuse(bad: np.ndarray, table: np.ndarray, what: str, *, both: bool = False) -> None:
    if bad.any():
        i, j = (int(k) for k in np.argwhere(bad)[0])
        opposite = f" but d({j}, {i}) = {table[j, i]:g}" if both else ""
        raise ValueError(f"{what}; got d({i}, {j}) = {table[i, j]:g}{opposite}")


def _checked_weights(weights: Any, shape: tuple[int, ...]) -> Any:
    array = concrete(weights)
    if array is None:
        return weights
    if array.shape != shape[:1]:
        raise ValueError(f"weights must have shape {shape[:1]}, one for each point; got {array.shape}")
    bad = ~(array >= 0) | ~np.isfinite(array)
    if bad.any():
        raise ValueError(f"weights must be at least 0; got weight {array[bad][0]:g} of point {int(np.argmax(bad))}")
    if abs(array.sum(dtype=np.float64) - 1.0) > _ROUNDING:
        raise ValueError(f"weights must sum to 1; got {array.sum(dtype=np.float64):g} (divide them by their sum)")
    return weights


def _named_distances(points: np.ndarray, metric: str) -> np.ndarray:
    from scipy.spatial.distance import pdist, squareform  # scipy comes with jax; 0.1 s to import

    try:
        condensed = pdist(points.astype(np.float64), metric)  # pyright: ignore[reportArgumentType, reportCallIssue]
    except ValueError as error:
        if "Unknown Distance Metric" not in str(error):
            raise
        raise ValueError(
            f"metric {metric!r} is unknown; use euclidean, cityblock, chebyshev, hamming, cosine, another name of "
            "scipy.spatial.distance, or a function of two batches of points"
        ) from None
    # Cosine distances of parallel vectors come out at -1e-16.
    return squareform(np.where(np.abs(condensed) < 1e-15, 0.0, condensed) if metric == "cosine" else condensed)


def _called_distances(points: np.ndarray, metric: Callable[[Any, Any], Any]) -> np.ndarray:
    with jax.enable_x64(True):
        everyone = jnp.asarray(points.astype(np.float64))[None]
        rows = [
            np.asarray(metric(jnp.swapaxes(everyone[:, start : start + _BLOCK], 0, 1), everyone))
            for start in range(0, len(points), _BLOCK)
        ]
    table = np.concatenate([np.atleast_2d(block) for block in rows]).astype(np.float64)
    if table.shape != (len(points), len(points)):
        raise ValueError(
            "metric must broadcast over batches of points, as MetricSpace.distance does; of shapes "
            f"{(len(points), 1, *points.shape[1:])} and {(1, *points.shape)} it made {table.shape}"
        )
    return table
