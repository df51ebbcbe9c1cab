"""Spaces of points without a table of distances give what their table gives."""

import concurrent.futures
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from semres_jax import Execution, accuracy, estimate, frontier, measure, spaces
from semres_jax.laws import _by_rows, _condensed, enumeration
from semres_jax.similarity import Constant, Exponential, Gaussian, Linear, PowerLaw
from semres_jax.spaces import neighbours

EXACT, STANDARD_ERRORS = 1e-10, 5
EPSILON = np.array([0.0, 0.02, 0.3, 1.0])
SOME = np.random.default_rng(0).random((90, 2))
SOME[5], SOME[:20] = SOME[6], np.round(SOME[:20], 1)
WEIGHTS = np.random.default_rng(1).random(90)
WEIGHTS[3] = 0.0
WEIGHTS /= WEIGHTS.sum()
SIMILARITIES = [
    Constant(EPSILON, 0.1), Exponential(EPSILON, 0.0), Exponential(EPSILON, 0.1), Linear(EPSILON, 0.0),
    Gaussian(EPSILON, 0.0), PowerLaw(EPSILON, 2.0, 0.0),
]  # fmt: skip


@functools.cache
def traced(replace, argmax):
    """The program that traced numbers take, from a table; the same for all weights."""
    return jax.jit(
        lambda table, s, exponent: accuracy(table, s, exponent=math.inf if argmax else exponent, replace=replace)
    )


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("replace", [False, True])
def test_accuracies_are_those_of_the_table(weights, replace, x64):
    points = spaces.Points(SOME, weights=weights)
    table = spaces.Finite.from_points(SOME, weights=np.full(len(SOME), 1 / len(SOME)) if weights is None else weights)
    for similarity in SIMILARITIES:
        for exponent in (1.0, 2.5, math.inf):
            got = accuracy(points, similarity, exponent=exponent, replace=replace)
            want = traced(replace, math.isinf(exponent))(table, similarity, exponent)
            np.testing.assert_allclose(got, want, rtol=0, atol=EXACT, err_msg=f"{similarity.name}, {exponent}")


def chances(weights, replace):
    """Of a probe, of its first item, and of the second after it: all draws of two items."""
    size = len(SOME)
    mass = np.full(size, 1 / size) if weights is None else weights
    free = ~np.eye(size, dtype=bool) | replace
    first = np.where(free, mass, 0.0)
    first /= first.sum(1, keepdims=True)
    second = np.repeat(first[:, None], size, axis=1)
    if not replace:
        second[:, np.arange(size), np.arange(size)] = 0.0
        second /= second.sum(2, keepdims=True)
    return mass, first, mass[:, None, None] * first[:, :, None] * second


def by_definition(member, power, mass, first, both):
    """(p_S, p_I) of two items: every draw of a probe and its items, credited one by one; ties share."""
    d = spaces.Points(SOME).rows(0, len(SOME))  # ties are those of rounded distances
    # Of an infinite exponent, what orders strengths without their rounding.
    log = np.asarray((member.order if math.isinf(power) else member.log)(jnp.asarray(d)))
    own = log[0, 0]
    with np.errstate(invalid="ignore"):  # of two strengths of 0, which share
        lead = np.nan_to_num(log[:, :, None] - log[:, None, :], nan=0.0, posinf=np.inf, neginf=-np.inf)
        lead = np.where(lead == 0.0, 0.0, power * lead)
        ahead = np.where(log == own, 0.0, power * (log - own))
        nearest = np.where(d[:, :, None] <= d[:, None, :], lead, -lead)
    return np.vdot(both, special.expit(nearest)), np.einsum("p,pi,pi->", mass, first, special.expit(-ahead))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("replace", [False, True])
