"""The best similarity on a finite space."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from semres_jax import frontier, similarity, spaces
from semres_jax.laws import enumeration, tables

ROUNDING = 1e-10
# What no similarity is better by: the gap that is told, and how two ways of adding up the same trials differ.
CERTAIN = 1e-12
# How near a general optimiser comes to an optimum, at best.
REACHED = 1e-8


def cloud(size):
    return spaces.Finite.from_points(np.random.default_rng(size).random((size, 2)))


SMALL = {
    "cloud": cloud(6),
    "line": spaces.Finite.from_points(np.arange(7.0)),
    "twins": spaces.Finite.from_points(np.array([0.0, 0.0, 1.0, 2.5, 2.5])),
}


def trials(space):
    """Levels of distance, of every pair of items of every probe (nearer, farther), and of every item of every probe."""
    levels, which = np.unique(np.asarray(space.distances), return_inverse=True)
    which = which.reshape(space.size, space.size)
    rows = [np.delete(row, probe) for probe, row in enumerate(which)]
    pairs = [sorted(pair) for row in rows for pair in itertools.combinations(row, 2)]
    return levels, np.array(pairs).T, np.concatenate(rows)


def aim(space, g, weight):
    """weight p_S + (1 - weight) p_I of strengths at the levels: the sum over trials written out."""
    _, (nearer, farther), items = trials(space)
    credit = np.where(nearer == farther, 0.5, g[nearer] / (g[nearer] + g[farther]))
    return weight * credit.mean() + (1 - weight) * (1 / (1 + g[items])).mean()


@pytest.fixture(scope="module")
def best():
    ring = spaces.grid(spaces.get("circle"), 30)
    return ring, frontier.optimal_finite(ring, 0.05)


def test_it_is_a_similarity_and_has_the_accuracy_that_is_told(x64, best):
    ring, optimum = best
    values = np.asarray(optimum.similarity.values)
    assert values[0] == 1
    assert (np.diff(values) <= 0).all()
    assert values[-1] >= 0.05
    np.testing.assert_allclose(enumeration.accuracy(ring, optimum.similarity), optimum.accuracy, atol=ROUNDING)


@pytest.mark.thorough(keep=4)
@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize(("delta", "weight"), [(0.05, 1.0), (0.3, 0.7), (1e-4, 0.9), (0.9, 1.0), (0.05, 0.0)])
def test_a_general_optimiser_finds_no_better_one(name, delta, weight):
    """From several starts, over the falls of ln g, with differences for slopes."""
    space, reach = SMALL[name], -np.log(delta)
    optimum = frontier.optimal_finite(space, delta, weight=weight)
    values, size = np.asarray(optimum.similarity.values), len(optimum.similarity.distances) - 1
    ours = weight * optimum.accuracy.p_s + (1 - weight) * optimum.accuracy.p_i
    assert abs(ours - aim(space, values, weight)) < CERTAIN
    assert 0 <= optimum.gap <= CERTAIN

    def lost(falls):
        return -aim(space, np.exp(-np.append(0.0, np.cumsum(falls))), weight)

    theirs = [
        -minimize(
            lost,
            start * reach,
            method="SLSQP",
            bounds=[(0.0, reach)] * size,
            constraints={"type": "ineq", "fun": lambda falls: reach - falls.sum()},
            options={"ftol": 1e-14, "maxiter": 200},
        ).fun
        for start in np.random.default_rng(0).dirichlet(np.ones(size), 3)
    ]
    assert max(theirs) <= ours + optimum.gap + CERTAIN
    assert ours - max(theirs) < REACHED


@pytest.mark.parametrize("delta", [1e-30, 0.05])
def test_the_gap_holds_for_hundreds_of_distances(delta):
    """Many more than there are to begin with; what others gain on the way is no more than their gap."""
    space = cloud(30)
    optimum = frontier.optimal_finite(space, delta)
    values = np.asarray(optimum.similarity.values)
    assert optimum.gap <= CERTAIN
    assert values[0] == 1
    assert values[-1] >= delta
    assert (np.diff(values) <= 0).all()
    rng, fall = np.random.default_rng(1), np.diff(-np.log(values))
    for _ in range(50):
        some = rng.dirichlet(np.full(fall.size, 0.05)) * -np.log(delta)
        share = 10.0 ** rng.uniform(-6, 0)
        other = np.exp(-np.append(0.0, np.cumsum((1 - share) * fall + share * some)))
        assert aim(space, other, 1.0) <= optimum.accuracy.p_s + CERTAIN


def test_all_at_one_place():
    optimum = frontier.optimal_finite(spaces.Finite(np.zeros((4, 4))), 0.1)
    assert optimum.accuracy == (0.5, 0.5)
    assert optimum.gap == 0


@pytest.mark.thorough
def test_no_usual_family_is_better(x64, best):
    ring, optimum = best
    for family in ("constant", "linear", "exponential"):
        kind = similarity.get(family)(np.linspace(0.02, 1, 50)[:, None, None], 0.05)
        assert tables.accuracy(ring, kind(np.asarray(ring.distances)[None])).p_s.max() < optimum.accuracy.p_s


def test_large_rings_come_near_the_continuous_optimum(best):
    # The share of ties and the items being distinct are of order 1/N.
    limit = frontier.optimal(0.05).accuracy.p_s
    assert abs(best[1].accuracy.p_s - limit) < 1 / 30


def test_identification_alone_wants_everything_else_at_the_floor(best):
    optimum = frontier.optimal_finite(best[0], 0.05, weight=0.0)
    assert optimum.accuracy.p_i == pytest.approx(1 / 1.05, abs=CERTAIN)


@pytest.mark.parametrize(
    ("delta", "weight", "message"),
    [(0.0, 1.0, "delta must be a floor above 0"), (0.1, 1.5, "weight must be between 0")],
)
def test_bad_input(best, delta, weight, message):
    with pytest.raises(ValueError, match=message):
        frontier.optimal_finite(best[0], delta, weight=weight)
