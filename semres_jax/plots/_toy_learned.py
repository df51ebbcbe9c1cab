"""Pictures of what toy networks have learned: tables of similarities, profiles over distance, fitted resolutions."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import similarity
from semres_jax.plots._style import COLOURS, GREY, STYLE, marks
from semres_jax.plots._toy_shared import (
    FAMILY_MARKS,
    RIGHT,
    bars,
    best_family,
    filled,
    largest_distance,
    look,
    over_runs,
    own,
    title,
)

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Marks of a profile, about, and records between two marks of a fitted resolution.
_LEVELS, _EVERY = 50, 4


def toy_matrices(data: "xarray.Dataset", condition: int = 0) -> "Figure":
    """How similarity is learned: above the tables of the first run, below the profiles of all, at the shown steps.

    Tables are drawn relative to their own largest entry. Profiles are g(p, x) / g(p, p) against distance, floor
    included: marks are means over pairs and runs with standard errors over runs, the line is the family with the
    smallest mean AIC at the means over runs of its epsilon and Δ, which stand above. Where a resolution is below the
    smallest distance, no stimulus is more similar than another; families are alike where their AIC is within 10.

    Args:
        data: what `experiments.toy.study` makes.
        condition: place of the one that is drawn.

    Returns:
        The figure, a column for each shown step.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    row = data.isel(condition=condition)
    places = np.flatnonzero(np.isfinite(row.shown_step.values))
    size = int(row.stimuli)
    with rc_context(STYLE):
        figure = Figure(figsize=(1.75 * len(places) + 1.3, 4.3), layout="compressed")
        panels = figure.subplots(2, len(places), squeeze=False, height_ratios=(1, 1))
        image: Any = None
        # Stimuli far apart may be more similar than the probe is to itself.
        highest = sum(np.nan_to_num(x) for x in over_runs(row.profile.sel(step=row.shown_step.values[places])))
        top = 1.05 * max(1.0, float(np.max(highest)))
        for column, place in enumerate(places):
            table, step = row.similarity.values[place, :size, :size], row.shown_step.values[place]
            ax = panels[0, column]
            image = ax.imshow(table / table.max(), cmap="gray_r", vmin=0.0, vmax=1.0, interpolation="nearest")
            ax.spines[:].set_visible(True)
            ax.set_xticks([0, size - 1], ["1", str(size)])
            ax.set_yticks([0, size - 1], ["1", str(size)] if column == 0 else ["", ""])
            title(ax, f"step {step:g}")
            _profile(panels[1, column], data.isel(condition=[condition]).sel(step=[step]), column == 0, top)
        panels[0, 0].set_ylabel("probe")
        panels[0, 0].set_xlabel("stimulus", labelpad=-6)
        figure.colorbar(
            image, ax=panels[0].tolist(), label="similarity /\nlargest of table", ticks=[0, 0.5, 1], aspect=12, pad=0.01
        )
        figure.supxlabel("distance from the probe (unit of the space)", fontsize=9)
    return figure


