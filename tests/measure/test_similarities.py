"""Judged tables: sums over all triples, laws, geometry recovered, intervals against fresh answers and subjects."""

import builtins
import itertools

import numpy as np
import pandas as pd
import pytest
import xarray

from semres_jax import Constant, Exponential, laws, measure, spaces
from semres_jax.measure.people import _recovered, similarities as people
from tests.attributes import require_labels

EXACT = 1e-12
# Standard errors of a mean, or of a share, by which repetitions may miss.
MARGIN = 5
PLAIN = {"optimal": "none", "fronts": {}, "bootstrap": 0, "n": [2]}
NAMES = ["ape", "bat", "cod", "doe", "elk", "fox", "gnu"]
# Steps between letters of a word, so that many tie; an asymmetric table of shares of "the same" as an answer.
STEPS = np.abs(np.subtract.outer(np.array([0, 1, 1, 2, 3, 3, 5]), np.array([0, 1, 1, 2, 3, 3, 5]))).astype(float)
STEPS[1, 2] = STEPS[2, 1] = STEPS[4, 5] = STEPS[5, 4] = 1.0
SHARES = np.random.default_rng(3).random((7, 7)).round(2) * 0.5 + 0.4 * np.eye(7)


def by_hand(strengths, distances):
    """p_S and p_I of two items, triple by triple."""
    size, right, own = len(strengths), [], []
    for p in range(size):
        for x in range(size):
            if x != p:
                own.append(strengths[p, p] / (strengths[p, p] + strengths[p, x]))
            for y in range(size):
                if len({p, x, y}) == 3:
                    near, far = distances[p, x], distances[p, y]
                    share = strengths[p, x] / (strengths[p, x] + strengths[p, y])
                    right.append(0.5 if near == far else share if near < far else 1 - share)
    return np.mean(right), np.mean(own)


def of_three():
    """p_S and p_I of three items, set by set."""
    right, own = [], []
    for p in range(7):
        others = [x for x in range(7) if x != p]
        for items in itertools.combinations(others, 3):
            near = [x for x in items if STEPS[p, x] == min(STEPS[p, list(items)])]
            right.append(SHARES[p, near].sum() / len(near) / SHARES[p, list(items)].sum())
        for items in itertools.combinations(others, 2):
            own.append(SHARES[p, p] / (SHARES[p, p] + SHARES[p, list(items)].sum()))
    return np.mean(right), np.mean(own)


def in_the_plane(rng, size):
    x = rng.random((size, 2))
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


def test_accuracies_are_means_over_all_triples_and_pairs():
    judged = measure.similarities(SHARES, STEPS, kind="confusion", n=[3, 2], optimal="none", fronts={}, bootstrap=0)
    assert (judged.p_s.value, judged.p_i.value) == pytest.approx(by_hand(SHARES, STEPS), abs=EXACT)
    assert judged.items.n.tolist() == [2, 3]
    np.testing.assert_allclose([part.value[1] for part in judged.items[1:3]], of_three(), rtol=0, atol=EXACT)
    assert judged.ball.value == pytest.approx(2 * (1 - judged.p_i.value), abs=EXACT)
    assert judged.items.law.value[1] == pytest.approx(float(laws.constant(judged.ball.value, n=3).p_i), abs=EXACT)
    assert judged.over == ""


def test_the_scale_of_a_row_does_not_matter_and_the_order_of_stimuli_is_that_of_names():
    order = np.array([3, 1, 0, 6, 5, 2, 4])
    known = spaces.Finite(STEPS[np.ix_(order, order)], labels=[NAMES[k] for k in order])
    scaled = SHARES * np.arange(1, 8)[:, None]
    table = pd.DataFrame(scaled, NAMES, NAMES)[NAMES[::-1]]
    want = by_hand(SHARES, STEPS)
    for given, between in (
        (table, known),
        (table, pd.DataFrame(STEPS, NAMES, NAMES)),
        (xarray.DataArray(scaled, {"probe": NAMES, "item": NAMES}, ("probe", "item")), known),
        (scaled, STEPS),
    ):
        judged = measure.similarities(given, between, **PLAIN)
        assert (judged.p_s.value, judged.p_i.value) == pytest.approx(want, abs=EXACT)
    some = measure.similarities(table.loc[NAMES[:5], NAMES[:5]], known, **PLAIN)
    assert sorted(some.names) == NAMES[:5]
    assert some.p_s.value == pytest.approx(by_hand(SHARES[:5, :5], STEPS[:5, :5])[0], abs=EXACT)


