"""1/x = ∫ e^{-xs} ds over finitely many nodes, for sums x of strengths of any size.

In ln s the trapezoid rule does this integral for every x at once, and e^{-xs} is a product over what x is a sum of.
`node` is the rule; `nodes` are enough of them for x from 1 on; `sum_over_nodes` goes down to strengths of
exp(-DEEPEST), and `strength_logs` sees to it that strengths are no smaller. The latter are walked in chunks, and chunks
beyond the smallest strength that there is are skipped at run time: programs are the same for all strengths, traced ones
included.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws._mapped import lowest_of_all

# Steps in ln s: the rule's relative error is 2 |Γ(1 + 2πi/step)|, 1.8e-16 and 1.2e-14.
_FINE, _STEP = 0.25, 0.28
CHUNK, _CHUNKS, _GROUPS = 48, 840, 30
_LOG_LAST = 3.62  # ln 37.3: e^{-xs} is below 1e-16 beyond s = 37/x
# Strengths of at least exp(-DEEPEST), of g(0) = 1, are what the nodes reach.
DEEPEST = 11_000.0
# A ratio of e^-_GAP between two strengths is as good as any larger one: what it does is below the last digit.
_GAP = 45.0
# The logarithm that stands for a strength of zero: no gradient meets an infinity.
ZERO = -1e6


def strength_logs(similarity: Any, d: Array, exponent: Array) -> Array:
    """ln g(d)^a for a single similarity, `ZERO` where g is 0; its gradients are finite."""
    log = similarity.log(d)
    positive = log > -jnp.inf
    # 0^0 is 1, the limit of an equal floor.
    log = exponent.astype(log.dtype) * jnp.where(positive, log, 0.0)
    return jnp.where(positive | (exponent == 0), log, zero(log.dtype))


def zero(dtype: Any) -> float:
    """The logarithm that stands for a strength of zero: finite, so that no gradient meets an infinity."""
    return -0.5 * float(jnp.finfo(dtype).max)


def is_zero(log: Array) -> Array:
    """Where `strength_logs` stands for a strength of zero."""
    return log <= zero(log.dtype)


def shortened(log: Array) -> Array:
    """`strength_logs` that `sum_over_nodes` reaches, however steep a similarity is; `ZERO` where the strength is 0.

    Only ratios of strengths decide, and one of e^-_GAP is as good as any larger one: gaps between neighbours in the
    order of strength are shortened to `_GAP`. Where as many as 245 different strengths are all so far apart, they are
    shortened to what fits.

    Args:
        log: items along the first axis, farthest first: rising, up to at most 0.
    """
    nothing = is_zero(log)
    nearest = jnp.where(nothing, 0.0, log)[::-1]
    gaps = jnp.where(nothing[::-1], 0.0, jnp.diff(nearest, axis=0, prepend=jnp.zeros_like(nearest[:1])))  # at most 0
    longest = jnp.full(log.shape[1:], _GAP, log.dtype)
    if len(log) * _GAP > DEEPEST:

        def fits(gap: Array) -> Array:
            return jnp.sum(jnp.maximum(gaps, gap[None]), axis=0) > -DEEPEST

        fitting = -bisected(fits, -longest, jnp.zeros_like(longest), 30)
        longest = jax.lax.stop_gradient(jnp.where(fits(-longest), longest, fitting))
    shortened = jnp.cumsum(jnp.maximum(gaps, -longest[None]), axis=0)
    changed = jnp.cumsum(gaps < -longest[None], axis=0) > 0
    return jnp.where(nothing, ZERO, jnp.where(changed, shortened, nearest)[::-1])


def bisected(beyond: Callable[[Array], Array], low: Array, high: Array, steps: int) -> Array:
    """Where `beyond`, which is monotone, turns true between low and high; no gradient goes through it."""

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        far = beyond(middle)
        return jnp.where(far, low, middle), jnp.where(far, middle, high)

    ends = jax.tree.map(jax.lax.stop_gradient, (low, high))
    return jax.lax.stop_gradient(jax.lax.fori_loop(0, steps, halve, ends)[1])


def node(k: Any, most: float | int, step: float) -> tuple[Any, Any]:
    """ln s and w/s of the nodes k = 0, 1, ...: 1/x = Σ w e^{-xs} for x up to `most`, down to 37/x in s.

    Works on whole numbers of NumPy, in float64, and of JAX, traced ones included.
    """
    # Node 1 is at a multiple of the step where e^{-xs} is still linear in s. All nodes below it, Σ step s and Σ step s²
    # of which are geometric, are lumped into node 0, at their centre of mass.
    first = -step * math.ceil(math.log(1e6 * most) / step)
    mass, moment = step / math.expm1(step), step / math.expm1(2 * step)
    lump = moment / mass
    lumped = k == 0
    return (first + step * (k - 1.0) + lumped * (step + math.log(lump)), step + lumped * (mass / lump - step))


@functools.lru_cache
def nodes(most: float | int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes s and weights w: 1/x = Σ w e^{-xs} to 2e-16 of itself for every x in [1, most]."""
    count = 2 + math.ceil(math.log(1e6 * most) / _FINE) + math.ceil(_LOG_LAST / _FINE)
    log_s, ratio = node(np.arange(count), most, _FINE)
    s = np.exp(log_s)
    return s, ratio * s


@functools.lru_cache
def _chunks(most: float | int) -> tuple[np.ndarray, np.ndarray]:
    """(groups, chunks, CHUNK) ln s and w/s for x from exp(-DEEPEST) to `most`."""
    log_s, ratio = node(np.arange(CHUNK * _CHUNKS), most, _STEP)
    return log_s.reshape(_GROUPS, -1, CHUNK), ratio.reshape(_GROUPS, -1, CHUNK)


def decays(log_strengths: Array, log_s: Array) -> tuple[Array, Array]:
    """sh and e^{-sh} for (B,) logarithms of strengths h and (Q,) of nodes: (B, Q) each."""
    # Past e^7 the decay is 0 to the last digit, and stays clear of overflow.
    sh = jnp.exp(jnp.minimum(log_strengths[..., None] + jnp.expand_dims(log_s, range(log_strengths.ndim)), 7.0))
    return sh, jnp.exp(-sh)


def sum_over_nodes(f: Callable[[Array, Array], Any], most: float | int, lowest: Array) -> Any:
    """Σ over chunks of f(log_s, w/s), up to the nodes that the smallest positive strength, exp(lowest), needs.

    f maps two (CHUNK,) arrays to a pytree. Reverse-mode gradients compute each chunk again instead of keeping it.
    """
    chunks = tuple(jnp.asarray(x, lowest.dtype) for x in _chunks(most))
    lowest = lowest_of_all(lowest)
    zero = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(f, *(x[0, 0] for x in chunks)))

    def total(g: Callable[[Array, Array], Any], log_s: Array, ratio: Array) -> Any:
        @jax.checkpoint  # pyright: ignore[reportPrivateImportUsage]
        def part(log_s: Array, ratio: Array, lowest: Array) -> Any:
            return jax.lax.cond(log_s.ravel()[0] <= _LOG_LAST - lowest, g, lambda *_: zero, log_s, ratio)

        def step(so_far: Any, chunk: tuple[Array, Array]) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, so_far, part(*chunk, lowest)), None

        return jax.lax.scan(step, zero, (log_s, ratio))[0]

    # Groups of chunks, as the gradient of a chunk that is skipped is an array of zeros that takes its time.
    return total(functools.partial(total, f), *chunks)
