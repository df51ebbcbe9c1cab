"""Pictures of measured embeddings: numbers at their places."""

import numpy as np
import pytest

from semres_jax import measure, plots, spaces
from semres_jax.frontier import pareto

RING = spaces.grid(spaces.get("circle"), 12)


@pytest.fixture(scope="module")
def data():
    angle = 2 * np.pi * np.arange(12) / 12
    points = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.2 * np.random.default_rng(0).normal(size=(12, 2))
    return measure.embeddings(points, RING, delta=0.1, bootstrap=50).dataset()


def test_the_plane_has_the_model_its_thresholds_and_the_fronts(data):
    ax = plots.embeddings_plane(data)
    lines = [np.stack(line.get_data(), 1) for line in ax.get_lines()]
    front = data.sel(front="linear")
    best = pareto(front.front_p_s.values, front.front_p_i.values)
    drawn = next(line for line in lines if len(line) == best.sum())
    np.testing.assert_allclose(np.sort(drawn[:, 1]), np.sort(front.front_p_s.values[best]))
    assert any(np.allclose(line, [[float(data.p_i), float(data.p_s)]]) for line in lines if line.shape == (1, 2))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "optimal front, floor 1.0e-01" in texts
    assert "the model (95 %)" in texts
    assert "p_I" in ax.get_xlabel()


def test_the_profile_has_marks_for_distances_and_a_line_for_each_family(data):
    ax = plots.embeddings_profile(data)
    np.testing.assert_allclose(ax.get_lines()[0].get_data(), [data.distance.values, data.profile.values])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sum("(best)" in label for label in labels) == 1
    assert len(labels) == 4


def test_many_distances_are_joined(data):
    rng = np.random.default_rng(0)
    measured = measure.embeddings(rng.normal(size=(30, 3)), spaces.Finite.from_points(rng.random((30, 2))), fronts={},
                              optimal="none", bootstrap=0).dataset()  # fmt: skip
    distance, mean = plots.embeddings_profile(measured).get_lines()[0].get_data()
    assert len(distance) <= 60
    assert np.average(mean, weights=None) == pytest.approx(float(measured.profile.mean()), rel=0.05)


def test_levels_are_drawn_over_the_share_that_is_reached(data):
    ax = plots.embeddings_levels(data)
    for line, name in zip((ax.get_lines()[0], ax.get_lines()[1]), ("level_p_s", "level_p_i"), strict=False):
        assert np.isin(np.round(line.get_ydata(), 12), np.round(data[name].values, 12)).all()


def test_a_model_without_intervals_or_fronts(data):
    measured = measure.embeddings(np.eye(12), RING, fronts={}, optimal="none", bootstrap=0)
    texts = [text.get_text() for text in plots.embeddings_plane(measured.dataset()).get_legend().get_texts()]
    assert "the model" in texts
    assert not any("front" in text for text in texts)
