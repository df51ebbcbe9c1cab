"""Pictures of sprites: what the stimuli look like, and both codes over the fronts."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._fronts import along
from semres_jax.plots._style import COLOURS, DASHES, GENERALIZATION, GREY, IDENTIFICATION, PALE
from semres_jax.plots.images._looks import nearest, under

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Codes as they are drawn: code, aggregate, text, colour, mark.
_DRAWN = (
    ("two heads", "product", "two heads, product", COLOURS[0], "o"),
    ("two heads", "mean", "two heads, mean", COLOURS[1], "s"),
    ("one embedding", "product", "one embedding", COLOURS[2], "^"),
)
# Shares of other stimuli within a slot's resolution that have a mark.
_MARKED = (0.001, 0.02, 0.08, 0.2, 0.35, 0.5, 0.7, 0.9)
# Lines that are no data: name of the front's variables, text, width and dash.
_LINES: Any = (
    ("front", "any single similarity\nof two values", 1.8, "-"),
    ("slots_front", "two exact slots of two\nvalues, product", 1.2, DASHES[3]),
    ("theorem_1_front", "theorem 1, any feature", 1.0, DASHES[1]),
)
_PICTURES = {"same": "the probe's own picture", "another": "another picture"}
_ROOM = 0.02


@style.settable
def sprites_plane(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Mean p_S over features against p_I of wholes, a panel for each family of similarities and picture of the probe.

    Marks are means over runs at some resolutions with 95 % intervals, joined over all of them. Lines are exact: beside
    constant similarities the fronts of these, and everywhere the most that any single similarity can have.

    Args:
        data: what `experiments.sprites.study` makes.
        figure: where to draw.
    """
    made = style.panels(4, 2, (3.3, 2.9), (2.4, 0.5), figure, sharex=True, sharey=True)
    cells = [(family, picture) for family in data.family.values for picture in data.picture.values]
    entries: dict[str, Any] = {}
    for place, (ax, (family, picture)) in enumerate(zip(made, cells, strict=True)):
        drawn = _lines(ax, data, str(family)) + _codes(ax, data.sel(family=family, picture=picture))
        entries |= {text: line for line, text in drawn}
        ax.tick_params(labelbottom=place > 1)
        style.title(ax, f"{family}, {_PICTURES[str(picture)]}")
    made[0].set(xlim=(0.5 - _ROOM / 2, 1 + _ROOM), ylim=(0.5 - _ROOM / 2, None))
    runs = data.sizes["run"]
    style.legend(
        made[1],
        [(line, text) for text, line in entries.items()],
        title=f"bars: 95 % over {runs} runs" if runs > 1 else "one run, no bars",
    )
    whole: Any = made[0].figure
    whole.supylabel(f"{GENERALIZATION}, mean over features (probability)", fontsize=9)
    under(made, f"{IDENTIFICATION}, of wholes (probability)")
    return whole


@style.settable
def sprites_samples(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """A rendering of every stimulus: a row for each animal, a column for each place.

    Args:
        data: as for `sprites_plane`.
        ax: where to draw.
    """
    pictures = np.pad(data.rendering.values, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    animals, places, height, width = pictures.shape
    ax = style.axes(ax, (0.85 * places + 0.8, 0.44 * animals + 0.6))
    ax.set_facecolor(PALE)
    mosaic = pictures.swapaxes(1, 2).reshape(animals * height, places * width)
    ax.imshow(mosaic, cmap="gray_r", vmin=-0.15, vmax=1.0, interpolation="nearest")
    style.ticks(ax, "x", (np.arange(places) + 0.5) * width - 1, [str(k) for k in range(places)])
    style.ticks(ax, "y", (np.arange(animals) + 0.5) * height - 1, [str(name) for name in data.animal.values])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel=f"place around the circle (of {places})", ylabel="animal")
    return ax


def _lines(ax: "Axes", data: "xarray.Dataset", family: str) -> list[tuple[Any, str]]:
    """What bounds a family as lines, and what a legend needs."""
    entries = []
    for name, text, width, dash in _LINES if family == "constant" else ():
        curve = along(data[f"{name}_p_s"].values, data[f"{name}_p_i"].values)
        (line,) = ax.plot(*curve, color="black", lw=width, ls=dash, zorder=1)
        entries.append((line, text))
    most = ax.axhline(float(data.most), color=GREY, lw=1.0, ls=DASHES[2], zorder=1)
    return [*entries, (most, "most of any single\nsimilarity, graded too")]


def _codes(ax: "Axes", data: "xarray.Dataset") -> list[tuple[Any, str]]:
    """What was measured as marks, and what a legend needs."""
    entries, at = [], nearest(data["share"].values, _MARKED)
    for code, aggregate, text, colour, mark in _DRAWN:
        own = data.sel(code=code, aggregate=aggregate)
        x, y = own.p_i.mean("run").values, own.p_s.mean("run").values
        ax.plot(x, y, color=colour, lw=0.7, alpha=0.7, zorder=2)
        off = [style.reach(own, name, mean)[:, at] for name, mean in (("p_i", x), ("p_s", y))]
        entries.append((style.marks(ax, x[at], y[at], colour, mark, *off), text))
    return entries
