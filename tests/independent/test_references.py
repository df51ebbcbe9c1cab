"""The references against each other, each derived twice: by quadratures that share no node, sums, known integrals."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate

from tests.independent import finite, integrals
from tests.independent.distances import Space, _noncentral, law, legendre
from tests.independent.finite import Stimuli
from tests.independent.similarities import Strength

# Both are quadratures of 1e-12 or better; half-integer powers at the edges of lenses cost two digits.
ALIKE, LENSES = 1e-11, 2e-9
MEASURE = 1e-11

LAWS = {
    "circle": (Space("circle"), ()),
    "interval": (Space("interval"), (0.3,)),
    "torus max": (Space("torus", 3), ()),
    "torus l1": (Space("torus", 4, "l1"), ()),
    "torus l2": (Space("torus", 2, "l2"), ()),
    "sphere": (Space("sphere", 2), ()),
    "sphere 100": (Space("sphere", 100), ()),
    "ball 1": (Space("ball", 1), (0.4,)),
    "ball 2": (Space("ball", 2), (0.4,)),
    "ball 3": (Space("ball", 3), (0.7,)),
    "ball 40": (Space("ball", 40), (0.98,)),
    "gaussian 1": (Space("gaussian", 1), (0.7,)),
    "gaussian 3": (Space("gaussian", 3), (1.5,)),
    "gaussian 60": (Space("gaussian", 60), (7.5,)),
    "hyperbolic": (Space("hyperbolic"), (1.2,)),
    "hyperbolic 40": (Space("hyperbolic", radius=40.0), (39.0,)),
    "max": (Space("product", factors=(Space("circle"), Space("interval"))), (0.2,)),
    "min": (Space("product", metric="min", factors=(Space("circle"), Space("sphere", 2))), ()),
}
STRENGTHS = {
    "constant": Strength("constant", 0.3, 0.1),
    "linear": Strength("linear", 0.4, exponent=1.3),
    "linear floored": Strength("linear", 0.4, 0.05),
    "exponential": Strength("exponential", 0.15, 0.01),
    "gaussian": Strength("gaussian", 0.09),
    "powerlaw": Strength("powerlaw", 0.02, decay=2.0, exponent=2.0),
    "tabulated": Strength(
        "tabulated", distances=(0.0, 0.1, 0.3, 0.31, 0.8), values=(1, 0.9, 0.9, 0.2, 0.1), exponent=2.0
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_densities_are_those_of_the_distribution_functions(name):
    space, t = LAWS[name]
    given = law(space, t)
    strength = Strength("constant", 0.37 * given.end)
    edges = integrals.Table(given, strength).panels(given, strength, ())
    r, mass, _ = integrals.rule(given, strength, edges, 20)
    assert abs(mass.sum() - 1) < MEASURE
    if given.measure is not None:
        below = np.cumsum(mass.sum(1))
        assert np.abs(below[:-1] - given.measure(edges[1:-1])).max() < MEASURE
    assert (mass >= 0).all()
    assert (np.diff(r.ravel()) >= 0).all()


def test_the_density_on_gaussians_is_that_of_bessel_functions():
    for dim, t in ((2, 0.6), (3, 1.5), (60, 7.5)):
        r = np.linspace(0.2, t + math.sqrt(dim) + 4, 50)
        assert np.allclose(law(Space("gaussian", dim), (t,)).density(r), _noncentral(dim, t)(r), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", ["ball", "hyperbolic", "gaussian", "sphere", "torus"])
def test_distances_are_distributed_as_those_of_sampled_points(kind):
    """Kolmogorov's distance to 200,000 distances, from a sampler that knows nothing of caps and lenses."""
    random = np.random.default_rng(4)
    count = 200_000
    if kind == "ball":
        space, t = Space("ball", 3), 0.7
        direction = random.normal(size=(count, 3))
        points = direction / np.linalg.norm(direction, axis=1)[:, None] * random.random((count, 1)) ** (1 / 3)
        d = np.linalg.norm(points - [t, 0, 0], axis=1)
    elif kind == "gaussian":
        space, t = Space("gaussian", 5), 1.3
        d = np.linalg.norm(random.normal(size=(count, 5)) - np.array([t, 0, 0, 0, 0]), axis=1)
    elif kind == "hyperbolic":
        space, t = Space("hyperbolic", radius=3.0), 2.1
        r, turn = np.arccosh(1 + random.random(count) * (math.cosh(3) - 1)), 2 * math.pi * random.random(count)
        d = np.arccosh(np.maximum(1, np.cosh(t) * np.cosh(r) - np.sinh(t) * np.sinh(r) * np.cos(turn)))
    elif kind == "sphere":
        space, t = Space("sphere", 4), None
        x = random.normal(size=(count, 5))
        d = np.arccos(x[:, 0] / np.linalg.norm(x, axis=1))
    else:
        space, t = Space("torus", 2, "l2"), None
        d = np.linalg.norm(random.random((count, 2)) - 0.5, axis=1)
    given = law(space, () if t is None else (t,))
    grid = np.linspace(0, given.end, 4001)
    steps = np.diff(grid) * (given.density(grid[1:]) + given.density(grid[:-1])) / 2
    below = np.concatenate([[0], np.cumsum(steps)])
    empirical = np.searchsorted(np.sort(d), grid, side="right") / count
    assert np.abs(empirical - below).max() < 1.95 / math.sqrt(count)  # exceeded by chance once in a thousand


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("name", STRENGTHS)
def test_two_quadratures_agree(name, n):
    for label in ("circle", "torus l1", "sphere 100", "max", "hyperbolic") if n == 2 else ("circle", "torus l2"):
        space, t = LAWS[label]
        given = law(space, t)
        if integrals.Table(given, STRENGTHS[name]).depth > 2 * integrals.SHALLOW:
            continue  # too steep for the first
        first = integrals.together(given, STRENGTHS[name], n, 18)
        second = integrals.nested(given, STRENGTHS[name], n, 18)
        assert np.abs(np.subtract(first, second)).max() < (LENSES if given.rough else ALIKE)


