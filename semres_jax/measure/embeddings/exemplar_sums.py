"""Embeddings of several exemplars a class: everything from one pass over rows of probes, of which there may be few.

Items are all exemplars. Probes are all of them, or so many of each class: accuracies then are unbiased, and their
slopes have the probes' part among the probes alone, so that standard errors count what sampling adds.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import _watching
from semres_jax._random import generator
from semres_jax._types import Array
from semres_jax.laws import tables
from semres_jax.laws.exemplars import Draws, first_reaching, shares_reached
from semres_jax.measure.embeddings import exemplars, similarities, stimulus_sums
from semres_jax.spaces.finite import Finite

# Numbers of a block of probes times exemplars, or times classes and resolutions; pairs of items of sampled trials.
_NUMBERS, _TRIALS, _REPEATS = 2**22, 2**29, 8
# Numbers of dissimilarities that are there at once: half a GB.
_AT_ONCE = 2**26
# Exemplars up to which graded similarities are summed over all draws: time grows like the cube.
_EXACT = 1024
# Probes whose dissimilarities thresholds are found from, where probes are sampled.
_FOR_LEVELS = 64
# Of a class two probes at least: their spread is a standard error.
_FEWEST = 2


class Probes(NamedTuple):
    """Who probes: rows of exemplars, grouped by class, and the probability of each."""

    rows: np.ndarray
    weight: np.ndarray
    sampled: bool


class Sums(NamedTuple):
    """What a pass over the probes leaves.

    Attributes:
        levels: at thresholds of dissimilarity, slopes scaled as `centred` does.
        between: (C, C) mean strength of the probe's class (rows) and others.
        reach: mean and variance over probes of the share of other classes' exemplars with strength above the floor.
        lowest: smallest strength of exemplars of different classes.
    """

    levels: stimulus_sums.Sums
    between: np.ndarray
    reach: tuple[float, float]
    lowest: float


def probes(drawn: Draws, limit: int, key: Any) -> Probes:
    """All exemplars up to a limit; else as many of each class, of as many classes as leave two of each."""
    size, count = len(drawn.own), len(drawn.near)
    if size <= limit:
        return Probes(np.arange(size), drawn.weight, False)
    rng, classes = generator(key, 3), np.arange(count)
    if limit // count < _FEWEST:
        classes = np.sort(rng.choice(count, max(limit // _FEWEST, 3), replace=False))
    most = max(limit // len(classes), _FEWEST)
    members = [np.flatnonzero(drawn.own == c) for c in classes]
    rows = [np.sort(rng.choice(some, min(most, len(some)), replace=False)) for some in members]
    weight = [np.full(len(some), 1 / len(classes) / len(some)) for some in rows]
    return Probes(np.concatenate(rows), np.concatenate(weight), True)


def thresholds(model: similarities.Own, drawn: Draws, chosen: Probes, shares: np.ndarray, key: Any) -> np.ndarray:
    """(E,) dissimilarities within which shares of other classes' exemplars are; of some probes where these are many."""
    rows, weight = chosen.rows, chosen.weight
    if chosen.sampled:
        few = np.sort(generator(key, 4).choice(len(rows), min(_FOR_LEVELS, len(rows)), replace=False))
        rows, weight = rows[few], weight[few]
    apart = similarities.dissimilarities(model, similarities.raw(model, rows))
    apart = apart if chosen.sampled else (apart + apart.T) / 2
    mass = np.outer(weight, drawn.share) * (drawn.own[rows][:, None] != drawn.own[None])
    return exemplars.reaching(apart, mass, shares)


