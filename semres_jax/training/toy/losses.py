"""Losses and scores of the toy network on a finite space."""

import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws import tables
from semres_jax.spaces.base import MetricSpace
from semres_jax.training.toy import drawing, expected
from semres_jax.training.toy.settings import Design

# Words of 32 bits are scaled to fewer stimuli than this.
_MOST_STIMULI = 2**16
# Several slots are scored on this many trials, in chunks; streams of different n are so far apart.
_SCORE_TRIALS, _SCORE_CHUNK, _STREAM = 2**16, 2**13, 2**20


class Task(NamedTuple):
    """What is learned: the table that labels are made of, ranks for the scores, (N, N - 1) chances to be nearest."""

    labels: Any
    ranks: tables.Ranking
    near: Any


def make_task(space: MetricSpace, design: Design) -> Task:
    """What trials of a finite space are labelled by, and how its stimuli rank by distance.

    Raises:
        ValueError: more items than stimuli, or too many stimuli.
    """
    ranks = tables.ranking(space)
    most = max(design.items, *design.test_items)
    space.require_distinct(most)
    size = len(ranks.order)
    if size >= _MOST_STIMULI:
        raise ValueError(f"at most {_MOST_STIMULI - 1} stimuli can be trained on; {space.label} has {size}")
    distances = np.asarray(space.distances, np.float64)
    twins = np.argwhere((distances == 0) & np.triu(np.ones_like(distances, bool), 1))
    if twins.size:
        first, second = twins[0]
        more = f", and {len(twins) - 1} more pairs" if len(twins) > 1 else ""
        message = f"stimuli {first} and {second} are at distance 0{more}: no similarity of distance tells them apart"
        warnings.warn(message, stacklevel=3)
    near = expected.near_probability(ranks, design.items)
    labels = drawing.label_table(distances, design.slots, design.label)
    return Task(jnp.asarray(labels), jax.tree.map(jnp.asarray, ranks), jnp.asarray(near))


def _right(task: Task, trials: drawing.Trials, design: Design) -> Array:
    tables_ = jnp.broadcast_to(task.labels, (design.slots, *task.labels.shape))
    return drawing.right_items(drawing.pick(tables_, trials), design.label)


def nll(strengths: Array, right: Array) -> Array:
    """(B,) losses of (B, n) strengths, for probabilities of being right."""
    return jnp.log(jnp.sum(strengths, axis=-1)) - jnp.sum(right * jnp.log(strengths), axis=-1)


def scores(weights: Array, seed: Array, floor: Array, task: Task, design: Design) -> tuple[Array, ...]:
    """(K,) p_S, p_I and their standard errors, similarity loss, reconstruction loss of (S, N, m) weights, float64."""
    g = similarity_tables(weights)
    rec = jnp.mean((g - jnp.eye(g.shape[-1], dtype=g.dtype)[None]) ** 2)
    floor = floor.astype(g.dtype)
    if design.slots == 1:
        p_s, p_i = (jnp.mean(p, axis=-1) for p in tables.by_probe(g[0] + floor, task.ranks, design.test_items))
        sim = expected.mean_nll(g[0] + floor, task.ranks, task.near, design.items)
        return p_s, p_i, jnp.zeros_like(p_s), jnp.zeros_like(p_i), sim, rec
    return *_sampled(g + floor, seed, task, design), rec


def similarity_tables(weights: Any) -> Any:
    """(..., N, N) similarities ReLU(w_x · w_y), float64 where it is enabled, of (..., N, m) weights.

    Example:
        >>> import numpy as np
        >>> from semres_jax.training import toy
        >>> toy.similarity_tables(np.array([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]]))[0].tolist()
        [1.0, 1.0, 0.0]
    """
    wide = jnp.asarray(weights).astype(jnp.result_type(float))
    return jax.nn.relu(wide @ jnp.swapaxes(wide, -1, -2))


def _sampled(g: Array, seed: Array, task: Task, design: Design) -> tuple[Array, ...]:
    """(K,) p_S, p_I, standard errors, and the similarity loss, on trials of the run, the same at every step."""
    at_items = design.test_items + (() if design.items in design.test_items else (design.items,))
    means = []
    for number, n in enumerate(at_items):

        def chunk(which: Array, n: int = n, number: int = number) -> Array:
            # Streams of training are numbered by steps from 0; these are the bitwise complement of theirs.
            stream = which.astype(jnp.uint32) + jnp.uint32(number * _STREAM)
            size, batch = g.shape[-1], _SCORE_CHUNK
            trials = drawing.draw(~seed, stream, stimuli=size, slots=design.slots, batch=batch, items=n)
            h = drawing.decide(drawing.pick(g, trials), design.decision)
            own = drawing.decide(drawing.pick(g, trials, trials.probe), design.decision)
            chances = _right(task, trials, design).astype(h.dtype)
            p_s = jnp.sum(chances * h, axis=-1) / jnp.sum(h, axis=-1)
            p_i = own / (own + jnp.sum(h[:, 1:], axis=-1))
            return jnp.stack([jnp.sum(x) for x in (p_s, p_i, p_s**2, p_i**2, nll(h, chances))])

        means.append(jnp.sum(jax.lax.map(chunk, jnp.arange(_SCORE_TRIALS // _SCORE_CHUNK)), axis=0) / _SCORE_TRIALS)
    mean = jnp.stack(means)
    stderr = jnp.sqrt(jnp.maximum(mean[:, 2:4] - mean[:, :2] ** 2, 0.0) / _SCORE_TRIALS)
    k = len(design.test_items)
    at = at_items.index(design.items)
    return mean[:k, 0], mean[:k, 1], stderr[:k, 0], stderr[:k, 1], mean[at, 4]
