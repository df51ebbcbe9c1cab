"""Pictures of compositional codes: what is drawn where, and what needs a closed form."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from semres_jax import frontier, laws, plots


@pytest.fixture(scope="module")
def table():
    return frontier.compositional("circle", "constant", [2, 8], slots=[1, 2, 4], epsilon=np.linspace(0, 0.5, 11))


def test_the_plane_has_a_curve_for_every_code_and_its_best_marked(table):
    ax = plots.slots_plane(table)
    curves = [line for line in ax.lines if line.get_marker() == "None"]
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() != "None"]
    assert len(curves) == 1 + 2 * 2 + 1  # one similarity, two aggregates of two numbers of slots, and the diagonal
    expected = [0.75, 0.875, 17 / 24, 1 - 0.5**4 / 2, laws.compositional(0.5, slots=4, aggregate="mean").p_i]
    np.testing.assert_allclose(marks, [(p_i, 0.75) for p_i in expected], rtol=1e-12)
    assert "wholes" in ax.get_xlabel()
    assert "2 items" in ax.get_xlabel()
    assert "8 items" in plots.slots_plane(table, 8).get_xlabel()
    assert ax.get_legend().get_title().get_text()


def test_items_are_marked_where_half_are_right(table):
    ax = plots.slots_items(table)
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() != "None"]
    half = [float(laws.slots.items_at_half(0.5, slots)) for slots in (1, 2, 4)]
    np.testing.assert_allclose(marks, half, rtol=1e-9)
    assert ax.get_xscale() == "log"


def test_both_side_by_side_and_files(table, tmp_path):
    assert isinstance(plots.slots_argument(table), Figure)
    assert len(plots.save_slots(table, tmp_path)) == 6


def test_items_without_a_closed_form_are_refused(tmp_path):
    table = frontier.compositional("circle", "linear", 2, slots=[2], epsilon=[0.1, 0.2], aggregates="mean")
    with pytest.raises(ValueError, match="have no curve in closed form"):
        plots.slots_items(table)
    assert plots.save_slots(table, tmp_path) == ["slots_plane.png", "slots_plane.svg"]
