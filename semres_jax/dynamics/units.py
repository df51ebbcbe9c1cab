"""Units as a graph: which vary together, whether they fall into communities, and whether that says who grows."""

from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from semres_jax._checks import require_count
from semres_jax._random import generator
from semres_jax.dynamics.trajectories import FEWEST, checked

# Pairs a unit that become edges, on average.
_EDGES_A_UNIT = 10


class Communities(NamedTuple):
    """Communities of units at one boundary.

    Attributes:
        labels: (D,) community of each unit, from 0, the largest first.
        modularity: of that partition, from -1/2 to 1.
        boundary_share: (D,) share of a unit's edges that leave its community; NaN without edges.
        agreement: normalised mutual information with partitions from other seeds, mean; 1: the same.
        edges: how many there are.
    """

    labels: np.ndarray
    modularity: float
    boundary_share: np.ndarray
    agreement: float
    edges: int


class Coupling(NamedTuple):
    """Rank correlations over units with how much they grow, ln of their spread at a later boundary over that now.

    Attributes:
        boundary_share: with the share of a unit's edges that leave its community.
        degree: with its number of edges.
        spread: with its spread over texts now.
        p_boundary_share, p_degree, p_spread: p-values over units, which are not independent: read with care.
    """

    boundary_share: float
    degree: float
    spread: float
    p_boundary_share: float
    p_degree: float
    p_spread: float


def communities(
    states: Any, boundary: int, *, edges: int | None = None, signed: bool = False, seeds: int = 3, key: Any = None
) -> Communities:
    """Communities of units that vary together over texts (Louvain's method, by networkx).

    Edges join the pairs of units whose correlation over texts is largest: in absolute value, or as it is (`signed`).

    Args:
        states: (B, N, D), as `boundaries` gives them.
        boundary: whose units are joined.
        edges: how many; None: 10 for each unit.
        signed: whether units that vary against each other are not joined.
        seeds: partitions from as many seeds are compared; the first is told.
        key: of the seeds.

    Raises:
        ValueError: a boundary that there isn't, fewer edges than 1 or more than pairs.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> two = np.random.default_rng(0).normal(size=(1, 300, 2))
        >>> states = np.repeat(two, 8, axis=2) + 0.5 * np.random.default_rng(1).normal(size=(1, 300, 16))
        >>> made = dynamics.communities(states, 0, edges=40)
        >>> made.labels.tolist() == [made.labels[0]] * 8 + [made.labels[8]] * 8, made.agreement
        (True, 1.0)
    """
    import networkx  # takes a tenth of a second, which nothing else needs

    x = checked(states, boundaries=1)
    if require_count("boundary", boundary, 0) >= len(x):
        raise ValueError(f"boundary must be from 0 to {len(x) - 1}; got {boundary}")
    require_count("seeds", seeds, 1)
    size = x.shape[-1]
    joined = _edges(x[boundary], edges, signed)
    graph = networkx.Graph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from(joined.tolist())
    drawn = generator(key).integers(0, 2**31, seeds)
    parts = [networkx.community.louvain_communities(graph, seed=int(seed)) for seed in drawn]
    labels = [_labels(part, size) for part in parts]
    leaves = labels[0][joined[:, 0]] != labels[0][joined[:, 1]]
    degree, outward = (np.bincount(joined.ravel(), np.repeat(w, 2), size) for w in (np.ones(len(joined)), leaves))
    share = np.divide(outward, degree, out=np.full(size, np.nan), where=degree > 0)
    agreement = float(np.mean([_agreement(labels[0], other) for other in labels[1:]])) if seeds > 1 else 1.0
    return Communities(labels[0], float(networkx.community.modularity(graph, parts[0])), share, agreement, len(joined))


def coupling(states: Any, boundary: int, later: int, made: Communities, *, edges: int | None = None) -> Coupling:
    """Whether a unit's place in the graph says how much it grows from a boundary to a later one.

    Args:
        states: (B, N, D).
        boundary, later: growth is ln of the unit's standard deviation over texts at the latter over the former.
        made: communities at the former.
        edges: as they were made with.

    Raises:
        ValueError: boundaries that there aren't, or not in that order.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> states = np.random.default_rng(0).normal(size=(2, 60, 30)) * np.arange(1, 31)
        >>> states[1] = np.random.default_rng(1).normal(size=(60, 30))  # all alike: large ones shrink
        >>> made = dynamics.communities(states, 0, edges=60)
        >>> bool(dynamics.coupling(states, 0, 1, made, edges=60).spread < -0.9)
        True
    """
    x = checked(states)
    if not 0 <= boundary < later < len(x):
        raise ValueError(f"boundaries must be in order, from 0 to {len(x) - 1}; got {boundary} and {later}")
    now, then = (x[b].std(0) for b in (boundary, later))
    size = x.shape[-1]
    degree = np.bincount(_edges(x[boundary], edges, False).ravel(), minlength=size)
    there = (now > 0) & (then > 0)
    growth = np.log(then[there] / now[there])
    rows = []
    for values in (made.boundary_share, degree.astype(float), now):
        known = np.isfinite(values[there])
        few = known.sum() < FEWEST or np.ptp(values[there][known]) == 0
        result: Any = (np.nan, np.nan) if few else scipy.stats.spearmanr(values[there][known], growth[known])
        rows.append((float(result[0]), float(result[1])))
    return Coupling(*(rho for rho, _ in rows), *(p for _, p in rows))


def _edges(x: np.ndarray, edges: int | None, signed: bool) -> np.ndarray:
    """(K, 2) pairs of units with the largest correlations over texts (N, D); constant units have none."""
    size = x.shape[1]
    first, second = np.triu_indices(size, 1)
    count = min(_EDGES_A_UNIT * size, len(first)) if edges is None else require_count("edges", edges, 1)
    if count > len(first):
        raise ValueError(f"edges must be at most {len(first)}, one a pair of {size} units; got {count}")
    centred = x - x.mean(0, keepdims=True)
    length = np.linalg.norm(centred, axis=0)
    unit = np.divide(centred, length[None], out=np.zeros(centred.shape), where=length[None] > 0)
    r = (unit.T @ unit)[first, second]
    chosen = np.argsort(-(r if signed else abs(r)), kind="stable")[:count]
    return np.stack([first[chosen], second[chosen]], axis=1)


def _labels(parts: Any, size: int) -> np.ndarray:
    labels = np.zeros(size, int)
    for number, part in enumerate(sorted(parts, key=lambda part: (-len(part), min(part)))):
        labels[list(part)] = number
    return labels


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Normalised mutual information 2 I / (H + H'); 1 where both have one community."""
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1 / len(first))
    entropies = [scipy.stats.entropy(table.sum(axis)) for axis in (1, 0)]
    total = sum(entropies)
    shared = total - scipy.stats.entropy(table.ravel())
    return float(2 * shared / total) if total > 0 else 1.0
