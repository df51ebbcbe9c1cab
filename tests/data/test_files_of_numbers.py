"""Files of numbers as people have them: kinds that NumPy lacks, objects, links, pointers, names; and damaged ones."""

import json
import os
import pickle
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from semres_jax import data, spaces
from semres_jax.data.embeddings import read_distances, read_embeddings, read_labels
from semres_jax.networks import language, weights
from tests.networks import tiny_llamas

POINTS = np.random.default_rng(5).normal(size=(7, 3)).astype(np.float32)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:77af4d6b9913e693\nsize 9\n"


def written(path):
    """A file of POINTS by its ending, under the name "points" where it has names; others beside it."""
    other = np.arange(5)
    match path.suffix:
        case ".npy":
            np.save(path, POINTS)
        case ".npz":
            np.savez(path, points=POINTS, other=other)
        case ".h5":
            with h5py.File(path, "w") as file:
                file["layer/points"], file["other"] = POINTS, other
        case ".safetensors":
            save_file({"points": POINTS, "other": other}, path)
    return path, {".npy": None, ".h5": "layer/points"}.get(path.suffix, "points")


ENDINGS = (".npy", ".npz", ".h5", ".safetensors")


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_written_is_read(tmp_path, ending):
    np.testing.assert_array_equal(read_embeddings(*written(tmp_path / f"points{ending}")).points, POINTS)


@pytest.mark.parametrize("ending", ENDINGS)
def test_pointers_are_told(tmp_path, ending):
    path = tmp_path / f"points{ending}"
    path.write_bytes(POINTER)
    for read in (read_embeddings, weights.read):
        with pytest.raises(ValueError, match=f"points{ending}' is a Git LFS pointer") as refusal:
            read(path)
        assert "pickle" not in str(refusal.value)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [">f8", "<f4", "f2", "i2", "bool", ml_dtypes.bfloat16])
def test_numbers_of_any_kind_in_npy(tmp_path, kind, order):
    numbers = (POINTS * 4).astype(kind)
    np.save(tmp_path / "x.npy", np.asarray(numbers, order=order))
    np.testing.assert_array_equal(read_embeddings(tmp_path / "x.npy").points, numbers.astype(np.float64))


def test_bfloat16_beside_other_kinds_of_safetensors(tmp_path):
    half = POINTS.astype(ml_dtypes.bfloat16)
    save_file({"half": half, "quarter": POINTS.astype(ml_dtypes.float8_e5m2)}, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(read_embeddings(tmp_path / "x.safetensors", "half").points, half.astype(np.float32))
    with pytest.raises(ValueError, match="'quarter' in numbers of kind F8_E5M2; must be one of F64"):
        read_embeddings(tmp_path / "x.safetensors", "quarter")


def ragged():
    rows = np.empty(2, object)
    rows[:] = [POINTS[0], POINTS[1, :2]]
    return rows


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (ragged(), "holds Python objects, not numbers"),
        (np.array({"cat": POINTS[0]}, object), "holds Python objects, not numbers"),
        (np.zeros(7, [("x", "f4"), ("y", "i4")]), "table with columns"),
        (POINTS + 1j, "complex64"),
        (POINTS.astype("U8"), "<U8"),
        (POINTS.astype(ml_dtypes.float8_e4m3fn), r"\|V1"),
        (np.float64(3.0), r"shape \(\)"),
        (np.zeros((0, 4)), None),
    ],
    ids=["ragged", "dict", "columns", "complex", "text", "float8", "scalar", "empty"],
)
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_what_is_no_table_of_numbers(tmp_path, array, words, ending):
    path = tmp_path / f"x{ending}"
    if ending == ".npy":
        np.save(path, array, allow_pickle=True)
    else:
        np.savez(path, x=array)
    if words is None:
        assert read_embeddings(path).points.shape == (0, 4)
        return
    with pytest.raises(ValueError, match=words) as refusal:
        read_embeddings(path)
    assert "allow_pickle" not in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_headers_that_promise_too_much(tmp_path):
    good = (tmp_path / "x.npy", tmp_path / "x.npz")
    np.save(good[0], POINTS)
    content = good[0].read_bytes().replace(b"(7, 3), }", b"(7000000000, 3), }".ljust(9))[:128]
    good[0].write_bytes(content.replace(b"(7, 3)", b"(9**9, 3)"))
    with pytest.raises(ValueError, match=r"x\.npy"):
        read_embeddings(good[0])
    with zipfile.ZipFile(good[1], "w") as archive:
        archive.writestr("x.npy", content + bytes(84))
    with pytest.raises(ValueError, match=r"x\.npz"):
        read_embeddings(good[1])


