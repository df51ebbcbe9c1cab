"""What all pictures share: the look, where axes come from, marks with error bars, files.

Colours are those of Okabe and Ito; nothing is told by colour alone. No function touches matplotlib's global state.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semres_jax.storage.results import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette but for black, which is the law's, and yellow, which paper swallows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d", "*", "8", "H")
GREY = "#7a7a7a"
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "semres",
    "svg.fonttype": "none",
}


def axes(ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    """The axes given, or those of a new figure of that size in inches."""
    if ax is not None:
        return ax
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        return Figure(figsize=size, layout="constrained").subplots()


def marks(ax: "Axes", x: Any, y: Any, x_error: Any, y_error: Any, colour: str, mark: str) -> Any:
    """Data: open marks with error bars of one standard error."""
    return ax.errorbar(
        x, y, xerr=x_error, yerr=y_error, ls="none", marker=mark, ms=5, color=colour, mfc="white", mew=1.1,
        elinewidth=0.9, zorder=3, clip_on=False,
    )  # fmt: skip


def save(figure: "Figure", folder: str | os.PathLike[str], name: str) -> list[str]:
    """Write a figure as PNG (200 dpi) and SVG, each file whole.

    Returns:
        The names of both files.
    """
    from matplotlib import rc_context

    names = [f"{name}.png", f"{name}.svg"]
    with rc_context(STYLE):
        for file in names:
            metadata = {"Date": None} if file.endswith("svg") else None  # the same data, the same file
            with replacing(Path(folder) / file) as temporary:
                figure.savefig(temporary, dpi=200, metadata=metadata)
    return names
