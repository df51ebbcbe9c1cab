"""Non-dominated pairs by brute force, and distances to fronts whose geometry is known."""

import numpy as np
import pytest

from semres_jax import frontier
from semres_jax._types import Accuracy

RADIUS = 0.8
ANGLES = np.linspace(0, np.pi / 2, 20_001)
ARC = Accuracy(RADIUS * np.sin(ANGLES), RADIUS * np.cos(ANGLES))


def _brute_force(s, i):
    at_least = (s[None] >= s[:, None]) & (i[None] >= i[:, None])
    better = (s[None] > s[:, None]) | (i[None] > i[:, None])
    return ~(at_least & better).any(1) & ~np.isnan(s) & ~np.isnan(i)


@pytest.mark.parametrize("levels", [3, 12, 10**6], ids=lambda x: f"{x} levels")
def test_pareto_is_what_brute_force_finds(levels):
    """Few levels: many ties and duplicates."""
    rng = np.random.default_rng(levels)
    for _ in range(50):
        s, i = rng.integers(0, levels + 1, (2, 60)) / levels
        s[rng.random(60) < 0.1] = np.nan
        i[rng.random(60) < 0.1] = np.nan
        np.testing.assert_array_equal(frontier.pareto(s, i), _brute_force(s, i))


def test_pareto_keeps_the_shape_and_all_of_equal_pairs():
    chosen = frontier.pareto([[0.5, 0.75], [0.75, 0.6]], [[1.0, 0.75], [0.75, 0.6]])
    assert chosen.tolist() == [[True, True], [True, False]]
    assert not frontier.pareto([np.nan, 0.5], [0.5, np.nan]).any()
    assert frontier.pareto(0.5, 0.5).shape == ()
    assert frontier.pareto([], []).shape == (0,)


@pytest.mark.parametrize(
    ("p_s", "p_i", "message"),
    [
        ([0.5, 0.6], [0.5], r"one shape; got \(2,\) and \(1,\)"),
        ([0.5, 1.5], [0.5, 0.5], "p_s must be an accuracy between 0 and 1; got 1.5"),
        ([0.5], [-0.1], "p_i must be an accuracy between 0 and 1; got -0.1"),
        ([np.inf], [0.5], "p_s must be an accuracy between 0 and 1; got inf"),
        ("half", [0.5], "p_s must be numbers; got the text 'half'"),
    ],
)
def test_pareto_refuses(p_s, p_i, message):
    with pytest.raises(ValueError, match=message):
        frontier.pareto(p_s, p_i)


def test_distance_from_an_arc():
    rng = np.random.default_rng(1)
    radius, angle = rng.uniform(0.05, 0.99, 500), rng.uniform(0.05, np.pi / 2 - 0.05, 500)
    radius[np.abs(radius - RADIUS) < 1e-3] = 0.1
    s, i = radius * np.sin(angle), radius * np.cos(angle)
    nearest = frontier.distance(s, i, ARC, p_s_stderr=0.01, p_i_stderr=0.03)
    # Within 0.05 of an axis the extension is as close as the arc; the arc's ends are horizontal and vertical there.
    np.testing.assert_allclose(nearest.distance, radius - RADIUS, rtol=0, atol=1e-6)
    np.testing.assert_allclose(nearest.p_s, RADIUS * np.sin(angle), rtol=0, atol=1e-4)
    np.testing.assert_allclose(nearest.p_i, RADIUS * np.cos(angle), rtol=0, atol=1e-4)
    np.testing.assert_allclose(nearest.stderr, np.hypot(0.01 * np.sin(angle), 0.03 * np.cos(angle)), rtol=0, atol=1e-4)


def test_the_order_of_the_front_and_its_dominated_points_do_not_matter():
    rng = np.random.default_rng(2)
    order = rng.permutation(ANGLES.size)
    inside = rng.uniform(0, 0.5, (2, 300))
    messy = Accuracy(*(np.concatenate([x[order], extra, [np.nan]]) for x, extra in zip(ARC, inside, strict=True)))
    points = rng.uniform(0, 1, (2, 40))
    np.testing.assert_array_equal(frontier.distance(*points, messy).distance, frontier.distance(*points, ARC).distance)


def test_less_in_one_accuracy_than_an_end_is_attainable():
    """A front from (p_I, p_S) = (0.4, 0.7) to (0.8, 0.5): flat to the left of it, straight down to the right."""
    front = Accuracy([0.7, 0.5], [0.4, 0.8])
    p_i = np.array([0.1, 0.1, 0.9, 0.75, 0.9, 0.1])
    p_s = np.array([0.6, 0.9, 0.2, 0.0, 0.6, 0.7])
    nearest = frontier.distance(p_s, p_i, front, p_s_stderr=0.01, p_i_stderr=0.02)
    np.testing.assert_allclose(nearest.distance, [-0.1, 0.2, 0.1, -0.05, np.hypot(0.1, 0.1), 0.0], rtol=0, atol=1e-12)
    # Up, up, right, right, from the corner outward, and up again: on the extension, across it.
    corner = np.hypot(0.01, 0.02) / np.sqrt(2)
    np.testing.assert_allclose(nearest.stderr, [0.01, 0.01, 0.02, 0.02, corner, 0.01], rtol=0, atol=1e-12)


