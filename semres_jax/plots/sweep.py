"""Pictures of a sweep: fronts, p_S against the ball measure, many items, families of similarities side by side."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.frontier.pareto import distance
from semres_jax.frontier.sweep import exponents_of, optima
from semres_jax.plots._style import COLOURS, GREY, MARKS, STYLE, axes, marks, save

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

_DASHES: Any = ("-", (0, (5, 2)), (0, (1, 1.3)), (0, (4, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
# Of similarities, where dashes tell something else: grey prints need them.
_WIDTHS = (2.2, 1.4, 0.8, 1.8, 1.1, 0.6)
# Mean ball measures at which p_S is drawn against n.
_BALL_MEASURES = (0.02, 0.05, 0.1, 0.2)
_IDENTIFICATION, _GENERALIZATION = "identification, $p_I$ (probability)", "generalization, $p_S$ (probability)"


def fronts(table: "xarray.Dataset", n: int, ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification as the resolution grows: a colour a similarity, a dash a space or a floor.

    Args:
        table: what `frontier.sweep` makes; of several exponents the first. Of several spaces the first floor is drawn.
        n: number of items.
        ax: where to draw.

    Returns:
        The axes, p_I to the right and p_S upward.
    """
    part, ax = _first_exponent(table).sel(n=n), axes(ax, (5.2, 4.0))
    several = part.sizes["space"] > 1
    for i, space in enumerate(part.space.values):
        for j, similarity in enumerate(part.similarity.values):
            for k, delta in enumerate(part.delta.values[: 1 if several else len(_DASHES)]):
                row = part.sel(space=space, similarity=similarity, delta=delta)
                _curve(
                    ax,
                    row.p_i,
                    row.p_s,
                    row,
                    COLOURS[j % len(COLOURS)],
                    _DASHES[(i if several else k) % 6],
                    _WIDTHS[j % 6],
                )
    ax.plot([1 / n, 1], [1 / n, 1], color="#c8c8c8", lw=0.8, zorder=0)
    ax.set_xlabel(_IDENTIFICATION)
    ax.set_ylabel(_GENERALIZATION)
    ax.set_title(f"{n} items{_unless_luce(part)}", fontsize=9, loc="left")
    return ax


