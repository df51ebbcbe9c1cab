"""`accuracy` and `engine_for`: which engine where, in which precision, and what is said where there is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.laws import accuracy, closed_form, engine_for, quadrature
from semres_jax.similarity import Constant, Exponential, Linear
from tests.problems import LINE, PROBLEMS, WEIGHTED

# space, similarity, options, engine (None: no exact one)
TABLE = [
    (spaces.Circle(), Constant(0.1), {}, "closed_form"),
    (spaces.Hamming(8), Constant(0.1), {"n": 7}, "closed_form"),
    (spaces.Torus(2, "l2"), Constant(0.1), {"exponent": 2.0}, "closed_form"),
    (spaces.Torus(3, "l2"), Constant(0.1), {}, None),
    (spaces.Circle(), Linear(0.1), {}, "closed_form"),
    (spaces.Torus(1), Linear(0.1), {}, "closed_form"),
    (spaces.Sphere(1), Linear(0.1), {}, "closed_form"),
    (spaces.Circle(), Linear(0.1), {"n": 3}, "quadrature"),
    (spaces.Circle(), Linear(0.1, 0.1), {}, "quadrature"),
    (spaces.Circle(), Linear(0.1), {"exponent": 2.0}, "quadrature"),
    (spaces.Sphere(2), Linear(0.1), {}, "quadrature"),
    (spaces.Interval(), Linear(0.1), {}, "quadrature"),
    (spaces.Circle(), Exponential(0.1), {}, "quadrature"),
    (spaces.Interval(), Constant(0.1), {"n": 100}, "quadrature"),
    (spaces.Gaussian(5), Constant(0.1), {}, "quadrature"),
    (spaces.Product((spaces.Hamming(4), spaces.Interval())), Constant(0.1), {}, "quadrature"),
    (spaces.Product((spaces.Interval(),) * 3), Constant(0.1), {}, None),
    (spaces.Torus(3, "l2"), Exponential(0.1), {"n": 3}, None),
    (spaces.Product((spaces.Circle(), WEIGHTED)), Constant(0.1), {}, "quadrature"),
    (spaces.Tree.birds(), Constant(1.0), {"n": 100}, "enumeration"),
    (WEIGHTED, Constant(1.0), {}, "enumeration"),
    (WEIGHTED, Constant(1.0), {"n": 3}, "enumeration"),
    (WEIGHTED, Constant(1.0), {"n": 3, "replace": True}, "enumeration"),
    (WEIGHTED, Exponential(1.0), {}, "enumeration"),
]


@pytest.mark.parametrize(("space", "similarity", "options", "engine"), TABLE)
def test_which_engine(space, similarity, options, engine):
    if engine is not None:
        assert engine_for(space, similarity, **options) == engine
        return
    for ask in (accuracy, engine_for):
        with pytest.raises(ValueError, match=r"no exact engine .*; use semres_jax\.estimate$"):
            ask(space, similarity, **options)


@pytest.mark.thorough(keep=8)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_answers_of_the_problems(problem):
    assert engine_for(problem.space, problem.similarity, **problem.options) == problem.engine
    got = accuracy(problem.space, problem.similarity, **problem.options)
    np.testing.assert_allclose(got, problem.exact, rtol=0, atol=1e-9 if problem.space.label == "interval" else 1e-10)


@pytest.mark.parametrize("space", [spaces.Circle(), spaces.Interval(), spaces.Finite(LINE), WEIGHTED], ids=str)
def test_double_precision_whatever_the_flag(space):
    assert not jax.config.jax_enable_x64
    single, grid = accuracy(space, Constant(0.3, 0.1)), accuracy(space, Constant(jnp.array([[0.3], [0.4]]), [0.1, 0.2]))
    for p_single, p_grid in zip(single, grid, strict=True):
        assert isinstance(p_single, np.float64)
        assert isinstance(p_grid, np.ndarray)
        assert p_grid.dtype == np.float64
        assert p_grid.shape == (2, 2)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(single, accuracy(space, Constant(0.3, 0.1)))


def test_numbers_to_hit():
    best = accuracy(spaces.Circle(), Constant(0.25))
    assert best == (0.75, 0.75)
    peak = 1 / (3 - 2 * np.log(2))
    got = accuracy(spaces.Sphere(1), Linear(peak * np.pi))
    np.testing.assert_allclose(got.p_s, 0.5 + 1 / (6 - 4 * np.log(2)), rtol=0, atol=1e-15)
    np.testing.assert_allclose(accuracy(spaces.Interval(), Constant(0.5)), (2 / 3, 0.625), rtol=0, atol=1e-15)


def test_linear_grid():
    epsilons = np.array([[0.0, 0.1], [0.5, 2.0]])
    got = accuracy(spaces.Circle(), Linear(epsilons))
    assert (got.p_s[0, 0], got.p_i[0, 0]) == (0.5, 1.0)  # no resolution at all: all strengths 0
    with jax.enable_x64(True):
        np.testing.assert_allclose(got.p_s.ravel()[1:], closed_form.linear(2 * epsilons.ravel()[1:]).p_s, atol=1e-15)


def test_hamming_counts_duplicates():
    """i.i.d. strings: the binomial law of b, atoms and all."""
    space = spaces.Hamming(2)  # b(1/2) = 3/4
    got = accuracy(space, Constant(0.5, 0.1), n=3)
    with jax.enable_x64(True):
        np.testing.assert_allclose(got, closed_form.constant(0.75, n=3, delta=0.1), rtol=0, atol=1e-15)


@pytest.mark.parametrize("space", [spaces.Circle(), spaces.Ball(2), spaces.Finite(LINE), WEIGHTED], ids=str)
def test_traced_in_the_precision_around(space):
    def p_s(e, d):
        return accuracy(space, Constant(e, d)).p_s

    traced = jax.jit(p_s)(0.4, 0.1)
    assert traced.dtype == jnp.float32
    np.testing.assert_allclose(traced, p_s(0.4, 0.1), atol=1e-6)
    slope = jax.grad(p_s, argnums=1)(0.4, 0.1)
    np.testing.assert_allclose(slope, (p_s(0.4, 0.11) - p_s(0.4, 0.09)) / 0.02, atol=1e-3)


def test_gradient_on_the_circle(x64):
    for kind in (Constant, Linear):

        def p_s(e, kind=kind):
            return accuracy(spaces.Circle(), kind(e)).p_s

        np.testing.assert_allclose(jax.grad(p_s)(0.2), (p_s(0.2 + 1e-6) - p_s(0.2 - 1e-6)) / 2e-6, atol=1e-8)


def test_new_numbers_are_not_traced_again():
    accuracy(spaces.Interval(), Constant(0.3))
    traced = quadrature._constant._cache_size()
    accuracy(spaces.Interval(), Constant(0.4, 0.1), exponent=3.0)
    assert quadrature._constant._cache_size() == traced


def test_refusals():
    with pytest.raises(ValueError, match="n must be at least 2"):
        accuracy(spaces.Circle(), Constant(0.1), n=1)
    with pytest.raises(ValueError, match=r"4 distinct items and a probe need 5 stimuli; finite\(4\) has 4 \(use fewer"):
        accuracy(spaces.Finite(LINE), Constant(0.1), n=4)
    with pytest.raises(ValueError, match="exponent must be one number, at least 0; got -1"):
        accuracy(spaces.Circle(), Constant(0.1), exponent=-1)
