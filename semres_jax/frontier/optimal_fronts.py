"""Optimal fronts of several floors beside those of the usual similarities, as one table for files and figures."""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import xarray

from semres_jax._types import Accuracy, ArrayLike
from semres_jax.frontier import _measures
from semres_jax.frontier.optimal import WEIGHTS, Optimum, asked, optimal
from semres_jax.laws import closed_form

# Graded similarities as functions of distance over reach, and the other way round.
_SHAPES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "linear": (lambda x: np.maximum(0.0, 1.0 - x), lambda g: 1.0 - g),
    "exponential": (lambda x: np.exp(-x), lambda g: -np.log(g)),
}
FAMILIES = ("constant", *_SHAPES)
# Points of a family's front, cells of u and of φ for each point, places u where the best h is told.
_REACHES, _CELLS, _PLACES = 81, 500, 501


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
    program = asked(delta, 1.0, n, None)
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
    progress: Callable[[str, int, int], None] | None = None,
) -> xarray.Dataset:
    """Optimal fronts for several floors, and those of the constant, linear and exponential similarity on the circle.

    Args:
        deltas: floors, each strictly between 0 and 1.
        weights: of p_S, in [0, 1]; 1, the best p_S, is added where it is missing.
        n, levels: as in `optimal`.
        progress: called with (what is being done, done, planned).

    Returns:
        Dataset with dimensions delta and weight (both increasing), level (padded with NaN), end ("one", "floor"), u,
        family and reach. Variables p_s, p_i, gap, levels, agreeing over (delta, weight); phi, mass; atoms over (delta,
        weight, end); h(u), the optimal similarities; constant_b, constant_p_s and deficit, of the best constant
        similarity, over delta; front_p_s, front_p_i over (family, delta, reach), from a resolution of 0 to infinity.

    Raises:
        ValueError: as `optimal`, or no floors.

    Example:
        >>> from semres_jax import frontier
        >>> table = frontier.optimal_table([0.1, 0.5], weights=[0.5, 1.0], levels=33)
        >>> dict(table.p_s.sizes), [round(float(x), 4) for x in table.deficit]
        ({'delta': 2, 'weight': 2}, [0.0123, 0.0001])
    """
    floors = np.unique(np.asarray(deltas, float))
    if not floors.size:
        raise ValueError("deltas must hold at least one floor, such as 0.1; got none")
    parts = np.union1d(np.asarray(weights, float), [1.0])
    for delta in floors:
        for weight in parts:
            asked(delta, weight, n, levels)
    found, planned = [], floors.size * (parts.size + len(FAMILIES))
    fronts = np.empty((2, len(FAMILIES), floors.size, _REACHES))
    done = 0
    for i, delta in enumerate(floors):
        for weight in parts:
            found.append(optimal(delta, weight=weight, n=n, levels=levels))
            done += 1
            if progress is not None:
                progress(f"floor {delta:g}, weight {weight:g}", done, planned)
        for j, family in enumerate(FAMILIES):
            fronts[:, j, i] = family_front(family, float(delta), n=int(n))
            done += 1
            if progress is not None:
                progress(f"floor {delta:g}, {family}", done, planned)
    return _dataset(found, floors, parts, fronts, int(n))


def family_front(family: str, delta: float, *, n: int = 2) -> Accuracy:
    """Accuracies of a family of similarities on the circle from a resolution of 0 to infinity, 81 of them.

    The constant similarity by its law; others as atoms at the middles of narrow cells, to about 1e-6.

    Args:
        family: "constant", "linear" or "exponential".
        delta: noise floor Δ, strictly between 0 and 1.
        n: number of items, at least 2.

    Returns:
        Accuracy of two arrays.

    Raises:
        ValueError: another family.

    Example:
        >>> from semres_jax.frontier.optimal_fronts import family_front
        >>> [round(float(p), 4) for p in family_front("linear", 0.1).p_i[[0, -1]]]
        [0.9091, 0.5]
    """
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}; got {family!r}")
    share = np.linspace(0.0, 1.0, _REACHES)
    if family == "constant":
        with jax.enable_x64(True):
            return Accuracy(*(np.asarray(p) for p in closed_form.constant(share, n=n, delta=delta)))
    pairs = [_measures.accuracy(*_atoms(family, x, delta), n) for x in share]
    return Accuracy(np.array([pair.p_s for pair in pairs]), np.array([pair.p_i for pair in pairs]))


