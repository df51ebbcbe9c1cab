"""Products of Jacobians: against plain products, and what controls keep."""

import numpy as np
import pytest

from semres_jax import dynamics
from semres_jax.dynamics import products
from semres_jax.dynamics.jacobians import Jacobian

MATRICES = np.random.default_rng(0).normal(size=(4, 2, 12, 12)).astype(np.float32)
ROWS = [Jacobian(k + 1, matrices) for k, matrices in enumerate(MATRICES)]


def test_they_are_the_products():
    made, whole = list(dynamics.product(ROWS)), np.broadcast_to(np.eye(12), (2, 12, 12))
    for row, matrices in zip(made, MATRICES.astype(np.float64), strict=True):
        whole = matrices @ whole
        measured = dynamics.spectra(whole)
        for name in ("pr", "erank"):
            np.testing.assert_allclose(getattr(row, name), getattr(measured, name), rtol=1e-9)
        np.testing.assert_allclose(row.log_norm, np.log(measured.norm), rtol=1e-9)
    assert [row.layer for row in made] == [1, 2, 3, 4]


def test_controls_multiply_changed_jacobians():
    """Normal parts and scrambled ones have the eigenvalues, bases the singular values: |det| tells the former."""
    for control in products.CONTROLS:
        first, *_ = dynamics.product(ROWS, control=control, key=3)
        seed = np.random.default_rng(3).integers(0, 2**31, 2).tolist()[0]
        measured = dynamics.spectra(products.changed(MATRICES[0, 0], control, key=seed))
        np.testing.assert_allclose(first.pr[0], measured.pr, rtol=1e-9)
        given = dynamics.spectra(MATRICES[0, 0])
        kept = "singular_values" if control == "bases" else "eigenvalues"
        np.testing.assert_allclose(np.sort(getattr(measured, kept)), np.sort(getattr(given, kept)), atol=1e-6)


def test_random_bases_lose_directions_as_products_of_random_matrices_do():
    """Entries N(0, 1/D): lengths stay, and each factor takes directions away."""
    size, layers = 60, 6
    rng = np.random.default_rng(1)
    rows = [Jacobian(k, rng.normal(size=(1, size, size)) / size**0.5) for k in range(layers)]
    made = list(dynamics.product(rows))
    # ‖A C‖² / ‖C‖² is 1 on average for independent A with entries of variance 1/D; it starts from ‖A‖² = D.
    assert abs(made[-1].log_norm[0] - np.log(size) / 2) < 0.3
    # The inverse participation ratio of a product of K such matrices is (K + 1) / D to first order in 1/D.
    np.testing.assert_allclose([row.pr[0] for row in made], size / (2 + np.arange(layers)), rtol=0.15)


def test_one_schur_form_serves_both():
    from semres_jax.dynamics import matrices

    table = MATRICES[1, 0].astype(np.float64)
    whole, update, schur = matrices.both(table)
    for made, given in ((whole, table), (update, table - np.eye(12))):
        alone = dynamics.spectra(given)
        for name in ("norm", "departure", "henrici", "symmetric", "rotation", "complex", "abscissa", "pr", "erank"):
            np.testing.assert_allclose(getattr(made, name), getattr(alone, name), rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(dynamics.normal_part(table, schur=schur), dynamics.normal_part(table), atol=1e-12)
    with pytest.raises(ValueError, match="the matrix is 0"):
        matrices.both(np.eye(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: list(dynamics.product(ROWS, control="none")), "control must be one of normal, scrambled, bases"),
        (lambda: list(dynamics.product(ROWS[::2])), "layer 3 came after 1"),
        (lambda: list(dynamics.product([Jacobian(0, np.zeros((1, 3, 3)))])), "is 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
