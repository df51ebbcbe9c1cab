"""What a sweep is asked for: spaces, families of similarities and grids of numbers, read and checked."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from semres_jax._checks import concrete, require
from semres_jax.similarity import KINDS, PowerLaw, Similarity


def several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def family(given: Any) -> tuple[str, Callable[[Any, Any], Similarity]]:
    """A label and a function of (epsilon, delta)."""
    if isinstance(given, str):
        return _named_family(given)
    if isinstance(given, type) and issubclass(given, Similarity):
        return _named_family(given.name)
    if isinstance(given, Similarity) and hasattr(given, "epsilon"):
        label = f"{given.name}({float(given.exponent):g})" if isinstance(given, PowerLaw) else given.name
        return label, lambda e, d: dataclasses.replace(given, epsilon=e, delta=d)  # pyright: ignore
    raise ValueError(
        f"similarity must be a name, a class or a similarity with a resolution; got {_shown(given)} (there are "
        f"{', '.join(_SWEPT)})"
    )


_SWEPT = tuple(name for name, kind in KINDS.items() if "epsilon" in {f.name for f in dataclasses.fields(kind)})  # pyright: ignore


def _named_family(text: str) -> tuple[str, Callable[[Any, Any], Similarity]]:
    match = re.fullmatch(r"\s*([a-z]+)\s*(?:\(\s*([^)]*)\s*\))?\s*", text)
    name, inside = (match[1], match[2]) if match else (text, None)
    if name not in _SWEPT or (inside and name != "powerlaw"):
        raise ValueError(f"unknown similarity {text!r}; there are {', '.join(_SWEPT)}, and powerlaw(EXPONENT)")
    if name != "powerlaw":
        kind: Any = KINDS[name]
        return name, kind
    try:
        power = float(inside) if inside else 1.0
    except ValueError:
        raise ValueError(f"the exponent of {text!r} is not a number, as in powerlaw(3)") from None
    PowerLaw(1.0, power)  # refuses what can't be
    return f"powerlaw({power:g})", lambda e, d: PowerLaw(e, np.full(np.shape(e), power), d)


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
