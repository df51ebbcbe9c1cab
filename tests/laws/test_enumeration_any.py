"""Any similarity on finite spaces, against brute force."""

import math

import jax
import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.laws import _subsets, enumeration
from semres_jax.montecarlo.estimate import estimate
from semres_jax.similarity import Constant, Exponential, Gaussian, Linear, PowerLaw, Tabulated
from tests.laws.brute_force import EXACT, STANDARD_ERRORS, brute_force, table, weights_of

# The smallest resolution puts strengths far below what a float holds.
SIMILARITIES = {
    "exponential": lambda top: Exponential(np.array([1e-3 * top, 0.3, 0.3]), np.array([0.0, 0.0, 0.1])),
    "linear": lambda top: Linear(np.array([0.0, 0.4, 2 * top]), np.array([0.0, 0.1, 0.0])),
    "gaussian": lambda top: Gaussian(np.array([0.1, 0.4, 1.0])),
    "powerlaw": lambda top: PowerLaw(np.array([0.1, 0.3, 1.0]), 2.0, np.array([0.0, 0.0, 0.3])),
    "tabulated": lambda top: Tabulated(
        np.array([0.0, 0.5, 1.0]), np.array([[1.0, 0.4, 0.0], [1, 1, 1], [1.0, 0.1, 0.1]])
    ),
}
ONE_BY_ONE = {
    "exponential": lambda s, i: Exponential(s.epsilon[i], s.delta[i]),
    "linear": lambda s, i: Linear(s.epsilon[i], s.delta[i]),
    "gaussian": lambda s, i: Gaussian(s.epsilon[i]),
    "powerlaw": lambda s, i: PowerLaw(s.epsilon[i], 2.0, s.delta[i]),
    "tabulated": lambda s, i: Tabulated(s.distances, s.values[i]),
}
MOST_WEIGHTS = [("equal", False), ("equal", True), ("unequal", False), ("unequal", True)]


def compare(kind, replace, ties, size, n, name, exponents=(1.0,)):
    distances, weights = table(size, ties), weights_of(kind, size)
    space = spaces.Finite(distances, None if kind == "equal" else weights)
    grid = SIMILARITIES[name](distances.max())
    for exponent in exponents:
        got = enumeration.accuracy(space, grid, n=n, exponent=exponent, replace=replace)
        for i in range(3):
            want = brute_force(distances, weights, ONE_BY_ONE[name](grid, i), n, exponent, replace)
            np.testing.assert_allclose([p[i] for p in got], want, rtol=0, atol=EXACT, err_msg=f"{i}, {exponent}")


# Every similarity with the weights that take most terms, every kind of weights with one similarity.
@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize(
    ("kind", "replace", "name"),
    [*(("unequal", False, name) for name in SIMILARITIES), *((*w, "linear") for w in MOST_WEIGHTS if w[0] == "equal")],
)
def test_any_similarity_against_brute_force(kind, replace, name, x64):
    for ties in (False, True):
        compare(kind, replace, ties, 6, 3, name)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize(("kind", "replace"), [*MOST_WEIGHTS, ("zeros", False), ("zeros", True), ("heavy", False)])
def test_any_number_of_items_against_brute_force(kind, replace, x64):
    for ties in (False, True):
        compare(kind, replace, ties, 8, 2, "exponential")
        compare(kind, replace, ties, 6 if kind != "zeros" else 7, 4, "exponential")


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize(("kind", "replace"), MOST_WEIGHTS)
def test_any_exponent_against_brute_force(kind, replace, x64):
    compare(kind, replace, True, 6, 2, "linear", (math.inf,))
    compare(kind, replace, True, 6, 3, "linear", (0.0, 0.5, 2.0, math.inf))
    compare(kind, replace, False, 6, 3, "linear", (0.0, 3.0, math.inf))


def test_every_item_at_once_for_any_similarity(x64):
    """n = m: the sum over all others, one by one."""
    distances = table(40)
    g = np.exp(-distances / 0.2)
    np.fill_diagonal(g, 0.0)
    got = enumeration.accuracy(spaces.Finite(distances), Exponential(0.2), n=39)
    np.testing.assert_allclose(got.p_s, (g.max(1) / g.sum(1)).mean(), rtol=0, atol=EXACT)


def test_more_probes_than_fit_one_block(x64, monkeypatch):
    monkeypatch.setattr(_subsets, "_BUDGET", 2**9)  # ten probes at once; no other test has this many
    compare("unequal", False, False, 25, 2, "gaussian")