def test_a_constant_similarity_has_its_own_balls_and_follows_the_law_at_them():
    ring = spaces.grid(spaces.get("circle"), 11)
    g = Constant(0.2)(np.asarray(ring.distances))
    judged = measure.similarities(g, ring, n=[2], families=["constant"], optimal="none", bootstrap=0)
    inside = (np.asarray(ring.distances) <= 0.2).sum(1) - 1
    np.testing.assert_allclose(people.balls(np.asarray(g, float)), inside / 10, rtol=0, atol=EXACT)
    assert judged.var_b == pytest.approx(0.0, abs=EXACT)
    np.testing.assert_allclose(judged.items.fit_p_i, judged.items.p_i.value, rtol=0, atol=EXACT)
    assert judged.fronts["constant"].distance.value == pytest.approx(0.0, abs=EXACT)


def test_dissimilarities_are_turned_round():
    d = in_the_plane(np.random.default_rng(0), 9)
    linear = measure.similarities(d, d, kind="dissimilarity", **PLAIN)
    assert linear.p_s.value == pytest.approx(measure.similarities(1 - d / d.max(), d, **PLAIN).p_s.value, abs=EXACT)
    curved = measure.similarities(d, d, kind="dissimilarity", strength="exponential", families=["exponential"], **PLAIN)
    assert curved.fits["exponential"].epsilon.value == pytest.approx(d[~np.eye(9, dtype=bool)].mean(), rel=1e-9)
    assert curved.remarks == ("similarity = exp(-dissimilarity / mean)",)
    empty = d + np.diag(np.full(9, np.nan))
    assert measure.similarities(empty, d, kind="dissimilarity", **PLAIN).p_s.value == linear.p_s.value


def test_a_geometry_is_recovered_from_the_order_of_similarities(monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(_recovered, "_STARTS", 1)
    d = in_the_plane(np.random.default_rng(1), 14)
    alike = np.exp(-d / 0.3)
    judged = measure.similarities(alike, families=["exponential"], **PLAIN)
    assert judged.geometry == "recovered"
    assert judged.stress < 0.01
    upper = np.triu_indices(14, 1)
    apart = np.linalg.norm(judged.points[:, None] - judged.points[None], axis=-1)
    assert np.corrcoef(apart[upper], d[upper])[0, 1] > 0.995
    assert "stress" in str(judged)
    assert "fitted to the same table" in judged.cautions[0]
    assert judged.p_i.value == measure.similarities(alike, d, **PLAIN).p_i.value
    with pytest.raises(ValueError, match="dimensions must be from 1 to 13"):
        measure.similarities(alike, dimensions=14, **PLAIN)


def test_without_scikit_learn_its_name_is_told(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **settings):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match="pip install scikit-learn"):
        measure.similarities(SHARES, **PLAIN)


def confused(seed, d, answers=150, epsilon=0.3, floor=0.05):
    g = np.asarray(Exponential(epsilon, floor)(d), float)
    rng = np.random.default_rng([5, seed])
    return np.stack([rng.multinomial(answers, row) for row in g / g.sum(1, keepdims=True)]).astype(float), g


@pytest.fixture
def no_choice_model(monkeypatch):
    """Without the similarity-choice model, which has tests of its own: tables are measured by the dozen."""
    monkeypatch.setattr(people, "_choice", lambda *settings: None)


