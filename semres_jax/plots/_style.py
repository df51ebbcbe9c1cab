"""What all pictures share: the look, axes and panels, marks with error bars, legends, files.

Colours are those of Okabe and Ito; nothing is told by colour alone. No function touches matplotlib's global state, and
nothing that users set there (styles, LaTeX, fonts, a backend for their screen or notebook) changes a picture.
"""

import functools
import inspect
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from semres_jax._files import shown
from semres_jax.storage.results import replacing

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

Picture = TypeVar("Picture")  # Axes, a Figure or a SubFigure

# Okabe and Ito's palette but for black, which is the law's, and yellow, which paper swallows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d", "*", "8", "H")
DASHES: Any = ("-", (0, (5, 2)), (0, (1, 1.3)), (0, (4, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
GREY, PALE = "#7a7a7a", "#c8c8c8"
# Colour, mark and dash of each family, and of those without a look of their own in the order in which they come.
FAMILIES: Any = {
    "constant": (COLOURS[1], "s", DASHES[1]), "linear": (COLOURS[0], "o", DASHES[0]),
    "exponential": (COLOURS[2], "^", DASHES[3]), "optimal": ("black", None, DASHES[2]),
}  # fmt: skip
_OTHERS: Any = tuple(zip(COLOURS[3:], ("D", "v", "P"), (DASHES[4], (0, (3, 1, 1, 1)), (0, (2, 2))), strict=True))
FAMILY_MARKS = {name: mark for name, (_, mark, _) in FAMILIES.items() if mark}
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
_LONGEST_TEXT = 2000
_NOTEBOOK_DPI = 110
# Settings of matplotlib that are no matter of pictures.
_NO_STYLE = ("backend", "date.epoch", "docstring", "tk.", "webagg")
IDENTIFICATION, GENERALIZATION = "identification, $p_I$", "generalization, $p_S$"
PLANE: Any = {
    "xlabel": f"{IDENTIFICATION} (probability of a right answer)",
    "ylabel": f"{GENERALIZATION} (probability of a right answer)",
}
PROBABILITY: Any = {"xlabel": f"{IDENTIFICATION} (probability)", "ylabel": f"{GENERALIZATION} (probability)"}
# A legend right of its axes, and its title and lines.
BESIDE: Any = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
RIGHT: Any = BESIDE | {"handlelength": 2.8, "title_fontsize": 8, "alignment": "left"}
OUTSIDE: Any = {"loc": "outside right upper", "bbox_to_anchor": None, "borderaxespad": None}


def _import_matplotlib() -> None:
    """Import matplotlib, without the user's settings where it can't be imported with them.

    A file of settings that is no text, or the name of no backend in MPLBACKEND, ends its import otherwise.
    """
    try:
        import matplotlib
    except ImportError:
        raise
    except Exception:
        settings = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}  # a file that is empty
        before, here = {name: os.environ.get(name) for name in settings}, os.open(os.curdir, os.O_RDONLY)
        os.environ.update(settings)
        os.chdir(Path(__file__).parent)  # matplotlibrc of the working folder is read before all others
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]  # what there is of them belongs to the import that failed
        try:
            import matplotlib  # noqa: F401
        finally:
            os.fchdir(here)
            os.close(here)
            for name, value in before.items():
                os.environ.pop(name)
                os.environ.update({} if value is None else {name: value})


@contextmanager
def applied() -> Iterator[None]:
    """In here, or in a function that it decorates, matplotlib has the look of all pictures, whatever users set."""
    _import_matplotlib()
    from matplotlib import rc_context, rcParamsDefault

    # Not the backend: looking it up would choose one.
    usual = {name: rcParamsDefault[name] for name in rcParamsDefault if not name.startswith(_NO_STYLE)}
    with rc_context(usual | STYLE):
        yield


def as_png(figure: "Figure") -> bytes:
    """The picture as a notebook shows it, whatever its settings of matplotlib."""
    made = io.BytesIO()
    with applied():
        _drawable(figure)
        figure.savefig(made, format="png", dpi=_NOTEBOOK_DPI, backend="agg")
    return made.getvalue()


def settable(draw: "Callable[..., Picture]") -> "Callable[..., Picture]":
    """The function that draws, which takes as further keywords whatever `Axes.set` takes: title, xlim, yscale.

    These have the last word; in a figure of several axes they hold for all of them, a title for the figure. Pictures in
    a figure that the function makes show themselves in a notebook.
    """
    signature = inspect.signature(draw)
    further = inspect.Parameter("settings", inspect.Parameter.VAR_KEYWORD, annotation=Any)

    @functools.wraps(draw)
    def drawn(*args: Any, **named: Any) -> "Picture":
        settings = {name: named.pop(name) for name in [*named] if name not in signature.parameters}
        with applied():
            picture: Any = draw(*args, **named)
        single = not isinstance(picture.axes, list)
        if "title" in settings:  # that of the function is at the left
            (title if single else heading)(picture, settings.pop("title"))
        for ax in [picture] if single else picture.axes:
            if ax.get_label() != "<colorbar>":
                ax.set(**settings)
        return picture

    drawn.__signature__ = signature.replace(parameters=[*signature.parameters.values(), further])  # pyright: ignore
    return drawn


def new_figure(width: float, height: float, layout: Any = "constrained") -> "Figure":
    """An empty figure of that size in inches."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(width, height), layout=layout)
    figure._repr_png_ = functools.partial(as_png, figure)
    return figure


def axes(ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    """The axes given, or those of a new figure of that size in inches."""
    if ax is not None:
        return ax
    with applied():
        own: Any = new_figure(*size).subplots()
    own._repr_png_ = own.figure._repr_png_
    return own


def panels(
    count: int, most: int, size: tuple[float, float], rest: tuple[float, float], figure: Any = None, **shared: Any
) -> "list[Axes]":
    """Axes of that number in rows of at most `most`, in a figure that has their size and the rest in inches."""
    columns = min(count, most)
    rows = -(-count // columns)
    figure = figure or new_figure(size[0] * columns + rest[0], size[1] * rows + rest[1])
    every = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
    for ax in every[count:]:
        ax.set_axis_off()
    return list(every[:count])


def title(ax: "Axes", text: str) -> None:
    ax.set_title(text, fontsize=9, loc="left")


def heading(figure: "Figure | SubFigure", text: str) -> None:
    figure.suptitle(text, fontsize=9, x=0.01, ha="left")


def ticks(ax: "Axes", axis: str, values: Any, texts: Any = None) -> None:
    """Ticks at these values and nowhere else, written as plain numbers unless texts are given."""
    place = getattr(ax, f"set_{axis}ticks")
    place(values, [f"{value:.10g}" for value in values] if texts is None else texts)
    place([], minor=True)


def plain_log(ax: "Axes", axis: str) -> None:
    """A logarithmic axis with plain numbers: 1, 2, 5 of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    getattr(ax, f"set_{axis}scale")("log")
    scale: Any = getattr(ax, f"{axis}axis")
    scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    scale.set_minor_locator(NullLocator())


def look(place: int) -> tuple[str, str, Any]:
    """Colour, mark and dash of a condition by its place among those drawn."""
    return COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)], DASHES[place % len(DASHES)]


