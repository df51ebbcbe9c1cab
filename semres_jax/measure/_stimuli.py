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
from semres_jax.laws._exemplars import first_reaching
from semres_jax.spaces._base import MetricSpace

# Numbers worked on at once.
_NUMBERS = 2**22


class Scored(NamedTuple):
    """Accuracies and what they change by per weight of a stimulus (the jackknife's: they sum to 0).

    Attributes:
        p_s, p_i: (...,).
        slope_s, slope_i: (N, ...); NaN where they aren't known.
    """

    p_s: Any
    p_i: Any
    slope_s: Any
    slope_i: Any


class Sums(NamedTuple):
    """`Scored` at E thresholds of dissimilarity, with the share of other stimuli within.

    Attributes:
        epsilon: (E,) thresholds.
        mean_b, var_b: (E,) mean and variance over probes of the share of others within; slope_b: (N, E) of mean_b.
    """

    epsilon: np.ndarray
    mean_b: np.ndarray
    var_b: np.ndarray
    scored: Scored
    slope_b: np.ndarray


def jackknife(with_each: np.ndarray, value: Any, order: int) -> np.ndarray:
    """Slopes of an average over sets of `order` stimuli, of which those with stimulus i have the mean `with_each`.

    (N - 1) (U - U_without_i) / N = order (N - 1) / (N (N - order)) (T_i - U).
    """
    size = len(with_each)
    return (with_each - value) * (order * (size - 1) / (size * (size - order)))


def graded(space: MetricSpace, ranks: tables.Ranking, strengths: np.ndarray, n: int, *, slopes: bool = True) -> Scored:
    """Accuracies of a table of strengths, as `laws.tables.accuracy`; slopes for n = 2."""
    size = len(strengths)
    unknown = np.full(size, np.nan)
    with jax.enable_x64(True):
        if n > 2:
            found = tables.accuracy(space, np.asarray(strengths, np.float64), n=n)
            return Scored(float(found.p_s), float(found.p_i), unknown, unknown)
        h = np.take_along_axis(strengths, ranks.order, axis=1)
        each = shared(h, ranks.group)
    own = np.diagonal(strengths)[:, None]
    both = own + h
    hit = np.where(both > 0, own / np.where(both > 0, both, 1.0), 0.5)
    m = size - 1
    p_s, p_i = each.sum() / (size * m * (m - 1)), hit.mean()
    if not slopes:
        return Scored(float(p_s), float(p_i), unknown, unknown)
    as_item_s, as_item_i = (_by_item(x, ranks.order) for x in (each, hit))
    with_s = (each.sum(1) / 2 + as_item_s) / (3 * m * (m - 1) / 2)
    with_i = (hit.sum(1) + as_item_i) / (2 * m)
    return Scored(float(p_s), float(p_i), jackknife(with_s, p_s, 3), jackknife(with_i, p_i, 2))


def within(ranks: tables.Ranking, dissimilarities: np.ndarray, epsilon: np.ndarray, *, slopes: bool = True) -> Sums:
    """Accuracies of the constant similarity on a model's own dissimilarities, n = 2, at all thresholds at once.

    The credit of a trial is 1/2 + s (w_x - w_y) / 2, with w whether an item is within ε and s = 1, -1, 0 for x nearer,
    farther, as far as y: linear in w, so that sums over pairs are sums over items.
    """
    size, many = len(dissimilarities), len(epsilon)
    m = size - 1
    first, last = np.empty_like(ranks.group), np.empty_like(ranks.group)
    for p, group in enumerate(ranks.group):  # where each item's group of equals begins and ends
        first[p], last[p] = group.searchsorted(group, "left"), group.searchsorted(group, "right") - 1
    lead = first - (m - 1 - last)  # how many are farther, less how many are nearer
    probe_s, count = np.empty((size, many)), np.empty((size, many))
    item_s, item_b = np.zeros((size, many)), np.zeros((size, many))
    step = max(1, _NUMBERS // (m * (many if slopes else 4)))
    for i in range(0, size, step):
        rows = np.arange(i, min(i + step, size))
        d = np.take_along_axis(dissimilarities[rows], ranks.order[rows], axis=1)
        place = first_reaching(epsilon, d) + (many + 1) * np.arange(len(rows))[:, None]
        shape, length = (len(rows), many + 1), len(rows) * (many + 1)
        reached = [
            np.cumsum(np.bincount(place.ravel(), w, length).reshape(shape), axis=1)[:, :-1]
            for w in (None, lead[rows].ravel().astype(float))
        ]
        count[rows] = reached[0]
        probe_s[rows] = m * (m - 1) / 4 + reached[1] / 2  # over unordered pairs of items
        if slopes:
            w = d[..., None] <= epsilon  # (rows, m, E)
            before = np.concatenate([np.zeros((len(rows), 1, many)), np.cumsum(w, axis=1)], axis=1)
            below = np.take_along_axis(before, first[rows][..., None], axis=1)
            above = before[:, -1:] - np.take_along_axis(before, last[rows][..., None] + 1, axis=1)
            items = (m - 1) / 2 + (w * lead[rows][..., None] - below + above) / 2
            placed = np.zeros((len(rows), size, many))
            for total, values in ((item_s, items), (item_b, w)):
                placed[np.arange(len(rows))[:, None], ranks.order[rows]] = values  # a probe's own place stays 0
                total += placed.sum(0)
    share = count / m
    mean_b, p_s = share.mean(0), probe_s.mean(0) / (m * (m - 1) / 2)
    slope_s = slope_b = np.full((size, many), np.nan)
    if slopes:
        slope_s = jackknife((probe_s + item_s) / (3 * m * (m - 1) / 2), p_s, 3)
        slope_b = jackknife((count + item_b) / (2 * m), mean_b, 2)
    scored = Scored(p_s, 1 - mean_b / 2, slope_s, -slope_b / 2)
    return Sums(epsilon, mean_b, share.var(0), scored, slope_b)


def _by_item(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(N,) sums over probes of (N, N - 1) values in the order of distance."""
    return np.bincount(order.ravel(), values.ravel(), len(order))


def shared(h: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(P, m) of every probe and item the sum of the credits of trials with the item, over other items, in float64.

    Args:
        h: (P, m) strengths, farthest first.
        group: (P, m) of equally far items, as in `laws.tables.Ranking`.
    """
    with jax.enable_x64(True):
        return np.asarray(_shared(jnp.asarray(h), jnp.asarray(group)))


@jax.jit
def _shared(h: Array, group: Array) -> Array:
    position = np.arange(h.shape[1])
    nearer = position[None] > position[:, None]

    def probe(row: tuple[Array, Array]) -> Array:
        strength, equal = row
        one, other = strength[:, None], strength[None, :]
        total = one + other
        right = jnp.where(nearer, other, one) / jnp.where(total > 0, total, 1.0)
        right = jnp.where((total > 0) & (equal[:, None] != equal[None, :]), right, 0.5)
        return jnp.sum(right, axis=1) - 0.5  # without the item itself

    return jax.lax.map(probe, (h, group))
