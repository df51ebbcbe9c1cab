"""Standard errors where few trials carry what is estimated, and where nothing is left to be missed."""

import jax
import numpy as np
import pytest

import semres_jax
from semres_jax import Constant, Exponential, Gaussian, Linear, PowerLaw, Tabulated, estimate, spaces
from semres_jax.montecarlo._errors import RESOLUTION

METHODS = ("lattice", "prng")
KEYS = 100
# Beyond three standard errors are 0.3 % of normal errors, 0.9 % of 16 shifts' (Student, 15 degrees of freedom), and of
# 100 keys a few more by chance.
BEYOND_THREE = 0.04


def _runs(space, similarity, trials, method, n=2, keys=KEYS):
    """Errors and standard errors of (p_S, p_I), by key."""
    exact = semres_jax.accuracy(space, similarity, n=n)
    runs = [estimate(space, similarity, key=jax.random.key(k), trials=trials, n=n, method=method) for k in range(keys)]
    errors = np.array([(run.p_s - exact.p_s, run.p_i - exact.p_i) for run in runs])
    return errors, np.array([(run.p_s_stderr, run.p_i_stderr) for run in runs])


SPIKE = Tabulated([0.0, 2e-5, 3e-5, 0.5], [1.0, 1.0, 0.02, 0.0])
RARE = {
    "hamming(20)": (spaces.Hamming(20), Exponential(0.05), 2, 2**12),
    "hamming(20), more": (spaces.Hamming(20), Exponential(0.05), 2, 2**16),
    "torus(5)": (spaces.Torus(5), Exponential(0.02), 2, 2**12),
    "torus(5), n = 8": (spaces.Torus(5), Exponential(0.02), 8, 2**14),
    "torus(2)": (spaces.Torus(2), Linear(0.01), 2, 2**12),
    "interval": (spaces.get("interval"), PowerLaw(1e-4, 3.0), 2, 2**12),
    "a spike on a slope": (spaces.get("circle"), SPIKE, 2, 2**12),
    "counted": (spaces.Torus(2), Constant(0.006), 2, 2**12),
    "torus(50)": (spaces.Torus(50), Linear(0.3366), 5, 2**10),
    "counted, few": (spaces.get("circle"), Constant(1e-3), 2, 2**12),
}


@pytest.mark.thorough(keep=5)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("design", RARE)
def test_error_bars_hold_where_few_trials_carry_the_estimate(design, method):
    space, similarity, n, trials = RARE[design]
    errors, stderr = _runs(space, similarity, trials, method, n)
    beyond = np.mean(np.abs(errors) > 3 * stderr, axis=0)
    assert (beyond <= BEYOND_THREE).all(), beyond


ORDINARY = {
    "circle": (spaces.get("circle"), Exponential(0.2), 2),
    "circle, n = 8": (spaces.get("circle"), Linear(0.3), 8),
    "interval": (spaces.get("interval"), Gaussian(0.3), 3),
    "torus": (spaces.get("torus"), PowerLaw(0.2, 2.0), 2),
    "sphere": (spaces.get("sphere"), Exponential(0.7, 0.1), 2),
    "ball, counted": (spaces.get("ball"), Constant(0.5, 0.05), 3),
}


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("design", ORDINARY)
def test_error_bars_are_no_larger_than_errors_elsewhere(design, method):
    """Both are uncertain by 1/√(2 keys) = 7 %, of which three are left; a lattice may have missed the tip of a peak."""
    space, similarity, n = ORDINARY[design]
    errors, stderr = _runs(space, similarity, 2**14, method, n)
    ratio = np.sqrt(np.mean(stderr**2, axis=0) / np.mean(errors**2, axis=0))
    assert ((ratio > 0.79) & (ratio < (1.26 if method == "prng" else 1.6))).all(), ratio


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_can_be_missed_the_error_is_that_of_the_numbers(method):
    """Chance is chance whatever is drawn: no count of one is added."""
    how = {"key": jax.random.key(0), "trials": 2**10, "method": method}
    for similarity, exponent in ((Exponential(0.2), 0.0), (Gaussian(0.2, 1.0), 1.0), (Constant(0.6), 1.0)):
        e = estimate(spaces.get("circle"), similarity, exponent=exponent, **how)
        np.testing.assert_allclose([e.p_s, e.p_i], 0.5, rtol=0, atol=1e-12)
        np.testing.assert_allclose([e.p_s_stderr, e.p_i_stderr], RESOLUTION, rtol=0.5)
