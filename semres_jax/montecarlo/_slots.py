"""What a tile of trials adds up to where wholes are compared by slots.

The strengths of wholes are g of their distances by feature, and the closest is told by the product's metric: it need
not be the strongest. Both are lists of n items, or arrays with the items along the first axis where n is large.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import choice
from semres_jax._types import Array
from semres_jax.montecarlo import tally
from semres_jax.similarity import Similarity, Slots

# Share by which distances of wholes, and logarithms of their strengths, may differ by the order of their sums alone.
_ROUNDING = 1e-12
_REDUCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    operator.add: jnp.sum,
    jnp.maximum: jnp.max,
    jnp.minimum: jnp.min,
}


def credits(features: Any, space: Any, similarity: Slots, rule: str, exponent: Array, valid: Array | None) -> Array:
    """Sums of the `tally.MOMENTS` over the trials, for every member of slots with one leading axis of m.

    Args:
        features: distances of the probe to n items, for each an array of (lanes,) trials by feature.
        space: the product.
        similarity: leaves with a leading axis of m.
        rule: `tally.LUCE`, `tally.ARGMAX`, or another one for other exponents.
        exponent: Luce exponent.
        valid: (lanes,) bool, the trials that count; None for all.

    Returns:
        (m, 8): the sums, K being unknown, and beside them the largest strength of an item and the negative smallest.
    """
    unrolled = isinstance(features[0], list)
    wholes = [space.of_features(item) for item in features] if unrolled else space.of_features(features)
    closest = _over(jnp.minimum, wholes) * (1.0 + _ROUNDING)
    near = _each(lambda whole: (whole <= closest).astype(closest.dtype), wholes)
    if valid is not None and not unrolled:
        valid = valid[None]
    count = len(wholes)

    def member(slots: Slots) -> Array:
        relative, strengths = _strengths(slots, features, rule, exponent)
        right = _over(operator.add, _each(operator.mul, near, relative)) / _over(operator.add, near)
        similar = choice.similarity_credit(right, _over(operator.add, relative), count)
        others = strengths[:-1]  # the last item makes room for the probe
        identify = choice.identification_credit(_over(operator.add, others))
        reach = [_over(jnp.maximum, others), -_over(jnp.minimum, others)]
        if valid is not None:
            reach = [jnp.where(valid, x, -jnp.inf) for x in reach]
        sums = tally.summed(similar, identify, jnp.full_like(similar, jnp.nan), valid)
        return jnp.concatenate([sums, jnp.stack([jnp.max(x) for x in reach])])

    return jax.lax.map(member, similarity)


def farthest(space: Any, similarity: Similarity, most: float = np.inf) -> Any:
    """The largest distance of an item, up to `most`; by slots the largest in each feature."""
    if isinstance(similarity, Slots):
        return [farthest(factor, slot, most) for factor, slot in zip(space.factors, similarity.slots, strict=True)]
    return np.float64(min(float(np.asarray(space.diameter)), most))


def _strengths(slots: Slots, features: Any, rule: str, exponent: Array) -> tuple[Any, Any]:
    """Strengths of the items up to a factor, none of which underflows, and relative to that of the probe itself."""
    if rule == tally.LUCE:
        strengths = _of_items(slots, features)
        return strengths, strengths
    # In logarithms: a strength that is 0 in floating point may still be the largest.
    logs = _of_items(slots.log, features)
    if rule == tally.ARGMAX:
        top = _over(jnp.maximum, logs)
        alike = top - _ROUNDING * (1.0 - top)
        among = _each(lambda log: (log >= alike).astype(top.dtype), logs)
        return among, _each(lambda log: (log >= -_ROUNDING).astype(top.dtype), logs)
    logs = _each(lambda log: jnp.where(exponent > 0, exponent * log, 0.0), logs)
    top = _over(jnp.maximum, logs)
    top = jnp.where(top > -jnp.inf, top, 0.0)
    return _each(lambda log: jnp.exp(log - top), logs), _each(jnp.exp, logs)


def _of_items(g: Callable[..., Array], features: Any) -> Any:
    return [g(item) for item in features] if isinstance(features[0], list) else g(features)


def _each(operation: Callable[..., Any], *items: Any) -> Any:
    return list(map(operation, *items)) if isinstance(items[0], list) else operation(*items)


def _over(operation: Callable[..., Any], items: Any) -> Any:
    """The items put together; the axis of an array stays."""
    if isinstance(items, list):
        return functools.reduce(operation, items)
    return _REDUCTIONS[operation](items, axis=0, keepdims=True)
