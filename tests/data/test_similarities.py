"""Tables of judgements in files."""

import numpy as np
import pytest

from semres_jax.data import read_similarities

TABLE = np.array([[1.0, 0.2, 0.1], [0.3, 1.0, 0.4], [0.1, 0.5, 0.9]])
NAMES = ("red", "green", "blue")


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.csv", ",red,green,blue\nred,1,.2,.1\ngreen,.3,1,.4\nblue,.1,.5,.9\n", NAMES),
        ("a.csv", "colour;red;green;blue\nblue;0,1;0,5;0,9\nred;1;0,2;0,1\ngreen;0,3;1;0,4\n", NAMES),
        ("a.tsv", "1\t.2\t.1\n.3\t1\t.4\n.1\t.5\t.9\n", ()),
        ("a.csv", "1,0.2,0.1\n0.3,1,0.4\n0.1,0.5,0.9", ()),
    ],
)
def test_text_with_names_or_bare(name, text, names, tmp_path):
    table, known = read_similarities(write(tmp_path / name, text))
    np.testing.assert_array_equal(table, TABLE)
    assert known == names


@pytest.mark.parametrize("nothing", ["", "NA", "nan"])
def test_entries_may_be_missing(nothing, tmp_path):
    text = f",red,green,blue\nred,{nothing},.2,.1\ngreen,.3,{nothing},.4\nblue,.1,.5,{nothing}\n"
    table, _ = read_similarities(write(tmp_path / "a.csv", text))
    np.testing.assert_array_equal(np.isnan(table), np.eye(3, dtype=bool))


def test_arrays_of_one_or_of_several_subjects(tmp_path):
    several = np.stack([TABLE, TABLE.T])
    np.save(tmp_path / "a.npy", TABLE.astype(np.float32))
    np.save(tmp_path / "s.npy", several)
    np.savez(tmp_path / "s.npz", several, names=np.array(NAMES))
    np.savez(tmp_path / "each.npz", ann=TABLE, bob=TABLE.T, names=np.array(NAMES))
    np.testing.assert_allclose(read_similarities(tmp_path / "a.npy").table, TABLE, rtol=1e-6)
    for name in ("s.npy", "s.npz", "each.npz"):
        np.testing.assert_array_equal(read_similarities(tmp_path / name).table, several)
    assert read_similarities(tmp_path / "each.npz").names == NAMES
    np.testing.assert_array_equal(read_similarities(tmp_path / "each.npz", "bob").table, TABLE.T)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", ",red,green\nred,1,x\ngreen,.3,1\n", "no number: 'x'"),
        ("a.csv", ",red,green\nred,1,.2\nblue,.3,1\n", "is in one of them only"),
        ("a.csv", ",red,green\nred,1\ngreen,.3,1\n", "a class and 2 similarities; got 2 entries"),
        ("a.csv", "", "empty"),
        ("a.npy", np.ones((3, 4)), r"square table of numbers.*shape \(3, 4\)"),
        ("a.npy", np.array([["a", "b"], ["c", "d"]]), "of <U1"),
        ("a.npz", {"a": np.ones((3, 3)), "b": np.ones(3)}, "holds 2 arrays, 'a', 'b'; give one of shape"),
        ("a.npz", {"names": np.array(["a"])}, "no array of numbers"),
        ("a.txt", "1 2", "must be in a .csv, .tsv, .npy or .npz file"),
    ],
)
def test_what_cannot_be_read_is_one_line(name, content, message, tmp_path):
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    else:
        np.save(path, content)
    with pytest.raises(ValueError, match=message) as error:
        read_similarities(path)
    assert "\n" not in str(error.value)


def test_a_key_that_names_nothing(tmp_path):
    np.savez(tmp_path / "a.npz", a=TABLE)
    np.save(tmp_path / "a.npy", TABLE)
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    for name in ("a.npz", "a.npy", "a.csv"):
        with pytest.raises(ValueError, match=r"no .*'layer'"):
            read_similarities(tmp_path / name, "layer")
    with pytest.raises(FileNotFoundError):
        read_similarities(tmp_path / "none.npy")