def test_a_front_of_one_point():
    nearest = frontier.distance([0.5, 0.8, 0.7], [0.5, 0.6, 0.9], Accuracy([0.7], [0.6]))
    np.testing.assert_allclose(nearest.distance, [-0.1, 0.1, 0.3], rtol=0, atol=1e-12)


def test_on_the_front_the_error_is_that_across_it():
    slope = np.arctan2(0.2, 0.4)  # falls by 0.2 over 0.4
    front = Accuracy([0.7, 0.5], [0.4, 0.8])
    nearest = frontier.distance(0.6, 0.6, front, p_s_stderr=0.01, p_i_stderr=0.03)
    assert abs(nearest.distance) < 1e-12
    np.testing.assert_allclose(nearest.stderr, np.hypot(0.01 * np.cos(slope), 0.03 * np.sin(slope)), rtol=1e-9)


def test_stderr_is_propagated_through_the_distance():
    rng = np.random.default_rng(3)
    p_s, p_i = rng.uniform(0.05, 0.95, (2, 200))
    errors = rng.uniform(0.001, 0.05, (2, 200))
    front = Accuracy([0.9, 0.85, 0.6, 0.3], [0.2, 0.5, 0.8, 0.85])
    step = 1e-7
    by_s, by_i = (
        (frontier.distance(p_s + a, p_i + b, front).distance - frontier.distance(p_s - a, p_i - b, front).distance)
        / (2 * step)
        for a, b in ((step, 0.0), (0.0, step))
    )
    nearest = frontier.distance(p_s, p_i, front, p_s_stderr=errors[0], p_i_stderr=errors[1])
    np.testing.assert_allclose(nearest.stderr, np.hypot(by_s * errors[0], by_i * errors[1]), rtol=1e-5)


def test_what_is_not_known_stays_unknown():
    nearest = frontier.distance([np.nan, 0.5, 0.5], [0.5, np.nan, 0.5], ARC, p_s_stderr=[np.nan, 0.1, 0.1])
    for field in nearest:
        assert np.isnan(field).tolist() == [True, True, False]
    lost = frontier.distance(0.5, 0.5, ARC, p_s_stderr=np.nan)
    assert np.isnan(lost.stderr)
    assert np.isfinite(lost.distance)


def test_everything_broadcasts():
    nearest = frontier.distance(np.full((3, 1), 0.5), 0.5, ARC, p_i_stderr=[0.01, 0.02])
    assert all(np.shape(field) == (3, 2) for field in nearest)
    assert np.shape(frontier.distance(0.5, 0.5, ARC).distance) == ()


@pytest.mark.parametrize(
    ("front", "more", "message"),
    [
        (Accuracy(np.full((2, 2), 0.5), np.full((2, 2), 0.5)), {}, r"front must be one curve.*got shape \(2, 2\)"),
        (Accuracy([0.5, 0.6], [0.5]), {}, "one shape"),
        (Accuracy([np.nan], [0.5]), {}, "no finite point"),
        (Accuracy([1.1], [0.5]), {}, "p_s must be an accuracy between 0 and 1; got 1.1"),
        (ARC, {"p_s_stderr": -0.1}, "p_s_stderr must be a standard error, at least 0; got -0.1"),
        (ARC, {"p_i_stderr": np.inf}, "p_i_stderr must be a standard error, at least 0; got inf"),
        (ARC, {"p_s": 1.5}, "p_s must be an accuracy between 0 and 1; got 1.5"),
        (ARC, {"p_i": -np.inf}, "p_i must be an accuracy between 0 and 1; got -inf"),
    ],
)
def test_distance_refuses(front, more, message):
    with pytest.raises(ValueError, match=message):
        frontier.distance(**{"p_s": 0.5, "p_i": 0.5, "front": front} | more)


def test_a_front_may_be_a_list_of_its_points():
    front = Accuracy(np.array([0.5, 0.7, 0.75]), np.array([1.0, 0.9, 0.75]))
    points = [Accuracy(*point) for point in zip(front.p_s, front.p_i, strict=True)]
    expected = frontier.distance([0.6, 0.8], 0.8, front, p_s_stderr=0.01)
    np.testing.assert_array_equal(frontier.distance([0.6, 0.8], 0.8, points, p_s_stderr=0.01), expected)
