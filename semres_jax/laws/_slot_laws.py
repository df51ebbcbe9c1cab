"""Laws of the strengths of slots, and p_I of wholes by products and means of them, for any similarity.

Given the probe, the distance in a feature has the distribution function b_p, and a rule over it makes the law of a slot
one of finitely many strengths g with weights w. All is made of losses, 1 - E e^{-tg} = Σ w (1 - e^{-tg}): a power of
n - 1 items keeps the digits that count. On the host, in float64.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete
from semres_jax._surroundings import at_once
from semres_jax.laws import _panels, _probes
from semres_jax.laws._setting import FINE, probes_of
from semres_jax.laws.reciprocal import nodes
from semres_jax.spaces.base import MetricSpace

# Distances at once, so that programs are few; nodes of a panel; how often panels are halved; the t where e^{-t} ends.
_CHUNK, NODES, _HALVINGS, _LAST = 2048, 24, 40, 38.0
# What a panel may do to an expectation.
_TOLERANCE = 1e-15
# Nodes of polynomials in t on [0, _LAST] that e^{-tg}, 0 <= g <= 1, is one of.
_DEGREE = 96
# Probes of several slots together, at most, where each combination is an integral of its own.
_MOST_PROBES = 100_000


class Law(NamedTuple):
    """The law of a slot's strength, given the probe."""

    strength: np.ndarray  # (m,)
    weight: np.ndarray  # (m,)


class Slot(NamedTuple):
    """The laws of a slot for all probes of its feature."""

    chance: np.ndarray  # (q,) weights of the probes
    laws: tuple[Law, ...]


def slot(factor: MetricSpace, similarity: Any, exponent: float) -> Slot:
    """The laws of a slot of a single similarity to a power, on the space of its feature; items independent.

    Raises:
        ValueError: a continuous space without a ball measure that can be integrated.
    """
    with at_once(), jax.enable_x64(True):
        if factor.size is not None:
            return _finite(factor, similarity, exponent)
        if not _probes.applies(factor):
            raise ValueError(
                f"no exact law of the distances in {factor.label}: it has no ball measure, or one that depends on the "
                "probe in too many ways; use semres_jax.estimate"
            )
        if factor.homogeneous:
            v, chance = np.zeros((1, 0)), np.ones(1)
        else:
            member = jax.tree.map(jnp.asarray, similarity)
            v, chance = map(np.asarray, probes_of(factor, member, jnp.asarray(exponent, jnp.float64), FINE))
        points = factor.probe(jnp.asarray(v))
        probes = [jax.tree.map(lambda x, i=i: x[i], points) for i in range(len(chance))]
        return Slot(chance, tuple(_law(factor, p, similarity, exponent) for p in probes))


def _finite(factor: MetricSpace, similarity: Any, exponent: float) -> Slot:
    table = concrete(factor.distances)
    if table is None:
        raise ValueError(f"{factor.label} has no known table of distances; use semres_jax.estimate")
    weights = concrete(factor.weights)
    chance = np.full(len(table), 1.0 / len(table)) if weights is None else weights / weights.sum(dtype=np.float64)
    g = strengths(similarity, table.ravel(), exponent).reshape(table.shape)
    return Slot(chance, tuple(Law(row, chance) for row in g))


def strengths(similarity: Any, d: np.ndarray, exponent: float) -> np.ndarray:
    """g(d)^a of (m,) distances."""
    return np.exp(log_strengths(similarity, d, exponent))


def log_strengths(similarity: Any, d: np.ndarray, exponent: float) -> np.ndarray:
    """ln g(d)^a of (m,) distances, -inf where it is 0."""
    log = _padded(lambda r: _log(similarity, r), d)
    return np.where(np.isneginf(log), -np.inf if exponent > 0 else 0.0, exponent * np.where(log < 0, log, 0.0))


@jax.jit
def _log(similarity: Any, d: Any) -> Any:
    return similarity.log(d)


@jax.jit
def _ball(factor: MetricSpace, p: Any, d: Any) -> Any:
    return factor.ball_measure(p, d)


