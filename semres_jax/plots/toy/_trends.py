"""Pictures of toy networks side by side: numbers of items, spaces that are not homogeneous, numbers of slots."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import laws
from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, DASHES, GENERALIZATION, GREY, IDENTIFICATION, PLANE
from semres_jax.plots.toy._runs import own, two_items

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# What Var(b) costs under the linear similarity's law, as b² does: p_S = 1/2 + <b> - (3/2 - ln 2)(<b>² + Var b).
_COST = 1.5 - math.log(2.0)
# Least change of the mean ball measure between two marks.
_APART = 0.025


@style.settable
def toy_items(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Identification and generalization against the number of items: trained with as many, or with two only.

    Left: p_I, both axes logarithmic; right: p_S. Marks are networks after the last step with standard errors over
    runs. Lines: the law of the constant similarity, p_I = (1 - (1 - b)^n) / (n b), at the b of the networks trained
    with two items (share of stimuli whose similarity is above 0) and at the b that gives their p_I, 2 (1 - p_I); the
    exact accuracies of the linear similarity that was fitted to each network; chance, 1/n.

    Args:
        data: what `experiments.toy.study` makes of conditions with different `items`.
        figure: to draw in, a part of another one (`Figure.subfigures`) for instance; a new one unless given.

    Raises:
        ValueError: there is no condition with one slot.
    """
    single = data.isel(condition=np.flatnonzero(data.slots.values == 1))
    if not single.sizes["condition"]:
        raise ValueError("this picture needs conditions with one slot; there is none")
    last = single.isel(condition=np.argsort(single["items"].values, kind="stable"), step=-1)
    items = last["items"].values
    tested = last.test_n.values if "test_n" in last.coords else np.array([], int)
    most = int(max(items.max(), tested.max(initial=2)))
    dense, guide = np.unique(np.geomspace(2, most, 60).round().astype(int)), np.linspace(2, most, 200)
    pair = last.isel(condition=np.flatnonzero(items == 2)[:1])
    reaches: dict[str, float] = {}
    if pair.sizes["condition"]:
        reaches["measured"] = float(pair.mean_b.mean())
        reaches["from $p_I$ at $n$ = 2"] = 2 - 2 * float(own(pair, "p_i").mean())
    law = [laws.constant(np.array(list(reaches.values())), n=int(n)) for n in dense]
    figure = figure or style.new_figure(9.6, 3.7)
    left, right = figure.subplots(1, 2)
    for ax, name in ((left, "p_i"), (right, "p_s")):
        mean, error = style.over_runs(own(last, name))
        style.marks(ax, items, mean, COLOURS[0], "o", None, error, label="trained and tested with $n$")
        fitted, _ = style.over_runs(last[f"predicted_{name}"].sel(family="linear"))
        ax.plot(items, fitted, color=COLOURS[2], lw=1.1, ls=DASHES[3], label="linear fitted to the former", zorder=2)
        if reaches and f"tested_{name}" in data:
            mean, error = style.over_runs(pair.isel(condition=0)[f"tested_{name}"])
            style.marks(ax, tested, mean, COLOURS[1], "s", None, error, label="trained with 2, tested with $n$")
        for place, (text, b) in enumerate(reaches.items()):
            curve = [float(getattr(p, name)[place]) for p in law]
            label = f"constant law, $b$ = {b:.2f} {text}"
            ax.plot(dense, curve, color="black", lw=1.1, ls=DASHES[place], label=label, zorder=2)
        ax.plot(guide, 1 / guide, color=GREY, lw=0.9, ls=DASHES[2], label="chance, $1/n$", zorder=1)
        ax.set(xscale="log", xlabel="number of items, $n$")
        style.ticks(ax, "x", [n for n in (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if n <= most])
    left.set(yscale="log", ylabel=f"{IDENTIFICATION} (probability)")
    style.ticks(left, "y", (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0))
    left.set_ylim(0.9 / most, 1.05)
    right.set(ylim=(0, 1), ylabel=f"{GENERALIZATION} (probability)")
    style.title(left, f"{int(last.stimuli[0])} stimuli, after {int(data.step[-1])} steps")
    # matplotlib lists marks with bars after lines; data come first here.
    entries = zip(*right.get_legend_handles_labels(), strict=True)
    style.legend(right, sorted(entries, key=lambda entry: not entry[1].startswith("trained")), title=style.bars(data))
    return figure


@style.settable
def toy_variance(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Generalization against the mean ball measure while networks learn, by space: what Var(b) costs.

    Marks are means over runs with standard errors in both directions, from the step where b is below 1 on. The black
    line is the law of the linear similarity on homogeneous spaces, 1/2 + b - (3/2 - ln 2) b²; thin dashed lines are
    the same less (3/2 - ln 2) Var(b), with each space's measured Var(b).

    Args:
        data: what `experiments.toy.study` makes; conditions with two items, one slot and a similarity loss are drawn.
        ax: where to draw.

    Raises:
        ValueError: there is no such condition.
    """
    part = two_items(data)
    part = part.isel(condition=np.flatnonzero(part.lambda_sim.values > 0))
    if not part.sizes["condition"]:
        raise ValueError("this picture needs a condition with two items, one slot and a similarity loss; there is none")
    ax = style.axes(ax, (7.4, 4.2))
    b = np.linspace(0.0, 1.0, 401)
    (law,) = ax.plot(b, 0.5 + b - _COST * b**2, color="black", lw=1.3, zorder=2)
    p_s, p_s_error = style.over_runs(own(part, "p_s"))
    reach, reach_error = style.over_runs(part.mean_b)
    spread = style.over_runs(part.var_b)[0]
    entries: list[tuple[Any, str]] = [(law, "linear law, Var $b$ = 0")]
    for place, name in enumerate(part.condition.values):
        colour, mark, _ = style.look(place)
        dash = DASHES[1 + place % (len(DASHES) - 1)]
        x, y = reach[place], p_s[place]
        order = np.argsort(x)
        predicted = 0.5 + x - _COST * (x**2 + spread[place])
        ax.plot(x[order], predicted[order], color=colour, lw=1.0, ls=dash, zorder=2)
        at = _thinned(x)
        style.marks(ax, x[at], y[at], colour, mark, reach_error[place][at], p_s_error[place][at])
        entries.append((style.sample(color=colour, lw=1.0, ls=dash, marker=mark, mew=1.1), str(name)))
    entries.append((style.sample(ls="none"), "dashes: law less $(3/2-\\ln 2)$ Var $b$"))
    style.legend(ax, entries, title=style.bars(data))
    ax.set(xlim=(0, 1.02), xlabel="mean ball measure, $\\langle b\\rangle$ (share of stimuli with similarity > 0)")
    if (reach[:, -1] < reach[:, 0]).all():
        style.title(ax, "training goes from right to left")
    ax.set_ylabel(PLANE["ylabel"])
    return ax


@style.settable
def toy_slots(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Both accuracies after the last step against the number of slots, by way of putting slots together.

    A colour and a mark for each pair of decision (how similarities of slots make a strength) and label (how distances
    of slots make the right answer); the condition with one slot belongs to all. Full marks and lines are p_S, open
    marks and dashes p_I, with standard errors over runs; the grey line is chance.

    Args:
        data: what `experiments.toy.study` makes of conditions with different `slots`.
        ax: where to draw.
    """
    ax = style.axes(ax, (7.4, 4.2))
    last = data.isel(step=-1)
    slots = last.slots.values
    ways = [(str(d), str(m)) for d, m in zip(last.decision.values, last.label.values, strict=True)]
    several = dict.fromkeys(way for way, count in zip(ways, slots, strict=True) if count > 1) or [("", "")]
    entries: list[tuple[Any, str]] = []
    for place, way in enumerate(several):
        colour, mark, _ = style.look(place)
        at = np.array([i for i in range(slots.size) if slots[i] == 1 or ways[i] == way])
        at = at[np.argsort(slots[at], kind="stable")]
        for name, dash, fill in (("p_s", "-", colour), ("p_i", DASHES[1], "white")):
            mean, error = style.over_runs(own(last.isel(condition=at), name))
            ax.plot(slots[at], mean, color=colour, ls=dash, lw=1.1, zorder=2)
            style.marks(ax, slots[at], mean, colour, mark, None, error, mfc=fill)
        if way[0]:
            sample = style.sample(color=colour, marker=mark, ls="none", mfc=colour)
            entries.append((sample, "{} similarity, {} distance".format(*way)))
    chances = 1 / np.unique(data["items"].values)
    lines = [ax.axhline(chance, color=GREY, lw=0.9, ls=DASHES[2], zorder=1) for chance in chances]
    entries += [
        (style.sample(color="black", marker="o", lw=1.1, mfc="black"), "$p_S$"),
        (style.sample(color="black", marker="o", lw=1.1, ls=DASHES[1]), "$p_I$"),
        (lines[0], "chance"),
    ]
    style.legend(ax, entries, title=style.bars(data))
    style.ticks(ax, "x", np.unique(slots))
    ax.set_ylim(bottom=chances.min() - 0.03)
    ax.set(xlabel="number of slots", ylabel="accuracy (probability of a right answer)")
    style.title(ax, f"after {int(data.step[-1])} steps")
    return ax


def _thinned(x: np.ndarray) -> np.ndarray:
    """Places of values that differ enough from the last one taken; first the last value that is still the first."""
    taken = [int(np.flatnonzero(x >= x[0] - 1e-9)[-1])]
    for place in range(taken[0] + 1, x.size):
        if abs(x[place] - x[taken[-1]]) >= _APART:
            taken.append(place)
    return np.array(taken)