def family_looks(names: Iterable[str]) -> dict[str, tuple[str, Any, Any]]:
    """Colour, mark and dash of families."""
    names = list(names)
    others = [name for name in names if name not in FAMILIES]
    return {name: FAMILIES.get(name) or _OTHERS[others.index(name) % len(_OTHERS)] for name in names}


def reach(data: "xarray.Dataset", name: str, value: Any = None) -> np.ndarray:
    """(2, ...) how far an interval goes below and above a value; nothing where there is none."""
    low, high = (data[f"{name}_{end}"].values for end in ("low", "high"))
    value = data[name].values if value is None else value
    return np.nan_to_num(np.maximum([value - low, high - value], 0.0))


def note(ax: "Axes", text: str, place: Any, offset: Any, **settings: Any) -> None:
    """A small text beside a place, so many points off."""
    ax.annotate(text, place, offset, **({"textcoords": "offset points", "fontsize": 8} | settings))


def marks(
    ax: "Axes", x: Any, y: Any, colour: str, mark: str, x_error: Any = None, y_error: Any = None, **settings: Any
) -> Any:
    """Data: open marks with error bars of one standard error."""
    usual = {"ms": 5, "mfc": "white", "mew": 1.1, "elinewidth": 0.9, "zorder": 3, "clip_on": False}
    return ax.errorbar(x, y, xerr=x_error, yerr=y_error, ls="none", marker=mark, color=colour, **(usual | settings))


