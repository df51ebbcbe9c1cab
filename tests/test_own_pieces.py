"""Spaces and similarities out of plain functions, through everything that takes one."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray

import semres_jax as sr
from semres_jax import frontier, laws, measure, similarity, spaces
from semres_jax.storage.fingerprints import fingerprint

EXACT = 1e-10
SIGMAS = 5


def lorentz(x):
    return 1 / (1 + x**2)


def around(x, y):
    gap = jnp.abs(x - y)
    return jnp.minimum(gap, 1 - gap)


Lorentz = similarity.from_function(lorentz, name="lorentz")
RING = {"uniforms": 1, "name": "ring", "diameter": 0.5}


def ring(**more):
    return spaces.from_functions(lambda u: u[..., 0], around, **RING | more)


def measured_ring():
    return ring(ball_measure=lambda r: jnp.clip(2 * r, 0, 1))


@pytest.mark.parametrize(
    ("own", "known"),
    [
        (lambda x: jnp.maximum(0, 1 - x), similarity.Linear),
        (lambda x: jnp.where(x <= 1, 1.0, 0.0), similarity.Constant),
        (lambda d, epsilon: jnp.exp(-d / epsilon), similarity.Exponential),
    ],
)
def test_a_known_similarity_as_a_function_is_the_same(own, known):
    """Where it ends, too: distances of grids are the resolution itself, up to rounding."""
    make, grid = similarity.from_function(own), spaces.grid(spaces.Interval(), 11)
    numbers = np.arange(1, 10) / 10, np.linspace(0, 0.8, 9)
    mine, theirs = (np.array(laws.enumeration.accuracy(grid, kind(*numbers))) for kind in (make, known))
    np.testing.assert_allclose(mine, theirs, atol=1e-12, rtol=0)
    assert make.ends == known.ends
    assert len(make(0.2).kinks()) == len(known(0.2).kinks())


def test_a_function_goes_wherever_a_family_does():
    exact = sr.accuracy("circle", Lorentz(0.1, delta=0.05))
    drawn = sr.estimate("circle", Lorentz(0.1, delta=0.05), key=0, trials=2**13)
    assert abs(exact.p_s - drawn.p_s) < SIGMAS * drawn.p_s_stderr
    assert abs(exact.p_i - drawn.p_i) < SIGMAS * drawn.p_i_stderr
    table = sr.sweep(spaces.grid(spaces.Circle(), 24), [Lorentz, "linear"], 2, epsilon=[0.1, 0.2])
    assert table.similarity.values.tolist() == ["lorentz", "linear"]
    grid = spaces.grid(spaces.Circle(), 24)
    best = measure.fit_profile(measure.profile(grid, Lorentz(0.2, 0.1)(grid.distances)), Lorentz)
    assert best.epsilon.value == pytest.approx(0.2, rel=1e-5)
    assert best.delta.value == pytest.approx(0.1, abs=1e-5)
    assert np.isfinite(frontier.family_front(grid, Lorentz, points=8).p_s).all()


def test_choices_take_a_function():
    rng = np.random.default_rng(0)
    distances = rng.random((200, 3))
    odds = np.asarray(Lorentz(0.3, 0.05)(distances), float)
    chosen = np.array([rng.choice(3, p=row / row.sum()) for row in odds])
    fit = measure.fit_choices(distances, chosen, family=Lorentz, delta=0.05)
    assert fit.family == "lorentz"
    assert fit.epsilon.low < 0.3 < fit.epsilon.high


def test_gradients_are_those_of_the_formula():
    def strength(epsilon, delta):
        return Lorentz(epsilon, delta)(0.3)

    epsilon, delta, x = 0.2, 0.1, 1.5
    slopes = jax.grad(strength, (0, 1))(epsilon, delta)
    np.testing.assert_allclose(slopes, [(1 - delta) * lorentz(x) ** 2 * 2 * x**2 / epsilon, 1 - lorentz(x)], rtol=1e-5)
    # Where the function ends there is a slope on both sides.
    Ends = similarity.from_function(lambda x: jnp.maximum(0, 1 - x) ** 2)
    assert np.isfinite(jax.grad(lambda e: Ends(e).log(jnp.array([0.1, 0.2, 0.5])).at[2].set(0.0).sum())(0.2))


def test_the_same_function_compiles_once():
    assert similarity.from_function(lorentz, name="lorentz") is Lorentz

    def sampler(u):
        return u

    def apart(x, y):
        return jnp.abs(x - y).sum(-1)

    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def strengths(space, g, u):
        return g(space.distance(space.point(u), space.point(u[::-1])))

    u = np.random.default_rng(0).random((4, 2), np.float32)
    for epsilon in (0.1, 0.2):
        own = similarity.from_function(lorentz, name="lorentz")
        strengths(spaces.from_functions(sampler, apart, uniforms=2), own(epsilon), u)


def test_a_space_of_a_sampler_and_a_distance():
    """The unit square with the sum of both distances, by keys and by uniforms, against its exact mean distances."""
    by_keys = spaces.from_functions(lambda key, shape: jax.random.uniform(key, (*shape, 2)),
                                    lambda x, y: jnp.abs(x - y).sum(-1), name="square", diameter=2.0)  # fmt: skip
    of_two_points = spaces.from_functions(lambda u: u, lambda x, y: jnp.sum(jnp.abs(x - y)), uniforms=2)
    assert by_keys.label == "square"
    assert of_two_points.diameter == np.inf
    u = np.random.default_rng(0).random((2, 4000, 2), np.float32)
    for space in (by_keys, of_two_points):
        x = space.point(u)
        assert x.shape == (2, 4000, 2)
        d = np.asarray(space.distance(x[0], x[1]))
        # Of two coordinates, each with the mean 1/3 and the variance 1/18.
        assert abs(d.mean() - 2 / 3) < SIGMAS * np.sqrt(2 / 18 / 4000)
        np.testing.assert_allclose(space.distance(x[0][:3, None], x[1][None, :4]),
                                   np.abs(x[0][:3, None] - x[1][None, :4]).sum(-1), rtol=1e-6)  # fmt: skip
    one, two = (sr.estimate(space, sr.Constant(0.5), key=0, trials=2**12) for space in (by_keys, of_two_points))
    for p in ("p_s", "p_i"):
        error = np.hypot(getattr(one, f"{p}_stderr"), getattr(two, f"{p}_stderr"))
        assert abs(getattr(one, p) - getattr(two, p)) < SIGMAS * error
    with pytest.raises(ValueError, match=r"no exact engine .* square .*estimate"):
        sr.accuracy(by_keys, sr.Constant(0.5))


def test_kept_runs_know_a_space_again():
    """Functions that are written anew, as in another process, are the same; others aren't."""
    one, two = ring(), ring()
    far = spaces.from_functions(lambda u: u[..., 0], lambda x, y: around(x, y) / 2, **RING)
    assert fingerprint(one) == fingerprint(two) != fingerprint(far)


