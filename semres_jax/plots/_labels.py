"""Labels beside points of a picture that keep off each other and off what is drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots._style import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Room left around a label, and how far from its point it may stand, in points.
_ROOM, _RADII = 1.5, (8, 12, 18, 26, 36)
# Nearer than that a text needs no line to its point, in points.
_BESIDE = 12
_ANGLES = np.deg2rad([45, -45, 135, -135, 90, -90, 0, 180])


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
