"""Triplets from files and arrays: what is read, and what is refused in one line."""

import numpy as np
import pandas
import pytest

from semres_jax import data
from semres_jax.data.triplets import triplets_of


@pytest.fixture
def written(tmp_path):
    def write(text, name="judged.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("text", "layout", "items"),
    [
        ("i,j,odd\n0,1,2\n", "odd", [[0, 1, 2]]),
        ("odd_one_out,first,second\n2,0,1\n", "odd", [[0, 1, 2]]),
        ("subject,Anchor,Near,Far,rt\nx,4,1,2,0.3\n", "anchor", [[4, 1, 2]]),
        ("far;probe;closer\n0;1;2\n", "anchor", [[1, 2, 0]]),
    ],
)
def test_names_of_columns_tell_the_layout(written, text, layout, items):
    judged = data.read_triplets(written(text))
    assert (judged.layout, judged.items.tolist(), judged.names) == (layout, items, ())


def test_files_without_names_and_those_of_things_need_a_layout(written):
    for text in ("0,1,2\n3,1,2\n", "i,j,k\n0,1,2\n3,1,2\n", "x,y,z\n0,1,2\n3,1,2\n", "0 \t1\t2\n3\t1\t2\n"):
        with pytest.raises(ValueError, match=r"say --layout odd .* or --layout anchor"):
            data.read_triplets(written(text))
        assert data.read_triplets(written(text), "odd").items.tolist() == [[0, 1, 2], [3, 1, 2]]


def test_names_and_counts(written):
    judged = data.read_triplets(written("cat,dog,car,3\ncar,bus,dog,1\n"), "odd")
    assert judged.names == ("bus", "car", "cat", "dog")
    assert judged.items.tolist() == [[2, 3, 1], [1, 0, 3]]
    assert judged.counts.tolist() == [3, 1]
    assert (judged.stimuli, judged.judgements) == (4, 4)
    places = judged.among(["dog", "cat", "car", "bus", "elk"], 5)
    assert places.tolist() == [[1, 0, 2], [2, 3, 0]]


def test_arrays_in_files(tmp_path):
    np.save(tmp_path / "t.npy", np.array([[0, 1, 2, 5], [2, 0, 1, 1]]))
    judged = data.read_triplets(tmp_path / "t.npy", "anchor")
    assert judged.items.tolist() == [[0, 1, 2], [2, 0, 1]]
    assert judged.counts.tolist() == [5, 1]
    np.save(tmp_path / "names.npy", np.array([["a", "b", "c"]]))
    assert data.read_triplets(tmp_path / "names.npy", "odd").names == ("a", "b", "c")
    with pytest.raises(ValueError, match="has no columns with names"):
        data.read_triplets(tmp_path / "t.npy")
    np.save(tmp_path / "flat.npy", np.arange(6))
    with pytest.raises(ValueError, match=r"must hold \(T, 3\) stimuli.*got shape \(6,\)"):
        data.read_triplets(tmp_path / "flat.npy", "odd")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("anchor,near,far\n0,1,2\n0,1,1\n", r"line 3 of .* has the same stimulus twice \(0, 1, 1\)"),
        (
            "anchor,near,far\n0,1,2\n0,1,1.5\n",
            "line 3 of .* must hold whole numbers from 0, or names of stimuli; got 1.5",
        ),
        ("anchor,near,far\n0,1,-2\n", "line 2 of .* must hold whole numbers from 0, or names of stimuli; got -2"),
        ("anchor,near,far\ncat,,dog\n", "line 2 of .* has '' where a stimulus should be"),
        ("anchor,near,far,count\n0,1,2,-1\n", "line 2 of .*: count must be finite and at least 0; got -1"),
        ("anchor,near,far,count\n0,1,2,two\n", "line 2 of .*: count must be a number; got 'two'"),
        ("anchor,near,far,count\n0,1,2,0\n", "counts are all 0"),
        ("anchor,near,far\n0,1\n", "line 2 of .* must have 3 entries; got 2"),
        ("anchor,near,far\n", "has no triplet after its first line"),
        ("", "is empty"),
        ("anchor,near\n0,1\n", "must have three columns of stimuli"),
        ("i,j,odd,odd one\n0,1,2,3\n", "must have three columns of stimuli, each named once"),
    ],
)
def test_what_is_refused(written, text, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        data.read_triplets(written(text))
    assert "\n" not in str(refused.value)


def test_layouts_that_contradict(written):
    with pytest.raises(ValueError, match="say layout anchor, but odd is given"):
        data.read_triplets(written("anchor,near,far\n0,1,2\n"), "odd")
    with pytest.raises(ValueError, match="layout must be auto, odd, anchor; got 'pairs'"):
        data.read_triplets(written("anchor,near,far\n0,1,2\n"), "pairs")


def test_stimuli_that_distances_do_not_know(written):
    judged = data.read_triplets(written("anchor,near,far\n0,1,2\n0,1,7\n"))
    with pytest.raises(
        ValueError, match=r"line 3 of .* has the stimulus 7, out of range: there are 4, numbered from 0"
    ):
        judged.among((), 4)
    assert judged.among(("7", "2", "1", "0"), 4).tolist() == [[3, 2, 1], [3, 2, 0]]  # names that are numbers
    judged = data.read_triplets(written("anchor,near,far\ncat,dog,cow\ncat,dog,elk\n"))
    with pytest.raises(ValueError, match=r"line 3 of .* has 'elk', a name that is unknown to the distances"):
        judged.among(("cat", "dog", "cow"), 3)
    with pytest.raises(ValueError, match="the triplets have names, as 'cat', but the distances have none"):
        judged.among((), 4)


def test_arrays_and_tables_of_pandas():
    with pytest.raises(ValueError, match="an array doesn't tell what its triplets mean"):
        triplets_of([[0, 1, 2]], None)
    table = pandas.DataFrame({"far": [2, 0], "anchor": [0, 1], "near": [1, 2], "count": [1, 4]})
    judged = triplets_of(table, None)
    assert judged.items.tolist() == [[0, 1, 2], [1, 2, 0]]
    assert judged.counts.tolist() == [1, 4]
    with pytest.raises(ValueError, match="have layout 'anchor'; got layout='odd'"):
        triplets_of(judged, "odd")
    with pytest.raises(ValueError, match="triplet 2 has the same stimulus twice"):
        data.Triplets([[0, 1, 2], [1, 1, 2]], "odd")
    with pytest.raises(ValueError, match=r"triplets must be \(T, 3\)"):
        data.Triplets(np.zeros((0, 3)), "odd")
