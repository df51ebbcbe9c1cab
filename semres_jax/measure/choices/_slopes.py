"""The likelihood of choices by a constant or linear similarity, its gradient and Hessian, written out in NumPy.

These families are fitted at thousands of resolutions, where array operations on a few rows at a time, in cache, take a
fraction of the time of a compiled program that differentiates. Items come first in all arrays here: sums over the
items of trials are then sums of whole arrays.
"""

from typing import Any

import numpy as np

from semres_jax.similarity import Family

# Items whose scores are worked on together: about what a processor's cache holds.
_CHUNK = 1 << 14


def derivatives(
    theta: np.ndarray, counts: np.ndarray, table: Any, family: Family
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log likelihoods (B,), gradients (B, P) and Hessians (B, P, P); arguments as `_model.derivatives`.

    With θ = (ln ε, logit Δ, ln a, biases) and J the slopes of the scores s = a ln g + bias: gradient = Σ (c - N p) J,
    Hessian = -Σ N Jᵀ (diag p - p pᵀ) J + Σ (c - N p) ∂²s. Slopes in ε are those within a window, 0 for a constant one.
    """
    rows, size = len(theta), theta.shape[1]
    trials, items = table.distances.shape
    value, gradient, hessian = np.zeros(rows), np.zeros((rows, size)), np.zeros((rows, size, size))
    block = min(trials, max(1, _CHUNK // items))
    step = max(1, _CHUNK // (items * block))
    for start in range(0, trials, block):
        some = slice(start, start + block)
        d, there = (np.ascontiguousarray(x[some].T)[:, None] for x in (table.distances, table.there))
        design = np.ascontiguousarray(np.moveaxis(table.design[some], 1, 0))
        c = np.ascontiguousarray(np.moveaxis(counts[:, some], 2, 0))
        for first in range(0, rows, step):
            part = slice(first, first + step)
            got = _chunk(theta[part], c[:, part] if len(counts) > 1 else c, d, there, design, family)
            for total, term in zip((value, gradient, hessian), got, strict=True):
                total[part] += term
    lower = np.tril_indices(size, -1)
    hessian[:, lower[0], lower[1]] = hessian[:, lower[1], lower[0]]
    return value, gradient, hessian


def log_shares(theta: np.ndarray, table: Any, family: Family) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """ln P (n, B, T) of (B, P), -inf where it is 0; P; and the slopes of a ln g in ln ε, logit Δ, ln a."""
    d, there = table.distances.T[:, None], table.there.T[:, None]
    return _shares(theta, d, there, np.moveaxis(table.design, 1, 0), family)[:3]


def numbers(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """ε, Δ, 1 - Δ and a of (B, P), each (B, 1)."""
    log_epsilon, logit, log_power = (theta[:, k, None] for k in range(3))
    small = np.exp(-abs(logit))
    low, high = small / (1 + small), 1 / (1 + small)
    up = logit > 0
    return np.exp(log_epsilon), np.where(up, high, low), np.where(up, low, high), np.exp(log_power)


def _strengths(theta: np.ndarray, d: np.ndarray, family: Family) -> tuple[np.ndarray, Any, list[np.ndarray]]:
    """(n, B, T) a ln g, 0 where g = 0; whether g > 0 (True: everywhere); and its slopes."""
    epsilon, delta, rest, power = numbers(theta)
    ratio = None if family.kind.steps else d / epsilon
    near = (d <= epsilon) * 1.0 if ratio is None else np.maximum(1.0 - ratio, 0.0)
    g = np.where(near > 0, 1.0, delta) if ratio is None else delta + rest * near
    positive = True
    if not delta.all():
        positive = g > 0
        g[~positive] = 1.0
    strength = np.log(g) * power
    by_delta = (1.0 - near) * (power * delta * rest)
    by_delta /= g
    by_epsilon = np.zeros((1, 1, 1))
    if ratio is not None:
        by_epsilon = ratio * (power * rest)
        by_epsilon /= g
        by_epsilon *= near > 0
    return strength, positive, [by_epsilon, by_delta, strength]


def _shares(
    theta: np.ndarray, d: np.ndarray, there: np.ndarray, design: np.ndarray, family: Family
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], bool]:
    """What `log_shares` has, and whether all items are there and can be chosen."""
    score, positive, slopes = _strengths(theta, d, family)
    if theta.shape[1] > 3:
        score = score + np.moveaxis(design @ theta[:, 3:].T, 2, 1)
    alive = there
    if positive is not True:
        alive = positive & there
        alive = np.where(alive.any(0), alive, there)
    if not alive.all():
        score = np.where(alive, score, -np.inf)
    score = score - score.max(0)
    p = np.exp(score)
    total = p.sum(0)
    p /= total
    score -= np.log(total)
    return score, p, slopes, positive is True and bool(there.all())


def _chunk(
    theta: np.ndarray, counts: np.ndarray, d: np.ndarray, there: np.ndarray, design: np.ndarray, family: Family
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, size = theta.shape
    items, trials, wide = design.shape
    log_p, p, slopes, everywhere = _shares(theta, d, there, design, family)
    if everywhere:
        value = np.einsum("nbt,nbt->b", np.broadcast_to(counts, p.shape), log_p)
    else:
        value = np.where(counts > 0, counts * np.where(counts > 0, log_p, 0.0), 0.0).sum((0, 2))
    total = counts.sum(0)
    flow = total * p
    rest = counts - flow
    if not everywhere:
        rest[p == 0] = 0.0
    gradient, hessian = np.zeros((rows, size)), np.zeros((rows, size, size))
    used = [j for j in range(3) if j or not family.kind.steps]
    spread = np.zeros((rows, trials, wide))
    if wide:
        for i in range(items):
            spread += p[i][..., None] * design[i]
            gradient[:, 3:] += rest[i] @ design[i]
    mean = {j: (p * slopes[j]).sum(0) for j in used}
    for j in used:
        gradient[:, j] = np.einsum("nbt,nbt->b", rest, slopes[j])
        moved = flow * slopes[j]
        weighted = total * mean[j]
        for k in used[used.index(j) :]:
            across = np.einsum("bt,bt->b", weighted, mean[k])
            hessian[:, j, k] = across - np.einsum("nbt,nbt->b", moved, slopes[k])
        if wide:
            hessian[:, j, 3:] = np.einsum("bt,btw->bw", weighted, spread)
            for i in range(items):
                hessian[:, j, 3:] -= moved[i] @ design[i]
    if wide:
        hessian[:, 3:, 3:] = np.swapaxes(spread * np.broadcast_to(total, spread.shape[:2])[..., None], 1, 2) @ spread
        for i in range(items):
            if wide > 8:
                hessian[:, 3:, 3:] -= np.swapaxes(flow[i][..., None] * design[i], 1, 2) @ design[i]
            else:
                pairs = (design[i][:, :, None] * design[i][:, None, :]).reshape(trials, -1)
                hessian[:, 3:, 3:] -= (flow[i] @ pairs).reshape(rows, wide, wide)
    _, delta, _, power = (x[:, 0] for x in numbers(theta))
    slope = gradient[:, :3].copy()
    turned = rest * slopes[1]
    hessian[:, 1, 1] += (1 - 2 * delta) * slope[:, 1] - np.einsum("nbt,nbt->b", turned, slopes[1]) / power
    if not family.kind.steps:
        hessian[:, 0, 1] -= delta * slope[:, 0] + np.einsum("nbt,nbt->b", turned, slopes[0]) / power
        hessian[:, 0, 0] -= slope[:, 0] + np.einsum("nbt,nbt,nbt->b", rest, slopes[0], slopes[0]) / power
    hessian[:, :3, 2] += slope
    return value, gradient, hessian
