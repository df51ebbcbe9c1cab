"""Codes for tuples of features: exact scores against enumeration, predictions, distances, a study that goes on."""

import itertools

import numpy as np
import pytest

from semres_jax import Execution, Exponential, Linear, Slots, accuracy, frontier, spaces
from semres_jax.experiments import compositional
from semres_jax.experiments.compositional import AGGREGATES, Ratios, identification, of_shared, ratios, run, scores
from tests.attributes import require_labels

EXACT = 1e-12
FAR = 5.0
SMALL = {"slots": (2, 1), "stimuli": 5, "hidden": 4, "batch": 8, "runs": 2, "steps": 12, "records": 3}


def tables_of(*sizes):
    rng = np.random.default_rng(1)
    return [np.maximum(rng.normal(size=(n, n)) + 3 * np.eye(n), 0) + 1e-10 for n in sizes]


def enumerated(tables, gate):
    """p_I over all pairs of different wholes, from its definition."""
    wholes = list(itertools.product(*(range(len(table)) for table in tables)))
    credits = []
    for p, x in itertools.permutations(wholes, 2):
        r = [g[a, b] / g[a, a] for g, a, b in zip(tables, p, x, strict=True)]
        credits.append(1 / (1 + gate * np.prod(r) + (1 - gate) * np.mean(r)))
    return np.mean(credits)


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("sizes", [(5,), (4, 3), (3, 4, 2)])
def test_identification_is_the_sum_over_all_pairs(aggregate, sizes):
    tables = tables_of(*sizes)
    gate = {"product": 1.0, "mean": 0.0}.get(aggregate, 0.3)
    exact = enumerated(tables, gate)
    assert identification([ratios(table) for table in tables], aggregate, 0.3) == pytest.approx(exact, abs=EXACT)


@pytest.mark.parametrize(
    ("slots", "product", "mean"), [(1, 0.75, 0.75), (2, 0.875, 17 / 24), (3, 0.9375, 0.69375), (4000, 1.0, 2 / 3)]
)
def test_constant_slots_of_half_the_stimuli_have_their_law(slots, product, mean):
    half = Ratios(np.array([0.0, 1.0]), np.array([0.5, 0.5]), 10**15)
    # With many slots the mean of ratios has a variance of 1 / (4 S), and 1 / (1 + R) bends by 2 / 1.5³ there.
    bend = 1 / (4 * 1.5**3 * slots) if slots > 3 else 0.0
    assert identification([half] * slots, "product") == pytest.approx(product, abs=EXACT)
    assert identification([half] * slots, "mean") == pytest.approx(mean + bend, abs=1e-8 if bend else EXACT)


def test_a_gate_at_its_ends_is_product_or_mean():
    slots = [ratios(table) for table in tables_of(4, 3)]
    assert identification(slots, "gate", 1.0) == identification(slots, "product")
    assert identification(slots, "gate", 0.0) == identification(slots, "mean")
    assert identification(slots, "gate", 1 - 1e-13) == pytest.approx(identification(slots, "product"), abs=EXACT)


@pytest.mark.parametrize("aggregate", ["product", "mean"])
def test_slots_of_known_similarities_are_identified_as_the_engine_says(x64, aggregate):
    slots = [spaces.grid(spaces.get(name), size) for name, size in (("circle", 6), ("interval", 5))]
    similarities = [Linear(0.3, 0.1), Exponential(0.2)]
    exact = accuracy(spaces.Product(slots), Slots(similarities, aggregate))
    learned = [ratios(g(space.distances)) for g, space in zip(similarities, slots, strict=True)]
    assert identification(learned, aggregate) == pytest.approx(float(exact.p_i), abs=EXACT)


def by_enumeration(slots, maps, floor):
    """Feature p_S and whole p_I of one map of all features, from their definitions."""
    count, size, _ = maps.shape
    wholes = list(itertools.product(range(size), repeat=count))
    z = np.array([sum(maps[s, whole[s]] for s in range(count)) for whole in wholes])
    h = np.maximum(z @ z.T, 0) + floor
    p_s = []
    for s, space in enumerate(slots):
        d, credit = np.asarray(space.distances), []
        for p, a, b in itertools.product(range(len(wholes)), repeat=3):
            probe, first, second = (wholes[k][s] for k in (p, a, b))
            if len({probe, first, second}) == 3:
                share, apart = h[p, a] / (h[p, a] + h[p, b]), d[probe, first] - d[probe, second]
                credit.append(0.5 if apart == 0 else share if apart < 0 else 1 - share)
        p_s.append(np.mean(credit))
    others = ~np.eye(len(wholes), dtype=bool)
    return np.mean(p_s), (np.diag(h)[:, None] / (np.diag(h)[:, None] + h))[others].mean()


@pytest.fixture
def mixed():
    slots = [spaces.grid(spaces.get(name), 4) for name in ("interval", "circle")]
    return slots, np.random.default_rng(2).normal(size=(2, 4, 3))


@pytest.mark.parametrize("floor", [1e-10, 0.1])
def test_a_shared_map_is_scored_exactly(mixed, floor):
    whole = of_shared(*mixed, floor)
    np.testing.assert_allclose([whole.p_s, whole.p_i], by_enumeration(*mixed, floor), rtol=EXACT)
    assert whole.p_s_stderr == 0


