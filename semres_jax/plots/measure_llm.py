"""Pictures of a language model's year task: the sweep between two people, many people, states of years by depth."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots._style import COLOURS, GREY, STYLE, axes, marks, save

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TASKS = {"identify": ("identification, $p_I$", COLOURS[0], "o"), "items": ("generalization, $p_S$", COLOURS[1], "s")}
# Marks at equal n are drawn beside each other, by this ratio.
_ASIDE = 1.035
_OUTSIDE: Any = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}


def llm_pairs(table: "xarray.Dataset", figure: "Figure | None" = None) -> list["Axes"]:
    """Probability of the later of two people against the probe's offset, a panel for each D, and the fitted curve.

    Marks are means over trials, each of both orders with both names, with a standard error; the line is the exponential
    similarity with biases, averaged over the same prompts.

    Args:
        table: what `semres measure llm` writes, with pairs.
        figure: to draw in.

    Returns:
        The axes, one for each D.
    """
    from matplotlib.figure import Figure

    halves = table.curve_half.values
    columns = min(3, len(halves))
    rows = -(-len(halves) // columns)
    figure = Figure(figsize=(2.4 * columns + 0.6, 2.0 * rows + 0.6), layout="constrained") if figure is None else figure
    every = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    x = table.curve_middle.values
    for k, (ax, half) in enumerate(zip(every.flat, halves, strict=False)):
        ax.axhline(0.5, color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=0)
        for side in (-half, half):
            ax.axvline(side, color=GREY, lw=0.7, zorder=0)
        (line,) = ax.plot(x, table.curve_fitted.values[k], color="black", lw=1.3, zorder=2)
        seen = marks(ax, x, table.curve_seen.values[k], None, table.curve_stderr.values[k], COLOURS[0], "o")
        ax.set_title(f"$D$ = {half:g} years", fontsize=9, loc="left")
        ax.set_ylim(0, 1)
        if k == 0:
            ax.legend([seen, line], ["model", "exponential fit"], loc="lower left", handlelength=1.6, borderaxespad=0.1)
    for ax in list(every.flat)[len(halves) :]:
        ax.set_visible(False)
    figure.supxlabel("year asked for, from the middle of both (years)", fontsize=9)
    figure.supylabel("probability of the later one", fontsize=9)
    return list(every.flat)[: len(halves)]


def llm_items(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Accuracies against the number of people, with 95 % intervals, chance, and the law fitted to identification.

    Args:
        table: what `semres measure llm` writes, with items or identify.
        ax: where to draw.

    Returns:
        The axes, both logarithmic.
    """
    ax = axes(ax, (6.8, 3.8))
    lowest, where = 1.0, np.array([])
    for k, (task, (label, colour, mark)) in enumerate(_TASKS.items()):
        if f"{task}_at" not in table:
            continue
        n, value = table[f"{task}_at"].values, table[f"{task}_cell_p_right_value"].values
        low, high = (table[f"{task}_cell_p_right_{end}"].values for end in ("low", "high"))
        where, lowest = n, min(lowest, low.min(), (1 / n).min())
        beside = n * _ASIDE ** (2 * k - 1)
        marks(ax, beside, value, None, np.stack([value - low, high - value]), colour, mark).set_label(label)
        if task == "identify" and "law_probability_predicted" in table:
            ax.plot(n, table.law_probability_predicted, color=colour, lw=2.2, label="law fitted to $p_I$", zorder=1)
    if where.size:
        ax.plot(where, 1 / where, color="black", lw=0.9, ls=(0, (4, 2)), label="chance, $1/n$", zorder=2)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(where, [f"{n:g}" for n in where])
    ax.minorticks_off()
    ticks = [y for y in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if y >= lowest * 0.8]
    ax.set_yticks(ticks, [f"{y:g}" for y in ticks])
    ax.set_ylim(lowest * 0.8, 1.05)
    ax.set_xlabel("number of people, $n$")
    ax.set_ylabel("probability of the right name")
    ax.legend(**_OUTSIDE)
    return ax


def llm_layers(table: "xarray.Dataset", figure: "Figure | None" = None) -> list["Axes"]:
    """Both accuracies of the states of years by depth (95 % intervals), and their resolution (one standard error).

    Args:
        table: what `semres measure llm` writes, with layers.
        figure: to draw in.

    Returns:
        Two axes: accuracies above, resolution in years below.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 5.2), layout="constrained") if figure is None else figure
    above, below = figure.subplots(2, 1, sharex=True)
    depth = np.arange(table.sizes["layer"])
    above.axhline(0.5, color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=0)
    for name, (label, colour, mark) in (("p_i", _TASKS["identify"]), ("p_s", _TASKS["items"])):
        value = table[f"layer_{name}"].values
        ends = [value - table[f"layer_{name}_low"].values, table[f"layer_{name}_high"].values - value]
        marks(above, depth, value, None, np.maximum(np.stack(ends), 0), colour, mark).set_label(label)
    above.set_ylabel("accuracy of two")
    above.legend(**_OUTSIDE)
    families, epsilon = table.layer_family.values.astype(str), table.layer_epsilon.values
    bottom = 0.7 * epsilon.min()  # a logarithmic axis has no place for errors that reach 0
    for k, family in enumerate(sorted(set(families.tolist()))):
        here = families == family
        error = np.nan_to_num(table.layer_epsilon_stderr.values[here])
        both = np.stack([np.minimum(error, epsilon[here] - bottom), error])
        marks(below, depth[here], epsilon[here], None, both, COLOURS[k + 2], "^Dv"[k]).set_label(family)
    below.set_yscale("log")
    below.set_ylim(bottom=bottom)
    below.set_ylabel("resolution, $\\epsilon$ (years)")
    below.set_xlabel("layer (0: the embedding)")
    below.legend(**_OUTSIDE)
    return [above, below]


def save_measure_llm(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Pictures of what there is, llm_pairs, llm_items and llm_layers, as files in a folder; their names."""
    from matplotlib import rc_context

    told = f"{table.attrs.get('model', '')}, template {table.attrs.get('template', '')}"
    written: list[str] = []
    with rc_context(STYLE):
        for name, draw, there in (
            ("llm_pairs", llm_pairs, "curve_half" in table),
            ("llm_items", llm_items, "items_at" in table or "identify_at" in table),
            ("llm_layers", llm_layers, "layer" in table.sizes),
        ):
            if there:
                drawn: Any = draw(table)
                figure = (drawn[0] if isinstance(drawn, list) else drawn).figure
                figure.suptitle(told if name != "llm_layers" else told.split(",")[0], fontsize=9, x=0.01, ha="left")
                written += save(figure, folder, name)
    return written