@pytest.mark.parametrize("name", ["constant", "linear floored", "exponential", "tabulated"])
def test_three_items_as_a_triple_integral(name):
    """No Laplace transform: the nearest at u, two others beyond it, credit as the definition has it."""
    strength = STRENGTHS[name]
    kinks = [k for k in strength.kinks if k < 0.5]
    x, w = legendre(14)
    edges = np.unique(np.concatenate([[0.0, 0.5], kinks, np.linspace(0, 0.5, 7)]))

    def beyond(u):
        ends = np.array([u, *(e for e in edges if e > u)])
        return (ends[:-1, None] + np.diff(ends)[:, None] * x).ravel(), (np.diff(ends)[:, None] * w).ravel() * 2

    p_s = 0.0
    for u, weight in zip(*beyond(0.0), strict=True):
        v, mass = beyond(u)
        h = np.exp(strength.loss(u) - strength.loss(v))
        p_s += 3 * weight * mass @ (1 / (1 + h[:, None] + h)) @ mass
    v, mass = beyond(0.0)
    h = np.exp(-strength.loss(v))
    p_i = mass @ (1 / (1 + h[:, None] + h)) @ mass
    assert np.abs(np.subtract(integrals.accuracies(Space("circle"), strength, 3), (p_s, p_i))).max() < ALIKE


@pytest.mark.parametrize("space", [Space("interval"), Space("ball", 2), Space("gaussian", 3)], ids=lambda s: s.label)
def test_identification_from_the_law_of_two_random_points(space):
    for strength in (
        Strength("linear", 0.6, 0.1),
        Strength("gaussian", 0.02),
        Strength("exponential", 0.3, exponent=3.0),
    ):
        p_i = integrals.accuracies(space, strength, 2)[1]
        assert abs(p_i - integrals.averaged(space, strength, finer=True)) < 1e-10  # over 40 probes


