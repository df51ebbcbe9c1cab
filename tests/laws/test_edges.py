"""Exact accuracies where numbers are at an edge: a distance, a floor, no resolution, many dimensions, float32."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import integrate

from semres_jax import Constant, Exponential, Gaussian, Linear, PowerLaw, Tabulated, accuracy, laws, spaces
from semres_jax.laws import enumeration, quadrature, tables

EXACT = 1e-12
QUADRATURE = 1e-9  # heterogeneous spaces, as documented


def brute_force(distances, g, exponent=1.0):
    """p_S and p_I of n = 2 by the sum over all triples; strengths of 0, and equal distances, share."""
    n = len(distances)
    h = g(distances) ** exponent
    similar, identified = [], []
    for p in range(n):
        others = [x for x in range(n) if x != p]
        identified += [1 / (1 + h[p, x]) for x in others]
        for x, y in itertools.permutations(others, 2):
            near, far = (x, y) if distances[p, x] <= distances[p, y] else (y, x)
            total = h[p, near] + h[p, far]
            similar.append(0.5 if total == 0 or distances[p, x] == distances[p, y] else h[p, near] / total)
    return np.mean(similar), np.mean(identified)


@pytest.mark.parametrize("size", [13, 24])
def test_resolutions_that_are_distances(size):
    """Items at ε have strength 0 and tie with those beyond: d/ε must not leave a crumb there."""
    ring = spaces.grid(spaces.Circle(), size)
    table = np.asarray(ring.distances)
    resolutions = np.unique(table)[1:]
    got = accuracy(ring, Linear(resolutions))
    want = np.array([brute_force(table, lambda d, e=e: np.maximum(0.0, e - d) / e) for e in resolutions]).T
    np.testing.assert_allclose(got, want, rtol=0, atol=EXACT)


@pytest.mark.parametrize("n", [2, 4])
def test_argmax_beside_a_floor(n):
    """A falling g tells the nearest however close to its floor it is; only ties in distance share. At Δ = 1 all do."""
    tree = spaces.Tree.birds()
    falling = [Exponential(0.5, 0.1), Gaussian(1.0, 0.5), PowerLaw(1e-3, 2.0, 0.999999), Exponential(1e-3)]
    for similarity in falling:
        got = accuracy(tree, similarity, n=n, exponent=np.inf)
        if n == 2:
            np.testing.assert_allclose(got.p_s, 1 - enumeration.tie_rate(tree) / 2, rtol=0, atol=EXACT)
        assert got.p_i == pytest.approx(1.0, abs=EXACT)
        flat = accuracy(tree, type(similarity)(similarity.epsilon, delta=1.0), n=n, exponent=np.inf)
        np.testing.assert_allclose(flat, 1 / n, rtol=0, atol=EXACT)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("kind", [Exponential, Gaussian])
def test_no_resolution_is_the_limit(kind):
    """As ε → 0 the nearest is chosen, and only ties take anything from 1; beside a floor only the floor is left."""
    ring = spaces.grid(spaces.Circle(), 12)
    epsilons = np.array([0.0, 1e-100, 1e-9, 1e-4])
    got = accuracy(ring, kind(epsilons))
    np.testing.assert_allclose(got.p_s, 1 - enumeration.tie_rate(ring) / 2, rtol=0, atol=EXACT)
    np.testing.assert_allclose(got.p_i, 1.0, rtol=0, atol=EXACT)
    np.testing.assert_allclose(accuracy(spaces.Circle(), kind(epsilons[:2])), 1.0, rtol=0, atol=10 * EXACT)
    np.testing.assert_allclose(accuracy(ring, kind(0.0, 0.1)), (0.5, 1 / 1.1), rtol=0, atol=EXACT)


def test_a_power_law_keeps_its_ratios():
    """As ε → 0 strengths are in proportion to d^-k."""
    ring = spaces.grid(spaces.Circle(), 12)
    table = np.asarray(ring.distances)
    want, _ = brute_force(table, lambda d: np.where(d > 0, d, 1.0) ** -2.0)
    for epsilon in (0.0, 1e-40):
        np.testing.assert_allclose(accuracy(ring, PowerLaw(epsilon, 2.0)), (want, 1.0), rtol=0, atol=EXACT)


@pytest.mark.parametrize("n", [2, 3])
def test_steep_similarities_among_many_stimuli(n):
    """Gaps of more than 45 nats change nothing, however far they add up to."""
    line = spaces.Finite.from_points(np.random.default_rng(0).random(40))
    steep = accuracy(line, Exponential(np.array([1e-7, 1e-12])), n=n)
    sharp = accuracy(line, Exponential(1e-3), n=n, exponent=np.inf)
    np.testing.assert_allclose(steep.p_s, sharp.p_s, rtol=0, atol=1e-3 if n == 3 else 1e-4)
    np.testing.assert_allclose(steep.p_s[1], sharp.p_s, rtol=0, atol=EXACT)


@pytest.mark.parametrize("wanted", [0.1, 0.3, 0.7, 0.9])
def test_resolutions_in_single_precision(wanted):
    """0.7 in float32 is below 0.7; it is the same distance all the same, known or traced, and so is a float32 table."""
    table = np.array([[0, wanted, 1], [wanted, 0, 0.5], [1, 0.5, 0]])
    for space in (spaces.Hamming(10), spaces.Finite(table), spaces.Finite(table.astype(np.float32))):
        for kind in (Constant, Linear):
            want = accuracy(spaces.Finite(table) if space.size else space, kind(wanted))
            for given in (wanted, np.float32(wanted), jnp.asarray(wanted)):
                np.testing.assert_allclose(accuracy(space, kind(given)), want, rtol=0, atol=1e-6)
        traced = jax.jit(lambda e, space=space: accuracy(space, Constant(e)))(wanted)
        np.testing.assert_allclose(
            traced, accuracy(spaces.Finite(table) if space.size else space, Constant(wanted)), rtol=1e-6
        )


def test_host_calls_answer_in_float64():
    """Whatever JAX's precision; inside jit as well, where nothing is traced. Traced calls keep their dtype."""
    ring = spaces.grid(spaces.Circle(), 9)
    strengths = np.exp(-np.asarray(ring.distances))
    calls = {
        "constant": lambda: laws.constant(0.1, n=7, delta=0.3),
        "moments": lambda: laws.constant_moments(0.1, 0.01, delta=0.3),
        "average": lambda: laws.constant_average([0.1, 0.3], [0.2, 0.8], n=3),
        "linear": lambda: laws.linear([0.3, 1.7]),
        "limit": lambda: laws.large_n_limit(1.3),
        "finite": lambda: laws.finite_constant(3, 11, n=3),
        "exemplars": lambda: laws.two_exemplars(0.9, 0.1, 0.3, 0.1),
        "segment": lambda: laws.segment_moments(0.3),
        "box": lambda: laws.box_moments(0.3, 2),
        "table": lambda: tables.accuracy(ring, strengths, n=3),
        "enumeration": lambda: enumeration.accuracy(ring, Exponential(0.1), n=3),
        "counting": lambda: enumeration.constant(ring, Constant(0.1), n=3),
        "quadrature": lambda: quadrature.constant(spaces.Interval(), Constant(0.1), n=3),
    }
    for name, call in calls.items():
        got = call()
        with jax.enable_x64(True):
            want = call()
        for a, b in zip(got, want, strict=True):
            assert isinstance(a, (np.ndarray, np.float64)), name
            assert a.dtype == np.float64, name
            np.testing.assert_array_equal(a, b, err_msg=name)
    inside = jax.jit(lambda x: x + laws.constant(0.1).p_s)(0.0)
    np.testing.assert_allclose(inside, laws.constant(0.1).p_s, rtol=1e-7)
    assert jax.jit(laws.constant)(0.1).p_s.dtype == jnp.float32


