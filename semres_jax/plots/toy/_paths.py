"""Pictures of toy networks in the plane of accuracies: paths of runs and their mean, over fronts."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import laws
from semres_jax.plots import _style as style
from semres_jax.plots._style import DASHES, FAMILIES, GREY, PLANE
from semres_jax.plots.toy._runs import as_data, own

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

    from semres_jax.training.toy.loop import History

# The floor of the paper's figure 4b.
_FLOOR = 0.028


@style.settable
def toy_paths(data: "xarray.Dataset | History", ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification while networks learn: every run thin, the mean of runs bold.

    Marks are the mean at the shown steps, with standard errors over runs in both directions. Black lines are exact
    fronts, without a floor, of the constant and the linear similarity on the stimuli and items of the first condition;
    a condition with another linear front shows it thin in its own colour. Grey lines are the fronts of continuous
    homogeneous spaces: constant without a floor and with one of 0.028, and, for two items, linear.

    Args:
        data: what `experiments.toy.study` makes; every condition is drawn, tested with as many items as it was trained
            with. Or the `History` of `training.toy.train`, a condition for each member of its grid, tested with the
            first of its numbers of items; there are no exact fronts in it.
        ax: where to draw.
    """
    data, ax = as_data(data), style.axes(ax, (7.4, 4.6))
    n = int(data["items"].values[0])
    continuous = _continuous(ax, n)
    fronts, others = _fronts(data)
    whose = f" of {data.condition.values[0]}" if others else ""
    exact: list[tuple[Any, str]] = []
    for family, front in fronts.items():
        (line,) = ax.plot(*front, color="black", lw=1.1, ls=FAMILIES[family][2], zorder=2)
        exact.append((line, f"{family}, {int(data.stimuli.values[0])} stimuli{whose}"))
    p_s, p_i = own(data, "p_s"), own(data, "p_i")
    conditions: list[tuple[Any, str]] = []
    for place, name in enumerate(data.condition.values):
        colour, mark, _ = style.look(place)
        ys, xs = (x.isel(condition=place).transpose("run", "step") for x in (p_s, p_i))
        if place in others:
            (line,) = ax.plot(*others[place], color=colour, lw=0.7, zorder=2)
            exact.append((line, f"linear, {int(data.stimuli.values[place])} stimuli of {name}"))
        ax.plot(xs.values.T, ys.values.T, color=colour, lw=0.5, alpha=0.4, zorder=2.5)
        (x, x_error), (y, y_error) = style.over_runs(xs), style.over_runs(ys)
        ax.plot(x, y, color=colour, lw=1.8, zorder=2.8)
        at = np.isin(data.step.values, data.shown_step.values[place])
        style.marks(ax, x[at], y[at], colour, mark, x_error[at], y_error[at])
        conditions.append((style.sample(color=colour, lw=1.8, marker=mark, mew=1.1), str(name)))
    shown = data.shown_step.values[0]
    steps = ", ".join(f"{step:g}" for step in shown[np.isfinite(shown)])
    runs = [
        (style.sample(color=GREY, lw=0.6), "single runs"),
        (style.sample(color=GREY, marker="o", ls="none"), f"steps {steps}"),
    ]
    style.legend(ax, [*conditions, *runs, *exact, *continuous], title=style.bars(data))
    if fronts:
        top = float(data.front_p_s.sel(family=["constant", "linear"]).max())
    else:
        top = max(float(np.max(line.get_ydata())) for line, _ in continuous)
    top = max(top, float(p_s.max()))
    low, margin = min(1 / n, float(p_s.min()), float(p_i.min())), 0.03 * (1 - 1 / n)
    ax.set(xlim=(low - margin, 1 + margin), ylim=(low - margin, top + margin), **PLANE)
    return ax


def _continuous(ax: "Axes", n: int) -> list[tuple[Any, str]]:
    """Fronts of continuous homogeneous spaces, with what they are called."""
    b = np.linspace(0.0, 1.0, 401)
    curves: list[tuple[Any, Any, str]] = [
        (laws.constant(b, n=n), DASHES[1], "constant, continuum"),
        (laws.constant(b, n=n, delta=_FLOOR), DASHES[2], f"the same, $\\Delta$ = {_FLOOR:g}"),
    ]
    if n == 2:
        curves.insert(0, (laws.linear(b[1:]), DASHES[3], "linear, continuum"))
    return [(ax.plot(law.p_i, law.p_s, color=GREY, lw=1.0, ls=dash, zorder=1)[0], text) for law, dash, text in curves]


def _fronts(data: "xarray.Dataset") -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]]:
    """(p_I, p_S) of the first condition's fronts by family, and by place of linear ones that none before has."""
    if "front_p_s" not in data:
        return {}, {}
    both = data[["front_p_i", "front_p_s"]].to_array().transpose("family", "condition", "variable", "point")
    first = {family: both.sel(family=family).isel(condition=0).values for family in ("linear", "constant")}
    linear = both.sel(family="linear").values
    return first, {
        place: linear[place]
        for place in range(1, len(linear))
        if not any(np.allclose(linear[place], earlier, atol=1e-9, equal_nan=True) for earlier in linear[:place])
    }
