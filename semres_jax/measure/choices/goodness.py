"""How good fits to choices are: simulated choices, calibration, tests of biases, and whether intervals cover."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from semres_jax._checks import require_count
from semres_jax._random import generator
from semres_jax._showing import frame
from semres_jax._types import ArrayLike
from semres_jax.measure.choices import _model as model, _windows as windows, fits
from semres_jax.measure.choices._model import Setup
from semres_jax.measure.choices.fits import ChoiceFit

# Bins of predicted probabilities and of gaps in distance.
BINS = 10
# Resolutions that a simulated table is fitted at, where the family isn't smooth in ε.
_RESOLUTIONS = 41
# Of these so many at least are climbed at, all in small tables; numbers of tables that are worked on together.
_CLIMBED, _NUMBERS = 5, 1 << 22
# Probabilities that are the same to so many digits keep the order of their trials, which rounding would change.
_DIGITS = 12


class Bins(NamedTuple):
    """What was predicted and what was chosen, in bins of equal numbers of items or trials.

    Attributes:
        middle: (k,) mean of what the bins are of.
        predicted, observed: (k,) share that was to be chosen, and was.
        stderr: (k,) standard error of the observed share, if the prediction is right.
        choices: (k,) how many a bin has.
    """

    middle: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray
    stderr: np.ndarray
    choices: np.ndarray

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each bin."""
        return frame(self._asdict(), "bin")

    @property
    def chi_square(self) -> float:
        """Σ ((observed - predicted) / stderr)²."""
        good = self.stderr > 0
        return float((((self.observed - self.predicted)[good] / self.stderr[good]) ** 2).sum())


class GoodnessOfFit(NamedTuple):
    """Whether choices look like those of the fit; p-values are shares of simulated tables that are as far off.

    Attributes:
        calibration: items by their predicted probability.
        calibration_p: of its χ².
        gap: trials by the distance between the closest and the next item, chosen: the closest.
        gap_p: of its χ².
        deviance: -2 ln L.
        deviance_p: share of simulated tables with as large a deviance. With single choices it says little: at Δ = 0 an
            exponential similarity's is a function of the estimates alone.
        tables: how many were simulated.
    """

    calibration: Bins
    calibration_p: float
    gap: Bins
    gap_p: float
    deviance: float
    deviance_p: float
    tables: int

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each bin, first those by predicted probability, then those by gap."""
        parts = {"calibration": self.calibration, "gap": self.gap}
        columns = {name: np.concatenate([getattr(bins, name) for bins in parts.values()]) for name in Bins._fields}
        return frame({"by": np.repeat(list(parts), [len(bins.middle) for bins in parts.values()]), **columns}, "bin")


class RatioTest(NamedTuple):
    """2 ln of the ratio of likelihoods, its degrees of freedom, and P(χ² is as large)."""

    statistic: float
    freedom: int
    p_value: float

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame of one row."""
        return frame({name: [value] for name, value in self._asdict().items()}, "test")


def goodness_of_fit(fit: ChoiceFit, *, count: int = 200, key: Any = None) -> GoodnessOfFit:
    """Compare choices with tables that are simulated from the fit, each fitted again (parametric bootstrap).

    χ² of sums over bins has no known distribution where each trial is one choice and bins share trials; the simulated
    tables give it. Families with steps or kinks in ε are fitted again at 41 resolutions, in windows
    next to the fit.

    Args:
        fit: of `fit_choices`, to whole numbers of choices.
        count: how many tables.
        key: of the random numbers; None: `jax.random.key(0)`.

    Raises:
        ValueError: count below 1; choices that are shares.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> d = np.random.default_rng(0).uniform(0, 1, (200, 2))
        >>> chosen = (d[:, 1] < d[:, 0]).astype(int)
        >>> chosen[::9] = 1 - chosen[::9]
        >>> fit = measure.fit_choices(d, chosen, delta=0.0, intervals=False)
        >>> bool(measure.goodness_of_fit(fit, count=50).calibration_p < 0.1)
        True
    """
    count = require_count("count", count, 1)
    setup = fit.setup
    tests = [_calibration(setup), _gaps(setup)]
    own = [bins(setup.counts, fit.probabilities) for bins in tests]
    others: list[list[float]] = [[] for _ in tests]
    deviances = []
    for tables in _simulated(fit, count, key):
        theta, value, _ = _refitted(setup, tables, fit.theta)
        deviances.append(-2 * value)
        p = np.exp(model.log_choices(theta, setup.table, family=setup.family))
        for these, bins in zip(others, tests, strict=True):
            these += [bins(*simulated).chi_square for simulated in zip(tables, p, strict=True)]

    def share(those: ArrayLike, this: float) -> float:
        return float((1 + (np.asarray(those) >= this - 1e-9).sum()) / (1 + count))

    deviance = -2 * fit.log_likelihood
    calibration_p, gap_p = (share(those, this.chi_square) for those, this in zip(others, own, strict=True))
    deviance_p = share(np.concatenate(deviances), deviance)
    return GoodnessOfFit(own[0], calibration_p, own[1], gap_p, deviance, deviance_p, count)


