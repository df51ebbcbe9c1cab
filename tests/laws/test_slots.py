"""Compositional codes: closed forms against enumeration of all tuples, naive sums, limits, and exact values."""

import itertools
import math
import re

import jax
import numpy as np
import pytest
from sympy.utilities.iterables import multiset_permutations

from semres_jax import Constant, Exponential, Gaussian, Linear, Slots, accuracy, laws, spaces
from semres_jax.laws import _slot_sums, symbolic
from tests.laws.brute_force import choice_of, draws

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
        off = laws.slots.many_items(0.5, 2, slots=slots, aggregate="mean") - 2 / 3
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


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize(("slots", "n", "b"), [(30, 8, 0.9), (8, 40, 0.5)])
def test_graded_panels_are_as_good_as_polynomials(slots, n, b, aggregate, monkeypatch):
    by_polynomials = laws.compositional(b, slots=slots, aggregate=aggregate, delta=0.1, n=n).whole
    monkeypatch.setattr(_slot_sums, "_MOST_EXACT", 1)
    graded = laws.compositional(b, slots=slots, aggregate=aggregate, delta=0.1, n=n).whole
    assert graded == pytest.approx(by_polynomials, abs=EXACT)


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


def line(size):
    return np.abs(np.subtract.outer(np.arange(size), np.arange(size))) * 1.0


@pytest.mark.parametrize("metric", ["max", "l1"])
@pytest.mark.parametrize(("aggregate", "replace"), list(itertools.product(AGGREGATES, (True, False))))
def test_products_of_finite_spaces_against_all_draws(aggregate, replace, metric):
    weights = [0.5, 0.2, 0.3] if replace else None
    space = spaces.Product((spaces.Finite(line(3), weights), spaces.Finite(line(2))), metric)
    similarity = Slots([Linear([1.5, 2.5], 0.1), Constant(0.5)], aggregate)
    n = 3
    got = accuracy(space, similarity, n=n, replace=replace)
    p_s_all, p_i_all = [], []
    for epsilon in (1.5, 2.5):
        with jax.enable_x64(True):
            first = np.asarray(Linear(epsilon, 0.1)(line(3)))
            second = np.asarray(similarity.slots[1](line(2)))
        pairs = list(itertools.product(range(3), range(2)))
        both = [[(first[a, c], second[b, d]) for c, d in pairs] for a, b in pairs]
        with np.errstate(divide="ignore"):
            logs = np.log(np.prod(both, axis=-1) if aggregate == "product" else np.mean(both, axis=-1))
        chance = np.outer(weights or np.full(3, 1 / 3), np.full(2, 0.5)).ravel()
        points, chances = draws(chance, n + 1, replace)
        far = np.asarray(space.distances)[points[:, :1], points[:, 1:]]
        ties = far == far.min(1, keepdims=True)
        rows = logs[points[:, :1], points[:, 1:]]
        shares = np.stack([choice_of(rows, np.full(len(rows), i), 1.0) for i in range(n)], axis=1)
        p_s_all.append(chances @ ((shares * ties).sum(1) / ties.sum(1)))
        points, chances = draws(chance, n, replace)
        rows = np.concatenate([np.zeros((len(points), 1)), logs[points[:, :1], points[:, 1:]]], axis=1)
        p_i_all.append(chances @ choice_of(rows, np.zeros(len(rows), int), 1.0))
    np.testing.assert_allclose(got.p_s, p_s_all, rtol=0, atol=EXACT)
    np.testing.assert_allclose(got.p_i, p_i_all, rtol=0, atol=EXACT)


CIRCLE, INTERVAL = spaces.Circle(), spaces.Interval()


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("n", [2, 3, 40])
def test_laws_of_slots_against_closed_forms(aggregate, n):
    space = spaces.Product((CIRCLE,) * 3)
    similarity = Slots([Constant([0.1, 0.25], 0.1)] * 3, aggregate)
    law = laws.compositional([0.2, 0.5], slots=3, aggregate=aggregate, delta=0.1, n=n)
    p_i = laws.slots.identification(space, similarity, n=n)
    np.testing.assert_allclose(p_i, law.p_i, rtol=0, atol=EXACT)
    np.testing.assert_allclose(np.array(accuracy(space, similarity, n=n)), [law.whole, law.p_i], rtol=0, atol=EXACT)


