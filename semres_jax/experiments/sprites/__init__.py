"""Sprites: a network with a head for each feature against the same network with one embedding, laid over the fronts."""

from semres_jax.experiments.sprites.run import study as study
from semres_jax.experiments.sprites.scores import scored as scored
from semres_jax.experiments.sprites.table import summary as summary
