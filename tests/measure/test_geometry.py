"""Geometry of embeddings: exact on exact frames, equal to its definitions; collapse as the end of the front."""

import sys

import numpy as np
import pandas as pd
import pytest

from semres_jax import frontier, measure, similarity, spaces
from semres_jax.laws import enumeration, tables
from tests.attributes import require_labels

EXACT = 1e-12
MODULE = "semres_jax.measure.geometry.collapse"
NC = ("nc1", "nc1_ratio", "nc2_norms", "nc2_cosines", "nc2_angles", "nc3", "nc4")


def simplex(count, wide=None, seed=0):
    """Corners of a simplex of length 1, turned at random in as many dimensions."""
    wide = wide or count
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(wide, wide)))[0]
    return np.sqrt(count / (count - 1)) * (np.eye(count, wide) - np.eye(count, wide).mean(0)) @ turn


def by_definition(points, own, weights):
    """From the matrices, as the paper writes them, every class with the same weight."""
    count = own.max() + 1
    means = np.stack([points[own == c].mean(0) for c in range(count)])
    m = means - means.mean(0)
    within = np.mean([np.cov(points[own == c].T, ddof=0) for c in range(count)], axis=0)
    between = m.T @ m / count
    cosines = [m[a] @ m[b] / np.linalg.norm(m[a]) / np.linalg.norm(m[b]) for a in range(count) for b in range(a)]
    lengths = np.linalg.norm(m, axis=1)
    values = np.linalg.eigvalsh(np.cov(points.T))
    nearest = ((points[:, None] - means[None]) ** 2).sum(-1).argmin(1)
    return {
        "participation": values.sum() ** 2 / (values**2).sum(),
        "nc1": np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / count,
        "nc1_ratio": np.trace(within) / np.trace(between),
        "nc2_norms": lengths.std() / lengths.mean(),
        "nc2_cosines": np.std(cosines),
        "nc2_angles": np.mean(np.abs(np.array(cosines) + 1 / (count - 1))),
        "nc3": np.linalg.norm(weights / np.linalg.norm(weights) - m / np.linalg.norm(m)),
        "nc4": np.mean(nearest != (points @ weights.T + 1).argmax(1)),
    }


@pytest.mark.parametrize(("count", "wide"), [(2, 3), (4, 4), (7, 20)])
def test_a_collapsed_simplex_has_none_of_it(count, wide):
    corners = simplex(count, wide) * 3 + 100.0
    own = np.repeat(np.arange(count), 3)
    weights = 0.1 * simplex(count, wide)
    shape = measure.geometry(corners[own], own, weights=weights, biases=-100 * weights.sum(1))
    assert shape.nc1 == 0
    assert {name: x for name, x in shape.numbers().items() if name in NC and not x < EXACT} == {}
    assert shape.participation == pytest.approx(count - 1, abs=1e-10)
    assert shape.class_participation == pytest.approx(count - 1, abs=1e-10)
    assert (shape.rows, shape.classes, shape.singles, shape.cautions) == (3 * count, count, 0, ())


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_numbers_are_those_of_the_definitions(offset, monkeypatch):
    rng = np.random.default_rng(1)
    own = rng.permutation(np.repeat(np.arange(5), [4, 9, 30, 50, 7]))
    points = offset + rng.normal(size=(100, 8)) * np.arange(1, 9) + 4 * rng.normal(size=(5, 8))[own]
    weights = rng.normal(size=(5, 8))
    wanted = by_definition(points, own, weights)
    names = np.array(["e", "b", "d", "a", "c"])
    for size in (2**22, 64):  # in one block of rows and in many
        monkeypatch.setattr(sys.modules[MODULE], "_NUMBERS", size)
        shape = measure.geometry(points, names[own], weights=weights, biases=np.ones(5), classes=names)
        for name, value in wanted.items():
            assert shape.numbers()[name] == pytest.approx(value, rel=1e-9), name
    sorted_rows = measure.geometry(points, names[own], weights=weights[np.argsort(names)], biases=np.ones(5))
    assert sorted_rows.nc3 == pytest.approx(shape.nc3, rel=EXACT)


