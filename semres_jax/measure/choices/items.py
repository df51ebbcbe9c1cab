"""The n-item law: how identification falls with the number of items, with the ball measure as its one parameter."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import special
from scipy.optimize import brentq, elementwise

from semres_jax._checks import require_count
from semres_jax._random import generator
from semres_jax._showing import frame, html_table
from semres_jax._types import ArrayLike, Quantity
from semres_jax.laws import identification
from semres_jax.storage.attributes import labelled

if TYPE_CHECKING:
    import xarray

# Ball measures between which the likelihood has its maximum; below the least it is 0.
_LEAST = 1e-9
_GRID = np.concatenate([np.geomspace(_LEAST, 0.05, 200), np.linspace(0.05, 1, 200)[1:]])


class ItemsFit(NamedTuple):
    """The n-item law fitted to counts.

    Attributes:
        a: ball measure, 0 to 1: the share of stimuli that can't be told from the probe; its interval is that of the
            profile likelihood, and has an end of 0 or 1 where it doesn't end.
        level: of the interval.
        log_likelihood: of the counts, binomials.
        aic: 2 - 2 ln L.
        deviance: 2 (ln L of free shares - ln L), about χ² with one degree of freedom less than there are rows.
        p_value: share of tables simulated from the fit, and fitted again, whose deviance is as large; NaN if none.
        n: (k,) numbers of items.
        right, trials: (k,) how many identifications were right, and out of how many.
        expected: (k,) p_I(n) of the fit.
    """

    a: Quantity
    level: float
    log_likelihood: float
    aic: float
    deviance: float
    p_value: float
    n: np.ndarray
    right: np.ndarray
    trials: np.ndarray
    expected: np.ndarray

    def summary(self) -> dict[str, Any]:
        """All of it in plain words and numbers: a, low and high are the ball measure and its interval."""
        return {"a": self.a.value, "low": self.a.low, "high": self.a.high} | {
            name: value for name, value in self._asdict().items() if name != "a"
        }

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each number of items; the numbers of the fit are its `attrs`."""
        content = self.summary()
        table = frame({name: content.pop(name) for name in ("n", "right", "trials", "expected")})
        table.attrs |= content
        return table

    def dataset(self) -> "xarray.Dataset":
        """Rows of the table as variables, the numbers of the fit as attributes."""
        import xarray

        content = self.summary()
        rows = {name: ("row", content.pop(name)) for name in ("n", "right", "trials", "expected")}
        return labelled(xarray.Dataset(rows, attrs=content))

    def __repr__(self) -> str:
        return f"ItemsFit({self})"

    def _repr_html_(self) -> str:
        names = ("n", "right", "trials", "expected")
        return html_table({name: [f"{x:.4g}" for x in getattr(self, name)] for name in names}, str(self))

    def __str__(self) -> str:
        return (
            f"p_I(n) = (1 - (1 - a)^n) / (a n): a = {self.a.value:.4g}, {self.level:.0%} interval {self.a.low:.4g} to "
            f"{self.a.high:.4g}; deviance {self.deviance:.3g} of {len(self.n)} rows, p = {self.p_value:.2g}"
        )


