"""`semres measure llm`, from the words typed to the files written, with a model that is no network."""

import json

import numpy as np
import pytest
import xarray

from semres_jax import cli, plots
from semres_jax.measure import backends
from tests.measure.year_models import Historian

WORDS = ("measure", "llm", "--model", "historian", "--n", "2,4", "--offsets", "20,200", "--no-likelihood", "--prompts")
SMALL = (*WORDS, "120", "--batch", "8")


@pytest.fixture
def model(monkeypatch):
    """The model that every command opens."""
    made = Historian(60.0, first=0.5)
    monkeypatch.setattr(backends, "open_backend", lambda model, endpoint: made)
    return made


def test_files_table_and_last_line(model, tmp_path, capsys):
    assert cli.main([*WORDS, "160", "--out", str(tmp_path / "a"), "--json"]) == 0
    message = capsys.readouterr()
    pictures = {f"llm_{name}.{kind}" for name in ("pairs", "items", "layers") for kind in ("png", "svg")}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "measure.nc",
        "measure.json",
        "measure.state",
    } | pictures
    last = json.loads(message.out.splitlines()[-1])
    written = json.loads((tmp_path / "a" / "measure.json").read_text())
    assert last["tasks"] == written["tasks"]
    assert written["model"] == "historian"
    assert "pairs: above chance" in message.out
    assert "identification by probability: a = " in message.out
    assert "resolution 60 [60, 60] years" in message.out
    assert message.err == ""
    assert len(model.asked) == sum(written["prompts"].values()) - written["prompts"]["layers"]
    assert all(text.startswith("<|im_start|>user\n") for text in model.asked)


@pytest.mark.thorough
def test_a_stopped_run_goes_on_to_the_same_bits(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plots, "save_measure_llm", lambda table, folder: [])
    assert cli.main([*SMALL, "--out", str(tmp_path / "whole")]) == 0
    whole, model.asked = model.asked, []
    model.calls, model.stop_after = 0, 5
    assert cli.main([*SMALL, "--out", str(tmp_path / "part")]) == 130
    before, model.asked, model.stop_after = model.asked, [], 10**9
    assert cli.main([*SMALL, "--out", str(tmp_path / "part"), "--resume"]) == 0
    assert before
    assert sorted(before + model.asked) == sorted(whole)
    with (
        xarray.open_dataset(tmp_path / "whole" / "measure.nc", engine="h5netcdf") as unbroken,
        xarray.open_dataset(tmp_path / "part" / "measure.nc", engine="h5netcdf") as other,
    ):
        assert set(unbroken) == set(other)
        for name in unbroken:
            np.testing.assert_array_equal(unbroken[name], other[name], err_msg=str(name))
    model.asked = []
    capsys.readouterr()
    assert cli.main([*SMALL, "--out", str(tmp_path / "part"), "--resume"]) == 0
    assert "is complete" in capsys.readouterr().err
    assert not model.asked
    assert cli.main([*SMALL, "--out", str(tmp_path / "part"), "--resume", "--seed", "1"]) == 2
    assert "can't resume with seed = 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prompts", "20"], "prompts must be at least"),
        (["--task", "pairs,x"], "got 'x'"),
        (["--n", "1"], "n must be at least 2"),
        (["--offsets", ""], "offsets must have at least one number"),
    ],
)
def test_bad_input_is_refused(model, words, message, tmp_path, refusal):
    assert message in refusal(*SMALL, "--out", str(tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_exactly_one_model(tmp_path, refusal):
    assert "either a model" in refusal("measure", "llm", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
