"""Monte Carlo of wholes that are tuples of features, against closed forms, enumeration and a program in NumPy."""

import functools
import itertools
import re

import jax
import numpy as np
import pytest

import semres_jax
from semres_jax import Constant, Exponential, Gaussian, Linear, PowerLaw, Slots, estimate, laws, spaces
from semres_jax.montecarlo import _run
from tests.montecarlo.test_state import States, Stop

KEY = jax.random.key(21)
SIGMAS = 5.0
# Float64 sums of as many terms as there are tuples.
DIGITS = 1e-12
CIRCLE = spaces.Circle()
_COMBINED = {"max": np.max, "min": np.min, "l1": np.sum, "l2": np.linalg.norm}


def circles(slots, metric="max"):
    return spaces.Product((CIRCLE,) * slots, metric)


def _agrees(e, p_s, p_i, errors=0.0):
    for value, stderr, right in ((e.p_s, e.p_s_stderr, p_s), (e.p_i, e.p_i_stderr, p_i)):
        off = np.abs(value - right) / np.hypot(stderr, errors)
        assert (off < SIGMAS).all(), off


def reference_credits(d, slots, metric, exponent):
    """Credits of both tasks, trial by trial: (trials, n, S) distances by feature, from the definitions alone."""
    with jax.enable_x64(True):
        logs = np.stack([slot.log(d[..., s]) for s, slot in enumerate(slots.slots)], axis=-1)
    logs = np.asarray(logs, np.float64)
    log = (
        logs.sum(-1) if slots.aggregate == "product" else np.logaddexp.reduce(logs, axis=-1) - np.log(len(slots.slots))
    )
    whole = np.round(_COMBINED[metric](d, axis=-1), 12)
    near = whole == whole.min(axis=1, keepdims=True)
    top = log.max(axis=1, keepdims=True)
    if np.isinf(exponent):
        choice, single = log >= top - 1e-12, log >= -1e-12
    else:
        choice, single = np.exp(exponent * (log - top)), np.exp(exponent * log)
    choice = choice / choice.sum(axis=1, keepdims=True)
    return (near * choice).sum(1) / near.sum(1), 1 / (1 + single[:, :-1].sum(1))


BALLS, FLOORS = np.array([[0.3], [0.5]]), np.array([0.0, 0.1])


@pytest.mark.thorough(keep=4)
@pytest.mark.parametrize("method", ["lattice", "prng"])
@pytest.mark.parametrize("aggregate", ["product", "mean"])
@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("slots", [1, 2, 3])
def test_closed_forms(slots, n, aggregate, method):
    code = Slots([Constant(BALLS / 2, FLOORS)] * slots, aggregate)
    e = estimate(circles(slots), code, key=KEY, trials=2**15, n=n, method=method)
    exact = laws.compositional(BALLS, slots=slots, aggregate=aggregate, n=n, delta=FLOORS)
    _agrees(e, exact.whole, exact.p_i)
    assert e.p_s.shape == (2, 2)
    assert np.isnan(e.mean_b).all()
    assert np.isnan(e.var_b).all()


def test_numbers_of_the_theory_and_many_items():
    """S = 2, b = 1/2: conjunction 7/8, addition 17/24; a single slot is the similarity itself, for 40 items too."""
    for aggregate, p_i in (("product", 0.875), ("mean", 17 / 24)):
        e = estimate(circles(2), Slots([Constant(0.25)] * 2, aggregate), key=KEY, trials=2**15)
        assert abs(e.p_i - p_i) < SIGMAS * e.p_i_stderr
    e = estimate(circles(1), Slots([Linear([0.2, 0.5], 0.1)]), key=KEY, trials=2**12, n=40)
    _agrees(e, *semres_jax.accuracy(CIRCLE, Linear([0.2, 0.5], 0.1), n=40))