def test_constant_is_counted(x64):
    """`accuracy` is `constant` where that applies, and what it does for others agrees with it."""
    space, same = spaces.Finite(table(20, ties=True)), Tabulated([0.0, 1.0, 1.0 + 1e-9], [1.0, 1.0, 0.2])
    for n, replace in ((5, False), (3, True)):
        counted = enumeration.constant(space, Constant(1.0, 0.2), n=n, replace=replace)
        np.testing.assert_array_equal(enumeration.accuracy(space, Constant(1.0, 0.2), n=n, replace=replace), counted)
        np.testing.assert_allclose(enumeration.accuracy(space, same, n=n, replace=replace), counted, rtol=0, atol=EXACT)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize(("kind", "n", "replace"), [("equal", 4, True), ("unequal", 3, False)])
def test_gradients_against_differences(kind, n, replace, x64):
    space = spaces.Finite(table(12, ties=True), None if kind == "equal" else weights_of(kind, 12))

    def run(e, d):
        return sum(enumeration.accuracy(space, Exponential(e, d), n=n, replace=replace))

    slope = jax.jit(jax.grad(run, argnums=(0, 1)))
    step = 1e-6
    for e, d in ((0.4, 0.1), (1.0, 0.0)):
        got = slope(e, d)
        np.testing.assert_allclose(got[0], (run(e + step, d) - run(e - step, d)) / (2 * step), rtol=1e-6)
        # One-sided at the end of the range, to second order.
        there = (-3 * run(e, d) + 4 * run(e, d + step) - run(e, d + 2 * step)) / (2 * step)
        np.testing.assert_allclose(got[1], there, rtol=1e-5)


@pytest.mark.thorough
def test_gradients_are_finite_where_strengths_vanish(x64):
    """Zero distances, zero strengths, an exponent that is swept."""
    space = spaces.Finite(table(12, ties=True))
    slope = jax.grad(lambda e, d, a: enumeration.accuracy(space, Linear(e, d), n=3, exponent=a).p_s, argnums=(0, 1, 2))
    for point in ((0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (1.0, 0.2, 0.0), (9.0, 0.0, 2.0)):
        assert np.isfinite(slope(*point)).all(), point


def test_new_numbers_are_not_traced_again(x64):
    """Resolutions that need ten nodes, or a thousand, run the same program."""
    run = _subsets.averages
    enumeration.accuracy(spaces.Finite(table(9)), Exponential(np.array([0.3, 0.4])), n=3)
    traced = run._cache_size()
    got = enumeration.accuracy(spaces.Finite(table(9, seed=1)), Exponential(np.array([0.01, 9.0])), n=3, exponent=2.0)
    assert run._cache_size() == traced
    through = jax.jit(
        lambda e: enumeration.accuracy(spaces.Finite(table(9, seed=1)), Exponential(e), n=3, exponent=2.0)
    )
    np.testing.assert_allclose(through(np.array([0.01, 9.0])), got, rtol=0, atol=1e-14)


def test_single_precision():
    got = enumeration.accuracy(spaces.Finite(table(9).astype(np.float32)), Exponential(np.float32(0.3)), n=3)
    with jax.enable_x64(True):
        np.testing.assert_allclose(got, enumeration.accuracy(spaces.Finite(table(9)), Exponential(0.3), n=3), atol=2e-6)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("weighted", [False, True])
def test_any_similarity_against_monte_carlo(weighted, x64):
    space = spaces.Finite(table(40), weights_of("unequal", 40) if weighted else None)
    similarity = Exponential(np.array([0.1, 0.5]), 0.02)
    exact = enumeration.accuracy(space, similarity, n=5)
    run = estimate(space, similarity, key=jax.random.key(2), trials=2**17, n=5, method="prng")
    assert (np.abs(run.p_s - exact.p_s) < STANDARD_ERRORS * run.p_s_stderr).all()
    assert (np.abs(run.p_i - exact.p_i) < STANDARD_ERRORS * run.p_i_stderr).all()


def test_refusals_for_any_similarity(x64):
    space, g = spaces.Finite(table(5), weights_of("unequal", 5)), Exponential(0.1)
    with pytest.raises(ValueError, match=r"circle has no table of distances to enumerate; use semres_jax\.estimate"):
        enumeration.accuracy(spaces.Circle(), g)
    with pytest.raises(ValueError, match="5 distinct items and a probe need 6 stimuli"):
        enumeration.accuracy(space, g, n=5)
    with pytest.raises(ValueError, match=r"exponent must be one number, at least 0; got -1\.0"):
        enumeration.accuracy(space, g, exponent=-1.0)
    with pytest.raises(ValueError, match="n must be at least 2"):
        enumeration.accuracy(space, g, n=1)
    with pytest.raises(ValueError, match="weights must be known numbers, not traced ones, for n = 3 distinct items"):
        jax.jit(lambda s: enumeration.accuracy(s, g, n=3))(space)
