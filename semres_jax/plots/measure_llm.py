"""Pictures of a language model's year task: the sweep between two people, many people, states of years by depth."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._style import BESIDE, COLOURS, GENERALIZATION, GREY, IDENTIFICATION

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_TASKS = {"identify": (IDENTIFICATION, COLOURS[0], "o"), "items": (GENERALIZATION, COLOURS[1], "s")}
# Marks at equal n are drawn beside each other, by this ratio.
_ASIDE = 1.035


@style.settable
def llm_pairs(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Probability of the later of two people against the probe's offset, a panel for each D, and the fitted curve.

    Marks are means over trials, each of both orders with both names, with a standard error; the line is the exponential
    similarity with biases, averaged over the same prompts.

    Args:
        table: what `semres measure llm` writes, with pairs.
        figure: to draw in, a part of another one (`Figure.subfigures`) for instance; a new one unless given.
    """
    halves, x = table.curve_half.values, table.curve_middle.values
    made = style.panels(len(halves), 3, (2.4, 2.0), (0.6, 0.6), figure, sharex=True, sharey=True)
    for k, (ax, half) in enumerate(zip(made, halves, strict=True)):
        ax.axhline(0.5, color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=0)
        for side in (-half, half):
            ax.axvline(side, color=GREY, lw=0.7, zorder=0)
        (line,) = ax.plot(x, table.curve_fitted.values[k], color="black", lw=1.3, zorder=2)
        seen = style.marks(ax, x, table.curve_seen.values[k], COLOURS[0], "o", None, table.curve_stderr.values[k])
        style.title(ax, f"$D$ = {half:g} years")
        ax.set_ylim(0, 1)
        if k == 0:
            ax.legend([seen, line], ["model", "exponential fit"], loc="lower left", handlelength=1.6, borderaxespad=0.1)
    drawn: Any = made[0].figure
    drawn.supxlabel("year asked for, from the middle of both (years)", fontsize=9)
    drawn.supylabel("probability of the later one", fontsize=9)
    return drawn


@style.settable
def llm_items(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Accuracies against the number of people, with 95 % intervals, chance, and the law fitted to identification.

    Both axes are logarithmic. Arguments as `llm_pairs`, the table with items or identify, and `ax` where to draw.
    """
    ax = style.axes(ax, (6.8, 3.8))
    lowest, where = 1.0, np.array([])
    for k, (task, (label, colour, mark)) in enumerate(_TASKS.items()):
        if f"{task}_at" not in table:
            continue
        n, value = table[f"{task}_at"].values, table[f"{task}_cell_p_right_value"].values
        where, lowest = n, min(lowest, table[f"{task}_cell_p_right_low"].values.min(), (1 / n).min())
        error = style.reach(table, f"{task}_cell_p_right", value)
        style.marks(ax, n * _ASIDE ** (2 * k - 1), value, colour, mark, None, error, label=label)
        if task == "identify" and "law_probability_predicted" in table:
            ax.plot(n, table.law_probability_predicted, color=colour, lw=2.2, label="law fitted to $p_I$", zorder=1)
    if where.size:
        ax.plot(where, 1 / where, color="black", lw=0.9, ls=(0, (4, 2)), label="chance, $1/n$", zorder=2)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    style.ticks(ax, "x", where)
    style.ticks(ax, "y", [y for y in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if y >= lowest * 0.8])
    ax.set(ylim=(lowest * 0.8, 1.05), xlabel="number of people, $n$", ylabel="probability of the right name")
    ax.legend(**BESIDE)
    return ax


@style.settable
def llm_layers(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Both accuracies of the states of years by depth (95 % intervals), and their resolution (one standard error).

    Arguments as `llm_pairs`, the table with layers. Accuracies are above, the resolution in years below.
    """
    figure = figure or style.new_figure(7.4, 5.2)
    above, below = figure.subplots(2, 1, sharex=True)
    depth = np.arange(table.sizes["layer"])
    above.axhline(0.5, color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=0)
    for name, (label, colour, mark) in (("p_i", _TASKS["identify"]), ("p_s", _TASKS["items"])):
        name = f"layer_{name}"
        style.marks(above, depth, table[name].values, colour, mark, None, style.reach(table, name), label=label)
    above.set_ylabel("accuracy of two")
    above.legend(**BESIDE)
    families, epsilon = table.layer_family.values.astype(str), table.layer_epsilon.values
    bottom = 0.7 * epsilon.min()  # a logarithmic axis has no place for errors that reach 0
    for k, family in enumerate(sorted(set(families.tolist()))):
        here = families == family
        error = np.nan_to_num(table.layer_epsilon_stderr.values[here])
        both = [np.minimum(error, epsilon[here] - bottom), error]
        style.marks(below, depth[here], epsilon[here], COLOURS[k + 2], "^Dv"[k], None, both, label=family)
    below.set(yscale="log", ylim=(bottom, None), xlabel="layer (0: the embedding)")
    below.set_ylabel("resolution, $\\epsilon$ (years)")
    below.legend(**BESIDE)
    return figure


@style.applied()
def save_measure_llm(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Pictures of what there is, llm_pairs, llm_items and llm_layers, as files in a folder; their names."""
    heading = f"{table.attrs.get('model', '')}, template {table.attrs.get('template', '')}"
    pictures: dict[str, Any] = {}
    if "curve_half" in table:
        pictures["llm_pairs"] = llm_pairs(table)
    if "items_at" in table or "identify_at" in table:
        pictures["llm_items"] = llm_items(table).figure
    if "layer" in table.sizes:
        pictures["llm_layers"] = llm_layers(table)
    for name, figure in pictures.items():
        style.heading(figure, heading.split(",")[0] if name == "llm_layers" else heading)
    return style.save_pictures(pictures, folder)
