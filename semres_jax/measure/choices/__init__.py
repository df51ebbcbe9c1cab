"""What choices and answers say: the resolution behind them by maximum likelihood, and the n-item law."""

from semres_jax.measure.choices.fits import ChoiceFit as ChoiceFit, fit_choices as fit_choices
from semres_jax.measure.choices.goodness import (
    Bins as Bins,
    GoodnessOfFit as GoodnessOfFit,
    RatioTest as RatioTest,
    choice_coverage as choice_coverage,
    choice_profile as choice_profile,
    goodness_of_fit as goodness_of_fit,
    ratio_test as ratio_test,
    simulated_choices as simulated_choices,
)
from semres_jax.measure.choices.items import ItemsFit as ItemsFit, fit_items_law as fit_items_law
from semres_jax.measure.choices.table import (
    check_choices as check_choices,
    choices_table as choices_table,
    summarize_choices as summarize_choices,
)
