"""`semres sweep`: what it writes and prints, and how it refuses."""

import errno
import json
import os

import numpy as np
import pytest
import xarray

from semres_jax import cli, laws, plots
from semres_jax.storage import resume

FAST = ["sweep", "--epsilon", "0:0.5:11", "--n", "2,8,32"]


def test_files_figures_and_last_line(tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    words = [*FAST, "--delta", "0,0.1", "--exponent", "1,2", "--json", "--out", str(out)]
    assert cli.main(words) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    names = {"fronts", "optimum", "items", "families"}
    assert {p.name for p in out.iterdir()} == {"sweep.nc", "sweep.json", "sweep.state"} | {
        f"{n}.{e}" for n in names for e in ("png", "svg")
    }
    table = xarray.load_dataset(out / "sweep.nc")
    assert table.p_s.dims == ("space", "similarity", "epsilon", "delta", "n", "exponent")
    assert table.attrs["command"].startswith("semres sweep")
    assert table.attrs["complete"] == 1
    want = laws.constant(2 * table.epsilon.values, n=8, delta=0.1)
    np.testing.assert_allclose(table.p_s.sel(n=8, delta=0.1, exponent=1.0).values.ravel(), want.p_s, atol=1e-6)
    assert last["exit"] == 0
    two = next(row for row in last["optima"] if row["n"] == 2 and row["delta"] == 0 and row["exponent"] == 1)
    assert (two["epsilon"], two["p_s"], two["p_i"]) == (0.25, 0.75, 0.75)


def test_slots(tmp_path, capsys):
    words = ["sweep", "--slots", "1,2", "--epsilon", "0:0.5:11", "--n", "2,8", "--out", str(tmp_path), "--json"]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "the best p_S of a feature in each grid, and wholes there" in lines[0]
    last = json.loads(lines[-1])
    table = xarray.load_dataset(tmp_path / "sweep.nc")
    assert table.p_i.dims == ("space", "similarity", "aggregate", "slots", "epsilon", "delta", "n")
    assert {p.name for p in tmp_path.iterdir()} == {"sweep.nc", "sweep.json"} | {
        f"slots_{n}.{e}" for n in ("plane", "items", "argument") for e in ("png", "svg")
    }
    best = {(row["aggregate"], row["slots"]): row for row in last["optima"] if row["n"] == 2}
    assert best["product", 2]["p_i"] == pytest.approx(0.875)
    assert best["mean", 2]["p_i"] == pytest.approx(17 / 24)
    assert best["mean", 2]["p_s"] == 0.75
    assert (table.p_s.attrs["units"], table.items_at_half.attrs["units"]) == ("1", "items")
    words = ["sweep", "--slots", "2", "--epsilon", "0.1,0.2", "--n", "2", "--out", str(tmp_path), "--force"]
    assert cli.main([*words, "--similarity", "linear", "--aggregate", "mean"]) == 0
    assert {p.suffix for p in tmp_path.iterdir()} == {".nc", ".json", ".png", ".svg"}
    assert not (tmp_path / "slots_items.png").exists()


def test_simulation(tmp_path):
    words = ["sweep", "--epsilon", "0:0.5:11", "--n", "8", "--method", "prng", "--trials", "4096", "--seed", "3"]
    words += ["--out", str(tmp_path)]
    assert cli.main(words) == 0
    table = xarray.load_dataset(tmp_path / "sweep.nc")
    assert table.attrs["seed"] == 3
    exact = laws.constant(2 * table.epsilon.values, n=8)
    row = table.sel(n=8).squeeze()
    assert (np.abs(row.p_s.values - exact.p_s) < 5 * row.p_s_stderr.values).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epsilon", "0.2,0.1"], "epsilon must increase; got 0.2 before 0.1"),
        (["--epsilon", "0:1"], "is no grid such as 0:0.5:200"),
        (["--epsilon", "0:1:1"], "needs at least 2 numbers"),
        (["--epsilon", "0:1:5:log"], "must begin above 0; got 0"),
        (["--epsilon", "-0.1,0.1"], "at least 0; got -0.1"),
        (["--delta", "0,1.5"], "between 0 and 1; got 1.5"),
        (["--n", "1"], "at least 2"),
        (["--exponent", "2,1"], "increasing"),
        (["--similarity", "linaer"], "unknown similarity 'linaer'; there are constant, linear"),
        (["--similarity", "powerlaw(x)"], "is not a number"),
        (["--similarity", "tabulated"], "unknown similarity 'tabulated'"),
        (["--space", "circel"], "did you mean 'circle'?"),
        (["--space", "torus(3, l2)"], "no exact engine"),
        (["--trials", "100"], "--trials is for --method lattice or prng"),
        (["--method", "magic"], "'magic'"),
        (["--slots", "0,2"], "slots must be at least 1"),
        (["--slots", "1.5"], "'1.5' is not a whole number"),
        (["--slots", "2,1"], "increasing; got [2, 1]"),
        (["--slots", ""], "slots must be one or more numbers of slots"),
        (["--slots", "2", "--aggregate", "sum"], "aggregate must be one of product, mean; got 'sum'"),
        (["--slots", "2", "--method", "lattice"], "--slots is computed exactly, at once, with Luce's rule"),
        (["--slots", "2", "--trials", "100"], "it doesn't go with --trials"),
        (["--slots", "2", "--exponent", "2"], "it doesn't go with --exponent"),
        (["--slots", "2", "--resume"], "it doesn't go with --resume"),
        (["--aggregate", "mean"], "--aggregate is for --slots"),
    ],
)
def test_bad_input_is_refused(words, message, tmp_path, refusal):
    assert message in refusal("sweep", "--out", str(tmp_path / "out"), *words)