def toy_fits(data: "xarray.Dataset") -> "Figure":
    """The resolution that fits best while networks learn, and whether the fits account for both accuracies at the end.

    Left: epsilon over the largest distance against the step, of the family with the smallest mean AIC over runs, which
    the mark tells; crosses where no family is better than another by 10. Middle and right: p_S and p_I of each run's
    fitted similarity on the same stimuli, exactly, against those measured, after the last step; all is the mean over
    runs with its standard error.

    Args:
        data: what `experiments.toy.study` makes; every condition is drawn.

    Returns:
        The figure, three panels.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    with rc_context(STYLE):
        figure = Figure(figsize=(12.0, 3.4), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
        _resolutions(left, data)
        for ax, name, word in ((middle, "p_s", "generalization, $p_S$"), (right, "p_i", "identification, $p_I$")):
            _predictions(ax, data, name)
            ax.set_xlabel("predicted from the fit (probability)")
            ax.set_ylabel("measured (probability)")
            title(ax, f"{word}, after {int(data.step[-1])} steps")
        handles = [
            filled(Line2D([], [], color=look(i)[0], ls=look(i)[2], lw=1.2, marker="D", ms=5, mfc="white", mew=1.1), i)
            for i in range(data.sizes["condition"])
        ]
        handles += [
            *(Line2D([], [], color="black", marker=m, ls="none", ms=5, mfc="white") for m in FAMILY_MARKS.values()),
            Line2D([], [], color="black", marker="x", ls="none", ms=4),
            Line2D([], [], color=GREY, lw=0.8),
        ]
        texts = [
            *map(str, data.condition.values),
            *FAMILY_MARKS,
            "families alike (AIC within 10)",
            "predicted = measured",
        ]
        keep = {name: RIGHT[name] for name in ("handlelength", "title_fontsize", "alignment")}
        figure.legend(handles, texts, loc="outside right upper", title=bars(data), **keep)
    return figure


def _profile(ax: "Axes", one: "xarray.Dataset", first: bool, top: float) -> None:
    """The profile of one condition at one step."""
    distance = one.distance.values[0]
    distance = distance[np.isfinite(distance)]
    mean, error = (x[0, 0, : distance.size] for x in over_runs(one.profile))
    chosen = np.arange(0, distance.size, -(-distance.size // _LEVELS))
    handle = marks(ax, distance[chosen], mean[chosen], None, error[chosen], COLOURS[0], "o")
    handle.lines[0].set(markersize=2.8, markeredgewidth=0.8)
    number, clear = (x[0, 0] for x in best_family(one))
    family = str(one.family.values[number])
    best = one.isel(condition=0, step=0).sel(family=family)
    epsilon, floor = (float(best[name].mean("run")) for name in ("epsilon", "fit_delta"))
    d = np.linspace(0, distance[-1], 801)
    kind = similarity.get(family)
    ax.plot(d, kind(epsilon, floor)(d), color="black", lw=1.1, zorder=4)
    told = f"$\\epsilon$ < {distance[0]:.3g}" if epsilon < distance[0] else f"$\\epsilon$ = {epsilon:.3g}"
    title(ax, f"{family if clear else 'families alike'}\n{told}, $\\Delta$ = {floor:.2g}")
    ax.set_xlim(0, distance[-1] * 1.03)
    ax.set_ylim(0, top)
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if first else [""] * 3)
    ax.set_box_aspect(1)
    if first:
        ax.set_ylabel("relative similarity")


def _resolutions(ax: "Axes", data: "xarray.Dataset") -> None:
    best, decisive = best_family(data)
    step = data.step.values
    for place, scale in enumerate(largest_distance(data)):
        colour, _, dash = look(place)
        mean, error = (x / scale for x in over_runs(data.epsilon.isel(condition=place)))
        at = (np.arange(step.size), best[place])
        mean, error = mean[at], error[at]
        clear = decisive[place]
        ax.plot(step, np.where(clear, mean, np.nan), color=colour, ls=dash, lw=1.2, zorder=2)
        ax.fill_between(step, mean - error, mean + error, where=clear.tolist(), color=colour, alpha=0.2, lw=0)
        shown = np.arange(step.size) % _EVERY == 0
        for number, family in enumerate(data.family.values):
            at = shown & clear & (best[place] == number)
            if at.any():
                drawn = marks(ax, step[at], mean[at], None, error[at], colour, FAMILY_MARKS[str(family)])
                filled(drawn.lines[0], place)
        at = shown & ~clear
        ax.plot(step[at], mean[at], "x", color=colour, ms=3.5, mew=0.9, zorder=2)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yscale("log")
    ax.set_xlim(-0.3, step[-1] * 1.3)
    ax.set_box_aspect(0.8)
    ax.set_xlabel("step of Adam")
    ax.set_ylabel("resolution, $\\epsilon$ / largest distance")
    title(ax, "resolution of the family that fits best")


def _predictions(ax: "Axes", data: "xarray.Dataset", name: str) -> None:
    measured = own(data, name).isel(step=-1)
    low, high = 1.0, 0.0
    for place in range(data.sizes["condition"]):
        y, y_error = over_runs(measured.isel(condition=place))
        for family, mark in FAMILY_MARKS.items():
            x, x_error = over_runs(data[f"predicted_{name}"].isel(condition=place, step=-1).sel(family=family))
            filled(marks(ax, x, y, x_error, y_error, look(place)[0], mark).lines[0], place)
            low, high = min(low, float(x), float(y)), max(high, float(x), float(y))
    room = 0.06 * (high - low) + 0.005
    ends = (low - room, high + room)
    ax.plot(ends, ends, color=GREY, lw=0.8, zorder=1)
    ax.set_xlim(*ends)
    ax.set_ylim(*ends)
    ax.set_box_aspect(1)
