"""What the sums of an estimate say: accuracies, standard errors, moments of the ball measure."""

import time

import numpy as np

from semres_jax._types import Estimate
from semres_jax.montecarlo import _errors
from semres_jax.montecarlo._run import Run
from semres_jax.spaces import neighbours


def read(run: Run, started: float) -> Estimate:
    """The estimate that a run has come to, begun at `started` (`time.perf_counter`)."""
    assert run.sums is not None
    sums = run.sums.value() / (run.trials // run.shifts)
    # (4, shifts, members) and (3, shifts, members)
    means, squares = (_from_counts if run.counting else _from_moments)(run, sums)
    mean = _errors.in_order_mean(means)
    if run.method == "prng":
        spread = _errors.in_order_mean(squares) - mean[:3] ** 2
        variance = np.maximum(spread, 0.0) / max(run.trials - 1, 1)
    else:
        variance = _errors.variance_of_mean(means[:3])
    counts = sums.sum(axis=0)[run.member.ravel()] if run.counting else None
    stderr = _errors.standard_errors(run, variance[:2], means[:2], squares[:2], counts)
    p_s, p_i, mean_b, square_b = mean
    # E[b]² is estimated without bias by mean² - (standard error of the mean)².
    var_b = square_b - (mean_b**2 - variance[2])
    if run.space.size is not None and not run.replace:
        mean_b, var_b = _among_the_others(run, mean_b, square_b, variance[2])
    fields = (p_s, p_i, stderr[0], stderr[1], mean_b, var_b)
    arrays = [np.asarray(field).reshape(run.shape)[()] for field in fields]
    return Estimate(*arrays, trials=run.trials, seconds=time.perf_counter() - started)


def _from_counts(run: Run, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means per shift of (p_S, p_I, K/n, pairs) and mean squares of the first three."""
    n = run.n
    similar, identify = run.credits_by_count()  # (members, n + 1)
    counts = np.ascontiguousarray(counts[:, run.member.ravel(), :])  # (shifts, members, n + 1)
    k = np.arange(n + 1)
    share = np.broadcast_to(k / n, similar.shape)
    pairs = np.broadcast_to(k * (k - 1) / (n * (n - 1)), similar.shape)
    # Along the last axis, as `in_order_mean` adds up: in the same order whatever the number of members.
    means = np.stack([(counts * values).sum(axis=-1) for values in (similar, identify, share, pairs)])
    squares = np.stack([(counts * values**2).sum(axis=-1) for values in (similar, identify, share)])
    return means, squares


def _from_moments(run: Run, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = run.n
    p_s, p_s2, p_i, p_i2, k, k2 = np.moveaxis(moments, -1, 0)  # each (shifts, members)
    means = np.stack([p_s, p_i, k / n, (k2 - k) / (n * (n - 1))])
    return means, np.stack([p_s2, p_i2, k2 / n**2])


def _among_the_others(run: Run, mean_b, square_b, variance):
    """Moments of the share of the other stimuli within epsilon, from distinct draws."""
    if not run.space.weighted:
        others = run.space.size - 1
        # E over distinct pairs is k(k - 1) / (m(m - 1)) for a probe with k of the m others in its ball.
        square_b = square_b * (others - 1) / others + mean_b / others
        return mean_b, square_b - (mean_b**2 - variance)
    epsilon = getattr(run.similarity, "epsilon", None)
    if epsilon is None:
        return mean_b, square_b * np.nan
    return neighbours.moments(run.space, np.broadcast_to(epsilon, run.shape).ravel())
