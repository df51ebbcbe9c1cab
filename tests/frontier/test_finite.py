"""The best similarity on a finite space."""

import numpy as np
import pytest

from semres_jax import frontier, measure, spaces
from semres_jax.laws import enumeration, tables

ROUNDING = 1e-10


@pytest.fixture(scope="module")
def best():
    ring = spaces.grid(spaces.get("circle"), 30)
    return ring, frontier.optimal_finite(ring, 0.05)


def test_it_is_a_similarity_and_has_the_accuracy_that_is_told(x64, best):
    ring, found = best
    values = np.asarray(found.similarity.values)
    assert values[0] == 1
    assert (np.diff(values) <= 0).all()
    assert values[-1] >= 0.05 * (1 - ROUNDING)
    np.testing.assert_allclose(enumeration.accuracy(ring, found.similarity), found.accuracy, atol=ROUNDING)


@pytest.mark.thorough
def test_no_usual_family_is_better(x64, best):
    ring, found = best
    for family in ("constant", "linear", "exponential"):
        kind = measure.FAMILIES[family](np.linspace(0.02, 1, 50)[:, None, None], 0.05)
        assert tables.accuracy(ring, kind(np.asarray(ring.distances)[None])).p_s.max() < found.accuracy.p_s


def test_large_rings_come_near_the_continuous_optimum(best):
    # The share of ties and the items being distinct are of order 1/N.
    limit = frontier.optimal(0.05).accuracy.p_s
    assert abs(best[1].accuracy.p_s - limit) < 1 / 30


def test_identification_alone_wants_everything_else_at_the_floor(best):
    found = frontier.optimal_finite(best[0], 0.05, weight=0.0)
    assert found.accuracy.p_i == pytest.approx(1 / 1.05, abs=1e-4)


@pytest.mark.parametrize(
    ("delta", "weight", "told"),
    [(0.0, 1.0, "delta must be a floor above 0"), (0.1, 1.5, "weight must be between 0")],
)
def test_bad_input(best, delta, weight, told):
    with pytest.raises(ValueError, match=told):
        frontier.optimal_finite(best[0], delta, weight=weight)
