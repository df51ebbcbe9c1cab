"""Transformers of the architectures Llama and Gemma 3: their forward pass, as pure functions of a pytree of weights.

A layer adds to its input x, of width D, attention and then a gated network (Touvron et al. 2023, arXiv:2302.13971):

    x <- x + O · attention(rope(Q n(x)), rope(K n(x)), V n(x))
    x <- x + W_down (silu(W_gate n'(x)) * W_up n'(x)),    n(x) = x / sqrt(mean(x²) + ε) * w      (RMSNorm)

with H query heads that share K <= H heads of keys and values (grouped queries), and rotary positions: the pair
(x_i, x_{i + h/2}) of a head of size h turns by position · frequency_i. Logits are n''(x) times the head, which may be
the embedding itself. Layers are stacked and scanned, so that one compilation serves any number of them; everything
is float32, and matrix products are not rounded to fewer bits.

Gemma 3 (Kamath et al. 2025, arXiv:2503.19786) is the same with more parts, each of which weights may have or not: what
a half of a layer adds goes through an RMSNorm of its own, and so do the queries and keys of each head before they turn;
some layers are local, with a window of positions and frequencies of their own; silu is gelu; embeddings are multiplied
by √D and products of queries and keys by another number than 1/√h.

Several continuations of one prompt are evaluated in one sequence: each is a branch, which sees the prompt and itself.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from semres_jax import _random
from semres_jax._pytrees import pytree, static
from semres_jax._types import Array, ArrayLike

# The branch of a prompt's tokens, which every other branch sees.
PROMPT = 0
# Of gated networks, by name.
ACTIVATIONS = {"silu": jax.nn.silu, "gelu": functools.partial(jax.nn.gelu, approximate=True)}


class Layers(NamedTuple):
    """Weights of all L layers; matrices are (L, inputs, outputs).

    The first nine are of every network. Norms of queries and keys are (L, h), those of what attention and the gated
    network add (L, D); `local` is (L,), whether a layer attends as `Weights.local` says.
    """

    attention_norm: Array
    query: Array
    key: Array
    value: Array
    output: Array
    mlp_norm: Array
    gate: Array
    up: Array
    down: Array
    query_norm: Array | None = None
    key_norm: Array | None = None
    attention_post_norm: Array | None = None
    mlp_post_norm: Array | None = None
    local: Array | None = None


class Local(NamedTuple):
    """How local layers attend.

    Attributes:
        frequencies: (h / 2,), theirs.
        window: (), so many positions up to its own a token sees.
    """

    frequencies: Array
    window: Array


@pytree
class Weights:
    """Weights of a network, and the numbers that say how they are used.

    Attributes:
        embedding: (V, D) of the tokens; logits are made with it too where `head` is None.
        layers: of the L layers.
        norm: (D,) before the head.
        head: (V, D), or None.
        frequencies: (h / 2,) radians per position of the pairs of a head; `rope_frequencies`.
        heads, kv_heads: of queries, and of keys and values, which `heads` is a multiple of.
        epsilon: of the RMSNorms.
        local: how those of the layers attend that are local, or None.
        activation: of the gated network, "silu" or "gelu" (its approximation by tanh).
        embedding_scale: by which embeddings are multiplied, but not where logits are made with them.
        attention_scale: by which products of queries and keys are multiplied; None: 1/√h.

    Example:
        >>> import jax
        >>> from semres_jax.networks import llama
        >>> key = jax.random.key(0)
        >>> weights = llama.random_weights(key, vocabulary=50, width=16, layers=2, heads=4, kv_heads=2)
        >>> llama.logits(weights, [[1, 2, 3]]).shape
        (1, 3, 50)
    """

    embedding: Array
    layers: Layers
    norm: Array
    head: Array | None
    frequencies: Array
    heads: int = static()
    kv_heads: int = static()
    epsilon: float = static(default=1e-5)
    local: Local | None = None
    activation: str = static(default="silu")
    embedding_scale: float = static(default=1.0)
    attention_scale: float | None = static(default=None)


class Batch(NamedTuple):
    """B sequences of T tokens.

    Attributes:
        tokens: (B, T).
        places: (B, T) positions, from 0; those of a branch go on from the end of the prompt.
        branches: (B, T): `PROMPT`, or the branch of a token; -1 for what fills the sequence up, after all others.
    """

    tokens: ArrayLike
    places: ArrayLike
    branches: ArrayLike


def rope_frequencies(size: int, base: float = 10000.0, factors: ArrayLike = 1.0) -> np.ndarray:
    """base^(-2i / size) / factor_i, i < size / 2: radians per position (Su et al. 2021, arXiv:2104.09864).

    Args:
        size: of a head, even.
        base: called theta elsewhere.
        factors: by which frequencies are divided for longer contexts; one number, or (size / 2,).

    Example:
        >>> from semres_jax.networks import llama
        >>> llama.rope_frequencies(4, 100.0)
        array([1. , 0.1], dtype=float32)
    """
    plain = float(base) ** (-np.arange(0, size, 2) / size)
    return (plain / np.asarray(factors, np.float64)).astype(np.float32)


def random_weights(
    key: Any, *, vocabulary: int, width: int, layers: int, heads: int, kv_heads: int, hidden: int | None = None
) -> Weights:
    """Random weights with a tied head from a JAX key, for examples; `hidden` is the gated network's width."""
    rng = _random.generator(key)
    size, hidden = width // heads, hidden or 2 * width
    shapes = {
        "query": (width, heads * size),
        "key": (width, kv_heads * size),
        "value": (width, kv_heads * size),
        "output": (heads * size, width),
        "gate": (width, hidden),
        "up": (width, hidden),
        "down": (hidden, width),
    }
    matrices = {
        name: jnp.asarray(rng.standard_normal((layers, *of), np.float32) / np.float32(of[0] ** 0.5))
        for name, of in shapes.items()
    }
    embedding = jnp.asarray(rng.standard_normal((vocabulary, width), np.float32))
    ones = jnp.asarray(np.ones((layers, width), np.float32))
    stacked = Layers(attention_norm=ones, mlp_norm=ones, **matrices)
    last, frequencies = jnp.asarray(np.ones(width, np.float32)), jnp.asarray(rope_frequencies(size))
    return Weights(embedding, stacked, last, None, frequencies, heads, kv_heads)


