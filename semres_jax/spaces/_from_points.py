"""Tables of the distances between points that users bring."""

import contextlib
import difflib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import _memory
from semres_jax._checks import concrete

# Rows of the distance table that are handed to a callable metric at once.
_BLOCK = 256
# Names that scipy's pdist takes (it has no public list), and what others call them.
_METRICS = (
    "euclidean", "cityblock", "chebyshev", "hamming", "cosine", "correlation", "sqeuclidean", "minkowski", "seuclidean",
    "mahalanobis", "braycurtis", "canberra", "jensenshannon", "jaccard", "dice", "rogerstanimoto", "russellrao",
    "sokalsneath", "yule",
)  # fmt: skip
_OTHER_NAMES = {"manhattan": "cityblock", "l1": "cityblock", "l2": "euclidean", "linf": "chebyshev", "max": "chebyshev"}
_NO_METRIC = (
    "metric must be a function of two points, or broadcast over batches of them, as MetricSpace.distance does; "
    "of shapes {} and {} it made {}"
)


def checked(points: Any, metric: Any) -> np.ndarray:
    """Points in float64, of shape (N, features) where a metric has a name.

    Raises:
        ValueError: fewer than 2 points, not known, not finite or no real numbers; a metric that is neither.
    """
    known = concrete(points, "points")
    if known is None:
        raise ValueError("points must be known: their distances are found on the host (in jit, give distances)")
    points = known.astype(np.float64, copy=False)
    points = points[:, None] if points.ndim == 1 and isinstance(metric, str) else points
    if points.ndim == 0 or len(points) < 2 or (isinstance(metric, str) and points.ndim != 2):
        raise ValueError(f"points must be at least 2 rows, of shape (N, features); got shape {points.shape}")
    if not np.isfinite(points).all():
        row = int(np.argmin(np.isfinite(points).reshape(len(points), -1).all(1)))
        raise ValueError(f"points must be finite real numbers; row {row} has NaN or infinity")
    if not (isinstance(metric, str) or callable(metric)):
        raise ValueError(f"metric must be a name or a function of two batches of points; got {metric!r}")
    return points


def table(points: Any, metric: str | Callable[[Any, Any], Any]) -> np.ndarray:
    """(N, N) distances in float64 between the rows of an array, as `Finite.from_points` is asked for them."""
    points = checked(points, metric)
    _memory.require(16 * len(points) ** 2, f"the distances of {len(points)} points")
    distances = _by_name(points, metric) if isinstance(metric, str) else _by_call(points, metric)
    _require_values(distances, 0, metric)
    return distances


def rows(points: np.ndarray, metric: str | Callable[[Any, Any], Any], first: int, last: int) -> np.ndarray:
    """(last - first, N) of `table`, of points as `checked` leaves them."""
    distances = _rows_by_name(points, metric, first, last) if isinstance(metric, str) else _rows_by_call(
        points, metric, first, last)  # fmt: skip
    np.fill_diagonal(distances[:, first:last], 0.0)
    _require_values(distances, first, metric)
    return distances


def _require_values(distances: np.ndarray, first: int, metric: Any) -> None:
    """Raise `ValueError` where a distance is NaN; `first` is the number of the first row."""
    if not np.isnan(distances.sum()):
        return
    i, j = (int(k) for k in np.argwhere(np.isnan(distances))[0])
    whole = np.isnan(distances[i]).sum() >= distances.shape[1] - 1
    which = f"row {i + first} of the points" if whole else f"rows {i + first} and {j}"
    name = repr(metric) if isinstance(metric, str) else "a function"
    raise ValueError(f"metric {name} has no value for {which} (zeros, or equal numbers only?)")


def _by_name(points: np.ndarray, metric: str) -> np.ndarray:
    from scipy.spatial.distance import pdist, squareform  # scipy comes with jax; 0.1 s to import

    with _named(metric):
        condensed = pdist(points, metric)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return squareform(_parallel(condensed, metric))


