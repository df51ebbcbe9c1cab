"""What a training of the toy network is: numbers that a grid is made of, and what decides programs."""

import dataclasses
from typing import Any

import jax
import numpy as np

from semres_jax._checks import concrete, number_leaf, require, require_count
from semres_jax._pytrees import pytree


class Numbers:
    """Settings that are numbers: fields of a pytree, whose arrays of one shape, or single numbers, make a grid."""

    def _stored(self) -> None:
        """Make every field a leaf."""
        for field in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            object.__setattr__(self, field.name, number_leaf(getattr(self, field.name)))

    def _require_weights(self, first: str, second: str, example: str) -> None:
        """Raise `ValueError` unless both weights of losses, and what every training has, are in their ranges.

        Args:
            first, second: names of the weights, of which one at least is above 0.
            example: what they might be.
        """
        weights = [getattr(self, name) for name in (first, second)]
        for name, weight in zip((first, second), weights, strict=True):
            require(name, weight, 0.0, 1e30, "the weight of a loss, at least 0")
        for name in ("learning_rate", "floor", "scale"):
            require(name, getattr(self, name), 1e-30, 1e30, "a positive number, such as 1e-3")
        known = [number for weight in weights if (number := concrete(weight)) is not None]
        if len(known) == 2 and not (known[0] + known[1] > 0).all():
            raise ValueError(f"{first} and {second} are both 0: there is nothing to train; {example} would do")

    def numbers(self) -> dict[str, np.ndarray]:
        """The settings by name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in dataclasses.fields(self)}  # pyright: ignore[reportArgumentType]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the grid."""
        return np.broadcast_shapes(*(np.shape(leaf) for leaf in jax.tree.leaves(self)))


@pytree
class Hyper(Numbers):
    """The settings of a training that are numbers; arrays of one shape, or single numbers, make a grid.

    Args:
        lambda_sim: weight of the similarity loss, at least 0.
        lambda_rec: weight of the reconstruction loss, at least 0; not both 0.
        learning_rate: of Adam, above 0.
        floor: added to every similarity, above 0.
        scale: weights start uniform in [0, scale), above 0.

    Raises:
        ValueError: out of range, or both weights 0.

    Example:
        >>> from semres_jax.training import toy
        >>> toy.Hyper(lambda_sim=[0.1, 1.0]).shape
        (2,)
    """

    lambda_sim: Any = 0.1
    lambda_rec: Any = 0.0
    learning_rate: Any = 7e-3
    floor: Any = 1e-10
    scale: Any = 2.0

    def __post_init__(self):
        self._stored()
        self._require_weights("lambda_sim", "lambda_rec", "0.1 and 0")


@dataclasses.dataclass(frozen=True)
class Design:
    """The settings of a training that decide shapes or programs.

    Args:
        hidden: m, dimensions of the embedding, at least 1.
        items: n, items of a trial, from 2 to N - 1.
        batch: trials of a step; not used where `loss` is "full".
        slots: S; a stimulus is a tuple of one stimulus for each slot, drawn independently of other slots.
        decision: of S similarities, the largest ("max") or their sum ("sum") is an item's strength.
        label: the right item is the one of smallest "min", "max", "l1" or "l2" of the S distances.
        loss: "trials" draws a batch for each step, "full" takes the exact expectation over all trials (one slot).
        test_items: numbers of items at which accuracies are recorded; () stands for `items`.

    Raises:
        ValueError: out of range, unknown words, "full" with slots.
    """

    hidden: int = 10
    items: int = 2
    batch: int = 128
    slots: int = 1
    decision: str = "max"
    label: str = "min"
    loss: str = "trials"
    test_items: tuple[int, ...] = ()

    def __post_init__(self):
        for name, least in (("hidden", 1), ("items", 2), ("batch", 1), ("slots", 1)):
            object.__setattr__(self, name, require_count(name, getattr(self, name), least))
        tested = tuple(require_count("test_items", n, 2) for n in self.test_items) or (self.items,)
        object.__setattr__(self, "test_items", tuple(sorted(set(tested))))
        words = {"decision": ("max", "sum"), "label": ("min", "max", "l1", "l2"), "loss": ("trials", "full")}
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}")
        if self.loss == "full" and self.slots > 1:
            raise ValueError(f"the full loss is for one slot; got slots = {self.slots} (use loss='trials')")
