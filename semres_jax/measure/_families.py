"""Families of similarity functions as fits and fronts need them: any kind of `semres_jax.similarity.KINDS` with a
resolution and a floor, evaluated and differentiated as it is defined there."""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from semres_jax import similarity
from semres_jax._types import Array
from semres_jax.similarity import KINDS, Similarity

# Families that are fitted where none are named.
FITTED = ("constant", "linear", "exponential")
# Pairs of a resolution and a distance go through one compiled program in pieces of these lengths.
_LENGTHS = (2**12, 2**15)
# Where a front of a similarity that never ends begins and ends: its value at the nearest and at the furthest distance.
_NARROW, _WIDE, _BROAD = np.exp(-3.0), np.exp(-0.1), np.exp(-1.0)
# One that ends at its resolution goes on to so many largest distances.
_FAR = 30.0
# Resolutions are looked for within these multiples of a distance, in so many steps of so many points.
_SPAN, _TRIED, _TIMES = 1e9, 65, 9


class Family(NamedTuple):
    """A family by name, and what is special about it.

    Attributes:
        name: as in `semres_jax.similarity.KINDS`.
        kind: the class; called with epsilon and delta, its other fields at their defaults.
        ends: whether g is its floor from the distance epsilon on.
        steps: whether g has two values only, so that its fit is one of all levels, not of a number.
        tied: whether a g that doesn't end within the distances there are shows (1 - delta) / epsilon alone.
    """

    name: str
    kind: Any
    ends: bool = False
    steps: bool = False
    tied: bool = False

    def values(self, epsilon: np.ndarray, d: np.ndarray) -> np.ndarray:
        """g without a floor, (..., L) for resolutions (...,) above 0 and distances (L,), in float64."""
        return _elementwise(_values, self.kind, epsilon[..., None], d)[0]

    def slopes(self, epsilon: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """g without a floor and its derivative in epsilon, both (..., L)."""
        g, slope = _elementwise(_slopes, self.kind, epsilon[..., None], d)
        return g, slope

    def table(self, d: np.ndarray, epsilon: float, delta: float = 0.0) -> np.ndarray:
        """g at distances of any shape, in float64."""
        return delta + (1 - delta) * _elementwise(_values, self.kind, np.asarray(epsilon), d)[0]


# What isn't as in general; everything else follows from the class.
_SPECIAL = {"constant": {"ends": True, "steps": True}, "linear": {"ends": True, "tied": True}}


def _suits(kind: type[Similarity]) -> bool:
    fields = getattr(kind, "__dataclass_fields__", {})
    return "epsilon" in fields and "delta" in fields


# Kinds with a resolution and a floor; one that is added here or to `KINDS` is taken too.
FAMILIES: dict[str, type[Similarity]] = {name: kind for name, kind in KINDS.items() if _suits(kind)}


def get(family: Any) -> Family:
    """A family by its name, or by the class of its similarities.

    Raises:
        ValueError: no such family, or a similarity without a resolution and a floor.

    Example:
        >>> from semres_jax.measure import _families
        >>> _families.get("linear").ends
        True
    """
    known = {name: kind for name, kind in (FAMILIES | KINDS).items() if _suits(kind)}
    if isinstance(family, type) and _suits(family):
        kind, name = family, getattr(family, "name", family.__name__)
    elif isinstance(family, str) and family in known:
        kind, name = known[family], family
    else:
        raise ValueError(f"family must be one of {', '.join(known)}; got {family!r}")
    own = kind.__module__ == similarity.__name__
    return Family(name, kind, **(_SPECIAL.get(name, {}) if own else {}))


def range_of(family: Family, nearest: float, furthest: float) -> tuple[float, float]:
    """The resolutions between which a front runs: from hardly reaching the nearest distance to hardly falling."""
    if family.ends:
        return nearest, _FAR * furthest
    return _reaching(family, nearest, _NARROW), _reaching(family, furthest, _WIDE)


def broad(family: Family, epsilon: float, furthest: float) -> bool:
    """Whether a similarity is so broad that only worse ones follow."""
    if family.ends:
        return bool(epsilon > furthest)
    return bool(family.values(np.array([epsilon]), np.array([furthest]))[0, 0] > _BROAD)


def _reaching(family: Family, distance: float, value: float) -> float:
    """The resolution at which g(distance) is a value; the end of what is tried where there is none."""
    tried = distance * np.geomspace(1 / _SPAN, _SPAN, _TRIED)
    for _ in range(_TIMES):
        above = family.values(tried, np.array([distance]))[:, 0] >= value
        first = int(above.argmax()) if above.any() else len(tried) - 1
        tried = np.geomspace(tried[max(first - 1, 0)], tried[first], _TRIED)
    return float(tried[-1])


def _elementwise(program: Any, kind: Any, epsilon: np.ndarray, d: np.ndarray) -> list[np.ndarray]:
    """Arrays of the broadcast shape, from a program that sees pieces of two lengths only: it compiles no more."""
    shape = np.broadcast_shapes(np.shape(epsilon), np.shape(d))
    pairs = [np.broadcast_to(np.asarray(x, np.float64), shape).reshape(-1) for x in (epsilon, d)]
    total = pairs[0].size
    length = _LENGTHS[0] if total <= _LENGTHS[0] else _LENGTHS[1]
    pieces = []
    with jax.enable_x64(True):
        for first in range(0, total, length):
            some = [x[first : first + length] for x in pairs]
            short = length - some[0].size
            some = [np.pad(x, (0, short), mode="edge") if short else x for x in some]
            pieces.append([np.asarray(x)[: length - short] for x in program(kind, *some)])
    return [np.concatenate(column).reshape(shape) for column in zip(*pieces, strict=True)]


def _unfloored(kind: Any, epsilon: Any, d: Any) -> Array:
    return kind(epsilon=epsilon, delta=0.0)(d)


@partial(jax.jit, static_argnums=0)
def _values(kind: Any, epsilon: Any, d: Any) -> tuple[Array]:
    return (_unfloored(kind, epsilon, d),)


@partial(jax.jit, static_argnums=0)
def _slopes(kind: Any, epsilon: Any, d: Any) -> tuple[Array, Array]:
    return jax.jvp(lambda e: _unfloored(kind, e, d), (epsilon,), (jax.numpy.ones_like(epsilon),))