@pytest.mark.parametrize("size", [(30, 6), (6, 30), (9, 9)])
def test_effective_dimension_by_either_table_of_products(size, monkeypatch):
    monkeypatch.setattr(sys.modules[MODULE], "_NUMBERS", 40)
    points = np.random.default_rng(2).normal(size=size) + 5
    values = np.linalg.svd(points - points.mean(0), compute_uv=False) ** 2
    assert measure.geometry(points).participation == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=EXACT)
    line = np.outer(np.arange(size[0]), np.ones(size[1]))
    assert measure.geometry(line).participation == pytest.approx(1, abs=EXACT)


def test_directions_that_are_rounding_are_left_out():
    """Class means in a plane of ten dimensions, in single precision: variability across the plane doesn't count."""
    rng = np.random.default_rng(3)
    own = np.repeat(np.arange(6), 20)
    flat = rng.normal(size=(6, 2))[own] + 0.1 * rng.normal(size=(120, 2))
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    wide = (np.pad(flat, ((0, 0), (0, 8))) @ turn).astype(np.float32)
    assert measure.geometry(wide, own).nc1 == pytest.approx(measure.geometry(flat, own).nc1, rel=1e-4)


def test_points_that_are_one_have_no_geometry():
    shape = measure.geometry(np.full((6, 3), 0.1), list("aabbcc"), weights=np.eye(3))
    assert all(np.isnan(x) for name, x in shape.numbers().items() if name != "nc4")
    apart = measure.geometry([[0.0], [1.0], [0.0], [1.0]], list("aabb"))
    assert apart.nc1 == apart.nc1_ratio == np.inf


def test_files_and_tables_go_in(tmp_path):
    points, own = np.random.default_rng(4).normal(size=(12, 3)), list("abcd") * 3
    np.save(tmp_path / "x.npy", points)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    names = [f"r{k}" for k in range(12)]
    frame, series = pd.DataFrame(points, index=names), pd.Series(own, index=names)
    wanted = measure.geometry(points, own)
    assert measure.geometry(mapped, own) == wanted
    assert measure.geometry(frame, series[::-1]) == wanted  # by the names of the rows
    assert measure.geometry(points.tolist(), own) == wanted


