"""p_S of wholes by slots of any similarity: nearest by the largest distance over homogeneous, continuous features.

What is needed of an item whose largest distance D is at most r is a product over slots, each with its own d_s <= r, and
so follows its derivative by r. With u = -ln g and strengths that multiply, two items have

    g/(g + g') = 1/2 - tanh((u - u')/2)/2,   tanh(z/2) = 2 ∫_0^∞ sin(ωz)/sinh(πω) dω,
    p_S = 1/2 - 2 ∫ dω/sinh(πω) ∫ Im[∂_r Ψ(ω, r) (Ψ(ω, ∞) - Ψ(ω, r))*] dr,   Ψ(ω, r) = Π_s E[e^{iωu_s}; d_s <= r],

and strengths that add up, of any number of items,

    p_S = n ∫ ds ∫ ∂_r E[g e^{-sg}; D <= r] E[e^{-sg}; D > r]^{n-1} dr + P(all g = 0)/n,

where items without strength are counted apart. Source: new, of this project. On the host, in float64.
"""

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from semres_jax.laws import _panels, _slot_laws
from semres_jax.laws.reciprocal import node

# Numbers of one chunk, in frequencies or in s, at all nodes of distances; nats of u that are integrated over.
_NUMBERS, _DEEPEST = 2**21, 3000.0
# Steps in ln s; where e^{-x} and 1/sinh(πω) have ended.
_STEP, _LAST, _HIGHEST = 0.25, 38.0, 12.5
# Frequencies at which panels of distances are tested, each in proportion to what it counts for.
_TESTED = (1.0, 3.0, 6.0, 10.0)


class _Nodes(NamedTuple):
    """Panels of distances, in order, (P, nodes) each."""

    slopes: list[np.ndarray]  # of every slot: db/dt, t being the variable of the rule on [-1, 1]
    depths: list[np.ndarray]  # u, 0 where g = 0
    alive: list[np.ndarray]  # whether g > 0


def nearest(
    factors: Sequence[Any], probes: Sequence[Any], slots: Sequence[Any], aggregate: str, n: int, power: float
) -> float:
    """p_S of wholes.

    Args:
        factors: homogeneous continuous spaces with a ball measure.
        probes: a point of each.
        slots: a similarity for each.
        aggregate: "product", of two items only, or "mean".
        n: number of items.
        power: Luce exponent; 1 where the aggregate is a mean.

    Raises:
        ValueError: ln(1/g) is larger than can be integrated over.
    """
    at = _nodes(factors, probes, slots, aggregate, n, power)
    deepest = [float(u.max()) for u in at.depths]
    depth = sum(deepest) if aggregate == "product" else max(deepest)
    if depth > _DEEPEST:
        raise ValueError(
            f"p_S of wholes by slots is integrated where ln(1/g) is at most {_DEEPEST:g}; here it reaches {depth:.4g} "
            "(use semres_jax.estimate, or a floor)"
        )
    return float(_of_product(at, depth)) if aggregate == "product" else _of_mean(at, depth, n)


def _nodes(factors: Any, probes: Any, slots: Any, aggregate: str, n: int, power: float) -> _Nodes:
    count = len(factors)
    with jax.enable_x64(True):
        kinks = [[float(r) for r in factor.radius_kinks(p)] for factor, p in zip(factors, probes, strict=True)]
    farthest = max(r for own in kinks for r in own)
    ends = [0.0, *(r for own in kinks for r in own)]
    ends += [float(r) for slot in slots for r in slot.kinks() if 0 < float(r) < farthest]

    def values(d: np.ndarray) -> np.ndarray:
        balls = [_slot_laws.ball(factor, p, d) for factor, p in zip(factors, probes, strict=True)]
        depths = [-_slot_laws.log_strengths(slot, d, power) for slot in slots]
        return np.stack([np.mean(balls, axis=0), d, *balls, *depths])

    def tests(values: np.ndarray) -> Iterator[np.ndarray]:
        balls, depths = values[2 : 2 + count], values[2 + count :]
        within = np.prod(balls, axis=0)
        yield from balls
        yield within * np.maximum(1.0 - within, 0.0) ** (n - 1)
        for u in np.where(np.isinf(depths), 0.0, depths):
            if aggregate == "mean":
                yield np.exp(-_LAST * np.exp(u.min(axis=-1, keepdims=True) - u))
            else:
                for omega in _TESTED:
                    yield np.exp(-np.pi * omega) * np.cos(omega * u)
                    yield np.exp(-np.pi * omega) * np.sin(omega * u)

    made = _slot_laws.resolved(ends, values, tests)
    made = made[:, np.argsort(made[1, :, 0], kind="stable")]
    depths = made[2 + count :]
    alive = np.isfinite(depths)
    weights = _rule()[0]
    slopes = [np.maximum(_slot_laws.slopes(b), 0.0) / weights for b in made[2 : 2 + count]]
    return _Nodes(slopes, list(np.where(alive, depths, 0.0)), list(alive))


