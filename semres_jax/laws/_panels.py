"""Quadrature rules: double exponential for probes, running integrals in a panel for distances."""

import functools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array

# The double exponential rule's points are t = -_LAST, ..., _LAST; its ends are 1e-18 of a panel away from the panel's.
_LAST = 3.2
# Its step where nothing else is said.
STEP = 0.1


def composite(kinks: Sequence[Any], dtype: Any, rule: tuple[np.ndarray, np.ndarray]) -> tuple[Array, Array]:
    """Nodes and weights on [0, 1], split at the kinks inside it: the rule in each panel."""
    # Panels move with the kinks, gradients included, so that also second derivatives in the resolution are right.
    ends = jnp.sort(jnp.clip(jnp.stack([jnp.asarray(x, dtype) for x in (0.0, *kinks, 1.0)]), 0.0, 1.0))
    start, width = ends[:-1, None], jnp.diff(ends)[:, None]
    nodes, weights = (jnp.asarray(x[None], dtype) for x in rule)
    info = jnp.finfo(dtype)
    # Never 0 or 1 exactly, where quantiles have no finite slope.
    v = jnp.clip(start + width * nodes, float(info.tiny), 1.0 - float(info.eps) / 2)
    return v.ravel(), (width * weights).ravel()


@functools.cache
def double_exponential_rule(step: float = STEP) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]: the trapezoid rule in t, with x = 1 / (1 + exp(-π sinh t)) (Takahasi, Mori 1974).

    Singularities at the ends of a panel do no harm.
    """
    t = np.arange(-round(_LAST / step), round(_LAST / step) + 1) * step
    x = 1.0 / (1.0 + np.exp(-np.pi * np.sinh(t)))
    slope = np.cosh(t) / (np.exp(np.pi * np.sinh(t)) + 2.0 + np.exp(-np.pi * np.sinh(t)))
    return x, slope / slope.sum()


@functools.cache
def root_rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1] for functions with no singularity but square roots at the ends."""
    x, slopes, weights, _ = running_rule(count)
    return x, slopes * weights


@functools.cache
def gauss_rule(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes t and weights on [0, 1], and the (count + 1, count) matrix of running integrals.

    It takes values of f at the nodes to ∫_t^1 f from each of them, and to ∫_0^1 f.
    """
    t, weights = np.polynomial.legendre.leggauss(count)
    return (t + 1) / 2, weights / 2, np.concatenate([running_rule(count)[3], weights[None] / 2])


@functools.cache
def running_rule(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A rule on [0, 1] that also gives the integral from each of its nodes to the end.

    Gauss-Legendre nodes t with x = t² (3 - 2t): a square root at either end of a panel becomes a smooth function of t.

    Returns:
        Nodes x; slopes dx/dt there; weights of t; and the (count, count) matrix that takes values of f at the nodes,
        times dx/dt, to ∫_x^1 f.
    """
    t, weights = np.polynomial.legendre.leggauss(count)
    # The polynomial through the nodes by its Legendre coefficients (discrete orthogonality), integrated term by term:
    # ∫_t^1 P_k = (P_{k-1}(t) - P_{k+1}(t)) / (2k + 1).
    p = np.polynomial.legendre.legvander(t, count)
    coefficients = (2 * np.arange(count)[:, None] + 1) / 2 * p[:, :count].T * weights[None, :]
    tails = np.empty((count, count))
    tails[:, 0] = 1 - t
    for k in range(1, count):
        tails[:, k] = (p[:, k - 1] - p[:, k + 1]) / (2 * k + 1)
    matrix = tails @ coefficients / 2  # of t on [-1, 1]; half of it on [0, 1]
    t = (t + 1) / 2
    return t * t * (3 - 2 * t), 6 * t * (1 - t), weights / 2, matrix
