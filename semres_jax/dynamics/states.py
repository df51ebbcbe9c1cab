"""States of the residual stream at both boundaries of every layer, and what follows from states that are put there.

A network of L layers has boundaries b = 0 .. 2L: an even b is before the attention of layer b / 2, an odd one before
its gated network, and 2L is after the last layer. Sub-layer b makes x_{b+1} = x_b + update(x_b).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from semres_jax import _watching
from semres_jax._checks import require_count
from semres_jax._types import Array
from semres_jax.networks import llama
from semres_jax.networks.llama.model import attended, attention, gated

# Tokens that are evaluated at once.
_TOKENS = 2048


def boundaries(weights: llama.Weights, tokens: Any, *, every_position: bool = False) -> np.ndarray:
    """States at the last position of texts, at every boundary.

    Args:
        weights: of a network with V tokens, width D and L layers.
        tokens: (B, T) whole numbers below V: texts of equal length.
        every_position: the states of all positions, from which a text can go on (`run_from`).

    Returns:
        (2L + 1, B, D) float32; of every position (2L + 1, B, T, D).

    Raises:
        ValueError: tokens of another shape, or outside the vocabulary.

    Example:
        >>> import jax
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> dynamics.boundaries(weights, [[7, 8, 9], [3, 2, 1]]).shape
        (7, 2, 16)
    """
    table = checked(weights, tokens)
    step, depth = max(1, _TOKENS // table.shape[1]), 2 * len(weights.layers.query)
    parts = []
    for first in range(0, len(table), step):
        rows = jnp.asarray(table[first : first + step])
        parts.append(np.asarray(_through(weights, llama.embedded(weights, rows), 0, depth, every_position)))
        _watching.report(min(first + step, len(table)), len(table))
    return np.concatenate(parts, axis=1)


def run_from(weights: llama.Weights, states: Any, boundary: int, *, until: int | None = None) -> np.ndarray:
    """States at the last position of texts that go on from given states at a boundary.

    Args:
        weights: of a network with width D and L layers.
        states: (B, T, D) at that boundary, of all positions.
        boundary: from 0, where states are the tokens' embeddings, to 2L.
        until: the last boundary that is wanted; None: 2L.

    Returns:
        (until + 1 - boundary, B, D): those given, and at every boundary after it.

    Raises:
        ValueError: states of another shape or not finite, a boundary that there isn't.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> whole = dynamics.boundaries(weights, [[7, 8, 9]], every_position=True)
        >>> bool(np.allclose(dynamics.run_from(weights, whole[3], 3), whole[3:, :, -1], atol=1e-5))
        True
    """
    depth, width = 2 * len(weights.layers.query), weights.embedding.shape[1]
    within("boundary", boundary, depth)
    given = jnp.asarray(states, jnp.float32)
    if given.ndim != 3 or given.shape[2] != width or not given.size:
        raise ValueError(f"states must have shape (texts, tokens, {width}); got shape {given.shape}")
    if not bool(jnp.isfinite(given).all()):
        raise ValueError("states must be finite; got NaN or infinity")
    last = depth if until is None else within("until", until, depth)
    if last < boundary:
        raise ValueError(f"until must be from the boundary, {boundary}, to {depth}; got {until}")
    return np.asarray(_through(weights, given, boundary, last, False))[boundary : last + 1]


def checked(weights: llama.Weights, tokens: Any) -> np.ndarray:
    """(B, T) tokens that a network knows, or `ValueError`."""
    table, size = np.asarray(tokens), len(weights.embedding)
    if table.ndim != 2 or table.dtype.kind not in "iu" or not table.size:
        raise ValueError(f"tokens must be whole numbers of shape (texts, tokens); got {table.dtype} of {table.shape}")
    if table.min() < 0 or table.max() >= size:
        raise ValueError(f"tokens must be from 0 to {size - 1}; got {table.min()} to {table.max()}")
    return table


def within(name: str, value: Any, most: int) -> int:
    """A whole number from 0 to `most`, or `ValueError`."""
    if require_count(name, value, 0) > most:
        raise ValueError(f"{name} must be from 0 to {most}; got {value}")
    return int(value)


def places(count: int, texts: int) -> llama.Batch:
    """Texts of so many tokens without branches; the tokens themselves don't matter."""
    shape = (texts, count)
    return llama.Batch(np.zeros(shape, np.int32), np.broadcast_to(np.arange(count), shape), np.zeros(shape, np.int32))


@functools.partial(jax.jit, static_argnames="every_position")
def _through(weights: llama.Weights, x: Array, first: Any, until: Any, every_position: bool) -> Array:
    """(2L + 1, B, D), or (2L + 1, B, T, D), from states (B, T, D) at a boundary to another one; 0 elsewhere."""
    depth = 2 * len(weights.layers.query)
    angles, seen = attended(weights, places(x.shape[1], x.shape[0]))
    shown = (lambda y: y) if every_position else (lambda y: y[:, -1])

    def step(boundary: Any, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        x, kept = carry
        kept = kept.at[boundary].set(shown(x))
        layer = jax.tree.map(lambda leaf: leaf[boundary // 2], weights.layers)
        update = lax.cond(
            boundary % 2 == 0,
            lambda: attention(weights, layer, x, x, angles, seen),
            lambda: gated(weights, layer, x),
        )
        return x + update, kept

    with jax.default_matmul_precision("highest"):
        empty = jnp.zeros((depth + 1, *shown(x).shape), x.dtype)
        last, kept = lax.fori_loop(first, until, step, (x, empty))
    return kept.at[until].set(shown(last))
