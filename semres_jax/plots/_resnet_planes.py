"""Pictures of image networks in the plane of accuracies: where they are at every resolution, and how they got there."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots._resnet_shared import (
    GENERALIZATION,
    IDENTIFICATION,
    INTERVALS,
    MARKED,
    alpha_text,
    bounds,
    handle,
    label,
    nearest,
    panels,
    plain_log,
    under,
)
from semres_jax.plots._style import COLOURS, GREY, STYLE, marks
from semres_jax.plots._toy_shared import DASHES, FAMILY_MARKS, RIGHT, look, title

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GRADED = (("linear", COLOURS[2]), ("exponential", COLOURS[1]))
# Shares that are named in the plane, and the one at which training is followed.
_NAMED, _FOLLOWED = (0.1, 0.5), 0.25
# Marks of the first, middle and last epoch.
_STAGES: Any = (
    {"ms": 5, "mfc": "white"},
    {"ms": 6, "fillstyle": "left", "markerfacecoloralt": "white"},
    {"ms": 6.5},
)
_SIDES = ("accuracy\n(share of images)", "cross-entropy\n(nats)", "loss of distances\n(mean square)")


def resnet_plane(data: "xarray.Dataset") -> "Figure":
    """The plane of accuracies, a panel for each alpha: measured marks, theorem 1 as a line, graded similarities.

    Marks are means over runs with 95 % intervals over runs and images. The dashed line is p_S as it would be if classes
    were as far apart as their images. As ε goes to 0, identification falls to chance: the probe is another image.

    Args:
        data: what `experiments.images.study` makes.

    Returns:
        The figure.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    count = data.sizes["alpha"]
    columns, rows = min(count, 3), -(-count // 3)
    with rc_context(STYLE):
        figure = Figure(figsize=(2.6 * columns + 2.3, 2.6 * rows + 0.5), layout="constrained")
        made = panels(figure, count, sharex=True, sharey=True)
        told = [_plane(ax, data.isel(alpha=place)) for place, ax in enumerate(made)]
        entries = told[0][0]
        for place, ax in enumerate(made):
            title(ax, alpha_text(data.alpha.values[place]))
        made[columns - 1].legend([h for h, _ in entries], [t for _, t in entries], title=f"bars: {INTERVALS}", **RIGHT)
        figure.supylabel(GENERALIZATION, fontsize=9)
        under(figure, made, IDENTIFICATION)
        for ax, (_, points, texts, taken) in zip(made, told, strict=True):
            label(ax, points, texts, taken)
    return figure


def resnet_paths(data: "xarray.Dataset") -> "Figure":
    """Training: the way through the plane of accuracies at one mean ball measure, and accuracy and losses by epoch.

    Runs are thin lines, their means bold; the first, middle and last epoch have a mark.

    Args:
        data: what `experiments.images.study` makes.

    Returns:
        The figure, the plane left.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    at = int(np.abs(data["share"].values - _FOLLOWED).argmin())
    epochs = data.epoch.values
    shown = {int(k): style for k, style in zip((0, (len(epochs) - 1) // 2, -1 % len(epochs)), _STAGES, strict=True)}
    with rc_context(STYLE):
        figure = Figure(figsize=(9.4, 4.4), layout="constrained")
        main, *side = figure.subplot_mosaic(
            [["plane", "accuracy"], ["plane", "loss_id"], ["plane", "loss_sim"]], width_ratios=(1.7, 1)
        ).values()
        xs, ys = (
            data[f"path_{name}"].isel(share=at).transpose("alpha", "run", "epoch").values for name in ("p_i", "p_s")
        )
        for place in range(data.sizes["alpha"]):
            colour, mark, dash = look(place)
            for x, y in zip(xs[place], ys[place], strict=True):
                main.plot(x, y, color=colour, lw=0.5, alpha=0.45, zorder=2)
            x, y = xs[place].mean(0), ys[place].mean(0)
            main.plot(x, y, color=colour, lw=1.6, ls=dash, zorder=2.5)
            for epoch, style in shown.items():
                main.plot(
                    x[epoch], y[epoch], color=colour, marker=mark, ls="none", mew=1.1, zorder=4, clip_on=False, **style
                )
            for ax, name in zip(side, ("accuracy", "loss_id", "loss_sim"), strict=True):
                values = data[name].isel(alpha=place).transpose("run", "epoch").values
                for run in values:
                    ax.plot(epochs, run, color=colour, lw=0.4, alpha=0.45)
                ax.plot(
                    epochs, values.mean(0), color=colour, lw=1.2, ls=dash, marker=mark, ms=4, mfc="white", mew=1.0,
                    markevery=sorted(shown),
                )  # fmt: skip
        title(main, f"at $\\langle b\\rangle$ = {float(data['share'][at]):.2g}")
        main.set_xlabel(IDENTIFICATION)
        main.set_ylabel(GENERALIZATION)
        for ax, text in zip(
            side,
            ("accuracy\n(share of images)", "cross-entropy\n(nats)", "loss of distances\n(mean square)"),
            strict=True,
        ):
            ax.set_ylabel(text, fontsize=8)
            ax.set_xlim(epochs[0] - 0.3, epochs[-1] + 0.3)
            ax.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
        for ax in side[:-1]:
            ax.tick_params(labelbottom=False)
        side[1].set_ylim(bottom=0)
        if (data.loss_sim > 0).all():
            plain_log(side[2], "y")
        figure.align_ylabels(side)
        side[2].set_xlabel("epoch of training")
        entries = [(handle(k), alpha_text(alpha)) for k, alpha in enumerate(data.alpha.values)]
        if data.sizes["run"] > 1:
            entries.append((Line2D([], [], color=GREY, lw=0.6), "single runs"))
        entries += [
            (Line2D([], [], color=GREY, marker="o", ls="none", mew=1.1, **style), f"epoch {epochs[epoch]}")
            for epoch, style in shown.items()
        ]
        figure.legend([h for h, _ in entries], [t for _, t in entries], loc="outside right upper", handlelength=2.8)
    return figure


def _plane(ax: "Axes", one: "xarray.Dataset") -> tuple[list[tuple[Any, str]], Any, list[str], np.ndarray]:
    """One alpha's plane.

    Returns:
        What the legend says; points to be named, their names, and what names should not cover.
    """
    share = one["share"].values
    (x, x_off), (y, y_off) = bounds(one, "p_i"), bounds(one, "p_s")
    own = one.p_own.mean("run").values
    (law,) = ax.plot(x, own, color="black", lw=1.2, ls=DASHES[1], zorder=2)
    ax.plot(x, y, color=COLOURS[0], lw=0.6, alpha=0.6, zorder=2)
    at, taken = nearest(share, MARKED), [(x, y), (x, own)]
    measured = marks(ax, x[at], y[at], x_off[:, at], y_off[:, at], COLOURS[0], FAMILY_MARKS["constant"])
    entries = [(measured, "constant, measured")]
    for family, colour in _GRADED:
        if f"{family}_p_s" in one:
            (a, a_off), (b, b_off) = bounds(one, f"{family}_p_i"), bounds(one, f"{family}_p_s")
            drawn = marks(ax, a, b, a_off, b_off, colour, FAMILY_MARKS[family])
            entries.append((drawn, f"{family}, measured"))
            taken += [(a, b), (a - a_off[0], b), (a + a_off[1], b), (a, b - b_off[0]), (a, b + b_off[1])]
    entries.append((law, "constant, if classes were\nas far apart as their\nimages (theorem 1)"))
    ceiling = ax.axhline(1 - float(one.tie_rate.mean()) / 2, color=GREY, lw=1.0, ls=DASHES[2], zorder=1)
    entries.append((ceiling, "most $p_S$ can be:\n1 − share of ties / 2"))
    named = nearest(share, _NAMED)
    (dots,) = ax.plot(x[named], y[named], FAMILY_MARKS["constant"], color=COLOURS[0], ms=5, ls="none", zorder=4)
    entries.insert(1, (dots, "the same at the $\\langle b\\rangle$ written"))
    texts = [f"{share[k]:.1g}" for k in named]
    return entries, list(zip(x[named], y[named], strict=True)), texts, np.concatenate(taken, axis=1).T
