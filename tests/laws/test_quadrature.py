"""Averages over probes against closed forms, adaptive quadrature of the same ball measures, and Monte Carlo."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from semres_jax import spaces
from semres_jax.laws import closed_form, enumeration, quadrature
from semres_jax.montecarlo.estimate import estimate
from semres_jax.similarity import Constant

CLOSED_FORM = 1e-12
ADAPTIVE = 1e-10
STANDARD_ERRORS = 5


def binomial_law(b, n, delta):
    """Both accuracies as the sums of THEORY.md, by scipy's binomials."""
    k = np.arange(n + 1)
    credit = 1 / np.where(k == 0, n, k + (n - k) * delta)
    j = k[:n]
    return np.array(
        [stats.binom.pmf(k, n, b) @ credit, stats.binom.pmf(j, n - 1, b) @ (1 / (1 + j + (n - 1 - j) * delta))]
    )


def averaged(ball, density, ends, kinks, n, delta):
    """The law averaged over t with that density, adaptively between the kinks."""
    edges = [ends[0], *sorted(k for k in kinks if ends[0] < k < ends[1]), ends[1]]

    def integrand(t):
        return density(t) * binomial_law(ball(t), n, delta)

    pieces = [integrate.quad_vec(integrand, a, b, epsabs=1e-13, epsrel=1e-12)[0] for a, b in itertools.pairwise(edges)]
    return sum(pieces)


def disk_lens(t, r):
    """Share of the unit disk within r of a point at t (Weisstein, Circle-Circle Intersection)."""
    if r <= 1 - t:
        return r * r
    if r >= 1 + t:
        return 1.0
    a, b = (t * t + r * r - 1) / (2 * t * r), (t * t + 1 - r * r) / (2 * t)
    root = math.sqrt((-t + r + 1) * (t + r - 1) * (t - r + 1) * (t + r + 1))
    return (r * r * math.acos(a) + math.acos(b) - root / 2) / math.pi


def ball_lens(t, r):
    """The same in three dimensions (Weisstein, Sphere-Sphere Intersection)."""
    if r <= 1 - t:
        return r**3
    if r >= 1 + t:
        return 1.0
    return (1 + r - t) ** 2 * (t * t + 2 * t * (1 + r) - 3 * (r * r + 1) + 6 * r) / (16 * t)


def on_axis(space, r, lift):
    """t -> b_p(r) of the package itself, for the probe `lift(t)` on the first axis."""
    ball = jax.jit(lambda t: space.ball_measure(jnp.stack([lift(t), 0.0 * t]), r))
    return lambda t: float(ball(t))


def segment(t, r):
    return min(t + r, 1.0) - max(t - r, 0.0)


def problem(name, r):
    """Space, and independently: its ball measure along t, the density of t, the range of t and the kinks."""
    interval = (lambda t: 1.0, (0.0, 1.0), (r, 1 - r))
    if name == "interval":
        return spaces.Interval(), lambda t: segment(t, r), *interval
    if name == "product":
        both = spaces.Product((spaces.Circle(), spaces.Interval()))
        return both, lambda t: min(2 * r, 1.0) * segment(t, r), *interval
    if name == "ball(2)":
        return spaces.Ball(2), lambda t: disk_lens(t, r), lambda t: 2 * t, (0.0, 1.0), (abs(1 - r),)
    if name == "ball(3)":
        return spaces.Ball(3), lambda t: ball_lens(t, r), lambda t: 3 * t * t, (0.0, 1.0), (abs(1 - r),)
    if name.startswith("gaussian"):
        dim = int(name[9:-1])
        chi = stats.chi(dim)
        return spaces.Gaussian(dim), lambda t: special.chndtr(r * r, dim, t * t), chi.pdf, (0.0, 12.0), (1.0, 2.0, 4.0)
    assert name == "hyperbolic"
    disk = spaces.Hyperbolic()
    density = lambda t: math.sinh(t) / (math.cosh(2.0) - 1)  # noqa: E731
    return disk, on_axis(disk, r, lambda t: jnp.sinh(t / 2)), density, (0.0, 2.0), (abs(2.0 - r),)


