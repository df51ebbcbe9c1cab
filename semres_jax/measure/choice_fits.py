"""Resolution from choices: maximum likelihood of ε, Δ, Luce's exponent and answer biases, with profile intervals."""

import dataclasses
import math
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import numpy as np

from semres_jax._types import ArrayLike
from semres_jax.measure import _choice_model as model
from semres_jax.measure._choice_setup import Setup, set_up

# Resolutions tried at first, from a share of the least distance to a multiple of the largest.
_FROM, _TO = 0.25, 8.0
_STARTS, _GRID, _ZOOM, _ZOOMS = 6, 64, 33, 2
# Different distances that a constant similarity is tried at; resolutions whose other profiles are followed.
_STEPS, _FOLLOWED = 4000, 40
# Starts agree if their log likelihoods do, to this.
_AGREE = 1e-4


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

    Smooth families climb by damped Newton steps from many starts; the likelihood of a constant similarity has steps in
    ε at the distances that there are, that of a linear one kinks: ε is searched there and all else climbs. The interval
    of a parameter is where its profile likelihood, all others fitted again, is within χ²₁(level) / 2 of the best. ε of
    a constant similarity is the middle of the best step; intervals of its other parameters, and of those of a linear
    one, follow the 40 best resolutions.

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
    """The best of all starts, and for families that aren't smooth all resolutions tried."""

    theta: np.ndarray
    value: float
    slope: float
    starts: int
    agreeing: int
    tried: np.ndarray
    values: np.ndarray


def _climbed(setup: Setup, theta: np.ndarray, *, epsilon: bool) -> model.Climbed:
    """Climb from (S, P); with or without ε."""
    basis = model.basis(setup.free, setup.groups, None if epsilon else 0)
    return model.climb(theta, basis[None], setup.counts[None], setup.table, setup.family)


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


def _resolutions(setup: Setup) -> np.ndarray:
    """ln ε to try for families that aren't smooth: every distance of a constant one; a grid for a linear one."""
    some = np.unique(setup.table.distances[setup.table.there])
    some = some[some > 0]
    if setup.family == "constant":
        if len(some) > _STEPS:
            some = some[np.unique(np.linspace(0, len(some) - 1, _STEPS).round().astype(int))]
        return np.log(some)
    return np.linspace(np.log(_FROM * some[0]), np.log(_TO * some[-1]), _GRID)


def _at(setup: Setup, log_epsilon: np.ndarray, start: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, Any]:
    """Best θ for each of (E,) ln ε, its log likelihood, and slopes; from `start`, or from two floors."""
    floors = [-4.0, -0.5] if start is None and setup.free[1] and setup.family != "constant" else [None]
    best = None
    for floor in floors:
        theta = np.tile(setup.start if start is None else start, (len(log_epsilon), 1))
        theta[:, 0] = log_epsilon
        if floor is not None:
            theta[:, 1] = floor
        got = _climbed(setup, theta, epsilon=False)
        if best is None:
            best = got
        else:
            better = got.value > best.value
            best = model.Climbed(*(
                np.where(better.reshape(-1, *[1] * (x.ndim - 1)), y, x) for x, y in zip(best, got, strict=True)
            ))  # fmt: skip
    assert best is not None
    return best.theta, best.value, best.slope


def _best(setup: Setup) -> _Best:
    if setup.family in model.SMOOTH:
        got = _climbed(setup, starts(setup), epsilon=True)
        k = int(np.argmax(got.value))
        agreeing = int((got.value > got.value[k] - _AGREE).sum())
        theta, value, slope = got.theta[k], float(got.value[k]), float(got.slope[k])
        if setup.free[1] and theta[1] < -9:  # a floor that small may as well be none
            none = theta.copy()
            none[1] = model.FLOOR
            again = _climbed(setup, none[None], epsilon=True)
            if again.value[0] > value - 1e-7:
                theta, value, slope = again.theta[0], float(again.value[0]), float(again.slope[0])
        return _Best(theta, value, slope, len(got.value), agreeing, got.theta, got.value)
    log_epsilon = _resolutions(setup)
    thetas, values, slopes = _at(setup, log_epsilon)
    if setup.family == "linear":
        step = log_epsilon[1] - log_epsilon[0]
        for _ in range(_ZOOMS):
            around = thetas[np.argmax(values), 0] + step * np.linspace(-1, 1, _ZOOM)
            more = _at(setup, around)
            thetas, values, slopes = (np.concatenate(x) for x in zip((thetas, values, slopes), more, strict=True))
            step *= 2 / (_ZOOM - 1)
    k = int(np.argmax(values))
    agreeing = int((values > values[k] - _AGREE).sum())
    return _Best(thetas[k], float(values[k]), float(slopes[k]), len(values), agreeing, thetas, values)


