"""`semres validate`, from the words typed to the files written."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import xarray

from semres_jax import cli
from semres_jax._types import Accuracy
from semres_jax.experiments import validation
from semres_jax.experiments.validation import run as validation_run

TINY = ("validate", "--space", "circle", "--trials", "20000", "--n", "2")


def _run(folder: Path, *more: str) -> int:
    return cli.main([*TINY, "--out", str(folder), *more])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny run: (exit code, folder)."""
    folder = tmp_path_factory.mktemp("validate") / "new" / "folder"
    return _run(folder), folder


def test_a_right_law_passes(finished):
    code, folder = finished
    assert code == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {"validation.nc", "validation.json", "validate.state", "tradeoff.png", "tradeoff.svg"}


def test_files_open_and_say_where_they_come_from(finished):
    with xarray.open_dataset(finished[1] / "validation.nc", engine="h5netcdf") as table:
        assert table.sizes["resolution"] == len(validation.QUANTILES)
        assert table.space.values.tolist() == ["circle", "circle, linear"]
        assert np.isfinite(table.z_s.sel(space="circle")).all()
        for name in ("semres_jax", "commit", "jax", "python", "device_kind", "devices", "started", "seconds"):
            assert name in table.attrs
        assert table.attrs["seed"] == 0
        assert table.attrs["complete"] == 1
        assert table.attrs["command"].startswith("semres validate --space circle")
    content = json.loads((finished[1] / "validation.json").read_text())
    assert content["complete"] == 1
    assert [row["space"] for row in content["rows"]] == ["circle", "circle", "circle, linear"]


def test_last_line_is_json_and_a_wrong_law_fails(tmp_path, capsys, monkeypatch):
    law = validation_run.engines.accuracy

    def wrong(*arguments, **options):
        exact = law(*arguments, **options)
        return Accuracy(exact.p_s + 0.1, exact.p_i)

    monkeypatch.setattr(validation_run.engines, "accuracy", wrong)
    assert _run(tmp_path, "--json") == 1
    printed = capsys.readouterr()
    last = json.loads(printed.out.splitlines()[-1])
    assert last["exit"] == 1
    assert "circle, n = 2, delta = 0" in last["failed"]
    assert "FAILS" in printed.out
    assert printed.err == ""  # no progress bar where there is no terminal


def test_interrupt_leaves_whole_files(tmp_path, monkeypatch, capsys):
    estimate, calls = validation_run.estimate, []

    def second_is_interrupted(*arguments, execution, **options):
        def tick(what, done, planned):
            execution.tell(what, done, planned)
            if len(calls) == 2:
                raise KeyboardInterrupt

        calls.append(1)
        return estimate(*arguments, execution=dataclasses.replace(execution, progress=tick), **options)

    monkeypatch.setattr(validation_run, "estimate", second_is_interrupted)
    assert _run(tmp_path) == 130
    assert capsys.readouterr().err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"validation.nc", "validation.json", "validate.state"}
    with xarray.open_dataset(tmp_path / "validation.nc", engine="h5netcdf") as table:
        assert table.attrs["complete"] == 0
        assert np.isfinite(table.p_s.sel(space="circle")).all()
        assert np.isnan(table.p_s.sel(space="circle, linear")).all()
    assert json.loads((tmp_path / "validation.json").read_text())["complete"] == 0


def test_a_tree_of_ones_own_and_too_few_leaves(tmp_path, capsys):
    tree = tmp_path / "pets.nwk"
    tree.write_text("(((cat:1,lion:1):2,dog:3):1,(mouse:2,rat:2):2);")
    words = ["validate", "--space", str(tree), "--n", "2,8", "--trials", "20000", "--delta", "0", "--json"]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert [(row["space"], row["n"]) for row in rows] == [("pets(5)", 2), ("pets(5)", 8)]
    assert "5 stimuli" in rows[1]["note"]
    assert rows[1]["worst_z"] is None
