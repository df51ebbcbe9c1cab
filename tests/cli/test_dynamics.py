"""`semres dynamics`, from the words typed to the files written, with a random network."""

import json

import numpy as np
import pytest
import xarray
from matplotlib.figure import Figure

from semres_jax import cli, dynamics, plots
from semres_jax.experiments.dynamics import parts
from tests.attributes import require_labels

WORDS = ("dynamics", "--model", "random", "--tokens", "6", "--samples", "8", "--jacobian-samples", "2", "--years")
SMALL = (*WORDS, "0", "--control", "init")
PICTURES = ("continuity", "motion", "density", "rotations", "path", "returns", "flow", "eigenvalues", "shares",
            "products", "bridge")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A whole run with years and pictures: the folder."""
    folder, whole = tmp_path_factory.mktemp("dynamics"), Figure.savefig
    with pytest.MonkeyPatch.context() as patch:  # about there being files, not about their pixels
        patch.setattr(Figure, "savefig", lambda self, *args, **named: whole(self, *args, **{**named, "dpi": 40}))
        assert cli.main([*WORDS, "12", "--control", "init", "--out", str(folder / "a")]) == 0
    return folder / "a"


def test_files_and_claims(made):
    pictures = {f"dynamics_{name}.{kind}" for name in PICTURES for kind in ("png", "svg")}
    files = {"dynamics.nc", "dynamics.json", "dynamics.state"}
    assert {path.name for path in made.iterdir()} == files | pictures
    written = json.loads((made / "dynamics.json").read_text())
    rows = {row["claim"]: row for row in written["claims"]}
    assert {row["network"] for row in rows.values()} == {"random"}
    assert len(rows) == 19
    for row in rows.values():
        assert set(row) >= {"paper", "claim", "number", "controls", "rule", "verdict"}
        assert row["verdict"] != "not measured" or row["paper"] == "bridge"
    assert "init" in rows["products have a learned low-rank bottleneck"]["controls"]


def test_numbers_are_those_of_the_library(made):
    with xarray.open_dataset(made / "dynamics.nc", engine="h5netcdf") as table:
        assert [str(name) for name in table.network.values] == ["random", "random, init"]
        from semres_jax import data
        from semres_jax.experiments import dynamics as study

        subject = study.open_subject("random")
        tokens = study.tokens_of(subject, data.passages(), 6, 8)
        states = dynamics.boundaries(subject.weights, tokens)
        np.testing.assert_allclose(table.continuity[0], dynamics.continuity(states).r.value, rtol=1e-6)
        np.testing.assert_allclose(table.norm[0], np.linalg.norm(states, axis=-1).mean(1), rtol=1e-6)
        rows = list(dynamics.jacobians(subject.weights, tokens[:2]))
        measured = dynamics.spectra(np.stack([row.matrices for row in rows]))
        np.testing.assert_allclose(table.j_henrici[0].values.T, measured.henrici, rtol=1e-5)
        eye = np.eye(subject.width)
        alone = dynamics.spectra(np.stack([row.matrices for row in rows]) - eye)
        np.testing.assert_allclose(table.u_symmetric[0].values.T, alone.symmetric, rtol=1e-5)
        for start in (0, 1):
            pr = np.array([row.pr for row in dynamics.product(rows[start:])]).T
            np.testing.assert_allclose(table.product_pr.sel(kind="as it is", start=start)[0][:, start:], pr, rtol=1e-5)


def test_every_variable_has_words_and_units(made, tmp_path):
    with xarray.open_dataset(made / "dynamics.nc", engine="h5netcdf") as table:
        require_labels(table.load(), tmp_path)


def test_pictures_are_labelled_and_take_settings(made):
    with xarray.open_dataset(made / "dynamics.nc", engine="h5netcdf") as table:
        table = table.load()
    for name in PICTURES:
        picture = getattr(plots, f"dynamics_{name}")(table, title="a title")
        axes = picture.axes if isinstance(picture.axes, list) else [picture]
        assert axes[-1].get_xlabel(), name
        assert axes[0].get_ylabel() or name == "rotations"
        title = picture.get_suptitle() if axes != [picture] else picture.get_title("left")
        assert title == "a title", name


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plots, "save_dynamics", lambda table, folder: [])
    assert cli.main([*SMALL, "--out", str(tmp_path / "whole")]) == 0
    real, calls = parts.of_jacobians, []

    def stopped(*arguments, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(parts, "of_jacobians", stopped)
    assert cli.main([*SMALL, "--out", str(tmp_path / "part")]) == 130
    assert cli.main([*SMALL, "--out", str(tmp_path / "part"), "--resume"]) == 0
    assert len(calls) == 5  # the first text's of four is not computed again
    with (
        xarray.open_dataset(tmp_path / "whole" / "dynamics.nc", engine="h5netcdf") as unbroken,
        xarray.open_dataset(tmp_path / "part" / "dynamics.nc", engine="h5netcdf") as other,
    ):
        assert set(unbroken) == set(other)
        for name in unbroken:
            np.testing.assert_array_equal(unbroken[name], other[name], err_msg=str(name))
    capsys.readouterr()
    assert cli.main([*SMALL, "--out", str(tmp_path / "part"), "--resume", "--seed", "1"]) == 2
    assert "can't resume with seed = 1" in capsys.readouterr().err


def test_a_text_goes_on_in_the_middle_of_its_layers():
    from semres_jax import data
    from semres_jax.experiments import dynamics as study

    subject, key = study.open_subject("random"), 3
    tokens = study.tokens_of(subject, data.passages(), 6, 3)[:1]
    how = {"part": "layer", "context": "full", "layers": [0, 1, 2, 3], "controlled": True}
    kept = []
    whole = parts.of_jacobians(
        subject.weights, tokens, key, **how,
        keep=lambda snapshot: kept.append({name: np.array(value) for name, value in snapshot().items()}),
    )  # fmt: skip
    again = parts.of_jacobians(subject.weights, tokens, key, **how, there=kept[1])
    assert int(kept[1]["done"]) == 2
    assert set(again) == set(whole)
    for name, value in whole.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)


def test_models_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "save_dynamics", lambda table, folder: [])
    words = (*WORDS, "0", "--control", "none", "--against", "random", "--jacobian-samples", "0")
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 0
    rows = json.loads((tmp_path / "out" / "dynamics.json").read_text())["claims"]
    assert {row["network"] for row in rows} == {"random", "random (2)"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "http://127.0.0.1:8080"], "a server tells no states of its layers"),
        (["--endpoint", "127.0.0.1:8080"], "no states of its layers; got 'http://127.0.0.1:8080': give a GGUF file"),
        (["--model", "nowhere.gguf"], "no language model 'nowhere.gguf'"),
        (["--tokens", "5000"], "tokens must be at most 4096, the context of 'random'; got 5000"),
        (["--tokens", "3000"], "8 texts of 3000 tokens are needed; of 512 texts 0 are as long"),
        (["--samples", "600"], "600 texts of 6 tokens are needed; of 512 texts 512 are as long"),
        (["--samples", "2"], "samples must be at least 3"),
        (["--layers", "4"], "layer must be from 0 to 3 of 'random'; got 4"),
        (["--layers", "1,1"], "layers must be different ones; got [1, 1]"),
        (["--control", "none,init"], "control must be one of init, shuffled; got 'none'"),
        (["--jacobian-samples", "9"], "jacobian_samples must be at most 8"),
        (["--years", "2"], "years must be from 4 to 800"),
        (["--seed", "-1"], "--seed must be"),
        (["--texts", "{empty}"], "is empty; give passages"),
        (["--texts", "{bytes}"], "is no text in UTF-8"),
        (["--texts", "{two}"], "8 texts of 6 tokens are needed; of 2 texts 2 are as long"),
    ],
)
def test_bad_input_is_one_line(words, message, tmp_path, refusal):
    files = {"empty": b"\n \n", "bytes": b"caf\xe9 \xff", "two": b"a passage\nanother passage\n"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    words = [word.format(**{name: tmp_path / name for name in files}) for word in words]
    assert message in refusal(*SMALL, "--out", str(tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_states_that_are_not_finite(tmp_path, refusal, monkeypatch):
    real = dynamics.boundaries

    def broken(*arguments, **named):
        states = np.array(real(*arguments, **named))
        states[3, 1, 2] = np.nan
        return states

    monkeypatch.setattr(dynamics, "boundaries", broken)
    message = refusal(*SMALL, "--out", str(tmp_path / "out"))
    assert "states must be finite; at boundary 3 unit 2 of text 1 is nan" in message


def test_a_layer_that_does_nothing(tmp_path, refusal, monkeypatch):
    monkeypatch.setattr(dynamics, "jacobians", lambda *_, **__: iter([dynamics.Jacobian(0, np.eye(32)[None])]))
    message = refusal(*SMALL, "--out", str(tmp_path / "out"))
    assert "layer 0: the matrix is 0: nothing moves" in message
