"""Tables of choices as users write them."""

import numpy as np
import pytest

from semres_jax import data


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "choices.csv"
        path.write_text(text)
        return path

    return write


def test_wide_and_long_say_the_same(written):
    wide = data.read_choices(written(
        "distance_1,distance_2,distance_3,label_1,label_2,label_3,choice,score_1,score_2,score_3\n"
        "0.1,0.5,0.9,a,b,c,b,1,2,-inf\n0.3,0.2,,c,a,,1,0,1,\n0.3,0.2,,c,a,,,0,1,\n"
    ))  # fmt: skip
    long = data.read_choices(written(
        "trial,position,label,distance,chosen,score\n"
        "x,1,a,0.1,0,1\nx,2,b,0.5,1,2\nx,3,c,0.9,0,-inf\ny,1,c,0.3,yes,0\ny,2,a,0.2,no,1\nz,1,c,0.3,,0\nz,2,a,0.2,,1\n"
    ))  # fmt: skip
    for table in (wide, long):
        assert table.chosen.tolist() == [1, 0]
        assert table.left_out == 1
        np.testing.assert_array_equal(table.distances, [[0.1, 0.5, 0.9], [0.3, 0.2, np.nan]])
        np.testing.assert_array_equal(table.scores, [[1, 2, -np.inf], [0, 1, np.nan]])
        assert table.labels.tolist()[0] == ["a", "b", "c"]
        assert table.positions.tolist()[0] == ["1", "2", "3"]


def test_the_shipped_table():
    table = data.vlm_spatial()
    names, counts = np.unique(table.labels[np.arange(400), table.chosen], return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "heart": 123, "square": 9, "star": 19, "triangle": 249
    }  # fmt: skip
    # The answer has the largest score, and each shape has one corner.
    assert (table.scores.argmax(1) == table.chosen).all()
    assert len(set(zip(table.labels.ravel(), table.positions.ravel(), strict=True))) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("distance_1,distance_2,choice\n1,2,3\n", "line 2 of .*: choice not among items: '3' is none of"),
        ("distance_1,distance_2,choice\n1,x,1\n", "distance_2 must be a number; got 'x'"),
        ("distance_1,distance_2,choice\n1,-2,1\n", "at least 0; got -2"),
        ("distance_1,distance_2,choice\n1,2\n", "must have 3 entries"),
        ("distance_1,distance_2,choice\n1,2,\n", "no usable answer in 1 trials"),
        ("distance_1,distance_2,choice\n", "no line after its first"),
        ("distance_1,distance_2,label_1,choice\n1,2,a,1\n", "2 distances and 1 labels"),
        ("distance_1,distance_2,label_1,label_2,choice\n1,2,a,a,a\n", "is the label of 2 items"),
        ("distance_1,distance_1,choice\n1,2,1\n", "'distance_1' twice"),
        ("a,b\n1,2\n", "columns of no known format"),
        ("trial,distance,chosen\n1,2,1\n1,3,1\n", "a second chosen item"),
        ("trial,distance,chosen\n1,2,maybe\n", "chosen must be 1 or 0; got 'maybe'"),
        ("", "is empty"),
    ],
)
def test_bad_tables_are_told_in_one_line(written, text, message):
    with pytest.raises(ValueError, match=message) as refused:
        data.read_choices(written(text))
    assert "\n" not in str(refused.value)
