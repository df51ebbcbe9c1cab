"""`semres measure embeddings A B ...` as a user runs it."""

import json

import numpy as np
import pytest
import xarray

from semres_jax import cli, measure

FILES = ("compare_plane", "compare_differences")


@pytest.fixture
def folder(tmp_path):
    """Three noisy copies of twelve points of a circle, one of them elsewhere; labels of three exemplars each."""
    rng, angle = np.random.default_rng(0), 2 * np.pi * np.arange(12) / 12
    clean = np.stack([np.cos(angle), np.sin(angle)], 1)
    (tmp_path / "deep").mkdir()
    for name, noise in (("layer-1", 0.5), ("layer-2", 0.1), ("deep/layer-2", 0.3)):
        np.save(tmp_path / f"{name}.npy", clean + noise * rng.normal(size=(12, 2)))
    np.save(tmp_path / "few.npy", clean[1:])
    names = [f"s{k:02}" for k in range(12)]
    np.savez(tmp_path / "named.npz", **dict(zip(names, clean, strict=True)))
    np.savez(tmp_path / "turned.npz", **dict(zip(names[::-1], clean[::-1] + 0.1, strict=True)))
    np.savez(tmp_path / "others.npz", **dict(zip(["t", *names[1:]], clean, strict=True)))
    turns = np.abs(angle[:, None] - angle[None]) / (2 * np.pi)
    np.save(tmp_path / "d.npy", np.minimum(turns, 1 - turns).round(9))
    return tmp_path


def words(folder, *files, **options):
    given = {"distances": folder / "d.npy", "out": folder / "out", "bootstrap": 20, "optimal": "none"} | options
    pairs = [(f"--{name}", str(value)) for name, value in given.items() if value is not None]
    return [
        "measure",
        "embeddings",
        *(str(folder / file) for file in files),
        *(word for pair in pairs for word in pair),
    ]


def test_three_files(folder, capsys):
    given = words(folder, "layer-1.npy", "layer-2.npy", "deep/layer-2.npy")
    assert cli.main([*given, "--json"]) == 0
    output = capsys.readouterr().out
    last = json.loads(output.splitlines()[-1])
    assert last["command"].startswith("semres measure embeddings")
    names = [row["model"] for row in last["models"]]
    assert names[0] == "layer-1"
    assert names[1:] == [f"{folder.name}/layer-2", "deep/layer-2"]
    assert f"layer-1 - {names[1]}" in output
    assert "corrected over 3 pairs of models (Holm)" in output
    models = {name: np.load(folder / file) for name, file in
              zip(names, ("layer-1.npy", "layer-2.npy", "deep/layer-2.npy"), strict=True)}  # fmt: skip
    want = measure.compare(models, np.load(folder / "d.npy"), bootstrap=20, optimal="none")
    with xarray.open_dataset(folder / "out" / "measure.nc", engine="h5netcdf") as data:
        np.testing.assert_array_equal(data.sel(quantity="p_s").p, want.differences["p_s"].p)
        assert data.attrs["files"] == "layer-1.npy, layer-2.npy, layer-2.npy"
    rows = [row for row in last["differences"] if row["quantity"] == "p_i"]
    assert [row["corrected_p"] for row in rows] == want.differences["p_i"].corrected.tolist()
    for name in FILES:
        assert (folder / "out" / f"{name}.png").stat().st_size > 10_000
        assert (folder / "out" / f"{name}.svg").exists()


def test_layers_and_rows_with_names(folder, capsys):
    given = words(folder, "layer-1.npy", "layer-2.npy")
    assert cli.main([*given, "--layers", "--uncorrected", "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["paths"] == {"layer": ["layer-1", "layer-2"]}
    assert last["correction"] == "none"
    # Rows of the second file go by the names of the first.
    assert cli.main([*words(folder, "named.npz", "turned.npz"), "--json", "--force"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    with np.load(folder / "named.npz") as clean:
        points = np.stack([clean[name] for name in clean])
    want = measure.compare({"a": points, "b": points + 0.1}, np.load(folder / "d.npy"), bootstrap=20, optimal="none")
    assert last["differences"][0]["value"] == pytest.approx(want.differences["p_s"].difference.value[0], abs=1e-12)


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (["layer-1.npy", "few.npy"], {}, "'layer-1' and 'few' have 12 and 11 rows"),
        (["layer-1.npy", "layer-1.npy"], {}, "the name of 2 files"),
        (["layer-1.npy", "nowhere.npy"], {}, "nowhere.npy"),
        (["layer-1.npy", "named.npz"], {}, "rows of 'layer-1' and 'named' differ"),
        (["named.npz", "others.npz"], {}, "'s00' is in one of them only"),
        (["layer-1.npy", "layer-2.npy"], {"shares": "0.1,0.5"}, "--shares is of a single file; got 2 files"),
        (["layer-1.npy", "layer-2.npy"], {"distances": None}, "either --distances or --tree"),
        (["layer-1.npy", "layer-2.npy"], {"seed": -1}, "--seed"),
        (["layer-1.npy", "layer-2.npy"], {"similarity": "cosine", "floor": -1}, "floor"),
    ],
)
def test_bad_input(folder, files, options, message, refusal):
    assert message in refusal(*words(folder, *files, **options))
    assert not (folder / "out" / "measure.nc").exists()


def test_layers_of_one_file(folder, refusal):
    assert "--layers needs the files of several layers" in refusal(*words(folder, "layer-1.npy"), "--layers")


def test_no_file(refusal):
    assert "give at least one file" in refusal("measure", "embeddings")
