"""One-dimensional integrals behind the ball measures: caps of spheres, and the chi distribution.

The orders are static whole numbers, so everything is a finite sum of positive terms or a Gauss-Legendre rule of fixed
size: no data-dependent iteration inside jit (as in `jax.scipy.special.betainc` and `gammainc`), smooth derivatives, and
close to machine precision in whatever dtype comes in.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.spaces.base import safe_sqrt

_gauss_legendre = functools.cache(np.polynomial.legendre.leggauss)


def legendre_rule(count: int, like: Array) -> tuple[Array, Array]:
    """Nodes and weights on [0, 1], shaped to broadcast as one more trailing axis of `like`."""
    nodes, weights = (x.reshape((1,) * like.ndim + (count,)) for x in _gauss_legendre(count))
    return jnp.asarray((nodes + 1.0) / 2.0, like.dtype), jnp.asarray(weights / 2.0, like.dtype)


@functools.cache
def _sine_integral(m: int) -> float:
    """∫_0^π sin^m."""
    return (math.pi, 2.0)[m] if m < 2 else _sine_integral(m - 2) * (m - 1) / m


def cap(m: int, angle: Array) -> Array:
    """∫_0^angle sin^m / ∫_0^π sin^m: the share of the unit sphere S^(m+1), or of the ball in R^m, in a polar cap.

    The cap of half-angle `angle` in [0, π] of S^d is `cap(d - 1, angle)`; the solid cap that it cuts off the ball in
    R^d is `cap(d, angle)`. Small caps keep full relative precision.
    """
    if m == 0:
        return angle / math.pi
    if m == 1:
        return jnp.square(jnp.sin(angle / 2.0))
    small = jnp.minimum(angle, math.pi - angle)
    # sin^m is a trigonometric polynomial with a peak of width m^(-1/2): this many nodes leave only rounding.
    nodes, weights = legendre_rule(20 + 5 * math.isqrt(m), small)
    part = small * jnp.sum(weights * jnp.sin(small[..., None] * nodes) ** m, axis=-1) / _sine_integral(m)
    return jnp.where(angle > math.pi / 2.0, 1.0 - part, part)


def _poisson_terms(k: int, s: Array) -> Array:
    """Sum over i of exp(-x) x^i / Γ(i + 1), x = s²/2, i = k/2 - 1, k/2 - 2, ... > -1/2 or >= 0; safe for huge x."""
    x = jnp.square(s) / 2.0
    log_x = jnp.log(jnp.where(x > 0, x, 1.0))
    total = jnp.zeros_like(x)
    for i in np.arange(k / 2.0 - 1.0, -0.25, -1.0):
        term = jnp.exp(i * log_x - x - math.lgamma(i + 1.0))
        total = total + (term if i == 0 else jnp.where(x > 0, term, 0.0))
    return total


def chi_survival(k: int, s: Array) -> Array:
    """P(χ_k > s) for k >= 1, s >= 0, with full relative precision: all terms are positive."""
    tail = _poisson_terms(k, s)
    return tail if k % 2 == 0 else jax.lax.erfc(s * math.sqrt(0.5)) + tail


def chi_cdf(k: int, s: Array) -> Array:
    """P(χ_k <= s) for k >= 1, s >= 0, to a few units of machine precision, absolute."""
    if k == 2:
        return -jnp.expm1(-jnp.square(s) / 2.0)
    if k % 2 == 0:
        return 1.0 - chi_survival(k, s)
    return jax.lax.erf(s * math.sqrt(0.5)) - _poisson_terms(k, s)


def _log_chi_density(k: int, s: Array) -> Array:
    return (k - 1.0) * jnp.log(s) - jnp.square(s) / 2.0 - ((k / 2.0 - 1.0) * math.log(2.0) + math.lgamma(k / 2.0))


def _log_chi_cdf_series(k: int, s: Array) -> Array:
    """log P(χ_k <= s) below the median, by the ascending series: relative precision down to s = 0."""
    x = jnp.square(s) / 2.0
    term = total = jnp.ones_like(x)
    for i in range(1, 40 + 6 * math.isqrt(k)):  # x < k/2: the terms fall at least like a half Gaussian of width √k
        term = term * x / (k / 2.0 + i)
        total = total + term
    return (k / 2.0) * jnp.log(x) - x - math.lgamma(k / 2.0 + 1.0) + jnp.log(total)


def chi_quantile(k: int, v: Array) -> Array:
    """The s with P(χ_k <= s) = v, for v in [0, 1): radius of a standard gaussian in R^k.

    Newton on the log of whichever tail is the smaller, which is concave, from the Wilson-Hilferty approximation. v is
    read as at most 1 - eps/2, the last number below 1.
    """
    eps = float(jnp.finfo(v.dtype).eps)
    v = jnp.minimum(v, 1.0 - eps / 2.0)
    if k == 1:
        s = math.sqrt(2.0) * jax.lax.erf_inv(v)
        # XLA's erf_inv is good to 1e-11 in its tail; one Newton step there leaves rounding.
        miss = jax.lax.erfc(s * math.sqrt(0.5)) - (1.0 - v)
        return jnp.where(v > 0.5, s + miss * math.sqrt(math.pi / 2.0) * jnp.exp(jnp.square(s) / 2.0), s)
    if k == 2:
        return safe_sqrt(-2.0 * jnp.log1p(-v))
    lower = v < 0.5
    # 0 is put back at the end; below the smallest normal number logs would leave the dtype.
    log_tail = jnp.where(lower, jnp.log(jnp.maximum(v, jnp.finfo(v.dtype).tiny)), jnp.log1p(-v))
    z = math.sqrt(2.0) * jax.lax.erf_inv(jnp.clip(2.0 * v - 1.0, -1.0 + eps, 1.0 - eps))
    c = 2.0 / (9.0 * k)
    start = jnp.sqrt(k * jnp.maximum(1.0 - c + z * math.sqrt(c), 0.05) ** 3)
    # Far down the lower tail the leading term of the series is the better start.
    leading = jnp.exp((log_tail + math.lgamma(k / 2.0 + 1.0)) / k) * math.sqrt(2.0)
    s = jnp.where(lower & (leading < 0.3 * math.sqrt(k)), leading, start)
    median = math.sqrt(k * (1.0 - c) ** 3)

    def newton(_: Any, s: Array) -> Array:
        # Each branch is evaluated on its own side only (double-where), so neither overflows.
        low, high = jnp.where(lower, jnp.minimum(s, 1.1 * median + 0.2), median), jnp.where(lower, median, s)
        log_p, log_q = _log_chi_cdf_series(k, low), jnp.log(chi_survival(k, high))
        step_low = (log_p - log_tail) / jnp.exp(_log_chi_density(k, low) - log_p)
        step_high = (log_tail - log_q) / jnp.exp(_log_chi_density(k, high) - log_q)
        return jnp.where(lower, jnp.maximum(low - step_low, low / 4.0), jnp.maximum(high - step_high, high / 4.0))

    return jnp.where(v > 0, jax.lax.fori_loop(0, 6, newton, s), 0.0)
