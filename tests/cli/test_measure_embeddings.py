"""`semres measure embeddings` as a user runs it."""

import json

import numpy as np
import pytest
import xarray

from semres_jax import cli

TREE = "((((ape:1,bat:1):1,cod:2):1,doe:3):1,(elk:2,fox:2):2);"
LEAVES = ("ape", "bat", "cod", "doe", "elk", "fox")
FIGURES = ("embeddings_plane", "embeddings_profile", "embeddings_levels")


@pytest.fixture
def folder(tmp_path):
    """Twelve points of a circle, and three exemplars of each leaf of a tree."""
    rng, angle = np.random.default_rng(0), 2 * np.pi * np.arange(12) / 12
    np.save(tmp_path / "ring.npy", np.stack([np.cos(angle), np.sin(angle)], 1) + 0.1 * rng.normal(size=(12, 2)))
    turns = np.abs(angle[:, None] - angle[None]) / (2 * np.pi)
    np.save(tmp_path / "d.npy", np.minimum(turns, 1 - turns).round(9))
    np.save(tmp_path / "leaves.npy", rng.normal(size=(18, 4)) + np.repeat(np.arange(6), 3)[:, None])
    (tmp_path / "tree.nwk").write_text(TREE)
    (tmp_path / "d.csv").write_text(",ape,bat\nape,0,1\nbat,1,0\n")
    (tmp_path / "labels.csv").write_text("label\n" + "".join(f"{name}\n" * 3 for name in LEAVES))
    return tmp_path


def words(folder, file="ring.npy", **options):
    given = {"distances": "d.npy", "out": "out"} | options
    paths = ("distances", "tree", "labels", "out")
    pairs = [(f"--{k}", str(folder / v) if k in paths else v) for k, v in given.items() if v is not None]
    return ["measure", "embeddings", str(folder / file), *(word for pair in pairs for word in pair)]


def test_one_embedding_a_stimulus(folder, capsys):
    assert cli.main([*words(folder, bootstrap="50", optimal="none"), "--json"]) == 0
    output = capsys.readouterr().out
    last = json.loads(output.splitlines()[-1])
    assert last["command"].startswith("semres measure embeddings")
    assert (last["exit"], last["design"]) == (0, "stimuli")
    assert last["p_s"]["low"] < last["p_s"]["value"] < last["p_s"]["high"]
    for word in ("model", "linear fit predicts", "constant front, nearest"):
        assert word in output
    with xarray.open_dataset(folder / "out" / "measure.nc", engine="h5netcdf") as data:
        assert float(data.p_s) == last["p_s"]["value"]
        assert data.attrs["file"] == "ring.npy"
    for name in FIGURES:
        assert (folder / "out" / f"{name}.png").stat().st_size > 10_000
        assert (folder / "out" / f"{name}.svg").exists()
    # Angles know which item is closer better than a threshold does.
    fronts = {row["front"]: row["value"] for row in last["fronts"]}
    assert fronts["constant"] > 0 > fronts["linear"]


def test_exemplars_of_leaves(folder, capsys):
    given = words(folder, "leaves.npy", distances=None, tree="tree.nwk", labels="labels.csv", similarity="euclidean")
    assert cli.main([*given, "--bootstrap", "0", "--optimal", "none", "--limit", "16"]) == 0
    output = capsys.readouterr().out
    assert "6 classes; the probe is another exemplar" in output
    assert "sampled: 12 of 18 exemplars probe" in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distances": None}, "either --distances or --tree"),
        ({"tree": "tree.nwk"}, "got both"),
        ({"distances": None, "tree": "tree.nwk"}, "--tree needs --labels"),
        ({"distances": "nowhere.npy"}, "nowhere.npy"),
        ({"file": "nowhere.npy"}, "nowhere.npy"),
        ({"file": "leaves.npy"}, "distances are between 12 stimuli, but there are 18 embeddings"),
        ({"labels": "labels.csv"}, "label 'elk' on line 14"),
        ({"distances": "d.csv"}, "need --labels"),
        ({"key": "layer"}, "no 'layer'"),
        ({"shares": "0.5,2"}, "shares"),
        ({"similarity": "cosine", "floor": "-1"}, "floor"),
        ({"bootstrap": "1"}, "bootstrap"),
    ],
)
def test_bad_input(folder, change, message, refusal):
    assert message in refusal(*words(folder, **change))
    assert not (folder / "out" / "measure.nc").exists()


def test_rows_with_nan_are_named(folder, refusal):
    points = np.load(folder / "ring.npy")
    points[[2, 5]] = np.nan
    np.save(folder / "ring.npy", points)
    assert "rows 2, 5 have NaN" in refusal(*words(folder))


def test_a_truncated_file(folder, refusal):
    whole = (folder / "ring.npy").read_bytes()
    (folder / "ring.npy").write_bytes(whole[:-40])
    assert "truncated" in refusal(*words(folder))
