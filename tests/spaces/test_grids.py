"""Finite spaces that stand for continuous ones."""

import numpy as np
import pytest

from semres_jax import spaces


def test_distances_of_a_circle_are_whole_steps_and_ties_are_exact():
    d = np.asarray(spaces.grid(spaces.get("circle"), 50).distances)
    assert d.max() == 0.5
    assert len(np.unique(d)) == 26
    assert (np.sort(d, axis=1) == np.sort(d[0])).all()


def test_an_interval_has_stimuli_in_the_middle_of_equal_shares():
    d = np.asarray(spaces.grid(spaces.get("interval"), 4).distances)
    points = (np.arange(4) + 0.5) / 4
    np.testing.assert_allclose(d, np.abs(points[:, None] - points), atol=1e-15)


@pytest.mark.parametrize("metric", ["max", "l1", "l2"])
def test_a_torus_is_a_square_grid(metric):
    torus = spaces.get("torus", dim=2, metric=metric)
    d = np.asarray(spaces.grid(torus, 25).distances)
    at = np.stack(np.meshgrid(np.arange(5), np.arange(5), indexing="ij"), -1).reshape(-1, 2) / 5
    np.testing.assert_allclose(d, torus.distance(at[:, None], at[None]), atol=1e-6)
    with pytest.raises(ValueError, match=r"needs side\^2 stimuli; got 50 \(36, 49, 64 would do\)"):
        spaces.grid(torus, 50)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize("name", ["sphere", "ball", "hyperbolic", "hamming"])
def test_other_spaces_are_filled_evenly(name):
    space = spaces.get(name)
    cloud = spaces.grid(space, 60)
    again = spaces.grid(space, 60)
    d = np.asarray(cloud.distances)
    np.testing.assert_array_equal(d, again.distances)
    assert (d[~np.eye(60, dtype=bool)] > 0).all()
    assert d.max() <= space.diameter * (1 + 1e-12)


def test_finite_spaces_stay_as_they_are():
    birds = spaces.Tree.birds()
    assert spaces.grid(birds, 137) is birds
    with pytest.raises(ValueError, match=r"tree\(137\) has 137 stimuli of its own; got stimuli = 50"):
        spaces.grid(birds, 50)
    with pytest.raises(ValueError, match="stimuli must be at least 2; got 1"):
        spaces.grid(spaces.get("circle"), 1)