def sample(**settings: Any) -> "Line2D":
    """A line or a mark for a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **({"ms": 5, "mfc": "white"} | settings))


def legend(parent: "Axes | Figure | SubFigure", entries: Iterable[tuple[Any, str]], **settings: Any) -> Any:
    """A legend of (handle, text), right of axes unless settings put it elsewhere."""
    return parent.legend(*zip(*entries, strict=True), **(RIGHT | settings))


def over_runs(values: "xarray.DataArray") -> tuple[np.ndarray, np.ndarray]:
    """Mean over runs and its standard error, which a single run has none of (NaN)."""
    error = values.std("run", ddof=1) / np.sqrt(values.sizes["run"]) if values.sizes["run"] > 1 else np.nan
    mean = values.mean("run")
    return mean.values, np.broadcast_to(error, mean.shape).copy()


def marks_over_runs(
    ax: "Axes", x: "xarray.DataArray", y: "xarray.DataArray", colour: str, mark: str, **settings: Any
) -> tuple[list[np.ndarray], Any]:
    """Marks at means over runs with their standard errors in both directions; the means, and what was drawn."""
    (x_mean, x_error), (y_mean, y_error) = over_runs(x), over_runs(y)
    return [x_mean, y_mean], marks(ax, x_mean, y_mean, colour, mark, x_error, y_error, **settings)


def equality(ax: "Axes", values: Any, room: float, **settings: Any) -> tuple[Any, tuple[float, float]]:
    """The line y = x over all values, with some room, on axes that end with it; the line and its ends."""
    low, high = float(np.min(values)), float(np.max(values))
    room += 0.06 * (high - low)
    ends = (low - room, high + room)
    ax.set(xlim=ends, ylim=ends)
    return ax.plot(ends, ends, zorder=1, **settings)[0], ends


def bars(data: "xarray.Dataset") -> str:
    """What error bars are; marks hide small ones."""
    runs = data.sizes["run"]
    return f"bars: ± standard error over {runs} runs\n(where larger than the mark)" if runs > 1 else "one run, no bars"


def _drawable(figure: "Figure") -> None:
    """Names from files as they can be drawn: no control characters, and formulas only where they are some."""
    from matplotlib.mathtext import MathTextParser
    from matplotlib.text import Text

    parser = MathTextParser("path")
    for text in figure.findobj(Text):
        words: Any = text
        lines = [shown(line, _LONGEST_TEXT) for line in words.get_text().split("\n")]
        if "\n".join(lines) != words.get_text():
            words.set_text("\n".join(lines))
        for line in lines:
            try:
                if "$" in line:
                    parser.parse(line)
            except ValueError:
                words.set_parse_math(False)


def save(picture: "Figure | Axes", folder: str | os.PathLike[str], name: str) -> list[str]:
    """Write a figure, or that of axes, as PNG (200 dpi) and SVG, each file whole.

    Returns:
        The names of both files.
    """
    figure: Any = picture.figure
    names, layout = [f"{name}.png", f"{name}.svg"], figure.get_layout_engine()
    with applied():
        _drawable(figure)
        for file, backend in zip(names, ("agg", "svg"), strict=True):  # whatever the backend of the user's screen
            metadata = {"Date": None} if backend == "svg" else None  # the same data, the same file
            with replacing(Path(folder) / file) as temporary:
                figure.savefig(temporary, dpi=200, metadata=metadata, backend=backend)
            figure.set_layout_engine("none")  # its places are found: finding them takes as long as drawing, twice
        figure.set_layout_engine(layout)
    return names


def save_pictures(pictures: Mapping[str, Any], folder: str | os.PathLike[str]) -> list[str]:
    """Figures, or axes, by name as files in a folder; their names."""
    return [file for name, picture in pictures.items() for file in save(picture, folder, name)]


def save_drawn(data: Any, folder: str | os.PathLike[str], *draws: Callable[[Any], Any]) -> list[str]:
    """What functions draw of a dataset as files in a folder, under the functions' names; the files' names."""
    return save_pictures({draw.__name__: draw(data) for draw in draws}, folder)
