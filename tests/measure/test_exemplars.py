"""Accuracies of labelled exemplars at every resolution, against sums over all draws and resampling."""

import itertools

import jax
import numpy as np
import pytest

from semres_jax import measure
from semres_jax.laws import enumeration
from semres_jax.similarity import Constant, Exponential, Linear

EXACT = 1e-12
SINGLE = 2e-6  # float32
OWN = np.array([0] * 4 + [1] * 3 + [2] * 5 + [3] * 3)
CLASSES = np.array([[0.0, 1, 2, 2], [1, 0, 3, 1], [2, 3, 0, 1], [2, 1, 1, 0]])
SHARES = np.array([0.1, 0.3, 0.5, 0.8, 1.0])


def images(seed=0):
    points = np.random.default_rng(seed).random((len(OWN), 2)) + 0.2 * OWN[:, None]
    return np.abs(points[:, None] - points[None]).sum(-1)


def draws(probes=(0, 1, 2, 3)):
    """Weight, probe, another of its class, and exemplars of two other classes, of every draw."""
    members = [np.flatnonzero(c == OWN) for c in range(4)]
    for c in probes:
        for a, b in itertools.permutations([k for k in range(4) if k != c], 2):
            weight = 1 / len(probes) / 6 / len(members[c]) / len(members[a]) / len(members[b])
            for p, x, y in itertools.product(members[c], members[a], members[b]):
                yield weight, p, x, y


@pytest.mark.parametrize("probes", [None, (1, 3)])
def test_levels_are_sums_over_all_draws(probes, x64):
    d = images()
    got = measure.levels(d, OWN, CLASSES, SHARES, probes=probes)
    want = np.zeros((3, len(SHARES)))
    for weight, p, x, y in draws(probes or (0, 1, 2, 3)):
        near, far = CLASSES[OWN[p], OWN[x]], CLASSES[OWN[p], OWN[y]]
        for k, e in enumerate(got.epsilon):
            g = np.array([d[p, x] <= e, d[p, y] <= e], float)
            credit = g[0] / g.sum() if g.sum() else 0.5
            right = 0.5 if near == far else (credit if near < far else 1 - credit)
            own = credit if d[p, x] < d[p, y] else 1 - credit
            want[:, k] += weight * np.array([right, own, g[0]])
    np.testing.assert_allclose([got.p_s, got.p_own, got.mean_b], want, rtol=0, atol=EXACT)
    same = enumeration.exemplars(d, OWN, Constant(got.epsilon), CLASSES, probes=probes)
    for name in ("p_s", "p_i", "hit_rate", "mean_b", "near", "far", "tie_rate"):
        np.testing.assert_allclose(getattr(got, name), getattr(same, name), rtol=0, atol=EXACT)
    # ε is the smallest that reaches the share asked for.
    assert (got.mean_b >= SHARES - EXACT).all()
    below = enumeration.exemplars(d, OWN, Constant(got.epsilon - 1e-9), CLASSES, probes=probes)
    assert (below.mean_b < SHARES).all()


def test_theorem_one_for_items_of_different_classes():
    got = measure.levels(images(), OWN, CLASSES, SHARES)
    law = 0.5 + got.mean_b - got.mean_b**2 - got.var_b + got.spread_b / 2
    np.testing.assert_allclose(got.p_own, law, rtol=0, atol=EXACT)


@pytest.mark.parametrize("probes", [None, (1, 3)])
def test_slopes_are_derivatives(probes, x64):
    d, step = images(), 1e-6
    got = measure.levels(d, OWN, CLASSES, SHARES[:-1], probes=probes)

    def at(weights):
        sums = enumeration.exemplars(d, OWN, Constant(got.epsilon), CLASSES, weights=weights, probes=probes)
        return np.stack([sums.p_s, sums.p_i, sums.mean_b])

    for i in (0, 5, 9, 14):
        change = step * (np.arange(len(OWN)) == i)
        slope = (at(1 + change) - at(1 - change)) / (2 * step)
        np.testing.assert_allclose([x[i] for x in (got.slope_s, got.slope_i, got.slope_b)], slope, rtol=0, atol=1e-8)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize(("family", "kind"), [("linear", Linear), ("exponential", Exponential)])
def test_graded_similarities_and_their_slopes(family, kind):
    d, step, epsilon = images(), 1e-2, 0.6
    p_s, p_i, slope_s, slope_i = measure.graded(d, OWN, CLASSES, family, [epsilon])[:4]

    with jax.enable_x64(True):

        def at(weights):
            return np.array(enumeration.exemplars(d, OWN, kind(epsilon), CLASSES, weights=weights)[:2])

        np.testing.assert_allclose(np.array([p_s, p_i])[:, 0], at(None), rtol=0, atol=SINGLE)
        for i in (0, 9):
            change = step * (np.arange(len(OWN)) == i)
            slope = (at(1 + change) - at(1 - change)) / (2 * step)
            # The third derivative's share in the difference is about step².
            np.testing.assert_allclose([slope_s[i, 0], slope_i[i, 0]], slope, rtol=0, atol=step**2)


def test_slopes_give_the_spread_of_other_exemplars():
    """Standard errors by slopes against the spread over samples, at a fixed ε and at equal shares."""
    rng = np.random.default_rng(3)
    own = np.repeat(np.arange(4), 40)
    places = 1.5 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[own]
    shares, shown, trials = np.linspace(0.05, 0.95, 31), 8, 300
    fixed, moving, errors = [], [], []
    for _ in range(trials):
        points = rng.normal(size=(160, 2)) + places
        d = np.linalg.norm(points[:, None] - points[None], axis=-1)
        got = measure.levels(d, own, CLASSES, shares)
        at = enumeration.exemplars(d, own, Constant(1.2), CLASSES)
        fixed.append([at.p_s, at.p_i])
        moving.append([got.p_s[shown], got.p_i[shown]])
        near = np.abs(got.epsilon - 1.2).argmin()
        slopes = [x[:, near] for x in (got.slope_s, got.slope_i)]
        for slope, p in ((got.slope_s, got.p_s), (got.slope_i, got.p_i)):
            slopes.append(measure.at_equal_shares(slope, p, shares, got.slope_b)[:, shown])
        errors.append([np.sqrt((x**2).sum()) for x in slopes])
    spread = np.std(np.concatenate([fixed, moving], axis=1), axis=0)
    # 300 samples tell a standard deviation to 4.1 %; the second order is some 1 / 40.
    np.testing.assert_allclose(np.mean(errors, axis=0), spread, rtol=5 * 0.041 + 1 / 40)


@pytest.mark.parametrize("shares", [[], [0.0], [0.5, 0.5], [1.2], [np.nan]])
def test_shares_out_of_range(shares):
    with pytest.raises(ValueError, match="shares must ascend"):
        measure.levels(images(), OWN, CLASSES, shares)


def test_unknown_words():
    with pytest.raises(ValueError, match="unknown similarity 'quadratic'"):
        measure.graded(images(), OWN, CLASSES, "quadratic", [1.0])
    with pytest.raises(ValueError, match="'owl' is none of the labels"):
        measure.levels(images(), OWN, CLASSES, SHARES, probes=["owl"])
    with pytest.raises(ValueError, match=r"weights must be finite and above 0; got -1 of exemplar 2"):
        enumeration.exemplars(images(), OWN, Constant(0.3), CLASSES, weights=np.where(np.arange(15) == 2, -1.0, 1.0))
