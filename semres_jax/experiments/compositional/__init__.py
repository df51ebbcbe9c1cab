"""Codes for tuples of features, learned by toy networks: do they leave the front of one similarity?"""

from semres_jax.experiments.compositional.run import study as study
from semres_jax.experiments.compositional.scores import (
    AGGREGATES as AGGREGATES,
    Ratios as Ratios,
    Whole as Whole,
    identification as identification,
    of_shared as of_shared,
    ratios as ratios,
)
from semres_jax.experiments.compositional.summaries import summary as summary