@pytest.mark.thorough(keep=4)
@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("interval", ((2, 0.0), (3, 0.2), (8, 0.0), (32, 0.05))),
        ("product", ((3, 0.0),)),
        ("ball(2)", ((32, 0.05),)),
        ("ball(3)", ((8, 0.1),)),
        ("gaussian(2)", ((8, 0.1),)),
        ("gaussian(5)", ((2, 0.3),)),
        ("hyperbolic", ((8, 0.1),)),
    ],
)
def test_against_adaptive_integration(name, tasks, x64):
    radii = (0.15, 0.8)
    for n, delta in tasks:
        got = quadrature.constant(problem(name, 1.0)[0], Constant(np.array(radii), delta), n=n)
        want = np.transpose([averaged(*problem(name, r)[1:], n, delta) for r in radii])
        np.testing.assert_allclose(np.stack(got), want, rtol=0, atol=ADAPTIVE, err_msg=f"n = {n}")


def test_segment_against_its_moments(x64):
    """Theorem 2 with the polynomials of `segment_moments`."""
    epsilons, deltas = np.linspace(0.0, 1.2, 49)[:, None], np.array([0.0, 0.3, 1.0])[None]
    got = quadrature.constant(spaces.Interval(), Constant(epsilons, deltas))
    mean, variance = closed_form.segment_moments(np.broadcast_to(epsilons, (49, 3)))
    want = closed_form.constant_moments(mean, variance, delta=np.broadcast_to(deltas, (49, 3)))
    np.testing.assert_allclose(got, want, rtol=0, atol=CLOSED_FORM)


def test_square_against_its_moments(x64):
    """Two heterogeneous factors: a tensor product of panels."""
    square = spaces.Product((spaces.Interval(), spaces.Interval()))
    epsilons = np.array([0.0, 0.1, 0.5, 0.8, 1.1])
    got = quadrature.constant(square, Constant(epsilons))
    want = closed_form.constant_moments(*closed_form.box_moments(epsilons, 2))
    np.testing.assert_allclose(got, want, rtol=0, atol=CLOSED_FORM)


def test_square_of_three_items(x64):
    """Three items need <b>, <b²>, <b³>, and moments of independent factors multiply."""
    r = 0.3
    m1, m2, m3 = (integrate.quad(lambda t, k=k: segment(t, r) ** k, 0, 1, points=(r, 1 - r))[0] ** 2 for k in (1, 2, 3))
    square = spaces.Product((spaces.Interval(), spaces.Interval()))
    got = quadrature.constant(square, Constant(r), n=3)
    once, twice, thrice = 3 * (m1 - 2 * m2 + m3), 3 * (m2 - m3), m3
    nobody = 1 - 3 * m1 + 3 * m2 - m3
    np.testing.assert_allclose(got.p_s, once + twice / 2 + thrice / 3 + nobody / 3, atol=CLOSED_FORM)
    np.testing.assert_allclose(got.p_i, 1 - m1 + m2 / 3, atol=CLOSED_FORM)


@pytest.mark.parametrize("space", [spaces.Sphere(9), spaces.Hamming(8), spaces.Torus(2, "l1")], ids=str)
def test_homogeneous_is_closed_form(space, x64):
    epsilons = np.linspace(0.0, float(space.diameter), 7)
    probe = space.point(np.full(space.uniforms, 0.5))
    b = space.ball_measure(probe, epsilons)
    got = quadrature.constant(space, Constant(epsilons, 0.1))
    np.testing.assert_allclose(got, closed_form.constant(b, delta=0.1), rtol=0, atol=1e-15)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize(("name", "n"), [("ball(3)", 2), ("gaussian(5)", 2), ("hyperbolic", 6), ("product", 2)])
def test_against_monte_carlo(name, n, x64):
    space, *_ = problem(name, 0.7)
    similarity = Constant(np.array([0.3, 0.7, 1.5]), np.array([0.0, 0.1, 0.1]))
    exact = quadrature.constant(space, similarity, n=n)
    run = estimate(space, similarity, key=jax.random.key(1), trials=2**16, n=n)
    assert (np.abs(run.p_s - exact.p_s) < STANDARD_ERRORS * run.p_s_stderr).all()
    assert (np.abs(run.p_i - exact.p_i) < STANDARD_ERRORS * run.p_i_stderr).all()


def test_many_items(x64):
    """A boundary layer of width 1/n in b: the gaussian tail holds all of it."""
    got = quadrature.constant(spaces.Gaussian(2), Constant(0.5), n=10_000)
    ball, density, ends, _ = problem("gaussian(2)", 0.5)[1:]

    def p_i(t):
        b = np.maximum(ball(t), 1e-300)
        return density(t) * -np.expm1(10_000 * np.log1p(-b)) / (10_000 * b)

    want = integrate.quad(p_i, *ends, points=(2, 3, 4, 5, 6), epsabs=1e-13, limit=200)[0]
    np.testing.assert_allclose(got.p_i, want, rtol=0, atol=ADAPTIVE)


