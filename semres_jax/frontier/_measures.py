"""The two accuracies as functions of the distribution μ of φ = -ln h, for atoms, with their variations.

φ_0 < φ_1 < ... with masses μ_i; h_i = e^{-φ_i}. All sums are over the sorted atoms, in float64.
"""

import math
from typing import NamedTuple

import numpy as np

from semres_jax._types import Accuracy
from semres_jax.laws import reciprocal

# The last atom's share of what is left is 1; its logarithm shall be finite.
_NEARLY_ALL = 1.0 - 2.0**-53


class Program(NamedTuple):
    """What is maximised over μ: F = weight p_S + (1 - weight) p_I for n items and similarities of at least delta."""

    delta: float
    weight: float
    n: int

    @property
    def length(self) -> float:
        """Λ = ln(1 / delta): φ is in [0, Λ]."""
        return -math.log(self.delta)


class Variation(NamedTuple):
    """Accuracies at μ, F and its first variation G there, and the Hessian of weight p_S, at the atoms' places."""

    accuracy: Accuracy
    value: float
    first: np.ndarray
    second: np.ndarray


def similar(x: np.ndarray) -> np.ndarray:
    """σ(-x) = 1 / (1 + e^x), of x >= 0: the chance of the less similar of two items."""
    decayed = np.exp(-x)
    return decayed / (1.0 + decayed)


def slope(x: np.ndarray) -> np.ndarray:
    """σ'(x), of x >= 0."""
    return similar(x) * (1.0 - similar(x))


def accuracy(phi: np.ndarray, mass: np.ndarray, n: int) -> Accuracy:
    """Accuracies of n items, by a sum over nodes s whose relative error is 2e-16; ties share.

        p_I = ∫ e^{-s} T_0^{n-1} ds,   p_S = ∫ Σ_j h_j (T_j^n - T_{j+1}^n) ds,   T_j(s) = Σ_{i>=j} μ_i e^{-s h_i}

    Source: new, of this project.
    """
    nodes = _Nodes(phi, mass, n)
    return Accuracy(nodes.p_s(), nodes.p_i())


def vary(program: Program, phi: np.ndarray, mass: np.ndarray) -> Variation:
    """F and its variations at μ.

    The Hessian is that of weight p_S: p_I is linear for n = 2 and convex for more, so that its tangent lies below it.
    """
    if program.n == 2:
        return _vary_two(program, phi, mass)
    weight, nodes = program.weight, _Nodes(phi, mass, program.n)
    pair = Accuracy(nodes.p_s(), nodes.p_i())
    first = weight * nodes.first_s() + (1 - weight) * nodes.first_i()
    return Variation(pair, weight * pair.p_s + (1 - weight) * pair.p_i, first, weight * nodes.second_s())


