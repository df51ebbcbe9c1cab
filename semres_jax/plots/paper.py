"""The figures of the paper as they are made here: laws as lines, simulations, networks and models as marks."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, DASHES, GREY, MARKS, PALE, PROBABILITY
from semres_jax.plots.images import resnet_alpha
from semres_jax.plots.measure_choices import _shares, items_curve
from semres_jax.plots.measure_llm import llm_items, llm_pairs
from semres_jax.plots.toy import toy_matrices, toy_paths

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_LIMIT: Any = (0, (4, 3))
_ERRORS = "bars: ± 1 standard error, mostly smaller than the marks"
# Numbers of items whose simulations are drawn against b: all of them would cover each other.
_FEW = (2, 4, 32)


@style.settable
def paper_2(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Figure 2: (a) homogeneous spaces without a floor and with two, (b) spaces in which the ball measure varies.

    Args:
        data: what `FIGURES["2"].make` of `experiments.paper` makes.
        figure: to draw in; a new one unless given.
    """
    figure = figure or style.new_figure(11.0, 4.0)
    left, right = figure.subplots(1, 2)
    entries: list[tuple[Any, str]] = []
    spaces = data.space.values[data.homogeneous.values]
    for k, delta in enumerate(data.delta.values):
        law = data.sel(delta=delta)
        (line,) = left.plot(law.law_p_i, law.law_p_s, color=COLOURS[k], ls=DASHES[k], lw=1.4, zorder=1)
        entries.append((line, f"law, $\\Delta$ = {delta:g}"))
        for j, space in enumerate(spaces):  # all lie on one curve: each shows its own share of it
            row = law.sel(space=space).isel(point=slice(j % 2, None, 2))
            style.marks(left, row.p_i, row.p_s, COLOURS[k], MARKS[j], row.p_i_stderr, row.p_s_stderr)
    entries += [(style.sample(color=GREY, marker=MARKS[j], ls="none"), str(s)) for j, s in enumerate(spaces)]
    _plane(left, "(a) homogeneous spaces")
    left.legend(*zip(*entries, strict=True), **style.BESIDE)
    bound = data.sel(delta=0.0)
    (line,) = right.plot(bound.law_p_i, bound.law_p_s, color="black", lw=1.4, zorder=1)
    others: list[tuple[Any, str]] = [(line, "homogeneous")]
    for j, space in enumerate(data.space.values[~data.homogeneous.values]):
        colour, mark, dash = style.look(j)
        row = bound.sel(space=space)
        right.plot(row.curve_p_i, row.curve_p_s, color=colour, ls=dash, lw=1.3, zorder=1)
        style.marks(right, row.p_i, row.p_s, colour, mark, row.p_i_stderr, row.p_s_stderr)
        others.append((style.sample(color=colour, ls=dash, lw=1.3, marker=mark), str(space)))
    _plane(right, "(b) spaces where $b$ varies, $\\Delta$ = 0")
    right.legend(*zip(*others, strict=True), **style.BESIDE)
    return figure


