"""Nodes of s: 1/x as a sum of exponentials, and what is carried on where the level rises."""

import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax.laws import _windows

NATS = 2.78


@pytest.mark.parametrize("most", [2, 8, 1000, 100_000])
def test_sums_of_strengths_are_inverted(most):
    """To the error of the trapezoid rule, 2 |Γ(1 + 2πi/step)|, from the weakest strength to all items at once."""
    rule = _windows.window(most, 0.28, NATS)
    x = np.exp(np.linspace(-NATS, np.log(most), 400))
    np.testing.assert_allclose(x * (np.exp(-np.outer(x, rule.nodes)) @ rule.weights), 1.0, rtol=0, atol=1.5e-14)


@pytest.mark.parametrize("most", [2, 32])
def test_what_strengths_take_is_carried_to_higher_levels(most, x64):
    """1 - e^{-gs} of strengths g down to e^-40: by steps of any size, and by many small ones."""
    step = 0.28
    rule = _windows.window(most, step, NATS)
    strengths = np.exp(-np.linspace(0.0, 40.0, 60))
    for rises in ([0], [1], [13], [200], [255], [300], [1] * 50, [3, 0, 11, 1, 40]):
        values = jnp.asarray(-np.expm1(-np.outer(rule.nodes, strengths)))
        for rise in rises:
            values = _windows.carried(values, jnp.full(len(strengths), rise), rule.carried)
        want = -np.expm1(-np.outer(rule.nodes, strengths * np.exp(-step * sum(rises))))
        np.testing.assert_allclose(values, want, rtol=0, atol=2e-15, err_msg=str(rises))


def test_lanes_rise_on_their_own(x64):
    rule = _windows.window(2, 0.28, NATS)
    rises = np.array([0, 7, 2, 90])
    values = jnp.asarray(np.repeat(-np.expm1(-rule.nodes)[:, None], 4, axis=1))
    want = -np.expm1(-rule.nodes[:, None] * np.exp(-0.28 * rises))
    np.testing.assert_allclose(_windows.carried(values, jnp.asarray(rises), rule.carried), want, rtol=0, atol=2e-15)