@pytest.mark.parametrize(
    ("space", "slot", "n"),
    [
        (CIRCLE, Linear(0.3), 8),
        (CIRCLE, Exponential(0.05, 0.1), 8),
        (CIRCLE, Gaussian(0.1), 2),
        (INTERVAL, Linear(0.3), 8),
        (spaces.Hamming(6), Exponential(0.2), 8),
    ],
)
def test_single_slots_are_what_the_quadrature_gives(space, slot, n):
    for aggregate in AGGREGATES:
        p_i = laws.slots.identification(spaces.Product((space,)), Slots([slot], aggregate), n=n)
        assert p_i == pytest.approx(float(accuracy(space, slot, n=n).p_i), abs=1e-11)


def simulated(space, similarity, n, seed, trials=100_000):
    """Means and standard errors of the credits of both tasks, by the definitions."""
    u = np.random.default_rng(seed).random((n + 1, trials, space.uniforms))
    points = space.point(u)
    probe, items = (jax.tree.map(lambda x, part=part: x[part], points) for part in (slice(0, 1), slice(1, None)))
    h = np.asarray(similarity(space.distances_by_feature(items, probe)), np.float64)
    nearest = np.argmin(np.asarray(space.distance(items, probe)), axis=0)

    def moments(right, total):
        credits = np.where(total > 0, right / np.where(total > 0, total, 1.0), 1 / n)
        return credits.mean(), credits.std() / trials**0.5

    return moments(h[nearest, np.arange(trials)], h.sum(0)), moments(1.0, 1.0 + h[1:].sum(0))


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("n", [2, 4])
def test_different_slots_on_different_spaces_against_simulation(aggregate, n):
    space = spaces.Product((CIRCLE, INTERVAL))
    similarity = Slots([Exponential(0.2), Linear(0.3, 0.05)], aggregate)
    _, (mean, stderr) = simulated(space, similarity, n, seed=n)
    assert abs(laws.slots.identification(space, similarity, n=n) - mean) < 5 * stderr


def test_exponents_of_products_are_those_of_their_slots():
    space, slot = spaces.Product((CIRCLE,) * 2), Constant(0.2, 0.3)
    for power in (0.0, 0.5, 2.0):
        law = laws.compositional(0.4, slots=2, delta=0.3**power, n=3)
        assert laws.slots.identification(space, Slots([slot] * 2), n=3, exponent=power) == pytest.approx(
            law.p_i, abs=EXACT
        )
        got = accuracy(space, Slots([slot] * 2), n=3, exponent=power)
        np.testing.assert_allclose(np.array(got), [law.whole, law.p_i], rtol=0, atol=EXACT)


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_wholes_on_different_homogeneous_features_against_simulation(aggregate):
    space = spaces.Product((CIRCLE, spaces.Sphere(2)))
    similarity = Slots([Constant(0.2, 0.1), Constant(1.0, 0.2)], aggregate)
    exact = accuracy(space, similarity, n=3)
    for p, (mean, stderr) in zip(exact, simulated(space, similarity, 3, seed=5), strict=True):
        assert abs(p - mean) < 5 * stderr


def test_what_has_no_exact_answer_names_what_has():
    pair = spaces.Product((CIRCLE, INTERVAL))
    both = Slots([Constant(0.2)] * 2)
    assert laws.engine_for(pair, both) == "slots"
    for space, similarity, options, words in (
        (pair, both, {}, "laws.slots.identification gives p_I alone, semres_jax.estimate both"),
        (CIRCLE, both, {}, "2 slots go with a spaces.Product of as many features; got circle, no product"),
        (spaces.Product((CIRCLE,)), both, {}, "2 slots go with .* got product.circle; max., 1 features"),
        (pair, both, {"exponent": np.inf}, "finite exponent"),
    ):
        with pytest.raises(ValueError, match=words):
            accuracy(space, similarity, **options)
    with pytest.raises(ValueError, match="means of slots take the exponent 1"):
        laws.slots.identification(pair, Slots(both.slots, "mean"), exponent=2.0)
    many = spaces.Product((INTERVAL,) * 4)
    with pytest.raises(ValueError, match="at most 100,000 of them"):
        laws.slots.identification(many, Slots([Linear(0.2)] * 4), n=3)


