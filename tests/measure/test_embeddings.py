"""Embeddings: the toy network's numbers again, sums against leaving out, intervals against fresh stimuli."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from semres_jax import frontier, measure, spaces
from semres_jax.data.embeddings import read_embeddings
from semres_jax.experiments import toy
from semres_jax.experiments.toy.run import _measured
from semres_jax.laws import enumeration, tables
from semres_jax.laws.exemplars import Draws
from semres_jax.measure.embeddings import exemplar_sums, position, similarities, stimulus_sums
from semres_jax.networks import ToyAutoencoder
from semres_jax.training.toy.loop import Design, History, Hyper
from semres_jax.training.toy.losses import make_task, scores
from tests.attributes import require_labels

EXACT = 1e-12
# Standard errors of a mean, or of a standard error, by which repetitions may miss.
MARGIN = 5
RING = spaces.grid(spaces.get("circle"), 12)
PLANE = spaces.Finite.from_points(np.random.default_rng(1).random((13, 2)))
OWN = np.array([0, 3, 1, 2, 2, 0, 1, 3, 0, 2, 1, 2, 0, 3, 2])
CLASSES = np.array([[0.0, 1, 2, 2], [1, 0, 3, 1], [2, 3, 0, 1], [2, 1, 1, 0]])


def waves(x, seed=0, dimensions=6, noise=0.0):
    """Random Fourier features of points of a circle of length 1, which need not be a grid."""
    rng = np.random.default_rng(seed)
    turns = rng.integers(1, 4, dimensions)
    points = np.cos(2 * np.pi * (np.asarray(x)[:, None] * turns + rng.random(dimensions))) / turns
    return points + noise * np.random.default_rng(seed + 1).normal(size=points.shape)


def around(x):
    d = np.abs(x[:, None] - x[None])
    return np.minimum(d, 1 - d)


@pytest.fixture(scope="module")
def network():
    """A toy network, scored by its own training's scores and measured by its own experiment; not trained."""
    design, hyper = Design(hidden=3), Hyper()
    net = ToyAutoencoder(12, 3, scale=1.0, rngs=nnx.Rngs(0))
    weights = np.asarray(net.maps[...])[None, None] - np.float32(0.5)
    with jax.enable_x64(True):
        task = make_task(RING, design)
        floor = jnp.asarray(hyper.floor, jnp.float32)
        scored = scores(jnp.asarray(weights[0, 0]), jnp.zeros(2, jnp.uint32), floor, task, design)
    columns = [np.asarray(x)[None, None] for x in scored]
    history = History(np.array([0]), np.array([2]), *columns, weights)
    return _measured("ring", toy.Condition("ring", RING, design), hyper, history, ())


def test_a_toy_network_handed_in_as_embeddings(network, tmp_path):
    def last(name):
        return network[name][1][0, -1]

    np.save(tmp_path / "w.npy", network["weights"][1][0, 0])
    points = read_embeddings(tmp_path / "w.npy").points
    measured = measure.embeddings(points, RING, optimal="none")
    for name in ("p_s", "p_i"):
        assert getattr(measured, name).value == pytest.approx(float(last(name)[0]), abs=EXACT)
    for k, fit in enumerate(measured.fits.values()):
        assert fit.epsilon.value == pytest.approx(last("epsilon")[k], rel=EXACT)
        assert fit.delta.value == pytest.approx(last("fit_delta")[k], abs=EXACT)
        for name in ("p_s", "p_i"):
            assert getattr(fit, name) == pytest.approx(last(f"predicted_{name}")[k], abs=EXACT)
    assert measured.mean_b == pytest.approx(last("mean_b"), abs=EXACT)
    assert measured.var_b == pytest.approx(last("var_b"), abs=EXACT)
    for family in ("constant", "linear"):
        got, want = measured.fronts[family].front, frontier.family_front(RING, family)
        for k in range(3):
            np.testing.assert_allclose(got[k], want[k][: len(got[k])], rtol=0, atol=EXACT)
        # What is left out of the front is worse in both.
        assert max(want[1]) == pytest.approx(got.p_s.max(), abs=EXACT)