def test_some_probes_stand_for_all(mixed, monkeypatch):
    exact = of_shared(*mixed, 0.1)
    monkeypatch.setattr(scores, "_MOST_PROBES", 1)
    some = of_shared(*mixed, 0.1)
    assert some.p_i == exact.p_i
    assert some.p_s_stderr > 0
    assert abs(some.p_s - exact.p_s) < FAR * some.p_s_stderr


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: identification([]), "slots must be at least 1; got none"),
        (lambda: identification([ratios(np.eye(2))], "max"), "aggregate must be one of product, mean, gate; got 'max'"),
        (lambda: identification([ratios(np.eye(2))], "gate", 2.0), "gate must be between 0"),
        (lambda: ratios(np.zeros((2, 2))), "square with a positive diagonal"),
        (lambda: of_shared([], np.ones((5, 8, 2)), 0.1), "up to 16384 wholes; got 8\\^5 = 32768"),
        (lambda: compositional.study(slots=(0,)), "slots must be at least 1; got 0"),
        (lambda: compositional.study(slots=(2, 2)), "different numbers of at least 1"),
        (lambda: compositional.study(slots=(1, 5)), "24 hidden units can't be shared out among 5 slots; 20 or 25"),
        (lambda: compositional.study(slots=(30,)), "30 slots need at least as many hidden units; got hidden = 24"),
        (
            lambda: identification([Ratios(np.linspace(0, 1, 400), np.full(400, 1 / 400), 20)] * 4, "gate", 0.5),
            "sum over all combinations",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_slots_of_a_family_are_predicted_exactly(x64):
    """Where a slot's similarity is linear, and the same for all probes, its fit is it, and so is all that follows."""
    ring = spaces.grid(spaces.get("circle"), 16)
    table = np.asarray(Linear(0.3, 0.02)(ring.distances))
    fitted, epsilon = run._fits(ring, np.broadcast_to(table, (1, 2, 16, 16)))
    np.testing.assert_allclose(epsilon, 0.3, rtol=1e-6)
    for aggregate in ("product", "mean"):
        measured = identification([ratios(table)] * 2, aggregate)
        assert identification([ratios(x) for x in fitted[0]], aggregate) == pytest.approx(measured, abs=1e-7)


@pytest.fixture(scope="module")
def data():
    return compositional.study(**SMALL)


def test_rows_are_what_was_trained_and_tested(data):
    assert data.sizes["row"] == 5 + 2 + 2
    assert data.slots.values.tolist() == [2] * 5 + [1] * 2 + [2] * 2
    assert data.code.values.tolist() == ["own"] * 7 + ["shared"] * 2
    features = data.isel(row=[0, 1])
    assert features.aggregate.values.tolist() == ["product", "mean"]
    np.testing.assert_array_equal(features.p_s[0], features.p_s[1])  # one network, tested in two ways
    assert (features.p_i[0] > features.p_i[1]).all()


def test_scores_are_those_of_the_maps(data):
    last = data.isel(condition=0).maps.values[:, :, :5, :2]
    tables = np.maximum(last.astype(float) @ np.swapaxes(last.astype(float), -1, -2), 0) + 1e-10
    for place, gate in ((0, 1.0), (1, 0.0)):
        exact = [enumerated(slots, gate) for slots in tables]
        np.testing.assert_allclose(data.p_i.values[place], exact, rtol=1e-7)  # the floor is trained in float32
    ring = spaces.grid(spaces.get("circle"), 5)
    shared = data.maps.values[-2][:, :, :5, :4].astype(float)
    exact = [by_enumeration([ring] * 2, maps, 1e-10) for maps in shared]
    np.testing.assert_allclose([data.p_s.values[-2], data.p_i.values[-2]], np.transpose(exact), rtol=1e-7)


def test_distances_are_from_the_fronts_of_one_slot(data):
    front = frontier.family_front(spaces.grid(spaces.get("circle"), 5), "linear")
    np.testing.assert_allclose(data.off_linear, frontier.distance(data.p_s, data.p_i, front).distance, atol=EXACT)
    assert data.attrs["optimal_floor"] == pytest.approx(float(data.relative_floor[5:7].mean()), rel=1e-6)
    assert (data.off_optimal.values[data.slots.values == 1] < 1e-9).all()  # no similarity of one slot is better


def test_summary_has_intervals_over_runs(data):
    row = compositional.summary(data)[0]
    values = data.p_i.values[0]
    assert row["p_i"] == pytest.approx(values.mean())
    reach = 12.706204736 * np.std(values, ddof=1) / np.sqrt(2)  # Student's t of 95 % with one degree of freedom
    assert row["p_i_high"] - row["p_i"] == pytest.approx(reach)
    assert row["miss_predicted"] == pytest.approx(np.abs(data.predicted_p_i.values[0] - values).mean())
    assert np.isnan(compositional.summary(data)[-1]["predicted_p_i"])


def test_every_variable_says_what_it_is(data):
    require_labels(data)


def test_a_study_that_was_stopped_goes_on(tmp_path, data):
    def stop(what, done, planned):
        if done > 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compositional.study(**SMALL, checkpoints=tmp_path, execution=Execution(progress=stop))
    resumed = compositional.study(**SMALL, checkpoints=tmp_path, resume=True)
    for name in ("p_s", "p_i", "maps", "path_gate", "off_linear"):
        np.testing.assert_array_equal(resumed[name].values, data[name].values)
