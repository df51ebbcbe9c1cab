"""The best similarity function of distance on a finite space, found by climbing."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import require
from semres_jax._types import Accuracy, Array, ArrayLike
from semres_jax.laws import tables
from semres_jax.laws.enumeration import require_distinct
from semres_jax.similarity import Tabulated
from semres_jax.spaces._base import MetricSpace

# Starts of the climb: ln h falls as a power of the rank of the distance.
_STARTS = (0.3, 1.0, 3.0)
# A step of ln h that is 0 at a start couldn't grow: this share of ln(1/Δ) is spread over all.
_SPREAD = 1e-3


class FiniteOptimum(NamedTuple):
    """The best similarity that was found.

    Attributes:
        accuracy: of it, n = 2 distinct items, exactly.
        similarity: g(d), `Tabulated` at the distances there are.
        starts: F reached from each start, best first; a spread tells of local optima.
    """

    accuracy: Accuracy
    similarity: Tabulated
    starts: tuple[float, ...]


def optimal_finite(space: MetricSpace, delta: ArrayLike, *, weight: ArrayLike = 1.0) -> FiniteOptimum:
    """The non-increasing g(d) in [Δ, 1] that maximises weight p_S + (1 - weight) p_I on a finite space, n = 2.

    A finite space has no continuous distribution of distances, and distinct items are not independent: the front of all
    similarities (`optimal_front`) is not quite its own, and this is. -ln g is a sum of steps between neighbouring
    distances, shares of ln(1/Δ) that are left, moved by L-BFGS. A local optimum, from three starts; no certificate.
    Source: new, of this project.

    Args:
        space: finite, of equally likely stimuli.
        delta: floor Δ, above 0 and below 1.
        weight: of p_S against p_I, in [0, 1].

    Raises:
        ValueError: out of range; no table of distances; fewer than 3 stimuli.

    Example:
        >>> from semres_jax import frontier, spaces
        >>> ring = spaces.grid(spaces.get("circle"), 20)
        >>> best = frontier.optimal_finite(ring, 0.1)
        >>> bool(best.accuracy.p_s > 0.71)
        True
    """
    from scipy.optimize import minimize  # scipy comes with jax; 0.2 s to import

    require("delta", delta, 1e-300, 1 - 1e-12, "a floor above 0 and below 1")
    require("weight", weight, 0.0, 1.0, "between 0 (identification alone) and 1 (generalization alone)")
    require_distinct(space, 2)
    ranks = tables.ranking(space)
    d = np.asarray(getattr(space, "distances"), np.float64)  # noqa: B009 (a Finite's)
    levels, which = np.unique(d, return_inverse=True)
    which, reach = which.reshape(d.shape), float(-np.log(float(np.asarray(delta))))
    share = float(np.asarray(weight))

    with jax.enable_x64(True):
        problem = (jnp.asarray(which), ranks, jnp.asarray(reach))

        def loss(z: np.ndarray) -> tuple[np.ndarray, ...]:
            return tuple(map(np.asarray, _loss(jnp.asarray(z), *problem, jnp.asarray(share))))

        found = []
        for power in _STARTS:
            steps = np.diff(np.linspace(0, 1, len(levels)) ** power, append=1 + 1.0 / len(levels))
            start = np.log(steps / steps.sum() + _SPREAD / len(levels))
            found.append(minimize(loss, start, jac=True, method="L-BFGS-B"))
        found.sort(key=lambda result: result.fun)
        z = jnp.asarray(found[0].x)
        g = np.minimum.accumulate(np.asarray(jnp.exp(-_fall(z, problem[2]))))
        return FiniteOptimum(
            Accuracy(*(float(p) for p in _accuracy(z, *problem))),
            Tabulated(levels, g),
            tuple(-float(result.fun) for result in found),
        )


def _fall(z: Array, reach: Array) -> Array:
    """-ln g at the levels: shares of the reach, the last of which is not used up."""
    return jnp.append(0.0, reach * jnp.cumsum(jax.nn.softmax(z))[:-1])


def _accuracy(z: Array, which: Array, ranks: tables.Ranking, reach: Array) -> Accuracy:
    table = jnp.exp(-_fall(z, reach))[which]
    return Accuracy(*(jnp.mean(p) for p in tables.by_probe(table, ranks, (2,))))


@jax.jit
@jax.value_and_grad
def _loss(z: Array, which: Array, ranks: tables.Ranking, reach: Array, weight: Array) -> Array:
    p_s, p_i = _accuracy(z, which, ranks, reach)
    return -weight * p_s - (1 - weight) * p_i
