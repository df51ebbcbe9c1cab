"""Resolution from choices: maximum likelihood of ε, Δ, Luce's exponent and answer biases, with profile intervals."""

import dataclasses
import math
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import numpy as np

from semres_jax._types import ArrayLike
from semres_jax.measure.choices import _cuts as cuts, _model as model, _windows as windows
from semres_jax.measure.choices._setup import Setup, set_up

# Resolutions tried at first, from a share of the least distance to a multiple of the largest.
_FROM, _TO = 0.25, 8.0
_STARTS = 6
# Resolutions whose other profiles are followed to either end, of families that aren't smooth.
_FOLLOWED = 3
# Starts agree if their log likelihoods do, to this.
_AGREE = 1e-4
# Log likelihoods that differ by less are equal.
_EQUAL = 1e-8


class Parameter(NamedTuple):
    """An estimate and its profile-likelihood interval; both ends NaN where it was given and not fitted.

    A low end of 0 (ε, Δ, exponent) or -inf (biases), or a high end of inf (Δ: 1): the interval doesn't end there.
    """

    value: float
    low: float
    high: float

    @property
    def fitted(self) -> bool:
        return not math.isnan(self.low)


@dataclasses.dataclass(frozen=True, eq=False)
class ChoiceFit:
    """A similarity, with biases, that was fitted to choices by `choices`.

    Attributes:
        family: name of the similarity.
        epsilon: resolution, in the unit of the distances.
        delta: noise floor, 0 to 1.
        exponent: Luce's; with the power law, of its decay.
        label_bias, position_bias: name -> bias, natural logarithms of odds; each kind sums to 0. Empty if not fitted.
        level: of the intervals.
        log_likelihood: Σ ln P(chosen).
        null_log_likelihood: that of choosing any item alike.
        parameters, choices: how many numbers were fitted, to how many choices.
        slope: largest slope of the log likelihood that is left in what was fitted (but ε, if it has steps or kinks).
        starts, agreeing: how many starts, and how many of them ended at the best, to 1e-4 in log likelihood.
        probabilities: (T, n) P(choose i) of every item, 0 where there is none.
        notes: what to know about these numbers, a line each.
        setup: the model, for `choice_profile` and tests of fit.
        theta: (P,) the estimate as the model has it.
    """

    family: str
    epsilon: Parameter
    delta: Parameter
    exponent: Parameter
    label_bias: dict[Any, Parameter]
    position_bias: dict[Any, Parameter]
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


