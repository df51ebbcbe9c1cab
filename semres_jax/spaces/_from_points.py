"""Tables of the distances between points that users bring."""

import difflib
from collections.abc import Callable
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


def table(points: Any, metric: str | Callable[[Any, Any], Any]) -> np.ndarray:
    """(N, N) distances in float64 between the rows of an array, as `Finite.from_points` is asked for them."""
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
    _memory.require(16 * len(points) ** 2, f"the distances of {len(points)} points")
    distances = _by_name(points, metric) if isinstance(metric, str) else _by_call(points, metric)
    if np.isnan(distances).any():
        i, j = (int(k) for k in np.argwhere(np.isnan(distances))[0])
        which = f"row {i} of the points" if np.isnan(distances[i]).sum() >= len(points) - 1 else f"rows {i} and {j}"
        name = repr(metric) if isinstance(metric, str) else "a function"
        raise ValueError(f"metric {name} has no value for {which} (zeros, or equal numbers only?)")
    return distances


def _by_name(points: np.ndarray, metric: str) -> np.ndarray:
    from scipy.spatial.distance import pdist, squareform  # scipy comes with jax; 0.1 s to import

    try:
        with np.errstate(all="ignore"):
            condensed = pdist(points, metric)  # pyright: ignore[reportArgumentType, reportCallIssue]
    except (ValueError, np.linalg.LinAlgError) as error:
        if "Unknown Distance Metric" not in str(error):
            raise ValueError(f"metric {metric!r}: {' '.join(str(error).split())}") from None
        near = _OTHER_NAMES.get(metric.lower()) or next(iter(difflib.get_close_matches(metric.lower(), _METRICS)), None)
        hint = f" (did you mean {near!r}?)" if near else ""
        raise ValueError(
            f"metric {metric!r} is unknown; use euclidean, cityblock, chebyshev, hamming, cosine, another name of "
            f"scipy.spatial.distance, or a function of two batches of points{hint}"
        ) from None
    # Cosine distances of parallel vectors come out at -1e-16.
    return squareform(np.where(np.abs(condensed) < 1e-15, 0.0, condensed) if metric == "cosine" else condensed)


def _by_call(points: np.ndarray, metric: Callable[[Any, Any], Any]) -> np.ndarray:
    """By calls with batches that broadcast; of a metric that doesn't, by one call for each pair."""
    size, failure = (len(points), len(points)), None
    try:
        with jax.enable_x64(True):
            everyone = jnp.asarray(points)[None]
            rows = [
                np.asarray(metric(jnp.swapaxes(everyone[:, start : start + _BLOCK], 0, 1), everyone))
                for start in range(0, len(points), _BLOCK)
            ]
        made = np.concatenate([np.atleast_2d(block) for block in rows])
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
        raise ValueError(
            "metric must be a function of two points, or broadcast over batches of them, as MetricSpace.distance does; "
            f"of shapes {(len(points), 1, *points.shape[1:])} and {(1, *points.shape)} it made {failure}"
        )
    made = np.zeros(size)
    made[np.triu_indices(len(points), 1)] = single
    return made + made.T


def _numbers(made: np.ndarray) -> np.ndarray:
    known = concrete(made, "what metric gives")
    assert known is not None
    return known.astype(np.float64)
