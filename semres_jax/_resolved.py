"""What all similarity functions are, and what those with a resolution and a floor share."""

import abc
import dataclasses
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import number_leaf, require
from semres_jax._pytrees import Registered
from semres_jax._types import Array, ArrayLike

# ln(Δ + (1 - Δ) g0) is written as a correction of ln g0 where g0 is above this power of the smallest normal number.
_SHARE = 0.85


class Similarity(Registered, abc.ABC):
    """g(d) in [0, 1], non-increasing in the distance d >= 0, g(0) = 1.

    A subclass is a pytree by being one: its floats and arrays are leaves (all fields, where it is decorated with
    `semres_jax.spaces.space`), whole numbers and text are structure. `epsilon` has the unit of the space's distances;
    `delta` in [0, 1] is the floor: g = delta + (1 - delta) g0 with g0 falling to 0.

    Attributes of a class:
        name: by which `get` knows it.
        ends: whether g is its floor from the distance epsilon on.
        steps: whether g has two values only, so that fits see which distances are within epsilon and nothing else.
        straight: whether g falls as 1 - (1 - delta) d / epsilon as long as it doesn't end, so that fits on shorter
            distances see that quotient and nothing else.
    """

    name: ClassVar[str]
    ends: ClassVar[bool] = False
    steps: ClassVar[bool] = False
    straight: ClassVar[bool] = False
    _one_of_a_grid = True

    @abc.abstractmethod
    def __call__(self, d: ArrayLike) -> Array:
        """g(d), elementwise; leaves of the similarity broadcast against `d`."""

    def log(self, d: ArrayLike) -> Array:
        """ln g(d), -inf where g = 0; its gradients are finite. Good where g itself underflows, if the kind can."""
        g = self(d)
        return jnp.where(g > 0, jnp.log(jnp.where(g > 0, g, 1.0)), -jnp.inf)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the grid that a stacked similarity holds; () for a single one."""
        return np.broadcast_shapes(*(np.shape(leaf) for leaf in jax.tree.leaves(self)))

    def order(self, d: ArrayLike) -> Array:
        """Which of two distances is the more similar: a non-increasing function of `d`, equal just where g is equal.

        An infinite Luce exponent (argmax) compares by it. g itself serves unless rounding hides how it falls: beside a
        floor, or where g underflows.
        """
        return self(d)

    def kinks(self) -> tuple[Any, ...]:
        """Distances at which g or its slope jumps; quadratures split there."""
        return ()


class Resolved(Similarity):
    """What similarities with a resolution and a floor share: the checks, and g = delta + (1 - delta) g0."""

    epsilon: Any
    delta: Any

    def __post_init__(self):
        for field in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            object.__setattr__(self, field.name, number_leaf(getattr(self, field.name), field.name))
        require("epsilon", self.epsilon, 0.0, np.inf, "a distance, at least 0")
        require("delta", self.delta, 0.0, 1.0, "a floor between 0 and 1")

    @abc.abstractmethod
    def _unfloored(self, d: Array) -> Array:
        """g0(d)."""

    def __call__(self, d: ArrayLike) -> Array:
        return self.delta + (1.0 - self.delta) * self._unfloored(jnp.asarray(d))

    def _log_unfloored(self, d: Array) -> Array:
        """ln g0(d), -inf where g0 = 0."""
        g = self._unfloored(d)
        return jnp.where(g > 0, jnp.log(jnp.where(g > 0, g, 1.0)), -jnp.inf)

    def log(self, d: ArrayLike) -> Array:
        below = self._log_unfloored(jnp.asarray(d))
        # Near the top as ln(1 - (1 - Δ)(1 - g0)), which is 0 without rounding at Δ = 1; further down as
        # ln g0 + ln(1 + Δ (1/g0 - 1)), whose slope in Δ is right at Δ = 0 too; elsewhere as it stands.
        # Each branch sees only what it can bear.
        high = below > _SHARE * math.log(jnp.finfo(below.dtype).tiny)
        top = jnp.where(high, below, 0.0)
        above = (top > -1.0) | (jnp.asarray(self.delta) > 0.5)
        near = jnp.where(
            above,
            jnp.log1p(jnp.where(above, (1.0 - self.delta) * jnp.expm1(top), 0.0)),
            top + jnp.log1p(jnp.where(above, 0.0, self.delta * jnp.expm1(-top))),
        )
        floored = jnp.asarray(self.delta) > 0
        g = jnp.where(floored & ~high, self.delta + (1.0 - self.delta) * jnp.exp(jnp.where(high, -1.0, below)), 1.0)
        return jnp.where(high, near, jnp.where(floored, jnp.log(g), below))

    def order(self, d: ArrayLike) -> Array:
        return jnp.where(jnp.asarray(self.delta) < 1, self._order_unfloored(jnp.asarray(d)), 0.0)

    def _order_unfloored(self, d: Array) -> Array:
        """`order` of g0."""
        return self._unfloored(d)

    def _scaled(self, d: Array) -> Array:
        """d / epsilon; at epsilon = 0 that of a resolution so small that whatever is drawn is far beyond it.

        So g there is the limit epsilon -> 0 in its logarithm too: the nearest of several items is still told from the
        others. The least resolution is such that the square of d / epsilon is finite for all d up to 1e10.
        """
        d = jnp.asarray(d)
        dtype = jnp.result_type(d, self.epsilon, jnp.float32)
        least = float(jnp.finfo(dtype).tiny) ** 0.45 * (1.0 if dtype == jnp.float64 else 1e3)
        some = jnp.asarray(self.epsilon) > float(jnp.finfo(dtype).tiny)
        # A product, as compilers make one of some quotients by what is the same for many distances, but not of others.
        return d * (1.0 / jnp.where(some, self.epsilon, least))

    def kinks(self) -> tuple[Any, ...]:
        return (self.epsilon,) if self.ends else ()


class Decaying(Resolved):
    """A g0 that falls forever, and is given by its logarithm."""

    @abc.abstractmethod
    def _log_unfloored(self, d: Array) -> Array: ...

    def _unfloored(self, d: Array) -> Array:
        return jnp.exp(self._log_unfloored(d))

    def _order_unfloored(self, d: Array) -> Array:
        return -d
