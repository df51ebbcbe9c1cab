"""What `measure.embeddings` is asked for, checked: settings, and which distances belong to which embeddings."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semres_jax import similarity, spaces
from semres_jax._checks import require, require_count
from semres_jax._names import axis_labels, labels_list, places, text_of_labels
from semres_jax._random import key_or_default
from semres_jax.frontier.families import Front
from semres_jax.measure.embeddings.exemplars import ascending
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.finite import Finite


@dataclasses.dataclass(frozen=True)
class Request:
    """Settings of `measure.embeddings`, checked."""

    similarity: str
    floor: float
    shares: Any
    n: int
    optimal: str
    delta: float | None
    bootstrap: int
    key: Any
    limit: int
    families: Sequence[Any]
    fronts: Mapping[str, Front] | None

    def __post_init__(self):
        require("floor", self.floor, 0.0, 1e300, "at least 0, in the unit of the similarity")
        if self.optimal not in ("homogeneous", "finite", "none"):
            raise ValueError(f"optimal must be homogeneous, finite or none; got {self.optimal!r}")
        if self.delta is not None:
            require("delta", self.delta, 1e-300, 1 - 1e-12, "a floor above 0 and below 1")
        # Checked in this order; a frozen dataclass has its fields set like this.
        vars(self).update(
            floor=float(self.floor),
            shares=ascending(self.shares),
            n=require_count("n", self.n, 2, " (the probe needs items to choose from)"),
            bootstrap=require_count("bootstrap", self.bootstrap, 0),
            limit=require_count("limit", self.limit, 16),
            key=key_or_default(self.key),
            families=[similarity.get(family) for family in self.families],
        )
        if self.n > 2 and self.optimal == "finite":
            raise ValueError(
                f"the optimal front of a finite space is known for n = 2; got n = {self.n} (use homogeneous or none)"
            )
        if self.bootstrap == 1:
            raise ValueError("bootstrap must be 0 (no intervals) or at least 2 replicates; got 1")

    @property
    def replicates(self) -> dict[str, Any]:
        """How many replicates of intervals there are, and their key."""
        return {"count": self.bootstrap, "key": self.key}


def labels_of(labels: Any, points: Any, names: tuple[str, ...], known: int) -> list[Any] | None:
    """Labels as numbers or text, one for each of the embeddings; None where rows are meant in order.

    Args:
        labels: as given; None: the names of the rows of a table, where the distances have names or are of fewer.
        names: of the rows of the distances, where they have any.
        known: the number of rows of the distances.
    """
    count, own = np.shape(points)[0], axis_labels(points, 0)
    if labels is None:
        if own is None or not (names or known != count):
            return None
        labels = own
    elif own is not None and (index := axis_labels(labels, 0)) is not None:
        labels = _in_order(labels, labels_list(index), labels_list(own))
    given = labels_list(labels)
    if len(given) > count:
        raise ValueError(f"label {given[count]!r} (number {count}, from 0) has no embedding: {len(given)} labels, "
                         f"{count} embeddings; give as many labels as embeddings")  # fmt: skip
    if len(given) < count:
        raise ValueError(f"row {len(given)} of the embeddings has no label: {len(given)} labels, {count} embeddings")
    if len({isinstance(label, str) for label in given}) < 2:
        return given
    texts = text_of_labels(given)
    if len(set(texts)) < len(set(given)):
        text = next(x for x in given if isinstance(x, str) and x in text_of_labels([y for y in given if x is not y]))
        raise ValueError(f"labels have {text!r} both as text and as a number; give one kind")
    if not names:
        raise ValueError("labels are numbers and text, which have no order between them; give one kind, or distances "
                         "with names (spaces.Finite with labels, a DataFrame)")  # fmt: skip
    return texts


def _in_order(labels: Any, index: list[Any], own: list[Any]) -> list[Any]:
    """Labels with names of their own in the order of the rows with these names."""
    if index == own:
        return list(labels)
    if len(set(index)) < len(index) or len(index) != len(own) or set(index) != set(own):
        raise ValueError("labels and embeddings are tables whose rows have different names; give the same, or arrays")
    place, values = {name: k for k, name in enumerate(index)}, list(labels)
    return [values[place[name]] for name in own]


def table_of(distances: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Distances as float64, and the names of their rows where they have any."""
    named = isinstance(distances, (MetricSpace, str, os.PathLike))
    space = spaces.get(distances) if named else Finite(distances)
    if space.distances is None:
        raise ValueError(f"distances must be a table or a space that has one; got {space.label}")
    if space.weighted:
        raise ValueError(f"stimuli must be equally likely; {space.label} has unequal weights")
    return np.asarray(space.distances, np.float64), tuple(space.labels)


def matched(table: np.ndarray, names: tuple[str, ...], labels: Any, count: int) -> tuple[Finite, np.ndarray]:
    """The space of the stimuli that have an embedding, and the row of each of them among the embeddings."""
    if labels is not None and names:
        rows = places(names, labels)
        order = np.argsort(rows)
        kept = rows[order]
        whole = len(kept) == len(table)
        return Finite(table if whole else table[np.ix_(kept, kept)]), order
    if len(table) != count:
        what = f"but there are {count} embeddings; give one for each, in the same order, or labels"
        what = what if labels is None else f"and there are {count} labels"
        raise ValueError(f"distances are between {len(table)} stimuli, {what}")
    order = range(count) if labels is None else sorted(range(count), key=lambda row: labels[row])
    return Finite(table), np.array(order)


def of_the_classes(table: np.ndarray, names: tuple[str, ...], labels: list[Any]) -> np.ndarray:
    """Distances between the classes that there are, in the sorted order of their labels."""
    classes = sorted(set(labels))
    if names:
        rows = dict(zip(labels, places(names, labels), strict=True))
        kept = [rows[name] for name in classes]
        return table[np.ix_(kept, kept)]
    if len(table) != len(classes):
        raise ValueError(
            f"distances are between {len(table)} classes, but the labels name {len(classes)}; give a row for each, in "
            "the sorted order of their names"
        )
    return table
