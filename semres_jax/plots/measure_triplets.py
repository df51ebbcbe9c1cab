"""Pictures of triplets: choices against distances, people on the plane, places of stimuli and how good they are."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.frontier.pareto import pareto
from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, GREY, PALE
from semres_jax.plots.measure_choices import choices_calibration, choices_closest, choices_profile

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# As many stimuli have their names beside them in a map.
_NAMED = 60
# Where a name may be, in points from its place; what a letter takes.
_SIDES = tuple((x * r, y * r) for r in (3, 9, 15) for x, y in ((1, 1), (-1, 1), (1, -1), (-1, -1)))
_LETTER, _HIGH = 4.2, 8.0
_ROOM = 0.06


@style.settable
def triplets_nearer(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Share of judgements as the distances say, against how much the next pair is further apart, with the fit.

    Args:
        data: `measure.TripletFit.dataset()`, with tests of fit.
        ax: where to draw.
    """
    odd = data.attrs["layout"] == "odd"
    ax = choices_closest(data, ax)
    ax.set_ylabel(f"{'closest pair' if odd else 'nearer item'} chosen (share of judgements)")
    other = "the next pair less that of the closest" if odd else "the farther item less that of the nearer"
    unit = str(data.attrs.get("unit", ""))
    ax.set_xlabel(f"distance of {other} ({unit or 'unit of the table'})")
    return ax


