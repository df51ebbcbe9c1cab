"""Finitely many stimuli with a table of distances."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete
from semres_jax._types import Array, ArrayLike
from semres_jax.spaces import _from_points, _tables
from semres_jax.spaces.base import MetricSpace, coordinates, cumulative, real, space, static


class Stimuli(MetricSpace):
    """What finite spaces share: points are int32 indices, drawn with probabilities `weights`."""

    discrete: ClassVar[bool] = True
    uniforms: ClassVar[Any] = 1
    has_ball_measure: ClassVar[bool] = True
    smooth_balls: ClassVar[bool] = True

    @property
    def label(self) -> str:
        return f"{self.name}({self.size})"

    def point(self, u: ArrayLike) -> Array:
        size: Any = self.size
        u = coordinates(self, u)[..., 0]
        if self.weights is None:
            return jnp.minimum((u * size).astype(jnp.int32), size - 1)
        index = jnp.searchsorted(cumulative(self.weights, u.dtype)[1:], u, side="right")
        return jnp.minimum(index, size - 1).astype(jnp.int32)

    def _mass(self, inside: Array, dtype: Any) -> Array:
        """Probability of the stimuli along the last axis that are inside."""
        if self.weights is None:
            return jnp.sum(inside, axis=-1).astype(dtype) / inside.shape[-1]
        weights = jnp.asarray(self.weights, dtype).reshape((1,) * (inside.ndim - 1) + (-1,))
        return jnp.minimum(jnp.sum(jnp.where(inside, weights, 0.0), axis=-1), 1.0)


@space
class Finite(Stimuli):
    """N stimuli with distances d(i, j) in a table, drawn with probabilities `weights`. Points are int32 indices.

    Heterogeneous: b_i(r) is the weight of {j : d(i, j) <= r}, i itself included, compared exactly. Asymmetry, diagonal
    and negative distances of at most 1e-6 of the largest distance are taken for rounding and removed, with what is no
    larger than the rounding that shows there; the triangle inequality (N³ comparisons) isn't checked.

    Args:
        distances: (N, N), symmetric, >= 0, 0 on the diagonal, in the user's own unit: an array, a pandas.DataFrame, an
            xarray.DataArray; or the N (N - 1) / 2 numbers of `scipy.spatial.distance.pdist`.
        weights: (N,) probabilities summing to 1; None: all 1/N. A pandas.Series is put in order by its names.
        labels: N different names of the stimuli; by default those of the rows and columns of a labelled table. Columns
            in another order than the rows are put in theirs.

    Raises:
        ValueError: distances not square, not symmetric, negative, NaN or infinite, diagonal not 0 (the first offending
            entry is named), not real numbers; weights of another length, negative, or not summing to 1; labels missing
            or twice, other names of rows than of columns.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(b), 4) for b in line.ball_measure(np.array([0, 1]), 1.0)]
        [0.6667, 1.0]
    """

    distances: Any = dataclasses.field()
    weights: Any = None
    labels: Any = static(default=())
    name: ClassVar[str] = "finite"

    def __post_init__(self):
        table, labels = _tables.checked(self.distances, self.labels)
        object.__setattr__(self, "distances", table)
        object.__setattr__(self, "labels", labels)
        if self.weights is not None:
            object.__setattr__(self, "weights", _tables.checked_weights(self.weights, table, labels))

    @classmethod
    def from_points(
        cls,
        points: Any,
        metric: str | Callable[[Any, Any], Any] = "euclidean",
        weights: Any = None,
        labels: Any = (),
    ) -> "Finite":
        """The space of the rows of an array, with distances computed in float64 (by differences, not inner products).

        Args:
            points: (N, features), or (N,) for scalars; N up to a few thousand (`spaces.Points` takes more). The
                names of the rows of a pandas.DataFrame or an xarray.DataArray become labels.
            metric: a name that `scipy.spatial.distance.pdist` knows ("euclidean", "cityblock", "chebyshev", "hamming",
                "cosine", ...), or a function: of two broadcasting batches of points, as `MetricSpace.distance` is, or
                of two points, as those of `scipy.spatial.distance` are.
            weights, labels: as in `Finite`.

        Raises:
            ValueError: fewer than 2 points, points not finite or no real numbers, metric unknown or without a value.

        Example:
            >>> from semres_jax import spaces
            >>> float(spaces.Finite.from_points([[0.0, 0.0], [3.0, 4.0]]).distance(0, 1))
            5.0
        """
        names = _tables.named(points, labels)
        return cls(_from_points.table(points, metric), weights, names)

    @property
    def size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """N, the number of stimuli."""
        return np.shape(self.distances)[0]

    @property
    def diameter(self) -> Any:
        table = concrete(self.distances)
        return jnp.max(self.distances) if table is None else float(np.max(table))

    @property
    def shells(self) -> Any:
        table = concrete(self.distances)
        return None if table is None else np.unique(table)

    def distance(self, x: ArrayLike, y: ArrayLike) -> Array:
        table = jnp.asarray(self.distances)
        # One flat gather; indices come from `point` or `distinct`, so they are in bounds (others are clipped).
        return jnp.take(table.ravel(), jnp.asarray(x) * self.size + jnp.asarray(y), mode="clip")

    def ball_measure(self, p: ArrayLike, r: ArrayLike) -> Array:
        p, r = jnp.broadcast_arrays(jnp.asarray(p), real(r))
        inside = jnp.take(jnp.asarray(self.distances), p, axis=0, mode="clip") <= r[..., None]
        return self._mass(inside, r.dtype)

    def radius_kinks(self, p: ArrayLike) -> tuple[Array, ...]:
        rows = jnp.take(jnp.asarray(self.distances), jnp.asarray(p), axis=0, mode="clip")
        return tuple(jnp.moveaxis(rows, -1, 0))
