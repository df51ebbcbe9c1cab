"""The estimator against the laws, its error bars against themselves, its bits against chunks and devices."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import semres_jax
from semres_jax import Constant, Exponential, Gaussian, Linear, PowerLaw, Tabulated, choice, estimate, laws, spaces
from semres_jax.laws import enumeration
from semres_jax.montecarlo import _rows, tally
from semres_jax.similarity import stack
from tests.problems import PROBLEMS

SIGMAS = 5.0
METHODS = ("prng", "lattice")
KEY = jax.random.key(2506)
DIGITS = 1e-12  # where both are exact


def _z(value, exact, stderr):
    return np.abs(np.asarray(value) - np.asarray(exact)) / np.asarray(stderr)


def _agrees(e, exact):
    assert np.max(_z(e.p_s, exact.p_s, e.p_s_stderr)) < SIGMAS
    assert np.max(_z(e.p_i, exact.p_i, e.p_i_stderr)) < SIGMAS


# Integer, float, vector, discrete and finite points; items as a list and as an axis.
CASES = [
    pytest.param(problem, method, marks=() if method in problem.quick else pytest.mark.thorough)
    for problem in PROBLEMS
    for method in METHODS
]


@pytest.mark.parametrize(("problem", "method"), CASES, ids=str)
def test_answers_of_the_problems(problem, method):
    e = estimate(problem.space, problem.similarity, key=KEY, trials=2**16, method=method, **problem.options)
    assert e.p_s.shape == (3, 2)
    _agrees(e, semres_jax.Accuracy(*problem.exact))


@pytest.mark.parametrize("method", METHODS)
def test_linear_similarity_against_proposition_1(method, x64):
    epsilon = np.array([0.1, 0.25, 0.5, 0.7, 2.0])
    e = estimate(spaces.get("circle"), Linear(epsilon), key=KEY, trials=2**18, method=method)
    _agrees(e, laws.linear(jnp.asarray(2 * epsilon)))


@pytest.mark.parametrize("method", METHODS)
def test_ball_measure_moments_are_those_of_the_segment(method, x64):
    epsilon = np.array([0.0, 0.1, 0.3, 0.6])
    mean_b, var_b = laws.segment_moments(jnp.asarray(epsilon))
    trials, seeds = 2**12, 24
    runs = [
        estimate(spaces.get("interval"), Constant(epsilon), key=jax.random.key(i), trials=trials, n=4, method=method)
        for i in range(seeds)
    ]
    for got, exact in (([r.mean_b for r in runs], mean_b), ([r.var_b for r in runs], var_b)):
        spread = np.std(got, axis=0, ddof=1) / np.sqrt(seeds) + 1e-9
        assert np.max(np.abs(np.mean(got, axis=0) - exact) / spread) < SIGMAS  # unbiased


def test_finite_moments_are_those_of_the_other_stimuli():
    space = spaces.get("finite")
    k = (np.asarray(space.distances) <= 0.4).sum(1) - 1
    share = k / (space.size - 1)
    e = [estimate(space, Constant(0.4), key=jax.random.key(i), trials=2**12, n=3, method="prng") for i in range(24)]
    for got, exact in (([r.mean_b for r in e], share.mean()), ([r.var_b for r in e], share.var())):
        assert abs(np.mean(got) - exact) < SIGMAS * np.std(got, ddof=1) / np.sqrt(24)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize(
    ("similarity", "n"),
    [
        (Linear([0.1, 0.4], 0.02), 2),
        (Exponential([0.1, 0.4]), 35),
        (Gaussian([0.1, 0.4], 0.1), 2),
        (PowerLaw([0.1, 0.4], 2.0), 2),
        (Tabulated([0.0, 0.1, 0.3], [1.0, 0.4, 0.05]), 35),
    ],
    ids=lambda x: getattr(x, "name", str(x)),
)
def test_other_similarities_against_a_program_in_numpy(similarity, n):
    """Written from the definitions, trial by trial, with NumPy's own generator: two independent estimates agree."""
    space, trials, exponent = spaces.get("interval"), 20_000, 1.5
    e = estimate(space, similarity, key=KEY, trials=2**15, n=n, exponent=exponent, method="prng")
    rng = np.random.default_rng(1)
    x, p = rng.random((trials, n)), rng.random((trials, 1))
    d = np.abs(x - p)
    for member in np.ndindex(similarity.shape):
        single = jax.tree.map(lambda leaf, m=member: leaf[m] if np.ndim(leaf) == len(m) else leaf, similarity)
        g = np.asarray(single(d), float) ** exponent
        p_s = g[np.arange(trials), d.argmin(1)] / g.sum(1)
        p_i = 1 / (1 + g[:, 1:].sum(1))
        for credit, value, stderr in ((p_s, e.p_s, e.p_s_stderr), (p_i, e.p_i, e.p_i_stderr)):
            both = np.hypot(credit.std() / np.sqrt(trials), stderr[member] if similarity.shape else stderr)
            assert abs(credit.mean() - (value[member] if similarity.shape else value)) < SIGMAS * both