def summed(model: similarities.Own, drawn: Draws, chosen: Probes, epsilon: np.ndarray, floor: float) -> Sums:
    """One pass over the probes; `epsilon` ascends."""
    size, count, levels = len(drawn.own), len(drawn.near), len(epsilon)
    others, different = count - 1, ~np.eye(count, dtype=bool)
    worth = np.stack([(drawn.near - drawn.far) / 2, different / others])
    order = np.argsort(drawn.own, kind="stable")
    starts = np.append(0, np.cumsum(np.bincount(drawn.own))[:-1])
    sums, as_probe = np.zeros((5, levels)), np.zeros((3, size, levels))
    as_item = np.zeros((3, size, levels + 1))
    between, seen, squares, lowest = np.zeros((count, count)), 0.0, 0.0, np.inf
    own_class = np.bincount(drawn.own[chosen.rows], chosen.weight, count)
    step = max(1, _NUMBERS // max(size, count * (levels + 1)))
    for rows, weight, products in _blocks(model, chosen, step):
        here, c = np.arange(len(rows)), drawn.own[rows]
        strength = similarities.strengths(model, products, floor)
        apart = first_reaching(epsilon, similarities.dissimilarities(model, products))
        within = shares_reached(apart, rows, drawn, levels)
        hit = within[here, c]
        other = within * different[c][..., None]
        b = other.sum(1) / others
        near, far = (np.einsum("pc,pce->pe", x[c], within) for x in (drawn.near, drawn.far))
        sums += np.stack([weight @ x for x in (hit, b, near, far, b**2)])
        left = (1 - drawn.share[rows])[:, None]  # of the probe's class, without it
        for k in range(2):
            as_probe[k, rows] = weight[:, None] * np.einsum("pc,pce->pe", worth[k][c], within)
        as_probe[2, rows] = weight[:, None] * hit / left
        place = (apart + (levels + 1) * np.arange(size)[None]).ravel()
        alien = drawn.own[None] != c[:, None]
        same = ~alien / left
        same[here, rows] = 0.0
        for k, w in enumerate((worth[0][c][:, drawn.own], worth[1][c][:, drawn.own], same)):
            mass = np.bincount(place, (weight[:, None] * w).ravel(), size * (levels + 1))
            as_item[k] += mass.reshape(size, levels + 1)
        lowest = min(lowest, float(strength.min(where=alien, initial=np.inf)))
        above = ((strength > floor) & alien) @ drawn.share / others
        seen, squares = seen + weight @ above, squares + weight @ above**2
        strength[here, rows] = 0.0
        mean = np.add.reduceat(strength[:, order] * drawn.share[order], starts, axis=1)
        mean[here, c] /= left[:, 0]
        np.add.at(between, c, mean * (weight / own_class[c])[:, None])
    hit, mean_b, near, far, square = sums
    item = np.cumsum(as_item, axis=2)[..., :-1] * drawn.share[:, None]
    s, b, own = (centred(x, drawn.own, chosen.rows) + centred(y, drawn.own)
                 for x, y in zip(as_probe, item, strict=True))  # fmt: skip
    constant = stimulus_sums.Sums(
        epsilon, 0.5 + (near - far) / 2, 0.5 + (hit - mean_b) / 2, mean_b, np.maximum(square - mean_b**2, 0.0), hit,
        slopes=np.stack([s, (own - b) / 2, b]),
    )  # fmt: skip
    return Sums(constant, between, (float(seen), float(max(squares - seen**2, 0.0))), lowest)


def centred(slopes: np.ndarray, own: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Slopes less their mean over a class (over those in `rows`; the rest is 0), stretched as a variance of few is.

    The bootstrap's variance of a mean of m is too small by (m - 1)/m.
    """
    rows = np.arange(len(own)) if rows is None else rows
    number = np.bincount(own[rows], minlength=own.max() + 1)
    flat = slopes.reshape(len(slopes), -1)
    mean = np.zeros((len(number), flat.shape[1]))
    np.add.at(mean, own[rows], flat[rows])
    mean /= np.maximum(number, 1)[:, None]
    stretch = np.sqrt(number / np.maximum(number - 1, 1))
    spread = np.zeros_like(flat)
    spread[rows] = (flat[rows] - mean[own[rows]]) * stretch[own[rows]][:, None]
    return spread.reshape(slopes.shape)


def top(model: similarities.Own, chosen: Probes) -> float:
    """Unit of the dissimilarities: largest distance of any probe, of a few where probes are sampled; or as it is."""
    if model.kind != "euclidean":
        return model.top
    few = chosen.rows[:: max(1, len(chosen.rows) // _FOR_LEVELS)] if chosen.sampled else chosen.rows
    return float(similarities.raw(model, few).max())


def _blocks(model: similarities.Own, chosen: Probes, step: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows of probes, their weights and `raw` numbers, `step` at a time; the points are read for many at once."""
    length = max(1, _AT_ONCE // len(model.points))
    for outer in range(0, len(chosen.rows), length):
        rows, weight = (x[outer : outer + length] for x in (chosen.rows, chosen.weight))
        products = similarities.raw(model, rows)
        for first in range(0, len(rows), step):
            part = slice(first, first + step)
            yield rows[part], weight[part], products[part]
            _watching.report(min(outer + first + step, len(chosen.rows)), len(chosen.rows))


def graded(
    model: similarities.Own, space: Finite, drawn: Draws, chosen: Probes, floor: float, key: Any
) -> tuple[stimulus_sums.Scored, str]:
    """Accuracies of the model's own graded similarity with scaled slopes (N,), and in words what was sampled.

    Over all draws where these aren't too many; else of each probe one exemplar of each class is drawn at a time.
    """
    if chosen.sampled or len(drawn.own) > _EXACT:
        return _drawn(model, space, drawn, chosen, floor, key)
    return _all_draws(model, drawn, floor), ""


def _all_draws(model: similarities.Own, drawn: Draws, floor: float) -> stimulus_sums.Scored:
    """The mean over probes of the credit of all pairs of items, of different classes, the probe's own the nearest."""
    own, share, count = drawn.own, drawn.share, len(drawn.near)
    size, pairs = len(own), (count - 1) * (count - 2) / 2
    strength = similarities.strengths(model, similarities.raw(model, np.arange(size)), floor)
    # Of each class of a probe: exemplars with the farthest class first, the probe's own last; which classes are tied.
    place, group = (np.full((count, count), count) for _ in range(2))
    np.put_along_axis(place, drawn.order, np.append(count - 1 - np.arange(count - 1), count)[None], axis=1)
    np.put_along_axis(group, drawn.order[:, :-1], drawn.farther, axis=1)
    order = np.argsort(place[:, own], axis=1, kind="stable")
    h = np.take_along_axis(strength, order[own], axis=1)
    inner = np.where(own[:, None] == own[None], share[None] / (1 - share)[:, None], 0.0)
    np.fill_diagonal(inner, 0.0)
    outer = np.where(own[:, None] == own[None], 0.0, share[None])
    weights = [np.take_along_axis(x, order[own], axis=1) for x in (outer, inner)]
    by_class = [x[own] for x in (np.take_along_axis(group[:, own], order, axis=1), own[order])]
    with jax.enable_x64(True):
        others, mine = (np.asarray(x) for x in _pairs(*(jnp.asarray(x) for x in (h, *weights, *by_class))))
    # Back in the order of the exemplars: credit of x with items of other classes, and with those of the probe's.
    back = np.argsort(order, axis=1)[own]
    others, mine = (np.take_along_axis(x, back, axis=1) for x in (others, mine))
    p_s, p_i = (outer * others).sum(1) / 2 / pairs, (inner * others).sum(1) / (count - 1)
    weight = drawn.weight
    item_s = weight @ (outer * others) / pairs
    item_i = weight @ (outer * mine + inner * others) / (count - 1)
    slopes = [centred(weight * x + y, own) for x, y in ((p_s, item_s), (p_i / (1 - share), item_i))]
    return stimulus_sums.Scored(float(weight @ p_s), float(weight @ p_i), *slopes)


@jax.jit
def _pairs(h: Array, outer: Array, inner: Array, group: Array, kind: Array) -> tuple[Array, Array]:
    """(P, N) sums over items of other classes, by weight, of the credit of trials with each item; farthest first."""
    place = np.arange(h.shape[1])
    nearer = place[None] > place[:, None]

    def probe(row: Any) -> tuple[Array, Array]:
        strength, out, within, equal, class_of = row
        item, other = strength[:, None], strength[None, :]
        total = item + other
        right = jnp.where(nearer, other, item) / jnp.where(total > 0, total, 1.0)
        right = jnp.where((total > 0) & (equal[:, None] != equal[None, :]), right, 0.5)
        right = jnp.where(class_of[:, None] != class_of[None, :], right, 0.0)
        return jnp.sum(right * out[None, :], axis=1), jnp.sum(right * within[None, :], axis=1)

    return jax.lax.map(probe, (h, outer, inner, group, kind))


def _drawn(
    model: similarities.Own, space: Finite, drawn: Draws, chosen: Probes, floor: float, key: Any
) -> tuple[stimulus_sums.Scored, str]:
    """Each probe meets one exemplar of each class, drawn for it alone, and all pairs of these are its trials."""
    size, count, own = len(drawn.own), len(drawn.near), drawn.own
    rng, ranks = generator(key, 5), tables.ranking(space)
    members, number = np.argsort(own, kind="stable"), np.bincount(own)
    start = np.cumsum(number) - number
    position = np.empty(size, int)
    position[members] = np.arange(size) - start[own[members]]
    dimensions = model.points.shape[1]
    repeats = int(np.clip(_TRIALS // (len(chosen.rows) * count * max(count, dimensions)), 1, _REPEATS))
    value = np.zeros((2, size))
    # Of items, by role: of p_S; of p_I as one of another class, and of the probe's.
    item, times = np.zeros((3, size)), np.zeros((3, size))
    step = max(1, _NUMBERS // (count * max(4, dimensions)))
    for turn in range(repeats):
        for first in range(0, len(chosen.rows), step):
            rows = chosen.rows[first : first + step]
            c, here = own[rows], np.arange(len(rows))
            pick = members[start + (rng.random((len(rows), count)) * number).astype(int)]
            other = (rng.random(len(rows)) * (number[c] - 1)).astype(int)
            pick[here, c] = members[start[c] + other + (other >= position[rows])]
            strength = similarities.strengths(model, similarities.paired(model, rows, pick), floor)
            h, which = (np.take_along_axis(x, ranks.order[c], axis=1) for x in (strength, pick))
            credits = tables.shared(h, ranks.group[c]) / ((count - 1) * (count - 2) / 2)
            mine = strength[here, c][:, None]
            both = mine + h
            hit = np.where(both > 0, mine / np.where(both > 0, both, 1.0), 0.5) / (count - 1)
            value[0, rows] += credits.sum(1) / 2 / repeats
            value[1, rows] += hit.sum(1) / repeats
            for k, (credit, whose) in enumerate(((credits, which), (hit, which), (hit.sum(1), pick[here, c]))):
                item[k] += np.bincount(whose.ravel(), credit.ravel(), size)
                times[k] += np.bincount(whose.ravel(), minlength=size)
            done = turn * len(chosen.rows) + min(first + step, len(chosen.rows))
            _watching.report(done, repeats * len(chosen.rows))
    p_s, p_i = (float(chosen.weight @ x[chosen.rows]) for x in value)
    # A role's mean credit, that of the class for items never drawn, times how often a probe makes room for it.
    probing = np.bincount(own[chosen.rows], chosen.weight, count)[own]
    seen = item / np.maximum(times, 1)
    whole = [np.bincount(own, x, count) / np.maximum(np.bincount(own, y, count), 1) for x, y in
             zip(item, times, strict=True)]  # fmt: skip
    seen = np.where(times > 0, seen, np.stack(whole)[:, own]) * np.stack([1 - probing, 1 - probing, probing])
    as_item = drawn.share * np.stack([seen[0], seen[1] + seen[2]])
    value[1] /= 1 - drawn.share  # a weightier probe leaves less of its class
    weight = np.zeros(size)
    weight[chosen.rows] = chosen.weight
    slopes = [centred(weight * x, own, chosen.rows) + centred(y, own) for x, y in zip(value, as_item, strict=True)]
    words = f"graded accuracies from {repeats * len(chosen.rows)} probes, one exemplar of each class drawn for each"
    return stimulus_sums.Scored(p_s, p_i, *slopes), words
