"""Where embeddings of labelled exemplars stand: accuracies at every resolution, what the laws make of them, and how
far they are off by the choice of exemplars."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from semres_jax import similarity
from semres_jax._showing import frame
from semres_jax._types import ArrayLike
from semres_jax.laws import enumeration, exemplars
from semres_jax.measure.embeddings.stimulus_sums import Scored
from semres_jax.spaces.base import MetricSpace


class Levels(NamedTuple):
    """Accuracies of the constant similarity at E resolutions, exact sums over all draws of exemplars, n = 2.

    Draws are those of `laws.enumeration.exemplars`. With b_pk the share of class k within ε of the probe p, K other
    classes, b_p its mean over these:

    Attributes:
        epsilon: (E,) resolutions, in the unit of the distances.
        p_s: (E,) right is the item of the closer class: 1/2 + (near - far) / 2.
        p_i: (E,) right is the item of the probe's own class: 1/2 + (hit_rate - mean_b) / 2.
        p_own: (E,) right is the item whose exemplar is closer itself: what p_s would be, were classes as far apart as
            their exemplars. 1/2 + <b> - <b²> - Var(b) + spread_b / (K - 1): theorem 1 for items of different classes.
        hit_rate, mean_b, near, far: (E,) probabilities to be within ε of the probe: another exemplar of its class, one
            of another class, one of the nearer and of the farther of two other classes.
        var_b: (E,) variance of b_p over probes.
        spread_b: (E,) mean over probes of the variance of b_pk over classes.
        slope_s, slope_i, slope_b: (N, E) how much p_s, p_i and mean_b change per exemplar's weight at a fixed ε; they
            sum to 0 within each class. `at_equal_shares` has those at a fixed share.
        tie_rate: share of similarity trials whose classes tie.
    """

    epsilon: np.ndarray
    p_s: np.ndarray
    p_i: np.ndarray
    p_own: np.ndarray
    hit_rate: np.ndarray
    mean_b: np.ndarray
    near: np.ndarray
    far: np.ndarray
    var_b: np.ndarray
    spread_b: np.ndarray
    slope_s: np.ndarray
    slope_i: np.ndarray
    slope_b: np.ndarray
    tie_rate: float

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each resolution."""
        names = ("epsilon", "p_s", "p_i", "p_own", "hit_rate", "mean_b", "near", "far", "var_b", "spread_b")
        return frame({name: getattr(self, name) for name in names} | {"tie_rate": self.tie_rate}, "level")


def levels(
    distances: np.ndarray,
    labels: Sequence[Any] | np.ndarray,
    class_distances: ArrayLike | MetricSpace,
    shares: ArrayLike,
    *,
    probes: Sequence[Any] | None = None,
) -> Levels:
    """Accuracies at resolutions that reach given shares of the exemplars of other classes, so that models compare.

    ε at share q is the smallest distance within which at least q of the exemplars of other classes are, averaged over
    probes (classes, and exemplars in them, equally likely): mean_b is q, up to one distance's step.

    Args:
        distances: (N, N) between exemplars, symmetric, 0 on the diagonal.
        labels, class_distances, probes: as in `laws.enumeration.exemplars`.
        shares: (E,) in (0, 1], ascending.

    Raises:
        ValueError: as `laws.enumeration.exemplars`; shares out of range or not ascending.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> x = np.array([0.0, 0.1, 1.0, 1.1, 3.0, 3.1])
        >>> species = np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0]])
        >>> levels = measure.levels(abs(x[:, None] - x), list("aabbcc"), species, [0.5, 1.0])
        >>> levels.p_s.round(4).tolist(), levels.p_i.round(4).tolist()
        ([0.8333, 0.5], [0.7083, 0.5])
    """
    wanted = ascending(shares)
    table = exemplars.square("distances", distances)
    drawn = exemplars.Draws.of(labels, class_distances, len(table), probes)
    own, count, size = drawn.own, len(drawn.near), len(table)
    epsilon = reaching(table, np.outer(drawn.weight, drawn.share) * (own[:, None] != own[None]), wanted)
    others, different = count - 1, ~np.eye(count, dtype=bool)
    sums = np.zeros((7, wanted.size))
    # What an exemplar of class k (columns) within ε of a probe of class c (rows) is worth, in p_S and in mean b.
    worth = np.stack([(drawn.near - drawn.far) / 2, different / others])
    slopes = np.zeros((3, size, wanted.size))
    for rows in exemplars.blocks(drawn, wanted.size):
        within = exemplars.shares_within(table, rows, drawn, epsilon)
        c, weight = own[rows], drawn.weight[rows]
        hit = within[np.arange(len(rows)), c]
        other = within * different[c][..., None]
        b = other.sum(1) / others
        spread = (other**2).sum(1) / others - b**2
        near, far = (np.einsum("pc,pce->pe", x[c], within) for x in (drawn.near, drawn.far))
        sums += np.stack([weight @ x for x in (hit, b, near, far, b**2, spread, b**2 - spread / (others - 1))])
        # As a probe, and as an item: the share of a class within ε of an exemplar is its share of reach among probes.
        as_probe = [np.einsum("pc,pce->pe", x[c], within) for x in worth]
        as_item = [np.einsum("cp,pce->pe", drawn.probing[:, None] * x[:, c], within) for x in worth]
        probing, share = drawn.probing[c][:, None], drawn.share[rows][:, None]
        slopes[0, rows] = share * (probing * as_probe[0] + as_item[0])
        slopes[2, rows] = share * (probing * as_probe[1] + as_item[1])
        # Another exemplar of the class is drawn from those left, of which a weightier probe leaves less.
        slopes[1, rows] = share * probing * hit * (1 + 1 / (1 - share)) / 2 - slopes[2, rows] / 2
    for c in range(count):
        slopes[:, own == c] -= slopes[:, own == c].mean(1, keepdims=True)
    hit, mean, near, far, square, spread, product = sums
    return Levels(
        epsilon, 0.5 + (near - far) / 2, 0.5 + (hit - mean) / 2, 0.5 + mean - product, hit, mean, near, far,
        np.maximum(square - mean**2, 0.0), np.maximum(spread, 0.0), *slopes, tie_rate=drawn.tie_rate,
    )  # fmt: skip