def _rows_by_name(points: np.ndarray, metric: str, first: int, last: int) -> np.ndarray:
    from scipy.spatial.distance import cdist

    # What pdist takes from all points, and cdist would take from these rows, too.
    whole: dict[str, Any] = {}
    if metric == "seuclidean":
        whole = {"V": points.var(axis=0, ddof=1)}
    if metric == "mahalanobis":
        whole = {"VI": np.linalg.inv(np.atleast_2d(np.cov(points.T))).T}
    with _named(metric):
        distances = cdist(points[first:last], points, metric, **whole)  # pyright: ignore
    return _parallel(distances, metric)


def _parallel(distances: np.ndarray, metric: str) -> np.ndarray:
    """Cosine distances of parallel vectors come out at -1e-16."""
    return np.where(np.abs(distances) < 1e-15, 0.0, distances) if metric == "cosine" else distances


@contextlib.contextmanager
def _named(metric: str) -> Iterator[None]:
    """What scipy says of a metric, in our words."""
    try:
        with np.errstate(all="ignore"):
            yield
    except (ValueError, np.linalg.LinAlgError) as error:
        if "Unknown Distance Metric" not in str(error):
            raise ValueError(f"metric {metric!r}: {' '.join(str(error).split())}") from None
        near = _OTHER_NAMES.get(metric.lower()) or next(iter(difflib.get_close_matches(metric.lower(), _METRICS)), None)
        hint = f" (did you mean {near!r}?)" if near else ""
        raise ValueError(
            f"metric {metric!r} is unknown; use euclidean, cityblock, chebyshev, hamming, cosine, another name of "
            f"scipy.spatial.distance, or a function of two batches of points{hint}"
        ) from None


def _by_call(points: np.ndarray, metric: Callable[[Any, Any], Any]) -> np.ndarray:
    """By calls with batches that broadcast; of a metric that doesn't, by one call for each pair."""
    size, failure = (len(points), len(points)), None
    try:
        blocks = [_batch(points, metric, start, start + _BLOCK) for start in range(0, len(points), _BLOCK)]
        made = np.concatenate(blocks)
        if made.shape == size:
            return _numbers(made)
        failure = f"{made.shape}"
    except Exception as error:  # whatever a user's function raises
        failure = f"{type(error).__name__} ({' '.join(str(error).split())[:80]})"
    try:
        pairs = [[metric(x, y) for y in points[k + 1 :]] for k, x in enumerate(points[:-1])]
        single = np.array([number for row in pairs for number in row], np.float64)
    except Exception:  # the same
        single = np.zeros(0)
    if single.shape != (len(points) * (len(points) - 1) // 2,):
        raise ValueError(_NO_METRIC.format((len(points), 1, *points.shape[1:]), (1, *points.shape), failure))
    made = np.zeros(size)
    made[np.triu_indices(len(points), 1)] = single
    return made + made.T


def _batch(points: np.ndarray, metric: Callable[[Any, Any], Any], first: int, last: int) -> np.ndarray:
    """Rows by one call with batches."""
    with jax.enable_x64(True):
        everyone = jnp.asarray(points)[None]
        return np.atleast_2d(np.asarray(metric(jnp.swapaxes(everyone[:, first:last], 0, 1), everyone)))


def _rows_by_call(points: np.ndarray, metric: Callable[[Any, Any], Any], first: int, last: int) -> np.ndarray:
    """By a call with batches that broadcast; of a metric that doesn't, by one call for each pair."""
    shape, failure = (last - first, len(points)), None
    try:
        made = _batch(points, metric, first, last)
        if made.shape == shape:
            return np.array(_numbers(made))
        failure = f"{made.shape}"
    except Exception as error:  # whatever a user's function raises
        failure = f"{type(error).__name__} ({' '.join(str(error).split())[:80]})"
    try:
        return np.array([[metric(x, y) for y in points] for x in points[first:last]], np.float64).reshape(shape)
    except Exception:  # the same
        raise ValueError(_NO_METRIC.format((len(points), 1, *points.shape[1:]), (1, *points.shape), failure)) from None


def _numbers(made: np.ndarray) -> np.ndarray:
    known = concrete(made, "what metric gives")
    assert known is not None
    return known.astype(np.float64)
