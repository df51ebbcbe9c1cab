"""Triplets: the likelihood against brute force, known answers, places of stimuli from judgements alone."""

import functools

import jax
import numpy as np
import pytest
from scipy.spatial import procrustes

from semres_jax import Execution, Exponential, Gaussian, data, measure, spaces
from semres_jax.laws import enumeration
from semres_jax.measure.people import _place, _scores
from semres_jax.measure.people._judged import judged
from semres_jax.storage.resume import Saved

EXACT = 1e-10
ORDERS = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])


def drawn(layout, count, similarity, size=15, seed=0):
    """Places, distances, and triplets as they were judged."""
    rng = np.random.default_rng(seed)
    x = rng.random((size, 2))
    table = np.sqrt(((x[:, None] - x) ** 2).sum(-1))
    three = np.argsort(rng.random((count, size)), axis=1)[:, :3]
    i, j, k = three.T
    d = np.stack([table[i, j], table[i, k], *([table[j, k]] if layout == "odd" else [])], axis=1)
    chosen = (np.log(np.asarray(similarity(d), np.float64)) + rng.gumbel(size=d.shape)).argmax(1)
    return x, table, np.take_along_axis(three, ORDERS[chosen], axis=1)


def surprise(said, table, layout, strength):
    """-ln L, judgement by judgement, from the definition."""
    total = 0.0
    for i, j, k in said.tolist():
        others = [table[i, k]] + ([table[j, k]] if layout == "odd" else [])
        first = strength(table[i, j])
        total -= np.log(first / (first + sum(map(strength, others))))
    return total


@pytest.mark.parametrize("layout", ["odd", "anchor"])
def test_likelihood_is_that_of_brute_force(layout):
    _, table, said = drawn(layout, 300, Exponential(0.3, 0.1))
    table = np.round(table, 1)  # many are equal, and counted together
    fit = measure.fit_triplets(
        said, table, layout=layout, families=["exponential"], bootstrap=0, fronts={}, exponent=0.7
    )
    epsilon, delta = fit.best.epsilon.value, fit.best.delta.value
    assert fit.rows < 300
    expected = surprise(said, table, layout, lambda d: (delta + (1 - delta) * np.exp(-d / epsilon)) ** 0.7)
    assert -fit.best.log_likelihood == pytest.approx(expected, rel=EXACT)
    for near in (0.98, 1.02):  # and it is a maximum of it
        for e, f in ((epsilon * near, delta), (epsilon, delta * near)):
            assert surprise(said, table, layout, lambda d, e=e, f=f: (f + (1 - f) * np.exp(-d / e)) ** 0.7) > expected


@pytest.mark.parametrize("layout", ["odd", "anchor"])
def test_known_answers(layout):
    _, table, said = drawn(layout, 3000, Gaussian(0.3, 0.05))
    fit = measure.triplets(said, table, layout=layout, families=["gaussian", "exponential"], bootstrap=0, level=0.999)
    assert fit.best.family == "gaussian"
    assert fit.best.epsilon.low < 0.3 < fit.best.epsilon.high
    assert fit.best.delta.low < 0.05 < fit.best.delta.high
    exact = enumeration.accuracy(spaces.Finite(table), Gaussian(0.3, 0.05))
    assert fit.p_s.low < exact.p_s < fit.p_s.high
    assert fit.p_i.low < exact.p_i < fit.p_i.high
    again = enumeration.accuracy(spaces.Finite(table), Gaussian(fit.best.epsilon.value, fit.best.delta.value))
    assert fit.predicted["gaussian"] == pytest.approx([again.p_s, again.p_i], abs=EXACT)
    assert set(fit.place.fronts) == {"constant", "linear"}
    i, j, k = said.T
    others = np.minimum(table[i, k], table[j, k]) if layout == "odd" else table[i, k]
    share = float((table[i, j] < others).mean())
    assert fit.place.accuracy.value == pytest.approx(share, abs=EXACT)
    assert (fit.p_s.value == fit.place.accuracy.value) == (layout == "anchor")


def test_what_a_judgement_adds_is_the_slope_of_what_follows():
    """Influence of one judgement on p_S and p_I by the fit against fits with a little more of it."""
    _, table, said = drawn("odd", 400, Exponential(0.3, 0.1))
    settings = {"layout": "odd", "families": ["exponential"], "bootstrap": 0, "fronts": {}}
    fit = measure.fit_triplets(said, table, **settings)
    triplets = data.Triplets(said, "odd")
    judgements = judged(triplets, triplets.items, table)
    space, step = spaces.Finite(table), 0.05
    moved = _place._moved(space, fit.best)
    for k in (0, 7, 191):
        ends = []
        for sign in (1, -1):
            counts = np.ones(len(said))
            counts[k] += sign * step
            more = measure.fit_triplets(said, table, counts=counts, **settings)
            ends.append(_place.predicted(space, more.best))
        i, j, other = said[k]
        d = np.array([table[i, j], table[i, other], table[j, other]])
        row = int(np.flatnonzero((judgements.distances == np.sort(d)).all(1))[0])
        place = int(np.flatnonzero(np.sort(d) == d[0])[0])
        expected = [part[row, place] for part in moved]
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), expected, rtol=2e-3, atol=1e-7)


