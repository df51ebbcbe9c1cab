"""The mean path along depth in few dimensions: how much of it a line or a plane holds, beside a random walk.

Walks in many dimensions have principal axes that look like curves: of the variance of a walk of many steps, the first
axis holds 6 / π² and the k-th 1 / k² of that (Antognini and Sohl-Dickstein 2018), whatever moves it.
"""

from typing import Any, NamedTuple

import numpy as np

from semres_jax._random import generator
from semres_jax.dynamics.trajectories import checked


class Path(NamedTuple):
    """Principal axes of a mean path.

    Attributes:
        points: (B, K) places of the boundaries along the first axes.
        shares: (K,) of the variance over depth, the largest first.
        walk: (K,) the same of random walks with steps of the same lengths, mean over walks.
        walk_sd: (K,) their standard deviation over walks.
        walk_points: (B, K) places of the first of these walks along its own axes.
    """

    points: np.ndarray
    shares: np.ndarray
    walk: np.ndarray
    walk_sd: np.ndarray
    walk_points: np.ndarray


def paths(states: Any, *, axes: int = 3, walks: int = 20, key: Any = None) -> Path:
    """The mean path of texts on its principal axes, and those of random walks with as long steps.

    Args:
        states: (B, N, D), as `boundaries` gives them.
        axes: K, at most B - 1 and D.
        walks: how many are drawn.
        key: of the walks.

    Raises:
        ValueError: fewer than 3 texts or axes + 1 boundaries, states that are not finite.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> line = np.arange(6.0)[:, None, None] * np.ones((1, 3, 40))
        >>> result = dynamics.paths(line, axes=2)
        >>> result.shares.round(6).tolist(), bool(result.walk[0] < 0.9)
        ([1.0, 0.0], True)
    """
    x = checked(states, boundaries=axes + 1).mean(1)
    lengths = np.linalg.norm(np.diff(x, axis=0), axis=-1)
    points, shares = _principal(x, axes)
    rng, drawn = generator(key), []
    for _ in range(walks):
        steps = rng.standard_normal((len(lengths), x.shape[1]))
        steps *= (lengths / np.linalg.norm(steps, axis=1))[:, None]
        drawn.append(_principal(np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(steps, 0)]), axes))
    of_walks = np.array([share for _, share in drawn])
    return Path(points, shares, of_walks.mean(0), of_walks.std(0, ddof=1), drawn[0][0])


def _principal(x: np.ndarray, axes: int) -> tuple[np.ndarray, np.ndarray]:
    """(B, K) places and (K,) shares of the variance, by the (B, B) inner products."""
    centred = x - x.mean(0, keepdims=True)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    total = values.sum()
    shares = values[:axes] / total if total > 0 else np.full(axes, np.nan)
    return vectors[:, :axes] * np.sqrt(values[:axes])[None], shares
