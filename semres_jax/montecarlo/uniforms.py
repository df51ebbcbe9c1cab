"""Counter-based words of 32 random bits, pseudo-random or on a lattice, and the points of the unit cube made of them.

A stream is (key, index): `fold_in(key, index)` seeds it, and word `j` of trial `t` is a pure function of stream, t and
j. Nothing has a state, so any device can make any part of any stream, in any order.

- `prng`: the hash pcg4d of M. Jarzynski and M. Olano, "Hash functions for GPU rendering", JCGT 9(3), 2020, which turns
  four words (trial, block of dimensions, two words of the stream's key) into four. It passed their TestU01 runs, is a
  quarter of the work of threefry, and costs the same on every JAX release (threefry on CPU does not).
- `lattice`: a rank-1 lattice with 2^m points, x_t = frac(t z / 2^m + shift), each stream an independent uniform shift
  (randomised quasi-Monte Carlo; Cranley and Patterson 1976). A product, a sum: no generator at all.
"""

import functools
from collections.abc import Callable
from importlib import resources

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array, PRNGKey

# (first block, number of blocks) -> 4 * blocks arrays of words; a block is 4 consecutive dimensions of the unit cube.
WordSource = Callable[[Array | int, int], list[Array]]
BLOCK = 4


def streams(key: PRNGKey, number: int, words: int, first: int = 0) -> Array:
    """(at least `number`, words) random words, from `fold_in(key, first)` on: what streams are seeded with."""
    size = max(32, 1 << (number - 1).bit_length())  # few shapes, few compilations
    return _streams(key, np.uint32(first), size, words)


@functools.partial(jax.jit, static_argnames=("number", "words"))
def _streams(key: PRNGKey, first: Array, number: int, words: int) -> Array:
    index = first + jnp.arange(number, dtype=jnp.uint32)
    return jax.vmap(lambda i: jax.random.bits(jax.random.fold_in(key, i), (words,), jnp.uint32))(index)


def prng_words(seed: Array, trial: Array) -> WordSource:
    """Pseudo-random words of the trials `trial` (uint32, any shape) of the stream of a seed of two words."""

    def words(first: Array | int, blocks: int) -> list[Array]:
        out = []
        for block in range(blocks):
            dimension = jnp.asarray(first, jnp.uint32) + jnp.uint32(block)
            out += pcg4d(trial, dimension, seed[0], seed[1])
        return out

    return words


def lattice_words(shift: Array, trial: Array, log2_points: Array, even: int = 0) -> WordSource:
    """Words of the points `trial` of a lattice with 2^log2_points points, one dimension for each word of the shift.

    The first `even` components of the generating vector, those of the probe, are doubled. Distances depend on the
    differences to the probe, and differences of odd components are even: they would visit half as many points.
    """
    step = _steps(len(shift), log2_points, even)

    def words(first: Array | int, blocks: int) -> list[Array]:
        if isinstance(first, int):
            return [trial * step[j] + shift[j] for j in range(BLOCK * first, BLOCK * (first + blocks))]
        steps = jax.lax.dynamic_slice(step, (BLOCK * first,), (BLOCK * blocks,))
        shifts = jax.lax.dynamic_slice(shift, (BLOCK * first,), (BLOCK * blocks,))
        return [trial * steps[j] + shifts[j] for j in range(BLOCK * blocks)]

    return words


