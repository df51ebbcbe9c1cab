"""Where a given model stands: what resolution its similarities have, and its accuracies."""

from semres_jax.measure._embedded import Embedded as Embedded
from semres_jax.measure._embeddings import embeddings as embeddings, fronts as fronts
from semres_jax.measure._year_results import Language as Language, years as years
from semres_jax.measure.choice_fits import ChoiceFit as ChoiceFit, Parameter as Parameter, choices as choices
from semres_jax.measure.choice_table import check_choices as check_choices, choices_table as choices_table
from semres_jax.measure.choice_tests import (
    Bins as Bins,
    GoodnessOfFit as GoodnessOfFit,
    RatioTest as RatioTest,
    choice_coverage as choice_coverage,
    choice_profile as choice_profile,
    goodness_of_fit as goodness_of_fit,
    ratio_test as ratio_test,
    simulated_choices as simulated_choices,
)
from semres_jax.measure.exemplars import (
    Levels as Levels,
    at_equal_shares as at_equal_shares,
    graded as graded,
    levels as levels,
)
from semres_jax.measure.items import ItemsFit as ItemsFit, items_law as items_law
from semres_jax.measure.resolution import (
    FAMILIES as FAMILIES,
    FITTED as FITTED,
    Fit as Fit,
    Profile as Profile,
    fit as fit,
    profile as profile,
    reach as reach,
)
