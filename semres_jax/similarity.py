"""Similarity functions g(d): non-increasing from g(0) = 1, with a resolution epsilon and a noise floor delta.

A similarity is a frozen pytree that is called on distances. Its numbers are array leaves, so a grid of resolutions is
one similarity whose leaves have a leading axis (`stack`), swept by one `vmap` and one compilation.
"""

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete, number_leaf, require
from semres_jax._pytrees import pytree
from semres_jax._types import Array, ArrayLike

# ln(Δ + (1 - Δ) g0) is written as a correction of ln g0 where g0 is above this power of the smallest normal number.
_SHARE = 0.85


class Similarity(abc.ABC):
    """g(d) in [0, 1], non-increasing in the distance d >= 0, g(0) = 1.

    `epsilon` has the unit of the space's distances; `delta` in [0, 1] is the floor: g = delta + (1 - delta) g0 with
    g0 falling to 0.
    """

    name: ClassVar[str]

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


class _Resolved(Similarity):
    """What similarities with a resolution and a floor share: the checks, and g = delta + (1 - delta) g0."""

    epsilon: Any
    delta: Any

    def __post_init__(self):
        for field in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            object.__setattr__(self, field.name, number_leaf(getattr(self, field.name)))
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
        positive = jnp.asarray(self.epsilon) > 0
        return d / jnp.where(positive, self.epsilon, least)


@pytree
class Constant(_Resolved):
    """Definition 1 of Nurisso et al.: g = 1 for d <= epsilon, delta beyond.

    Args:
        epsilon: resolution, >= 0, in the space's unit of distance; any shape.
        delta: similarity of items further than epsilon, in [0, 1].

    Raises:
        ValueError: epsilon negative or not finite, delta outside [0, 1].

    Example:
        >>> from semres_jax import Constant
        >>> [float(g) for g in Constant(0.2, delta=0.25)([0.1, 0.2, 0.3])]
        [1.0, 1.0, 0.25]
    """

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "constant"

    def _unfloored(self, d: Array) -> Array:
        return jnp.where(d <= self.epsilon, 1.0, 0.0)

    def kinks(self) -> tuple[Any, ...]:
        return (self.epsilon,)


@pytree
class Linear(_Resolved):
    """g0(d) = max(0, 1 - d / epsilon): the similarity of proposition 1.

    Args and errors as `Constant`.

    Example:
        >>> from semres_jax import Linear
        >>> [float(g) for g in Linear(0.5)([0.0, 0.25, 1.0])]
        [1.0, 0.5, 0.0]
    """

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "linear"

    def _unfloored(self, d: Array) -> Array:
        # Exactly 0 from ε on and exactly 1 at 0, however d / ε is compiled: where g is 0 Luce shares the choice.
        share = jnp.maximum(0.0, self.epsilon - d)
        positive = jnp.asarray(self.epsilon) > 0
        near = positive & (2.0 * d < self.epsilon)
        safe = jnp.where(positive, self.epsilon, 1.0)
        return jnp.where(near, 1.0 - d / safe, jnp.where(positive, share / safe, jnp.where(d > 0, 0.0, 1.0)))

    def _order_unfloored(self, d: Array) -> Array:
        return jnp.where(jnp.asarray(self.epsilon) > 0, jnp.maximum(self.epsilon - d, 0.0), jnp.where(d > 0, -1.0, 0.0))

    def kinks(self) -> tuple[Any, ...]:
        return (self.epsilon,)


@pytree
class Exponential(_Resolved):
    """g0(d) = exp(-d / epsilon): Shepard's law of generalization. Args and errors as `Constant`.

    Example:
        >>> from semres_jax import Exponential
        >>> round(float(Exponential(0.5)(0.5)), 4)
        0.3679
    """

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "exponential"

    def _unfloored(self, d: Array) -> Array:
        return jnp.exp(self._log_unfloored(d))

    def _log_unfloored(self, d: Array) -> Array:
        return -self._scaled(d)

    def _order_unfloored(self, d: Array) -> Array:
        return -d


