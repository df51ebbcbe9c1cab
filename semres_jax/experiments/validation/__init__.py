"""Every exact law against the simulation, space by space: the check that both are right."""

from semres_jax.experiments.validation.cases import Case as Case, cases as cases, default_spaces as default_spaces
from semres_jax.experiments.validation.plan import Plan as Plan, plan as plan
from semres_jax.experiments.validation.resolutions import QUANTILES as QUANTILES, resolutions as resolutions
from semres_jax.experiments.validation.run import (
    summary as summary,
    validate as validate,
    worst as worst,
    z_scores as z_scores,
)
