"""Pictures of image networks in the plane of accuracies: where they are at every resolution, and how they got there."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._labels import label
from semres_jax.plots._style import COLOURS, DASHES, FAMILY_MARKS, GREY, OUTSIDE, PROBABILITY
from semres_jax.plots.images._looks import INTERVALS, MARKED, alpha_text, bounds, entry, nearest, under

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_GRADED = (("linear", COLOURS[2]), ("exponential", COLOURS[1]))
# Shares that are named in the plane, and the one at which training is followed.
_NAMED, _FOLLOWED = (0.1, 0.5), 0.25
# Marks of the first, middle and last epoch.
_STAGE: Any = {"ls": "none", "mew": 1.1}
_STAGES: Any = ({"ms": 5, "mfc": "white"}, {"ms": 6, "fillstyle": "left", "markerfacecoloralt": "white"}, {"ms": 6.5})
# What is drawn by epoch.
_SIDES = {
    "accuracy": "accuracy\n(share of images)",
    "loss_id": "cross-entropy\n(nats)",
    "loss_sim": "loss of distances\n(mean square)",
}


@style.settable
def resnet_plane(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """The plane of accuracies, a panel for each alpha: measured marks, theorem 1 as a line, graded similarities.

    Marks are means over runs with 95 % intervals over runs and images. The dashed line is p_S as it would be if classes
    were as far apart as their images. As ε goes to 0, identification falls to chance: the probe is another image.
    Arguments as for `resnet_alpha`.
    """
    count = data.sizes["alpha"]
    made = style.panels(count, 3, (2.6, 2.6), (2.3, 0.5), figure, sharex=True, sharey=True)
    planes = [_plane(ax, data.isel(alpha=place)) for place, ax in enumerate(made)]
    for place, ax in enumerate(made):
        ax.tick_params(labelbottom=place + 3 >= count)
        style.title(ax, alpha_text(data.alpha.values[place]))
    style.legend(made[:3][-1], planes[0][0], title=f"bars: {INTERVALS}")
    drawn: Any = made[0].figure
    drawn.supylabel(PROBABILITY["ylabel"], fontsize=9)
    under(made, PROBABILITY["xlabel"])
    for ax, (_, *labels) in zip(made, planes, strict=True):
        label(ax, *labels)
    return drawn


@style.settable
def resnet_paths(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Training: the way through the plane of accuracies at one mean ball measure, and accuracy and losses by epoch.

    Runs are thin lines, their means bold; the first, middle and last epoch have a mark. The plane is left. Arguments
    as for `resnet_alpha`.
    """
    at = int(np.abs(data["share"].values - _FOLLOWED).argmin())
    epochs = data.epoch.values
    shown = {int(k): stage for k, stage in zip((0, (len(epochs) - 1) // 2, -1 % len(epochs)), _STAGES, strict=True)}
    figure = figure or style.new_figure(9.4, 4.4)
    main, *side = figure.subplot_mosaic([["plane", name] for name in _SIDES], width_ratios=(1.7, 1)).values()
    xs, ys = (data[f"path_{name}"].isel(share=at).transpose("alpha", "epoch", "run").values for name in ("p_i", "p_s"))
    for place in range(data.sizes["alpha"]):
        colour, mark, dash = style.look(place)
        main.plot(xs[place], ys[place], color=colour, lw=0.5, alpha=0.45, zorder=2)
        x, y = xs[place].mean(1), ys[place].mean(1)
        main.plot(x, y, color=colour, lw=1.6, ls=dash, zorder=2.5)
        for epoch, stage in shown.items():
            main.plot(x[epoch], y[epoch], color=colour, marker=mark, **_STAGE | stage, zorder=4, clip_on=False)
        for ax, name in zip(side, _SIDES, strict=True):
            values = data[name].isel(alpha=place).transpose("epoch", "run").values
            ax.plot(epochs, values, color=colour, lw=0.4, alpha=0.45)
            line: Any = {"color": colour, "lw": 1.2, "ls": dash, "markevery": sorted(shown)}
            ax.plot(epochs, values.mean(1), marker=mark, ms=4, mfc="white", mew=1.0, **line)
    style.title(main, f"at $\\langle b\\rangle$ = {float(data['share'][at]):.2g}")
    main.set(**PROBABILITY)
    _by_epoch(side, epochs, bool((data.loss_sim > 0).all()))
    entries = [entry(place, alpha) for place, alpha in enumerate(data.alpha.values)]
    if data.sizes["run"] > 1:
        entries.append((style.sample(color=GREY, lw=0.6), "single runs"))
    for epoch, stage in shown.items():
        sample = style.sample(**{"color": GREY, "marker": "o", "mfc": None} | _STAGE | stage)
        entries.append((sample, f"epoch {epochs[epoch]}"))
    style.legend(figure, entries, **OUTSIDE)
    return figure


def _by_epoch(side: "list[Axes]", epochs: np.ndarray, logarithmic: bool) -> None:
    """Labels of the axes of accuracy and losses."""
    from matplotlib.ticker import MaxNLocator

    for ax, text in zip(side, _SIDES.values(), strict=True):
        ax.set_ylabel(text, fontsize=8)
        ax.set_xlim(epochs[0] - 0.3, epochs[-1] + 0.3)
        ax.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
        ax.tick_params(labelbottom=ax is side[-1])
    side[1].set_ylim(bottom=0)
    if logarithmic:
        style.plain_log(side[2], "y")
    side[0].figure.align_ylabels(side)  # pyright: ignore[reportAttributeAccessIssue]
    side[2].set_xlabel("epoch of training")


def _plane(ax: "Axes", data: "xarray.Dataset") -> tuple[list[tuple[Any, str]], Any, Any, Any]:
    """One alpha's plane: what the legend says; points to be named, their names, and what names should not cover."""
    share = data["share"].values
    (x, x_off), (y, y_off) = bounds(data, "p_i"), bounds(data, "p_s")
    own = data.p_own.mean("run").values
    (law,) = ax.plot(x, own, color="black", lw=1.2, ls=DASHES[1], zorder=2)
    ax.plot(x, y, color=COLOURS[0], lw=0.6, alpha=0.6, zorder=2)
    at, taken = nearest(share, MARKED), [(x, y), (x, own)]
    measured = style.marks(ax, x[at], y[at], COLOURS[0], FAMILY_MARKS["constant"], x_off[:, at], y_off[:, at])
    entries = [(measured, "constant, measured")]
    for family, colour in _GRADED:
        if f"{family}_p_s" in data:
            (a, a_off), (b, b_off) = bounds(data, f"{family}_p_i"), bounds(data, f"{family}_p_s")
            drawn = style.marks(ax, a, b, colour, FAMILY_MARKS[family], a_off, b_off)
            entries.append((drawn, f"{family}, measured"))
            taken += [(a, b), (a - a_off[0], b), (a + a_off[1], b), (a, b - b_off[0]), (a, b + b_off[1])]
    entries.append((law, "constant, if classes were\nas far apart as their\nimages (theorem 1)"))
    ceiling = ax.axhline(1 - float(data.tie_rate.mean()) / 2, color=GREY, lw=1.0, ls=DASHES[2], zorder=1)
    entries.append((ceiling, "most $p_S$ can be:\n1 − share of ties / 2"))
    named = nearest(share, _NAMED)
    (dots,) = ax.plot(x[named], y[named], FAMILY_MARKS["constant"], color=COLOURS[0], ms=5, ls="none", zorder=4)
    entries.insert(1, (dots, "the same at the $\\langle b\\rangle$ written"))
    texts = [f"{share[k]:.1g}" for k in named]
    return entries, list(zip(x[named], y[named], strict=True)), texts, np.concatenate(taken, axis=1).T
