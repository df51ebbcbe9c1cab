"""The closed forms against 50-digit sums and integrals, at their ends, and under jit, vmap and grad."""

import chex
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

from semres_jax import laws

RELATIVE = 1e-13  # the docstrings' promise; the worst measured is 3e-15
NS = (2, 3, 8, 32, 1000, 10**5, 10**6)
BS = (0.0, 1e-9, 1e-3, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0)
DELTAS = (0.0, 1e-6, 0.05, 1.0)


@pytest.fixture(autouse=True)
def _precision():
    with jax.enable_x64(True), mp.workdps(50):
        yield


def binomial(n, b):
    """{k: P(K = k)} in 50 digits, outward from the mode to 1e-40 of it."""
    b = mpf(b)
    if b in (0, 1):
        return {int(n * b): mpf(1)}
    odds, mode = b / (1 - b), min(n, int((n + 1) * b))
    weights = {mode: mpf(1)}
    for step in (1, -1):
        k, weight = mode, mpf(1)
        while 0 <= k + step <= n and weight > mpf("1e-40"):
            weight = weight * odds * (n - k) / (k + 1) if step > 0 else weight * k / (n - k + 1) / odds
            k += step
            weights[k] = weight
    total = mp.fsum(weights.values())
    return {k: weight / total for k, weight in weights.items()}


def brute(n, chances, chances_of_others, delta):
    delta = mpf(delta)
    p_s = mp.fsum(p / (k + (n - k) * delta) if k else p / n for k, p in chances.items())
    p_i = mp.fsum(p / (1 + j + (n - 1 - j) * delta) for j, p in chances_of_others.items())
    return p_s, p_i


def relative(got, exact):
    return abs(float(mpf(float(got)) / exact - 1))


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize("n", NS)
def test_constant_against_sums_in_fifty_digits(n):
    for b in BS:
        chances, others = binomial(n, b), binomial(n - 1, b)
        got = laws.constant(b, n=n, delta=np.array(DELTAS))
        for i, delta in enumerate(DELTAS):
            p_s, p_i = brute(n, chances, others, delta)
            assert relative(got.p_s[i], p_s) < RELATIVE, (b, delta)
            assert relative(got.p_i[i], p_i) < RELATIVE, (b, delta)


@pytest.mark.parametrize("n", [2, 7, 10**6, 10**9])
def test_identification_without_floor_is_its_closed_form(n):
    b = np.array([1e-12, 1e-9, 1e-6, 1e-3, 0.3, 1.0])
    with np.errstate(divide="ignore"):
        expected = -np.expm1(n * np.log1p(-b)) / (n * b)
    np.testing.assert_allclose(laws.constant(b, n=n).p_i, expected, rtol=RELATIVE)


@pytest.mark.parametrize("n", [2, 3, 1000, 10**6])
def test_gradients_are_finite_at_the_ends_and_obey_the_crossing_identity(n):
    b, delta = (x.ravel() for x in np.meshgrid([0.0, 1e-9, 0.01, 0.3, 0.9, 1.0], DELTAS))

    @jax.jit
    def slopes(b, delta):
        return jax.vmap(jax.jacrev(lambda b, delta: jnp.stack(laws.constant(b, n=n, delta=delta)), (0, 1)))(b, delta)

    by_b, by_delta = map(np.asarray, slopes(b, delta))  # (probe, task)
    assert np.isfinite(by_b).all()
    assert np.isfinite(by_delta).all()
    p_s, p_i = map(np.asarray, laws.constant(b, n=n, delta=delta))
    inner = b < 1
    identity = n * (p_i - p_s)[inner] / (1 - b[inner])
    np.testing.assert_array_less(abs(by_b[inner, 0] - identity), 1e-14 * n * (p_i + p_s)[inner] / (1 - b[inner]))
    at_0 = by_b[(b == 0) & (delta == 0)]
    np.testing.assert_allclose(at_0, [[n - 1, -(n - 1) / 2]], rtol=1e-12)


def test_constant_two_ways():
    b = np.linspace(0, 1, 11)
    for delta in DELTAS:
        chex.assert_trees_all_equal(laws.constant(b, delta=delta), laws.constant_moments(b, 0.0, delta=delta))
        average = laws.constant_average(b, delta=delta)
        moments = laws.constant_moments(b.mean(), b.var(), delta=delta)
        np.testing.assert_allclose(average, moments, rtol=1e-14)
    assert laws.constant(0.5) == (0.75, 0.75)


