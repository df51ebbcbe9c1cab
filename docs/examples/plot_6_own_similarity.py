"""
A similarity of one's own
=========================

A similarity is a frozen dataclass that is called on distances. Everything takes it as it takes the built-in ones: exact
integrals, Monte Carlo, sweeps, fits.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import semres_jax as sr


@dataclasses.dataclass(frozen=True)
class Cosine(sr.Similarity):
    """Half a cosine wave that ends at its resolution, with a floor."""

    epsilon: Any
    delta: Any = 0.0

    def __call__(self, d):
        wave = jnp.cos(jnp.pi / 2 * jnp.minimum(d / self.epsilon, 1.0))
        return self.delta + (1 - self.delta) * wave

    def kinks(self):
        """Distances at which it is not smooth: integrals split there, and stay exact."""
        return (self.epsilon,)


circle, epsilon = sr.spaces.Circle(), np.geomspace(0.01, 0.5, 25)
exact = sr.accuracy(circle, Cosine(epsilon, 0.02))
some = epsilon[::6]
drawn = sr.estimate(circle, Cosine(some, 0.02), key=jax.random.key(0), trials=2**18)
fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
ax.semilogx(epsilon, exact.p_s, color="black", label="$p_S$, exact")
ax.semilogx(epsilon, exact.p_i, "--", color="black", label="$p_I$, exact")
for p, error, mark in ((drawn.p_s, drawn.p_s_stderr, "o"), (drawn.p_i, drawn.p_i_stderr, "s")):
    ax.errorbar(some, p, 3 * error, fmt=mark, color="#D55E00")
ax.set(xlabel="resolution ε (circumferences)", ylabel="accuracy (probability)")
ax.legend(title="marks: simulation")
plt.show()
