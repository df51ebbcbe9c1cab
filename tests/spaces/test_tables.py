"""Tables of distances that users bring: labelled, condensed, rounded, of points."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.spatial.distance as scipy_distances
import xarray as xr

from semres_jax import spaces

TABLE = np.abs(np.subtract.outer([0.0, 1.0, 3.0, 7.0], [0.0, 1.0, 3.0, 7.0]))
NAMES = ["ant", "bee", "cow", "1"]
FRAME = pd.DataFrame(TABLE, index=NAMES, columns=NAMES)


@pytest.mark.parametrize(
    ("given", "labels"),
    [(FRAME, ()), (FRAME.iloc[:, [2, 0, 3, 1]], ()), (TABLE, ["ant", "bee", "cow", 1]),
     (xr.DataArray(TABLE, dims=("a", "b"), coords={"a": NAMES, "b": NAMES}), ()), (FRAME.reset_index(drop=True), ())],
)  # fmt: skip
def test_rows_and_columns_are_matched_by_name(given, labels):
    space = spaces.Finite(given, labels=labels)
    assert space.labels == tuple(NAMES)
    np.testing.assert_array_equal(space.distances, TABLE)


def test_tables_that_only_count_have_no_names():
    assert spaces.Finite(pd.DataFrame(TABLE)).labels == ()
    assert spaces.Finite.from_points(pd.DataFrame([[0.0], [2.0]], index=["a", "b"])).labels == ("a", "b")
    weights = pd.Series([0.1, 0.2, 0.3, 0.4], index=NAMES[::-1])
    np.testing.assert_array_equal(spaces.Finite(FRAME, weights).weights, [0.4, 0.3, 0.2, 0.1])


def changed(i, j, value, kind=float):
    table = TABLE.astype(kind)
    table[i, j] = value
    return table


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: spaces.Finite(pd.DataFrame(changed(0, 2, 4))), r"symmetric; got d\(0, 2\) = 4 but d\(2, 0\) = 3"),
     (lambda: spaces.Finite(jnp.asarray(changed(0, 2, np.nan), jnp.bfloat16)), r"finite numbers; got d\(0, 2\) = nan"),
     (lambda: spaces.Finite(changed(1, 1, 0.3, object)), r"to itself must be 0; got d\(1, 1\) = 0.3"),
     (lambda: spaces.Finite(-TABLE), r"at least 0; got d\(0, 1\) = -1"),
     (lambda: spaces.Finite([1.0, 2.0, 3.0, 4.0]), r"N \(N - 1\) / 2 numbers; got shape \(4,\)"),
     (lambda: spaces.Finite(FRAME.set_axis(["x", *NAMES[1:]], axis=1)), "'x'"),
     (lambda: spaces.Finite(TABLE, labels=["a", "b", "a", "c"]), "labels must differ; 'a' appears 2 times"),
     (lambda: spaces.Finite(TABLE, labels=["a", "b", np.nan, "c"]), "row 2 has no label"),
     (lambda: spaces.Finite(TABLE, labels=["a", "b"]), "labels must name each of the 4 points; got 2"),
     (lambda: spaces.Finite(TABLE, labels="abcd"), "labels must be a list of names"),
     (lambda: spaces.Finite(TABLE, labels=["a", ["b"], "c", "d"]), r"text or numbers; got \['b'\] in row 1"),
     (lambda: spaces.Finite(TABLE, pd.Series([0.5, 0.5, 0.5, -0.5])), "got weight -0.5 of point 3"),
     (lambda: spaces.Finite.from_points([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]], "cosine"), "no value for row 0"),
     (lambda: spaces.Finite.from_points([[0.0], [1.0]], "manhattan"), "did you mean 'cityblock'"),
     (lambda: spaces.Finite.from_points([[0.0], [1.0]], lambda x, y: "far"), "metric must be a function of two points"),
     (lambda: spaces.Finite.from_points([["a"], ["b"]]), "points must be numbers; got text")],
)  # fmt: skip
def test_tables_that_are_none(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "noise"), [(np.float64, 3e-16), (np.float32, 1e-7)])
def test_rounding_of_copies_is_removed(kind, noise):
    table = changed(0, 1, 0.0, kind)
    table[1, 0] = table[0, 1] = -noise
    table[2, 2], table[0, 2] = noise, table[0, 2] * (1 + noise)
    kept = spaces.Finite(table).distances
    assert kept.dtype == kind
    assert kept[0, 1] == kept[1, 0] == kept[2, 2] == 0
    np.testing.assert_array_equal(kept, kept.T)


def test_condensed_distances_are_those_of_the_table():
    points = np.random.default_rng(3).normal(size=(6, 2))
    want = scipy_distances.squareform(scipy_distances.pdist(points))
    np.testing.assert_array_equal(spaces.Finite(scipy_distances.pdist(points)).distances, want)


@pytest.mark.parametrize("metric", ["cityblock", "correlation", "canberra"])
def test_metric_functions_of_scipy_are_their_names(metric):
    points = np.random.default_rng(4).normal(size=(5, 3))
    called = spaces.Finite.from_points(points, getattr(scipy_distances, metric))
    np.testing.assert_allclose(called.distances, spaces.Finite.from_points(points, metric).distances, atol=1e-15)
