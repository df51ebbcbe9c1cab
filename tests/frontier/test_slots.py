"""Sweeps of compositional codes: what the laws say, cell by cell, on every kind of space; labels; bad input."""

import numpy as np
import pytest

from semres_jax import Constant, Linear, Slots, frontier, laws, spaces

EXACT = 1e-12


def test_cells_are_what_the_laws_say():
    table = frontier.compositional(
        "circle", "constant", [2, 3], slots=[1, 3], epsilon=[0.1, 0.25], delta=[0.0, 0.1]
    ).isel(space=0, similarity=0)
    for aggregate in ("product", "mean"):
        for slots in (1, 3):
            cell = table.sel(aggregate=aggregate, slots=slots)
            for delta in (0.0, 0.1):
                for n in (2, 3):
                    law = laws.compositional([0.2, 0.5], slots=slots, aggregate=aggregate, n=n, delta=delta)
                    own = cell.sel(delta=delta, n=n)
                    for name, part in (("p_s", law.feature), ("p_s_whole", law.whole), ("p_i", law.p_i)):
                        np.testing.assert_allclose(own[name], part, rtol=0, atol=EXACT)
    assert table.mean_b.values.tolist() == [0.2, 0.5]
    half = table.items_at_half.sel(aggregate="product", slots=3, delta=0.0)
    np.testing.assert_allclose(laws.identification([0.2**3, 0.5**3], half), 0.5, rtol=1e-11)


def test_other_similarities_and_spaces_are_integrated():
    table = frontier.compositional(
        {"circle": spaces.Circle(), "ring": spaces.grid(spaces.Circle(), 5)}, "linear", [2, 3], slots=[2], epsilon=[0.3]
    )
    assert table.sizes["aggregate"] == 2
    assert np.isnan(table.p_s_whole).all()
    for label, space in (("circle", spaces.Circle()), ("ring", spaces.grid(spaces.Circle(), 5))):
        for aggregate in ("product", "mean"):
            for n in (2, 3):
                own = table.p_i.sel(space=label, aggregate=aggregate, n=n).item()
                pair, slots = spaces.Product((space,) * 2), Slots([Linear(0.3)] * 2, aggregate)
                assert own == pytest.approx(float(laws.slots.identification(pair, slots, n=n)), abs=EXACT)


def test_wholes_that_tie_are_not_told():
    table = frontier.compositional("hamming(4)", "constant", 2, slots=2, epsilon=[0.3])
    assert np.isnan(table.p_s_whole).all()
    assert table.p_i.sel(aggregate="product").item() == pytest.approx(1 - (5 / 16) ** 2 / 2, abs=EXACT)


def test_every_number_has_a_name_and_a_unit():
    table = frontier.compositional("circle", Constant, 2, slots=2, epsilon=0.1, aggregates="mean")
    for name, variable in table.variables.items():
        assert variable.attrs["long_name"], name
        assert variable.dtype.kind in "OUT" or variable.attrs["units"], name
    assert table.attrs["method"] == "exact"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"slots": [0, 1]}, "slots must be at least 1"),
        ({"slots": [1.5]}, "slots must be a whole number"),
        ({"slots": [2, 1]}, "slots must be one or more numbers of slots, increasing; got .2, 1."),
        ({"slots": []}, "slots must be one or more numbers of slots"),
        ({"slots": 2, "aggregates": ["sum"]}, "aggregate must be one of product, mean; got 'sum'"),
        ({"slots": 2, "aggregates": []}, "aggregates must be one or both"),
        ({"slots": 2, "delta": 2.0}, "delta must be a floor between 0 and 1"),
    ],
)
def test_bad_input_is_one_line(wrong, words):
    with pytest.raises(ValueError, match=words):
        frontier.compositional("circle", "constant", 2, **wrong)
