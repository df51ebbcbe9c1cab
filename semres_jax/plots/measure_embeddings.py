"""Pictures of measured embeddings: the model on the plane of both accuracies, its similarity, its thresholds."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _measured, _style as style
from semres_jax.plots._style import COLOURS, GENERALIZATION, GREY, PALE, RIGHT

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# Around what is drawn, as a share of it.
_ROOM = 0.06


@style.settable
def embeddings_plane(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification: the model, its thresholds, what fits predict, over the fronts.

    Args:
        data: `measure.Embedded.dataset()`.
        ax: where to draw.
    """
    ax = style.axes(ax, (7.0, 4.4))
    entries = _measured.fronts(ax, data)
    (line,) = ax.plot(data.level_p_i, data.level_p_s, color=GREY, lw=0.8, marker=".", ms=3, zorder=2)
    entries.append((line, "thresholds of its dissimilarity"))
    entries += _measured.predictions(ax, data)
    star: Any = {"ms": 11, "mew": 1.1}
    x_error, y_error = (style.reach(data, name).reshape(2, 1) for name in ("p_i", "p_s"))
    at = [float(data.p_i)], [float(data.p_s)]
    style.marks(ax, *at, "black", "*", x_error, y_error, **star, elinewidth=1.0, zorder=5, clip_on=True)
    text = "the model (95 %)" if np.isfinite(float(data.p_s_low)) else "the model"
    entries.insert(0, (style.sample(ls="none", marker="*", color="black", **star), text))
    chance = 1 / int(data.attrs["n"])
    ax.axhline(chance, color=PALE, lw=0.8, zorder=0)
    style.legend(ax, entries)
    ax.set(xlim=(min(chance, float(data.level_p_i.min())) - _ROOM / 4, 1 + _ROOM / 4), **style.PLANE)
    style.title(ax, _named(data))
    return ax


@style.settable
def embeddings_profile(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """The model's own similarity over the given distances, with the families fitted to it. Arguments as above.

    Marks are means over pairs, bars their standard deviation; of many distances, neighbours are joined.
    """
    ax = style.axes(ax, (7.0, 4.2))
    _measured.profile(ax, data, "the model", "given distance between stimuli, $d$ (its own unit)")
    style.title(ax, _named(data))
    return ax


@style.settable
def embeddings_levels(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Both accuracies of thresholds on the model's dissimilarity, against the share within. Arguments as above."""
    ax = style.axes(ax, (7.0, 4.0))
    share = data.level_mean_b.values
    for name, label, colour, mark in (
        ("level_p_s", GENERALIZATION, COLOURS[0], "o"),
        ("level_p_i", style.IDENTIFICATION, COLOURS[1], "s"),
    ):
        style.marks(ax, share, data[name].values, colour, mark, None, style.reach(data, name), label=label)
    if str(data.attrs["design"]) == "classes":
        ax.plot(share, data.level_hit_rate, color=GREY, lw=1.2, ls=(0, (4, 1.5)), label="hit rate (own class within)")
    ax.axhline(1 / int(data.attrs["n"]), color=PALE, lw=0.8, zorder=0)
    ax.set(xlim=(-0.02, 1.02), xlabel="share of other stimuli within the threshold, $\\langle b \\rangle$")
    ax.set_ylabel("probability of a right answer")
    ax.legend(**RIGHT)
    style.title(ax, _named(data))
    return ax


@style.applied()
def save_embeddings(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """All pictures as files in a folder, embeddings_plane, embeddings_profile, embeddings_levels; their names."""
    return style.save_drawn(data, folder, embeddings_plane, embeddings_profile, embeddings_levels)


def _named(data: "xarray.Dataset") -> str:
    what = "stimuli" if data.attrs["design"] == "stimuli" else "classes"
    sampled = f"; sampled: {data.attrs['sampled']}" if data.attrs["sampled"] else ""
    text = f"{data.attrs['rows']} embeddings of {data.attrs['stimuli']} {what}, {data.attrs['similarity']} similarity"
    return text + (sampled if len(sampled) < 60 else "; sampled")
