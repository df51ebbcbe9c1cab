"""Pictures of ways along depth: the mean path, returns after a push, the flow in a plane."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots.dynamics import _series as series

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


@style.settable
def dynamics_path(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """The mean path of each network on its first two axes beside a random walk's, and its codes by the autoencoder."""
    coded = "codes_points" in table
    panels = style.panels(2 + coded, 3, (3.1, 3.0), (1.6, 0.3), figure)
    for ax, name in zip(panels, ("path_points", "path_walk_points", "codes_points"), strict=False):
        for k, text in enumerate(series.names(table)):
            x, y = series.values(table, name, k)[:, :2].T
            if name == "path_walk_points" and k != series.models(table)[0]:
                continue
            if name != "codes_points":
                x, y = x / np.nanmax(abs(x)), y / np.nanmax(abs(x))
            _way(ax, x, y, k, text)
    first = series.models(table)[0]
    own = series.names(table)[first]
    for ax, name, what in zip(panels, ("path_shares", "path_walk"), (own, "a random walk"), strict=False):
        shares = series.values(table, name, first)
        style.title(ax, f"axes of {what}: {shares[0]:.0%}, {shares[1]:.0%}")
        ax.set(xlabel="first axis (of its reach)", ylabel="second axis (of the first's reach)")
    if coded:
        explained, linear = (float(series.values(table, f"codes_{name}", first)) for name in ("explained", "linear"))
        style.title(panels[2], f"autoencoder: {explained:.0%} (two axes: {linear:.0%})")
        panels[2].set(xlabel="first code", ylabel="second code")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[-1].legend(handles, labels, **style.BESIDE)
    return panels[0].figure  # pyright: ignore


def _way(ax: "Axes", x: np.ndarray, y: np.ndarray, place: int, text: str) -> None:
    """A path with a mark at each boundary; a filled one where it ends."""
    colour, mark, dash = style.look(place)
    ax.plot(x, y, color=colour, lw=0.8, ls=dash, marker=mark, ms=series.SMALL, mfc="white", mew=0.7, label=text)
    last = int(np.flatnonzero(np.isfinite(x))[-1])
    ax.plot(x[last], y[last], color=colour, marker=mark, ms=6)


@style.settable
def dynamics_returns(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Distance after a push before three layers, and what is kept of a teleport, whole and within a plane."""
    panels = style.panels(3, 3, (3.0, 2.9), (1.6, 0.3), figure)
    for ax, name in zip(panels, ("return", "kept", "kept_in_plane"), strict=True):
        x = series.depth(name, table)
        for k, text in enumerate(series.names(table)):
            colour, mark, _ = style.look(k)
            for row in range(table.sizes["push"]):
                y, error = (series.values(table, f"{name}{end}", k)[row] for end in ("", "_stderr"))
                if name == "kept_in_plane":  # of what was exchanged, which is not everything
                    start = y[np.flatnonzero(np.isfinite(y))[0]]
                    y, error = y / start, error / start
                label = text if row == 0 else None
                style.marks(ax, x, y, colour, mark, None, error, ms=series.SMALL, mew=0.7, label=label)
        ax.axhline(1.0, color="black", lw=0.8, ls=style.DASHES[1], zorder=1)
        ax.set_xlabel("depth (layers)")
    panels[0].set(yscale="log", ylabel="distance / length of the push")
    panels[1].set(ylabel="share kept of a teleport")
    panels[2].set(ylabel="the same within a plane, of its start")
    panels[-1].legend(**style.BESIDE)
    return panels[0].figure  # pyright: ignore


@style.settable
def dynamics_flow(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """What a layer adds to states put on a grid of the plane of their first two axes; marks are states of texts."""
    count = table.sizes["network"]
    panels = style.panels(count, 3, (3.1, 3.0), (0.6, 0.4), figure)
    for k, (ax, text) in enumerate(zip(panels, series.names(table), strict=True)):
        points, update = (series.values(table, f"flow_{name}", k) for name in ("points", "update"))
        cell = float(points[0, 1, 0] - points[0, 0, 0])
        length = float(np.linalg.norm(update, axis=-1).max())
        arrows: Any = update * (cell / length if length > 0 else 1.0)
        x, y = points[..., 0], points[..., 1]
        ax.quiver(x, y, arrows[..., 0], arrows[..., 1], angles="xy", scale_units="xy", scale=1.0, width=0.004,
                  color=style.GREY)  # fmt: skip
        where = series.values(table, "flow_states", k)
        colour, mark, _ = style.look(k)
        ax.plot(*where.T, ls="none", marker=mark, color=colour, mfc="white", ms=4)
        layer = int(series.values(table, "flow_layer", k))
        style.title(ax, f"{text}, layer {layer}\nlongest arrow {length:.3g}")
        room = 1.12 * float(x.max())
        ax.set(xlabel="first axis (unit of the states)", ylabel="second axis", xlim=(-room, room), ylim=(-room, room))
        ax.set_aspect("equal")
    return panels[0].figure  # pyright: ignore
