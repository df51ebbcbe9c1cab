"""Quasi-symmetric tables by maximum likelihood: expected counts m_ij = a_i b_j s_ij with s symmetric.

Given the sums n_ij + n_ji, a quasi-symmetric table has m_ij = (n_ij + n_ji) / (1 + exp(λ_i - λ_j)), λ = ln(b / a): the
model of Bradley and Terry (Biometrika 39, 324, 1952) for who "wins" a confusion. Diagonals are fitted exactly. So what
iterative proportional fitting of row, column and symmetric sums (Caussinus 1965; Bishop, Fienberg and Holland 1975, ch.
8) converges to linearly is found by Newton steps in the N numbers λ, many tables at a time.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

# Newton's steps, and the slope at which they end, as a share of the largest sum of a column.
_STEPS, _FLAT = 300, 1e-13
# A share of the largest curvature that keeps the equations solvable: λ of a component of the graph of confusions moves
# within it only, as its slopes sum to 0.
_RIDGE = 1e-12
# Where no λ is finite it stops here, in nats: so far apart that what is left of the slope is rounding.
_LARGEST = 40.0


class Fitted(NamedTuple):
    """B quasi-symmetric tables.

    Attributes:
        expected: (B, N, N) expected counts.
        odds: (B, N) λ, its mean 0.
        slope: (B,) largest slope of the log likelihood that is left.
        curvature: (B, N, N) minus the second derivatives of the log likelihood in λ.
    """

    expected: np.ndarray
    odds: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray


def fitted(counts: np.ndarray) -> Fitted:
    """Maximum likelihood for (B, N, N) counts, at least 0.

    Steps are Newton's times ln(1 + r) / r, r the largest difference of its entries: the log likelihood is concave and
    its third derivative at most its second times the change of a difference, so that each step climbs and the maximum
    is reached from everywhere (Sun and Tran-Dinh, Math. Program. 178, 145, 2019), in the end quadratically.
    """
    size = counts.shape[-1]
    off = counts * (1.0 - np.eye(size))
    pairs = off + off.swapaxes(1, 2)
    odds = np.zeros(counts.shape[:2])
    flat = _FLAT * np.maximum(off.sum(1).max(1), 1.0)
    for _ in range(_STEPS):
        expected, gradient, curvature = _derivatives(off, pairs, odds)
        slope = abs(gradient).max(1)
        left = (slope > flat) & (np.ptp(odds, axis=1) < 2 * _LARGEST)
        if not left.any():
            break
        top = np.maximum(curvature[left].max((1, 2)), np.finfo(float).tiny)
        solvable = curvature[left] + (_RIDGE * top)[:, None, None] * np.eye(size)
        move = np.linalg.solve(solvable, gradient[left][..., None])[..., 0]
        reach = np.ptp(move, axis=1)
        damping = np.where(reach > 0, np.log1p(reach) / np.where(reach > 0, reach, 1.0), 1.0)
        odds[left] += move * damping[:, None]
        odds -= odds.mean(1, keepdims=True)
    expected, gradient, curvature = _derivatives(off, pairs, odds)
    return Fitted(expected + counts * np.eye(size), odds, abs(gradient).max(1), curvature)


def _derivatives(off: np.ndarray, pairs: np.ndarray, odds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected counts beside the diagonal, slopes and minus second derivatives of the log likelihood."""
    share = special.expit(odds[:, None, :] - odds[:, :, None])
    expected = pairs * share
    weight = expected * share.swapaxes(1, 2)
    return expected, (off - expected).sum(1), np.eye(off.shape[-1]) * weight.sum(2)[:, None] - weight


def parts(fit: Fitted, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Biases (B, N), their sum 1, and similarities (B, N, N), 1 on the diagonal, of the similarity-choice model.

    With s_ii = 1, m_ii = a_i b_i = n_ii: b_i ∝ √n_ii exp(λ_i / 2) and s_ij = √(m_ij m_ji / (n_ii n_jj)). Where n_ii = 0
    b_i is 0, and similarities that aren't 0 are infinite.
    """
    right = np.diagonal(counts, 0, 1, 2)
    with np.errstate(divide="ignore"):
        log_bias = (np.log(right) + fit.odds) / 2
    bias = special.softmax(log_bias, axis=1)
    # m_ij m_ji = (n_ij + n_ji)² / (4 cosh²(λ_ij / 2)), which is no 0 where one of the two is.
    product = np.sqrt(fit.expected * fit.expected.swapaxes(1, 2))
    own = np.sqrt(right[:, :, None] * right[:, None, :])
    similarity = np.divide(product, own, out=np.where(product > 0, np.inf, 0.0), where=own > 0)
    similarity[:, np.arange(len(right[0])), np.arange(len(right[0]))] = 1.0
    return bias, similarity


def errors(fit: Fitted, counts: np.ndarray, bias: np.ndarray, similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors of `parts` of one table, (N,) and (N, N), to first order.

    Diagonals, symmetric sums and λ given these are independent: Var(ln n_ii) = 1 / n_ii, Cov(λ) the pseudo-inverse of
    the curvature. With the row sums given, errors of b and s are the same as without (Palmgren, Biometrika 68, 563,
    1981).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rare = 1 / np.diagonal(counts)
        spread = np.linalg.pinv(fit.curvature[0], hermitian=True, rcond=1e-10)
        log_bias = (np.diag(rare) + spread) / 4
        # Of b with the sum 1: d b_j = b_j (d ln b_j - Σ b_k d ln b_k).
        move = bias[:, None] * (np.eye(len(bias)) - bias[None])
        of_bias = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", move, log_bias, move), 0.0))
        pairs = counts + counts.T
        gap = np.tanh((fit.odds[0][None] - fit.odds[0][:, None]) / 2)
        variance = np.diag(spread)[:, None] + np.diag(spread)[None] - 2 * spread
        of_log = 4 / pairs + gap**2 * variance + rare[:, None] + rare[None]
        of_similarity = np.where(pairs > 0, similarity * np.sqrt(of_log) / 2, np.nan)
    np.fill_diagonal(of_similarity, 0.0)
    return of_bias, of_similarity
