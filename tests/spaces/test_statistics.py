"""Statistics in place of distances: increasing, of the points of `point`, in 32 bits as close as they say."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from semres_jax import spaces
from semres_jax.spaces import _variates

SPACES = [
    spaces.Sphere(1), spaces.Sphere(2), spaces.Sphere(3), spaces.Sphere(4), spaces.Sphere(9), spaces.Sphere(40),
    spaces.Ball(1), spaces.Ball(2), spaces.Ball(3), spaces.Ball(10),
    spaces.Gaussian(1), spaces.Gaussian(2), spaces.Gaussian(8), spaces.Gaussian(30),
    spaces.Hyperbolic(1e-50), spaces.Hyperbolic(0.5), spaces.Hyperbolic(), spaces.Hyperbolic(5.0),
    spaces.Hyperbolic(30.0),
    spaces.Torus(2, "l2"), spaces.Torus(5, "l2"),
]  # fmt: skip
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.label)
LIGHT, HEAVY = 2**18, 2**24
SIGMAS = 5.0
# Of a float64 point: some units of the last place of its largest coordinate.
DIGITS = 4e-15
# `point` moves uniforms by 2^-54: a normal number out there by so much over its density.
MOVED = 2.0**-54

pytestmark = pytest.mark.usefixtures("x64")


def words(space, number=None, seed=0):
    """Of as many points, or a million in all: uniform, a tenth near 0, near 2^32 and multiples of a quarter."""
    number = 4 * LIGHT // max(4, space.uniforms) if number is None else number
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 2**32, (space.uniforms, number), dtype=np.uint32)
    near = (2.0 ** rng.uniform(0, 30, (space.uniforms, number // 10))).astype(np.int64)
    place = rng.integers(0, 4, near.shape) * 2**30 + near * rng.choice([-1, 1], near.shape)
    drawn[:, : number // 10] = (place % 2**32).astype(np.uint32)
    drawn[:, :2] = [0, 2**32 - 1]
    return [jnp.asarray(row) for row in drawn]


@functools.partial(jax.jit, static_argnames="double")
def variates(space, own, double):
    return space.variates(own, jnp.float64 if double else jnp.float32)


@jax.jit
def points_of(space, own):
    return space.point((jnp.stack(own, axis=-1) + 0.5) / 2.0**32)


statistics = jax.jit(lambda space, probe, items: space.statistic(probe, items))
errors = jax.jit(lambda space, level, x, y: space.statistic_error(level, x, y))
edges = jax.jit(lambda space, r: space.statistic_at(r))
balls = jax.jit(lambda space, probe, r: space.ball_measure(probe, r))


@jax.jit
def both(space, x, y):
    """Of pairs: distance, statistic in 64 and in 32 bits, and how far the latter may be off."""
    a, b = (points_of(space, own) for own in (x, y))
    pairs = [[space.variates(own, dtype) for own in (x, y)] for dtype in (jnp.float64, jnp.float32)]
    double, single = (space.statistic(*pair) for pair in pairs)
    return space.distance(a, b), double, single, space.statistic_error(double, *pairs[1])


@every_space
def test_variates_are_the_coordinates_of_the_point(space):
    own = words(space)
    points = np.atleast_2d(points_of(space, own))
    made = np.stack([np.asarray(x) for x in variates(space, own, True)[: points.shape[-1]]], axis=-1)
    scale = np.abs(points).max()
    allowed = np.full((len(made), 1), DIGITS * scale)
    if space.uniforms > 2 or space.name == "gaussian":
        u = (np.stack([np.asarray(word) for word in own], axis=-1) + 0.5) / 2.0**32
        normal = stats.norm.ppf(u if space.name != "ball" else u[:, :-1])
        off = np.linalg.norm(DIGITS + 4.0 * MOVED / stats.norm.pdf(normal), axis=-1)
        allowed[:, 0] += off if space.name == "gaussian" else 2.0 * off / np.linalg.norm(normal, axis=-1)
    assert (np.abs(made - points) <= allowed).all()


@pytest.mark.parametrize("space", [s for s in SPACES if s.label != "hyperbolic(30)"], ids=lambda space: space.label)
def test_statistics_increase_with_the_distance(space):
    d, s, *_ = (np.asarray(x) for x in both(space, words(space), words(space, seed=1)))
    assert s.min() >= 0
    top = float(np.max(d))
    np.testing.assert_allclose(space.distance_at(jnp.asarray(s)), d, rtol=1e-7, atol=1e-7 * top)
    grid = jnp.linspace(0.0, min(float(space.diameter), 30.0) * (1 - 1e-9), 2000)
    level = np.asarray(space.statistic_at(grid))
    assert level[0] == 0
    assert (np.diff(level) > 0).all()
    np.testing.assert_allclose(space.distance_at(jnp.asarray(level)), grid, rtol=1e-7, atol=1e-12)
    beyond = np.asarray(space.statistic_at(jnp.asarray([space.diameter, 1e300])))
    assert np.isfinite(beyond).all()
    assert (beyond >= s.max() * (1 - DIGITS)).all()
    assert float(space.statistic_at(1e300)) >= s.max()


def _error_bound(space, number):
    for seed in range(max(1, number // LIGHT)):
        _, s, single, error = both(space, words(space, seed=2 * seed), words(space, seed=2 * seed + 1))
        assert single.dtype == jnp.float32
        s, single, error = (np.asarray(x, np.float64) for x in (s, single, error))
        assert (error > 0).all()
        known = np.isfinite(error)
        assert (np.abs(single - s) <= error)[known].all()
        assert known.mean() > 0.999


@every_space
def test_statistics_in_32_bits_are_as_close_as_they_say(space):
    _error_bound(space, LIGHT)
    x, y = ([np.asarray(c)[5:6] for c in variates(space, words(space, seed=seed), False)] for seed in (1, 2))
    level = np.sort(both(space, words(space), words(space, seed=1))[1])
    pair = ([np.broadcast_to(c, level.shape) for c in point] for point in (x, y))
    error = np.asarray(errors(space, level, *pair))
    rest = level - error
    assert (np.diff(error) >= 0).all()
    assert (np.diff(rest)[rest[:-1] > 0] >= 0).all()


@pytest.mark.thorough
@every_space
def test_16_million_statistics_in_32_bits_are_as_close_as_they_say(space):
    _error_bound(space, HEAVY)


def _marginal(space, coordinates):
    """Numbers that are uniform if the points are what they should be, by the law of a coordinate or of the radius."""
    x = [np.asarray(c, np.float64) for c in coordinates]
    if space.name == "gaussian":
        return [stats.norm.cdf(c) for c in x]
    if space.name == "torus":
        return x
    if space.name == "hyperbolic":
        square = (x[0] ** 2 + x[1] ** 2) / np.sinh(float(space.radius) / 2.0) ** 2
        return [square, np.arctan2(x[1], x[0]) / (2 * np.pi) % 1.0]
    half = space.dim / 2 if space.name == "sphere" else (space.dim + 1) / 2
    return [stats.beta.cdf((1 + c) / 2, half, half) for c in x]


def _kolmogorov_smirnov_and_serial(space, number):
    rng = np.random.default_rng(6)
    own = [jnp.asarray(row) for row in rng.integers(0, 2**32, (space.uniforms, number), dtype=np.uint32)]
    made = variates(space, own, False)
    u = _marginal(space, [made[0], made[1]] if len(made) > 1 else made)
    for column in u:
        column = column[np.isfinite(column)]
        assert len(column) > number * (1 - 1e-4)
        assert stats.kstest(column, "uniform").pvalue > 1e-6
        centred = column - 0.5
        for lag in (1, 2, 7):  # serial correlations
            assert abs(12.0 * np.mean(centred[:-lag] * centred[lag:])) < SIGMAS / np.sqrt(len(column))
        cells = np.minimum((column * 64).astype(int), 63)  # serial test: pairs of neighbours fill a square evenly
        pairs = np.bincount(cells[:-1:2][: number // 2 - 1] * 64 + cells[1::2][: number // 2 - 1], minlength=64**2)
        expected = pairs.sum() / 64**2
        chi = ((pairs - expected) ** 2).sum() / expected
        assert abs(chi - 4095) < SIGMAS * np.sqrt(2 * 4095)


_DRAWN = [space for space in SPACES if space.name != "hyperbolic" or 0.1 < float(space.radius) < 10]
every_sampler = pytest.mark.parametrize("space", _DRAWN, ids=lambda space: space.label)


@every_sampler
def test_variates_in_32_bits_follow_their_law(space):
    _kolmogorov_smirnov_and_serial(space, LIGHT)


@pytest.mark.thorough
@every_sampler
def test_16_million_variates_in_32_bits_follow_their_law(space):
    _kolmogorov_smirnov_and_serial(space, HEAVY)


@every_sampler
@pytest.mark.thorough(keep=6)
def test_balls_by_statistics_in_32_bits_have_their_measure(space):
    """Around some probes, at 5 sigma."""
    if not space.has_ball_measure:
        pytest.skip("no ball measure")
    made = variates(space, words(space, 2, seed=3), False)
    rng = np.random.default_rng(8)
    own = [jnp.asarray(row) for row in rng.integers(0, 2**32, (space.uniforms, LIGHT * 4), dtype=np.uint32)]
    items = variates(space, own, False)
    p = points_of(space, words(space, 2, seed=3))
    scale = 4.0 * np.sqrt(space.dim) if space.name == "gaussian" else float(space.diameter)
    for probe in range(2):
        s = np.asarray(statistics(space, [x[probe] for x in made], items))
        for r in (0.1 * scale, 0.3 * scale, 0.6 * scale):
            b = float(balls(space, p[probe], r))
            inside = float(np.mean(s <= float(edges(space, r))))
            assert abs(inside - b) < SIGMAS * np.sqrt(b * (1 - b) / len(s)) + SIGMAS**2 / len(s)


def test_normal_numbers_are_as_close_as_they_say():
    rng = np.random.default_rng(1)
    near = (2.0 ** rng.uniform(0, 31, LIGHT)).astype(np.uint32)
    word = jnp.asarray(np.concatenate([rng.integers(0, 2**32, LIGHT, dtype=np.uint32), near, ~near]))
    single, double = (np.asarray(_variates.normal_of(word, dtype), float) for dtype in (jnp.float32, jnp.float64))
    fixed, relative = _variates.NORMAL_ERROR
    assert (np.abs(single - double) <= fixed + relative * np.abs(double)).all()
    assert np.abs(double).max() < _variates.FARTHEST
    exact = stats.norm.ppf((np.asarray(word, float) + 0.5) / 2.0**32)
    low = np.asarray(word) < 2**31
    np.testing.assert_allclose(double[low], exact[low], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(double[-LIGHT:], -double[-2 * LIGHT : -LIGHT])


def test_a_class_with_a_distance_or_point_of_its_own_has_no_statistic():
    class Halved(spaces.Sphere):
        def distance(self, x, y):
            return super().distance(x, y) / 2

    class Moved(spaces.Gaussian):
        def point(self, u):
            return super().point(u) + 1.0

    class Named(spaces.Ball):
        pass

    assert not Halved(2).has_statistic
    assert not Moved(2).has_statistic
    assert Named(2).has_statistic
    assert not spaces.Circle().has_statistic
    with pytest.raises(NotImplementedError, match="circle has no statistic"):
        spaces.Circle().statistic([], [])