def _cells(method, per_space, trials):
    """z of p_S and p_I over (space, epsilon, key)."""
    z = []
    for name in ("circle", "interval", "torus", "ball", "hamming"):
        space = spaces.get(name)
        epsilon = {"hamming": np.array([0.25, 0.375, 0.5, 0.625])}.get(name, np.array([0.07, 0.16, 0.31, 0.43]))
        similarity = Constant(epsilon, 0.02)
        exact = semres_jax.accuracy(space, similarity)
        for i in range(per_space):
            e = estimate(space, similarity, key=jax.random.key(100 + i), trials=trials, method=method, devices=1)
            z += [(e.p_s - exact.p_s) / e.p_s_stderr, (e.p_i - exact.p_i) / e.p_i_stderr]
    return np.abs(np.concatenate(z))


def test_the_error_bar_of_plain_monte_carlo_is_honest():
    """Normal errors are within two standard errors in 95.4 % of cells; here 2,000, two per (space, epsilon, key)."""
    z = _cells("prng", 50, 2**14)
    assert z.size == 2000
    assert 0.93 < np.mean(z < 2) < 0.97
    assert z.max() < SIGMAS


def test_the_error_bar_of_the_lattice_is_honest():
    z = _cells("lattice", 50, 2**14)
    assert np.mean(z < 2) > 0.90


def test_chunks_can_be_added_in_any_order():
    """What makes the line above true of any order: the sums have no rounding (tests/montecarlo/test_exact_sum.py)."""
    from semres_jax.montecarlo.exact_sum import ExactSum

    rng = np.random.default_rng(0)
    values = rng.random((50, 2, 6)) * 2**18
    results = []
    for order in (np.arange(50), np.arange(50)[::-1], rng.permutation(50)):
        total = ExactSum((1, 2, 6))
        for i in order:
            total.add(np.array([0]), values[i : i + 1])
        results.append(total.value())
    chex.assert_trees_all_equal(*results)


def test_a_stacked_similarity_sees_the_trials_of_each_member():
    space = spaces.get("ball")
    members = [Constant(0.2, 0.1), Constant(0.5, 0.0), Constant(0.9, 0.3)]
    together = estimate(space, stack(members), key=KEY, trials=2**16, n=3)
    for i, member in enumerate(members):
        alone = estimate(space, member, key=KEY, trials=2**16, n=3)
        assert (together.p_s[i], together.p_i[i]) == (alone.p_s, alone.p_i)


@pytest.mark.thorough(keep=5)
@pytest.mark.parametrize("name", ["circle", "ball"])
@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("grid", ["even", "crowded", "scattered"])
def test_the_histogram_of_many_resolutions_is_that_of_each(name, n, grid, x64):
    """The fast count against counting outright, also where epsilons are closer than its cells."""
    epsilons = {
        "even": np.linspace(0.0, 0.5, 64),
        "crowded": np.sort(0.3 + 1e-9 * np.random.default_rng(0).random(30)),
        "scattered": np.sort(np.random.default_rng(1).random(50) ** 4),
    }[grid]
    d = np.random.default_rng(2).random((n, 4096)) * 0.5
    d[:, :50] = epsilons[:50].mean()
    d[0, : len(epsilons)] = epsilons
    if name == "circle":
        items, unit = [jnp.asarray((row * 2**32).astype(np.uint32)) for row in d], 2.0**-32
        inside = np.stack(items)[:, None] <= tally.ticks_within(epsilons, np)[None, :, None]
    else:
        items, unit = [jnp.asarray(row) for row in d], 1.0
        inside = d[:, None] <= epsilons[None, :, None]
    valid = jnp.arange(4096) % 7 > 0
    k = inside.sum(0)[:, np.asarray(valid)]
    expected = np.stack([np.bincount(row, minlength=n + 1) for row in k])
    crowd = tally.crowding(epsilons, name == "circle")
    assert (crowd == 0) == (grid == "crowded")
    count = jax.jit(lambda items, epsilons: tally.histogram(tally.Distances(items, unit), epsilons, crowd, valid))
    got = count(items, jnp.asarray(epsilons))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("name", "n", "method", "trials"),
    [("circle", 2, "prng", 2**14 + 333), ("torus", 5, "lattice", 2**14), ("sphere", 2, "prng", 2**12 + 5)],
)
def test_rows_count_what_all_trials_at_once_do(name, n, method, trials, monkeypatch):
    """The loop of a CPU against that of other devices: integers, so the very same; whole tiles and parts of one."""
    space = spaces.get(name)
    by_row = estimate(space, Constant(0.2, 0.1), key=KEY, trials=trials, n=n, method=method)
    monkeypatch.setattr(_rows, "suit", lambda devices: False)
    at_once = estimate(space, Constant(0.2, 0.1), key=KEY, trials=trials, n=n, method=method)
    assert by_row[:7] == at_once[:7]