def test_more_items_are_harder_and_have_no_intervals():
    points = waves(np.arange(5) / 5, noise=0.3)
    table = around(np.arange(5) / 5)
    measured = measure.embeddings(points, table, n=3, optimal="none", fronts={}, shares=[0.1])
    with jax.enable_x64(True):
        want = tables.accuracy(spaces.Finite(table), np.maximum(points @ points.T, 0) + 1e-10, n=3)
    assert (measured.p_s.value, measured.p_i.value) == pytest.approx((float(want.p_s), float(want.p_i)), abs=EXACT)
    assert np.isnan([measured.p_s.stderr, measured.p_i.low]).all()
    b = measured.levels.mean_b[0]
    assert 1 / 3 < measured.levels.p_i.value[0] < 1 - b / 2


@pytest.mark.parametrize(
    ("size", "labels", "caution"),
    [
        (8, None, "intervals over fewer than 12 stimuli"),
        (12, None, ""),
        (12, list("aaabbbcccddd"), "intervals over fewer than 5 exemplars a class"),
    ],
)
def test_what_few_stimuli_or_exemplars_do_to_intervals_is_said(size, labels, caution):
    points = waves(np.arange(size) / size, noise=0.2)
    settings = {"labels": labels, "similarity": "cosine", "floor": 0.01, "fronts": {}, "optimal": "none"}
    count = size if labels is None else 4
    measured = measure.embeddings(points, around(np.arange(count) / count), bootstrap=20, **settings)
    assert "; ".join(measured.cautions)[: len(caution)] == caution
    assert bool(measured.cautions) == bool(caution)
    assert measured.summary()["cautions"] == list(measured.cautions)
    without = measure.embeddings(points, around(np.arange(count) / count), bootstrap=0, **settings)
    assert without.cautions == ()


def left_out(score, size):
    """Changes by leaving each stimulus out, as slopes in its weight."""
    whole = score(np.arange(size))
    return np.array([(size - 1) / size * (whole - score(np.delete(np.arange(size), i))) for i in range(size)])


@pytest.mark.parametrize("space", [RING, PLANE], ids=["ties", "no ties"])
def test_sums_and_slopes_of_stimuli(space):
    d, size = np.asarray(space.distances), space.size
    h = np.random.default_rng(2).random((size, size)) + np.eye(size)
    got = stimulus_sums.graded(space, tables.ranking(space), h, 2)
    apart = np.random.default_rng(3).random((size, size))
    apart = np.round(apart + apart.T, 1) * (1 - np.eye(size))
    epsilon = np.array([0.5, 0.9, 1.4])
    levels = stimulus_sums.within(tables.ranking(space), apart, epsilon)

    def score(keep, table):
        with jax.enable_x64(True):
            return np.array(tables.accuracy(spaces.Finite(d[np.ix_(keep, keep)]), table[np.ix_(keep, keep)]))

    everyone = np.arange(size)
    np.testing.assert_allclose([got.p_s, got.p_i], score(everyone, h), rtol=0, atol=EXACT)
    np.testing.assert_allclose(
        np.stack([got.slope_s, got.slope_i], 1), left_out(lambda keep: score(keep, h), size), rtol=0, atol=EXACT
    )
    for k, threshold in enumerate(epsilon):
        inside = (apart <= threshold).astype(float)
        mine = np.array([levels.p_s[k], levels.p_i[k]])
        np.testing.assert_allclose(mine, score(everyone, inside), rtol=0, atol=EXACT)
        slopes = levels.slopes[:2, :, k].T
        np.testing.assert_allclose(slopes, left_out(lambda keep: score(keep, inside), size), rtol=0, atol=EXACT)  # noqa: B023
        mean, variance = measure.reach(inside)
        np.testing.assert_allclose([levels.mean_b[k], levels.var_b[k]], [mean, variance], rtol=0, atol=EXACT)


