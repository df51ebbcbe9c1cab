"""Strings of bits: stimuli that differ in a number of binary features."""

import functools
import math
from fractions import Fraction
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array, ArrayLike, Point
from semres_jax.spaces.base import Dimensional, coordinates, real, space, spread, static

# A float32 uniform carries 23 or 24 bits; 16 of them make half a machine word, exactly.
_BITS_PER_UNIFORM = 16


@space
class Hamming(Dimensional):
    """{0, 1}^dim, all strings equally likely; d(x, y) = share of the bits that differ, in {0, 1/dim, ..., 1}.

    Homogeneous with atoms: b(r) = Σ_{k <= r dim} C(dim, k) / 2^dim. Both `distance` and `ball_measure` use the
    correctly rounded quotients k/dim, so r = 0.3 means three bits of ten in either precision. A point is one uint32
    scalar (dim <= 32), or a tuple of as many as it takes.

    Args:
        dim: number of bits, >= 1.

    Raises:
        ValueError: dim not a whole number of at least 1.

    Example:
        >>> from semres_jax import spaces
        >>> float(spaces.Hamming(2).ball_measure(0, 0.5))
        0.75
    """

    dim: Any = static(default=8)
    name: ClassVar[str] = "hamming"
    homogeneous: ClassVar[bool] = True
    discrete: ClassVar[bool] = True
    diameter: ClassVar[Any] = 1.0
    has_ball_measure: ClassVar[bool] = True
    smooth_balls: ClassVar[bool] = True

    @property
    def uniforms(self) -> int:
        return -(-self.dim // _BITS_PER_UNIFORM)

    @property
    def shells(self) -> np.ndarray:
        return np.arange(self.dim + 1) / self.dim

    def point(self, u: ArrayLike) -> Point:
        u = coordinates(self, u)
        halves = []
        for k in range(self.uniforms):
            bits = min(_BITS_PER_UNIFORM, self.dim - k * _BITS_PER_UNIFORM)
            halves.append((u[..., k] * 2.0**bits).astype(jnp.int32).astype(jnp.uint32))
        words = [low | (high << _BITS_PER_UNIFORM) for low, high in zip(halves[::2], halves[1::2], strict=False)]
        words += halves[len(halves) - len(halves) % 2 :]
        return words[0] if len(words) == 1 else tuple(words)

    def distance(self, x: Point, y: Point) -> Array:
        differ = jax.tree.map(lambda a, b: jax.lax.population_count(jnp.bitwise_xor(a, b)).astype(jnp.int32), x, y)
        count = functools.reduce(jnp.add, jax.tree.leaves(differ)).astype(jnp.result_type(float))
        # XLA turns a division by a constant into a product with its rounded inverse: 3/10 would miss 0.3. In two parts,
        # the first short enough that its product is exact, the result is the correctly rounded quotient.
        high, low = _inverse(self.dim, jnp.finfo(count.dtype).nmant + 1)
        return count * high + count * low

    def ball_measure(self, p: Point, r: ArrayLike) -> Array:
        r = real(r)
        steps = jnp.asarray(self.shells.astype(r.dtype))
        counts = np.cumsum([0, *(math.comb(self.dim, k) for k in range(self.dim + 1))], dtype=object)
        cdf = jnp.asarray(np.array([int(c) / 2**self.dim for c in counts]), r.dtype)
        b = cdf[jnp.searchsorted(steps, r, side="right")]
        return spread(b, np.shape(jax.tree.leaves(p)[0]))

    def radius_kinks(self, p: Point) -> tuple[Array, ...]:
        batch = jnp.shape(jax.tree.leaves(p)[0])
        return tuple(spread(jnp.asarray(step, jnp.result_type(float)), batch) for step in self.shells)


def _inverse(dim: int, mantissa: int) -> tuple[float, float]:
    """1/dim as high + low, where k * high is exact in a float of `mantissa` bits for every k <= dim."""
    scale = Fraction(2) ** (mantissa - 2)
    high = Fraction(math.floor(scale / dim)) / scale
    return float(high), float(Fraction(1, dim) - high)
