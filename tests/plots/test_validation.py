"""Pictures: labels on every axis, marks where the numbers are, files that open, no global state."""

import sys

import numpy as np
import pytest

from semres_jax import plots, spaces
from semres_jax._types import Estimate
from semres_jax.experiments import validation
from semres_jax.experiments.validation import run as validation_run
from semres_jax.laws import engines


@pytest.fixture(scope="module")
def table():
    """A validation whose simulation is the law itself, half a standard error off."""
    run = validation.cases(
        {"circle": spaces.Circle(), "interval": spaces.Interval()},
        ns=[2, 3],
        deltas=[0.0],
        quantiles=(0.0, 0.1, 0.5, 1.0),
    )

    def simulate(space, similarity, *, n, execution, **_):
        law = engines.accuracy(space, similarity, n=n)
        error = np.full(law.p_s.shape, 1e-3)
        b = np.resize([0.0, 0.1, 0.5, 1.0], len(law.p_s))[:, None]
        execution.progress("trials", 1000, 1000)
        return Estimate(law.p_s + error / 2, law.p_i - error / 2, error, error, b, 0 * b, 1000, 1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation_run, "estimate", simulate)
        return validation.validate(run, trials=1000)


@pytest.mark.parametrize("draw", [plots.tradeoff, plots.residuals, plots.many_items])
def test_axes_are_labelled(table, draw):
    ax = draw(table)
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert ax.lines
    assert draw(table, ax) is ax


def test_marks_are_the_estimates(table):
    ax = plots.tradeoff(table)
    row = table.sel(space="circle", n=2, delta=0.0)
    np.testing.assert_array_equal(ax.containers[0].lines[0].get_ydata(), row.p_s)
    assert ax.containers[0].has_yerr
    heading = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"circle", "interval", "circle, linear"} <= set(heading)


def test_every_space_has_a_mark_of_its_own(table):
    styles = plots.validation._styles(table)
    assert len({mark for _, mark in styles.values()}) == len(table.space)


def test_pictures_that_have_no_data_say_so(table):
    with pytest.raises(ValueError, match="needs n = 2 and delta = 0"):
        plots.tradeoff(table.sel(n=[3]))
    with pytest.raises(ValueError, match="needs delta = 0"):
        plots.many_items(table.assign_coords(delta=[0.1]))


def test_files(table, tmp_path):
    names = plots.save_all(table, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "tradeoff.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (tmp_path / "tradeoff.svg").read_text()
    assert "matplotlib.pyplot" not in sys.modules
