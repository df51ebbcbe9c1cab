"""Products of finite spaces are finite: the same as one table of all their pairs of features."""

import itertools
import math

import jax
import numpy as np
import pytest

from semres_jax import Constant, Exponential, Linear, accuracy, estimate, frontier, spaces
from semres_jax.laws import engine_for, enumeration

EXACT = 1e-12
STANDARD_ERRORS = 5
COMBINED = {"max": lambda *d: max(d), "min": lambda *d: min(d), "l1": lambda *d: sum(d), "l2": math.hypot}
LINE = spaces.Finite([[0, 1, 3], [1, 0, 2], [3, 2, 0]])
PAIR = spaces.Finite([[0.0, 1.5], [1.5, 0.0]])
WEIGHTED = spaces.Finite(LINE.distances, weights=[0.2, 0.3, 0.5])


def listed(factors, metric):
    """One table, written out entry by entry; the last feature changes fastest."""
    points = list(itertools.product(*(range(factor.size) for factor in factors)))

    def far(x, y):
        tables = [np.asarray(factor.distances) for factor in factors]
        return COMBINED[metric](*(float(t[i, j]) for t, i, j in zip(tables, x, y, strict=True)))

    weights = [np.full(f.size, 1 / f.size) if f.weights is None else np.asarray(f.weights) for f in factors]
    weight = [math.prod(w[i] for w, i in zip(weights, point, strict=True)) for point in points]
    table = np.array([[0.0 if x == y else far(x, y) for y in points] for x in points])
    return spaces.Finite(table, None if all(factor.weights is None for factor in factors) else np.array(weight))


@pytest.mark.thorough(keep=6)
@pytest.mark.parametrize("factors", [(LINE, PAIR), (WEIGHTED, PAIR), (LINE,)], ids=["equal", "weighted", "single"])
@pytest.mark.parametrize("metric", list(COMBINED))
def test_a_product_of_finite_spaces_is_its_table(factors, metric):
    product, table = spaces.Product(factors, metric), listed(factors, metric)
    assert product.size == table.size
    assert (product.weights is None) == (table.weights is None)
    np.testing.assert_allclose(product.distances, table.distances, rtol=1e-15)
    similarities = [Constant(np.array([1.6, 2.2])), Exponential(np.array([0.5, 2.0]))]
    for n, replace, similarity in itertools.product((2,), (False, True), similarities):
        options = {"n": n, "replace": replace}
        assert engine_for(product, similarity, **options) == "enumeration"
        got, want = (accuracy(space, similarity, **options) for space in (product, table))
        np.testing.assert_allclose(got, want, rtol=0, atol=EXACT, err_msg=f"{options}")
    assert enumeration.tie_rate(product) == pytest.approx(enumeration.tie_rate(table), abs=EXACT)
    points = np.arange(product.size)
    indices = np.unravel_index(points, [factor.size for factor in factors])
    for p, other in ((points[:, None], points[None]), (tuple(i[:, None] for i in indices), points[None])):
        np.testing.assert_allclose(product.distance(p, other), table.distances, rtol=1e-6)
    if metric in ("max", "min"):
        r = np.full(product.size, 1.7)
        np.testing.assert_allclose(product.ball_measure(points, r), table.ball_measure(points, r), rtol=1e-6)
        np.testing.assert_array_equal(product.ball_measure(points, r), product.ball_measure(indices, r))


@pytest.mark.parametrize("n", [2, 4])
def test_distinct_items_by_default(n):
    """With four of five others in every trial the difference to repeated ones is large."""
    product, similarity = spaces.Product((LINE, PAIR), "l1"), Linear(2.5, 0.1) if n == 2 else Constant(1.2, 0.1)
    for space in (product, spaces.Product((WEIGHTED, PAIR)))[: 2 if n == 2 else 1]:
        run = estimate(space, similarity, key=jax.random.key(0), trials=2**14, n=n)
        want = accuracy(space, similarity, n=n)
        for name in ("p_s", "p_i"):
            off = abs(getattr(run, name) - getattr(want, name))
            assert off < STANDARD_ERRORS * getattr(run, f"{name}_stderr"), name
        repeated = accuracy(space, similarity, n=n, replace=True)
        assert abs(repeated.p_i - want.p_i) > 0.02


