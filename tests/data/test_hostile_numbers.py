"""Files of numbers that were made to lead elsewhere, to fill memory or never to end; wholes beside broken parts."""

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from semres_jax.data.embeddings import read_distances, read_embeddings, read_labels
from semres_jax.networks import language, weights
from tests.networks import tiny_llamas, torch_archive

X = np.random.default_rng(4).normal(size=(5, 3)).astype(np.float32)


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["layer/x"] = X
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["out"] = h5py.ExternalLink("other.h5", "/layer/x")
        file["group"] = h5py.ExternalLink("other.h5", "/layer")
        file["soft"], file["softgroup"], file["a/soft"] = map(h5py.SoftLink, ("out", "group", "next"))
        file["a/next"] = h5py.SoftLink("/softgroup/x")
        file["nowhere"], file["circle"] = h5py.SoftLink("/b"), h5py.SoftLink("circle")
        file["a/x"], file["own"] = X, h5py.SoftLink("a")
        file.create_dataset("unwritten", shape=(10**8, 10), dtype="f4", chunks=(1000, 10))
        file.create_dataset("raw", shape=(2, 2), dtype="f4", external=[("other.h5", 0, 16)])
    return tmp_path / "own.h5"


@pytest.mark.parametrize("key", ["out", "soft", "softgroup/x", "./soft", "a/soft", "a/next"])
def test_hdf5_links_lead_to_no_other_file(linked: Path, key: str) -> None:
    with pytest.raises(ValueError, match=r"own\.h5.*a link to the file 'other\.h5'"):
        read_embeddings(linked, key)


@pytest.mark.parametrize("key", ["a/x", "own/x", "/own//x", "./a/./x"])
def test_hdf5_links_within_the_file(linked: Path, key: str) -> None:
    assert_array_equal(read_embeddings(linked, key).points, X)


@pytest.mark.parametrize(
    ("key", "message"),
    [("nowhere", "there is no 'b'"), ("circle", "in a circle"), ("unwritten", "holds 0 bytes"), ("raw", "other files"),
     ("zz", "no array 'zz'; it has 'a/x'"), (None, "say which one")],
)  # fmt: skip
def test_hdf5_refusals(linked: Path, key: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_embeddings(linked, key)


def test_npz_arrays_beside_objects(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", numbers=X, words=np.array([{}, None], object))
    assert_array_equal(read_embeddings(tmp_path / "x.npz", "numbers").points, X)
    for key, message in (("words", "Python objects, not numbers"), ("w", "has no array 'w'"), (None, "say which one")):
        with pytest.raises(ValueError, match=message):
            read_embeddings(tmp_path / "x.npz", key)


def test_npz_made_to_fill_memory(tmp_path: Path) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (40 * 2**20, 1)}
    archive = zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("a.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, header)  # pyright: ignore[reportArgumentType]
        for _ in range(160):
            member.write(bytes(2**20))
    with pytest.raises(ValueError, match=r"320 MiB, but the file holds \d+ bytes"):
        read_embeddings(tmp_path / "x.npz")


def test_arrays_whose_kind_has_no_name(tmp_path: Path) -> None:
    import ml_dtypes
    from safetensors.numpy import save_file

    np.save(tmp_path / "x.npy", X.astype(ml_dtypes.float8_e4m3fn))
    save_file({"x": X.astype(ml_dtypes.float8_e5m2)}, tmp_path / "x.safetensors")
    for name, message in (
        ("x.npy", "save them as float32"),
        ("x.safetensors", "^'.*' has 'x' in numbers of kind F8"),
    ):
        with pytest.raises(ValueError, match=message):
            read_embeddings(tmp_path / name)
    np.savez(tmp_path / "y.npz", x=X)
    (tmp_path / "y.npz").rename(tmp_path / "y.npy")
    with pytest.raises(ValueError, match=r"ends in \.npz"):
        read_embeddings(tmp_path / "y.npy")


@pytest.mark.parametrize(
    ("text", "names"),
    [(",0.0,1.0\n1.0,2,0\n0.0,0,2\n", [0, 1]), (",e\u0301,b\nb,2,0\n\u00e9,0,2\n", ["e\u0301", "b"]),
     ("0 2\n2 0\n", None)],
)  # fmt: skip
def test_tables_as_programs_name_them(tmp_path: Path, text: str, names: Any) -> None:
    (tmp_path / "d.csv").write_text(text, "utf-8")
    assert_array_equal(read_distances(tmp_path / "d.csv", names), [[0, 2], [2, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [(",a,b\na,0,1_0\nb,1_0,0\n", "line 2 .* no number: '1_0'"), (",a,a\na,0,1\na,1,0\n", "'a' is there twice"),
     (",a,b\na,0,1\nc,1,0\n", "is in one of them only")],
)  # fmt: skip
def test_tables_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_distances(tmp_path / "d.csv")


def test_labels_of_thousands_of_digits(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(f"label\n{'7' * 5000}\n")
    assert read_labels(tmp_path / "l.csv", 1) == ["7" * 5000]
    (tmp_path / "l.csv").write_text(f"row,label\n{'7' * 5000},a\n")
    with pytest.raises(ValueError, match=r"line 2 of .*l\.csv.* no number of a row"):
        read_labels(tmp_path / "l.csv", 1)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [("num_hidden_layers", 10**6, "1000000 layers, but has 20 arrays"), ("head_dim", 10**12, "head_dim is 1e"),
     ("vocab_size", 10**400, "vocab_size is 1000"), ("eos_token_id", 1.5, "eos_token_id.* 1.5; must be the number"),
     ("eos_token_id", [0, "x"], "must be the number of a token"),
     ("rope_scaling", tiny_llamas._LLAMA_3 | {"high_freq_factor": 1.0}, "high_freq_factor 1 and")],
)  # fmt: skip
def test_models_of_absurd_entries(tmp_path: Path, entry: str, value: Any, message: str) -> None:
    folder = tiny_llamas.write_folder(tmp_path / "model", "tied")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {entry: value}))
    with pytest.raises(ValueError, match=message):
        language.load(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"llama.block_count": 10**7}, "10000000 layers, but has 20 arrays"),
     ({"tokenizer.ggml.token_type": [1]}, "271 tokens and 1 types"),
     ({"tokenizer.ggml.tokens": 5}, "a list of tokens")],
)  # fmt: skip
def test_gguf_of_absurd_entries(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"x\.gguf.*{message}"):
        language.load(tiny_llamas.write_gguf(tmp_path / "x.gguf", "tied", changed=changed))


def test_other_parts_of_a_split_gguf(tmp_path: Path) -> None:
    """They say nothing of the network, only which part they are."""
    import gguf

    writer = gguf.GGUFWriter(tmp_path / "x-00002-of-00005.gguf", "")
    writer.kv_data[0].clear()
    writer.add_uint16("split.no", 1)
    writer.add_uint16("split.count", 5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ValueError, match=r"part 2 of 5 .*llama-gguf-split --merge"):
        language.load(tmp_path / "x-00002-of-00005.gguf")


def test_messages_of_broken_archives_stay_short(tmp_path: Path) -> None:
    content = torch_archive.write(tmp_path / "x.pth", {"a": X}).read_bytes()
    at = content.index(b"archive/data/0")
    (tmp_path / "x.pth").write_bytes(content[: at - 4] + b"\xff\xff" + content[at - 2 :])  # a name of 65,535 letters
    with pytest.raises(ValueError, match="truncated or corrupt") as refused:
        weights.read(tmp_path / "x.pth")
    assert len(str(refused.value)) < 500
