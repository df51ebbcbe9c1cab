"""`semres toy`, as a user runs it."""

import contextlib
import io
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray

from semres_jax import Execution, cli, plots, training
from semres_jax.cli._common import warnings_as_lines

TINY = ("--stimuli", "8", "--hidden", "3", "--batch", "16", "--runs", "2", "--steps", "30", "--records", "3")


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[Path, str, str]:
    """The folder, and what was said on standard output and standard error."""
    out, said, message = tmp_path_factory.mktemp("toy"), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(message):
        words = ["toy", *TINY, "--lambda-rec", "0,0.3", "--test-items", "2", "--json", "--resume", "--out", str(out)]
        assert cli.main(words) == 0
    return out, said.getvalue(), message.getvalue()


@pytest.fixture(scope="module")
def folder(ran) -> Path:
    return ran[0]


def opened(folder: Path) -> xarray.Dataset:
    with xarray.open_dataset(folder / "toy.nc", engine="h5netcdf") as data:
        return data.load()


def test_it_writes_results_figures_and_checkpoints(folder):
    data = opened(folder)
    assert data.condition.values.tolist() == ["circle, lambda_rec 0", "circle, lambda_rec 0.3"]
    assert data.attrs["complete"] == 1
    assert data.attrs["command"].startswith("semres toy --stimuli 8")
    assert data.tested_p_s.test_n.values.tolist() == [2]
    message = json.loads((folder / "toy.json").read_text())
    assert [row["condition"] for row in message["rows"]] == data.condition.values.tolist()
    assert (folder / "toy_paths.png").stat().st_size > 10_000
    assert (folder / "checkpoints" / "circle").is_dir()


def test_the_last_line_is_for_machines(ran):
    last = json.loads(ran[1].strip().splitlines()[-1])
    assert last["command"].startswith("semres toy")
    assert last["exit"] == 0
    assert 0 < last["rows"][0]["p_s"] < 1


def test_resuming_where_nothing_is_starts_anew(ran):
    assert "starting anew" in ran[2]


@pytest.mark.thorough
def test_stopped_and_resumed_it_is_the_same(folder, tmp_path, capsys, monkeypatch):
    words = ["toy", *TINY, "--lambda-rec", "0,0.3", "--test-items", "2", "--out", str(tmp_path)]
    whole, calls = training.toy.train, []
    monkeypatch.setattr(plots, "save_toy", lambda data, folder: [])  # the fixture's run makes figures

    def stopped(*args, **kwargs):
        def tick(what, done, planned):
            calls.append(done)
            if len(calls) == 3:
                raise KeyboardInterrupt

        return whole(*args, **kwargs | {"execution": Execution(progress=tick)})

    monkeypatch.setattr(training.toy, "train", stopped)
    assert cli.main(words) == cli.INTERRUPTED
    monkeypatch.setattr(training.toy, "train", whole)
    assert cli.main([*words, "--resume"]) == 0
    for name, values in opened(folder).data_vars.items():
        np.testing.assert_array_equal(opened(tmp_path)[name].values, values.values, err_msg=name)


def test_resuming_with_other_settings_is_refused_and_nothing_is_lost(folder, tmp_path, refusal):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = (copy / "toy.nc").read_bytes()
    message = refusal("toy", *TINY, "--lambda-rec", "0,0.3", "--seed", "5", "--resume", "--out", str(copy))
    assert "can't resume with seed = 5" in message
    assert (copy / "toy.nc").read_bytes() == before


def test_a_folder_of_someone_else_is_refused_and_left_alone(tmp_path, refusal):
    theirs = tmp_path / "checkpoints" / "circle" / "thesis.tex"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("x")
    message = refusal("toy", *TINY, "--out", str(tmp_path))
    assert "holds 'thesis.tex' and no checkpoints of ours; nothing was touched" in message
    assert theirs.read_text() == "x"


def test_a_loss_that_is_not_finite_is_told(tmp_path, refusal):
    message = refusal("toy", *TINY, "--learning-rate", "1e30", "--out", str(tmp_path))
    assert "not finite at step" in message
    assert "learning_rate = 1e+30" in message
    assert str(tmp_path / "checkpoints" / "circle") in message


def test_warnings_are_lines(capsys):
    with warnings_as_lines():
        warnings.warn("stimuli 0 and 1 are at distance 0", stacklevel=1)
    assert capsys.readouterr().err == "semres: warning: stimuli 0 and 1 are at distance 0\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hidden", "0"], "hidden must be at least 1; got 0"),
        (["--items", "8", "--stimuli", "8"], "8 different items and a probe need 9 stimuli; circle has 8"),
        (["--test-items", "2,60"], "60 different items and a probe need 61 stimuli"),
        (["--lambda-sim", "0"], "lambda_sim and lambda_rec are both 0"),
        (["--lambda-sim", "-1"], "lambda_sim must be the weight of a loss, at least 0; got -1"),
        (["--floor", "0"], "floor must be a positive number"),
        (["--learning-rate", ""], "--learning-rate needs at least one number"),
        (["--stimuli", "1"], "stimuli must be at least 2; got 1"),
        (["--space", "torus", "--stimuli", "50"], "36, 49, 64 would do"),
        (["--space", "tree", "--stimuli", "50"], "137 stimuli of its own"),
        (["--space", "circel"], "circle"),
        (["--space", "nowhere.nwk"], "nowhere.nwk"),
        (["--runs", "0"], "--runs must be at least 1; got 0"),
        (["--records", "1"], "--records must be at least 2; got 1"),
        (["--steps", "0"], "--steps must be at least 1; got 0"),
        (["--preset", "fig4", "--hidden", "3"], "--preset fig4 sets --hidden itself"),
        (["--loss", "full", "--slots", "2"], "the full loss is for one slot"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words, message, tmp_path, refusal):
    out = tmp_path / "out"
    assert message in refusal("toy", *words, "--out", str(out))
    assert not out.exists()
