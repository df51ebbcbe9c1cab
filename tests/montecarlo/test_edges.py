"""Balls told in 32 bits: the counts are those of 64 bits, trial by trial, and what is near an edge is known to be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import semres_jax
from semres_jax import Constant, Exponential, estimate, spaces
from semres_jax.montecarlo import _edges, _rows, tally, uniforms

KEY = jax.random.key(2506)
SIGMAS = 5.0
DTYPES = (jnp.float32, jnp.float64)
EPSILON = {
    "sphere(2)": 1.0, "sphere(3)": 1.0, "sphere(9)": 1.5, "ball(2)": 0.8, "ball(3)": 0.5, "gaussian(1)": 0.5,
    "gaussian(2)": 1.0, "gaussian(8)": 4.0, "hyperbolic": 1.5, "hyperbolic(30)": 50.0, "hyperbolic(1e-50)": 1e-50,
}  # fmt: skip


def space_of(name):
    return spaces.Torus(2, "l2") if name.startswith("torus") else spaces.get(name)


@pytest.mark.thorough(keep=14)
@pytest.mark.parametrize("method", ["lattice", "prng"])
@pytest.mark.parametrize("n", [2, 9])
@pytest.mark.parametrize("name", [*EPSILON, "torus(2, l2)"])
def test_counts_are_those_of_distances_in_64_bits(name, n, method, monkeypatch):
    """Whole tiles and parts of one, one program for all points and one for each."""
    space, similarity = space_of(name), Constant(EPSILON.get(name, 0.3), 0.1)
    how: dict = {"key": KEY, "trials": 2**17 + 1234, "n": n, "method": method}
    by_row = estimate(space, similarity, **how)
    monkeypatch.setattr(_rows, "suit", lambda devices: False)
    at_once = estimate(space, similarity, **how)
    assert by_row[:7] == at_once[:7]
    assert 0 < by_row.mean_b < 1


@pytest.mark.thorough(keep=4)
@pytest.mark.parametrize("method", ["lattice", "prng"])
@pytest.mark.parametrize("name", [name for name in EPSILON if "30" not in name and "-50" not in name])
def test_millions_of_trials_agree_with_the_laws(name, method):
    """Where the standard error is far below what counts in 32 bits alone might be off."""
    space, similarity = space_of(name), Constant(EPSILON[name])
    e = estimate(space, similarity, key=KEY, trials=2**22, method=method)
    exact = semres_jax.accuracy(space, similarity)
    assert abs(e.p_s - exact.p_s) < SIGMAS * e.p_s_stderr
    assert abs(e.p_i - exact.p_i) < SIGMAS * e.p_i_stderr


@pytest.mark.parametrize("name", ["sphere(2)", "sphere(9)", "gaussian(8)", "hyperbolic", "ball(2)", "ball(3)"])
def test_what_rounding_puts_on_the_other_side_is_told(name, x64):
    """In 32 bits alone some items change sides; all of these are known to be near the edge, and few others."""
    space, number, rng = space_of(name), 2**20, np.random.default_rng(12)
    own = [[jnp.asarray(w) for w in rng.integers(0, 2**32, (space.uniforms, number), dtype=np.uint32)] for _ in "xy"]
    make = jax.jit(lambda space, words, dtype: space.variates(words, dtype), static_argnames="dtype")
    pair = [make(space, words, jnp.float32) for words in own]
    single, double = (space.statistic(*(make(space, words, dtype) for words in own)) for dtype in DTYPES)
    code_of, mistaken = jax.jit(_edges.by_statistic), 0
    # resolutions that are distances of items, or a little less: as likely as not these items change sides
    for epsilon in np.asarray(space.distance_at(double[:20])) * (1 - 1e-12):
        edge = space.statistic_at(epsilon)
        right, alone = np.asarray(double <= edge), np.asarray(single <= edge.astype(jnp.float32))
        code = np.asarray(code_of(space, jnp.asarray(epsilon), *pair))
        near = code == 128
        assert not ((right != alone) & ~near).any()
        np.testing.assert_array_equal(code[~near], right[~near])
        assert near.mean() < 1e-3
        mistaken += int((right != alone).sum())
    assert mistaken > 0


def test_both_sides_of_what_is_near_an_edge(x64):
    """Points of a line whose squared distances are at the bounds and beside them."""
    space, edge = spaces.Ball(1), np.float32(0.25)
    zero = jnp.zeros(1, jnp.float32)
    error = np.asarray(space.statistic_error(jnp.asarray(edge), [zero], [zero]))
    at = np.asarray([0.0, edge - 1.1 * error, edge - 0.9 * error, edge, edge + 0.9 * error, edge + 1.1 * error, 1.0])
    y = jnp.asarray(np.append(np.sqrt(at), [np.inf, np.nan]), jnp.float32)
    code = _edges.by_statistic(space, jnp.asarray(0.5), [jnp.zeros_like(y)], [y])
    assert code.tolist() == [1, 1, 128, 128, 128, 0, 0, 0, 128]
    assert [int(_edges._together(a, code[2])) for a in code[:3]] == [129, 129, 128]
    assert [int(_edges._together(a, code[0])) for a in code[-3:]] == [1, 1, 129]


def test_resolutions_at_the_ends(x64):
    for name in ("sphere(2)", "ball(2)", "hyperbolic", "sphere(9)"):
        space = space_of(name)
        for epsilon, b in ((0.0, 0.0), (float(space.diameter), 1.0), (2.0 * float(space.diameter), 1.0)):
            e = estimate(space, Constant(epsilon), key=KEY, trials=2**12)
            assert e.mean_b == b
    assert estimate(spaces.Gaussian(2), Constant(1e200), key=KEY, trials=2**12).mean_b == 1.0


@pytest.mark.parametrize(
    ("name", "n", "kind"), [("sphere(9)", 3, Constant), ("ball(2)", 2, Constant), ("gaussian(2)", 3, Exponential)]
)
def test_same_bits_on_any_number_of_devices_and_in_any_chunks(name, n, kind):
    how: dict = {"key": KEY, "trials": 2**18 + 1234, "n": n, "method": "prng"}
    reference = np.stack([*estimate(space_of(name), kind(EPSILON[name]), devices=1, **how)[:6]])
    others: tuple[dict, ...] = ({"devices": 3, "chunk": 2**15}, {"devices": 4}, {"chunk": 2**16})
    for other in others:
        again = np.stack([*estimate(space_of(name), kind(EPSILON[name]), **how, **other)[:6]])
        np.testing.assert_array_equal(again, reference)


class Doubled(spaces.Sphere):
    """A space of a user, with a distance of its own and no word of statistics."""

    def distance(self, x, y):
        return 2.0 * super().distance(x, y)


@pytest.mark.parametrize("similarity", [Constant(0.7), Constant([0.7, 0.9]), Exponential(0.4)])
def test_a_space_of_ones_own_needs_no_statistic(similarity):
    own = estimate(
        Doubled(2), jax.tree.map(lambda x: 2.0 * np.asarray(x) if np.any(x) else x, similarity), key=KEY, trials=2**14
    )
    other = estimate(spaces.Sphere(2), similarity, key=KEY, trials=2**14)
    np.testing.assert_allclose(own.p_s, other.p_s, atol=1e-12)
    np.testing.assert_allclose(own.p_i, other.p_i, atol=1e-12)


@pytest.mark.parametrize("name", ["sphere(2)", "sphere(3)"])
def test_many_items_and_resolutions_see_the_points_of_few(name):
    """The list, the axis and the loop of items make the same distances of the same words."""
    space = space_of(name)
    lane = jnp.arange(2**10, dtype=jnp.uint32)
    with jax.enable_x64(True):
        words = uniforms.prng_words(uniforms.streams(KEY, 1, 2)[0], lane)
        few = tally.distances(space, words, 2, False).items
        middle = tally.distances(space, words, 9, False).items
        more = tally.distances(space, words, 40, False).items
    for i in range(2):
        np.testing.assert_allclose(few[i], middle[i], atol=1e-14)
        np.testing.assert_allclose(few[i], more[i], atol=1e-14)
