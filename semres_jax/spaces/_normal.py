"""Standard normal numbers from uniform ones: the inverse distribution function, as vector instructions.

XLA's `erf_inv` in 64 bits calls a scalar logarithm, number by number, and is good to 1e-11 in its tail; on a CPU it is
most of the time that points on spheres take. Here everything is multiplications, additions, one division and one root.
"""

import math

import jax
import jax.numpy as jnp

from semres_jax._types import Array

# Rational approximations of M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution",
# Applied Statistics 37 (1988), PPND16: relative error 1e-16. In q² around the middle, in the root of -ln p beyond it.
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_SIDE = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_TAIL = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip
_HALF_WIDTH, _FAR = 0.425, 5.0
# ln m = 2 atanh s = 2 Σ s^(2k+1)/(2k+1) with s² below 0.0295: the next term is 7e-19.
_ATANH = tuple(1.0 / (2 * k + 1) for k in range(11))


def normal(u: Array) -> Array:
    """Standard normal numbers from uniforms on [0, 1), elementwise; finite at 0, never exactly 0.

    The grid of floats u is moved to the middle of its cells by half a unit of the last place of 1: exact in both
    precisions, symmetric, and its ends are the first and last cell instead of minus infinity.
    """
    half_cell = 0.25 * float(jnp.finfo(u.dtype).eps)
    if u.dtype == jnp.float64:
        return _from_centred((u - 0.5) + half_cell)
    return math.sqrt(2.0) * jax.lax.erf_inv(2.0 * ((u - 0.5) + half_cell))


@jax.custom_jvp
def _from_centred(q: Array) -> Array:
    """The normal number below which there is the share 1/2 + q, for q in (-1/2, 1/2) in 64 bits."""
    least = 0.5 - jnp.abs(q)  # the smaller of the two shares
    root = jnp.sqrt(-log(least))
    central, near = jnp.abs(q) <= _HALF_WIDTH, root <= _FAR
    pairs = (_rational(_CENTRE, _HALF_WIDTH**2 - q * q), _rational(_SIDE, root - 1.6), _rational(_TAIL, root - _FAR))
    over, under = (jnp.where(central, c, jnp.where(near, s, t)) for c, s, t in zip(*pairs, strict=True))
    return jnp.where(central, q, jnp.sign(q)) * (over / under)


@_from_centred.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    z = _from_centred(*primals)
    return z, tangents[0] * math.sqrt(2.0 * math.pi) * jnp.exp(0.5 * z * z)


def _rational(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> tuple[Array, Array]:
    return _horner(coefficients[0], x), _horner(coefficients[1], x)


def _horner(coefficients: tuple[float, ...], x: Array) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def log(x: Array) -> Array:
    """Natural logarithm of normal positive float64 numbers, to two units of the last place of it or of 1."""
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    # x = m 2^e with m from 1/sqrt 2 to sqrt 2
    shifted = bits - jnp.int64(0x3FE6A09E667F3BCD)
    e = shifted >> 52
    m = jax.lax.bitcast_convert_type(bits - (e << 52), jnp.float64)
    s = (m - 1.0) / (m + 1.0)
    return e.astype(jnp.float64) * math.log(2.0) + 2.0 * s * _horner(_ATANH, s * s)
