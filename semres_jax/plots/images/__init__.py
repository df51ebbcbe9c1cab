"""Pictures of image networks between telling classes and having their distances, and of those on sprites."""

import os
from typing import TYPE_CHECKING

from semres_jax.plots import _style as style
from semres_jax.plots.images._changes import resnet_alpha as resnet_alpha, resnet_held_out as resnet_held_out
from semres_jax.plots.images._classes import resnet_distances as resnet_distances, resnet_law as resnet_law
from semres_jax.plots.images._geometry import resnet_geometry as resnet_geometry
from semres_jax.plots.images._planes import resnet_paths as resnet_paths, resnet_plane as resnet_plane
from semres_jax.plots.images._sprites import sprites_plane as sprites_plane, sprites_samples as sprites_samples

if TYPE_CHECKING:
    import xarray


def save_resnet(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that an experiment has the data for, as PNG and SVG in a folder that there is; their names.

    `resnet_alpha` needs two alphas, `resnet_held_out` held-out classes, `resnet_law` four test images of each class,
    `resnet_geometry` results that have it.
    Data as for `resnet_alpha`.
    """
    drawn = {
        resnet_alpha: data.sizes["alpha"] > 1, resnet_plane: True, resnet_paths: True,
        resnet_held_out: "held_p_s" in data, resnet_distances: True, resnet_law: "chi2_p_s" in data,
        resnet_geometry: "nc1" in data,
    }  # fmt: skip
    return style.save_drawn(data, folder, *(draw for draw, possible in drawn.items() if possible))


def save_sprites(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Both pictures as PNG and SVG in a folder that there is; their names."""
    return style.save_drawn(data, folder, sprites_plane, sprites_samples)