def _padded(f: Callable[[Any], Any], d: np.ndarray) -> np.ndarray:
    """f of distances in arrays of one length: a program for all of them."""
    with jax.enable_x64(True):
        d = np.asarray(d, np.float64)
        wide = np.concatenate([d, np.zeros(-len(d) % _CHUNK)])
        return np.concatenate([np.asarray(f(part)) for part in wide.reshape(-1, _CHUNK)])[: len(d)]


def ball(factor: MetricSpace, p: Any, d: np.ndarray) -> np.ndarray:
    """b_p of (m,) distances."""
    return _padded(lambda r: _ball(factor, p, r), d)


def _law(factor: MetricSpace, p: Any, similarity: Any, exponent: float) -> Law:
    if factor.discrete and factor.shells is not None:
        d = np.sort(np.asarray(factor.shells, np.float64))
        return Law(strengths(similarity, d, exponent), np.diff(ball(factor, p, d), prepend=0.0))
    kinks = [float(r) for r in factor.radius_kinks(p)]
    ends = [0.0, *kinks, *(float(r) for r in similarity.kinks() if 0 < float(r) < max(kinks))]

    def values(d: np.ndarray) -> np.ndarray:
        return np.stack([ball(factor, p, d), strengths(similarity, d, exponent)])

    def tests(values: np.ndarray) -> Iterable[np.ndarray]:
        return values[0], values[1], np.exp(-_LAST * values[1])

    b, g = resolved(ends, values, tests)
    weight = np.maximum(slopes(b), 0.0).ravel()
    return Law(g.ravel(), weight / weight.sum())


def resolved(
    ends: Sequence[float], values: Callable[[np.ndarray], np.ndarray], tests: Callable[[np.ndarray], Any]
) -> np.ndarray:
    """(k, P, nodes) values at nodes of panels between `ends`, halved until the tests are polynomials there.

    A square root at either end of a panel is smooth in the variable of the rule. The first value is a distribution
    function: where it doesn't grow, nothing needs to be resolved.
    """
    x, *_ = _panels.running_rule(NODES)
    cuts = np.unique(np.asarray(ends))
    panels = np.stack([cuts[:-1], cuts[1:]], axis=1)
    done: list[np.ndarray] = []
    for halving in range(_HALVINGS):
        d = panels[:, :1] + np.diff(panels, axis=1) * x[None]
        of_panels = values(d.ravel())
        of_panels = of_panels.reshape(len(of_panels), *d.shape)
        tails = np.max([_tail(test) for test in tests(of_panels)], axis=0)
        # What is left after all halvings is narrower than anything that counts.
        good = (tails * np.ptp(of_panels[0], axis=1) <= _TOLERANCE) | (halving == _HALVINGS - 1)
        done.append(of_panels[:, good])
        if good.all():
            break
        middle = panels[~good].mean(axis=1)
        low, high = panels[~good].T
        panels = np.concatenate([np.stack([low, middle], axis=1), np.stack([middle, high], axis=1)])
    return np.concatenate(done, axis=1)


@functools.cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    """(nodes, nodes) matrices of values at Gauss nodes: to Legendre coefficients, and to weights times slopes."""
    t, weights = np.polynomial.legendre.leggauss(NODES)
    k = np.arange(NODES)
    to_coefficients = (2 * k[:, None] + 1) / 2 * np.polynomial.legendre.legvander(t, NODES - 1).T * weights[None]
    slope = np.stack([np.polynomial.legendre.legval(t, np.polynomial.legendre.legder(row)) for row in np.eye(NODES)])
    return to_coefficients, weights[:, None] * slope.T @ to_coefficients


def _tail(values: np.ndarray) -> np.ndarray:
    """(P,) how much of (P, nodes) values the polynomial through them may miss."""
    return np.abs(values @ _legendre()[0].T)[:, -4:].max(axis=1)


def slopes(b: np.ndarray) -> np.ndarray:
    """(P, nodes) weights of ∫ · db of (P, nodes) values of a distribution function b."""
    return b @ _legendre()[1].T


