"""Pictures of results: a dataset in, matplotlib Axes out; one module for each command."""

from semres_jax.plots._style import save
from semres_jax.plots.images import (
    resnet_alpha,
    resnet_distances,
    resnet_held_out,
    resnet_law,
    resnet_paths,
    resnet_plane,
    save_resnet,
)
from semres_jax.plots.measure_choices import (
    choices_calibration,
    choices_closest,
    choices_profile,
    items_curve,
    save_choices,
    save_items,
)
from semres_jax.plots.measure_embeddings import embeddings_levels, embeddings_plane, embeddings_profile, save_embeddings
from semres_jax.plots.measure_llm import llm_items, llm_layers, llm_pairs, save_measure_llm
from semres_jax.plots.optimal import optimal_fronts, optimal_similarities, save_optimal
from semres_jax.plots.sweep import best_ball_measure, families, fronts, items, optimum, save_sweep
from semres_jax.plots.toy import save_toy, toy_fits, toy_items, toy_matrices, toy_paths, toy_slots, toy_variance
from semres_jax.plots.validation import many_items, residuals, save_all, tradeoff

__all__ = [
    "best_ball_measure", "choices_calibration", "choices_closest", "choices_profile", "embeddings_levels",
    "embeddings_plane", "embeddings_profile", "families", "fronts", "items", "items_curve", "llm_items", "llm_layers",
    "llm_pairs", "many_items", "optimal_fronts", "optimal_similarities", "optimum", "residuals", "resnet_alpha",
    "resnet_distances", "resnet_held_out", "resnet_law", "resnet_paths", "resnet_plane", "save", "save_all",
    "save_choices", "save_embeddings", "save_items", "save_measure_llm", "save_optimal", "save_resnet", "save_sweep",
    "save_toy", "toy_fits", "toy_items", "toy_matrices", "toy_paths", "toy_slots", "toy_variance", "tradeoff",
]  # fmt: skip