@pytest.mark.usefixtures("no_choice_model")
def test_counts_have_intervals_over_answers_that_hold_the_truth():
    d, repeats = in_the_plane(np.random.default_rng(2), 8), 30
    settings = {"optimal": "none", "n": [2], "families": ["exponential"], "level": 0.9}
    held, errors, values = [], [], []
    for seed in range(repeats):
        counts, g = confused(seed, d)
        judged = measure.similarities(counts, d, kind="confusion", fronts={}, bootstrap=100, key=seed, **settings)
        fit = judged.fits["exponential"]
        truth = (*by_hand(g, d), 0.3, 0.05)
        numbers = (judged.p_s, judged.p_i, fit.resolution, fit.delta)
        held.append([number.low <= true <= number.high for number, true in zip(numbers, truth, strict=True)])
        values.append([number.value for number in numbers[:2]])
        errors.append([number.stderr for number in numbers[:2]])
    assert judged.over == "answers"
    assert (np.mean(held, axis=0) > 0.9 - MARGIN * np.sqrt(0.09 / repeats)).all()
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / np.std(values, axis=0, ddof=1)
    assert (np.abs(ratio - 1) < MARGIN / np.sqrt(2 * repeats)).all()


@pytest.mark.usefixtures("no_choice_model")
def test_counts_are_weights_and_their_profile_is_nearly_without_bias():
    d, plain = in_the_plane(np.random.default_rng(2), 8), PLAIN | {"families": ["constant"], "kind": "confusion"}
    tables = [confused(seed, d, answers=30) for seed in range(120)]
    profiles = [measure.similarities(table, d, **plain).profile for table, _ in tables]
    g = measure.profile(spaces.Finite(d), tables[0][1]).mean
    means = np.array([profile.mean for profile in profiles])
    error = means.std(0, ddof=1) / np.sqrt(len(means))
    # 1 - (1 - P_pp)^30 of the truth is what is expected.
    own = np.diagonal(tables[0][1]) / tables[0][1].sum(1)
    lost = (1 - own.min()) ** 30
    assert (np.abs(means.mean(0) - g) < MARGIN * error + lost).all()
    counts = tables[0][0]
    whole, once = (measure.similarities(table, d, **plain) for table in (counts * 100, counts))
    assert whole.p_s.value == pytest.approx(once.p_s.value, abs=EXACT)


def test_several_subjects_have_a_ceiling_and_wider_intervals_than_stimuli_alone():
    rng = np.random.default_rng(4)
    d = in_the_plane(rng, 12)
    tables = np.stack([np.exp(-d / (0.3 * np.exp(0.5 * rng.normal()))) for _ in range(6)])
    settings = {"optimal": "none", "fronts": {}, "n": [2], "families": ["exponential"]}
    judged = measure.similarities(tables, d, **settings)
    alone = measure.similarities(tables.mean(0), d, **settings)
    assert (judged.subjects, judged.over) == (6, "subjects and stimuli")
    assert judged.p_s.value == pytest.approx(alone.p_s.value, abs=EXACT)
    both, one = (x.fits["exponential"].resolution for x in (judged, alone))
    assert both.low < one.low < both.value < one.high < both.high
    assert judged.ceiling == measure.noise_ceiling(tables, "corr")
    assert "noise ceiling" in "".join(judged.notes())
    assert judged.dataset().attrs["noise_ceiling_low"] == judged.ceiling[0]


def test_intervals_over_stimuli_hold_the_truth_of_noisy_ratings():
    repeats, held = 60, []
    for seed in range(repeats):
        rng = np.random.default_rng([6, seed])
        d = in_the_plane(rng, 20)
        g = np.asarray(Exponential(0.3, 0.05)(d), float)
        rated = np.where(g >= 1, 1.0, rng.beta(g * 15, np.maximum((1 - g) * 15, 1e-9)))
        fit = measure.similarities(
            rated, d, optimal="none", fronts={}, n=[2], families=["exponential"], level=0.9, bootstrap=2
        ).fits["exponential"]
        held.append([fit.resolution.low <= 0.3 <= fit.resolution.high, fit.delta.low <= 0.05 <= fit.delta.high])
    assert (np.abs(np.mean(held, axis=0) - 0.9) < MARGIN * np.sqrt(0.09 / repeats)).all()


