"""Coordinates of random points from words of 32 bits, in either precision: what the innermost Monte Carlo loop is of.

A word w stands for the uniform number (w + 1/2) / 2^32. Everything is vector instructions: additions, multiplications,
roots; angles are brought near 0 in integers, so that polynomials serve for sines. In 32 bits a uniform number keeps
its relative precision at both ends: what is near 1 is told by what it lacks of 1, which `fold` gives. The bounds of
errors in 32 bits that are named here hold for these very formulas; tests measure them.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from semres_jax._types import Array
from semres_jax.spaces._normal import log as log_64

# Half a unit of the last place of 1 in 32 bits: the relative error of one operation.
ROUNDING = 2.0**-24
# Less than what is left of a square in 32 bits may have lost.
UNDERFLOW = 2.0**-100
# Errors in 32 bits of a cosine or sine, and of the root of a uniform number, relative to it.
TURN_ERROR, ROOT_ERROR = 5 * ROUNDING, 3 * ROUNDING
# Of a normal number: so much, and so much of it on top.
NORMAL_ERROR = 10 * ROUNDING, 3 * ROUNDING
# The largest normal number there is, of the share 2^-33.
FARTHEST = 6.4
# So many normal numbers of a point are made by a program each, which is faster and takes longer to compile.
_FEW = {4: 16, 8: 4}

# (ln(1 + x) - x + x²/2) / x³ for x from 1/√2 - 1 to √2 - 1, to 7e-9 x³; and the normal number beyond which there is the
# share p, as a polynomial in (-2 ln p)^(1/4) about _MIDDLE for p from 2^-33 to 1/2, to 4e-8. Both minimax, fitted by
# weighted least squares (C. L. Lawson 1961) to values in 64 bits. For 64 bits the polynomial through the values at the
# Chebyshev points, taken with 40 digits: to 1e-15.
_LOG = (0.333341659, -0.250016987, 0.199548755, -0.165644257, 0.149779954, -0.143790078, 0.0867217924)
_NORMAL = (
    2.73410646, 4.121730759, 0.7807217046, 0.09618977986, -0.037898137,
    0.01354029456, -0.004282487555, 0.001373073888, -0.001015214699, 0.0005836452054,
)  # fmt: skip
_NORMAL_64 = (
    2.7341064968276863, 4.1217305602560455, 0.7807185721294045, 0.0961955528679124, -0.03785550357602194,
    0.013492338313544515, -0.004482385106727714, 0.0015363178540281886, -0.0006476236365300566,
    0.00034669862700478115, -0.00019815851638546193, 0.0001057206490209395, -5.101312162702885e-05,
    2.2948464402807725e-05, -1.022087066402581e-05, 5.054092961299408e-06, -3.137712146085475e-06,
    1.7030101281254157e-06, -3.487206123218527e-07, 1.583201954637281e-07, -4.6317114059412325e-07,
    2.389892282474e-07,
)  # fmt: skip
_MIDDLE = 1.8429131043078093
# Terms of the series of cosine and sine up to an eighth of a turn.
_TERMS = {4: 5, 8: 9}


def unit(word: Array, dtype: Any) -> Array:
    """The uniform number of a word, strictly between 0 and 1 (in 32 bits rounded, to 1 at most)."""
    return (word.astype(dtype) + 0.5) * 2.0**-32


def fold(word: Array, dtype: Any) -> Array:
    """The uniform number, or what it lacks of 1, whichever is less."""
    return (jnp.minimum(word, ~word).astype(jnp.int32).astype(dtype) + 0.5) * 2.0**-32


def upper(word: Array) -> Array:
    """Whether the uniform number is above 1/2."""
    return jax.lax.bitcast_convert_type(word, jnp.int32) < 0


def turn(word: Array, dtype: Any) -> tuple[Array, Array]:
    """Cosine and sine of the angle that is this share of a whole turn."""
    quarter = (word + jnp.uint32(1 << 29)) >> 30  # the nearest; the fourth is 0 again
    part = jax.lax.bitcast_convert_type(word - (quarter << 30), jnp.int32)
    angle = (part.astype(dtype) + 0.5) * (2.0 * math.pi / 2.0**32)
    square, terms = angle * angle, _TERMS[jnp.dtype(dtype).itemsize]
    cosine = polynomial([(-1.0) ** k / math.factorial(2 * k) for k in range(terms)], square)
    sine = angle * polynomial([(-1.0) ** k / math.factorial(2 * k + 1) for k in range(terms)], square)
    odd = (quarter & 1) == 1
    cosine, sine = jnp.where(odd, sine, cosine), jnp.where(odd, cosine, sine)
    return jnp.where(((quarter + 1) & 2) == 2, -cosine, cosine), jnp.where((quarter & 2) == 2, -sine, sine)


def normal_of(word: Array, dtype: Any) -> Array:
    """The standard normal number below which there is this share."""
    least, double = fold(word, dtype), jnp.dtype(dtype) == jnp.float64
    fourth = jnp.sqrt(jnp.sqrt(-2.0 * (log_64 if double else log)(least)))
    size = polynomial(_NORMAL_64 if double else _NORMAL, fourth - _MIDDLE)
    return jnp.where(upper(word), size, -size)


def normals(words: list[Array], dtype: Any) -> list[Array]:
    """A normal number of each word: one program for each where they are cheap, else for all."""
    if len(words) <= _FEW[jnp.dtype(dtype).itemsize]:
        return [normal_of(word, dtype) for word in words]
    return list(normal_of(jnp.stack(words), dtype))


def log(x: Array) -> Array:
    """Natural logarithm of normal positive float32 numbers."""
    bits = jax.lax.bitcast_convert_type(x, jnp.int32)
    e = (bits - jnp.int32(0x3F3504F3)) >> 23  # x = m 2^e with m from 1/√2 to √2
    m = jax.lax.bitcast_convert_type(bits - (e << 23), jnp.float32) - 1.0
    square = m * m
    return e.astype(jnp.float32) * math.log(2.0) + (m + (m * square * polynomial(_LOG, m) - 0.5 * square))


def direction(words: list[Array], dtype: Any) -> tuple[list[Array], Array]:
    """A normal vector, one coordinate to a word, and one over its length."""
    g = normals(words, dtype)
    square = squared_length(g)
    return g, jax.lax.rsqrt(square) if jnp.dtype(dtype) == jnp.float32 else 1.0 / jnp.sqrt(square)


def direction_error(inverse: Array, dim: int) -> Array:
    """How far the unit vector that `direction` makes in 32 bits may be from the exact one; short vectors tell less."""
    fixed, relative = NORMAL_ERROR
    # off by twice what the vector is off, by its length
    return 2.0 * fixed * math.sqrt(dim) * inverse + (2.0 * relative + (dim / 2.0 + 4.0) * ROUNDING)


def squared_length(x: list[Array]) -> Array:
    total = x[0] * x[0]
    for coordinate in x[1:]:
        total = total + coordinate * coordinate
    return total


def squared_distance(x: list[Array], y: list[Array]) -> Array:
    """|x - y|², the statistic of Euclidean distances."""
    return squared_length([a - b for a, b in zip(x, y, strict=True)])


def squared_error(square: Array, error: Any, dim: int) -> Array:
    """By how much `squared_distance` in 32 bits may be off where it is `square`, of points off by `error` in all.

    The distance is off by `error`, its square by 2 |x - y| times that and the square of it; then come the roundings of
    the sum, and of the number that it is compared with.
    """
    return error * (2.0 * jnp.sqrt(square)) + error * error + (dim + 4) * ROUNDING * square


def polynomial(coefficients: Any, x: Array) -> Array:
    """The constant term first."""
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def root(word: Array, degree: int, dtype: Any) -> Array:
    """The uniform number to the power of 1/degree."""
    if jnp.dtype(dtype) == jnp.float64:
        return unit(word, dtype) ** (1.0 / degree)
    return jnp.exp(log(unit(word, dtype)) / degree)


def arcsine(y: Array) -> Array:
    """arcsin y for y from 0 on; y beyond 1, which is rounding, is 1."""
    return jnp.arcsin(jnp.minimum(y, 1.0))