def at_equal_shares(slopes: np.ndarray, values: np.ndarray, shares: ArrayLike, slope_b: np.ndarray) -> np.ndarray:
    """Slopes of values at given shares, where ε moves so that the share stays: slope - d value/d share · slope of b.

    Args:
        slopes: (N, E) of the values at a fixed ε.
        values: (E,) along the shares; their derivative is taken from differences, so shares should be dense.
        shares: (E,) ascending.
        slope_b: (N, E) of the share within ε, from `levels`.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> shares, slope_b = np.array([0.2, 0.4, 0.6]), np.ones((1, 3))
        >>> measure.at_equal_shares(7 * slope_b, 5 * shares, shares, slope_b).round(9).tolist()
        [[2.0, 2.0, 2.0]]
    """
    along = np.asarray(shares, np.float64)
    steep = np.gradient(values, along) if len(along) > 1 else np.zeros(len(along))
    return slopes - steep[None] * slope_b


def graded(
    distances: np.ndarray,
    labels: Sequence[Any] | np.ndarray,
    class_distances: ArrayLike | MetricSpace,
    family: Any,
    epsilon: ArrayLike,
    *,
    slopes: bool = True,
) -> Scored:
    """Accuracies of a family of similarities at E resolutions, exact sums as in `laws.enumeration.exemplars`.

    Args:
        distances, labels, class_distances: as in `levels`.
        family: as in `similarity.get`, such as "linear" or "exponential".
        epsilon: (E,).
        slopes: find those of exemplars too, which takes three times as long.

    Returns:
        `Scored` of (E,), slopes (N, E) as those of `Levels`; NaN if not wanted.

    Raises:
        ValueError: unknown family; as `laws.enumeration.exemplars`.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> x = np.array([0.0, 0.1, 1.0, 1.1, 3.0, 3.1])
        >>> species = np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0]])
        >>> linear = measure.graded(abs(x[:, None] - x), list("aabbcc"), species, "linear", [2.0])
        >>> linear.p_s.round(3).tolist(), linear.p_i.round(3).tolist()
        ([0.867], [0.881])
    """
    members, rows = similarity.get(family), []
    table = np.asarray(distances, np.float32)
    for resolution in np.asarray(epsilon, np.float32).ravel():
        similar = members(resolution)

        def both(weights: Any, similar: Any = similar) -> tuple[Any, Any]:
            sums = enumeration.exemplars(table, labels, similar, class_distances, weights=weights)
            return sums.p_s, sums.p_i

        if slopes:
            values, back = jax.vjp(both, np.ones(len(table), np.float32))
            moved = [back(tuple(unit))[0] for unit in np.eye(2, dtype=np.float32)]
        else:
            values, moved = both(None), np.full((2, len(table)), np.nan)
        rows.append([np.asarray(x, np.float64) for x in (*values, *moved)])
    return Scored(*(np.stack(column, axis=-1) for column in zip(*rows, strict=True)))


# Cells that distances are put into before they are sorted.
_CELLS = 4096


def ascending(shares: ArrayLike) -> np.ndarray:
    """Shares as float64, checked."""
    values = np.asarray(shares, np.float64).ravel()
    if not values.size or not ((values > 0) & (values <= 1)).all() or (np.diff(values) <= 0).any():
        raise ValueError(f"shares must ascend from above 0 to at most 1; got {np.asarray(shares).tolist()}")
    return values


def reaching(table: np.ndarray, weight: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(E,) smallest distances within which at least so large a share of the weight is.

    Only distances in the cells where the shares are reached get sorted.
    """
    d, weight = table[weight > 0], weight[weight > 0]
    cell = (d * (_CELLS / max(float(d.max()), 1e-300))).astype(np.int32)
    mass = np.bincount(cell, weight, _CELLS + 1)
    reached = np.cumsum(mass)
    # Rounding of the sum must not ask for one distance more.
    wanted = shares * reached[-1] * (1 - 1e-12)
    home = reached.searchsorted(wanted)
    near = np.isin(np.arange(_CELLS + 1), home)[cell]
    d, weight, cell = d[near], weight[near], cell[near]
    order = np.argsort(d, kind="stable")
    d, weight, cell = d[order], weight[order], cell[order]
    epsilon = np.empty(len(shares))
    for k, (place, target) in enumerate(zip(home, wanted, strict=True)):
        inside = slice(*cell.searchsorted([place, place + 1]))
        so_far = reached[place] - mass[place] + np.cumsum(weight[inside])
        epsilon[k] = d[inside][min(so_far.searchsorted(target), len(so_far) - 1)]
    return epsilon
