"""Trials of the toy network: which stimuli meet, and which item is right."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.montecarlo.uniforms import BLOCK, pcg4d

# Sums of distances over slots are equal when they differ by less than this share of the diameter (float32 sums).
_SAME = 1e-5


class Trials(NamedTuple):
    """A batch: (S, B) probes, (S, B, n) items, all stimuli of a trial different within a slot."""

    probe: Array
    items: Array


def draw(seed: Array, number: Array, *, stimuli: int, slots: int, batch: int, items: int) -> Trials:
    """Batch `number` of a stream: every tuple of distinct stimuli equally likely (to 2^-32 N), without sorting.

    Args:
        seed: (2,) uint32.
        number: uint32 scalar.
        stimuli, slots, batch, items: N up to 65,536, S, B, n.
    """
    probe, others = draw_apart(seed, number, stimuli=stimuli, slots=slots, batch=batch, items=items)
    return Trials(probe, jnp.stack(others, axis=-1))


def draw_apart(
    seed: Array, number: Array, *, stimuli: int, slots: int, batch: int, items: int
) -> tuple[Array, list[Array]]:
    """The same batch as (S, B) probes and n arrays of (S, B) items.

    Of the others of a probe, the first n of a Fisher-Yates shuffle, which remembers only the places it has touched. (A
    set in no random order wouldn't do: slots are put together item by item.)
    """
    per_slot = items + 1
    blocks = -(-slots * per_slot // BLOCK)
    trial = jax.lax.iota(jnp.uint32, batch)
    counters = (number * jnp.uint32(blocks) + jnp.uint32(block) for block in range(blocks))
    words = [word for counter in counters for word in pcg4d(trial, counter, seed[0], seed[1])]
    w = [jnp.stack(words[k : slots * per_slot : per_slot]) for k in range(per_slot)]
    probe = _below(w[0], stimuli)
    moved: list[tuple[Array, Array]] = []  # places that were swapped from, and what is there since
    drawn: list[Array] = []
    for k in range(items):

        def at(place: Array, moved: tuple[tuple[Array, Array], ...] = tuple(moved)) -> Array:
            stimulus = place
            for earlier, there in moved:
                stimulus = jnp.where(place == earlier, there, stimulus)
            return stimulus

        place = k + _below(w[1 + k], stimuli - 1 - k)
        drawn.append(at(place))
        moved.append((place, at(jnp.full_like(place, k))))
    return probe, [other + (other >= probe).astype(jnp.int32) for other in drawn]


def _below(word: Array, bound: int) -> Array:
    """floor(word bound / 2^32) in 32-bit integers, for bound up to 2^16."""
    high, low, size = word >> 16, word & 0xFFFF, jnp.uint32(bound)
    return ((high * size + ((low * size) >> 16)) >> 16).astype(jnp.int32)


def pick(tables: Array, trials: Trials, other: Any = None) -> Array:
    """(S, B, n) entries [probe, item] of (S, N, N) tables, or (S, B) of [probe, other] for (S, B) others."""
    size = tables.shape[-1]
    probe, other = (trials.probe[..., None], trials.items) if other is None else (trials.probe, other)
    # One flat gather, whose gradient is one scatter: faster than one for each slot.
    slot = jnp.arange(tables.shape[0], dtype=jnp.int32).reshape(-1, *[1] * (other.ndim - 1))
    return tables.reshape(-1)[(slot * size + probe) * size + other]


def label_table(distances: np.ndarray, slots: int, label: str) -> np.ndarray:
    """What `right_items` compares, (N, N) float32: ranks among all distances where only order counts, else distances.

    Ranks are exact where float32 distances are not: ties stay ties, and near ties don't become any.
    """
    if slots == 1 or label in ("min", "max"):
        return np.unique(distances, return_inverse=True)[1].reshape(distances.shape).astype(np.float32)
    scaled = distances / distances.max()
    return (scaled**2 if label == "l2" else scaled).astype(np.float32)


def right_items(d: Array, label: str, axis: int = -1) -> Array:
    """(B, n) probability of being the right one, for (S, B, n) entries of `label_table`: equal shares of ties.

    Items lie along `axis`: with -2, (n, B) for (S, n, B).
    """
    if d.shape[0] == 1 or label in ("min", "max"):
        total = d[0] if d.shape[0] == 1 else jnp.max(d, axis=0) if label == "max" else jnp.min(d, axis=0)
        nearest = total == jnp.min(total, axis=axis, keepdims=True)
    else:
        total = jnp.sum(d, axis=0)
        nearest = total <= jnp.min(total, axis=axis, keepdims=True) + _SAME * d.shape[0]
    return nearest / jnp.sum(nearest, axis=axis, keepdims=True, dtype=d.dtype)


def decide(g: Array, decision: str) -> Array:
    """Strengths of whole items from those of their slots, along the first axis."""
    if g.shape[0] == 1:  # no reduction where there is nothing to reduce: a step is made of few small kernels
        return g[0]
    return jnp.max(g, axis=0) if decision == "max" else jnp.sum(g, axis=0)
