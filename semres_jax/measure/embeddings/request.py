"""What `measure.embeddings` is asked for, checked: settings, and which distances belong to which embeddings."""

from typing import Any, NamedTuple

import numpy as np

from semres_jax._checks import require, require_count
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.finite import Finite


class Asked(NamedTuple):
    """Settings that both designs share."""

    similarity: str
    floor: float
    shares: np.ndarray
    n: int
    optimal: str
    delta: float | None
    bootstrap: int
    seed: int
    limit: int


def checked(
    similarity: str,
    floor: float,
    shares: Any,
    n: int,
    optimal: str,
    delta: float | None,
    count: int,
    seed: int,
    limit: int,
) -> Asked:
    require("floor", floor, 0.0, 1e300, "at least 0, in the unit of the similarity")
    wanted = np.asarray(shares, np.float64).ravel()
    if not wanted.size or not ((wanted > 0) & (wanted <= 1)).all() or (np.diff(wanted) <= 0).any():
        raise ValueError(f"shares must ascend from above 0 to at most 1; got {np.asarray(shares).tolist()}")
    if optimal not in ("homogeneous", "finite", "none"):
        raise ValueError(f"optimal must be homogeneous, finite or none; got {optimal!r}")
    n = require_count("n", n, 2, " (the probe needs items to choose from)")
    if n > 2 and optimal == "finite":
        raise ValueError(
            f"the optimal front of a finite space is known for n = 2; got n = {n} (use homogeneous or none)"
        )
    count = require_count("bootstrap", count, 0)
    if count == 1:
        raise ValueError("bootstrap must be 0 (no intervals) or at least 2 replicates; got 1")
    limit = require_count("limit", limit, 16)
    if delta is not None:
        require("delta", delta, 1e-300, 1 - 1e-12, "a floor above 0 and below 1")
    seed = require_count("seed", seed, 0)
    return Asked(similarity, float(floor), wanted, n, optimal, delta, count, seed, limit)


def lengths(labels: Any, count: int) -> str:
    if len(labels) > count:
        return (f"label {labels[count]!r} (number {count}, from 0) has no embedding: {len(labels)} labels, "
                f"{count} embeddings; give as many labels as embeddings")  # fmt: skip
    return f"row {len(labels)} of the embeddings has no label: {len(labels)} labels, {count} embeddings"


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
    if labels is None:
        if len(table) != count:
            raise ValueError(
                f"distances are between {len(table)} stimuli, but there are {count} embeddings; give one for each, in "
                "the same order, or labels"
            )
        return Finite(table), np.arange(count)
    given = [x.item() if isinstance(x, np.generic) else x for x in labels]
    if not names:
        if len(table) != count:
            raise ValueError(f"distances are between {len(table)} stimuli, and there are {count} labels")
        return Finite(table), np.array(sorted(range(count), key=lambda i: given[i]))
    place = {name: k for k, name in enumerate(names)}
    for row, label in enumerate(given):
        if str(label) not in place:
            raise ValueError(f"label {label!r} of row {row} is none of the {len(names)} names of the distances")
    rows = np.array([place[str(label)] for label in given])
    order = np.argsort(rows)
    return Finite(table[np.ix_(rows[order], rows[order])]), order


def of_the_classes(table: np.ndarray, names: tuple[str, ...], labels: Any) -> np.ndarray:
    """Distances between the classes that there are, in the sorted order of their labels."""
    classes = sorted({x.item() if isinstance(x, np.generic) else x for x in labels})
    if names:
        place = {name: k for k, name in enumerate(names)}
        for name in classes:
            if str(name) not in place:
                raise ValueError(f"label {name!r} is none of the {len(names)} names of the distances")
        rows = [place[str(name)] for name in classes]
        return table[np.ix_(rows, rows)]
    if len(table) != len(classes):
        raise ValueError(
            f"distances are between {len(table)} classes, but the labels name {len(classes)}; give a row for each, in "
            "the sorted order of their names"
        )
    return table