def test_results_say_what_they_are(tmp_path):
    points = np.random.default_rng(5).normal(size=(9, 4))
    shape = measure.geometry(points, list("aaabbbccc"), weights=np.eye(3, 4))
    assert str(shape).startswith(f"effective dimension {shape.participation:.4g} of 4")
    assert repr(shape) == f"Geometry({shape})"
    assert f"NC3 {shape.nc3:.3g}" in str(shape)
    assert "NC" not in str(measure.geometry(points))
    assert shape.summary()["nc1"] == float(shape.dataset().nc1) == shape.nc1
    require_labels(shape.dataset(), tmp_path)
    assert "one exemplar" in measure.geometry(points, range(9)).cautions[0]
    assert measure.geometry(points, range(9)).nc1 == 0
    assert "1 of 3 classes" in measure.geometry(points, list("aaaabbbbc")).cautions[0]
    assert "no room" in measure.geometry(points[:, :1], list("aaabbbccc")).cautions[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ["a"] * 6}, "at least two classes; got 'a' only"),
        ({"labels": list("aabbc")}, "row 5 of the embeddings has no label"),
        ({"labels": [*list("aabbc"), None]}, "row 5 has no label"),
        ({"classes": list("abcd")}, "class 'd' has no points"),
        ({"classes": list("ab")}, "label 'c' is none of the 2 classes"),
        ({"classes": list("abcc")}, "'c' is there 2 times"),
        ({"weights": np.ones((4, 2))}, r"shape \(3, 2\), classes by dimensions; got \(4, 2\)"),
        ({"weights": np.ones((2, 3))}, "its transpose"),
        ({"weights": np.full((3, 2), np.nan)}, "weights must be finite; got nan"),
        ({"weights": np.ones((3, 2)), "biases": [1.0]}, r"biases must have shape \(3,\)"),
        ({"biases": np.ones(3)}, "biases belong to weights"),
        ({"labels": None, "weights": np.ones((3, 2))}, "need labels"),
        ({"points": np.ones(3)}, "shape"),
        ({"points": np.ones((1, 2))}, "at least 2 rows"),
        ({"points": [[1, 2], [3, np.nan], [1, 1], [2, 2], [np.inf, 0], [1, 0]]}, "rows 1, 4 have NaN"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(change, words):
    given = {"points": np.arange(12.0).reshape(6, 2), "labels": list("aabbcc")} | change
    with pytest.raises(ValueError, match=words) as raised:
        measure.geometry(given.pop("points"), given.pop("labels"), **given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("rows", "dimensions", "interference", "passed"),
    [
        (np.eye(4), 1, 0, 0),
        (np.concatenate([np.eye(3), -np.eye(3)]), 1 / 2, 1, 0),
        (np.stack([np.cos(2 * np.pi * np.arange(5) / 5), np.sin(2 * np.pi * np.arange(5) / 5)], 1), 2 / 5, 1.5, None),
        (simplex(4), 3 / 4, 1 / 3, 0),
        (np.ones((5, 1)), 1 / 5, 4, 4),
    ],
)
def test_features_of_exact_frames(rows, dimensions, interference, passed):
    for scale in (1.0, 0.2):
        shared = measure.superposition(scale * np.stack([rows, rows]))
        np.testing.assert_allclose(shared.dimensions, dimensions, atol=EXACT)
        np.testing.assert_allclose(shared.interference, scale**2 * interference, atol=EXACT)
        if passed is not None:
            np.testing.assert_allclose(shared.passed, scale**2 * passed, atol=EXACT)
        np.testing.assert_allclose(shared.per_feature, rows.shape[1] / (scale**2 * len(rows)), rtol=EXACT)


def test_dimensions_of_features_sum_to_at_most_the_rank():
    rng = np.random.default_rng(6)
    maps = rng.normal(size=(50, 7, 3)) * rng.exponential(size=(50, 7, 1))
    maps[:, 0] = 0
    shared = measure.superposition(maps)
    assert (shared.dimensions[:, 0] == 0).all()
    assert (shared.dimensions.sum(-1) <= 3 + EXACT).all()
    assert shared.dimensions.max() <= 1 + EXACT
    np.testing.assert_allclose(
        shared.dimensions[:, 1:], 1 / (1 + shared.interference / (maps**2).sum(-1).clip(1e-300))[:, 1:], rtol=1e-10
    )
    for bad, words in ((np.ones(3), "features, dimensions"), ([[np.nan]], "finite"), (np.ones((0, 2)), "none of them")):
        with pytest.raises(ValueError, match=words):
            measure.superposition(bad)


CLASSES = 5
OWN = np.repeat(np.arange(CLASSES), 3)
UNEQUAL = np.abs(np.subtract.outer([0.0, 1, 3, 7, 12], [0.0, 1, 3, 7, 12]))


def test_collapse_is_at_chance_for_every_similarity(x64):
    """p_S = 1/n and p_I = a / (a + (n - 1) s), whatever the similarity makes of the one distance that there is."""
    ring = spaces.Finite(UNEQUAL)
    for family in ("constant", "linear", "exponential", "gaussian"):
        for epsilon, delta in ((0.4, 0.0), (1.0, 0.1), (3.0, 0.0)):
            s = float(similarity.get(family)(epsilon, delta)(1.0))
            strengths = np.where(np.eye(CLASSES, dtype=bool), 1.0, s)
            for n in (2, 3):
                p_s, p_i = tables.accuracy(ring, strengths, n=n)
                assert float(p_s) == pytest.approx(1 / n, abs=EXACT)
                assert float(p_i) == pytest.approx(1 / (1 + (n - 1) * s), abs=EXACT)


def test_collapsed_exemplars_are_at_the_identification_end():
    """At every threshold that tells classes apart p_S = 1/2, p_I = 1; above the common distance p_I = 1/2."""
    corners = simplex(CLASSES, 9)[OWN]
    apart = np.linalg.norm(corners[:, None] - corners[None], axis=2).round(12)
    common = apart.max()
    thresholds = measure.graded(apart, OWN, UNEQUAL, "constant", [0.1, 0.99 * common, 1.01 * common], slopes=False)
    np.testing.assert_allclose(thresholds.p_s, 0.5, atol=1e-6)  # sums in single precision
    np.testing.assert_allclose(thresholds.p_i, [1, 1, 0.5], atol=1e-6)
    level = measure.levels(apart, OWN, UNEQUAL, [0.3])  # the only distance there is
    assert level.epsilon == common
    assert (level.p_s, level.p_i, level.hit_rate, level.mean_b) == pytest.approx((0.5, 0.5, 1, 1), abs=EXACT)


# Of Euclidean distances 1 - |x - y| / largest is rounding, and Luce's rule compares that too: a floor hides it.
@pytest.mark.parametrize(("kind", "floor"), [("relu", 0.0), ("cosine", 0.0), ("cosine", 0.01), ("euclidean", 0.01)])
def test_measured_collapse_is_the_end_of_the_front(kind, floor):
    model = measure.embeddings(
        simplex(CLASSES)[OWN], UNEQUAL, labels=OWN, similarity=kind, floor=floor, optimal="none", bootstrap=0
    )
    assert float(model.p_s.value) == pytest.approx(0.5, abs=EXACT)
    assert float(model.p_i.value) == pytest.approx((1 + floor) / (1 + 2 * floor), abs=EXACT)
    assert model.geometry.nc1 == 0
    assert model.geometry.nc2_angles < EXACT
    # Where fronts of distances of classes end when resolution falls.
    front = frontier.family_front(spaces.Finite(UNEQUAL), "constant")
    assert [front.p_s[np.argmax(front.p_i)], front.p_i.max()] == pytest.approx([0.5, 1], abs=1e-6)


def test_unequal_similarities_of_classes_bound_generalization(x64):
    rng = np.random.default_rng(7)
    ring = spaces.Finite(UNEQUAL)
    largest = 0.0
    for spread in (0.01, 0.1, 0.5, 1.0):
        for _ in range(5):
            s = 1 - spread * rng.random((CLASSES, CLASSES))
            low, high = (f(s[~np.eye(CLASSES, dtype=bool)]) for f in (np.min, np.max))
            bound = (high - low) / (2 * (high + low))
            off = abs(float(tables.accuracy(ring, s, n=2).p_s) - 0.5)
            assert off <= bound + EXACT
            largest = max(largest, off / bound)
    # It is met where the nearer item is always the more similar one, of two values.
    three = spaces.Finite([[0, 1, 2], [1, 0, 3], [2, 3, 0]])
    sharp = np.array([[1, 0.8, 0.2], [0.8, 1, 0.2], [0.8, 0.2, 1]])
    assert float(tables.accuracy(three, sharp, n=2).p_s) == pytest.approx(0.8, abs=EXACT)
    assert 0 < largest < 1


def test_a_simplex_mixed_in_makes_the_linear_similarity_finer(x64):
    """Dot products t (1 - d/ε) - (1 - t)/(N - 1) are those of a linear similarity of a smaller ε, but for the own."""
    size, epsilon = 24, 0.31
    ring = spaces.grid(spaces.Circle(), size)
    d = np.asarray(ring.distances, np.float64)
    values, vectors = np.linalg.eigh(1 - d / epsilon)
    frame = vectors * np.sqrt(np.maximum(values, 0))
    before = np.inf
    for t in (1.0, 0.5, 0.2, 0.1, 0.06, 0.04, 0.0):
        points = np.concatenate([np.sqrt(t) * frame, np.sqrt(1 - t) * simplex(size)], axis=1)
        p_s, p_i = tables.accuracy(ring, np.maximum(points @ points.T, 0) * (points @ points.T > 1e-12), n=2)
        finer = epsilon * (1 - (1 - t) / (t * (size - 1))) if t else 0.0
        wanted = enumeration.accuracy(ring, similarity.get("linear")(finer)) if finer > 0 else None
        assert float(p_s) == pytest.approx(float(wanted.p_s) if wanted else 0.5, abs=1e-10)
        assert float(p_i) >= (float(wanted.p_i) if wanted else 1.0) - 1e-10
        angles = measure.geometry(points, range(size)).nc2_angles
        assert angles < before
        before = angles
    assert (float(p_s), float(p_i)) == pytest.approx((0.5, 1.0), abs=EXACT)
    assert angles < EXACT
