"""What is known exactly: closed forms, and engines that average them. SymPy is loaded by `laws.symbolic` only."""

from semres_jax._lazy import submodules
from semres_jax.laws.closed_form import (
    LAMBDA_SLOPE as LAMBDA_SLOPE,
    LAMBDA_STAR as LAMBDA_STAR,
    LAMBDA_STAR_ACCURACY as LAMBDA_STAR_ACCURACY,
    box_moments as box_moments,
    constant as constant,
    constant_average as constant_average,
    constant_moments as constant_moments,
    finite_constant as finite_constant,
    identification as identification,
    large_n_limit as large_n_limit,
    linear as linear,
    optimal_ball_measure as optimal_ball_measure,
    segment_moments as segment_moments,
    two_exemplars as two_exemplars,
)
from semres_jax.laws.engines import accuracy as accuracy, engine_for as engine_for
from semres_jax.laws.slots import Compositional as Compositional, compositional as compositional

__getattr__, __dir__ = submodules(__name__)
