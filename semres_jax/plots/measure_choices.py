"""Pictures of fits to choices: choices of the closest item, the profile of the resolution, calibration."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots._style import COLOURS, GREY, STYLE, axes, save

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

_LINES: dict[str, Any] = {"best": "-", "no bias": (0, (4, 1.5))}
_PLACES = {"best": "o", "no bias": "s"}
# The normal quantile of 95 % intervals.
_WIDE = 1.959964
# A profile is drawn up to this drop.
_TOP = 16.0


def choices_closest(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Share of choices of the closest item against how much further the next is: data, and what the fits predict.

    Args:
        table: from `measure.choices_table`, with tests of fit.
        ax: where to draw.

    Returns:
        The axes. Marks are data with Wilson's 95 % intervals, lines predictions for the same trials.
    """
    ax = axes(ax, (5.2, 3.7))
    row = table.isel(fit=0)
    x, share, count = (row[f"gap_{name}"].values for name in ("middle", "observed", "choices"))
    low, high = _wilson(share, count)
    ax.errorbar(
        x, share, yerr=[share - low, high - share], ls="none", marker="o", ms=5, color="black", mfc="white", mew=1.1,
        elinewidth=0.9, zorder=3, label=f"data, {int(np.nansum(count))} choices",
    )  # fmt: skip
    for fit, colour in zip(table.fit.values, COLOURS, strict=False):
        one = table.sel(fit=fit)
        ax.plot(
            one.gap_middle, one.gap_predicted, color=colour, ls=_LINES[str(fit)], lw=1.6, label=_told(table, str(fit))
        )
    chance = 1 / int(table.attrs["items"])
    ax.axhline(chance, color=GREY, lw=0.8, ls=":", zorder=0)
    ax.annotate("chance", (1.0, chance), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                ha="right", color=GREY, fontsize=8)  # fmt: skip
    ax.set_ylim(0, 1.03)
    ax.set_xlim(left=0)
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, chance + 0.04))
    ax.set_xlabel(f"distance of the next item less that of the closest{_unit(table)}")
    ax.set_ylabel("closest item chosen (share of trials)")
    return ax


def choices_profile(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Profile likelihood of the resolution, with biases and without: twice the drop against ε.

    Where a curve is below the grey line is the interval. Arguments as `choices_closest`.
    """
    from statistics import NormalDist

    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax = axes(ax, (5.2, 3.5))
    for fit, colour in zip(table.fit.values, COLOURS, strict=False):
        drop = table.profile.sel(fit=fit).values
        shown = np.where(np.isfinite(drop), drop, np.nan)
        step = "steps-post" if table.attrs["best_family"] == "constant" else "default"
        ax.plot(
            table.resolution, shown, color=colour, ls=_LINES[str(fit)], lw=1.6, drawstyle=step,
            label=_told(table, str(fit)),
        )  # fmt: skip
    level = float(table.attrs["level"])
    at = NormalDist().inv_cdf((1 + level) / 2) ** 2
    ax.axhline(at, color=GREY, lw=0.8, zorder=0)
    ax.annotate(f"{level:.0%}", (1.0, at), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                ha="right", color=GREY, fontsize=8)  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(0, _TOP)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, borderaxespad=0.2)
    ax.set_xlabel(f"resolution $\\varepsilon${_unit(table)}")
    ax.set_ylabel("twice the drop in log likelihood")
    return ax


def choices_calibration(table: "xarray.Dataset", ax: "Axes | None" = None) -> "Axes":
    """Share of items that were chosen against the probability predicted for them, in bins. Arguments as above."""
    ax = axes(ax, (4.4, 4.0))
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8, zorder=0)
    for fit, colour in zip(table.fit.values, COLOURS, strict=False):
        one = table.sel(fit=fit)
        ax.errorbar(
            one.calibration_predicted, one.calibration_observed, yerr=_WIDE * one.calibration_stderr, ls="none",
            marker=_PLACES[str(fit)], ms=5, color=colour, mfc="white", mew=1.1, elinewidth=0.9, clip_on=False, zorder=3,
            label=f"{_told(table, str(fit))}, p = {float(one.calibration_p):.2g}",
        )  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.legend(loc="upper left")
    ax.set_xlabel("predicted probability of an item")
    ax.set_ylabel("share chosen (95 % intervals)")
    return ax


def items_curve(content: dict[str, Any], ax: "Axes | None" = None) -> "Axes":
    """Identification against the number of items: counts with Wilson's 95 % intervals, and the n-item law.

    Args:
        content: n, right, trials (lists), a, low, high.
        ax: where to draw.
    """
    from semres_jax.laws import identification

    ax = axes(ax, (5.2, 3.5))
    n, right, trials = (np.asarray(content[name], float) for name in ("n", "right", "trials"))
    low, high = _wilson(right / trials, trials)
    share = right / trials
    ax.errorbar(
        n, share, yerr=[share - low, high - share], ls="none", marker="o", ms=5, color="black", mfc="white", mew=1.1,
        elinewidth=0.9, zorder=3, label="data",
    )  # fmt: skip
    x = np.geomspace(n.min(), max(n.max(), n.min() * 1.01), 200)
    ax.plot(x, identification(content["a"], x), color=COLOURS[0], lw=1.6, label=f"law, $a$ = {content['a']:.3g}")
    edges = (identification(content[end], x) for end in ("low", "high"))
    ax.fill_between(x, *edges, color=COLOURS[0], alpha=0.15, lw=0, zorder=0)
    ax.plot(x, 1 / x, color=GREY, lw=0.8, ls=":", label="chance")
    ax.set_ylim(0, 1.03)
    ax.set_xlabel("number of items, $n$")
    ax.set_ylabel("identification, $p_I$ (share right)")
    ax.legend(loc="best")
    return ax


def save_choices(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """All pictures of a table as files in a folder; their names."""
    from matplotlib import rc_context

    drawn = {"measure_profile": choices_profile}
    if "gap_middle" in table:
        drawn |= {"measure_closest": choices_closest, "measure_calibration": choices_calibration}
    written = []
    with rc_context(STYLE):
        for name, draw in drawn.items():
            written += save(draw(table).figure, folder, name)  # pyright: ignore[reportArgumentType]
    return written


def save_items(content: dict[str, Any], folder: str | os.PathLike[str]) -> list[str]:
    """The picture of the n-item law as files in a folder; their names."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        return save(items_curve(content).figure, folder, "measure_items")  # pyright: ignore[reportArgumentType]


def _told(table: "xarray.Dataset", fit: str) -> str:
    bias = table.attrs["best_bias"] if fit == "best" else "none"
    family = table.attrs["best_family"]
    return f"{family}, no bias" if bias == "none" else f"{family}, {bias} bias"


def _unit(table: "xarray.Dataset") -> str:
    unit = str(table.attrs.get("unit", ""))
    return f" ({unit})" if unit else " (unit of the table)"


def _wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % intervals of shares."""
    square = _WIDE**2 / count
    middle = (share + square / 2) / (1 + square)
    half = _WIDE * np.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    # Rounding must not put the data outside.
    return np.minimum(middle - half, share), np.maximum(middle + half, share)
