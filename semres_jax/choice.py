"""The Luce choice rule, and the credit of one trial: the probability that the right answer is chosen.

Both tasks share their draws. Given a probe p and items x_1..x_n with strengths s_i = g(d(x_i, p)):

- similarity task: the right answer is the item closest to p. g is non-increasing, so its strength is max_i s_i, also
  when several items tie.
- identification task: the items are p itself (strength g(0) = 1) and n - 1 of the x_i.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array, ArrayLike

# Recombinations of shown wholes that may stand beside one of these: see `laws.binding`.
LURES = ("one", "all")


def luce(strengths: Array, exponent: ArrayLike = 1.0, axis: int = -1) -> Array:
    """Luce's choice rule: P(i) = s_i^a / Σ_k s_k^a.

    Args:
        strengths: non-negative, items along `axis`.
        exponent: a >= 0; 1 is Luce, 0 guesses, infinity shares the choice among the strongest (argmax).
        axis: the axis of the items.

    Returns:
        Probabilities of the shape of `strengths`. All strengths zero is the limit of an equal floor: 1/n each.

    Example:
        >>> import jax.numpy as jnp
        >>> from semres_jax import choice
        >>> [round(float(p), 3) for p in choice.luce(jnp.array([0.5, 0.25, 0.25]))]
        [0.5, 0.25, 0.25]
        >>> [float(p) for p in choice.luce(jnp.zeros(2))]
        [0.5, 0.5]
    """
    strengths = jnp.asarray(strengths)
    largest = jnp.max(strengths, axis=axis, keepdims=True)
    # The largest is 1 by comparison: a compiled quotient may miss 1 by a rounding, and then nothing would be argmax.
    ratio = jnp.where(strengths >= largest, 1.0, strengths / jnp.where(largest > 0, largest, 1.0))
    relative = power(ratio, exponent)
    return relative / jnp.sum(relative, axis=axis, keepdims=True)


def power(ratio: Array, exponent: ArrayLike) -> Array:
    """ratio^exponent for ratios in [0, 1]: 1 at ratio 1 for every exponent, infinity included; 0^0 = 1."""
    if isinstance(exponent, (int, float)) and exponent == 1:
        return ratio
    exponent = jnp.asarray(exponent, jnp.result_type(ratio))
    finite = jnp.where(jnp.isfinite(exponent), exponent, 1.0)
    positive = jnp.where(ratio > 0, ratio, 1.0)
    value = jnp.where(ratio > 0, positive**finite, jnp.where(exponent == 0, 1.0, 0.0))
    return jnp.where(jnp.isfinite(exponent), value, jnp.where(ratio >= 1, 1.0, 0.0))


def similarity_credit(largest: Array, total: Array, n: int) -> Array:
    """Credit of the similarity task: max_i s_i / Σ_i s_i, and 1/n where all strengths are zero."""
    nothing = total <= 0
    return jnp.where(nothing, 1.0 / n, largest / jnp.where(nothing, 1.0, total))


def identification_credit(others: Array) -> Array:
    """Credit of the identification task: 1 / (1 + Σ of the strengths of the n - 1 other items), as g(0) = 1."""
    return 1.0 / (1.0 + others)


def constant_credits(n: int, delta: Any, exponent: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Both credits of the constant similarity as functions of K, the number of the n items inside the ball.

    With floor strength f = Δ^exponent: similarity 1/(K + (n - K) f), and 1/n at K = 0; identification, one of the n
    items left out at random to make room for the probe: K/n · 1/(K + (n - K) f) + (1 - K/n) / (1 + K + (n - 1 - K) f).
    Computed on the host, in float64.

    Args:
        n: number of items, >= 2.
        delta: Δ in [0, 1], any shape.
        exponent: of Luce's rule, >= 0, infinity included.

    Returns:
        Two arrays of shape (*delta, n + 1), indexed by K.

    Example:
        >>> from semres_jax import choice
        >>> [p.tolist() for p in choice.constant_credits(2, 0.0)]
        [[0.5, 1.0, 0.5], [1.0, 0.75, 0.5]]
    """
    floor = np.asarray(delta, np.float64)[..., None] ** exponent
    k = np.arange(n + 1)
    inside = np.where(k == 0, 1.0, k + (n - k) * floor)
    similar = np.where(k == 0, 1.0 / n, 1.0 / inside)
    left_out = (1.0 - k / n) / np.maximum(1.0 + k + (n - 1 - k) * floor, 1.0)
    return similar, k / n / inside + left_out