def test_standard_errors_are_those_of_fresh_stimuli():
    size, repeats = 24, 100
    values, errors, covered = [], [], []
    for seed in range(repeats):
        x = np.random.default_rng([7, seed]).random(size)
        space = spaces.Finite(around(x))
        fronts = {"constant": frontier.family_front(space, "constant")}
        got = measure.embeddings(
            waves(x), space, fronts=fronts, optimal="none", shares=[0.3], bootstrap=300, key=jax.random.key(seed)
        )
        quantities = [got.p_s, got.p_i, got.fronts["constant"].distance, got.levels.p_s]
        values.append([np.ravel(number.value)[0] for number in quantities])
        errors.append([np.ravel(number.stderr)[0] for number in quantities])
        covered.append([[np.ravel(number.low)[0], np.ravel(number.high)[0]] for number in quantities])
    spread, error = np.std(values, axis=0, ddof=1), np.sqrt(np.mean(np.square(errors), axis=0))
    # The spread of 100 has a relative standard error of 1/sqrt(2 * 100). Thresholds err to the safe side.
    slack = MARGIN / np.sqrt(2 * repeats)
    assert (error > spread * (1 - slack)).all()
    assert (error[:3] < spread[:3] * (1 + slack)).all()
    mean = np.mean(values, axis=0)[:, None]
    inside = np.mean((np.array(covered)[..., 0] <= mean.T) & (np.array(covered)[..., 1] >= mean.T), axis=0)
    assert (inside > 0.95 - MARGIN * np.sqrt(0.95 * 0.05 / repeats)).all()


def exemplars(seed=0, dimensions=3):
    return np.random.default_rng(seed).normal(size=(len(OWN), dimensions)) + 0.7 * OWN[:, None]


@pytest.mark.parametrize("similarity", similarities.SIMILARITIES)
def test_classes_agree_with_levels_and_sums_over_all_draws(similarity):
    points = exemplars()
    measured = measure.embeddings(
        points, CLASSES, labels=OWN, similarity=similarity, fronts={}, optimal="none", floor=0.01
    )
    model = similarities.own(points, similarity)
    raw = similarities.raw(model, np.arange(len(OWN)))
    model = model.with_top(raw.max()) if similarity == "euclidean" else model
    apart = similarities.dissimilarities(model, raw)
    want = measure.levels((apart + apart.T) / 2, OWN, CLASSES, position.SHARES)
    for name in ("epsilon", "mean_b", "var_b", "hit_rate"):
        np.testing.assert_allclose(getattr(measured.levels, name), getattr(want, name), rtol=0, atol=EXACT)
    np.testing.assert_allclose(measured.levels.p_s.value, want.p_s, rtol=0, atol=EXACT)
    np.testing.assert_allclose(measured.levels.p_i.value, want.p_i, rtol=0, atol=EXACT)
    assert measured.tie_rate == pytest.approx(want.tie_rate)
    strength = similarities.strengths(model, raw, 0.01)
    members, sums = [np.flatnonzero(c == OWN) for c in range(4)], np.zeros(2)
    for c in range(4):
        for a in range(4):
            for b in range(4):
                if len({a, b, c}) < 3:
                    continue
                for p in members[c]:
                    x, y = strength[p, members[a]][:, None], strength[p, members[b]][None]
                    near, far = CLASSES[c, a], CLASSES[c, b]
                    right = 0.5 if near == far else ((x if near < far else y) / (x + y)).mean()
                    sums[0] += right / len(members[c]) / 24
                    mine = strength[p, members[c][members[c] != p]][:, None]
                    sums[1] += (mine / (mine + x.T)).mean() / len(members[c]) / 24
    np.testing.assert_allclose([measured.p_s.value, measured.p_i.value], sums, rtol=0, atol=EXACT)


def test_slopes_of_the_blocks_are_those_of_levels(monkeypatch):
    monkeypatch.setattr(exemplar_sums, "_NUMBERS", 64)  # many blocks
    points = exemplars()
    drawn = Draws.of(OWN, CLASSES, len(OWN))
    chosen = exemplar_sums.probes(drawn, 100, None)
    model = similarities.own(points, "cosine")
    apart = similarities.dissimilarities(model, similarities.raw(model, chosen.rows))
    want = measure.levels((apart + apart.T) / 2, OWN, CLASSES, [0.2, 0.5, 0.8])
    got = exemplar_sums.summed(model, drawn, chosen, want.epsilon, 0.01)
    stretch = np.sqrt(np.bincount(OWN) / (np.bincount(OWN) - 1))[OWN][:, None]
    for mine, theirs in zip(got.levels.slopes, (want.slope_s, want.slope_i, want.slope_b), strict=True):
        np.testing.assert_allclose(mine, theirs * stretch, rtol=0, atol=EXACT)