def test_links_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "elsewhere.h5", "w") as file:
        file["x"] = POINTS
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["deep/real"] = POINTS
        file["soft"], file["folder"] = h5py.SoftLink("/deep/real"), h5py.SoftLink("deep")
        file["hard"] = file["deep/real"]
        file["outside"], file["dangling"] = h5py.ExternalLink("elsewhere.h5", "x"), h5py.SoftLink("/nothing")
        file["twice"] = h5py.SoftLink("/outside")
    for key in ("deep/real", "soft", "folder/real", "hard"):
        np.testing.assert_array_equal(read_embeddings(tmp_path / "x.h5", key).points, POINTS)
    for key in ("outside", "twice"):
        with pytest.raises(ValueError, match=r"link to the file 'elsewhere\.h5'"):
            read_embeddings(tmp_path / "x.h5", key)
    with pytest.raises(ValueError, match="has no array 'dangling'"):
        read_embeddings(tmp_path / "x.h5", "dangling")


class Evil:
    def __reduce__(self):
        return print, ("run",)


def test_nothing_in_a_file_is_run(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps({"a": Evil()}))
    (tmp_path / "x.npy").write_bytes(pickle.dumps(Evil()))
    for read, name in ((weights.read, "x.pth"), (read_embeddings, "x.npy")):
        with pytest.raises(ValueError, match=name):
            read(tmp_path / name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "names", "want"),
    [
        (",0,1,2\n0,0,1,4\n1,1,0,2\n2,4,2,0\n", [0, 1, 2], [0, 1, 4]),
        (",0,1,2\n2,4,2,0\n0,0,1,4\n1,1,0,2\n", [2, 1, 0], [0, 2, 4]),
        (",00,01,02\n00,0,1,4\n01,1,0,2\n02,4,2,0\n", [0, 1, 2], [0, 1, 4]),
        (";e\u0301;b;c\n\u00e9;0;1,5;4\nb;1,5;0;2\nc;4;2;0\n", ["\u00e9", "b", "c"], [0, 1.5, 4]),
        ('"a","b","c"\n"a",0,1,4\n"b",1,0,2\n"c",4,2,0\n', ["a", "b", "c"], [0, 1, 4]),
        ("0\t1\t4\n1\t0\t2\n4\t2\t0\n", None, [0, 1, 4]),
    ],
    ids=["pandas", "rows in another order", "zeros in front", "europe", "R", "numpy"],
)
def test_tables_of_distances_as_programs_write_them(tmp_path, text, names, want):
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    assert read_distances(tmp_path / "d.csv", names)[0].tolist() == want


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,1,4\n1,0,2\n4,2,0\n", "table of numbers only; its first line and its first column must be names"),
        (",a,b\na,0,NA\nb,1,0\n", "line 2 .* class 'a', has an entry that is no number: 'NA'"),
        (',a,b\na,0,"1,234"\nb,"1,234",0\n', "decimal points"),
        (",a,a\na,0,1\na,1,0\n", "same classes .* each once"),
        (",a,b\na,0,1\nb,1\n", "line 3 .* got 2 entries"),
        (',a,b\n"a,0,1\nb,1,0\n' + "x,1,2\n" * 30000, "quotation mark"),
    ],
    ids=["no names", "missing", "thousands", "twice", "short", "quote"],
)
def test_tables_of_distances_that_cannot_be_read(tmp_path, text, words):
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(ValueError, match=words) as refusal:
        read_distances(tmp_path / "d.csv", ["a", "b"])
    assert "d.csv" in str(refusal.value)


def test_spaces_of_tables_keep_their_names_and_take_condensed_ones(tmp_path):
    (tmp_path / "d.csv").write_text(",a,b\na,0,1\nb,1,0\n")
    assert spaces.get(tmp_path / "d.csv").labels == ("a", "b")
    np.save(tmp_path / "d.npy", [1.0, 4.0, 2.0])
    assert read_distances(tmp_path / "d.npy").tolist() == [[0, 1, 4], [1, 0, 2], [4, 2, 0]]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("label\n1.0\n0.0\n", [1, 0]),
        ("Label;row\ncat;1\ndog;0\n", ["dog", "cat"]),
        ("label,row\ncat,1.0\ndog,0.0\n", ["dog", "cat"]),
        ("label\n007\n008\n", ["007", "008"]),
        ("label\n1\ncat\n", ["1", "cat"]),
    ],
)
def test_labels_as_programs_write_them(tmp_path, text, want):
    (tmp_path / "l.csv").write_text(text)
    assert read_labels(tmp_path / "l.csv", 2) == want


