"""The picture of binding: how often a recombination of what was shown is taken for a shown whole."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._style import GREY

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

_MOST_PANELS = 3
# Marks of several families beside each other, as a factor of n.
_ASIDE = 1.06


@style.settable
def binding_rates(table: "xarray.Dataset") -> "Figure":
    """Rates of illusory conjunctions against the number of shown items, a panel for each number of features.

    The law of constant similarity is a line for each share of conjunctive units, simulations are marks with their
    standard errors: full where there is a law, and open, a little aside, for other similarities.

    Args:
        table: what `experiments.binding.study` makes.
    """
    from semres_jax.laws import illusory_conjunctions

    along = np.unique(np.geomspace(table.n.min(), table.n.max(), 60).round().astype(int))
    axes = style.panels(table.sizes["slots"], _MOST_PANELS, (3.1, 3.2), (1.6, 0.2), sharey=True)
    has_law = np.isfinite(table.exact_rate).all(("slots", "n", "conjunctive")).values
    for ax, slots in zip(axes, table.slots.values, strict=True):
        ax.axhline(0.5, color=style.PALE, lw=0.8, zorder=0)
        for place, share in enumerate(table.conjunctive.values):
            colour, mark, dash = style.look(place)
            part = table.sel(slots=slots, conjunctive=share)
            code: Any = {"slots": int(slots), "conjunctive": float(share), "delta": table.attrs["delta"]}
            law = [illusory_conjunctions(table.attrs["b"], n=n, **code) for n in along]
            ax.plot(along, law, color=colour, ls=dash, lw=1.5, zorder=2)
            others = 0
            for number, known in enumerate(has_law):
                row = part.isel(similarity=number)
                others += not known
                face = {"mfc": colour} if known else {}
                x = row.n.values * _ASIDE**others
                style.marks(ax, x, row.rate.values, colour, mark, None, row.rate_stderr.values, **face)
        style.plain_log(ax, "x")
        style.ticks(ax, "x", table.n.values)
        ax.set(xlabel="shown items, $n$", ylim=(-0.015, 0.53))
        style.title(ax, f"$S$ = {slots} features")
    axes[0].set_ylabel("illusory conjunctions (probability)")
    style.legend(axes[-1], _entries(table, has_law), title="share of\nconjunctive units")
    figure: Any = axes[0].figure
    return figure


def _entries(table: "xarray.Dataset", has_law: np.ndarray) -> list[tuple[Any, str]]:
    entries: list[tuple[Any, str]] = []
    for place, share in enumerate(table.conjunctive.values):
        colour, mark, dash = style.look(place)
        entries.append((style.sample(color=colour, ls=dash, marker=mark, lw=1.5, mfc=colour), f"$c$ = {share:g}"))
    for name, known in zip(table.similarity.values, has_law, strict=True):
        face = {"mfc": GREY} if known else {}
        entries.append((style.sample(color=GREY, marker="o", ls="none", **face), str(name)))
    entries.append((style.sample(color=GREY, lw=1.5), "law of constant"))
    return entries


@style.applied()
def save_binding(table: "xarray.Dataset", folder: str | os.PathLike[str]) -> list[str]:
    """The picture as files in a folder, binding_rates; their names."""
    figure = binding_rates(table)
    floor = f", floor $\\Delta$ = {table.attrs['delta']:g}" if table.attrs["delta"] else ""
    style.heading(figure, f"A recombination beside a shown whole, $b$ = {table.attrs['b']:g}{floor}; bars: ± 1 s.e.")
    return style.save(figure, folder, "binding_rates")
