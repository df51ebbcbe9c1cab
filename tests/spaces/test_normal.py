"""Normal numbers against thirty digits, in the middle, where formulas change, and far out."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from semres_jax.spaces._normal import normal

EPS = 2.0**-52


def _reference(q):
    """The z with Φ(z) = 1/2 + q, from q itself: 1/2 + q would lose digits."""
    with mpmath.workdps(40):
        return float(mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(q)))


@pytest.mark.parametrize(
    "q",
    [
        2.0**-54, 1e-9, 0.1, 0.3, 0.42499999, 0.42500001, 0.47, 0.4999, 0.5 - 1e-6,
        0.5 - 2.0**-33, 0.5 - 1.4e-11, 0.5 - 1.3e-11, 0.5 - 1e-13, 0.5 - 2.0**-54,
    ],
)  # fmt: skip
def test_against_thirty_digits(q, x64):
    for sign in (1, -1):
        u = jnp.array(min(0.5 + sign * q - 0.25 * EPS, 1.0 - 0.5 * EPS))
        exact = (float(u) - 0.5) + 0.25 * EPS  # what the grid of floats makes of q
        assert float(normal(u)) == pytest.approx(_reference(exact), rel=2e-15)


def test_every_scale_at_once(x64):
    rng = np.random.default_rng(0)
    u = np.concatenate([rng.random(200), 10.0 ** rng.uniform(-15, -1, 200), 1 - 10.0 ** rng.uniform(-12, -1, 100)])
    got = np.asarray(jax.jit(normal)(jnp.asarray(u)))
    expected = [_reference((x - 0.5) + 0.25 * EPS) for x in u.tolist()]
    np.testing.assert_allclose(got, expected, rtol=4e-15)


def test_ends_are_finite_and_gradients_are_those_of_the_inverse(x64):
    assert np.isfinite(normal(jnp.array([0.0, 1.0 - EPS / 2]))).all()
    assert normal(jnp.array(0.5)) != 0
    for u in (0.02, 0.4, 0.97):
        slope = (normal(jnp.array(u + 1e-6)) - normal(jnp.array(u - 1e-6))) / 2e-6
        assert float(jax.grad(normal)(u)) == pytest.approx(float(slope), rel=1e-8)


def test_single_precision_is_that_of_double():
    u = np.linspace(0.001, 0.999, 101, dtype=np.float32)
    with jax.enable_x64(True):
        expected = np.asarray(normal(jnp.asarray(u, jnp.float64)))
    np.testing.assert_allclose(normal(jnp.asarray(u)), expected, atol=2e-6, rtol=2e-5)