@pytest.mark.parametrize("cell", ["", "nan", "NA", "<NA>"])
def test_a_missing_label_is_told_with_its_line(tmp_path, cell):
    (tmp_path / "l.csv").write_text(f"label,more\ncat,1\n{cell},2\n")
    with pytest.raises(ValueError, match=r"line 3 of .* has no label"):
        data.read_labels(tmp_path / "l.csv", 2)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"split.count": 4, "split.no": 1}, "part 2 of 4 of a split model .*; merge them .*llama-gguf-split --merge"),
        ({"llama.attention.head_count_kv": [2, 1]}, r"head_count_kv is \[2, 1\]; must be one number"),
        ({"llama.block_count": 2.5}, "block_count is 2.5; must be a whole number"),
    ],
    ids=["split", "by layer", "half"],
)
def test_gguf_files_of_other_kinds(tmp_path, changed, words):
    tiny_llamas.write_gguf(tmp_path / "x.gguf", "tied", changed=changed)
    with pytest.raises(ValueError, match=words):
        language.load(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("vocab_size", None, "does not say 'vocab_size' but null"),
        ("rope_theta", "much", "rope_theta is 'much'; must be one number"),
        ("num_hidden_layers", -2, "must be above 0"),
        ("rms_norm_eps", float("nan"), "rms_norm_eps is nan"),
        ("rope_scaling", [8], r"positions as \[8\]"),
    ],
)
def test_configs_of_other_kinds(tmp_path, name, value, words):
    folder = tiny_llamas.write_folder(tmp_path / "model", "tied")
    config = json.loads((folder / "config.json").read_text()) | {name: value}
    if name.startswith("rope"):
        config = {key: entry for key, entry in config.items() if key != "rope_parameters"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=words):
        language.load(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_pointers_in_the_folder_of_a_model(tmp_path, name):
    folder = tiny_llamas.write_folder(tmp_path / "model", "tied")
    (folder / name).write_bytes(POINTER)
    with pytest.raises(ValueError, match=f"{name}' is a Git LFS pointer"):
        language.load(folder)


def test_weights_outside_of_the_folder_are_not_read(tmp_path):
    folder = tiny_llamas.write_folder(tmp_path / "model", "tied")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../secret.safetensors"}}')
    with pytest.raises(ValueError, match=r"'../../secret.safetensors'; all must be in the model's folder"):
        language.load(folder)


def damaged(content, rng):
    """Flipped bytes, a cut, a piece put in, or a piece doubled; the header more often than the rest."""
    content, place = bytearray(content), int(len(content) * rng.random() ** 3)
    match rng.integers(4):
        case 0:
            for at in rng.integers(place, min(place + 20, len(content)), size=3):
                content[at] = rng.integers(256)
        case 1:
            del content[place:]
        case 2:
            content[place:place] = rng.bytes(9)
        case _:
            content[place:place] = content[place : place + 40]
    return bytes(content)


COUNT = int(os.environ.get("SEMRES_FUZZ", "20"))  # for long runs by hand
READERS = [(f"x{ending}", read_embeddings, True) for ending in ENDINGS]
READERS += [("x.safetensors", weights.read, False), ("x.gguf", language.load, False)]


@pytest.mark.parametrize(
    ("name", "read", "keyed"), READERS, ids=[f"{name}-{read.__name__}" for name, read, _ in READERS]
)
def test_damaged_files_are_numbers_or_one_line(tmp_path, name, read, keyed):
    path, rng = tmp_path / name, np.random.default_rng(11)
    key = tiny_llamas.write_gguf(path, "tied") if name == "x.gguf" else written(path)[1]
    whole = path.read_bytes()
    for _ in range(COUNT):
        path.write_bytes(damaged(whole, rng))
        message = ""
        try:
            result = read(path, key) if keyed else read(path)
        except ValueError as refusal:
            message = str(refusal)
        else:
            assert not keyed or np.ndim(result.points) == 2
        assert "x." in message or not message
        assert len(message) < 1000
        assert message.isprintable()
