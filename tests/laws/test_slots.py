"""Compositional codes: closed forms against enumeration of all tuples, naive sums, limits, and exact values."""

import itertools
import math

import numpy as np
import pytest
from sympy.utilities.iterables import multiset_permutations

from semres_jax import laws

EXACT = 1e-12
AGGREGATES = ("product", "mean")
CASES = list(itertools.product((1, 2, 3), AGGREGATES, (0.0, 0.1), (2, 3)))


def strength(outside, delta, aggregate):
    """Of an item of which `outside` tells, slot by slot, whether it is outside."""
    slots = [delta if out else 1.0 for out in outside]
    return math.prod(slots) if aggregate == "product" else sum(slots) / len(slots)


def credit(right, strengths):
    return strengths[right] / sum(strengths) if sum(strengths) else 1 / len(strengths)


def enumerated(size, radius, slots, aggregate, delta, n):
    """(p_S of feature 0, p_I of wholes) on a ring of `size` points to the power of `slots`, items independent."""
    distance = [min(i, size - i) for i in range(size)]
    stimuli = list(itertools.product(range(size), repeat=slots))  # the probe is the origin: a ring has no other
    outside = [[distance[i] > radius for i in stimulus] for stimulus in stimuli]
    h = [strength(out, delta, aggregate) for out in outside]
    others = itertools.product(range(len(stimuli)), repeat=n - 1)
    p_i = sum(credit(0, [1.0, *(h[i] for i in items)]) for items in others) / len(stimuli) ** (n - 1)
    p_s = 0.0
    for items in itertools.product(range(size), repeat=n):
        own = [strength([distance[i] > radius], delta, aggregate) for i in items]
        p_s += credit(min(range(n), key=lambda i: distance[items[i]]), own)
    return p_s / size**n, p_i


@pytest.mark.parametrize(("slots", "aggregate", "delta", "n"), CASES)
def test_identification_and_features_are_sums_over_all_tuples_of_a_finite_product(slots, aggregate, delta, n):
    for size, radius in ((3, 0), (4, 1)) if slots < 3 or n < 3 else ((3, 0),):
        p_s, p_i = enumerated(size, radius, slots, aggregate, delta, n)
        got = laws.compositional((2 * radius + 1) / size, slots=slots, aggregate=aggregate, delta=delta, n=n)
        assert got.feature == pytest.approx(p_s, abs=EXACT)
        assert got.p_i == pytest.approx(p_i, abs=EXACT)


def arranged(b, slots, aggregate, delta, n):
    """p_S of wholes: over patterns of slots, and arrangements of the outside distances, all equally likely."""
    total = 0.0
    for counts in itertools.product(range(slots + 1), repeat=n):
        chance = math.prod(math.comb(slots, k) * (1 - b) ** k * b ** (slots - k) for k in counts)
        h = [strength([s < k for s in range(slots)], delta, aggregate) for k in counts]
        within = [i for i in range(n) if counts[i] == 0]
        if within:
            total += chance * credit(within[0], h)
            continue
        orders = list(multiset_permutations([i for i in range(n) for _ in range(counts[i])]))
        # Nearest first: the item whose last place is the first of all last places.
        last = [min(range(n), key=lambda i, order=order: len(order) - order[::-1].index(i)) for order in orders]
        total += chance * sum(credit(i, h) for i in last) / len(orders)
    return total


@pytest.mark.parametrize(("slots", "aggregate", "delta", "n"), CASES)
def test_wholes_are_sums_over_arrangements_of_the_distances(slots, aggregate, delta, n):
    for b in (0.3, 0.5):
        got = laws.compositional(b, slots=slots, aggregate=aggregate, delta=delta, n=n).whole
        assert got == pytest.approx(arranged(b, slots, aggregate, delta, n), abs=EXACT)


def test_the_values_of_the_bar():
    expected = {(2, "product"): 0.875, (2, "mean"): 17 / 24, (3, "product"): 0.9375, (3, "mean"): 0.69375}
    for (slots, aggregate), p_i in expected.items():
        assert laws.compositional(0.5, slots=slots, aggregate=aggregate).p_i == pytest.approx(p_i, abs=EXACT)
    assert laws.compositional(0.5, slots=64).p_i == pytest.approx(1.0, abs=EXACT)
    # The mean falls to 1/(1+b) like 1/S: what is left of it is b (1-b) / (S (1+b)^3).
    for slots in (200, 400):
        off = laws.compositional(0.5, slots=slots, aggregate="mean").p_i - 2 / 3
        assert off * slots == pytest.approx(0.25 / 1.5**3, rel=2 / slots)


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_different_slots_that_are_equal_are_equal_slots(aggregate):
    same = laws.compositional(np.full((2, 3), [[0.3], [0.6]]), slots=None, aggregate=aggregate, delta=0.1, n=3)
    alike = laws.compositional([0.3, 0.6], slots=3, aggregate=aggregate, delta=0.1, n=3)
    np.testing.assert_allclose(np.array(same), np.array(alike), rtol=0, atol=EXACT)


@pytest.mark.parametrize("n", [600, 10**5])
def test_many_items_by_graded_panels(n):
    for aggregate, delta in itertools.product(AGGREGATES, (0.0, 0.01)):
        law = laws.constant(0.2, n=n, delta=delta)
        got = laws.compositional([0.2], slots=None, aggregate=aggregate, delta=delta, n=n)
        np.testing.assert_allclose([got.whole, got.p_i], law, rtol=1e-11)
    law = laws.constant(0.2**3, n=n)
    got = laws.compositional([0.2] * 3, slots=None, n=n)
    np.testing.assert_allclose([got.whole, got.p_i], law, rtol=1e-11)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"slots": 0}, "slots must be at least 1"),
        ({"slots": 2.5}, "slots must be a whole number"),
        ({"slots": 2000}, "slots must be at most 1000"),
        ({"slots": 2, "aggregate": "sum"}, "aggregate must be one of product, mean; got 'sum'"),
        ({"slots": 2, "n": 1}, "n must be at least 2"),
        ({"slots": 2, "delta": 1.5}, "delta must be a floor between 0 and 1; got 1.5"),
        ({"slots": None}, "the last axis of b"),
    ],
)
def test_bad_input_is_one_line(wrong, words):
    with pytest.raises(ValueError, match=words):
        laws.compositional(0.5, **wrong)