def test_the_error_of_a_share_is_that_of_a_share():
    _, table, said = drawn("anchor", 400, Exponential(0.3, 0.1))
    fit = measure.fit_triplets(said, table, layout="anchor", families=["exponential"], bootstrap=0, fronts={})
    share = fit.p_s.value
    assert fit.p_s.stderr == pytest.approx(np.sqrt(share * (1 - share) / 400), rel=EXACT)


@pytest.mark.thorough
def test_errors_are_those_of_judgements_drawn_again():
    """Standard errors of accuracies and of distances from a front against the spread over judges."""
    _, table, _ = drawn("anchor", 10, Exponential(0.2, 0.05))
    fronts = measure.fronts(table, families=["constant"])
    fits = []
    for seed in range(60):
        said = _again(table, seed)
        fits.append(
            measure.fit_triplets(said, table, layout="anchor", families=["exponential"], bootstrap=0, fronts=fronts)
        )
    for of in (
        lambda f: f.p_s,
        lambda f: f.p_i,
        lambda f: f.place.fit_p_s,
        lambda f: f.place.fronts["constant"].distance,
    ):
        values, errors = np.array([[of(fit).value, of(fit).stderr] for fit in fits]).T
        # The spread of 60 has a relative error of 9 %; five of these.
        assert abs(values.std(ddof=1) / errors.mean() - 1) < 5 / np.sqrt(2 * 59)


def _again(table, seed):
    rng = np.random.default_rng(1000 + seed)
    three = np.argsort(rng.random((600, len(table))), axis=1)[:, :3]
    d = np.stack([table[three[:, 0], three[:, 1]], table[three[:, 0], three[:, 2]]], axis=1)
    chosen = (np.log(0.05 + 0.95 * np.exp(-d / 0.2)) + rng.gumbel(size=d.shape)).argmax(1)
    return np.take_along_axis(three, ORDERS[chosen], axis=1)


def test_counts_are_as_good_as_rows():
    _, table, said = drawn("odd", 200, Exponential(0.3, 0.1))
    settings = {"layout": "odd", "families": ["exponential"], "bootstrap": 0, "fronts": {}}
    counts = np.random.default_rng(0).integers(0, 4, len(said))
    long, short = np.repeat(said, counts, axis=0), measure.fit_triplets(said, table, counts=counts, **settings)
    fit = measure.fit_triplets(long, table, **settings)
    assert short.best.log_likelihood == pytest.approx(fit.best.log_likelihood, rel=EXACT)
    assert short.p_i.stderr == pytest.approx(fit.p_i.stderr, rel=1e-6)
    assert (short.judgements, fit.triplets) == (counts.sum(), counts.sum())


def test_ties_count_by_their_share():
    table = np.array([[0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0.0]])
    for layout, said, right in (("anchor", [[0, 1, 2], [0, 1, 3]], 0.75), ("odd", [[0, 1, 2], [1, 2, 0]], 0.25)):
        triplets = data.Triplets(said, layout)
        judgements = judged(triplets, triplets.items, table)
        assert judgements.share_right(judgements.counts) == pytest.approx(right)


@pytest.fixture(scope="module")
def embedded():
    """By layout: places, triplets, what was made of them."""

    @functools.cache
    def of(layout):
        x, _, said = drawn(layout, 4000, Gaussian(0.3, 0.05))
        return x, said, measure.embed_triplets(said, layout=layout, starts=3, steps=400)

    return of


@pytest.mark.parametrize("layout", ["odd", pytest.param("anchor", marks=pytest.mark.thorough)])
def test_an_embedding_finds_the_map(embedded, layout):
    x, _, made = embedded(layout)
    assert procrustes(x, made.points)[2] < 0.1
    # By chance: the same places with other names.
    rng = np.random.default_rng(0)
    by_chance = [procrustes(rng.permutation(x), made.points)[2] for _ in range(99)]
    assert min(by_chance) > 0.3
    assert made.best.held_out.low > made.chance
    assert made.best.right.low > (1 / 3 if layout == "odd" else 1 / 2)
    # The unit is the resolution.
    assert x.std(0).sum() / made.points.std(0).sum() == pytest.approx(0.3, rel=0.25)
    exact = enumeration.accuracy(made.space, made.similarity)
    assert (made.p_s, made.p_i) == pytest.approx((exact.p_s, exact.p_i), abs=1e-5)  # the similarity may be in 32 bits