@style.settable
def paper_3(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Figure 3: accuracies of n items against the ball measure, above, and against n, below.

    Args:
        data: what `FIGURES["3"].make` of `experiments.paper` makes.
        figure: to draw in; a new one unless given.
    """
    figure = figure or style.new_figure(9.6, 6.6)
    (above, right), (below, last) = figure.subplots(2, 2)
    by_n: list[tuple[Any, str]] = []
    for k, n in enumerate(data.n.values):
        colour, mark, dash = style.look(k)
        row = data.sel(n=n)
        for ax, name in ((above, "p_s"), (right, "p_i")):
            ax.plot(data.b, row[f"law_{name}"], color=colour, ls=dash, lw=1.2, zorder=1)
            if n in _FEW:
                style.marks(ax, data.ball, row[name], colour, mark, None, row[f"{name}_stderr"])
        above.plot([row.best_b], [row.best_p_s], marker="o", ms=9, mfc="none", mew=1.0, color=colour, zorder=4)
        drawn: Any = {"marker": mark} if n in _FEW else {}
        by_n.append((style.sample(color=colour, ls=dash, lw=1.2, **drawn), f"$n$ = {n}"))
    by_n.append((style.sample(color=GREY, marker="o", ms=9, ls="none", mfc="none"), "best $b$, where $p_S = p_I$"))
    by_b: list[tuple[Any, str]] = []
    for k, b in enumerate(data.ball.values[data.ball.values < 0.5]):
        colour, mark, dash = style.look(k)
        row = data.sel(ball=b)
        for ax, name in ((below, "p_s"), (last, "p_i")):
            ax.plot(data["items"], row[f"items_{name}"], color=colour, ls=dash, lw=1.2, zorder=1)
            style.marks(ax, data.n, row[name], colour, mark, None, row[f"{name}_stderr"])
        far = data["items"].values[data["items"].values * b >= 1.0]
        last.plot(far, 1 / (b * far), color=colour, ls=_LIMIT, lw=0.8, alpha=0.8, zorder=0.5)
        by_b.append((style.sample(color=colour, ls=dash, lw=1.2, marker=mark), f"$b$ = {b:g}"))
    by_b.append((style.sample(color=GREY, ls=_LIMIT, lw=0.8), "$1/(b\\,n)$"))
    style.legend(right, by_n)
    style.legend(last, by_b)
    for ax, name in ((above, "$p_S$"), (right, "$p_I$"), (below, "$p_S$"), (last, "$p_I$")):
        ax.set_ylabel(f"{name} (probability)")
    for ax in (above, right):
        ax.set(xlabel="ball measure, $b$ (share of the stimuli)", xlim=(0, 1))
    for ax in (below, last):
        ax.set(xlabel="number of items, $n$", xscale="log", xlim=(1.9, 1000))
        style.ticks(ax, "x", (2, 4, 8, 16, 32, 100, 1000))
    last.set_yscale("log")
    last.set_ylim(2e-3, 1.2)
    style.ticks(last, "y", (0.01, 0.1, 1))
    style.title(above, f"Theorem 3 and simulations ({_ERRORS})")
    return figure


def _toy_profiles(data: "xarray.Dataset") -> Any:
    return toy_matrices(data, 0)


def _toy_plane(data: "xarray.Dataset") -> Any:
    return toy_paths(data).figure


def _year_pairs(data: "xarray.Dataset") -> Any:
    figure = llm_pairs(data)
    inside: Any = figure.axes[0].get_legend()
    inside.remove()  # the years of two people who are close to each other stand behind it
    entries = [
        (style.sample(color=COLOURS[0], marker="o", mew=1.1, ls="none"), "model"),
        (style.sample(color="black", lw=1.3), "exponential fit"),
        (style.sample(color=GREY, lw=0.7), "years of the two"),
    ]
    style.legend(figure, entries, **style.OUTSIDE)
    return _headed(figure, data)


def _year_items(data: "xarray.Dataset") -> Any:
    return _headed(llm_items(data).figure, data)


def _headed(figure: Any, data: "xarray.Dataset") -> Any:
    style.heading(figure, str(data.attrs.get("model", "")))
    return figure


@style.settable
def paper_5c(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Figure 5c: answers by the place of the X, and the share of right ones against the distance of the closest shape.

    Bars are Wilson's 95 % intervals; lines are the fits' predictions for the same trials.

    Args:
        data: what `FIGURES["5c"].make` of `experiments.paper` makes.
        figure: to draw in; a new one unless given.
    """
    figure = figure or style.new_figure(10.6, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    good, x, y = data.right.values.astype(bool), *data.place.values.T
    for chosen, colour, mark, text in ((good, COLOURS[0], "o", "closest"), (~good, COLOURS[1], "x", "another")):
        filled: Any = {"mfc": "white"} if mark == "o" else {}
        left.plot(x[chosen], y[chosen], mark, color=colour, ms=4, mew=0.9, ls="none", label=text, **filled)
    left.set(xlabel="place of the X, across (pixels)", ylabel="place of the X, down (pixels)", aspect="equal")
    left.set(xlim=(0, 900), ylim=(900, 0))
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, title=None, borderaxespad=0.2)
    used = data.isel(bin=data["count"].values > 0)
    _shares(right, used.middle.values, used.share.values, used["count"].values, "answers, 95 % intervals")
    for k, fit in enumerate(data.fit.values):
        row = used.sel(fit=fit)
        text = f"{row.family.item()}, {fit}"
        right.plot(used.middle, row.predicted, color=COLOURS[k], ls=DASHES[k], lw=1.5, label=text, zorder=1)
    right.axhline(0.25, color=GREY, lw=0.8, ls=":", zorder=0, label="chance")
    right.set(ylim=(0, 1.03), xlim=(0, None))
    right.set(xlabel="distance of the closest shape (pixels)", ylabel="closest shape answered (share)")
    right.legend(loc="lower left")
    return figure


@style.settable
def paper_14(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Figure 14: identification against the number of hues, a panel for each observer, and the n-item law.

    Args:
        data: what `FIGURES["14"].make` of `experiments.paper` makes.
        figure: to draw in; a new one unless given.
    """
    made = style.panels(data.sizes["observer"], 2, (4.0, 3.2), (0.4, 0.2), figure, sharey=True)
    for ax, a in zip(made, data.observer.values, strict=True):
        row = data.sel(observer=a)
        content = {"n": data.n.values, "right": row.right.values, "trials": row.trials.values}
        items_curve(content | {end: float(row[end]) for end in ("a", "low", "high")}, ax)
        style.ticks(ax, "x", data.n.values)
        style.title(ax, f"simulated observer with $a$ = {a:g}")
        ax.set_xlabel("number of hues, $n$")
    made[1].set_ylabel("")
    drawn: Any = made[0].figure
    return drawn


# What draws each figure.
_DRAWN: dict[str, Callable[[Any], Any]] = {
    "2": paper_2, "3": paper_3, "4a": _toy_profiles, "4b": _toy_plane, "5a": resnet_alpha, "5b": _year_pairs,
    "5c": paper_5c, "10": _year_items, "14": paper_14,
}  # fmt: skip


@style.applied()
def save_paper(name: str, data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """A figure of the paper as PNG and SVG in a folder that there is; the names of the files.

    Args:
        name: of the figure, as in `experiments.paper.FIGURES`.
        data: what its `make` makes.
        folder: to write to.
    """
    return style.save(_DRAWN[name](data), folder, f"figure-{name}")


def _plane(ax: "Axes", text: str) -> None:
    ax.plot([0.5, 1.0], [0.5, 0.5], color=PALE, lw=0.8, zorder=0)
    ax.set(xlim=(0.485, 1.015), ylim=(0.485, 0.77), **PROBABILITY)
    style.title(ax, text)
