"""What a sweep is asked for: spaces, families of similarities and grids of numbers, read and checked."""

from typing import Any

import numpy as np

from semres_jax._checks import concrete, require


def several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def grid(name: str, values: Any, high: float, what: str) -> np.ndarray:
    known = concrete(values)
    array = np.atleast_1d(np.asarray(known if known is not None else np.nan, np.float64))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must have at least one value, along one axis; got {_shown(values)}")
    require(name, array, 0.0, high, what)
    if (np.diff(array) <= 0).any():
        at = int(np.argmax(np.diff(array) <= 0))
        raise ValueError(f"{name} must increase; got {array[at]:g} before {array[at + 1]:g} (sort it)")
    return array


def exponents(values: Any) -> list[float]:
    known = concrete(values)
    array = np.atleast_1d(np.asarray(known if known is not None else np.nan, np.float64))
    if array.ndim != 1 or array.size == 0 or not (array >= 0).all() or (np.diff(array) <= 0).any():
        raise ValueError(f"exponent must be numbers of at least 0, increasing; got {_shown(values)}")
    return array.tolist()


def _shown(value: Any) -> str:
    """In one line, however large."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