def test_a_result_shows_itself_and_becomes_files(tmp_path):
    d = in_the_plane(np.random.default_rng(7), 8)
    judged = measure.similarities(
        np.exp(-d / 0.4), d, names=list("abcdefgh"), n=[2], bootstrap=20, families=["linear"], delta=0.1
    )
    assert [row[0] for row in judged.table()] == [
        "people", "linear fit predicts", "constant front, nearest", "linear front, nearest", "optimal front, nearest"
    ]  # fmt: skip
    assert repr(judged) == f"Judged({judged})"
    assert "<table>" in judged._repr_html_()
    assert "intervals over fewer than 12 stimuli" in judged.notes()[-1]
    require_labels(judged.dataset(), tmp_path)
    assert judged.summary()["items"][0]["p_i"] == judged.p_i.value
    assert judged.to_dataframe().p_s.iloc[0] == judged.p_s.value
    assert float(judged.dataset().p_s_low[0]) == judged.p_s.low


def test_people_are_compared_with_models_of_the_same_stimuli():
    rng = np.random.default_rng(8)
    x = rng.random(14)
    d = np.abs(x[:, None] - x[None])
    points = np.exp(-(((x[:, None] - np.linspace(0, 1, 8)) / 0.2) ** 2))
    settings = {"families": ["exponential"], "optimal": "none"}
    alike = points @ points.T + 1e-10  # what the model itself compares by
    people = measure.similarities(alike, d, n=[2], **settings)
    found = measure.compare({"model": points, "people": people.member()}, d, **settings)
    same = measure.compare({"judged": people.member("judged"), "people": people.member()}, d, **settings)
    for comparison in (found, same):
        numbers = comparison.dataset()
        np.testing.assert_allclose(numbers.difference.sel(quantity=["p_s", "p_i"]), 0.0, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": SHARES[:5]}, r"square, N x N .*got shape \(5, 7\)"),
        ({"table": SHARES[:2, :2]}, "at least 3 stimuli"),
        ({"table": np.where(np.arange(49).reshape(7, 7) == 9, np.nan, SHARES)}, "row '1', column '2' is nan"),
        ({"table": np.where(np.arange(49).reshape(7, 7) == 9, -1, SHARES)}, "at least 0; row '1', column '2' is -1"),
        ({"table": SHARES + np.diag(np.full(7, np.nan))}, "p_S alone is defined.* diagonal"),
        ({"table": SHARES * (1 - np.eye(7))}, "stimulus '0' has no similarity to itself"),
        ({"table": np.ones((7, 7))}, "all entries are the same"),
        ({"kind": "confusion", "table": np.where(np.arange(7)[:, None] == 4, 0, SHARES)}, "'4' was never shown"),
        ({"kind": "choice"}, "kind must be one of similarity, confusion, dissimilarity"),
        ({"strength": "cubic"}, "strength must be one of linear, exponential"),
        ({"distances": STEPS[:6, :6]}, "between 6 stimuli, but the table has 7"),
        ({"names": NAMES[:6]}, "names must be of all 7 stimuli; got 6"),
        ({"names": [*NAMES[:6], "ape"]}, "'ape' appears 2 times"),
        ({"names": NAMES, "distances": spaces.Finite(STEPS, labels=[*NAMES[:6], "hen"])}, "label 'gnu' of row 6"),
        ({"table": pd.DataFrame(SHARES, NAMES, [*NAMES[:6], "hen"])}, "'gnu' is in one of them only"),
        ({"n": [2, 7]}, "n must be at most 6"),
        ({"n": [1]}, "n must be at least 2"),
        ({"level": 95.0}, "level must be above 0 and below 1; got 95"),
        ({"bootstrap": 1}, "bootstrap must be 0"),
        ({"families": []}, "families must be a list"),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    settings = PLAIN | {"table": SHARES, "distances": STEPS} | change
    with pytest.raises(ValueError, match=message) as error:
        measure.similarities(settings.pop("table"), settings.pop("distances"), **settings)
    assert "\n" not in str(error.value)