def simulated_choices(fit: ChoiceFit, count: int, key: Any = None) -> np.ndarray:
    """(count, T, n) choices drawn from a fit, as many in each trial as there were.

    Raises:
        ValueError: the fit is to shares, not to whole numbers of choices.
    """
    return np.concatenate(list(_simulated(fit, count, key)))


def _simulated(fit: ChoiceFit, count: int, key: Any) -> Iterator[np.ndarray]:
    """The same, so many tables at a time as a computer's memory bears."""
    totals = fit.setup.counts.sum(1)
    if (totals != totals.round()).any():
        raise ValueError("only whole numbers of choices can be simulated; the fit is to shares")
    p = fit.probabilities / fit.probabilities.sum(1, keepdims=True)
    rng, step = generator(key), max(1, _NUMBERS // p.size)
    for first in range(0, count, step):
        size = (min(step, count - first), len(p))
        yield rng.multinomial(totals.astype(int), p, size).astype(np.float64)


def ratio_test(small: ChoiceFit, large: ChoiceFit) -> RatioTest:
    """Likelihood-ratio test of what `large` has more than `small`, such as biases.

    Raises:
        ValueError: `large` has not more parameters, or it is another family or other choices.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> d = np.random.default_rng(0).uniform(0, 1, (200, 2))
        >>> chosen = (d[:, 1] < d[:, 0] + 0.3).astype(int)
        >>> none, position = (measure.fit_choices(d, chosen, bias=bias, delta=0.1) for bias in ("none", "position"))
        >>> test = measure.ratio_test(none, position)
        >>> test.freedom, test.p_value < 1e-6
        (1, True)
    """
    freedom = large.parameters - small.parameters
    same = large.setup.family == small.setup.family and np.array_equal(large.setup.counts, small.setup.counts)
    if freedom < 1 or not same:
        raise ValueError("the second fit must have more parameters, of the same family and choices")
    statistic = max(0.0, 2 * (large.log_likelihood - small.log_likelihood))
    return RatioTest(statistic, freedom, float(special.chdtrc(freedom, statistic)))


def refitted_likelihoods(fit: ChoiceFit, tables: np.ndarray) -> np.ndarray:
    """(D,) log likelihoods of (D, T, n) choices of the design of a fit, the same model fitted to each.

    Args:
        fit: of `fit_choices`, which the climbs start from.
        tables: such as those of `simulated_choices`.
    """
    return np.asarray(_refitted(fit.setup, tables, fit.theta).value)


def choice_profile(fit: ChoiceFit, epsilon: ArrayLike) -> np.ndarray:
    """Profile of ε: 2 (ln L - ln L at each ε, all else fitted again), 0 at the estimate.

    Args:
        fit: of `fit_choices`.
        epsilon: (E,) resolutions above 0.

    Returns:
        (E,), infinite where the choices can't be.
    """
    log_epsilon = np.log(np.asarray(epsilon, np.float64).ravel())
    value = fits.profile(fit.setup, log_epsilon, fit.theta)
    return np.maximum(2 * (fit.log_likelihood - value), 0.0)


def choice_coverage(
    fit: ChoiceFit, *, count: int = 200, level: float = 0.9, key: Any = None, names: Sequence[str] | None = None
) -> dict[str, float]:
    """How often profile intervals hold the truth, for choices of this design that are simulated from this fit.

    An interval holds the truth exactly if the profile likelihood drops by no more than χ²₁(level) / 2 there: one fit
    with the parameter held, one without, for each table. Of a constant or linear similarity each table is fitted with
    its intervals, which are cut by simulation: minutes for 200 tables.

    Args:
        fit: of `fit_choices`; its estimates are the truth.
        count: tables.
        level: of the intervals.
        key: of the random numbers; None: `jax.random.key(0)`.
        names: of the numbers wanted, such as "epsilon"; None: all that were fitted.

    Returns:
        Name of a fitted number ("epsilon", "delta", "exponent", "label heart") -> share of tables.
    """
    setup, tables = fit.setup, simulated_choices(fit, count, key)
    truth = fit.quantities()
    wanted = [name for name in truth if names is None or name in names]
    inside = dict.fromkeys(wanted, 0)
    if setup.windowed:
        for table in tables:
            again = fits.fitted(dataclasses.replace(setup, counts=table), level, True).quantities()
            for name in wanted:
                inside[name] += again[name].low <= truth[name].value <= again[name].high
    else:
        best = _refitted(setup, tables, fit.theta, thorough=True).value
        for name, j in zip(truth, np.flatnonzero(setup.free), strict=True):
            if name in wanted:
                held = _refitted(setup, tables, fit.theta, held=int(j), thorough=True).value
                inside[name] = int((np.maximum(best, held) - held <= fits.drop(level)).sum())
    return {name: held / len(tables) for name, held in inside.items()}


def _refitted(
    setup: Setup, tables: np.ndarray, theta: np.ndarray, *, held: int = -1, thorough: bool = False
) -> model.Climbed:
    """Maxima of D tables, from where they were simulated (thorough: from other starts too)."""
    points = theta[None]
    if setup.windowed:
        points = np.array([np.append(x, theta[1:]) for x in windows.around(setup, theta[0], _RESOLUTIONS)])
    elif thorough or setup.family.kind not in model.SMOOTH:
        moved = np.array([theta[0] + 0.5, -1.5])
        more = [np.where(np.arange(len(theta)) == k, moved[k], theta) for k in (0, 1) if setup.free[k] and k != held]
        points = np.array([theta, *more])
    basis = setup.basis(held, *((0,) if setup.windowed else ()))[None]
    size = len(points)
    start, height = model.ahead(setup, points, basis[0], tables)
    if setup.windowed:
        size = min(max(_CLIMBED, _NUMBERS // tables.size), size)
    # The first among equals stays the first.
    best = np.sort(np.argsort(-height, axis=0, kind="stable")[:size], axis=0)
    return model.highest([model.climb(setup, start[k, np.arange(len(tables))], basis, tables) for k in best])


def _calibration(setup: Setup) -> Callable[[np.ndarray, np.ndarray], Bins]:
    """Bins of items by their predicted probability, of (T, n) counts and probabilities."""
    there = setup.table.there

    def bins(counts: np.ndarray, p: np.ndarray) -> Bins:
        totals = np.broadcast_to(counts.sum(1, keepdims=True), counts.shape)[there]
        return _binned(_order(p[there].round(_DIGITS)), p[there], p[there], counts[there], totals)

    return bins


def _gaps(setup: Setup) -> Callable[[np.ndarray, np.ndarray], Bins]:
    """Trials by the gap between the closest and the next distance; all that tie for the closest are right."""
    d = np.where(setup.table.there, setup.table.distances, np.inf)
    least = d.min(1, keepdims=True)
    closest = d == least
    gap = np.where(closest, np.inf, d).min(1) - least[:, 0]
    gap = np.where(np.isfinite(gap), gap, 0.0)
    order = _order(gap)
    return lambda counts, p: _binned(order, gap, (p * closest).sum(1), (counts * closest).sum(1), counts.sum(1))


def _order(values: np.ndarray) -> np.ndarray:
    """That of a stable sort, which takes several times as long and is needed where some are equal."""
    order = np.argsort(values)
    rising = values[order]
    return np.argsort(values, kind="stable") if (rising[1:] == rising[:-1]).any() else order


def _binned(order: np.ndarray, by: np.ndarray, p: np.ndarray, chosen: np.ndarray, totals: np.ndarray) -> Bins:
    parts = [part for part in np.array_split(order, BINS) if len(part) and totals[part].sum() > 0]
    columns = totals, totals * p, chosen, totals * p * (1 - p)
    count, predicted, observed, variance = (np.array([x[part].sum() for part in parts]) for x in columns)
    middle = np.array([np.average(by[part], weights=totals[part]) for part in parts])
    return Bins(middle, predicted / count, observed / count, np.sqrt(np.maximum(variance, 0.0)) / count, count)