def test_accuracies_are_those_of_the_definition(weights, replace, x64):
    points, drawn = spaces.Points(SOME, weights=weights), chances(weights, replace)
    for similarity in SIMILARITIES:
        for exponent in (1.0, 2.5, math.inf):
            got = np.asarray(accuracy(points, similarity, exponent=exponent, replace=replace))
            for k in range(1, len(EPSILON)):
                member = jax.tree.map(lambda x, k=k: np.asarray(x)[k] if np.ndim(x) else x, similarity)
                want = by_definition(member, exponent, *drawn)
                np.testing.assert_allclose(got[:, k], want, rtol=0, atol=EXACT, err_msg=f"{member}, {exponent}")
    alone = accuracy(points, Exponential(0.3), exponent=2.5, replace=replace)
    np.testing.assert_allclose(alone, by_definition(Exponential(0.3), 2.5, *drawn), rtol=0, atol=EXACT)


def test_huge_exponents_of_tiny_distances(x64):
    """g^a of strengths that differ from 1 in their last digits: from ln g, against the definition written out."""
    power, x = 1e11, np.random.default_rng(5).random(60)
    got = accuracy(spaces.Points(x / power), Exponential(0.3), exponent=power)
    strengths = [np.exp(-np.delete(abs(x - probe), i) / 0.3) for i, probe in enumerate(x)]
    near, far = (np.array([h[side] for h in strengths]) for side in np.triu_indices(59, 1))
    p_s = np.mean(np.maximum(near, far) / (near + far))
    p_i = np.mean([1 / (1 + h) for h in strengths])
    np.testing.assert_allclose(got, (p_s, p_i), rtol=0, atol=EXACT)


def test_sweeps_ties_and_moments_are_those_of_the_table():
    points, table = (kind(SOME) for kind in (spaces.Points, spaces.Finite.from_points))
    epsilon = np.array([0.0, 0.02, 0.317, 1.01])  # none of the distances, which a table moves to by less than float32
    swept = [frontier.sweep({"cloud": space}, ["constant", "linear"], 2, epsilon=epsilon) for space in (points, table)]
    for name in ("p_s", "p_i", "mean_b", "var_b", "tie_rate"):
        np.testing.assert_allclose(swept[0][name], swept[1][name], rtol=0, atol=EXACT)
    counted = [accuracy(space, Constant(EPSILON), n=4) for space in (points, table)]
    np.testing.assert_allclose(*counted, rtol=0, atol=EXACT)
    assert enumeration.tie_rate(points) == pytest.approx(enumeration.tie_rate(table), abs=1e-14)
    for replace in (False, True):
        both = [neighbours.moments(space, EPSILON, replace=replace) for space in (points, table)]
        np.testing.assert_allclose(*both, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "metric",
    ["cityblock", "chebyshev", "cosine", "hamming", "seuclidean", "mahalanobis",
     lambda x, y: abs(x - y).max(-1), lambda x, y: math.dist(x, y)],
)  # fmt: skip
def test_rows_of_every_metric(metric):
    points = spaces.Points(SOME + 0.1, metric)
    table = np.asarray(spaces.Finite.from_points(SOME + 0.1, metric).distances)
    np.testing.assert_allclose(points.rows(80, 99), table[80:], rtol=0, atol=1e-14)
    assert points.diameter == pytest.approx(table.max(), abs=1e-14)


@pytest.mark.parametrize("replace", [False, True])
def test_many_smooth_similarities_at_once(replace, x64):
    """What is condensed is what the walk over items gives; what isn't smooth is not condensed."""
    points = spaces.Points(np.random.default_rng(3).random((420, 2)))
    steep = np.geomspace(0.004, 0.04, 4)  # not to be condensed with so few ranges
    epsilon = np.concatenate([steep, np.linspace(0.2, 1.4, 13)])
    for kind, least in ((Exponential, 13), (PowerLaw, 13), (Gaussian, 0), (Linear, 0)):
        numbers = (np.full(len(epsilon), 1.5),) if kind is PowerLaw else ()
        epsilon = epsilon if least else epsilon[::4]
        grid = kind(epsilon, *numbers, np.full(len(epsilon), 0.01))
        smooth, _ = _condensed.smooth(points, grid, 1.0)
        assert smooth[len(steep) :].sum() >= least
        assert kind is not Linear or not smooth.any()
        got = _by_rows.accuracy(points, grid, 1.0, replace=replace)
        walked = _by_rows._walked(points, grid, 1.0, replace=replace)
        np.testing.assert_allclose(got, walked, rtol=0, atol=1e-12)


