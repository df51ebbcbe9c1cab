"""The similarity-choice model: fitted independently, recovered, its zeros and its errors."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray

from scripts import study_people_coverage
from semres_jax import measure, spaces
from semres_jax.measure.people import _quasi_symmetry as quasi_symmetry
from tests.attributes import require_labels

COUNTS = np.array([[60, 14, 9, 2], [21, 48, 30, 6], [7, 12, 70, 15], [3, 4, 28, 90]], float)
EXACT = 1e-8


def proportional_fit(counts):
    """Expected counts by iterative proportional fitting of row, column and symmetric sums, from a table of ones."""
    m = np.ones_like(counts)
    for _ in range(20_000):
        before = m.copy()
        m *= counts.sum(1, keepdims=True) / m.sum(1, keepdims=True)
        m *= counts.sum(0) / m.sum(0)
        m *= (counts + counts.T) / (m + m.T)
        if abs(m - before).max() < 1e-13:
            break
    return m


def test_it_is_what_proportional_fitting_finds():
    fit, m = measure.similarity_choice(COUNTS, bootstrap=0), proportional_fit(COUNTS)
    np.testing.assert_allclose(fit.expected, m / m.sum(1, keepdims=True), atol=EXACT, rtol=0)
    # The model with its own parameters gives the same probabilities.
    strength = fit.bias.value * fit.similarity.value
    np.testing.assert_allclose(strength / strength.sum(1, keepdims=True), fit.expected, atol=1e-12, rtol=0)
    assert fit.bias.value.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_array_equal(np.diag(fit.similarity.value), 1.0)
    np.testing.assert_allclose(fit.similarity.value, fit.similarity.value.T, atol=1e-14)
    assert fit.freedom == 3
    assert fit.parameters == 9
    assert fit.g2 == pytest.approx(2 * (COUNTS * np.log(COUNTS / m)).sum(), abs=EXACT)
    assert fit.x2 == pytest.approx(((COUNTS - m) ** 2 / m).sum(), abs=EXACT)
    assert fit.slope < 1e-10


def test_no_parameter_is_better():
    fit = measure.similarity_choice(COUNTS, bootstrap=0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        bias = fit.bias.value * np.exp(rng.normal(0, 0.01, 4))
        change = rng.normal(0, 0.01, (4, 4))
        similarity = fit.similarity.value * np.exp(np.triu(change, 1) + np.triu(change, 1).T)
        strength = bias * similarity
        assert (COUNTS * np.log(strength / strength.sum(1, keepdims=True))).sum() < fit.log_likelihood


def test_counts_are_weights():
    """Twice the counts: the same model, errors smaller by √2; fractions are allowed and simulate nothing."""
    once, twice, third = (measure.similarity_choice(COUNTS * k, bootstrap=0) for k in (1, 2, 1 / 3))
    np.testing.assert_allclose(twice.bias.value, once.bias.value, rtol=1e-10)
    np.testing.assert_allclose(twice.bias.stderr * np.sqrt(2), once.bias.stderr, rtol=1e-8)
    np.testing.assert_allclose(third.similarity.stderr, once.similarity.stderr * np.sqrt(3), rtol=1e-8)
    third = measure.similarity_choice(COUNTS / 3)
    assert np.isnan(third.bias.low).all()
    assert "not whole numbers" in third.cautions[-1]


def test_errors_are_the_spread_over_tables():
    """Of 3,000 tables drawn from a model: standard deviations within 5 of their standard errors."""
    rng = np.random.default_rng(0)
    counts = 20 * COUNTS
    fit = measure.similarity_choice(counts, bootstrap=0)
    count = 3000
    tables = rng.multinomial(counts.sum(1).astype(int), fit.expected, (count, 4)).astype(float)
    drawn = quasi_symmetry.parts(quasi_symmetry.fitted(tables), tables)
    for values, number in zip(drawn, (fit.bias, fit.similarity), strict=True):
        seen, said = values.std(0), number.stderr
        off = abs(seen - said)[said > 0] / said[said > 0]
        assert off.max() < 5 / np.sqrt(2 * count)
        mean = abs(values.mean(0) - number.value)[said > 0] / said[said > 0]
        assert mean.max() < 0.1 + 5 / np.sqrt(count)  # and a bias of order stderr / √counts


def test_biases_come_back_and_are_told_from_resolution():
    table, distances, bias = study_people_coverage.confusion_table(16, 2000, 0.2, 0.05, np.random.default_rng(3))
    fit = measure.similarity_choice(table, distances=distances, bootstrap=40, key=1)
    assert (abs(fit.bias.value - bias) < 5 * fit.bias.stderr).all()
    by = fit.by_distance
    assert by.fit.epsilon.low < 0.2 < by.fit.epsilon.high
    assert by.fit.delta.low < 0.05 < by.fit.delta.high
    assert by.against_free.freedom == 16 * 15 // 2 - 2
    assert by.against_free_p > 0.02
    assert by.biases.p_value < 1e-10
    assert abs(by.unbiased.epsilon.value - 0.2) > abs(by.fit.epsilon.value - 0.2)
    lines = "\n".join(fit.notes())
    assert "without biases epsilon" in lines
    require_labels(fit.dataset(), None)
    assert json.loads(json.dumps(fit.summary()))["by_distance"]["family"] == "exponential"


def test_other_distances_are_refused_by_the_ratio():
    table, distances, _ = study_people_coverage.confusion_table(10, 1000, 0.2, 0.05, np.random.default_rng(3))
    wrong = np.random.default_rng(0).permutation(10)
    fit = measure.similarity_choice(table, distances=distances[np.ix_(wrong, wrong)], bootstrap=0)
    assert fit.by_distance.against_free.p_value < 1e-10


def test_asymmetric_tables_that_are_no_choice_model_are_seen():
    cyclic = np.array([[90, 30, 2], [2, 90, 30], [30, 2, 90]])
    fit = measure.similarity_choice(cyclic, bootstrap=200)
    assert fit.p_value < 1e-6
    assert fit.bootstrap_p == pytest.approx(1 / 201)


def test_zeros():
    """Pairs never confused; groups that nothing links; confusions one way."""
    apart = COUNTS.copy()
    apart[0, 3] = apart[3, 0] = 0
    fit = measure.similarity_choice(apart, bootstrap=50)
    assert fit.similarity.value[0, 3] == 0
    assert fit.freedom == 2
    assert any("never confused" in line for line in fit.cautions)
    np.testing.assert_allclose(fit.expected, apart / apart.sum(1, keepdims=True), atol=0.1)
    groups = np.kron(np.eye(2), np.ones((2, 2))) * COUNTS
    fit = measure.similarity_choice(groups, bootstrap=0)
    np.testing.assert_allclose(fit.expected, groups / groups.sum(1, keepdims=True), atol=1e-12)
    assert fit.freedom == 0
    assert any("2 groups" in line for line in fit.cautions)
    one_way = np.triu(COUNTS)
    fit = measure.similarity_choice(one_way, bootstrap=0)
    np.testing.assert_allclose(fit.expected, one_way / one_way.sum(1, keepdims=True), atol=1e-10)
    assert any("one way only" in line for line in fit.cautions)


def test_newton_climbs_from_everywhere():
    """Tables with counts of 1 to 10^5 and many zeros: no slope is left."""
    rng = np.random.default_rng(0)
    tables = rng.integers(0, 2, (300, 6, 6)) * 10.0 ** rng.integers(0, 6, (300, 6, 6))
    fit = quasi_symmetry.fitted(tables)
    assert (fit.slope <= 1e-8 * tables.sum((1, 2))).all()


def test_labelled_tables():
    names = ["p", "t", "k", "s"]
    frame = pd.DataFrame(COUNTS, names, names)
    array = xarray.DataArray(COUNTS, dims=("shown", "heard"), coords={"shown": names, "heard": names})
    plain = measure.similarity_choice(COUNTS, names=names, bootstrap=0)
    distances = 1.0 - np.eye(4)
    distances[0, 3] = distances[3, 0] = 2.0
    table = pd.DataFrame(distances, names, names)
    for given in (frame, array, frame[["k", "p", "s", "t"]], array[:, [3, 0, 1, 2]]):
        fit = measure.similarity_choice(given, bootstrap=0)
        assert fit.names == tuple(names)
        np.testing.assert_array_equal(fit.bias.value, plain.bias.value)
    one, two = (
        measure.similarity_choice(frame, distances=given, bootstrap=0, delta=0.0, family="exponential").by_distance
        for given in (table, table.iloc[[2, 0, 1, 3], [2, 0, 1, 3]])
    )
    assert one.fit.epsilon.value == pytest.approx(two.fit.epsilon.value, rel=1e-12)
    frame = plain.to_dataframe()
    assert frame.index.tolist() == names
    assert frame.columns.tolist() == ["shown", "right", "answered", "bias", "bias_stderr", "bias_low", "bias_high"]
    np.testing.assert_array_equal(frame.bias, plain.bias.value)


@pytest.mark.parametrize(
    ("counts", "more", "line"),
    [
        (COUNTS[:3], {}, "square"),
        (COUNTS[:2, :2], {}, "at least 3 stimuli"),
        (COUNTS - 5, {}, "at least 0; row '0', column '3' has -3"),
        (np.where(np.arange(4)[:, None] == 2, 0, COUNTS), {"names": list("abcd")}, "stimulus 'c' was never shown"),
        (COUNTS * (1 - np.diag([0, 1, 0, 0])), {}, "stimulus '1' was never identified"),
        (COUNTS / COUNTS.sum(1, keepdims=True), {}, "as shares do"),
        (np.where(COUNTS == 2, np.nan, COUNTS), {}, "row '0', column '3' has nan"),
        (COUNTS, {"names": ["a", "b"]}, "names must be 4"),
        (COUNTS, {"names": ["a", "b", "a", "c"]}, "'a' appears 2 times"),
        (COUNTS, {"level": 1.0}, "level must be above 0 and below 1; got 1.0"),
        (COUNTS, {"bootstrap": -1}, "bootstrap must be at least 0"),
        (COUNTS, {"distances": np.ones((3, 3)) - np.eye(3)}, "between 3 stimuli, but counts of 4"),
        (COUNTS, {"distances": spaces.Circle()}, "distances must be a table"),
        (pd.DataFrame(COUNTS, list("abcd"), list("abce")), {}, "'e'"),
        ([["a", "b"], ["c", "d"]], {}, "must be numbers"),
    ],
)
def test_bad_input_is_one_line(counts, more, line):
    with pytest.raises(ValueError, match=r"counts|names|stimul|level|bootstrap|distances|label") as refused:
        measure.similarity_choice(counts, **more)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


def test_it_shows_itself():
    fit = measure.similarity_choice(COUNTS, names=list("abcd"), bootstrap=20)
    assert str(fit) in repr(fit)
    assert fit._repr_html_().startswith("<table>")
    assert len(fit.table()) == 4
    assert all(len(row) == 7 for row in fit.table())


@pytest.mark.thorough
def test_intervals_cover():
    """90 % intervals of biases and of ε in 60 tables of 12 stimuli: within 5 standard errors of what they say."""
    held = {"epsilon": [], "bias": []}
    for k in range(60):
        table, distances, bias = study_people_coverage.confusion_table(12, 100, 0.2, 0.05, np.random.default_rng(k))
        fit = measure.similarity_choice(table, distances=distances, level=0.9, bootstrap=200, key=k)
        number = fit.by_distance.fit.epsilon
        held["epsilon"].append(number.low <= 0.2 <= number.high)
        held["bias"].append(((fit.bias.low <= bias) & (bias <= fit.bias.high)).mean())
    for share in held.values():
        assert np.mean(share) > 0.9 - 5 * np.sqrt(0.09 / 60)
