"""What a square matrix does to states: how far it is from normal, how much it turns, how many directions it has.

Everything comes from one real Schur form A = Q T Qᵀ and the singular values σ, in float64 on the host (LAPACK). T is
upper triangular but for 2 x 2 blocks [[a, b], [c, a]], b c < 0, of conjugate eigenvalues a ± i √(-b c).

    departure   √(‖A‖² - Σ|λ|²), which is the length of what stands above the blocks, and of b + c of each block
    henrici     departure / ‖A‖                         (Henrici 1962; 0: normal, 1: nilpotent)
    symmetric   ‖(A + Aᵀ) / 2‖² / ‖A‖²
    rotation    Σ (Im λ)² / Σ |λ|²
    complex     share of eigenvalues that are not real
    abscissa    largest eigenvalue of (A + Aᵀ) / 2: the quickest that a state can grow under dx/dt = A x
    pr          participation ratio (Σ σ²)² / Σ σ⁴
    erank       effective rank exp(-Σ s ln s), s = σ² / Σ σ²      (Roy and Vetterli 2007)

with ‖·‖ the Frobenius norm.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

from semres_jax._checks import concrete
from semres_jax._random import generator


class Spectra(NamedTuple):
    """Measures of matrices, (...) each; `rotation` of a matrix whose eigenvalues are all 0 is NaN.

    Attributes:
        norm: Frobenius norm.
        departure, henrici, symmetric, rotation, complex, abscissa, pr, erank: as the module says.
        eigenvalues: (..., D) complex, in no order.
        singular_values: (..., D), the largest first.
    """

    norm: np.ndarray
    departure: np.ndarray
    henrici: np.ndarray
    symmetric: np.ndarray
    rotation: np.ndarray
    complex: np.ndarray
    abscissa: np.ndarray
    pr: np.ndarray
    erank: np.ndarray
    eigenvalues: np.ndarray
    singular_values: np.ndarray


def spectra(matrices: Any) -> Spectra:
    """The measures of square matrices.

    Args:
        matrices: (..., D, D) real numbers; computed with in float64.

    Raises:
        ValueError: matrices that are not square, not finite, or 0 (which have no shares).

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> shear = dynamics.spectra([[1.0, 1.0], [0.0, 1.0]])
        >>> round(float(shear.departure), 4), round(float(shear.henrici), 4), round(float(shear.abscissa), 4)
        (1.0, 0.5774, 1.5)
        >>> turn = dynamics.spectra([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
        >>> round(float(turn.rotation), 4), round(float(turn.complex), 1)
        (0.0873, 1.0)
    """
    table = _square(matrices)
    rows = [_of_matrix(matrix, _schur(matrix)[0]) for matrix in table.reshape(-1, *table.shape[-2:])]
    shape = table.shape[:-2]
    return Spectra(*(np.stack(column).reshape(shape + column[0].shape) for column in zip(*rows, strict=True)))


def both(matrix: Any) -> tuple[Spectra, Spectra, tuple[np.ndarray, np.ndarray]]:
    """The measures of J and of U = J - I, which have one Schur form but for its diagonal, and T and Q of J.

    Args:
        matrix: (D, D), J.

    Raises:
        ValueError: as `spectra`; J = I, where nothing moves.

    Example:
        >>> import numpy as np
        >>> from semres_jax.dynamics import matrices
        >>> given = np.random.default_rng(0).normal(size=(9, 9))
        >>> _, update, _ = matrices.both(given)
        >>> bool(np.isclose(update.henrici, matrices.spectra(given - np.eye(9)).henrici))
        True
    """
    table = _square(matrix, 2)
    update = _square(table - np.eye(len(table)), 2)
    t, q = _schur(table)
    return _of_matrix(table, t), _of_matrix(update, t - np.eye(len(t))), (t, q)


def normal_part(matrix: Any, *, schur: Any = None) -> np.ndarray:
    """The normal matrix that has the same Schur vectors and eigenvalues: T without what stands above its blocks.

    A block becomes [[a, w], [-w, a]] with w = ±√(-b c), which turns and stretches alike in all directions.

    Args:
        matrix: (D, D).
        schur: its real Schur form (T, Q), where it is there already.

    Example:
        >>> from semres_jax import dynamics
        >>> dynamics.normal_part([[1.0, 5.0], [0.0, 2.0]]).tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    t, q = _schur(_square(matrix, 2)) if schur is None else schur
    return q @ _without_upper(t) @ q.T


def scrambled(matrix: Any, *, keep: str = "eigenvalues", schur: Any = None, key: Any = None) -> np.ndarray:
    """A matrix with as much of everything, at random places: a control for what the arrangement does.

    Args:
        matrix: (D, D).
        keep: "eigenvalues" permutes the entries of T above its blocks and gives them random signs: same eigenvalues,
            same departure. "singular_values" keeps these between two random bases.
        schur: its real Schur form (T, Q), where it is there already.
        key: of what is random.

    Raises:
        ValueError: `keep` is neither.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> given = np.arange(9.0).reshape(3, 3)
        >>> made = dynamics.scrambled(given, keep="singular_values")
        >>> bool(np.allclose(np.linalg.svd(made)[1], np.linalg.svd(given)[1]))
        True
    """
    table, rng = _square(matrix, 2), generator(key)
    if keep == "singular_values":
        sigma = np.asarray(scipy.linalg.svdvals(table))
        left, right = (random_rotation(len(table), rng) for _ in range(2))
        return (left * sigma[None]) @ right.T
    if keep != "eigenvalues":
        raise ValueError(f"keep must be 'eigenvalues' or 'singular_values'; got {keep!r}")
    t, q = _schur(table) if schur is None else (schur[0].copy(), schur[1])
    above = _above(t)
    entries = t[above]
    t[above] = rng.permutation(entries) * rng.choice([-1.0, 1.0], entries.size)
    return q @ t @ q.T


def random_rotation(size: int, rng: np.random.Generator) -> np.ndarray:
    """(size, size) of Haar's measure (Mezzadri 2007).

    Example:
        >>> import numpy as np
        >>> from semres_jax.dynamics.matrices import random_rotation
        >>> q = random_rotation(4, np.random.default_rng(0))
        >>> bool(np.allclose(q @ q.T, np.eye(4)))
        True
    """
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return q * np.sign(np.diag(r))[None]


def ranks(sigma: np.ndarray) -> tuple[float, float]:
    """Participation ratio and effective rank of singular values.

    Example:
        >>> import numpy as np
        >>> from semres_jax.dynamics import matrices
        >>> matrices.ranks(np.array([2.0, 2.0, 0.0]))
        (2.0, 2.0)
    """
    share = sigma**2 / (sigma**2).sum()
    seen: np.ndarray = share[share > 0]
    return float(1 / (share**2).sum()), float(np.exp(-(seen * np.log(seen)).sum()))


def _of_matrix(matrix: np.ndarray, t: np.ndarray) -> Spectra:
    eigenvalues, mismatch = _eigenvalues(t)
    sigma = np.asarray(scipy.linalg.svdvals(matrix))
    total, square = float((matrix**2).sum()), abs(eigenvalues) ** 2
    departure = float(np.sqrt((t[_above(t)] ** 2).sum() + (mismatch**2).sum()))
    half = (matrix + matrix.T) / 2
    last = len(matrix) - 1
    abscissa = scipy.linalg.eigh(half, eigvals_only=True, subset_by_index=(last, last))[0]
    rotation = (eigenvalues.imag**2).sum() / square.sum() if square.any() else np.nan
    return Spectra(*map(np.asarray, (
        np.sqrt(total), departure, departure / np.sqrt(total), (half**2).sum() / total, rotation,
        (eigenvalues.imag != 0).mean(), abscissa, *ranks(sigma), eigenvalues, sigma,
    )))  # fmt: skip


def _schur(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """T and Q of the real Schur form."""
    made: Any = scipy.linalg.schur(matrix, output="real")
    return np.asarray(made[0]), np.asarray(made[1])


def _starts(t: np.ndarray) -> np.ndarray:
    """Rows at which a 2 x 2 block of a real Schur form begins."""
    return np.flatnonzero(np.diag(t, -1))


def _eigenvalues(t: np.ndarray) -> tuple[Any, np.ndarray]:
    """(D,) eigenvalues of a real Schur form, and b + c of each block."""
    at = _starts(t)
    values = np.diag(t).astype(np.complex128)
    b, c = t[at, at + 1], t[at + 1, at]
    turn = 1j * np.sqrt(-b * c)
    values[at] += turn
    values[at + 1] -= turn
    return values, b + c


def _above(t: np.ndarray) -> np.ndarray:
    """(D, D) what stands above the diagonal and in no block."""
    above = np.triu(np.ones(t.shape, bool), 1)
    at = _starts(t)
    above[at, at + 1] = False
    return above


def _without_upper(t: np.ndarray) -> np.ndarray:
    kept, at = np.diag(np.diag(t)), _starts(t)
    b, c = t[at, at + 1], t[at + 1, at]
    turn = np.sign(b) * np.sqrt(-b * c)
    kept[at, at + 1], kept[at + 1, at] = turn, -turn
    return kept


def _square(matrices: Any, dims: int | None = None) -> np.ndarray:
    """Float64 (..., D, D), finite and not 0."""
    table = np.asarray(concrete(matrices, "matrices"), np.float64)
    if table.ndim < 2 or table.shape[-1] != table.shape[-2] or (dims and table.ndim != dims) or not table.size:
        wanted = "(D, D)" if dims else "(..., D, D)"
        raise ValueError(f"matrices must have shape {wanted}; got shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("matrices must be finite; got NaN or infinity")
    empty = ~table.any((-1, -2))
    if empty.any():
        which = "the matrix" if table.ndim == 2 else f"matrix {np.argwhere(empty)[0].tolist()}"
        raise ValueError(f"{which} is 0: nothing moves, and no share of it is defined; leave it out")
    return table