def lattice_rows(
    shift: Array, start: Array, stride: Array, columns: int, log2_points: Array, even: int, relative: bool
) -> Callable[[Array, int], WordSource]:
    """The same words, made by one addition each, of points in rows: start + (r columns + c) stride in row r, column c.

    Args:
        shift, log2_points, even: as in `lattice_words`.
        start, stride: uint32.
        columns: points of a row.
        relative: subtract the probe's words (the first `even`) from those of every point: where only differences
            modulo 1 count, the probe may as well be at 0.

    Returns:
        A function (first row, number of rows) -> words of shape (rows, columns).
    """
    step = _steps(len(shift), log2_points, even)
    if relative:
        points = -(-len(shift) // even)
        step, shift = (x - jnp.tile(x[:even], points)[: len(shift)] for x in (step, shift))
    lane = jnp.arange(columns, dtype=jnp.uint32)
    row = (lane[None] * (stride * step)[:, None]) + (start * step + shift)[:, None]
    down = stride * jnp.uint32(columns) * step

    def rows(first: Array, number: int) -> WordSource:
        rows_at = first.astype(jnp.uint32) + jnp.arange(number, dtype=jnp.uint32)

        def word(j: Array | int) -> Array:
            if relative and isinstance(j, int) and j < even:
                return jnp.zeros((number, columns), jnp.uint32)
            return row[j][None] + (rows_at * down[j])[:, None]

        return lambda block, blocks: [word(BLOCK * block + j) for j in range(BLOCK * blocks)]

    return rows


def padded(dimensions: int) -> int:
    """Dimensions as words come: whole blocks."""
    return -(-dimensions // BLOCK) * BLOCK


def joined(words: WordSource, coordinates: tuple[int, ...]) -> WordSource:
    """Words of which some are made of two coordinates each: eight bits of the first, and then the second.

    Of the points of a lattice the leading bits are evenly spread, and those beyond the log2 of their number the same in
    all of them. A uniform that is read further than that bit by bit, as those of binary strings are, takes two.

    Args:
        words: a coordinate each.
        coordinates: how many each uniform of a point takes, 1 or 2. Of a first block that is traced, and of one beyond
            0, a point has to begin there.
    """
    per_point, total = len(coordinates), sum(coordinates)
    if total == per_point:
        return words

    def source(first: Array | int, blocks: int) -> list[Array]:
        points = -(-BLOCK * blocks // per_point)
        flat, out, at = words(first // per_point * total, padded(points * total) // BLOCK), [], 0
        for uniform in range(BLOCK * blocks):
            if coordinates[uniform % per_point] == 1:
                out.append(flat[at])
            else:
                out.append((flat[at] & jnp.uint32(0xFF000000)) | (flat[at + 1] >> 8))
            at += coordinates[uniform % per_point]
        return out

    return source


def _steps(dimensions: int, log2_points: Array, even: int) -> Array:
    """Generating vector times 2^(32 - log2_points)."""
    # t z / 2^m as a fraction of 2^32 is t * (z << (32 - m)) with the overflow dropped. A shift by 32 is undefined:
    # m = 0 is a single point.
    unit = jnp.where(log2_points > 0, jnp.uint32(1) << jnp.uint32(32 - jnp.maximum(log2_points, 1)), jnp.uint32(0))
    return jnp.asarray(generating_vector(dimensions) << (np.arange(dimensions) < even).astype(np.uint32)) * unit


def pcg4d(x: Array, y: Array, z: Array, w: Array) -> tuple[Array, Array, Array, Array]:
    """Four words to four words, every output bit depending on every input bit; arguments broadcast."""
    multiplier, increment = jnp.uint32(1664525), jnp.uint32(1013904223)
    x, y, z, w = (v * multiplier + increment for v in (x, y, z, w))
    x = x + y * w
    y = y + z * x
    z = z + x * y
    w = w + y * z
    x, y, z, w = (v ^ (v >> 16) for v in (x, y, z, w))
    x = x + y * w
    y = y + z * x
    z = z + x * y
    w = w + y * z
    return x, y, z, w


def to_unit(word: Array) -> Array:
    """A word as a number strictly between 0 and 1, in float64 where it is enabled: (word + 1/2) / 2^32."""
    if jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        return (word.astype(jnp.float64) + 0.5) * 2.0**-32
    # 23 bits and a half fit float32 exactly; more would round to 1.
    return ((word >> 9).astype(jnp.float32) + 0.5) * 2.0**-23


@functools.cache
def generating_vector(dimensions: int) -> np.ndarray:
    """Generating vector of the lattice, odd uint32: searched for the first dimensions, pseudo-random beyond them.

    A vector for 2^m points is the residue mod 2^m, for every m up to 32 (an embedded lattice). How the table was
    searched: scripts/make_lattice.py.
    """
    table = np.load(str(resources.files("semres_jax.montecarlo") / "lattice.npy"))
    if dimensions > len(table):
        more = np.random.Generator(np.random.PCG64(20)).integers(0, 2**32, dimensions - len(table), dtype=np.uint32)
        table = np.concatenate([table, more | np.uint32(1)])
    return table[:dimensions]
