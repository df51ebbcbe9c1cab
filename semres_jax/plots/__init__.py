"""Pictures of results: a dataset in, matplotlib Axes out; one module for each command."""

from semres_jax.plots._style import save as save
from semres_jax.plots.images import (
    resnet_alpha as resnet_alpha,
    resnet_distances as resnet_distances,
    resnet_held_out as resnet_held_out,
    resnet_law as resnet_law,
    resnet_paths as resnet_paths,
    resnet_plane as resnet_plane,
    save_resnet as save_resnet,
)
from semres_jax.plots.measure_choices import (
    choices_calibration as choices_calibration,
    choices_closest as choices_closest,
    choices_profile as choices_profile,
    items_curve as items_curve,
    save_choices as save_choices,
    save_items as save_items,
)
from semres_jax.plots.measure_embeddings import (
    embeddings_levels as embeddings_levels,
    embeddings_plane as embeddings_plane,
    embeddings_profile as embeddings_profile,
    save_embeddings as save_embeddings,
)
from semres_jax.plots.measure_llm import (
    llm_items as llm_items,
    llm_layers as llm_layers,
    llm_pairs as llm_pairs,
    save_measure_llm as save_measure_llm,
)
from semres_jax.plots.optimal import (
    optimal_fronts as optimal_fronts,
    optimal_similarities as optimal_similarities,
    save_optimal as save_optimal,
)
from semres_jax.plots.sweep import (
    best_ball_measure as best_ball_measure,
    families as families,
    fronts as fronts,
    items as items,
    optimum as optimum,
    save_sweep as save_sweep,
)
from semres_jax.plots.toy import (
    save_toy as save_toy,
    toy_fits as toy_fits,
    toy_items as toy_items,
    toy_matrices as toy_matrices,
    toy_paths as toy_paths,
    toy_slots as toy_slots,
    toy_variance as toy_variance,
)
from semres_jax.plots.validation import (
    many_items as many_items,
    residuals as residuals,
    save_all as save_all,
    tradeoff as tradeoff,
)