def test_a_ball_measure_makes_it_exact():
    own = measured_ring()
    for g in (sr.Constant(0.1, 0.2), Lorentz(0.1, 0.05)):
        np.testing.assert_allclose(sr.accuracy(own, g), sr.accuracy("circle", g), atol=EXACT, rtol=0)
    swept = sr.sweep([own, "circle"], "constant", 2, epsilon=[0.1, 0.2])
    assert swept.space.values.tolist() == ["ring", "circle"]
    np.testing.assert_allclose(swept.p_s[0], swept.p_s[1], atol=EXACT)


FUNCTIONS = [
    (lambda x: 1 + x, "must be between 0 and 1; it is 1.001"),
    (lambda x: 0.5 / (1 + x), "must be 1 at distance 0; it is 0.5"),
    (lambda x: 2 * jnp.exp(-x) - 1, "must be between 0 and 1; it is -"),
    (lambda x: np.exp(-x), "must be written with jax.numpy"),
    (lambda x: 1.0 if x < 1 else 0.0, "must be written with jax.numpy"),
    (lambda x: jnp.sum(x), "one number for each distance"),
    (lambda x: jnp.sin(x) / x, "must have a value at every distance; it is nan at a distance of 0"),
    (lambda x: jnp.where(x < 1, 1, jnp.where(x < 2, 0.2, 0.4)), "rises from 0.2 at 1.995 epsilon to 0.4 at 2"),
    (lambda d, epsilon: jnp.exp(-d) * epsilon, "at epsilon = 0.1"),
    (lambda a, b, c: a, "it takes 3"),
    (lambda: 1.0, "it takes 0"),
    ("exponential", "f must be a function"),
]


@pytest.mark.parametrize(("f", "line"), FUNCTIONS, ids=[line for _, line in FUNCTIONS])
def test_what_is_no_similarity_is_refused(f, line):
    with pytest.raises(ValueError, match=r"\bf must|similarity 'own'") as refused:
        similarity.from_function(f)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


def manhattan(x, y):
    return jnp.abs(x - y).sum(-1)