def _spread(code, method, keys):
    exact = laws.compositional(0.3, slots=2, delta=0.1)
    runs = [estimate(circles(2), code, key=key, trials=2**12, method=method) for key in range(keys)]
    errors = np.array([(run.p_s - exact.whole, run.p_i - exact.p_i) for run in runs])
    return errors, np.array([(run.p_s_stderr, run.p_i_stderr) for run in runs])


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("method", ["lattice", "prng"])
def test_error_bars_are_the_spread_over_keys(method):
    """The ratio is uncertain by 1/√(2 keys) = 7 %, of which three are left; as in `test_errors`."""
    errors, stderr = _spread(Slots([Constant(0.15, 0.1)] * 2), method, 100)
    ratio = np.sqrt(np.mean(stderr**2, axis=0) / np.mean(errors**2, axis=0))
    assert ((ratio > 0.79) & (ratio < (1.26 if method == "prng" else 1.6))).all(), ratio
    assert (np.mean(np.abs(errors) > 3 * stderr, axis=0) <= 0.04).all()


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("method", ["lattice", "prng"])
def test_wholes_that_hardly_ever_match_are_within_the_error_bars(method):
    """Eight features match once in 6,000 pairs: of 1,024 trials most hold none, and an error bar says so."""
    code, right = Slots([Constant(0.168)] * 8), 1 - 0.336**8 / 2
    runs = [estimate(circles(8), code, key=key, trials=2**10, method=method) for key in range(20)]
    assert all(abs(run.p_i - right) < 3 * run.p_i_stderr for run in runs)
    assert sum(run.p_i == 1 for run in runs) > 5
    assert max(run.p_i_stderr for run in runs if run.p_i == 1) < 2 / 2**10


LINE = spaces.Finite(np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))))
TRIANGLE = spaces.Finite(1.0 - np.eye(3), weights=np.array([0.5, 0.3, 0.2]))
EQUAL = spaces.Finite(1.0 - np.eye(3))


def _enumerated(space, slots, n, exponent, replace):
    """Exact p_S and p_I over all tuples of stimuli of a product of two finite spaces."""
    stimuli = list(itertools.product(*(range(factor.size) for factor in space.factors)))
    tables = [np.asarray(factor.distances) for factor in space.factors]
    by_feature = np.stack([[[t[x[s], y[s]] for y in stimuli] for x in stimuli] for s, t in enumerate(tables)], axis=-1)
    weights = np.full(len(stimuli), 1 / len(stimuli)) if space.weights is None else np.asarray(space.weights)
    tuples = (itertools.product if replace else itertools.permutations)(
        range(len(stimuli)), **({"repeat": n + 1} if replace else {"r": n + 1})
    )
    tuples = np.array(list(tuples))
    chances = weights[tuples].prod(axis=1)
    d = by_feature[tuples[:, :1], tuples[:, 1:]]
    credits = reference_credits(d, slots, space.metric, exponent)
    return [float(chances @ credit / chances.sum()) for credit in credits]


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize(
    ("metric", "aggregate", "n", "exponent", "replace"),
    [("l1", "product", 3, 1.0, False), ("max", "mean", 2, np.inf, False), ("l2", "mean", 2, 2.0, True)],
)
def test_small_finite_products_against_enumeration(metric, aggregate, n, exponent, replace):
    space = spaces.Product((LINE, TRIANGLE if replace else EQUAL), metric)
    code = Slots([Exponential(1.5, 0.05), Linear(1.7)], aggregate)
    e = estimate(space, code, key=KEY, trials=2**14, n=n, exponent=exponent, replace=replace, method="prng")
    _agrees(e, *_enumerated(space, code, n, exponent, replace))


@functools.cache
def _drawn(trials=400_000, n=3):
    """(trials, n, 2) distances on interval and circle, by NumPy alone."""
    u = np.random.default_rng(5).random((trials, n + 1, 2))
    d = np.abs(u[:, 1:] - u[:, :1])
    d[..., 1] = np.minimum(d[..., 1], 1 - d[..., 1])
    return d


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize(
    ("slots", "metric", "exponent"),
    [
        (Slots([Exponential(0.2), Gaussian(0.15, 0.1)]), "l2", 1.0),
        (Slots([Exponential(0.2), PowerLaw(0.15, 3.0)], "mean"), "min", np.inf),
        (Slots([Exponential(2e-3), Gaussian(2e-3)]), "max", 3.0),  # strengths of e^-90,000
        (Slots([Exponential(2e-4), Exponential(3e-4)], "mean"), "l1", 1.0),
    ],
)
def test_different_spaces_and_similarities_against_numpy(slots, metric, exponent):
    space = spaces.Product((spaces.Interval(), CIRCLE), metric)
    e = estimate(space, slots, key=KEY, trials=2**15, n=3, exponent=exponent)
    reference = np.stack(reference_credits(_drawn(), slots, metric, exponent))
    _agrees(e, *reference.mean(1), reference.std(1) / np.sqrt(reference.shape[1]))


