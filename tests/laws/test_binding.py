"""Rates of illusory conjunctions: closed forms against enumeration of all tuples, limits, shares against rates."""

import itertools
import re

import jax
import numpy as np
import pytest

from semres_jax import laws

EXACT = 1e-12
SHARES, FLOORS = np.array([0.0, 0.5, 1.0]), np.array([[0.0], [0.1]])
SIZE, RADIUS = 5, 1
B = (2 * RADIUS + 1) / SIZE


def _strengths(q, shown, delta):
    """M of both stores for recombinations (tuples, S) of wholes (tuples, n, S) on a ring, from the definitions."""
    steps = np.abs(q[:, None] - shown)
    g = np.where(np.minimum(steps, SIZE - steps) <= RADIUS, 1.0, delta)
    return g.max(axis=1).mean(axis=1), g.prod(axis=2).max(axis=1)


def _shown(slots, n):
    """All (n, S) wholes on a ring; the first feature of all slots of the first is 0, as a ring has no first point."""
    rest = np.array(list(itertools.product(range(SIZE), repeat=slots * (n - 1)))).reshape(-1, n - 1, slots)
    return np.concatenate([np.zeros((len(rest), 1, slots), int), rest], axis=1)


def _enumerated(slots, n, delta, lures):
    """P(error) at every share, over all that may be shown and all recombinations."""
    shown = _shown(slots, n)
    sources = itertools.product(range(n if lures == "all" else 2), repeat=slots)
    sources = [source for source in sources if len(set(source)) > 1]
    stores = [_strengths(shown[:, source, range(slots)], shown, delta) for source in sources]
    errors = []
    for share in SHARES:
        strength = np.stack([(1 - share) * features + share * wholes for features, wholes in stores])
        strength = strength.sum(axis=0) if lures == "all" else strength
        errors.append((strength / (1 + strength)).mean())
    return errors


@pytest.mark.parametrize(("slots", "n"), [(2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (4, 2)])
def test_rates_against_enumeration_of_all_tuples(slots, n):
    for lures in ("one", "all") if n == 2 else ("one",):
        rates = laws.illusory_conjunctions(B, slots=slots, n=n, conjunctive=SHARES, delta=FLOORS, lures=lures)
        counted = [_enumerated(slots, n, float(delta), lures) for delta in FLOORS.ravel()]
        np.testing.assert_allclose(rates, counted, rtol=0, atol=EXACT)


def test_formulas_of_the_issue():
    """A match of k features of the first and S - k of the second item: b^{S-k}, b^k, and b^S for each other one."""
    b, c = np.linspace(0.02, 0.98, 9)[:, None], np.linspace(0, 1, 5)
    for slots, n in ((2, 2), (3, 8), (6, 30)):
        k = np.arange(1, slots)
        ways = np.array([len(list(itertools.combinations(range(slots), i))) for i in k]) / (2**slots - 2)
        no_match = (ways * (1 - b**k) * (1 - b ** (slots - k))).sum(1, keepdims=True) * (1 - b**slots) ** (n - 2)
        rates = laws.illusory_conjunctions(b, slots=slots, n=n, conjunctive=c)
        right = (1 - no_match) / 2 + no_match * (1 - c) / (2 - c)
        np.testing.assert_allclose(rates, right, rtol=0, atol=EXACT)
        np.testing.assert_allclose(rates[:, 0], 0.5, rtol=0, atol=EXACT)
        bound = np.linspace(0.01, 0.49, 7)
        y = (bound - (1 - no_match) / 2) / no_match
        right = np.where(y >= 0, (1 - 2 * y) / (1 - y), np.nan)
        np.testing.assert_allclose(laws.conjunctive_share(bound, b, slots=slots, n=n), right, rtol=1e-12)


@pytest.mark.parametrize("delta", [0.0, 0.2])
def test_the_share_is_where_the_rate_meets_the_bound(delta):
    bound = np.array([0.05, 0.3, 0.45, 0.5, 1.0])
    for b in (0.05, 0.3):
        share = laws.conjunctive_share(bound, b, slots=3, n=4, delta=delta)
        least = laws.illusory_conjunctions(b, slots=3, n=4, delta=delta)
        assert np.isnan(share).tolist() == (bound < least).tolist()
        assert share[3:].tolist() == [0.0, 0.0]
        met = ~np.isnan(share) & (bound < 0.5)
        assert met.any()
        rates = laws.illusory_conjunctions(b, slots=3, n=4, conjunctive=share[met], delta=delta)
        np.testing.assert_allclose(rates, bound[met], rtol=0, atol=EXACT)
        assert laws.conjunctive_share(least, b, slots=3, n=4, delta=delta) == pytest.approx(1.0, abs=1e-10)


def test_limits():
    rates = laws.illusory_conjunctions(0.0, slots=5, n=1000, conjunctive=SHARES)
    np.testing.assert_allclose(rates, (1 - SHARES) / (2 - SHARES), rtol=0, atol=EXACT)
    # All resolved alike, or so many items that one is like anything: conjunctions are no better than features.
    for b, n in ((1.0, 2), (0.3, 10**6)):
        np.testing.assert_allclose(laws.illusory_conjunctions(b, slots=3, n=n), 0.5, rtol=0, atol=EXACT)
    assert np.isnan(laws.conjunctive_share(0.4, 1.0, slots=2))
    # A store of many slots errs with the floor of a few of them alone.
    rates = laws.illusory_conjunctions(0.5, slots=500, n=50, conjunctive=1.0, delta=[0.0, 0.9, 1.0])
    np.testing.assert_allclose(rates, [0.0, 0.0, 0.5], rtol=0, atol=1e-4)
    # Features alone: one in all n^S - n + 1.
    error = laws.illusory_conjunctions(0.3, slots=3, n=4, conjunctive=0.0, lures="all")
    assert error == pytest.approx(60 / 61, abs=EXACT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slots": 1}, "slots must be at least 2 (features of one slot can't be put together in another way); got 1"),
        ({"n": 1}, "n must be at least 2"),
        ({"b": 1.5}, "b must be a probability between 0 and 1; got 1.5"),
        ({"conjunctive": -0.1}, "conjunctive must be a share between 0 and 1; got -0.1"),
        ({"delta": 2}, "delta must be a floor between 0 and 1; got 2"),
        ({"lures": "some"}, "lures must be one of one, all; got 'some'"),
        ({"lures": "all", "n": 3}, "use n=2, conjunctive=0, or montecarlo.estimate_binding"),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        laws.illusory_conjunctions(**{"b": 0.3, "slots": 2} | change)
    assert "\n" not in str(refused.value)


def test_what_is_traced_is_refused():
    with pytest.raises(TypeError, match="conjunctive_share can't be traced"):
        jax.jit(lambda b: laws.conjunctive_share(0.1, b, slots=2))(0.3)
