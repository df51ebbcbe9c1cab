"""What `measure.embeddings` is asked for, checked: settings, and which distances belong to which embeddings."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semres_jax import similarity
from semres_jax._checks import require, require_count
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


def labels_of(labels: Any, count: int) -> list[Any] | None:
    """Labels as Python's own values, one for each of the embeddings; None where there are none."""
    if labels is None:
        return None
    names = [x.item() if isinstance(x, np.generic) else x for x in labels]
    if len(names) > count:
        raise ValueError(f"label {names[count]!r} (number {count}, from 0) has no embedding: {len(names)} labels, "
                         f"{count} embeddings; give as many labels as embeddings")  # fmt: skip
    if len(names) < count:
        raise ValueError(f"row {len(names)} of the embeddings has no label: {len(names)} labels, {count} embeddings")
    return names


def table_of(distances: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Distances as float64, and the names of their rows where they have any."""
    space = distances if isinstance(distances, MetricSpace) else Finite(np.asarray(distances))
    if space.distances is None:
        raise ValueError(f"distances must be a table or a space that has one; got {space.label}")
    if space.weighted:
        raise ValueError(f"stimuli must be equally likely; {space.label} has unequal weights")
    return np.asarray(space.distances, np.float64), tuple(space.labels)


def matched(table: np.ndarray, names: tuple[str, ...], labels: Any, count: int) -> tuple[Finite, np.ndarray]:
    """The space of the stimuli that have an embedding, and the row of each of them among the embeddings."""
    if labels is not None and names:
        rows = _places(names, labels)
        order = np.argsort(rows)
        return Finite(table[np.ix_(rows[order], rows[order])]), order
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
        places = dict(zip(labels, _places(names, labels), strict=True))
        rows = [places[name] for name in classes]
        return table[np.ix_(rows, rows)]
    if len(table) != len(classes):
        raise ValueError(
            f"distances are between {len(table)} classes, but the labels name {len(classes)}; give a row for each, in "
            "the sorted order of their names"
        )
    return table


def _places(names: tuple[str, ...], labels: list[Any]) -> np.ndarray:
    """Where each label is among the names of the distances."""
    place = {name: k for k, name in enumerate(names)}
    for row, label in enumerate(labels):
        if str(label) not in place:
            raise ValueError(f"label {label!r} of row {row} is none of the {len(names)} names of the distances")
    return np.array([place[str(label)] for label in labels])
