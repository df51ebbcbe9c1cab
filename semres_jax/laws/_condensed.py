"""Two items of a finite space for many similarities at once: all pairs of distances condensed into few numbers.

The credit of a pair of items is a function of their two distances from the probe. Where -ln g is smooth, it is a
polynomial of few terms on small ranges of distance, so that the pairs of all probes, which are N³, are told by sums of
products of polynomials over two ranges: once for all similarities. Which are smooth enough is found by looking.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import _memory, _watching
from semres_jax._types import Accuracy
from semres_jax.laws.reciprocal import is_zero, strength_logs
from semres_jax.similarity import Similarity
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.neighbours import row_block

# Polynomials of a range. With a fall of ln g by at most 1 there, what they leave of a credit is below 1e-13, as its
# nearest pole is at ±iπ; ln g itself has to be one of them to this.
_TERMS, _FALL, _LEFT = 12, 1.0, 1e-12
# Ranges that are tried; with fewer members than this the walk over items is shorter.
_RANGES, _FEWEST = (32, 64, 128, 256), 12
# Probes of a piece, and distances that polynomials are made of at once.
_PROBES, _AT_ONCE = 256, 2**17


def _polynomials(x: np.ndarray) -> np.ndarray:
    """(TERMS, ...) Chebyshev's polynomials."""
    made = np.empty((_TERMS, *x.shape))
    made[0], made[1] = 1.0, x
    twice = 2.0 * x
    for k in range(2, _TERMS):
        np.multiply(twice, made[k - 1], out=made[k])
        made[k] -= made[k - 2]
    return made


# Where a polynomial's values are taken, and what makes of sums of polynomials the weights of these values.
_PLACES = np.cos(np.pi * (np.arange(_TERMS) + 0.5) / _TERMS)[::-1]
_TO_VALUES = _polynomials(_PLACES) * (np.where(np.arange(_TERMS) > 0, 2.0, 1.0) / _TERMS)[:, None]
# Between those, and at the ends of a range.
_BETWEEN = np.cos(np.pi * np.arange(2 * _TERMS + 1) / (2 * _TERMS))


def smooth(space: MetricSpace, members: Similarity, power: float) -> tuple[np.ndarray, int]:
    """Which members of a grid can be condensed, and into how many ranges of distance; none where it doesn't pay."""
    number = max(np.shape(leaf)[0] for leaf in jax.tree.leaves(members))
    nobody, size = np.zeros(number, bool), space.size or 0
    top = float(space.diameter) if number >= _FEWEST and size >= _TERMS * _RANGES[0] else 0.0
    if not (top > 0 and np.isfinite(top)):
        return nobody, 0
    chosen, most = (nobody, 0), _FEWEST - 1
    for ranges in (ranges for ranges in _RANGES if _TERMS * ranges <= size):
        fits = _fitting(members, power, top, ranges)
        if fits.sum() > most:
            chosen, most = (fits, ranges), fits.sum()
    return chosen


def _fitting(members: Similarity, power: float, top: float, ranges: int) -> np.ndarray:
    def logs(places: np.ndarray) -> np.ndarray:
        d = top * (np.arange(ranges)[:, None] + (1.0 + places[None]) / 2.0) / ranges
        return np.asarray(
            jax.lax.map(lambda member: strength_logs(member, jnp.asarray(d), jnp.asarray(power)), members)
        )

    known, between = logs(_PLACES), logs(_BETWEEN)
    off = known @ (_TO_VALUES.T @ _polynomials(_BETWEEN)) - between
    fall = between.max(-1) - between.min(-1)
    exact = (np.abs(off) <= _LEFT) & (fall <= _FALL)[..., None] & ~np.asarray(is_zero(jnp.asarray(between)))
    inside = [(np.asarray(kink) > 0) & (np.asarray(kink) < top) for kink in members.kinks()]
    return exact.all((1, 2)) & ~np.any([np.broadcast_to(kink, len(exact)) for kink in inside] or False, axis=0)


