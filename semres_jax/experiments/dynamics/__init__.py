"""The residual stream of language models as a dynamical system: all its measures, their controls, what papers claim."""

from semres_jax.experiments.dynamics.claims import Claim as Claim, claims as claims
from semres_jax.experiments.dynamics.study import (
    Plan as Plan,
    Settings as Settings,
    plan as plan,
    run_settings as run_settings,
    study as study,
)
from semres_jax.experiments.dynamics.subjects import (
    CONTROLS as CONTROLS,
    Subject as Subject,
    open_subject as open_subject,
    tokens_of as tokens_of,
)
