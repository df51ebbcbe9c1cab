"""Which distances are whose: embeddings and tables matched by name; what rows are made of, and in which unit."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from semres_jax import measure, spaces

COUNT = 9
POINTS = np.random.default_rng(5).normal(size=(COUNT, 3))
PLACES = np.sort(np.random.default_rng(6).random(COUNT))
TABLE = np.abs(np.subtract.outer(PLACES, PLACES))
NAMES = [f"n{k}" for k in range(COUNT)]
MOVED = np.random.default_rng(7).permutation(COUNT)
FRAME, ROWS = pd.DataFrame(TABLE, index=NAMES, columns=NAMES), pd.DataFrame(POINTS, index=NAMES)


def measured(points, distances=TABLE, **settings):
    options = {"optimal": "none", "bootstrap": 0, "families": (), "fronts": {}} | settings
    model = measure.embeddings(points, distances, **options)
    return model.p_s.value, model.p_i.value


WANT = measured(POINTS)


@pytest.mark.parametrize(
    ("points", "distances", "labels"),
    [(ROWS.iloc[MOVED], FRAME, None), (ROWS, FRAME.iloc[MOVED], None), (ROWS.iloc[MOVED], FRAME.iloc[:, MOVED], None),
     (ROWS.iloc[MOVED], spaces.Finite(TABLE, labels=NAMES), None),
     (POINTS[MOVED], xr.DataArray(TABLE, coords={"a": NAMES, "b": NAMES}), np.array(NAMES)[MOVED]),
     (POINTS[MOVED], spaces.Finite(TABLE, labels=[f"{k:02d}" for k in range(COUNT)]), MOVED),
     (POINTS[MOVED], spaces.Finite(TABLE, labels=range(COUNT)), [str(k) if k > 4 else int(k) for k in MOVED]),
     (POINTS[MOVED], TABLE, MOVED), (POINTS[MOVED], TABLE, [float(k) for k in MOVED]),
     (ROWS.iloc[MOVED], FRAME, pd.Series(NAMES, index=NAMES)), (POINTS, FRAME, None)],
)  # fmt: skip
def test_rows_are_found_by_name(points, distances, labels):
    np.testing.assert_allclose(measured(points, distances, labels=labels), WANT, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([np.nan, *NAMES[1:]], "row 0 has no label: nan"), ([*NAMES[:3], None, *NAMES[4:]], "row 3 has no label"),
     ([1, *NAMES[1:]], "label '1' of row 0|labels are numbers and text"),
     ([1, "1", *range(2, COUNT)], "'1' both as text"),
     ("abc", "a list of names"), ([("a", 1)] * COUNT, r"text or numbers; got \('a', 1\)"),
     (NAMES[:3], "row 3 of the embeddings has no label"), ({"a": 1}, "a list of names")],
)  # fmt: skip
def test_labels_that_say_nothing(labels, message):
    for distances in (TABLE, FRAME):
        with pytest.raises(ValueError, match=message) as caught:
            measured(POINTS, distances, labels=labels)
        assert "\n" not in str(caught.value)


def test_rows_of_every_make_are_the_same():
    coarse = jnp.asarray(POINTS, jnp.bfloat16)
    assert measured(coarse) == measured(np.asarray(coarse, np.float32))
    for rows in (POINTS.tolist(), pd.DataFrame(POINTS), POINTS.astype(object), np.asfortranarray(POINTS)):
        assert measured(rows) == WANT
    with pytest.raises(ValueError, match="embeddings must have no missing entries"):
        measured(np.ma.masked_greater(POINTS, 1.0))


@pytest.mark.parametrize("unit", [1e-13, 1e9])
def test_dot_products_have_no_unit(unit):
    np.testing.assert_allclose(measured(POINTS * unit), WANT, rtol=0, atol=1e-8)


def test_a_floor_above_everything_is_told():
    with pytest.warns(UserWarning, match="floor 1e-10 is above the largest similarity"):
        measured(POINTS * 1e-9, floor=1e-10)


@pytest.mark.parametrize("similarity", ["relu", "cosine", "euclidean"])
def test_a_collapse_is_called_one(similarity):
    with pytest.raises(ValueError, match="all 9 embeddings are the same point"):
        measured(np.full((COUNT, 4), 0.3), similarity=similarity)
