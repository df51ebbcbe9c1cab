"""Facts that need no reference: chance, bounds, orders and limits, on every kind of space and similarity."""

import itertools
import math

import numpy as np
import pytest

from semres_jax import Constant, Exponential, Gaussian, Linear, PowerLaw, Tabulated, accuracy, spaces
from semres_jax.laws import enumeration
from tests.independent import integrals
from tests.independent.cells import EXACT, PROBED, package_space
from tests.independent.distances import Space
from tests.independent.finite import Stimuli
from tests.independent.similarities import Strength

# p_S >= 1/n, order in n: differences of two numbers of that accuracy.
ORDER = 2 * PROBED

PLACES = {
    "circle": spaces.get("circle"),
    "interval": spaces.get("interval"),
    "torus": spaces.get("torus", dim=200),
    "hamming": spaces.get("hamming", dim=10),
    "ring": package_space(Stimuli("ring", 10)),
    "tree": package_space(Stimuli("tree", 8)),
    "weighted": package_space(Stimuli("line", 7, weights=1)),
}
THOROUGH = {
    "sphere": spaces.get("sphere", dim=500),
    "ball": spaces.get("ball", dim=100),
    "gaussian": spaces.get("gaussian", dim=200),
    "hyperbolic": spaces.get("hyperbolic"),
    "product": spaces.get("product"),
}


def near_chance(said, n):
    return max(abs(said.p_s - 1 / n), abs(said.p_i - 1 / n)) < EXACT


@pytest.mark.parametrize("name", PLACES)
def test_exponent_0_is_chance(name):
    """Every item is chosen as often, in many dimensions and few."""
    assert near_chance(accuracy(PLACES[name], Linear(0.3, 0.1), exponent=0.0), 2)


@pytest.mark.parametrize("name", THOROUGH)
@pytest.mark.thorough
def test_exponent_0_is_chance_on_more(name):
    assert near_chance(accuracy(THOROUGH[name], Linear(0.3, 0.1), exponent=0.0), 2)


@pytest.mark.parametrize("exponent", [1.0, 7.0, math.inf])
@pytest.mark.parametrize("name", ["circle", "hamming", "tree", "weighted"])
def test_a_floor_of_1_is_chance(name, exponent):
    assert near_chance(accuracy(PLACES[name], Linear(0.3, 1.0), exponent=exponent), 2)


@pytest.mark.parametrize("name", ["circle", "ring"])
def test_order(name):
    """p_S is at least chance; identification is harder among more."""
    for epsilon, delta in itertools.product((0.02, 0.4), (0.0, 0.2)):
        before = 1.0
        for n in (2, 5):
            said = accuracy(PLACES[name], Linear(epsilon, delta), n=n)
            assert said.p_s >= 1 / n - ORDER
            assert 1 / n - ORDER <= said.p_i <= before + ORDER
            before = said.p_i


@pytest.mark.parametrize("family", ["linear", pytest.param("exponential", marks=pytest.mark.thorough)])
def test_identification_of_two_is_an_average_over_one_law(family):
    """p_I = ∫ d<b>(r) / (1 + g(r)), with the law of two random points of the interval, 2 (1 - r)."""
    kind = {"linear": Linear, "exponential": Exponential}[family]
    for epsilon, delta, exponent in ((0.4, 0.05, 1.0), (0.02, 0.0, 1.0), (1.7, 0.1, 3.0), (0.3, 0.0, 0.4)):
        wanted = integrals.averaged(Space("interval"), Strength(family, epsilon, delta, exponent=exponent))
        said = accuracy(PLACES["interval"], kind(epsilon, delta), exponent=exponent).p_i
        assert abs(said - wanted) < PROBED


@pytest.mark.parametrize("name", ["ring", "tree"])
def test_all_others_at_once(name):
    """n = N - 1: nothing is drawn, p_S = <h_near / Σ h>."""
    space = PLACES[name]
    table = np.asarray(space.distances)
    others = table[~np.eye(len(table), dtype=bool)].reshape(len(table), -1)
    epsilon = 0.45 * table.max()
    h = np.exp(-others / epsilon)
    said = enumeration.accuracy(space, Exponential(epsilon), n=len(table) - 1)
    assert abs(float(said.p_s) - (h.max(1) / h.sum(1)).mean()) < 1e-6  # in the precision around; float64 below
    assert abs(accuracy(space, Exponential(epsilon), n=len(table) - 1).p_s - (h.max(1) / h.sum(1)).mean()) < EXACT


@pytest.mark.parametrize("kind", [Exponential, Gaussian])
@pytest.mark.parametrize("name", ["circle", "ring", "tree"])
def test_at_resolution_0_the_nearest_wins(name, kind):
    """The limit ε -> 0 without a floor: right but where items tie; and the probe itself is told from all else."""
    space = PLACES[name]
    ties = enumeration.tie_rate(space, n=2) if space.size else 0.0
    said = accuracy(space, kind(0.0))
    assert abs(said.p_s - (1 - ties / 2)) < EXACT
    assert abs(said.p_i - 1) < EXACT


def test_only_the_order_of_distances_matters_to_the_nearest():
    """With an infinite exponent any strictly falling similarity gives the same; on a homogeneous space with any
    exponent only g after the quantiles of the distance matters: the circle, torus(3) with 2r -> (2r)^3."""
    tree = PLACES["tree"]
    said = [accuracy(tree, s, exponent=math.inf) for s in (Exponential(3.0, 0.1), PowerLaw(3.0, 2.0, 0.1))]
    assert np.ptp([x.p_s for x in said]) < EXACT
    assert np.ptp([x.p_i for x in said]) < EXACT
    knots = np.linspace(0, 0.5, 5)
    values = np.array([1.0, 0.7, 0.4, 0.35, 0.1])
    epsilon = np.linspace(0, 0.5, 5)[1:]
    circle = accuracy(spaces.get("circle"), Constant(epsilon))
    torus = accuracy(spaces.get("torus", dim=3), Constant((2 * epsilon) ** (1 / 3) / 2))
    assert np.abs(circle.p_s - torus.p_s).max() < EXACT
    assert np.abs(circle.p_i - torus.p_i).max() < EXACT
    stretched = accuracy(spaces.get("sphere", dim=1), Tabulated(2 * math.pi * knots, values))
    assert abs(stretched.p_s - accuracy(spaces.get("circle"), Tabulated(knots, values)).p_s) < EXACT