def test_average_takes_weights_along_any_axis():
    b = np.linspace(0.1, 0.8, 6).reshape(3, 2)
    accuracies = laws.constant(b, n=5)
    weights = np.array([1.0, 0.0, 3.0])
    got = laws.constant_average(b, weights, n=5, axis=0)
    np.testing.assert_allclose(got.p_s, np.average(accuracies.p_s, axis=0, weights=weights))
    np.testing.assert_allclose(got.p_i, np.average(accuracies.p_i, axis=0, weights=weights))
    full = laws.constant_average(b, np.ones_like(b), n=5)
    np.testing.assert_allclose(full.p_s, np.mean(accuracies.p_s, axis=-1))


@pytest.mark.parametrize("b", [1e-12, 0.3, 1.0, 1 + 1e-15, 1 + 1e-9, 1.01, 1.4999, 1.5, 1.501, 2.0, 5.0, 1e4, 1e8])
def test_linear_against_its_integrals(b):
    with mp.workdps(90):
        b_, r = mpf(b), 1 - 1 / mpf(b)
        if b <= 1:
            p_s, p_i = mpf(1) / 2 + b_ - (mpf(3) / 2 - mp.log(2)) * b_**2, 1 - (1 - mp.log(2)) * b_
        else:  # 2 b² ∫_r^1 a ln(2a/(a+r)) da
            tail = r * r * mp.log(2 * r) if r > 0 else 0
            p_s = b_**2 * (mp.log(2) - (1 - r * r) * mp.log(1 + r) - r - tail + r * r)
            p_i = b_ * mp.log(2 / (2 - 1 / b_))
        got = laws.linear(b)
        assert relative(got.p_s, p_s) < 1e-14
        assert relative(got.p_i, p_i) < 1e-14


def test_linear_beyond_the_diameter_is_the_double_integral():
    with mp.workdps(20):

        def h(u):
            return 1 - u / mpf("1.3")

        exact = mp.quad(lambda u: mp.quad(lambda v: 2 * h(u) / (h(u) + h(v)), [u, 1]), [0, 1])
    assert relative(laws.linear(1.3).p_s, exact) < 1e-14


def test_linear_slopes_meet_at_the_diameter():
    for task, slope in (("p_s", 2 * np.log(2) - 2), ("p_i", np.log(2) - 1)):
        at = jax.jit(jax.vmap(jax.grad(lambda b, task=task: getattr(laws.linear(b), task))))
        got = at(np.array([1.0, 1 + 1e-14, 1e-9, 1.5, 1e8]))
        np.testing.assert_allclose(got[:2], slope, atol=1e-11)
        assert np.isfinite(got).all()
    best = 1 / (3 - 2 * np.log(2))
    np.testing.assert_allclose(laws.linear(best).p_s, 0.5 + 1 / (6 - 4 * np.log(2)), rtol=1e-15)


@pytest.mark.parametrize("lam", [1e-12, 1e-3, 0.5, 1.5, 5.0, 40.0, 300.0, 700.0, 5e4, 9.9e5, 1.01e6, 1e9])
def test_large_n_limit_against_the_exponential_integral(lam):
    x = mpf(lam)
    got = laws.large_n_limit(lam)
    assert relative(got.p_s, mp.exp(-x) * (mp.ei(x) - mp.log(x) - mp.euler)) < RELATIVE
    assert relative(got.p_i, (1 - mp.exp(-x)) / x) < RELATIVE


def test_large_n_limit_at_zero_and_as_a_limit():
    np.testing.assert_allclose(laws.large_n_limit(0.0), (0.0, 1.0), rtol=1e-15)
    slopes = [jax.grad(lambda x, task=task: getattr(laws.large_n_limit(x), task))(0.0) for task in ("p_s", "p_i")]
    np.testing.assert_allclose(slopes, [1.0, -0.5], rtol=1e-14)
    lam = np.array([0.1, 1.5, 10.0])
    for n in (10**4, 10**6):
        np.testing.assert_allclose(laws.constant(lam / n, n=n), laws.large_n_limit(lam), rtol=30 / n)


def test_universal_constant():
    p_s, p_i = laws.large_n_limit(laws.LAMBDA_STAR)
    np.testing.assert_allclose([p_s, p_i], laws.LAMBDA_STAR_ACCURACY, rtol=1e-15)
    slope = jax.grad(lambda x: laws.large_n_limit(x).p_s)(laws.LAMBDA_STAR)
    assert abs(slope) < 1e-14


