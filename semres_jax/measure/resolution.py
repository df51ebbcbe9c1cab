"""Resolution of a model's own similarity: its profile over distance, and the similarity functions that fit it."""

from typing import Any, NamedTuple

import numpy as np

from semres_jax import similarity
from semres_jax._checks import concrete
from semres_jax._names import ordered
from semres_jax._showing import rows
from semres_jax._types import ArrayLike, Quantity
from semres_jax.frontier import families
from semres_jax.similarity import Family
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.named import on_space

# Families that are fitted where none are named.
FITTED = ("constant", "linear", "exponential")
# Resolutions tried at first, from a share of the smallest distance to a multiple of the largest; then around the best.
_COARSE, _FROM, _TO = 241, 0.125, 16.0
_ZOOM, _ZOOMS = 17, 7
# Numbers worked on at once.
_BLOCK = 2**22
# More levels than these are pooled into as many, of about equally many pairs, for the search, which ends on all.
_LEVELS = 2048
# Of a search on pooled levels: how far from its end the best may be, as a ratio, and how closely it is found.
_NEAR, _CLOSE = 1.05, 1e-9


class Profile(NamedTuple):
    """Relative similarity against distance, of models of shape (...).

    Attributes:
        distance: (L,) distances that there are between different stimuli, increasing, in the unit of the space.
        pairs: (L,) how many ordered pairs are at each.
        mean: (..., L) mean of g(p, x) / g(p, p) over pairs.
        variance: (..., L) variance over pairs.
    """

    distance: np.ndarray
    pairs: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def to_dataframe(self, **swept: Any) -> Any:
        """A pandas.DataFrame with a row for each distance (of each model, the distances of one after another).

        Args:
            swept: columns that stand before the others, such as names of models (..., 1).
        """
        return rows(self._asdict(), swept)


class Fit(NamedTuple):
    """A similarity function of one family fitted to a profile, for models of shape (...).

    Attributes:
        epsilon, delta: resolution, in the unit of the space, and floor, with standard errors; NaN for that of a floor
            at its bound of 0.
        rss: sum over unordered pairs of squared differences.
        aic: Akaike's information criterion, M ln(rss / M) + 6 for M unordered pairs (two numbers and the noise are
            fitted in every family, so families rank by it as by rss; a difference of 10 is decisive).
    """

    epsilon: Quantity
    delta: Quantity
    rss: np.ndarray
    aic: np.ndarray

    def to_dataframe(self, **swept: Any) -> Any:
        """A pandas.DataFrame with a row for each model.

        Args:
            swept: columns that stand before the others, such as names of models.
        """
        numbers = {"epsilon": self.epsilon.value, "epsilon_stderr": self.epsilon.stderr, "delta": self.delta.value,
                   "delta_stderr": self.delta.stderr, "rss": self.rss, "aic": self.aic}  # fmt: skip
        return rows(numbers, swept)


@on_space
def profile(space: MetricSpace, strengths: ArrayLike) -> Profile:
    """The profile of tables of similarities: the mean over all pairs of stimuli at each distance.

    Luce's rule compares items of one probe only, so rows are taken relative to the probe's similarity to itself.

    Args:
        space: finite, with `distances`.
        strengths: (..., N, N), positive on the diagonal; row p is of probe p. A labelled table (pandas, xarray) is put
            in the order of the space's names.

    Raises:
        ValueError: no table of distances, strengths of another shape or with other names, a diagonal that isn't
            positive.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure, spaces
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> profile = measure.profile(line, [[2, 1, 0], [1, 2, 1], [0, 1, 2]])
        >>> profile.distance.tolist(), profile.pairs.tolist(), profile.mean.tolist()
        ([1.0, 2.0], [4, 2], [0.5, 0.0])
    """
    table = concrete(space.distances)
    strengths = np.asarray(ordered(strengths, tuple(space.labels), "strengths"), np.float64)
    if table is None:
        raise ValueError(f"{space.label} has no known table of distances")
    if strengths.shape[-2:] != table.shape:
        raise ValueError(f"strengths must be {len(table)} by {len(table)}, as the distances; got {strengths.shape}")
    table = np.asarray(table, np.float64)
    own = np.diagonal(strengths, axis1=-2, axis2=-1)
    if not (own > 0).all():
        raise ValueError(f"the similarity of a stimulus to itself must be positive; got {own[~(own > 0)][0]:g}")
    others = ~np.eye(len(table), dtype=bool)
    order = np.argsort(table[others], kind="stable")
    distance, first, pairs = np.unique(table[others][order], return_index=True, return_counts=True)
    relative = (strengths / own[..., None])[..., others][..., order]
    mean = np.add.reduceat(relative, first, axis=-1) / pairs
    variance = np.add.reduceat(relative**2, first, axis=-1) / pairs - mean**2
    return Profile(distance, pairs, mean, np.maximum(variance, 0.0))


