"""Where people stand by their judgements: accuracies and distances from the fronts, with what each judgement adds."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from semres_jax._types import Quantity
from semres_jax.frontier.families import Front
from semres_jax.frontier.pareto import distance
from semres_jax.laws import enumeration
from semres_jax.measure import intervals
from semres_jax.measure.choices.fits import ChoiceFit
from semres_jax.measure.choices.influence import choice_influence, fitted_similarity
from semres_jax.measure.embeddings.result import Placed
from semres_jax.measure.people._judged import Judged
from semres_jax.spaces.finite import Finite

# Step in (ln ε, logit Δ, ln a) over which slopes of exact accuracies are taken: they are right to 1e-8.
_STEP = 1e-4


class Place(NamedTuple):
    """What judgements and the fit of one family say of both accuracies.

    Attributes:
        accuracy: share of judgements as the distances say.
        expected: what the fit expects of it, for the same triplets.
        p_s, p_i: where people stand: p_S as measured if the judgements are trials of the similarity task, else by the
            fit; p_I by the fit.
        fit_p_s: p_S by the fit, over all triplets that there are.
        fronts: distances from each.
    """

    accuracy: Quantity
    expected: float
    p_s: Quantity
    p_i: Quantity
    fit_p_s: Quantity
    fronts: Mapping[str, Placed]


def predicted(space: Finite, fit: ChoiceFit, theta: np.ndarray | None = None) -> np.ndarray:
    """(2,) exact p_S and p_I of a fit on the stimuli, n = 2; at other numbers of it if they are given."""
    similarity, exponent = fitted_similarity(fit, theta)
    return np.array(enumeration.accuracy(space, similarity, n=2, exponent=exponent), np.float64)


def place(
    space: Finite, fit: ChoiceFit, data: Judged, fronts: Mapping[str, Front], *, measured: bool, level: float
) -> Place:
    """Accuracies with standard errors over judgements, first order: each judgement moves all of them at once.

    A judgement moves the share that is right by (right - share) / N, and the fit, with what it predicts, by its score
    times the inverse information (Huber's sandwich). Sums of squares and of products over judgements are the
    variances and covariances, also of a measured p_S with a p_I by the fit, and so of distances from fronts. Of
    families with steps or kinks in ε the fit's part isn't known (NaN).

    Args:
        measured: whether the share that is right is p_S: anchor triplets.
        level: of the intervals, which are normal on the scale of log odds.
    """
    total = data.counts.sum()
    share = data.share_right(data.counts)
    by_fit = predicted(space, fit)
    moved = [(data.right - share) / total, *_moved(space, fit)]
    spread = np.array([[float((data.counts * x * y).sum()) for y in moved] for x in moved])
    wide = float(_quantile(level))

    def with_error(value: float, variance: float) -> Quantity:
        error = float(np.sqrt(variance))
        return Quantity(float(value), error, float(value - wide * error), float(value + wide * error))

    accuracy, fit_p_s, p_i = (
        _plain(intervals.of_probability(with_error(x, spread[k, k]))) for k, x in enumerate((share, *by_fit))
    )
    own = 0 if measured else 1
    p_s = accuracy if measured else fit_p_s
    of_both = spread[np.ix_([2, own], [2, own])]
    placed = {}
    for name, front in fronts.items():
        near = distance(p_s.value, p_i.value, front, p_s_stderr=0.0, p_i_stderr=0.0)
        away = np.array([p_i.value - float(near.p_i), p_s.value - float(near.p_s)])
        size = float(np.hypot(*away))
        across = away / size if size > 1e-12 else np.full(2, np.sqrt(0.5))
        gap = with_error(float(near.distance), float(across @ of_both @ across))
        placed[name] = Placed(front, gap, float(near.p_s), float(near.p_i))
    return Place(accuracy, data.share_right(fit.probabilities * data.counts.sum(1, keepdims=True)), p_s, p_i, fit_p_s,
                 placed)  # fmt: skip


def _moved(space: Finite, fit: ChoiceFit) -> list[np.ndarray]:
    """Two of (R, n): how one more choice of each item moves p_S and p_I by the fit; NaN where that isn't known."""
    moved = choice_influence(fit)
    if moved is None:
        return [np.full(fit.probabilities.shape, np.nan)] * 2
    slopes = np.zeros((2, len(fit.theta)))
    for j in np.flatnonzero(abs(moved).max((0, 1)) > 0):
        step = _STEP * (np.arange(len(fit.theta)) == j)
        slopes[:, j] = (predicted(space, fit, fit.theta + step) - predicted(space, fit, fit.theta - step)) / (2 * _STEP)
    return [moved @ slope for slope in slopes]


def _quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def _plain(number: Quantity) -> Quantity:
    return Quantity(*map(float, number))
