"""Pictures of the year task: a panel for each D, accuracies with the law and chance, what there is of it."""

import numpy as np
import pytest

from semres_jax import measure, plots
from tests.measure.year_models import Historian


@pytest.fixture(scope="module")
def table():
    model = Historian(60.0, first=0.5)
    options = {"prompts": 200, "counts": (2, 4), "halves": (20, 200), "likelihood": False}
    return measure.years(model, **options).dataset()


def test_pairs_have_a_panel_for_each_half(table):
    panels = plots.llm_pairs(table).axes
    assert [ax.get_title(loc="left") for ax in panels] == ["$D$ = 20 years", "$D$ = 200 years"]
    drawn = [line for line in panels[1].lines if np.array_equal(line.get_ydata(), table.curve_fitted.values[1])]
    assert len(drawn) == 1
    assert table.curve_fitted.values[1, 0] < 0.1 < 0.9 < table.curve_fitted.values[1, -1]


def test_items_show_law_and_chance(table):
    ax = plots.llm_items(table)
    drawn = [line.get_ydata() for line in ax.lines]
    assert any(np.array_equal(y, [0.5, 0.25]) for y in drawn)
    assert any(np.array_equal(y, table.law_probability_predicted) for y in drawn)
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert plots.llm_items(table, ax) is ax


def test_layers_show_accuracies_and_years(table):
    above, below = plots.llm_layers(table).axes
    assert any(np.array_equal(line.get_ydata(), table.layer_p_s) for line in above.lines)
    assert "years" in below.get_ylabel()
    assert "layer" in below.get_xlabel()
    assert below.get_ylim()[0] > 0


@pytest.mark.parametrize("draw", [plots.llm_pairs, plots.llm_layers])
def test_pictures_go_beside_others(draw, table, beside):
    beside(draw, table)
