"""The constant similarity and ties on finite spaces, against brute force."""

import math
import time

import jax
import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.laws import closed_form, enumeration
from semres_jax.montecarlo.estimate import estimate
from semres_jax.similarity import Constant
from semres_jax.spaces import neighbours
from tests.laws.brute_force import EXACT, STANDARD_ERRORS, brute_force, draws, table, weights_of

CASES = [
    # weights, replace, (size, n)
    ("equal", False, ((8, 2), (7, 3), (6, 4), (5, 4))),
    ("equal", True, ((8, 2), (6, 3), (5, 4))),
    ("unequal", False, ((8, 2), (3, 2))),
    ("unequal", True, ((8, 2), (6, 3), (5, 4))),
    ("zeros", False, ((8, 2),)),
    ("heavy", False, ((6, 2), (3, 2))),
]


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("kind", "replace", "shapes"), CASES)
def test_against_brute_force(kind, replace, shapes, ties, x64):
    for size, n in shapes:
        distances, weights = table(size, ties), weights_of(kind, size)
        space = spaces.Finite(distances, None if kind == "equal" else weights)
        values = np.unique(distances)
        epsilons = [0.0, values[1], float(np.median(values)), values[-2], 10.0]
        deltas = np.array([0.0, 0.3, 1.0])
        similarity = Constant(np.array(epsilons)[:, None], deltas[None, :])
        got = enumeration.constant(space, similarity, n=n, replace=replace)
        assert got.p_s.shape == got.p_i.shape == (5, 3)
        want = np.array(
            [[brute_force(distances, weights, Constant(e, d), n, replace=replace) for d in deltas] for e in epsilons]
        )
        np.testing.assert_allclose(got.p_s, want[..., 0], rtol=0, atol=EXACT)
        np.testing.assert_allclose(got.p_i, want[..., 1], rtol=0, atol=EXACT)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 2.0])
def test_luce_exponent(exponent, x64):
    distances, weights = table(6), weights_of("unequal", 6)
    for given, n in ((None, 3), (weights, 2)):
        got = enumeration.constant(spaces.Finite(distances, given), Constant(0.5, 0.3), n=n, exponent=exponent)
        even = np.full(6, 1 / 6) if given is None else given
        want = brute_force(distances, even, Constant(0.5, 0.3), n, exponent)
        np.testing.assert_allclose([float(p) for p in got], want, rtol=0, atol=EXACT)


def test_argmax_reads_no_floor(x64):
    space = spaces.Finite(table(6))
    sharp, none = (enumeration.constant(space, Constant(0.5, d), exponent=a) for d, a in ((0.3, math.inf), (0.0, 1.0)))
    np.testing.assert_array_equal(sharp, none)


def test_formula_of_counts(x64):
    """The sum over k written out in THEORY.md, on the tree that comes with the package."""
    tree = spaces.Tree.birds()
    epsilons = np.quantile(np.asarray(tree.distances), [0.01, 0.3, 0.7, 0.99])
    got = enumeration.constant(tree, Constant(epsilons))
    k = (np.asarray(tree.distances)[None] <= epsilons[:, None, None]).sum(-1) - 1
    m = tree.size - 1
    p_s = (k * (k - 1) + (m - k) * (m - k - 1) + 4 * k * (m - k)) / (2 * m * (m - 1))
    np.testing.assert_allclose(got.p_s, p_s.mean(1), rtol=0, atol=1e-14)
    np.testing.assert_allclose(got.p_i, (1 - k / (2 * m)).mean(1), rtol=0, atol=1e-14)


def test_every_item_at_once(x64):
    """n = m: all other stimuli are items, so K = k exactly."""
    distances = table(40)
    got = enumeration.constant(spaces.Finite(distances), Constant(0.5), n=39)
    k = (distances <= 0.5).sum(1) - 1
    np.testing.assert_allclose(got.p_s, np.where(k > 0, 1 / np.maximum(k, 1), 1 / 39).mean(), atol=EXACT)


