"""The law of differences of resolutions whose floors may not fall below 0."""

import numpy as np
import pytest
from scipy import stats

from semres_jax import measure, similarity, spaces
from semres_jax.measure import intervals
from semres_jax.measure._bounded import Law, law
from semres_jax.measure.embeddings import influence
from semres_jax.measure.members import Bound, Influence

DRAWS = 200_000


@pytest.mark.parametrize(
    ("floor", "pull", "freedom"), [(0.3, 2.0, 9.0), (0.0, -1.5, 4.0), (-0.2, 2.0, 30.0), (0.1, -3.0, 6.0)]
)
def test_the_law_is_that_of_draws(floor, pull, freedom):
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    rng = np.random.default_rng(1)
    normal = rng.multivariate_normal([0.0, 0.0], covariance, size=DRAWS)
    x, y = normal.T * np.sqrt(freedom / rng.chisquare(freedom, size=DRAWS))
    differences = np.abs(x + pull * (np.minimum(floor + y / 2, 0) - np.minimum(floor - y / 2, 0)))
    known = Law(covariance, floor, pull, freedom)
    for size in (0.05, 0.3, 1.0):
        share = known.beyond(size)
        assert abs((differences >= size).mean() - share) < 5 * np.sqrt(share * (1 - share) / DRAWS) + 1e-6
    assert known.beyond(known.reach(0.95)) == pytest.approx(0.05, abs=1e-9)
    assert known.beyond(0.0) == pytest.approx(1.0, abs=1e-12)
    x, y = normal.T
    squares = (x + pull * (np.minimum(floor + y / 2, 0) - np.minimum(floor - y / 2, 0))) ** 2
    assert abs(squares.mean() - known.stderr() ** 2) < 5 * squares.std() / np.sqrt(DRAWS)


def test_far_from_the_bound_it_is_students():
    covariance, freedom, pull = np.array([[0.04, 0.01], [0.01, 0.09]]), 7.0, 2.0
    for floor, variance in ((1e3, 0.04), (-1e3, 0.04 + 2 * pull * 0.01 + pull**2 * 0.09)):
        known = Law(covariance, floor, pull, freedom)
        for size in (0.1, 1.0, 20.0):
            expected = 2 * stats.t.sf(size / np.sqrt(variance), freedom)
            assert known.beyond(size) == pytest.approx(expected, rel=1e-6)
    assert law(*[Bound(9.0, 1.0, np.eye(2)[:, :1] * k, np.zeros((2, 1, 1))) for k in (1, 2)], 5.0) is None


def noisy_plane(seed, size=20):
    """Stimuli of the unit square and a similarity that an exponential without a floor nearly fits."""
    rng = np.random.default_rng(seed)
    space = spaces.Finite.from_points(rng.random((size, 2)))
    return np.asarray(space.distances), np.exp(-np.asarray(space.distances) / 0.3) + 0.05 * rng.random((size, size))


def test_without_the_bound_the_fit_is_where_its_equations_say():
    """Of a fit at Δ = 0: one step of Newton's from there, and ln ε gives way as its pull says."""
    distances, relative = noisy_plane(0)
    relative = relative - 0.08  # floors would be negative
    family, epsilon = similarity.get("exponential"), 0.3
    shape = measure.profile(spaces.Finite(distances), relative - np.diag(np.diagonal(relative) - 1.0))
    best = measure.fit_profile(shape, family)
    assert float(best.delta.value) == 0.0
    epsilon = float(best.epsilon.value)
    number = influence.log_resolution(distances, relative, family, epsilon, 0.0)
    assert number is not None
    assert number.bound is not None
    bound = number.bound
    assert bound.floor < 0
    # What stimuli move ln ε by at the bound is what they move it and the floor by without it, the floor put back.
    together = bound.slopes[0] + bound.pull * bound.slopes[1]
    np.testing.assert_allclose(together, number.slope, rtol=1e-9, atol=1e-12)
    together = bound.pairs[0] + bound.pull * bound.pairs[1]
    np.testing.assert_allclose(together, number.pairs, rtol=1e-9, atol=1e-12)


def test_paired_takes_the_law_where_floors_are_near_0_and_students_t_elsewhere():
    distances, _ = noisy_plane(1)
    family, numbers = similarity.get("exponential"), []
    for seed, floor in ((2, 0.0), (3, 0.0), (2, 0.6), (3, 0.6)):
        _, relative = noisy_plane(seed)
        numbers.append(influence.log_resolution(distances, floor + (1 - floor) * relative, family, 0.3, floor))
    near = intervals.paired(numbers[0], numbers[1])
    of_singles = intervals.paired(*(number._replace(bound=None) for number in numbers[:2]))
    assert near.difference.value == of_singles.difference.value
    assert near.difference.stderr != pytest.approx(of_singles.difference.stderr, rel=1e-3)
    assert (near.p < 0.05) == (not near.difference.low <= 0 <= near.difference.high)
    clear = intervals.paired(numbers[2], numbers[3])
    assert clear == intervals.paired(*(number._replace(bound=None) for number in numbers[2:]))
    same = intervals.paired(numbers[0], Influence(*numbers[0]))
    assert same.p == 1.0