def test_what_there_is_to_resume_and_what_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plots, "save_sweep", lambda table, folder: [])
    words = [*FAST, "--out", str(tmp_path)]
    assert cli.main([*words, "--resume"]) == 0
    assert capsys.readouterr().err == f"semres: nothing to resume in {tmp_path}; starting anew\n"
    table = (tmp_path / "sweep.nc").read_bytes()
    state = (tmp_path / "sweep.state").read_bytes()
    assert cli.main([*words, "--resume", "--delta", "0.2"]) == 2
    message = capsys.readouterr().err
    assert message.startswith(
        f"semres: can't resume with delta[0] = 0.2: '{tmp_path / 'sweep.state'}' was made with 0.0 ("
    )
    assert message.count("\n") == 1
    (tmp_path / "sweep.state").write_bytes(state[:-7])
    assert cli.main([*words, "--resume"]) == 2
    assert "sweep.state' is broken: torn, truncated or changed" in capsys.readouterr().err
    assert (tmp_path / "sweep.state").read_bytes() == state[:-7]
    assert (tmp_path / "sweep.nc").read_bytes() == table
    assert cli.main(words) == 0
    assert capsys.readouterr().err == f"semres: replacing {tmp_path / 'sweep.state'}, which is broken\n"
    unfinished = resume.Saved(tmp_path / "sweep.state", resume=True)
    unfinished._writes, unfinished._settings = True, unfinished._was_made_with
    unfinished._write()
    assert cli.main(words) == 0
    assert capsys.readouterr().err == (
        f"semres: replacing the unfinished run in {tmp_path} (--resume goes on from it)\n"
    )


def test_a_full_disk_is_told(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    assert cli.main([*FAST, "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"semres: cannot write '{tmp_path / 'sweep.state'}': no space left on device; ")
    assert message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_pictures_have_labels(tmp_path):
    assert cli.main([*FAST, "--out", str(tmp_path)]) == 0
    table = xarray.load_dataset(tmp_path / "sweep.nc")
    for draw in (lambda t: plots.fronts(t, 2), plots.optimum, plots.items, plots.best_ball_measure, plots.families):
        ax = draw(table)
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        assert ax.lines
    with pytest.raises(ValueError, match="needs the constant similarity"):
        plots.families(table.assign_coords(similarity=["linear"]))
