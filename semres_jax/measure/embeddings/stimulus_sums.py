"""Accuracies on a finite space, n = 2, by exact sums that also tell what each stimulus contributes.

Accuracies are averages over triples and pairs of different stimuli. Leaving stimulus i out changes them by what the
triples and pairs with i have beyond the average: the jackknife, at no cost but keeping the sums of items.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws import tables
from semres_jax.laws.exemplars import first_reaching
from semres_jax.spaces.base import MetricSpace

# Numbers worked on at once.
_NUMBERS = 2**22


class Scored(NamedTuple):
    """Accuracies and what they change by per weight of a stimulus (the jackknife's: they sum to 0).

    Attributes:
        p_s, p_i: (...,).
        slope_s, slope_i: (N, ...); NaN where they aren't known.
        pairs_s, pairs_i: (N, N) what each pair of stimuli adds beyond both of them: Hoeffding's terms of second order.
            None where they aren't known.
    """

    p_s: Any
    p_i: Any
    slope_s: Any
    slope_i: Any
    pairs_s: Any = None
    pairs_i: Any = None


class Sums(NamedTuple):
    """Accuracies of the constant similarity on a model's own dissimilarities, at E thresholds.

    Attributes:
        epsilon: (E,) thresholds, ascending.
        p_s, p_i: (E,) accuracies.
        mean_b, var_b: (E,) mean and variance over probes of the share of others within.
        hit_rate: (E,) probability that the probe's own item is within; 1 where it is the probe itself.
        slopes: (3, N, E) of p_s, p_i and mean_b; NaN where they aren't known.
    """

    epsilon: np.ndarray
    p_s: np.ndarray
    p_i: np.ndarray
    mean_b: np.ndarray
    var_b: np.ndarray
    hit_rate: np.ndarray
    slopes: np.ndarray


def jackknife(with_each: np.ndarray, value: Any, order: int) -> np.ndarray:
    """Slopes of an average over sets of `order` stimuli, of which those with stimulus i have the mean `with_each`.

    (N - 1) (U - U_without_i) / N = order (N - 1) / (N (N - order)) (T_i - U).
    """
    size = len(with_each)
    return (with_each - value) * (order * (size - 1) / (size * (size - order)))


def graded(space: MetricSpace, ranks: tables.Ranking, strengths: np.ndarray, n: int) -> Scored:
    """Accuracies of a table of strengths, as `laws.tables.accuracy`; slopes for n = 2."""
    size = len(strengths)
    m, unknown = size - 1, np.full(size, np.nan)
    if n > 2:
        return Scored(*tables.of_ranking(space, ranks, strengths, n), unknown, unknown)
    own = np.diagonal(strengths)[:, None]
    both = own + strengths
    hit = np.where(both > 0, own / np.where(both > 0, both, 1.0), 0.5) * ~np.eye(size, dtype=bool)
    p_i = hit.sum() / (size * m)
    table = np.asarray(space.distances, np.float64)
    with jax.enable_x64(True):
        credits, of_items = (np.asarray(x) for x in _triples(jnp.asarray(table), jnp.asarray(strengths)))
    p_s = credits.sum() / (size * m * (m - 1))
    # Means over triples and pairs with a stimulus; over triples with two, in all three roles.
    with_s = (credits.sum(1) / 2 + credits.sum(0)) / (3 * m * (m - 1) / 2)
    with_i = (hit.sum(1) + hit.sum(0)) / (2 * m)
    two_s, two_i = (credits + credits.T + of_items) / (3 * (size - 2)), (hit + hit.T) / 2
    pairs = [second_order(two, single, p, order)
             for two, single, p, order in ((two_s, with_s, p_s, 3), (two_i, with_i, p_i, 2))]  # fmt: skip
    return Scored(float(p_s), float(p_i), jackknife(with_s, p_s, 3), jackknife(with_i, p_i, 2), *pairs)


def second_order(with_two: np.ndarray, with_one: np.ndarray, value: Any, order: int) -> np.ndarray:
    """(N, N) order (order - 1) / (N (N - 1)) (T_ij - T_i - T_j + U): what pairs add to an average over sets."""
    size = len(with_one)
    pairs = (with_two - with_one[:, None] - with_one[None] + value) * (order * (order - 1) / (size * (size - 1)))
    np.fill_diagonal(pairs, 0.0)
    return pairs


def within(ranks: tables.Ranking, dissimilarities: np.ndarray, epsilon: np.ndarray, *, slopes: bool = True) -> Sums:
    """Accuracies of the constant similarity on a model's own dissimilarities, n = 2, at all thresholds at once.

    The credit of a trial is 1/2 + s (w_x - w_y) / 2, with w whether an item is within ε and s = 1, -1, 0 for x nearer,
    farther, as far as y: linear in w, so that sums over pairs are sums over items.
    """
    size, levels = len(dissimilarities), len(epsilon)
    m = size - 1
    first, last = np.empty_like(ranks.group), np.empty_like(ranks.group)
    for p, group in enumerate(ranks.group):  # where each item's group of equals begins and ends
        first[p], last[p] = group.searchsorted(group, "left"), group.searchsorted(group, "right") - 1
    lead = first - (m - 1 - last)  # how many are farther, less how many are nearer
    probe_s, count = np.empty((size, levels)), np.empty((size, levels))
    item_s, item_b = np.zeros((size, levels)), np.zeros((size, levels))
    step = max(1, _NUMBERS // (m * (levels if slopes else 4)))
    for i in range(0, size, step):
        rows = np.arange(i, min(i + step, size))
        d = np.take_along_axis(dissimilarities[rows], ranks.order[rows], axis=1)
        place = first_reaching(epsilon, d) + (levels + 1) * np.arange(len(rows))[:, None]
        shape, length = (len(rows), levels + 1), len(rows) * (levels + 1)
        reached = [
            np.cumsum(np.bincount(place.ravel(), w, length).reshape(shape), axis=1)[:, :-1]
            for w in (None, lead[rows].ravel().astype(float))
        ]
        count[rows] = reached[0]
        probe_s[rows] = m * (m - 1) / 4 + reached[1] / 2  # over unordered pairs of items
        if slopes:
            w = d[..., None] <= epsilon  # (rows, m, E)
            before = np.concatenate([np.zeros((len(rows), 1, levels)), np.cumsum(w, axis=1)], axis=1)
            below = np.take_along_axis(before, first[rows][..., None], axis=1)
            above = before[:, -1:] - np.take_along_axis(before, last[rows][..., None] + 1, axis=1)
            items = (m - 1) / 2 + (w * lead[rows][..., None] - below + above) / 2
            placed = np.zeros((len(rows), size, levels))
            for total, values in ((item_s, items), (item_b, w)):
                placed[np.arange(len(rows))[:, None], ranks.order[rows]] = values  # a probe's own place stays 0
                total += placed.sum(0)
    share = count / m
    mean_b, p_s = share.mean(0), probe_s.mean(0) / (m * (m - 1) / 2)
    slope_s = slope_b = np.full((size, levels), np.nan)
    if slopes:
        slope_s = jackknife((probe_s + item_s) / (3 * m * (m - 1) / 2), p_s, 3)
        slope_b = jackknife((count + item_b) / (2 * m), mean_b, 2)
    slopes_all = np.stack([slope_s, -slope_b / 2, slope_b])
    return Sums(epsilon, p_s, 1 - mean_b / 2, mean_b, share.var(0), np.ones(levels), slopes_all)


@jax.jit
def _triples(distances: Array, strengths: Array) -> tuple[Array, Array]:
    """(N, N) of every probe and item the sum over other items of the credit; of every two items that over probes."""
    count = distances.shape[0]
    place = np.arange(count)
    apart = place[:, None] != place[None]

    def probe(total: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        p, d, h = row
        item, other, near, far = h[:, None], h[None, :], d[:, None], d[None, :]
        both = item + other
        right = jnp.where(near < far, item, other) / jnp.where(both > 0, both, 1.0)
        right = jnp.where((both > 0) & (near != far), right, 0.5)
        right = jnp.where(apart & (place != p)[:, None] & (place != p)[None, :], right, 0.0)
        return total + right, jnp.sum(right, axis=1)

    total, credits = jax.lax.scan(probe, jnp.zeros_like(strengths), (jnp.asarray(place), distances, strengths))
    return credits, total