def test_low_powers_of_what_is_left():
    """(1 - d/ε)^a falls off a cliff at ε where a is small: 1 - p_I = 2ε ∫ y^a / (1 + y^a) dy, with z = y^a."""
    x, w = np.polynomial.legendre.leggauss(100)
    z = (x + 1) / 2
    for exponent in (0.3, 0.05, 1.0):
        lost = np.sum(w / 2 * z / (1 + z) * z ** (1 / exponent - 1)) / exponent
        got = quadrature.accuracy(spaces.Circle(), Linear(0.2), exponent=exponent)
        np.testing.assert_allclose(got.p_i, 1 - 0.4 * lost, rtol=0, atol=EXACT)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize(
    "space",
    [spaces.Torus(200), spaces.Gaussian(60), spaces.Sphere(500), spaces.Sphere(30), spaces.Torus(20), spaces.Ball(100)],
    ids=lambda space: space.label,
)
def test_many_dimensions(space):
    """Nearly all distances are alike; at exponent 0 all items are, and the integrals of b alone must be 1/n."""
    for n in (2, 3):
        got = quadrature.accuracy(space, Linear(0.5 * min(space.diameter, 10.0), 0.1), n=n, exponent=0.0)
        np.testing.assert_allclose(got, 1 / n, rtol=0, atol=QUADRATURE)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize("radius", [1e-40, 1e-5, 10.0, 100.0])
