"""The n-item law fitted to counts."""

import numpy as np
import pytest
from scipy import optimize, stats

from semres_jax import laws, measure

N = np.array([2, 4, 8, 16])


def test_the_law_is_that_of_identification():
    b = np.geomspace(1e-9, 1.0, 50)
    for n in N:
        np.testing.assert_allclose(laws.identification(b, n), laws.constant(b, n=int(n)).p_i, rtol=1e-13)
    # To all digits for small b: 1 - (n - 1) b / 2 + (n - 1) (n - 2) b² / 6.
    small = 1e-9
    np.testing.assert_allclose(laws.identification(small, N), 1 - (N - 1) * small / 2, rtol=1e-15)
    assert laws.identification(0.0, 5) == 1.0


def test_a_and_its_interval_are_those_of_the_binomials():
    right, trials = np.array([190, 165, 150, 99]), np.full(4, 200)
    fit = measure.fit_items_law(N, right, trials, bootstrap=50)

    def less(a):
        return -stats.binom.logpmf(right, trials, laws.identification(a, N)).sum()

    best = optimize.minimize_scalar(less, bounds=(0.01, 0.5), method="bounded", options={"xatol": 1e-10})
    assert fit.a.value == pytest.approx(best.x, abs=1e-7)
    half = stats.chi2.ppf(0.95, 1) / 2
    for end in (fit.a.low, fit.a.high):
        assert less(end) - best.fun == pytest.approx(half, abs=1e-6)
    free = stats.binom.logpmf(right, trials, right / trials).sum()
    assert fit.deviance == pytest.approx(2 * (free + best.fun), abs=1e-6)


def test_intervals_cover_and_the_test_of_fit_is_level():
    rng = np.random.default_rng(0)
    trials = np.full(4, 150)
    fits = [
        measure.fit_items_law(N, rng.binomial(trials, laws.identification(0.12, N)), trials, level=0.9, bootstrap=39)
        for _ in range(200)
    ]
    assert 0.85 <= np.mean([fit.a.low <= 0.12 <= fit.a.high for fit in fits]) <= 0.95
    assert abs(np.mean([fit.p_value for fit in fits]) - 0.5) < 5 * np.sqrt(1 / 12 / 200)


def test_counts_of_another_law_are_refused_by_the_test_of_fit():
    assert measure.fit_items_law(N, [120, 118, 122, 119], np.full(4, 150), bootstrap=99).p_value <= 0.02


def test_the_ends_of_the_range():
    sure = measure.fit_items_law(N, [100] * 4, [100] * 4, bootstrap=9)
    assert sure.a.value == sure.a.low == 0
    assert 0 < sure.a.high < 0.01
    guess = measure.fit_items_law(N, [50, 25, 12, 6], [100] * 4, bootstrap=9)
    assert guess.a.value == guess.a.high == 1.0
    assert np.isnan(measure.fit_items_law(N, [50, 25, 12, 6], [100] * 4, bootstrap=0).p_value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([2, 4], [1], [2]), "of one length"),
        (([1, 4], [1, 1], [2, 2]), "n must be whole numbers of at least 2; got 1"),
        (([2, 4], [1, 3], [2, 2]), "right must be at most trials; got 3 of 2 at n = 4"),
        (([2, 4], [1, 0.5], [2, 2]), "right must be whole numbers"),
    ],
)
def test_bad_input(given, message):
    with pytest.raises(ValueError, match=message):
        measure.fit_items_law(*given)
