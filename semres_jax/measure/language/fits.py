"""Resolution in years from a language model's answers: by how its log-odds follow distance, and by likelihood."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from semres_jax.measure.language.scoring import LEVEL, Answers, later

# Models that are fitted by likelihood: family, floor, biases, and whether with intervals, which of as many biases as
# there are names take minutes.
_PLAIN = (("exponential", 0.0, "none", True),)
_ALL: tuple[tuple[str, float | str, str, bool], ...] = (
    *_PLAIN, ("exponential", 0.0, "position", True), ("exponential", 0.0, "both", False),
    ("exponential", "fit", "both", False), ("gaussian", "fit", "both", False), ("linear", "fit", "both", False),
    ("constant", "fit", "both", False),
)  # fmt: skip
# Groups that it takes, for each name, to fit a bias of each name.
_GROUPS_A_NAME = 3
_STEPS, _ENOUGH = 60, 1e-10
# So weak a pull towards no preference that only names that are always, or never, chosen feel it.
_RIDGE = 1e-8
_LEAST_DISPERSION = 1e-3


class Slope(NamedTuple):
    """How the logarithm of the odds between two names follows how much closer one is: P ∝ exp(bias - β d).

    Attributes:
        value: β, per year, of either sign; 1/β is the resolution of an exponential similarity.
        stderr: from how groups of prompts vary (sandwich), biases fitted beside it.
        low, high: 95 % interval.
        p: of β = 0, two-sided, Student's t over groups.
        dispersion: how much larger this variance is than that of one answer drawn for each prompt.
        groups: how many.
        places, labels: biases of places and of names, natural logarithms of odds; each kind sums to 0. Those of names
            are left out where there are less than three groups for each.
        probability: (T, N) fitted.
    """

    value: float
    stderr: float
    low: float
    high: float
    p: float
    dispersion: float
    groups: int
    places: dict[str, float]
    labels: dict[str, float]
    probability: np.ndarray

    @property
    def epsilon(self) -> tuple[float, float, float]:
        """Resolution in years and its interval: 1/β, infinite where β isn't above 0."""
        return _inverse(self.value), _inverse(self.high), _inverse(self.low)


class Resolution(NamedTuple):
    """One family fitted to the answers by `measure.fit_choices`, whose attributes these are.

    Attributes:
        bias: "none", "position" or "both".
        floor: that was given, or "fit".
        epsilon: (value, low, high) in years; ends NaN where they were not asked for.
        delta: (value, low, high).
        quasi_aic: Akaike's criterion, the log likelihood divided by the dispersion; families rank by it.
        mcfadden_r2: share of the log likelihood of chance that is explained.
        chi2, degrees: of mean probabilities in cells against the fit, groups' errors; near `degrees` where it fits.
        notes: what to know about it.
    """

    family: str
    bias: str
    floor: float | str
    epsilon: tuple[float, float, float]
    delta: tuple[float, float, float]
    quasi_aic: float
    mcfadden_r2: float
    chi2: float
    degrees: int
    notes: tuple[str, ...]
    probability: np.ndarray


def slope(answers: Answers) -> Slope:
    """The conditional logit P(i) ∝ exp(bias of name + bias of place - β d_i), at its largest likelihood.

    The answers' probabilities stand for choices. Fitted by Newton's steps (the likelihood is concave); the error of β
    is that of the sandwich (I⁻¹ S I⁻¹, S of the scores of groups), so that prompts of one group count once.

    Args:
        answers: of one task.

    Example:
        >>> import numpy as np
        >>> from semres_jax.measure.language import fits, scoring, year_task
        >>> trials = year_task.items([2, 4], 40, ["Ann", "Bob", "Cy", "Dee"])
        >>> log_p = -trials.distance / 50.0
        >>> found = fits.slope(scoring.Answers(trials, scoring.luce(log_p), log_p))
        >>> [round(years, 3) for years in found.epsilon]
        [50.0, 50.0, 50.0]
    """
    from scipy import special

    trials, there = answers.trials, answers.trials.name >= 0
    unit = float(np.nanmean(trials.distance))
    columns, kinds = [np.where(there, -trials.distance / unit, 0.0)], []
    tables = [("place", trials.places), ("label", trials.labels)]
    if len(np.unique(trials.group)) < _GROUPS_A_NAME * len(trials.names):
        tables.pop()
    for kind, table in tables:
        for name in sorted(set(table[there].tolist())):
            columns.append(((table == name) & there).astype(np.float64))
            kinds.append((kind, name))
    x = np.stack(columns, -1)
    weight, many = answers.weight, answers.weight.sum(1)
    ridge = np.full(x.shape[-1], _RIDGE * max(many.sum(), 1.0))
    theta = np.zeros(x.shape[-1])
    p, information = _expected(theta, x, there, many, ridge)
    for _ in range(_STEPS):
        gradient = np.einsum("ti,tik->k", weight - many[:, None] * p, x) - ridge * theta
        step = np.linalg.solve(information, gradient)
        theta = theta + step * min(1.0, 4.0 / max(np.abs(step).max(), 1e-300))
        p, information = _expected(theta, x, there, many, ridge)
        if np.abs(step).max() < _ENOUGH:
            break
    names, where = np.unique(trials.group, return_inverse=True)
    score = np.zeros((len(names), x.shape[-1]))
    np.add.at(score, where, np.einsum("ti,tik->tk", weight - many[:, None] * p, x))
    inverse = np.linalg.inv(information)
    # As many numbers as are fitted are lost to the groups.
    fitted = len(theta) - len({kind for kind, _ in kinds})
    free = max(len(names) - fitted, 1)
    variance = float((inverse @ score.T @ score @ inverse)[0, 0]) * len(names) / free
    dispersion = variance / float(inverse[0, 0])
    value, stderr = float(theta[0] / unit), math.sqrt(variance) / unit
    t = float(special.stdtrit(free, (1 + LEVEL) / 2))
    chance = 2 * float(special.stdtr(free, -abs(value) / stderr)) if stderr > 0 else float(value == 0)
    biases: dict[str, dict[str, float]] = {"place": {}, "label": {}}
    for (kind, name), bias in zip(kinds, theta[1:].tolist(), strict=True):
        biases[kind][name] = bias
    places, labels = ({k: v - sum(some.values()) / len(some) for k, v in some.items()} for some in biases.values())
    low, high, many = value - t * stderr, value + t * stderr, len(names)
    return Slope(value, stderr, low, high, chance, dispersion, many, places, labels, np.where(there, p, 0.0))


