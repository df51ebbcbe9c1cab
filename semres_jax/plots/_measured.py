"""What pictures of measured systems share: fronts, what fits predict, the profile against distance with its fits."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import similarity
from semres_jax.plots import _style as style
from semres_jax.plots._fronts import front
from semres_jax.plots._style import RIGHT

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# Points of a profile that are drawn; more are means over neighbouring distances.
_POINTS = 60


def looks(data: "xarray.Dataset") -> dict[str, tuple[Any, Any, Any]]:
    """Colour, mark and dash of each family and each front."""
    names = dict.fromkeys(str(x) for name in ("family", "front") if name in data.coords for x in data[name].values)
    return style.family_looks(names)


def fronts(ax: "Axes", data: "xarray.Dataset") -> list[tuple[Any, str]]:
    """A line for each front; what a legend needs."""
    known, entries = looks(data), []
    for name in data.front.values if "front" in data.coords else ():
        row = data.sel(front=name)
        curve, floor = (row.front_p_s.values, row.front_p_i.values), float(data.attrs["optimal_delta"])
        entries.append(front(ax, str(name), *curve, known[str(name)], floor))
    return entries


def predictions(ax: "Axes", data: "xarray.Dataset") -> list[tuple[Any, str]]:
    """A mark for what each fit predicts; what a legend needs."""
    known, entries = looks(data), []
    for family in data.family.values:
        row, (colour, mark, _) = data.sel(family=family), known[str(family)]
        at = [row.predicted_p_i], [row.predicted_p_s]
        (point,) = ax.plot(*at, ls="none", marker=mark, ms=6, color=colour, mfc="none", mew=1.1, zorder=3)
        entries.append((point, f"{family} fit predicts"))
    return entries


def profile(ax: "Axes", data: "xarray.Dataset", who: str, distance: str) -> None:
    """Similarity over distance, with the families fitted to it, who it is of, and what the distance is called."""
    known = looks(data)
    along, mean, spread = _joined(data)
    style.marks(ax, along, mean, "black", "o", None, spread, label=f"{who}, mean ± s.d. over pairs")
    along = np.linspace(0.0, float(data.distance.max()), 400)
    for family in data.family.values:
        row = data.sel(family=family)
        epsilon, delta = float(row.fit_epsilon), float(row.fit_delta)
        kind = similarity.get(str(family))
        best = " (best)" if family == data.attrs["best_family"] else ""
        label = f"{family}{best}\n$\\epsilon$ = {epsilon:.3g}, $\\Delta$ = {delta:.3g}"
        colour, _, dash = known[str(family)]
        width = 2.0 if best else 1.2
        ax.plot(along, kind(epsilon, delta)(along), label=label, zorder=4, color=colour, ls=dash, lw=width)
    ax.set(xlim=(0.0, None), xlabel=distance)
    ax.set_ylabel("similarity, relative to the probe's own")
    ax.legend(**RIGHT)


def _joined(data: "xarray.Dataset") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances, means and standard deviations, of at most so many groups of about as many pairs."""
    d, pairs, mean, spread = (data[name].values for name in ("distance", "pairs", "profile", "profile_sd"))
    if len(d) <= _POINTS:
        return d, mean, spread
    home = np.minimum((np.cumsum(pairs) / pairs.sum() * _POINTS).astype(int), _POINTS - 1)
    total = np.bincount(home, pairs, _POINTS)
    some = total > 0
    means = (np.bincount(home, pairs * x, _POINTS)[some] / total[some] for x in (d, mean, spread**2 + mean**2))
    d, first, second = means
    return d, first, np.sqrt(np.maximum(second - first**2, 0.0))
