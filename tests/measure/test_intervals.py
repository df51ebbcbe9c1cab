"""How often intervals of few stimuli, or exemplars, hold the truth: a small scripts/study_embedding_coverage.py."""

import jax
import numpy as np
import pytest

from semres_jax import Quantity, measure, spaces
from semres_jax.measure import intervals

SETS, SIZE = 120, 30
# Three standard errors of a share of so many below what intervals promise, and above what they may miss on one side.
FEWEST = 0.95 - 3 * np.sqrt(0.95 * 0.05 / SETS)
MOST = 0.025 + 3 * np.sqrt(0.025 * 0.975 / SETS)


def held(low, high, truth):
    return np.mean((np.asarray(low) <= truth) & (np.asarray(high) >= truth), axis=0)


def waves(rng):
    chosen = np.random.default_rng(0)
    x, turns = rng.random(SIZE), chosen.integers(1, 4, 6)
    d = np.abs(x[:, None] - x[None])
    return np.cos(2 * np.pi * (x[:, None] * turns + chosen.random(6))) / turns, np.minimum(d, 1 - d)


def features(rng):
    chosen = np.random.default_rng(0)
    x = rng.normal(size=(SIZE, 2))
    d = np.linalg.norm(x[:, None] - x[None], axis=-1)
    return np.cos(x @ chosen.normal(size=(2, 60)) * 2 + 2 * np.pi * chosen.random(60)), (d + d.T) / 2


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("draw", [waves, features])
def test_intervals_of_thirty_stimuli_hold_the_truth(draw):
    rows = []
    for k in range(SETS):
        points, d = draw(np.random.default_rng([3, k]))
        model = measure.embeddings(
            points,
            d,
            fronts={},
            optimal="none",
            shares=[0.3],
            bootstrap=400,
            families=["exponential"],
            key=jax.random.key(k),
        )
        rows.append([model.p_s, model.p_i, model.fits["exponential"].resolution])
    value, stderr, low, high = np.moveaxis(np.array(rows, float), -1, 0)
    # Of averages over triples and pairs the mean over sets is the population's; of the resolution it is nearly so.
    truth = value.mean(0)
    assert (held(low, high, truth) > FEWEST).all()
    # Those of the jackknife alone missed one time in ten, nearly always because the value was high by chance.
    assert (np.mean(low > truth, axis=0) < MOST).all()
    assert (np.mean(high < truth, axis=0) < MOST).all()
    assert (low <= value).all()
    assert (value <= high).all()
    assert (np.sqrt((stderr**2).mean(0)) < 1.3 * value.std(0)).all()


def products(x):
    """Slopes and pairs of the mean of x y over pairs of different stimuli."""
    size, table = len(x), np.outer(x, x)
    np.fill_diagonal(table, 0.0)
    mean, value = table.sum(1) / (size - 1), table.sum() / (size * (size - 1))
    pairs = (table - mean[:, None] - mean[None] + value) * 2 / (size * (size - 1))
    np.fill_diagonal(pairs, 0.0)
    return value, (mean - value) * 2 * (size - 1) / (size * (size - 2)), pairs


@pytest.mark.parametrize("centre", [0.0, 0.15, 2.0], ids=["pairs alone", "both", "stimuli alone"])
def test_averages_that_hang_on_pairs_of_stimuli(centre):
    rows = []
    for k in range(SETS):
        value, slopes, pairs = products(centre + np.random.default_rng([5, k]).normal(size=20))
        key = jax.random.key(k)
        rows.append(intervals.over_stimuli(np.array([value]), slopes[None], [pairs], count=400, key=key))
    value, stderr, low, high = np.transpose(np.array(rows)[..., 0])
    assert held(low, high, centre**2) > FEWEST
    # The variance is that of the mean of products: 4 centre² / N + 2 / (N (N - 1)).
    want = np.sqrt(4 * centre**2 / 20 + 2 / 380)
    assert np.sqrt((stderr**2).mean()) == pytest.approx(want, rel=0.35)
    assert value.std() == pytest.approx(want, rel=5 / np.sqrt(2 * SETS))


def test_without_pairs_and_replicates_it_is_the_standard_error_of_a_mean():
    x = np.random.default_rng(0).normal(size=30)
    slopes = (x - x.mean())[None] / np.sqrt(30 * 29)
    mean = intervals.over_stimuli(x.mean()[None], slopes, [None], count=0)
    assert mean.stderr[0] == pytest.approx(x.std(ddof=1) / np.sqrt(30), rel=1e-12)
    assert np.isnan([mean.low[0], mean.high[0]]).all()


def test_intervals_of_three_exemplars_a_class_hold_the_truth():
    ring, own, rows = spaces.grid(spaces.get("circle"), 4), np.repeat(np.arange(4), 3), []
    turns = np.random.default_rng(0).integers(1, 4, 6)
    centres = np.cos(2 * np.pi * (np.arange(4)[:, None] / 4 * turns + np.random.default_rng(1).random(6))) / turns
    for k in range(SETS):
        points = centres[own] + 0.9 * np.random.default_rng([9, k]).normal(size=(12, 6))
        model = measure.embeddings(
            points, ring, labels=own, similarity="cosine", fronts={}, optimal="none", floor=0.01, shares=[0.4],
            bootstrap=400, families=["exponential"], key=jax.random.key(k),
        )  # fmt: skip
        rows.append([model.p_s, model.p_i])
    value, _, low, high = np.moveaxis(np.array(rows, float), -1, 0)
    assert (held(low, high, value.mean(0)) > FEWEST).all()
    assert (low > 0).all()
    assert (high < 1).all()


def test_ends_of_probabilities_stay_probabilities():
    wide = Quantity([0.5, 0.99, 1.0, 0.0], low=[0.4, 0.9, 0.9, -0.1], high=[0.6, 1.08, 1.1, 0.1])
    _, _, low, high = intervals.of_probability(wide)
    np.testing.assert_allclose(low[2:], [0.9, 0.0])
    np.testing.assert_allclose(high[2:], [1.0, 0.1])
    assert (0.5 - low[0]) == pytest.approx(high[0] - 0.5)
    assert 0 < low[1] < 0.9 < 0.99 < high[1] < 1
