"""What stimuli, and pairs of them, contribute to what follows from them: distances from fronts, fitted resolutions."""

from typing import NamedTuple

import numpy as np

from semres_jax.frontier import families
from semres_jax.frontier.families import Front
from semres_jax.frontier.pareto import distance, pareto
from semres_jax.laws import tables
from semres_jax.measure.embeddings import stimulus_sums
from semres_jax.measure.members import Bound, Influence
from semres_jax.similarity import Family
from semres_jax.spaces.base import MetricSpace

# Steps in ln ε and Δ over which the slopes of the sums that the fit makes 0 are taken. The one in ln ε is wide: where a
# similarity has a kink, its distance from the profile there counts, averaged over what lies near.
_EPSILON, _DELTA = 0.2, 1e-3


class Off(NamedTuple):
    """How far a pair of accuracies is from a front, and how that changes per weight of a stimulus.

    Attributes:
        distance: positive beyond the front.
        p_s, p_i: the nearest point of the front.
        slope: (N,); NaN where that of the accuracies is.
        pairs: (N, N) what each pair of stimuli adds, as those of `stimulus_sums.Scored`; None where they aren't known.
    """

    distance: float
    p_s: float
    p_i: float
    slope: np.ndarray
    pairs: np.ndarray | None = None


def off(space: MetricSpace | None, family: str, front: Front, scored: stimulus_sums.Scored) -> Off:
    """Signed distance from a front of accuracies, whose stimuli may be the front's own.

    To first order a distance changes by what both points move along the normal between them. The nearest point of the
    front lies between two resolutions, and its own change is that of these two, in shares.

    Args:
        space: whose front it is, n = 2; None: the front doesn't depend on which stimuli were drawn.
    """
    p_s, p_i = np.clip((scored.p_s, scored.p_i), 0.0, 1.0)
    near = distance(p_s, p_i, front)
    gap = np.array([p_i - near.p_i, p_s - near.p_s])
    slope, pairs = np.full_like(scored.slope_s, np.nan), None
    if np.isfinite(scored.slope_s).all():
        ends, shares = _foot(front, float(near.p_i), float(near.p_s))
        size = float(np.hypot(*gap))
        if size > 1e-12:
            normal = gap / size * (1.0 if near.distance > 0 else -1.0)
        else:  # on the front: across it
            step = np.array([front.p_i[ends[-1]] - front.p_i[ends[0]], front.p_s[ends[-1]] - front.p_s[ends[0]]])
            normal = np.abs(step[::-1]) / max(float(np.hypot(*step)), 1e-300)
        moved = [(1.0, scored)]
        if space is not None:
            table, ranks = np.asarray(space.distances, np.float64), tables.ranking(space)
            strengths = [families.table(family, table, front.epsilon[end]) for end in ends]
            moved += [(-share, stimulus_sums.graded(space, ranks, strength, 2))
                      for share, strength in zip(shares, strengths, strict=True)]  # fmt: skip
        zero = np.zeros(())
        slope = sum((share * (normal[0] * there.slope_i + normal[1] * there.slope_s) for share, there in moved), zero)
        if scored.pairs_s is not None:
            pairs = sum(
                (share * (normal[0] * there.pairs_i + normal[1] * there.pairs_s) for share, there in moved), zero
            )
    return Off(float(near.distance), float(near.p_s), float(near.p_i), slope, pairs)


def _foot(front: Front, p_i: float, p_s: float) -> tuple[list[int], list[float]]:
    """The corners of the front that a point of it lies between, and its share of each."""
    best = np.flatnonzero(pareto(front.p_s, front.p_i))
    best = best[np.argsort(front.p_i[best], kind="stable")]
    x, y = front.p_i[best], front.p_s[best]
    if len(best) == 1:
        return [int(best[0])], [1.0]
    start, step = np.stack([x[:-1], y[:-1]], -1), np.stack([np.diff(x), np.diff(y)], -1)
    length = np.maximum((step**2).sum(-1), 1e-300)
    along = np.clip(((np.array([p_i, p_s]) - start) * step).sum(-1) / length, 0.0, 1.0)
    miss = np.hypot(*(start + along[:, None] * step - np.array([p_i, p_s])).T)
    k = int(miss.argmin())
    if miss[k] > 1e-9:  # beside an end of the front: less in one accuracy is attainable too
        k = 0 if p_i <= x[0] else len(best) - 1
        return [int(best[k])], [1.0]
    return [int(best[k]), int(best[k + 1])], [float(1 - along[k]), float(along[k])]


