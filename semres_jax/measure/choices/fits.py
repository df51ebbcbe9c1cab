"""Resolution from choices: maximum likelihood of ε, Δ, Luce's exponent and answer biases, with profile intervals."""

import dataclasses
import math
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import special

from semres_jax._showing import frame, html_table
from semres_jax._types import Quantity
from semres_jax.measure.choices import _cuts as cuts, _model as model, _windows as windows
from semres_jax.measure.choices._model import Setup
from semres_jax.measure.choices._setup import set_up

if TYPE_CHECKING:
    from semres_jax.storage.resume import Saved

# Resolutions tried at first, from a share of the least distance to a multiple of the largest.
_FROM, _TO = 0.25, 8.0
_STARTS = 6
# Resolutions whose other profiles are followed to either end, of families that aren't smooth.
_FOLLOWED = 3
# Starts agree if their log likelihoods do, to this.
_AGREE = 1e-4
# Log likelihoods that differ by less are equal.
_EQUAL = 1e-8


@dataclasses.dataclass(frozen=True, eq=False)
class ChoiceFit:
    """A similarity, with biases, that was fitted to choices by `fit_choices`.

    Intervals are those of the profile likelihood. A low end of 0 (-inf of a bias) or a high end of inf (1 of the floor)
    says that the interval doesn't end there. Both ends are NaN where a number was given and not fitted.

    Attributes:
        family: label of the similarity, such as "exponential" or "powerlaw(3)".
        epsilon: resolution, in the unit of the distances.
        delta: noise floor, 0 to 1.
        exponent: Luce's; with the power law, of its decay.
        label_bias, position_bias: name -> bias, natural logarithms of odds; each kind sums to 0. Empty if not fitted.
        level: of the intervals.
        log_likelihood: Σ ln P(chosen).
        null_log_likelihood: that of choosing any item alike.
        parameters, choices: how many numbers were fitted, to how many choices.
        slope: largest slope of the log likelihood left in what was fitted, but ε of a constant or linear similarity;
            large where one of your own has a kink at the estimate.
        starts, agreeing: how many starts, and how many of them ended at the best, to 1e-4 in log likelihood.
        probabilities: (T, n) P(choose i) of every item, 0 where there is none.
        notes: what to know about these numbers, a line each.
        setup: the model, for `choice_profile` and tests of fit.
        theta: (P,) the estimate as the model has it.
    """

    family: str
    epsilon: Quantity
    delta: Quantity
    exponent: Quantity
    label_bias: dict[Any, Quantity]
    position_bias: dict[Any, Quantity]
    level: float
    log_likelihood: float
    null_log_likelihood: float
    parameters: int
    choices: float
    slope: float
    starts: int
    agreeing: int
    probabilities: np.ndarray
    notes: tuple[str, ...]
    setup: Setup = dataclasses.field(repr=False)
    theta: np.ndarray = dataclasses.field(repr=False)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} = {number}" for name, number in self.quantities().items())
        return f"ChoiceFit({self.family}: {numbers or 'nothing fitted'}; AIC {self.aic:.1f}, {self.choices:g} choices)"

    def _repr_html_(self) -> str:
        numbers = self.quantities()
        note = f"{self.family}; {self.level:.0%} intervals; AIC {self.aic:.1f}, {self.choices:g} choices"
        return html_table({"": list(numbers), "value": list(map(str, numbers.values()))}, note)

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each number that was fitted, by name: its value and interval."""
        numbers = self.quantities()
        columns = {part: [getattr(number, part) for number in numbers.values()] for part in ("value", "low", "high")}
        return frame(columns, "number", list(numbers))

    def quantities(self) -> dict[str, Quantity]:
        """All numbers that were fitted, by name: "epsilon", "delta", "exponent", "label heart"."""
        numbers = {name: getattr(self, name) for name in model.NUMBERS}
        biases = {"label": self.label_bias, "position": self.position_bias}
        return {name: number for name, number in numbers.items() if not math.isnan(number.low)} | {
            f"{kind} {name}": bias for kind, named in biases.items() for name, bias in named.items()
        }

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 ln L."""
        return 2 * self.parameters - 2 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """AIC corrected for few choices, + 2 k (k + 1) / (N - k - 1); infinite where N <= k + 1."""
        k, left = self.parameters, self.choices - self.parameters - 1
        return self.aic + 2 * k * (k + 1) / left if left > 0 else math.inf

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k ln N - 2 ln L."""
        return self.parameters * math.log(self.choices) - 2 * self.log_likelihood

    @property
    def mcfadden_r2(self) -> float:
        """1 - ln L / ln L of choosing any item alike."""
        return 1 - self.log_likelihood / self.null_log_likelihood


def fit_choices(
    distances: Any,
    chosen: Any,
    *,
    labels: Any = None,
    positions: Any = None,
    family: Any = "exponential",
    delta: float | int | str = "fit",
    exponent: float | int | str = 1.0,
    bias: str = "none",
    level: float = 0.95,
    intervals: bool = True,
) -> ChoiceFit:
    """Maximum likelihood fit of P(choose i) ∝ exp(bias of label i + bias of position i) · g(d_i; ε, Δ)^a.

    What is told apart by what: ε by how choices follow distances; Δ by choices of items so far off that g0 is near 0;
    a by the bend of ln g, so that it needs Δ or a similarity that isn't scale-free in it. A bias is the logarithm of
    odds between items at equal distance; one common to all does nothing, so each kind sums to 0. Exponential and
    gaussian with Δ = 0 show a/ε and a/ε² alone, constant shows Δ^a alone: a is refused there. "powerlaw" has one
    exponent, its own, fitted or given in place of Luce's, which would be the same thing (at Δ = 0, exactly); that of
    "powerlaw(3)" is fixed, beside Luce's. All strengths of a trial 0: biases decide.

    Exponential, gaussian and power laws climb by damped Newton steps from many starts; the interval of a parameter is
    where its profile likelihood, all others fitted again, is within χ²₁(level) / 2 of the best.

    The likelihood of a constant similarity has steps in ε at the distances that there are; that of a linear one has
    kinks there, and jumps where no floor makes up for an item that comes into reach. Both are searched in all windows
    between neighbouring distances. ε of a constant similarity is the middle of the best window; that of a linear one
    may be an end of its window, a rounding's breadth inside. A jump is a change point: the error of ε goes as 1 / T,
    and twice the drop of the likelihood at the truth is the maximum of two random walks, not χ² (Hinkley,
    Biometrika 57, 1, 1970). It is simulated from the fit: 200 tables at each of up to 12 resolutions; where nothing
    jumps, 400 at the estimate. The interval is where the table's own drop isn't among the largest 1 - level (of equal
    ones half count), at most -2 ln(1 - √level), which holds for any jumps (Ville's inequality). Intervals of the other
    numbers, over all windows, are cut at what simulation says, at least at χ²₁(level). The random numbers are always
    the same. Choices that are shares can't be simulated: there χ²₁ and that bound.

    Any other kind, such as a class of your own, is differentiated as it is. It may end or have kinks, of which nothing
    is known: its profile is climbed to at hundreds of resolutions, the best are closed in on from both sides, and from
    the best of all climbs go on in all numbers at once. Where it says that it ends at ε (`ends`) the distances are
    tried too; windows elsewhere that are narrower than 3 % of ε may be missed. Its intervals are cut at χ²₁(level) / 2,
    and are the piece around the estimate; where its likelihood jumps they hold the truth less often than they say.

    Args:
        distances: (T, n) of the items from the probe; NaN where a trial has fewer items.
        chosen: (T,) index of the chosen item, from 0; or (T, n) how often each was chosen, or shares of one choice.
        labels: (T, n) names of the items, for their biases: what an item is called.
        positions: (T, n) where or when it was shown; the column of the table if not given.
        family: what `similarity.get` takes: "constant", "linear", "exponential", "gaussian", "powerlaw", "powerlaw(3)",
            or a class of similarities with fields epsilon and delta, a user's own too.
        delta: "fit", or the floor, 0 to 1.
        exponent: "fit", or Luce's exponent (of the power law: its own), 0.001 to 1000.
        bias: "none", "label", "position" or "both".
        level: of the intervals, above 0 and below 1.
        intervals: find them; without, their ends are those of no knowledge.

    Returns:
        `ChoiceFit`.

    Raises:
        ValueError: an unknown family, arrays that don't fit together, a choice that isn't among the items, parameters
            or biases that can't be told apart. One line.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> rng = np.random.default_rng(0)
        >>> d = rng.uniform(0, 1, (200, 2))
        >>> second = rng.random(200) < 1 / (1 + np.exp((d[:, 1] - d[:, 0]) / 0.2))
        >>> fit = measure.fit_choices(d, second.astype(int), delta=0.0)
        >>> print(fit.epsilon)
        0.203 [0.157, 0.27]
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1; got {level!r}")
    setup = set_up(
        distances, chosen, labels=labels, positions=positions, family=family, delta=delta, exponent=exponent, bias=bias
    )
    return fitted(setup, level, intervals)


class _Best(NamedTuple):
    """The best of all starts, or of all resolutions that were tried."""

    theta: np.ndarray
    value: float
    slope: float
    starts: int
    agreeing: int

    @classmethod
    def of(cls, tried: model.Climbed | windows.Path, k: int) -> "_Best":
        agreeing = int((tried.value > tried.value[k] - _AGREE).sum())
        return cls(tried.theta[k], float(tried.value[k]), float(tried.slope[k]), len(tried.value), agreeing)


def starts(setup: Setup) -> np.ndarray:
    """(S, P) where to climb from, for families that are smooth in ε."""
    some = setup.table.distances[setup.table.there & (setup.table.distances > 0)]
    epsilons = np.geomspace(_FROM * np.quantile(some, 0.05), _TO / 4 * some.max(), _STARTS)
    floors = [-4.0, -0.5] if setup.free[1] else [setup.start[1]]
    powers = [-0.7, 0.7] if setup.free[2] else [setup.start[2]]
    grid = list(product(np.log(epsilons), floors, powers))
    return np.hstack([grid, np.tile(setup.start[3:], (len(grid), 1))])


def _best(setup: Setup) -> _Best:
    """The maximum for a family that is smooth in ε."""
    got = model.climb(setup, starts(setup), setup.basis()[None])
    best = _Best.of(got, int(np.argmax(got.value)))
    if setup.free[1] and best.theta[1] < -9:  # a floor that small may as well be none
        again = _gone_on(setup, best, np.where(np.arange(len(best.theta)) == 1, model.FLOOR, best.theta))
        return again if again.value > best.value - 1e-7 else best
    return best


def _gone_on(setup: Setup, best: _Best, theta: np.ndarray) -> _Best:
    """Where a climb in all numbers ends that begins at theta."""
    got = model.climb(setup, theta[None], setup.basis()[None])
    return best._replace(theta=got.theta[0], value=float(got.value[0]), slope=float(got.slope[0]))


def profile(setup: Setup, log_epsilon: np.ndarray, best: np.ndarray, *, near: bool = False) -> np.ndarray:
    """(E,) best log likelihoods at (E,) ln ε, climbed to from the fit and, unless near it, two floors and none."""
    floors = [best[1], -4.0, -0.5, model.FLOOR] if setup.free[1] and not near else [best[1]]
    value = np.full(len(log_epsilon), -np.inf)
    for floor in floors:
        theta = np.tile(best, (len(log_epsilon), 1))
        theta[:, 0], theta[:, 1] = log_epsilon, floor
        value = np.maximum(value, windows.climbed(setup, theta).value)
    return value


def fitted(setup: Setup, level: float, intervals: bool, saved: "Saved | None" = None, cell: str = "fit") -> ChoiceFit:
    """The fit; what was kept of it in `saved` is not searched again."""
    kept = None if saved is None else saved.finished(cell)
    if kept is None:
        best, ends = _searched(setup, level, intervals)
        if saved is not None:
            saved.finish(cell, {"theta": best.theta, "ends": ends, "rest": np.array(best[1:], np.float64)})
    else:
        value, slope, *counts = kept["rest"].tolist()
        best, ends = _Best(kept["theta"], value, slope, *map(int, counts)), kept["ends"]
    return _report(setup, best, ends, level, intervals)


def _searched(setup: Setup, level: float, intervals: bool) -> tuple[_Best, np.ndarray]:
    ends = np.where(setup.free, [[-np.inf], [np.inf]], np.nan)
    which = np.flatnonzero(setup.free)
    if setup.family.kind in model.SMOOTH:
        best = _best(setup)
    else:
        path = windows.search(setup)
        k = _plain(setup, path)
        best = _Best.of(path, k)
        if setup.windowed and intervals:
            cut = cuts.cuts(setup, path, k, level)
            ends[:, 0] = windows.crossed(setup, path, cut.epsilon)
            _outermost(setup, path, k, which[1:], best.value - cut.others / 2, ends)
        elif not setup.windowed:
            best = _gone_on(setup, best, best.theta)
    if intervals and not setup.windowed:
        target = np.full(len(setup.free), best.value - drop(level))
        _ends(setup, best.theta[None], [(0, j, sign) for j in which for sign in (-1.0, 1.0)], target, ends)
    return best, ends


def _plain(setup: Setup, path: windows.Path) -> int:
    """The best of a path; among equals one without a floor: a linear similarity that doesn't end shows a ratio only."""
    good = path.value >= path.value.max() - _EQUAL
    none = good & (path.theta[:, 1] <= model.FLOOR + 1)
    return int(np.where(none if none.any() and setup.free[1] else good, path.value, -np.inf).argmax())


def _outermost(
    setup: Setup, path: windows.Path, best: int, which: np.ndarray, target: np.ndarray, ends: np.ndarray
) -> None:
    """Ends of entries `which` at the resolutions where they are farthest, by the curvature there."""
    inside = np.flatnonzero(path.value >= target[which].min()) if len(which) else which
    theta, value = path.theta[inside], path.value[inside]
    hessian, basis = model.derivatives(setup, theta)[2], setup.basis(0)
    variance = np.diagonal(basis @ np.linalg.pinv(-basis.T @ hessian @ basis, hermitian=True) @ basis.T, 0, 1, 2)
    reach = np.sqrt(2 * np.maximum(value[:, None] - target, 0.0) * np.maximum(variance, 0.0))
    rows = []
    for j in which:
        good = np.flatnonzero(value >= target[j])
        for sign in (-1.0, 1.0):
            out = good[np.argsort(-(sign * theta + reach)[good, j])][:_FOLLOWED]
            rows += [(k, j, sign) for k in np.unique(np.append(out, np.flatnonzero(inside == best)))]
    _ends(setup, theta, rows, target, ends)


def drop(level: float) -> float:
    """χ²₁(level) / 2."""
    return float(special.chdtri(1, 1 - level)) / 2


def _ends(setup: Setup, theta: np.ndarray, rows: list, target: np.ndarray, ends: np.ndarray) -> None:
    """Set ends (2, P) to the outermost ends of profiles: rows are a point of (S, P), an entry, and -1 or 1."""
    if not rows:
        return
    points, entries, signs = map(np.array, zip(*rows, strict=True))
    at, closed = model.ends(setup, theta[points], entries, signs, target[entries])
    for j, sign in {(j, sign) for _, j, sign in rows}:
        same = (entries == j) & (signs == sign)
        if closed[same].all():
            ends[int(sign > 0), j] = sign * (sign * at[same]).max()


def _report(setup: Setup, best: _Best, ends: np.ndarray, level: float, intervals: bool) -> ChoiceFit:
    notes, theta = [], best.theta
    # Ends are found to rounding; the estimate is between them.
    columns = map(_numbers, (theta, np.minimum(ends[0], theta), np.maximum(ends[1], theta)))
    numbers = [Quantity(value, low=low, high=high) for value, low, high in zip(*columns, strict=True)]
    if numbers[1].value < math.exp(model.FLOOR + 1):
        numbers[1] = numbers[1]._replace(value=0.0)
    if setup.straight and setup.free[1] and numbers[1].value == 0 and numbers[0].value >= setup.table.distances.max():
        notes.append(
            "linear similarity that doesn't end within the largest distance: only (1 - delta) / epsilon is seen"
        )
    biases: dict[str, dict[Any, Quantity]] = {"label": {}, "position": {}}
    for k in np.flatnonzero(setup.free[3:]) + 3:
        kind, name = setup.names[k]
        biases[kind][name] = numbers[k]
        if abs(theta[k]) > 15:
            notes.append(f"{kind} {name!r} is {'never' if theta[k] < 0 else 'always'} chosen: its bias has no end")
    for word, end in zip(("lower", "upper"), ends[:, 0], strict=True):
        if np.isinf(end) and intervals:
            notes.append(f"the interval of epsilon has no {word} end: only the other end is known")
    p = np.exp(model.log_choices(theta[None], setup.table, family=setup.family))[0]
    totals = setup.counts.sum(1)
    null = float(-totals @ np.log(setup.table.there.sum(1)))
    epsilon, delta, exponent = numbers[:3]
    return ChoiceFit(
        setup.family.label, epsilon, delta, exponent, biases["label"], biases["position"], level, best.value, null,
        setup.parameters, float(totals.sum()), best.slope, best.starts, best.agreeing,
        probabilities=np.where(setup.table.there, p, 0.0), notes=tuple(notes), setup=setup, theta=theta,
    )  # fmt: skip


def _numbers(theta: np.ndarray) -> list[float]:
    """ε, Δ, the exponent and biases of θ."""
    delta = 0.0 if theta[1] < -700 else 1 / (1 + math.exp(-theta[1]))
    return [math.exp(theta[0]), delta, math.exp(theta[2]), *map(float, theta[3:])]
