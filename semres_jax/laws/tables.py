"""Finite spaces, exactly, for strengths that are no function of distance: learned, measured, written in a table.

A trial is right when the nearest item wins, and strengths decide who wins: the two meet here without a similarity in
between. Everything is a pure function of the table of strengths, so it runs inside jitted training loops.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete, require, require_items
from semres_jax._names import ordered
from semres_jax._pytrees import pytree, static
from semres_jax._types import Accuracy, Array, ArrayLike
from semres_jax.laws._precision import host_in_float64
from semres_jax.laws.reciprocal import ZERO, decays, sum_over_nodes
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.named import on_space


@pytree
class Ranking:
    """The others of each probe in the order of their distance, farthest first.

    Args:
        order: (N, N - 1) indices of the others.
        group: (N, N - 1) number of the group of equally far others that each belongs to, from 0.
        ties: size of the largest group.
    """

    order: Any
    group: Any
    ties: int = static()


@on_space
def ranking(space: MetricSpace) -> Ranking:
    """How the stimuli of a finite space rank by distance from each of them; distances are compared exactly.

    Raises:
        ValueError: no known table of distances; unequal weights.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.laws import tables
        >>> ranks = tables.ranking(spaces.Finite([[0, 1, 1], [1, 0, 2], [1, 2, 0]]))
        >>> ranks.order[1].tolist(), ranks.group[0].tolist(), ranks.ties
        ([2, 0], [0, 0], 2)
    """
    table = concrete(space.distances)
    if table is None:
        raise ValueError(f"{space.label} has no known table of distances to rank")
    if space.weighted:
        raise ValueError(f"stimuli must be equally likely; {space.label} has unequal weights")
    size = len(table)
    far = np.where(np.eye(size, dtype=bool), -np.inf, table)  # the probe itself comes last
    order = np.argsort(-far, axis=1, kind="stable")[:, :-1]
    d = np.take_along_axis(table, order, axis=1)
    group = np.zeros(d.shape, np.int64)
    group[:, 1:] = np.cumsum(d[:, 1:] != d[:, :-1], axis=1)
    largest = max((int(np.bincount(row).max()) for row in group), default=1)
    return Ranking(order.astype(np.int32), group.astype(np.int32), largest)


@on_space
def accuracy(space: MetricSpace, strengths: ArrayLike, *, n: int = 2) -> Accuracy:
    """Accuracies on a finite space with any table of strengths: exact sums over all probes and n distinct items.

        p_S = <Σ_{i in T} h_pi / |T| / Σ_i h_pi>, T the items nearest to p;   p_I = <h_pp / (h_pp + Σ_i h_pi)>

    with n items in the first average and n - 1 in the second; 1/n where all strengths are 0. Ties in distance share
    the right answer. A similarity's own table, h = g(d)^a, gives `enumeration.accuracy`. Source: new, of this project.

    Args:
        space: finite, of equally likely stimuli.
        strengths: (..., N, N), at least 0; row p holds those of all stimuli when p is the probe. The scale of a row
            doesn't matter. A labelled table (pandas, xarray) is put in the order of the space's names.
        n: number of items.

    Returns:
        Accuracy of shape (...): float64 NumPy; of traced `strengths`, in their dtype.

    Raises:
        ValueError: strengths negative, not finite or of another shape; too few stimuli; unequal weights.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> from semres_jax.laws import tables
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(p), 4) for p in tables.accuracy(line, np.exp(-np.asarray(line.distances)))]
        [0.654, 0.781]
    """
    return _accuracy(space, ordered(strengths, tuple(space.labels), "strengths"), n=n)


@host_in_float64
def _accuracy(space: MetricSpace, strengths: ArrayLike, *, n: int) -> Accuracy:
    n = require_items(n)
    space.require_distinct(n)
    ranks = ranking(space)
    known = concrete(strengths)
    shape = np.shape(strengths)
    if shape[-2:] != (len(ranks.order),) * 2:
        raise ValueError(f"strengths must be {len(ranks.order)} by {len(ranks.order)}, as the distances; got {shape}")
    require("strengths", strengths, 0.0, np.inf, "finite and at least 0")
    tables = jnp.asarray(strengths, jnp.result_type(0.0, strengths)).reshape(-1, *shape[-2:])
    if known is None:
        p_s, p_i = jax.lax.map(lambda table: _of_table(table, ranks, n), tables)
    else:  # one program for any number of tables
        accuracies = [_of_table(table, ranks, n) for table in tables]
        p_s, p_i = (jnp.stack(column) for column in zip(*accuracies, strict=True))
    return Accuracy(p_s.reshape(shape[:-2]), p_i.reshape(shape[:-2]))


@functools.partial(jax.jit, static_argnames="n")
def _of_table(table: Array, ranks: Ranking, n: int) -> Accuracy:
    return Accuracy(*(jnp.mean(p) for p in by_probe(table, ranks, (n,))))


def of_ranking(space: MetricSpace, ranks: Ranking, strengths: np.ndarray, n: int) -> Accuracy:
    """`accuracy` of one table, on the host, of stimuli that are ranked already; for n = 2 it needs little memory."""
    strengths = np.asarray(strengths, np.float64)
    if n > 2:
        with jax.enable_x64(True):
            return Accuracy(*(float(p) for p in accuracy(space, strengths, n=n)))
    size = len(strengths)
    own = np.diagonal(strengths)[:, None]
    both = own + strengths
    hit = np.where(both > 0, own / np.where(both > 0, both, 1.0), 0.5) * ~np.eye(size, dtype=bool)
    credits = shared(np.take_along_axis(strengths, np.asarray(ranks.order), axis=1), np.asarray(ranks.group))
    return Accuracy(float(credits.sum() / (size * (size - 1) * (size - 2))), float(hit.sum() / (size * (size - 1))))


def shared(h: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(P, m) of every probe and item the sum of the credits of trials with the item, over other items, in float64.

    Of (P, m) strengths h, farthest first, in groups of equally far items as in `Ranking`.
    """
    with jax.enable_x64(True):
        return np.asarray(_shared(jnp.asarray(h), jnp.asarray(group)))