def test_hyperbolic_disks_of_any_size(radius):
    """A tiny disk is flat; in a huge one nothing cancels. Balls grow like exponentials there: panels are no wider."""
    disk = spaces.Hyperbolic(radius)
    guess = quadrature.integrate(disk, Exponential(0.3 * radius, 0.1), exponent=0.0)
    np.testing.assert_allclose([guess.p_s, guess.p_i], 0.5, rtol=0, atol=QUADRATURE)
    assert max(guess.p_s_error, guess.p_i_error) < 1e-8
    if radius < 1:
        flat = accuracy(spaces.Ball(2), Exponential(0.3))
        np.testing.assert_allclose(accuracy(disk, Exponential(0.3 * radius)), flat, rtol=0, atol=QUADRATURE)


def test_hyperbolic_disks_out_of_range():
    for radius in (1e-60, 201.0, 0.0, np.inf):
        with pytest.raises(ValueError, match="from 1e-50 to 200; got"):
            spaces.Hyperbolic(radius)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("space", [spaces.Interval(), spaces.Ball(2)], ids=lambda space: space.label)
def test_tables_of_many_nodes(space):
    """A table is smooth between its nodes only: probes are split at all of them, too. p_I is ∫ 1/(1 + g) d<b>."""
    table = Tabulated([0, 0.05, 0.06, 0.3, 0.31, 0.6], [1, 1, 0.5, 0.5, 0.05, 0.05])
    x, w = np.polynomial.legendre.leggauss(400)  # the disk's density ends as (2 - r)^(3/2): 1e-9 off with 40
    want, marks = 0.0, np.union1d(table.distances, [1.0, float(space.diameter)])
    for a, b in itertools.pairwise(marks):
        r = (a + b) / 2 + (b - a) / 2 * x
        if space.label == "interval":
            density = 2 * (1 - r) * (r < 1)
        else:  # two points of a disk: the density of their distance (Crofton)
            density = 4 * r / np.pi * np.arccos(r / 2) - 2 * r**2 / np.pi * np.sqrt(1 - r**2 / 4)
        want += (b - a) / 2 * np.sum(w * density / (1 + np.interp(r, table.distances, table.values)))
    got = quadrature.integrate(space, table)
    np.testing.assert_allclose(got.p_i, want, rtol=0, atol=QUADRATURE)
    assert abs(got.p_i - want) <= got.p_i_error


SPACES = {
    "circle": spaces.Circle(),
    "interval": spaces.Interval(),
    "torus": spaces.Torus(2, "l2"),
    "hyperbolic": spaces.Hyperbolic(),
    "gaussian": spaces.Gaussian(3),
    "ball": spaces.Ball(2),
    "sphere": spaces.Sphere(3),
    "hamming": spaces.Hamming(5),
    "product": spaces.Product((spaces.Circle(), spaces.Interval())),
    "ring": spaces.grid(spaces.Circle(), 9),
    "weighted": spaces.Finite(np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))), [0.1, 0.2, 0.3, 0.4]),
}
FAMILIES = {
    "linear": lambda e: Linear(e, 0.05),
    "exponential": Exponential,
    "gaussian": lambda e: Gaussian(e, 0.1),
    "powerlaw": lambda e: PowerLaw(e, 2.0),
    "tabulated": lambda e: Tabulated(e[..., None] * np.array([0.0, 0.3, 1.0, 1.4]), [1.0, 0.6, 0.2, 0.05]),
    "constant": lambda e: Constant(e, 0.1),
}


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize(
    ("space", "family"), [(s, f) for f in FAMILIES for s in SPACES if not (f == "constant" and SPACES[s].discrete)]
)
@pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])
def test_slopes_in_the_resolution(space, family, wide):
    """jit, vmap and grad together, forward and in reverse, against differences of known numbers."""
    where, family = SPACES[space], FAMILIES[family]
    width = 0.37 * min(float(where.diameter), 6.0)
    epsilons = np.array([width, 1.7 * width, 0.08 * width])

    def both(e):
        return jnp.stack(accuracy(where, family(e), n=3))

    step = 1e-3 * epsilons
    at = {k: np.stack(accuracy(where, family(epsilons + k * step), n=3), axis=-1) for k in (-2, -1, 0, 1, 2)}
    want = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * step[:, None])
    with jax.enable_x64(wide):
        run = jax.vmap(jax.jacrev(lambda e: (both(e),) * 2, has_aux=True))
        slopes, values = (np.asarray(x) for x in jax.jit(run)(jnp.asarray(epsilons)))
    scale = 1 / epsilons[:, None]
    np.testing.assert_allclose(slopes / scale, want / scale, rtol=0, atol=3e-6)
    np.testing.assert_allclose(values[0], at[0][0], rtol=0, atol=QUADRATURE if wide else 1e-6)


