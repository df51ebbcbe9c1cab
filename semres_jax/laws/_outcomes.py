"""Sums over how many items fall inside the ball: binomial, Poisson and hypergeometric numbers of them.

Sums over binomial outcomes have up to n + 1 terms. They are all of the kind E[1/x] with 1 <= x <= n, and
1/x = ∫ e^{-xs} ds = ∫ e^{-xs} s d(ln s). The trapezoid rule in ln s does this integral to 2e-16, relatively and for
every x at once, with some hundred nodes (`_reciprocal`); and E[e^{-sK}] = (1 - b + b e^{-s})^n is one power. So n = 3
and n = 10^9 cost about the same, and as all terms are positive nothing cancels.

Arguments are floating arrays of one shape, in their range.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Accuracy, Array
from semres_jax.laws.reciprocal import nodes

_MOST_LAMBDA = 1e6  # beyond it four terms of the asymptotic series are exact


@functools.partial(jax.jit, static_argnames="n")
def binomial(b: Array, delta: Array, *, n: int) -> Accuracy:
    """`closed_form.constant` by 1/x = Σ w e^{-xs}. Jitted: sums over nodes are fused and never take memory."""
    s, weight = (_last_axis(x, b) for x in nodes(n))
    tiny = jnp.finfo(b.dtype).eps  # keeps the logarithms finite at b = 1, where what they multiply vanishes
    nobody = jnp.exp(n * jnp.log1p(-jnp.minimum(b, 1 - tiny))) / n
    b, delta = b[..., None], delta[..., None]
    decay = (1 - delta) * s
    item = jnp.maximum(b * jnp.expm1(-decay), tiny - 1)  # E e^{-s g(x)} = (1 + item) e^{-Δs} for one item x
    log_item = jnp.log1p(item) - delta * s
    inside = jnp.minimum(b * jnp.exp(-decay) / (1 + item), 1 - tiny)  # the share of that from inside the ball
    somebody = -jnp.expm1(n * jnp.log1p(-inside))
    p_s = jnp.sum(weight * jnp.exp(n * log_item) * somebody, axis=-1) + nobody
    return Accuracy(p_s, jnp.sum(weight * jnp.exp((n - 1) * log_item - s), axis=-1))


@jax.jit
def poisson(lam: Array) -> Accuracy:
    """`closed_form.large_n_limit`: the same sum over nodes with E e^{-sK} = exp(λ (e^{-s} - 1))."""
    s, weight = (_last_axis(x, lam) for x in nodes(2 * _MOST_LAMBDA))
    summed = lam <= _MOST_LAMBDA
    small, large = jnp.where(summed, lam, 1.0)[..., None], jnp.where(summed, _MOST_LAMBDA, lam)
    all_items = weight * jnp.exp(small * jnp.expm1(-s))
    p_s = jnp.sum(all_items * -jnp.expm1(-small * jnp.exp(-s)), axis=-1)
    p_i = jnp.sum(all_items * jnp.exp(-s), axis=-1)
    p_s_large = (1 + (1 + (2 + 6 / large) / large) / large) / large
    return Accuracy(jnp.where(summed, p_s, p_s_large), jnp.where(summed, p_i, 1 / large))


@functools.partial(jax.jit, static_argnames="n")
def hypergeometric(k: Array, m: Array, delta: Array, *, n: int) -> Accuracy:
    """`closed_form.finite_constant`, summed over the number of items inside the ball."""
    j = _last_axis(np.arange(n + 1), k)
    k, m, delta = k[..., None], m[..., None], delta[..., None]
    weight = delta * (n - j) + j
    similar = jnp.where(j == 0, 1 / n, 1 / jnp.where(j == 0, 1.0, weight))
    p_s = jnp.sum(_chances(j, k, m, n) * similar, axis=-1)
    others = j[..., :n]
    p_i = jnp.sum(_chances(others, k, m, n - 1) / (1 + others + (n - 1 - others) * delta), axis=-1)
    return Accuracy(p_s, p_i)


def _chances(j: Array, k: Array, m: Array, draws: int) -> Array:
    """P(j of the draws are among the k of m), by products of ratios outward from the mode: log-gammas lose digits."""
    mode = jnp.clip(jnp.floor((draws + 1) * (k + 1) / (m + 2)), jnp.maximum(draws - m + k, 0.0), jnp.minimum(k, draws))
    up = (k - j + 1) * (draws - j + 1) / (j * jnp.maximum(m - k - draws + j, 1.0) + (j == 0))  # P(j) / P(j-1)
    down = (j + 1) * jnp.maximum(m - k - draws + j + 1, 0.0) / jnp.maximum((k - j) * (draws - j), 1.0)  # P(j) / P(j+1)
    rising = jnp.cumprod(jnp.where(j > mode, jnp.maximum(up, 0.0), 1.0), axis=-1)
    falling = jnp.cumprod(jnp.where(j < mode, down, 1.0)[..., ::-1], axis=-1)[..., ::-1]
    relative = rising * falling
    return relative / jnp.sum(relative, axis=-1, keepdims=True)


def _last_axis(values: np.ndarray, like: Array) -> Array:
    """Host numbers in the dtype of an array, along a new last axis of it."""
    return jnp.expand_dims(jnp.asarray(values, like.dtype), tuple(range(like.ndim)))
