"""Pictures of the best similarity there is: a colour for each floor, a style of line for each family."""

import os
from typing import TYPE_CHECKING, Any

from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, DASHES, PLANE

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# Around the fronts, as a share of what is between chance and certainty.
_ROOM = 0.04


@style.settable
def optimal_fronts(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification: the front of all similarities, and those of the usual ones, by floor.

    The end of a front to the left is the best p_S there is, where p_S = p_I (the grey line); that to the right the best
    p_I. Of each family the front too is drawn: from the resolution of its best p_S to that of 0.

    Args:
        table: what `frontier.optimal_table` makes; the first six floors are drawn.
        ax: where to draw.
    """
    ax = style.axes(ax, (6.8, 4.4))
    chance = 1 / int(table.attrs["n"])
    ax.plot([chance, 1], [chance, 1], color="#b8b8b8", lw=0.8, zorder=0)
    # The line of the best of all takes the dash that is usual for the linear family.
    dashes = {name: dash for name, (_, _, dash) in style.family_looks(map(str, table.family.values)).items()}
    dashes |= {"linear": DASHES[2]} if "linear" in dashes else {}
    for delta, colour in zip(table.delta.values, COLOURS, strict=False):
        row = table.sel(delta=delta)
        for name, dash in dashes.items():
            front = row.sel(family=name)
            # Resolutions grow along the table: what comes after the best p_S is worse for both.
            shown = slice(int(front.front_p_s.values.argmax()) + 1)
            ax.plot(front.front_p_i[shown], front.front_p_s[shown], color=colour, lw=0.9, ls=dash, zorder=2)
        ax.plot(row.p_i, row.p_s, color=colour, lw=1.9, zorder=3)
        best = row.isel(weight=-1)
        ax.plot([best.p_i], [best.p_s], "o", color=colour, mfc="white", mew=1.3, ms=5.5, zorder=4)
        # Left of the mark is free, and the marks climb the diagonal in the order of the floors.
        style.note(ax, f"$\\Delta$ = {delta:g}", (best.p_i.item(), best.p_s.item()), (-7, 3), ha="right", color=colour)
    entries = [
        (style.sample(color="black", lw=1.9), "best of all"),
        (style.sample(color="black", marker="o", mew=1.3, ms=5.5, ls="none"), "best $p_S$"),
        *((style.sample(color="black", lw=0.9, ls=dash), name) for name, dash in dashes.items()),
        (style.sample(color="#b8b8b8", lw=0.8), "$p_S = p_I$"),
    ]
    style.legend(ax, entries)
    top = float(max(table.p_s.max(), table.front_p_s.max()))
    margin = _ROOM * (1 - chance)
    ax.set(xlim=(chance - margin / 2, 1 + margin / 2), ylim=(chance - margin / 2, top + margin), **PLANE)
    return ax


@style.settable
def optimal_similarities(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """The similarity that generalizes best, h against u = b(d), for each floor; the best constant one beside it.

    u is the share of stimuli that are closer; h is on a logarithmic axis. Plateaus at both ends are the atoms.
    Arguments as `optimal_fronts`.
    """
    ax = style.axes(ax, (6.8, 4.0))
    floors = table.delta.values[: len(COLOURS)]
    for delta, colour in zip(floors, COLOURS, strict=False):
        row = table.sel(delta=delta)
        b = float(row.constant_b)
        ax.plot(row.u, row.isel(weight=-1).h, color=colour, lw=1.9, zorder=3)
        ax.plot([0, b, b, 1], [1, 1, delta, delta], color=colour, lw=0.9, ls=DASHES[1], zorder=2)
        text: Any = {"va": "center", "color": colour, "annotation_clip": False}
        style.note(ax, f"$\\Delta$ = {delta:g}", (1.0, delta), (4, 0), **text)
    ax.set(yscale="log", xlim=(0, 1), ylim=(float(floors.min()) * 0.75, 1.25))
    lines = [style.sample(color="black", lw=1.9), style.sample(color="black", lw=0.9, ls=DASHES[1])]
    ax.legend(lines, ["best of all", "best constant"], loc="lower left")
    ax.set(xlabel="$u = b(d)$, share of all stimuli that are closer", ylabel="similarity, $h(u)$ (1 = same)")
    return ax


@style.applied()
def save_optimal(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Both pictures as files in a folder, optimal_fronts and optimal_similarities; their names."""
    n = int(table.attrs["n"])
    pictures = {"optimal_fronts": optimal_fronts(table), "optimal_similarities": optimal_similarities(table)}
    style.title(pictures["optimal_fronts"], f"All similarities with values in [$\\Delta$, 1], $n$ = {n} items")
    style.title(pictures["optimal_similarities"], f"What generalizes best ($p_S$ alone), $n$ = {n} items")
    return style.save_pictures(pictures, folder)