def _norm(x: Array, weight: Array | None, epsilon: float) -> Array:
    """RMSNorm; x itself where there is no such norm."""
    if weight is None:
        return x
    scale = lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + epsilon)
    return x * scale * jnp.expand_dims(weight, range(x.ndim - 1))


def _turned(x: Array, angles: Array) -> Array:
    """Heads (B, T, ..., h) turned by angles (B, T, h / 2)."""
    angles = jnp.expand_dims(angles, range(2, x.ndim - 1))
    cosines, sines = jnp.cos(angles), jnp.sin(angles)
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cosines - second * sines, second * cosines + first * sines], axis=-1)


def attention(weights: Weights, layer: Layers, x: Array, context: Array, angles: Array, seen: Array) -> Array:
    """What attention adds to states.

    Args:
        weights: of the network.
        layer: weights of one layer.
        x: (B, Q, D) states that it is added to, those of the last Q positions.
        context: (B, T, D) states that are attended to, `x` among them.
        angles: (B, T, h / 2) by which the heads of all positions turn; of networks with local layers (B, T, h / 2, 2),
            theirs last.
        seen: (B, Q, T) which of them a position attends to; likewise (B, Q, T, 2).
    """
    if layer.local is not None:
        angles, seen = (jnp.where(layer.local, both[..., 1], both[..., 0]) for both in (angles, seen))
    size, count = 2 * weights.frequencies.shape[0], x.shape[1]
    scale = size**-0.5 if weights.attention_scale is None else weights.attention_scale
    group = weights.heads // weights.kv_heads
    y = _norm(context, layer.attention_norm, weights.epsilon)
    last = y[:, y.shape[1] - count :]
    shape = (x.shape[0], count, weights.kv_heads, group, size)
    query = _norm((last @ layer.query).reshape(shape), layer.query_norm, weights.epsilon)
    key, value = ((y @ matrix).reshape(*y.shape[:2], weights.kv_heads, size) for matrix in (layer.key, layer.value))
    key = _turned(_norm(key, layer.key_norm, weights.epsilon), angles)
    strength = jnp.einsum("bqkgh,bskh->bkgqs", _turned(query, angles[:, angles.shape[1] - count :]), key) * scale
    shares = jax.nn.softmax(jnp.where(seen[:, None, None], strength, -jnp.inf), axis=-1)
    mixed = jnp.einsum("bkgqs,bskh->bqkgh", shares, value)
    update = mixed.reshape(x.shape[0], count, weights.heads * size) @ layer.output
    return _norm(update, layer.attention_post_norm, weights.epsilon)


def gated(weights: Weights, layer: Layers, x: Array) -> Array:
    """What the gated network of a layer adds to (B, T, D) states."""
    y = _norm(x, layer.mlp_norm, weights.epsilon)
    update = (ACTIVATIONS[weights.activation](y @ layer.gate) * (y @ layer.up)) @ layer.down
    return _norm(update, layer.mlp_post_norm, weights.epsilon)


