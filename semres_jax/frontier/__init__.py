"""Fronts of the tradeoff: grids in one call, non-dominated sets and distances to them, the best similarity there is."""

from semres_jax._lazy import submodules
from semres_jax.frontier.families import Front as Front, family_front as family_front
from semres_jax.frontier.features import shared_front as shared_front, shared_most as shared_most
from semres_jax.frontier.finite import FiniteOptimum as FiniteOptimum, optimal_finite as optimal_finite
from semres_jax.frontier.optimal import (
    WEIGHTS as WEIGHTS,
    Optimum as Optimum,
    optimal as optimal,
    optimal_front as optimal_front,
)
from semres_jax.frontier.optimal_fronts import best_constant as best_constant, optimal_table as optimal_table
from semres_jax.frontier.pareto import Distance as Distance, distance as distance, pareto as pareto
from semres_jax.frontier.slots import compositional as compositional
from semres_jax.frontier.sweep import optima as optima, sweep as sweep

__getattr__, __dir__ = submodules(__name__)
