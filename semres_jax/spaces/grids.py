"""Finite spaces that stand for continuous ones: N stimuli spread evenly."""

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import require_count
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.circle import Circle
from semres_jax.spaces.finite import Finite
from semres_jax.spaces.interval import Interval
from semres_jax.spaces.product import Product
from semres_jax.spaces.torus import Torus

# Of the iteration for the root that the recurrence steps by.
_ITERATIONS = 60


def grid(space: MetricSpace, stimuli: int) -> Finite:
    """N stimuli of a space, spread evenly, with their distances.

    Circle: (i + 1/2)/N. Interval: the same, so that every stimulus stands for an equal share. Torus: a square grid, N
    a power of the side. Their distances are made of whole numbers: equal ones are equal to the last bit. Other spaces:
    the first N points of the additive recurrence of M. Roberts, "The unreasonable effectiveness of quasirandom
    sequences" (2018), pushed to the space. A finite space is taken as it is.

    Args:
        space: any.
        stimuli: N, at least 2.

    Raises:
        ValueError: no grid of that many stimuli; a finite space of another size.

    Example:
        >>> from semres_jax import spaces
        >>> spaces.grid(spaces.get("circle"), 4).distances[0].tolist()
        [0.0, 0.25, 0.5, 0.25]
    """
    count = require_count("stimuli", stimuli, 2)
    if isinstance(space, Finite) or (isinstance(space, Product) and space.size is not None):
        if space.size != count:
            raise ValueError(f"{space.label} has {space.size} stimuli of its own; got stimuli = {stimuli}")
        if space.distances is None:
            raise ValueError(f"{space.label} has {count:,} stimuli, too many for a table of their distances")
        return space if isinstance(space, Finite) else Finite(space.distances, space.weights)
    if isinstance(space, (Circle, Interval)):
        return Finite(_steps(count, wrapped=isinstance(space, Circle)) / count)
    if isinstance(space, Torus):
        return _torus(space, count)
    with jax.enable_x64(True):
        points = space.point(_recurrence(space.uniforms, count))
        rows, columns = (jax.tree.map(lambda x, axis=axis: jnp.expand_dims(x, axis), points) for axis in (1, 0))
        return Finite(np.asarray(space.distance(rows, columns), np.float64))


def _steps(count: int, *, wrapped: bool) -> np.ndarray:
    apart = np.abs(np.arange(count)[:, None] - np.arange(count))
    return np.minimum(apart, count - apart) if wrapped else apart


def _torus(space: Torus, count: int) -> Finite:
    side = round(count ** (1 / space.dim))
    if side**space.dim != count or side < 2:
        near = [max(2, side + k) ** space.dim for k in (-1, 0, 1)]
        would = ", ".join(str(n) for n in sorted(set(near)))
        raise ValueError(f"a grid on {space.label} needs side^{space.dim} stimuli; got {count} ({would} would do)")
    steps = _steps(side, wrapped=True)
    at = np.indices((side,) * space.dim).reshape(space.dim, -1)
    apart = np.stack([steps[axis[:, None], axis] for axis in at])
    table = {"max": apart.max(0), "l1": apart.sum(0)}.get(space.metric, np.sqrt((apart**2).sum(0)))
    return Finite(table / side)


def _recurrence(dimensions: int, count: int) -> np.ndarray:
    """(count, dimensions) points of the unit cube: frac(1/2 + i / φ^k), φ the root of x^(d+1) = x + 1."""
    phi = 2.0
    for _ in range(_ITERATIONS):
        phi = (1 + phi) ** (1 / (dimensions + 1))
    return np.stack([np.modf(0.5 + np.arange(count) * phi ** -(k + 1.0))[0] for k in range(dimensions)], axis=-1)
