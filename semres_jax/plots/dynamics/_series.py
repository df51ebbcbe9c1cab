"""What pictures of the residual stream share: networks and how they look, numbers along depth with their errors."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax._files import shown
from semres_jax.plots import _style as style

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

DEPTH = "depth (layers; a half is between attention and MLP)"
LAYER = "layer"
# Of a legend, and of marks that stand close.
_LONGEST, SMALL = 28, 2.8


def names(table: "xarray.Dataset") -> list[str]:
    """Networks for a legend; of a single model, controls without its name."""
    every = [str(name) for name in table.network.values]
    own = models(table)
    prefix = f"{every[own[0]]}, " if len(own) == 1 else ""
    return [shown(name.removeprefix(prefix), _LONGEST) for name in every]


def models(table: "xarray.Dataset") -> list[int]:
    """Places of networks that are no controls."""
    every = [str(name) for name in table.network.values]
    return [k for k, name in enumerate(every) if not any(name.startswith(f"{other}, ") for other in every)]


def values(table: "xarray.Dataset", name: str, network: int, **at: Any) -> np.ndarray:
    """Numbers of a network."""
    return table[name].isel(network=network).sel(at).values


def depth(name: str, table: "xarray.Dataset") -> np.ndarray:
    """Where the numbers of a variable are along depth, in layers: an update is in the middle of its sub-layer."""
    (dim,) = [dim for dim in table[name].dims if dim in ("boundary", "step", "layer", "level")]
    place = np.arange(table.sizes[dim])
    return {"boundary": place / 2, "step": place / 2 + 0.25, "layer": place, "level": place}[str(dim)]


def draw(ax: "Axes", table: "xarray.Dataset", name: str, *, label: bool = True, **at: Any) -> None:
    """Marks of all networks along depth, with error bars of one standard error where there are any."""
    x = depth(name, table)
    for k, text in enumerate(names(table)):
        colour, mark, _ = style.look(k)
        y, error = values(table, name, k, **at), None
        if f"{name}_stderr" in table:
            error = values(table, f"{name}_stderr", k, **at)
        if np.isfinite(y).any():
            style.marks(ax, x, y, colour, mark, None, error, ms=SMALL, mew=0.8, label=text if label else None)


def line(ax: "Axes", table: "xarray.Dataset", name: str, network: int, text: str | None, **settings: Any) -> None:
    """A null of a network as a line."""
    colour = style.look(network)[0]
    usual = {"color": colour, "lw": 1.0, "label": text}
    ax.plot(depth(name, table), values(table, name, network), **(usual | settings))


def over_texts(table: "xarray.Dataset", name: str, network: int, **at: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean over Jacobians' texts and its standard error, which a single text has none of (0)."""
    rows = table[name].isel(network=network).sel(at).transpose("text", ...).values
    rows = rows[np.isfinite(rows).reshape(len(rows), -1).any(1)]
    if not len(rows):
        nothing = np.full(table[name].isel(network=network).sel(at).transpose("text", ...).shape[1:], np.nan)
        return nothing, nothing
    error = rows.std(0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.zeros(rows.shape[1:])
    return rows.mean(0), error
