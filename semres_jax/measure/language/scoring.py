"""Scores of the year task: means whose errors know that prompts of one group are not independent, chance, the law."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semres_jax import laws
from semres_jax._types import Quantity
from semres_jax.measure.language.year_task import Trials

LEVEL = 0.95
# Differences between means of float64 that say nothing.
_ROUNDING = 1e-12
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

    @classmethod
    def of_scores(cls, trials: Trials, log_p: np.ndarray) -> "Answers":
        """Luce's choice among the names of each prompt by their (T, N) log-probabilities, NaN where there is none.

        Example:
            >>> import numpy as np
            >>> from semres_jax.measure.language import scoring, year_task
            >>> trials = year_task.items([2, 3], 1, ["Ann", "Bob", "Cy"])
            >>> log_p = np.where(trials.name >= 0, np.log([0.02, 0.01, 0.01]), np.nan)
            >>> scoring.Answers.of_scores(trials, log_p).weight[0].round(4).tolist()
            [0.6667, 0.3333, 0.0]

        Raises:
            ValueError: a name whose log-probability is no number, or a prompt whose names all have the probability 0.
        """
        from scipy import special  # scipy comes with jax; 0.1 s to import

        require_scores(log_p, trials.name >= 0, f"answers to {trials.task} have")
        return cls(trials, special.softmax(np.where(np.isnan(log_p), -np.inf, log_p), axis=1), log_p)

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
    def impossible(self) -> int:
        """Names that have a probability of 0 after their prompts."""
        return int(np.isneginf(self.log_p).sum())

    @property
    def covered(self) -> np.ndarray:
        """(T,) probability that any of the names is the answer at all; of generated text, whether one was given."""
        if np.isnan(self.log_p).all():
            return self.weight.sum(1)
        return np.exp(np.where(np.isnan(self.log_p), -np.inf, self.log_p)).sum(1)


class MeanScore(NamedTuple):
    """A mean over prompts against chance; its error and 95 % interval are from how groups of prompts vary.

    Attributes:
        mean: of the prompts.
        chance: what guessing would give.
        p: of no difference from chance, two-sided: Student's t over groups.
        groups: how many.
    """

    mean: Quantity
    chance: float
    p: float
    groups: int

    def summary(self) -> dict[str, float]:
        """Numbers for JSON."""
        return self.mean._asdict() | {"chance": self.chance, "p": self.p, "groups": self.groups}


class Scores(NamedTuple):
    """Means of P(right), `probability`, and of how often the likeliest name is right, `argmax`."""

    probability: MeanScore
    argmax: MeanScore


class Law(NamedTuple):
    """p_I(n) = (1 - (1 - a)^n) / (a n), fitted to accuracies at several n.

    Attributes:
        ball: a, the ball measure: the share of all years within the resolution; 1: chance at every n. Its 95 % interval
            has errors stretched by √(χ² / degrees) where the law fits badly.
        years: resolution, if years within ± ε of a probe in `years` are taken for it: a = 2 e - e², e = ε / span.
        chi2, degrees: of the fit.
        predicted: at the n given.
    """

    ball: Quantity
    years: Quantity
    chi2: float
    degrees: int
    predicted: np.ndarray


def require_scores(log_p: np.ndarray, there: np.ndarray, whose: str, texts: Sequence[str] | None = None) -> None:
    """Raise `ValueError` where (T, N) log-probabilities of the names that are `there` make no probabilities.

    -inf is a probability of 0, which not all names of a prompt can have.

    Args:
        log_p: (T, N), natural logarithms.
        there: (T, N) whether there is a name.
        whose: how the message begins, as "answers have".
        texts: (T,) of the prompts, to name the first that is wrong.
    """
    bad, none = there & ~(log_p < np.inf), ~(there & (log_p > -np.inf)).any(1)
    for rows, what in (
        (bad.any(1), "no finite number for the log-probability of a name ({})"),
        (none, "a probability of 0 for all names, as a server does that leaves out unlikely tokens (top_k, top_p)"),
    ):
        if rows.any():
            first = int(rows.argmax())
            prompt = f"prompt {first}" if texts is None else f"the prompt that ends in {texts[first][-60:]!r}"
            raise ValueError(
                f"{whose} {what.format(log_p[first][bad[first]][:1])}: {int(rows.sum())} of {len(log_p)} prompts, the "
                f"first is {prompt}"
            )


def mean_of(values: np.ndarray, group: np.ndarray, chance: float = 0.5) -> MeanScore:
    """Mean of (T,) values in [0, 1], its error that of the means of groups.

    The interval is Wilson's with as many trials as would have this standard error: it stays within [0, 1], and where
    all groups agree there are as many trials as groups.

    Example:
        >>> import numpy as np
        >>> from semres_jax.measure.language import scoring
        >>> score = scoring.mean_of(np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]), np.arange(8) // 2)
        >>> score.mean.value, score.mean.stderr, score.groups, round(score.p, 4)
        (0.75, 0.25, 4, 0.391)
    """
    # A group's weight is its size, and all of one cell are of one size: the mean of means is the mean.
    means, value = group_means(values, group), float(values.mean())
    stderr, z, p = _student(means, abs(value - chance))
    if len(means) < 2:
        return MeanScore(Quantity(value, stderr, 0.0, 1.0), chance, p, len(means))
    spread = value * (1 - value)
    trials = spread / stderr**2 if stderr > 0 and spread > 0 else float(len(means))
    middle = (value + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(spread / trials + z**2 / (4 * trials**2))
    low, high = max(min(middle - half, value), 0.0), min(max(middle + half, value), 1.0)
    return MeanScore(Quantity(value, stderr, low, high), chance, p, len(means))


def excess(values: np.ndarray, group: np.ndarray) -> MeanScore:
    """Mean of differences from chance, with a t-interval, from how groups vary."""
    means = group_means(values, group)
    value = float(means.mean())
    stderr, t, p = _student(means, abs(value))
    return MeanScore(Quantity(value, stderr, value - t * stderr, value + t * stderr), 0.0, p, len(means))


def group_means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The mean of the values of each group, groups in ascending order.

    Raises:
        ValueError: a value that is not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite; {int((~np.isfinite(values)).sum())} of {len(values)} are not")
    _, place = np.unique(group, return_inverse=True)
    return np.bincount(place, values) / np.bincount(place)


def _student(means: np.ndarray, away: float) -> tuple[float, float, float]:
    """Standard error of a mean of means, Student's quantile for `LEVEL`, and p of being `away` by chance."""
    from scipy import special

    free = len(means) - 1
    if free < 1:
        return math.nan, math.nan, math.nan
    stderr = float(means.std(ddof=1) / math.sqrt(len(means)))
    p = 2 * float(special.stdtr(free, -away / stderr)) if stderr > _ROUNDING else float(away <= _ROUNDING)
    return stderr, float(special.stdtrit(free, (1 + LEVEL) / 2)), p