@style.settable
def triplets_plane(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Generalization against identification: people, what fits predict, over the fronts. Arguments as above."""
    ax = style.axes(ax, (7.0, 4.4))
    names = [str(x) for name in ("family", "front") if name in data.coords for x in data[name].values]
    looks, entries = style.family_looks(dict.fromkeys(names)), []
    for name in data.front.values if "front" in data.coords else ():
        row = data.sel(front=name)
        p_s, p_i = row.front_p_s.values, row.front_p_i.values
        best = np.flatnonzero(pareto(p_s, p_i))
        best = best[np.argsort(p_i[best], kind="stable")]
        colour, _, dash = looks[str(name)]
        (line,) = ax.plot(p_i[best], p_s[best], color=colour, lw=1.4, ls=dash, zorder=1)
        entries.append((line, f"{name} front"))
    for family in data.family.values:
        row, (colour, mark, _) = data.sel(family=family), looks[str(family)]
        at = [float(row.predicted_p_i)], [float(row.predicted_p_s)]
        (point,) = ax.plot(*at, ls="none", marker=mark, ms=6, color=colour, mfc="none", mew=1.1, zorder=6)
        best = " (best)" if str(family) == data.attrs["best_family"] else ""
        entries.append((point, f"{family} fit predicts{best}"))
    star: Any = {"ms": 11, "mew": 1.1}
    errors = [style.reach(data, name).reshape(2, 1) for name in ("p_i", "p_s")]
    at = [float(data.p_i)], [float(data.p_s)]
    style.marks(ax, *at, "black", "*", *errors, **star, zorder=5, clip_on=True)
    how = "$p_S$ measured, $p_I$ by the fit" if data.attrs["layout"] == "anchor" else "by the fit"
    text = f"people: {how}\n({float(data.attrs['level']):.0%} intervals over judgements)"
    entries.insert(0, (style.sample(ls="none", marker="*", color="black", **star), text))
    ax.axhline(0.5, color=PALE, lw=0.8, zorder=0)
    style.legend(ax, entries)
    ax.set(xlim=(None, 1 + _ROOM / 4), **style.PLANE)
    style.title(ax, f"{data.attrs['judgements']:g} {_kind(data)} triplets of {data.attrs['stimuli']} stimuli")
    return ax


@style.settable
def triplets_dimensions(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Mean log likelihood of a judgement by the number of dimensions: held out, and of each start.

    Args:
        data: `measure.TripletEmbedding.dataset()`.
        ax: where to draw.
    """
    ax = style.axes(ax, (6.4, 3.7))
    x = data.dimensions.values.astype(float)
    starts = data.sizes["start"]
    beside = np.linspace(0.1, 0.3, starts) if starts > 1 else np.array([0.2])
    for name, text, colour, mark, side in (
        ("train", "fitted, by start", COLOURS[0], "s", -1), ("look", "ends the fit, by start", COLOURS[2], "^", 1)
    ):  # fmt: skip
        places = (x[:, None] + side * beside).ravel()
        style.marks(ax, places, data[name].values.ravel(), colour, mark, label=text, ms=4, clip_on=True)
    held = data.held_out.values
    if np.isfinite(held).any():
        style.marks(ax, x, held, "black", "o", None, style.reach(data, "held_out"), label="held out, best start (95 %)")
    ax.axhline(float(data.attrs["chance"]), color=GREY, lw=0.8, ls=":", zorder=0)
    style.note(ax, "chance", (1.0, float(data.attrs["chance"])), (0, 2), xycoords=("axes fraction", "data"), ha="right",
               color=GREY)  # fmt: skip
    style.ticks(ax, "x", x)
    ax.set(xlim=(x.min() - 0.6, x.max() + 0.6), xlabel="dimensions of the places")
    ax.set_ylabel("mean log likelihood\nof a judgement (nats)")
    ax.legend(**style.RIGHT)
    style.title(ax, f"{data.attrs['judgements']:g} {_kind(data)} triplets of {data.sizes['stimulus']} stimuli")
    return ax


@style.settable
def triplets_map(data: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Places of the stimuli along their first two principal axes, with their names. Arguments as above."""
    points, names = data.point.values, list(map(str, data.stimulus.values))
    scale = f"resolutions, $\\varepsilon$; {data.attrs['family']} similarity"
    if points.shape[1] == 1:
        ax = style.axes(ax, (5.6, min(1.2 + 0.17 * len(points), 11.0)))
        order = np.argsort(points[:, 0])
        style.marks(ax, points[order, 0], np.arange(len(points)), COLOURS[0], "o", clip_on=True)
        ax.set_yticks(np.arange(len(points)), [names[k] for k in order], fontsize=7)
        ax.set(xlabel=f"place ({scale})")
    else:
        ax = style.axes(ax, (5.6, 5.0))
        style.marks(ax, points[:, 0], points[:, 1], COLOURS[0], "o", clip_on=True)
        if len(points) <= _NAMED:
            _name(ax, points[:, :2], names)
        ax.set(xlabel=f"first principal axis ({scale})", ylabel="second principal axis ($\\varepsilon$)")
        ax.margins(0.08)
        ax.set_aspect("equal", adjustable="datalim")
    more = f", the first two of {points.shape[1]} axes" if points.shape[1] > 2 else ""
    style.title(ax, f"{len(points)} stimuli by {data.attrs['judgements']:g} {_kind(data)} triplets{more}")
    return ax


@style.applied()
def save_triplets(data: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """All pictures of a fit or of an embedding as files in a folder; their names."""
    if "point" in data:
        return style.save_drawn(data, folder, triplets_dimensions, triplets_map)
    pictures = {"triplets_plane": triplets_plane(data), "triplets_profile": choices_profile(data)}
    if "gap_middle" in data:
        pictures |= {"triplets_nearer": triplets_nearer(data), "triplets_calibration": choices_calibration(data)}
    return style.save_pictures(pictures, folder)


def _name(ax: "Axes", points: np.ndarray, names: list[str]) -> None:
    """Names beside places: each on the first side where it covers no other place and no name before it."""
    per_unit = 72 * 4.0 / np.ptp(points, axis=0).max()  # points of the page, about
    at = points * per_unit
    taken: list[np.ndarray] = []  # left, right, bottom, top
    for k, name in enumerate(names):
        wide, high = _LETTER * len(name), _HIGH
        boxes = []
        for x, y in _SIDES:
            left, low = at[k] + (x if x > 0 else x - wide, y if y > 0 else y - high)
            boxes.append(np.array([left, left + wide, low, low + high]))
        covered = [_covered(box, np.delete(at, k, 0), taken) for box in boxes]
        best = int(np.argmin(covered))
        x, y = _SIDES[best]
        sides = {"ha": "left" if x > 0 else "right", "va": "bottom" if y > 0 else "top"}
        style.note(ax, name, points[k], (x, y), fontsize=7, color="black", **sides)
        taken.append(boxes[best])


def _covered(box: np.ndarray, places: np.ndarray, boxes: list[np.ndarray]) -> int:
    """How many places and names a name would cover."""
    left, right, low, high = box
    x, y = places.T
    count = int(((x > left - 3) & (x < right + 3) & (y > low - 3) & (y < high + 3)).sum())
    crossed = (left < box[1] and box[0] < right and low < box[3] and box[2] < high for box in boxes)
    return count + sum(map(bool, crossed))


def _kind(data: "xarray.Dataset") -> str:
    return {"odd": "odd-one-out", "anchor": "anchor"}[str(data.attrs["layout"])]
