"""What each stimulus, and each pair of stimuli, contributes to a fitted resolution."""

import numpy as np

from semres_jax.frontier import families
from semres_jax.measure.embeddings import stimulus_sums
from semres_jax.similarity import Family

# Steps in ln ε and Δ over which the slopes of the sums that the fit makes 0 are taken. The one in ln ε is wide: where a
# similarity has a kink, its distance from the profile there counts, averaged over what lies near.
_EPSILON, _DELTA = 0.2, 1e-3


def log_resolution(
    distances: np.ndarray, relative: np.ndarray, family: Family, epsilon: float, delta: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Slopes (N,) and pairs (N, N), as those of `stimulus_sums.Scored`, of ln ε as `measure.fit` finds it.

    The fit makes sums over pairs of ∇m (y - m) zero, with m = Δ + (1 - Δ) g0(d; ε) and y the similarity relative to the
    probe's own. To first order in the stimuli it moves by -A⁻¹ times the mean of ∇m (y - m), an average over pairs of
    stimuli, with A the slope of that mean in (ln ε, Δ): also where the family isn't the true one. A floor of 0 stays.

    Args:
        distances: (N, N), symmetric.
        relative: (N, N) similarity over the probe's own; row p is of probe p.

    Returns:
        None where there are none: a family of steps, whose fit jumps from distance to distance.
    """
    if family.kind.steps:
        return None
    size = len(distances)
    upper = np.triu_indices(size, 1)
    d, y = distances[upper], ((relative + relative.T) / 2)[upper]

    def gradients(log: float, floor: float) -> np.ndarray:
        """(2, pairs) ∇m (y - m)."""
        resolution = np.exp(log)
        g, slope = (x[0] for x in families.slopes(family, np.array([resolution]), d))
        return np.stack([(1 - floor) * slope * resolution, 1 - g]) * (y - floor - (1 - floor) * g)

    log = float(np.log(epsilon))
    ends = [gradients(log + step, delta).mean(1) for step in (_EPSILON, -_EPSILON)]
    floors = [gradients(log, delta + step).mean(1) for step in (_DELTA, -_DELTA)]
    steep = np.stack([(ends[0] - ends[1]) / (2 * _EPSILON), (floors[0] - floors[1]) / (2 * _DELTA)], axis=1)
    free = 2 if delta > 0 else 1
    steep = steep[:free, :free]
    if not (steep[0, 0] < 0 and abs(np.linalg.det(steep)) > 0):  # ε isn't told by the profile
        return None
    moved = np.zeros((size, size))
    moved[upper] = -np.linalg.inv(steep)[0] @ gradients(log, delta)[:free]
    moved += moved.T
    mean = moved.sum(1) / (size - 1)
    return stimulus_sums.jackknife(mean, 0.0, 2), stimulus_sums.second_order(moved, mean, 0.0, 2)
