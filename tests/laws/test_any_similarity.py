"""Quadrature for any similarity: against closed forms, sums over tables, adaptive integrals, Monte Carlo and itself."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from semres_jax import spaces
from semres_jax.laws import _integrals, closed_form, enumeration, quadrature
from semres_jax.laws._setting import FINE
from semres_jax.montecarlo.estimate import estimate
from semres_jax.similarity import Constant, Exponential, Gaussian, Linear, PowerLaw, Tabulated

EXACT = 1e-10
STANDARD_ERRORS = 5
NS = (2, 3, 32, 100_000)
TABLE = Tabulated([0.0, 0.05, 0.2, 0.4], [1.0, 0.8, 0.3, 0.02])


def test_constant_similarity_on_a_circle(x64):
    """Every term of the law, by the general route; a jump of g in the middle of the integrals."""
    similarity = Constant(np.array([[0.001], [0.1], [0.4]]), np.array([[0.0, 0.1, 1.0]]))
    accuracies = quadrature.accuracies(spaces.Circle(), similarity, ns=NS)
    for n, got in zip(NS, accuracies, strict=True):
        want = closed_form.constant(2 * np.broadcast_to(similarity.epsilon, (3, 3)), n=n, delta=similarity.delta)
        np.testing.assert_allclose(got, want, rtol=0, atol=EXACT, err_msg=f"n = {n}")


def test_linear_similarity_on_a_circle(x64):
    """Below and beyond the diameter."""
    epsilons = np.linspace(0.01, 1.2, 40)
    got = quadrature.accuracy(spaces.Circle(), Linear(epsilons))
    np.testing.assert_allclose(got, closed_form.linear(2 * epsilons), rtol=0, atol=EXACT)


def test_every_homogeneous_space_is_the_circle(x64):
    """Only g as a function of u = b(d) matters: on the torus u = 4 d², on the circle u = 2 d."""
    epsilons = np.array([0.05, 0.2, 0.5])
    torus = quadrature.accuracies(spaces.Torus(2), Gaussian(epsilons, 0.01), ns=NS)
    circle = quadrature.accuracies(spaces.Circle(), Exponential(4 * epsilons**2, 0.01), ns=NS)
    for a, b in zip(torus, circle, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=EXACT)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize("similarity", [Exponential(0.004), PowerLaw(0.05, 3.0, 0.01), TABLE], ids=str)
def test_two_items_by_adaptive_integration(similarity, x64):
    """p_S = 2 ∫∫_{u<v} h(u)/(h(u)+h(v)), p_I = ∫ 1/(1+h), with scipy, between the kinks of h."""
    marks = [0.0, *(2 * float(k) for k in similarity.kinks() if 0 < k < 0.5), 1.0]

    def h(u):
        return np.exp(np.asarray(similarity.log(np.asarray(u) / 2)))

    def inner(u):
        own = float(similarity.log(u / 2))
        edges = [u, *(m for m in marks if m > u)]
        reach = [min(u + 20 * 2 * 0.004, 1.0)] if similarity.name == "exponential" else []  # where the ratio falls
        edges = sorted({*edges, *(r for r in reach if r > u)})
        return sum(
            integrate.fixed_quad(lambda v: 1 / (1 + np.exp(np.asarray(similarity.log(v / 2)) - own)), a, b, n=40)[0]
            for a, b in itertools.pairwise(edges)
        )

    p_s = 2 * sum(integrate.fixed_quad(np.vectorize(inner), a, b, n=40)[0] for a, b in itertools.pairwise(marks))
    p_i = sum(
        integrate.quad(lambda u: 1 / (1 + h(u)), a, b, epsabs=1e-13, points=[a + 0.02 * (b - a)])[0]
        for a, b in itertools.pairwise(marks)
    )
    np.testing.assert_allclose(quadrature.accuracy(spaces.Circle(), similarity), (p_s, p_i), rtol=0, atol=1e-10)


def test_floor_below_a_narrow_similarity(x64):
    """Two items on the circle, by Gauss-Legendre panels up to where nothing is left but the floor, and that by hand."""
    epsilons, deltas = np.array([0.003, 0.01, 0.01]), np.array([1e-3, 1e-6, 1e-12])
    nodes, weights = np.polynomial.legendre.leggauss(16)
    x = ((np.arange(32)[:, None] + (nodes + 1) / 2) / 32).ravel()  # on [0, 1]
    w = np.tile(weights / 64, 32)
    got = quadrature.accuracy(spaces.Circle(), Gaussian(epsilons, deltas))
    for e, delta, p_s, p_i in zip(epsilons, deltas, *got, strict=True):
        reach = 12 * e
        g, closer = (np.asarray(Gaussian(e, delta)(d)) for d in (reach * x, reach * x[:, None] * x))
        near = 2 * reach  # the chance to be within reach
        both = 2 * near**2 * (w * x) @ (closer / (closer + g[:, None])) @ w
        want_s = both + 2 * near * (1 - near) * w @ (g / (g + delta)) + (1 - near) ** 2 / 2
        want_i = near * w @ (1 / (1 + g)) + (1 - near) / (1 + delta)
        np.testing.assert_allclose((p_s, p_i), (want_s, want_i), rtol=0, atol=EXACT)


@pytest.mark.parametrize("exponent", [2.5, np.inf])
def test_atoms_against_sums(exponent, x64):
    """Strings of bits, as a table of 2^5 points drawn with replacement: ties and all."""
    bits = spaces.Hamming(5)
    strings = np.arange(32, dtype=np.uint32)
    table = spaces.Finite(np.asarray(bits.distance(strings[:, None], strings[None, :])))
    similarity = Linear(np.array([0.3, 0.6]), np.array([0.0, 0.01]))
    got = quadrature.accuracy(bits, similarity, n=4, exponent=exponent)
    want = enumeration.accuracy(table, similarity, n=4, exponent=exponent, replace=True)
    np.testing.assert_allclose(got, want, rtol=0, atol=EXACT)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize(
    ("space", "similarity"),
    [
        (spaces.Interval(), TABLE),
        (spaces.Sphere(9), Gaussian(np.array([0.2, 1.0]))),
        (spaces.Ball(2), Linear(np.array([0.3, 1.4]), 0.05)),
        (spaces.Product((spaces.Circle(), spaces.Hamming(3)), "min"), Exponential(np.array([0.1, 0.4]))),
    ],
    ids=lambda x: getattr(x, "label", getattr(x, "name", "")),
)
def test_against_monte_carlo(space, similarity, x64):
    exact = quadrature.accuracy(space, similarity, n=5)
    run = estimate(space, similarity, key=jax.random.key(5), trials=2**15, n=5)
    assert (np.abs(run.p_s - exact.p_s) < STANDARD_ERRORS * run.p_s_stderr).all()
    assert (np.abs(run.p_i - exact.p_i) < STANDARD_ERRORS * run.p_i_stderr).all()


@pytest.mark.parametrize(
    ("space", "similarity"),
    [
        (spaces.Interval(), Gaussian(np.array([0.003, 0.1, 0.8]), 0.01)),
    ],
    ids=lambda x: getattr(x, "label", getattr(x, "name", "")),
)
def test_reported_error_covers_the_true_one(space, similarity, x64):
    """The truth by twice the nodes everywhere."""
    ns = (2, 32, 1000)
    finer = FINE._replace(nodes=28, nats=1.5, step=0.22, probe_step=0.08)
    truths = quadrature.accuracies(space, similarity, ns=ns, rule=finer)
    for n, got, truth in zip(ns, quadrature.several(space, similarity, ns=ns), truths, strict=True):
        assert (np.abs(got.p_s - truth.p_s) <= got.p_s_error).all()
        assert (np.abs(got.p_i - truth.p_i) <= got.p_i_error).all()
        assert (np.maximum(got.p_s_error, got.p_i_error) < 1e-4).all()
        if n < 1000:  # as documented
            np.testing.assert_allclose(got[:2], truth, rtol=0, atol=1e-9)


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize("kind", [Exponential, Gaussian, Linear, PowerLaw], ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", ["circle", "sphere(9)", "torus(2)"])
def test_reported_errors_cover_the_true_ones_in_random_cells(name, kind, x64):
    """504 cells in all: resolutions from a hundredth of the diameter on, floors from none to 1."""
    space = spaces.get(name)
    rng = np.random.default_rng(len(name) + len(kind.name))
    epsilon = float(space.diameter) * 10.0 ** rng.uniform(-2.0, 0.3, 42)
    delta = np.where(rng.random(42) < 0.3, 0.0, 10.0 ** rng.uniform(-9.0, 0.0, 42))
    decay = (rng.uniform(0.5, 6.0, 42),) if kind is PowerLaw else ()
    problem = space, kind(epsilon, *decay, delta)
    ns, exponent = (2, 32), rng.choice([0.5, 1.0, 3.0])
    finer = FINE._replace(nodes=28, nats=1.5, step=0.22)
    truths = quadrature.accuracies(*problem, ns=ns, exponent=exponent, rule=finer)
    for got, truth in zip(quadrature.several(*problem, ns=ns, exponent=exponent), truths, strict=True):
        assert (np.abs(got.p_s - truth.p_s) <= got.p_s_error).all()
        assert (np.abs(got.p_i - truth.p_i) <= got.p_i_error).all()
        np.testing.assert_allclose(got[:2], truth, rtol=0, atol=1e-11)


def test_deeper_than_panels_resolve(x64):
    """Two items 1 nat apart are confused: p_S = 1 - 2 ln 2 / Λ + π² / 6 Λ² + O(e^-Λ) for a depth of Λ nats."""
    nats = np.array([833.0, 1_025.0, 25_000.0, 5e9])
    got = quadrature.integrate(spaces.Circle(), Exponential(0.5 / nats))
    np.testing.assert_allclose(got.p_s, 1 - 2 * np.log(2) / nats + np.pi**2 / 6 / nats**2, rtol=0, atol=1e-11)
    assert (got.p_s_error < 1e-9).all()


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize(
    ("space", "similarity", "exponent"),
    [
        (spaces.Hamming(12), Gaussian(0.04), 1.0),
        (spaces.Interval(), Linear(0.7), 12.0),
        (spaces.Sphere(3), Gaussian(0.1), 1.0),
        (spaces.Product((spaces.Hamming(3), spaces.Circle())), Gaussian(0.03), 1.0),
    ],
    ids=lambda x: getattr(x, "label", getattr(x, "name", "")),
)
def test_deep_and_shallow_integrals_meet(space, similarity, exponent, x64):
    """Whether panels reach 96 nats or 1,024: what lies beyond is another integral."""
    ns = (2, 5)
    for got, want in zip(
        *(
            quadrature.accuracies(space, similarity, ns=ns, exponent=exponent, rule=FINE._replace(depth=depth))
            for depth in (96, 1024)
        ),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-11)


def test_luce_exponent(x64):
    """e^{-d/ε} to the power a is e^{-ad/ε}; a = 0 guesses; an infinite a fails only where all are beyond ε."""
    got = quadrature.accuracy(spaces.Circle(), Exponential(0.3), n=5, exponent=2.5)
    want = quadrature.accuracy(spaces.Circle(), Exponential(0.3 / 2.5), n=5)
    np.testing.assert_allclose(got, want, rtol=0, atol=EXACT)
    guess = quadrature.accuracy(spaces.Circle(), Exponential(0.3), n=5, exponent=0.0)
    np.testing.assert_allclose(guess, 1 / 5, rtol=0, atol=EXACT)
    sharp = quadrature.accuracy(spaces.Circle(), Linear(0.2), n=5, exponent=np.inf)
    np.testing.assert_allclose(sharp, (1 - 0.6**5 + 0.6**5 / 5, 1.0), rtol=0, atol=EXACT)


@pytest.mark.thorough
def test_no_resolution_at_all(x64):
    """Where g is 0 all are the same; a power law is told by the ratio of distances, as at any small resolution."""
    for similarity in (Linear(0.0), PowerLaw(0.0, 2.0)):
        got = quadrature.accuracy(spaces.Circle(), similarity, n=4)
        p_s = (
            0.25 if similarity.name == "linear" else quadrature.accuracy(spaces.Circle(), PowerLaw(1e-12, 2.0), n=4).p_s
        )
        np.testing.assert_allclose(got, (p_s, 1.0), rtol=0, atol=EXACT, err_msg=similarity.name)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("space", "kind", "deltas"),
    [(spaces.Interval(), Linear, (0.1,))],
    ids=lambda x: getattr(x, "label", getattr(x, "name", "")),
)
def test_gradient_against_differences(space, kind, deltas, x64):
    def run(e, d):
        return jnp.stack(quadrature.accuracy(space, kind(e, d), n=3))

    slopes, step = jax.jit(jax.jacrev(run, argnums=(0, 1))), 1e-5
    for d in deltas:
        by_e, by_d = slopes(0.3, d)
        np.testing.assert_allclose(by_e, (run(0.3 + step, d) - run(0.3 - step, d)) / (2 * step), rtol=0, atol=2e-8)
        ahead = -3 * run(0.3, d) + 4 * run(0.3, d + step) - run(0.3, d + 2 * step)  # none below 0
        np.testing.assert_allclose(by_d, ahead / (2 * step), rtol=0, atol=2e-5)


@pytest.mark.thorough
def test_slope_in_the_resolution_without_a_floor(x64):
    """All of it from the end of the similarity, beyond which strengths are 0: proposition 1, differentiated."""
    slope = jax.grad(lambda e: quadrature.accuracy(spaces.Circle(), Linear(e)).p_s)(0.3)
    np.testing.assert_allclose(slope, 2 * (1 - 2 * (1.5 - np.log(2)) * 0.6), rtol=0, atol=1e-9)


def test_single_precision():
    """What is traced in float32 is computed in 64 bits, and answered in float32; a deep member beside another."""
    epsilon = np.array([0.1, 1e-6], np.float32)
    got = jax.jit(jax.vmap(lambda e: quadrature.accuracy(spaces.Circle(), Exponential(e), n=8)))(epsilon)
    assert got.p_s.dtype == jnp.float32
    np.testing.assert_allclose(got, quadrature.accuracy(spaces.Circle(), Exponential(epsilon), n=8), rtol=2e-7)


def test_new_numbers_are_not_traced_again(x64):
    run = _integrals.luce
    quadrature.accuracy(spaces.Sphere(2), Exponential(np.array([0.3, 1.0])), n=3)
    traced = run._cache_size()
    quadrature.accuracy(spaces.Sphere(2), Exponential(np.array([0.01, 4.0]), 0.1), n=3, exponent=2.0)
    assert run._cache_size() == traced


def test_refusals():
    with pytest.raises(ValueError, match=r"no quadrature .* torus\(3, l2\): it has none; use semres_jax\.estimate"):
        quadrature.accuracy(spaces.Torus(3, "l2"), Linear(0.1))
    with pytest.raises(ValueError, match="n must be at least 2"):
        quadrature.integrate(spaces.Circle(), Linear(0.1), n=1)
    with pytest.raises(ValueError, match="must not increase"):
        Tabulated([0.0, 1.0, 2.0], [1.0, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"between 0 and 1; got 1\.5"):
        Tabulated([0.0, 1.0], [1.5, 0.3])
    with pytest.raises(ValueError, match="must start at 0 and increase"):
        Tabulated([0.0, 2.0, 1.0], [1.0, 0.5, 0.3])
