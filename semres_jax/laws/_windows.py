"""1/x = ∫ e^{-xs} ds for strengths within some nats of a level: few nodes of s, and what is known at them carried on.

With σ = s e^level the trapezoid rule in ln σ does this integral for all x at once. Its nodes go on forever to the left;
where σ is so small that e^{-xσ} is a polynomial there, all of them are replaced by a Gauss rule of the same measure,
Σ q^k δ(q^k): its orthogonal polynomials are the little q-Legendre ones, whose recurrence is known in closed form
(Koekoek, Lesky, Swarttouw 2010, 14.12).

A function of s that is a mixture of e^{-gs} with g <= e^level, and 0 at s = 0, keeps its values where the level rises
by whole steps of the rule: all nodes but the Gauss ones fall onto others, and there it is a polynomial.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array

# Nodes of the Gauss rule, and of its neighbours that the polynomial goes through, too.
_GAUSS, _BESIDE = 8, 2
# σ below which the Gauss rule does, at most, and so many strengths of e^level at once: both to the last digit.
_BELOW, _BELOW_OF_ALL = 0.5, 3.0
# e^-_END is nothing.
_END = 36.0
# Steps by which levels rise at once, in bits: beyond that what was known is nothing.
_BITS = 8


class Window(NamedTuple):
    """Nodes and weights, as NumPy arrays, and the matrices that carry values on by 1, 2, 4, ... steps."""

    nodes: np.ndarray  # σ, (nodes,)
    weights: np.ndarray  # of σ
    carried: np.ndarray


@functools.lru_cache
def window(most: int, step: float, nats: float) -> Window:
    """For sums of up to `most` strengths between e^-nats and 1, relative to the level; `step` is that of ln σ."""
    top, ratio = min(_BELOW, _BELOW_OF_ALL / most), math.exp(-step)
    x, w = _gauss(_GAUSS, ratio)
    above = np.arange(1, math.ceil((math.log(_END / top) + nats) / step) + 1)
    nodes = top * np.concatenate([x, np.exp(step * above)])
    weights = step * top * np.concatenate([w, np.exp(step * above)])
    once = np.zeros((len(nodes), len(nodes)))
    known = np.concatenate([[0.0], nodes[: _GAUSS + _BESIDE]])
    wanted = np.append(ratio * nodes[:_GAUSS], top)
    once[: _GAUSS + 1, : _GAUSS + _BESIDE] = _interpolating(known, wanted)[:, 1:]
    once[np.arange(_GAUSS + 1, len(nodes)), np.arange(_GAUSS, len(nodes) - 1)] = 1.0
    return Window(nodes, weights, np.stack([np.linalg.matrix_power(once, 2**bit) for bit in range(_BITS)]))


def _gauss(count: int, q: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for Σ_k q^k f(q^k), k = 0, 1, ..., exact for polynomials (Golub, Welsch 1969)."""
    n = np.arange(count + 1)

    def short_of_1(power: np.ndarray) -> np.ndarray:
        return -np.expm1(power * math.log(q))

    up = q**n * short_of_1(n + 1) / ((1 + q ** (n + 1)) * short_of_1(2 * n + 1))
    down = q**n * short_of_1(n) / ((1 + q**n) * short_of_1(2 * n + 1))
    beside = np.sqrt(up[: count - 1] * down[1:count])
    x, vectors = np.linalg.eigh(np.diag((up + down)[:count]) + np.diag(beside, 1) + np.diag(beside, -1))
    return x, vectors[0] ** 2 / (1 - q)


def _interpolating(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(wanted, points) Lagrange polynomials of the points."""
    others = [np.delete(points, j) for j in range(len(points))]
    return np.stack(
        [np.prod((wanted[:, None] - o) / (p - o), axis=1) for p, o in zip(points, others, strict=True)], axis=1
    )


def carried(values: Array, steps: Array, matrices: np.ndarray) -> Array:
    """Values at the nodes (nodes, lanes), once the level of each lane has risen by so many steps (lanes,)."""
    known, steps = jnp.asarray(matrices, values.dtype), steps.astype(jnp.int32)

    def by(bit: Array, values: Array) -> Array:
        moved = jnp.dot(known[bit], values, precision="highest")
        return jnp.where((steps >> bit) & 1 == 1, moved, values)

    bits = jnp.minimum(32 - jax.lax.clz(jnp.max(steps)), len(matrices))
    return jnp.where(steps < 2 ** len(matrices), jax.lax.fori_loop(0, bits, by, values), 0.0)