def test_points_can_be_drawn_from():
    points = spaces.Points(SOME)
    exact = accuracy(points, Exponential(0.3))
    run = estimate(points, Exponential(0.3), key=jax.random.key(4), trials=2**16)
    assert abs(run.p_s - exact.p_s) < STANDARD_ERRORS * run.p_s_stderr
    assert abs(run.p_i - exact.p_i) < STANDARD_ERRORS * run.p_i_stderr
    inside = (points.rows(7, 9) <= 0.3).mean(1)
    np.testing.assert_allclose(points.ball_measure(np.array([7, 8]), 0.3), inside, atol=1e-6)


def test_points_of_a_file(tmp_path):
    np.save(tmp_path / "cloud.npy", SOME)
    made = spaces.get(f"points({tmp_path / 'cloud.npy'}, cityblock)")
    np.testing.assert_array_equal(made.rows(0, 9), spaces.Points(SOME, "cityblock").rows(0, 9))
    assert made.label == "points(90)"


def test_refusals():
    points = spaces.Points(SOME)
    for call, message in (
        (lambda: spaces.Points(SOME, "euclidian"), "'euclidian' is unknown; use euclidean"),
        (lambda: spaces.Points([[0.0], [np.inf]]), "finite real numbers"),
        (lambda: spaces.Points(SOME, weights=[0.5, 0.5]), r"weights must have shape \(90,\)"),
        (lambda: spaces.Points(SOME, labels=["a", "b"]), "labels must name each of the 90 points; got 2"),
        (lambda: accuracy(points, Exponential(0.1), n=3), r"points\(90\) has no table of distances: .*two items"),
        (lambda: jax.jit(lambda e: accuracy(points, Exponential(e)).p_s)(0.1), "has no table of distances"),
        (lambda: measure.embeddings(SOME[:50], points), "needs a row for each stimulus"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_embeddings_of_points_are_those_of_the_table():
    both = [measure.embeddings(SOME + 0.1, space, optimal="none", bootstrap=0)
            for space in (spaces.Points(SOME), spaces.Finite.from_points(SOME))]  # fmt: skip
    assert both[0].p_s.value == both[1].p_s.value
    few = measure.embeddings(SOME + 0.1, spaces.Points(SOME), optimal="none", bootstrap=0, limit=30)
    assert few.sampled == ("30 of 90 stimuli",)


def test_embeddings_tell_how_far_they_are():
    calls = []
    labels, between = np.arange(90) % 5, np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    how = Execution(progress=lambda what, done, planned: calls.append((done, planned)))
    measure.embeddings(SOME + 0.1, between, labels=labels, optimal="none", bootstrap=0, limit=20, execution=how)
    assert calls
    assert calls[-1][0] == calls[-1][1]


def test_a_long_sum_is_stopped_between_two_pieces(monkeypatch):
    """What progress raises ends the sweep, and threads with it."""
    monkeypatch.setattr("semres_jax.frontier._parts._LOOK", 0.001)

    def stop(what, done, planned):
        raise KeyboardInterrupt

    points = spaces.Points(np.random.default_rng(3).random((3000, 2)))
    with pytest.raises((KeyboardInterrupt, concurrent.futures.CancelledError)):
        frontier.sweep(points, "linear", 2, epsilon=np.linspace(0, 1, 16), execution=Execution(progress=stop))
