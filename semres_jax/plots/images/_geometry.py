"""Picture of the geometry of image networks' embeddings, by epoch and against alpha, beside their accuracies."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, DASHES, GENERALIZATION, GREY, IDENTIFICATION, OUTSIDE
from semres_jax.plots.images._looks import bounds, entry

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# What is drawn by epoch.
_PATHS = {
    "nc1": "NC1: within /\nbetween classes",
    "nc2_angles": "NC2: mean\n|cos + 1/(C − 1)|",
    "participation": "effective dimension\n(participation ratio)",
}
_COLLAPSE = {"nc1": "NC1", "nc2_angles": "NC2, angles", "nc3": "NC3, weights"}
_DIMENSIONS = {"participation": "all images", "class_participation": "class means"}
# Share of other classes' images within ε at which accuracies are drawn.
_AT = 0.25


@style.settable
def resnet_geometry(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Neural collapse and effective dimension of the test images: by epoch above, against alpha below, with accuracies.

    Above: NC1, NC2 (angles) and the participation ratio after each epoch (`measure.geometry`); runs are thin lines,
    means bold. Below, after the last epoch, against alpha: NC1, NC2 and NC3; the participation ratio of all images and
    of the class means; p_S and p_I at one mean ball measure. NC is 0 where collapse is complete. Bars are standard
    errors over runs, those of accuracies 95 % intervals over runs and images. Arguments as for `resnet_alpha`.
    """
    figure = figure or style.new_figure(11.6, 5.4)
    above, below = figure.subplots(2, 3)
    _by_epoch(above, data)
    entries = [entry(place, alpha) for place, alpha in enumerate(data.alpha.values)]
    if data.sizes["run"] > 1:
        entries.append((style.sample(color=GREY, lw=0.6), "single runs"))
    style.legend(figure, entries, title="above", **OUTSIDE)
    last = data.isel(epoch=-1)
    _against_alpha(below[0], last, _COLLAPSE, "neural collapse,\n0 where complete")
    if all((last[name] > 0).all() for name in _COLLAPSE):
        style.plain_log(below[0], "y")
    _against_alpha(below[1], last, _DIMENSIONS, "effective dimension\n(participation ratio)")
    below[1].set_ylim(bottom=0)
    at = int(np.abs(data["share"].values - _AT).argmin())
    here = data.isel(share=at)
    for place, (name, word) in enumerate((("p_s", GENERALIZATION), ("p_i", IDENTIFICATION))):
        mean, error = bounds(here, name)
        _points(below[2], data.alpha.values, mean, error, place, word)
    below[2].set(
        xlabel="weight of the loss of distances, α",
        ylabel=f"accuracy at $\\langle b\\rangle$ = {float(data['share'][at]):.2g}\n(probability)",
    )
    for ax in below:
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2, ncols=3, columnspacing=1.2)
    return figure


def _by_epoch(panels: Any, data: "xarray.Dataset") -> None:
    from matplotlib.ticker import MaxNLocator

    for ax, (name, text) in zip(panels, _PATHS.items(), strict=True):
        for place in range(data.sizes["alpha"]):
            colour, mark, dash = style.look(place)
            values = data[name].isel(alpha=place).transpose("epoch", "run").values
            ax.plot(data.epoch.values, values, color=colour, lw=0.4, alpha=0.45)
            line: Any = {"color": colour, "lw": 1.2, "ls": dash, "marker": mark, "ms": 4, "mfc": "white", "mew": 1.0}
            ax.plot(data.epoch.values, values.mean(1), **line)
        if name == "nc1" and (data[name] > 0).all():
            style.plain_log(ax, "y")
        else:
            ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
        ax.set(xlabel="epoch of training", ylabel=text)


def _against_alpha(ax: "Axes", last: "xarray.Dataset", names: dict[str, str], text: str) -> None:
    for place, (name, word) in enumerate(names.items()):
        mean, error = style.over_runs(last[name])
        _points(ax, last.alpha.values, mean, error, place, word)
    ax.set(xlabel="weight of the loss of distances, α", ylabel=text)


def _points(ax: "Axes", alpha: Any, mean: Any, error: Any, place: int, word: str) -> None:
    style.marks(ax, alpha, mean, COLOURS[place], style.MARKS[place], None, error, label=word)
    ax.plot(alpha, mean, color=COLOURS[place], lw=0.8, ls=DASHES[place], zorder=2)
