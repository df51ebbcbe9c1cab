"""The n-item law fitted to counts."""

import numpy as np
import pytest
from scipy import optimize, stats

from semres_jax import laws, measure
from semres_jax.measure.choices.items import law

N = np.array([2, 4, 8, 16])


def test_the_law_is_that_of_identification(x64):
    for n in N:
        assert law(n, 0.3) == pytest.approx(float(laws.constant(0.3, n=int(n)).p_i), rel=1e-12)
    assert law(5, 1e-12) == pytest.approx(1.0, abs=1e-11)


def test_a_and_its_interval_are_those_of_the_binomials():
    right, trials = np.array([190, 165, 150, 99]), np.full(4, 200)
    found = measure.items_law(N, right, trials, bootstrap=50)

    def less(a):
        return -stats.binom.logpmf(right, trials, law(N, a)).sum()

    best = optimize.minimize_scalar(less, bounds=(0.01, 0.5), method="bounded", options={"xatol": 1e-10})
    assert found.a == pytest.approx(best.x, abs=1e-7)
    half = stats.chi2.ppf(0.95, 1) / 2
    for end in (found.low, found.high):
        assert less(end) - best.fun == pytest.approx(half, abs=1e-6)
    free = stats.binom.logpmf(right, trials, right / trials).sum()
    assert found.deviance == pytest.approx(2 * (free + best.fun), abs=1e-6)


def test_intervals_cover_and_the_test_of_fit_is_level():
    rng = np.random.default_rng(0)
    trials = np.full(4, 150)
    found = [
        measure.items_law(N, rng.binomial(trials, law(N, 0.12)), trials, level=0.9, bootstrap=39) for _ in range(200)
    ]
    assert 0.85 <= np.mean([fit.low <= 0.12 <= fit.high for fit in found]) <= 0.95
    assert abs(np.mean([fit.p_value for fit in found]) - 0.5) < 5 * np.sqrt(1 / 12 / 200)


def test_counts_of_another_law_are_refused_by_the_test_of_fit():
    assert measure.items_law(N, [120, 118, 122, 119], np.full(4, 150), bootstrap=99).p_value <= 0.02


def test_the_ends_of_the_range():
    sure = measure.items_law(N, [100] * 4, [100] * 4, bootstrap=9)
    assert sure.a == sure.low == 0
    assert 0 < sure.high < 0.01
    guess = measure.items_law(N, [50, 25, 12, 6], [100] * 4, bootstrap=9)
    assert guess.a == guess.high == 1.0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (([2, 4], [1], [2]), "of one length"),
        (([1, 4], [1, 1], [2, 2]), "n must be whole numbers of at least 2; got 1"),
        (([2, 4], [1, 3], [2, 2]), "right must be at most trials; got 3 of 2 at n = 4"),
        (([2, 4], [1, 0.5], [2, 2]), "right must be whole numbers"),
    ],
)
def test_bad_input(given, told):
    with pytest.raises(ValueError, match=told):
        measure.items_law(*given)