@pytest.mark.parametrize("kind", ["equal", "unequal"])
@pytest.mark.parametrize("replace", [False, True])
def test_grid_equals_one_by_one(kind, replace, x64):
    space = spaces.Finite(table(30), weights_of(kind, 30))
    epsilons, deltas = np.array([0.7, 0.1, 0.7, 1.5]), np.array([[0.0], [0.2]])
    grid = enumeration.constant(space, Constant(epsilons[None], deltas), replace=replace)
    for i, j in np.ndindex(2, 4):
        single = enumeration.constant(space, Constant(epsilons[j], deltas[i, 0]), replace=replace)
        for name in ("p_s", "p_i"):
            np.testing.assert_allclose(getattr(grid, name)[i, j], getattr(single, name), rtol=0, atol=1e-15)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize("kind", ["equal", "unequal"])
@pytest.mark.parametrize("replace", [False, True])
def test_traced_counts_agree(kind, replace, x64):
    space = spaces.Finite(table(30, ties=True), weights_of(kind, 30))
    epsilons = np.array([0.0, 1.0, 2.0, 9.0])

    def run(e):
        return enumeration.constant(space, Constant(e, 0.1), replace=replace)

    for traced in (jax.jit(run)(epsilons), jax.vmap(run)(epsilons)):
        np.testing.assert_allclose(traced, run(epsilons), rtol=0, atol=1e-14)
    through = jax.jit(lambda s: enumeration.constant(s, Constant(1.0, 0.1), replace=replace))
    if kind == "equal" or replace:
        np.testing.assert_allclose(through(space), np.stack(run(np.array(1.0))), rtol=0, atol=1e-14)


def test_gradient_in_delta(x64):
    for kind in ("equal", "unequal"):
        space = spaces.Finite(table(30), weights_of(kind, 30))

        def run(e, d, space=space):
            return enumeration.constant(space, Constant(e, d)).p_s

        slope = jax.grad(run, argnums=(0, 1))(0.5, 0.2)
        step = 1e-5
        assert slope[0] == 0
        np.testing.assert_allclose(slope[1], (run(0.5, 0.2 + step) - run(0.5, 0.2 - step)) / (2 * step), atol=1e-9)


def test_moments():
    distances, weights = table(9), weights_of("zeros", 9)
    for epsilon in (0.0, 0.4, 0.8):
        inside = distances <= epsilon
        ball = (inside * weights).sum(1)
        share = ((inside & ~np.eye(9, dtype=bool)) * weights).sum(1) / (1 - weights)
        for got, b in (
            (neighbours.moments(spaces.Finite(distances, weights), epsilon, replace=True), ball),
            (neighbours.moments(spaces.Finite(distances, weights), epsilon), share),
        ):
            mean = weights @ b
            np.testing.assert_allclose(got, (mean, weights @ (b - mean) ** 2), rtol=0, atol=1e-14)
    space = spaces.Finite(distances)
    equal = neighbours.moments(space, np.array([[0.4, 0.8]]))
    k = (distances <= 0.4).sum(1) - 1
    assert equal[0].shape == (1, 2)
    np.testing.assert_allclose([m[0, 0] for m in equal], (np.mean(k / 8), np.var(k / 8)), atol=1e-14)
    ball = neighbours.moments(space, 0.4, replace=True)
    np.testing.assert_allclose(ball, (np.mean((k + 1) / 9), np.var((k + 1) / 9)), atol=1e-14)


def test_moments_give_the_independent_law(x64):
    """With replacement and n = 2 mean and variance of the ball measure are enough (theorem 2)."""
    space, epsilons = spaces.Finite(table(50), weights_of("unequal", 50)), np.linspace(0.0, 2.0, 9)
    want = closed_form.constant_moments(*neighbours.moments(space, epsilons, replace=True), delta=0.1)
    np.testing.assert_allclose(enumeration.constant(space, Constant(epsilons, 0.1), replace=True), want, atol=1e-14)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize(("weighted", "n", "replace"), [(False, 5, False), (True, 2, False), (True, 3, True)])
def test_against_monte_carlo(weighted, n, replace, x64):
    space = spaces.Finite(table(40), weights_of("unequal", 40) if weighted else None)
    similarity = Constant(np.array([0.3, 0.8]), 0.1)
    exact = enumeration.constant(space, similarity, n=n, replace=replace)
    run = estimate(space, similarity, key=jax.random.key(0), trials=2**17, n=n, replace=replace, method="prng")
    assert (np.abs(run.p_s - exact.p_s) < STANDARD_ERRORS * run.p_s_stderr).all()
    assert (np.abs(run.p_i - exact.p_i) < STANDARD_ERRORS * run.p_i_stderr).all()
    moments = neighbours.moments(space, [0.3, 0.8], replace=replace)
    np.testing.assert_allclose([run.mean_b, run.var_b], moments, atol=0.01)


