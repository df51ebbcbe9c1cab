"""`semres measure triplets`, from the words typed to the files written."""

import json
import re

import numpy as np
import pytest
import xarray

from semres_jax import cli, data
from semres_jax.cli._measure_triplets import MeasureTriplets
from tests.measure.test_triplets import Gaussian, drawn

NAMES = [f"s{k:02d}" for k in range(15)]


@pytest.fixture(autouse=True, scope="module")
def quickly_compiled():
    """Compiled as for users, unlike other tests of commands: most of the time here goes into running."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Triplets with names, and a table of their distances in another order."""
    folder = tmp_path_factory.mktemp("triplets")
    _, table, said = drawn("anchor", 600, Gaussian(0.3, 0.05))
    lines = ["anchor,near,far", *(",".join(NAMES[x] for x in row) for row in said)]
    (folder / "said.csv").write_text("\n".join(lines))
    order = np.random.default_rng(0).permutation(15)
    rows = [f"{NAMES[k]}," + ",".join(map(str, table[k, order])) for k in order]
    (folder / "table.csv").write_text("\n".join([",".join(["", *(NAMES[k] for k in order)]), *rows]))
    return folder


def test_with_distances(files, capsys):
    words = ["measure", "triplets", str(files / "said.csv"), "--distances", str(files / "table.csv"), "--json"]
    out = files / "fit"
    assert cli.main([*words, "--family", "gaussian,exponential", "--bootstrap", "5", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "people (p_S measured, p_I by the fit)" in printed
    content = json.loads(printed.splitlines()[-1])
    names = ("plane", "profile", "nearer", "calibration")
    pictures = {f"triplets_{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert {path.name for path in out.iterdir()} == {"measure.nc", "measure.json"} | pictures == {*content["files"]}
    best = content["rows"][0]
    assert best["epsilon_low"] < 0.3 < best["epsilon_high"]
    assert content["p_s"] == content["accuracy"]
    table = xarray.load_dataset(out / "measure.nc")
    assert float(table.p_i) == content["p_i"]["value"]
    assert table.attrs["judgements"] == 600
    assert all("long_name" in table[name].attrs for name in table.variables)


def test_without_distances(files, capsys):
    out = files / "places"
    words = ["measure", "triplets", str(files / "said.csv"), "--starts", "2", "--dimensions", "1", "--out", str(out)]
    assert cli.main(words) == 0
    assert "held-out ln L" in capsys.readouterr().out
    pictures = {f"triplets_{name}.{kind}" for name in ("dimensions", "map") for kind in ("png", "svg")}
    assert {path.name for path in out.iterdir()} == {"measure.nc", "measure.json"} | pictures
    table = xarray.load_dataset(out / "measure.nc")
    assert table.stimulus.values.tolist() == NAMES
    np.testing.assert_allclose(table.distance, abs(np.subtract.outer(*[table.point.values[:, 0]] * 2)), atol=1e-12)
    assert all("long_name" in table[name].attrs for name in table.variables)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--layout", "odd"], "say layout anchor, but odd is given"),
        (["--distances", "table.csv", "--tree", "x.nwk"], "give either --distances or --tree"),
        (["--distances", "table.csv", "--level", "2"], "--level must be above 0 and below 1; got 2"),
        (["--distances", "table.csv", "--family", "cosine"], "unknown similarity 'cosine'"),
        (["--distances", "small.csv"], "line 2 of .* has 's.*', a name that is unknown to the distances"),
        (["--family", "linear"], "an embedding needs a similarity with slopes everywhere; got linear"),
        (["--family", "gaussian,powerlaw"], "--family must be one name; got gaussian,powerlaw"),
        (["--bootstrap", "-1"], "--bootstrap must be at least 0; got -1"),
        (["--starts", "0"], "--starts must be at least 1; got 0"),
        (["--seed", "-1"], "--seed must be"),
    ],
)
def test_bad_input_is_one_line(files, words, reason, capsys, monkeypatch):
    monkeypatch.chdir(files)
    (files / "small.csv").write_text(",a,b,c\na,0,1,2\nb,1,0,1\nc,2,1,0\n")
    assert cli.main(["measure", "triplets", "said.csv", *words, "--out", "nowhere"]) == 2
    error = capsys.readouterr().err.strip()
    assert re.search(reason, error)
    assert error.count("\n") == 0
    assert not (files / "nowhere").exists()


def test_help_is_of_whole_sentences(capsys):
    assert cli.main(["measure", "triplets", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "odd-one-out" in printed
    assert "None" not in printed


def test_a_run_is_told_by_all_that_decides_its_numbers():
    run = MeasureTriplets("x")
    _, _, said = drawn("odd", 10, Gaussian(0.3, 0.05))
    one, other = (run._run_of(data.Triplets(said, layout), {}) for layout in ("odd", "anchor"))
    assert one != other
