"""Training inside jitted loops, with checkpoints: `toy`."""

from semres_jax.training import toy as toy