def accuracy(space: MetricSpace, members: Similarity, power: float, ranges: int, *, replace: bool) -> Accuracy:
    """(members,) accuracies for two items, of members that are `smooth`."""
    size: Any = space.size
    count = size if replace else size - 1
    length, top = _TERMS * ranges, float(space.diameter)
    _memory.require(24 * length**2 + 64 * _PROBES * size, f"pairs of {size} stimuli")

    def piece(first: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.array(row_block(space, first, min(first + _PROBES, size)), np.float64)
        rows[np.arange(len(rows)), first + np.arange(len(rows))] = -1.0  # the probe itself comes first
        rows.sort(axis=1)
        return _condensed(np.maximum(rows[:, size - count :], 0.0), top, ranges)

    single, apart, within = np.zeros(length), np.zeros((length, length)), np.zeros((ranges, _TERMS, _TERMS))
    for sums, alike in _watching.by_threads(piece, range(0, size, _PROBES)):
        values = (sums @ _TO_VALUES).reshape(-1, length)
        single += values.sum(0)
        apart += values.T @ values
        within += alike
    pairs = apart.reshape(ranges, _TERMS, ranges, _TERMS) * np.triu(np.ones((ranges, ranges)), 1)[:, None, :, None]
    at = np.arange(ranges)
    pairs[at, :, at, :] = _TO_VALUES.T @ within @ _TO_VALUES
    d = top * (at[:, None] + (1.0 + _PLACES[None]) / 2.0).ravel() / ranges
    lost, hit = (np.asarray(x) for x in _credits(members, d, pairs.reshape(ranges, _TERMS, length), single, power))
    share = 2.0 / (float(size) * count * (count if replace else count - 1))
    return Accuracy(1.0 - share * lost - (0.5 / count if replace else 0.0), hit / (float(size) * count))


def _condensed(d: np.ndarray, top: float, ranges: int) -> tuple[np.ndarray, np.ndarray]:
    """Of probes with sorted distances: (P, ranges, TERMS) sums of polynomials over the items in each range.

    And (ranges, TERMS, TERMS) sums over probes and pairs of items within a range, the nearer by the first of the two.
    """
    probes, count = d.shape
    sums, within = np.zeros((probes, ranges, _TERMS)), np.zeros((ranges, _TERMS, _TERMS))
    step = max(1, _AT_ONCE // count)
    for first in range(0, probes, step):
        some = d[first : first + step] * (ranges / top)
        place = np.minimum(some.astype(np.int32), ranges - 1)
        # By range, then probe, then distance: as sorted within each as they are.
        order = np.argsort(place.astype(np.uint16), axis=None, kind="stable")
        group = place.ravel()[order].astype(np.intp) * len(some) + order // count
        number = np.bincount(group, minlength=ranges * len(some))
        ends = np.cumsum(number)
        begins = ends - number
        x = 2.0 * (some.ravel()[order] - np.repeat(np.arange(ranges), number.reshape(ranges, -1).sum(1))) - 1.0
        terms = _polynomials(x)
        so_far = np.zeros((_TERMS, len(x) + 1))
        np.cumsum(terms, axis=1, out=so_far[:, 1:])
        sums[first : first + step] = (
            (so_far[:, ends] - so_far[:, begins]).reshape(_TERMS, ranges, -1).transpose(2, 1, 0)
        )
        nearer = so_far[:, :-1]
        nearer -= np.repeat(so_far[:, begins], number, axis=1)
        for k in range(ranges):
            part = slice(begins[k * len(some)], ends[(k + 1) * len(some) - 1])
            within[k] += nearer[:, part] @ terms[:, part].T
    return sums, within


@jax.jit
def _credits(members: Similarity, d: Any, pairs: Any, single: Any, power: Any) -> tuple[Any, Any]:
    """(members,) sums over pairs of what the nearer item loses, and over items of what the probe itself wins."""
    ranges, terms, _ = pairs.shape

    def member(similarity: Similarity) -> tuple[Any, Any]:
        log = strength_logs(similarity, d, power)

        def of_range(own: Any) -> Any:
            near, weight = own
            return jnp.sum(weight * jax.nn.sigmoid(log[None, :] - near[:, None]))

        lost = jnp.sum(jax.lax.map(of_range, (log.reshape(ranges, terms), pairs)))
        return lost, jnp.sum(single * jax.nn.sigmoid(-log))

    return jax.lax.map(member, members)
