"""`semres optimal`, from the words typed to the files written."""

import json

import numpy as np
import pytest
import xarray

from semres_jax import cli, frontier

TINY = ("optimal", "--weights", "0,0.5", "--delta", "0.3,0.6")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small run: (exit code, folder)."""
    folder = tmp_path_factory.mktemp("optimal") / "new" / "folder"
    return cli.main([*TINY, "--out", str(folder)]), folder


def test_files_are_written_and_say_where_they_come_from(finished):
    code, folder = finished
    assert code == 0
    pictures = {f"optimal_{name}.{kind}" for name in ("fronts", "similarities") for kind in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == {"optimal.nc", "optimal.json"} | pictures
    with xarray.open_dataset(folder / "optimal.nc", engine="h5netcdf") as table:
        assert table.weight.values.tolist() == [0.0, 0.5, 1.0]
        assert table.attrs["command"].startswith("semres optimal --weights")
        for name in ("semres_jax", "commit", "jax", "started", "seconds", "n", "certificate"):
            assert name in table.attrs
        best = frontier.optimal(0.3)
        assert float(table.p_s.sel(delta=0.3, weight=1.0)) == best.accuracy.p_s
        mass = table.mass.sel(delta=0.3, weight=1.0).values
        np.testing.assert_array_equal(mass[np.isfinite(mass)], best.mass)
    rows = json.loads((folder / "optimal.json").read_text())["rows"]
    assert [row["delta"] for row in rows] == [0.3, 0.6]
    assert rows[0]["p_s"] == pytest.approx(rows[0]["p_i"], abs=1e-12)
    assert rows[0]["gap"] <= 1e-6


def test_many_items_and_the_last_line_is_json(tmp_path, capsys):
    words = ["optimal", "--n", "3", "--delta", "0.5", "--weights", "1", "--out", str(tmp_path), "--json"]
    assert cli.main(words) == 0
    message = capsys.readouterr()
    last = json.loads(message.out.splitlines()[-1])
    assert last["rows"][0]["certificate"] == "stationary"
    assert last["rows"][0]["n"] == 3
    assert "stationary" in message.out
    assert message.err == ""


def test_too_few_levels_fail_the_check(tmp_path, capsys):
    assert cli.main([*TINY, "--levels", "9", "--out", str(tmp_path), "--json"]) == 1
    message = capsys.readouterr().out
    assert "GAP TOO LARGE" in message
    assert json.loads(message.splitlines()[-1])["failed"] == ["delta = 0.3", "delta = 0.6"]


def test_a_run_of_seconds_starts_anew_and_says_so(tmp_path, capsys):
    words = ["optimal", "--delta", "0.5", "--weights", "1", "--levels", "33", "--out", str(tmp_path), "--resume"]
    assert cli.main(words) in (0, 1)
    assert capsys.readouterr().err == (
        f"semres: a run of seconds keeps no state to resume in {tmp_path}; starting anew\n"
    )


def test_weights_are_read():
    read = cli.optimal.read_weights
    assert read("0:1:3") == read("3") == (0.0, 0.5, 1.0)
    assert read("0.2,0.4") == (0.2, 0.4)
    assert read("1") == (1.0,)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--delta", "0"], "no tradeoff"),
        (["--delta", "1"], "must be below 1"),
        (["--delta", "0.1,2"], "got 2"),
        (["--delta", ""], "--delta needs at least one value"),
        (["--weights", "1.5"], "weight must be between 0"),
        (["--weights", "0:1"], "'0:1' is no grid"),
        (["--weights", "0:1:1"], "at least 2 numbers"),
        (["--weights", "x"], "'x' is not a number"),
        (["--n", "1"], "n must be at least 2"),
        (["--levels", "2"], "levels must be at least 3"),
    ],
)
def test_bad_input_is_refused(words, message, tmp_path, refusal):
    assert message in refusal("optimal", "--out", str(tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()
