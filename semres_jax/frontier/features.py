"""What a single similarity can do for several features at once, exactly: the bound that separate slots may pass."""

from collections.abc import Sequence

import numpy as np

from semres_jax._checks import require
from semres_jax._types import Accuracy
from semres_jax.laws import tables
from semres_jax.spaces.base import MetricSpace


def shared_front(features: Sequence[MetricSpace], *, delta: float = 0.0) -> Accuracy:
    """The front of all similarities with two values that decide every feature and identify the whole, n = 2 items.

    Each probe p has a ball B_p of items with strength 1 (itself among them); others have the floor Δ. B_p is any set:
    of any distance, of any size, other ones for other probes. Credit for feature s goes to the item that is nearer in s
    (ties share), and p_S is its mean over features. With c_ij the mean over features of 1/2 where i is nearer to p than
    j, of -1/2 where it is farther, and of 0 where they tie,

        p_S = 1/2 + (1 - Δ)/(1 + Δ) <Σ_{i in B, j not in B} c_ij> / C(N - 1, 2),
        p_I = k/2 + (1 - k)/(1 + Δ),  k the mean share of the others in a ball.

    c is antisymmetric, so the sum is Σ_{i in B} a_i with a_i = Σ_j c_ij, how often i is nearer than others less how
    often it is farther: the best balls for any k are those of the pairs (p, i) with the largest a, Borda's count of
    ranks. No similarity of two values lies beyond this front, whatever it has learned. Source: new, of this project.

    Args:
        features: finite spaces of the same N equally likely stimuli, distances in one feature each; 0 between different
            stimuli that share its value.
        delta: floor Δ, from 0 to below 1.

    Returns:
        Accuracy of shape (K,): from empty balls (p_I best) to those of the best p_S, pair by pair.

    Raises:
        ValueError: no features; no tables of distances, or of different sizes; fewer than 3 stimuli; Δ out of range.

    Example:
        >>> from semres_jax import Constant, accuracy, frontier, spaces
        >>> ring = spaces.grid(spaces.get("circle"), 20)
        >>> front = frontier.shared_front([ring])  # of one feature the best constant similarity
        >>> round(float(front.p_s.max()), 4), round(float(accuracy(ring, Constant(0.25)).p_s), 4)
        (0.7632, 0.7632)
    """
    require("delta", delta, 0.0, 1 - 1e-12, "a floor from 0 to below 1")
    d = _distances(features)
    size = d.shape[1]
    farther = np.sort(d, axis=2)
    lead = np.zeros((size, size))
    for own, ordered in zip(d, farther, strict=True):
        for p in range(size):
            less, more = (np.searchsorted(ordered[p], own[p], side=side) for side in ("left", "right"))
            # The probe is no item: it counts as nearer than others, but where these are at distance 0.
            lead[p] += (size - more) - (less - (own[p] > 0))
    others = ~np.eye(size, dtype=bool)
    gains = np.sort(lead[others])[::-1] / (2 * len(d))
    gains = gains[gains > 0]
    share = np.arange(len(gains) + 1) / (size * (size - 1))
    pairs = size * (size - 1) * (size - 2) / 2
    p_s = 0.5 + (1 - delta) / (1 + delta) * np.concatenate([[0.0], np.cumsum(gains)]) / pairs
    return Accuracy(p_s, share / 2 + (1 - share) / (1 + delta))


def shared_most(features: Sequence[MetricSpace]) -> float:
    """Largest mean p_S over features, n = 2, that any single similarity has at all: graded, without a floor, unbounded.

    A trial (p, i, j) gives at most 1/2 + |c_ij|, c as in `shared_front`: where features disagree, what is right for one
    is wrong for another. Of two features the bound is attained, as a limit. Source: new, of this project.

    Args and errors as `shared_front`.

    Example:
        >>> import numpy as np
        >>> from semres_jax import frontier, spaces
        >>> ring, every = np.asarray(spaces.grid(spaces.get("circle"), 16).distances), np.ones((16, 16))
        >>> two = [spaces.Finite(np.kron(ring, every)), spaces.Finite(np.kron(every, ring))]
        >>> round(frontier.shared_most(two), 3)  # 3/4 of continuous features, less what ties take
        0.746
    """
    d = _distances(features)
    size, total = d.shape[1], 0.0
    for p in range(size):
        own = np.delete(d[:, p], p, axis=1)
        total += float(np.abs(np.sign(own[:, None] - own[:, :, None]).sum(0)).sum())
    return 0.5 + total / (2 * len(d)) / (size * (size - 1) * (size - 2))


def _distances(features: Sequence[MetricSpace]) -> np.ndarray:
    """(S, N, N) distances in each feature."""
    if not len(features):
        raise ValueError("features must be one or more finite spaces; got none")
    for space in features:
        tables.ranking(space)  # refuses what has no table of distances, or unequal weights
        space.require_distinct(2)
    d = [np.asarray(space.distances, np.float64) for space in features]
    sizes = sorted({len(table) for table in d})
    if len(sizes) > 1:
        raise ValueError(f"features must be of the same stimuli; got spaces of {', '.join(map(str, sizes))}")
    return np.stack(d)
