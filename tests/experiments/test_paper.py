"""Figures of the paper: their numbers against the laws, and the index against the registry."""

import dataclasses
import html
import math
import re

import numpy as np
import pytest

from semres_jax import laws, spaces
from semres_jax.experiments import paper
from semres_jax.experiments.paper import systems, theory
from semres_jax.measure import backends
from semres_jax.plots import paper as plots_paper
from semres_jax.training.toy.loop import Design
from tests.measure.year_models import Historian

# Exact numbers against laws written out here; simulations in standard errors.
EXACT, SIGMAS = 1e-10, 5.0


@pytest.fixture(scope="module", autouse=True)
def small():
    """Few spaces and trials: what is tested is in each of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theory, "HOMOGENEOUS", ("circle",))
        patch.setattr(theory, "HETEROGENEOUS", ("interval",))
        patch.setattr(theory, "NS", (2, 3))
        patch.setattr(theory, "ITEMS", np.array([2, 3, 1000]))
        patch.setattr(systems, "_FAMILIES", ("exponential",))
        patch.setattr(theory, "_QUICK_TRIALS", 2**14)
        yield


@pytest.fixture(scope="module")
def two():
    return theory.two_items(paper.Setting(quick=True))


@pytest.fixture(scope="module")
def several():
    return theory.many_items(paper.Setting(quick=True))


def test_fronts_of_two_items_are_theorems_1_and_2(two):
    b, delta = two.b.values, two.delta.values[:, None]
    np.testing.assert_allclose(two.law_p_s, 0.5 + (b - b**2) * (1 - delta) / (1 + delta), atol=EXACT)
    np.testing.assert_allclose(two.law_p_i, b / 2 + (1 - b) / (1 + delta), atol=EXACT)
    curve = two.sel(space="interval")
    mean, var = curve.curve_mean_b.values, curve.curve_var_b.values
    assert var.max() > 0.001
    np.testing.assert_allclose(curve.curve_p_s, 0.5 + mean - mean**2 - var, atol=EXACT)
    np.testing.assert_allclose(curve.curve_p_i, 1 - mean / 2, atol=EXACT)


def test_variance_of_the_interval_is_its_polynomial(two):
    curve = two.sel(space="interval")
    epsilon = 1 - np.sqrt(1 - curve.curve_mean_b.values)  # <b> = 2 ε - ε² on a segment of length 1
    half = epsilon <= 0.5
    mean, var = laws.closed_form.segment_moments(epsilon[half])
    np.testing.assert_allclose(curve.curve_mean_b.values[half], mean, atol=EXACT)
    np.testing.assert_allclose(curve.curve_var_b.values[half], var, atol=EXACT)


def test_simulations_of_two_items_agree_with_theorem_2(two):
    row = two.sel(space="circle")
    delta = row.delta.values[:, None]
    b = row.mean_b.values
    np.testing.assert_allclose(b[0], theory._SHARES, atol=2.0**-15)  # resolutions are quantiles of 65,536 pairs
    for name, law in (
        ("p_s", 0.5 + (b - b**2) * (1 - delta) / (1 + delta)),
        ("p_i", b / 2 + (1 - b) / (1 + delta)),
    ):
        assert row[name].shape == law.shape
        assert (np.abs(row[name] - law) <= SIGMAS * row[f"{name}_stderr"]).all()


def test_many_items_follow_theorem_3(several):
    b = several.b.values[1:]
    p_i = (1 - (1 - b) ** 3) / (3 * b)
    p_s = b * (1 - b) ** 2 * 3 + 3 * b**2 * (1 - b) / 2 + b**3 / 3 + (1 - b) ** 3 / 3
    np.testing.assert_allclose(several.law_p_i.sel(n=3)[1:], p_i, atol=EXACT)
    np.testing.assert_allclose(several.law_p_s.sel(n=3)[1:], p_s, atol=EXACT)
    np.testing.assert_allclose(several.best_p_s.sel(n=2), 0.75, atol=EXACT)
    far = several.isel(items=-1)
    np.testing.assert_allclose(far.items_p_i * far["items"] * far.ball, 1.0, atol=1e-8)  # (1 - 0.02)^1000 = 2e-9
    off = np.abs(several.p_i.sel(n=2) - (1 - several.ball / 2))
    assert (off <= SIGMAS * several.p_i_stderr.sel(n=2)).all()


def test_the_number_of_a_peak_is_where_both_curves_cross(several):
    peaks = [number for number in paper.FIGURES["3"].numbers(several) if number.what.startswith("highest")]
    assert len(peaks) == len(several.n)
    for number in peaks:
        assert abs(number.here - number.expected) < EXACT


def test_simulated_observers_are_identified_by_the_law():
    table = theory.colours(paper.Setting(quick=True))
    for a in table.observer.values:
        row = table.sel(observer=a)
        error = (float(row.high) - float(row.low)) / (2 * 1.96)
        assert abs(float(row.a) - a) < SIGMAS * error
        np.testing.assert_allclose(row.expected, (1 - (1 - row.a) ** row.n) / (row.a * row.n), atol=EXACT)
        counts = row.right / row.trials
        assert (np.abs(counts - row.expected) < SIGMAS * np.sqrt(counts * (1 - counts) / row.trials) + 0.02).all()


@pytest.fixture(scope="module")
def answered():
    return systems.shapes(paper.Setting(quick=True))


def test_the_answers_on_shapes_are_those_that_ship(answered):
    table = answered
    right, bias, *_ = paper.FIGURES["5c"].numbers(table)
    assert right.here == 0.5425
    assert bias.what == "share of answers 'triangle', the commonest"
    assert bias.here == 249 / 400
    corners = np.array([[25, 25], [25, 875], [875, 25], [875, 875]])
    apart = np.linalg.norm(table.place.values[:, None] - corners, axis=-1).min(1)
    np.testing.assert_allclose(apart, table.nearest, atol=EXACT * 1e3)
    assert int(table["count"].sum()) == 400
    assert float(table.share[0]) == 1.0
    assert float(table.aic[0]) < float(table.aic[1])


def test_a_language_model_is_asked_once_and_answers_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "open_backend", lambda name: Historian(50.0))
    run = paper.Setting(quick=True, folder=tmp_path)
    table = systems.year_items(run)
    rows = paper.FIGURES["10"].numbers(table)
    assert [row.expected for row in rows] == [1 / 2, 1 / 4, 1 / 8, 1 / 16] * 2
    assert all(0 < row.here <= 1 for row in rows)
    monkeypatch.setattr(Historian, "score", lambda *_: pytest.fail("asked again"))
    again = systems.year_items(dataclasses.replace(run, resume=True))
    np.testing.assert_array_equal(again.items_cell_p_right_value, table.items_cell_p_right_value)


def test_laws_are_drawn_as_lines_and_simulations_as_marks(two, several, answered, tmp_path):
    left, right = plots_paper.paper_2(two).axes
    law = two.isel(delta=0)
    np.testing.assert_array_equal(left.lines[0].get_xydata(), np.stack([law.law_p_i, law.law_p_s], -1))
    assert len(left.containers) == len(two.delta)  # one space in each of the floors
    curve = law.sel(space="interval")
    drawn = [line.get_xydata() for line in right.lines]
    wanted = np.stack([curve.curve_p_i, curve.curve_p_s], -1)
    assert any(line.shape == wanted.shape and np.array_equal(line, wanted) for line in drawn)
    above, *_ = plots_paper.paper_3(several).axes
    assert above.containers[0].lines[0].get_ydata().tolist() == several.p_s.sel(n=2).values.tolist()
    shown = plots_paper.paper_5c(answered).axes[0].lines
    assert [len(line.get_xdata()) for line in shown] == [217, 183]  # right and wrong answers of 400
    assert plots_paper.save_paper("3", several, tmp_path) == ["figure-3.png", "figure-3.svg"]
    assert all((tmp_path / f"figure-3.{ending}").stat().st_size > 10_000 for ending in ("png", "svg"))


def test_networks_are_trained_once_for_both_figures(monkeypatch):
    calls, whole = [], systems.toy.study

    def study(conditions, **settings):
        calls.append((len(conditions), settings["runs"], settings["steps"], settings["resume"]))
        circle = systems.toy.Condition("circle", spaces.grid(spaces.get("circle"), 8), Design(hidden=3, batch=16))
        return whole([circle], runs=2, steps=30, records=3)

    monkeypatch.setattr(systems.toy, "study", study)
    run = paper.Setting(quick=True)
    made = {name: paper.FIGURES[name].make(run) for name in ("4a", "4b")}
    assert calls == [(3, 3, 1500, False)]
    table = made["4b"]
    rows = {row.what: row for row in paper.FIGURES["4b"].numbers(table)}
    end = table.p_i.isel(condition=0, step=-1, n=0).values
    last = rows["circle: last p_I"]
    assert (last.here, last.error) == pytest.approx((end.mean(), end.std(ddof=1) / math.sqrt(2)), abs=EXACT)
    (top,) = (row for what, row in rows.items() if "best p_S" in what)
    assert abs(top.expected - (0.5 + 1 / (6 - 4 * math.log(2)))) < EXACT
    steps = [row.what.split(" step ")[1].split(" ")[0] for row in paper.FIGURES["4a"].numbers(made["4a"])]
    assert steps == [f"{step}" for step in systems.toy.shown_steps(30)]


def test_images_are_studied_from_alpha_0(monkeypatch):
    calls = []
    monkeypatch.setattr(systems.images, "study", lambda images, recipe, **more: calls.append((recipe.epochs, more)))
    for quick in (True, False):
        paper.FIGURES["5a"].make(paper.Setting(quick=quick, seed=3))
    (few, quickly), (many, fully) = calls
    assert few < many
    assert quickly["alphas"][0] == fully["alphas"][0] == 0.0
    assert set(quickly["alphas"]) < set(fully["alphas"])
    assert set(fully["held_out"]) <= set(systems.data.animal_images().class_names)


def test_chosen_names_are_in_the_order_of_the_paper():
    assert paper.chosen(["14", "2", "2"]) == ["2", "14"]
    assert paper.chosen(["all"]) == list(paper.FIGURES)
    with pytest.raises(ValueError, match="no figure '4c'; there are 2, 3, 4a, 4b, 5a, 5b, 5c, 10, 14, all"):
        paper.chosen(["4c"])
    with pytest.raises(ValueError, match="at least one of 2, 3"):
        paper.chosen([])


def test_every_figure_is_drawn_and_every_drawing_is_a_figure():
    assert set(plots_paper._DRAWN) == set(paper.FIGURES)


def test_the_index_has_every_figure_and_what_cannot_be_made():
    records = [paper.Record(name, figure, "missing", "no <reason>") for name, figure in paper.FIGURES.items()]
    number = paper.Number("a & b", 0.75, 0.001, math.nan, "theorem 1")
    records[0] = dataclasses.replace(records[0], status="made", files=("figures/2.png",), numbers=(number,))
    page = paper.index(records, "A test.")
    for name, figure in paper.FIGURES.items():
        assert page.count(f'id="figure-{name}"') == 1
        for text in (figure.title, figure.shows, figure.differs, figure.command):
            assert html.escape(text) in page
    for row in paper.UNMADE:
        assert html.escape(row.reason) in page
    assert page.count("Not made: no &lt;reason&gt;") == len(records) - 1
    assert 'a &amp; b</td><td class="n">0.75 ± 0.001</td><td class="n">–' in page
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))
