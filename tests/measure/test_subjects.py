"""Noise ceilings, as rsatoolbox has them, and intervals over subjects and stimuli."""

import warnings

import numpy as np
import pandas as pd
import pytest

from semres_jax import measure
from semres_jax.measure.embeddings import stimulus_sums
from semres_jax.measure.people import subjects

EXACT = 1e-10


def tables(ties=False, count=6, size=10):
    rng = np.random.default_rng(0)
    made = rng.random((size, size)) + rng.normal(0, 0.3, (count, size, size))
    made = made + made.swapaxes(1, 2) + 3
    made = made.round() if ties else made
    made[:, np.arange(size), np.arange(size)] = 0
    return made


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("method", subjects.METHODS)
def test_ceilings_are_those_of_rsatoolbox(method, ties):
    rsatoolbox = pytest.importorskip("rsatoolbox", reason="rsatoolbox is in the extra `peers`: scripts/setup peers")
    from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling

    made = tables(ties)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their business
        theirs = boot_noise_ceiling(rsatoolbox.rdm.RDMs(made), method)
    np.testing.assert_allclose(measure.noise_ceiling(made, method), theirs, atol=EXACT, rtol=0)


@pytest.mark.parametrize("method", subjects.METHODS)
def test_ceilings_of_subjects_who_agree(method):
    """All the same: 1, whatever their scale where the method has none; of strangers the lower end is about 0."""
    first = tables()[0]
    scale = np.array([1.0, 2.0, 5.0])[:, None, None]
    assert measure.noise_ceiling(first * scale, method) == pytest.approx((1.0, 1.0), abs=1e-12)
    rng = np.random.default_rng(0)
    lower, upper = measure.noise_ceiling(rng.normal(size=(8, 30, 30)), method)
    assert upper > lower
    # 435 entries of independent tables agree with a standard deviation of 1/√435, the eight of them together less.
    assert abs(lower) < 5 / np.sqrt(435)


def test_labelled_tables_are_put_in_order():
    made, names = tables(size=5), list("abcde")
    frames = [pd.DataFrame(table, names, names) for table in made]
    frames[2] = frames[2].iloc[[3, 1, 0, 4, 2], [0, 4, 3, 2, 1]]
    assert measure.noise_ceiling(frames) == pytest.approx(measure.noise_ceiling(made), abs=1e-14)
    frames[1] = frames[1].rename(index={"a": "z"}, columns={"a": "z"})
    with pytest.raises(ValueError, match=r"same stimuli; those of subject 1 \(from 0\)"):
        measure.noise_ceiling(frames)


@pytest.mark.parametrize(
    ("given", "method", "line"),
    [
        (tables()[:1], "corr", "at least 2 subjects"),
        (tables()[:, :2, :2], "corr", "3 stimuli"),
        (tables(), "pearson", "method must be one of cosine"),
        (np.where(tables() == tables()[1, 0, 1], np.nan, tables()), "corr", r"subject 1 \(from 0\) has NaN"),
        (np.concatenate([tables(), np.ones((1, 10, 10))]), "corr", r"subject 6 \(from 0\) has no differences"),
    ],
)
def test_bad_input_is_one_line(given, method, line):
    with pytest.raises(ValueError, match=line) as refused:
        measure.noise_ceiling(given, method)
    assert "\n" not in str(refused.value)


def crossed(rng, people, stimuli, spreads):
    """A mean of a crossed design: each subject's, and its slopes by stimulus."""
    parts = rng.normal(size=(people, 1)), rng.normal(size=(1, stimuli)), rng.normal(size=(people, stimuli))
    table = sum(spread * part for spread, part in zip(spreads, parts, strict=True))
    values = table.mean(1)
    return values, (table - values[:, None]) / stimuli


@pytest.mark.parametrize("spreads", [(1, 1, 1), (1, 0, 1), (0, 1, 1), (1, 1, 3)])
def test_variance_is_that_of_new_subjects_and_stimuli(spreads):
    """The mean of squared standard errors of 2,000 designs against the variance of the mean itself."""
    rng, people, stimuli = np.random.default_rng(0), 12, 20
    a, b, c = spreads
    truth = a**2 / people + b**2 / stimuli + c**2 / (people * stimuli)
    squares = np.array([subjects.over_subjects(*crossed(rng, people, stimuli, spreads), count=0).stderr ** 2
                        for _ in range(2000)])  # fmt: skip
    # Where stimuli add next to nothing their part can't be below 0, which adds a little.
    more = 0.1 * truth if not b else 0.0
    assert abs(squares.mean() - truth) < 5 * squares.std() / np.sqrt(2000) + more


def test_pairs_count_once():
    """Means of products of pairs of N(0.3, 1): the variance is 0.36 / N of single ones, 2 / (N (N - 1)) of pairs."""
    rng, size, squares, added = np.random.default_rng(0), 20, {True: [], False: []}, []
    for _ in range(1000):
        x = 0.3 + rng.normal(size=size)
        products = np.outer(x, x)
        np.fill_diagonal(products, 0.0)
        value, with_one = products.sum() / (size * (size - 1)), products.sum(1) / (size - 1)
        slopes = stimulus_sums.jackknife(with_one, value, 2)
        pairs = stimulus_sums.second_order(products, with_one, value, 2)
        added.append((pairs**2).sum() / 2)
        for known, kept in squares.items():
            number = subjects.over_subjects([value], slopes[None], pairs[None] if known else None, count=0)
            kept.append(number.stderr**2)
    alone, both = np.array(squares[False]), np.array(squares[True])
    # Their part twice, or once; single ones have no less than nothing.
    np.testing.assert_allclose(both, np.maximum(alone - added, added), rtol=1e-10)
    truth = 0.36 / size + 2 / (size * (size - 1))
    assert abs(both.mean() - truth) < abs(alone.mean() - truth)


def test_intervals_cover():
    """90 % intervals of 300 designs: within 5 standard errors of a share of 90 %."""
    rng, held = np.random.default_rng(1), 0
    for k in range(300):
        means = subjects.replicates(*crossed(rng, 8, 20, (1, 1, 1)), count=400, key=k)
        low, high = np.quantile(means, [0.05, 0.95])
        held += low <= 0 <= high
    assert abs(held / 300 - 0.9) < 5 * np.sqrt(0.09 / 300)


def test_statistics_share_their_draws():
    values, slopes = crossed(np.random.default_rng(0), 6, 15, (1, 1, 1))
    both = subjects.replicates(np.stack([values, 2 * values], 1), np.stack([slopes, 2 * slopes], 2), count=50)
    np.testing.assert_allclose(both[:, 1], 2 * both[:, 0], rtol=1e-12)
    number = subjects.over_subjects(values, slopes, count=500)
    assert number.low < number.value < number.high
    alone = subjects.replicates(values[:1], slopes[:1], count=4000)
    assert alone.std() == pytest.approx(np.sqrt((slopes[0] ** 2).sum() * 15 / 14), rel=0.15)
    with pytest.raises(ValueError, match=r"got shapes \(6,\) and \(5, 15\)"):
        subjects.replicates(values, slopes[:5])
