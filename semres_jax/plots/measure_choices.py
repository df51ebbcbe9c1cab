"""Pictures of fits to choices: choices of the closest item, the profile of the resolution, calibration."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._style import COLOURS, GREY, IDENTIFICATION

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

_LINES: dict[str, Any] = {"best": "-", "no bias": (0, (4, 1.5))}
_MARKS = {"best": "o", "no bias": "s"}
# The normal quantile of 95 % intervals.
_WIDE = 1.959964
# A profile is drawn up to this drop.
_TOP = 16.0


@style.settable
def choices_closest(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Share of choices of the closest item against how much further the next is: data, and what the fits predict.

    Marks are data with Wilson's 95 % intervals, lines predictions for the same trials.

    Args:
        table: from `measure.choices_table`, with tests of fit.
        ax: where to draw.
    """
    ax = style.axes(ax, (5.2, 3.7))
    row = table.isel(fit=0)
    x, share, count = (row[f"gap_{name}"].values for name in ("middle", "observed", "choices"))
    _shares(ax, x, share, count, f"data, {int(np.nansum(count))} choices")
    for fit, row, settings in _fits(table):
        ax.plot(row.gap_middle, row.gap_predicted, ls=_LINES[fit], lw=1.6, **settings)
    chance = 1 / int(table.attrs["items"])
    ax.axhline(chance, color=GREY, lw=0.8, ls=":", zorder=0)
    _note(ax, chance, "chance")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, chance + 0.04))
    ax.set(xlim=(0, None), ylim=(0, 1.03), ylabel="closest item chosen (share of trials)")
    ax.set_xlabel(f"distance of the next item less that of the closest{_unit(table)}")
    return ax


@style.settable
def choices_profile(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Profile likelihood of the resolution, with biases and without: twice the drop against ε.

    Where a curve is below the grey line is the interval. Arguments as `choices_closest`.
    """
    from statistics import NormalDist

    ax = style.axes(ax, (5.2, 3.5))
    step = "steps-post" if table.attrs["best_family"] == "constant" else "default"
    for fit, row, settings in _fits(table):
        drop = np.where(np.isfinite(row.profile.values), row.profile.values, np.nan)
        ax.plot(table.resolution, drop, ls=_LINES[fit], lw=1.6, drawstyle=step, **settings)
    level = float(table.attrs["level"])
    at = NormalDist().inv_cdf((1 + level) / 2) ** 2
    ax.axhline(at, color=GREY, lw=0.8, zorder=0)
    _note(ax, at, f"{level:.0%}")
    style.plain_log(ax, "x")
    ax.set_ylim(0, _TOP)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, borderaxespad=0.2)
    ax.set(xlabel=f"resolution $\\varepsilon${_unit(table)}", ylabel="twice the drop in log likelihood")
    return ax


@style.settable
def choices_calibration(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Share of items that were chosen against the probability predicted for them, in bins. Arguments as above."""
    ax = style.axes(ax, (4.4, 4.0))
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8, zorder=0)
    for fit, row, settings in _fits(table):
        settings["label"] += f", p = {float(row.calibration_p):.2g}"
        error = _WIDE * row.calibration_stderr
        x, y = row.calibration_predicted, row.calibration_observed
        style.marks(ax, x, y, settings.pop("color"), _MARKS[fit], None, error, **settings)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.legend(loc="upper left")
    ax.set(xlabel="predicted probability of an item", ylabel="share chosen (95 % intervals)")
    return ax


@style.settable
def items_curve(content: dict[str, Any], ax: "Axes | None" = None) -> "Axes":
    """Identification against the number of items: counts with Wilson's 95 % intervals, and the n-item law.

    Args:
        content: n, right, trials (lists), a, low, high.
        ax: where to draw.
    """
    from semres_jax.laws import identification

    ax = style.axes(ax, (5.2, 3.5))
    n, right, trials = (np.asarray(content[name], float) for name in ("n", "right", "trials"))
    _shares(ax, n, right / trials, trials, "data")
    x = np.geomspace(n.min(), max(n.max(), n.min() * 1.01), 200)
    ax.plot(x, identification(content["a"], x), color=COLOURS[0], lw=1.6, label=f"law, $a$ = {content['a']:.3g}")
    low, high = (identification(content[end], x) for end in ("low", "high"))
    ax.fill_between(x, low, high, color=COLOURS[0], alpha=0.15, lw=0, zorder=0)
    ax.plot(x, 1 / x, color=GREY, lw=0.8, ls=":", label="chance")
    ax.set(ylim=(0, 1.03), xlabel="number of items, $n$", ylabel=f"{IDENTIFICATION} (share right)")
    ax.legend(loc="best")
    return ax


@style.applied()
def save_choices(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """All pictures of a table as files in a folder; their names."""
    pictures = {"measure_profile": choices_profile(table)}
    if "gap_middle" in table:
        pictures |= {"measure_closest": choices_closest(table), "measure_calibration": choices_calibration(table)}
    return style.save_pictures(pictures, folder)


@style.applied()
def save_items(content: dict[str, Any], folder: str | os.PathLike[str]) -> list[str]:
    """The picture of the n-item law as files in a folder; their names."""
    return style.save(items_curve(content), folder, "measure_items")


def _fits(table: "xarray.Dataset") -> Iterator[tuple[str, "xarray.Dataset", dict[str, Any]]]:
    """Each fit, its row of the table, its colour and label."""
    family = table.attrs["best_family"]
    for fit, colour in zip(map(str, table.fit.values), COLOURS, strict=False):
        bias = table.attrs["best_bias"] if fit == "best" else "none"
        label = f"{family}, no bias" if bias == "none" else f"{family}, {bias} bias"
        yield fit, table.sel(fit=fit), {"color": colour, "label": label}


def _shares(ax: "Axes", x: Any, share: np.ndarray, count: np.ndarray, label: str) -> None:
    """Data with Wilson's 95 % intervals of shares."""
    square = _WIDE**2 / count
    middle = (share + square / 2) / (1 + square)
    half = _WIDE * np.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    # Rounding must not put the data outside.
    off = [share - np.minimum(middle - half, share), np.maximum(middle + half, share) - share]
    style.marks(ax, x, share, "black", "o", None, off, label=label, clip_on=True)


def _note(ax: "Axes", y: float, text: str) -> None:
    """A word at the right end of a grey line."""
    style.note(ax, text, (1.0, y), (0, 2), xycoords=("axes fraction", "data"), ha="right", color=GREY)


def _unit(table: "xarray.Dataset") -> str:
    unit = str(table.attrs.get("unit", ""))
    return f" ({unit})" if unit else " (unit of the table)"
