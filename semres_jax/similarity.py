"""Similarity functions g(d): non-increasing from g(0) = 1, with a resolution epsilon and a noise floor delta.

A similarity is a frozen pytree that is called on distances. Its numbers are array leaves, so a grid of resolutions is
one similarity whose leaves have a leading axis (`stack`), swept by one `vmap` and one compilation.
"""

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import brief, concrete, number_leaf, require
from semres_jax._own_similarity import from_function as from_function
from semres_jax._pytrees import pytree
from semres_jax._resolved import Decaying, Resolved, Similarity as Similarity
from semres_jax._slots import AGGREGATES as AGGREGATES, Slots as Slots
from semres_jax._types import Array, ArrayLike


@pytree
class Constant(Resolved):
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
    ends: ClassVar[bool] = True
    steps: ClassVar[bool] = True

    def _unfloored(self, d: Array) -> Array:
        return jnp.where(d <= self.epsilon, 1.0, 0.0)


@pytree
class Linear(Resolved):
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
    ends: ClassVar[bool] = True
    straight: ClassVar[bool] = True

    def _unfloored(self, d: Array) -> Array:
        # Exactly 0 from ε on and exactly 1 at 0, however d / ε is compiled: where g is 0 Luce shares the choice.
        share = jnp.maximum(0.0, self.epsilon - d)
        positive = jnp.asarray(self.epsilon) > 0
        near = positive & (2.0 * d < self.epsilon)
        steepness = 1.0 / jnp.where(positive, self.epsilon, 1.0)
        return jnp.where(near, 1.0 - d * steepness, jnp.where(positive, share * steepness, jnp.where(d > 0, 0.0, 1.0)))

    def _order_unfloored(self, d: Array) -> Array:
        return jnp.where(jnp.asarray(self.epsilon) > 0, jnp.maximum(self.epsilon - d, 0.0), jnp.where(d > 0, -1.0, 0.0))


@pytree
class Exponential(Decaying):
    """g0(d) = exp(-d / epsilon): Shepard's law of generalization. Args and errors as `Constant`.

    Example:
        >>> from semres_jax import Exponential
        >>> round(float(Exponential(0.5)(0.5)), 4)
        0.3679
    """

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "exponential"

    def _log_unfloored(self, d: Array) -> Array:
        return -self._scaled(d)


@pytree
class Gaussian(Decaying):
    """g0(d) = exp(-(d / epsilon)² / 2). Args and errors as `Constant`.

    Example:
        >>> from semres_jax import Gaussian
        >>> round(float(Gaussian(0.5)(0.5)), 4)
        0.6065
    """

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "gaussian"

    def _log_unfloored(self, d: Array) -> Array:
        return -0.5 * self._scaled(d) ** 2


@pytree
class PowerLaw(Decaying):
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
        object.__setattr__(self, "distances", number_leaf(self.distances, "tabulated distances"))
        object.__setattr__(self, "values", number_leaf(self.values, "tabulated values"))
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


def checked(similarity: Any, space: Any = None) -> Similarity:
    """A similarity as it is.

    Raises:
        ValueError: what isn't one, such as the name of a family; slots on a space, if one is given, that has not as
            many features.
    """
    if isinstance(similarity, Slots):
        for slot in similarity.slots:
            checked(slot)
        if space is not None:
            similarity.require_features(space)
    if isinstance(similarity, Similarity):
        if name := next((name for name in ("epsilon", "delta") if getattr(similarity, name, 0.0) is None), None):
            raise ValueError(f"{name} of the {similarity.name} similarity must be a number; got None")
        return similarity
    what, make = brief(similarity), "Constant(0.25)"
    if isinstance(similarity, str) and similarity in KINDS:
        make = f"{KINDS[similarity].__name__}(0.25)"
    elif isinstance(similarity, type):
        what, make = f"the class {similarity.__name__}", f"{similarity.__name__}(0.25)"
    raise ValueError(f"similarity must be one with its resolution, such as {make}; got {what}")


def flatten(similarity: Similarity, shape: tuple[int, ...] | None = None) -> Similarity:
    """The members of a grid along one axis: every leaf gains it, in front, by broadcasting.

    Args:
        similarity: any.
        shape: of the grid; None: its own.

    Example:
        >>> from semres_jax import Constant, similarity
        >>> similarity.flatten(Constant([[0.1], [0.2]], delta=[0.0, 0.5, 1.0])).shape
        (6,)
    """
    shape = similarity.shape if shape is None else shape
    if isinstance(similarity, Slots):
        slots = tuple(flatten(slot, shape) for slot in similarity.slots)
        return dataclasses.replace(similarity, slots=slots)
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


