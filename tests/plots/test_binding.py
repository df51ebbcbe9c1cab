"""The picture of illusory conjunctions: labels, the law as lines, simulations as marks, files that open."""

import re

import numpy as np
import pytest

from semres_jax import laws, plots
from semres_jax.experiments import binding
from tests.attributes import require_labels


@pytest.fixture(scope="module")
def table():
    return binding.study(slots=[2], ns=[2, 3], conjunctive=[0.5, 1.0], trials=2**8)


def test_the_study_is_labelled_and_near_its_law(table, tmp_path):
    require_labels(table, tmp_path)
    exact = laws.illusory_conjunctions(0.2, slots=2, n=3, conjunctive=0.5)
    assert float(table.exact_rate.sel(similarity="constant", slots=2, n=3, conjunctive=0.5)) == exact
    assert np.isnan(table.exact_rate.sel(similarity="exponential")).all()
    off = (table.rate - table.exact_rate).sel(similarity="constant") / table.rate_stderr.sel(similarity="constant")
    assert abs(off).max() < 5
    with pytest.raises(ValueError, match=re.escape("b must be a probability between 0 and 1; got 2")):
        binding.study(2.0)


def test_lines_marks_and_files(table, tmp_path):
    figure = plots.binding_rates(table)
    (ax,) = figure.axes
    assert ax.get_xlabel() == "shown items, $n$"
    assert ax.get_ylabel() == "illusory conjunctions (probability)"
    drawn = [line.get_ydata() for line in ax.lines]
    for share in (0.5, 1.0):
        law = [laws.illusory_conjunctions(0.2, slots=2, n=n, conjunctive=share) for n in (2, 3)]
        assert any(np.array_equal(law, y) for y in drawn)
        for name in ("constant", "exponential"):
            assert any(np.array_equal(table.rate.sel(similarity=name, slots=2, conjunctive=share), y) for y in drawn)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["$c$ = 0.5", "$c$ = 1", "constant", "exponential", "law of constant"]
    names = plots.save_binding(table, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "binding_rates.png").read_bytes().startswith(b"\x89PNG")
