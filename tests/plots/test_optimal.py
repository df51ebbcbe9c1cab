"""Pictures of optimal similarities: labels, lines where the numbers are, files that open."""

import sys

import numpy as np
import pytest

from semres_jax import frontier, plots


@pytest.fixture(scope="module")
def table():
    return frontier.optimal_table([0.1, 0.5], weights=[0.0, 0.5, 1.0], levels=33)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("draw", [plots.optimal_fronts, plots.optimal_similarities])
def test_axes_are_labelled(table, draw):
    ax = draw(table)
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert draw(table, ax) is ax
    notes = {text.get_text() for text in ax.texts}
    assert {"$\\Delta$ = 0.1", "$\\Delta$ = 0.5"} <= notes
    assert "best of all" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_lines_are_the_fronts(table):
    ax = plots.optimal_fronts(table)
    drawn = [(line.get_xdata(), line.get_ydata()) for line in ax.lines]
    row = table.sel(delta=0.1)
    assert any(np.array_equal(x, row.p_i) and np.array_equal(y, row.p_s) for x, y in drawn)
    constant = row.sel(family="constant")
    # b from 0 to 1/2: what comes after is worse for both.
    assert any(np.array_equal(x, constant.front_p_i[:41]) for x, _ in drawn)


def test_files(table, tmp_path):
    names = plots.save_optimal(table, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "optimal_fronts.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (tmp_path / "optimal_similarities.svg").read_text()
    assert "matplotlib.pyplot" not in sys.modules


def test_families_without_a_look_of_their_own_are_drawn():
    names = ["linear", "gaussian", "powerlaw(3)"]
    ax = plots.optimal_fronts(frontier.optimal_table([0.1], weights=[0.0, 1.0], families=names, levels=17))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[2:5] == names
    assert len({str(line._dash_pattern) for line in ax.get_legend().get_lines()[2:5]}) == 3