def mean_identification(slots: Sequence[Slot], n: int) -> float:
    """p_I of the mean of slots: ∫ e^{-t} Π_s E_p[(E e^{-t g_s / S})^{n-1}] dt."""
    t, weight = nodes(n)
    log = np.zeros_like(t)
    for own in slots:
        powers = [np.exp((n - 1) * np.log1p(-_loss(law, t / len(slots)))) for law in own.laws]
        log += np.log(own.chance @ np.stack(powers))
    return float(weight @ np.exp(log - t))


def _loss(law: Law, t: np.ndarray) -> np.ndarray:
    """1 - E e^{-tg} of (T,) t."""
    return -np.expm1(-t[:, None] * law.strength[None]) @ law.weight


def product_identification(slots: Sequence[Slot], n: int, steps: dict[int, np.ndarray] | None = None) -> float:
    """p_I of the product of slots; `steps` keeps the matrices of laws, by `id`, for further calls with these.

    φ_k(t) = (1 - E e^{-t g_1 ... g_k}) / t is entire, and φ_{k+1}(t) = E[g φ_k(g t)]: on [0, 38], where e^{-t} ends, a
    polynomial through Chebyshev's points becomes another one, by a matrix for each slot and probe.

    Raises:
        ValueError: more combinations of probes than can be summed, which only n > 2 needs.
    """
    t = _LAST * (1.0 + _chebyshev()[0]) / 2
    states, chance = (-np.expm1(-t) / t)[:, None], np.ones(1)
    if n == 2:  # linear: the average over probes is a law
        slots = [averaged(own) for own in slots]
    if (count := np.prod([len(own.laws) for own in slots], dtype=float)) > _MOST_PROBES:
        raise ValueError(
            f"products of slots with n = {n} items are integrated over all combinations of probes, at most "
            f"{_MOST_PROBES:,} of them; got {count:,.0f} (use n = 2, the mean, or semres_jax.estimate)"
        )
    matrices = {} if steps is None else steps
    for own in slots:
        for law in own.laws:
            if id(law) not in matrices:
                matrices[id(law)] = _step(law, t)
        states = np.concatenate([matrices[id(law)] @ states for law in own.laws], axis=1)
        chance = np.outer(own.chance, chance).ravel()
    s, weight = nodes(n)
    s = np.minimum(s, _LAST)
    values = np.polynomial.chebyshev.chebvander(2 * s / _LAST - 1, _DEGREE - 1) @ (_chebyshev()[1] @ states)
    powers = np.exp((n - 1) * np.log1p(-np.clip(s[:, None] * values, 0.0, 1.0)))
    return float(weight @ (np.exp(-s) * (powers @ chance)))


def averaged(own: Slot) -> Slot:
    """The slot for a probe that is not known, of a single law."""
    if len(own.laws) == 1:
        return own
    weight = np.concatenate([chance * law.weight for chance, law in zip(own.chance, own.laws, strict=True)])
    strength, place = np.unique(np.concatenate([law.strength for law in own.laws]), return_inverse=True)
    return Slot(np.ones(1), (Law(strength, np.bincount(place, weight)),))


@functools.cache
def _chebyshev() -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev's points on [-1, 1], and the matrix of values there to coefficients."""
    angle = np.pi * (np.arange(_DEGREE) + 0.5) / _DEGREE
    matrix = 2 / _DEGREE * np.cos(np.arange(_DEGREE)[:, None] * angle[None])
    matrix[0] /= 2
    return np.cos(angle), matrix


def _step(law: Law, t: np.ndarray) -> np.ndarray:
    """The matrix of φ_k at the points t to φ_{k+1}."""
    total = np.zeros((len(t), _DEGREE))
    for strength, weight in _chunks(law):
        x = 2 * t[:, None] * strength[None] / _LAST - 1
        before, here = np.ones_like(x), x
        moment = weight * strength
        for k in range(_DEGREE):  # Chebyshev polynomials one by one
            total[:, k] += before @ moment
            before, here = here, 2 * x * here - before
    return total @ _chebyshev()[1]


def _chunks(law: Law) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    cuts = [*range(0, len(law.strength), _CHUNK), len(law.strength)]
    return [(law.strength[a:b], law.weight[a:b]) for a, b in itertools.pairwise(cuts)]
