"""Where embeddings stand: accuracies of their own similarity, of stimuli or of labelled exemplars."""

from semres_jax.measure.embeddings.exemplars import (
    Levels as Levels,
    at_equal_shares as at_equal_shares,
    graded as graded,
    levels as levels,
)
from semres_jax.measure.embeddings.position import embeddings as embeddings, fronts as fronts
from semres_jax.measure.embeddings.result import Embedded as Embedded
from semres_jax.measure.embeddings.stimulus_sums import Scored as Scored
