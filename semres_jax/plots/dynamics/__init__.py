"""Pictures of the residual stream along depth, of all that a study has the data for."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots.dynamics._matrices import (
    dynamics_eigenvalues as dynamics_eigenvalues,
    dynamics_products as dynamics_products,
    dynamics_shares as dynamics_shares,
)
from semres_jax.plots.dynamics._states import (
    dynamics_continuity as dynamics_continuity,
    dynamics_density as dynamics_density,
    dynamics_motion as dynamics_motion,
    dynamics_rotations as dynamics_rotations,
)
from semres_jax.plots.dynamics._ways import (
    dynamics_flow as dynamics_flow,
    dynamics_path as dynamics_path,
    dynamics_returns as dynamics_returns,
)
from semres_jax.plots.dynamics._years import dynamics_bridge as dynamics_bridge

if TYPE_CHECKING:
    import xarray

# What each picture needs; those of states are always there.
_PICTURES: dict[str, tuple[Any, str]] = {
    "continuity": (dynamics_continuity, "continuity"), "motion": (dynamics_motion, "norm"),
    "density": (dynamics_density, "large"), "rotations": (dynamics_rotations, "rotations"),
    "path": (dynamics_path, "path_points"), "returns": (dynamics_returns, "return"),
    "flow": (dynamics_flow, "flow_update"), "eigenvalues": (dynamics_eigenvalues, "eigenvalues"),
    "shares": (dynamics_shares, "j_henrici"), "products": (dynamics_products, "product_pr"),
    "bridge": (dynamics_bridge, "year_p_s"),
}  # fmt: skip


@style.applied()
def save_dynamics(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that there is data for, `dynamics_NAME`, as PNG and SVG in a folder that there is; their names.

    Args:
        table: from `experiments.dynamics.study`.
        folder: that there is.
    """
    pictures: dict[str, Any] = {}
    for name, (draw, needed) in _PICTURES.items():
        if needed in table and np.isfinite(table[needed].values).any():
            picture = draw(table)
            pictures[f"dynamics_{name}"] = picture if isinstance(picture.axes, list) else picture.figure
    return style.save_pictures(pictures, folder)
