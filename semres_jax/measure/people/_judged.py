"""Triplets as choices: between pairs at their distances, equal ones counted together."""

from typing import NamedTuple

import numpy as np

from semres_jax.data.triplets import Triplets

# Which of the three stimuli make the pairs that a judgement chooses between, the chosen one first.
PAIRS = {"odd": ((0, 1), (0, 2), (1, 2)), "anchor": ((0, 1), (0, 2))}


class Judged(NamedTuple):
    """R different sets of distances that judgements were between, each in rising order.

    Attributes:
        distances: (R, n) of the pairs, n = 3 (odd) or 2 (anchor).
        counts: (R, n) how often the pair at each distance was chosen.
        right: (R, n) what a choice of it is worth by the distances: 1 for the closest; several of them share 1.
    """

    distances: np.ndarray
    counts: np.ndarray
    right: np.ndarray

    def share_right(self, chosen: np.ndarray) -> float:
        """Share of judgements as the distances say, of (R, n) choices."""
        return float((chosen * self.right).sum() / chosen.sum())


def pairs_of(items: np.ndarray, layout: str) -> np.ndarray:
    """(T, n, 2) pairs of stimuli that each judgement chooses between; the first was chosen."""
    return np.stack([items[:, pair] for pair in PAIRS[layout]], axis=1)


def judged(triplets: Triplets, items: np.ndarray, table: np.ndarray) -> Judged:
    """Judgements of these stimuli over a table of their distances, those at equal distances together.

    Which of several pairs at one distance was chosen says nothing: the first of them counts as chosen.
    """
    pairs = pairs_of(items, triplets.layout)
    distances = table[pairs[..., 0], pairs[..., 1]]
    order = np.argsort(distances, axis=1, kind="stable")
    values, code = np.unique(np.take_along_axis(distances, order, 1), return_inverse=True)
    code = code.reshape(distances.shape)
    row = code[:, 0]
    for column in code.T[1:]:  # numbers of rows, made shorter before each column: they never overflow
        row = np.unique(row, return_inverse=True)[1] * len(values) + column
    _, first, row = np.unique(row, return_index=True, return_inverse=True)
    chosen = (order == 0).argmax(1)
    size = len(first), distances.shape[1]
    counts = np.bincount(row * size[1] + chosen, triplets.counts, size[0] * size[1]).reshape(size)
    kept = counts.sum(1) > 0
    distances, counts = values[code[first]][kept], counts[kept]
    closest = distances == distances[:, :1]
    return Judged(distances, counts, closest / closest.sum(1, keepdims=True))
