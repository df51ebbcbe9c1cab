"""Pictures of sweeps say which exponent they are of, and lay their marks over the law with that exponent."""

import numpy as np
import pytest

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
