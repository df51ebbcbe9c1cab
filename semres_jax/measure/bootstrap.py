"""Intervals over runs and exemplars: both are drawn again, exemplars by their first-order influence."""

from typing import NamedTuple

import numpy as np

from semres_jax._checks import require_count

LEVEL = 0.95
# Replicates whose weights of exemplars are made at once.
_BLOCK = 250


class Interval(NamedTuple):
    """A mean and its interval, from the quantiles (1 - LEVEL) / 2 and (1 + LEVEL) / 2 of the replicates."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def interval(replicates: np.ndarray, value: np.ndarray) -> Interval:
    """The 95 % interval of (replicates, ...) around (...) values."""
    low, high = np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Interval(np.asarray(value), low, high)


def replicates(
    values: np.ndarray, slopes: np.ndarray, labels: np.ndarray, *, count: int = 1000, seed: int = 0
) -> np.ndarray:
    """Means over runs as they would be with other runs and other exemplars.

    In each replicate R runs are drawn from the R that there are, and from each class as many exemplars as it has, the
    same ones for all runs and conditions; exemplars move a run's value by (w - 1) · slope, w how often each was drawn
    (the first order of a bootstrap; the second is 1/N smaller). Deviations of runs from their mean are stretched by
    √(R / (R - 1)), as R drawn from R have too small a variance. One run: exemplars only.

    Args:
        values: (conditions, R, ...).
        slopes: (conditions, R, N, ...) changes of values per weight of an exemplar, from `measure.levels`.
        labels: (N,) class of each exemplar.
        count: of replicates.
        seed: of the random numbers.

    Returns:
        (count, conditions, ...) means over runs.

    Example:
        >>> import numpy as np
        >>> from semres_jax.measure import bootstrap
        >>> slopes = np.array([0.1, -0.1, 0.2, -0.2]).reshape(1, 1, 4)
        >>> many = bootstrap.replicates(np.array([[0.7]]), slopes, np.array([0, 0, 1, 1]), count=4000)
        >>> many.shape, round(float(many.std()), 2)
        ((4000, 1), 0.32)
    """
    count = require_count("count", count, 2)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    runs = values.shape[1]
    mean = values.mean(1, keepdims=True)
    stretched = mean + (values - mean) * (np.sqrt(runs / (runs - 1)) if runs > 1 else 0.0)
    classes = [np.flatnonzero(labels == c) for c in np.unique(labels)]
    found = []
    for first in range(0, count, _BLOCK):
        some = min(_BLOCK, count - first)
        weights = np.zeros((some, len(labels)))
        for members in classes:
            weights[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), some)
        moved = np.tensordot(weights - 1, slopes, axes=(1, 2))  # (some, conditions, R, ...)
        drawn = np.stack([np.bincount(row, minlength=runs) for row in rng.integers(0, runs, (some, runs))]) / runs
        drawn = drawn.reshape(some, 1, runs, *(1,) * (values.ndim - 2))
        found.append(((stretched[None] + moved) * drawn).sum(2))
    return np.concatenate(found)