# The families there are, by name. A class that is entered here, under its name, works wherever a name does.
KINDS: dict[str, type[Similarity]] = {
    kind.name: kind for kind in (Constant, Linear, Exponential, Gaussian, PowerLaw, Tabulated)
}


class Family(NamedTuple):
    """Similarities of one kind whose resolution and floor are free: called with these it gives a similarity.

    Attributes:
        label: to show, such as "linear" or "powerlaw(3)".
        kind: the class of its similarities.
        fixed: other fields and their values; those that aren't named have the default of the class.
    """

    label: str
    kind: Any
    fixed: tuple[tuple[str, Any], ...] = ()

    def __call__(self, epsilon: Any, delta: Any = 0.0) -> Similarity:
        numbers = {name: np.full(np.shape(epsilon), x) if np.ndim(x) == 0 else x for name, x in self.fixed}
        return self.kind(epsilon=epsilon, delta=delta, **numbers)


def get(similarity: Any) -> Family:
    """A family by name, by class, or by one of its similarities, whose resolution and floor are then left out.

    Args:
        similarity: a name in `KINDS`, with values of further fields in brackets where it has them, such as
            "powerlaw(3)"; a subclass of `Similarity` with fields epsilon and delta, a user's own too; one of its
            similarities; or a `Family`, which comes back as it is.

    Raises:
        ValueError: an unknown name, a kind without a resolution and a floor, numbers that the kind doesn't take.

    Example:
        >>> from semres_jax import PowerLaw, similarity
        >>> similarity.get("linear").kind.name, similarity.get(PowerLaw(0.1, 3.0)).label
        ('linear', 'powerlaw(3)')
        >>> float(similarity.get("powerlaw(3)")(0.5)(0.5))
        0.125
    """
    if isinstance(similarity, Family):
        return similarity
    if isinstance(similarity, str):
        return _by_name(similarity)
    kind = similarity if isinstance(similarity, type) else type(similarity)
    if not issubclass(kind, Similarity):
        raise ValueError(
            f"similarity must be a name, a class or a similarity with a resolution; got {brief(similarity)} "
            f"(there are {_names()})"
        )
    name = getattr(kind, "name", kind.__name__)
    if issubclass(kind, Slots):
        raise ValueError(
            f"slots have no resolution of their own; here one of {_names()} is needed, and accuracies of wholes are "
            "those of estimate(product, Slots([...]))"
        )
    if _others(kind) is None:
        raise ValueError(f"unknown similarity {name!r}; a similarity with a resolution is one of {_names()}")
    if kind is similarity:
        return Family(name, kind)
    return _family(name, kind, [(field, getattr(similarity, field)) for field in _others(kind) or ()])


def _by_name(text: str) -> Family:
    match = re.fullmatch(r"\s*([^()\s]+)\s*(?:\(([^()]*)\))?\s*", text)
    name, inside = (match[1], match[2]) if match else (text, None)
    kind = KINDS.get(name)
    others = None if kind is None else _others(kind)
    words = [word.strip() for word in (inside or "").split(",") if word.strip()]
    if kind is None or others is None or len(words) > len(others):
        raise ValueError(f"unknown similarity {text!r}; there are {_names()}")
    try:
        values = [float(word) for word in words]
    except ValueError:
        field = others[0]
        raise ValueError(f"the {field} of {text!r} is not a number, as in {name}(3)") from None
    return _family(name, kind, list(zip(others, values, strict=False)))


def _family(name: str, kind: type[Similarity], fixed: list[tuple[str, Any]]) -> Family:
    numbers = [(field, float(x) if np.ndim(x) == 0 and concrete(x) is not None else x) for field, x in fixed]
    label = ", ".join(f"{x:g}" for _, x in numbers if isinstance(x, float))
    family = Family(f"{name}({label})" if label else name, kind, tuple(numbers))
    family(1.0)  # refuses what can't be
    return family


def _others(kind: Any) -> tuple[str, ...] | None:
    """Fields beside epsilon and delta, None where these two are missing."""
    fields = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    if not {"epsilon", "delta"} <= set(fields):
        return None
    return tuple(field for field in fields if field not in ("epsilon", "delta"))


def _names() -> str:
    """The names that `get` takes, for messages."""
    fields = {name: others for name, kind in KINDS.items() if (others := _others(kind)) is not None}
    return ", ".join([*fields, *(f"{name}({', '.join(others).upper()})" for name, others in fields.items() if others)])
