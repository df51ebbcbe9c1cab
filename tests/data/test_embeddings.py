"""Files of embeddings and labels, whole and broken."""

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from semres_jax.data.embeddings import read_embeddings, read_labels

POINTS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def files(tmp_path):
    """The same table in each kind of file."""
    np.save(tmp_path / "a.npy", POINTS)
    np.savez(tmp_path / "a.npz", layer=POINTS)
    save_file({"layer": POINTS}, tmp_path / "a.safetensors")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/layer"] = POINTS
        file["deep/other"] = POINTS[:, :2]
    return tmp_path


@pytest.mark.parametrize(
    ("name", "key"),
    [("a.npy", None), ("a.npz", None), ("a.npz", "layer"), ("a.safetensors", None), ("a.h5", "deep/layer")],
)
def test_every_kind_of_file(files, name, key):
    table = read_embeddings(files / name, key)
    np.testing.assert_array_equal(table.points, POINTS)
    assert table.names == ()


def test_a_npy_file_is_mapped(files):
    assert isinstance(read_embeddings(files / "a.npy").points, np.memmap)


def test_one_vector_for_each_name(tmp_path):
    save_file({"cat": POINTS[0], "dog": POINTS[1], "elk": POINTS[2]}, tmp_path / "w.safetensors")
    table = read_embeddings(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(table.points, POINTS[:3])
    assert table.names == ("cat", "dog", "elk")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.h5"])
def test_truncated_files(files, name):
    whole = (files / name).read_bytes()
    for size in (0, 20, len(whole) - 8):
        (files / name).write_bytes(whole[:size])
        with pytest.raises(ValueError, match="truncated") as caught:
            read_embeddings(files / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("a.txt", None, "ends in .npy"),
        ("a.npz", "other", "no array 'other'; it has 'layer'"),
        ("a.h5", "other", "it has 'deep/layer', 'deep/other'"),
        ("a.h5", None, "2 arrays, 'deep/layer', 'deep/other'; say which"),
        ("a.npy", "layer", "without a name"),
        ("flat.npy", None, "shape (12,)"),
        ("objects.npy", None, "holds Python objects, not numbers"),
    ],
)
def test_files_without_a_table(files, name, key, message):
    np.save(files / "flat.npy", POINTS.ravel())
    np.save(files / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    with pytest.raises(ValueError) as caught:
        read_embeddings(files / name, key)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npy"):
        read_embeddings(tmp_path / "nowhere.npy")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        read_labels(tmp_path / "nowhere.csv", 2)


@pytest.mark.parametrize(
    ("text", "names", "want"),
    [
        ("label\ncat\ndog\n", (), ["cat", "dog"]),
        ("label,size\n3,x\n10,y\n", (), [3, 10]),
        ("row,label\n1,dog\n0,cat\n", (), ["cat", "dog"]),
        ("name,label\nb,dog\na,cat\n", ("a", "b"), ["cat", "dog"]),
    ],
)
def test_labels(tmp_path, text, names, want):
    (tmp_path / "l.csv").write_text(text)
    assert read_labels(tmp_path / "l.csv", 2, names) == want


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        ("class\ncat\n", (), "'label'; got 'class'"),
        ("", (), "is empty"),
        ("label\ncat\ndog\nelk\n", (), "label 'elk' on line 4"),
        ("label\ncat\n", (), "row 1 of 2 embeddings has no label"),
        ("row,label\n0,cat\n5,dog\n", (), "is of row 5, which has no embedding"),
        ("row,label\n0,cat\n0,dog\n", (), "row 0 has two labels"),
        ("row,label\nx,cat\n", (), "'x' is no number"),
        ("name,label\na,cat\nc,dog\n", ("a", "b"), "'c', which has no embedding"),
        ("row,label\n0\n", (), "line 2"),
    ],
)
def test_bad_labels(tmp_path, text, names, message):
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(ValueError) as caught:
        read_labels(tmp_path / "l.csv", 2, names)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