def choices(
    distances: ArrayLike,
    chosen: ArrayLike,
    *,
    labels: Any = None,
    positions: Any = None,
    family: str = "exponential",
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
    gaussian with Δ = 0 show a/ε and a/ε² alone, constant shows Δ^a alone: a is refused there. The power law has one
    exponent, its own; Luce's would be the same thing (at Δ = 0, exactly). All strengths of a trial 0: biases decide.

    Smooth families climb by damped Newton steps from many starts; the interval of a parameter is where its profile
    likelihood, all others fitted again, is within χ²₁(level) / 2 of the best.

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

    Args:
        distances: (T, n) of the items from the probe; NaN where a trial has fewer items.
        chosen: (T,) index of the chosen item, from 0; or (T, n) how often each was chosen, or shares of one choice.
        labels: (T, n) names of the items, for their biases: what an item is called.
        positions: (T, n) where or when it was shown; the column of the table if not given.
        family: "constant", "linear", "exponential", "gaussian" or "powerlaw".
        delta: "fit", or the floor, 0 to 1.
        exponent: "fit", or Luce's exponent (of the power law: its own), 0.001 to 1000.
        bias: "none", "label", "position" or "both".
        level: of the intervals, above 0 and below 1.
        intervals: find them; without, their ends are those of no knowledge.

    Returns:
        `ChoiceFit`.

    Raises:
        ValueError: arrays that don't fit together, a choice that isn't among the items, parameters or biases that
            can't be told apart. One line.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> rng = np.random.default_rng(0)
        >>> d = rng.uniform(0, 1, (200, 2))
        >>> second = rng.random(200) < 1 / (1 + np.exp((d[:, 1] - d[:, 0]) / 0.2))
        >>> found = measure.choices(d, second.astype(int), delta=0.0)
        >>> round(found.epsilon.value, 3), round(found.epsilon.low, 3), round(found.epsilon.high, 3)
        (0.203, 0.157, 0.27)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1; got {level!r}")
    setup = set_up(
        distances, chosen, labels=labels, positions=positions, family=family, delta=delta, exponent=exponent, bias=bias
    )
    with jax.enable_x64(True):
        return _fitted(setup, level, intervals)


class _Best(NamedTuple):
    """The best of all starts, or of all resolutions that were tried."""

    theta: np.ndarray
    value: float
    slope: float
    starts: int
    agreeing: int


def starts(setup: Setup) -> np.ndarray:
    """(S, P) where to climb from, for families that are smooth in ε."""
    some = setup.table.distances[setup.table.there]
    some = some[some > 0]
    epsilons = np.geomspace(_FROM * np.quantile(some, 0.05), _TO / 4 * some.max(), _STARTS)
    floors = [-4.0, -0.5] if setup.free[1] else [setup.start[1]]
    powers = [-0.7, 0.7] if setup.free[2] else [setup.start[2]]
    grid = np.stack(np.meshgrid(np.log(epsilons), floors, powers, indexing="ij"), -1).reshape(-1, 3)
    found = np.tile(setup.start, (len(grid), 1))
    found[:, :3] = grid
    return found


def _best(setup: Setup) -> _Best:
    """The maximum for a family that is smooth in ε."""
    basis = model.basis(setup.free, setup.groups)[None]
    got = model.climb(starts(setup), basis, setup.counts[None], setup.table, setup.family)
    k = int(np.argmax(got.value))
    agreeing = int((got.value > got.value[k] - _AGREE).sum())
    theta, value, slope = got.theta[k], float(got.value[k]), float(got.slope[k])
    if setup.free[1] and theta[1] < -9:  # a floor that small may as well be none
        none = theta.copy()
        none[1] = model.FLOOR
        again = model.climb(none[None], basis, setup.counts[None], setup.table, setup.family)
        if again.value[0] > value - 1e-7:
            theta, value, slope = again.theta[0], float(again.value[0]), float(again.slope[0])
    return _Best(theta, value, slope, len(got.value), agreeing)


def profile(setup: Setup, log_epsilon: np.ndarray, best: np.ndarray) -> np.ndarray:
    """(E,) best log likelihoods at (E,) ln ε, climbed to from the fit, from two floors, and from none."""
    floors = [best[1], -4.0, -0.5, model.FLOOR] if setup.free[1] else [best[1]]
    found = np.full(len(log_epsilon), -np.inf)
    for floor in floors:
        theta = np.tile(best, (len(log_epsilon), 1))
        theta[:, 0], theta[:, 1] = log_epsilon, floor
        found = np.maximum(found, windows.climbed(setup, theta).value)
    return found


def _fitted(setup: Setup, level: float, intervals: bool) -> ChoiceFit:
    low, high = np.full((2, len(setup.start)), np.nan)
    low[setup.free], high[setup.free] = -np.inf, np.inf
    which = np.flatnonzero(setup.free)
    if setup.family in model.SMOOTH:
        best = _best(setup)
        if intervals:
            target = np.full(len(setup.free), best.value - _drop(level))
            _ends(setup, best.theta[None], [(0, j, sign) for j in which for sign in (-1.0, 1.0)], target, low, high)
        return _report(setup, best, best.theta, low, high, level, intervals)
    path = windows.search(setup)
    k = _plain(setup, path)
    agreeing = int((path.value > path.value[k] - _AGREE).sum())
    best = _Best(path.theta[k], float(path.value[k]), float(path.slope[k]), len(path.value), agreeing)
    if intervals:
        cut = cuts.cuts(setup, path, k, level)
        low[0], high[0] = windows.crossed(setup, path, cut.epsilon)
        _outermost(setup, path, k, which[1:], best.value - cut.others / 2, low, high)
    return _report(setup, best, best.theta, low, high, level, intervals)


def _plain(setup: Setup, path: windows.Path) -> int:
    """The best of a path; among equals one without a floor: a linear similarity that doesn't end shows a ratio only."""
    good = np.flatnonzero(path.value >= path.value.max() - _EQUAL)
    none = good[path.theta[good, 1] <= model.FLOOR + 1]
    some = none if len(none) and setup.free[1] else good
    return int(some[np.argmax(path.value[some])])


def _outermost(
    setup: Setup,
    path: windows.Path,
    best: int,
    which: np.ndarray,
    target: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> None:
    """Ends of entries `which` at the resolutions where they are farthest, by the curvature there."""
    inside = np.flatnonzero(path.value >= target[which].min()) if len(which) else which
    theta, value = path.theta[inside], path.value[inside]
    hessian = model.derivatives(theta, setup.counts[None], setup.table, setup.family)[2]
    basis = model.basis(setup.free & (np.arange(len(setup.free)) > 0), setup.groups)
    variance = np.diagonal(basis @ np.linalg.pinv(-basis.T @ hessian @ basis, hermitian=True) @ basis.T, 0, 1, 2)
    reach = np.sqrt(2 * np.maximum(value[:, None] - target, 0.0) * np.maximum(variance, 0.0))
    rows = []
    for j in which:
        good = np.flatnonzero(value >= target[j])
        for sign in (-1.0, 1.0):
            out = good[np.argsort(-(sign * theta + reach)[good, j])][:_FOLLOWED]
            rows += [(k, j, sign) for k in np.unique(np.append(out, np.flatnonzero(inside == best)))]
    _ends(setup, theta, rows, target, low, high)


def _drop(level: float) -> float:
    """χ²₁(level) / 2."""
    return NormalDist().inv_cdf((1 + level) / 2) ** 2 / 2


def _ends(setup: Setup, theta: np.ndarray, rows: list, target: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Set low and high (P,) to the outermost ends of profiles: rows are a point of (S, P), an entry, and -1 or 1."""
    if not rows:
        return
    free = setup.free.copy()
    free[0] &= setup.family in model.SMOOTH
    entries = {j for _, j, _ in rows}
    bases = {j: model.basis(free, setup.groups, int(j)) for j in entries}
    pushes = {j: model.push(free, setup.groups, int(j)) for j in entries}
    at, closed = model.ends(
        np.array([theta[s] for s, _, _ in rows]),
        np.array([j for _, j, _ in rows]),
        np.array([sign for _, _, sign in rows]),
        np.stack([bases[j] for _, j, _ in rows]),
        np.stack([pushes[j] for _, j, _ in rows]),
        np.array([target[j] for _, j, _ in rows]),
        setup.counts[None],
        setup.table,
        setup.family,
    )
    for j in entries:
        for sign, ends in ((-1.0, low), (1.0, high)):
            mine = [k for k, (_, i, s) in enumerate(rows) if i == j and s == sign]
            if closed[mine].all():
                ends[j] = (at[mine].min if sign < 0 else at[mine].max)()


def _report(
    setup: Setup, best: _Best, theta: np.ndarray, low: np.ndarray, high: np.ndarray, level: float, intervals: bool
) -> ChoiceFit:
    notes = []
    delta = _sigmoid(theta[1]) if theta[1] > model.FLOOR + 1 else 0.0
    epsilon = math.exp(theta[0])
    furthest = setup.table.distances.max()
    if setup.family == "linear" and setup.free[1] and delta == 0 and epsilon >= furthest:
        notes.append(
            "linear similarity that doesn't end within the largest distance: only (1 - delta) / epsilon is seen"
        )
    # Ends are found to rounding; the estimate is between them.
    low, high = np.minimum(low, theta), np.maximum(high, theta)
    numbers = [
        Parameter(epsilon, math.exp(low[0]), math.exp(high[0])),
        Parameter(delta, _sigmoid(low[1]), _sigmoid(high[1])),
        Parameter(math.exp(theta[2]), math.exp(low[2]), math.exp(high[2])),
    ]
    biases: dict[str, dict[Any, Parameter]] = {"label": {}, "position": {}}
    for k in np.flatnonzero(setup.free[3:]) + 3:
        kind, name = setup.names[k]
        biases[kind][name] = Parameter(float(theta[k]), float(low[k]), float(high[k]))
        if abs(theta[k]) > 15:
            notes.append(f"{kind} {name!r} is {'never' if theta[k] < 0 else 'always'} chosen: its bias has no end")
    for end, (word, limit) in ((low[0], ("lower", -np.inf)), (high[0], ("upper", np.inf))):
        if end == limit and intervals:
            notes.append(f"the interval of epsilon has no {word} end: only the other end is known")
    p = np.exp(np.asarray(model.log_choices(best.theta[None], setup.table, family=setup.family)))[0]
    many = setup.counts.sum(1)
    return ChoiceFit(
        setup.family,
        numbers[0],
        numbers[1],
        numbers[2],
        biases["label"],
        biases["position"],
        level,
        best.value,
        float(-many @ np.log(setup.table.there.sum(1))),
        setup.parameters,
        float(many.sum()),
        best.slope,
        best.starts,
        best.agreeing,
        np.where(setup.table.there, p, 0.0),
        tuple(notes),
        setup,
        best.theta,
    )


def _sigmoid(x: float) -> float:
    return 0.0 if x < -700 else 1 / (1 + math.exp(-x))