def first_variation(program: Program, phi: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """G at the atoms' places; atoms of no mass ask for it elsewhere."""
    nodes = _Nodes(phi, mass, program.n)
    return program.weight * nodes.first_s() + (1 - program.weight) * nodes.first_i()


def _vary_two(program: Program, phi: np.ndarray, mass: np.ndarray) -> Variation:
    """p_S = 1 - Σ μ_i μ_j σ(-|φ_i - φ_j|), p_I = Σ μ_i σ(φ_i)."""
    kernel = similar(np.abs(phi[:, None] - phi))
    lost, identified = kernel @ mass, 1.0 - similar(phi)
    pair = Accuracy(float(1.0 - mass @ lost), float(mass @ identified))
    weight = program.weight
    first = 2 * weight * (1.0 - lost) + (1 - weight) * identified
    return Variation(pair, weight * pair.p_s + (1 - weight) * pair.p_i, first, -2 * weight * kernel)


def bounds_between(program: Program, phi: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """For n = 2, an upper bound of G on every interval between neighbours of φ, which holds all atoms.

    G = 2w ∫ σ(|φ - φ'|) μ(dφ') + (1 - w) σ(φ) has its cusps at atoms and is concave between them, σ being concave on
    [0, ∞): on both halves of an interval it lies below the tangents at their ends.
    """
    middle = (phi[1:] + phi[:-1]) / 2
    at, left, right = _tangents(program, phi, mass, phi)
    at_middle, slope_middle, _ = _tangents(program, phi, mass, middle)
    first = _below_tangents(at[:-1], right[:-1], at_middle, slope_middle, middle - phi[:-1])
    return np.maximum(first, _below_tangents(at_middle, slope_middle, at[1:], left[1:], phi[1:] - middle))


def _tangents(
    program: Program, phi: np.ndarray, mass: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """G at x, and its slopes to the left and to the right."""
    away = x[:, None] - phi
    lost = similar(np.abs(away))
    weight, turned = program.weight, lost * (1.0 - lost)
    inner, own = (np.sign(away) * turned) @ mass, (away == 0) @ mass / 4
    pull = (1 - weight) * slope(x)
    value = 2 * weight * (1.0 - lost @ mass) + (1 - weight) * (1.0 - similar(x))
    return value, 2 * weight * (inner - own) + pull, 2 * weight * (inner + own) + pull


def _below_tangents(
    start: np.ndarray, rising: np.ndarray, end: np.ndarray, falling: np.ndarray, width: np.ndarray
) -> np.ndarray:
    """The largest value that a concave function with these end values and end slopes can take."""
    inside = (rising > 0) & (falling < 0)
    turn = np.where(inside, rising - falling, 1.0)
    crossing = start + rising * np.clip((end - start - falling * width) / turn, 0.0, width)
    return np.where(inside, np.maximum(crossing, np.maximum(start, end)), np.maximum(start, end))


class _Nodes:
    """The sums over nodes s, once for the value and its variations."""

    def __init__(self, phi: np.ndarray, mass: np.ndarray, n: int):
        # 1 / x for sums x of n similarities, from n e^{-φ_last} to n.
        least = n * math.exp(-float(phi[-1]))
        s, weight = reciprocal.nodes(math.exp(float(phi[-1])))
        self.n, self.s, self.weight = n, s / least, weight / least
        self.h = np.exp(-phi)
        self.decay = np.exp(-self.s[:, None] * self.h)
        # T_j, from the last atom up, and the share of it that the atom itself has.
        own = self.decay * mass
        self.beyond = np.cumsum(own[:, ::-1], axis=1)[:, ::-1]
        share = own / np.maximum(self.beyond, np.finfo(float).tiny)
        self.rest = np.log1p(-np.minimum(share, _NEARLY_ALL))

    def _falls(self, power: int) -> np.ndarray:
        """h_j (T_j^power - T_{j+1}^power), without cancellation: small h_j meet nodes as large as 1 / h_j."""
        return -self.h * self.beyond**power * np.expm1(power * self.rest)

    def _led(self, power: int) -> np.ndarray:
        """h_i T_i^power + Σ_{j<i} h_j (T_j^power - T_{j+1}^power), by node and i."""
        falls = self._falls(power)
        return self.h * self.beyond**power + np.cumsum(falls, axis=1) - falls

    def p_s(self) -> float:
        return float(self.weight @ self._falls(self.n).sum(axis=1))

    def p_i(self) -> float:
        return float((self.weight * np.exp(-self.s)) @ self.beyond[:, 0] ** (self.n - 1))

    def first_s(self) -> np.ndarray:
        return self.n * (self.weight @ (self.decay * self._led(self.n - 1)))

    def first_i(self) -> np.ndarray:
        weighted = self.weight * np.exp(-self.s) * self.beyond[:, 0] ** (self.n - 2)
        return (self.n - 1) * (weighted @ self.decay)

    def second_s(self) -> np.ndarray:
        upper = np.triu((self.decay * self._led(self.n - 2) * self.weight[:, None]).T @ self.decay)
        return self.n * (self.n - 1) * (upper + np.triu(upper, 1).T)