def test_held_out_likelihood_is_that_of_brute_force(embedded):
    _, said, made = embedded("odd")
    triplets = data.Triplets(said, "odd")
    parts = _scores.split(triplets, 0.1, jax.random.key(0), [])
    three = np.sort(said, axis=1)
    left = np.sort(parts.ends[parts.left.pairs].reshape(-1, 6), axis=1)[:, ::2]  # each stimulus is in two pairs
    unseen = (three[:, None] == np.unique(left, axis=0)).all(2).any(1)
    assert unseen.sum() == made.counts[2] == len(parts.left.pairs)
    strength = lambda d: made.delta + (1 - made.delta) * np.exp(-(d**2) / 2)  # noqa: E731
    mean = surprise(said[unseen], made.distances, "odd", strength) / unseen.sum()
    assert -made.best.held_out.value == pytest.approx(mean, rel=EXACT)


def test_few_sets_are_not_split():
    notes = []
    parts = _scores.split(data.Triplets([[0, 1, 2], [1, 2, 3]], "odd"), 0.1, jax.random.key(0), notes)
    assert parts.counts == (2, 0, 0)
    assert "only 2 different sets of three stimuli" in notes[0]
    np.testing.assert_array_equal(parts.fit, parts.look)


def test_what_is_kept_is_not_trained_again(monkeypatch):
    class Stub:
        runs = 0

        def __init__(self, *args, size, dimensions, **settings):
            self.shape = (3, size, dimensions)

        def run(self, *weights):
            Stub.runs += 1
            points = np.random.default_rng(Stub.runs).normal(size=self.shape).astype(np.float32)
            return _scores.Trained(points, np.full(3, -3.0, np.float32), np.array([20, 40, 60]))

    monkeypatch.setattr(_scores, "Training", Stub)
    _, _, said = drawn("odd", 400, Gaussian(0.3, 0.05))
    with Saved(None) as saved:
        saved.open({})
        first, again = (
            measure.embed_triplets(said, layout="odd", dimensions=(1, 2), execution=Execution(saved=saved))
            for _ in range(2)
        )
    assert Stub.runs == 4
    np.testing.assert_array_equal(first.points, again.points)
    assert [row.dimensions for row in again.scores] == [1, 2]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"family": "linear"}, "needs a similarity with slopes everywhere; got linear"),
        ({"delta": 1.0}, "delta must be 'fit' or a number from 0 to below 1; got 1"),
        ({"delta": "none"}, "delta must be 'fit' or a number"),
        ({"exponent": "fit"}, "exponent of an embedding must be a number"),
        ({"dimensions": (2, 2)}, "dimensions must be one number, or several different ones"),
        ({"held_out": 0.9}, "held_out must be a share from 0 to 0.4; got 0.9"),
        ({"starts": 0}, "starts must be at least 1"),
    ],
)
def test_settings_of_embeddings_that_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        measure.embed_triplets([[0, 1, 2], [1, 2, 0]], layout="odd", **settings)


def test_a_stimulus_that_was_never_shown():
    with pytest.raises(ValueError, match="stimulus 2 is in no triplet, so that its place can't be told"):
        measure.triplets([[0, 1, 3]], layout="odd")
    _, table, said = drawn("odd", 100, Gaussian(0.3, 0.05))
    fit = measure.fit_triplets(
        said[(said != 3).all(1)], table, layout="odd", families=["gaussian"], bootstrap=0, fronts={}
    )
    assert any("1 of 15 stimuli are in no triplet" in note for note in fit.notes)


def test_many_rows_leave_out_what_takes_minutes(monkeypatch):
    from semres_jax.measure.people import triplets as module

    monkeypatch.setattr(module, "_MANY", 50)
    _, table, said = drawn("odd", 100, Gaussian(0.3, 0.05))
    fit = measure.fit_triplets(said, table, layout="odd", bootstrap=0, fronts={})
    assert set(fit.fits) == {"exponential", "gaussian", "powerlaw"}
    assert "constant and linear, which take minutes, are left out" in fit.notes[0]


def test_profiles_of_large_tables_are_those_of_small_ones_near_the_interval(monkeypatch):
    from semres_jax.measure.choices import table as module

    monkeypatch.setattr(module, "_LARGE", 0)
    _, table, said = drawn("odd", 400, Exponential(0.3, 0.1))
    fit = measure.fit_triplets(said, table, layout="odd", families=["exponential"], bootstrap=0, fronts={})
    resolution, curve = fit.choices.resolution.values, fit.choices.profile.values[0]
    assert resolution[0] < fit.best.epsilon.low < fit.best.epsilon.high < resolution[-1]
    # Climbs end where a step promises less than 1e-8 in the log likelihood.
    np.testing.assert_allclose(curve, measure.choice_profile(fit.best, resolution), atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("layout", ["odd", "anchor"])
def test_intervals_hold_the_truth(layout):
    """A smaller form of scripts/study_triplet_coverage.py."""
    inside = 0
    for seed in range(200):
        _, table, said = drawn(layout, 800, Exponential(0.2, 0.05), seed=seed)
        fit = measure.fit_triplets(
            said, table, layout=layout, families=["exponential"], level=0.9, bootstrap=0, fronts={}
        )
        inside += fit.best.epsilon.low <= 0.2 <= fit.best.epsilon.high
    assert 0.85 <= inside / 200 <= 0.95
