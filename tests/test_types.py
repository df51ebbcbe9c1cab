"""Results say what they are at a prompt and in a notebook, whatever their numbers are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import semres_jax as sr
from semres_jax import Accuracy, Constant, Estimate, Quantity, accuracy, measure, spaces

GRID = Constant(np.linspace(0.05, 0.45, 20))
ESTIMATE = Estimate(0.75, 0.5, 0.0003, 0.002, 0.5, 0.0, 1000, 0.25)


def test_accuracies_read_well():
    assert repr(accuracy("circle", Constant(0.25))) == "Accuracy(p_s=0.75, p_i=0.75)"
    assert str(Accuracy(np.array([0.5, 0.75]), np.float32(0.1))) == "Accuracy(p_s=[0.5, 0.75], p_i=0.1)"
    many = repr(accuracy("circle", GRID))
    assert many.count("...") == 2
    assert "np." not in many
    assert repr(Accuracy(np.zeros((2, 3)), np.full((2, 3), np.nan))) == (
        "Accuracy(p_s=array of shape (2, 3), 0.0 to 0.0, p_i=array of shape (2, 3))"
    )


@pytest.mark.parametrize("result", [Accuracy, lambda a, b: Estimate(a, b, *6 * [a]), Quantity])
def test_what_jax_puts_in_place_of_numbers_can_be_shown(result):
    texts = []

    def traced(x):
        shown = result(x, x)
        texts.extend([repr(shown), shown._repr_html_()])
        return x

    jax.jit(traced)(jnp.ones(3))
    assert all("Trac" in text or "shape" in text for text in texts)
    for value in (None, jax.ShapeDtypeStruct((2,), jnp.float32), object()):
        shown = result(value, value)
        assert repr(shown)
        assert shown._repr_html_().startswith("<table>")


def test_uncertain_numbers_show_as_many_digits_as_they_have():
    assert repr(Quantity(0.75, 0.0003)) == "Quantity(0.7500(3))"
    assert repr(Quantity(np.zeros(3))) == "Quantity of shape (3,)"
    assert repr(ESTIMATE) == "Estimate(p_s=0.7500(3), p_i=0.500(2), trials=1000, seconds=0.25)"
    assert repr([Quantity(0.5)]) == "[Quantity(0.5)]"


def test_tables_of_notebooks():
    page = ESTIMATE._repr_html_()
    assert "<td>0.7500(3)</td><td>0.500(2)</td>" in page
    assert "1,000 trials in 0.25 s" in page
    page = accuracy("circle", GRID)._repr_html_()
    assert page.count("<tr>") == 14  # a head, twelve members, and that there are more
    assert "⋮" in page
    page = Quantity(32.7, 5.0, 23.0, 46.0)._repr_html_()
    assert [f"<td>{x}</td>" in page for x in ("32.7", "5", "23", "46")] == [True] * 4
    assert "stderr" not in Quantity(1.0)._repr_html_()


def test_data_frames_have_a_row_for_each_member():
    exact = accuracy("circle", GRID)
    table = exact.to_dataframe(epsilon=GRID.epsilon, n=2)
    assert table.columns.tolist() == ["epsilon", "n", "p_s", "p_i"]
    np.testing.assert_array_equal(table.p_s, exact.p_s)
    np.testing.assert_array_equal(table.epsilon, GRID.epsilon)
    assert set(table.n) == {2}
    grid = Estimate(np.arange(6.0).reshape(2, 3) / 6, *np.zeros((5, 2, 3)), 10, 1.0)
    table = grid.to_dataframe(delta=np.array([0.0, 0.1, 0.2]))
    assert table.p_s.tolist() == grid.p_s.ravel().tolist()
    assert table.delta.tolist() == [0.0, 0.1, 0.2] * 2
    assert table.attrs == {"trials": 10, "seconds": 1.0}
    assert len(ESTIMATE.to_dataframe()) == 1


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"epsilon must broadcast to shape \(20,\), the members'; got \(3,\)"):
        accuracy("circle", GRID).to_dataframe(epsilon=[1, 2, 3])
    with pytest.raises(ValueError, match="p_s is a column already"):
        accuracy("circle", GRID).to_dataframe(p_s=0)


def test_what_is_measured_reads_well():
    fit = measure.fit_items_law([2, 4], [95, 80], [100, 100], bootstrap=0)
    assert repr(fit).startswith("ItemsFit(p_I(n) = ")
    assert "<th>expected</th>" in fit._repr_html_()
    distances = np.random.default_rng(0).random((50, 3))
    fit = measure.fit_choices(distances, distances.argmin(1), family="exponential", delta=0.1)
    assert repr(fit).startswith(f"ChoiceFit(exponential: epsilon = {fit.epsilon}; AIC ")
    assert f"<td>epsilon</td><td>{fit.epsilon}</td>" in fit._repr_html_()
    points = np.random.default_rng(0).random((6, 4))
    found = measure.embeddings(points, spaces.grid(spaces.Circle(), 6), optimal="none", bootstrap=0)
    assert repr(found) == f"Embedded({found})"
    assert found._repr_html_().count("<tr>") == 1 + len(found.table())


def test_sweep_is_beside_estimate_and_its_module_is_where_it_was():
    from semres_jax.frontier.sweep import exponents_of

    assert sr.sweep is sr.frontier.sweep
    assert "sweep" in dir(sr)
    assert exponents_of.__module__ == "semres_jax.frontier.sweep"
