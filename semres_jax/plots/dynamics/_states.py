"""Pictures of states along depth: continuity, speed, density, rotations, each beside controls and nulls."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots.dynamics import _series as series

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_NULLS = (("rotations_walk", "random walk"), ("rotations_layers", "boundaries shuffled"),
          ("rotations_increments", "updates shuffled"), ("rotations_signs", "signs random"))  # fmt: skip


@style.settable
def dynamics_continuity(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Correlation of units with themselves at the next boundary, beside its null, other bases and other units.

    Args:
        table: from `experiments.dynamics.study`.
        ax: to draw in; a new figure's if not given.
    """
    ax = style.axes(ax, (7.6, 3.6))
    series.draw(ax, table, "continuity")
    first = series.models(table)[0]
    series.line(ax, table, "continuity_null", first, "null: update knows nothing", ls=style.DASHES[1])
    series.line(ax, table, "rotated", first, "in a random basis", ls=style.DASHES[2], color="black")
    series.line(ax, table, "permuted", first, "another unit", ls=style.DASHES[3], color=style.GREY)
    ax.set(xlabel=series.DEPTH, ylabel="correlation with the next boundary")
    ax.legend(**style.BESIDE)
    return ax


@style.settable
def dynamics_motion(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Length of states and of updates, absolute and relative; the table as for `dynamics_continuity`."""
    panels = style.panels(3, 3, (3.0, 2.9), (1.6, 0.3), figure)
    for ax, (name, text) in zip(panels, (
        ("norm", "length of the state (its unit)"), ("velocity", "length of the update (unit of states)"),
        ("relative", "length of the update / state"),
    ), strict=True):  # fmt: skip
        series.draw(ax, table, name)
        ax.set(yscale="log", ylabel=text)
    return _labelled(panels)


@style.settable
def dynamics_density(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """How many units take part: above a fixed threshold, and by a measure of no scale."""
    panels = style.panels(2, 2, (3.5, 2.9), (1.6, 0.3), figure)
    for ax, (name, text) in zip(panels, (
        ("large", "share of units above 1"), ("participation", "participation ratio / D (no scale)"),
    ), strict=True):  # fmt: skip
        series.draw(ax, table, name)
        ax.set(ylabel=text, ylim=(0, None))
    return _labelled(panels)


@style.settable
def dynamics_rotations(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Turns of units in the plane of their update and its gradient, beside four nulls; bars are standard errors."""
    ax = style.axes(ax, (6.4, 0.55 * table.sizes["network"] + 1.4))
    for k, (name, text) in enumerate(_NULLS):
        y = np.arange(table.sizes["network"]) - 0.12 - 0.11 * k
        looks: Any = {"ls": "none", "marker": style.MARKS[k + 2], "ms": 4, "color": style.GREY, "mfc": "none"}
        ax.plot(table[name].values, y, label=text, **looks)
    colour, mark, _ = style.look(0)
    where = np.arange(table.sizes["network"])
    style.marks(ax, table.rotations.values, where, colour, mark, table.rotations_stderr.values, label="network")
    ax.set(xlabel="turns of a unit over depth (negative: as a wave turns)", ylim=(len(where) - 0.6, -0.7))
    style.ticks(ax, "y", where, series.names(table))
    ax.legend(**style.BESIDE)
    return ax


def _labelled(panels: "list[Axes]") -> Any:
    for ax in panels:
        ax.set_xlabel("depth (layers)")
    panels[-1].legend(**style.BESIDE)
    return panels[0].figure
