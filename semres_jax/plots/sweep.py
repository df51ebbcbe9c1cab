"""Pictures of a sweep: fronts, p_S against the ball measure, many items, families of similarities side by side."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.frontier.pareto import distance
from semres_jax.frontier.sweep import exponents_of, optima
from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, DASHES, GREY, MARKS, PALE, PROBABILITY

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# Of similarities, where dashes tell something else: grey prints need them.
_WIDTHS = (2.2, 1.4, 0.8, 1.8, 1.1, 0.6)
# Mean ball measures at which p_S is drawn against n.
_BALL_MEASURES = (0.02, 0.05, 0.1, 0.2)


@style.settable
def fronts(table: "xarray.Dataset", n: int | None = None, ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification as the resolution grows: a colour a similarity, a dash a space or a floor.

    Args:
        table: what `frontier.sweep` makes; of several exponents the first. Of several spaces the first floor is drawn.
        n: number of items; None: the first of the table.
        ax: where to draw; None: a new figure, with a legend.
    """
    n, alone = int(table.n[0]) if n is None else n, ax is None
    part, ax = _first_exponent(table).sel(n=n), style.axes(ax, (6.8, 4.0) if alone else (5.2, 4.0))
    several = part.sizes["space"] > 1
    for i, space in enumerate(part.space.values):
        for j, similarity in enumerate(part.similarity.values):
            for k, delta in enumerate(part.delta.values[: 1 if several else len(DASHES)]):
                row = part.sel(space=space, similarity=similarity, delta=delta)
                dash = DASHES[(i if several else k) % 6]
                _curve(ax, row.p_i, row.p_s, row, COLOURS[j % 6], dash, _WIDTHS[j % 6])
    ax.plot([1 / n, 1], [1 / n, 1], color=PALE, lw=0.8, zorder=0)
    ax.set(**PROBABILITY)
    style.title(ax, f"{n} items{_unless_luce(part)}")
    if alone:
        _front_legend(ax, part)
    return ax


