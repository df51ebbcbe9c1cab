"""The toy network: a linear map to a few dimensions, its transpose back, a ReLU; what it sees is its similarity."""

import jax
import jax.numpy as jnp
from flax import nnx

from semres_jax._checks import require, require_count
from semres_jax._types import Array, ArrayLike


class ToyAutoencoder(nnx.Module):
    """ReLU autoencoder with tied weights and no bias, one linear map to m dimensions for each slot.

    A stimulus of slot s is one-hot, x in {e_1 ... e_N}; it is reconstructed as ReLU(W_s W_sᵀ x), and the same product
    is the similarity of two stimuli, g_s(x, y) = ReLU(w_x · w_y), with w_x the row of W_s that belongs to x. Source:
    the toy experiments of Nurisso et al., arXiv 2506.14797 (slots: their compositional variant).

    Args:
        stimuli: N, at least 2.
        hidden: m, at least 1.
        slots: S, at least 1.
        scale: weights start uniform in [0, scale).
        rngs: the stream `params` makes the weights.

    Attributes:
        maps: (S, N, m) weights.

    Raises:
        ValueError: stimuli, hidden or slots too few, scale not positive.

    Example:
        >>> from flax import nnx
        >>> from semres_jax.networks import ToyAutoencoder
        >>> net = ToyAutoencoder(5, 2, rngs=nnx.Rngs(0))
        >>> net.similarity().shape, net(jax.nn.one_hot(jnp.array([[3]]), 5)).shape
        ((1, 5, 5), (1, 1, 5))
    """

    def __init__(self, stimuli: int, hidden: int, *, slots: int = 1, scale: float = 2.0, rngs: nnx.Rngs):
        require_count("stimuli", stimuli, 2)
        require_count("hidden", hidden, 1)
        require_count("slots", slots, 1)
        require("scale", scale, 1e-30, 1e30, "a positive number")
        self.maps = nnx.Param(jax.random.uniform(rngs.params(), (slots, stimuli, hidden), jnp.float32) * scale)

    def similarity(self) -> Array:
        """(S, N, N) similarities ReLU(w_x · w_y) of all stimuli of each slot."""
        maps = self.maps[...]
        return jax.nn.relu(maps @ jnp.swapaxes(maps, -1, -2))

    def encode(self, x: ArrayLike) -> Array:
        """(..., S, m) embeddings of (..., S, N) stimuli, one for each slot."""
        return jnp.einsum("...sn,snm->...sm", jnp.asarray(x), self.maps[...])

    def __call__(self, x: ArrayLike) -> Array:
        """(..., S, N) reconstructions of (..., S, N) stimuli."""
        return jax.nn.relu(jnp.einsum("...sm,snm->...sn", self.encode(x), self.maps[...]))
