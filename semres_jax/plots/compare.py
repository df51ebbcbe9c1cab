"""Pictures of a comparison: all models, and people, on the plane of both accuracies; their differences."""

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax._types import Quantity
from semres_jax.plots import _style as style
from semres_jax.plots._fronts import along, front
from semres_jax.plots._labels import label
from semres_jax.plots._style import GREY

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Around what is drawn, as a share of it, and at least, in probability.
_ROOM, _LEAST = 0.08, 0.02
# Places along a line, and around a mark of so many points, that labels keep off.
_FINE, _MARK, _AROUND = 200, 4.0, np.linspace(0, 2 * np.pi, 8, endpoint=False)
# Pairs whose differences are drawn; of more those that differ most.
_PAIRS = 24
_ALONG = np.linspace(0, 1, 8).tolist()
# Names longer than that lose their middle; of pairs, shorter ones.
_LONGEST, _LONGEST_OF_TWO = 30, 18
# Below that a corrected p-value is shown by a full mark.
_CLEAR = 0.05
_ACCURACY = "(probability)"
_QUANTITIES = {
    "p_s": f"$p_S$ {_ACCURACY}", "p_i": f"$p_I$ {_ACCURACY}", "log_epsilon": "ln $\\epsilon$ (log ratio)",
}  # fmt: skip


class _Point(NamedTuple):
    name: str
    kind: str
    p_s: Quantity
    p_i: Quantity


@style.settable
def plane(
    members: Any,
    fronts: Mapping[str, Any] | None = None,
    ax: "Axes | None" = None,
    *,
    paths: Mapping[str, Sequence[str]] | None = None,
) -> "Axes":
    """Generalization against identification: models and people with 95 % intervals, over fronts.

    Open marks are models, full marks people. The layers of a path have one look, are joined in order by arrows and
    numbered from 0. The axes end around what is drawn and the nearest points of the fronts.

    Args:
        members: `measure.Comparison.dataset()`; or by name whatever has p_s and p_i as `Quantity`, as
            `measure.Embedded` and `measure.Member` do.
        fronts: by name what has p_s and p_i along one axis; None: those of the dataset.
        ax: where to draw.
        paths: names of members in order, by the name of what they are the layers of; None: those of the dataset.

    Raises:
        ValueError: nothing to draw, a path that names no member.

    Example:
        >>> from types import SimpleNamespace
        >>> from semres_jax import Quantity, measure, plots, spaces
        >>> people = SimpleNamespace(p_s=Quantity(0.7, 0.02), p_i=Quantity(0.8, 0.02), kind="people")
        >>> ax = plots.plane({"people": people}, measure.fronts(spaces.grid(spaces.get("circle"), 12)))
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['people', 'constant front', 'linear front']
    """
    points, curves, layers, floor = _parts(members, fronts, paths)
    ax, entries = style.axes(ax, (7.4, 4.8)), []
    inside = {name for steps in layers.values() for name in steps}
    anchors, texts, lines = [], [], []
    for place, name in enumerate([*layers, *(name for name in points if name not in inside)]):
        drawn = [points[step] for step in layers.get(name, [name])]
        at, entry = _drawn(ax, drawn, style.look(place), joined=name in layers)
        entries.append((entry, f"{name} (0 to {len(at) - 1}, in order)" if name in layers else name))
        anchors, lines = anchors + at.tolist(), [*lines, _fine(at[:, 0], at[:, 1])]
        texts += [str(k) for k in range(len(at))] if name in layers else [name]
    for name, (_, mark, dash) in style.family_looks(curves).items():  # colours are the models'
        p_s, p_i = curves[name]
        entries.append(front(ax, name, p_s, p_i, (GREY, mark, dash), floor))
    _limits(ax, list(points.values()), curves)
    known = any(np.isfinite(float(point.p_s.low)) for point in points.values())
    style.legend(ax, entries, title="bars: 95 %" if known else None)
    ax.set(**style.PLANE)
    lines += [_fine(*along(*curve)) for curve in curves.values()] + [_ends(point) for point in points.values()]
    _label(ax, anchors, texts, [place for line in lines for place in line])
    return ax


