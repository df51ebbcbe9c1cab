"""Where a given model stands: what resolution its similarities have, and its accuracies."""

from semres_jax._lazy import submodules
from semres_jax.measure.choices import (
    Bins as Bins,
    ChoiceFit as ChoiceFit,
    GoodnessOfFit as GoodnessOfFit,
    ItemsFit as ItemsFit,
    Parameter as Parameter,
    RatioTest as RatioTest,
    check_choices as check_choices,
    choice_coverage as choice_coverage,
    choice_profile as choice_profile,
    choices as choices,
    choices_table as choices_table,
    goodness_of_fit as goodness_of_fit,
    items_law as items_law,
    ratio_test as ratio_test,
    simulated_choices as simulated_choices,
)
from semres_jax.measure.embeddings import (
    Embedded as Embedded,
    Levels as Levels,
    at_equal_shares as at_equal_shares,
    embeddings as embeddings,
    fronts as fronts,
    graded as graded,
    levels as levels,
)
from semres_jax.measure.language import Language as Language, years as years
from semres_jax.measure.resolution import (
    FAMILIES as FAMILIES,
    FITTED as FITTED,
    Fit as Fit,
    Profile as Profile,
    fit as fit,
    profile as profile,
    reach as reach,
)

__getattr__, __dir__ = submodules(
    __name__,
    backends="semres_jax.measure.language.backends",
    _endpoint="semres_jax.measure.language.backends.endpoint",
)
