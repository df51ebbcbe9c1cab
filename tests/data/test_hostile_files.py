"""Files that promise more than they hold, or are made to fill memory; and tables as other programs write them."""

import struct
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest

from semres_jax.data.embeddings import read_distances, read_embeddings, read_labels
from semres_jax.networks import language, weights

POINTS = np.random.default_rng(8).normal(size=(5, 3)).astype(np.float32)


def refusal(read, *args):
    with pytest.raises(ValueError, match=args[0].name) as caught:
        read(*args)
    said = str(caught.value)
    assert said.isprintable()
    assert "allow_pickle" not in said
    assert len(said) < 600
    return said


def test_numbers_of_hdf5_that_are_not_there_or_have_no_name(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("unwritten", (6, 2), "f4")
        file["half"] = POINTS.astype(ml_dtypes.bfloat16)
    assert "no numbers were written" in refusal(read_embeddings, path, "unwritten")
    want = POINTS.astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(read_embeddings(path, "half").points, want)


def test_archives_made_to_fill_memory(tmp_path):
    for name, pickled in (("a.pth", b"\x80\x02}r\x00\x00\x00\x0f."), ("b.pth", b"\x80\x02}" + b"N0" * 2**26 + b".")):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x/data.pkl", pickled)
    assert "counts 251658240 parts in 9 bytes" in refusal(weights.read, tmp_path / "a.pth")
    assert "looks like an attack on memory" in refusal(weights.read, tmp_path / "b.pth")


def test_several_arrays_in_one_npy_file_are_told(tmp_path):
    with (tmp_path / "x.npy").open("wb") as file:
        np.save(file, POINTS)
        np.save(file, POINTS)
    assert "several arrays one after the other" in refusal(read_embeddings, tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.csv", ",b,a,c,\nb,0,3,4,\na,3,0,5,\nc,4,5,0,\n"),
        ("D.TSV", "\tb\ta\tc\nc\t4\t5\t0\nb\t0\t3\t4\na\t3\t0\t5\n"),
    ],
    ids=["separators at the ends", "tabs"],
)
def test_other_tables_of_distances(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_distances(tmp_path / name, ["a", "b", "c"]).tolist() == [[0, 3, 5], [3, 0, 4], [5, 4, 0]]


def test_decimal_labels_are_in_the_order_of_numbers(tmp_path):
    (tmp_path / "l.csv").write_text("label\n112.5\n22.5\n45.0\n")
    assert read_labels(tmp_path / "l.csv", 3) == [112.5, 22.5, 45]


def gguf(path, entries=b"", tensors=0, count=1):
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, tensors, count) + entries + bytes(2**16))
    return path


KEY = struct.pack("<Q", 1) + b"k"


@pytest.mark.parametrize(
    ("entries", "counts"),
    [
        (b"", {"tensors": 2**40}),
        (b"", {"count": 2**40}),
        (KEY + struct.pack("<IIQ", 9, 0, 2**30), {}),
        (KEY + struct.pack("<IIQ", 9, 8, 2**21), {}),
        (KEY + struct.pack("<IIQ", 9, 9, 1) * 20, {}),
        (KEY + struct.pack("<IQ", 8, 2**50), {}),
    ],
    ids=["tensors", "entries", "bytes", "texts", "nested", "a text"],
)
def test_gguf_files_with_absurd_counts(tmp_path, entries, counts):
    assert "truncated or corrupt" in refusal(language.load, gguf(tmp_path / "x.gguf", entries, **counts))


def test_no_message_advises_pickles(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), " + b" " * 20000 + b"}"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(4))
    assert "its header can't be read" in refusal(read_embeddings, tmp_path / "x.npy")


@pytest.mark.parametrize(("name", "error"), [("a" * 5000, ValueError), ("a\0b", FileNotFoundError)])
def test_names_that_no_file_can_have(name, error):
    with pytest.raises(error, match="language model"):
        language.load(name)
