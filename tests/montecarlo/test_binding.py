"""Illusory conjunctions by Monte Carlo, against the exact rates and a program in NumPy."""

import itertools
import re

import jax
import numpy as np
import pytest

from semres_jax import Constant, Exponential, Gaussian, Slots, laws, montecarlo, spaces

KEY = jax.random.key(21)
SIGMAS = 5.0
SHARES, FLOORS = np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.1])
B = 0.3


def circles(slots):
    return spaces.Product((spaces.Circle(),) * slots)


def _near(estimate, right, errors=0.0):
    off = np.abs(estimate.value - right)
    assert (off <= SIGMAS * np.hypot(estimate.stderr, errors) + 1e-12).all(), off / estimate.stderr


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize("slots", [2, 3])
def test_exact_rates(slots, n):
    code = Slots([Constant(B / 2, FLOORS)] * slots)
    error = montecarlo.estimate_binding(circles(slots), code, n=n, key=KEY, trials=2**15, conjunctive=SHARES)
    exact = laws.illusory_conjunctions(B, slots=slots, n=n, conjunctive=SHARES, delta=FLOORS[:, None])
    assert error.value.shape == exact.shape == (2, 3)
    _near(error, exact)
    np.testing.assert_allclose(error.value[:, 0], 0.5, rtol=0, atol=1e-12)  # features alone


@pytest.mark.parametrize("slots", [2, 3])
def test_all_recombinations_of_two_items(slots):
    how = {"n": 2, "lures": "all", "conjunctive": SHARES}
    code = Slots([Constant(B / 2, FLOORS)] * slots)
    error = montecarlo.estimate_binding(circles(slots), code, key=KEY, trials=2**14, **how)
    _near(error, laws.illusory_conjunctions(B, slots=slots, delta=FLOORS[:, None], **how))


def _reference(slots, n, lures, share, trials=200_000):
    """Rates on interval and circle by NumPy, trial by trial: mean and standard error."""
    rng = np.random.default_rng(3)
    x = rng.random((trials, n, 2))
    features, wholes = [], []
    sources = [s for s in itertools.product(range(n if lures == "all" else 2), repeat=2) if len(set(s)) > 1]
    for source in sources:
        d = np.abs(x[:, source, range(2)][:, None] - x)
        d[..., 1] = np.minimum(d[..., 1], 1 - d[..., 1])
        with jax.enable_x64(True):
            g = np.stack([slot(d[..., s]) for s, slot in enumerate(slots.slots)], axis=-1)
        features.append(g.max(axis=1).mean(axis=1))
        wholes.append((g.prod(axis=2) if slots.aggregate == "product" else g.mean(axis=2)).max(axis=1))
    strength = (1 - share) * np.stack(features) + share * np.stack(wholes)
    # Either of the two recombinations of two features is as likely.
    error = (strength / (1 + strength)).mean(0) if lures == "one" else (total := strength.sum(0)) / (1 + total)
    return error.mean(), error.std() / np.sqrt(trials)


@pytest.mark.parametrize(("aggregate", "lures"), [("product", "one"), ("mean", "all")])
def test_other_similarities_and_spaces_against_numpy(aggregate, lures):
    space = spaces.Product((spaces.Interval(), spaces.Circle()))
    code = Slots([Exponential(0.1), Gaussian(0.1, 0.05)], aggregate)
    error = montecarlo.estimate_binding(space, code, n=3, key=KEY, trials=2**14, conjunctive=0.7, lures=lures)
    _near(error, *_reference(code, 3, lures, 0.7))


def test_error_bars_are_the_spread_over_keys():
    """The ratio is uncertain by 1/√(2 keys) = 7 %, of which three are left."""
    how = {"n": 4, "conjunctive": SHARES[1:]}
    exact = laws.illusory_conjunctions(B, slots=2, **how)
    code = Slots([Constant(B / 2)] * 2)
    runs = [montecarlo.estimate_binding(circles(2), code, key=key, trials=2**10, **how) for key in range(100)]
    errors = np.array([run.value - exact for run in runs])
    ratio = np.sqrt(np.mean([run.stderr**2 for run in runs], axis=0) / np.mean(errors**2, axis=0))
    assert ((ratio > 0.79) & (ratio < 1.26)).all(), ratio


def test_matches_that_were_not_seen_are_within_the_error_bar():
    runs = [montecarlo.estimate_binding(circles(3), Slots([Constant(1e-3)] * 3), key=key, trials=8) for key in range(5)]
    exact = laws.illusory_conjunctions(2e-3, slots=3)
    assert any(run.value == 0 for run in runs)
    assert all(abs(run.value - exact) < 3 * run.stderr for run in runs)


def test_a_resolution_at_a_distance_holds_it_in_any_precision():
    """0.7 in float32 is less than the distance of strings that differ in 7 bits of 10."""
    space = spaces.Product((spaces.Hamming(10),) * 2)
    codes = [Slots([Constant(kind(0.7))] * 2) for kind in (np.float64, np.float32)]
    wide, narrow = (montecarlo.estimate_binding(space, code, key=KEY, trials=2**10).value for code in codes)
    assert wide == narrow


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"similarity": Constant(0.1)}, "similarity must be Slots, one for each feature; got 'constant'"),
        ({"space": spaces.Circle()}, "a spaces.Product of as many features; got circle, no product"),
        ({"space": circles(3)}, "got product(circle, circle, circle; max), 3 features"),
        ({"space": circles(1), "similarity": Slots([Constant(0.1)])}, "the number of slots must be at least 2"),
        ({"n": 1}, "n must be at least 2"),
        ({"trials": 0}, "trials must be at least 1; got 0"),
        ({"conjunctive": [0.5, 1.2]}, "conjunctive must be a share between 0 and 1; got 1.2"),
        ({"lures": "none"}, "lures must be one of one, all; got 'none'"),
        ({"lures": "all", "n": 200}, "n^(S+1) must be at most 1,048,576, numbers of a trial; got n = 200 and S = 2"),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    arguments = {"space": circles(2), "similarity": Slots([Constant(0.1)] * 2), "key": KEY} | change
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        montecarlo.estimate_binding(arguments.pop("space"), arguments.pop("similarity"), **arguments)
    assert "\n" not in str(refused.value)
