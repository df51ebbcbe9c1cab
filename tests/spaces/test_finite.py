"""Finite spaces and trees: tables, weights, drawing without replacement, Newick."""

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import spaces

SIGMAS = 5


def line(n, weights=None):
    places = np.arange(n)
    return spaces.Finite(np.abs(places[:, None] - places), weights)


@pytest.mark.parametrize(("n", "m"), [(3, 1), (4, 2), (5, 3), (4, 4)])
def test_each_ordered_tuple_owns_the_same_share_of_the_cube(n, m):
    # One uniform in the middle of each cell: n cells for the first draw, n - 1 for the second, ...
    cells = np.array(list(itertools.product(*(range(n - j) for j in range(m)))), float)
    u = (cells + 0.5) / (n - np.arange(m))
    drawn = Counter(map(tuple, np.asarray(jax.jit(line(n).distinct)(jnp.asarray(u, jnp.float32))).tolist()))
    assert drawn == Counter(dict.fromkeys(itertools.permutations(range(n), m), 1))


@pytest.mark.parametrize("m", [3, 45])
def test_draws_differ_also_at_the_ends_of_the_unit_interval(m):
    u = jnp.asarray(np.array([[0.0] * m, [1 - 2.0**-24] * m, [0.0, 1 - 2.0**-24] * (m // 2) + [0.5] * (m % 2)]))
    for weights in (None, np.arange(60) / np.arange(60).sum()):
        drawn = np.asarray(jax.jit(line(60, weights).distinct)(u))
        assert all(len(set(row)) == m for row in drawn.tolist())
        assert drawn.min() >= 0
        assert drawn.max() < 60
        assert weights is None or drawn.min() >= 1  # point 0 has weight 0


def test_loops_draw_what_unrolled_code_draws(monkeypatch):
    u = jnp.asarray(np.random.default_rng(0).random((200, 5)), jnp.float32)
    for weights in (None, np.arange(1, 31) / np.arange(1, 31).sum()):
        drawn = []
        for limit in (0, 5):
            with monkeypatch.context() as patch:
                patch.setattr("semres_jax.spaces._draws._UNROLLED", limit)
                # A new function each time, or jit would give back the first compilation.
                drawn.append(np.asarray(jax.jit(lambda u, w=weights: line(30, w).distinct(u))(u)))
        np.testing.assert_array_equal(*drawn)
        assert all(len(set(row)) == 5 for row in drawn[0].tolist())


def test_many_distinct_draws_are_a_permutation():
    drawn = np.asarray(line(50).distinct(jnp.asarray(np.random.default_rng(1).random((20, 50)), jnp.float32)))
    np.testing.assert_array_equal(np.sort(drawn, axis=1), np.broadcast_to(np.arange(50), (20, 50)))


@pytest.mark.parametrize("weights", [None, [0.1, 0.2, 0.0, 0.3, 0.4]])
def test_distinct_frequencies(weights):
    """Successive sampling: P(i, j, k) = w_i · w_j / (1 - w_i) · w_k / (1 - w_i - w_j)."""
    count = 60_000
    space = line(5, weights)
    w = np.full(5, 0.2) if weights is None else np.array(weights)
    u = np.random.default_rng(5).random((3, count)).astype(np.float32)
    drawn = np.stack(jax.jit(lambda u: space.distinct(list(u)))(u))
    draws = Counter(map(tuple, drawn.T.tolist()))
    chi_square, degrees = 0.0, -1
    for i, j, k in itertools.permutations(range(5), 3):
        expected = count * w[i] * w[j] / (1 - w[i]) * w[k] / max(1 - w[i] - w[j], 1e-9)
        if expected == 0:
            assert draws[i, j, k] == 0
            continue
        chi_square += (draws[i, j, k] - expected) ** 2 / expected
        degrees += 1
    assert sum(draws.values()) == count
    assert abs(chi_square - degrees) < SIGMAS * np.sqrt(2 * degrees)


def test_asking_for_more_than_there_are():
    with pytest.raises(ValueError, match=r"4 distinct points asked of finite\(3\), which has 3"):
        line(3).distinct(jnp.zeros((2, 4)))
    with pytest.raises(ValueError, match="which has 2 of positive weight"):
        line(3, [0.5, 0.0, 0.5]).distinct(jnp.zeros((2, 3)))


def test_points_follow_the_weights_exactly():
    u = jnp.asarray([[0.0], [0.0999], [0.1001], [0.2999], [0.3001], [1 - 2.0**-24]])
    assert line(5, [0.1, 0.2, 0.0, 0.7, 0.0]).point(u).tolist() == [0, 0, 1, 1, 3, 3]
    assert line(5).point(jnp.asarray([[0.0], [0.1999], [0.2001], [1 - 2.0**-24]])).tolist() == [0, 0, 1, 4]
    assert line(5).point(u).dtype == jnp.int32


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev", "cosine"])
def test_from_points_subtracts_in_float64(metric):
    x = np.random.default_rng(0).normal(size=(300, 5)) + (0 if metric == "cosine" else 1e6)
    gap = x[:, None] - x[None]
    exact = {
        "euclidean": lambda: np.sqrt((gap**2).sum(-1)),
        "cityblock": lambda: np.abs(gap).sum(-1),
        "chebyshev": lambda: np.abs(gap).max(-1),
        "cosine": lambda: 1 - (x @ x.T) / np.outer(*[np.linalg.norm(x, axis=1)] * 2),
    }[metric]()
    np.testing.assert_allclose(spaces.Finite.from_points(x, metric).distances, exact, rtol=1e-9, atol=1e-12)


def test_from_points_takes_the_distance_of_a_space():
    sphere = spaces.Sphere(2)
    x = np.asarray(sphere.point(jnp.asarray(np.random.default_rng(0).random((400, 2)), jnp.float32)))
    space = spaces.Finite.from_points(x, sphere.distance)
    unit = x.astype(np.float64)
    np.testing.assert_allclose(space.distances[3, 7], np.arccos(unit[3] @ unit[7]), atol=1e-6)
    assert space.label == "finite(400)"
    assert not np.diag(space.distances).any()


def bad(*changes):
    table = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    for i, j, value in changes:
        table[i, j] = value
    return table


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: spaces.Finite(np.zeros((2, 3))), r"square.*\(2, 3\)"),
     (lambda: spaces.Finite(bad((1, 2, 5.0))), r"symmetric; got d\(1, 2\) = 5 but d\(2, 1\) = 1"),
     (lambda: spaces.Finite(bad((0, 1, -1.0), (1, 0, -1.0))), r"at least 0; got d\(0, 1\) = -1"),
     (lambda: spaces.Finite(bad((2, 1, np.nan))), r"finite numbers; got d\(2, 1\) = nan"),
     (lambda: spaces.Finite(bad((3, 3, 0.5))), r"itself must be 0; got d\(3, 3\) = 0.5"),
     (lambda: spaces.Finite(bad(), [0.5, 0.5]), r"shape \(4,\).*\(2,\)"),
     (lambda: spaces.Finite(bad(), [0.5, 0.7, -0.2, 0.0]), "got weight -0.2 of point 2"),
     (lambda: spaces.Finite(bad(), [0.5, 0.7, 0.2, 0.0]), "sum to 1; got 1.4"),
     (lambda: spaces.Finite.from_points(np.zeros((3, 2)), "euclidian"), "'euclidian' is unknown; use euclidean"),
     (lambda: spaces.Finite.from_points(np.zeros((1, 2))), "at least 2 rows"),
     (lambda: spaces.Finite.from_points([[0.0], [np.inf]]), "finite real numbers"),
     (lambda: spaces.Sphere(0), "dim must be at least 1; got 0"),
     (lambda: spaces.Gaussian(2.5), "dim must be a whole number of at least 1; got 2.5"),
     (lambda: spaces.Hamming(True), "dim must be a whole number"),
     (lambda: spaces.Hyperbolic(-1.0), "radius must be a hyperbolic length from 1e-50 to 200; got -1"),
     (lambda: spaces.Torus(2, "linf"), "one of max, l1, l2; got 'linf'"),
     (lambda: spaces.Product(()), "one or more spaces"),
     (lambda: spaces.Product((spaces.Circle(), 3)), "one or more spaces; got 3"),
     (lambda: spaces.Product((spaces.Circle(),), "sum"), "max, l1, l2, min; got 'sum'")],
)  # fmt: skip
def test_bad_spaces(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_rounding_in_a_table_is_removed():
    table = bad((1, 2, 1.0 + 1e-9), (3, 3, 1e-12))
    kept = spaces.Finite(table).distances
    np.testing.assert_array_equal(kept, kept.T)
    assert kept[3, 3] == 0


def test_birds():
    birds = spaces.Tree.birds()
    table = np.asarray(birds.distances)
    assert len(birds.labels) == birds.size == 137
    assert birds.labels[:2] == ("Struthionidae", "Rheidae")
    assert table[0, 1] == 34.2
    assert table.max() == birds.diameter == 56.0
    # Ultrametric, in equal numbers and not up to rounding: of three distances the two largest are the same.
    a, b, c = (
        table[i, j] for i, j in itertools.combinations(np.random.default_rng(0).integers(137, size=(3, 5000)), 2)
    )
    _low, middle, high = np.sort([a, b, c], axis=0)
    np.testing.assert_array_equal(middle, high)


def test_patristic_distances_of_a_small_tree():
    tree = spaces.Tree.from_newick("(('Homo sapiens':1,Pan_pan:2):0.5,(c:3,d:4,e:5)group:6):100;")
    assert tree.labels == ("Homo sapiens", "Pan_pan", "c", "d", "e")
    expected = [
        [0, 3, 10.5, 11.5, 12.5],
        [3, 0, 11.5, 12.5, 13.5],
        [10.5, 11.5, 0, 7, 8],
        [11.5, 12.5, 7, 0, 9],
        [12.5, 13.5, 8, 9, 0],
    ]
    np.testing.assert_array_equal(tree.distances, expected)


@pytest.mark.parametrize(
    ("newick", "message"),
    [("((a:1,b:1;", "cannot read the Newick text as Newick"), ("((a:1,b:1):1,a:2);", "'a' appears 2 times"),
     ("((a:1,b),c:2);", "branch above 'b'.* has none"),
     ("((a:1,b:1),c:2);", "the group that starts with 'a'.* has none"),
     ("((a:1,b:-1):1,c:2);", "at least 0 .*branch above 'b'.*got -1"), ("(a:1);", "at least 2 leaves; .* has 1"),
     ("((a:1,:1):1,c:2);", "leaf 2 of the Newick text has none"), ("(a:x,b:1);", "cannot read")],
)  # fmt: skip
def test_broken_newick(newick, message):
    with pytest.raises(ValueError, match=message) as caught:
        spaces.Tree.from_newick(newick)
    assert "\n" not in str(caught.value)


def test_missing_newick_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no Newick file .*none\.nwk"):
        spaces.Tree.from_newick(tmp_path / "none.nwk")
