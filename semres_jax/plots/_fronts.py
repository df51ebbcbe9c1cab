"""Fronts of similarities as lines in the plane of accuracies."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.frontier.pareto import pareto

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def along(p_s: np.ndarray, p_i: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p_I and p_S of what no other point of a front beats, by p_I."""
    shown = np.flatnonzero(pareto(p_s, p_i))
    shown = shown[np.argsort(p_i[shown], kind="stable")]
    return p_i[shown], p_s[shown]


def front(ax: "Axes", name: str, p_s: np.ndarray, p_i: np.ndarray, look: Any, floor: float) -> tuple[Any, str]:
    """A front as a line of that look; what a legend shows of it, with the floor of the optimal one."""
    colour, _, dash = look
    (line,) = ax.plot(*along(p_s, p_i), color=colour, lw=1.4, ls=dash, zorder=1)
    ending = f", floor {floor:.1e}" if name == "optimal" and np.isfinite(floor) else ""
    return line, f"{name} front{ending}"
