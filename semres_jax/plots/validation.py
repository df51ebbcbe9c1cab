"""Pictures of a validation: laws are lines, simulations are marks. No two spaces of a picture share a mark."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, GREY, PLANE

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# Mean ball measures of the picture of many items, and how close a simulated one must be.
_BALL_MEASURES, _CLOSE = (0.01, 0.03, 0.1, 0.3), 0.04
_LIMIT: Any = (0, (4, 3))
_ERRORS = "bars: ± 1 standard error, mostly smaller than the marks"


@style.settable
def tradeoff(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification for two items without a floor, every space and resolution.

    Homogeneous spaces share the one curve p_S = 1/2 + b - b², p_I = 1 - b/2; all others lie below it by Var(b), each on
    a law of its own. Homogeneous spaces are simulated at like ball measures; so that no mark hides another, each shows
    its own share of them (`residuals` shows all).

    Args:
        table: what `validation.validate` makes, with n = 2 and delta = 0 in it.
        ax: where to draw.

    Raises:
        ValueError: there is no n = 2 with delta = 0 in the table.
    """
    part, ax = _two_items(table), style.axes(ax, (6.8, 4.4))
    b = np.linspace(0.0, 1.0, 401)
    (law,) = ax.plot(1 - b / 2, 0.5 + b - b**2, color="black", lw=1.6, zorder=2)
    homogeneous: list[tuple[Any, str]] = [(law, "one law for all")]
    own, other = [], []
    shared = [str(space) for space in part.space.values if _on_the_curve(part, space)]
    top = 0.75
    for space, (colour, mark) in _styles(table).items():
        row = part.sel(space=space)
        if not np.isfinite(row.p_s.values).any():
            continue
        shown, group = slice(None), own if str(row.similarity.values) == "constant" else other
        if space in shared:
            shown, group = slice(shared.index(space), None, len(shared)), homogeneous
        else:
            ax.plot(row.curve_p_i, row.curve_p_s, color=colour, lw=0.8, ls="-", zorder=1)
        x, y, x_error, y_error = (row[name].values[shown] for name in ("p_i", "p_s", "p_i_stderr", "p_s_stderr"))
        group.append((style.marks(ax, x, y, colour, mark, x_error, y_error), space))
        top = max(top, float(np.nanmax(row.p_s.values)))
    ax.set(xlim=(0.485, 1.015), ylim=(0.485, top + 0.02), **PLANE)
    ax.annotate("$\\epsilon\\to 0$", (0.975, 0.495), fontsize=8, color=GREY, ha="right")
    ax.annotate("$\\epsilon$ = diameter", (0.525, 0.495), fontsize=8, color=GREY, ha="left")
    headings = "homogeneous spaces", "others: lower by Var $b$", "another similarity"
    _legend(ax, dict(zip(headings, (homogeneous, own, other), strict=True)))
    return ax


