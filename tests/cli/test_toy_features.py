"""`semres toy --preset compositional`, as a user runs it, of small networks."""

import functools
import json

import pytest
import xarray
from matplotlib.figure import Figure

from semres_jax import cli
from semres_jax.experiments import compositional
from semres_jax.explore.runs import layers_of
from tests.attributes import require_labels

WORDS = ("toy", "--preset", "compositional", "--runs", "2", "--steps", "12", "--records", "3")


@pytest.fixture
def small(monkeypatch):
    """The preset has its own sizes; these are quick."""
    sizes = {"slots": (2, 1), "stimuli": 5, "hidden": 4, "batch": 8}
    monkeypatch.setattr(compositional, "study", functools.partial(compositional.study, **sizes))
    # about there being files, not about their pixels
    whole = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **named: whole(self, *args, **{**named, "dpi": 40}))


def test_it_prints_a_table_and_writes_results_that_explore_reads(small, tmp_path, capsys):
    assert cli.main([*WORDS, "--json", "--out", str(tmp_path)]) == 0
    *said, last = capsys.readouterr().out.splitlines()
    heads = "S code training by p_S p_I off linear constant optimal predicted missed by by b mean b gate"
    assert " ".join(said[0].split()) == heads
    assert [line.split()[:2] for line in said[1:10]] == [["2", "own"]] * 5 + [["1", "own"]] * 2 + [["2", "shared"]] * 2
    content = json.loads(last)
    assert len(content["rows"]) == 9
    assert content["rows"][-1]["predicted_p_i"] is None  # a shared map has no slots to predict from
    assert set(content["files"]) == {"toy.nc", "toy.json"} | {
        f"compositional_{name}.{kind}" for name in ("plane", "predictions", "gate") for kind in ("png", "svg")
    }
    with xarray.open_dataset(tmp_path / "toy.nc", engine="h5netcdf") as data:
        require_labels(data.load())
    layers = layers_of(tmp_path)
    assert [layer["name"] for layer in layers[:2]] == [
        "toy: own, features, product", "toy: own, features, mean",
    ]  # fmt: skip
    assert [frame["name"] for frame in layers[0]["frames"]] == ["1", "2"]
    assert layers[0]["frames"][1]["plane"][0] == pytest.approx([float(data.p_i[0, 0]), float(data.p_s[0, 0])], abs=1e-4)

    before = (tmp_path / "toy.json").read_text()
    assert cli.main([*WORDS, "--resume", "--out", str(tmp_path)]) == 0
    assert json.loads(before)["rows"] == json.loads((tmp_path / "toy.json").read_text())["rows"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--slots", "3"], "--preset compositional sets --slots itself; leave one of them out"),
        (["--hidden", "3", "--test-items", "4"], "sets --hidden, --test-items itself"),
        (["--runs", "0"], "--runs must be at least 1; got 0"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words, message, tmp_path, refusal):
    out = tmp_path / "out"
    assert message in refusal("toy", "--preset", "compositional", *words, "--out", str(out))
    assert not out.exists()


@pytest.mark.thorough
def test_the_preset_as_it_is(tmp_path):
    assert cli.main([*WORDS, "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "toy.json").read_text())["rows"]
    assert [row["slots"] for row in rows] == [1] * 2 + [2] * 5 + [3] * 5 + [4] * 5 + [2] * 2 + [3] * 2
