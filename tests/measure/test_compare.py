"""Comparing models: identities, models that are alike, corrections, what is refused."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from semres_jax import measure, spaces
from semres_jax.measure import intervals
from semres_jax.measure.compared import PAIR_HEADS
from tests.attributes import require_labels

EXACT = 1e-12
SIZE = 14
# A right p-value fails a test of uniformity at this level once in a hundred keys; keys are fixed.
LEVEL = 0.01


def around(x):
    d = np.abs(x[:, None] - x[None])
    return np.minimum(d, 1 - d)


def waves(x, noise, seed):
    turns = 2 * np.pi * x[:, None] * np.arange(1, 4)
    points = np.concatenate([np.cos(turns), np.sin(turns)], 1)
    return points + noise * np.random.default_rng(seed).normal(size=points.shape)


X = np.random.default_rng(0).random(SIZE)
SPACE = spaces.Finite(around(X))
MODELS = {"a": waves(X, 0.1, 1), "b": waves(X, 0.4, 2), "c": waves(X, 0.8, 3)}
SETTINGS = {"bootstrap": 20, "optimal": "none"}


@pytest.fixture(scope="module")
def three():
    return measure.compare(MODELS, SPACE, bootstrap=20, optimal="homogeneous", delta=0.05)


def test_differences_are_those_of_the_models(three):
    for quantity, numbers in {
        "p_s": [member.p_s.value for member in three.members.values()],
        "p_i": [member.p_i.value for member in three.members.values()],
        "log_epsilon": [np.log(member.resolution[three.family].value) for member in three.members.values()],
        "linear_front": [there["linear"].distance.value for there in three.placed.values()],
        "optimal_front": [there["optimal"].distance.value for there in three.placed.values()],
    }.items():
        want = [numbers[0] - numbers[1], numbers[0] - numbers[2], numbers[1] - numbers[2]]
        np.testing.assert_allclose(three.differences[quantity].difference.value, want, rtol=0, atol=EXACT)
    assert three.pairs == [("a", "b"), ("a", "c"), ("b", "c")]


def test_models_stand_where_they_stand_alone(three):
    alone = measure.embeddings(MODELS["b"], SPACE, delta=0.05, bootstrap=20)
    for got, want in (
        (three.members["b"].p_s, alone.p_s),
        (three.members["b"].resolution["linear"], alone.fits["linear"].resolution),
        *((three.placed["b"][name].distance, there.distance) for name, there in alone.fronts.items()),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=EXACT)


def test_a_difference_varies_as_the_difference_of_what_stimuli_contribute(three):
    first, second = (three.members[name].influence for name in "ab")
    for quantity in ("p_s", "p_i"):
        one, two = getattr(first, quantity), getattr(second, quantity)
        slope, pairs = one.slope - two.slope, one.pairs - two.pairs
        both = (pairs**2).sum() / 2
        want = max((slope**2).sum() - both, both / 2)
        assert three.differences[quantity].difference.stderr[0] ** 2 == pytest.approx(want, rel=EXACT)
        # The slopes are those of leaving a stimulus out of both models.
        for place in (0, 5):
            kept = np.delete(np.arange(SIZE), place)
            left = [measure.embeddings(MODELS[name][kept], around(X[kept]), fronts={}, optimal="none", bootstrap=0)
                    for name in "ab"]  # fmt: skip
            without = [getattr(model, quantity).value for model in left]
            moved = (SIZE - 1) / SIZE * (one.value - two.value - (without[0] - without[1]))
            assert slope[place] == pytest.approx(moved, abs=EXACT)


def test_numbers_of_single_stimuli_are_compared_as_by_students_paired_test():
    x, y = np.random.default_rng(0).normal(size=(2, 12))
    numbers = [measure.Influence(z.mean(), (z - z.mean()) / np.sqrt(12 * 11)) for z in (x, y)]
    found, want = intervals.paired(*numbers), stats.ttest_rel(x, y)
    assert found.p == pytest.approx(want.pvalue, rel=EXACT)
    assert found.freedom == want.df
    ends = want.confidence_interval()
    np.testing.assert_allclose(found.difference[2:], [ends.low, ends.high], rtol=EXACT)


def test_the_other_way_round(three):
    other = measure.compare(dict(reversed(MODELS.items())), SPACE, delta=0.05, bootstrap=20)
    for quantity, found in three.differences.items():
        again = other.differences[quantity]
        np.testing.assert_allclose(found.difference.value, -again.difference.value[::-1], rtol=0, atol=EXACT)
        np.testing.assert_allclose(found.difference.low, -again.difference.high[::-1], rtol=0, atol=EXACT)
        np.testing.assert_allclose(found.p, again.p[::-1], rtol=1e-9)


@pytest.mark.parametrize("labels", [None, np.arange(SIZE) % 4], ids=["stimuli", "classes"])
def test_a_model_and_its_copy(labels):
    space = SPACE if labels is None else around(np.arange(4) / 4)
    copies = {"a": MODELS["a"], "b": MODELS["a"].copy()}
    found = measure.compare(copies, space, labels=labels, floor=0.01, **SETTINGS)
    for differences in found.differences.values():
        assert differences.difference.value.tolist() == [0.0]
        assert differences.p.tolist() == [1.0]
    # Longer embeddings have the same cosines but for rounding.
    scaled = copies | {"b": 3.7 * MODELS["a"]}
    found = measure.compare(scaled, space, labels=labels, similarity="cosine", floor=0.01, **SETTINGS)
    assert found.differences["p_s"].p.tolist() == [1.0]


def test_exemplars_are_drawn_again_within_their_classes():
    labels = np.repeat(np.arange(4), 5)
    rng, centres = np.random.default_rng(4), np.random.default_rng(3).normal(size=(4, 3))
    models = {name: centres[labels] + noise * rng.normal(size=(20, 3)) for name, noise in (("a", 0.2), ("b", 1.0))}
    settings = SETTINGS | {"similarity": "cosine", "floor": 0.01}
    found = measure.compare(models, around(np.arange(4) / 4), labels=labels, **settings)
    assert list(found.differences) == ["p_s", "p_i", "constant_front", "linear_front"]
    first, second = (member.influence.p_i for member in found.members.values())
    want = np.sqrt(((first.slope - second.slope) ** 2).sum())
    assert found.differences["p_i"].difference.stderr[0] == pytest.approx(want, rel=EXACT)
    assert found.differences["p_i"].freedom.tolist() == [16.0]
    assert any("exemplars of 4 classes" in line for line in found.notes())
    assert any("resolutions are not compared" in line for line in found.notes())


def test_holm_is_the_step_down_procedure():
    p = np.append(np.random.default_rng(0).random(9) ** 3, np.nan)
    got = intervals.holm(p)
    for level in np.linspace(0.001, 0.999, 300):
        rejected = np.zeros(10, bool)
        for k, place in enumerate(np.argsort(p[:9])):
            if p[place] > level / (9 - k):
                break
            rejected[place] = True
        assert (rejected == (got <= level)).all()
    assert np.isnan(got[9])


def test_corrections(three):
    plain = measure.compare(MODELS, SPACE, correction="none", bootstrap=0, optimal="none")
    for quantity in ("p_s", "p_i", "log_epsilon"):
        np.testing.assert_array_equal(plain.differences[quantity].corrected, plain.differences[quantity].p)
        np.testing.assert_array_equal(three.differences[quantity].p, plain.differences[quantity].p)
        corrected = intervals.holm(plain.differences[quantity].p)
        np.testing.assert_array_equal(three.differences[quantity].corrected, corrected)


def test_layers_become_members_and_a_path():
    layers = np.stack([MODELS["c"], MODELS["b"]])
    found = measure.compare({"net": layers, "a": MODELS["a"]}, SPACE, **SETTINGS)
    assert list(found.members) == ["net 0", "net 1", "a"]
    assert found.paths == {"net": ("net 0", "net 1")}
    data = found.dataset()
    assert data.path.values.tolist() == ["net", "net", ""]
    assert data.step.values.tolist() == [0, 1, -1]


def test_models_measured_before_and_members_of_another_kind(three):
    measured = measure.embeddings(MODELS["b"], SPACE, bootstrap=20, optimal="none")
    own = three.members["c"]
    bare = own.influence._replace(log_epsilon={})
    people = dataclasses.replace(own, name="people", kind="people", resolution={}, aic={}, influence=bare)
    found = measure.compare({"a": MODELS["a"], "b": measured, "people": people}, SPACE, delta=0.05, bootstrap=20)
    for quantity in ("p_s", "linear_front", "optimal_front"):
        np.testing.assert_allclose(found.differences[quantity].p, three.differences[quantity].p, rtol=1e-9)
    assert found.summary()["models"][2]["kind"] == "people"
    # What has no resolution leaves that of the others as it is.
    epsilon = found.differences["log_epsilon"]
    assert epsilon.difference.value[0] == pytest.approx(three.differences["log_epsilon"].difference.value[0], abs=EXACT)
    assert np.isnan(epsilon.p[1:]).all()
    assert epsilon.corrected[0] == epsilon.p[0]
    assert found.table()[2][3] == ""


def test_rows_are_found_by_name():
    import pandas

    names = [f"s{k}" for k in range(SIZE)]
    table = pandas.DataFrame(np.asarray(SPACE.distances), names, names)
    a, b = (pandas.DataFrame(MODELS[name], names) for name in "ab")
    found = measure.compare({"a": a, "b": b.iloc[::-1]}, table, **SETTINGS)
    want = measure.compare({"a": MODELS["a"], "b": MODELS["b"]}, SPACE, **SETTINGS)
    np.testing.assert_allclose(found.differences["p_s"].p, want.differences["p_s"].p, rtol=1e-9)
    with pytest.raises(ValueError, match="same stimuli in the same order; 'a' and 'b': 14 and 13 stimuli"):
        measure.compare({"a": a, "b": b.iloc[1:]}, table, **SETTINGS)
    with pytest.raises(ValueError, match=r"number 0 \(from 0\) of the stimuli is 's0' and 's1'"):
        measure.compare({"a": a.iloc[:-1], "b": b.iloc[1:]}, table, **SETTINGS)


def test_more_items_have_no_intervals():
    kept = np.arange(6)
    models = {name: points[kept] for name, points in MODELS.items()}
    found = measure.compare(models, around(X[kept]), n=3, **SETTINGS)
    assert np.isnan(found.differences["p_s"].p).all()
    assert np.isfinite(found.differences["p_s"].difference.value).all()
    assert any("no intervals" in line for line in found.cautions)
    assert "" in found.pairs_table()[0]


@pytest.mark.parametrize(
    ("models", "change", "message"),
    [
        ({"a": MODELS["a"]}, {}, "comparing needs at least 2 models; got 1"),
        ({}, {}, "at least 2 models; got 0"),
        ([MODELS["a"], MODELS["b"]], {}, "models must be a mapping from names to embeddings; got list"),
        ({1: MODELS["a"], "1": MODELS["b"]}, {}, "two models have the name '1'"),
        ({"a 0": MODELS["b"], "a": MODELS["a"][None]}, {}, "two models have the name 'a 0'"),
        ({"a": MODELS["a"], "b": MODELS["b"][1:]}, {}, "model 'b': distances are between 14 stimuli"),
        ({"a": MODELS["a"], "b": MODELS["b"] * np.nan}, {}, "model 'b': embeddings must be finite"),
        (MODELS, {"correction": "fdr"}, "correction must be holm or none; got 'fdr'"),
        (MODELS, {"family": "constant"}, "the resolution of 'constant' can't be compared"),
        (MODELS, {"paths": {"x": ["a", "z"]}}, "path 'x' names 'z', which is no model"),
        (MODELS, {"paths": {"x": ["a", "b"], "y": ["b"]}}, "'b' is in paths more than once"),
        (MODELS, {"labels": range(5)}, "has no label"),
        (MODELS, {"bootstrap": -1}, "bootstrap"),
    ],
)
def test_bad_input(models, change, message):
    with pytest.raises(ValueError, match=r"(?s)^[^\n]*$") as refused:
        measure.compare(models, SPACE, **(SETTINGS | change))
    assert message in str(refused.value)


def test_models_of_other_distances_are_refused():
    other = measure.embeddings(MODELS["b"], around(X + 0.001 * np.arange(SIZE)), bootstrap=0, optimal="none")
    with pytest.raises(ValueError, match="distances between the stimuli differ"):
        measure.compare({"a": MODELS["a"], "b": other}, SPACE, **SETTINGS)
    large = dataclasses.replace(other, influence=None)
    with pytest.raises(ValueError, match="too many for contributions to be kept"):
        measure.compare({"a": MODELS["a"], "b": large}, SPACE, **SETTINGS)
    more = dataclasses.replace(other, n=3)
    with pytest.raises(ValueError, match="n = 3 items; the comparison is of n = 2"):
        measure.compare({"a": MODELS["a"], "b": more}, SPACE, **SETTINGS)


def test_what_a_comparison_says(three, tmp_path):
    assert repr(three) == f"Comparison({three})"
    assert "3 models; of 3 pairs differ (p < 0.05): p_S" in str(three)
    assert len(three.table()) == 3
    assert {len(row) for row in three.table()} == {len(three.heads())}
    assert len(three.pairs_table()) == 3 * len(three.differences)
    assert {len(row) for row in three.pairs_table()} == {len(PAIR_HEADS)}
    assert {row[0] for row in three.pairs_table(1)} <= {"a - b", "a - c", "b - c"}
    assert len(three.pairs_table(1)) == len(three.differences)
    assert three._repr_html_().count("<table>") == 2
    assert "Holm" in three.notes()[0]
    data = three.dataset()
    require_labels(data, tmp_path)
    np.testing.assert_array_equal(data.sel(quantity="p_i").corrected_p, three.differences["p_i"].corrected)
    frame = three.to_dataframe()
    assert frame.loc[("p_s", "a - b"), "difference_low"] == three.differences["p_s"].difference.low[0]
    rows = three.summary()["differences"]
    assert rows[0]["first"] == "a"
    assert len(rows) == len(frame)


def products(x):
    """The mean of x y over pairs of different stimuli, and what they contribute."""
    size, table = len(x), np.outer(x, x)
    np.fill_diagonal(table, 0.0)
    mean, value = table.sum(1) / (size - 1), table.sum() / (size * (size - 1))
    pairs = (table - mean[:, None] - mean[None] + value) * 2 / (size * (size - 1))
    np.fill_diagonal(pairs, 0.0)
    return measure.Influence(value, (mean - value) * 2 * (size - 1) / (size * (size - 2)), pairs)


@pytest.mark.parametrize("centre", [0.0, 0.15, 2.0], ids=["pairs alone", "both", "stimuli alone"])
def test_p_values_of_numbers_that_are_alike(centre):
    p, missed, repeats = [], [], 600
    for k in range(repeats):
        shared, *own = np.random.default_rng([7, k]).normal(size=(3, 24))
        found = intervals.paired(*(products(centre + (shared + x) / np.sqrt(2)) for x in own))
        p.append(found.p)
        missed.append(not found.difference.low <= 0 <= found.difference.high)
    # An interval leaves 0 out where p < 0.05, and there only.
    np.testing.assert_array_equal(missed, np.array(p) < 0.05)
    if centre == 2.0:
        assert stats.kstest(p, "uniform").pvalue > LEVEL
    for level in (0.01, 0.05, 0.1):  # of pairs in one direction p-values are too large: no more than that are below
        assert np.mean(np.array(p) < level) < level + 3 * np.sqrt(level * (1 - level) / repeats)


@pytest.mark.thorough
def test_p_values_of_models_that_are_alike_are_uniform():
    p = []
    for k in range(300):
        x = np.random.default_rng([8, k]).random(24)
        models = {name: waves(x, 0.35, [k, seed]) for seed, name in enumerate("ab")}
        found = measure.compare(models, around(x), family="exponential", families=["exponential"], bootstrap=0,
                                optimal="none", key=jax.random.key(k))  # fmt: skip
        p.append([found.differences[name].p[0] for name in ("p_s", "p_i", "log_epsilon", "constant_front")])
    assert all(stats.kstest(column, "uniform").pvalue > LEVEL for column in np.transpose(p))
