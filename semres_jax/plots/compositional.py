"""Pictures of codes for tuples of features: over the front of one similarity, predicted, and how slots are bound."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._fronts import along, front
from semres_jax.plots._style import COLOURS, DASHES, FAMILIES, GREY, OUTSIDE

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Colour and mark of ways to put slots together, and of a code without slots; what they are called.
_WAYS = {
    "product": (COLOURS[0], "o", "own slots, product"), "mean": (COLOURS[1], "s", "own slots, mean"),
    "gate": (COLOURS[2], "^", "own slots, learned gate"), "whole": (COLOURS[3], "D", "shared map"),
}  # fmt: skip
_ONE = (GREY, "h", "one slot")
# Marks along a path, about.
_MARKS = 25
# How far predictions may be from what is measured.
_BAR = 0.02


@style.settable
def compositional_plane(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Similarity of features against identification of wholes, over the fronts of one similarity.

    Marks are networks after the last step, means over runs with standard errors in both directions: larger ones have
    more slots, shape and colour are how slots are put together; full marks were trained on features alone, open ones
    end to end. Lines are the exact fronts of one similarity on the features of one slot, two items. Right: the same
    against the errors of identification, whose logarithm tells apart what is close to none.

    Args:
        data: what `experiments.compositional.study` makes.
        figure: to draw in, a part of another one (`Figure.subfigures`) for instance; a new one unless given.
    """
    figure = figure or style.new_figure(11.6, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    entries: list[tuple[Any, str]] = []
    for name in map(str, data.family.values):
        curve = data.sel(family=name).isel(point=np.isfinite(data.front_p_s.sel(family=name).values))
        look, floor = ("black", None, FAMILIES[name][2]), float(data.attrs["optimal_floor"])
        entries.append(front(left, name, curve.front_p_s.values, curve.front_p_i.values, look, floor))
        p_i, p_s = along(curve.front_p_s.values, curve.front_p_i.values)
        # Straight lines between points, as on the left.
        errors = np.union1d(1 - p_i, np.geomspace(1e-6, 1.0, 400))
        errors = errors[(errors >= max(1e-6, 1 - p_i[-1])) & (errors <= 1 - p_i[0])]
        right.plot(errors, np.interp(1 - errors, p_i, p_s), color="black", lw=1.4, ls=look[2], zorder=1)
    _rows(left, data, data.p_i, data.p_s)
    shown = _rows(right, data, 1 - data.p_i, data.p_s)[::2]
    style.legend(figure, [*entries, *_ways(data)], title=style.bars(data), **OUTSIDE)
    left.set(xlim=(None, 1.01), xlabel="identification of wholes, $p_I$ (probability)")
    left.set_ylabel("generalization over a feature, $p_S$ (probability)")
    style.plain_log(right, "x")
    right.set_xlabel("errors in identification, 1 - $p_I$ (probability)")
    right.set_xlim(1.4 * float(np.max(shown)), 0.6 * float(np.min(shown)))  # better is to the right in both
    return figure


@style.settable
def compositional_gate(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Whether training binds: the gate between product and mean, and the identification loss, against the step.

    Left: γ of networks that learn it, every run thin and the mean bold. Right: the identification loss of wholes on
    trials that were not trained on, means over runs in bands of one standard error, for a learned gate (lines) and
    for the product alone (marks).

    Args:
        data: what `experiments.compositional.study` makes.
        figure: to draw in, a part of another one (`Figure.subfigures`) for instance; a new one unless given.

    Raises:
        ValueError: no network has learned a gate.
    """
    rows = [str(name) for name in data.condition.values]
    learned = [place for place, name in enumerate(rows) if name.endswith("end to end, gate")]
    if not learned:
        raise ValueError("this picture needs networks with a learned gate, of two slots or more; there is none")
    figure = figure or style.new_figure(9.2, 3.6)
    left, right = figure.subplots(1, 2)
    step, entries = data.step.values, []
    every = max(1, step.size // _MARKS)
    for k, place in enumerate(learned):
        colour, mark, dash = style.look(k)
        gates = data.path_gate.isel(condition=place)
        left.plot(step, gates.values.T, color=colour, lw=0.5, alpha=0.4)
        left.plot(step, gates.mean("run"), color=colour, lw=1.8, ls=dash)
        product = rows[place].removesuffix("gate") + "product"
        for name, looks in (
            (rows[place], {"ls": dash}),
            (product, {"ls": "none", "marker": mark, "ms": 3, "markevery": every}),
        ):
            mean, error = style.over_runs(data.path_loss_id.sel(condition=name))
            right.plot(step, mean, color=colour, lw=1.2, **looks)
            right.fill_between(step, mean - error, mean + error, color=colour, alpha=0.2, lw=0)
        entries.append((style.sample(color=colour, lw=1.8, ls=dash, marker=mark, ms=3), rows[place].split(",")[0]))
    left.axhline(0.5, color=GREY, lw=0.9, ls=DASHES[2], zorder=1)
    left.set(ylim=(0, 1.02), ylabel="gate, $\\gamma$ (0: mean, 1: product)")
    right.set(ylabel="identification loss of wholes (nats)", yscale="log")
    for ax in (left, right):
        ax.set_xscale("symlog", linthresh=1)
        ax.set(xlim=(-0.1, step[-1] * 1.2), xlabel="step of Adam")
        style.ticks(ax, "x", [0, *(10.0**k for k in range(int(np.log10(max(step[-1], 1))) + 1))])
    entries += [
        (style.sample(color=GREY, lw=1.2), "lines: learned gate"),
        (style.sample(color=GREY, marker="o", ms=3, ls="none", mfc=GREY), "marks: product alone"),
    ]
    style.legend(right, entries)
    return figure


@style.settable
def compositional_predictions(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Identification of wholes that each slot's own fitted similarity predicts, against what is measured.

    Means over runs with standard errors; the black line is equality and the dotted ones are 0.02 off it. Marks and
    colours as in `compositional_plane`.

    Args:
        data: what `experiments.compositional.study` makes.
        ax: where to draw.
    """
    ax = style.axes(ax, (7.4, 4.4))
    data = data.isel(row=np.flatnonzero(data.code.values == "own"))
    values = _rows(ax, data, data.predicted_p_i, data.p_i)
    equal, ends = style.equality(ax, values, 0.01, color="black", lw=1.0)
    for off in (-_BAR, _BAR):
        ax.plot(ends, np.array(ends) + off, color=GREY, lw=0.9, ls=DASHES[2], zorder=1)
    entries: list[tuple[Any, str]] = [
        (equal, "measured = predicted"),
        (style.sample(color=GREY, lw=0.9, ls=DASHES[2]), f"off by {_BAR:g}"),
    ]
    style.legend(ax, [*entries, *_ways(data)], title=style.bars(data))
    ax.set(
        xlabel="$p_I$ of wholes, from each slot's fit (probability)", ylabel="$p_I$ of wholes, measured (probability)"
    )
    ax.set_box_aspect(1)
    return ax


@style.applied()
def save_compositional(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """The pictures of a study as PNG and SVG in a folder that there is; their names. Gates where some were learned."""
    draws: list[Any] = [compositional_plane, compositional_predictions]
    if any(str(name).endswith("end to end, gate") for name in data.condition.values):
        draws.append(compositional_gate)
    return style.save_drawn(data, folder, *draws)


def _rows(ax: "Axes", data: "xarray.Dataset", x: "xarray.DataArray", y: "xarray.DataArray") -> list[np.ndarray]:
    """A mark for every row at x and y over (row, run); the means over runs."""
    values: list[np.ndarray] = []
    for place in range(data.sizes["row"]):
        row = data.isel(row=place)
        colour, mark, _ = _ONE if row.slots == 1 else _WAYS[str(row.aggregate.values)]
        full = {} if str(row.training.values) == "end to end" else {"mfc": colour}
        values += style.marks_over_runs(ax, x[place], y[place], colour, mark, ms=_size(int(row.slots)), **full)[0]
    return values


def _size(slots: int) -> float:
    """Of a mark, in points."""
    return 2.5 + 1.2 * min(slots, 6)


def _ways(data: "xarray.Dataset") -> list[tuple[Any, str]]:
    """What a legend shows of ways, numbers of slots and trainings."""
    counts = np.unique(data.slots.values).tolist()
    there = set(data.aggregate.values[data.slots.values > 1].tolist())
    ways = [*([_ONE] if 1 in counts else []), *(look for way, look in _WAYS.items() if way in there)]
    entries = [(style.sample(color=colour, marker=mark, ls="none", mew=1.1), words) for colour, mark, words in ways]
    more = (count for count in counts if count > 1)
    sizes = [
        (style.sample(color=GREY, marker="o", ls="none", ms=_size(count)), f"{count} slots, in any shape")
        for count in more
    ]
    fills = [
        (style.sample(color=GREY, marker="o", ls="none", mfc=GREY), "trained on features alone"),
        (style.sample(color=GREY, marker="o", ls="none"), "trained end to end"),
    ]
    return entries + sizes + fills
