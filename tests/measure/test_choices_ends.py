"""Ends of intervals of choices where a number is at the end of its range, and sums of biases driven to theirs."""

import numpy as np
import pytest
from scipy import stats

from semres_jax import measure


def drawn(trials, seed):
    """Distances, choices and labels: exponential, ε = 0.2, Δ = 0.05, biases of labels."""
    rng = np.random.default_rng(seed)
    d = rng.uniform(0, 1, (trials, 3))
    labels = np.array([rng.permutation(3) for _ in range(trials)])
    p = (0.05 + 0.95 * np.exp(-d / 0.2)) * np.exp(np.linspace(-0.5, 0.5, 3)[labels])
    p /= p.sum(1, keepdims=True)
    return d, (rng.random(trials)[:, None] > p.cumsum(1)[:, :-1]).sum(1), labels


@pytest.mark.parametrize(
    ("seed", "trials", "family", "exponent"),
    [(0, 40, "exponential", 1.0), (0, 2000, "powerlaw(2)", 1.0), (2, 300, "powerlaw(2)", "fit")],
)
def test_ends_are_where_the_profile_has_dropped(seed, trials, family, exponent):
    d, chosen, labels = drawn(trials, seed)
    fit = measure.fit_choices(d, chosen, labels=labels, family=family, exponent=exponent)
    # The profile is climbed to anew, from several floors.
    drop = measure.choice_profile(fit, [fit.epsilon.low, fit.epsilon.high])
    np.testing.assert_allclose(drop, stats.chi2.ppf(0.95, 1), atol=1e-4)


def test_biases_sum_to_zero_wherever_climbs_began():
    d, chosen, labels = drawn(300, 0)
    fit = measure.fit_choices(d, chosen, labels=labels, family="gaussian", delta=0.0, bias="both")
    for biases in (fit.label_bias, fit.position_bias):
        assert sum(bias.value for bias in biases.values()) == pytest.approx(0.0, abs=1e-9)
