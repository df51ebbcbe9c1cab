"""What the pictures of toy networks share: conditions and how their marks are filled, which family fits best."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray
    from matplotlib.lines import Line2D

# How a mark is filled where its shape tells something else.
FILLS: Any = ("", "full", "left", "bottom", "right", "top")
# A difference of Akaike's criterion that tells two families apart.
DECISIVE = 10.0


def filled(line: "Line2D", place: int) -> "Line2D":
    """A mark filled as its condition's are: shapes then are free for something else, also in grey."""
    style = FILLS[place % len(FILLS)]
    if style:
        line.set(markerfacecolor=line.get_color(), markerfacecoloralt="white", fillstyle=style)
    return line


def own(data: "xarray.Dataset", name: str) -> "xarray.DataArray":
    """A variable over (condition, run, step), each condition tested with as many items as it was trained with."""
    return data[name].sel(n=data["items"])


def largest_distance(data: "xarray.Dataset") -> np.ndarray:
    """The largest distance between stimuli of each condition."""
    return np.nanmax(data.distance.values, axis=-1)


def best_family(data: "xarray.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """Place of the family with the smallest mean AIC, and whether it is decisive, for (condition, step)."""
    aic = data.aic.mean("run").transpose("condition", "step", "family").values
    ordered = np.sort(aic, axis=-1)
    return aic.argmin(axis=-1), ordered[..., 1] - ordered[..., 0] > DECISIVE


def two_items(data: "xarray.Dataset") -> "xarray.Dataset":
    """The conditions trained with two items on one slot; none may be left."""
    return data.isel(condition=np.flatnonzero((data["items"].values == 2) & (data.slots.values == 1)))
