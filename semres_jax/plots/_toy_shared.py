"""What the pictures of toy networks share: conditions and their looks, means over runs, which family fits best."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots._style import COLOURS, MARKS

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

DASHES: Any = ("-", (0, (5, 2)), (0, (1, 1.3)), (0, (4, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
FAMILY_MARKS = {"constant": "s", "linear": "o", "exponential": "^"}
FAMILY_DASHES: Any = {"linear": "-", "constant": (0, (5, 2)), "exponential": (0, (4, 1.5, 1, 1.5))}
# How a mark is filled where its shape tells something else.
FILLS: Any = ("", "full", "left", "bottom", "right", "top")
# A difference of Akaike's criterion that tells two families apart.
DECISIVE = 10.0
RIGHT: Any = {
    "loc": "upper left",
    "bbox_to_anchor": (1.01, 1.0),
    "borderaxespad": 0.0,
    "handlelength": 2.8,
    "title_fontsize": 8,
    "alignment": "left",
}


def look(place: int) -> tuple[str, str, Any]:
    """Colour, mark and dash of a condition by its place among those drawn."""
    return COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)], DASHES[place % len(DASHES)]


def filled(line: "Line2D", place: int) -> "Line2D":
    """A mark filled as its condition's are: shapes then are free for something else, also in grey."""
    style = FILLS[place % len(FILLS)]
    if style:
        line.set(markerfacecolor=line.get_color(), markerfacecoloralt="white", fillstyle=style)
    return line


def own(data: "xarray.Dataset", name: str) -> "xarray.DataArray":
    """A variable over (condition, run, step), each condition tested with as many items as it was trained with."""
    return data[name].sel(n=data["items"])


def over_runs(values: "xarray.DataArray") -> tuple[np.ndarray, np.ndarray]:
    """Mean over runs and its standard error, which a single run has none of (NaN)."""
    error = values.std("run", ddof=1) / np.sqrt(values.sizes["run"]) if values.sizes["run"] > 1 else np.nan
    mean = values.mean("run")
    return mean.values, np.broadcast_to(error, mean.shape).copy()


def bars(data: "xarray.Dataset") -> str:
    """What error bars are; marks hide small ones."""
    runs = data.sizes["run"]
    return f"bars: ± standard error over {runs} runs\n(where larger than the mark)" if runs > 1 else "one run, no bars"


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


def title(ax: "Axes", text: str) -> None:
    ax.set_title(text, fontsize=9, loc="left")
