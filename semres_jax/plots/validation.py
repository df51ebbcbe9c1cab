"""Pictures of a validation: laws are lines, simulations are marks. No two spaces of a picture share a mark."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots._style import COLOURS, GREY, MARKS, STYLE, axes, marks, save

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# Mean ball measures of the picture of many items, and how close a simulated one must be.
_BALL_MEASURES, _CLOSE = (0.01, 0.03, 0.1, 0.3), 0.04
_ERRORS = "bars: ± 1 standard error, mostly smaller than the marks"


def tradeoff(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification for two items without a floor, every space and resolution.

    Homogeneous spaces share the one curve p_S = 1/2 + b - b², p_I = 1 - b/2; all others lie below it by Var(b), each on
    a law of its own. Homogeneous spaces are simulated at like ball measures; so that no mark hides another, each shows
    its own share of them (`residuals` shows all).

    Args:
        table: what `validation.validate` makes, with n = 2 and delta = 0 in it.
        ax: where to draw.

    Returns:
        The axes, p_I to the right and p_S upward.

    Raises:
        ValueError: there is no n = 2 with delta = 0 in the table.
    """
    part = _two_items(table)
    ax = axes(ax, (6.8, 4.4))
    b = np.linspace(0.0, 1.0, 401)
    (law,) = ax.plot(1 - b / 2, 0.5 + b - b**2, color="black", lw=1.6, zorder=2)
    one, own, other = "homogeneous spaces", "others: lower by Var $b$", "another similarity"
    groups: dict[str, list[tuple[Any, str]]] = {one: [(law, "one law for all")], own: [], other: []}
    shared = [str(space) for space in part.space.values if _on_the_curve(part, space)]
    top = 0.75
    for space, (colour, mark) in _styles(table).items():
        row = part.sel(space=space)
        if not np.isfinite(row.p_s.values).any():
            continue
        shown = slice(shared.index(space), None, len(shared)) if space in shared else slice(None)
        if space not in shared:
            ax.plot(row.curve_p_i, row.curve_p_s, color=colour, lw=0.8, ls="-", zorder=1)
        x, y, x_error, y_error = (row[name].values[shown] for name in ("p_i", "p_s", "p_i_stderr", "p_s_stderr"))
        group = one if space in shared else own if str(row.similarity.values) == "constant" else other
        groups[group].append((marks(ax, x, y, x_error, y_error, colour, mark), space))
        top = max(top, float(np.nanmax(row.p_s.values)))
    ax.set_xlim(0.485, 1.015)
    ax.set_ylim(0.485, top + 0.02)
    ax.set_xlabel("identification, $p_I$ (probability of a right answer)")
    ax.set_ylabel("generalization, $p_S$ (probability of a right answer)")
    ax.annotate("$\\epsilon\\to 0$", (0.975, 0.495), fontsize=8, color=GREY, ha="right")
    ax.annotate("$\\epsilon$ = diameter", (0.525, 0.495), fontsize=8, color=GREY, ha="left")
    _legend(ax, groups)
    return ax


