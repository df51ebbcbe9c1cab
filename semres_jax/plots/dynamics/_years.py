"""The bridge: resolution by depth beside what layers do to states of years."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots.dynamics import _series as series

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure, SubFigure

_PANELS = (
    ("year_p_s", style.GENERALIZATION), ("year_p_i", style.IDENTIFICATION),
    ("year_epsilon", "resolution, $\\epsilon$ (years)"), ("year_dimension", "dimension of the states"),
    ("year_along", "gain along years / typical"),
)  # fmt: skip


@style.settable
def dynamics_bridge(table: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Accuracies and resolution of states of years by depth, beside their dimension and the gain along years.

    The last panel has, of the first model, rank correlations of changes over layers (marks) and the largest of their
    circular shifts (lines): those within the lines say nothing.
    """
    panels = style.panels(6, 3, (3.1, 2.7), (1.6, 0.3), figure)
    for ax, (name, text) in zip(panels, _PANELS, strict=False):
        x = series.depth(name, table)
        for k, label in enumerate(series.names(table)):
            colour, mark, _ = style.look(k)
            y = series.values(table, name, k)
            if name == "year_along":
                y = y / series.values(table, "year_typical", k)
            error: Any = None
            if f"{name}_low" in table and name != "year_epsilon":
                low, high = (series.values(table, f"{name}_{end}", k) for end in ("low", "high"))
                error = np.nan_to_num(np.maximum([y - low, high - y], 0.0))
            style.marks(ax, x, y, colour, mark, None, error, ms=3.5, label=label)
        ax.set(xlabel="layer" if name == "year_along" else "layers done (0: the embedding)", ylabel=text)
    style.plain_log(panels[2], "y")
    panels[4].axhline(1.0, color="black", lw=0.8, ls=style.DASHES[1], zorder=0)
    panels[2].legend(**style.BESIDE)
    _relations(panels[5], table)
    return panels[0].figure  # pyright: ignore


def _relations(ax: Any, table: "xarray.Dataset") -> None:
    """Of p_I and ln ε with what layers do."""
    first = series.models(table)[0]
    texts = series.values(table, "relation_name", first).astype(str)
    rho, largest = (series.values(table, f"relation_{name}", first) for name in ("rho", "largest"))
    against = [text.partition(" ~ ")[2] for text in texts if text.startswith("p_i ~ ")]
    for k, (outcome, label) in enumerate((("p_i", "change of $p_I$"), ("ln ε", "change of $\\ln\\,\\epsilon$"))):
        rows = [i for i, text in enumerate(texts) if text.startswith(f"{outcome} ~ ")]
        y = np.arange(len(rows)) + 0.3 * k - 0.15
        colour, mark, _ = style.look(k)
        ax.hlines(y, -largest[rows], largest[rows], color=style.PALE, lw=3, zorder=1)
        ax.plot(rho[rows], y, ls="none", marker=mark, color=colour, ms=4.5, mfc="white", label=label, zorder=3)
    ax.axvline(0, color=style.GREY, lw=0.8, zorder=0)
    style.ticks(ax, "y", np.arange(len(against)), against)
    ax.tick_params(axis="y", labelsize=7)
    ax.set(xlabel="rank correlation over layers", xlim=(-1, 1), ylim=(len(against) - 0.5, -0.6))
    ax.plot([], [], color=style.PALE, lw=3, label="circular shifts")
    ax.legend(**style.BESIDE)
