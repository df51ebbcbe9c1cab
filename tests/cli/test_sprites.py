"""`semres sprites` as a user runs it: a tiny run, its table, its pictures, its resume, bad input."""

import json

import numpy as np
import pytest
import xarray
from matplotlib.figure import Figure

from semres_jax import cli, plots
from semres_jax.experiments import sprites as sprite_study
from semres_jax.experiments.sprites import run
from tests.attributes import require_labels

SHARES = run.SHARES[::6]
WORDS = ("sprites", "--positions", "4", "--features", "4", "--steps", "4", "--runs", "2", "--draws", "2")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run, and what it printed."""
    folder = tmp_path_factory.mktemp("sprites")
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr(run, "SHARES", SHARES)
        whole = Figure.savefig  # about there being files, not about their pixels
        patch.setattr(Figure, "savefig", lambda self, *args, **named: whole(self, *args, **{**named, "dpi": 40}))
        patch.setattr("builtins.print", lambda *x, **_: said.append(" ".join(map(str, x))))
        assert cli.main([*WORDS, "--out", str(folder), "--json"]) == 0
    return folder, said


@pytest.fixture(scope="module")
def results(finished):
    with xarray.open_dataset(finished[0] / "sprites.nc", engine="h5netcdf") as opened:
        return opened.load()


def test_a_run_leaves_its_files(finished, results, tmp_path):
    folder, said = finished
    last = json.loads(said[-1])
    assert last["exit"] == 0
    assert len(last["rows"]) == 12
    for row in last["rows"]:
        low, high = row["p_i_interval"]
        assert low <= row["p_i"] <= high
        assert ("beyond_learned" in row) == (row["code"] == "two heads")
        assert ("beyond" in row) == (row["family"] == "constant") == ("over_most" not in row)
    written = {path.name for path in folder.iterdir()}
    pictures = {f"sprites_{name}.{end}" for name in ("plane", "samples") for end in ("png", "svg")}
    assert {"sprites.nc", "sprites.json", "checkpoints"} | pictures <= written
    require_labels(results, tmp_path)


def test_what_is_in_the_table_follows_from_the_embeddings(results):
    from semres_jax import data, frontier
    from semres_jax.experiments.sprites.scores import of_code
    from semres_jax.training.images.sprites import SpriteRecipe

    stimuli = data.sprites(4)
    own = results.isel(code=1, run=1)
    want = of_code(own.embedding.values, SpriteRecipe(features=4).sees("one embedding"), stimuli, own["share"].values)
    np.testing.assert_allclose(own.feature_p_s, want["feature_p_s"], atol=1e-12)
    np.testing.assert_allclose(own.p_i, want["p_i"], atol=1e-12)
    front = frontier.shared_front(stimuli.features)
    np.testing.assert_array_equal(results.front_p_s, front.p_s)
    # No single similarity of two values is beyond the front, and none of any kind above the most.
    single = results.sel(code="one embedding", family="constant", picture="same")
    assert float(single.beyond.max()) < 1e-12
    assert float(results.sel(code="one embedding").over_most.max()) < 1e-12
    # The one embedding is on its own curve, or dominated by another of its resolutions.
    learned = results.beyond_learned.sel(code="one embedding")
    assert float(learned.max()) < 1e-12
    b = results["share"].values
    law = [1 - b**2 / 2, 1 - b**2 / 2 - 2 * b * (1 - b) / 3]
    np.testing.assert_allclose(results.independent_p_i, law, atol=1e-12)
    assert results.loss_id.shape == (2, 2, 4, 2)
    # The first weights and batches of both codes are the same, and what they learn from them isn't.
    assert float(abs(results.loss_id[0] - results.loss_id[1]).max()) > 0


def test_pictures_show_the_dataset(results):
    figure = plots.sprites_plane(results)
    panel = figure.axes[0]
    front = next(line for line in panel.lines if line.get_linewidth() == 1.8)
    assert np.max(front.get_ydata()) == pytest.approx(float(results.front_p_s.max()))
    own = results.isel(code=0, family=0, picture=0, aggregate=0)
    drawn = [np.asarray(line.get_xydata()) for line in panel.lines]
    curves = [line for line in drawn if len(line) == results.sizes["share"]]
    want = np.stack([own.p_i.mean("run"), own.p_s.mean("run")], axis=-1)
    assert any(np.allclose(curve, want, atol=1e-12) for curve in curves)
    mosaic = np.asarray(plots.sprites_samples(results).images[0].get_array())
    np.testing.assert_array_equal(mosaic[17:33, 33:65], results.rendering.values[1, 1])


def test_it_goes_on_from_its_checkpoints(finished, results, monkeypatch, capsys):
    folder, _ = finished
    monkeypatch.setattr(plots, "save_sprites", lambda *_: [])  # once is enough
    monkeypatch.setattr(run, "SHARES", SHARES)
    monkeypatch.setattr(sprite_study, "study", _untrained(sprite_study.study))
    assert cli.main([*WORDS, "--out", str(folder), "--resume"]) == 0
    with xarray.open_dataset(folder / "sprites.nc", engine="h5netcdf") as again:
        np.testing.assert_array_equal(again.embedding, results.embedding)
        np.testing.assert_array_equal(again.loss_sim, results.loss_sim)
    assert cli.main([*WORDS, "--steps", "20", "--out", str(folder), "--resume"]) == 2
    assert "can't resume with steps = 20" in capsys.readouterr().err


def _untrained(study):
    """The study where a step of training would be an error."""
    from semres_jax.training.images import sprites as training

    def studied(*args, **settings):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "epoch", lambda *_: pytest.fail("it trains again"))
            return study(*args, **settings)

    return studied


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--positions", "5"], "positions must be 4, 8 or 16"),
        (["--features", "7"], "features must be even"),
        (["--alpha", "2"], "alpha must be from 0 to 1; got 2"),
        (["--runs", "0"], "--runs must be at least 1; got 0"),
        (["--steps", "0"], "--steps must be at least 1; got 0"),
        (["--draws", "1"], "--draws must be at least 2; got 1"),
        (["--learning-rate", "0"], "learning_rate must be a positive number"),
        (["--seed", "-1"], "--seed must be a whole number"),
    ],
)
def test_bad_input(more, message, tmp_path, refusal):
    assert message in refusal("sprites", *more, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