@pytest.mark.parametrize("kind", [Constant, Exponential])
def test_swept_values_trace_nothing_new(kind, monkeypatch):
    traces = []
    distances = tally.distances
    monkeypatch.setattr(tally, "distances", lambda *a: traces.append(1) or distances(*a))
    space = spaces.get("circle")
    estimate(space, kind(np.linspace(0.1, 0.4, 5)), key=KEY, trials=2**10, n=6)
    first = len(traces)
    estimate(space, kind(np.linspace(0.2, 0.5, 5), 0.2), key=jax.random.key(9), trials=2**10, n=6)
    assert len(traces) == first > 0


def test_target_standard_error_stops_the_run():
    space = spaces.get("interval")
    for method, target in (("prng", 3e-4), ("lattice", 2e-5)):
        e = estimate(space, Constant(0.2), key=KEY, target_stderr=target, method=method)
        assert max(e.p_s_stderr, e.p_i_stderr) <= target
        _agrees(e, semres_jax.accuracy(space, Constant(0.2)))
    short = estimate(space, Constant(0.2), key=KEY, target_stderr=1e-9, trials=2**16, method="prng")
    assert short.trials == 2**16


def test_a_lattice_doubled_three_times_is_the_one_of_as_many_points():
    space, how = spaces.get("interval"), {"key": KEY, "trials": 2**23, "method": "lattice"}
    doubled = estimate(space, Constant(0.2), target_stderr=1e-15, **how)
    at_once = estimate(space, Constant(0.2), **how)
    assert doubled.trials == at_once.trials == 2**23
    for field in ("p_s", "p_i", "p_s_stderr", "p_i_stderr", "mean_b"):
        np.testing.assert_allclose(getattr(doubled, field), getattr(at_once, field), rtol=1e-9, err_msg=field)


def test_error_of_the_lattice_falls_faster_than_one_over_root_n():
    space, exact = spaces.get("circle"), 0.5 + 0.2 - 0.04
    errors = []
    for log2 in (12, 16, 20):
        e = [estimate(space, Constant(0.1), key=jax.random.key(i), trials=2**log2).p_s for i in range(8)]
        errors.append(np.sqrt(np.mean((np.array(e) - exact) ** 2)))
    # 256 times the points: plain Monte Carlo gains 16
    assert errors[0] / errors[2] > 64


def test_a_rare_event_that_was_not_seen_is_within_the_error_bar():
    space, epsilon = spaces.get("circle"), 1e-6
    for method in METHODS:
        e = estimate(space, Constant(epsilon), key=KEY, trials=2**14, method=method)
        assert e.p_s == 0.5
        assert _z(e.p_s, 0.5 + 2 * epsilon, e.p_s_stderr) < 2


@pytest.mark.parametrize("words", [2, 3])
def test_progress_tells_how_far(words):
    seen = []
    listeners: dict = {2: lambda done, planned: seen.append((done, planned)),
                       3: lambda what, done, planned: seen.append((done, planned))}  # fmt: skip
    e = estimate(
        spaces.get("circle"), Constant(0.1), key=KEY, trials=10 * 2**18, chunk=2**18, devices=1, method="prng",
        progress=listeners[words],
    )  # fmt: skip
    assert len(seen) == 10
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (e.trials, e.trials)


def test_weighted_stimuli_without_replacement_against_the_exact_sum():
    rng = np.random.default_rng(4)
    points, weights = rng.random((12, 2)), rng.random(12)
    space = spaces.Finite.from_points(points, weights=weights / weights.sum())
    similarity = Constant([0.3, 0.6], 0.1)
    e = estimate(space, similarity, key=KEY, trials=2**18, method="prng")
    _agrees(e, semres_jax.accuracy(space, similarity))
    again = estimate(space, similarity, key=KEY, trials=2**18, n=3, replace=True, method="prng")
    _agrees(again, semres_jax.accuracy(space, similarity, n=3, replace=True))


def test_luce_exponents():
    space = spaces.get("circle")
    e = estimate(space, Constant(0.2, 0.5), key=KEY, trials=2**16, exponent=3.0)
    _agrees(e, semres_jax.accuracy(space, Constant(0.2, 0.125)))
    argmax = estimate(space, Linear(1.0), key=KEY, trials=2**12, exponent=np.inf)
    assert abs(argmax.p_s - 1) < DIGITS
    guess = estimate(space, Linear(1.0), key=KEY, trials=2**12, exponent=0.0)
    assert abs(guess.p_s - 0.5) < DIGITS


