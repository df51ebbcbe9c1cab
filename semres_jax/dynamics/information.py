"""How much a unit at one boundary tells of itself at the next: mutual information, also where it isn't linear."""

from typing import Any, NamedTuple

import numpy as np

from semres_jax._checks import require_count
from semres_jax._random import generator
from semres_jax._types import Quantity
from semres_jax.dynamics.trajectories import checked

# Texts a cell of the table of bins, on average, for the bias to be small.
_TEXTS_A_CELL = 4


class Information(NamedTuple):
    """Mutual information between neighbouring boundaries, nats, (B - 1,) means over units.

    Attributes:
        value: the estimate, its bias taken off; the standard error is over halves of the texts.
        shuffled: the same with texts permuted: 0 but for what the correction misses.
        gaussian: -ln(1 - r²) / 2 at each unit's correlation: what linear relations alone would tell.
        bias: what was taken off, (bins - 1)² / 2N.
    """

    value: Quantity
    shuffled: np.ndarray
    gaussian: np.ndarray
    bias: float


def mutual_information(states: Any, *, bins: int | None = None, groups: int = 8, key: Any = None) -> Information:
    """Mutual information over texts of each unit with itself at the next boundary, mean over units.

    The estimator: both are cut into `bins` of equally many texts; the plug-in estimate Σ p ln(p / (p_x p_y)), less its
    bias to first order, (bins - 1)² / 2N (Miller 1955; Panzeri and Treves 1996). Cutting loses information: estimates
    are low, the more so the fewer bins, and can't exceed ln(bins).

    Args:
        states: (B, N, D), as `boundaries` gives them.
        bins: at least 2; None: so many that a cell of the table has 4 texts on average, at most 8.
        groups: of texts left out in turn (jackknife) for the standard error.
        key: of the permutation.

    Raises:
        ValueError: states as for `continuity`; fewer than 2 bins, or fewer than two texts a bin.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> x = np.random.default_rng(0).normal(size=(1, 4000, 5))
        >>> y = 0.8 * x + 0.6 * np.random.default_rng(1).normal(size=x.shape)
        >>> result = dynamics.mutual_information(np.concatenate([x, y]))
        >>> round(float(result.gaussian[0]), 2), bool(0.42 < result.value.value[0] < 0.51)
        (0.51, True)
    """
    x = checked(states)
    count = x.shape[1]
    cells = int(np.clip(np.sqrt(count / _TEXTS_A_CELL), 2, 8)) if bins is None else require_count("bins", bins, 2)
    if 2 * cells > count:
        raise ValueError(f"bins must leave two texts each; got {cells} bins for {count} texts")
    rng = generator(key)
    order = rng.permutation(count)
    whole = _between(x, x, cells)
    parts = np.array_split(order, max(2, min(groups, count // (2 * cells))))
    left_out = np.stack([_between(rest, rest, cells) for rest in (np.delete(x, part, axis=1) for part in parts)])
    size = len(parts)
    error = np.sqrt((size - 1) / size * ((left_out - left_out.mean(0)) ** 2).sum(0))
    centred = x - x.mean(1, keepdims=True)
    spread = np.sqrt((centred**2).mean(1))
    product = spread[:-1] * spread[1:]
    r = np.divide((centred[:-1] * centred[1:]).mean(1), product, out=np.zeros(product.shape), where=product > 0)
    linear = (-np.log1p(-np.minimum(r**2, 1 - 1e-12)) / 2).mean(-1)
    return Information(Quantity(whole, error), _between(x, x[:, order], cells), linear, _bias(cells, count))


def _bias(cells: int, count: int) -> float:
    return (cells - 1) ** 2 / (2 * count)


def _between(first: np.ndarray, second: np.ndarray, cells: int) -> np.ndarray:
    """(B - 1,) of units of `first` at a boundary and of `second` at the next."""
    count, size = first.shape[1:]
    before, after = (_binned(x, cells) for x in (first[:-1], second[1:]))
    place = np.arange(size)[None] * cells**2
    values = []
    for a, b in zip(before, after, strict=True):
        table = np.bincount((place + cells * a + b).ravel(), minlength=size * cells**2)
        share = table.reshape(size, cells, cells) / count
        alone = share.sum(2, keepdims=True) * share.sum(1, keepdims=True)
        seen = share > 0
        ratio = np.divide(share, alone, out=np.ones(share.shape), where=seen)
        values.append((share * np.log(ratio)).sum((1, 2)).mean() - _bias(cells, count))
    return np.array(values)


def _binned(x: np.ndarray, cells: int) -> np.ndarray:
    """Bins of equally many texts, from 0, of (..., N, D) by rank; equal values are in the order of the texts."""
    rank = x.argsort(axis=-2, kind="stable").argsort(axis=-2, kind="stable")
    return rank * cells // x.shape[-2]
