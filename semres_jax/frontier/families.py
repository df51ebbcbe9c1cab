"""Families of similarities on the host: values and slopes at any distances, and the front of a family on a space.

Any family that `similarity.get` knows is evaluated and differentiated as its class defines it.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import similarity
from semres_jax._types import Accuracy, Array
from semres_jax.frontier import _measures
from semres_jax.laws import closed_form, enumeration, tables
from semres_jax.similarity import Family
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.named import on_space

# Pairs of a resolution and a distance go through one compiled program in pieces of these lengths.
_LENGTHS = (2**12, 2**15)
# Where a front of a similarity that never ends begins and ends: its value at the nearest and at the furthest distance.
_NARROW, _WIDE, _BROAD = np.exp(-3.0), np.exp(-0.1), np.exp(-1.0)
# A similarity that ends at its resolution goes on to so many largest distances.
_FAR = 30.0
# Resolutions are looked for within these multiples of a distance, in so many steps of so many points.
_SPAN, _TRIED, _TIMES = 1e9, 65, 9
# Resolutions along a front, for so many stimuli or fewer; time grows like the cube of these.
_POINTS, _FEWEST, _STIMULI = 160, 24, 200
_POINTS_MANY = 40
# Others within reach of a probe, on average, where a front begins; p_S below its best at which it ends.
_LONELY, _FALLEN = 0.1, 0.02
# Tables of strengths, in numbers, that are worked on at once.
_NUMBERS = 2**22
# Points of a family's front on the circle, and cells of u and of φ for each.
_REACHES, _CELLS = 81, 500
# Places at which a similarity is known where it is turned round.
_FINE = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 4801)])


class Front(NamedTuple):
    """What a family of similarities without a floor reaches on given stimuli, exactly.

    Attributes:
        epsilon: (E,) resolutions, in the unit of the distances.
        p_s, p_i: (E,) accuracies.
    """

    epsilon: np.ndarray
    p_s: np.ndarray
    p_i: np.ndarray


def values(family: Any, epsilon: np.ndarray, d: np.ndarray) -> np.ndarray:
    """g without a floor, (..., L) for resolutions (...,) above 0 and distances (L,), in float64."""
    return _elementwise(_values, similarity.get(family), np.asarray(epsilon)[..., None], d)[0]


def slopes(family: Any, epsilon: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """g without a floor and its derivative in epsilon, both (..., L).

    Example:
        >>> import numpy as np
        >>> from semres_jax.frontier import families
        >>> g, slope = families.slopes("linear", np.array([0.5]), np.array([0.25, 1.0]))
        >>> g.tolist(), slope.tolist()
        ([[0.5, 0.0]], [[1.0, 0.0]])
    """
    g, slope = _elementwise(_slopes, similarity.get(family), np.asarray(epsilon)[..., None], d)
    return g, slope


def table(family: Any, d: np.ndarray, epsilon: float, delta: float = 0.0) -> np.ndarray:
    """g at distances of any shape, in float64."""
    return delta + (1 - delta) * _elementwise(_values, similarity.get(family), np.asarray(epsilon), d)[0]


def resolutions(distances: np.ndarray, family: Any, points: int) -> np.ndarray:
    """Resolutions from where (almost) nothing but the probe is similar to where everything is.

    A similarity of two values has one between any two distances; at most `points` of them are taken.

    Args:
        distances: (N, N) between stimuli.
        family: as in `similarity.get`.
        points: how many.
    """
    family, (nearest, furthest) = similarity.get(family), _reaches(distances)
    if family.kind.steps:
        levels = np.unique(distances[~np.eye(len(distances), dtype=bool)])
        edges = np.concatenate([[0.0], levels])
        middles = np.append((edges[1:] + edges[:-1]) / 2, furthest)
        return middles[np.unique(np.linspace(0, middles.size - 1, points).astype(int))]
    if family.kind.ends:
        return np.geomspace(nearest, _FAR * furthest, points)
    return np.geomspace(_reaching(family, nearest, _NARROW), _reaching(family, furthest, _WIDE), points)


@on_space
def family_front(space: MetricSpace, family: Any, *, n: int = 2, points: int | None = None) -> Front:
    """The front of a family on a finite space, up to resolutions that are worse in both accuracies.

    Args:
        space: finite, of equally likely stimuli.
        family: as in `similarity.get`.
        n: number of items.
        points: resolutions; None: 160 for up to 200 stimuli, fewer for more (and 40 for n > 2).

    Raises:
        ValueError: unknown family; no known table of distances, unequal weights.

    Example:
        >>> from semres_jax import frontier, spaces
        >>> ring = spaces.grid(spaces.get("circle"), 12)
        >>> front = frontier.family_front(ring, "constant")
        >>> round(float(front.p_s.max()), 4), float(front.p_i.max())
        (0.7727, 1.0)
    """
    family, ranks = similarity.get(family), tables.ranking(space)
    distances = np.asarray(space.distances, np.float64)
    steps, size = family.kind.steps, len(distances)
    if points is None:
        points = _POINTS_MANY if n > 2 else int(np.clip(_POINTS * (_STIMULI / size) ** 2, _FEWEST, _POINTS))
        points = _POINTS if steps and n == 2 else points
    epsilon = resolutions(distances, family, points)
    with jax.enable_x64(True):
        if family.kind is similarity.Constant:
            pair = enumeration.accuracy(space, similarity.Constant(epsilon), n=n)
            return Front(epsilon, *(np.asarray(p) for p in pair))
        furthest, pairs = float(distances.max()), []
        for resolution in epsilon:
            pairs.append(tables.of_ranking(space, ranks, table(family, distances, resolution), n))
            # Before the largest distance accuracies of a finite space rise and fall with each distance that is reached.
            if _broad(family, resolution, furthest) and pairs[-1].p_s < max(pair.p_s for pair in pairs) - _FALLEN:
                break
    return Front(epsilon[: len(pairs)], *(np.array(column) for column in zip(*pairs, strict=True)))


def on_circle(family: Any, delta: float, *, n: int = 2) -> Accuracy:
    """Accuracies of a family of similarities on the circle from a resolution of 0 to infinity, 81 of them.

    The constant similarity by its law; others as atoms at the middles of narrow cells, to about 1e-6.

    Args:
        family: as in `similarity.get`.
        delta: noise floor Δ, strictly between 0 and 1.
        n: number of items, at least 2.

    Returns:
        Accuracy of two arrays.

    Raises:
        ValueError: unknown family.

    Example:
        >>> from semres_jax.frontier import families
        >>> [round(float(p), 4) for p in families.on_circle("linear", 0.1).p_i[[0, -1]]]
        [0.9091, 0.5]
    """
    family = similarity.get(family)
    share = np.linspace(0.0, 1.0, _REACHES)
    if family.kind is similarity.Constant:
        with jax.enable_x64(True):
            return Accuracy(*(np.asarray(p) for p in closed_form.constant(share, n=n, delta=delta)))
    pairs = [_measures.accuracy(*_atoms(family, x, delta), n) for x in share]
    return Accuracy(np.array([pair.p_s for pair in pairs]), np.array([pair.p_i for pair in pairs]))


def _atoms(family: Family, share: float, delta: float) -> tuple[np.ndarray, np.ndarray]:
    """The measure of a member of a family; its reach is (share / (1 - share))² diameters."""
    if share in (0.0, 1.0):
        return np.array([0.0, -math.log(delta)]), np.array([share, 1.0 - share])
    reach = (share / (1.0 - share)) ** 2  # squared, as most happens at small ones

    def h(u: np.ndarray) -> np.ndarray:
        return table(family, u, reach, delta)

    # Cells even in u, within reach and beyond, and even in φ: none has much of the mass and much of the change of φ.
    last = -np.log(h(np.array([1.0])))[0]
    shape = np.clip((np.exp(-np.linspace(0.0, last, _CELLS)) - delta) / (1.0 - delta), 1e-300, 1.0)
    known = values(family, np.array(1.0), _FINE)
    even = reach * np.interp(-shape, -known, _FINE)
    near, far = np.linspace(0.0, min(reach, 1.0), _CELLS), np.linspace(0.0, 1.0, _CELLS)
    edges = np.unique(np.clip(np.concatenate([near, far, even]), 0.0, 1.0))
    return -np.log(h((edges[1:] + edges[:-1]) / 2)), np.diff(edges)


def _reaches(distances: np.ndarray) -> tuple[float, float]:
    """Distances to begin and to end with; below the first of them all is as good as identified."""
    apart = distances[np.triu_indices(len(distances), 1)]
    lonely = np.quantile(apart, min(1.0, _LONELY / len(distances)), method="lower")
    return max(apart[apart > 0].min(), lonely), float(apart.max())


def _broad(family: Family, epsilon: float, furthest: float) -> bool:
    """Whether a similarity is so broad that only worse ones follow."""
    if family.kind.ends:
        return bool(epsilon > furthest)
    return bool(table(family, np.array([furthest]), epsilon)[0] > _BROAD)


def _reaching(family: Family, distance: float, value: float) -> float:
    """The resolution at which g(distance) is a value; the end of what is tried where there is none."""
    tried = distance * np.geomspace(1 / _SPAN, _SPAN, _TRIED)
    for _ in range(_TIMES):
        above = values(family, tried, np.array([distance]))[:, 0] >= value
        first = int(above.argmax()) if above.any() else len(tried) - 1
        tried = np.geomspace(tried[max(first - 1, 0)], tried[first], _TRIED)
    return float(tried[-1])


def _elementwise(program: Any, family: Family, epsilon: np.ndarray, d: np.ndarray) -> list[np.ndarray]:
    """Arrays of the broadcast shape, from a program that sees pieces of two lengths only: it compiles no more."""
    shape = np.broadcast_shapes(np.shape(epsilon), np.shape(d))
    pairs = [np.broadcast_to(np.asarray(x, np.float64), shape).reshape(-1) for x in (epsilon, d)]
    total = pairs[0].size
    length = _LENGTHS[0] if total <= _LENGTHS[0] else _LENGTHS[1]
    pieces = []
    with jax.enable_x64(True):
        for first in range(0, total, length):
            piece = [x[first : first + length] for x in pairs]
            short = length - piece[0].size
            piece = [np.pad(x, (0, short), mode="edge") if short else x for x in piece]
            pieces.append([np.asarray(x)[: length - short] for x in program(family, *piece)])
    return [np.concatenate(column).reshape(shape) for column in zip(*pieces, strict=True)]


@partial(jax.jit, static_argnums=0)
def _values(family: Family, epsilon: Any, d: Any) -> tuple[Array]:
    return (family(epsilon)(d),)


@partial(jax.jit, static_argnums=0)
def _slopes(family: Family, epsilon: Any, d: Any) -> tuple[Array, Array]:
    return jax.jvp(lambda e: family(e)(d), (epsilon,), (jnp.ones_like(epsilon),))
