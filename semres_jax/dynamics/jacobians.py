"""Jacobians of layers: how a small change of a state goes on to the next boundary.

    J_l = ∂ x_{l+1} / ∂ x_l        at the last position of a text; U = J - I is the update's own

with the states of earlier positions held, as they are in the text ("full"), or without any ("alone": the token sees
itself only). Rows are outputs, columns inputs.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import _watching
from semres_jax._checks import concrete, require_count
from semres_jax._types import Array
from semres_jax.dynamics.states import boundaries, checked, places, within
from semres_jax.networks import llama
from semres_jax.networks.llama.model import attended, attention, gated

PARTS, CONTEXTS = ("layer", "attention", "mlp"), ("full", "alone")


class Jacobian(NamedTuple):
    """Of one layer.

    Attributes:
        layer: from 0.
        matrices: (B, D, D) float32, one for each text.
    """

    layer: int
    matrices: np.ndarray


def jacobians(
    weights: llama.Weights,
    tokens: Any,
    *,
    part: str = "layer",
    context: str = "full",
    layers: Sequence[int] | None = None,
    chunk: int = 128,
) -> Iterator[Jacobian]:
    """Jacobians of layers at the last position of texts, layer by layer: only those of one are there at a time.

    Args:
        weights: of a network with width D and L layers.
        tokens: (B, T) texts of equal length.
        part: "layer", or of its two halves "attention" (from before it to before the gated network) or "mlp" (from
            there to the next layer); J of a layer is J_mlp J_attention.
        context: "full", or "alone": the same states, and attention that sees them only.
        layers: which ones, in this order; None: all.
        chunk: columns that are computed at once; memory grows with it, the numbers don't depend on it.

    Raises:
        ValueError: unknown part or context, a layer that there isn't, tokens as for `boundaries`.

    Example:
        >>> import jax
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> [(row.layer, row.matrices.shape) for row in dynamics.jacobians(weights, [[7, 8, 9]])]
        [(0, (1, 16, 16)), (1, (1, 16, 16)), (2, (1, 16, 16))]
    """
    depth = len(weights.layers.query)
    _require_known(part, context)
    chosen = range(depth) if layers is None else [within("layer", layer, depth - 1) for layer in layers]
    require_count("chunk", chunk, 1)
    states, columns = _seen(weights, tokens, context), np.eye(weights.embedding.shape[1], dtype=np.float32)
    return _streamed(weights, states, part, chosen, min(chunk, len(columns)), columns)


def pushed(
    weights: llama.Weights,
    tokens: Any,
    layer: int,
    directions: Any,
    *,
    part: str = "layer",
    context: str = "full",
) -> np.ndarray:
    """Where a layer's Jacobians take directions, without the Jacobians.

    Args:
        weights: of a network with width D.
        tokens: (B, T) texts of equal length.
        layer: from 0.
        directions: (K, D).
        part, context: as for `jacobians`.

    Returns:
        (B, K, D) float32, J v.

    Raises:
        ValueError: as `jacobians`; directions of another shape.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> v = np.ones((1, 16))
        >>> (row,) = dynamics.jacobians(weights, [[7, 8, 9]], layers=[1])
        >>> bool(np.allclose(dynamics.pushed(weights, [[7, 8, 9]], 1, v)[:, 0], row.matrices @ v[0], atol=1e-5))
        True
    """
    _require_known(part, context)
    within("layer", layer, len(weights.layers.query) - 1)
    columns = np.asarray(concrete(directions, "directions"), np.float32)
    width = weights.embedding.shape[1]
    if columns.ndim != 2 or columns.shape[1] != width:
        raise ValueError(f"directions must have shape (directions, {width}); got shape {columns.shape}")
    (made,) = _streamed(weights, _seen(weights, tokens, context), part, [layer], len(columns), columns)
    return np.swapaxes(made.matrices, 1, 2)


def _require_known(part: str, context: str) -> None:
    for name, value, known in (("part", part, PARTS), ("context", context, CONTEXTS)):
        if value not in known:
            raise ValueError(f"{name} must be {', '.join(known)}; got {value!r}")


def _seen(weights: llama.Weights, tokens: Any, context: str) -> np.ndarray:
    """(2L + 1, B, T, D) states, of which the last position sees T."""
    whole = context == "full"
    states = boundaries(weights, checked(weights, tokens), every_position=whole)
    return states if whole else states[:, :, None]


def _streamed(
    weights: llama.Weights, states: np.ndarray, part: str, layers: Sequence[int], chunk: int, columns: np.ndarray
) -> Iterator[Jacobian]:
    count = states.shape[1]
    for place, layer in enumerate(layers):
        here = states[2 * layer + (part == "mlp")]
        matrices = []
        for text in range(count):
            made = _matrix(weights, layer, jnp.asarray(here[text]), jnp.asarray(columns), part, chunk)
            matrices.append(np.asarray(made))
            _watching.report(place * count + text + 1, len(layers) * count)
        yield Jacobian(layer, np.stack(matrices))


@functools.partial(jax.jit, static_argnames=("part", "chunk"))
def _matrix(weights: llama.Weights, layer: Any, states: Array, columns: Array, part: str, chunk: int) -> Array:
    """(D, K) of K directions, from the (T, D) states before a layer, or before its gated network."""
    weights_here = jax.tree.map(lambda leaf: leaf[layer], weights.layers)
    angles, seen = attended(weights, places(len(states), 1))
    earlier, last = states[:-1], states[-1]

    def follow(x: Array) -> Array:
        if part != "mlp":
            context = jnp.concatenate([earlier, x[None]])[None]
            x = x + attention(weights, weights_here, x[None, None], context, angles, seen[:, -1:])[0, 0]
        return x if part == "attention" else x + gated(weights, weights_here, x[None, None])[0, 0]

    with jax.default_matmul_precision("highest"):
        _, push = jax.linearize(follow, last)
        return jax.lax.map(push, columns, batch_size=chunk).T
