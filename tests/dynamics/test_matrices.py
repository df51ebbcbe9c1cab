"""Measures of matrices at exact values, and what normal parts and scrambled ones keep."""

import numpy as np
import pytest

from semres_jax import dynamics

TURN = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
CYCLE = np.roll(np.eye(4), 1, axis=0)
CLOSE = 1e-7


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (TURN, {"henrici": 0, "rotation": np.sin(0.3) ** 2, "symmetric": np.cos(0.3) ** 2, "abscissa": 0.9553365}),
        (np.diag([3.0, 1.0, -2.0]), {"henrici": 0, "pr": 2, "abscissa": 3, "complex": 0, "rotation": 0}),
        ([[1, 1], [0, 1]], {"departure": 1, "henrici": 3**-0.5, "symmetric": 5 / 6, "abscissa": 1.5, "pr": 9 / 7}),
        ([[1, 2], [0, 3]], {"departure": 2, "henrici": 0.5345225, "abscissa": 2 + 2**0.5}),
        ([[0, 1], [0, 0]], {"henrici": 1, "symmetric": 0.5, "rotation": np.nan, "pr": 1, "erank": 1}),
        (np.outer([1, 2, 2], [2, 0, 0]), {"henrici": 0.9428090, "symmetric": 5 / 9, "abscissa": 4, "pr": 1}),
        (CYCLE, {"henrici": 0, "rotation": 0.5, "symmetric": 0.5, "complex": 0.5, "pr": 4, "erank": 4}),
    ],
)
def test_exact_values(matrix, expected):
    measured = dynamics.spectra(matrix)
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(measured, name), value, atol=CLOSE, err_msg=name)


def test_random_matrices_are_as_ginibre_says():
    """h near 1/√2, rotation near 1/2, symmetric (1 + 1/n)/2 and participation ratio n/2 on average (Ginibre 1965)."""
    n, count = 60, 40
    measured = dynamics.spectra(np.random.default_rng(0).normal(size=(count, n, n)))
    for values, mean, allowed in (
        (measured.symmetric, (1 + 1 / n) / 2, 0),
        (measured.pr, n / 2, 0.02 * n),  # to first order in 1/n
        (measured.henrici, 0.5**0.5, 0.02),
        (measured.rotation, 0.5, 0.02),
    ):
        assert abs(values.mean() - mean) < allowed + 5 * values.std() / count**0.5


def test_eigenvalues_and_departure_are_those_of_numpy():
    matrix = np.random.default_rng(1).normal(size=(30, 30))
    measured, values = dynamics.spectra(matrix), np.linalg.eigvals(matrix)
    np.testing.assert_allclose(np.sort_complex(measured.eigenvalues), np.sort_complex(values), atol=1e-10)
    departure = np.sqrt((matrix**2).sum() - (abs(values) ** 2).sum())
    np.testing.assert_allclose(measured.departure, departure, rtol=1e-10)
    np.testing.assert_allclose(measured.singular_values, np.linalg.svd(matrix)[1], rtol=1e-10)
    moved = dynamics.spectra(matrix + 3 * np.eye(30))
    np.testing.assert_allclose(moved.departure, measured.departure, rtol=1e-10)
    assert moved.henrici < measured.henrici


def test_normal_part_keeps_eigenvalues_and_commutes():
    matrix = np.random.default_rng(2).normal(size=(25, 25))
    normal = dynamics.normal_part(matrix)
    before, after = (np.sort_complex(np.linalg.eigvals(x)) for x in (matrix, normal))
    np.testing.assert_allclose(after, before, atol=1e-12)
    np.testing.assert_allclose(normal @ normal.T, normal.T @ normal, atol=1e-12)
    assert dynamics.spectra(normal).henrici < CLOSE


def test_scrambled_keeps_what_it_says():
    matrix = np.random.default_rng(3).normal(size=(25, 25))
    whole = dynamics.spectra(matrix)
    upper = dynamics.scrambled(matrix, key=1)
    same = dynamics.spectra(upper)
    np.testing.assert_allclose(np.sort_complex(same.eigenvalues), np.sort_complex(whole.eigenvalues), atol=1e-9)
    np.testing.assert_allclose(same.departure, whole.departure, rtol=1e-10)
    assert abs(upper - matrix).max() > 0.1
    bases = dynamics.spectra(dynamics.scrambled(matrix, keep="singular_values", key=1))
    np.testing.assert_allclose(bases.singular_values, whole.singular_values, rtol=1e-10)
    with pytest.raises(ValueError, match="keep must be 'eigenvalues' or 'singular_values'; got 'all'"):
        dynamics.scrambled(matrix, keep="all")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((2, 3)), r"shape \(\.\.\., D, D\); got shape \(2, 3\)"),
        ([[1.0, np.nan], [0.0, 1.0]], "finite"),
        (np.zeros((2, 2)), "the matrix is 0"),
        (np.stack([np.eye(2), np.zeros((2, 2))]), r"matrix \[1\] is 0"),
    ],
)
def test_bad_matrices(matrix, message):
    with pytest.raises(ValueError, match=message):
        dynamics.spectra(matrix)