@style.settable
def optimum(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """p_S against the mean ball measure, the best of the grid marked: a colour a number of items, a dash a similarity.

    Arguments as `fronts`; the first space and floor are drawn.
    """
    part, ax = _first_exponent(table).isel(space=0, delta=0), style.axes(ax, (6.4, 4.0))
    for j, n in enumerate(part.n.values[: len(COLOURS)]):
        for i, similarity in enumerate(part.similarity.values[: len(DASHES)]):
            row = part.sel(n=n, similarity=similarity)
            _curve(ax, row.mean_b, row.p_s, row, COLOURS[j], DASHES[i])
            if not np.isfinite(row.p_s).any():
                continue
            at = int(np.nanargmax(row.p_s))
            ax.plot([row.mean_b[at]], [row.p_s[at]], MARKS[j], color=COLOURS[j], mfc="white", mew=1.2, ms=6, zorder=4)
    ax.set(
        xlabel="mean ball measure, $\\langle b\\rangle$ (share of the stimuli within $\\epsilon$)",
        ylabel=PROBABILITY["ylabel"],
    )
    style.title(ax, f"{part.space.item()}, $\\Delta$ = {part.delta.item():g}{_unless_luce(part)}")
    entries = [
        *((COLOURS[j], "-", MARKS[j], f"$n$ = {n}") for j, n in enumerate(part.n.values[: len(COLOURS)])),
        *(("black", dash, "", str(s)) for dash, s in zip(DASHES, part.similarity.values, strict=False)),
    ]
    _legend(ax, entries, "mark: best $p_S$")
    return ax


@style.settable
def items(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """p_S against the number of items at fixed ball measures: for small ones it falls, and then rises.

    Arguments as `optimum`; the first similarity is drawn.
    """
    part, ax = _first_exponent(table).isel(space=0, delta=0, similarity=0), style.axes(ax, (5.2, 4.0))
    n = part.n.values
    for j, b in enumerate(_BALL_MEASURES):
        off = np.abs(part.mean_b.isel(n=0).values - b)
        if not np.nanmin(off, initial=np.inf) < 0.2 * b:
            continue
        row = part.isel(epsilon=int(np.nanargmin(off)))
        label = f"$\\langle b\\rangle$ = {float(row.mean_b.isel(n=0)):.3g}"
        ax.plot(n, row.p_s, color=COLOURS[j], marker=MARKS[j], mfc="white", ms=4.5, lw=1.1, label=label)
    _items_axis(ax, n)
    ax.set_ylabel(PROBABILITY["ylabel"])
    where = f"{part.space.item()}, {part.similarity.item()}, $\\Delta$ = {part.delta.item():g}"
    style.title(ax, where + _unless_luce(part))
    if ax.lines:  # a coarse grid may come near none of the measures
        ax.legend(loc="best")
    return ax


@style.settable
def best_ball_measure(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """b*(n), the mean ball measure of the best p_S: marks from the grid, for the constant similarity the law as a line.

    Arguments as `optimum`; bars span a step of the grid.
    """
    part, ax = _first_exponent(table), style.axes(ax, (5.2, 4.0))
    best = optima(part).isel(space=0, delta=0)
    b = part.mean_b.isel(space=0, delta=0, n=0, similarity=0).values
    half = np.interp(best.mean_b.values, b, np.gradient(b)) / 2 if np.all(np.diff(b) >= 0) else None
    ax.plot(best.n, best.best_b, color="black", lw=1.2, label="law, constant similarity")
    for i, similarity in enumerate(best.similarity.values):
        error = None if half is None else half[i]
        b = best.mean_b.sel(similarity=similarity)
        style.marks(ax, best.n, b, COLOURS[i % 6], MARKS[i], None, error, label=str(similarity))
    _items_axis(ax, best.n.values)
    ax.set(yscale="log", ylabel="best ball measure, $b^*(n)$ (share of the stimuli)")
    style.title(ax, f"bars: one step of the grid{_unless_luce(part)}")
    ax.legend(loc="best")
    return ax


@style.settable
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
    alone = ax is None
    part, ax = table.isel(space=0, n=0, delta=0), style.axes(ax, (6.4, 4.0))
    if "constant" not in part.similarity.values:
        raise ValueError(f"this picture needs the constant similarity; the table has {part.similarity.values.tolist()}")
    reference = _first_exponent(part).sel(similarity="constant")
    part = _first_exponent(part) if exponent is None or "exponent" not in part.dims else part.sel(exponent=exponent)
    for i, similarity in enumerate(part.similarity.values):
        row = part.sel(similarity=similarity)
        gap = distance(row.p_s.values, row.p_i.values, reference).distance
        ax.plot(row.mean_b, gap, color=COLOURS[i % 6], ls=DASHES[i % 6], lw=1.5, label=str(similarity))
    ax.axhline(0.0, color=GREY, lw=0.8, zorder=0)
    ax.set(xlabel="mean ball measure, $\\langle b\\rangle$", ylabel="distance from the constant\nfront (probability)")
    power = _exponent(part)
    style.title(ax, "" if power is None else f"Luce exponent {power:g}")
    if alone:
        ax.legend(loc="best")
    return ax


@style.applied()
def save_sweep(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Every picture that a sweep has the data for, as files in a folder; their names.

    fronts: a panel for each number of items. Where moments of balls are known, optimum: a panel for each space; items,
    where there are three numbers or more: a row for each space; families: a panel for each space, exponent and number
    of items, where there is something beside the constant similarity.
    """
    pictures: dict[str, Any] = {"fronts": _front_panels(table)}
    others = [name for name in table.mean_b.dims if name != "space"]
    known = table.isel(space=np.flatnonzero(np.isfinite(table.mean_b).any(others)))
    if known.sizes["space"]:
        pictures["optimum"] = _optimum_panels(known)
        if len(table.n) > 2:
            count = known.sizes["space"]
            pictures["items"] = figure = style.new_figure(9.6, 3.8 * count)
            for place, (left, right) in enumerate(figure.subplots(count, 2, squeeze=False)):
                items(known.isel(space=[place]), left)
                best_ball_measure(known.isel(space=[place]), right)
                if count > 1:
                    style.title(right, f"{known.space.values[place]}; {right.get_title('left')}")
        if "constant" in table.similarity.values and (len(table.similarity) > 1 or "exponent" in table.dims):
            pictures["families"] = _family_panels(known)
    return style.save_pictures(pictures, folder)


def _front_panels(table: "xarray.Dataset") -> Any:
    """Fronts of each number of items."""
    ns = table.n.values
    made = style.panels(len(ns), 2, (4.0, 3.3), (1.6, 0.3))
    for ax, n in zip(made, ns, strict=True):
        fronts(table, int(n), ax)
    _front_legend(made[:2][-1], table)
    return made[0].figure


def _front_legend(ax: "Axes", table: "xarray.Dataset") -> None:
    """What colours and dashes of fronts are."""
    several = table.sizes["space"] > 1
    names = table.space.values if several else [f"$\\Delta$ = {d:g}" for d in table.delta.values]
    entries = [
        *((COLOURS[j % 6], "-", "", str(s)) for j, s in enumerate(table.similarity.values)),
        *(("black", dash, "", str(name)) for dash, name in zip(DASHES, names, strict=False)),
    ]
    heading = f"$\\Delta$ = {table.delta.values[0]:g}" if several else None
    _legend(ax, entries, heading, _WIDTHS[: table.sizes["similarity"]])


def _optimum_panels(table: "xarray.Dataset") -> Any:
    """p_S against the mean ball measure, a panel for each space."""
    count = table.sizes["space"]
    if count == 1:
        return optimum(table)
    made = style.panels(count, 2, (4.0, 3.3), (1.6, 0.3))
    for place, ax in enumerate(made):
        optimum(table.isel(space=[place]), ax)
        legend = ax.get_legend()
        if legend is not None and ax is not made[:2][-1]:
            legend.remove()
        ax.set_xlabel("mean ball measure, $\\langle b\\rangle$")
    return made[0].figure


def _family_panels(table: "xarray.Dataset") -> Any:
    """Distances of families from the constant front, a panel for each space, number of items and exponent."""
    powers = table.exponent.values if "exponent" in table.dims else [None]
    spaces, ns = range(table.sizes["space"]), range(table.sizes["n"])
    cells = [(space, n, power) for space in spaces for n in ns for power in powers]
    made = style.panels(len(cells), 2, (3.9, 2.9), (1.8, 0.3), sharey=True)
    for ax, (space, n, power) in zip(made, cells, strict=True):
        families(table.isel(space=[space], n=[n]), power, ax)
        if len(spaces) * len(ns) > 1:
            parts = [f"{table.space.values[space]}, {table.n.values[n]} items", ax.get_title("left")]
            style.title(ax, ", ".join(filter(None, parts)))
    entries = [(COLOURS[j % 6], DASHES[j % 6], "", str(s)) for j, s in enumerate(table.similarity.values)]
    floor = f"$\\Delta$ = {table.delta.values[0]:g}"
    own = f"{table.space.values[0]}, {table.n.values[0]} items\n" if len(spaces) * len(ns) == 1 else ""
    _legend(made[:2][-1], entries, own + floor)
    return made[0].figure


def _items_axis(ax: "Axes", n: np.ndarray) -> None:
    """A logarithmic axis of numbers of items, with the numbers themselves on it."""
    ax.set(xscale="log", xlabel="number of items, $n$")
    style.ticks(ax, "x", n)


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
        style.marks(ax, x, y, colour, "o", across, row.p_s_stderr)


def _legend(ax: "Axes", entries: list[tuple[Any, Any, str, str]], heading: str | None, widths: Any = ()) -> None:
    """A legend of (colour, dash, mark, text); lines have the widths that are given, from the first on."""
    samples = [
        (style.sample(color=colour, ls=dash, marker=mark or None, ms=6, lw=width), text)
        for (colour, dash, mark, text), width in zip(entries, [*widths, *[1.3] * len(entries)], strict=False)
    ]
    style.legend(ax, samples, title=heading, title_fontsize=None, alignment="center")
