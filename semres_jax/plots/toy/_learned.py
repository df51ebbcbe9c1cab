"""Pictures of what toy networks have learned: tables of similarities, profiles over distance, fitted resolutions."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import similarity
from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, FAMILY_MARKS, GENERALIZATION, GREY, IDENTIFICATION, OUTSIDE
from semres_jax.plots.toy._runs import best_family, filled, largest_distance, own

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Marks of a profile, about, and records between two marks of a fitted resolution.
_LEVELS, _EVERY = 50, 4


@style.settable
def toy_matrices(
    data: "xarray.Dataset", condition: int = 0, figure: "Figure | SubFigure | None" = None
) -> "Figure | SubFigure":
    """How similarity is learned: above the tables of the first run, below the profiles of all, at the shown steps.

    Tables are drawn relative to their own largest entry. Profiles are g(p, x) / g(p, p) against distance, floor
    included: marks are means over pairs and runs with standard errors over runs, the line is the family with the
    smallest mean AIC at the means over runs of its epsilon and Δ, which stand above. Where a resolution is below the
    smallest distance, no stimulus is more similar than another; families are alike where their AIC is within 10.

    Args:
        data: what `experiments.toy.study` makes.
        condition: place of the one that is drawn, a column for each shown step.
        figure: to draw in, a part of another one (`Figure.subfigures`) for instance; a new one unless given.
    """
    row = data.isel(condition=condition)
    places = np.flatnonzero(np.isfinite(row.shown_step.values))
    size = int(row.stimuli)
    figure = figure or style.new_figure(1.75 * len(places) + 1.3, 4.3, "compressed")
    above, below = figure.subplots(2, len(places), squeeze=False, height_ratios=(1, 1))
    image: Any = None
    # Stimuli far apart may be more similar than the probe is to itself.
    highest = sum(np.nan_to_num(x) for x in style.over_runs(row.profile.sel(step=row.shown_step.values[places])))
    top = 1.05 * max(1.0, float(np.max(highest)))
    for column, place in enumerate(places):
        table, step = row.similarity.values[place, :size, :size], row.shown_step.values[place]
        ax = above[column]
        image = ax.imshow(table / table.max(), cmap="gray_r", vmin=0.0, vmax=1.0, interpolation="nearest")
        ax.spines[:].set_visible(True)
        ax.set_xticks([0, size - 1], ["1", str(size)])
        ax.set_yticks([0, size - 1], ["1", str(size)] if column == 0 else ["", ""])
        style.title(ax, f"step {step:g}")
        _profile(below[column], data.isel(condition=[condition]).sel(step=[step]), column == 0, top)
    above[0].set_ylabel("probe")
    above[0].set_xlabel("stimulus", labelpad=-6)
    bar: Any = {"ticks": [0, 0.5, 1], "aspect": 12, "pad": 0.01}
    figure.colorbar(image, ax=above.tolist(), label="similarity /\nlargest of table", **bar)
    figure.supxlabel("distance from the probe (unit of the space)", fontsize=9)
    return figure


@style.settable
def toy_fits(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """The resolution that fits best while networks learn, and whether the fits account for both accuracies at the end.

    Left: epsilon over the largest distance against the step, of the family with the smallest mean AIC over runs, which
    the mark tells; crosses where no family is better than another by 10. Middle and right: p_S and p_I of each run's
    fitted similarity on the same stimuli, exactly, against those measured, after the last step; all is the mean over
    runs with its standard error. Every condition of the data, those for `toy_paths`, is drawn; in a `figure`
    as `toy_matrices`.
    """
    figure = figure or style.new_figure(12.0, 3.4)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    _resolutions(left, data)
    for ax, name, word in ((middle, "p_s", GENERALIZATION), (right, "p_i", IDENTIFICATION)):
        _predictions(ax, data, name)
        ax.set(xlabel="predicted from the fit (probability)", ylabel="measured (probability)")
        style.title(ax, f"{word}, after {int(data.step[-1])} steps")
    entries: list[tuple[Any, str]] = []
    for place, name in enumerate(data.condition.values):
        colour, _, dash = style.look(place)
        entries.append((filled(style.sample(color=colour, ls=dash, lw=1.2, marker="D", mew=1.1), place), str(name)))
    entries += [
        *((style.sample(color="black", marker=mark, ls="none"), family) for family, mark in FAMILY_MARKS.items()),
        (style.sample(color="black", marker="x", ls="none", ms=4), "families alike (AIC within 10)"),
        (style.sample(color=GREY, lw=0.8), "predicted = measured"),
    ]
    style.legend(figure, entries, title=style.bars(data), **OUTSIDE)
    return figure


def _profile(ax: "Axes", row: "xarray.Dataset", first: bool, top: float) -> None:
    """The profile of one condition at one step."""
    distance = row.distance.values[0]
    distance = distance[np.isfinite(distance)]
    mean, error = (x[0, 0, : distance.size] for x in style.over_runs(row.profile))
    chosen = np.arange(0, distance.size, -(-distance.size // _LEVELS))
    style.marks(ax, distance[chosen], mean[chosen], COLOURS[0], "o", None, error[chosen], ms=2.8, mew=0.8)
    number, clear = (x[0, 0] for x in best_family(row))
    family = str(row.family.values[number])
    best = row.isel(condition=0, step=0).sel(family=family)
    epsilon, floor = (float(best[name].mean("run")) for name in ("epsilon", "fit_delta"))
    d = np.linspace(0, distance[-1], 801)
    kind = similarity.get(family)
    ax.plot(d, kind(epsilon, floor)(d), color="black", lw=1.1, zorder=4)
    resolution = f"$\\epsilon$ < {distance[0]:.3g}" if epsilon < distance[0] else f"$\\epsilon$ = {epsilon:.3g}"
    style.title(ax, f"{family if clear else 'families alike'}\n{resolution}, $\\Delta$ = {floor:.2g}")
    ax.set(xlim=(0, distance[-1] * 1.03), ylim=(0, top), box_aspect=1)
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if first else [""] * 3)
    if first:
        ax.set_ylabel("relative similarity")


def _resolutions(ax: "Axes", data: "xarray.Dataset") -> None:
    best, decisive = best_family(data)
    step = data.step.values
    for place, scale in enumerate(largest_distance(data)):
        colour, _, dash = style.look(place)
        at, clear = (np.arange(step.size), best[place]), decisive[place]
        mean, error = (x[at] / scale for x in style.over_runs(data.epsilon.isel(condition=place)))
        ax.plot(step, np.where(clear, mean, np.nan), color=colour, ls=dash, lw=1.2, zorder=2)
        ax.fill_between(step, mean - error, mean + error, where=clear.tolist(), color=colour, alpha=0.2, lw=0)
        shown = np.arange(step.size) % _EVERY == 0
        for number, family in enumerate(data.family.values):
            at = shown & clear & (best[place] == number)
            if at.any():
                drawn = style.marks(ax, step[at], mean[at], colour, FAMILY_MARKS[str(family)], None, error[at])
                filled(drawn.lines[0], place)
        at = shown & ~clear
        ax.plot(step[at], mean[at], "x", color=colour, ms=3.5, mew=0.9, zorder=2)
    ax.set_xscale("symlog", linthresh=1)
    ax.set(yscale="log", xlim=(-0.3, step[-1] * 1.3), box_aspect=0.8)
    ax.set(xlabel="step of Adam", ylabel="resolution, $\\epsilon$ / largest distance")
    style.title(ax, "resolution of the family that fits best")


def _predictions(ax: "Axes", data: "xarray.Dataset", name: str) -> None:
    measured = own(data, name).isel(step=-1)
    predicted = data[f"predicted_{name}"].isel(step=-1)
    values: list[np.ndarray] = []
    for place in range(data.sizes["condition"]):
        y = measured.isel(condition=place)
        for family, mark in FAMILY_MARKS.items():
            x = predicted.isel(condition=place).sel(family=family)
            means, drawn = style.marks_over_runs(ax, x, y, style.look(place)[0], mark)
            filled(drawn.lines[0], place)
            values += means
    style.equality(ax, values, 0.005, color=GREY, lw=0.8)
    ax.set_box_aspect(1)
