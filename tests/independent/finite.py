"""Finite spaces and strings of bits by brute force: every draw of a probe and its items, credited one by one."""

import dataclasses
import itertools
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Stimuli:
    """A finite space by name and numbers: "ring", "line", "square" grids of `size`, "cloud" of points, "tree".

    `weights` is a seed of unequal weights, None for equal ones; `replace` whether items may repeat.
    """

    kind: str
    size: int
    weights: int | None = None
    replace: bool = False

    @property
    def label(self):
        weights = "" if self.weights is None else f", weights {self.weights}"
        return f"{self.kind}({self.size}{weights}{', replace' if self.replace else ''})"

    homogeneous = True  # its numbers are sums: no average by quadrature

    @property
    def scale(self):
        return float(self.table().max())

    def table(self):
        n = self.size
        apart = np.abs(np.arange(n)[:, None] - np.arange(n))
        if self.kind == "ring":
            return np.minimum(apart, n - apart) / n
        if self.kind == "line":
            return apart / n
        if self.kind == "square":
            side = math.isqrt(n)
            steps = np.abs(np.arange(side)[:, None] - np.arange(side))
            steps = np.minimum(steps, side - steps)
            rows, columns = np.divmod(np.arange(n), side)
            return np.maximum(steps[rows[:, None], rows], steps[columns[:, None], columns]) / side
        if self.kind == "tree":  # leaves of a binary tree, as far apart as their last common node is high
            heights = np.array([0.0, 0.7, 1.6, 2.9, 4.0, 5.5, 7.0])
            return heights[np.frompyfunc(int.bit_length, 1, 1)(np.arange(n)[:, None] ^ np.arange(n)).astype(int)]
        points = np.random.default_rng(20).random((n, 2))
        return np.sqrt(((points[:, None] - points) ** 2).sum(-1))

    def mass(self):
        if self.weights is None:
            return np.full(self.size, 1 / self.size)
        raw = np.random.default_rng(self.weights).random(self.size) + 0.05
        return raw / raw.sum()


def credits(strength, d):
    """Credit of the first in each row of distances, which is as near as any.

    With an infinite exponent those on its level of g share; g = 0 throughout is a level like any other.
    """
    if math.isinf(strength.exponent):
        level = strength.level(d)
        return 1 / np.sum(level == level[:, :1], axis=1)
    loss = strength.loss(d)
    first = loss[:, :1]
    with np.errstate(invalid="ignore"):
        total = np.sum(np.where(np.isinf(first), 1.0, np.exp(first - loss)), axis=1)
    return 1 / total


def accuracies(space, strength, n):
    """(p_S, p_I), exactly, over ordered or unordered draws, whichever are fewer."""
    table = space.table()
    mass, size = space.mass(), space.size
    p_s = p_i = 0.0
    for p in range(size):
        own = range(size) if space.replace else [x for x in range(size) if x != p]
        for count in (n, n - 1):
            items, chance = _draws(space, mass, own, p, count)
            d = table[p, items]
            if count == n:
                d = np.sort(d, axis=1)
            else:
                d = np.concatenate([np.zeros((len(d), 1)), d], axis=1)
            value = mass[p] * chance @ credits(strength, d)
            p_s, p_i = (p_s + value, p_i) if count == n else (p_s, p_i + value)
    return p_s, p_i


def _draws(space, mass, own, p, count):
    """(draws, count) items and the chance of each draw."""
    own = list(own)
    if space.replace:
        items = np.array(list(itertools.combinations_with_replacement(own, count)))
        times = np.array([math.factorial(count) / _repeats(row) for row in items])
        return items, times * np.prod(mass[items], axis=1)
    if space.weights is None:
        items = np.array(list(itertools.combinations(own, count)))
        return items, np.full(len(items), 1 / len(items))
    items = np.array(list(itertools.permutations(own, count)))
    left, chance = 1 - mass[p], np.ones(len(items))
    for k in range(count):
        chance = chance * mass[items[:, k]] / left
        left = left - mass[items[:, k]]
    return items, chance


def _repeats(row):
    return math.prod(math.factorial(int(k)) for k in np.unique(row, return_counts=True)[1])


def bits(dim, strength, n):
    """Strings of bits: items independent, k bits away with chance C(dim, k) / 2^dim."""
    chance = np.array([math.comb(dim, k) / 2**dim for k in range(dim + 1)])
    d = np.arange(dim + 1) / dim
    result = []
    for count in (n, n - 1):
        rows = np.array(list(itertools.combinations_with_replacement(range(dim + 1), count)))
        times = np.array([math.factorial(count) / _repeats(row) for row in rows])
        weight = times * np.prod(chance[rows], axis=1)
        far = d[rows] if count == n else np.concatenate([np.zeros((len(rows), 1)), d[rows]], axis=1)
        result.append(weight @ credits(strength, far))
    return tuple(result)