@jax.jit
def _shared(h: Array, group: Array) -> Array:
    position = np.arange(h.shape[1])
    nearer = position[None] > position[:, None]

    def probe(row: tuple[Array, Array]) -> Array:
        strength, equal = row
        item, other = strength[:, None], strength[None, :]
        total = item + other
        right = jnp.where(nearer, other, item) / jnp.where(total > 0, total, 1.0)
        right = jnp.where((total > 0) & (equal[:, None] != equal[None, :]), right, 0.5)
        return jnp.sum(right, axis=1) - 0.5  # without the item itself

    return jax.lax.map(probe, (h, group))


def by_probe(strengths: Array, ranks: Ranking, ns: tuple[int, ...]) -> Accuracy:
    """`accuracy` of one table for several n at once, before the average over probes.

    For n = 2 a sum over pairs. Else 1/x = ∫ e^{-xs} ds turns sets into products: elementary symmetric polynomials of
    e^{-sh}, grown item by item, farthest first. Of a set's nearest items that tie, the right one is that with the
    smallest of independent uniform marks v; given v the others of its group count with probability 1 - v, and the
    polynomial in v is integrated by as many Gauss nodes as it takes. All terms are positive: nothing cancels.

    Args:
        strengths: (N, N), real.
        ranks: of the space.
        ns: numbers of items, each from 2 to N - 1; static.

    Returns:
        Accuracy of shape (len(ns), N), with a relative error of 1e-13 in float64.
    """
    h = jnp.take_along_axis(strengths, jnp.asarray(ranks.order), axis=1)
    own = jnp.diagonal(strengths)
    more = [n for n in ns if n > 2]
    of_n = {2: _pairs(h, own, jnp.asarray(ranks.group))} if 2 in ns else {}
    if more:
        of_n |= dict(zip(more, _sets(h, own, jnp.asarray(ranks.group), ranks.ties, tuple(more)), strict=True))
    return Accuracy(*(jnp.stack([of_n[n][part] for n in ns]) for part in range(2)))


def _pairs(h: Array, own: Array, group: Array) -> tuple[Array, Array]:
    """(N,) accuracies of each probe, n = 2, for strengths of the others, farthest first."""
    others = h.shape[1]
    total = h[:, :, None] + h[:, None, :]
    nearer = jnp.where(total > 0, h[:, None, :] / jnp.where(total > 0, total, 1.0), 0.5)
    share = jnp.where(group[:, :, None] == group[:, None, :], 0.5, nearer)
    later = np.triu(np.ones((others, others), bool), 1)
    p_s = jnp.sum(jnp.where(later[None], share, 0.0), axis=(1, 2)) / math.comb(others, 2)
    both = own[:, None] + h
    p_i = jnp.where(both > 0, own[:, None] / jnp.where(both > 0, both, 1.0), 0.5)
    return p_s, jnp.mean(p_i, axis=1)


class _Items(NamedTuple):
    """The others of each of N probes, farthest first, as a scan takes them: (items, N) arrays."""

    logs: Array  # of strengths, relative to the strongest of the probe's row
    opens: Array  # 1 for the first of a group of equally far ones
    closes: Array  # 1 for the last


