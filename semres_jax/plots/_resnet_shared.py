"""What the pictures of image networks share: looks of alphas, bands, error bars, labels that keep off each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots._style import GREY
from semres_jax.plots._toy_shared import look

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

REACH = "mean ball measure, $\\langle b\\rangle$ (share of other classes' images within $\\epsilon$)"
IDENTIFICATION, GENERALIZATION = "identification, $p_I$ (probability)", "generalization, $p_S$ (probability)"
INTERVALS = "95 % over\nruns and images"
# Shares of other classes' images within ε that get a mark where all of them have a line.
MARKED = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
COLUMNS = 3
# Room left around a label, and how far from its point it may stand, in points.
_ROOM, _RADII = 1.5, (8, 12, 18, 26, 36)
# Nearer than that a text needs no line to its point, in points.
_BESIDE = 12
_ANGLES = np.deg2rad([45, -45, 135, -135, 90, -90, 0, 180])


def alpha_text(alpha: Any) -> str:
    return f"α = {float(alpha):g}"


def nearest(values: Any, wanted: Sequence[float]) -> np.ndarray:
    """Places of the values nearest to those wanted, each once, ascending."""
    return np.unique([int(np.abs(np.asarray(values) - x).argmin()) for x in wanted])


def bounds(one: "xarray.Dataset", name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean over runs, and how far the 95 % interval reaches below and above it."""
    mean = one[name].mean("run").values
    off = [mean - one[f"{name}_low"].values, one[f"{name}_high"].values - mean]
    return mean, np.maximum(off, 0.0)


def handle(place: int, line: bool = True) -> Any:
    """What a legend shows of the alpha at a place."""
    from matplotlib.lines import Line2D

    colour, mark, dash = look(place)
    return Line2D([], [], color=colour, ls=dash if line else "none", lw=1.3, marker=mark, ms=5, mfc="white", mew=1.1)


def panels(figure: Any, count: int, **shared: Any) -> list["Axes"]:
    """Axes of that number in rows of at most three; labels stand at the lowest of each column, and at the left."""
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    made = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
    for ax in made[count:]:
        ax.set_axis_off()
    for place in range(count):
        made[place].tick_params(labelbottom=place + columns >= count)
    return list(made[:count])


def under(figure: Any, made: Sequence["Axes"], text: str) -> None:
    """One label of x for all axes, in their middle and not in that of a figure with its legend; settles the layout."""
    written = figure.supxlabel(text, fontsize=9)
    figure.draw_without_rendering()
    places = [ax.get_position() for ax in made]
    half = 0.505 * written.get_window_extent().width / figure.bbox.width
    middle = (min(box.x0 for box in places) + max(box.x1 for box in places)) / 2
    written.set_x(min(max(middle, half), max(1 - half, 0.5)))  # whole, where the axes are narrower than the text


def plain_log(ax: "Axes", axis: str) -> None:
    """A logarithmic axis with plain numbers: 1, 2, 5 of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    getattr(ax, f"set_{axis}scale")("log")
    scale: Any = getattr(ax, f"{axis}axis")
    scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    scale.set_minor_locator(NullLocator())


def label(ax: "Axes", points: Sequence[tuple[float, float]], texts: Sequence[str], taken: Any) -> None:
    """Write texts beside points where neither other texts nor the points taken are; those without room are left out.

    Args:
        ax: of a figure whose layout is as it will be.
        points, texts: in the order of importance.
        taken: (K, 2) in the coordinates of the data, to be kept free.
    """
    figure: Any = ax.figure
    scale = figure.dpi / 72
    busy = np.asarray(ax.transData.transform(np.asarray(taken, float)))
    frame, placed = ax.get_window_extent(), []
    for point, text in zip(points, texts, strict=True):
        for radius, angle in ((r + 4 * text.count("\n"), angle) for r in _RADII for angle in _ANGLES):
            note, box, line = _note(ax, point, text, (1.3 * radius * np.cos(angle), radius * np.sin(angle)), scale)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            covered = _within(busy, box) or any(box.overlaps(other) or _within(line, other) for other in placed)
            if inside and not covered:
                placed.append(box)
                busy = np.concatenate([busy, line])
                break
            note.remove()


def _note(ax: "Axes", point: Any, text: str, offset: tuple[float, float], scale: float) -> tuple[Any, Any, np.ndarray]:
    """A text beside a point, the box it takes, and points of the line between them, in pixels."""
    from matplotlib.text import Text

    x, y = offset
    line = {"arrowstyle": "-", "lw": 0.5, "color": GREY, "shrinkA": 0, "shrinkB": 2.5}
    note = ax.annotate(
        text, point, offset, textcoords="offset points", fontsize=7, linespacing=1.0, zorder=5,
        ha="left" if x > 1 else "right" if x < -1 else "center", va="center",
        arrowprops=line if np.hypot(x, y) > _BESIDE else None,
    )  # fmt: skip
    note.set_in_layout(False)
    note.get_window_extent()  # puts the text at its place; what it returns counts the line in
    box = Text.get_window_extent(note).padded(_ROOM * scale)
    start = np.asarray(ax.transData.transform(point))
    end = start + scale * np.array([x, y])
    return note, box, start + np.linspace(0.3, 0.9, 7)[:, None] * (end - start)


def _within(points: np.ndarray, box: Any) -> bool:
    return bool(((points >= box.min) & (points <= box.max)).all(1).any())