@style.settable
def residuals(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Simulation minus law in standard errors, z of p_S, against p_I: the marks of `tradeoff`, all of them.

    Arguments and errors as `tradeoff`. The band holds 95 % of right answers.
    """
    part, ax = _two_items(table), style.axes(ax, (6.8, 1.8))
    ax.axhspan(-1.96, 1.96, color="#e8e8e8", lw=0, zorder=0)
    ax.axhline(0.0, color="black", lw=1.0, zorder=1)
    largest = 3.0
    for space, (colour, mark) in _styles(table).items():
        row = part.sel(space=space)
        z = row.z_s.values
        largest = max(largest, *np.abs(z[np.isfinite(z)]), 0.0)
        ax.plot(row.p_i, z, ls="none", marker=mark, ms=4, color=colour, mfc="white", mew=0.9, zorder=3)
    ax.set(xlim=(0.485, 1.015), ylim=(-1.15 * largest, 1.15 * largest))
    ax.set(xlabel=PLANE["xlabel"], ylabel="(simulation − law)\n/ standard error")
    return ax


@style.settable
def many_items(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """n p_I against the number of items n: the 1/n collapse of identification, on homogeneous spaces without a floor.

    n p_I = (1 - (1 - b)^n) / b saturates at 1/b: however many items there are, those within the ball share the answer.
    All spaces lie on the same points; so that no mark hides another, they take turns. Both axes are logarithmic.

    Args:
        table: what `validation.validate` makes, with delta = 0 in it.
        ax: where to draw.

    Raises:
        ValueError: there is no delta = 0 in the table.
    """
    if 0 not in table.delta.values:
        raise ValueError(f"this picture needs delta = 0; the table has {table.delta.values.tolist()}")
    part, ax = table.sel(delta=0.0), style.axes(ax, (6.0, 4.4))
    n = np.geomspace(1.0, 1000.0, 300)
    shapes = {space: mark for space, (_, mark) in _styles(table).items() if _on_the_curve(part, space)}
    drawn: list[str] = []
    for turn, (b, colour) in enumerate(zip(_BALL_MEASURES, COLOURS, strict=False)):
        ax.plot(n, -np.expm1(n * np.log1p(-b)) / b, color=colour, lw=1.3, zorder=2)
        ax.plot(n, np.full_like(n, 1 / b), color=colour, lw=0.9, ls=_LIMIT, zorder=1)
        ax.annotate(f"$b$ = {b:g}", (1000.0, 1 / b), (-2, 3), textcoords="offset points", ha="right", color=colour)
        for column, n_items in enumerate(table.n.values):
            near = {space: abs(part.mean_b.sel(space=space, n=n_items).values / b - 1) for space in shapes}
            there = [space for space, off in near.items() if np.nanmin(off, initial=np.inf) < _CLOSE]
            if not there:
                continue
            space = there[(column + turn) % len(there)]
            row = part.sel(space=space, n=n_items).isel(resolution=int(np.nanargmin(near[space])))
            p_i, error = n_items * float(row.p_i), n_items * float(row.p_i_stderr)
            style.marks(ax, float(n_items), p_i, colour, shapes[space], None, error)
            drawn += [space] if space not in drawn else []
    entries = [
        (style.sample(color="black", lw=1.3), "law, $(1-(1-b)^n)/b$"),
        (style.sample(color="black", lw=0.9, ls=_LIMIT), "its limit, $1/b$"),
        *((style.sample(color="black", marker=shapes[space], ls="none"), space) for space in drawn),
    ]
    style.legend(ax, entries, handlelength=2.0)
    ax.set(xscale="log", yscale="log", xlim=(1.0, 1000.0), ylim=(0.9, 160.0))
    ax.set(xlabel="number of items, $n$", ylabel="$n\\,p_I$ (items told apart)")
    return ax


@style.applied()
def save_all(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that a validation has the data for, as files in a folder; their names."""
    floorless = 0 in table.delta.values
    pictures: dict[str, Any] = {}
    if floorless and 2 in table.n.values:
        pictures["tradeoff"] = figure = style.new_figure(7.6, 6.4)
        above, below = figure.subplots(2, 1, height_ratios=(3.3, 1.0), sharex=True)
        residuals(table, below)
        tradeoff(table, above).set_xlabel("")
        above.tick_params(labelbottom=False)
        style.title(above, f"Two items, $\\Delta$ = 0: law and simulation ({_ERRORS})")
    if floorless and len(table.n) > 1 and any(_on_the_curve(table, space) for space in table.space.values):
        pictures["many_items"] = ax = many_items(table)
        style.title(ax, f"Homogeneous spaces, $\\Delta$ = 0 ({_ERRORS})")
    return style.save_pictures(pictures, folder)


def _styles(table: "xarray.Dataset") -> dict[str, tuple[str, str]]:
    """Colour and mark of every space: the same in all pictures of one table."""
    return {str(space): style.look(place)[:2] for place, space in enumerate(table.space.values)}


def _on_the_curve(table: "xarray.Dataset", space: Any) -> bool:
    """Whether the space is homogeneous and its similarity constant."""
    return bool(table.homogeneous.sel(space=space)) and str(table.similarity.sel(space=space).values) == "constant"


def _two_items(table: "xarray.Dataset") -> "xarray.Dataset":
    if 2 not in table.n.values or 0 not in table.delta.values:
        there = f"n = {table.n.values.tolist()}, delta = {table.delta.values.tolist()}"
        raise ValueError(f"this picture needs n = 2 and delta = 0; the table has {there}")
    return table.sel(n=2, delta=0.0)


def _legend(ax: "Axes", groups: dict[str, list[tuple[Any, str]]]) -> None:
    """One legend right of the axes, a heading above each group."""
    lines: list[tuple[Any, str]] = []
    headings = []
    for heading, entries in groups.items():
        if entries:
            headings.append(len(lines))
            lines += [(style.sample(ls="none"), heading), *entries]
    texts = style.legend(ax, lines, handlelength=2.0, labelspacing=0.35).get_texts()
    for position in headings:
        texts[position].set_weight("bold")
        texts[position].set_x(-28)
