"""Optimal fronts of several floors beside those of the usual similarities, as one table for files and figures."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import xarray

from semres_jax import similarity
from semres_jax._types import ArrayLike
from semres_jax.execution import Execution
from semres_jax.frontier.families import on_circle
from semres_jax.frontier.optimal import GAP, WEIGHTS, Optimum, checked, optimal
from semres_jax.laws import closed_form
from semres_jax.storage.attributes import labelled

# Families whose fronts are laid beside the optimal ones.
FAMILIES = ("constant", "linear", "exponential")
# Places u where the best h is told.
_PLACES = 501


def best_constant(delta: ArrayLike, *, n: int = 2) -> tuple[float, float]:
    """The ball measure b at which the constant similarity generalizes best on a homogeneous space, and its p_S there.

    For n = 2, b = 1/2 and p_S = 1/2 + (1 - Δ) / (4 (1 + Δ)); else b is `laws.optimal_ball_measure`.
    Source: theorems 2 and 3 of Nurisso et al., arXiv 2506.14797.

    Args:
        delta: noise floor Δ, strictly between 0 and 1.
        n: number of items, at least 2.

    Returns:
        (b, p_s).

    Raises:
        ValueError: as `optimal`.

    Example:
        >>> from semres_jax import frontier
        >>> frontier.best_constant(0.6)
        (0.5, 0.5625)
    """
    program = checked(delta, 1.0, n, None)
    if program.n == 2:
        return 0.5, 0.5 + (1 - program.delta) / (4 * (1 + program.delta))
    b = closed_form.optimal_ball_measure(program.n, program.delta)
    with jax.enable_x64(True):
        return b, float(closed_form.constant(b, n=program.n, delta=program.delta).p_s)


def optimal_table(
    deltas: ArrayLike,
    *,
    weights: ArrayLike = WEIGHTS,
    n: int = 2,
    levels: int | None = None,
    families: Sequence[Any] = FAMILIES,
    execution: Execution | None = None,
) -> xarray.Dataset:
    """Optimal fronts for several floors, and those of usual families of similarities on the circle.

    Args:
        deltas: floors, each strictly between 0 and 1.
        weights: of p_S, in [0, 1]; 1, the best p_S, is added where it is missing.
        n, levels: as in `optimal`.
        families: whose fronts are laid beside, each as in `similarity.get`.
        execution: how to run; `progress` counts weights and families of each floor.

    Returns:
        Dataset with dimensions delta and weight (both increasing), level (padded with NaN), end ("one", "floor"), u,
        family and reach. Variables p_s, p_i, gap, levels, agreeing over (delta, weight); phi, mass; atoms over (delta,
        weight, end); h(u), the optimal similarities; constant_b, constant_p_s and deficit, of the best constant
        similarity, over delta; front_p_s, front_p_i over (family, delta, reach), from a resolution of 0 to infinity.

    Raises:
        ValueError: as `optimal`; no floors; an unknown family.

    Example:
        >>> from semres_jax import frontier
        >>> table = frontier.optimal_table([0.1, 0.5], weights=[0.5, 1.0], levels=33)
        >>> dict(table.p_s.sizes), [round(float(x), 4) for x in table.deficit]
        ({'delta': 2, 'weight': 2}, [0.0123, 0.0001])
    """
    floors = np.unique(np.asarray(deltas, float))
    if not floors.size:
        raise ValueError("deltas must hold at least one floor, such as 0.1; got none")
    kinds = [similarity.get(family) for family in families]
    parts = np.union1d(np.asarray(weights, float), [1.0])
    for delta in floors:
        for weight in parts:
            checked(delta, weight, n, levels)
    optima, planned = [], floors.size * (parts.size + len(kinds))
    fronts, done, how = [], 0, execution or Execution()
    for delta in floors:
        for weight in parts:
            optima.append(optimal(delta, weight=weight, n=n, levels=levels))
            done += 1
            how.tell(f"floor {delta:g}, weight {weight:g}", done, planned)
        for family in kinds:
            fronts.append(on_circle(family, float(delta), n=int(n)))
            done += 1
            how.tell(f"floor {delta:g}, {family.label}", done, planned)
    # (accuracy, family, delta, reach) from a list by delta, then family
    along = np.array(fronts).reshape(floors.size, len(kinds), 2, -1).transpose(2, 1, 0, 3)
    return _dataset(optima, floors, parts, along, [family.label for family in kinds], int(n))


def _dataset(
    optima: list[Optimum], floors: np.ndarray, parts: np.ndarray, fronts: np.ndarray, families: list[str], n: int
) -> xarray.Dataset:
    shape, most = (floors.size, parts.size), max(best.phi.size for best in optima)
    pair, u = ("delta", "weight"), np.linspace(0.0, 1.0, _PLACES)

    def grid(values: list[Any]) -> np.ndarray:
        return np.array(values).reshape(*shape, *np.shape(values[0]))

    def padded(values: np.ndarray) -> np.ndarray:
        return np.append(values, np.full(most - values.size, np.nan))

    def at_places(best: Optimum) -> np.ndarray:
        return np.interp(u, np.asarray(best.similarity.distances), np.asarray(best.similarity.values))

    constants = np.array([best_constant(float(delta), n=n) for delta in floors])
    p_s = grid([best.accuracy.p_s for best in optima])
    variables = {
        "p_s": (pair, p_s),
        "p_i": (pair, grid([best.accuracy.p_i for best in optima])),
        "gap": (pair, grid([best.gap for best in optima])),
        "levels": (pair, grid([best.phi.size for best in optima])),
        "starts": (pair, grid([best.starts for best in optima])),
        "agreeing": (pair, grid([best.agreeing for best in optima])),
        "atoms": ((*pair, "end"), grid([best.atoms for best in optima])),
        "phi": ((*pair, "level"), grid([padded(best.phi) for best in optima])),
        "mass": ((*pair, "level"), grid([padded(best.mass) for best in optima])),
        "h": ((*pair, "u"), grid([at_places(best) for best in optima])),
        "constant_b": ("delta", constants[:, 0]),
        "constant_p_s": ("delta", constants[:, 1]),
        "deficit": ("delta", p_s[:, -1] - constants[:, 1]),
        "front_p_s": (("family", "delta", "reach"), fronts[0]),
        "front_p_i": (("family", "delta", "reach"), fronts[1]),
    }
    coordinates = {"delta": floors, "weight": parts, "end": ["one", "floor"], "u": u, "family": families}
    return labelled(xarray.Dataset(variables, coordinates, {"n": n, "certificate": optima[-1].certificate}))


def summary(table: xarray.Dataset) -> dict[str, Any]:
    """What optimal.json and the last line say: one row for each floor, of the best p_S, and what is not certain."""
    rows = []
    for delta in table.delta.values:
        part = table.sel(delta=delta)
        best = part.sel(weight=1.0)
        rows.append({
            "delta": float(delta),
            "n": int(table.attrs["n"]),
            "p_s": float(best.p_s),
            "p_i": float(best.p_i),
            "constant_b": float(part.constant_b),
            "constant_p_s": float(part.constant_p_s),
            "deficit": float(part.deficit),
            "atom_one": float(best.atoms.sel(end="one")),
            "atom_floor": float(best.atoms.sel(end="floor")),
            "levels": int(best.levels),
            "gap": float(part.gap.max()),
            "certificate": str(table.attrs["certificate"]),
            "starts": int(best.starts),
            "agreeing": int(best.agreeing),
        })  # fmt: skip
    failed = [f"delta = {row['delta']:g}" for row in rows if not row["gap"] <= GAP]
    return {"rows": rows, "gap_limit": GAP, "failed": failed}