def test_known_values():
    """Theorems 1 and 2 and proposition 1, and the gaussian similarity of the circle where it is narrow."""
    for b, floor in itertools.product((0.2, 0.5, 0.9), (0.0, 0.3)):
        p_s, p_i = integrals.accuracies(Space("circle"), Strength("constant", b / 2, floor), 2)
        assert abs(p_s - (0.5 + (b - b * b) * (1 - floor) / (1 + floor))) < ALIKE
        assert abs(p_i - (b / 2 + (1 - b) / (1 + floor))) < ALIKE
    p_s, p_i = integrals.accuracies(Space("circle"), Strength("linear", 0.3), 2)
    assert abs(p_s - (0.5 + 0.6 - (1.5 - math.log(2)) * 0.36)) < ALIKE
    assert abs(p_i - (1 - (1 - math.log(2)) * 0.6)) < ALIKE
    narrow = 5e-4  # half a million nats at the far end
    area = integrate.quad(lambda x: 1 / (1 + math.exp(x * x / 2)), 0, 30, epsabs=1e-14)[0]
    assert (
        abs(integrals.accuracies(Space("circle"), Strength("gaussian", narrow), 2)[1] - (1 - 2 * narrow * area)) < ALIKE
    )


@pytest.mark.parametrize("exponent", [1.0, 3.0, math.inf])
def test_finite_draws_one_by_one(exponent):
    """Ordered draws of a probe and its items from what is left, in plain loops."""
    for space, n in (
        (Stimuli("line", 5, weights=1), 3),
        (Stimuli("ring", 5), 3),
        (Stimuli("tree", 4, replace=True), 2),
    ):
        table, mass = space.table(), space.mass()
        for strength in (
            Strength("linear", table[0, 1], exponent=exponent),
            Strength("exponential", 0.4, 0.1, exponent=exponent),
        ):
            wanted = [0.0, 0.0]
            for task, count in ((0, n + 1), (1, n)):
                for draw in itertools.product(range(space.size), repeat=count):
                    chance, left = 1.0, set(range(space.size))
                    for x in draw:
                        chance *= mass[x] / sum(mass[y] for y in left) if x in left else 0.0
                        left -= set() if space.replace else {x}
                    if chance == 0:
                        continue
                    items = draw[1:] if task == 0 else draw
                    d = [0.0 if task and i == 0 else table[draw[0], x] for i, x in enumerate(items)]
                    near = [i for i in range(n) if d[i] == min(d)] if task == 0 else [0]
                    wanted[task] += chance * np.mean([_share(strength, d, i) for i in near])
            assert np.abs(np.subtract(finite.accuracies(space, strength, n), wanted)).max() < 1e-13


def _share(strength, d, i):
    if math.isinf(strength.exponent):
        best = [x for x in d if strength.level(np.array(x)) == strength.level(np.array(min(d)))]
        return (d[i] in best) / len(best)
    h = np.exp(-strength.loss(np.array(d)))
    return h[i] / h.sum() if h.sum() > 0 else 1 / len(d)


def test_bits_are_strings():
    """hamming(3), all strings written out."""
    strings = np.array(list(itertools.product((0, 1), repeat=3)))
    strength = Strength("powerlaw", 0.4, 0.1, decay=2.0, exponent=2.0)
    d = strings.sum(1) / 3  # by symmetry the probe is 000
    h = np.exp(-strength.loss(d))
    three = list(itertools.product(range(8), repeat=3))
    p_s = np.mean([h[list(x)][np.argmin(d[list(x)])] / h[list(x)].sum() for x in three])
    p_i = np.mean([1 / (1 + h[list(x)].sum()) for x in itertools.product(range(8), repeat=2)])
    assert np.abs(np.subtract(finite.bits(3, strength, 3), (p_s, p_i))).max() < 1e-14
