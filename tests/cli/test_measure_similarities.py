"""`semres measure similarities` as a user runs it."""

import json

import numpy as np
import pytest
import xarray

from semres_jax import cli, plots

NAMES = "abcdefgh"
FIGURES = ("similarities_plane", "similarities_profile", "similarities_items")


@pytest.fixture
def folder(tmp_path):
    """Eight stimuli on a line, judged, confused, and leaves of a tree."""
    x = np.arange(8.0)
    d = np.abs(x[:, None] - x)
    rng = np.random.default_rng(0)
    g = 0.05 + 0.95 * np.exp(-d / 2)
    write(tmp_path / "d.csv", d[::-1, ::-1], NAMES[::-1])
    write(tmp_path / "judged.csv", g.round(3), NAMES)
    write(tmp_path / "hollow.csv", np.where(d > 0, g.round(3), np.nan), NAMES)
    write(tmp_path / "counts.csv", np.stack([rng.multinomial(99, row) for row in g / g.sum(1, keepdims=True)]), NAMES)
    np.save(tmp_path / "subjects.npy", np.stack([g ** (0.8 + 0.1 * k) for k in range(4)]))
    np.save(tmp_path / "d.npy", d)
    (tmp_path / "tree.nwk").write_text("(((a:1,b:1):1,(c:1,d:1):1):1,((e:1,f:1):1,(g:1,h:1):1):1);")
    return tmp_path


@pytest.fixture
def no_pictures(monkeypatch):
    """Pictures take the longest, and those of one run are enough."""
    monkeypatch.setattr(plots, "save_similarities", lambda table, folder: [])


def write(path, table, names):
    lines = [",".join([name, *map(str, row)]) for name, row in zip(names, table, strict=True)]
    path.write_text("\n".join([",".join(["", *names]), *lines]))


def words(folder, file="judged.csv", **options):
    given = {"out": "out", "n": "2", "bootstrap": "20", "optimal": "none"} | options
    paths = ("distances", "tree", "out")
    pairs = [(f"--{k}", str(folder / v) if k in paths else v) for k, v in given.items() if v is not None]
    return ["measure", "similarities", str(folder / file), *(word for pair in pairs for word in pair)]


def test_similarities_with_distances(folder, capsys):
    assert cli.main([*words(folder, distances="d.csv"), "--json"]) == 0
    output = capsys.readouterr().out
    last = json.loads(output.splitlines()[-1])
    assert last["command"].startswith("semres measure similarities")
    assert (last["exit"], last["kind"], last["geometry"]) == (0, "similarity", "given")
    assert last["p_s"]["low"] < last["p_s"]["value"] < last["p_s"]["high"]
    for word in ("people", "linear fit predicts", "constant front, nearest", "law p_I", "95 % intervals over stimuli"):
        assert word in output
    with xarray.open_dataset(folder / "out" / "measure.nc", engine="h5netcdf") as data:
        assert float(data.p_s[0]) == last["p_s"]["value"]
        assert data.attrs["file"] == "judged.csv"
        assert data.stimulus.values.tolist() == list(NAMES[::-1])
    for name in FIGURES:
        assert (folder / "out" / f"{name}.png").stat().st_size > 10_000
        assert (folder / "out" / f"{name}.svg").exists()


def test_counts_with_a_tree_and_several_subjects(folder, capsys, no_pictures):
    assert cli.main(words(folder, "counts.csv", kind="confusion", tree="tree.nwk")) == 0
    assert "792 answers counted, 99 or more to each stimulus" in capsys.readouterr().out
    assert cli.main([*words(folder, "subjects.npy", distances="d.npy", level="0.9"), "--force"]) == 0
    output = capsys.readouterr().out
    assert "of 4 subjects; given distances; 90 % intervals over subjects and stimuli" in output
    assert "noise ceiling" in output


def test_without_distances_the_geometry_is_recovered(folder, capsys, no_pictures):
    pytest.importorskip("sklearn")
    assert cli.main(words(folder, dimensions="1", bootstrap="0")) == 0
    output = capsys.readouterr().out
    assert "distances recovered by non-metric scaling in 1 dimensions, stress 0.000" in output
    assert "caution: p_S, profile, fits and fronts are on a geometry that was fitted to the same table" in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tree": "tree.nwk", "distances": "d.csv"}, "got both"),
        ({"file": "subjects.npy", "tree": "tree.nwk"}, "--tree needs names"),
        ({"file": "nowhere.npy"}, "nowhere.npy"),
        ({"file": "hollow.csv"}, "the diagonal has 8 of 8 entries missing"),
        ({"distances": "d.csv", "n": "2,9"}, "n must be at most 7"),
        ({"distances": "d.csv", "n": ","}, "--n needs"),
        ({"distances": "d.csv", "level": "2"}, "level"),
        ({"distances": "d.csv", "key": "layer"}, "no 'layer'"),
    ],
)
def test_bad_input(folder, change, message, refusal):
    assert message in refusal(*words(folder, **change))
    assert not (folder / "out" / "measure.nc").exists()


def test_a_diagonal_may_be_given(folder, capsys, no_pictures):
    assert cli.main(words(folder, "hollow.csv", distances="d.csv", diagonal="1", bootstrap="0")) == 0
    assert "8 missing entries of the diagonal are taken as 1" in capsys.readouterr().out


def test_counts_have_biases_apart_from_similarity(folder, capsys, no_pictures):
    assert cli.main([*words(folder, "counts.csv", kind="confusion", distances="d.csv"), "--json"]) == 0
    output = capsys.readouterr().out
    last = json.loads(output.splitlines()[-1])["similarity_choice"]
    assert [row["stimulus"] for row in last["biases"]] == list(NAMES[::-1])  # in the order of the distances
    assert sum(row["value"] for row in last["biases"]) == pytest.approx(1)
    assert last["by_distance"]["epsilon"]["low"] < 2 < last["by_distance"]["epsilon"]["high"]
    for word in ("confused most with", "similarity-choice model: G2", "similarity by distance, biases beside it"):
        assert word in output
    with xarray.open_dataset(folder / "out" / "measure.nc", engine="h5netcdf") as data:
        assert data.choice_bias.sel(response="c").item() == last["biases"][5]["value"]
        assert data.choice_bias.attrs["long_name"] == "response bias, a share of 1"
        assert data.attrs["choice_g2"] == last["g2"]
        assert data.p_s.attrs["long_name"].startswith("generalization")