@pytest.mark.thorough(keep=5)
@pytest.mark.parametrize("n", [2, 3, 10, 1000, 10**6])
@pytest.mark.parametrize("delta", [0.0, 0.05, 1 - 1e-6])
def test_generalization_is_best_where_the_curves_cross(n, delta):
    best = laws.optimal_ball_measure(n, delta)
    at, near = laws.constant(best, n=n, delta=delta), laws.constant(best * np.array([0.99, 1.01]), n=n, delta=delta)
    assert (near.p_s <= at.p_s).all()
    np.testing.assert_allclose(at.p_s, at.p_i, rtol=1e-11)


def test_optimal_ball_measure_at_its_ends():
    for delta in (0.0, 0.3, 1.0):
        assert abs(laws.optimal_ball_measure(2, delta) - 0.5) < 1e-14
    for n in (3, 100, 10**6):
        np.testing.assert_allclose(laws.optimal_ball_measure(n, 1.0), -np.expm1(-np.log(n) / (n - 1)), rtol=1e-13)
    errors = [n * (n * laws.optimal_ball_measure(n) - laws.LAMBDA_STAR) - laws.LAMBDA_SLOPE for n in (10**3, 10**4)]
    assert abs(errors[0]) < 2e-3
    assert abs(errors[0] / errors[1] - 10) < 0.1  # what is left is O(1/n)
    for n in (10**7, 10**9):
        expansion = (laws.LAMBDA_STAR + laws.LAMBDA_SLOPE / n) / n
        np.testing.assert_allclose(laws.optimal_ball_measure(n), expansion, rtol=2e-14)


