"""The best similarity function there is for a given floor: an optimum over all of them, with a certificate.

On a homogeneous space without atoms u = b(d) is uniform on [0, 1], so a similarity is a non-increasing h(u) in [Δ, 1].
Accuracies depend on the distribution μ of φ = -ln h alone, and every μ on [0, Λ], Λ = ln(1/Δ), is that of some h:
optimising over similarities is optimising over probability measures on an interval.
"""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import require_count
from semres_jax._types import Accuracy, ArrayLike
from semres_jax.execution import Execution
from semres_jax.frontier import _climb, _measures
from semres_jax.frontier._climb import GAP as GAP
from semres_jax.frontier._measures import Program
from semres_jax.similarity import Tabulated
from semres_jax.spaces import MetricSpace

# Closer together at both ends, where a small change of weight moves the optimum most.
WEIGHTS = (*(math.sin(math.pi * i / 40) ** 2 for i in range(20)), 1.0)
_COARSE = 65
# Starts whose F differ by no more have found the same optimum.
_SAME = 1e-8
# Width in u of the steep piece that stands for a jump of h; smaller masses are no plateau.
_JUMP = 1e-9
_HALVINGS = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Optimum:
    """The best similarity of a floor for one weight, as `optimal` finds it.

    Attributes:
        delta, weight, n: what was asked for.
        accuracy: p_s and p_i of the measure, exactly (to 1e-12).
        gap: no measure on [0, Λ] gains more than this to first order. Where `certificate` is "global" no similarity of
            this floor has a larger weight p_S + (1 - weight) p_I by more than this.
        certificate: "global" for n = 2, and for weight = 0; "stationary" for n > 2.
        phi, mass: (levels,) the measure μ of φ = -ln h: levels in [0, Λ], increasing, and their masses, of sum 1.
        atoms: masses of the atoms at φ = 0 (h = 1) and φ = Λ (h = Δ): what these levels have beyond the density there.
        similarity: h as a function of u = b(d) in [0, 1]: `Tabulated` with distances u. Linear between the quantiles of
            μ, read as atoms and a density: an atom is a plateau, a jump a piece of width 1e-9. By default F is that of
            μ within `gap`, each accuracy within a few 1e-6.
        starts, agreeing: how many starts were climbed from, and how many reached this optimum.
    """

    delta: float
    weight: float
    n: int
    accuracy: Accuracy
    gap: float
    certificate: str
    phi: np.ndarray
    mass: np.ndarray
    atoms: tuple[float, float]
    similarity: Tabulated
    starts: int
    agreeing: int

    def on(self, space: MetricSpace) -> Tabulated:
        """The similarity in the distances of a homogeneous space: g(d) = h(b(d)).

        Args:
            space: homogeneous, without atoms of distance, with a ball measure (circle, sphere, torus).

        Returns:
            A similarity to be used on this space.

        Raises:
            ValueError: the space is not homogeneous, its distances have atoms, or its ball measure is not known.

        Example:
            >>> from semres_jax import frontier, spaces
            >>> best = frontier.optimal(0.1, levels=65)
            >>> float(best.on(spaces.Circle()).distances[-1])
            0.5
        """
        u, h = (np.asarray(leaf) for leaf in (self.similarity.distances, self.similarity.values))
        d = _distances(space, u)
        new = np.append(True, np.diff(np.maximum.accumulate(d)) > 0)
        return Tabulated(d[new], h[new])

    def __str__(self) -> str:
        return (
            f"floor {self.delta:g}, n = {self.n}, weight {self.weight:g}: p_s = {self.accuracy.p_s:.6f}, "
            f"p_i = {self.accuracy.p_i:.6f}, within {self.gap:.1e} ({self.certificate})"
        )


