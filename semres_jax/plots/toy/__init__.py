"""Pictures of toy networks: paths, what they have learned, trends over conditions; all that there is data for."""

import os
from typing import TYPE_CHECKING, Any

from semres_jax.experiments.toy.run import folder_name
from semres_jax.plots import _style as style
from semres_jax.plots.toy._learned import toy_fits as toy_fits, toy_matrices as toy_matrices
from semres_jax.plots.toy._paths import toy_paths as toy_paths
from semres_jax.plots.toy._runs import two_items
from semres_jax.plots.toy._shared import toy_geometry as toy_geometry
from semres_jax.plots.toy._trends import toy_items as toy_items, toy_slots as toy_slots, toy_variance as toy_variance

if TYPE_CHECKING:
    import xarray

_MOST_MATRICES = 6


@style.applied()
def save_toy(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that an experiment has the data for, as PNG and SVG in a folder that there is; their names.

    Paths, fits and tables of similarities (`toy_matrices_CONDITION`, of at most six) are of the conditions trained with
    two items on one slot; items where conditions on one slot differ in them; slots where conditions differ in them;
    variance where conditions called circle, and segment or birds, learn similarity; geometry where it was
    measured. Data as for `toy_paths`.
    """
    two = two_items(data)
    single = data["items"].values[data.slots.values == 1]
    names = {str(name) for name in two.condition.values[two.lambda_sim.values > 0]}
    pictures: dict[str, Any] = {}
    if two.sizes["condition"]:
        pictures |= {"toy_paths": toy_paths(two), "toy_fits": toy_fits(two)}
        for place, name in enumerate(two.condition.values[:_MOST_MATRICES]):
            pictures[f"toy_matrices_{folder_name(str(name))}"] = toy_matrices(two, place)
    if len(set(single.tolist())) > 1:
        pictures["toy_items"] = toy_items(data)
    if len(set(data.slots.values.tolist())) > 1:
        pictures["toy_slots"] = toy_slots(data)
    if "circle" in names and names & {"segment", "birds"}:
        pictures["toy_variance"] = toy_variance(data)
    if "mean_feature_dimensions" in data:
        pictures["toy_geometry"] = toy_geometry(data)
    return style.save_pictures(pictures, folder)
