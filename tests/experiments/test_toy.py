"""Toy experiments: what is in the table, against the pieces it is made of."""

import numpy as np
import pytest

from semres_jax import Execution, Linear, frontier, measure, similarity, spaces
from semres_jax.experiments import toy
from semres_jax.experiments.toy import presets
from semres_jax.laws import enumeration, tables
from semres_jax.training.toy.loop import Design, Hyper, similarity_tables, train
from tests.attributes import require_labels

EXACT = 1e-12
RING, SEGMENT = (spaces.grid(spaces.get(name), size) for name, size in (("circle", 8), ("interval", 7)))
DESIGN = Design(hidden=3, batch=16)
CONDITIONS = [
    toy.Condition("ring", RING, DESIGN, Hyper(lambda_rec=[0.0, 0.3])),
    toy.Condition("segment of three", SEGMENT, Design(hidden=3, batch=16, items=3)),
]
RUN = {"runs": 2, "steps": 30, "records": 3}


@pytest.fixture(scope="module")
def data():
    return toy.study(CONDITIONS, **RUN, test_items=(2, 8), optimal=True)


def test_a_grid_of_numbers_makes_conditions_of_their_own(data):
    assert data.condition.values.tolist() == ["ring, lambda_rec 0", "ring, lambda_rec 0.3", "segment of three"]
    assert data.lambda_rec.values.tolist() == [0.0, 0.3, 0.0]
    assert data["items"].values.tolist() == [2, 2, 3]
    assert data.stimuli.values.tolist() == [8, 8, 7]


def test_paths_are_those_of_the_training(data):
    alone = train(RING, DESIGN, Hyper(lambda_rec=[0.0, 0.3]), runs=2, steps=30, records=data.step.values)
    np.testing.assert_array_equal(data.p_s.values[:2, ..., 0], alone.p_s[..., 0])
    np.testing.assert_array_equal(data.weights.values[:2], alone.weights[:, :, -1])
    assert np.isnan(data.p_s.sel(n=3).values[:2]).all()
    assert np.isnan(data.p_s.sel(n=2).values[2]).all()


def test_saved_weights_are_enough_to_score_again(x64, data):
    """Embeddings alone: w_x . w_y and a floor, for every number of items."""
    for place, (space, size) in enumerate(((RING, 8), (RING, 8), (SEGMENT, 7))):
        condition = data.isel(condition=place)
        g = np.asarray(similarity_tables(condition.weights.values[:, 0, :size])) + np.float64(
            np.float32(condition.floor)
        )
        n = int(condition["items"])
        exact = tables.accuracy(space, g, n=n)
        np.testing.assert_allclose(condition.p_s.sel(n=n).values[:, -1], exact.p_s, rtol=EXACT)
        np.testing.assert_allclose(condition.p_i.sel(n=n).values[:, -1], exact.p_i, rtol=EXACT)
        again = tables.accuracy(space, g, n=2)
        np.testing.assert_allclose(condition.tested_p_i.sel(test_n=2).values, again.p_i, rtol=EXACT)


def test_stimuli_share_dimensions_as_the_weights_say(data):
    for place, size in ((0, 8), (2, 7)):
        condition = data.isel(condition=place)
        shared = measure.superposition(condition.weights.values[:, 0, :size])
        np.testing.assert_allclose(condition.mean_feature_dimensions[:, -1], shared.dimensions.mean(-1), rtol=EXACT)
        np.testing.assert_allclose(
            condition.feature_dimensions[:, -1, 0, :size], shared.dimensions, rtol=1e-6
        )  # kept in single precision
        own = (condition.weights.values[:, 0, :size].astype(float) ** 2).sum((-1, -2))
        np.testing.assert_allclose(condition.passed_interference[:, -1], shared.passed.sum(-1) / own, rtol=EXACT)
        np.testing.assert_allclose(condition.interference[:, -1], shared.interference.sum(-1) / own, rtol=EXACT)
        np.testing.assert_allclose(condition.per_feature[:, -1], 3 / own, rtol=EXACT)
    row = toy.summary(data)[2]
    assert row["interference"] == pytest.approx(float(data.isel(condition=2, step=-1).interference.mean()), rel=EXACT)


def test_the_probe_and_its_items_limit_what_can_be_tested(data):
    assert data.test_n.values.tolist() == [2]  # not 8 of 8 stimuli
    assert np.isfinite(data.tested_p_s.values).all()


