"""`semres measure choices`, from the words typed to the files written."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray

from semres_jax import cli
from semres_jax.cli._measure_choices import MeasureChoices
from semres_jax.cli._measure_embeddings import MeasureEmbeddings
from semres_jax.measure.choices import fits


@pytest.fixture(autouse=True, scope="module")
def quickly_compiled():
    """Compiled as for users, unlike other tests of commands: most of the time here goes into running."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("choices") / "new"
    rng = np.random.default_rng(0)
    d, names = rng.uniform(0, 1, (60, 3)), np.array(["ash", "elm", "oak"])
    # Luce's rule as the largest of sums with Gumbel noise: exponential similarity, ε = 0.2, a bias for the elm.
    chosen = (-d / 0.2 + [0, 1.5, 0] + rng.gumbel(size=(60, 3))).argmax(1)
    lines = [",".join([*map(str, row), *names, names[k]]) for row, k in zip(d, chosen, strict=True)]
    file = folder.parent / "table.csv"
    heads = [*(f"distance_{k}" for k in (1, 2, 3)), *(f"label_{k}" for k in (1, 2, 3)), "choice"]
    file.write_text("\n".join([",".join(heads), *lines, ",".join([*"123", *names, ""])]))
    words = [
        "measure",
        "choices",
        str(file),
        "--family",
        "exponential",
        "--bootstrap",
        "5",
        "--bias",
        "none,label",
        "--out",
        str(folder),
    ]
    return cli.main(words), folder


def test_files_are_written_and_say_what_was_fitted(finished):
    code, folder = finished
    assert code == 0
    pictures = {f"measure_{name}.{kind}" for name in ("profile", "closest", "calibration") for kind in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == {"measure.nc", "measure.json"} | pictures
    content = json.loads((folder / "measure.json").read_text())
    best, none = content["rows"]
    assert (best["bias"], none["bias"]) == ("label", "none")
    assert best["epsilon_low"] < 0.2 < best["epsilon_high"]
    assert best["label_bias"]["elm"][0] > 0.5
    assert content["ratio_freedom"] == 2
    assert content["left_out"] == 1
    assert any("1 trials without a usable answer" in note for note in content["notes"])
    with xarray.open_dataset(folder / "measure.nc", engine="h5netcdf") as table:
        assert table.attrs["command"].startswith("semres measure choices ")
        assert table.fit.values.tolist() == ["best", "no bias"]
        assert float(table.profile.min()) == pytest.approx(0.0, abs=0.02)
        assert float(table.gap_choices.sel(fit="best").sum()) == 60


def test_the_items_law(tmp_path, capsys):
    file = tmp_path / "items.csv"
    file.write_text("n,right,trials\n2,950,1000\n4,860,1000\n8,712,1000\n")
    assert cli.main(["measure", "choices", str(file), "--out", str(tmp_path / "out"), "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["a"] == pytest.approx(0.1, abs=0.005)
    assert (tmp_path / "out" / "measure_items.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["vlm", "--bias", "both"], "their biases are one thing"),
        (["vlm", "--family", "cubic"], "unknown similarity 'cubic'"),
        (["vlm", "--format", "tall"], "--format must be auto"),
        (["vlm", "--delta", "most"], "'most' is not a number"),
        (["vlm", "--level", "2"], "--level must be above 0"),
        (["vlm", "--bootstrap", "-1"], "at least 0"),
        (["vlm", "--seed", "-1"], "--seed must be"),
    ],
)
def test_bad_input_is_refused(words, message, tmp_path, refusal):
    assert message in refusal("measure", "choices", *words, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_each_kind_has_its_own_folder():
    folders = {kind.out for kind in (MeasureChoices, MeasureEmbeddings)}
    assert folders == {Path("results/measure/choices"), Path("results/measure/embeddings")}


class Stopped(BaseException):
    """Stands for a signal."""


def test_a_run_that_was_stopped_goes_on(finished, monkeypatch, capsys):
    """Fits that are there are not searched again; the numbers are those of a run that nothing happened to."""
    folder, searched = finished[1], []
    file, again = folder.parent / "table.csv", folder.parent / "again"
    words = ["measure", "choices", str(file), "--family", "exponential", "--bootstrap", "5", "--bias", "none,label"]
    real = fits._searched

    def search(setup, *more):
        searched.append(setup)
        if len(searched) == 2:
            raise Stopped
        return real(setup, *more)

    monkeypatch.setattr(fits, "_searched", search)
    with pytest.raises(Stopped):
        cli.main([*words, "--out", str(again)])
    assert {path.name for path in again.iterdir()} == {"measure.state"}
    assert cli.main([*words, "--out", str(again), "--resume", "--level", "0.9"]) == 2
    assert "can't resume with level = 0.9" in capsys.readouterr().err
    assert cli.main([*words, "--out", str(again), "--resume"]) == 0
    assert len(searched) == 3
    assert not (again / "measure.state").exists()
    tables = [xarray.load_dataset(place / "measure.nc", engine="h5netcdf") for place in (folder, again)]
    assert tables[0].drop_attrs().identical(tables[1].drop_attrs())