def log_resolution(
    distances: np.ndarray, relative: np.ndarray, family: Family, epsilon: float, delta: float
) -> Influence | None:
    """ln ε as `measure.fit_profile` finds it, with what stimuli contribute; None where `of_fit` gives nothing."""
    moved = of_fit(distances, relative, family, epsilon, delta)
    if moved is None:
        return None
    free = _linear(distances, relative, family, epsilon, delta, _EPSILON).free(2)
    bound = None
    if free is not None:
        (pull, step), slopes, pairs = free
        bound = Bound(delta if delta > 0 else step, pull, slopes, pairs)
    return Influence(float(np.log(epsilon)), moved[0][0], moved[1][0], bound)


def of_fit(
    distances: np.ndarray, relative: np.ndarray, family: Family, epsilon: float, delta: float, step: float = _EPSILON
) -> tuple[np.ndarray, np.ndarray] | None:
    """Slopes (2, N) and pairs (2, N, N) of ln ε and Δ as `measure.fit_profile` finds them; of ln ε alone at Δ = 0.

    The fit makes sums over pairs of ∇m (y - m) zero, with m = Δ + (1 - Δ) g0(d; ε) and y the similarity relative to the
    probe's own. To first order in the stimuli it moves by -A⁻¹ times the mean of ∇m (y - m), an average over pairs of
    stimuli, with A the slope of that mean in (ln ε, Δ): also where the family isn't the true one. A floor of 0 stays.

    Args:
        distances: (N, N), symmetric.
        relative: (N, N) similarity over the probe's own; row p is of probe p.
        family, epsilon, delta: the fit.
        step: in ln ε, over which the slopes of the sums are taken.

    Returns:
        None where there are none: a family of steps, whose fit jumps from distance to distance.
    """
    if family.kind.steps:
        return None
    free = _linear(distances, relative, family, epsilon, delta, step).free(2 if delta > 0 else 1)
    return None if free is None else free[1:]


class _Linear(NamedTuple):
    """The equations of a fit about where it ended: (2, pairs) terms whose means it makes 0, (2, 2) their slopes."""

    terms: np.ndarray
    steep: np.ndarray
    size: int

    def free(self, count: int) -> tuple[tuple[float, float], np.ndarray, np.ndarray] | None:
        """What stimuli contribute where so many of ln ε and Δ are free: (pull, step of Δ to the root), slopes, pairs.

        None where the profile doesn't tell them.
        """
        steep = self.steep[:count, :count]
        if not (steep[0, 0] < 0 and abs(np.linalg.det(steep)) > 0):
            return None
        terms, upper = self.terms[:count], np.triu_indices(self.size, 1)
        moved = np.zeros((count, self.size, self.size))
        moved[:, *upper] = -np.linalg.solve(steep, terms - terms.mean(1, keepdims=True))
        moved += moved.swapaxes(1, 2)
        mean = moved.sum(2) / (self.size - 1)
        slopes = [stimulus_sums.jackknife(row, 0.0, 2) for row in mean]
        pairs = [stimulus_sums.second_order(table, row, 0.0, 2) for table, row in zip(moved, mean, strict=True)]
        step = -np.linalg.solve(steep, terms.mean(1))[-1]
        return (float(self.steep[0, 1] / self.steep[0, 0]), float(step)), np.stack(slopes), np.stack(pairs)


def _linear(
    distances: np.ndarray, relative: np.ndarray, family: Family, epsilon: float, delta: float, step: float
) -> _Linear:
    upper = np.triu_indices(len(distances), 1)
    d, y = distances[upper], ((relative + relative.T) / 2)[upper]

    def terms(log: float, floor: float) -> np.ndarray:
        """(2, pairs) ∇m (y - m)."""
        resolution = np.exp(log)
        g, slope = (x[0] for x in families.slopes(family, np.array([resolution]), d))
        return np.stack([(1 - floor) * slope * resolution, 1 - g]) * (y - floor - (1 - floor) * g)

    log = float(np.log(epsilon))
    ends = [terms(log + sign * step, delta).mean(1) for sign in (1, -1)]
    floors = [terms(log, delta + sign * _DELTA).mean(1) for sign in (1, -1)]
    steep = np.stack([(ends[0] - ends[1]) / (2 * step), (floors[0] - floors[1]) / (2 * _DELTA)], axis=1)
    return _Linear(terms(log, delta), steep, len(distances))
