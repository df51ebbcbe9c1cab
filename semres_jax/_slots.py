"""Similarity of wholes that are tuples of features: each feature compared by a slot, slots put together."""

import functools
import operator
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import brief, require_among
from semres_jax._pytrees import pytree, static
from semres_jax._resolved import Similarity
from semres_jax._types import Array

AGGREGATES = ("product", "mean")


@pytree
class Slots(Similarity):
    """Similarity of stimuli with S independent features, each compared by a slot with a similarity of its own.

        product (conjunction): g = Π_s g_s(d_s),    mean (addition): g = Σ_s g_s(d_s) / S

    It is called on the distances of the features, one array for each slot, and goes with `spaces.Product` of as many
    factors: there a whole is identified by g, and the nearest of several wholes is that of the smallest distance as the
    product's metric tells it. Source: new, of this project.

    Args:
        slots: one similarity for each feature; grids of them broadcast.
        aggregate: "product" or "mean".

    Raises:
        ValueError: no slots, or something else than similarities among them; grids that don't broadcast; an unknown
            aggregate.

    Example:
        >>> from semres_jax import Constant, Slots
        >>> both = [0.1, 0.1], [0.1, 0.4]  # two items, distances in two features
        >>> Slots([Constant(0.25, 0.5)] * 2)(both).tolist(), Slots([Constant(0.25)] * 2, "mean")(both).tolist()
        ([1.0, 0.5], [1.0, 0.5])
    """

    slots: Any
    aggregate: str = static(default="product")
    name: ClassVar[str] = "slots"

    def __post_init__(self):
        slots = self.slots
        if isinstance(slots, Similarity) or not isinstance(slots, Sequence) or isinstance(slots, str):
            raise ValueError(f"slots must be a list of similarities, one for each feature; got {brief(slots)}")
        object.__setattr__(self, "slots", tuple(slots))
        wrong = [slot for slot in slots if isinstance(slot, (str, type, int, float, np.ndarray, Slots))]
        if not slots or wrong:
            what = brief(wrong[0]) if wrong else "none"
            raise ValueError(f"slots must be one or more similarities, such as Constant(0.25); got {what}")
        require_among("aggregate", self.aggregate, AGGREGATES)
        if all(isinstance(slot, Similarity) for slot in slots):  # pytrees are rebuilt with placeholders
            shapes = [slot.shape for slot in slots]
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                raise ValueError(f"grids of slots must broadcast; got those of shapes {shapes}") from None

    @property
    def shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(*(slot.shape for slot in self.slots))

    def require_features(self, space: Any) -> None:
        """Raise `ValueError` unless the space is a product of as many factors as there are slots."""
        factors = getattr(space, "factors", None)
        if factors is None or len(factors) != len(self.slots):
            what = "no product" if factors is None else f"{len(factors)} features"
            raise ValueError(
                f"{len(self.slots)} slots go with a spaces.Product of as many features; got {space.label}, {what}"
            )

    def _of_each(self, d: Any) -> list[Any]:
        if len(d) != len(self.slots):
            raise ValueError(f"{len(self.slots)} slots take the distances of as many features; got {len(d)}")
        return [jnp.asarray(own) for own in d]

    def __call__(self, d: Any) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        """g of distances, one array for each slot; all broadcast."""
        strengths = [slot(own) for slot, own in zip(self.slots, self._of_each(d), strict=True)]
        whole = strengths[0]
        for strength in strengths[1:]:
            whole = whole * strength if self.aggregate == "product" else whole + strength
        return whole if self.aggregate == "product" else whole / len(strengths)

    def log(self, d: Any) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        """ln g of the same, good where g itself underflows."""
        logs = [slot.log(own) for slot, own in zip(self.slots, self._of_each(d), strict=True)]
        if self.aggregate == "product":
            return functools.reduce(operator.add, logs)
        top = jax.lax.stop_gradient(functools.reduce(jnp.maximum, logs))
        top = jnp.where(top > -jnp.inf, top, 0.0)
        mean = functools.reduce(operator.add, [jnp.exp(log - top) for log in logs]) / len(logs)
        return jnp.where(mean > 0, top + jnp.log(jnp.where(mean > 0, mean, 1.0)), -jnp.inf)