def drawn_classes(seed, members, count=6):
    own = np.repeat(np.arange(count), members)
    centres = waves(np.arange(count) / count)
    return centres[own] + 0.5 * np.random.default_rng([9, seed]).normal(size=(len(own), centres.shape[1])), own


@pytest.mark.parametrize("sampled", [False, True])
def test_standard_errors_are_those_of_fresh_exemplars(sampled, monkeypatch):
    ring, repeats = spaces.grid(spaces.get("circle"), 6), 80
    members, limit = (30, 24) if sampled else (6, 100)
    values, errors = [], []
    for seed in range(repeats):
        points, own = drawn_classes(seed, members)
        got = measure.embeddings(
            points, ring, labels=own, similarity="cosine", fronts={}, optimal="none", shares=[0.2, 0.4], bootstrap=0,
            limit=limit, floor=0.01, key=jax.random.key(seed),
        )  # fmt: skip
        assert bool(got.sampled) == sampled
        numbers = [got.p_s, got.p_i]
        values.append([number.value for number in numbers])
        errors.append([number.stderr for number in numbers])
    spread, error = np.std(values, axis=0, ddof=1), np.sqrt(np.mean(np.square(errors), axis=0))
    slack = MARGIN / np.sqrt(2 * repeats)
    assert (error > spread * (1 - slack)).all()
    assert (error < spread * (1 + slack)).all()


def test_sampled_probes_and_trials_are_unbiased():
    points, own = drawn_classes(0, 30)
    ring = spaces.grid(spaces.get("circle"), 6)
    settings = {"labels": own, "similarity": "cosine", "fronts": {}, "optimal": "none", "floor": 0.01, "bootstrap": 0}
    whole = measure.embeddings(points, ring, **settings, shares=[0.3])
    parts = [
        measure.embeddings(points, ring, **settings, shares=[0.3], limit=24, key=jax.random.key(k)) for k in range(40)
    ]
    assert parts[0].sampled[0] == "24 of 180 exemplars probe"
    for name in ("p_s", "p_i"):
        values = np.array([getattr(part, name).value for part in parts])
        assert values.mean() == pytest.approx(
            getattr(whole, name).value, abs=MARGIN * values.std(ddof=1) / np.sqrt(len(parts))
        )


def test_more_stimuli_than_the_limit_are_sampled():
    x = np.random.default_rng(0).random(60)
    measured = measure.embeddings(waves(x), around(x), limit=20, fronts={}, optimal="none", bootstrap=0)
    assert measured.sampled == ("20 of 60 stimuli",)
    assert measured.stimuli == 60
    whole = measure.embeddings(waves(x), around(x), fronts={}, optimal="none", bootstrap=0)
    assert measured.p_s.value == pytest.approx(whole.p_s.value, abs=MARGIN * measured.p_s.stderr)


def test_similarities_are_float64_and_subtract_where_points_are_close():
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 50)).astype(np.float32) + 1000
    points[7] = points[3]
    points[8] = points[3] + np.float32(1e-3)
    wide = points.astype(np.float64)
    got = similarities.raw(similarities.own(points, "euclidean"), np.arange(30))
    np.testing.assert_allclose(got, cdist(wide, wide), rtol=1e-10, atol=0)
    got = similarities.raw(similarities.own(points, "cosine"), np.array([3, 4, 9]))
    np.testing.assert_allclose(1 - got, cdist(wide[[3, 4, 9]], wide, "cosine"), rtol=0, atol=1e-12)
    pairs = np.array([[1, 2], [5, 3]])
    for kind in similarities.SIMILARITIES:
        model = similarities.own(points, kind)
        whole = similarities.raw(model, np.arange(30))
        np.testing.assert_allclose(
            similarities.paired(model, np.array([3, 9]), pairs), whole[[[3], [9]], pairs], rtol=1e-9, atol=1e-9
        )


