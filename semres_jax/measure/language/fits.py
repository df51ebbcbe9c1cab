"""Resolution in years from a language model's answers: by how its log-odds follow distance, and by likelihood."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semres_jax._types import Quantity
from semres_jax.measure.language.scoring import LEVEL, Answers, group_means, later

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
# Slopes of the likelihood, for each answer, that count as none, and steps.
_FLAT, _STEPS = 3e-8, 200
# So weak a pull towards no preference that only names that are always, or never, chosen feel it.
_RIDGE = 1e-8
_LEAST_DISPERSION = 1e-3


class Slope(NamedTuple):
    """How the logarithm of the odds between two names follows how much closer one is: P ∝ exp(bias - β d).

    Attributes:
        beta: β, per year, of either sign, its error from how groups of prompts vary (sandwich), biases fitted beside
            it; 1/β is the resolution of an exponential similarity.
        p: of β = 0, two-sided, Student's t over groups.
        dispersion: how much larger this variance is than that of one answer drawn for each prompt.
        groups: how many.
        places, labels: biases of places and of names, natural logarithms of odds; each kind sums to 0. Those of names
            are left out where there are less than three groups for each.
        probability: (T, N) fitted.
    """

    beta: Quantity
    p: float
    dispersion: float
    groups: int
    places: dict[str, float]
    labels: dict[str, float]
    probability: np.ndarray

    @property
    def epsilon(self) -> Quantity:
        """Resolution in years and its interval: 1/β, infinite where β isn't above 0."""
        value, low, high = (
            1 / beta if beta > 0 else math.inf for beta in (self.beta.value, self.beta.high, self.beta.low)
        )
        return Quantity(value, low=low, high=high)


class Resolution(NamedTuple):
    """One family fitted to the answers by `measure.fit_choices`, whose attributes these are.

    Attributes:
        bias: "none", "position" or "both".
        floor: that was given, or "fit".
        epsilon: in years; its interval is NaN where it was not asked for.
        delta: the floor.
        quasi_aic: Akaike's criterion, the log likelihood divided by the dispersion; families rank by it.
        mcfadden_r2: share of the log likelihood of chance that is explained.
        chi2, degrees: of mean probabilities in cells against the fit, groups' errors; near `degrees` where it fits.
        notes: what to know about it.
    """

    family: str
    bias: str
    floor: float | str
    probability: np.ndarray
    epsilon: Quantity = Quantity(math.nan)
    delta: Quantity = Quantity(math.nan)
    quasi_aic: float = math.nan
    mcfadden_r2: float = math.nan
    chi2: float = math.nan
    degrees: int = 0
    notes: tuple[str, ...] = ()


def slope(answers: Answers) -> Slope:
    """The conditional logit P(i) ∝ exp(bias of name + bias of place - β d_i), at its largest likelihood.

    The answers' probabilities stand for choices. The likelihood is concave; the error of β is that of the sandwich
    (I⁻¹ S I⁻¹, S of the scores of groups), so that prompts of one group count once.

    Args:
        answers: of one task.

    Example:
        >>> import numpy as np
        >>> from semres_jax.measure.language import fits, scoring, year_task
        >>> trials = year_task.items([2, 4], 40, ["Ann", "Bob", "Cy", "Dee"])
        >>> fit = fits.slope(scoring.Answers.of_scores(trials, -trials.distance / 50.0))
        >>> f"{fit.epsilon:.3f}"
        '50.000 [50.000, 50.000]'
    """
    from scipy import optimize, special

    trials, there = answers.trials, answers.trials.name >= 0
    unit = float(np.nanmean(trials.distance))
    columns, kinds = [np.where(there, -trials.distance / unit, 0.0)], []
    names, place = np.unique(trials.group, return_inverse=True)
    tables = {"place": trials.places, "label": trials.labels}
    if len(names) < _GROUPS_A_NAME * len(trials.names):
        del tables["label"]
    for kind, table in tables.items():
        for name in sorted(set(table[there].tolist())):
            columns.append(((table == name) & there).astype(np.float64))
            kinds.append((kind, name))
    x = np.stack(columns, -1)
    logit = _Logit(x, there, answers.weight)
    theta = optimize.minimize(
        logit.loss, np.zeros(x.shape[-1]), jac=logit.gradient, hess=logit.information, method="trust-exact",
        options={"gtol": _FLAT * max(logit.total.sum(), 1.0), "maxiter": _STEPS},
    ).x  # fmt: skip
    theta = theta - np.linalg.solve(logit.information(theta), logit.gradient(theta))  # the last digits
    score = np.zeros((len(names), x.shape[-1]))
    np.add.at(score, place, logit.scores(theta))
    inverse = np.linalg.inv(logit.information(theta))
    # As many numbers as are fitted are lost to the groups.
    free = max(len(names) - len(theta) + len({kind for kind, _ in kinds}), 1)
    variance = float((inverse @ score.T @ score @ inverse)[0, 0]) * len(names) / free
    value, stderr = float(theta[0] / unit), math.sqrt(variance) / unit
    half = float(special.stdtrit(free, (1 + LEVEL) / 2)) * stderr
    chance = 2 * float(special.stdtr(free, -abs(value) / stderr)) if stderr > 0 else float(value == 0)
    biases: dict[str, dict[str, float]] = {"place": {}, "label": {}}
    for (kind, name), bias in zip(kinds, theta[1:].tolist(), strict=True):
        biases[kind][name] = bias
    places, labels = ({k: v - sum(some.values()) / len(some) for k, v in some.items()} for some in biases.values())
    beta = Quantity(value, stderr, value - half, value + half)
    dispersion, fitted = variance / float(inverse[0, 0]), np.where(there, logit.shares(theta), 0.0)
    return Slope(beta, chance, dispersion, len(names), places, labels, fitted)