def fit_profile(profile: Profile, family: Any) -> Fit:
    """Least squares over all pairs: which resolution and floor make a family's g(d) closest to a profile.

    Minimises Σ (g(p, x)/g(p, p) - Δ - (1 - Δ) g0(d(p, x); ε))² over ε >= 0 and Δ in [0, 1]. For given ε the best Δ is a
    quotient of sums; ε is searched on a grid that is narrowed around the best. Standard errors take unordered pairs for
    independent and equally noisy; they are not those over repeated trainings. A linear similarity that doesn't end
    within the largest distance shows (1 - Δ)/ε alone: it is given with Δ = 0. A constant similarity has the same fit
    for every ε between two distances: the middle is given, with the standard deviation of a uniform distribution there.

    Args:
        profile: profiles of shape (..., L).
        family: as in `similarity.get`: a name such as "linear" or "powerlaw(3)", or a class of similarities. Fields
            that it doesn't give stay at their defaults (a power law's exponent at 1).

    Returns:
        `Fit` of shape (...).

    Raises:
        ValueError: unknown family.

    Example:
        >>> import numpy as np
        >>> from semres_jax import Linear, measure, spaces
        >>> ring = spaces.Finite.from_points(np.linspace(0, 1, 20))
        >>> profile = measure.profile(ring, Linear(0.4, 0.1)(ring.distances))
        >>> best = measure.fit_profile(profile, "linear")
        >>> round(float(best.epsilon.value), 6), round(float(best.delta.value), 6)
        (0.4, 0.1)
    """
    kind = similarity.get(family)
    shape, levels = profile.mean.shape[:-1], profile.distance.size
    mean, variance = profile.mean.reshape(-1, levels), profile.variance.reshape(-1, levels)
    rows = max(1, _BLOCK // (_COARSE * levels))
    parts = [
        _fitted(profile.distance, profile.pairs / 2, mean[i : i + rows], variance[i : i + rows], kind)
        for i in range(0, len(mean), rows)
    ]
    epsilon, stderr, delta, delta_stderr, rss, aic = (
        np.concatenate(x).reshape(shape) for x in zip(*parts, strict=True)
    )
    return Fit(Quantity(epsilon, stderr), Quantity(delta, delta_stderr), rss, aic)


def reach(strengths: ArrayLike, above: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance over probes of the share of other stimuli with a similarity above a value.

    It is the ball measure b of a similarity that ends somewhere: for the constant and the linear one, b(ε).

    Args:
        strengths: (..., N, N); row p is of probe p.
        above: what a similarity must exceed to count.

    Returns:
        (mean, variance), of shape (...).

    Example:
        >>> from semres_jax import measure
        >>> mean, variance = measure.reach([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.0]])
        >>> round(float(mean), 4), round(float(variance), 4)
        (0.6667, 0.0556)
    """
    table = np.asarray(strengths)
    size = table.shape[-1]
    share = ((table > above) & ~np.eye(size, dtype=bool)).sum(-1) / (size - 1)
    return np.asarray(share.mean(-1)), np.asarray(share.var(-1))


def _best_floor(g: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The floor in [0, 1] that is best for each unfloored profile g, and the sum of squares of means it leaves."""
    below = np.sum(weight * (1 - g) ** 2, axis=-1)
    raw = np.sum(weight * (mean - g) * (1 - g), axis=-1) / np.where(below > 0, below, 1.0)
    delta = np.clip(raw, 0.0, 1.0)
    return delta, np.sum(weight * (mean - g - delta[..., None] * (1 - g)) ** 2, axis=-1)


def _fitted(d: np.ndarray, weight: np.ndarray, mean: np.ndarray, variance: np.ndarray, family: Family) -> list[Any]:
    """Epsilon and its standard error, delta and its, rss and aic (B,) of (B, L) profiles; weight: unordered pairs."""
    if family.kind.steps:
        inside, epsilon, spread = _steps(d, weight, mean)
        g, slope = (np.arange(d.size)[None] < inside[:, None]).astype(float), np.zeros(mean.shape)
    else:
        epsilon, spread = _resolutions(d, weight, mean, family), None
        g, slope = families.slopes(family, epsilon, d)
    delta, rest = _best_floor(g, mean, weight)
    pairs = float(weight.sum())
    rss = rest + np.sum(weight * variance, axis=-1)
    noise = rss / max(pairs - 2, 1)
    by_epsilon, by_delta = (1 - delta)[:, None] * slope, 1 - g
    squares = (np.sum(weight * x, axis=-1) for x in (by_epsilon**2, by_epsilon * by_delta, by_delta**2))
    steep, cross, low = (np.where(x > 0, x, np.nan) for x in squares)
    free = delta > 0
    if spread is None:
        determinant = steep * low - cross**2
        determinant = np.where(determinant > 0, determinant, np.nan)
        spread = np.sqrt(noise * np.where(free, low / determinant, 1 / steep))
        floor_error = np.sqrt(noise * steep / determinant)
    else:
        floor_error = np.sqrt(noise / low)
    aic = pairs * np.log(np.maximum(rss, np.finfo(float).tiny) / pairs) + 6
    return [epsilon, spread, delta, np.where(free, floor_error, np.nan), rss, aic]


def _steps(d: np.ndarray, weight: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many distances a constant similarity should have inside, ε halfway to the next, its standard deviation."""
    edges = np.concatenate([[0.0], d])
    middles = np.append((edges[1:] + edges[:-1]) / 2, d[-1])
    if d.size <= _LEVELS:
        steps = np.tril(np.ones((d.size + 1, d.size)), -1)
        inside = _best_floor(steps[None], mean[:, None], weight)[1].argmin(axis=1)
    else:
        inside = np.array([_best_step(row, weight) for row in mean])
    return inside, middles[inside], np.append(np.diff(edges), 0.0)[inside] / np.sqrt(12)


def _resolutions(d: np.ndarray, weight: np.ndarray, mean: np.ndarray, family: Family) -> np.ndarray:
    """The best resolutions on a grid that narrows; a straight similarity that doesn't end is given without a floor."""
    if d.size > _LEVELS:
        epsilon = np.array([_searched(d, weight, row, family) for row in mean])
    else:
        grid = np.geomspace(_FROM * d[d > 0][0], _TO * d[-1], _COARSE)
        left = _best_floor(families.values(family, grid, d)[None], mean[:, None], weight)[1]
        epsilon, ratio = grid[left.argmin(axis=1)], grid[1] / grid[0]
        for _ in range(_ZOOMS):
            tried = epsilon[:, None] * ratio ** np.linspace(-1, 1, _ZOOM)
            left = _best_floor(families.values(family, tried, d), mean[:, None], weight)[1]
            epsilon = tried[np.arange(len(mean)), left.argmin(axis=1)]
            ratio = ratio ** (2 / (_ZOOM - 1))
    if family.kind.straight:
        floor = _best_floor(families.values(family, epsilon, d), mean, weight)[0]
        epsilon = np.where((epsilon >= d[-1]) & (floor < 1), epsilon / np.where(floor < 1, 1 - floor, 1.0), epsilon)
    return epsilon


def _best_step(mean: np.ndarray, weight: np.ndarray) -> int:
    """How many of many levels a constant similarity should have within ε: sums that grow level by level."""
    inside = np.append(0.0, np.cumsum(weight * (mean - 1) ** 2))
    beyond, first, second = (np.append(np.cumsum((weight * mean**k)[::-1])[::-1], 0.0) for k in range(3))
    delta = np.clip(first / np.where(beyond > 0, beyond, 1.0), 0.0, 1.0)
    return int(np.argmin(inside + second - 2 * delta * first + delta**2 * beyond))


def _searched(d: np.ndarray, weight: np.ndarray, mean: np.ndarray, family: Family) -> float:
    """The best resolution on many levels: near that of pooled levels, then on all."""
    from scipy.optimize import minimize_scalar  # scipy comes with jax

    home = np.minimum((np.cumsum(weight) / weight.sum() * _LEVELS).astype(int), _LEVELS - 1)
    total = np.bincount(home, weight, _LEVELS)
    full = total > 0
    pooled = [np.bincount(home, weight * x, _LEVELS)[full] / total[full] for x in (d, mean)]
    start = float(_resolutions(pooled[0], total[full], pooled[1][None], family)[0])

    def left(log: float) -> float:
        epsilon = np.array([np.exp(log)])
        return float(_best_floor(families.values(family, epsilon, d), mean[None], weight)[1][0])

    bounds = (np.log(start / _NEAR), np.log(start * _NEAR))
    least: Any = minimize_scalar(left, bounds=bounds, method="bounded", options={"xatol": _CLOSE})
    return float(np.exp(least.x))