def test_fits_and_predictions_are_of_the_recorded_profile(x64, data):
    condition = data.isel(condition=0)
    g = np.asarray(similarity_tables(condition.weights.values[:, 0])) + 1e-10
    profile = measure.profile(RING, g)
    np.testing.assert_allclose(condition.profile.values[:, -1, : profile.mean.shape[-1]], profile.mean, rtol=1e-9)
    fit = measure.fit_profile(profile, "linear")
    np.testing.assert_allclose(condition.epsilon.sel(family="linear").values[:, -1], fit.epsilon.value, rtol=1e-6)
    linear = Linear(fit.epsilon.value, fit.delta.value)
    exact = enumeration.accuracy(RING, linear)
    np.testing.assert_allclose(condition.predicted_p_s.sel(family="linear").values[:, -1], exact.p_s, atol=1e-6)
    mean, variance = measure.reach(np.maximum(g - 1e-10, 0) * (g > 2e-10))
    np.testing.assert_allclose(condition.mean_b.values[:, -1], mean, rtol=EXACT)
    np.testing.assert_allclose(condition.var_b.values[:, -1], variance, atol=EXACT)


@pytest.mark.parametrize("family", toy.FAMILIES)
@pytest.mark.parametrize(("place", "space", "n"), [(0, RING, 2), (2, SEGMENT, 3)])
def test_fronts_are_exact(x64, data, family, place, space, n):
    condition = data.isel(condition=place).sel(family=family)
    known = np.isfinite(condition.front_epsilon.values)
    epsilon = condition.front_epsilon.values[known]
    exact = enumeration.accuracy(space, similarity.get(family)(epsilon), n=n)
    np.testing.assert_allclose(condition.front_p_s.values[known], exact.p_s, rtol=1e-10)
    np.testing.assert_allclose(condition.front_p_i.values[known], exact.p_i, rtol=1e-10)


def test_the_best_similarity_has_the_floor_that_was_learned(data):
    condition = data.isel(condition=0)
    best = frontier.optimal_finite(RING, float(condition.relative_floor.values[:, -1].mean()))
    assert float(condition.optimal_p_s[0]) == pytest.approx(best.accuracy.p_s, abs=1e-9)
    assert np.isnan(data.optimal_p_s.values[2]).all()  # of three items there is none


def test_summary_is_of_the_last_step(data):
    row = toy.summary(data)[0]
    condition = data.isel(condition=0, step=-1).sel(n=2)
    assert row["p_s"] == pytest.approx(float(condition.p_s.mean()))
    assert row["p_s_stderr"] == pytest.approx(float(np.std(condition.p_s.values, ddof=1) / np.sqrt(2)))
    family = condition.sel(family=row["family"])
    assert float(family.aic.mean()) == float(condition.aic.mean("run").min())
    gap = np.hypot(condition.p_s - family.predicted_p_s, condition.p_i - family.predicted_p_i)
    assert row["off_predicted"] == pytest.approx(float(gap.mean()))
    best = data.isel(condition=0).sel(n=2).p_s.mean("run")
    assert row["best_p_s"] == pytest.approx(float(best.max()))
    assert int(data.step[int(np.argmax(best.values))]) == row["best_step"]
    assert {"off_front", "off_constant", "off_optimal"} <= row.keys()
    assert row["off_optimal"] < 0.01  # no similarity of distance is better than the best


def test_every_variable_says_what_it_is(data):
    require_labels(data)


def test_a_study_that_was_stopped_goes_on(tmp_path, data):
    def stop(what, done, planned):
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy.study(CONDITIONS, **RUN, checkpoints=tmp_path, execution=Execution(progress=stop))
    resumed = toy.study(CONDITIONS, **RUN, test_items=(2, 8), checkpoints=tmp_path, resume=True)
    for name in ("p_s", "p_i", "weights", "epsilon"):
        np.testing.assert_array_equal(resumed[name].values, data[name].values)


@pytest.mark.parametrize("family", toy.FAMILIES)
def test_twins_do_no_harm(x64, family):
    twins = spaces.Finite([[0, 0, 1, 2], [0, 0, 1, 2], [1, 1, 0, 1], [2, 2, 1, 0]])
    epsilon, p_s, p_i = frontier.family_front(twins, family, points=5)
    assert np.isfinite(np.stack([epsilon, p_s, p_i])).all()
    table = similarity.get(family)(1.3, 0.1)(twins.distances)
    assert measure.fit_profile(measure.profile(twins, table), family).delta.value == pytest.approx(0.1, abs=1e-6)


def test_conditions_must_have_different_names():
    with pytest.raises(ValueError, match="'ring' twice"):
        toy.study([toy.Condition("ring", RING), toy.Condition("ring", RING)])


@pytest.mark.parametrize("name", presets.PRESETS)
def test_presets_are_what_they_say(name):
    conditions = presets.PRESETS[name].conditions()
    names = [member for condition in conditions for member, _ in condition.members()]
    assert len(set(names)) == len(names) >= 3
    assert len({toy.folder_name(name) for name in names}) == len(names)
    for condition in conditions:
        assert condition.space.size > condition.design.items
