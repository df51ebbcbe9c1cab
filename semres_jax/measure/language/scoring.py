"""Scores of the year task: means whose errors know that prompts of one group are not independent, chance, the law."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semres_jax.laws import identification
from semres_jax.measure.language.year_task import Trials

LEVEL = 0.95
# Ball measures that the law is tried at; beyond 1 there is nothing, towards 0 every name is known.
_BALLS = np.concatenate([np.geomspace(1e-4, 0.1, 400, endpoint=False), np.linspace(0.1, 1.0, 3601)])


class Answers(NamedTuple):
    """What a model answered.

    Attributes:
        trials: T prompts, N names at most.
        weight: (T, N) probability of each name: of all names of the prompt by their log-probabilities, which is Luce's
            choice; or, of generated text, 1 for the name given. All 0: no answer. 0 where there is no item.
        log_p: (T, N) log-probability of each name after the prompt; NaN where there is none, or text was generated.
    """

    trials: Trials
    weight: np.ndarray
    log_p: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """(T,) probability of the right answer."""
        return self.weight[np.arange(len(self.weight)), self.trials.right]

    @property
    def hit(self) -> np.ndarray:
        """(T,) whether the most probable name is right; equal ones share."""
        top = self.weight.max(1, keepdims=True)
        tied = (self.weight == top) & (top > 0)
        right = tied[np.arange(len(tied)), self.trials.right]
        return np.where(right, 1.0 / np.maximum(tied.sum(1), 1), 0.0)

    @property
    def covered(self) -> np.ndarray:
        """(T,) probability that any of the names is the answer at all; of generated text, whether one was given."""
        if np.isnan(self.log_p).all():
            return self.weight.sum(1)
        return np.exp(np.where(np.isnan(self.log_p), -np.inf, self.log_p)).sum(1)


class Mean(NamedTuple):
    """A mean over prompts, its standard error and 95 % interval, from how groups of prompts vary.

    Attributes:
        p: of no difference from chance, two-sided: Student's t over groups.
    """

    value: float
    stderr: float
    low: float
    high: float
    chance: float
    p: float
    groups: int


class Law(NamedTuple):
    """p_I(n) = (1 - (1 - a)^n) / (a n), fitted to accuracies at several n.

    Attributes:
        ball: a, the ball measure: the share of all years within the resolution; 1: chance at every n.
        low, high: its 95 % interval, the errors stretched by √(χ² / degrees) where the law fits badly.
        years: resolution, if years within ± ε of a probe in `years` are taken for it: a = 2 e - e², e = ε / span.
        years_low, years_high: its interval.
        chi2, degrees: of the fit.
        predicted: at the n given.
    """

    ball: float
    low: float
    high: float
    years: float
    years_low: float
    years_high: float
    chi2: float
    degrees: int
    predicted: np.ndarray


def luce(log_p: np.ndarray) -> np.ndarray:
    """(T, N) probabilities of names among those of their prompt; 0 where there is none (NaN).

    Example:
        >>> import numpy as np
        >>> from semres_jax.measure.language import scoring
        >>> scoring.luce(np.log([[0.02, 0.01, np.nan]])).round(4).tolist()
        [[0.6667, 0.3333, 0.0]]
    """
    shifted = np.exp(np.where(np.isnan(log_p), -np.inf, log_p - np.nanmax(log_p, axis=1, keepdims=True)))
    return shifted / shifted.sum(1, keepdims=True)


def mean_of(values: np.ndarray, group: np.ndarray, chance: float = 0.5) -> Mean:
    """Mean of (T,) values in [0, 1], its error that of the means of groups.

    The interval is Wilson's with as many trials as would have this standard error: it stays within [0, 1], and where
    all groups agree there are as many trials as groups.

    Example:
        >>> import numpy as np
        >>> from semres_jax.measure.language import scoring
        >>> found = scoring.mean_of(np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]), np.arange(8) // 2)
        >>> found.value, found.stderr, found.groups, round(found.p, 4)
        (0.75, 0.25, 4, 0.391)
    """
    from scipy import special  # scipy comes with jax; 0.1 s to import

    # A group's weight is its size, and all of one cell are of one size: the mean of means is the mean.
    names, where = np.unique(group, return_inverse=True)
    each = np.bincount(where, values) / np.bincount(where)
    many, value = len(names), float(values.mean())
    if many < 2:
        return Mean(value, math.nan, 0.0, 1.0, chance, math.nan, many)
    stderr = float(each.std(ddof=1) / math.sqrt(many))
    spread = value * (1 - value)
    trials = spread / stderr**2 if stderr > 0 and spread > 0 else float(many)
    z = float(special.stdtrit(many - 1, (1 + LEVEL) / 2))
    middle = (value + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(spread / trials + z**2 / (4 * trials**2))
    away = abs(value - chance)
    p = 2 * float(special.stdtr(many - 1, -away / stderr)) if stderr > 0 else float(away == 0)
    low, high = max(min(middle - half, value), 0.0), min(max(middle + half, value), 1.0)
    return Mean(value, stderr, low, high, chance, p, many)


def law(counts: Sequence[int], accuracy: Sequence[Mean], span: int) -> Law:
    """The ball measure whose law is closest to identification accuracies at several n, by weighted least squares.

    Source: Nurisso et al., arXiv 2506.14797, theorem 3 with Δ = 0 and one ball measure for all probes.

    Args:
        counts: (K,) n.
        accuracy: K means; errors of 0 are taken for those of the interval.
        span: how many years there are.

    Example:
        >>> from semres_jax.measure.language import scoring
        >>> means = [scoring.Mean(v, 0.01, v, v, 0.5, 0.0, 9) for v in (0.875, 0.68359375)]
        >>> found = scoring.law([2, 4], means, 800)
        >>> round(found.ball, 3), round(found.years)
        (0.25, 107)
    """
    n = np.asarray(counts, np.float64)
    seen = np.array([one.value for one in accuracy])
    error = np.array([one.stderr if one.stderr > 0 else (one.high - one.low) / 4 for one in accuracy])
    table = identification(_BALLS[:, None], n)
    chi2 = (((table - seen) / error) ** 2).sum(1)
    best, degrees = int(chi2.argmin()), len(n) - 1
    scale = max(1.0, chi2[best] / degrees) if degrees else 1.0
    inside = _BALLS[chi2 <= chi2[best] + 3.841 * scale]
    low = 0.0 if inside[0] == _BALLS[0] else float(inside[0])
    high, ball = float(inside[-1]), float(_BALLS[best])
    years = [span * (1 - math.sqrt(1 - a)) for a in (ball, low, high)]
    return Law(ball, low, high, years[0], years[1], years[2], float(chi2[best]), degrees, table[best])


def later(answers: Answers) -> np.ndarray:
    """(T,) probability of the later of a pair, among both."""
    there = np.where(answers.trials.name >= 0, answers.trials.year, -1)
    return answers.weight[np.arange(len(there)), there.argmax(1)]
