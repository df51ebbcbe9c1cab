"""Picture of how the stimuli of toy networks share the dimensions of the embedding, beside their accuracies."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._style import DASHES, GREY, OUTSIDE
from semres_jax.plots.toy._runs import own

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Records between two marks.
_EVERY = 5


@style.settable
def toy_geometry(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """How stimuli share the dimensions while networks learn, and which accuracies go with it.

    Left: dimensions of a stimulus, ‖w_i‖² / Σ_j (ŵ_i·w_j)² (Elhage et al. 2022), mean over stimuli and runs with a band
    of one standard error; dotted, the most that it can be, hidden dimensions over stimuli. Middle: interference of the
    other stimuli over a stimulus's own weight, all of it (open marks) and what the ReLU lets through (full marks).
    Right: p_S (full) and p_I (open) against the dimensions of a stimulus at the same steps.

    Args:
        data: what `experiments.toy.study` makes.
        figure: to draw in, a part of another one (`Figure.subfigures`) for instance; a new one unless given.
    """
    figure = figure or style.new_figure(12.0, 3.4)
    left, middle, right = figure.subplots(1, 3)
    step, entries = data.step.values, []
    shown = np.arange(step.size) % _EVERY == 0
    for place, name in enumerate(data.condition.values):
        row, (colour, mark, dash) = data.isel(condition=place), style.look(place)
        looks: Any = {"color": colour, "ls": dash, "lw": 1.2, "marker": mark, "ms": 4, "mew": 1.0}
        dimensions, _ = _path(left, step, row.mean_feature_dimensions, shown, **looks, mfc="white")
        left.axhline(float(row.hidden / row.stimuli), color=colour, lw=0.9, ls=DASHES[2], zorder=1)
        for what, fill in (("interference", "white"), ("passed_interference", colour)):
            _path(middle, step, row[what], shown, **looks, mfc=fill)
        for accuracy, fill in (("p_s", colour), ("p_i", "white")):
            y, _ = style.over_runs(own(data, accuracy).isel(condition=place))
            right.plot(dimensions, y, **looks, mfc=fill, markevery=np.flatnonzero(shown).tolist())
        entries.append((style.sample(**looks), str(name)))
    for ax in (left, middle):
        ax.set_xscale("symlog", linthresh=1)
        ax.set(xlim=(-0.3, step[-1] * 1.3), xlabel="step of Adam", box_aspect=0.9)
        style.ticks(ax, "x", [0, *(10.0**k for k in range(int(np.log10(max(step[-1], 1))) + 1))])
    left.set(ylabel="dimensions of a stimulus", ylim=(0, None))
    middle.set(ylabel="interference / own weight")
    if float(data.passed_interference.min()) > 0:
        style.plain_log(middle, "y")
    right.set(xlabel="dimensions of a stimulus", ylabel="accuracy (probability)", box_aspect=0.9)
    entries += [
        (style.sample(color=GREY, ls=DASHES[2], lw=0.9), "most: dimensions / stimuli"),
        (style.sample(color=GREY, marker="o", lw=1.1), "all interference; $p_I$"),
        (style.sample(color=GREY, marker="o", lw=1.1, mfc=GREY), "through the ReLU; $p_S$"),
    ]
    several = data.sizes["run"] > 1
    bands = f"bands: ± standard error\nover {data.sizes['run']} runs" if several else "one run, no bands"
    style.legend(figure, entries, title=bands, **OUTSIDE)
    return figure


def _path(
    ax: "Axes", step: np.ndarray, values: "xarray.DataArray", shown: np.ndarray, **looks: Any
) -> tuple[np.ndarray, np.ndarray]:
    """A mean over runs against the step, in a band of its standard error; both."""
    mean, error = style.over_runs(values)
    ax.plot(step, mean, markevery=np.flatnonzero(shown).tolist(), **looks)
    ax.fill_between(step, mean - error, mean + error, color=looks["color"], alpha=0.2, lw=0)
    return mean, error
