"""Pushes, teleports and flows of a random Llama: what is put there is there, and goes on as a Jacobian says."""

import jax
import numpy as np
import pytest

from semres_jax import dynamics
from semres_jax.networks import llama

TOKENS = np.random.default_rng(0).integers(0, 50, (4, 5))
WIDTH, DEPTH = 16, 2


@pytest.fixture(scope="module")
def weights():
    return llama.random_weights(jax.random.key(1), vocabulary=50, width=WIDTH, layers=DEPTH, heads=4, kv_heads=2)


def test_a_small_push_grows_as_the_jacobian_says(weights):
    """Of random directions ‖J δ‖² / ‖δ‖² is ‖J‖² / D on average."""
    (row,) = dynamics.jacobians(weights, TOKENS, layers=[1])
    expected = np.sqrt((row.matrices**2).sum((1, 2)) / WIDTH)
    made = dynamics.perturb(weights, TOKENS, 2, size=1e-2, directions=60, key=3)
    assert made.boundary.tolist() == [2, 3, 4]
    assert float(made.distance.value[0]) == pytest.approx(1, abs=1e-5)
    assert float(made.distance.value[-1]) == pytest.approx(expected.mean(), rel=0.1)
    states = np.linalg.norm(dynamics.boundaries(weights, TOKENS), axis=-1)
    (half,) = (x.relative.value[-1] for x in [made])
    assert float(half) == pytest.approx((expected * states[2] / states[4]).mean(), rel=0.1)


def test_a_teleport_of_everything_has_gone_all_the_way(weights):
    made = dynamics.teleport(weights, TOKENS, 2 * DEPTH - 1)
    np.testing.assert_allclose(made.share.value, 1.0, atol=1e-4)  # the last gated network sees the state alone
    early = dynamics.teleport(weights, TOKENS, 0)
    assert 0 < early.share.value[-1] < 1


def test_what_is_out_of_the_plane_stays(weights):
    plane = np.eye(WIDTH)[:3]
    made = dynamics.teleport(weights, TOKENS, 2, plane=plane, key=5)
    states = dynamics.boundaries(weights, TOKENS)[2]
    assert 0 < made.share.value[0] < 1
    everything = dynamics.teleport(weights, TOKENS, 2, plane=np.eye(WIDTH), key=5)
    np.testing.assert_allclose(everything.share.value[0], 1.0, atol=1e-6)
    assert states.shape == (4, WIDTH)


def test_flow_at_a_state_is_its_update(weights):
    states = dynamics.boundaries(weights, TOKENS[:1])
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(WIDTH, 2)))[0].T
    made = dynamics.plane_flow(weights, TOKENS[:1], 1, axes, origin=states[2, 0], reach=0.5, count=3)
    update = states[4, 0] - states[2, 0]
    np.testing.assert_allclose(made.update[1, 1], axes @ update, atol=1e-4)
    rest = np.linalg.norm(update - axes.T @ (axes @ update))
    np.testing.assert_allclose(made.outside[1, 1], rest, rtol=1e-4)
    np.testing.assert_allclose(made.points[1, 1], 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: dynamics.perturb(w, TOKENS, 4), "boundary must be from 0 to 3; got 4"),
        (lambda w: dynamics.perturb(w, TOKENS, 0, size=0.0), "size must be above 0; got 0"),
        (lambda w: dynamics.perturb(w, TOKENS, 0, directions=0), "directions must be"),
        (lambda w: dynamics.teleport(w, TOKENS, 0, plane=np.ones((2, WIDTH))), "orthonormal"),
        (lambda w: dynamics.teleport(w, TOKENS, 0, plane=np.eye(3)), r"plane must have shape \(axes, 16\)"),
        (lambda w: dynamics.plane_flow(w, TOKENS, 0, np.eye(WIDTH)[:3], origin=np.zeros(WIDTH), reach=1.0), "two axes"),
        (lambda w: dynamics.plane_flow(w, TOKENS, 2, np.eye(WIDTH)[:2], origin=np.zeros(WIDTH), reach=1.0), "layer"),
    ],
)
def test_bad_input(weights, call, message):
    with pytest.raises(ValueError, match=message):
        call(weights)
