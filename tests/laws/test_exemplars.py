"""Exemplars against a loop over every class, probe and pair of items."""

import itertools
import math

import jax
import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.laws import closed_form, enumeration, exemplars
from semres_jax.similarity import Constant, Exponential, Linear, PowerLaw

EXACT = 1e-12
OWN = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3])
# Equally far are 2 and 3 from 0, 0 and 3 from 1, 1 and 2 from 3: one of three pairs for three of four classes.
CLASSES = np.array([[0.0, 1, 2, 2], [1, 0, 3, 1], [2, 3, 0, 1], [2, 1, 1, 0]])
TIES = 3 / 4 / 3


def images(seed=0):
    points = np.random.default_rng(seed).random((len(OWN), 2)) + 0.2 * OWN[:, None]
    return np.abs(points[:, None] - points[None]).sum(-1)


def credit(right, wrong, exponent=1.0):
    """Luce's choice between two logarithms of strengths."""
    if exponent == 0 or right == wrong:
        return 0.5
    gap = exponent * (wrong - right)
    return 1 / (1 + math.exp(gap)) if gap < 700 else 0.0


def brute_force(distances, classes, similarity, exponent=1.0):
    logs = np.asarray(similarity.log(distances))
    members = [np.flatnonzero(c == OWN) for c in range(len(classes))]
    p_s, p_i = [], []
    for c, own in enumerate(members):
        for p in own:
            others = [k for k in range(len(classes)) if k != c]
            for k in others:
                credits = [credit(logs[p, x], logs[p, y], exponent) for x in own if x != p for y in members[k]]
                p_i.append((np.mean(credits), 1 / len(own)))
            for a, b in itertools.permutations(others, 2):
                pairs = itertools.product(members[a], members[b])
                if classes[c, a] == classes[c, b]:
                    credits = [0.5]
                elif classes[c, a] < classes[c, b]:
                    credits = [credit(logs[p, x], logs[p, y], exponent) for x, y in pairs]
                else:
                    credits = [credit(logs[p, y], logs[p, x], exponent) for x, y in pairs]
                p_s.append((np.mean(credits), 1 / len(own)))
    return [np.average(x[0], weights=x[1]) for x in map(np.transpose, (p_s, p_i))]


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize(
    ("grid", "single"),
    [
        (Exponential(np.array([1e-3, 0.3, 2.0]), 0.0), lambda i: Exponential([1e-3, 0.3, 2.0][i])),
        (Linear(np.array([0.0, 0.5, 0.9]), 0.1), lambda i: Linear([0.0, 0.5, 0.9][i], 0.1)),
        (Linear(np.array([0.0, 0.5, 0.9])), lambda i: Linear([0.0, 0.5, 0.9][i])),
        (PowerLaw(np.array([0.1, 0.3, 1.0]), 3.0), lambda i: PowerLaw([0.1, 0.3, 1.0][i], 3.0)),
        (Constant(np.array([0.0, 0.4, 0.7])), lambda i: Constant([0.0, 0.4, 0.7][i])),
        (Constant(np.array([0.0, 0.4, 0.7]), 0.3), lambda i: Constant([0.0, 0.4, 0.7][i], 0.3)),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_against_brute_force(grid, single, x64):
    distances = images()
    for exponent in (1.0, 0.0, 2.5):
        got = enumeration.exemplars(distances, OWN, grid, CLASSES, exponent=exponent)
        assert got.p_s.shape == got.p_i.shape == got.near.shape == (3,)
        assert got.tie_rate == pytest.approx(TIES)
        assert np.isnan(got.hit_rate).all() == (not isinstance(grid, Constant))
        want = np.transpose([brute_force(distances, CLASSES, single(i), exponent) for i in range(3)])
        np.testing.assert_allclose(got[:2], want, rtol=0, atol=EXACT)


def test_constant_is_the_law_of_two_exemplars(x64):
    distances, epsilons = images(), np.linspace(0.0, 1.5, 12).reshape(3, 4)
    got = enumeration.exemplars(distances, OWN, Constant(epsilons), CLASSES)
    np.testing.assert_allclose(got[:2], closed_form.two_exemplars(*got[3:]), rtol=0, atol=1e-14)
    assert ((got.hit_rate >= 0) & (got.hit_rate <= 1)).all()
    np.testing.assert_array_equal([got.hit_rate[0, 0], got.near[0, 0]], 0.0)
    far = enumeration.exemplars(distances, OWN, Constant(99.0), CLASSES)
    np.testing.assert_allclose([*far[:2], *far[3:]], [0.5, 0.5, 1, 1, 1, 1], atol=1e-14)


def test_shares_within_epsilon(x64):
    """hit_rate and mean_b as shares of pairs, counted one class after the other."""
    inside = images() <= 0.5
    got = enumeration.exemplars(images(), OWN, Constant(0.5), CLASSES)
    members = [np.flatnonzero(c == OWN) for c in range(4)]
    hits, others = [], []
    for c in range(4):
        mine = inside[np.ix_(members[c], members[c])]
        hits.append((mine.sum() - len(mine)) / (len(mine) * (len(mine) - 1)))
        others += [inside[np.ix_(members[c], members[k])].mean() for k in range(4) if k != c]
    np.testing.assert_allclose([got.hit_rate, got.mean_b], [np.mean(hits), np.mean(others)], rtol=0, atol=1e-14)


def test_argmax(x64):
    sharp = enumeration.exemplars(images(), OWN, Constant(0.5, 0.3), CLASSES, exponent=math.inf)
    np.testing.assert_array_equal(sharp[:2], enumeration.exemplars(images(), OWN, Constant(0.5), CLASSES)[:2])


def test_classes_are_found_by_name(x64):
    tree = spaces.Tree.from_newick("((bee:1,ant:1):2,(cat:2,(elk:1,dog:1):1):1);")
    names = ["dog", "ant", "bee", "cat"]
    labels = [names[c] for c in OWN]
    got = enumeration.exemplars(images(), labels, Exponential(0.3), tree)
    table = np.array([[0, 6, 6, 4], [6, 0, 2, 6], [6, 2, 0, 6], [4, 6, 6, 0.0]])  # in the order of `names`
    np.testing.assert_allclose(got.p_s, brute_force(images(), table, Exponential(0.3))[0], rtol=0, atol=EXACT)
    by_number = enumeration.exemplars(images(), OWN, Exponential(0.3), spaces.Finite(CLASSES))
    np.testing.assert_array_equal(by_number.p_s, enumeration.exemplars(images(), OWN, Exponential(0.3), CLASSES).p_s)


def test_permuting_exemplars_changes_nothing(x64):
    order = np.random.default_rng(5).permutation(len(OWN))
    shuffled = images()[np.ix_(order, order)]
    for g in (Exponential(0.3), Constant(0.4)):
        before = enumeration.exemplars(images(), OWN, g, CLASSES)
        np.testing.assert_allclose(enumeration.exemplars(shuffled, OWN[order], g, CLASSES), before, rtol=0, atol=1e-14)


@pytest.mark.thorough
def test_traced_and_gradients(x64):
    def run(e, d, kind=Exponential):
        return enumeration.exemplars(images(), OWN, kind(e, d), CLASSES)

    epsilons = np.array([0.3, 0.6])
    for kind in (Exponential, Constant):
        through = jax.jit(lambda e, kind=kind: run(e, 0.1, kind))(epsilons)
        np.testing.assert_allclose(through[:2], run(epsilons, 0.1, kind)[:2], rtol=0, atol=1e-14)
    slopes = jax.jit(jax.grad(lambda e, d: sum(run(e, d)[:2]), argnums=(0, 1)))(0.3, 0.1)
    step = 1e-5
    for slope, (de, dd) in zip(slopes, ((step, 0), (0, step)), strict=True):
        ahead, behind = (sum(run(0.3 + s * de, 0.1 + s * dd)[:2]) for s in (1, -1))
        np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-6)


def test_new_numbers_are_not_traced_again(x64):
    enumeration.exemplars(images(), OWN, Exponential(0.3), CLASSES)
    traced = exemplars._averages._cache_size()
    enumeration.exemplars(images(1), OWN, Exponential(0.01, 0.1), CLASSES.T, exponent=2.0)
    assert exemplars._averages._cache_size() == traced


def test_refusals():
    d, g = images(), Constant(0.5)
    lone = np.append(OWN[:-1], 7)
    bent = d.copy()
    bent[0, 1] += 1.0
    holed = d.copy()
    holed[0, 1] = holed[1, 0] = np.nan
    for message, call in (
        (r"at least 2 exemplars, one to probe another; 7 has 1", lambda: (d, lone, g, np.ones((5, 5)))),
        (r"at least 3 classes .* got 2: \[0, 1\]", lambda: (d, OWN // 2, g, CLASSES)),
        (r"labels must name the class of each of the 12 exemplars; got 11", lambda: (d, OWN[1:], g, CLASSES)),
        (r"distances must be a square table of known numbers; got shape \(11, 12\)", lambda: (d[1:], OWN, g, CLASSES)),
        (r"distances must be symmetric; got d\(0, 1\)", lambda: (bent, OWN, g, CLASSES)),
        (r"distances must be finite; got d\(0, 1\) = nan", lambda: (holed, OWN, g, CLASSES)),
        (r"distances must be at least 0; got d\(0, 1\) = -", lambda: (-d, OWN, g, CLASSES)),
        (
            r"class_distances must have shape \(4, 4\), one row a class; got \(3, 3\)",
            lambda: (d, OWN, g, np.zeros((3, 3))),
        ),
        (r"0 is no leaf of tree\(2\)", lambda: (d, OWN, g, spaces.Tree.from_newick("(a:1,b:1);"))),
    ):
        with pytest.raises(ValueError, match=message):
            enumeration.exemplars(*call())
    with pytest.raises(ValueError, match="exponent must be finite for exemplars"):
        enumeration.exemplars(d, OWN, Exponential(0.5), CLASSES, exponent=math.inf)
    with pytest.raises(ValueError, match=r"exponent must be one number, at least 0; got -1"):
        enumeration.exemplars(d, OWN, g, CLASSES, exponent=-1)
