"""Similarities as users write them: a plain dataclass that says little of itself."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from semres_jax import similarity


@dataclasses.dataclass(frozen=True)
class Cosine(similarity.Similarity):
    """A user's own, which says nothing of itself: half a cosine wave that ends at twice its resolution."""

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "cosine"

    def __call__(self, d):
        shape = (1 + jnp.cos(jnp.pi * jnp.minimum(jnp.asarray(d) / (2 * self.epsilon), 1.0))) / 2
        return self.delta + (1 - self.delta) * shape


@dataclasses.dataclass(frozen=True)
class Dome(similarity.Similarity):
    """Another, with a kink at its resolution, and a loop that has no reverse mode."""

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "dome"
    ends: ClassVar[bool] = True

    def __call__(self, d):
        ratio = jnp.asarray(d) / self.epsilon
        square = jax.lax.while_loop(
            lambda state: state[0] < 2, lambda state: (state[0] + 1, state[1] * ratio), (0, ratio**0)
        )
        return self.delta + (1 - self.delta) * jnp.maximum(0.0, 1 - square[1])
