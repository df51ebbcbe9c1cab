"""A geometry for stimuli that have none but what people say: non-metric multidimensional scaling."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from semres_jax._random import generator
from semres_jax.measure.people._judgements import Judgements

# Starts, beside that of classical scaling, of which the one with the least stress is kept; and steps of each.
_STARTS, _STEPS = 4, 400


class Recovered(NamedTuple):
    """A recovered geometry.

    Attributes:
        points: (N, dimensions).
        distances: (N, N) Euclidean distances of these.
        stress: Kruskal's stress-1, from 0 (the order of all similarities is that of the distances).
    """

    points: np.ndarray
    distances: np.ndarray
    stress: float


def recovered(given: Judgements, dimensions: int, key: Any) -> Recovered:
    """Points whose distances order pairs of stimuli as closely as can be as people do (Kruskal 1964).

    Entries of both orders are brought together as the field does: confusions by Shepard's √(p_ij p_ji / (p_ii p_jj)),
    others by their mean. Ranks alone count; ties may not be broken.

    Raises:
        ValueError: scikit-learn is missing; as many dimensions as stimuli.
    """
    try:
        from sklearn.manifold import smacof
    except ImportError:
        raise ValueError(
            "without distances the geometry is recovered by scikit-learn, which is missing: pip install scikit-learn "
            "(or give distances)"
        ) from None
    from scipy.spatial.distance import pdist, squareform
    from scipy.stats import rankdata

    size = len(given.strengths)
    if not 1 <= dimensions < size:
        raise ValueError(f"dimensions must be from 1 to {size - 1}, fewer than the stimuli; got {dimensions}")
    upper, ranks = np.triu_indices(size, 1), np.zeros((size, size))
    ranks[upper] = rankdata(-alike(given)[upper])
    ranks += ranks.T
    rng = generator(key, 1)
    starts = [_classical(ranks, dimensions), *(rng.normal(size=(size, dimensions)) for _ in range(_STARTS))]
    settings: Any = {"metric": False, "n_components": dimensions, "n_init": 1, "normalized_stress": True}
    settings |= {"max_iter": _STEPS, "eps": 1e-7}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an explicit start is one start
        made: list[Any] = [smacof(ranks, init=start, **settings) for start in starts]
    points, stress = min(((points, float(stress)) for points, stress in made), key=lambda pair: pair[1])
    points = points - points.mean(0)
    points = points @ np.linalg.svd(points)[2].T  # along the axes of most variance
    apart = squareform(pdist(points))
    return Recovered(points / apart.max(), apart / apart.max(), stress)


def alike(given: Judgements) -> np.ndarray:
    """(N, N) symmetric similarities whose order the geometry keeps."""
    table = given.strengths
    if given.kind == "confusion":
        own = np.diagonal(table)
        return np.sqrt(table * table.T / (own[:, None] * own[None]))
    return (table + table.T) / 2


def _classical(ranks: np.ndarray, dimensions: int) -> np.ndarray:
    """Classical scaling of the ranks, which is where the search begins."""
    centre = np.eye(len(ranks)) - 1 / len(ranks)
    values, vectors = np.linalg.eigh(-centre @ ranks**2 @ centre / 2)
    top = np.argsort(values)[::-1][:dimensions]
    return vectors[:, top] * np.sqrt(np.maximum(values[top], 1e-12))
