"""Non-dominated pairs of accuracies, and how far a measured pair lies from a front."""

from typing import Any, NamedTuple

import numpy as np

from semres_jax._checks import concrete, require
from semres_jax._types import ArrayLike


class Distance(NamedTuple):
    """Signed distances from a front, with standard errors.

    Attributes:
        distance: in units of probability; positive beyond the front, negative below it.
        stderr: of the distance, from those of the measured accuracies along the way to the front.
        p_s, p_i: the nearest point of the front.
    """

    distance: Any
    stderr: Any
    p_s: Any
    p_i: Any


def pareto(p_s: ArrayLike, p_i: ArrayLike) -> np.ndarray:
    """Which pairs are not dominated: no other is at least as good in both accuracies and better in one.

    Args:
        p_s, p_i: accuracies in [0, 1], of one shape. NaN is dominated.

    Returns:
        Booleans of that shape; of equal pairs all or none.

    Raises:
        ValueError: shapes differ, or a value is outside [0, 1].

    Example:
        >>> from semres_jax import frontier
        >>> frontier.pareto([0.5, 0.75, 0.7, 0.6], [1.0, 0.75, 0.6, 0.9]).tolist()
        [True, True, False, True]
    """
    p_s, p_i = _pairs(p_s, p_i)
    s, i = p_s.ravel(), p_i.ravel()
    order = np.lexsort((-s, -i))  # by p_I downward, then p_S downward; NaN comes last
    best, chosen = -np.inf, np.zeros(s.size, bool)
    at = (np.nan, np.nan)
    for k in order:
        # Going down in p_I, a pair must raise p_S, or be the last chosen once more.
        if s[k] > best or (s[k], i[k]) == at:
            best, at, chosen[k] = s[k], (s[k], i[k]), not np.isnan(i[k])
    return chosen.reshape(p_s.shape)


def distance(
    p_s: ArrayLike, p_i: ArrayLike, front: Any, *, p_s_stderr: ArrayLike = 0.0, p_i_stderr: ArrayLike = 0.0
) -> Distance:
    """Signed Euclidean distance in the (p_I, p_S) plane of measured pairs from a front, with standard errors.

    The front bounds what is attainable: its non-dominated pairs joined by straight lines, and everything that is no
    better in both accuracies than a point of these. A pair inside has a negative distance, a pair beyond a positive
    one. With the direction u to the nearest point of the front the standard error is
    sqrt(u_s² stderr_s² + u_i² stderr_i²), for a pair on the front with u across it.

    Args:
        p_s, p_i: measured accuracies in [0, 1], broadcasting. NaN gives NaN.
        front: what has p_s and p_i along one axis, as an `Accuracy`, an `Estimate`, a dataset of `sweep` at one space,
            similarity, delta and n; or several that have one of each, as `optimal_front` gives them.
        p_s_stderr, p_i_stderr: standard errors, at least 0, broadcasting.

    Returns:
        `Distance`, of the broadcast shape.

    Raises:
        ValueError: accuracies outside [0, 1], errors negative, a front that is no curve or has no finite point.

    Example:
        >>> import numpy as np
        >>> from semres_jax import frontier, laws
        >>> front = laws.constant(np.linspace(0, 1, 1001))
        >>> pairs = frontier.distance([0.7, 0.8], [0.75, 0.75], front, p_s_stderr=0.01, p_i_stderr=0.01)
        >>> pairs.distance.round(3).tolist(), pairs.stderr.round(3).tolist()
        ([-0.05, 0.05], [0.01, 0.01])
        >>> front = frontier.optimal_front(0.1, weights=[0.5, 1.0], levels=33)
        >>> abs(float(frontier.distance(*front[1].accuracy, front).distance))
        0.0
    """
    p_s, p_i = _pairs(p_s, p_i, same=False)
    errors = []
    for name, value in (("p_s_stderr", p_s_stderr), ("p_i_stderr", p_i_stderr)):
        errors.append(np.asarray(value, np.float64))
        require(name, errors[-1][~np.isnan(errors[-1])], 0.0, np.inf, "a standard error, at least 0")
    p_s, p_i, *errors = np.broadcast_arrays(p_s, p_i, *errors)
    several = not hasattr(front, "p_s")
    points = [getattr(point, "accuracy", point) for point in front] if several else []
    curve = [[getattr(point, name) for point in points] if several else getattr(front, name) for name in ("p_s", "p_i")]
    front_s, front_i = _pairs(np.asarray(curve[0]), np.asarray(curve[1]))
    if front_s.ndim != 1:
        raise ValueError(
            f"front must be one curve, p_s and p_i along one axis; got shape {front_s.shape} (select a space, a "
            "similarity, a delta and an n)"
        )
    best = pareto(front_s, front_i)
    if not best.any():
        raise ValueError("front has no finite point")
    corners = np.unique(np.stack([front_i[best], front_s[best]], axis=-1), axis=0)  # p_I upward, so p_S downward
    # Less in one accuracy than an end of the front is attainable too.
    corners = np.concatenate([[[-1.0, corners[0, 1]]], corners, [[corners[-1, 0], -1.0]]])
    start, step = corners[:-1], np.diff(corners, axis=0)
    point = np.stack([p_i.ravel(), p_s.ravel()], axis=-1)
    length = np.maximum((step**2).sum(-1), np.finfo(float).tiny)
    along = np.clip(((point[:, None] - start[None]) * step[None]).sum(-1) / length[None], 0.0, 1.0)
    feet = start[None] + along[..., None] * step[None]
    gaps = np.linalg.norm(point[:, None] - feet, axis=-1)
    nearest = gaps.argmin(1)
    rows = np.arange(len(point))
    foot, gap = feet[rows, nearest], gaps[rows, nearest]
    attainable = np.interp(point[:, 0], corners[1:-1, 0], corners[1:-1, 1], right=-np.inf)  # the highest p_S at its p_I
    sign = np.where(point[:, 1] > attainable, 1.0, -1.0)
    across = np.stack([-step[nearest, 1], step[nearest, 0]], axis=-1) / np.sqrt(length[nearest])[:, None]
    direction = np.where((gap > 1e-12)[:, None], (point - foot) / np.maximum(gap, 1e-300)[:, None], across)
    stderr = np.hypot(direction[:, 0] * errors[1].ravel(), direction[:, 1] * errors[0].ravel())
    known = np.isfinite(point).all(-1)
    fields = (np.where(known, sign * gap, np.nan), np.where(known, stderr, np.nan), foot[:, 1], foot[:, 0])
    return Distance(*(np.asarray(x).reshape(p_s.shape)[()] for x in fields))


def _pairs(p_s: Any, p_i: Any, same: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 arrays of one shape."""
    arrays = []
    for name, value in (("p_s", p_s), ("p_i", p_i)):
        known = concrete(value, name)
        if known is None:
            raise ValueError(f"{name} must be numbers; got {value!r}")
        require(name, known[~np.isnan(known)], 0.0, 1.0, "an accuracy between 0 and 1")
        arrays.append(np.asarray(known, np.float64))
    if same and arrays[0].shape != arrays[1].shape:
        raise ValueError(f"p_s and p_i must have one shape; got {arrays[0].shape} and {arrays[1].shape}")
    p_s, p_i = np.broadcast_arrays(*arrays)
    return p_s, p_i
