"""Pictures of image networks against the mean ball measure: what alpha changes, classes held out of training."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, DASHES, GREY
from semres_jax.plots.images import _looks as looks
from semres_jax.plots.images._looks import ACCURACIES, INTERVALS, alpha_text

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# From loss to gain, lighter all the way, so that the sign can be read in grey.
_LOSS_TO_GAIN = ("#001f40", "#00609c", "#8f8f8f", "#eeb232", "#fff6c4")
_HATCHED: Any = {"hatch": "//////", "lw": 0, "ec": "white"}
_QUARTERS: Any = ((0, 0.25, 0.5, 0.75, 1), ("0", "0.25", "0.5", "0.75", "1"))
_PROBES: Any = (
    ("", "probes of trained\nclasses", COLOURS[0], "o", "-"),
    ("held_", "probes of held-out\nclasses", COLOURS[1], "s", DASHES[1]),
)


@style.settable
def resnet_alpha(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """What weight on the loss of distances does to p_S and p_I at equal mean ball measure (figure 5a of the paper).

    Above, percent change against the first alpha with 95 % bands; below, the same as colours, hatched where the
    interval contains 0. p_S is left, p_I right.

    Args:
        data: what `experiments.images.study` makes.
        figure: to draw in, a part of another one (`Figure.subfigures`) for instance; a new one unless given.

    Raises:
        ValueError: there is one alpha only.
    """
    from matplotlib.colors import CenteredNorm, LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    more = data.sizes["alpha"] - 1
    if not more:
        raise ValueError("this picture compares alphas; there is one only")
    share, part = data["share"].values, data.isel(alpha=slice(1, None))
    most = 100 * max(float(np.abs(part[f"{name}_change"]).max()) for name in ACCURACIES)
    colours: Any = {
        "cmap": LinearSegmentedColormap.from_list("loss to gain", _LOSS_TO_GAIN),
        "norm": CenteredNorm(0.0, max(most, 1e-9)),
        "rasterized": True,
    }
    figure = figure or style.new_figure(9.2, 3.6 + 0.3 * more)
    grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3.0, 0.7 + 0.3 * more))
    mesh: Any = None
    for (above, below), (name, text) in zip(grid.T, ACCURACIES.items(), strict=True):
        above.axhline(0.0, color=GREY, lw=0.8, zorder=1)
        change, low, high = (100 * part[f"{name}_change{end}"].values for end in ("", "_low", "_high"))
        for place in range(more):
            colour, mark, dash = style.look(place + 1)
            at = looks.nearest(share, looks.MARKED)
            looks.banded(above, share, change[place], low[place], high[place], at, colour, 0.16, ls=dash, marker=mark)
        style.title(above, text)
        mesh = below.pcolormesh(_edges(share), np.arange(more + 1), change, **colours)
        _hatch(below, _edges(share), (low <= 0) & (high >= 0))
        below.set_xlim(0, 1)
        below.set_xticks(*_QUARTERS)
        below.set_yticks(np.arange(more) + 0.5, [f"{float(alpha):g}" for alpha in part.alpha.values])
        below.tick_params(axis="y", length=0)
    grid[0, 0].set_ylabel(f"change against {alpha_text(data.alpha.values[0])} (%)")
    grid[1, 0].set_ylabel("weight of the loss\nof distances, α")
    entries = [looks.entry(place + 1, alpha) for place, alpha in enumerate(part.alpha.values)]
    entries.append((Rectangle((0, 0), 1, 1, **_HATCHED, fc=_LOSS_TO_GAIN[2]), "95 % contain 0"))
    style.legend(grid[0, 1], entries, title=f"bands: {INTERVALS}")
    bar = figure.colorbar(mesh, cax=grid[1, 1].inset_axes((1.03, 0, 0.03, 1)))
    bar.set_label("change (%)")
    bar.outline.set_linewidth(0.6)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    looks.under(grid.ravel().tolist(), looks.REACH)
    return figure


@style.settable
def resnet_held_out(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Accuracies against the mean ball measure for probes of trained and of held-out classes, a column for each alpha.

    p_S is above, p_I below. Arguments as for `resnet_alpha`, data of an experiment with held-out classes.

    Raises:
        ValueError: no class was held out.
    """
    if "held_p_s" not in data:
        raise ValueError("this picture needs classes held out of training; there is none")
    count, share = data.sizes["alpha"], data["share"].values
    at = looks.nearest(share, looks.MARKED)[1::3]
    figure = figure or style.new_figure(1.6 * max(count, 2) + 2.4, 4.4)
    grid = figure.subplots(2, count, sharex=True, sharey="row", squeeze=False)
    for place, column in enumerate(grid.T):
        part = data.isel(alpha=place)
        for ax, name in zip(column, ACCURACIES, strict=True):
            ax.axhline(0.5, color=GREY, lw=0.8, ls=DASHES[2], zorder=1)
            for which, _, colour, mark, dash in _PROBES:
                mean = part[f"{which}{name}"].mean("run").values
                low, high = (part[f"{which}{name}_{end}"].values for end in ("low", "high"))
                looks.banded(ax, share, mean, low, high, at, colour, 0.2, ls=dash, marker=mark)
        style.title(column[0], alpha_text(data.alpha.values[place]))
        column[1].set_xlim(0, 1)
        column[1].set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
    for ax, text in zip(grid[:, 0], ACCURACIES.values(), strict=True):
        ax.set_ylabel(f"{text} (probability)".replace(", ", ",\n"))
    line: Any = {"lw": 1.3, "ms": 4}
    entries = [(style.sample(color=c, ls=dash, marker=mark, **line), text) for _, text, c, mark, dash in _PROBES]
    entries.append((style.sample(color=GREY, lw=0.8, ls=DASHES[2]), "chance"))
    style.legend(grid[0, -1], entries, title=f"bands: {INTERVALS}")
    looks.under(grid.ravel().tolist(), looks.REACH)
    return figure


def _edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells halfway between their centres, within 0 and 1."""
    if centres.size == 1:
        return np.array([0.0, 1.0])
    inner = (centres[1:] + centres[:-1]) / 2
    return np.array([max(2 * centres[0] - inner[0], 0.0), *inner, min(2 * centres[-1] - inner[-1], 1.0)])


def _hatch(ax: "Axes", edges: np.ndarray, unsure: np.ndarray) -> None:
    """Hatch cells, those beside each other in one piece."""
    from matplotlib.patches import Rectangle

    for row, flags in enumerate(unsure):
        steps = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
        for start, stop in steps.reshape(-1, 2).tolist():
            left, width = float(edges[start]), float(edges[stop] - edges[start])
            ax.add_patch(Rectangle((left, row), width, 1, fill=False, **_HATCHED))
