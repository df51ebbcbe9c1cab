"""Pictures of toy networks: paths through the plane of accuracies, and all that an experiment has the data for."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import laws
from semres_jax.experiments.toy.run import folder_name
from semres_jax.plots._style import GREY, STYLE, axes, marks, save
from semres_jax.plots._toy_learned import toy_fits as toy_fits, toy_matrices as toy_matrices
from semres_jax.plots._toy_shared import FAMILY_DASHES, RIGHT, bars, look, over_runs, own, two_items
from semres_jax.plots._toy_trends import (
    toy_items as toy_items,
    toy_slots as toy_slots,
    toy_variance as toy_variance,
)

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# The floor of the paper's figure 4b.
_FLOOR = 0.028
_MOST_MATRICES = 6


def toy_paths(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification while networks learn: every run thin, the mean of runs bold.

    Marks are the mean at the shown steps, with standard errors over runs in both directions. Black lines are exact
    fronts, without a floor, of the constant and the linear similarity on the stimuli and items of the first condition;
    a condition with another linear front shows it thin in its own colour. Grey lines are the fronts of continuous
    homogeneous spaces: constant without a floor and with one of 0.028, and, for two items, linear.

    Args:
        data: what `experiments.toy.study` makes; every condition is drawn, tested with as many items as it was trained
            with.
        ax: where to draw.

    Returns:
        The axes, p_I to the right and p_S upward.
    """
    from matplotlib.lines import Line2D

    ax = axes(ax, (7.4, 4.6))
    n = int(data["items"].values[0])
    continuous, handles = _continuous(ax, n), []
    fronts, others = _fronts(data)
    whose = f" of {data.condition.values[0]}" if others else ""
    for family in ("linear", "constant"):
        (line,) = ax.plot(*fronts[family], color="black", lw=1.1, ls=FAMILY_DASHES[family], zorder=2)
        handles.append((line, f"{family}, {int(data.stimuli.values[0])} stimuli{whose}"))
    p_s, p_i = own(data, "p_s"), own(data, "p_i")
    conditions: list[tuple[Any, str]] = []
    for place, name in enumerate(data.condition.values):
        colour, mark, _ = look(place)
        ys, xs = (x.isel(condition=place).transpose("run", "step") for x in (p_s, p_i))
        if place in others:
            (line,) = ax.plot(*others[place], color=colour, lw=0.7, zorder=2)
            handles.append((line, f"linear, {int(data.stimuli.values[place])} stimuli of {name}"))
        for x, y in zip(xs.values, ys.values, strict=True):
            ax.plot(x, y, color=colour, lw=0.5, alpha=0.4, zorder=2.5)
        (x, x_error), (y, y_error) = over_runs(xs), over_runs(ys)
        ax.plot(x, y, color=colour, lw=1.8, zorder=2.8)
        at = np.isin(data.step.values, data.shown_step.values[place])
        marks(ax, x[at], y[at], x_error[at], y_error[at], colour, mark)
        handle = Line2D([], [], color=colour, lw=1.8, marker=mark, ms=5, mfc="white", mew=1.1)
        conditions.append((handle, str(name)))
    shown = data.shown_step.values[0]
    told = [
        (Line2D([], [], color=GREY, lw=0.6), "single runs"),
        (Line2D([], [], color=GREY, marker="o", ls="none", ms=5, mfc="white"), _steps(shown[np.isfinite(shown)])),
    ]
    entries = [*conditions, *told, *handles, *continuous]
    ax.legend([handle for handle, _ in entries], [text for _, text in entries], title=bars(data), **RIGHT)
    drawn = data.front_p_s.sel(family=["constant", "linear"])
    top = max(float(p_s.max()), float(drawn.max()))
    low, margin = min(1 / n, float(p_s.min()), float(p_i.min())), 0.03 * (1 - 1 / n)
    ax.set_xlim(low - margin, 1 + margin)
    ax.set_ylim(low - margin, top + margin)
    ax.set_xlabel("identification, $p_I$ (probability of a right answer)")
    ax.set_ylabel("generalization, $p_S$ (probability of a right answer)")
    return ax


def save_toy(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that an experiment has the data for, as PNG and SVG in a folder.

    Paths, fits and tables of similarities (`toy_matrices_CONDITION`, of at most six) are of the conditions trained with
    two items on one slot; items where conditions on one slot differ in them; slots where conditions differ in them;
    variance where conditions called circle, and segment or birds, learn similarity.

    Args:
        data: what `experiments.toy.study` makes.
        folder: which there is.

    Returns:
        The names of the files.
    """
    from matplotlib import rc_context

    two, written = two_items(data), []
    single = data["items"].values[data.slots.values == 1]
    names = {str(name) for name in two.condition.values[two.lambda_sim.values > 0]}
    with rc_context(STYLE):
        pictures: dict[str, Any] = {}
        if two.sizes["condition"]:
            pictures["toy_paths"] = toy_paths(two).figure
            pictures["toy_fits"] = toy_fits(two)
            for place, name in enumerate(two.condition.values[:_MOST_MATRICES]):
                pictures[f"toy_matrices_{folder_name(str(name))}"] = toy_matrices(two, place)
        if len(set(single.tolist())) > 1:
            pictures["toy_items"] = toy_items(data)
        if len(set(data.slots.values.tolist())) > 1:
            pictures["toy_slots"] = toy_slots(data).figure
        if "circle" in names and names & {"segment", "birds"}:
            pictures["toy_variance"] = toy_variance(data).figure
        for name, figure in pictures.items():
            written += save(figure, folder, name)
    return written


def _continuous(ax: "Axes", n: int) -> list[tuple[Any, str]]:
    """Fronts of continuous homogeneous spaces, with what they are called."""
    b, found = np.linspace(0.0, 1.0, 401), []
    dotted, dashed, mixed = (0, (1, 1.3)), (0, (5, 2)), (0, (4, 1.5, 1, 1.5))
    curves: list[tuple[Any, Any, str]] = [
        (laws.constant(b, n=n), dashed, "constant, continuum"),
        (laws.constant(b, n=n, delta=_FLOOR), dotted, f"the same, $\\Delta$ = {_FLOOR:g}"),
    ]
    if n == 2:
        curves.insert(0, (laws.linear(b[1:]), mixed, "linear, continuum"))
    for law, dash, text in curves:
        (line,) = ax.plot(law.p_i, law.p_s, color=GREY, lw=1.0, ls=dash, zorder=1)
        found.append((line, text))
    return found


def _fronts(data: "xarray.Dataset") -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]]:
    """(p_I, p_S) of the first condition's fronts by family, and by place of linear ones that none before has."""
    both = data[["front_p_i", "front_p_s"]].to_array().transpose("family", "condition", "variable", "point")
    first = {family: both.sel(family=family).isel(condition=0).values for family in ("linear", "constant")}
    linear, found = both.sel(family="linear").values, {}
    for place in range(1, len(linear)):
        if not any(np.allclose(linear[place], earlier, atol=1e-9, equal_nan=True) for earlier in linear[:place]):
            found[place] = linear[place]
    return first, found


def _steps(shown: np.ndarray) -> str:
    return "steps " + ", ".join(f"{step:g}" for step in shown)