@pytest.mark.parametrize(
    ("values", "looked_up"),
    [
        (lambda d: d[::50], True),  # distances themselves: d <= epsilon is decided by the last bit
        (lambda d: np.nextafter(d[::50], 0.0), True),
        (lambda d: np.linspace(0.0, 3.0, 200), True),
        (lambda d: np.geomspace(1e-3, 1.0, 200), True),
        (lambda d: np.zeros(1), True),
        (lambda d: np.array([0.0, 1e-310, 5e-310]), False),
        (lambda d: np.append(d[5:9], np.nextafter(d[5:9], 9.0)), False),
    ],
)
def test_counts_are_exact(values, looked_up):
    for distances in (table(60), table(60).astype(np.float32), 1e-300 * table(60), table(60, ties=True)):
        epsilons = np.unique(values(np.unique(distances[distances > 0])))
        want = (distances[:, :, None] <= epsilons).sum(1)
        np.testing.assert_array_equal(neighbours.counts(distances, epsilons), want)
    assert (neighbours._lookup(np.unique(values(np.unique(table(60)[table(60) > 0])))) is not None) == looked_up


def test_two_thousand_stimuli_take_no_time(x64):
    space = spaces.Finite(table(2000))
    similarity = Constant(np.linspace(0.0, 2.0, 200))
    enumeration.constant(space, similarity)  # compile
    started = time.process_time()
    np.asarray(enumeration.constant(space, similarity).p_s)
    assert time.process_time() - started < 2.0  # 0.1 s on two idle cores


def test_refusals():
    space = spaces.Finite(table(5), weights_of("unequal", 5))
    with pytest.raises(ValueError, match=r"n = 2 only; got n = 3 \(use semres_jax\.estimate"):
        enumeration.constant(space, Constant(0.1), n=3)
    with pytest.raises(ValueError, match=r"5 distinct items and a probe need 6 stimuli; finite\(5\) has 5 \(use fewer"):
        enumeration.constant(spaces.Finite(table(5)), Constant(0.1), n=5)
    with pytest.raises(ValueError, match=r"need 3 stimuli; .* has 2 of positive weight"):
        enumeration.constant(spaces.Finite(table(4), weights_of("zeros", 4)), Constant(0.1))
    with pytest.raises(ValueError, match="n must be at least 2"):
        enumeration.constant(space, Constant(0.1), n=1)
    with pytest.raises(ValueError, match=r"circle has no table of distances to enumerate; use semres_jax\.estimate"):
        enumeration.constant(spaces.Circle(), Constant(0.1))


TIED = [("equal", False, 2), ("equal", False, 3), ("equal", False, 5), ("equal", True, 3), ("unequal", True, 3)]
TIED += [("zeros", True, 2), ("unequal", False, 2), ("heavy", False, 2)]


@pytest.mark.parametrize(("kind", "replace", "n"), TIED)
def test_tie_rate_against_brute_force(kind, replace, n):
    for ties in (False, True):
        distances, weights = table(6, ties), weights_of(kind, 6)
        got = enumeration.tie_rate(spaces.Finite(distances, None if kind == "equal" else weights), n=n, replace=replace)
        points, chance = draws(weights, n + 1, replace)
        d = distances[points[:, :1], points[:, 1:]]
        np.testing.assert_allclose(got, chance @ ((d == d.min(1, keepdims=True)).sum(1) > 1), rtol=0, atol=EXACT)
        if not ties and not replace:
            assert got == 0


def test_a_third_of_an_ultrametric_tree_is_ties():
    """Every triple of leaves of a binary one has one outlier, to which the others are equally close."""
    assert enumeration.tie_rate(spaces.Tree.from_newick("(((a:1,b:1):1,c:2):1,(d:2,e:2):1);")) == pytest.approx(1 / 3)


def test_refusals_of_tie_rate():
    with pytest.raises(ValueError, match="circle has no known table of distances"):
        enumeration.tie_rate(spaces.Circle())
    with pytest.raises(ValueError, match="for n = 2 only; got n = 3"):
        enumeration.tie_rate(spaces.Finite(table(5), weights_of("unequal", 5)), n=3)
