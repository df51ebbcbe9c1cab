"""What a sweep is asked for: spaces, families of similarities and grids of numbers, read and checked."""

import warnings
from typing import Any

import jax
import numpy as np

from semres_jax._checks import brief, concrete, require
from semres_jax.spaces.base import MetricSpace

# Resolutions where none are given, in shares of a space's diameter.
SHARES = np.arange(101) / 100
# Pairs of points, and the share of them, that a space without a diameter is as wide as.
_PAIRS, _WITHIN = 4096, 0.99


def several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def resolutions(epsilon: Any, places: dict[str, MetricSpace]) -> tuple[np.ndarray, np.ndarray]:
    """The coordinate of a sweep's resolutions, and those of each space in its own unit, (spaces, resolutions).

    Without numbers they are shares of each space's width, and the coordinate is in the unit of the spaces where all are
    as wide.
    """
    if epsilon is None:
        widths = np.array([width(space) for space in places.values()])
        grids = SHARES * widths[:, None]
        return (grids[0] if (widths == widths[0]).all() else SHARES), grids
    array = grid("epsilon", epsilon, np.inf, "a distance, at least 0")
    for label, space in places.items():
        shells = space.shells
        positive = np.zeros(0) if shells is None else shells[shells > 0]
        if positive.size and array[-1] < positive.min() and array[-1] > 0:
            warnings.warn(
                f"no epsilon reaches a distance of {label}: the largest is {array[-1]:g}, the smallest distance "
                f"{positive.min():g} (leave epsilon out for a grid in the unit of the space)",
                stacklevel=5,
            )
    return array, np.broadcast_to(array, (len(places), len(array)))


def width(space: MetricSpace) -> float:
    """The diameter; of a space without bounds the distance that 99 of 100 pairs are within, to two digits."""
    diameter = float(space.diameter)
    if np.isfinite(diameter) and diameter > 0:
        return diameter
    if not np.isfinite(diameter):
        u = np.random.default_rng(0).random((2, _PAIRS, space.uniforms))
        with jax.enable_x64(True):
            apart = np.asarray(space.distance(space.point(u[0]), space.point(u[1])))
        return float(f"{np.quantile(apart, _WITHIN):.1e}")
    return 1.0  # all points are one


def grid(name: str, values: Any, high: float, what: str) -> np.ndarray:
    known = concrete(values, name)
    array = np.atleast_1d(np.asarray(known if known is not None else np.nan, np.float64))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must have at least one value, along one axis; got {brief(values)}")
    require(name, array, 0.0, high, what)
    if (np.diff(array) <= 0).any():
        at = int(np.argmax(np.diff(array) <= 0))
        raise ValueError(f"{name} must increase; got {array[at]:g} before {array[at + 1]:g} (sort it)")
    return array


def exponents(values: Any) -> list[float]:
    known = concrete(values, "exponent")
    array = np.atleast_1d(np.asarray(known if known is not None else np.nan, np.float64))
    if array.ndim != 1 or array.size == 0 or not (array >= 0).all() or (np.diff(array) <= 0).any():
        raise ValueError(f"exponent must be numbers of at least 0, increasing; got {brief(values)}")
    return array.tolist()