@functools.cache
def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Weights of t on [-1, 1], and the matrix of values at nodes to integrals from -1 to each."""
    *_, weights, beyond = _panels.running_rule(_slot_laws.NODES)
    return 2 * weights, 2 * (weights[None] - beyond)


def _running(density: np.ndarray) -> tuple[np.ndarray, Any]:
    """Integrals of (P, nodes, ...) densities by t: up to each node, and in all."""
    weights, below = _rule()
    panels = np.tensordot(density, weights, axes=(1, 0))
    before = np.cumsum(panels, axis=0) - panels
    return before[:, None] + np.moveaxis(np.tensordot(density, below, axes=(1, 1)), -1, 1), panels.sum(axis=0)


def _whole(densities: Iterable[np.ndarray]) -> tuple[Any, Any, Any]:
    """Of the densities of all slots: their product up to each distance, its derivative, and the product in all."""
    value, slope, total = 1.0, 0.0, 1.0
    for density in densities:
        up_to, whole = _running(density)
        value, slope, total = value * up_to, slope * up_to + value * density, total * whole
    return value, slope, total


def _integral(values: np.ndarray) -> Any:
    """∫ by t over all panels of (P, nodes, ...) values."""
    return np.tensordot(values, _rule()[0], axes=(1, 0)).sum(axis=0)


def _of_product(at: _Nodes, depth: float) -> float:
    b, _, _ = _whole(at.slopes)
    alive, alive_slope, some = _whole([slope * here for slope, here in zip(at.slopes, at.alive, strict=True)])
    none = 1.0 - some
    dead_beyond = none - (b - alive)
    total = some**2 / 2 + none**2 / 2 + 2 * float(_integral(alive_slope * dead_beyond))
    # The poles of 1/sinh(πω) at ±i make the sum wrong by e^{depth - 2π/step}.
    step = 2 * np.pi / (depth + 42.0)
    frequencies = (np.arange(math.ceil(_HIGHEST / step)) + 0.5) * step
    for omega in _chunks(frequencies, at):
        waves = [
            (slope * here)[..., None] * np.exp(1j * depths[..., None] * omega)
            for slope, depths, here in zip(at.slopes, at.depths, at.alive, strict=True)
        ]
        nearer, density, whole = _whole(waves)
        ordered = _integral((density * np.conj(whole - nearer)).imag)
        total -= 2 * step * float((ordered / np.sinh(np.pi * omega)).sum())
    return total


def _of_mean(at: _Nodes, depth: float, n: int) -> float:
    dead = [slope * ~here for slope, here in zip(at.slopes, at.alive, strict=True)]
    *_, none = _whole(dead)
    total, count = float(none) ** n / n, len(at.slopes)
    depth += math.log(count)
    steps = 2 + math.ceil(math.log(1e6 * n) / _STEP) + math.ceil((3.62 + depth) / _STEP)
    log_s, ratio = node(np.arange(steps), n, _STEP)
    for log, share in zip(_chunks(log_s, at), _chunks(ratio, at), strict=True):
        # Value and derivative by r of E[e^{-sg}; D <= r] and, with a bar, of s E[g e^{-sg}; D <= r].
        value, slope, bar, bar_slope, whole = 1.0, 0.0, 0.0, 0.0, 1.0
        for of_slot, depths, here in zip(at.slopes, at.depths, at.alive, strict=True):
            x = np.exp(np.minimum(log - depths[..., None] - math.log(count), 7.0)) * here[..., None]
            density = of_slot[..., None] * np.exp(-x)
            weighted = density * x
            (up_to, all_of_it), (with_x, _) = _running(density), _running(weighted)
            bar_slope = bar_slope * up_to + bar * density + slope * with_x + value * weighted
            bar = bar * up_to + value * with_x
            slope, value, whole = slope * up_to + value * density, value * up_to, whole * all_of_it
        farther = np.maximum(whole - value, 0.0) ** (n - 1)
        total += n * float((share * _integral(bar_slope * farther)).sum())
    return total


def _chunks(values: np.ndarray, at: _Nodes) -> list[np.ndarray]:
    """Values in chunks that fit into memory at all nodes."""
    size = max(1, _NUMBERS // at.depths[0].size)
    return [values[k : k + size] for k in range(0, len(values), size)]