def test_grid_equals_one_by_one(x64):
    epsilons, deltas = np.linspace(0.05, 1.9, 7), np.array([[0.0], [0.2]])
    grid = quadrature.constant(spaces.Ball(2), Constant(epsilons[None], deltas), n=3)
    assert grid.p_s.shape == (2, 7)
    for i, j in ((0, 0), (1, 3), (0, 6)):
        single = quadrature.constant(spaces.Ball(2), Constant(epsilons[j], deltas[i, 0]), n=3)
        np.testing.assert_allclose([p[i, j] for p in grid], np.stack(single), rtol=0, atol=1e-14)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize(("name", "n"), [("interval", 4), ("ball(2)", 2), ("gaussian(2)", 2), ("hyperbolic", 2)])
def test_gradient_against_differences(name, n, x64):
    space, *_ = problem(name, 0.7)

    def run(e, d):
        return jnp.stack(quadrature.constant(space, Constant(e, d), n=n))

    slopes = jax.jit(jax.jacfwd(run, argnums=(0, 1)))
    step = 1e-5
    for point in ((0.4, 0.1), (0.7, 0.3)):
        for axis, slope in enumerate(slopes(*point)):
            ahead, behind = ([x + s * (i == axis) for i, x in enumerate(point)] for s in (step, -step))
            np.testing.assert_allclose(slope, (run(*ahead) - run(*behind)) / (2 * step), rtol=0, atol=2e-8)


@pytest.mark.thorough
def test_gradients_are_finite_at_the_edges(x64):
    """Where panels have no width, a kink is at 0 or 1, or two kinks meet."""
    for space in (spaces.Interval(), spaces.Ball(3), spaces.Gaussian(3), spaces.Hyperbolic()):
        slope = jax.jit(jax.grad(lambda e, space=space: jnp.sum(quadrature.constant(space, Constant(e, 0.1)).p_s)))
        assert np.isfinite(slope(jnp.array([0.0, 0.5, 1.0, 1.5, 2.0, 4.0, 5.0]))).all(), space.label


def test_second_derivative(x64):
    """p_I = 1 - <b>/2 and <b> = ε (2 - ε) on the segment: all of the curvature comes from the moving kinks."""
    curvature = jax.grad(jax.grad(lambda e: quadrature.constant(spaces.Interval(), Constant(e)).p_i))
    np.testing.assert_allclose(curvature(0.3), 1.0, atol=1e-11)


def test_runs_in_single_precision():
    got = jax.jit(lambda e: quadrature.constant(spaces.Ball(2), Constant(e), n=3).p_s)(jnp.float32(0.5))
    assert got.dtype == jnp.float32
    with jax.enable_x64(True):
        np.testing.assert_allclose(got, quadrature.constant(spaces.Ball(2), Constant(0.5), n=3).p_s, atol=2e-6)


def test_new_numbers_are_not_traced_again(x64):
    run = quadrature._constant
    quadrature.constant(spaces.Hyperbolic(2.0), Constant(0.3), n=3)
    traced = run._cache_size()
    quadrature.constant(spaces.Hyperbolic(2.5), Constant(0.4, 0.1), n=3, exponent=2.0)
    assert run._cache_size() == traced


def test_refusals():
    with pytest.raises(ValueError, match=r"product\(.*l1\): it has none; use semres_jax\.estimate"):
        quadrature.constant(spaces.Product((spaces.Circle(), spaces.Interval()), "l1"), Constant(0.1))
    with pytest.raises(ValueError, match=r"in too many ways; use semres_jax\.estimate"):
        quadrature.constant(spaces.Product((spaces.Interval(),) * 3), Constant(0.1))


def test_a_table_as_a_factor(x64):
    """Probes of a finite factor are summed over: the product of two finite spaces is one finite space."""
    line = spaces.Finite(np.abs(np.subtract.outer([0.0, 0.3, 1.0], [0.0, 0.3, 1.0])), [0.2, 0.3, 0.5])
    both = spaces.Finite(
        np.maximum(np.kron(line.distances, np.ones((3, 3))), np.kron(np.ones((3, 3)), line.distances)),
        np.kron(line.weights, line.weights),
    )
    for n in (2, 5):
        got = quadrature.constant(spaces.Product((line, line)), Constant(np.array([0.0, 0.5]), 0.1), n=n)
        want = enumeration.constant(both, Constant(np.array([0.0, 0.5]), 0.1), n=n, replace=True)
        np.testing.assert_allclose(got, want, rtol=0, atol=CLOSED_FORM)
