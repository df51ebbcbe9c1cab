"""Strengths of items, a ln g(d; ε, Δ), with their slopes and bends in ln ε, logit Δ and ln a.

With u = ln g0, x = u - logit Δ and w = 1 / (1 + exp(-x)), the share of g that is not floor: ln g = ln(1 - Δ) +
ln(exp u + exp logit Δ), ∂ ln g = w ∂u in what u depends on, and 1 - w - Δ in logit Δ. What is not written out here,
such as a similarity of a user's own, is differentiated by JAX.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax.similarity import Constant, Exponential, Family, Gaussian, Linear, PowerLaw

# Kinds whose likelihood is smooth in ε, and those where it has steps or kinks at the distances and nowhere else. Of
# others, such as a user's own, nothing is known.
SMOOTH, WINDOWED = (Exponential, Gaussian, PowerLaw), (Constant, Linear)
# A logit that is less is that of no floor.
_NONE = -700.0
_ZERO = np.zeros((1, 1, 1))
# Rows of θ that go through a compiled program together, and numbers of items that it is compiled for.
_ROWS, _SIZES = 16, (1 << 8, 1 << 10, 1 << 12)
# A call of a program costs as much as so many items more: measured, with 16 rows, 1.1, 4.2 and 16.6 ms for these sizes.
_CALL = 20


class Strengths:
    """Of the items of t trials at B rows of θ, as kinds that are written out have them.

    Attributes:
        value: (n, B, t) a ln g, 0 where g = 0.
        positive: where g > 0; True: everywhere.
        slopes: of the values in ln ε, logit Δ and ln a, (n, B, t) or what broadcasts to it.
    """

    def __init__(
        self,
        value: np.ndarray,
        slopes: list[np.ndarray],
        floor: tuple[np.ndarray, np.ndarray],
        *,
        positive: Any = True,
        turn: tuple[float, Any] = (-1.0, None),
        own: Any = None,
    ):
        self.value, self.positive, self.slopes = value, positive, slopes
        self._delta, self._power = (number[:, 0] for number in floor)
        # Of the second slope of ln g0 in ln ε, over the first, with the first: a number, and what is added to it.
        self._turn = turn
        # ln g0, where the exponent is its own and not Luce's.
        self._own = own

    def bend(self, hessian: np.ndarray, rest: np.ndarray, gradient: np.ndarray, used: list[int]) -> None:
        """Add Σ rest · ∂²value to the upper half of Hessians (B, P, P); gradients (B, P) hold Σ rest · ∂value."""
        power = self._power
        turned = {j: rest * self.slopes[j] for j in used}

        def sums(j: int, factor: np.ndarray) -> np.ndarray:
            return np.vecdot(turned[j], factor).sum(0)

        if 0 in used:
            same, more = self._turn
            hessian[:, 0, 0] += same * gradient[:, 0] - sums(0, self.slopes[0]) / power
            if more is not None:
                hessian[:, 0, 0] += sums(0, more)
        if 1 in used:
            hessian[:, 1, 1] += (1 - 2 * self._delta) * gradient[:, 1] - sums(1, self.slopes[1]) / power
            for j in used:
                if j == 0 or (j == 2 and self._own is not None):
                    low, high = sorted((j, 1))
                    hessian[:, low, high] -= self._delta * gradient[:, j] + sums(1, self.slopes[j]) / power
        if 2 in used:
            for j in used:
                if self._own is None:
                    hessian[:, j, 2] += gradient[:, j]
                elif j != 1:
                    hessian[:, j, 2] += gradient[:, j] + sums(j, self._own) - sums(j, self.slopes[2])


class _Differentiated(Strengths):
    """As JAX has them: bends are arrays."""

    def __init__(self, value: np.ndarray, positive: np.ndarray, slopes: np.ndarray, bends: np.ndarray):
        self.value, self.positive, self.slopes, self._bends = value, positive, list(slopes), bends

    def bend(self, hessian: np.ndarray, rest: np.ndarray, gradient: np.ndarray, used: list[int]) -> None:
        for j in used:
            for k in used[used.index(j) :]:
                hessian[:, j, k] += np.vecdot(rest, self._bends[j, k]).sum(0)


def of(
    theta: np.ndarray, own: tuple[np.ndarray, ...], d: np.ndarray, family: Family, used: Sequence[int] = (0, 1, 2)
) -> Strengths:
    """Strengths of items at distances d (n, 1, t), for (B, P) θ and its `numbers`; slopes that aren't used may be 0."""
    if family.kind in SMOOTH:
        return _decaying(own, d, family, used)
    if family.kind in WINDOWED:
        return _ending(own, d, family, used)
    return _differentiated(theta, d, family)


def numbers(theta: np.ndarray) -> tuple[np.ndarray, ...]:
    """ε, Δ, 1 - Δ, logit Δ, -∞ if there is no floor, and a of (B, P), each (B, 1)."""
    log_epsilon, logit, log_power = (theta[:, k, None] for k in range(3))
    small = np.exp(-abs(logit))
    low, high = small / (1 + small), 1 / (1 + small)
    up = logit > 0
    logit = np.where(logit < _NONE, -np.inf, logit)
    return np.exp(log_epsilon), np.where(up, high, low), np.where(up, low, high), logit, np.exp(log_power)