@pytest.mark.thorough(keep=1)
def test_finite_constant_is_the_sum_over_draws():
    for m, n in ((2, 2), (9, 2), (9, 5), (9, 9), (48, 20), (2000, 300)):
        for k in {0, 1, m // 3, m - 1, m}:
            chances, others = (
                {j: mp.binomial(k, j) * mp.binomial(m - k, d - j) / mp.binomial(m, d) for j in range(d + 1)}
                for d in (n, n - 1)
            )
            for delta in DELTAS:
                got = laws.finite_constant(k, m, n=n, delta=delta)
                p_s, p_i = brute(n, chances, others, delta)
                assert relative(got.p_s, p_s) < 1e-12, (m, n, k, delta)
                assert relative(got.p_i, p_i) < 1e-12, (m, n, k, delta)


def test_finite_constant_for_two_items_and_for_many_stimuli():
    k, m = np.arange(10.0), 9.0
    p_s = (k * (k - 1) + (m - k) * (m - k - 1)) / (2 * m * (m - 1)) + 2 * k * (m - k) / (m * (m - 1))
    np.testing.assert_allclose(laws.finite_constant(k, m), (p_s, 1 - k / (2 * m)), rtol=1e-14)
    m = 10**6
    np.testing.assert_allclose(laws.finite_constant(0.3 * m, m, n=8), laws.constant(0.3, n=8), rtol=1e-4)
    np.testing.assert_allclose(laws.finite_constant(np.array([1, 3]), np.array([[9], [20]])).p_s.shape, (2, 2))


def test_moments_are_those_of_probes_on_a_grid():
    p = (np.arange(200_000) + 0.5) / 200_000
    for epsilon in (0.0, 0.1, 0.5, 0.7, 0.99, 1.0, 2.5):
        ball = np.minimum(p + epsilon, 1) - np.maximum(p - epsilon, 0)
        np.testing.assert_allclose(laws.segment_moments(epsilon), (ball.mean(), ball.var()), atol=1e-9)
        mean, second = ball.mean(), (ball**2).mean()
        np.testing.assert_allclose(laws.box_moments(epsilon, 3), (mean**3, second**3 - mean**6), atol=1e-9)
    slopes = jax.vmap(jax.grad(lambda e: sum(laws.box_moments(e, 2))))(np.array([0.0, 0.5, 1.0, 1.5]))
    assert np.isfinite(slopes).all()


def test_two_exemplars():
    np.testing.assert_allclose(laws.two_exemplars(1.0, 0.3, 0.51, 0.09).p_i, laws.constant(0.3).p_i)
    b = 0.3  # independent items: the nearer is inside unless both are outside
    np.testing.assert_allclose(laws.two_exemplars(1.0, b, 1 - (1 - b) ** 2, b * b).p_s, laws.constant(b).p_s)
    assert laws.two_exemplars(0.0, 0.0, 0.0, 0.0) == (0.5, 0.5)


FUNCTIONS = {
    "constant": lambda b, delta: laws.constant(b, n=7, delta=delta),
    "constant, two items": lambda b, delta: laws.constant(b, delta=delta),
    "constant_average": lambda b, delta: laws.constant_average(b[None], n=7, delta=delta, axis=0),
    "linear": lambda b, delta: laws.linear(2 * b),
    "large_n_limit": lambda b, delta: laws.large_n_limit(30 * b),
    "finite_constant": lambda b, delta: laws.finite_constant(jnp.round(20 * b), 20, n=7, delta=delta),
    "box_moments": lambda b, delta: laws.box_moments(b, 3),
    "two_exemplars": lambda b, delta: laws.two_exemplars(1 - b, b, b, b / 2),
}


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_jit_vmap_float32_and_no_retrace(name):
    b, delta = np.linspace(0.05, 1, 12), np.linspace(0, 1, 12)
    exact = FUNCTIONS[name](b, delta)
    compiled = jax.jit(chex.assert_max_traces(FUNCTIONS[name], n=1))
    np.testing.assert_allclose(compiled(b, delta), exact, rtol=1e-13, atol=1e-16)
    compiled(b / 2, delta / 3)
    np.testing.assert_allclose(jax.vmap(FUNCTIONS[name])(b, delta), exact, rtol=1e-13, atol=1e-16)
    chex.clear_trace_counter()
    single = jax.jit(FUNCTIONS[name])(b.astype(np.float32), delta.astype(np.float32))
    assert all(p.dtype == np.float32 for p in single)
    np.testing.assert_allclose(single, exact, rtol=1e-5, atol=1e-6)


def test_float32_holds_for_a_million_items():
    b = np.array([0, 1e-6, 1e-3, 0.5, 1.0])
    single = laws.constant(b.astype(np.float32), n=10**6, delta=np.float32(0))
    np.testing.assert_allclose(single, laws.constant(b, n=10**6), rtol=3e-5)


BAD = [
    (lambda: laws.constant(1.5), "b must be a probability between 0 and 1; got 1.5"),
    (lambda: laws.constant(np.array([0.5, -0.1])), "got -0.1"),
    (lambda: laws.constant(np.nan), "got nan"),
    (lambda: laws.constant(0.5, delta=2.0), "delta must be a floor between 0 and 1; got 2"),
    (lambda: laws.constant(0.5, n=1), "n must be at least 2 items; got 1"),
    (lambda: laws.constant_moments(0.5, 0.3), "var_b .* at most 1/4; got 0.3"),
    (lambda: laws.constant_average(np.array([0.1, 0.2]), np.array([1.0])), "one entry for each probe"),
    (lambda: laws.constant_average(np.array([0.1, 0.2]), np.zeros(2)), "must not all be 0"),
    (lambda: laws.linear(0.0), "above 0; got 0"),
    (lambda: laws.linear(np.inf), "above 0; got inf"),
    (lambda: laws.large_n_limit(-1.0), "at least 0; got -1"),
    (lambda: laws.optimal_ball_measure(1), "n must be at least 2 items; got 1"),
    (lambda: laws.finite_constant(3, 5, n=6), "at least n = 6 as items are distinct; got 5"),
    (lambda: laws.finite_constant(6, 5), "k must be at most m; got k = 6"),
    (lambda: laws.segment_moments(-0.1), "epsilon must be a distance, at least 0; got -0.1"),
    (lambda: laws.box_moments(0.1, 0), "dim must be at least 1; got 0"),
    (lambda: laws.two_exemplars(1.2, 0.1, 0.1, 0.1), "hit_rate .* got 1.2"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_reference_is_mpmath_s_own():
    """The window of `binomial` against the integral of p_S that mpmath does by itself."""
    n, b = 1000, mpf("0.1")
    integral = mp.quad(lambda t: ((1 - b + b * t) ** n - (1 - b) ** n) / t, [0, 0.9, 1]) + (1 - b) ** n / n
    assert abs(brute(n, binomial(n, b), {0: mpf(1)}, 0)[0] / integral - 1) < 1e-30
    assert mpmath.mp.dps == 50
