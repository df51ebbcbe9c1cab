"""Pictures of triplets: numbers at their places."""

import numpy as np
import pytest

from semres_jax import Gaussian, measure, plots
from semres_jax.measure.people import _scores
from tests.measure.test_triplets import drawn


@pytest.fixture(scope="module")
def fit():
    _, table, said = drawn("odd", 600, Gaussian(0.3, 0.05))
    return measure.fit_triplets(said, table, layout="odd", families=["gaussian"], bootstrap=5, level=0.9).dataset()


@pytest.fixture
def made(monkeypatch):
    """Of some dimensions; places are random."""

    class Stub:
        def __init__(self, *args, size, dimensions, **settings):
            self.shape = (2, size, dimensions)

        def run(self, *weights):
            points = np.random.default_rng(0).normal(size=self.shape).astype(np.float32)
            return _scores.Trained(points, np.full(2, -3.0, np.float32), np.array([20, 40]))

    monkeypatch.setattr(_scores, "Training", Stub)
    _, _, said = drawn("odd", 400, Gaussian(0.3, 0.05))
    return lambda *sizes: measure.embed_triplets(said, layout="odd", dimensions=sizes).dataset()


def test_people_are_on_the_plane(fit):
    ax = plots.triplets_plane(fit)
    lines = [np.stack(line.get_data(), 1) for line in ax.get_lines()]
    assert any(np.allclose(line, [[float(fit.p_i), float(fit.p_s)]]) for line in lines if line.shape == (1, 2))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0] == "people: by the fit\n(90% intervals over judgements)"
    assert {"constant front", "linear front", "gaussian fit predicts (best)"} < set(texts)
    assert "p_I" in ax.get_xlabel()


def test_shares_are_those_of_the_closest_pair(fit):
    ax = plots.triplets_nearer(fit)
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), fit.gap_observed.values[0])
    assert ax.get_ylabel() == "closest pair chosen (share of judgements)"
    assert "next pair" in ax.get_xlabel()


def test_likelihoods_are_drawn_over_dimensions(made):
    data = made(1, 2)
    ax = plots.triplets_dimensions(data)
    drawn_lines = [line.get_data() for line in ax.get_lines()]
    assert any(np.array_equal(y, data.held_out.values) and np.array_equal(x, [1, 2]) for x, y in drawn_lines)
    assert any(np.array_equal(y, data.train.values.ravel()) for _, y in drawn_lines)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "2"]


def test_maps_have_names_at_places(made):
    data = made(3)
    ax = plots.triplets_map(data)
    np.testing.assert_allclose(np.stack(ax.get_lines()[0].get_data(), 1), data.point.values[:, :2])
    assert sorted(text.get_text() for text in ax.texts) == sorted(map(str, range(15)))
    at = {text.get_text(): text.xy for text in ax.texts}
    np.testing.assert_allclose([at[str(k)] for k in range(15)], data.point.values[:, :2])
    assert "the first two of 3 axes" in ax.get_title(loc="left")
    flat = made(1)
    ax = plots.triplets_map(flat)
    order = np.argsort(flat.point.values[:, 0])
    assert [text.get_text() for text in ax.get_yticklabels()] == [str(k) for k in order]
