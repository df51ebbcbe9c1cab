"""Maximising F[μ] over measures on [0, Λ]: Newton steps on a grid, and a grid refined until no measure does better."""

from typing import NamedTuple

import numpy as np

from semres_jax.frontier import _measures, _simplex
from semres_jax.frontier._measures import Program, Variation

# What no measure may gain to first order: on the grid, and anywhere in [0, Λ].
_SETTLED, GAP = 1e-10, 1e-6
# What the grid aims at, so that few rounds are needed to get below GAP.
_AIM = 0.8 * GAP
_ROUNDS, _MOST_LEVELS, _MOST_PIECES = 12, 6000, 64
_STEPS, _TRIES = 100, 40
# Of the rise of F that its expansion promises, what a step must bring; and how F is rounded.
_KEPT, _ROUNDING = 0.1, 1e-13
# Points within each interval where G is looked at when there is no bound (n > 2).
_LOOKS = 8


class Settled(NamedTuple):
    """Atoms, F and its variations there, and by how much G exceeds its mean: anywhere, and on each interval."""

    phi: np.ndarray
    mass: np.ndarray
    variation: Variation
    gap: float
    excess: np.ndarray


def on_grid(program: Program, phi: np.ndarray, start: np.ndarray) -> Settled:
    """The optimum among measures on the grid (n = 2), or a local one (n > 2), climbing from `start`.

    Each step maximises over the simplex the second-order expansion of p_S and the first-order one of p_I. For n = 2
    that is F itself. For n > 2 p_I is convex and above its tangent, so nothing is lost by that; the expansion of p_S
    need not be concave: then as much of the quadratic form of n = 2 is taken off as makes it so and lets F rise.
    """
    kernel = _measures.similar(np.abs(phi[:, None] - phi)) if program.n > 2 else None
    mass, damping = start, 0.0
    now = _measures.vary(program, phi, mass)
    for _ in range(1 if program.n == 2 else _STEPS):
        if _best_gain(now, mass) < _SETTLED:
            break
        for _ in range(_TRIES):
            matrix = -now.second if kernel is None else damping * kernel - now.second
            if kernel is None or _definite(matrix):
                there = _simplex.maximise(matrix, now.first + matrix @ mass, mass > 0)
                then = _measures.vary(program, phi, there)
                move = there - mass
                hoped = now.first @ move - 0.5 * move @ matrix @ move
                if kernel is None or then.value - now.value >= _KEPT * hoped - _ROUNDING:
                    break
            damping = max(4 * damping, 1e-3)
        else:
            break
        mass, now = there, then
        damping = damping / 8 if damping > 1e-4 else 0.0
    return _settled(program, phi, mass, now)


def refined(program: Program, settled: Settled) -> Settled:
    """The same with levels added where G exceeds its mean between them, until no measure gains more than `GAP`."""
    for _ in range(_ROUNDS):
        pieces = np.clip(np.ceil(np.sqrt(np.maximum(settled.excess, 0.0) / _AIM)), 1, _MOST_PIECES).astype(int)
        while settled.phi.size + (pieces - 1).sum() > _MOST_LEVELS:
            pieces = np.maximum(pieces // 2, 1)
        if settled.gap <= GAP or (pieces == 1).all():
            break
        settled = onto(program, settled, _split(settled.phi, pieces))
    return settled


class Spread(NamedTuple):
    """A measure on a grid read as atoms, and a density between neighbours that both have mass."""

    atoms: np.ndarray
    density: np.ndarray
    joined: np.ndarray


def spread(phi: np.ndarray, mass: np.ndarray) -> Spread:
    """The density inside a run of levels with mass is mass per level; what its ends have beyond that are atoms."""
    supported = mass > 0
    joined = supported[1:] & supported[:-1]
    inside = np.concatenate([[False], joined[1:] & joined[:-1], [False]])
    own = _cells(np.where(joined, np.diff(phi), 0.0))
    whole = np.where(own > 0, mass / np.where(own > 0, own, 1.0), 0.0)
    within = np.where(inside, whole, 0.0)
    neighbour = np.maximum(np.append(within[1:], 0.0), np.append(0.0, within[:-1]))
    density = np.where(inside, whole, np.minimum(neighbour, whole))
    return Spread(np.maximum(mass - density * own, 0.0), density, joined)


def _cells(width: np.ndarray) -> np.ndarray:
    """What belongs to each level: half of the intervals on both sides."""
    return (np.append(0.0, width) + np.append(width, 0.0)) / 2


def onto(program: Program, settled: Settled, phi: np.ndarray) -> Settled:
    """The optimum on another grid with the same ends, climbing from the same atoms and density."""
    return on_grid(program, phi, _moved(settled, phi))


def _moved(settled: Settled, phi: np.ndarray) -> np.ndarray:
    """The measure on another grid: its density where the old levels around have mass both, its atoms where nearest."""
    atoms, density, joined = spread(settled.phi, settled.mass)
    middle = (phi[1:] + phi[:-1]) / 2
    inside = joined[np.clip(np.searchsorted(settled.phi, middle) - 1, 0, joined.size - 1)]
    mass = np.interp(phi, settled.phi, density) * _cells(np.where(inside, np.diff(phi), 0.0))
    np.add.at(mass, np.searchsorted(middle, settled.phi), atoms)
    return mass / mass.sum()


def _split(phi: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """The levels with every interval cut into so many pieces; the old ones stay as they are."""
    share = [np.arange(k) / k for k in pieces]
    return np.append(np.repeat(phi[:-1], pieces) + np.repeat(np.diff(phi), pieces) * np.concatenate(share), phi[-1])


def _settled(program: Program, phi: np.ndarray, mass: np.ndarray, now: Variation) -> Settled:
    mean = float(now.first @ mass)
    if program.n == 2:
        most = _measures.bounds_between(program, phi, mass)
    else:
        share = np.arange(_LOOKS) / _LOOKS
        fine = np.append((phi[:-1, None] + np.diff(phi)[:, None] * share).ravel(), phi[-1])
        thin = np.zeros((phi.size - 1, _LOOKS))
        thin[:, 0] = mass[:-1]
        seen = _measures.first_variation(program, fine, np.append(thin.ravel(), mass[-1]))
        most = np.maximum(seen[:-1].reshape(-1, _LOOKS).max(axis=1), now.first[1:])
    excess = most - mean
    return Settled(phi, mass, now, float(max(excess.max(), 0.0)), excess)


def _best_gain(now: Variation, mass: np.ndarray) -> float:
    return float(now.first.max() - now.first @ mass)


def _definite(matrix: np.ndarray) -> bool:
    """Whether the form is positive definite on vectors that sum to 0."""
    size = len(matrix)
    # In the basis e_i - e_0 of these vectors.
    reduced = matrix[1:, 1:] - matrix[1:, :1] - matrix[:1, 1:] + matrix[0, 0]
    try:
        np.linalg.cholesky(reduced + 1e-15 * size * np.eye(size - 1))
    except np.linalg.LinAlgError:
        return False
    return True