def attended(weights: Weights, batch: Batch) -> tuple[Array, Array]:
    """(B, T, h / 2) angles of positions, and (B, T, T) which positions see which; both as `attention` takes them."""
    places, branches = jnp.asarray(batch.places), jnp.asarray(batch.branches)
    index = jnp.arange(places.shape[1])
    shared = (branches == PROMPT)[:, None] | (branches[:, None] == branches[..., None])
    seen = shared & (index[None] <= index[:, None])[None]
    angles = places[..., None] * jnp.expand_dims(weights.frequencies, (0, 1))
    if weights.local is None:
        return angles, seen
    near = places[..., None] - places[:, None] < weights.local.window
    turned = places[..., None] * jnp.expand_dims(weights.local.frequencies, (0, 1))
    return jnp.stack([angles, turned], axis=-1), jnp.stack([seen, seen & near], axis=-1)


def embedded(weights: Weights, tokens: ArrayLike) -> Array:
    """(..., D) states before the first layer, of tokens of any shape."""
    return weights.embedding[jnp.asarray(tokens)] * weights.embedding_scale


def _run(weights: Weights, batch: Batch, kept: Array | None) -> tuple[Array, Array | None]:
    """(B, T, D) after all layers, and (1 + L, B, P, D) before each and after the last at `kept` (B, P), if asked."""
    angles, seen = attended(weights, batch)

    def step(x: Array, layer: Layers) -> tuple[Array, Array | None]:
        middle = x + attention(weights, layer, x, x, angles, seen)
        return middle + gated(weights, layer, middle), None if kept is None else _at(x, kept)

    last, before = lax.scan(step, embedded(weights, batch.tokens), weights.layers)
    if before is None or kept is None:
        return last, None
    return last, jnp.concatenate([before, _at(last, kept)[None]])


def _at(x: Array, positions: Array) -> Array:
    """(B, P, D) of (B, T, D) at (B, P)."""
    return jnp.take_along_axis(x, positions[..., None], axis=1)


def _scores(weights: Weights, x: Array) -> Array:
    head = weights.embedding if weights.head is None else weights.head
    return _norm(x, weights.norm, weights.epsilon) @ head.T


def _plain(tokens: ArrayLike) -> Batch:
    """Sequences without branches. What fills them up on the right is seen by nothing before it."""
    tokens = jnp.asarray(tokens)
    places = jnp.broadcast_to(jnp.arange(tokens.shape[1])[None], tokens.shape)
    return Batch(tokens, places, jnp.full(tokens.shape, PROMPT))


def _exact(function):
    """Jitted, with matrix products in all of float32's bits on every device."""

    @functools.wraps(function)
    def wrapped(*arguments):
        with jax.default_matmul_precision("highest"):
            return function(*arguments)

    return jax.jit(wrapped)


@_exact
def logits(weights: Weights, tokens: ArrayLike) -> Array:
    """(B, T, V) logits of the token after each of (B, T) tokens; sequences may be filled up on the right."""
    return _scores(weights, _run(weights, _plain(tokens), None)[0])


@_exact
def log_probs(weights: Weights, batch: Batch, positions: ArrayLike, sources: ArrayLike, targets: ArrayLike) -> Array:
    """Log-probabilities of tokens, each given what its position sees; the head is evaluated at `positions` alone.

    Args:
        weights: V tokens.
        batch: B sequences.
        positions: (B, U) positions after which a token is looked for.
        sources: (B, P) which of the U positions a target comes after.
        targets: (B, P) tokens.

    Returns:
        (B, P) log softmax(logits)_target.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from semres_jax.networks import llama
        >>> key = jax.random.key(0)
        >>> weights = llama.random_weights(key, vocabulary=50, width=16, layers=2, heads=4, kv_heads=2)
        >>> batch = llama.Batch([[7, 8, 9]], [[0, 1, 2]], [[0, 0, 0]])
        >>> all_tokens = np.arange(50)[None]
        >>> values = llama.log_probs(weights, batch, [[2]], 0 * all_tokens, all_tokens)
        >>> float(np.exp(values).sum().round(5))
        1.0
    """
    scores = _scores(weights, _at(_run(weights, batch, None)[0], jnp.asarray(positions)))
    row = jnp.arange(scores.shape[0])[:, None]
    sources = jnp.asarray(sources)
    return scores[row, sources, jnp.asarray(targets)] - jax.nn.logsumexp(scores, axis=-1)[row, sources]


@_exact
def hidden(weights: Weights, tokens: ArrayLike, positions: ArrayLike) -> Array:
    """(1 + L, B, P, D) states at (B, P) positions of (B, T) tokens: the embedding, and after each layer.

    They are those that layers add to, before the last RMSNorm.
    """
    states = _run(weights, _plain(tokens), jnp.asarray(positions))[1]
    assert states is not None
    return states


@_exact
def next_tokens(weights: Weights, tokens: ArrayLike, lengths: ArrayLike) -> Array:
    """(B,) likeliest tokens after the first `lengths` (B,) of (B, T) tokens."""
    last = _at(_run(weights, _plain(tokens), None)[0], (jnp.asarray(lengths) - 1)[:, None])
    return jnp.argmax(_scores(weights, last)[:, 0], axis=-1)
