"""Pictures of Jacobians: eigenvalues in the plane, departure from normality and symmetry by depth, products."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots.dynamics import _series as series

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure, SubFigure

_KINDS = {"normal": "normal part", "scrambled": "scrambled above the diagonal", "bases": "random bases"}


@style.settable
def dynamics_eigenvalues(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Eigenvalues of U = J - I of one text in the complex plane, of the first model at four depths."""
    network = series.models(table)[0]
    layers = series.values(table, "shown_layer", network)
    layers = layers[np.isfinite(layers)]
    panels = style.panels(len(layers), 4, (2.5, 2.5), (0.5, 0.4), figure)
    for k, (ax, layer) in enumerate(zip(panels, layers, strict=True)):
        x, y = series.values(table, "eigenvalues", network)[k].T
        ax.plot(x, y, ls="none", marker="o", ms=1.8, color=style.COLOURS[0], mfc="none", mew=0.6)
        ax.axhline(0, color=style.PALE, lw=0.8, zorder=0)
        ax.axvline(0, color=style.PALE, lw=0.8, zorder=0)
        style.title(ax, f"layer {int(layer)}")
        ax.set(xlabel="real part", ylabel="imaginary part" if k % 4 == 0 else "")
        ax.set_aspect("equal", adjustable="datalim")
    return panels[0].figure  # pyright: ignore


@style.settable
def dynamics_shares(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Departure from normality h and symmetric share of J (above) and U (below) by layer; means over texts."""
    panels = style.panels(4, 2, (3.5, 2.5), (1.6, 0.3), figure, sharex=True)
    cells = [(letter, name) for letter in "ju" for name in ("henrici", "symmetric")]
    for ax, (letter, name) in zip(panels, cells, strict=True):
        for k, text in enumerate(series.names(table)):
            mean, error = series.over_texts(table, f"{letter}_{name}", k)
            colour, mark, _ = style.look(k)
            style.marks(ax, np.arange(len(mean)), mean, colour, mark, None, error, ms=4, label=text)
        what = "departure h" if name == "henrici" else "symmetric share"
        ax.set_ylabel(f"{what} of {letter.upper()}")
        if name == "symmetric":
            ax.axhline(0.5, color="black", lw=0.8, ls=style.DASHES[1], zorder=0, label="random matrix")
        else:
            ax.axhline(0.5**0.5, color="black", lw=0.8, ls=style.DASHES[1], zorder=0)
    for ax in panels[2:]:
        ax.set_xlabel(series.LAYER)
    panels[1].legend(**style.BESIDE)
    return panels[0].figure  # pyright: ignore


@style.settable
def dynamics_products(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Participation ratio of products of Jacobians, from the first layer and from the next, with three controls."""
    panels = style.panels(2, 2, (3.5, 3.0), (2.2, 0.3), figure, sharey=True)
    first = series.models(table)[0]
    for ax, start in zip(panels, table.start.values, strict=True):
        for k, text in enumerate(series.names(table)):
            mean, error = series.over_texts(table, "product_pr", k, kind="as it is", start=start)
            colour, mark, _ = style.look(k)
            style.marks(ax, np.arange(len(mean)), mean, colour, mark, None, error, ms=4, label=text)
        for k, (kind, text) in enumerate(_KINDS.items()):
            mean, _ = series.over_texts(table, "product_pr", first, kind=kind, start=start)
            looks: Any = {"color": (style.GREY, "black", style.COLOURS[0])[k], "ls": style.DASHES[k + 1], "lw": 1.1}
            ax.plot(np.arange(len(mean)), mean, label=text, **looks)
        style.plain_log(ax, "y")
        style.title(ax, f"from layer {int(start)}")
        ax.set_xlabel("last layer of the product")
    panels[0].set_ylabel("participation ratio (directions)")
    panels[1].legend(**style.BESIDE)
    return panels[0].figure  # pyright: ignore
