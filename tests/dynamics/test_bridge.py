"""Depth beside resolution: systems whose resolution is known, Jacobians along a direction, circular shifts, codes."""

import jax
import numpy as np
import pytest

from semres_jax import dynamics, measure
from semres_jax.dynamics import bridge
from semres_jax.networks import llama

WIDTH, DEPTH = 16, 3
YEARS = np.arange(10.0)
APART = abs(YEARS[:, None] - YEARS)


@pytest.fixture(scope="module")
def weights():
    return llama.random_weights(jax.random.key(1), vocabulary=50, width=WIDTH, layers=DEPTH, heads=4, kv_heads=2)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    return [[rng.integers(0, 50, 2 + (i + k) % 2).tolist() for k in range(2)] for i in range(len(YEARS))]


@pytest.fixture(scope="module")
def states(weights, texts):
    return dynamics.stimuli(weights, texts)


def test_states_of_stimuli_are_means_over_their_texts(weights, texts, states):
    for i in (0, 3):
        own = [dynamics.boundaries(weights, [tokens])[::2, 0] for tokens in texts[i]]
        np.testing.assert_allclose(states[:, i], np.mean(own, axis=0), atol=1e-5)


def test_each_depth_is_what_embeddings_measures(states):
    made = dynamics.resolution_by_depth(states, APART, bootstrap=10)
    own = states[1] - states[1].mean(0)
    alone = measure.embeddings(own, APART, similarity="cosine", optimal="none", bootstrap=10)
    assert made.p_s.value[1] == pytest.approx(alone.p_s.value, abs=1e-12)
    assert made.p_i.value[1] == pytest.approx(alone.p_i.value, abs=1e-12)
    assert made.epsilon.value[1] == pytest.approx(alone.fits[alone.best].epsilon.value, rel=1e-9)
    assert made.front.value[1] == pytest.approx(alone.fronts["constant"].distance.value, abs=1e-9)
    covariance = np.linalg.eigvalsh(np.cov(states[1].T))
    assert made.dimension[1] == pytest.approx(covariance.sum() ** 2 / (covariance**2).sum(), rel=1e-9)
    update = np.linalg.norm(np.diff(states, axis=0), axis=-1).mean(1)
    np.testing.assert_allclose(made.velocity.value, update)


def test_gains_are_those_of_jacobians(weights, states):
    tokens = np.random.default_rng(1).integers(0, 50, (3, 4))
    made = dynamics.gains(weights, tokens, states, YEARS)
    centred = YEARS - YEARS.mean()
    slope = np.tensordot(centred, states, (0, 1)) / (centred**2).sum()
    for row in dynamics.jacobians(weights, tokens):
        there = row.matrices @ slope[row.layer]
        grown = np.sqrt((there**2).sum(-1).mean() / (slope[row.layer] ** 2).sum())
        assert made.along[row.layer] == pytest.approx(grown, rel=1e-4)
        after = slope[row.layer + 1]
        assert made.carried[row.layer] == pytest.approx((there @ after).mean() / (after @ after), rel=1e-3, abs=1e-4)


def test_relations_are_told_from_their_shifts_as_often_as_they_say():
    """Of series that know nothing of each other p is uniform over shifts, also where they drift."""
    rng, length, times = np.random.default_rng(0), 30, 400
    drifts = np.cumsum(rng.normal(size=(2, times, length)), axis=-1)
    waves = np.fft.irfft(np.fft.rfft(drifts) * np.exp(2j * np.pi * rng.random((2, times, length // 2 + 1))), n=length)
    p = np.array([bridge._relation("x", a, "y", b).p for a, b in zip(*waves, strict=True)])
    rate, due = (p <= 0.1).mean(), 0.1
    assert abs(rate - due) < 5 * np.sqrt(due * (1 - due) / times)
    same = bridge._relation("x", waves[0, 0], "y", waves[0, 0])
    assert same.rho == pytest.approx(1.0)
    assert same.p == pytest.approx(1 / length)


def test_unknown_quantities_are_told_nothing_of(states):
    row = bridge._relation("x", np.arange(5.0), "y", np.array([1.0, np.nan, 2.0, 3.0, 4.0]))
    assert np.isnan(row.rho)
    with pytest.raises(ValueError, match="h must have 3 numbers, one a layer"):
        dynamics.resolution_by_depth(states, APART, layers={"h": np.zeros(4)}, bootstrap=10)


def test_codes_hold_a_curve_that_axes_do_not():
    angle = np.linspace(0, 3, 7)[:, None] + 0.02 * np.random.default_rng(0).normal(size=(7, 12))
    arc = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], axis=-1)
    made = dynamics.compress(arc, codes=1, hidden=16, steps=2000, key=1)
    assert made.explained > 0.95 > made.linear
    assert made.points.shape == (7, 1)
    assert made.loss[-1] < made.loss[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w, x: dynamics.stimuli(w, [[[1]], [[2]]]), "3 stimuli, with a text"),
        (lambda w, x: dynamics.stimuli(w, [[[1]], [[2]], []]), "3 stimuli, with a text"),
        (lambda w, x: dynamics.gains(w, [[1]], x, YEARS[:3]), "values must be 10 numbers"),
        (lambda w, x: dynamics.gains(w, [[1]], x, 0 * YEARS), "not all the same"),
        (lambda w, x: dynamics.pushed(w, [[1]], 0, np.ones((1, 3))), r"directions must have shape \(directions, 16\)"),
        (lambda w, x: dynamics.pushed(w, [[1]], 3, np.ones((1, 16))), "layer must be from 0 to 2; got 3"),
        (lambda w, x: dynamics.compress(x[:, :3]), "4 texts, are needed"),
        (lambda w, x: dynamics.compress(np.ones((3, 5, 4))), "states are all the same"),
        (lambda w, x: dynamics.run_from(w, x[:1], 4, until=2), "until must be from the boundary, 4, to 6; got 2"),
    ],
)
def test_bad_input(weights, states, call, message):
    with pytest.raises(ValueError, match=message):
        call(weights, states)
