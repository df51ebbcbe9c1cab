"""Where a model lies from a front of usual similarities on the very stimuli that it was measured on."""

from typing import NamedTuple

import numpy as np

from semres_jax.frontier import families
from semres_jax.frontier.families import Front
from semres_jax.frontier.pareto import distance, pareto
from semres_jax.laws import tables
from semres_jax.measure.embeddings import stimulus_sums
from semres_jax.spaces.base import MetricSpace


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


def off(space: MetricSpace | None, family: str, found: Front, scored: stimulus_sums.Scored, n: int = 2) -> Off:
    """Signed distance from a front of accuracies, whose stimuli may be the front's own.

    To first order a distance changes by what both points move along the normal between them. The nearest point of the
    front lies between two resolutions, and its own change is that of these two, in shares.

    Args:
        space: whose front it is; None: the front doesn't depend on which stimuli were drawn.
    """
    p_s, p_i = np.clip((scored.p_s, scored.p_i), 0.0, 1.0)
    got = distance(p_s, p_i, found)
    gap = np.array([p_i - got.p_i, p_s - got.p_s])
    slope, pairs = np.full_like(scored.slope_s, np.nan), None
    if np.isfinite(scored.slope_s).all():
        ends, shares = _foot(found, float(got.p_i), float(got.p_s))
        size = float(np.hypot(*gap))
        if size > 1e-12:
            normal = gap / size * (1.0 if got.distance > 0 else -1.0)
        else:  # on the front: across it
            step = np.array([found.p_i[ends[-1]] - found.p_i[ends[0]], found.p_s[ends[-1]] - found.p_s[ends[0]]])
            normal = np.abs(step[::-1]) / max(float(np.hypot(*step)), 1e-300)
        slope = normal[0] * scored.slope_i + normal[1] * scored.slope_s
        if scored.pairs_s is not None:
            pairs = normal[0] * scored.pairs_i + normal[1] * scored.pairs_s
        if space is not None:
            table, ranks = np.asarray(space.distances, np.float64), tables.ranking(space)
            for end, share in zip(ends, shares, strict=True):
                there = stimulus_sums.graded(space, ranks, families.table(family, table, found.epsilon[end]), n)
                slope = slope - share * (normal[0] * there.slope_i + normal[1] * there.slope_s)
                if pairs is not None:
                    pairs = pairs - share * (normal[0] * there.pairs_i + normal[1] * there.pairs_s)
    return Off(float(got.distance), float(got.p_s), float(got.p_i), slope, pairs)


def _foot(found: Front, p_i: float, p_s: float) -> tuple[list[int], list[float]]:
    """The corners of the front that a point of it lies between, and its share of each."""
    best = np.flatnonzero(pareto(found.p_s, found.p_i))
    best = best[np.argsort(found.p_i[best], kind="stable")]
    x, y = found.p_i[best], found.p_s[best]
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