@pytest.mark.parametrize("space", ["interval", "ring"])
def test_slopes_where_the_similarity_ends(space):
    """By the Luce exponent they are finite; by a floor of 0 they aren't: far items tie at 0, not above."""
    where, h = SPACES[space], 1e-4

    def both(similarity, exponent):
        return jnp.stack(accuracy(where, similarity, n=2, exponent=exponent))

    @functools.cache
    def by_floor(kind):
        return jax.jit(jax.jacrev(lambda e, d: both(kind(e, d), 1.0), (0, 1)))

    slopes = jax.jacrev(lambda a: both(Linear(0.31), a))(1.0)
    around = [np.stack(accuracy(where, Linear(0.31), n=2, exponent=1.0 + k * h)) for k in (-1, 1)]
    np.testing.assert_allclose(slopes, (around[1] - around[0]) / (2 * h), rtol=0, atol=1e-5)
    by_e, by_d = by_floor(Linear)(0.31, 0.0)
    np.testing.assert_allclose(by_e, jax.jacrev(lambda e: both(Linear(e), 1.0))(0.31), rtol=0, atol=1e-6)
    assert (by_d < -1e38).all()
    forward = jax.jacfwd(lambda e, d: both(Linear(e, d), 1.0), (0, 1))(0.31, 0.0)[0]
    np.testing.assert_allclose(forward, by_e, rtol=0, atol=1e-6)
    assert np.isfinite(by_floor(Linear)(0.31, 0.01)).all()
    assert np.isfinite(by_floor(Exponential)(0.31, 0.0)).all()
    assert np.isfinite(by_floor(Constant)(0.31, 0.0)).all()


def test_numbers_in_a_tuple():
    """They are as good as in a list."""
    both = [accuracy(spaces.Circle(), Tabulated(kind((0.0, 0.4)), kind((1.0, 0.2)))) for kind in (tuple, list)]
    assert both[0] == both[1]
    np.testing.assert_array_equal(*(accuracy(spaces.Circle(), Linear(kind((0.1, 0.3)))).p_s for kind in (tuple, list)))


def test_a_small_exponent_hides_no_depth_of_a_floor():
    """p_I of two items is ∫ db / (1 + g^a): a one-dimensional integral, here in mpmath, in z = g from the floor up."""
    epsilon, delta, exponent = math.pi / 2, 1e-6, 0.3
    space = spaces.Product((spaces.Sphere(2), spaces.Circle()), "max")
    got = quadrature.integrate(space, Linear(epsilon, delta), exponent=exponent)

    def ball(r):
        return mpmath.sin(r / 2) ** 2 * min(2 * r, 1)

    def slope(r):
        along = mpmath.sin(r) / 2
        return along if r > 0.5 else along * 2 * r + 2 * mpmath.sin(r / 2) ** 2

    def shared(w):  # z = w^10, of which g^a is a whole power
        z = w**10
        r = epsilon * (1 - (z - delta) / (1 - delta))
        return slope(r) / (1 + w**3) * 10 * w**9 * epsilon / (1 - delta)

    kink = delta + (1 - delta) * (1 - mpmath.mpf(0.5) / epsilon)
    ends = [mpmath.mpf(delta) ** 0.1, 0.5, kink ** mpmath.mpf("0.1"), 1]
    want = mpmath.quad(shared, ends) + (1 - ball(mpmath.mpf(epsilon))) / (1 + mpmath.mpf(delta) ** exponent)
    assert abs(got.p_i - float(want)) < 1e-11


@pytest.mark.parametrize("epsilon", [0.03, 0.01])
def test_slopes_without_jit_of_what_is_deep(epsilon, x64):
    """p_I = 1 - 2 ε K on the circle, K the integral of the gaussian's Luce share; similarities fall by 64 nats."""
    share = integrate.quad(lambda x: 1 / (1 + np.exp(x * x / 2)), 0, 15)[0]
    value, slope = jax.value_and_grad(lambda e: accuracy(spaces.Circle(), Gaussian(e)).p_i)(epsilon)
    np.testing.assert_allclose([value, slope], [1 - 2 * epsilon * share, -2 * share], rtol=0, atol=1e-7)