class _Logit:
    """Minus the log likelihood of P ∝ exp(x θ), with a weak pull to 0, its gradient, and the information about θ.

    Args:
        x: (T, N, K).
        there: (T, N) whether there is an item.
        weight: (T, N) how often it was chosen.
    """

    def __init__(self, x: np.ndarray, there: np.ndarray, weight: np.ndarray):
        self.x, self.there, self.weight, self.total = x, there, weight, weight.sum(1)
        self.ridge = _RIDGE * max(self.total.sum(), 1.0)

    def log_shares(self, theta: np.ndarray) -> np.ndarray:
        """(T, N) logarithms of probabilities, -inf where there is no item."""
        from scipy import special

        return special.log_softmax(np.where(self.there, self.x @ theta, -np.inf), axis=1)

    def shares(self, theta: np.ndarray) -> np.ndarray:
        return np.exp(self.log_shares(theta))

    def loss(self, theta: np.ndarray) -> float:
        likelihood = (self.weight * np.where(self.there, self.log_shares(theta), 0.0)).sum()
        return float(self.ridge / 2 * theta @ theta - likelihood)

    def scores(self, theta: np.ndarray) -> np.ndarray:
        """(T, K) gradients of the log likelihoods of prompts."""
        return np.einsum("ti,tik->tk", self.weight - self.total[:, None] * self.shares(theta), self.x)

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """(K,) of the loss."""
        return self.ridge * theta - self.scores(theta).sum(0)

    def information(self, theta: np.ndarray) -> np.ndarray:
        """(K, K) second derivatives of the loss."""
        p = self.shares(theta)
        mean = np.einsum("ti,tik->tk", p, self.x)
        flat = self.x.reshape(-1, self.x.shape[-1])
        second = (flat * (p * self.total[:, None]).reshape(-1, 1)).T @ flat
        return second - (mean * self.total[:, None]).T @ mean + self.ridge * np.eye(len(theta))


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
    from semres_jax.measure.choices.fits import fit_choices

    trials, scale, rows = answers.trials, max(of.dispersion, _LEAST_DISPERSION), []
    for family, floor, bias, intervals in models or (_ALL if trials.task == "pairs" else _PLAIN):
        bias = "position" if bias == "both" and not of.labels else bias
        try:
            fit = fit_choices(
                trials.distance, answers.weight / scale, labels=trials.labels, positions=trials.places, family=family,
                delta=floor, bias=bias, intervals=intervals,
            )  # fmt: skip
        except ValueError as error:
            rows.append(Resolution(family, bias, floor, np.full(answers.weight.shape, np.nan), notes=(str(error),)))
            continue
        ends = ("value", "low", "high") if intervals else ("value",)
        epsilon, delta = (
            Quantity(**{end: getattr(number, end) for end in ends}) for number in (fit.epsilon, fit.delta)
        )
        rows.append(Resolution(family, bias, floor, fit.probabilities, epsilon, delta, fit.aic, fit.mcfadden_r2,
                               *misfit(answers, fit.probabilities), fit.notes))  # fmt: skip
    return rows


def misfit(answers: Answers, fitted: np.ndarray) -> tuple[float, int]:
    """χ² of mean probabilities in cells, and how many cells: of pairs, P(later) by D and offset; else P(right) by n."""
    pairs = answers.trials.task == "pairs"
    measured, predicted = (
        later(part) if pairs else part.probability for part in (answers, answers._replace(weight=fitted))
    )
    trials, chi2, degrees = answers.trials, 0.0, 0
    cells = trials.half * 1000 + trials.offset_cell if pairs else trials.n
    for cell in np.unique(cells):
        here = cells == cell
        means = group_means((measured - predicted)[here], trials.group[here])
        if len(means) > 2 and means.std() > 0:
            chi2 += float(means.mean() ** 2 / (means.var(ddof=1) / len(means)))
            degrees += 1
    return chi2, degrees
