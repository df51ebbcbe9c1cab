"""Pictures of results: a dataset in, matplotlib Axes out; one module for each command."""

from typing import TYPE_CHECKING

from semres_jax._lazy import submodules

if TYPE_CHECKING:
    from semres_jax.plots._style import (
        save as save,
    )
    from semres_jax.plots.binding import (
        binding_rates as binding_rates,
        save_binding as save_binding,
    )
    from semres_jax.plots.compare import (
        compare_differences as compare_differences,
        plane as plane,
        save_comparison as save_comparison,
    )
    from semres_jax.plots.compositional import (
        compositional_gate as compositional_gate,
        compositional_plane as compositional_plane,
        compositional_predictions as compositional_predictions,
        save_compositional as save_compositional,
    )
    from semres_jax.plots.dynamics import (
        dynamics_bridge as dynamics_bridge,
        dynamics_continuity as dynamics_continuity,
        dynamics_density as dynamics_density,
        dynamics_eigenvalues as dynamics_eigenvalues,
        dynamics_flow as dynamics_flow,
        dynamics_motion as dynamics_motion,
        dynamics_path as dynamics_path,
        dynamics_products as dynamics_products,
        dynamics_returns as dynamics_returns,
        dynamics_rotations as dynamics_rotations,
        dynamics_shares as dynamics_shares,
        save_dynamics as save_dynamics,
    )
    from semres_jax.plots.images import (
        resnet_alpha as resnet_alpha,
        resnet_distances as resnet_distances,
        resnet_geometry as resnet_geometry,
        resnet_held_out as resnet_held_out,
        resnet_law as resnet_law,
        resnet_paths as resnet_paths,
        resnet_plane as resnet_plane,
        save_resnet as save_resnet,
        save_sprites as save_sprites,
        sprites_plane as sprites_plane,
        sprites_samples as sprites_samples,
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
    from semres_jax.plots.measure_similarities import (
        save_similarities as save_similarities,
        similarities_items as similarities_items,
        similarities_plane as similarities_plane,
        similarities_profile as similarities_profile,
    )
    from semres_jax.plots.measure_triplets import (
        save_triplets as save_triplets,
        triplets_dimensions as triplets_dimensions,
        triplets_map as triplets_map,
        triplets_nearer as triplets_nearer,
        triplets_plane as triplets_plane,
    )
    from semres_jax.plots.optimal import (
        optimal_fronts as optimal_fronts,
        optimal_similarities as optimal_similarities,
        save_optimal as save_optimal,
    )
    from semres_jax.plots.paper import (
        paper_2 as paper_2,
        paper_3 as paper_3,
        paper_5c as paper_5c,
        paper_14 as paper_14,
        save_paper as save_paper,
    )
    from semres_jax.plots.slots import (
        save_slots as save_slots,
        slots_argument as slots_argument,
        slots_items as slots_items,
        slots_plane as slots_plane,
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
        toy_geometry as toy_geometry,
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

# What each module draws: a study is imported, with all that it needs, when its pictures are asked for.
_MEMBERS = {
    "_style": ("save",),
    "binding": ("binding_rates", "save_binding"),
    "dynamics": (
        "dynamics_bridge",
        "dynamics_continuity",
        "dynamics_density",
        "dynamics_eigenvalues",
        "dynamics_flow",
        "dynamics_motion",
        "dynamics_path",
        "dynamics_products",
        "dynamics_returns",
        "dynamics_rotations",
        "dynamics_shares",
        "save_dynamics",
    ),
    "compare": ("compare_differences", "plane", "save_comparison"),
    "compositional": (
        "compositional_gate",
        "compositional_plane",
        "compositional_predictions",
        "save_compositional",
    ),
    "images": (
        "resnet_alpha",
        "resnet_distances",
        "resnet_geometry",
        "resnet_held_out",
        "resnet_law",
        "resnet_paths",
        "resnet_plane",
        "save_resnet",
        "save_sprites",
        "sprites_plane",
        "sprites_samples",
    ),
    "measure_choices": (
        "choices_calibration",
        "choices_closest",
        "choices_profile",
        "items_curve",
        "save_choices",
        "save_items",
    ),
    "measure_embeddings": ("embeddings_levels", "embeddings_plane", "embeddings_profile", "save_embeddings"),
    "measure_llm": ("llm_items", "llm_layers", "llm_pairs", "save_measure_llm"),
    "measure_similarities": (
        "save_similarities",
        "similarities_items",
        "similarities_plane",
        "similarities_profile",
    ),
    "measure_triplets": ("save_triplets", "triplets_dimensions", "triplets_map", "triplets_nearer", "triplets_plane"),
    "optimal": ("optimal_fronts", "optimal_similarities", "save_optimal"),
    "paper": ("paper_2", "paper_3", "paper_5c", "paper_14", "save_paper"),
    "slots": ("save_slots", "slots_argument", "slots_items", "slots_plane"),
    "sweep": ("best_ball_measure", "families", "fronts", "items", "optimum", "save_sweep"),
    "toy": (
        "save_toy",
        "toy_fits",
        "toy_geometry",
        "toy_items",
        "toy_matrices",
        "toy_paths",
        "toy_slots",
        "toy_variance",
    ),
    "validation": ("many_items", "residuals", "save_all", "tradeoff"),
}

__getattr__, __dir__ = submodules(__name__, _MEMBERS)
