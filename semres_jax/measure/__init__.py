"""Where a given model stands: what resolution its similarities have, and its accuracies."""

from semres_jax._lazy import submodules
from semres_jax.measure.choices import (
    Bins as Bins,
    ChoiceFit as ChoiceFit,
    GoodnessOfFit as GoodnessOfFit,
    ItemsFit as ItemsFit,
    RatioTest as RatioTest,
    check_choices as check_choices,
    choice_coverage as choice_coverage,
    choice_profile as choice_profile,
    choices_table as choices_table,
    fit_choices as fit_choices,
    fit_items_law as fit_items_law,
    goodness_of_fit as goodness_of_fit,
    ratio_test as ratio_test,
    simulated_choices as simulated_choices,
    summarize_choices as summarize_choices,
)
from semres_jax.measure.embeddings import (
    Embedded as Embedded,
    Levels as Levels,
    Scored as Scored,
    at_equal_shares as at_equal_shares,
    embeddings as embeddings,
    fronts as fronts,
    graded as graded,
    levels as levels,
)
from semres_jax.measure.language import Language as Language, years as years
from semres_jax.measure.resolution import (
    FITTED as FITTED,
    Fit as Fit,
    Profile as Profile,
    fit_profile as fit_profile,
    profile as profile,
    reach as reach,
)

__getattr__, __dir__ = submodules(__name__)

choices = fit_choices  # scripts call it so