def optimal(delta: ArrayLike, *, weight: ArrayLike = 1.0, n: int = 2, levels: int | None = None) -> Optimum:
    """The similarity function that maximises F = weight p_S + (1 - weight) p_I among all with values in [Δ, 1].

    With φ, φ' independent and distributed as μ on [0, Λ], and σ the logistic function, for n = 2

        p_S[μ] = E σ(|φ - φ'|),   p_I[μ] = E σ(φ)

    and for any n, with T_j(s) = Σ_{i>=j} μ_i e^{-s h_i} for atoms in the order of φ, h_j = e^{-φ_j},

        p_S[μ] = ∫ Σ_j h_j (T_j^n - T_{j+1}^n) ds,   p_I[μ] = ∫ e^{-s} T_0^{n-1} ds.

    For n = 2, F is concave (1 - tanh(|x|/2) is positive definite by Pólya's criterion) and a quadratic program. Its
    optimum on a grid of levels is found exactly, and certified against all measures: with the first variation
    G(φ) = 2 weight E σ(|φ - φ'|) + (1 - weight) σ(φ), no measure is better by more than max G - E G, and between levels
    G is bounded by its tangents. For n > 2, F is no longer known to be concave: several starts are climbed from, and
    the same difference, with the exact G on a grid eight times as fine, says that the optimum is stationary, no more.

    What is known of optima (n = 2 unless said otherwise):
    - At weight 1, p_S = p_I, for every Δ and n: p_S is a homogeneous polynomial in μ and G(0) = n p_I.
    - All that were computed have an atom at φ = Λ, at large weights one at φ = 0 too, and but for the smallest weights
      a density. The constant similarity, of two atoms, is never optimal at weight 1: its best p_S,
      1/2 + (1 - Δ) / (4 (1 + Δ)), is less by (1 - Δ)^5 / 1536 to leading order as Δ → 1. There the atoms are
      1/2 - Λ²/16 each, the density Λ/8.
    - As Δ → 0 both accuracies tend to 1, Λ (1 - p_S) to 2 ln 2: it is the floor that makes the tradeoff. Measured, at
      weight 1: 1 / (1 - p_S) = Λ / (2 ln 2) + 1.871 within 1e-3 from Δ = 0.01 down to 1e-30.
    - At weight 0 all of μ is at Λ: p_I = 1 / (1 + (n - 1) Δ).

    Source: new, of this project.

    Args:
        delta: noise floor Δ, strictly between 0 and 1.
        weight: of p_S, in [0, 1]; 1 - weight is that of p_I.
        n: number of items, at least 2.
        levels: this many levels of φ, evenly spaced, at least 3, whatever the gap; by default as many, where needed, as
            bring the gap to 1e-6 (up to 6000, which is enough for Δ >= 1e-30 with n = 2; `gap` is what was reached).

    Returns:
        `Optimum`.

    Raises:
        ValueError: delta, weight, n or levels out of range.

    Example:
        >>> from semres_jax import frontier
        >>> best = frontier.optimal(0.1)
        >>> [round(float(p), 4) for p in best.accuracy], round(best.atoms[0], 3), best.gap < 1e-6
        ([0.7168, 0.7168], 0.34, True)
    """
    program = checked(delta, weight, n, levels)
    levels = None if levels is None else int(levels)
    phi = np.linspace(0.0, program.length, min(_COARSE, levels or _COARSE))
    if program.weight == 0:  # G = p_I alone, and every term of it grows with φ
        phi = np.linspace(0.0, program.length, levels or _COARSE)
        mass = np.append(np.zeros(phi.size - 1), 1.0)
        pair = _measures.accuracy(phi, mass, program.n)
        return _optimum(program, phi, mass, Accuracy(pair.p_s, pair.p_i), 0.0, (1, 1))
    climbed = [_climb.on_grid(program, phi, start) for start in _starts(program, phi)]
    best = max(climbed, key=lambda settled: settled.variation.value)
    agreeing = sum(best.variation.value - settled.variation.value < _SAME for settled in climbed)
    if levels is None:
        best = _climb.refined(program, best)
    elif levels > phi.size:
        best = _climb.onto(program, best, np.linspace(0.0, program.length, levels))
    return _optimum(program, best.phi, best.mass, best.variation.accuracy, best.gap, (len(climbed), agreeing))


def optimal_front(
    delta: ArrayLike,
    *,
    weights: ArrayLike = WEIGHTS,
    n: int = 2,
    levels: int | None = None,
    execution: Execution | None = None,
) -> list[Optimum]:
    """The front of all similarity functions of a floor: `optimal` for every weight.

    From weight 0, the best p_I there is, to weight 1, the best p_S there is. For n = 2 no similarity on a homogeneous
    space lies beyond this curve. Source: new, of this project.

    Args:
        delta, n, levels: as in `optimal`.
        weights: in [0, 1]; by default 21, closer together at both ends.
        execution: how to run; `progress` counts weights.

    Returns:
        One `Optimum` for each weight.

    Raises:
        ValueError: as `optimal`, or no weights.

    Example:
        >>> from semres_jax import frontier
        >>> front = frontier.optimal_front(0.1, weights=[0.0, 1.0], levels=33)
        >>> [round(float(best.accuracy.p_i), 4) for best in front]
        [0.9091, 0.7168]
    """
    weights = np.asarray(weights).ravel()
    if not weights.size:
        raise ValueError("weights must hold at least one number from 0 to 1; got none")
    optima, how = [], execution or Execution()
    for weight in weights:
        optima.append(optimal(delta, weight=weight, n=n, levels=levels))
        how.tell(f"weight {weight:g}", len(optima), weights.size)
    return optima


