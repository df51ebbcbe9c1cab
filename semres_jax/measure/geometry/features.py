"""How features share the dimensions of a linear map: superposition."""

from typing import Any, NamedTuple

import numpy as np

from semres_jax._checks import brief, concrete
from semres_jax._surroundings import on_host


class Superposition(NamedTuple):
    """How N features share the m dimensions of linear maps of shape (..., N, m).

    Attributes:
        dimensions: (..., N) D_i, from 0 to 1: 1 for a feature with a dimension of its own, 0 for one without weights.
            They sum to at most the rank of the map, and to the rank where every row is an eigenvector of WᵀW.
        interference: (..., N) Σ_{j≠i} (ŵ_i·w_j)², in squares of the unit of the weights.
        passed: (..., N) the part of it that a ReLU lets through, of j with w_i·w_j > 0.
        per_feature: (...) m / ‖W‖², dimensions per feature where a feature with weights of length 1 counts as one.
    """

    dimensions: np.ndarray
    interference: np.ndarray
    passed: np.ndarray
    per_feature: np.ndarray


@on_host("measure.superposition")
def superposition(weights: Any) -> Superposition:
    """Dimensions of each feature of a linear map to m dimensions, and how much others interfere with it.

        D_i = ‖w_i‖² / Σ_j (ŵ_i·w_j)²,   ŵ_i = w_i / ‖w_i‖

    with w_i the row of feature (stimulus) i. Source: Elhage et al., "Toy models of superposition" (2022).

    Args:
        weights: (..., N, m), a row for each feature; maps along the axes in front.

    Raises:
        ValueError: not finite, fewer than two axes, no feature or dimension.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> angle = 2 * np.pi * np.arange(5) / 5
        >>> pentagon = measure.superposition(np.stack([np.cos(angle), np.sin(angle)], 1))
        >>> pentagon.dimensions.round(6).tolist(), round(float(pentagon.per_feature), 6)
        ([0.4, 0.4, 0.4, 0.4, 0.4], 0.4)
    """
    maps = finite_numbers(weights, "weights")
    if maps.ndim < 2 or 0 in maps.shape[-2:]:
        raise ValueError(f"weights must have shape (..., features, dimensions), none of them 0; got {maps.shape}")
    squares = (maps**2).sum(-1)
    lengths = np.sqrt(squares)
    interference, passed = np.empty(squares.shape), np.empty(squares.shape)
    for place in np.ndindex(maps.shape[:-2]):  # a table of features against features at a time
        unit = maps[place] / np.where(lengths[place] > 0, lengths[place], 1.0)[:, None]
        seen = unit @ maps[place].T
        np.fill_diagonal(seen, 0.0)
        interference[place], passed[place] = (seen**2).sum(1), (np.maximum(seen, 0.0) ** 2).sum(1)
    whole = squares.sum(-1)
    dimensions = squares / np.where(squares > 0, squares + interference, 1.0)
    with np.errstate(divide="ignore"):
        return Superposition(dimensions, interference, passed, maps.shape[-1] / whole)


def finite_numbers(value: Any, name: str) -> np.ndarray:
    """A finite float64 array.

    Raises:
        ValueError: no numbers, or NaN or infinity among them.
    """
    array = concrete(value, name)
    if array is None:
        raise ValueError(f"{name} must be known numbers; got {brief(value)}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {array[~np.isfinite(array)].flat[0]:g} among them")
    return array.astype(np.float64)
