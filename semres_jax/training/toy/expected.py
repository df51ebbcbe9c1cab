"""The expected similarity loss of the toy network over all its trials, without drawing any."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws.tables import Ranking

# Trapezoid rule in t = ln s of the integral for ln x: its step (error 2e-9) and range (x from e^-45 to e^4).
_STEP, _FIRST, _LAST = 0.5, -24.0, 49.0


def near_probability(ranks: Ranking, n: int) -> np.ndarray:
    """(N, N - 1) probability, given the probe, that each other is among n items and their nearest.

    With f others farther than its group of t equals, Σ_{r<t} C(f + r, n - 1) / (t C(N - 1, n)): tied items share.
    """
    group = np.asarray(ranks.group)
    others = group.shape[1]
    ways = np.array([math.comb(j, n - 1) for j in range(others)], float) / math.comb(others, n)
    return np.stack([(np.bincount(row, weights=ways) / np.bincount(row))[row] for row in group])


def mean_nll(strengths: Array, ranks: Ranking, near: Any, n: int) -> Array:
    """<-ln of the right item's share>, averaged over all probes and sets of n distinct items; tied ones share.

        <ln Σ_i h_pi> - Σ_x P(x nearest) ln h_px,   ln x = ∫ (e^{-s} - e^{-xs}) ds / s for n > 2

    Args:
        strengths: (N, N), above 0.
        ranks: of the space.
        near: `near_probability(ranks, n)`.
        n: number of items; static.

    Returns:
        A scalar; exact for n = 2, with an error of 1e-8 else (in float64).
    """
    h = jnp.take_along_axis(strengths, jnp.asarray(ranks.order), axis=1)
    others = h.shape[1]
    right = jnp.sum(jnp.asarray(near, h.dtype) * jnp.log(h), axis=1)
    if n == 2:
        later = np.triu(np.ones((others, others), bool), 1)
        totals = jnp.log(h[:, :, None] + h[:, None, :])
        total = jnp.sum(jnp.where(later[None], totals, 0.0), axis=(1, 2)) / math.comb(others, 2)
    else:
        top = jnp.max(h, axis=1)
        total = jnp.log(top) + _mean_log(h / top[:, None], n)
    return jnp.mean(total - right)


def _mean_log(h: Array, n: int) -> Array:
    """(N,) averages of ln Σ h over sets of n of (N, others) strengths of at most 1."""
    log_s = jnp.arange(_FIRST, _LAST, _STEP, dtype=h.dtype)
    decay = jnp.exp(-jnp.exp(jnp.minimum(log_s, 7.0)))

    @jax.checkpoint  # pyright: ignore[reportPrivateImportUsage]
    def step(mean: Array, item: tuple[Array, Array]) -> tuple[Array, None]:
        # Averages over sets of k of the j items so far: a set of the j + 1 holds the new one with probability k/(j+1).
        strength, j = item
        share = (jnp.arange(n + 1, dtype=h.dtype) / (j + 1.0))[:, None]
        e = jnp.exp(-jnp.exp(jnp.minimum(jnp.log(strength)[:, None] + log_s[None], 7.0)))[:, None, :]
        before = jnp.concatenate([jnp.zeros_like(mean[:, :1]), mean[:, :-1]], axis=1)
        return jnp.maximum(1.0 - share[None], 0.0) * mean + jnp.minimum(share[None], 1.0) * e * before, None

    start = jnp.zeros((h.shape[0], n + 1, log_s.size), h.dtype).at[:, 0].set(1.0)
    count = jnp.arange(h.shape[1], dtype=h.dtype)
    mean, _ = jax.lax.scan(step, start, (h.T, count))
    return _STEP * jnp.sum(decay[None] - mean[:, n], axis=-1)