def _fitted(setup: Setup, level: float, intervals: bool) -> ChoiceFit:
    best = _best(setup)
    target = best.value - _drop(level)
    low, high = np.full((2, len(best.theta)), np.nan)
    low[setup.free], high[setup.free] = -np.inf, np.inf
    if intervals:
        if setup.family in model.SMOOTH:
            _ends(setup, best.theta[None], np.flatnonzero(setup.free), target, low, high)
        else:
            inside = np.flatnonzero(best.values >= target)
            order = inside[np.argsort(-best.values[inside])][:_FOLLOWED]
            _ends(setup, best.tried[order], np.flatnonzero(setup.free)[1:], target, low, high)
            edges = best.tried[inside]
            outer = edges[[np.argmin(edges[:, 0]), np.argmax(edges[:, 0])]]
            if setup.family == "linear":
                _ends(setup, outer, np.array([0]), target, low, high)
    theta = best.theta.copy()
    if setup.family == "constant":
        low[0], high[0], theta[0] = _steps(setup, best, target, intervals)
    return _report(setup, best, theta, low, high, level, intervals)


def _drop(level: float) -> float:
    """χ²₁(level) / 2."""
    return NormalDist().inv_cdf((1 + level) / 2) ** 2 / 2


def _steps(setup: Setup, best: _Best, target: float, intervals: bool) -> tuple[float, float, float]:
    """Ends of ε's interval for a constant similarity, and the middle of the best step, as logarithms."""
    d = np.unique(setup.table.distances[setup.table.there])
    d = d[d > 0]
    tried = np.log(d[np.searchsorted(d, np.exp(best.tried[:, 0]) * (1 - 1e-12))])
    place = np.searchsorted(np.log(d), best.theta[0] - 1e-12)
    middle = np.log((d[place] + d[min(place + 1, len(d) - 1)]) / 2)
    if not intervals:
        return -np.inf, np.inf, float(middle)
    inside = np.sort(tried[best.values >= target])
    low = -np.inf if inside[0] == np.log(d[0]) else inside[0]
    last = np.searchsorted(np.log(d), inside[-1] - 1e-12)
    high = np.inf if last >= len(d) - 1 else np.log(d[last + 1])
    return float(low), float(high), float(middle)


def _ends(setup: Setup, theta: np.ndarray, which: np.ndarray, target: float, low: np.ndarray, high: np.ndarray) -> None:
    """Widen low and high (P,) to the outermost ends of the profiles of entries `which`, followed from (S, P) points."""
    if not len(which):
        return
    free = setup.free.copy()
    if setup.family not in model.SMOOTH and which[0] != 0:
        free[0] = False
    rows = [(s, j, sign) for s in range(len(theta)) for j in which for sign in (-1.0, 1.0)]
    bases = {j: model.basis(free, setup.groups, int(j)) for j in which}
    pushes = {j: model.push(free, setup.groups, int(j)) for j in which}
    found = model.ends(
        np.array([theta[s] for s, _, _ in rows]),
        np.array([j for _, j, _ in rows]),
        np.array([sign for _, _, sign in rows]),
        np.stack([bases[j] for _, j, _ in rows]),
        np.stack([pushes[j] for _, j, _ in rows]),
        target,
        setup.counts[None],
        setup.table,
        setup.family,
    )
    at, closed = found
    for j in which:
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
    if setup.family == "linear" and setup.free[1] and epsilon >= furthest and delta < 1:
        notes.append(
            "linear similarity that doesn't end within the largest distance: only (1 - delta) / epsilon is seen"
        )
        epsilon, delta = epsilon / (1 - delta), 0.0
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
