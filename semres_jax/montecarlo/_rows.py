"""Counts of K at one resolution, the fastest loop there is on a CPU: a tile of trials as rows of many columns.

Each step of the loop makes some rows of trials, whose words, distances and counts never leave the core's cache. Counts
are kept by column, in 8 or 16 bits, and added up over columns at the end: nothing is scattered, everything is a vector
instruction over many trials.

Sums are two rows in turn, of which each step overwrites one: what is written into a larger array XLA leaves to one
core. Otherwise it would share out a loop as short as a row among all cores, busy with other tiles, and wait for them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from semres_jax._types import Array
from semres_jax.montecarlo import _edges, tally
from semres_jax.montecarlo.uniforms import WordSource
from semres_jax.spaces.base import MetricSpace

# Rows of a tile at most, and of those a column is counted over in 8 bits.
_ROWS, _ROWS_OF_BYTES = 2**10, 2**7
# Columns times items, so that a row's words stay in the cache; columns of two items, whose counts are 32 bits each.
_WIDTH, _WIDTH_OF_TWO = 2**13, 2**12
# Numbers of a row in 32 bits where they are made by the dozen.
_NUMBERS = 2**15
# Distances of a step of the loop, rows of a step that counts.
_STEP, _COUNTED = 2**16, 16


class Shape(NamedTuple):
    """Rows and columns of a tile."""

    rows: int
    columns: int


def suit(devices: tuple[Any, ...]) -> bool:
    """Whether the devices are such that rows pay: cores with vectors, not thousands of threads."""
    return devices[0].platform == "cpu"


def shape(space: MetricSpace, n: int, lanes: int) -> Shape:
    """How `lanes` trials (a power of two) are laid out."""
    widest = _WIDTH_OF_TWO if n == 2 else _WIDTH // _power_of_two(n)
    if space.has_statistic:
        widest = min(_WIDTH_OF_TWO, _NUMBERS // _power_of_two((n + 1) * space.uniforms))
    columns = min(max(widest, 256), max(lanes // _COUNTED, 1))
    return Shape(lanes // columns, columns)


def most_lanes(space: MetricSpace, n: int) -> int:
    """Trials of the largest tile."""
    return _ROWS * shape(space, n, 2**30).columns


def least_lanes(space: MetricSpace) -> int:
    """Trials of the smallest tile of a run that has as many: short rows cost as much as longer ones."""
    return 2**15 if space.has_statistic else 2**10


def counts(
    space: MetricSpace,
    n: int,
    replace: bool,
    epsilon: Array,
    rows: Callable[[Array, int], WordSource],
    tile: Shape,
    last: Array | None,
) -> Array:
    """How many trials of a tile have K = 0, ..., n items within epsilon of the probe.

    Args:
        space, n, replace: what is drawn; n up to `tally.UNROLLED_ITEMS`.
        epsilon: resolution, a scalar.
        rows: (first row, number of rows) -> words of that shape.
        tile: rows and columns.
        last: how many trials count, row after row; None for all.

    Returns:
        (n + 1,) int32.
    """
    packed = n == 2 and space.has_ticks
    within = tally.ticks_within(epsilon, jnp) if space.has_ticks else epsilon

    def k(first: Array, number: int) -> Array:
        """(number, columns) K of some rows; for a trial that does not count what the counts take for none."""
        words = rows(first, number)
        if space.has_ticks:
            probe, *items = tally.groups_of_words(words, n, space.uniforms)
            near = [space.within(item, probe, within) for item in items]
        elif not space.has_statistic:
            near = [d <= within for d in tally.distances(space, words, n, replace).items]
        else:
            near = [_edges.numbers_within(space, n, epsilon, words)]
        total = sum((inside.astype(jnp.int32) for inside in near[1:]), near[0].astype(jnp.int32))
        if last is None:
            return total
        trial = (first + jnp.arange(number))[:, None] * tile.columns + jnp.arange(tile.columns)[None]
        return jnp.where(trial < last, total, 0 if packed else 255)

    step = min(tile.rows, _power_of_two(max(1, _STEP // (tile.columns * _power_of_two(n)))))
    if space.has_statistic:
        step = 1  # what is made once more where an item is near the edge
    if packed:
        return _of_two(k, tile, min(step, 4), tile.rows * tile.columns if last is None else last.astype(jnp.int32))
    return _by_bin(k, n, tile, step)


def _of_two(k: Callable[[Array, int], Array], tile: Shape, step: int, trials: Array | int) -> Array:
    """Two items, both counts in one word: K in the low half, how often K = 2 in the high half."""

    def body(i: Array, sums: Array) -> Array:
        place = (i & 1, 0)
        so_far = jax.lax.dynamic_slice(sums, place, (1, tile.columns))
        for row in range(step):  # written out, so that only a column's sum passes through memory
            k_both = k(i * step + row, 1)
            so_far = so_far + k_both + jnp.where(k_both == 2, 65536, 0)
        return jax.lax.dynamic_update_slice(sums, so_far, place)

    sums = jax.lax.fori_loop(0, tile.rows // step, body, jnp.zeros((2, tile.columns), jnp.int32))
    both = jnp.sum(sums >> 16, dtype=jnp.int32)
    once = jnp.sum(sums & 65535, dtype=jnp.int32) - 2 * both
    return jnp.stack([jnp.asarray(trials - once - both, jnp.int32), once, both])


def _by_bin(k: Callable[[Array, int], Array], n: int, tile: Shape, step: int) -> Array:
    """K of a group of rows as bytes, then the count of each value, by column in bytes too; group after group."""
    group, columns = min(_ROWS_OF_BYTES, tile.rows), tile.columns
    step, counted = min(step, group), min(_COUNTED, group)
    bins = jnp.arange(n + 1, dtype=jnp.uint8)[None, :, None]

    def add_group(i: Array, so_far: Array) -> Array:
        def make(j: Array, table: Array) -> Array:
            some = k(i * group + j * step, step).astype(jnp.uint8)
            return jax.lax.dynamic_update_slice(table, some, (j * step, 0))

        table = jax.lax.fori_loop(0, group // step, make, jnp.zeros((group, columns), jnp.uint8))

        def count(j: Array, sums: Array) -> Array:
            place = (j & 1, 0, 0)
            some = jax.lax.dynamic_slice(table, (j * counted, 0), (counted, columns))
            counts_of_group = jax.lax.dynamic_slice(sums, place, (1, n + 1, columns))
            for row in range(counted):
                counts_of_group = counts_of_group + (some[row][None, None] == bins).astype(jnp.uint8)
            return jax.lax.dynamic_update_slice(sums, counts_of_group, place)

        counts_of_group = jax.lax.fori_loop(0, group // counted, count, jnp.zeros((2, n + 1, columns), jnp.uint8))
        return so_far + jnp.sum(counts_of_group, axis=(0, 2), dtype=jnp.int32)

    return jax.lax.fori_loop(0, tile.rows // group, add_group, jnp.zeros(n + 1, jnp.int32))


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()