def optimum(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """p_S against the mean ball measure, the best of the grid marked: a colour a number of items, a dash a similarity.

    Arguments as `fronts`; the first space and floor are drawn.
    """
    part, ax = _first_exponent(table).isel(space=0, delta=0), axes(ax, (6.4, 4.0))
    for j, n in enumerate(part.n.values[: len(COLOURS)]):
        for i, similarity in enumerate(part.similarity.values[: len(_DASHES)]):
            row = part.sel(n=n, similarity=similarity)
            _curve(ax, row.mean_b, row.p_s, row, COLOURS[j], _DASHES[i])
            if not np.isfinite(row.p_s).any():
                continue
            at = int(np.nanargmax(row.p_s))
            ax.plot([row.mean_b[at]], [row.p_s[at]], MARKS[j], color=COLOURS[j], mfc="white", mew=1.2, ms=6, zorder=4)
    ax.set_xlabel("mean ball measure, $\\langle b\\rangle$ (share of the stimuli within $\\epsilon$)")
    ax.set_ylabel(_GENERALIZATION)
    ax.set_title(f"{part.space.item()}, $\\Delta$ = {part.delta.item():g}{_unless_luce(part)}", fontsize=9, loc="left")
    handles = [
        *((COLOURS[j], "-", MARKS[j], f"$n$ = {n}") for j, n in enumerate(part.n.values[: len(COLOURS)])),
        *(("black", dash, "", str(s)) for dash, s in zip(_DASHES, part.similarity.values, strict=False)),
    ]
    _legend(ax, handles, "mark: best $p_S$")
    return ax


def items(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """p_S against the number of items at fixed ball measures: for small ones it falls, and then rises.

    Arguments as `optimum`; the first similarity is drawn.
    """
    part, ax = _first_exponent(table).isel(space=0, delta=0, similarity=0), axes(ax, (5.2, 4.0))
    n = part.n.values
    for j, b in enumerate(_BALL_MEASURES):
        off = np.abs(part.mean_b.isel(n=0).values - b)
        if not np.nanmin(off, initial=np.inf) < 0.2 * b:
            continue
        row = part.isel(epsilon=int(np.nanargmin(off)))
        label = f"$\\langle b\\rangle$ = {float(row.mean_b.isel(n=0)):.3g}"
        ax.plot(n, row.p_s, color=COLOURS[j], marker=MARKS[j], mfc="white", ms=4.5, lw=1.1, label=label)
    _items_axis(ax, n)
    ax.set_ylabel(_GENERALIZATION)
    ax.set_title(
        f"{part.space.item()}, {part.similarity.item()}, $\\Delta$ = {part.delta.item():g}{_unless_luce(part)}",
        fontsize=9,
        loc="left",
    )
    ax.legend(loc="best")
    return ax


def best_ball_measure(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """b*(n), the mean ball measure of the best p_S: marks from the grid, for the constant similarity the law as a line.

    Arguments as `optimum`; bars span a step of the grid.
    """
    part, ax = _first_exponent(table), axes(ax, (5.2, 4.0))
    best = optima(part).isel(space=0, delta=0)
    b = part.mean_b.isel(space=0, delta=0, n=0, similarity=0).values
    half = np.interp(best.mean_b.values, b, np.gradient(b)) / 2 if np.all(np.diff(b) >= 0) else None
    (law,) = ax.plot(best.n, best.best_b, color="black", lw=1.2)
    law.set_label("law, constant similarity")
    for i, similarity in enumerate(best.similarity.values):
        error = None if half is None else half[i]
        handle = marks(ax, best.n, best.mean_b.sel(similarity=similarity), None, error, COLOURS[i % 6], MARKS[i])
        handle.set_label(str(similarity))
    _items_axis(ax, best.n.values)
    ax.set_yscale("log")
    ax.set_ylabel("best ball measure, $b^*(n)$ (share of the stimuli)")
    ax.set_title(f"bars: one step of the grid{_unless_luce(part)}", fontsize=9, loc="left")
    ax.legend(loc="best")
    return ax


def families(table: "xarray.Dataset", exponent: float | None = None, ax: "Axes | None" = None) -> "Axes":
    """How far each similarity lies from the front of the constant one, at equal ball measure: a dash a similarity.

    Signed distance in the (p_I, p_S) plane (`frontier.distance`): positive beyond the front that the constant
    similarity of the same floor reaches with Luce's rule, or where the table has no exponent 1 with its first one.

    Args:
        table: what `frontier.sweep` makes; the first space, n and floor are drawn.
        exponent: of the choice, one of the table; None: Luce's rule, or the first one.
        ax: where to draw.

    Raises:
        ValueError: no constant similarity in the table.
    """
    part, ax = table.isel(space=0, n=0, delta=0), axes(ax, (6.4, 4.0))
    if "constant" not in part.similarity.values:
        raise ValueError(f"this picture needs the constant similarity; the table has {part.similarity.values.tolist()}")
    reference = _first_exponent(part).sel(similarity="constant")
    part = _first_exponent(part) if exponent is None or "exponent" not in part.dims else part.sel(exponent=exponent)
    for i, similarity in enumerate(part.similarity.values):
        row = part.sel(similarity=similarity)
        gap = distance(row.p_s.values, row.p_i.values, reference).distance
        ax.plot(row.mean_b, gap, color=COLOURS[i % 6], ls=_DASHES[i % 6], lw=1.5)
    ax.axhline(0.0, color=GREY, lw=0.8, zorder=0)
    ax.set_xlabel("mean ball measure, $\\langle b\\rangle$")
    ax.set_ylabel("distance from the constant\nfront (probability)")
    power = _exponent(part)
    ax.set_title("" if power is None else f"Luce exponent {power:g}", fontsize=9, loc="left")
    return ax


def save_sweep(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that a sweep has the data for, as files in a folder; their names."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    written = []
    with rc_context(STYLE):
        ns = table.n.values[:4]
        columns = min(len(ns), 2)
        rows = -(-len(ns) // columns)
        figure = Figure(figsize=(4.0 * columns + 1.6, 3.3 * rows + 0.3), layout="constrained")
        panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for panel in panels[len(ns) :]:
            panel.set_axis_off()
        for panel, n in zip(panels, ns, strict=False):
            fronts(table, int(n), panel)
        several = table.sizes["space"] > 1
        names = table.space.values if several else [f"$\\Delta$ = {d:g}" for d in table.delta.values]
        handles = [
            *((COLOURS[j % 6], "-", "", str(s)) for j, s in enumerate(table.similarity.values)),
            *(("black", dash, "", str(name)) for dash, name in zip(_DASHES, names, strict=False)),
        ]
        title = f"$\\Delta$ = {table.delta.values[0]:g}" if several else None
        _legend(panels[columns - 1], handles, title, _WIDTHS[: table.sizes["similarity"]])
        written += save(figure, folder, "fronts")
        if np.isfinite(table.mean_b).any():
            written += save(optimum(table).figure, folder, "optimum")  # pyright: ignore[reportArgumentType]
            if len(table.n) > 2:
                figure = Figure(figsize=(9.6, 3.8), layout="constrained")
                left, right = figure.subplots(1, 2)
                items(table, left)
                best_ball_measure(table, right)
                written += save(figure, folder, "items")
            if "constant" in table.similarity.values and (len(table.similarity) > 1 or "exponent" in table.dims):
                powers = table.exponent.values if "exponent" in table.dims else [None]
                columns = min(len(powers), 2)
                rows = -(-len(powers) // columns)
                figure = Figure(figsize=(3.9 * columns + 1.8, 2.9 * rows + 0.3), layout="constrained")
                panels = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
                for panel, power in zip(panels, powers, strict=False):
                    families(table, power, panel)
                for panel in panels[len(powers) :]:
                    panel.set_axis_off()
                handles = [(COLOURS[j % 6], _DASHES[j % 6], "", str(s)) for j, s in enumerate(table.similarity.values)]
                space, floor = table.space.values[0], table.delta.values[0]
                _legend(panels[columns - 1], handles, f"{space}, {table.n.values[0]} items\n$\\Delta$ = {floor:g}")
                written += save(figure, folder, "families")
    return written


def _items_axis(ax: "Axes", n: np.ndarray) -> None:
    """A logarithmic axis of numbers of items, with the numbers themselves on it."""
    ax.set_xscale("log")
    ax.set_xticks(n, [str(k) for k in n])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("number of items, $n$")


def _first_exponent(table: "xarray.Dataset") -> "xarray.Dataset":
    """Luce's rule where it is there."""
    if "exponent" not in table.dims:
        return table
    return table.sel(exponent=1.0) if 1.0 in table.exponent.values else table.isel(exponent=0)


def _unless_luce(part: "xarray.Dataset") -> str:
    """What a title adds where the exponent isn't 1."""
    power = _exponent(part)
    return "" if power in (1, None) else f", Luce exponent {power:g}"


def _exponent(part: "xarray.Dataset") -> float | None:
    """The Luce exponent of a table of one; None where attributes were lost."""
    return float(exponents_of(part)[0]) if "exponent" in (*part.coords, *part.attrs) else None


def _curve(ax: "Axes", x: Any, y: Any, row: "xarray.Dataset", colour: str, dash: Any, width: float = 1.3) -> None:
    """A line where the numbers are exact, marks with bars where they are simulated."""
    if row.attrs.get("method", "exact") == "exact":
        ax.plot(x, y, color=colour, ls=dash, lw=width)
    else:
        across = None if x.name == "mean_b" else row.p_i_stderr
        marks(ax, x, y, across, row.p_s_stderr, colour, "o")


def _legend(ax: "Axes", entries: list[tuple[Any, Any, str, str]], title: str | None, widths: Any = ()) -> None:
    from matplotlib.lines import Line2D

    widths = [*widths, *[1.3] * len(entries)]

    handles = [
        Line2D([], [], color=colour, ls=dash, marker=mark or None, mfc="white", lw=width)
        for (colour, dash, mark, _), width in zip(entries, widths, strict=False)
    ]
    texts = [text for *_, text in entries]
    ax.legend(
        handles, texts, title=title, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, handlelength=2.8
    )
