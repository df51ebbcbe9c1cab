"""Pictures of image networks between telling classes and having their distances."""

import os
from typing import TYPE_CHECKING

from semres_jax.plots import _style as style
from semres_jax.plots.images._changes import resnet_alpha as resnet_alpha, resnet_held_out as resnet_held_out
from semres_jax.plots.images._classes import resnet_distances as resnet_distances, resnet_law as resnet_law
from semres_jax.plots.images._planes import resnet_paths as resnet_paths, resnet_plane as resnet_plane

if TYPE_CHECKING:
    import xarray


def save_resnet(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that an experiment has the data for, as PNG and SVG in a folder.

    `resnet_alpha` needs two alphas, `resnet_held_out` held-out classes, `resnet_law` four test images of each class.

    Args:
        data: what `experiments.images.study` makes.
        folder: which there is.

    Returns:
        The names of the files.
    """
    drawn = [resnet_plane, resnet_paths, resnet_distances]
    if data.sizes["alpha"] > 1:
        drawn.insert(0, resnet_alpha)
    if "held_p_s" in data:
        drawn.insert(-1, resnet_held_out)
    if "chi2_p_s" in data:
        drawn.append(resnet_law)
    return style.save_pictures({draw.__name__: draw(data) for draw in drawn}, folder)
