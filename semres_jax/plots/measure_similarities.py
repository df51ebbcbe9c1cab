"""Pictures of measured judgements: people on the plane of both accuracies, their similarity, many items."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _measured, _style as style
from semres_jax.plots._style import BESIDE, COLOURS, GREY, PALE

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

_KINDS = {"similarity": "similarities", "confusion": "confusions", "dissimilarity": "dissimilarities"}
# Around what is drawn, as a share of it.
_ROOM = 0.06


@style.settable
def similarities_plane(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification of two items: people, what fits predict, over the fronts.

    Args:
        data: `measure.Judged.dataset()`.
        ax: where to draw.
    """
    ax, two = style.axes(ax, (7.0, 4.4)), data.isel(n=0)
    entries = _measured.fronts(ax, data) + _measured.predictions(ax, data)
    star: Any = {"ms": 11, "mew": 1.1}
    x_error, y_error = (style.reach(two, name).reshape(2, 1) for name in ("p_i", "p_s"))
    at = [float(two.p_i)], [float(two.p_s)]
    style.marks(ax, *at, "black", "*", x_error, y_error, **star, elinewidth=1.0, zorder=5, clip_on=True)
    text = f"people ({100 * data.attrs['level']:g} %)" if np.isfinite(float(two.p_s_low)) else "people"
    entries.insert(0, (style.sample(ls="none", marker="*", color="black", **star), text))
    ax.axhline(0.5, color=PALE, lw=0.8, zorder=0)
    style.legend(ax, entries)
    drawn = [float(two.p_i), *map(float, data.predicted_p_i)]
    ax.set(xlim=(min(0.5, *drawn) - _ROOM / 4, 1 + _ROOM / 4), **style.PLANE)
    style.title(ax, _named(data))
    return ax


@style.settable
def similarities_profile(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """What people say is alike over distance, with the families fitted to it. Arguments as above.

    Marks are means over pairs, bars their standard deviation; of many distances, neighbours are joined.
    """
    ax = style.axes(ax, (7.0, 4.2))
    given = data.attrs["geometry"] == "given"
    unit = "given distance between stimuli, $d$ (its own unit)" if given else "recovered distance, $d$ (largest = 1)"
    _measured.profile(ax, data, "people", unit)
    style.title(ax, _named(data))
    return ax


@style.settable
def similarities_items(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """n p_I against the number of items: people, the law of one number, the best fit. Arguments as above.

    The law has nothing that is fitted to more items than two; n p_I tends to 1/b by it, and is 1 by chance.
    """
    from semres_jax.laws import identification

    ax = style.axes(ax, (7.0, 4.2))
    n = data.n.values
    along = np.geomspace(2, max(float(n.max()), 2.01), 200)
    b = float(data.mean_b)
    ax.plot(along, along * identification(b, along), color=COLOURS[0], lw=1.6, label=f"law, $b$ = {b:.3g} by $n$ = 2")
    low, high = float(data.mean_b_low), float(data.mean_b_high)
    if np.isfinite([low, high]).all():
        below, above = (along * identification(np.clip(end, 0, 1), along) for end in (high, low))
        ax.fill_between(along, below, above, color=COLOURS[0], alpha=0.15, lw=0, zorder=0)
    for name, label, colour, dash in (
        ("law_p_i_by_probe", "law at every probe's own $b$", COLOURS[2], style.DASHES[3]),
        ("best_p_i", f"{data.attrs['best_family']} fit", COLOURS[1], style.DASHES[1]),
    ):
        ax.plot(n, n * data[name].values, color=colour, lw=1.2, ls=dash, label=label)
    style.marks(ax, n, n * data.p_i.values, "black", "o", None, n * style.reach(data, "p_i"), label="people")
    ax.axhline(1.0, color=GREY, lw=0.8, ls=":", label="chance")
    ax.set(xscale="log", xlabel="number of items, $n$", ylabel="$n$ times identification, $n\\,p_I$ (1 is chance)")
    style.ticks(ax, "x", n)
    ax.set_ylim(0, None)
    ax.legend(**BESIDE)
    style.title(ax, _named(data))
    return ax


@style.applied()
def save_similarities(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """All pictures as files in a folder, similarities_plane, .._profile, .._items; their names."""
    return style.save_drawn(data, folder, similarities_plane, similarities_profile, similarities_items)


def _named(data: "xarray.Dataset") -> str:
    who = f" of {data.attrs['subjects']} subjects" if data.attrs["subjects"] > 1 else ""
    where = "" if data.attrs["geometry"] == "given" else f"; recovered geometry, stress {data.attrs['stress']:.3f}"
    return f"{_KINDS[data.attrs['kind']]} of {data.attrs['stimuli']} stimuli{who}{where}"
