"""The front of single similarities that decide several features: against all balls and all orders there are."""

import itertools

import numpy as np
import pytest

from semres_jax import Constant, frontier, spaces
from semres_jax.laws import enumeration

STIMULI = 6
CLOSE = 1e-12


def made_up(features, seed):
    """Tables of distances on a few stimuli, with ties and shared values."""
    rng = np.random.default_rng(seed)
    tables = []
    for _ in range(features):
        place = rng.integers(0, 4, STIMULI)
        tables.append(np.abs(place[:, None] - place).astype(float))
    return tables


def credit(tables, probe, i, j):
    """Mean over features of what choosing i of (i, j) is worth."""
    worth = [1.0 if d[probe, i] < d[probe, j] else 0.5 if d[probe, i] == d[probe, j] else 0.0 for d in tables]
    return float(np.mean(worth))


def of_ball(tables, probe, ball, delta):
    """(p_S, p_I) of a probe whose ball holds these items, from the definitions."""
    strength = {i: 1.0 if i in ball else delta for i in range(STIMULI) if i != probe}
    p_s = []
    for i, j in itertools.combinations(strength, 2):
        total = strength[i] + strength[j]
        share = strength[i] / total if total > 0 else 0.5
        p_s.append(share * credit(tables, probe, i, j) + (1 - share) * credit(tables, probe, j, i))
    return np.mean(p_s), np.mean([1 / (1 + h) for h in strength.values()])


@pytest.mark.parametrize("delta", [0.0, 0.1])
@pytest.mark.parametrize("features", [1, 2, 3])
def test_no_balls_are_better_and_some_are_as_good(features, delta):
    """At every weight of p_S against p_I: probes are apart, so the best of all balls is the best of each probe."""
    tables = made_up(features, seed=features)
    front = frontier.shared_front([spaces.Finite(table) for table in tables], delta=delta)
    balls = []
    for probe in range(STIMULI):
        others = [i for i in range(STIMULI) if i != probe]
        some = [ball for size in range(STIMULI) for ball in itertools.combinations(others, size)]
        balls.append([of_ball(tables, probe, ball, delta) for ball in some])
    for weight in np.linspace(0, 1, 21):
        best = np.mean([max(weight * s + (1 - weight) * i for s, i in own) for own in balls])
        assert np.max(weight * front.p_s + (1 - weight) * front.p_i) == pytest.approx(best, abs=CLOSE)


@pytest.mark.parametrize("features", [2, 3])
def test_the_most_that_any_similarity_has(features):
    """A similarity without a floor that falls fast enough chooses by any order of the items that one likes."""
    tables = made_up(features, seed=10 + features)
    best = []
    for probe in range(STIMULI):
        orders = itertools.permutations([i for i in range(STIMULI) if i != probe])
        worth = [
            np.mean([credit(tables, probe, i, j) for i, j in itertools.combinations(order, 2)]) for order in orders
        ]
        best.append(max(worth))
    most = frontier.shared_most([spaces.Finite(table) for table in tables])
    if features == 2:
        assert most == pytest.approx(np.mean(best), abs=CLOSE)
    assert np.mean(best) <= most + CLOSE


def test_of_one_feature_it_is_the_best_constant_similarity():
    ring = spaces.grid(spaces.get("circle"), 30)
    front = frontier.shared_front([ring])
    radii = np.unique(ring.distances)[:-1]
    exact = enumeration.constant(ring, Constant(radii))
    assert front.p_s.max() == pytest.approx(np.max(exact.p_s), abs=CLOSE)
    # Balls of whole circles of neighbours are on the front.
    off = frontier.distance(exact.p_s, exact.p_i, front).distance
    rising = np.asarray(exact.p_i) >= front.p_i[-1] - CLOSE
    np.testing.assert_allclose(off[rising], 0.0, atol=CLOSE)


def test_two_continuous_features_in_closed_form():
    """Balls u + v <= t of ranks u, v: b = t²/2, p_S = 1/2 + t²/2 - t³/3 for t <= 1, p_I = 1 - b/2.

    Grids of P by P places come to it like 1/P²: ties take what a cell of the grid has.
    """
    off = []
    for side in (10, 20):
        ring = np.asarray(spaces.grid(spaces.get("circle"), side).distances)
        other = np.ones_like(ring)
        front = frontier.shared_front([spaces.Finite(np.kron(ring, other)), spaces.Finite(np.kron(other, ring))])
        t = np.sqrt(4 * (1 - front.p_i))
        off.append(np.max(np.abs(front.p_s - (0.5 + t**2 / 2 - t**3 / 3))))
    assert off[1] < 0.002
    assert 3.3 < off[0] / off[1] < 4.7


def test_bad_input():
    ring = spaces.grid(spaces.get("circle"), 8)
    with pytest.raises(ValueError, match=r"features must be one or more finite spaces; got none"):
        frontier.shared_front([])
    with pytest.raises(ValueError, match=r"features must be of the same stimuli; got spaces of 8, 9"):
        frontier.shared_most([ring, spaces.grid(spaces.get("circle"), 9)])
    with pytest.raises(ValueError, match=r"delta must be a floor from 0 to below 1; got 1"):
        frontier.shared_front([ring], delta=1.0)
    with pytest.raises(ValueError, match="table of distances"):
        frontier.shared_front([spaces.get("circle")])
