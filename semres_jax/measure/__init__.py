"""Where a given model stands: what resolution its similarities have, and its accuracies."""

from semres_jax.measure.choice_fits import ChoiceFit as ChoiceFit, Parameter as Parameter, choices as choices
from semres_jax.measure._embedded import Embedded as Embedded
from semres_jax.measure._embeddings import embeddings as embeddings, fronts as fronts
from semres_jax.measure.exemplars import (
    Levels as Levels,
    at_equal_shares as at_equal_shares,
    graded as graded,
    levels as levels,
)
from semres_jax.measure.resolution import (
    FAMILIES as FAMILIES,
    Fit as Fit,
    Profile as Profile,
    fit as fit,
    profile as profile,
    reach as reach,
)
