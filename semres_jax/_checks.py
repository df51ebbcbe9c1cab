"""Host-side checks of what users hand in: one clear line that names the argument, the value and what would do.

Pytrees are rebuilt with tracers and placeholders for leaves, so a check sees a leaf only where it is a concrete array
of numbers and lets everything else pass.
"""

from typing import Any

import jax
import numpy as np
from jax.core import Tracer


def concrete(value: Any) -> np.ndarray | None:
    """`value` as a NumPy array where it holds numbers now, else None (a tracer, a placeholder, None)."""
    if isinstance(value, Tracer) or value is None:
        return None
    if isinstance(value, (int, float, np.number, np.ndarray, list, tuple, jax.Array)):
        try:
            array = np.asarray(value)
        except (ValueError, TypeError):  # ragged lists, tuples of tracers
            return None
        return array if array.dtype.kind in "biuf" else None
    return None


def number_leaf(value: Any) -> Any:
    """A leaf as it is stored: host numbers as float64 NumPy (so no digit is lost before a precision is chosen)."""
    if isinstance(value, tuple) and concrete(value) is None:  # of tracers or placeholders
        return value
    if isinstance(value, (bool, int, float, np.number, np.ndarray, list, tuple)):
        array = np.asarray(value)
        if array.dtype.kind in "biu" or (array.dtype.kind == "f" and not isinstance(value, (np.ndarray, np.number))):
            return array.astype(np.float64)
        return array
    return value


def require(name: str, value: Any, low: float, high: float, what: str) -> None:
    """Raise `ValueError` unless every concrete entry of `value` is finite and in [low, high]."""
    array = concrete(value)
    if array is None:
        return
    bad = ~((array >= low) & (array <= high) & np.isfinite(array))
    if bad.any():
        raise ValueError(f"{name} must be {what}; got {array[bad].flat[0]:g}")


def require_count(name: str, value: Any, low: int, what: str = "") -> int:
    """`value` as an int of at least `low`, or a `ValueError` that says so."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        if not (isinstance(value, float) and value.is_integer()):
            raise ValueError(f"{name} must be a whole number of at least {low}{what}; got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}{what}; got {value}")
    return int(value)


def require_items(n: Any) -> int:
    """The number of items as an int, or a `ValueError`."""
    return require_count("n", n, 2, " (the probe needs items to choose from)")


def require_exponent(exponent: Any) -> np.ndarray | None:
    """The Luce exponent where it is known, or a `ValueError`."""
    known = concrete(exponent)
    if known is not None and (known.ndim or not known >= 0):
        raise ValueError(f"exponent must be one number, at least 0; got {exponent!r}")
    return known