def checked(delta: Any, weight: Any, n: Any, levels: Any) -> Program:
    """What the arguments of `optimal` ask for; `ValueError` where they are out of range."""
    if levels is not None:
        require_count("levels", levels, 3, ", two ends and one between")
    ends = "0 (identification alone) and 1 (generalization alone)"
    program = Program(_floor(delta), _number("weight", weight, f"between {ends}"), require_count("n", n, 2, " items"))
    if not 0 <= program.weight <= 1:
        raise ValueError(f"weight must be between {ends}; got {program.weight:g}")
    return program


def _number(name: str, value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be one number, {what}; got {value!r}") from None


def _floor(delta: Any) -> float:
    """Δ as a float strictly between 0 and 1."""
    delta = _number("delta", delta, "a floor such as 0.1")
    if delta == 0:
        raise ValueError(
            "delta must be above 0, such as 0.01; without a floor there is no optimum and no tradeoff: both accuracies "
            "come as close to 1 as one likes; got 0"
        )
    if delta == 1:
        raise ValueError("delta must be below 1, such as 0.9; with all similarities 1 nothing is told apart; got 1")
    if not 0 < delta < 1:
        raise ValueError(f"delta must be a floor strictly between 0 and 1, such as 0.1; got {delta:g}")
    return delta


def _starts(program: Program, phi: np.ndarray) -> list[np.ndarray]:
    """Where to climb from: n = 2 needs one start, as it is concave; others the extremes and what lies between."""
    size = phi.size
    even = np.full(size, 1.0 / size)
    if program.n == 2:
        return [even]
    constant = np.zeros(size)
    constant[[0, -1]] = 1 / program.n, 1 - 1 / program.n
    spread = np.zeros(size)
    spread[[0, -1]] = 0.5
    two = _climb.on_grid(program._replace(n=2), phi, even).mass
    return [constant, even, spread, two]


def _optimum(
    program: Program, phi: np.ndarray, mass: np.ndarray, accuracy: Accuracy, gap: float, starts: tuple[int, int]
) -> Optimum:
    spread = _climb.spread(phi, mass)
    return Optimum(
        delta=program.delta,
        weight=program.weight,
        n=program.n,
        accuracy=accuracy,
        gap=gap,
        certificate="global" if program.n == 2 or program.weight == 0 else "stationary",
        phi=phi,
        mass=mass,
        atoms=(float(spread.atoms[0]), float(spread.atoms[-1])),
        similarity=_quantiles(phi, mass, spread),
        starts=starts[0],
        agreeing=starts[1],
    )


def _quantiles(phi: np.ndarray, mass: np.ndarray, spread: _climb.Spread) -> Tabulated:
    """h(u) = e^{-φ} at the quantiles φ of the measure."""
    between = np.where(spread.joined, np.diff(phi) * (spread.density[1:] + spread.density[:-1]) / 2, 0.0)
    start = np.append(0.0, np.cumsum(spread.atoms[:-1] + between))
    edges, values = np.stack([start, start + spread.atoms]), np.stack([phi, phi])
    # A level without mass has no place; one without an atom has one.
    kept = np.stack([mass > 0, spread.atoms > _JUMP])
    u, levels = edges.T[kept.T], values.T[kept.T]
    if levels[0] > 0:  # g(0) = 1 all the same
        u, levels = np.append(0.0, u), np.append(0.0, levels)
    rank = _JUMP * np.arange(u.size)
    u = np.maximum.accumulate(u - rank) + rank
    h = np.exp(-levels)
    return Tabulated(u / u[-1], np.minimum.accumulate(h))


def _distances(space: MetricSpace, u: np.ndarray) -> np.ndarray:
    """The distances d with b(d) = u, by bisection."""
    if not space.homogeneous:
        raise ValueError(f"the space must be homogeneous, such as a circle; on {space.label} b(d) depends on the probe")
    if space.discrete:
        raise ValueError(f"the space must have no ties, such as a circle; distances on {space.label} have atoms")
    if not space.has_ball_measure or not np.isfinite(space.diameter):
        raise ValueError(f"the space must have a known ball measure; {space.label} has none")
    with jax.enable_x64(True):
        probe = space.probe(jnp.zeros((1, 0)))
        measure = jax.jit(functools.partial(space.ball_measure, probe))
        low, high = np.zeros(u.size), np.full(u.size, float(space.diameter))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            inside = np.asarray(measure(middle)) >= u
            low, high = np.where(inside, low, middle), np.where(inside, middle, high)
    return np.where(u > 0, high, 0.0)
