"""What the sums of an estimate say: accuracies, standard errors, moments of the ball measure."""

import time

import numpy as np

from semres_jax import choice
from semres_jax._types import Estimate
from semres_jax.laws import enumeration
from semres_jax.montecarlo._run import Run

# Points differ by steps of 2^-32 at best; no standard error is reported below that.
RESOLUTION = 2.0**-32


def read(run: Run, started: float) -> Estimate:
    """The estimate that a run has come to, begun at `started` (`time.perf_counter`)."""
    assert run.sums is not None
    per_shift = run.trials // run.shifts
    # (4, shifts, members) and (3, members)
    means, squares = (_from_counts if run.counting else _from_moments)(run, run.sums.value() / per_shift)
    mean = means.mean(axis=1)
    if run.method == "prng":
        variance, rounding = np.maximum(squares - mean[:3] ** 2, 0.0) / max(run.trials - 1, 1), 1e-14 / run.trials
    else:
        variance, rounding = means[:3].var(axis=1, ddof=1) / run.shifts, 1e-28
    p_s, p_i, mean_b, square_b = mean
    # E[b]² is estimated without bias by mean² - (standard error of the mean)².
    var_b = square_b - (mean_b**2 - variance[2])
    if run.space.size is not None and not run.replace:
        mean_b, var_b = _among_the_others(run, mean_b, square_b, variance[2])
    # Where no two trials (or shifts) differ, an event of probability up to about 1/trials may still have been
    # missed: the standard error of a count of one, not zero.
    stderr = np.sqrt(np.where(variance < rounding, 1.0 / run.trials**2, variance) + RESOLUTION**2)
    if run.trials == 1:
        stderr = np.full_like(stderr, np.inf)
    fields = (p_s, p_i, stderr[0], stderr[1], mean_b, var_b)
    arrays = [np.asarray(field).reshape(run.shape)[()] for field in fields]
    return Estimate(*arrays, trials=run.trials, seconds=time.perf_counter() - started)


def _from_counts(run: Run, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means per shift of (p_S, p_I, K/n, pairs) and overall mean squares of the first three."""
    n = run.n
    delta = np.broadcast_to(np.asarray(run.similarity.delta, np.float64), run.shape).ravel()
    similar, identify = choice.constant_credits(n, delta, run.exponent)  # (members, n + 1)
    counts = counts[:, run.member.ravel(), :]  # (shifts, members, n + 1)
    k = np.arange(n + 1)
    share = np.broadcast_to(k / n, similar.shape)
    pairs = np.broadcast_to(k * (k - 1) / (n * (n - 1)), similar.shape)
    values = np.stack([similar, identify, share, pairs])
    means = np.einsum("smk,vmk->vsm", counts, values)
    squares = np.einsum("smk,vmk->vm", counts, values[:3] ** 2) / run.shifts
    return means, squares


def _from_moments(run: Run, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = run.n
    p_s, p_s2, p_i, p_i2, k, k2 = np.moveaxis(moments, -1, 0)  # each (shifts, members)
    means = np.stack([p_s, p_i, k / n, (k2 - k) / (n * (n - 1))])
    squares = np.stack([p_s2, p_i2, k2 / n**2]).mean(axis=1)
    return means, squares


def _among_the_others(run: Run, mean_b, square_b, variance):
    """Moments of the share of the other stimuli within epsilon, from distinct draws."""
    if not enumeration.unequal(run.space):
        others = run.space.size - 1
        # E over distinct pairs is k(k - 1) / (m(m - 1)) for a probe with k of the m others in its ball.
        square_b = square_b * (others - 1) / others + mean_b / others
        return mean_b, square_b - (mean_b**2 - variance)
    epsilon = getattr(run.similarity, "epsilon", None)
    if epsilon is None:
        return mean_b, square_b * np.nan
    return enumeration.share_moments(run.space, np.broadcast_to(epsilon, run.shape).ravel())
