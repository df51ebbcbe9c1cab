"""Pictures of comparisons: models, people and layers at their places, differences with their intervals."""

from types import SimpleNamespace

import numpy as np
import pytest

from semres_jax import Quantity, measure, plots, spaces

RING = spaces.grid(spaces.get("circle"), 12)
PEOPLE = SimpleNamespace(p_s=Quantity(0.7, 0.02, 0.66, 0.73), p_i=Quantity(0.8, 0.02, 0.75, 0.84), kind="people")


@pytest.fixture(scope="module")
def data():
    angle, rng = 2 * np.pi * np.arange(12) / 12, np.random.default_rng(0)
    clean = np.stack([np.cos(angle), np.sin(angle)], 1)
    layers = np.stack([clean + noise * rng.normal(size=clean.shape) for noise in (0.6, 0.3, 0.1)])
    found = measure.compare({"net": layers, "other": clean}, RING, delta=0.1, bootstrap=50, optimal="none")
    return found.dataset()


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_plane_has_all_models_with_bars_and_the_fronts(data):
    ax = plots.plane(data)
    assert texts(ax) == ["net (0 to 2, in order)", "other", "constant front", "linear front"]
    marked = np.concatenate([bars.lines[0].get_xydata() for bars in ax.containers])
    np.testing.assert_allclose(marked, np.stack([data.p_i, data.p_s], 1))
    ends = np.concatenate([lines.get_segments() for bars in ax.containers for lines in bars.lines[2]])
    for name, axis in (("p_i", 0), ("p_s", 1)):
        for end, place in (("low", 0), ("high", 1)):
            wanted = np.sort(data[f"{name}_{end}"].values)
            drawn = ends[:, place, axis]
            assert all(np.abs(drawn - x).min() < 1e-9 for x in wanted)
    path = [line.get_xydata() for line in ax.get_lines() if line.get_linestyle() == "-" and len(line.get_xdata()) == 3]
    np.testing.assert_allclose(path[0], marked[:3])
    low, high = ax.get_xlim()
    assert low < float(data.p_i_low.min())
    assert high > float(data.p_i_high.max())
    shown = {text.get_text() for text in ax.texts}
    assert {"0", "1", "2", "other"} >= shown - {""}
    assert "other" in shown


def test_people_and_models_by_name_with_fronts_and_paths_of_ones_own():
    models = {"people": PEOPLE} | {f"layer {k}": SimpleNamespace(p_s=Quantity(0.6 + k / 20, 0.01), p_i=Quantity(0.9))
                                   for k in range(3)}  # fmt: skip
    ax = plots.plane(models, measure.fronts(RING), paths={"net": ["layer 2", "layer 1"]}, title="all")
    assert ax.get_title(loc="left") == "all"
    assert texts(ax) == ["net (0 to 1, in order)", "people", "layer 0", "constant front", "linear front"]
    faces = [bars.lines[0].get_markerfacecolor() for bars in ax.containers]
    assert faces[0] == faces[2] == "white"
    assert faces[1] != "white"
    with pytest.raises(ValueError, match="path 'net' names 'layer 7', which is no member"):
        plots.plane(models, paths={"net": ["layer 7"]})
    with pytest.raises(ValueError, match="at least one model"):
        plots.plane({})


def test_differences_have_a_panel_each_and_full_marks_where_they_are_clear(data, beside):
    figure = plots.compare_differences(data)
    for ax, quantity in zip(figure.axes, data["quantity"].values, strict=False):
        row = data.sel(quantity=quantity)
        marks = [(bars.lines[0].get_xydata(), bars.lines[0].get_markerfacecolor()) for bars in ax.containers]
        places = np.concatenate([xy for xy, _ in marks])
        np.testing.assert_allclose(np.sort(places[:, 0]), np.sort(row.difference.values))
        full = sum(len(xy) for xy, face in marks if face != "white")
        assert full == int((row.corrected_p < 0.05).sum())
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == data.pair.values.tolist()
    assert "Holm" in figure.get_suptitle()
    beside(plots.compare_differences, data)


def test_of_many_pairs_those_that_differ_most_are_drawn(data, monkeypatch):
    from semres_jax.plots import compare

    monkeypatch.setattr(compare, "_PAIRS", 2)
    figure = plots.compare_differences(data)
    drawn = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    smallest = data.p.min("quantity")
    assert set(drawn) == set(data.pair.values[np.argsort(smallest.values)[:2]])
    assert "2 of 6 pairs" in figure.get_suptitle()


def test_without_intervals(data):
    bare = data.copy()
    for name in ("p_s", "p_i"):
        for end in ("stderr", "low", "high"):
            bare[f"{name}_{end}"] = bare[name] * np.nan
    assert plots.plane(bare).get_legend().get_title().get_text() == ""


def test_files(data, tmp_path):
    names = plots.save_comparison(data, tmp_path)
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    assert "compare_plane.png" in names
    assert "compare_differences.svg" in names
