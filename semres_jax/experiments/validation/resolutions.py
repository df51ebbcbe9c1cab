"""Resolutions worth looking at on a space: quantiles of its own distances."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax.montecarlo.uniforms import generating_vector
from semres_jax.spaces import MetricSpace

# So many pairs lie within epsilon.
QUANTILES = (0.0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_LOG2_PAIRS = 16
# An unbounded space has no last quantile.
_NEARLY_ALL = 0.999
# Distances closer than this, in units of the diameter, are equal but for rounding.
_SAME_ATOM = 1e-9


def resolutions(space: MetricSpace, quantiles: Sequence[float] | np.ndarray = QUANTILES) -> np.ndarray:
    """Resolutions at which the mean ball measure is about the given quantiles.

    Distances of 65,536 pairs on a lattice stand for all; of a finite space, its table does. Where distances have atoms,
    a resolution is put halfway between two of them, and resolutions that would be alike are dropped: d <= epsilon then
    never depends on rounding. Quantile 0 is epsilon = 0 and quantile 1 the diameter, where it is finite.

    Returns:
        Increasing resolutions, as many as quantiles or fewer.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.experiments import validation
        >>> [round(float(e), 3) for e in validation.resolutions(spaces.Circle(), (0.0, 0.5, 1.0))]
        [0.0, 0.25, 0.5]
    """
    wanted = np.asarray(quantiles, np.float64)
    if space.distances is not None and space.weights is None:
        distances = np.asarray(space.distances)[np.triu_indices(space.size, 1)]  # pyright: ignore
    else:
        distances = _lattice_distances(space)
    distances = np.sort(distances)
    diameter = float(space.diameter)
    if not space.discrete:
        values = np.quantile(distances, np.minimum(wanted, 1.0 if np.isfinite(diameter) else _NEARLY_ALL))
        if np.isfinite(diameter):
            values[wanted == 1.0] = diameter
        values[wanted == 0.0] = 0.0
        return np.unique(values)
    atoms = np.unique(np.append(distances, [0.0, diameter]))
    # Equal distances may differ by rounding: neighbours of one atom, not two.
    first = np.append(True, np.diff(atoms) > _SAME_ATOM * diameter)
    starts, ends = atoms[first], atoms[np.append(first[1:], True)]
    reached = distances[np.clip((wanted * len(distances)).astype(int), 0, len(distances) - 1)]
    reached[wanted == 0.0] = 0.0
    place = np.unique(np.searchsorted(starts, reached, side="right") - 1)
    return np.append((ends[:-1] + starts[1:]) / 2, diameter)[place]  # halfway to the next one


def _lattice_distances(space: MetricSpace) -> np.ndarray:
    """Distances of pairs of independent points, evenly spread over the unit cube of both: the same at every call."""
    points, width = 2**_LOG2_PAIRS, space.uniforms
    steps = generating_vector(2 * width) << np.uint32(32 - _LOG2_PAIRS)
    words = np.arange(points, dtype=np.uint32)[:, None] * steps  # the overflow is the lattice
    with jax.enable_x64(True):
        u = jnp.asarray((words.astype(np.float64) + 2.0 ** (31 - _LOG2_PAIRS)) / 2.0**32)
        distances = jax.jit(lambda x, y: space.distance(space.point(x), space.point(y)))
        return np.asarray(distances(u[:, :width], u[:, width:]), np.float64)
