"""Statistics along depth: exact values, walks, standard errors, and what can't be measured."""

import numpy as np
import pytest

from semres_jax import dynamics

RNG = np.random.default_rng(0)
# What a walk of 61 points has, as computed for this project before.
WALK, WALK_PLACES = -10.42, 0.01


def walk(boundaries=8, texts=200, units=40, seed=1):
    return np.cumsum(np.random.default_rng(seed).normal(size=(boundaries, texts, units)), axis=0)


def test_continuity_of_a_walk_is_its_null():
    """An uncorrelated update is what the null says, and b steps correlate with b + 1 by √(b / (b + 1))."""
    made = dynamics.continuity(walk(texts=2000))
    b = np.arange(1, 8)
    np.testing.assert_allclose(made.r.value, np.sqrt(b / (b + 1)), atol=5 * made.r.stderr.max())
    np.testing.assert_allclose(made.null, made.r.value, atol=0.01)
    assert made.constant.tolist() == [0] * 8


def test_standard_errors_are_the_spread_of_repetitions():
    repeats = [dynamics.continuity(walk(texts=60, seed=seed)) for seed in range(60)]
    spread = np.std([row.mean.value for row in repeats], ddof=1)
    mean_error = np.mean([row.mean.stderr for row in repeats])
    assert 0.75 < mean_error / spread < 1.33  # of 60 repetitions the spread is known to 9 %


def test_constant_units_are_left_out_and_counted():
    states = walk(texts=50)
    frozen = states.copy()
    frozen[3, :, :5] = 7.0
    made = dynamics.continuity(frozen)
    assert made.constant.tolist() == [0, 0, 0, 5, 0, 0, 0, 0]
    rest = dynamics.continuity(states[2:5, :, 5:])
    np.testing.assert_allclose(made.r.value[2:4], rest.r.value, rtol=1e-10)
    with pytest.raises(ValueError, match="no unit varies over texts at both boundaries 0 and 1"):
        dynamics.continuity(np.ones((3, 4, 5)))


def test_motion_of_steps_at_right_angles():
    """Steps of length 2 along one axis each: turns of π/2, tortuosity √(number of steps), as a walk."""
    states = np.concatenate([np.zeros((1, 9)), 2 * np.tril(np.ones((9, 9)))])[:, None] * np.ones((1, 3, 1))
    made = dynamics.motion(states)
    np.testing.assert_allclose(made.velocity.value, 2)
    np.testing.assert_allclose(made.acceleration.value, 0)
    np.testing.assert_allclose(made.turning.value, np.pi / 2)
    np.testing.assert_allclose([made.tortuosity.value, made.walk.value, made.mean_tortuosity, made.mean_walk], 3)
    np.testing.assert_allclose(made.norm.value, 2 * np.sqrt(np.arange(10)))
    assert np.isnan(made.relative.value[0])


def test_density_has_a_scale_or_has_none():
    one, large = np.zeros((1, 3, 16)), RNG.normal(size=(1, 500, 400))
    one[..., 3] = 5.0
    made = dynamics.density(one)
    assert [float(x.value[0]) for x in made] == [1 / 16, 1 / 16, 1.0]
    small, big = dynamics.density(0.1 * large), dynamics.density(10 * large)
    assert small.large.value[0] < 1e-10 < 0.9 < big.large.value[0]
    np.testing.assert_allclose(small.participation.value, big.participation.value)
    np.testing.assert_allclose(small.hoyer.value, big.hoyer.value)
    np.testing.assert_allclose(big.participation.value, 1 / 3, atol=0.02)  # of a normal distribution: (1)² / 3


def test_rotations_of_a_walk():
    made = dynamics.rotations(walk(61, 500, 60))
    assert float(made.value) == pytest.approx(WALK, abs=WALK_PLACES + 5 * float(made.stderr))


def test_principal_axes_are_those_of_a_decomposition():
    states = walk(12, 5, 30)
    mean = states.mean(1)
    centred = mean - mean.mean(0)
    left, sigma, _ = np.linalg.svd(centred, full_matrices=False)
    made = dynamics.paths(states, axes=2)
    np.testing.assert_allclose(made.shares, (sigma**2 / (sigma**2).sum())[:2])
    np.testing.assert_allclose(abs(made.points), abs(left[:, :2] * sigma[:2]))


def test_walks_have_the_shares_that_theory_gives():
    """6 / (π k)² for many steps in many dimensions."""
    made = dynamics.paths(np.arange(200.0)[:, None, None] * np.ones((1, 3, 4000)), axes=2, walks=4)
    np.testing.assert_allclose(made.walk, 6 / np.pi**2 / np.array([1, 4]), atol=0.02)


@pytest.mark.parametrize("measure", [dynamics.continuity, dynamics.motion, dynamics.density, dynamics.rotations])
@pytest.mark.parametrize(
    ("states", "message"),
    [
        (np.ones((6, 2, 3)), "3 texts are needed; got 6 and 2"),
        (np.ones((6, 3)), r"shape \(boundaries, texts, units\)"),
        (np.full((6, 3, 3), np.inf), "at boundary 0 unit 0 of text 0 is inf"),
    ],
)
def test_bad_states(measure, states, message):
    with pytest.raises(ValueError, match=message):
        measure(states)
