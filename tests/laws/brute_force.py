"""Finite spaces by brute force: every ordered draw of a probe and n items, weighed and credited one by one."""

import itertools
import math

import jax
import numpy as np

EXACT = 1e-12
STANDARD_ERRORS = 5
log_of = jax.jit(lambda similarity, distances: similarity.log(distances))


def draws(weights, length, replace):
    """All ordered draws that can happen: (draws, length) points and their chances."""
    size = len(weights)
    points = np.array(list(itertools.product(range(size), repeat=length)))
    chance = np.ones(len(points))
    for place in range(length):
        earlier = (points[:, :place, None] == np.arange(size)).any(1)
        left = np.where(earlier & (not replace), 0.0, weights)
        mass = left.sum(1)
        own = left[np.arange(len(points)), points[:, place]]
        chance = chance * np.where(mass > 0, own / np.where(mass > 0, mass, 1.0), 0.0)
    return points[chance > 0], chance[chance > 0]


def choice_of(logs, index, exponent):
    """Mean over rows of Luce's choice of one column, from logarithms of strengths: none of them underflows."""
    top = logs.max(1, keepdims=True)
    if math.isinf(exponent):
        share = (logs >= top) * 1.0
    elif exponent == 0:
        share = np.ones_like(logs)
    else:
        share = np.where(np.isneginf(top), 1.0, np.exp(exponent * (logs - np.where(np.isneginf(top), 0.0, top))))
    return (share / share.sum(1, keepdims=True))[np.arange(len(logs)), index]


def brute_force(table, weights, similarity, n, exponent=1.0, replace=False):
    """(p_S, p_I) from the definitions alone."""
    logs = np.asarray(log_of(similarity, table))
    points, chance = draws(weights, n + 1, replace)
    closest = np.argmin(table[points[:, :1], points[:, 1:]], axis=1)
    p_s = chance @ choice_of(logs[points[:, :1], points[:, 1:]], closest, exponent)
    points, chance = draws(weights, n, replace)
    items = np.concatenate([np.zeros((len(points), 1)), logs[points[:, :1], points[:, 1:]]], axis=1)
    return p_s, chance @ choice_of(items, 0, exponent)


def table(size, ties=False, seed=0):
    points = np.random.default_rng(seed).random((size, 2))
    points = np.round(3 * points) if ties else points
    distances = np.abs(points[:, None] - points[None, :]).sum(-1)
    np.fill_diagonal(distances, 0.0)
    return distances


def weights_of(kind, size):
    raw = {
        "equal": np.ones(size),
        "unequal": np.random.default_rng(1).random(size) + 0.1,
        "zeros": np.where(np.arange(size) < 2, 0.0, 1.0 + np.arange(size)),
        "heavy": np.where(np.arange(size) < 2, [0.5, 0.5 - 1e-9] + [0.0] * (size - 2), 1e-9 / (size - 2)),
    }[kind]
    return raw / raw.sum()