def test_rows_are_found_by_the_names_of_leaves():
    tree = spaces.Tree.from_newick("((a:1,b:1):1,(c:1.5,(d:1,e:1):0.5):0.5,f:4);")
    points = np.random.default_rng(0).random((5, 3))
    measured = measure.embeddings(points, tree, labels=["e", "c", "a", "b", "d"], optimal="none", bootstrap=0)
    order = [2, 3, 1, 4, 0]
    table = np.asarray(tree.distances)[:5, :5]
    again = measure.embeddings(points[order], table, optimal="none", bootstrap=0)
    assert measured.p_s == pytest.approx(again.p_s, nan_ok=True)
    assert measured.tie_rate == enumeration.tie_rate(spaces.Finite(table))


def test_a_dataset_and_a_summary_hold_everything():
    measured = measure.embeddings(waves(np.arange(12) / 12, noise=0.1), RING, delta=0.1, bootstrap=50)
    data, summary = measured.dataset(), measured.summary()
    require_labels(data)
    assert [row["front"] for row in summary["fronts"]] == ["constant", "linear", "optimal"]
    assert data.front_distance.sel(front="optimal") == measured.fronts["optimal"].distance.value
    assert summary["optimal_delta"] == 0.1
    assert np.isnan(measured.fits["constant"].resolution.low)
    resolution = measured.fits["linear"].resolution
    assert resolution.low < measured.fits["linear"].epsilon.value == resolution.value < resolution.high
    assert data.resolution_low.sel(family="linear") == resolution.low == summary["families"][1]["resolution"]["low"]
    assert measured.best in str(measured)
    shape = measure.geometry(waves(np.arange(12) / 12, noise=0.1))
    assert summary["geometry"]["participation"] == float(data.participation) == shape.participation
    assert measured.notes()[-1] == str(shape)
    assert "nc1" not in data


def test_classes_have_the_geometry_of_their_exemplars():
    rng = np.random.default_rng(11)
    labels = np.repeat(list("abcd"), 3)
    points = rng.normal(size=(12, 3)) + 4 * rng.normal(size=(4, 3))[np.repeat(np.arange(4), 3)]
    given = {"labels": labels, "optimal": "none", "bootstrap": 0}
    measured = measure.embeddings(points, np.abs(np.subtract.outer(range(4), range(4))), **given)
    assert measured.geometry == measure.geometry(points, labels)
    assert float(measured.dataset().nc1) == measured.geometry.nc1
    require_labels(measured.dataset())


def test_the_front_of_the_best_similarities_of_these_stimuli():
    points = waves(np.arange(12) / 12, noise=0.1)
    measured = measure.embeddings(points, RING, delta=0.1, optimal="finite", fronts={}, bootstrap=20)
    front = measured.fronts["optimal"].front
    assert (
        measured.fronts["optimal"].distance.value
        == frontier.distance(measured.p_s.value, measured.p_i.value, front).distance
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.full((12, 3), np.nan)}, "rows 0, 1, 2, 3, 4, 5, 6, 7, ... (12 rows) have NaN"),
        ({"points": np.vstack([np.ones((11, 3)), [[np.inf, 1, 1]]])}, "row 11 has NaN or infinity"),
        ({"points": np.ones(12)}, "shape"),
        ({"points": np.vstack([np.ones((11, 3)), np.zeros((1, 3))]), "similarity": "cosine"}, "row 11"),
        ({"points": np.ones((11, 3))}, "distances are between 12 stimuli, but there are 11 embeddings"),
        ({"labels": list("abcdefghijklmn")}, "label 'm' (number 12, from 0) has no embedding"),
        ({"labels": list("abc")}, "row 3 of the embeddings has no label"),
        ({"labels": list("aabbccddeeff")}, "distances are between 12 classes, but the labels name 6"),
        ({"similarity": "dot"}, "'dot'"),
        ({"shares": [0.5, 0.2]}, "shares must ascend"),
        ({"floor": -1.0}, "floor"),
        ({"optimal": "best"}, "'best'"),
        ({"bootstrap": 1}, "bootstrap"),
        ({"n": 12}, "12 distinct items"),
        ({"points": -np.eye(12), "floor": 0.0, "distances": np.ones((12, 12))}, "the distance of a point to itself"),
    ],
)
def test_bad_input(change, message):
    given = {"points": np.ones((12, 3)), "distances": RING} | change
    with pytest.raises(ValueError) as caught:
        measure.embeddings(given.pop("points"), given.pop("distances"), **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