def test_integrals_of_two_exponential_slots():
    """p_I = E[1/(1 + e^{-(x+y)/ε})] with x, y uniform on [0, 1/2], by SciPy."""
    from scipy.integrate import dblquad

    right = dblquad(lambda x, y: 4 / (1 + np.exp(-(x + y) / 0.2)), 0, 0.5, 0, 0.5)[0]
    e = estimate(circles(2), Slots([Exponential(0.2)] * 2), key=KEY, trials=2**14)
    assert abs(e.p_i - right) < SIGMAS * e.p_i_stderr
    assert e.p_i_stderr < 1e-4


GRID = Slots([Exponential([0.1, 0.3]), Constant(0.2, [0.0, 0.1])])


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("method", ["lattice", "prng"])
def test_same_bits_however_it_runs(method):
    how = {"key": KEY, "trials": 2**13 + 77, "method": method, "n": 3}
    reference = np.stack(estimate(circles(2), GRID, devices=1, **how)[:4])
    for other in ({"devices": 3, "chunk": 2**11}, {"devices": 4}):
        np.testing.assert_array_equal(np.stack(estimate(circles(2), GRID, **how, **other)[:4]), reference)
    alone = Slots([Exponential(0.3), Constant(0.2, 0.1)])
    np.testing.assert_array_equal(np.stack(estimate(circles(2), alone, **how)[:4]), reference[:, 1])


def test_a_run_goes_on_from_its_state():
    how = {"key": KEY, "trials": 2**12 * 5 + 77, "method": "prng"}
    whole, kept = estimate(circles(2), GRID, **how), []

    def keep(snapshot):
        kept.append({name: np.array(array) for name, array in snapshot().items()})
        raise Stop

    with pytest.raises(Stop):
        estimate(circles(2), GRID, execution=semres_jax.Execution(saved=States(keep=keep)), **how)
    again = estimate(circles(2), GRID, execution=semres_jax.Execution(saved=States(kept[0])), **how)
    np.testing.assert_array_equal(np.stack(again[:4]), np.stack(whole[:4]))
    with pytest.raises(ValueError, match="state is that of another estimate"):
        estimate(circles(2), Slots(GRID.slots, "mean"), execution=semres_jax.Execution(saved=States(kept[0])), **how)


def test_swept_values_trace_nothing_new(monkeypatch):
    traced, tile = [], _run._tile
    monkeypatch.setattr(_run, "_tile", lambda *arguments: traced.append(1) or tile(*arguments))
    for epsilon in (0.1, 0.2):
        estimate(circles(2), Slots([Linear(epsilon), Constant(epsilon, epsilon)]), key=KEY, trials=2**10, n=5)
    assert 1 <= len(traced) <= 2


def test_a_resolution_at_a_distance_of_its_feature_holds_it_in_any_precision():
    tenths = spaces.Finite(np.abs(np.subtract.outer(np.arange(8), np.arange(8))) / 10)
    space, how = spaces.Product((tenths, spaces.Hamming(10))), {"key": KEY, "trials": 2**10, "method": "prng"}
    wide = Slots([Constant([0.7, 0.3]), Constant([0.3, 0.7], 0.1)])
    narrow = jax.tree.map(np.float32, wide)
    for p in ("p_s", "p_i"):
        values = [getattr(estimate(space, code, **how), p) for code in (wide, narrow)]
        np.testing.assert_allclose(*values, rtol=0, atol=1e-7)  # the floor itself is rounded


@pytest.mark.parametrize(
    ("space", "code", "message"),
    [
        (
            CIRCLE,
            Slots([Constant(0.1)] * 2),
            "a spaces.Product of as many features; got circle, no product",
        ),
        (
            circles(3),
            Slots([Constant(0.1)] * 2),
            "got product(circle, circle, circle; max), 3 features",
        ),
        (circles(1), Slots([Constant(None)]), "epsilon of the constant similarity must be a number; got None"),
    ],
)
def test_bad_input_is_one_clear_line(space, code, message):
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        estimate(space, code, key=KEY, trials=100)
    assert "\n" not in str(refused.value)
