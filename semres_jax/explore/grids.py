"""The exact numbers of the page: sweeps over every stop of its sliders, ball measures, the best similarities."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from semres_jax import frontier, similarity
from semres_jax.execution import Execution
from semres_jax.laws import engine_for
from semres_jax.similarity import Constant
from semres_jax.spaces import Circle, Interval, Sphere, Torus
from semres_jax.spaces.base import MetricSpace

SPACES = ("circle", "interval", "sphere(2)", "tree")
SIMILARITIES = ("constant", "linear", "exponential", "gaussian", "powerlaw")
# Stops of the sliders where numbers are those of a sweep: resolutions as shares of a space's width. Much smaller ones
# take the engines long on spaces that are not homogeneous, and both accuracies are as good as 1 there without a floor.
SHARES = (
    0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0
)  # fmt: skip
DELTAS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5)
NS = (2, 3, 8, 32)
EXPONENTS = (0.5, 1.0, 2.0)
# Further stops where the page has a law in closed form; those above are among them.
FINE: dict[str, tuple[float, ...]] = {
    "shares": (*(k / 200 for k in range(201)), *(k / 20 for k in range(21, 41))),
    "deltas": (
        0.0, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09,
        0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0,
    ),
    "ns": (*range(2, 33), 40, 48, 56, 64, 80, 96, 128, 192, 256, 384, 512, 768, 1024),
    "exponents": tuple(k / 4 for k in range(1, 33)),
}  # fmt: skip
# What a space takes in the page, at most.
BYTES = 11 * len(SIMILARITIES) * len(SHARES) * len(DELTAS) * len(NS) * len(EXPONENTS)
# Exact sums over finitely many stimuli take long for more than two items: of more stimuli than these fewer n are swept,
# two items alone, and none.
_MANY, _VERY_MANY, _TOO_MANY = 64, 200, 1000
# Weights of p_S along the front of the best similarities; places u at which the best of all is drawn; levels of
# similarity, whose p_S is below the best by 1e-5 at most; and the lowest floor, as lower ones would need more.
_WEIGHTS, _PLACES, _LEVELS, _LOWEST = (0.0, 0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0), 101, 129, 1e-3
_UNITS = {
    "circle": "of a circumference of 1", "interval": "of a length of 1", "torus": "of periods of 1",
    "sphere": "radians", "hamming": "share of the bits", "tree": "unit of its branches",
}  # fmt: skip


def packed(values: Any, kind: str = "<f4") -> str:
    """Numbers as text: base64 of their bytes, little-endian, in 32 or ("<f8") 64 bits, the last axis the quickest.

    Example:
        >>> from semres_jax.explore import grids
        >>> grids.packed([0.5, 1.0])
        'AAAAPwAAgD8='
    """
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def checked(spaces: Mapping[str, MetricSpace]) -> dict[str, list[int]]:
    """The numbers of items of each space's page.

    Raises:
        ValueError: no exact engine knows a space, or it has too few stimuli for a probe and two items, or too many.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.explore import grids
        >>> grids.checked({"twelve": spaces.grid(spaces.Circle(), 12)})
        {'twelve': [2, 3, 8]}
    """
    counts = {}
    for label, space in spaces.items():
        space.require_distinct(NS[0])
        if space.size is not None and space.size > _TOO_MANY:
            raise ValueError(f"{label} has {space.size} stimuli; a page has time for {_TOO_MANY} at most")
        counts[label] = [n for n in _ns_for(space.size or 0) if _drawable(space, n)]
        for name in SIMILARITIES:
            engine_for(space, similarity.get(name)(0.5), n=counts[label][-1])
    return counts


def numbers(spaces: Mapping[str, MetricSpace], *, execution: Execution | None = None) -> dict[str, Any]:
    """All numbers that the page needs, as what JSON has.

    Both accuracies come from `frontier.sweep` for every similarity of `SIMILARITIES` and all stops (`SHARES` of the
    width of each space, `DELTAS`, `NS` as far as there are stimuli, `EXPONENTS`), in 32 bits, which is 3e-8. Where the
    page computes a law itself it gets what the law needs in 64 bits: mean and variance of ball measures.

    Args:
        spaces: by label.
        execution: its `progress` is told.

    Raises:
        ValueError: as `checked`.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.explore import grids
        >>> content = grids.numbers({"four": spaces.grid(spaces.Circle(), 4)})
        >>> content["spaces"]["four"]["ns"], sorted(content["spaces"]["four"]["grids"])
        ([2, 3], ['constant', 'exponential', 'gaussian', 'linear', 'powerlaw'])
    """
    counts, how = checked(spaces), execution or Execution()
    powers = {_power(delta, a) for delta in DELTAS for a in EXPONENTS}
    floors = sorted(floor for floor in powers if floor >= _LOWEST)
    per_space, per_floor = 20 * len(SIMILARITIES), len(NS) + len(_WEIGHTS)
    planned = per_space * len(spaces) + per_floor * len(floors)
    content = {}
    for place, (label, space) in enumerate(spaces.items()):

        def tell(what: str, done: int, whole: int, start: int = per_space * place) -> None:
            how.tell(what, start + per_space * done // whole, planned)

        content[label] = _of_space(label, space, counts[label], Execution(progress=tell))

    def told(what: str, done: int) -> None:
        how.tell(what, per_space * len(spaces) + done, planned)

    grid = {"shares": SHARES, "deltas": DELTAS, "ns": NS, "exponents": EXPONENTS}
    return {
        "stops": grid,
        "fine": FINE,
        "similarities": SIMILARITIES,
        "spaces": content,
        "optima": _optima(floors, told),
    }


def _ns_for(size: int) -> tuple[int, ...]:
    return NS[:1] if size > _VERY_MANY else NS[:2] if size > _MANY else NS


def _drawable(space: MetricSpace, n: int) -> bool:
    try:
        space.require_distinct(n)
    except ValueError:
        return False
    return True


def _power(delta: float, exponent: float) -> float:
    """Δ^a, which the same number comes of in several ways."""
    return float(f"{delta**exponent:.12g}")


def _of_space(label: str, space: MetricSpace, ns: list[int], execution: Execution) -> dict[str, Any]:
    whole = frontier.sweep({label: space}, "constant", ns[0])
    width, law = float(whole.epsilon[-1]), _law(space)
    names = [name for name in SIMILARITIES if not (name == "constant" and law == "homogeneous")]
    axes, both = ("similarity", "exponent", "n", "delta", "epsilon"), {"p_s": [], "p_i": []}
    # The first exponent alone: its parts compile different programs at once, which the others' then use.
    for powers in (EXPONENTS[:1], EXPONENTS[1:]):
        settings = {"epsilon": np.array(SHARES) * width, "delta": DELTAS, "exponent": powers}
        table = frontier.sweep({label: space}, names, ns, **settings, execution=execution)
        for name, parts in both.items():
            values = table[name].isel(space=0)
            values = values if "exponent" in values.dims else values.expand_dims("exponent")
            parts.append(values.transpose(*axes).values)
    grid = {name: np.concatenate(parts, axis=1) for name, parts in both.items()}
    first = dict.fromkeys(("space", *axes[:4]), 0)
    moments = {name: table[name].isel(first, missing_dims="ignore") for name in ("mean_b", "var_b")}
    return {
        "unit": _UNITS.get(space.name, "unit of the space"),
        "width": width,
        "ns": ns,
        "law": law,
        "ball": _ball(space),
        "straight": isinstance(space, Circle) or (isinstance(space, (Sphere, Torus)) and space.dim == 1),
        **{name: packed(values, "<f8") for name, values in moments.items()},
        "within": packed(whole.mean_b.values.ravel()),
        "grids": {name: {p: packed(values[place]) for p, values in grid.items()} for place, name in enumerate(names)},
    }


def _law(space: MetricSpace) -> str:
    """Which law of the constant similarity the page computes itself: with one ball measure, or with two moments of it.

    Stimuli that are finitely many follow neither: distinct items aren't drawn independently.
    """
    if space.size is not None:
        return ""
    engine = engine_for(space, Constant(0.5), n=3)
    if engine == "closed_form":
        return "homogeneous"
    return "moments" if engine == "quadrature" else ""


def _ball(space: MetricSpace) -> dict[str, Any]:
    """How the page computes ball measures between stops: b(r) = (r / reach)^dim, sin²(r/2), or on the segment."""
    if isinstance(space, Interval):
        return {"kind": "segment"}
    if isinstance(space, Sphere) and space.dim == 2:
        return {"kind": "cap"}
    if isinstance(space, Sphere) and space.dim == 1:
        return {"kind": "power", "reach": float(space.diameter), "dim": 1}
    if isinstance(space, Circle) or (isinstance(space, Torus) and (space.dim == 1 or space.metric == "max")):
        return {"kind": "power", "reach": 0.5, "dim": getattr(space, "dim", 1)}
    return {"kind": "stops"}


def _optima(floors: Iterable[float], told: Any) -> dict[str, Any]:
    """The best similarity of each floor and number of items, and for two items the front of all similarities."""
    floors, u = list(floors), np.linspace(0.0, 1.0, _PLACES)
    p_s, h, fronts, done = [], [], [], 0
    for floor in floors:
        for n in NS:
            best = frontier.optimal(floor, n=n, levels=_LEVELS)
            p_s.append(float(best.accuracy.p_s))
            h.append(np.interp(u, np.asarray(best.similarity.distances), np.asarray(best.similarity.values)))
            done += 1
            told(f"the best similarity, floor {floor:g}, n = {n}", done)
        front = frontier.optimal_front(floor, weights=_WEIGHTS, levels=_LEVELS)
        fronts.append([[float(best.accuracy.p_i), float(best.accuracy.p_s)] for best in front])
        done += len(_WEIGHTS)
        told(f"the front of all similarities, floor {floor:g}", done)
    return {"floors": floors, "p_s": packed(p_s, "<f8"), "h": packed(h), "fronts": fronts}
