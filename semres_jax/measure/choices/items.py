"""The n-item law: how identification falls with the number of items, with the ball measure as its one parameter."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from semres_jax._checks import require_count
from semres_jax._types import ArrayLike

# Ball measures from which the likelihood is climbed, and how often the best is narrowed down.
_GRID, _ZOOMS = 400, 12
_LEAST = 1e-9


class ItemsFit(NamedTuple):
    """The n-item law fitted to counts.

    Attributes:
        a: ball measure, 0 to 1: the share of stimuli that can't be told from the probe.
        low, high: profile-likelihood interval of a; 0 and 1 where it doesn't end.
        level: of the interval.
        log_likelihood: of the counts, binomials.
        aic: 2 - 2 ln L.
        deviance: 2 (ln L of free shares - ln L), about χ² with one degree of freedom less than there are rows.
        p_value: share of tables simulated from the fit, and fitted again, whose deviance is as large.
        n: (k,) numbers of items.
        expected: (k,) p_I(n) of the fit.
        share: (k,) right / trials.
    """

    a: float
    low: float
    high: float
    level: float
    log_likelihood: float
    aic: float
    deviance: float
    p_value: float
    n: np.ndarray
    expected: np.ndarray
    share: np.ndarray


def items_law(
    n: ArrayLike, right: ArrayLike, trials: ArrayLike, *, level: float = 0.95, bootstrap: int = 1000, seed: int = 0
) -> ItemsFit:
    """Maximum likelihood of a in p_I(n) = (1 - (1 - a)^n) / (a n), from counts of right identifications.

    The law is theorem 3 of Nurisso et al. (arXiv 2506.14797) at Δ = 0: constant similarity, ball measure a everywhere.
    n p_I tends to 1/a. Where stimuli are uniform on a circle a is twice the resolution, as a share of the circle.

    Args:
        n: (k,) numbers of items, at least 2.
        right: (k,) how many identifications were right.
        trials: (k,) out of how many.
        level: of the interval, above 0 and below 1.
        bootstrap: how many tables are simulated for the p-value of the fit, at least 1.
        seed: of these.

    Raises:
        ValueError: lengths that differ, n below 2, right above trials. One line.

    Example:
        >>> from semres_jax import measure
        >>> found = measure.items_law([2, 4, 8, 16], [950, 860, 712, 510], [1000, 1000, 1000, 1000])
        >>> round(found.a, 3), round(found.low, 3), round(found.high, 3)
        (0.1, 0.093, 0.107)
    """
    n, right, trials = (np.asarray(x, np.float64) for x in (n, right, trials))
    if n.ndim != 1 or not n.size or n.shape != right.shape or n.shape != trials.shape:
        raise ValueError(f"n, right and trials must be of one length; got {n.shape}, {right.shape}, {trials.shape}")
    for name, values, low in (("n", n, 2), ("right", right, 0), ("trials", trials, 1)):
        bad = ~((values >= low) & (values == np.round(values)) & np.isfinite(values))
        if bad.any():
            raise ValueError(f"{name} must be whole numbers of at least {low}; got {values[bad][0]:g}")
    if (right > trials).any():
        k = int((right > trials).argmax())
        raise ValueError(f"right must be at most trials; got {right[k]:g} of {trials[k]:g} at n = {n[k]:g}")
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1; got {level!r}")
    count = require_count("bootstrap", bootstrap, 1)
    a = float(_best(n, right[None], trials)[0])
    best = float(_value(np.array([[a]]), n, right[None], trials)[0, 0])
    target = best - NormalDist().inv_cdf((1 + level) / 2) ** 2 / 2
    deviance = _deviance(np.array([a]), n, right[None], trials)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    drawn = rng.binomial(trials.astype(int), law(n, a), (count, n.size)).astype(np.float64)
    others = _deviance(_best(n, drawn, trials), n, drawn, trials)
    p_value = (1 + (others >= deviance[0] - 1e-9).sum()) / (1 + count)
    ends = [_end(a, edge, target, n, right, trials) for edge in (_LEAST, 1.0)]
    lowest = 0.0 if ends[0] <= _LEAST else ends[0]
    return ItemsFit(
        a if a > _LEAST else 0.0, lowest, ends[1], level, best, 2 - 2 * best, float(deviance[0]), float(p_value), n,
        law(n, a), right / trials,
    )  # fmt: skip


def law(n: ArrayLike, a: ArrayLike) -> np.ndarray:
    """p_I(n) = (1 - (1 - a)^n) / (a n), of ball measures a above 0; to the last digits for small a too."""
    n, a = np.asarray(n, np.float64), np.asarray(a, np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(n * np.log1p(-a)) / (a * n))


def _value(a: np.ndarray, n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """(B, S) log likelihoods, without what doesn't depend on a, of (B or 1, S) ball measures and (B, k) counts."""
    p = law(n, a[..., None])
    wrong = trials - right
    # p is at most 1, and 1 only for a = 0.
    miss = np.where(p < 1, 1 - p, 1e-300)
    return (right[:, None] * np.log(p) + wrong[:, None] * np.log(miss)).sum(-1)


def _best(n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """(B,) best ball measures: a grid, narrowed around its best."""
    grid = np.concatenate([np.geomspace(_LEAST, 0.05, _GRID // 2), np.linspace(0.05, 1, _GRID // 2)[1:]])
    place = _value(grid[None], n, right, trials).argmax(1)
    low, high = grid[np.maximum(place - 1, 0)], grid[np.minimum(place + 1, len(grid) - 1)]
    for _ in range(_ZOOMS):
        tried = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, 21)
        place = _value(tried, n, right, trials).argmax(1)
        rows = np.arange(len(tried))
        low, high = tried[rows, np.maximum(place - 1, 0)], tried[rows, np.minimum(place + 1, 20)]
    found = (low + high) / 2
    return np.where(high <= 2 * _LEAST, _LEAST, np.where(found > 1 - 1e-9, 1.0, found))


def _end(a: float, edge: float, target: float, n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> float:
    """Where the log likelihood is `target` between a and the edge; the edge where it isn't."""

    def above(x: float) -> bool:
        return bool(_value(np.array([[x]]), n, right[None], trials)[0, 0] >= target)

    if above(edge):
        return edge
    inside, outside = a, edge
    while abs(outside - inside) > 1e-12 * max(inside, outside):
        middle = (inside + outside) / 2 if inside < outside else math.sqrt(inside * outside)
        if middle in (inside, outside):
            break
        inside, outside = (middle, outside) if above(middle) else (inside, middle)
    return inside


def _deviance(a: np.ndarray, n: np.ndarray, right: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """(B,) twice what free shares have more."""
    share = right / trials
    wrong = trials - right
    free = right * np.log(np.where(right > 0, share, 1.0)) + wrong * np.log(np.where(wrong > 0, 1 - share, 1.0))
    return 2 * (free.sum(-1) - _value(a[:, None], n, right, trials)[:, 0])