def _sets(h: Array, own: Array, group: Array, ties: int, ns: tuple[int, ...]) -> list[tuple[Array, Array]]:
    """(N,) accuracies of each probe for each n."""
    others, most = h.shape[1], max(ns)
    # Strengths relative to the strongest of the probe's row, itself included, in logarithms.
    top = jnp.maximum(jnp.max(h, axis=1), own)
    top = jnp.where(top > 0, top, 1.0)
    logs, own_log = (_logs(y, z) for y, z in ((h, top[:, None]), (own, top)))
    lowest = jnp.minimum(jnp.min(jnp.where(logs == ZERO, 0.0, logs)), jnp.min(jnp.where(own_log == ZERO, 0.0, own_log)))
    opens = jnp.concatenate([jnp.ones_like(group[:, :1]), jnp.diff(group, axis=1)], axis=1)
    closes = jnp.concatenate([opens[:, 1:], jnp.ones_like(group[:, :1])], axis=1)
    walk = functools.partial(_walk, _Items(logs.T, opens.T, closes.T), ties, most)
    # e^{-sh} carries a factor c, so that the polynomials neither overflow nor vanish.
    c = most / others

    def chunk(log_s: Array, ratio: Array) -> tuple[Array, Array]:
        def factors(log: Array) -> tuple[Array, Array]:
            sh, e = decays(log, log_s)
            return c * e, ratio[None] * sh * e

        credit, a = walk(factors, log_s.size)
        sh, e = decays(own_log, log_s)
        return jnp.sum(credit, axis=-1), jnp.sum((ratio[None] * sh * e)[:, None, :] * a, axis=-1)

    p_s, p_i = sum_over_nodes(chunk, most, lowest)

    # Where all strengths are 0 the credit is 1/n: a node at infinity, where only factors of 0 are left.
    def silent(log: Array) -> tuple[Array, Array]:
        left = jnp.where(log == ZERO, 1.0, 0.0).astype(h.dtype)[:, None]
        return c * left, left

    credit, a = (y[..., 0] for y in walk(silent, 1))
    mute = jnp.where(own_log == ZERO, 1.0, 0.0).astype(h.dtype)
    p_s = [(p_s[:, n - 1] + credit[:, n - 1] / n) / (math.comb(others, n) * c ** (n - 1)) for n in ns]
    p_i = [(p_i[:, n - 1] + mute * a[:, n - 1] / n) / (math.comb(others, n - 1) * c ** (n - 1)) for n in ns]
    return list(zip(p_s, p_i, strict=True))


def _walk(items: _Items, ties: int, most: int, factors: Any, count: int) -> tuple[Array, Array]:
    """(N, most, count) sums over sets of the right one's credit times the factors of all, and of factors alone."""
    dtype, shape = items.logs.dtype, (items.logs.shape[1], most, count)
    # Marks v of the right one among equals, and their weights; degree of the polynomial: equals that may come along.
    x, w = np.polynomial.legendre.leggauss((min(ties, most) - 1) // 2 + 1)
    keep, weight = (jnp.asarray(y, dtype)[:, None, None, None] for y in ((1 - x) / 2, w / 2))

    def add(a: Array, e: Array) -> Array:
        return a.at[..., 1:, :].add(e * a[..., :-1, :])

    def step(state: Any, item: _Items) -> tuple[Any, None]:
        a, with_equals, right, credit = state
        e, mine = (y[:, None, :] for y in factors(item.logs))
        first, last = (y[:, None, None] > 0 for y in (item.opens, item.closes))
        # A group starts from all that is farther; `right` has the sets in which one of the group is the right one.
        with_equals = jnp.where(first[None], a[None], with_equals)
        right = jnp.where(first[None], 0.0, right)
        right = add(right, keep * e[None]) + mine[None] * with_equals
        with_equals = add(with_equals, keep * e[None])
        credit = credit + jnp.where(last, jnp.sum(weight * right, axis=0), 0.0)
        return (add(a, e), with_equals, right, credit), None

    empty = jnp.zeros(shape, dtype).at[:, 0].set(1.0)
    marked = jnp.broadcast_to(empty, (keep.shape[0], *shape))
    (a, _, _, credit), _ = jax.lax.scan(step, (empty, marked, jnp.zeros_like(marked), jnp.zeros_like(empty)), items)
    return credit, a


def _logs(value: Array, top: Array) -> Array:
    """ln(value / top), `ZERO` for 0; its gradient is finite."""
    positive = value > 0
    return jnp.where(positive, jnp.log(jnp.where(positive, value, 1.0)) - jnp.log(top), ZERO)