WRONG = [
    (lambda key, shape: jax.random.uniform(key, (5,)), manhattan, {}, "must give points of shape (2, 3, ...)"),
    (lambda key: key, manhattan, {}, "sample(key, shape) must work"),
    (lambda u: u.sum(), manhattan, {"uniforms": 2}, "must give points of shape (2, 3, ...)"),
    (lambda u: np.sqrt(u), manhattan, {"uniforms": 2}, "sample(u) of uniforms (*batch, 2) must work"),
    (lambda u: u / 0.0, manhattan, {"uniforms": 2}, "finite points"),
    (lambda u: u, lambda x, y: (x - y).sum(-1), {"uniforms": 2}, "distance must be at least 0"),
    (lambda u: u, lambda x, y: jnp.abs(x - 2 * y).sum(-1), {"uniforms": 2}, "distance must be symmetric"),
    (lambda u: u, lambda x, y: jnp.abs(x - y), {"uniforms": 2}, "one number for each pair"),
    (lambda u: u, lambda x, y: manhattan(x, y) + 0.1, {"uniforms": 2}, "itself must be 0; got 0.1"),
    (lambda u: u, lambda x, y: 0 * manhattan(x, y), {"uniforms": 2}, "must tell points apart"),
    (lambda u: u, lambda x, y: jnp.log(manhattan(x, y) - 1), {"uniforms": 2}, "distance must be finite"),
    (lambda u: u, manhattan, {"uniforms": 2, "diameter": 0.3}, "diameter must be the largest distance; got 0.3"),
    (lambda u: u, manhattan, {"uniforms": 2, "diameter": 2.0, "ball_measure": lambda r: r / 2}, "within r: it is"),
    (lambda u: u, manhattan, {"uniforms": 2, "ball_measure": lambda r: r / 2}, "needs the diameter"),
    (lambda u: u, manhattan, {"uniforms": 0}, "uniforms must be at least 1"),
    (3, manhattan, {}, "sample must be a function; got 3"),
]


@pytest.mark.parametrize(("sample", "distance", "more", "line"), WRONG, ids=[line for *_, line in WRONG])
def test_what_is_no_space_is_refused(sample, distance, more, line):
    with pytest.raises(ValueError, match=r"sample|distance|diameter|ball|uniforms") as refused:
        spaces.from_functions(sample, distance, **more)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


def test_labelled_tables_follow_the_names_of_the_space():
    names, rng = list("abcde"), np.random.default_rng(0)
    d = rng.random((5, 5))
    d = d + d.T
    np.fill_diagonal(d, 0)
    space = spaces.Finite(pd.DataFrame(d, names, names))
    strengths, order = np.exp(-d) * rng.random((5, 5)) + np.eye(5), [3, 0, 4, 1, 2]
    frame = pd.DataFrame(strengths, names, names)
    array = xarray.DataArray(strengths, dims=("p", "x"), coords={"p": names, "x": names})
    plain, shape = laws.tables.accuracy(space, strengths), measure.profile(space, strengths)
    for table in (frame, frame.iloc[order], frame[[names[k] for k in order]], array[order], array[:, order]):
        assert laws.tables.accuracy(space, table) == plain
        np.testing.assert_array_equal(measure.profile(space, table).mean, shape.mean)
    with pytest.raises(ValueError, match=r"label 'z' of row 0 is none of the 5 names of the space"):
        laws.tables.accuracy(space, frame.rename(index={"a": "z"}))


def test_results_become_data_frames():
    grid = spaces.grid(spaces.Circle(), 8)
    profile = measure.profile(grid, Lorentz(0.2, 0.1)(grid.distances))
    assert profile.to_dataframe().distance.tolist() == profile.distance.tolist()
    assert measure.fit_profile(profile, "linear").to_dataframe().shape == (1, 6)
    rng = np.random.default_rng(0)
    distances = rng.random((60, 3))
    fit = measure.fit_choices(distances, np.where(rng.random(60) < 0.7, distances.argmin(1), 0))
    assert fit.to_dataframe().loc["epsilon", "low"] == fit.epsilon.low
    tests = measure.goodness_of_fit(fit, count=2)
    assert len(tests.to_dataframe()) == len(tests.calibration.middle) + len(tests.gap.middle)
    assert tests.calibration.to_dataframe().observed.tolist() == tests.calibration.observed.tolist()
    assert measure.RatioTest(3.0, 1, 0.08).to_dataframe().values.tolist() == [[3.0, 1.0, 0.08]]
    items = measure.fit_items_law([2, 4], [95, 80], [100, 100], bootstrap=0).to_dataframe()
    assert items.n.tolist() == [2, 4]
    assert items.attrs["level"] == 0.95
    points = np.stack([np.cos(2 * np.pi * np.arange(8) / 8), np.sin(2 * np.pi * np.arange(8) / 8)], 1)
    model = measure.embeddings(points, grid, bootstrap=20, optimal="none")
    table = model.to_dataframe()
    assert table.of.tolist() == ["model", *["fit"] * len(model.fits), *["front"] * len(model.fronts)]
    assert table.p_s[0] == model.p_s.value
    assert table.p_s_low[0] == model.p_s.low
    assert table.distance.iloc[-1] == list(model.fronts.values())[-1].distance.value