def test_items_at_half_grow_like_the_inverse_ball_of_the_whole():
    for slots in (1, 2, 5):
        n = laws.slots.items_at_half([0.5, 0.2], slots)
        np.testing.assert_allclose(laws.identification(np.array([0.5, 0.2]) ** slots, n), 0.5, rtol=1e-12)
    assert laws.slots.items_at_half(0.1, 12) * 0.1**12 == pytest.approx(laws.slots.HALF_POINT, rel=1e-9)
    assert laws.slots.items_at_half(0.2, 400, aggregate="mean") == pytest.approx(1 + 1 / 0.2, rel=0.02)
    assert laws.slots.items_at_half(0.0, 2) == np.inf
    assert laws.slots.items_at_half(1.0, 2) == pytest.approx(2.0, rel=1e-12)
    assert laws.slots.items_at_half(0.0, 2, delta=1.0) == pytest.approx(2.0, rel=1e-12)


def test_noise_bounds_the_escape():
    delta, b = 0.1, 0.5
    nu = delta / (1 - delta)
    slots = np.array([10, 100, 1000])
    floors = laws.slots.shared_floor(delta, slots)
    product = floors**slots
    limit = np.exp(-1 / nu)
    assert (np.diff(abs(product / limit - 1)) < 0).all()
    assert product[-1] == pytest.approx(limit, rel=1 / (nu**2 * slots[-1]))
    for n in (2, 5):
        p_i = [laws.slots.many_items(b, n, slots=s, delta=f) for s, f in zip(slots, floors, strict=True)]
        off = abs(np.array(p_i) - 1 / (1 + (n - 1) * np.exp(-(1 - b) / nu)))
        assert (np.diff(off) < 0).all()
        assert off[-1] < 20 / slots[-1]
    assert laws.slots.shared_floor(0.1, [1, 4, 100, 400], "units").tolist() == [0.1, 0.2, 1.0, 1.0]


@pytest.mark.parametrize("model", laws.slots.MODELS)
def test_the_best_number_of_slots_is_the_best_and_falls_with_noise(model):
    best = [laws.slots.best_slots(delta, model=model, weight=0.8, most=20) for delta in (0.001, 0.01, 0.05, 0.2)]
    assert (np.diff([own.slots for own in best]) <= 0).all()
    for delta, own in zip((0.001, 0.01, 0.05, 0.2), best, strict=True):
        for slots in range(1, 21):
            at = laws.compositional(0.5, slots=slots, delta=laws.slots.shared_floor(delta, slots, model))
            assert 0.8 * at.feature + 0.2 * at.p_i <= own.value + EXACT
    with pytest.raises(ValueError, match="model must be one of signal, units; got 'noise'"):
        laws.slots.best_slots(0.1, model="noise")


def test_what_is_derived_is_what_is_computed():
    b, delta = 0.3, 0.2
    known = {"b": b, "Delta": delta}
    for name, aggregate in (("slots_product", "product"), ("slots_mean", "mean"), ("slots_nearest", None)):
        for side, expression in symbolic.LAWS[name].derive().items():
            numbers = [int(number) for number in re.findall(r"(?:S|n) = (\d)", side)]
            if not numbers:
                continue
            of = aggregate or side.rpartition(", ")[2]
            floor = delta if "floor" in side or aggregate is None else 0.0
            slots, n = (*numbers, 2)[:2]
            got = laws.compositional(b, slots=slots, aggregate=of, n=n, delta=floor)
            derived = float(expression.subs({symbol: known[symbol.name] for symbol in expression.free_symbols}))
            assert (got.whole if "wholes" in side else got.p_i) == pytest.approx(derived, abs=EXACT)
