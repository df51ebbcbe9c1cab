"""Pictures of compositional codes: features' generalization against identification of wholes, and many items."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.frontier.slots import items_curve
from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, DASHES, GREY, MARKS, PALE

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# By aggregate: dash and width of a line.
_LINES: Any = {"product": ("-", 1.6), "mean": (DASHES[1], 1.1)}
_AGGREGATES = {"product": "product (conjunction)", "mean": "mean (addition)"}


@style.settable
def slots_plane(table: "xarray.Dataset", n: int | None = None, ax: "Axes | None" = None) -> "Axes":
    """Generalization of a feature against identification of wholes as the resolution grows, for numbers of slots.

    A colour a number of slots, a dash an aggregate; marks where features are generalized best. A single slot, in black,
    is the front of one similarity.

    Args:
        table: what `frontier.compositional` makes; of several spaces, similarities and floors the first.
        n: number of items; None: the first of the table.
        ax: where to draw; None: a new figure.
    """
    n = int(table.n[0]) if n is None else n
    part, ax = _first(table).sel(n=n), style.axes(ax, (6.6, 4.0))
    best = int(np.nanargmax(part.p_s))
    for place, slots in enumerate(part.slots.values):
        colour, mark = _look(part, place)
        for aggregate in part.aggregate.values[: 1 if slots == 1 else None]:
            row = part.sel(slots=slots, aggregate=aggregate)
            dash, width = _LINES[str(aggregate)] if slots > 1 else ("-", 2.2)
            ax.plot(row.p_i, row.p_s, color=colour, ls=dash, lw=width, zorder=2)
            ax.plot([row.p_i[best]], [row.p_s[best]], mark, color=colour, mfc="white", mew=1.2, ms=6, zorder=4)
    ax.plot([1 / n, 1], [1 / n, 1], color=PALE, lw=0.8, zorder=0)
    ax.set(
        xlabel=f"identification of wholes, $p_I$ (probability, {n} items)",
        ylabel="generalization of a feature,\n$p_S$ (probability)",
    )
    style.title(ax, _where(part))
    _legend(ax, part, "mark: largest $p_S$")
    return ax


@style.settable
def slots_items(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Identification of wholes against the number of items where features are generalized best, for numbers of slots.

    Marks where it is one half, by the product; that number grows like one over the ball measure of the whole, b^-S.
    Arguments as `slots_plane`; the constant similarity (`frontier.slots.items_curve`).
    """
    part, ax = items_curve(table), style.axes(ax, (6.6, 4.0))
    for place, slots in enumerate(part.slots.values):
        colour, mark = _look(part, place)
        for aggregate in part.aggregate.values[: 1 if slots == 1 else None]:
            row = part.sel(slots=slots, aggregate=aggregate)
            dash, width = _LINES[str(aggregate)] if slots > 1 else ("-", 2.2)
            ax.plot(row.n, row.p_i, color=colour, ls=dash, lw=width)
            if aggregate == "product" or slots == 1:
                ax.plot([row.items_at_half], [0.5], mark, color=colour, mfc="white", mew=1.2, ms=6, zorder=4)
    ax.axhline(0.5, color=GREY, lw=0.8, zorder=0)
    ax.set(ylim=(0, 1), xlabel="number of items, $n$", ylabel="identification of wholes, $p_I$ (probability)")
    style.plain_log(ax, "x")
    style.title(ax, f"{_where(_first(table))}, $b$ = {float(part.mean_b):.3g}")
    _legend(ax, part, "mark: one half")
    return ax


@style.settable
def slots_argument(table: "xarray.Dataset") -> "Figure":
    """`slots_plane` and `slots_items` side by side: where the tradeoff ends, and how far."""
    figure = style.new_figure(9.8, 3.8)
    left, right = figure.subplots(1, 2)
    slots_plane(table, ax=left)
    left.get_legend().remove()
    slots_items(table, ax=right)
    part = _first(table)
    _legend(right, part, "mark: largest $p_S$ (left),\n$p_I$ of one half (right)")
    return figure


@style.applied()
def save_slots(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """`slots_plane`, and where there is a closed form `slots_items` and both, as files in a folder; their names."""
    curve = bool(_first(table).items_at_half.notnull().all())
    draws = (slots_plane, slots_items, slots_argument) if curve else (slots_plane,)
    return style.save_drawn(table, folder, *draws)


def _first(table: "xarray.Dataset") -> "xarray.Dataset":
    return table.isel(space=0, similarity=0, delta=0)


def _look(part: "xarray.Dataset", place: int) -> tuple[str, str]:
    """Colour and mark of a number of slots; a single one is the law's own, black."""
    if part.slots.values[place] == 1:
        return "black", "o"
    place -= int(part.slots.values[0] == 1)
    return COLOURS[place % len(COLOURS)], MARKS[(place + 1) % len(MARKS)]


def _where(part: "xarray.Dataset") -> str:
    return f"{part.space.item()}, {part.similarity.item()}, $\\Delta$ = {float(part.delta):g}"


def _legend(ax: "Axes", part: "xarray.Dataset", heading: str) -> None:
    looks = [(*_look(part, place), int(slots)) for place, slots in enumerate(part.slots.values)]
    entries = [
        (style.sample(color=colour, marker=mark, lw=1.6), f"$S$ = {slots}" + ", one similarity" * (slots == 1))
        for colour, mark, slots in looks
    ]
    for name in part.aggregate.values:
        dash, width = _LINES[str(name)]
        entries.append((style.sample(color=GREY, ls=dash, lw=width), _AGGREGATES[str(name)]))
    style.legend(ax, entries, title=heading)
