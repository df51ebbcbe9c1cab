"""Every space through every property: a metric, its sampler and its ball measure are one and the same space."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import spaces

EXTRA = [
    spaces.Sphere(1), spaces.Sphere(30), spaces.Ball(1), spaces.Ball(3), spaces.Gaussian(1), spaces.Gaussian(10),
    spaces.Hamming(1), spaces.Hamming(40), spaces.Hyperbolic(0.5), spaces.Hyperbolic(5.0),
    spaces.Torus(3), spaces.Torus(3, "l1"), spaces.Torus(2, "l2"), spaces.Torus(3, "l2"),
    spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]], [0.2, 0.0, 0.8]),
    *(spaces.Product((spaces.Circle(), spaces.Ball(2), spaces.Hamming(8)), metric) for metric in ("max", "l1", "l2")),
    spaces.Product((spaces.Interval(), spaces.Interval()), "min"),
]  # fmt: skip
SPACES = [pytest.param(space, id=space.label) for space in (*spaces.catalogue().values(), *EXTRA)]
every_space = pytest.mark.parametrize("space", SPACES)
every_measure = pytest.mark.parametrize("space", [p for p in SPACES if p.values[0].has_ball_measure])
# The catalogue in both precisions, the rest in float64.
_BOTH = [
    pytest.param(*param.values, double, id=f"{param.id}-{'float64' if double else 'float32'}")
    for i, param in enumerate(SPACES)
    for double in (False, True)
    if double or i < len(spaces.catalogue())
]
every_space_and_precision = pytest.mark.parametrize(("space", "double"), _BOTH)
every_measure_and_precision = pytest.mark.parametrize(
    ("space", "double"), [param for param in _BOTH if param.values[0].has_ball_measure]
)

SIGMAS = 5  # standard errors that a Monte Carlo mean may be off


def uniforms(space, shape, seed=0):
    """float32 uniforms, or float64 ones where x64 is on."""
    u = np.random.default_rng(seed).random((*shape, space.uniforms))
    dtype = jnp.result_type(float)
    return jnp.minimum(jnp.asarray(u, dtype), 1 - jnp.finfo(dtype).eps / 2)


# Spaces are pytrees: one compilation of each serves every test, shape and parameter of a kind. Compiling is nearly all
# that these tests cost, so most of them use COUNT points.
COUNT = 20_000
point = jax.jit(lambda space, u: space.point(u))
distance = jax.jit(lambda space, x, y: space.distance(x, y))
measure = jax.jit(lambda space, p, r: space.ball_measure(p, r))
slopes = jax.jit(jax.vmap(jax.grad(lambda r, space, p: space.ball_measure(p, r).sum()), (0, None, None)))
distance_gradient = jax.jit(jax.grad(lambda x, y, space: space.distance(x, y).sum()))


def points(space, seed=0):
    return point(space, uniforms(space, (COUNT,), seed))


def radii(space):
    """Small to whole, off the values that distances of discrete spaces take."""
    scale = 4.0 if not np.isfinite(space.diameter) else float(space.diameter)
    return [0.0771 * scale, 0.2613 * scale, 0.5177 * scale, 0.7919 * scale]


def finite_gradient(space, x, y):
    """Whether the gradient of the summed distances in x is finite; integer points have none."""
    leaves = [leaf for leaf in jax.tree.leaves(x) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    if len(leaves) < len(jax.tree.leaves(x)):
        return True
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(distance_gradient(x, y, space)))


@pytest.mark.thorough(keep=16)
@every_space_and_precision
def test_distance_is_a_metric(space, double):
    with jax.enable_x64(double):
        x, y, z = (points(space, seed) for seed in range(3))
        xy, yz, xz = distance(space, x, y), distance(space, y, z), distance(space, x, z)
        slack = 8 * jnp.finfo(xy.dtype).eps * (1.0 if not np.isfinite(space.diameter) else max(1.0, space.diameter))
        np.testing.assert_array_equal(xy, distance(space, y, x))
        np.testing.assert_array_equal(distance(space, x, x), 0.0)
        xy, yz, xz = (np.asarray(d) for d in (xy, yz, xz))
        assert xy.shape == (COUNT,)
        assert np.isfinite(xy).all()
        assert (xy >= 0).all()
        assert float(xy.max()) <= float(space.diameter) + slack
        broken = int((xz > xy + yz + slack).sum())
        assert (broken == 0) == space.triangle


@pytest.mark.thorough(keep=14)
@every_space_and_precision
def test_gradients_are_finite_everywhere(space, double):
    with jax.enable_x64(double):
        x, y = points(space), points(space, 1)
        assert finite_gradient(space, x, y)
        assert finite_gradient(space, x, x)
        if isinstance(space, (spaces.Sphere, spaces.Ball, spaces.Gaussian, spaces.Hyperbolic)):
            assert finite_gradient(space, x, -x)
        if space.has_ball_measure:
            p = space.probe(jnp.full((1, space.probe_uniforms), 0.3))
            r = [*radii(space), 0.0, -1.0, 1e-6, 100.0, space.diameter, space.diameter / 2, 1.0, 0.5]
            slope = np.asarray(slopes(jnp.asarray(r, jnp.result_type(float)), space, p))
            assert np.isfinite(slope).all(), slope
            assert (slope >= -1e-5).all(), slope


@every_space_and_precision
def test_the_ends_of_the_unit_cube_make_points(space, double):
    with jax.enable_x64(double):
        dtype = jnp.result_type(float)
        for end in (0.0, 1 - 2.0**-24, 1 - float(jnp.finfo(dtype).eps) / 2, 0.5):
            x = point(space, jnp.full((COUNT, space.uniforms), end, dtype))
            for leaf in jax.tree.leaves(x):
                assert leaf.shape[0] == COUNT
                assert np.isfinite(leaf).all()
                assert not jnp.issubdtype(leaf.dtype, jnp.floating) or leaf.dtype == dtype
            d = np.asarray(distance(space, x, points(space)))
            assert np.isfinite(d).all()
            assert float(d.max()) <= float(space.diameter) * (1 + 1e-6)


@every_space
def test_point_refuses_other_numbers_of_uniforms(space):
    for wrong in (0, space.uniforms + 1):
        with pytest.raises(ValueError, match=rf"\(\*batch, {space.uniforms}\).*got shape \(5, {wrong}\)"):
            space.point(jnp.zeros((5, wrong)))


@pytest.mark.thorough(keep=12)
@every_measure
def test_sampler_fills_balls_as_the_ball_measure_says(space):
    sample, probes = points(space, seed=7), points(space, seed=8)
    r = jnp.asarray(radii(space))
    exact = measure(space, jax.tree.map(lambda leaf: leaf[:3, None], probes), r[None])
    for probe, b in enumerate(np.asarray(exact, np.float64)):
        p = jax.tree.map(lambda leaf, probe=probe: jnp.broadcast_to(leaf[probe], leaf.shape), probes)
        inside = np.mean(np.asarray(distance(space, sample, p))[:, None] <= np.asarray(r), axis=0)
        margin = SIGMAS * np.sqrt(b * (1 - b).clip(0) / COUNT) + SIGMAS**2 / COUNT
        assert (np.abs(inside - b) < margin).all(), (probe, inside, b)


@pytest.mark.thorough(keep=14)
@every_measure_and_precision
def test_ball_measure_rises_from_0_to_1(space, double):
    with jax.enable_x64(double):
        p = jax.tree.map(lambda leaf: leaf[:20, None], points(space))
        top = 40.0 if not np.isfinite(space.diameter) else space.diameter * 1.01
        r = np.append(np.linspace(-1.0, top, 300), np.inf)[None]
        b = np.asarray(measure(space, p, jnp.asarray(r)))
        slack = 20 * np.finfo(b.dtype).eps
        assert b.shape == (20, 301)
        assert b.min() >= 0
        assert b.max() <= 1
        assert (np.diff(b, axis=1) >= -slack).all()
        assert (b[:, r[0] < 0] == 0).all()
        np.testing.assert_allclose(b[:, -2:], 1.0, rtol=0, atol=slack)  # past the diameter, and at infinity
        if space.homogeneous:
            assert np.ptp(b, axis=0).max() == 0


@pytest.mark.thorough(keep=12)
@every_measure
def test_probes_have_the_ball_measures_of_the_sample(space):
    """Mean and mean square of b_p over `probe` are those over ν; with 0 probe uniforms the one probe is all."""
    sample = points(space, seed=3)
    v = np.random.default_rng(4).random((COUNT, space.probe_uniforms))
    probes = space.probe(jnp.asarray(v, jnp.float32))
    assert jax.tree.map(lambda a: a.shape[1:], probes) == jax.tree.map(lambda a: a.shape[1:], sample)
    for r in radii(space)[:3]:
        for power in (1, 2):
            a, b = (np.asarray(measure(space, p, r), np.float64) ** power for p in (sample, probes))
            stderr = np.sqrt((a.var() + b.var()) / COUNT)
            assert abs(a.mean() - b.mean()) < SIGMAS * stderr + 1e-5, (r, power)


@pytest.mark.thorough(keep=5)
@pytest.mark.parametrize(
    "space",
    [
        p
        for p in SPACES
        if p.values[0].probe_uniforms == 1 and p.values[0].has_ball_measure and not p.values[0].discrete
    ],
)
def test_kinks_are_where_the_ball_measure_is_not_smooth(space, x64):
    """Second differences over v are small except at the places named (finite spaces are counted, not integrated)."""
    step = 2e-4
    v = jnp.arange(0.06, 0.9, step)
    for r in radii(space)[:3]:
        (kinks,) = space.probe_kinks(r)
        b = np.asarray(measure(space, space.probe(v[:, None]), r))
        bend = np.abs(np.diff(b, 2)) / step
        rough = np.asarray(v)[1:-1][bend > 0.05]
        for place in rough:
            assert min((abs(place - float(kink)) for kink in kinks), default=1.0) < 0.02, (r, place)


@pytest.mark.thorough(keep=12)
@every_space
def test_a_second_call_does_not_retrace(space):
    chex.clear_trace_counter()
    traced = jax.jit(chex.assert_max_traces(lambda space, x, y: space.distance(x, y), n=1))
    x, y = points(space), points(space, 1)
    leaves, structure = jax.tree.flatten(space)
    other = jax.tree.unflatten(structure, [leaf * 1.0 for leaf in leaves])
    np.testing.assert_array_equal(traced(space, x, y), traced(other, y, x))


@pytest.mark.thorough
def test_distances_keep_relative_precision_for_near_and_opposite_points():
    angle = jnp.asarray([1e-6, 1e-3, 1.0, np.pi - 1e-3, np.pi])
    x = jnp.stack([jnp.cos(angle * 0), jnp.sin(angle * 0), 0 * angle], axis=-1)
    y = jnp.stack([jnp.cos(angle), jnp.sin(angle), 0 * angle], axis=-1)
    np.testing.assert_allclose(spaces.Sphere(2).distance(x, y), angle, rtol=1e-6)
    t = jnp.asarray([1e-6, 1e-3, 1.0])
    centre = jnp.zeros((3, 2))
    out = jnp.stack([jnp.sinh(t / 2), 0 * t], axis=-1)
    np.testing.assert_allclose(spaces.Hyperbolic().distance(centre, out), t, rtol=1e-6)
    with jax.enable_x64(True):  # and away from the centre: two points on one ray are t apart
        a, b = 1.5, 1.5 + 1e-9
        x, y = (jnp.array([np.sinh(s / 2), 0.0]) for s in (a, b))
        np.testing.assert_allclose(spaces.Hyperbolic().distance(x, y), 1e-9, rtol=1e-6)


def test_min_product_breaks_the_triangle_inequality_and_says_so():
    pair = (spaces.Interval(), spaces.Interval())
    assert not spaces.Product(pair, "min").triangle
    assert all(spaces.Product(pair, metric).triangle for metric in ("max", "l1", "l2"))
    assert not spaces.Product((spaces.Product(pair, "min"), spaces.Circle())).triangle
    x, y, z = ((jnp.asarray(a), jnp.asarray(b)) for a, b in ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0)))
    d = spaces.Product(pair, "min").distance
    assert float(d(x, z)) == 1.0 > float(d(x, y)) + float(d(y, z)) == 0.0


@pytest.mark.parametrize("space", [p for p in SPACES if p.values[0].has_ticks])
def test_ticks_are_the_distance_in_integers(space, x64):
    words = np.random.default_rng(3).integers(0, 2**32, (2, space.uniforms, 1000), dtype=np.uint32)
    words[:, :, :2] = [0, 2**32 - 1]
    ticks = space.ticks(*(list(jnp.asarray(w)) for w in words))
    assert ticks.dtype == jnp.uint32
    x, y = (space.point(jnp.asarray(w.T / 2.0**32)) for w in words)
    np.testing.assert_allclose(np.asarray(ticks) / 2.0**32, space.distance(x, y), rtol=0, atol=1e-15)


def test_only_flat_spaces_have_ticks():
    assert {p.id for p in SPACES if p.values[0].has_ticks} == {"circle", "interval", "torus(2)", "torus(3)"}