def _atoms(family: str, share: float, delta: float) -> tuple[np.ndarray, np.ndarray]:
    """The measure of a member of a family; its reach is (share / (1 - share))² diameters."""
    if share in (0.0, 1.0):
        return np.array([0.0, -math.log(delta)]), np.array([share, 1.0 - share])
    reach = (share / (1.0 - share)) ** 2  # squared, as most happens at small ones
    shape_at, place_of = _SHAPES[family]

    def h(u: np.ndarray) -> np.ndarray:
        return delta + (1.0 - delta) * shape_at(u / reach)

    # Cells even in u, within reach and beyond, and even in φ: none has much of the mass and much of the change of φ.
    last = -np.log(h(np.array([1.0])))[0]
    shape = np.clip((np.exp(-np.linspace(0.0, last, _CELLS)) - delta) / (1.0 - delta), 1e-300, 1.0)
    even = reach * place_of(shape)
    near, far = np.linspace(0.0, min(reach, 1.0), _CELLS), np.linspace(0.0, 1.0, _CELLS)
    edges = np.unique(np.clip(np.concatenate([near, far, even]), 0.0, 1.0))
    phi = -np.log(h((edges[1:] + edges[:-1]) / 2))
    return phi, np.diff(edges)


def _dataset(found: list[Optimum], floors: np.ndarray, parts: np.ndarray, fronts: np.ndarray, n: int) -> xarray.Dataset:
    shape, most = (floors.size, parts.size), max(best.phi.size for best in found)
    pair, u = ("delta", "weight"), np.linspace(0.0, 1.0, _PLACES)

    def grid(values: list[Any]) -> np.ndarray:
        return np.array(values).reshape(*shape, *np.shape(values[0]))

    def padded(values: np.ndarray) -> np.ndarray:
        return np.append(values, np.full(most - values.size, np.nan))

    def told(best: Optimum) -> np.ndarray:
        return np.interp(u, np.asarray(best.similarity.distances), np.asarray(best.similarity.values))

    constants = np.array([best_constant(float(delta), n=n) for delta in floors])
    p_s = grid([best.accuracy.p_s for best in found])
    variables = {
        "p_s": (pair, p_s),
        "p_i": (pair, grid([best.accuracy.p_i for best in found])),
        "gap": (pair, grid([best.gap for best in found])),
        "levels": (pair, grid([best.phi.size for best in found])),
        "starts": (pair, grid([best.starts for best in found])),
        "agreeing": (pair, grid([best.agreeing for best in found])),
        "atoms": ((*pair, "end"), grid([best.atoms for best in found])),
        "phi": ((*pair, "level"), grid([padded(best.phi) for best in found])),
        "mass": ((*pair, "level"), grid([padded(best.mass) for best in found])),
        "h": ((*pair, "u"), grid([told(best) for best in found])),
        "constant_b": ("delta", constants[:, 0]),
        "constant_p_s": ("delta", constants[:, 1]),
        "deficit": ("delta", p_s[:, -1] - constants[:, 1]),
        "front_p_s": (("family", "delta", "reach"), fronts[0]),
        "front_p_i": (("family", "delta", "reach"), fronts[1]),
    }
    coordinates = {"delta": floors, "weight": parts, "end": ["one", "floor"], "u": u, "family": list(FAMILIES)}
    return xarray.Dataset(variables, coordinates, {"n": n, "certificate": found[-1].certificate})