def test_draws_are_all_different_and_equally_likely():
    product = spaces.Product((LINE, PAIR))
    u = np.random.default_rng(0).random((3, 6000)).astype(np.float32)
    drawn = np.stack(product.distinct(list(u)))
    assert (drawn[0] != drawn[1]).all()
    assert (drawn[1] != drawn[2]).all()
    assert (drawn[0] != drawn[2]).all()
    counts = np.bincount(drawn[2], minlength=6)
    assert (abs(counts - 1000) < STANDARD_ERRORS * math.sqrt(1000)).all()
    every = np.stack(spaces.Product((WEIGHTED, PAIR)).distinct([np.full(1, x, np.float32) for x in (0.1, 0.5, 0.9)]))
    assert len(set(every.ravel().tolist())) == 3
    with pytest.raises(ValueError, match=r"7 distinct points asked of product\(.*\), which has 6"):
        product.distinct([np.float32(0.5)] * 7)


def test_many_items_and_a_sweep():
    side = spaces.Finite(np.abs(np.arange(7.0)[:, None] - np.arange(7.0)))
    product = spaces.Product((side, side), "l1")
    table = listed((side, side), "l1")
    run = estimate(product, Constant(2.5), key=jax.random.key(1), trials=2**12, n=40)  # more than are unrolled
    want = accuracy(table, Constant(2.5), n=40)
    assert abs(run.p_i - want.p_i) < STANDARD_ERRORS * run.p_i_stderr
    grid = {"epsilon": [1.5, 3.5]}
    mine, theirs = (frontier.sweep({"grid": space}, Constant, 2, **grid) for space in (product, table))
    for name in ("p_s", "p_i", "mean_b", "var_b", "tie_rate"):
        np.testing.assert_allclose(mine[name], theirs[name], rtol=0, atol=EXACT, err_msg=name)
    with pytest.raises(ValueError, match=r"49 distinct items and a probe need 50 stimuli; product\(.*\) has 49"):
        accuracy(product, Constant(2.5), n=49)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("metric", ["min", "max"])
def test_one_continuous_feature_makes_points_different(metric):
    """No two points are the same, so that repeated ones make no difference; sharing a feature is no repetition."""
    mixed = spaces.Product((LINE, spaces.Circle()), metric)
    assert mixed.size is None
    assert mixed.weights is None
    assert mixed.distances is None
    assert spaces.Product((LINE, spaces.Hamming(3)), metric).size is None  # whose bits are drawn anew for each item
    similarity = Constant(0.3)
    distinct, repeated = (accuracy(mixed, similarity, replace=replace) for replace in (False, True))
    assert distinct == repeated
    run = estimate(mixed, similarity, key=jax.random.key(2), trials=2**14)
    for name in ("p_s", "p_i"):
        assert abs(getattr(run, name) - getattr(distinct, name)) < STANDARD_ERRORS * getattr(run, f"{name}_stderr")


def test_more_stimuli_than_a_table_takes():
    side = spaces.Finite(np.abs(np.arange(150.0)[:, None] - np.arange(150.0)))
    product = spaces.Product((side, side))
    assert product.size == 22500
    with pytest.raises(ValueError, match=r"no exact engine for .* on product\(.*; use semres_jax\.estimate"):
        accuracy(product, Constant(10.5))
    repeated = accuracy(product, Constant(10.5), replace=True)
    run = estimate(product, Constant(10.5), key=jax.random.key(3), trials=2**14)
    # Distinct items differ from repeated ones by the order of 1/N.
    assert abs(run.p_i - repeated.p_i) < STANDARD_ERRORS * run.p_i_stderr + 2 / product.size
    swept = frontier.sweep(product, Constant, 2, epsilon=[10.5], method="lattice", trials=2**10)
    assert np.isnan(swept.tie_rate).all()
    heavy = spaces.Finite(side.distances, weights=np.arange(1.0, 151.0) / 11325)
    with pytest.raises(ValueError, match=r"unequal weights .* at most 10,000; .* has 22,500"):
        estimate(spaces.Product((heavy, side)), Constant(10.5), key=jax.random.key(3), trials=2**10)


def test_a_grid_of_all_stimuli():
    product = spaces.Product((WEIGHTED, PAIR))
    every = spaces.grid(product, 6)
    np.testing.assert_array_equal(every.distances, product.distances)
    np.testing.assert_array_equal(every.weights, product.weights)
    with pytest.raises(ValueError, match=r"product\(.*\) has 6 stimuli of its own; got stimuli = 5"):
        spaces.grid(product, 5)
