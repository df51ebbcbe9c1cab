"""Pictures of image networks between telling classes and having their distances."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots._resnet_classes import resnet_distances as resnet_distances, resnet_law as resnet_law
from semres_jax.plots._resnet_planes import resnet_paths as resnet_paths, resnet_plane as resnet_plane
from semres_jax.plots._resnet_shared import INTERVALS, MARKED, REACH, alpha_text, handle, nearest, under
from semres_jax.plots._style import COLOURS, GREY, STYLE, save
from semres_jax.plots._toy_shared import DASHES, RIGHT, look, title

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From loss to gain, lighter all the way, so that the sign can be read in grey.
_LOSS_TO_GAIN = ("#001f40", "#00609c", "#8f8f8f", "#eeb232", "#fff6c4")
_HATCHED: Any = {"hatch": "//////", "lw": 0, "ec": "white"}
_QUARTERS: Any = ((0, 0.25, 0.5, 0.75, 1), ("0", "0.25", "0.5", "0.75", "1"))
_PROBES: Any = (("", COLOURS[0], "o", "-"), ("held_", COLOURS[1], "s", DASHES[1]))


def resnet_alpha(data: "xarray.Dataset") -> "Figure":
    """What weight on the loss of distances does to p_S and p_I at equal mean ball measure (figure 5a of the paper).

    Above, percent change against the first alpha with 95 % bands; below, the same as colours, hatched where the
    interval contains 0.

    Args:
        data: what `experiments.images.study` makes.

    Returns:
        The figure: p_S left, p_I right.

    Raises:
        ValueError: there is one alpha only.
    """
    from matplotlib import rc_context
    from matplotlib.colors import CenteredNorm, LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    more = data.sizes["alpha"] - 1
    if not more:
        raise ValueError("this picture compares alphas; there is one only")
    share, first = data["share"].values, alpha_text(data.alpha.values[0])
    part = data.isel(alpha=slice(1, None))
    most = 100 * max(float(np.abs(part[f"{name}_change"]).max()) for name in ("p_s", "p_i"))
    colours = LinearSegmentedColormap.from_list("loss to gain", _LOSS_TO_GAIN)
    norm = CenteredNorm(0.0, max(most, 1e-9))
    every = nearest(share, MARKED)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 3.6 + 0.3 * more), layout="constrained")
        heights = (3.0, 0.7 + 0.3 * more)
        grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=heights)
        mesh: Any = None
        for column, (name, symbol) in enumerate((("p_s", "$p_S$"), ("p_i", "$p_I$"))):
            above, below = grid[:, column]
            above.axhline(0.0, color=GREY, lw=0.8, zorder=1)
            change, low, high = (100 * part[f"{name}_change{end}"].values for end in ("", "_low", "_high"))
            for place in range(more):
                colour, mark, dash = look(place + 1)
                above.fill_between(share, low[place], high[place], color=colour, alpha=0.16, lw=0)
                above.plot(
                    share, change[place], color=colour, ls=dash, lw=1.3, marker=mark, markevery=every.tolist(), ms=4,
                    mfc="white", mew=1.0,
                )  # fmt: skip
            title(above, f"{'generalization' if name == 'p_s' else 'identification'}, {symbol}")
            mesh = below.pcolormesh(
                _edges(share), np.arange(more + 1), change, cmap=colours, norm=norm, rasterized=True
            )
            _hatch(below, _edges(share), (low <= 0) & (high >= 0))
            below.set_xlim(0, 1)
            below.set_xticks(*_QUARTERS)
            below.set_yticks(np.arange(more) + 0.5, [f"{float(alpha):g}" for alpha in part.alpha.values])
            below.tick_params(axis="y", length=0)
        grid[0, 0].set_ylabel(f"change against {first} (%)")
        grid[1, 0].set_ylabel("weight of the loss\nof distances, α")
        handles = [
            *(handle(place + 1) for place in range(more)),
            Rectangle((0, 0), 1, 1, **_HATCHED, fc=_LOSS_TO_GAIN[2]),
        ]
        texts = [*(alpha_text(alpha) for alpha in part.alpha.values), "95 % contain 0"]
        grid[0, 1].legend(handles, texts, title=f"bands: {INTERVALS}", **RIGHT)
        bar = figure.colorbar(mesh, cax=grid[1, 1].inset_axes((1.03, 0, 0.03, 1)))
        bar.set_label("change (%)")
        bar.outline.set_linewidth(0.6)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        under(figure, grid.ravel().tolist(), REACH)
    return figure


def resnet_held_out(data: "xarray.Dataset") -> "Figure":
    """Accuracies against the mean ball measure for probes of trained and of held-out classes, a column for each alpha.

    Args:
        data: what `experiments.images.study` makes of an experiment with held-out classes.

    Returns:
        The figure: p_S above, p_I below.

    Raises:
        ValueError: no class was held out.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    if "held_p_s" not in data:
        raise ValueError("this picture needs classes held out of training; there is none")
    count, share = data.sizes["alpha"], data["share"].values
    every = nearest(share, MARKED)
    with rc_context(STYLE):
        figure = Figure(figsize=(1.6 * max(count, 2) + 2.4, 4.4), layout="constrained")
        grid = figure.subplots(2, count, sharex=True, sharey="row", squeeze=False)
        for place in range(count):
            one = data.isel(alpha=place)
            for ax, name in zip(grid[:, place], ("p_s", "p_i"), strict=True):
                ax.axhline(0.5, color=GREY, lw=0.8, ls=DASHES[2], zorder=1)
                for which, colour, mark, dash in _PROBES:
                    mean = one[f"{which}{name}"].mean("run").values
                    low, high = (one[f"{which}{name}_{end}"].values for end in ("low", "high"))
                    ax.fill_between(share, low, high, color=colour, alpha=0.2, lw=0)
                    ax.plot(
                        share, mean, color=colour, ls=dash, lw=1.3, marker=mark, markevery=every[1::3].tolist(), ms=4,
                        mfc="white", mew=1.0,
                    )  # fmt: skip
            title(grid[0, place], alpha_text(data.alpha.values[place]))
            grid[1, place].set_xlim(0, 1)
            grid[1, place].set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
        grid[0, 0].set_ylabel("generalization,\n$p_S$ (probability)")
        grid[1, 0].set_ylabel("identification,\n$p_I$ (probability)")
        handles = [
            Line2D([], [], color=colour, ls=dash, lw=1.3, marker=mark, ms=4, mfc="white")
            for _, colour, mark, dash in _PROBES
        ]
        handles.append(Line2D([], [], color=GREY, lw=0.8, ls=DASHES[2]))
        names = ["probes of trained\nclasses", "probes of held-out\nclasses", "chance"]
        grid[0, -1].legend(handles, names, title=f"bands: {INTERVALS}", **RIGHT)
        under(figure, grid.ravel().tolist(), REACH)
    return figure


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
    return [file for draw in drawn for file in save(draw(data), folder, draw.__name__)]


def _edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells halfway between their centres, within 0 and 1."""
    if centres.size == 1:
        return np.array([0.0, 1.0])
    inner = (centres[1:] + centres[:-1]) / 2
    ends = 2 * centres[0] - inner[0], 2 * centres[-1] - inner[-1]
    return np.concatenate([[max(ends[0], 0.0)], inner, [min(ends[1], 1.0)]])


def _hatch(ax: "Axes", edges: np.ndarray, unsure: np.ndarray) -> None:
    """Hatch cells, those beside each other in one piece."""
    from matplotlib.patches import Rectangle

    for row, flags in enumerate(unsure):
        steps = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
        for start, stop in steps.reshape(-1, 2).tolist():
            left, width = float(edges[start]), float(edges[stop] - edges[start])
            ax.add_patch(Rectangle((left, row), width, 1, fill=False, **_HATCHED))
