"""Pictures of judged tables: numbers at their places."""

import dataclasses

import numpy as np
import pytest

from semres_jax import measure, plots, spaces


@pytest.fixture(scope="module")
def judged():
    line = spaces.Finite.from_points(np.arange(9.0))
    noise = np.random.default_rng(0).random((9, 9)) * 0.1
    table = np.exp(-np.asarray(line.distances) / 2) + noise
    return measure.similarities(table, line, n=[2], bootstrap=50, delta=0.1)


def drawn(ax):
    return [np.stack(line.get_data(), 1) for line in ax.get_lines()]


def test_the_plane_has_people_fits_and_fronts(judged):
    data = judged.dataset()
    ax = plots.similarities_plane(data)
    assert any(np.allclose(line, [[data.p_i[0], data.p_s[0]]]) for line in drawn(ax) if line.shape == (1, 2))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0] == "people (95 %)"
    assert "optimal front, floor 1.0e-01" in texts
    assert "exponential fit predicts" in texts


def test_the_profile_says_which_distances_they_are(judged):
    ax = plots.similarities_profile(judged.dataset())
    np.testing.assert_allclose(drawn(ax)[0], np.stack([judged.profile.distance, judged.profile.mean], 1))
    assert ax.get_xlabel().startswith("given distance")
    recovered = dataclasses.replace(judged, geometry="recovered", stress=0.1)
    ax = plots.similarities_profile(recovered.dataset())
    assert ax.get_xlabel().startswith("recovered distance")
    assert "stress 0.100" in ax.get_title(loc="left")


def test_many_items_have_the_law_and_chance(judged):
    items = judged.items
    n = np.array([2, 4, 8])
    wide = {name: np.resize(getattr(items, name), 3) for name in ("law_by_probe", "fit_p_s", "fit_p_i")}
    parts = {name: type(items.p_s)(*(np.resize(part, 3) for part in getattr(items, name))) for name in ("p_s", "law")}
    p_i = type(items.p_i)(np.array([0.8, 0.6, 0.4]), *np.full((3, 3), np.nan))
    many = dataclasses.replace(judged, items=type(items)(n=n, p_i=p_i, **parts, **wide))
    ax = plots.similarities_items(many.dataset())
    law, *_, people, chance = drawn(ax)
    assert law[0, 1] == pytest.approx(2 * judged.p_i.value)
    assert law[:, 1].max() < 1 / judged.ball.value
    np.testing.assert_allclose(people, [[2, 1.6], [4, 2.4], [8, 3.2]])
    assert set(chance[:, 1]) == {1.0}
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "4", "8"]