def residuals(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Simulation minus law in standard errors, z of p_S, against p_I: the marks of `tradeoff`, all of them.

    Arguments and errors as `tradeoff`. The band holds 95 % of right answers.
    """
    part = _two_items(table)
    ax = axes(ax, (6.8, 1.8))
    ax.axhspan(-1.96, 1.96, color="#e8e8e8", lw=0, zorder=0)
    ax.axhline(0.0, color="black", lw=1.0, zorder=1)
    largest = 3.0
    for space, (colour, mark) in _styles(table).items():
        row = part.sel(space=space)
        z = row.z_s.values
        finite = z[np.isfinite(z)]
        largest = max(largest, *np.abs(finite), 0.0) if finite.size else largest
        ax.plot(row.p_i, z, ls="none", marker=mark, ms=4, color=colour, mfc="white", mew=0.9, zorder=3)
    ax.set_ylim(-1.15 * largest, 1.15 * largest)
    ax.set_xlim(0.485, 1.015)
    ax.set_xlabel("identification, $p_I$ (probability of a right answer)")
    ax.set_ylabel("(simulation − law)\n/ standard error")
    return ax


def many_items(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """n p_I against the number of items n: the 1/n collapse of identification, on homogeneous spaces without a floor.

    n p_I = (1 - (1 - b)^n) / b saturates at 1/b: however many items there are, those within the ball share the answer.
    All spaces lie on the same points; so that no mark hides another, they take turns.

    Args:
        table: what `validation.validate` makes, with delta = 0 in it.
        ax: where to draw.

    Returns:
        The axes, both logarithmic.

    Raises:
        ValueError: there is no delta = 0 in the table.
    """
    if not np.any(table.delta.values == 0):
        raise ValueError(f"this picture needs delta = 0; the table has {table.delta.values.tolist()}")
    part = table.sel(delta=0.0)
    ax = axes(ax, (6.0, 4.4))
    n = np.geomspace(1.0, 1000.0, 300)
    styles = {space: style for space, style in _styles(table).items() if _on_the_curve(part, space)}
    entries: list[str] = []
    for turn, (b, colour) in enumerate(zip(_BALL_MEASURES, COLOURS, strict=False)):
        ax.plot(n, -np.expm1(n * np.log1p(-b)) / b, color=colour, lw=1.3, zorder=2)
        ax.plot(n, np.full_like(n, 1 / b), color=colour, lw=0.9, ls=(0, (4, 3)), zorder=1)
        ax.annotate(f"$b$ = {b:g}", (1000.0, 1 / b), (-2, 3), textcoords="offset points", ha="right", color=colour)
        for column, n_items in enumerate(table.n.values):
            near = {space: abs(part.mean_b.sel(space=space, n=n_items).values / b - 1) for space in styles}
            there = [space for space, off in near.items() if np.nanmin(off, initial=np.inf) < _CLOSE]
            if not there:
                continue
            space = there[(column + turn) % len(there)]
            row = part.sel(space=space, n=n_items).isel(resolution=int(np.nanargmin(near[space])))
            p_i, error = n_items * float(row.p_i), n_items * float(row.p_i_stderr)
            marks(ax, float(n_items), p_i, None, error, colour, styles[space][1])
            entries += [space] if space not in entries else []
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color="black", lw=1.3), Line2D([], [], color="black", lw=0.9, ls=(0, (4, 3)))]
    shapes = [Line2D([], [], color="black", marker=styles[space][1], ls="none", mfc="white", ms=5) for space in entries]
    handles, texts = [*lines, *shapes], ["law, $(1-(1-b)^n)/b$", "its limit, $1/b$", *entries]
    ax.legend(handles, texts, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(1.0, 1000.0)
    ax.set_ylim(0.9, 160.0)
    ax.set_xlabel("number of items, $n$")
    ax.set_ylabel("$n\\,p_I$ (items told apart)")
    return ax


def save_all(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that a validation has the data for, as files in a folder; their names."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    floorless = bool(np.any(table.delta.values == 0))
    written = []
    with rc_context(STYLE):
        if floorless and 2 in table.n.values:
            figure = Figure(figsize=(7.6, 6.4), layout="constrained")
            above, below = figure.subplots(2, 1, height_ratios=(3.3, 1.0), sharex=True)
            residuals(table, below)
            tradeoff(table, above).set_xlabel("")
            above.tick_params(labelbottom=False)
            above.set_title(f"Two items, $\\Delta$ = 0: law and simulation ({_ERRORS})", fontsize=9, loc="left")
            written += save(figure, folder, "tradeoff")
        if floorless and len(table.n) > 1 and any(_on_the_curve(table, space) for space in table.space.values):
            ax = many_items(table)
            ax.set_title(f"Homogeneous spaces, $\\Delta$ = 0 ({_ERRORS})", fontsize=9, loc="left")
            written += save(ax.figure, folder, "many_items")  # pyright: ignore[reportArgumentType]
    return written


def _styles(table: "xarray.Dataset") -> dict[str, tuple[str, str]]:
    """Colour and mark of every space: the same in all pictures of one table."""
    names = [str(space) for space in table.space.values]
    return {name: (COLOURS[i % len(COLOURS)], MARKS[i % len(MARKS)]) for i, name in enumerate(names)}


def _on_the_curve(table: "xarray.Dataset", space: Any) -> bool:
    """Whether the space is homogeneous and its similarity constant."""
    return bool(table.homogeneous.sel(space=space)) and str(table.similarity.sel(space=space).values) == "constant"


def _two_items(table: "xarray.Dataset") -> "xarray.Dataset":
    if 2 not in table.n.values or not np.any(table.delta.values == 0):
        raise ValueError(
            f"this picture needs n = 2 and delta = 0; the table has n = {table.n.values.tolist()}, "
            f"delta = {table.delta.values.tolist()}"
        )
    return table.sel(n=2, delta=0.0)


def _legend(ax: "Axes", groups: dict[str, list[tuple[Any, str]]]) -> None:
    """One legend right of the axes, a heading above each group."""
    from matplotlib.lines import Line2D

    handles, texts, headings = [], [], []
    for heading, entries in groups.items():
        if entries:
            headings.append(len(texts))
            handles += [Line2D([], [], ls="none"), *(handle for handle, _ in entries)]
            texts += [heading, *(text for _, text in entries)]
    legend = ax.legend(
        handles, texts, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, labelspacing=0.35
    )
    for position in headings:
        legend.get_texts()[position].set_weight("bold")
        legend.get_texts()[position].set_x(-28)