def test_the_strongest_beside_a_floor_is_the_nearest():
    """However g is rounded there: an infinite exponent compares by `Similarity.order`."""
    tree = spaces.get("tree")
    right = 1 - enumeration.tie_rate(tree) / 2
    for similarity in (Exponential([0.5, 2.0], [0.1, 0.999999]), Gaussian(0.5, 0.1), PowerLaw(1e-9, 3.0, 0.5)):
        e = estimate(tree, similarity, key=KEY, trials=2**14, exponent=np.inf)
        assert (_z(e.p_s, right, e.p_s_stderr) < SIGMAS).all()
    # where the floor is 1 all tie, many items and few
    for n in (2, 40):
        e = estimate(spaces.get("finite"), Exponential(0.3, 1.0), key=KEY, trials=2**10, n=n, exponent=np.inf)
        assert abs(e.p_s - 1 / n) < DIGITS
        assert abs(e.p_i - 1 / n) < DIGITS


TABLE = np.round(np.random.default_rng(0).random((12, 12)), 1)
TABLE = np.triu(TABLE, 1) + np.triu(TABLE, 1).T
DISCRETE = {
    "float64 table": spaces.Finite(TABLE),
    "float32 table": spaces.Finite(TABLE.astype(np.float32)),
    "hamming": spaces.Hamming(10),
    "tree": spaces.get("tree"),
}


@pytest.mark.thorough(keep=4)
@pytest.mark.parametrize("kind", [Constant, Linear])
@pytest.mark.parametrize("name", DISCRETE)
def test_a_resolution_at_a_distance_holds_it_in_any_precision(name, kind):
    """float32 resolutions mean the distances that they are rounded from, as they do in `accuracy`."""
    space = DISCRETE[name]
    shells = np.asarray(space.shells, np.float64)
    epsilon = shells[shells > 0][:: max(1, len(shells) // 8)]
    how = {"key": KEY, "trials": 2**14, "method": "prng"}
    exact = semres_jax.accuracy(space, kind(epsilon))
    reference = estimate(space, kind(epsilon), **how)
    _agrees(reference, exact)
    for narrow in (epsilon.astype(np.float32), jnp.asarray(epsilon, jnp.float32)):
        e = estimate(space, kind(narrow), **how)
        np.testing.assert_allclose([e.p_s, e.p_i], [reference.p_s, reference.p_i], rtol=0, atol=DIGITS)


def test_constant_credits_are_the_credits():
    """As functions of K against the choice rule itself."""
    n, floor = 5, 0.3
    similar, identify = choice.constant_credits(n, floor)
    for k in range(n + 1):
        strengths = jnp.array([1.0] * k + [floor] * (n - k))
        assert abs(similar[k] - jnp.max(choice.luce(strengths))) < 1e-6
        credits = [choice.identification_credit(strengths.sum() - s) for s in strengths]
        assert abs(identify[k] - np.mean(credits)) < 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 1}, "n must be at least 2"),
        ({"trials": 0}, "trials must be at least 1; got 0"),
        ({"target_stderr": 0.0}, "target_stderr must be one positive number"),
        ({"method": "sobol"}, "'lattice' or 'prng'; got 'sobol'"),
        ({"devices": 99}, "devices must be between 1 and 4"),
        ({"exponent": -1.0}, "exponent must be one number, at least 0"),
        ({"n": 64}, "64 distinct items and a probe need 65 stimuli; finite(64) has 64"),
        ({"key": 3.0}, "key must be a JAX random key"),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    arguments = {"key": KEY, "trials": 100} | change
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        estimate(spaces.get("finite"), Constant(0.1), **arguments)
    assert "\n" not in str(caught.value)


def test_estimates_print_to_the_digit_they_know():
    e = estimate(spaces.get("circle"), Constant(0.25), key=KEY, trials=2**14)
    assert re.match(r"p_s = 0\.7\d+\(\d\d?\), p_i = 0\.7\d+\(\d\d?\) \(16,384 trials", str(e))
    assert "(3,)" in str(estimate(spaces.get("circle"), Constant([0.1, 0.2, 0.3]), key=KEY, trials=2**10))


@pytest.mark.parametrize(("similarity", "exponent"), [(Gaussian(0.003), 1.0), (Exponential(0.02), 40.0)])
def test_strengths_that_underflow(similarity, exponent):
    """Far items have strengths of e^-14,000, 0 in floating point; the nearest is still told from the others."""
    circle = spaces.Circle()
    run = estimate(circle, similarity, key=jax.random.key(0), trials=2**18, n=3, exponent=exponent)
    exact = semres_jax.accuracy(circle, similarity, n=3, exponent=exponent)
    assert abs(run.p_s - exact.p_s) < 5 * run.p_s_stderr
    assert abs(run.p_i - exact.p_i) < 5 * run.p_i_stderr