@pytree
class Gaussian(_Resolved):
    """g0(d) = exp(-(d / epsilon)² / 2). Args and errors as `Constant`.

    Example:
        >>> from semres_jax import Gaussian
        >>> round(float(Gaussian(0.5)(0.5)), 4)
        0.6065
    """

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "gaussian"

    def _unfloored(self, d: Array) -> Array:
        return jnp.exp(self._log_unfloored(d))

    def _log_unfloored(self, d: Array) -> Array:
        return -0.5 * self._scaled(d) ** 2

    def _order_unfloored(self, d: Array) -> Array:
        return -d


@pytree
class PowerLaw(_Resolved):
    """g0(d) = (1 + d / epsilon)^(-exponent): heavy-tailed similarity, finite at d = 0.

    Args:
        epsilon: distance at which g0 has fallen to 2^(-exponent), >= 0.
        exponent: order of the decay, >= 0.
        delta: floor in [0, 1].

    Example:
        >>> from semres_jax import PowerLaw
        >>> float(PowerLaw(0.5, exponent=2.0)(0.5))
        0.25
    """

    epsilon: Any
    exponent: Any = 1.0
    delta: Any = 0.0
    name: ClassVar[str] = "powerlaw"

    def __post_init__(self):
        super().__post_init__()
        require("exponent", self.exponent, 0.0, np.inf, "at least 0")

    def _unfloored(self, d: Array) -> Array:
        return jnp.exp(self._log_unfloored(d))

    def _log_unfloored(self, d: Array) -> Array:
        return -self.exponent * jnp.log1p(self._scaled(d))

    def _order_unfloored(self, d: Array) -> Array:
        return jnp.where(jnp.asarray(self.exponent) > 0, -d, 0.0)


@pytree
class Tabulated(Similarity):
    """Any non-increasing g, by linear interpolation between tabulated values; the last value continues to infinity.

    Args:
        distances: (k,) increasing distances, the first 0.
        values: (k,) similarities in [0, 1], non-increasing, the first 1; the last is the floor.

    Raises:
        ValueError: lengths differ, distances not increasing from 0, values rising, outside [0, 1] or not 1 at 0.

    Example:
        >>> from semres_jax import Tabulated
        >>> round(float(Tabulated([0.0, 1.0, 2.0], [1.0, 0.5, 0.1])(1.5)), 6)
        0.3
    """

    distances: Any
    values: Any
    name: ClassVar[str] = "tabulated"

    def __post_init__(self):
        object.__setattr__(self, "distances", number_leaf(self.distances))
        object.__setattr__(self, "values", number_leaf(self.values))
        d, g = concrete(self.distances), concrete(self.values)
        if d is None or g is None:
            return
        if d.ndim == 0 or d.shape[-1] != g.shape[-1]:
            raise ValueError(f"distances and values must have the same length; got {np.shape(d)} and {np.shape(g)}")
        require("tabulated distances", d, 0.0, np.inf, "finite and at least 0")
        require("tabulated values", g, 0.0, 1.0, "similarities between 0 and 1")
        if (d[..., 0] != 0).any() or (np.diff(d, axis=-1) <= 0).any():
            raise ValueError("tabulated distances must start at 0 and increase")
        if (g[..., 0] != 1).any():
            raise ValueError(f"tabulated values must start at g(0) = 1; got {g[..., 0].flat[0]:g}")
        if (np.diff(g, axis=-1) > 0).any():
            raise ValueError("tabulated values must not increase: similarity falls with distance")

    @property
    def shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(np.shape(self.distances)[:-1], np.shape(self.values)[:-1])

    def __call__(self, d: ArrayLike) -> Array:
        return jnp.interp(jnp.asarray(d), self.distances, self.values)

    def kinks(self) -> tuple[Any, ...]:
        return tuple(self.distances[..., i] for i in range(np.shape(self.distances)[-1]))