def law(counts: Sequence[int], scores: Sequence[MeanScore], span: int) -> Law:
    """The ball measure whose law is closest to identification accuracies at several n, by weighted least squares.

    Source: Nurisso et al., arXiv 2506.14797, theorem 3 with Δ = 0 and one ball measure for all probes.

    Args:
        counts: (K,) n.
        scores: K means; errors of 0 are taken for those of the interval.
        span: how many years there are.

    Example:
        >>> from semres_jax import Quantity
        >>> from semres_jax.measure.language import scoring
        >>> scores = [scoring.MeanScore(Quantity(v, 0.01, v, v), 0.5, 0.0, 9) for v in (0.875, 0.68359375)]
        >>> fit = scoring.law([2, 4], scores, 800)
        >>> round(fit.ball.value, 3), round(fit.years.value)
        (0.25, 107)
    """
    means = [score.mean for score in scores]
    value = np.array([mean.value for mean in means])
    error = np.array([mean.stderr if mean.stderr > 0 else (mean.high - mean.low) / 4 for mean in means])
    table = laws.identification(_BALLS[:, None], np.asarray(counts, np.float64))
    chi2 = (((table - value) / error) ** 2).sum(1)
    best, degrees = int(chi2.argmin()), len(counts) - 1
    scale = max(1.0, chi2[best] / degrees) if degrees else 1.0
    inside = _BALLS[chi2 <= chi2[best] + 3.841 * scale]
    low = 0.0 if inside[0] == _BALLS[0] else float(inside[0])
    ball = Quantity(float(_BALLS[best]), low=low, high=float(inside[-1]))
    years = ball._replace(**{end: span * (1 - math.sqrt(1 - getattr(ball, end))) for end in ("value", "low", "high")})
    return Law(ball, years, float(chi2[best]), degrees, table[best])


def later(answers: Answers) -> np.ndarray:
    """(T,) probability of the later of a pair, among both."""
    there = np.where(answers.trials.name >= 0, answers.trials.year, -1)
    return answers.weight[np.arange(len(there)), there.argmax(1)]
