"""Pictures of sweeps say which exponent they are of, and lay their marks over the law with that exponent."""

import inspect
import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from semres_jax import frontier, laws, plots, spaces


@pytest.fixture(scope="module")
def table():
    grid = {"epsilon": np.linspace(0.01, 0.49, 49), "delta": [0.5]}
    return frontier.sweep(spaces.Circle(), "constant", [2, 3, 8], **grid, exponent=[2.0, 4.0])


def test_the_law_of_the_best_ball_measure_has_the_exponent_of_the_sweep(table):
    for part, power in ((table, 2), (table.sel(exponent=4.0), 4), (table.isel(exponent=[1]), 4)):
        ax = plots.best_ball_measure(part)
        law = next(line for line in ax.lines if line.get_label() == "law, constant similarity")
        want = [laws.optimal_ball_measure(n, 0.5**power) for n in (2, 3, 8)]
        np.testing.assert_allclose(law.get_ydata(), want, rtol=1e-12)
        assert ax.get_title("left").endswith(f", Luce exponent {power}")


def test_titles_name_an_exponent_that_is_not_one(table):
    four = table.sel(exponent=4.0)
    for draw in (lambda t: plots.fronts(t, 2), plots.optimum, plots.items, plots.families):
        assert draw(four).get_title("left").endswith("Luce exponent 4")
    luce = frontier.sweep(spaces.Circle(), "constant", [2, 3], epsilon=[0.1, 0.2])
    assert plots.optimum(luce).get_title("left") == plots.optimum(luce.drop_attrs()).get_title("left")
    assert "exponent" not in plots.optimum(luce).get_title("left")
    assert plots.families(luce).get_title("left") == "Luce exponent 1"
    assert plots.families(table, 4.0).get_title("left") == "Luce exponent 4"


def test_axes_take_settings_and_have_a_legend(table):
    own = Figure().subplots()
    assert plots.fronts(table, 3, ax=own, xlim=(0.2, 0.9), title="mine") is own
    assert own.get_xlim() == (0.2, 0.9)
    assert own.get_title("left") == "mine"
    assert own.get_title() == ""
    assert own.get_legend() is None
    assert [text.get_text() for text in plots.fronts(table).get_legend().get_texts()] == ["constant", "$\\Delta$ = 0.5"]
    assert plots.fronts(table).get_title("left") == "2 items, Luce exponent 2"
    assert plots.families(table).get_legend_handles_labels()[1] == ["constant"]
    with pytest.raises(AttributeError, match="no_such_setting"):
        plots.optimum(table, no_such_setting=1)
    assert list(inspect.signature(plots.optimum).parameters) == ["table", "ax", "settings"]


def test_a_notebook_shows_what_is_returned(table):
    for shown in (plots.optimum(table), plots.optimum(table).figure):
        image = matplotlib.image.imread(io.BytesIO(shown._repr_png_()))
        assert image.min() < 0.5 < image.max()
    assert not hasattr(plots.optimum(table, Figure().subplots()), "_repr_png_")


def test_pictures_show_all_that_was_swept(tmp_path, monkeypatch):
    grid = {"epsilon": np.linspace(0.0, 0.5, 7), "delta": [0.1]}
    table = frontier.sweep([spaces.Circle(), spaces.Interval()], ["constant", "linear"], [2, 3, 4, 5, 6], **grid)
    drawn = {}
    monkeypatch.setattr("semres_jax.plots._style.save_pictures", lambda pictures, _: drawn.update(pictures) or [])
    plots.save_sweep(table, tmp_path)
    axes = {name: [ax for ax in picture.figure.axes if ax.axison] for name, picture in drawn.items()}
    titles = {name: [ax.get_title("left") for ax in there] for name, there in axes.items()}
    assert titles["fronts"] == [f"{n} items" for n in (2, 3, 4, 5, 6)]
    assert titles["optimum"] == ["circle, $\\Delta$ = 0.1", "interval, $\\Delta$ = 0.1"]
    assert [title.split(",")[0].split(";")[0] for title in titles["items"]] == ["circle"] * 2 + ["interval"] * 2
    wanted = [f"{space}, {n} items, Luce exponent 1" for space in ("circle", "interval") for n in (2, 3, 4, 5, 6)]
    assert titles["families"] == wanted
    lines = {line.get_label(): line for line in axes["families"][7].lines}
    want = table.mean_b.sel(space="interval", similarity="linear", n=4).squeeze()
    np.testing.assert_array_equal(lines["linear"].get_xdata(), want)