def fit_items_law(
    n: ArrayLike, right: ArrayLike, trials: ArrayLike, *, level: float = 0.95, bootstrap: int = 1000, key: Any = None
) -> ItemsFit:
    """Maximum likelihood of a in p_I(n) = (1 - (1 - a)^n) / (a n), from counts of right identifications.

    The law is theorem 3 of Nurisso et al. (arXiv 2506.14797) at Δ = 0: constant similarity, ball measure a everywhere.
    n p_I tends to 1/a. Where stimuli are uniform on a circle a is twice the resolution, as a share of the circle.

    Args:
        n: (k,) numbers of items, at least 2.
        right: (k,) how many identifications were right.
        trials: (k,) out of how many.
        level: of the interval, above 0 and below 1.
        bootstrap: how many tables are simulated for the p-value of the fit; 0: none.
        key: of these; None: `jax.random.key(0)`.

    Raises:
        ValueError: lengths that differ, n below 2, right above trials. One line.

    Example:
        >>> from semres_jax import measure
        >>> fit = measure.fit_items_law([2, 4, 8, 16], [950, 860, 712, 510], [1000, 1000, 1000, 1000])
        >>> print(fit.a)
        0.0998 [0.0932, 0.107]
    """
    n, right, trials = (np.asarray(x, np.float64) for x in (n, right, trials))
    _require_counts(n, right, trials)
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1; got {level!r}")
    count = require_count("bootstrap", bootstrap, 0)
    a = float(_best(n, right, trials))
    best = float(_log_likelihood(a, n, right, trials))
    target = best - special.chdtri(1, 1 - level) / 2
    low, high = (_end(a, edge, target, n, right, trials) for edge in (_LEAST, 1.0))
    expected, deviance, p_value = identification(a, n), float(_deviance(a, n, right, trials)), math.nan
    if count:
        simulated = generator(key).binomial(trials.astype(int), expected, (count, n.size)).astype(np.float64)
        others = _deviance(_best(n, simulated, trials), n, simulated, trials)
        p_value = (1 + int((others >= deviance - 1e-9).sum())) / (1 + count)
    ball = Quantity(a if a > _LEAST else 0.0, low=low if low > _LEAST else 0.0, high=high)
    return ItemsFit(ball, level, best, 2 - 2 * best, deviance, p_value, n, right, trials, expected)


def _require_counts(n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> None:
    if n.ndim != 1 or not n.size or n.shape != right.shape or n.shape != trials.shape:
        raise ValueError(f"n, right and trials must be of one length; got {n.shape}, {right.shape}, {trials.shape}")
    for name, values, low in (("n", n, 2), ("right", right, 0), ("trials", trials, 1)):
        bad = ~((values >= low) & (values == np.round(values)) & np.isfinite(values))
        if bad.any():
            raise ValueError(f"{name} must be whole numbers of at least {low}; got {values[bad][0]:g}")
    if (right > trials).any():
        k = int((right > trials).argmax())
        raise ValueError(f"right must be at most trials; got {right[k]:g} of {trials[k]:g} at n = {n[k]:g}")


def _log_likelihood(a: ArrayLike, n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> Any:
    """(...) log likelihoods, without what doesn't depend on a, of (...) ball measures and (..., k) counts."""
    p = identification(np.asarray(a)[..., None], n)
    # p is at most 1, and 1 only for a = 0.
    return (right * np.log(p) + (trials - right) * np.log(np.where(p < 1, 1 - p, 1e-300))).sum(-1)


def _score(a: np.ndarray, n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> Any:
    """(B,) slopes of log likelihoods by ln a, of (B,) ball measures and (B, k) counts."""
    a = a[..., None]
    p = identification(a, n)
    slope = (1 - a) ** (n - 1) - p
    return (right * slope / p - (trials - right) * slope / np.where(p < 1, 1 - p, 1e-300)).sum(-1)


def _best(n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> Any:
    """(...) best ball measures of (..., k) counts: where the slope changes its sign next to the best of a grid."""
    place = _log_likelihood(_GRID, n, right[..., None, :], trials).argmax(-1)
    bracket = _GRID[np.maximum(place - 1, 0)], _GRID[np.minimum(place + 1, len(_GRID) - 1)]
    # Without a change of sign the maximum is an end of the range.
    root = elementwise.find_root(
        lambda a, *right: _score(a, n, np.stack(right, -1), trials), bracket, args=tuple(np.moveaxis(right, -1, 0))
    )
    return np.where(root.success, root.x, _GRID[place])


def _end(a: float, edge: float, target: float, n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> float:
    """Where the log likelihood is `target` between a and the edge; the edge where it isn't."""

    def height(x: float) -> float:
        return float(_log_likelihood(x, n, right, trials)) - target

    root: Any = edge if height(edge) >= 0 else brentq(height, a, edge, xtol=1e-300, rtol=np.float64(1e-14))
    return float(root)


def _deviance(a: ArrayLike, n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> Any:
    """(...) twice what free shares have more."""
    share, wrong = right / trials, trials - right
    free = (special.xlogy(right, share) + special.xlogy(wrong, 1 - share)).sum(-1)
    return 2 * (free - _log_likelihood(a, n, right, trials))
