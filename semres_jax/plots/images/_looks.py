"""What the pictures of image networks share: looks of alphas, bands, intervals, one label for all axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._style import GENERALIZATION, IDENTIFICATION

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

REACH = "mean ball measure, $\\langle b\\rangle$ (share of other classes' images within $\\epsilon$)"
INTERVALS = "95 % over\nruns and images"
ACCURACIES = {"p_s": GENERALIZATION, "p_i": IDENTIFICATION}
# Shares of other classes' images within ε that get a mark where all of them have a line.
MARKED = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def alpha_text(alpha: Any) -> str:
    return f"α = {float(alpha):g}"


def nearest(values: Any, wanted: Sequence[float]) -> np.ndarray:
    """Places of the values nearest to those wanted, each once, ascending."""
    return np.unique([int(np.abs(np.asarray(values) - x).argmin()) for x in wanted])


def bounds(data: "xarray.Dataset", name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean over runs, and how far the 95 % interval reaches below and above it."""
    mean = data[name].mean("run").values
    return mean, style.reach(data, name, mean)


def entry(place: int, alpha: Any, **settings: Any) -> tuple[Any, str]:
    """What a legend shows of the alpha at a place, and its text."""
    colour, mark, dash = style.look(place)
    usual = {"color": colour, "ls": dash, "lw": 1.3, "marker": mark, "mew": 1.1}
    return style.sample(**(usual | settings)), alpha_text(alpha)


def banded(
    ax: "Axes", x: Any, y: Any, low: Any, high: Any, at: Any, colour: str, alpha: float, **settings: Any
) -> None:
    """A line with marks at some places, in a band of its colour."""
    ax.fill_between(x, low, high, color=colour, alpha=alpha, lw=0)
    ax.plot(x, y, color=colour, lw=1.3, markevery=at.tolist(), ms=4, mfc="white", mew=1.0, **settings)


def under(made: Sequence["Axes"], text: str) -> None:
    """One label of x for all axes, in their middle and not in that of a figure with its legend; settles the layout."""
    figure: Any = made[0].figure
    written = figure.supxlabel(text, fontsize=9)
    figure.get_figure(root=True).draw_without_rendering()
    places = [ax.get_position() for ax in made]
    half = 0.505 * written.get_window_extent().width / figure.bbox.width
    middle = (min(box.x0 for box in places) + max(box.x1 for box in places)) / 2
    written.set_x(min(max(middle, half), max(1 - half, 0.5)))  # whole, where the axes are narrower than the text