def resolutions(
    answers: Answers, of: Slope, models: Sequence[tuple[str, float | str, str, bool]] | None = None
) -> list[Resolution]:
    """Families of similarities fitted to answers by `measure.fit_choices`, with and without biases.

    Each prompt is one choice, shared as the model's probabilities are, divided by the dispersion that groups of prompts
    show (quasi-likelihood, McCullagh and Nelder 1989, section 9): intervals are those of groups, not of prompts. Pairs
    are fitted by all families; items, by the exponential one.

    Args:
        answers: of one task.
        of: their `slope`.
        models: (family, floor or "fit", biases, with intervals) instead of these.
    """
    from semres_jax.measure.choices import fit_choices

    trials, nothing = answers.trials, (math.nan, math.nan, math.nan)
    scale = max(of.dispersion, _LEAST_DISPERSION)
    found = []
    for family, floor, bias, intervals in models or (_ALL if trials.task == "pairs" else _PLAIN):
        bias = "position" if bias == "both" and not of.labels else bias
        try:
            fit = fit_choices(
                trials.distance, answers.weight / scale, labels=trials.labels, positions=trials.places, family=family,
                delta=floor, bias=bias, intervals=intervals,
            )  # fmt: skip
        except ValueError as error:
            unknown = np.full(answers.weight.shape, np.nan)
            told = (str(error),)
            found.append(
                Resolution(family, bias, floor, nothing, nothing, math.nan, math.nan, math.nan, 0, told, unknown)
            )
            continue
        chi2, degrees = misfit(answers, fit.probabilities)
        epsilon, delta = (_triple(one, intervals) for one in (fit.epsilon, fit.delta))
        found.append(Resolution(family, bias, floor, epsilon, delta, fit.aic, fit.mcfadden_r2,
                                chi2, degrees, fit.notes, fit.probabilities))  # fmt: skip
    return found


def misfit(answers: Answers, fitted: np.ndarray) -> tuple[float, int]:
    """χ² of mean probabilities in cells, and how many cells: of pairs, P(later) by D and offset; else P(right) by n."""
    predicted = Answers(answers.trials, fitted, answers.log_p)
    pairs = answers.trials.task == "pairs"
    seen, made = (later(x) if pairs else x.probability for x in (answers, predicted))
    chi2, degrees = 0.0, 0
    for cell in np.unique(cells(answers)):
        here = cells(answers) == cell
        names, where = np.unique(answers.trials.group[here], return_inverse=True)
        each = np.bincount(where, (seen - made)[here]) / np.bincount(where)
        if len(names) > 2 and each.std() > 0:
            chi2 += float(each.mean() ** 2 / (each.var(ddof=1) / len(names)))
            degrees += 1
    return chi2, degrees


def cells(answers: Answers, width: int = 100) -> np.ndarray:
    """(T,) which cell a prompt is in: D and offset by `width` years for pairs, n otherwise."""
    trials = answers.trials
    if trials.task != "pairs":
        return trials.n
    return trials.half * 1000 + np.floor(trials.offset / width).astype(int)


def _expected(theta: np.ndarray, x: np.ndarray, there: np.ndarray, many: np.ndarray, ridge: np.ndarray) -> Any:
    """Probabilities, and the information about θ."""
    eta = np.where(there, x @ theta, -np.inf)
    p = np.exp(eta - eta.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    mean = np.einsum("ti,tik->tk", p, x)
    weighted = (x * (p * many[:, None])[..., None]).reshape(-1, x.shape[-1])
    information = weighted.T @ x.reshape(-1, x.shape[-1]) - (mean * many[:, None]).T @ mean
    return p, information + np.diag(ridge)


def _inverse(beta: float) -> float:
    return 1 / beta if beta > 0 else math.inf


def _triple(one: Any, intervals: bool) -> tuple[float, float, float]:
    return (one.value, one.low, one.high) if intervals else (one.value, math.nan, math.nan)
