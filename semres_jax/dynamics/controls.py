"""What a trained network is compared with: the same architecture without training, or with its numbers shuffled."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from semres_jax._random import generator
from semres_jax.dynamics.matrices import random_rotation
from semres_jax.networks import llama


def untrained(weights: llama.Weights, *, key: Any = None) -> llama.Weights:
    """The same architecture with all matrices drawn anew from N(0, 1/D), D the width, and norms of 1.

    Example:
        >>> import jax
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> other = dynamics.untrained(weights, key=1)
        >>> other.layers.query.shape == weights.layers.query.shape, bool((other.norm == 1).all())
        (True, True)
    """
    rng, width = generator(key), weights.embedding.shape[1]

    def anew(leaf: Any) -> Any:
        values = rng.standard_normal(leaf.shape, np.float32) / np.float32(width**0.5)
        return jnp.asarray(values, leaf.dtype)

    return _replaced(weights, anew, jnp.ones_like)


def shuffled(weights: llama.Weights, *, key: Any = None) -> llama.Weights:
    """The entries of each layer's matrices permuted, those of each matrix among themselves.

    Embedding, head and norms stay, so that the states at the first boundary are those of the trained network.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> other = dynamics.shuffled(weights, key=1)
        >>> bool(np.isclose(other.layers.query[1].sum(), weights.layers.query[1].sum(), atol=1e-4))
        True
    """
    rng = generator(key)

    def permuted(leaf: Any) -> Any:
        values = np.array(leaf)
        for matrix in values if values.ndim == 3 else [values]:
            rng.shuffle(flat := matrix.reshape(-1))
            matrix[...] = flat.reshape(matrix.shape)
        return jnp.asarray(values)

    return _replaced(weights, permuted, lambda leaf: leaf, layers_only=True)


def rotated(states: Any, *, key: Any = None) -> np.ndarray:
    """States in a random orthonormal basis: distances stay, units mix.

    Args:
        states: (..., D).

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> x = np.arange(12.0).reshape(3, 4)
        >>> bool(np.allclose((dynamics.rotated(x) ** 2).sum(1), (x**2).sum(1)))
        True
    """
    table = np.asarray(states)
    return table @ random_rotation(table.shape[-1], generator(key)).T.astype(table.dtype)


def _replaced(weights: llama.Weights, of_matrix: Any, of_norm: Any, layers_only: bool = False) -> llama.Weights:
    """With other matrices and norms, as far as there are any; which layers are local is neither."""
    layers = {
        name: (of_norm if name.endswith("norm") else of_matrix)(leaf)
        for name, leaf in weights.layers._asdict().items()
        if leaf is not None and name != "local"
    }
    if layers_only:
        return dataclasses.replace(weights, layers=weights.layers._replace(**layers), norm=of_norm(weights.norm))
    head = None if weights.head is None else of_matrix(weights.head)
    return dataclasses.replace(
        weights, embedding=of_matrix(weights.embedding), layers=weights.layers._replace(**layers),
        norm=of_norm(weights.norm), head=head,
    )  # fmt: skip
