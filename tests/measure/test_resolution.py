"""Fitted resolutions, where the truth is known."""

import numpy as np
import pytest

from semres_jax import Constant, Exponential, Linear, measure, spaces

# The search narrows ε to a relative 1e-8; the floor follows it.
FOUND = 1e-6
RING = spaces.grid(spaces.get("circle"), 40)
SEGMENT = spaces.grid(spaces.get("interval"), 40)


@pytest.mark.parametrize("space", [RING, SEGMENT], ids=["ring", "segment"])
@pytest.mark.parametrize(("family", "kind"), [("linear", Linear), ("exponential", Exponential)])
@pytest.mark.parametrize("delta", [0.0, 0.07])
def test_a_similarity_is_found_again(x64, space, family, kind, delta):
    for epsilon in (0.08, 0.3, 0.45):
        found = measure.profile(space, kind(epsilon, delta)(space.distances))
        best = measure.fit(found, family)
        assert best.epsilon == pytest.approx(epsilon, rel=FOUND)
        assert best.delta == pytest.approx(delta, abs=FOUND)
        others = [measure.fit(found, name).aic for name in measure.FAMILIES if name != family]
        assert best.aic < min(others)


def test_a_linear_similarity_past_the_diameter_is_given_without_a_floor(x64):
    best = measure.fit(measure.profile(RING, Linear(0.9, 0.1)(RING.distances)), "linear")
    assert best.epsilon == pytest.approx(1.0, rel=FOUND)
    assert best.delta == pytest.approx(0.0, abs=FOUND)


def test_a_constant_similarity_ends_between_two_distances(x64):
    best = measure.fit(measure.profile(RING, Constant(0.21, 0.1)(RING.distances)), "constant")
    assert 0.2 < best.epsilon < 0.225
    assert best.delta == pytest.approx(0.1, abs=FOUND)
    assert best.epsilon_stderr == pytest.approx(0.025 / np.sqrt(12))


def test_standard_errors_are_those_of_repeated_noise(x64):
    rng, noise, repeats = np.random.default_rng(0), 0.05, 400
    table = np.asarray(Linear(0.3, 0.1)(RING.distances))
    upper = np.triu(rng.normal(size=(repeats, 40, 40)) * noise, 1)
    noisy = table + upper + np.swapaxes(upper, 1, 2)  # a pair has one error, seen from both ends
    best = measure.fit(measure.profile(RING, noisy), "linear")
    for value, stderr in ((best.epsilon, best.epsilon_stderr), (best.delta, best.delta_stderr)):
        # The spread of 400 has a relative standard error of 1/sqrt(800).
        assert np.std(value) == pytest.approx(np.mean(stderr), rel=5 / np.sqrt(2 * repeats))
    assert best.epsilon.mean() == pytest.approx(0.3, abs=5 * best.epsilon_stderr.mean() / np.sqrt(repeats))


def test_profiles_are_means_over_pairs_relative_to_the_probe():
    line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
    found = measure.profile(line, [[4.0, 2.0, 1.0], [2.0, 2.0, 0.0], [1.0, 0.0, 1.0]])
    np.testing.assert_array_equal(found.distance, [1, 2])
    np.testing.assert_array_equal(found.pairs, [4, 2])
    np.testing.assert_allclose(found.mean, [(0.5 + 1 + 0 + 0) / 4, (0.25 + 1) / 2])
    np.testing.assert_allclose(found.variance, [np.var([0.5, 1, 0, 0]), np.var([0.25, 1])])


def test_reach_of_a_similarity_that_ends_is_its_ball_measure(x64):
    from semres_jax.laws import enumeration

    mean, variance = measure.reach(Linear(0.2501)(SEGMENT.distances))
    expected = enumeration.share_moments(SEGMENT, 0.2501)
    np.testing.assert_allclose([mean, variance], expected, rtol=1e-12)


def test_bad_input():
    with pytest.raises(ValueError, match="family must be one of constant, linear, exponential; got 'gaussian'"):
        measure.fit(measure.profile(RING, np.eye(40)), "gaussian")
    with pytest.raises(ValueError, match=r"strengths must be 40 by 40, as the distances; got \(3, 3\)"):
        measure.profile(RING, np.eye(3))
    with pytest.raises(ValueError, match="itself must be positive; got 0"):
        measure.profile(RING, np.zeros((40, 40)))
    with pytest.raises(ValueError, match="no known table"):
        measure.profile(spaces.get("circle"), np.eye(3))