def flatten(similarity: Similarity) -> Similarity:
    """The members of a grid along one axis: every leaf gains it, in front, by broadcasting.

    Example:
        >>> from semres_jax import Constant, similarity
        >>> similarity.flatten(Constant([[0.1], [0.2]], delta=[0.0, 0.5, 1.0])).shape
        (6,)
    """
    shape = similarity.shape
    size = math.prod(shape)

    def leaf(value: Any) -> Any:
        # What an array of a grid has beyond the grid's axes is its own: the table of a Tabulated.
        xp: Any = np if concrete(value) is not None else jnp
        own = np.shape(value)[-1:] if isinstance(similarity, Tabulated) else ()
        return xp.broadcast_to(xp.asarray(value), shape + own).reshape(size, *own)

    return jax.tree.map(leaf, similarity)


def stack(similarities: Sequence[Similarity]) -> Similarity:
    """One stacked similarity out of several of a kind: every leaf gains a leading axis of their number.

    Raises:
        ValueError: the list is empty or mixes kinds.

    Example:
        >>> from semres_jax import Constant, similarity
        >>> similarity.stack([Constant(0.1), Constant(0.2)]).shape
        (2,)
    """
    kinds = {type(s).__name__ for s in similarities}
    if len(kinds) != 1:
        raise ValueError(f"stack needs one or more similarities of one kind; got {sorted(kinds) or 'none'}")
    return jax.tree.map(lambda *leaves: np.stack(np.broadcast_arrays(*leaves)), *similarities)


def coarse_resolutions(similarity: Similarity, space: Any) -> tuple[str, ...]:
    """The fields of `similarity` that `on_shells` has to move: distances known to float32 only, or compared with such.

    Args:
        similarity: any, before its leaves are widened; traced or not.
        space: any; only where it is `discrete` are there distances that have mass. Where g has no kinks nothing is
            compared.
    """
    if not space.discrete or not similarity.kinks():
        return ()

    def coarse(leaf: Any) -> bool:
        dtype = np.dtype(float) if isinstance(leaf, (bool, int, float, list, tuple)) else jnp.result_type(leaf)
        return jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 64

    names = [name for name in ("epsilon", "distances") if hasattr(similarity, name)]
    table = any(coarse(leaf) for leaf in jax.tree.leaves(space))
    return tuple(name for name in names if table or coarse(getattr(similarity, name)))


def on_shells(similarity: Similarity, space: Any, fields: Sequence[str]) -> Similarity:
    """`similarity` with resolutions that are a shell's distance but for the rounding of float32 put on that shell.

    A resolution of 0.7 in float32 is less than 0.7 by 1e-8: compared in float64 with a distance of 0.7 it would not
    hold it. Where one of the two is known to float32 only, what rounds to the same float32 is the same distance.

    Args:
        similarity: any, in float64.
        space: nothing moves where its `shells` are not known.
        fields: of `similarity`, as `coarse_resolutions` tells.
    """
    if not fields or space.shells is None:
        return similarity
    known = np.sort(np.asarray(space.shells, np.float64).ravel())

    def moved(value: Any) -> Any:
        xp: Any = np if concrete(value) is not None else jnp
        value = xp.asarray(value)
        rounded = value.astype(np.float32)
        place = xp.maximum(xp.searchsorted(xp.asarray(known.astype(np.float32)), rounded, side="right") - 1, 0)
        shell = xp.asarray(known)[place]
        gap = xp.where(shell.astype(np.float32) == rounded, shell - value, 0.0)
        return value + (gap if xp is np else jax.lax.stop_gradient(gap))

    values = {name: moved(getattr(similarity, name)) for name in fields}
    leaves, structure = jax.tree_util.tree_flatten_with_path(similarity)
    return jax.tree.unflatten(structure, [values.get(path[0].name, leaf) for path, leaf in leaves])


KINDS: dict[str, type[Similarity]] = {
    kind.name: kind for kind in (Constant, Linear, Exponential, Gaussian, PowerLaw, Tabulated)
}