@style.settable
def compare_differences(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Differences of every two models with 95 % intervals, a panel for each quantity; full marks where p < 0.05.

    Of more than 24 pairs those are drawn whose smallest p-value of any quantity is the smallest.

    Args:
        data: `measure.Comparison.dataset()`.
        figure: where to draw.
    """
    p = data.p.fillna(1.0).min("quantity").values
    shown = np.sort(np.argsort(p, kind="stable")[:_PAIRS])
    part = data.isel(pair=shown)
    both = zip(part["first"].values, part["second"].values, strict=True)
    names = [" - ".join(_short(str(name), _LONGEST_OF_TWO) for name in pair) for pair in both]
    count, height = part.sizes["quantity"], 0.55 + 0.2 * len(shown)
    made = style.panels(count, 3, (2.3, height), (0.5 + 0.065 * max(map(len, names)), 0.5), figure, sharey=True)
    rows = np.arange(len(shown))[::-1]
    corrected = "Holm-corrected " if data.attrs["correction"] == "holm" else ""
    for place, (ax, quantity) in enumerate(zip(made, data["quantity"].values, strict=True)):
        row = part.sel(quantity=quantity)
        colour, errors = style.look(place)[0], style.reach(row, "difference")
        clear = row.corrected_p.values < _CLEAR
        ax.axvline(0.0, color=GREY, lw=0.8, ls=(0, (3, 2)), zorder=0)
        for some, face in ((clear, colour), (~clear, "white")):
            if some.any():
                bars = errors[:, some] if np.isfinite(row.difference_low.values[some]).any() else None
                style.marks(ax, row.difference.values[some], rows[some], colour, "o", bars, mfc=face)
        style.ticks(ax, "y", rows, names)
        ax.set(xlabel=f"difference of {_quantity(str(quantity))}", ylim=(-0.7, len(shown) - 0.3))
        ax.locator_params(axis="x", nbins=4)
        ax.tick_params(axis="y", length=0, labelleft=place % 3 == 0)
    drawn: Any = made[0].figure
    left = f"; {len(shown)} of {data.sizes['pair']} pairs" if len(shown) < data.sizes["pair"] else ""
    style.heading(drawn, f"first less second, 95 % intervals; full marks: {corrected}p < {_CLEAR:g}{left}")
    return drawn


@style.applied()
def save_comparison(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """Both pictures as files in a folder, compare_plane and compare_differences; their names."""
    pictures = {"compare_plane": plane(data), "compare_differences": compare_differences(data)}
    return style.save_pictures(pictures, folder)


def _parts(members: Any, fronts: Any, paths: Any) -> tuple[dict[str, _Point], dict[str, Any], dict[str, Any], float]:
    """Points, curves (p_S, p_I) of fronts, paths, and the floor of the optimal front."""
    floor = np.nan
    if hasattr(members, "data_vars"):
        data, floor = members, float(members.attrs["optimal_delta"])
        numbers = [Quantity(*(data[name + end].values for end in ("", "_stderr", "_low", "_high"))) for name in
                   ("p_s", "p_i")]  # fmt: skip
        points = {str(name): _Point(str(name), str(data.kind.values[k]), *(Quantity(*(part[k] for part in number))
                                                                           for number in numbers))
                  for k, name in enumerate(data.model.values)}  # fmt: skip
        own = {str(name): (data.front_p_s.values[k], data.front_p_i.values[k]) for k, name in
               enumerate(data.front.values)}  # fmt: skip
        layers: dict[str, Any] = {}
        for k in np.argsort(data.step.values, kind="stable"):
            if int(data.step.values[k]) >= 0:
                layers.setdefault(str(data.path.values[k]), []).append(str(data.model.values[k]))
    else:
        points = {str(name): _Point(str(name), getattr(member, "kind", "model"), member.p_s, member.p_i)
                  for name, member in members.items()}  # fmt: skip
        own, layers = {}, {}
    if not points:
        raise ValueError("members must name at least one model; got none")
    if fronts is not None:
        own = {str(name): (np.asarray(curve.p_s, float), np.asarray(curve.p_i, float))
               for name, curve in fronts.items()}  # fmt: skip
    layers = layers if paths is None else {str(name): list(map(str, steps)) for name, steps in paths.items()}
    for name, steps in layers.items():
        stranger = next((step for step in steps if step not in points), None)
        if stranger is not None:
            raise ValueError(f"path {name!r} names {stranger!r}, which is no member; members are {', '.join(points)}")
    return points, own, layers, floor


def _drawn(ax: "Axes", drawn: Sequence[_Point], look: Any, *, joined: bool) -> tuple[np.ndarray, Any]:
    """Points of one look with their bars, joined by arrows where they are a path; their places, what a legend shows."""
    colour, mark, _ = look
    at = np.array([[float(point.p_i.value), float(point.p_s.value)] for point in drawn])
    errors = [np.transpose([_reach(getattr(point, axis)) for point in drawn]) for axis in ("p_i", "p_s")]
    filled = {"mfc": colour} if drawn[0].kind == "people" else {}
    style.marks(ax, at[:, 0], at[:, 1], colour, mark, *errors, clip_on=True, **filled)
    if joined:
        _arrows(ax, at, colour)
    return at, style.sample(ls="-" if joined else "none", marker=mark, color=colour, **filled)


def _reach(number: Quantity) -> list[float]:
    """How far an interval goes below and above a value; one standard error each where there is none, else nothing."""
    value, stderr, low, high = map(float, number)
    if np.isfinite(low) and np.isfinite(high):
        return [max(value - low, 0.0), max(high - value, 0.0)]
    return [stderr, stderr] if np.isfinite(stderr) else [0.0, 0.0]


def _ends(point: _Point) -> list[list[float]]:
    """Both ends of the bars of a point, and places along them."""
    x, y = float(point.p_i.value), float(point.p_s.value)
    (left, right), (down, up) = _reach(point.p_i), _reach(point.p_s)
    return [[x + k * step, y] for k in _ALONG for step in (-left, right)] + [
        [x, y + k * step] for k in _ALONG for step in (-down, up)
    ]


def _arrows(ax: "Axes", at: np.ndarray, colour: str) -> None:
    """A line through points, with a head in the middle of each step."""
    ax.plot(*at.T, color=colour, lw=1.0, zorder=2.5)
    for start, end in itertools.pairwise(at):
        if (start != end).any():
            head = start + 0.58 * (end - start)
            ax.annotate("", head, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 0.0}, zorder=2.6)


def _limits(ax: "Axes", points: Sequence[_Point], curves: Mapping[str, Any]) -> None:
    """Axes that end around the points, their bars, and the points of fronts nearest to them."""
    places = [place for point in points for place in _ends(point)]
    for curve in curves.values():
        line = np.stack(along(*curve), 1)
        for point in points:
            away = np.hypot(*(line - [float(point.p_i.value), float(point.p_s.value)]).T)
            places.append(line[int(np.nanargmin(away))].tolist())
    low, high = np.nanmin(places, 0), np.nanmax(places, 0)
    room = np.maximum(_ROOM * (high - low), _LEAST)
    ax.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))


def _label(ax: "Axes", anchors: Sequence[Any], texts: Sequence[str], taken: Any) -> None:
    """Texts beside points, off these places and off the marks."""
    figure: Any = ax.figure
    figure.get_figure(root=True).draw_without_rendering()
    around = np.stack([np.cos(_AROUND), np.sin(_AROUND)], 1) * figure.dpi / 72 * _MARK
    marks = np.asarray(ax.transData.transform(anchors))[:, None] + around
    taken = [*taken, *ax.transData.inverted().transform(marks.reshape(-1, 2))]
    label(ax, [tuple(place) for place in anchors], [_short(text) for text in texts], taken)


def _fine(x: Any, y: Any) -> list[list[float]]:
    """Many places along a line."""
    steps = np.linspace(0, len(x) - 1, _FINE)
    return np.stack([np.interp(steps, np.arange(len(x)), values) for values in (x, y)], 1).tolist()


def _quantity(name: str) -> str:
    if name in _QUANTITIES:
        return _QUANTITIES[name]
    return f"distance from the\n{name.removesuffix('_front')} front {_ACCURACY}"


def _short(text: str, most: int = _LONGEST) -> str:
    """A name without its middle where it is long: what tells models apart is often the end."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[most // 2 + 1 - most :]}"