def _decaying(own: tuple[np.ndarray, ...], d: np.ndarray, family: Family, used: Sequence[int]) -> Strengths:
    epsilon, delta, _, logit, power = own
    free = family.kind is PowerLaw and not family.fixed  # its own exponent and Luce's are one
    ratio = d * (1 / epsilon)
    if family.kind is Exponential:
        below, by_epsilon, turn = -ratio, ratio, (-1.0, ratio)
    elif family.kind is Gaussian:
        square = ratio * ratio
        below, by_epsilon, turn = -0.5 * square, square, (-2.0, square)
    else:
        decay = power if free else float(dict(family.fixed)["exponent"])
        below, share = -decay * np.log1p(ratio), ratio / (1 + ratio)
        by_epsilon = decay * share
        turn = (-1.0, by_epsilon + share)
    luce = np.ones_like(power) if free else power
    value, share, by_delta = below, 1.0, _ZERO
    if np.isfinite(logit).any():
        above = below - logit
        small = np.exp(-abs(above))
        value = np.maximum(below, logit)
        value += np.log1p(small)
        value -= np.logaddexp(0.0, logit)
        high = 1 / (1 + small)
        small *= high
        above = above > 0
        share = np.where(above, high, small)
        if 1 in used:
            by_delta = np.where(above, small, high)
            by_delta -= delta
    if (luce != 1).any():
        value, share, by_delta = value * luce, share * luce, by_delta * luce
    slopes = [by_epsilon * share if 0 in used else _ZERO, by_delta, below * share if free and 2 in used else value]
    return Strengths(value, slopes, (delta, luce), turn=turn, own=below if free else None)


def _ending(own: tuple[np.ndarray, ...], d: np.ndarray, family: Family, used: Sequence[int]) -> Strengths:
    epsilon, delta, rest, _, power = own
    ratio = None if family.kind.steps else d / epsilon
    near = (d <= epsilon) * 1.0 if ratio is None else np.maximum(1.0 - ratio, 0.0)
    g = np.where(near > 0, 1.0, delta) if ratio is None else delta + rest * near
    positive = True
    if not delta.all():
        positive = g > 0
        g[~positive] = 1.0
    value, by_epsilon, by_delta = np.log(g), _ZERO, _ZERO
    if (power != 1).any():
        value *= power
    if 1 in used:
        by_delta = (1.0 - near) * (power * delta * rest)
        by_delta /= g
    if 0 in used and ratio is not None:
        by_epsilon = ratio * (power * rest)
        by_epsilon /= g
        by_epsilon *= near > 0
    return Strengths(value, [by_epsilon, by_delta, value], (delta, power), positive=positive)


def log_strength(theta: Any, d: Any, family: Family) -> tuple[Any, Any]:
    """a ln g(d) at (ln ε, logit Δ, ln a), 0 where g = 0, and whether g > 0; in JAX."""
    log = family(jnp.exp(theta[0]), jax.nn.sigmoid(theta[1])).log(d)
    positive = log > -jnp.inf
    return jnp.exp(theta[2]) * jnp.where(positive, log, 0.0), positive


@partial(jax.jit, static_argnames="family")
def _compiled(theta: Any, d: Any, *, family: Family) -> Any:
    """Values and whether g > 0 (B, m), slopes (3, B, m) and bends (3, 3, B, m) at (B, 3) and (m,)."""

    def value(theta: Any, distance: Any) -> Any:
        strength, positive = log_strength(theta, distance, family)
        return strength, (strength, positive)

    def slopes(theta: Any, distance: Any) -> Any:
        # Forward: a kind of one's own may have no other slopes.
        slope, rest = jax.jacfwd(value, has_aux=True)(theta, distance)
        return slope, (*rest, slope)

    def all_of(theta: Any, distance: Any) -> Any:
        bend, rest = jax.jacfwd(slopes, has_aux=True)(theta, distance)
        return *rest, bend

    got = jax.vmap(jax.vmap(all_of, (None, 0)), (0, None))(theta, d)
    return [jnp.moveaxis(x, (0, 1), (-2, -1)) for x in got]


def _differentiated(theta: np.ndarray, d: np.ndarray, family: Family) -> Strengths:
    """Through programs of few sizes, for all numbers of rows and trials."""
    flat, rows = d.ravel(), len(theta)
    width = min(_SIZES, key=lambda size: -(-len(flat) // size) * (size + _CALL))
    padded = np.resize(flat, (-(-len(flat) // width), width))
    places = np.minimum(np.arange(-(-rows // _ROWS) * _ROWS), rows - 1).reshape(-1, _ROWS)
    with jax.enable_x64(True):
        parts = [[_compiled(theta[place, :3], some, family=family) for some in padded] for place in places]
    arrays = []
    for k in range(4):
        whole = np.concatenate([np.concatenate([got[k] for got in row], axis=-1) for row in parts], axis=-2)
        whole = whole[..., :rows, : len(flat)]
        arrays.append(np.swapaxes(whole.reshape(*whole.shape[:-1], len(d), -1), -3, -2))
    return _Differentiated(*arrays)
