"""`semres reproduce` as a user runs it."""

import dataclasses
import json
import re

import pytest
import xarray

from semres_jax import cli
from semres_jax.experiments import paper


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with figure 14, which takes no time."""
    out = tmp_path_factory.mktemp("reproduce")
    assert cli.main(["reproduce", "--figure", "14", "--quick", "--out", str(out)]) == 0
    return out


def stop(*_):
    pytest.fail("made again")


def last(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_files_are_written_and_links_resolve(ran):
    page = (ran / "index.html").read_text(encoding="utf-8")
    places = [place for place in re.findall(r'(?:href|src)="([^"]+)"', page) if not place.startswith("#")]
    assert len(places) == 4  # the picture, and links to three files
    for place in places:
        assert (ran / place).stat().st_size > 1000
    for name in paper.FIGURES:
        assert f'id="figure-{name}"' in page
    content = json.loads((ran / "reproduce.json").read_text())
    status = {row["figure"]: row["status"] for row in content["figures"]}
    assert status == {name: "made" if name == "14" else "left out" for name in paper.FIGURES}
    assert len(content["unmade"]) == len(paper.UNMADE)
    assert content["complete"] == 1
    with xarray.open_dataset(ran / "reproduce.nc", engine="h5netcdf") as table:
        assert table.figure.values.tolist() == ["14", "14"]
        assert table.expected.values.tolist() == [0.1, 0.3]
    with xarray.open_dataset(ran / "figures" / "figure-14.nc", engine="h5netcdf") as data:
        assert json.loads(data.attrs["settings"])["quick"] is True
        assert all("long_name" in data[name].attrs for name in data.data_vars)


def test_what_is_there_is_not_made_again(ran, capsys, monkeypatch):
    before = {path: path.read_bytes() for path in (ran / "figures").iterdir()}
    monkeypatch.setitem(paper.FIGURES, "14", dataclasses.replace(paper.FIGURES["14"], make=stop))
    assert cli.main(["reproduce", "--figure", "14", "--quick", "--resume", "--json", "--out", str(ran)]) == 0
    rows = {row["figure"]: row for row in last(capsys)["figures"]}
    assert rows["14"]["status"] == "kept"
    assert len(rows["14"]["numbers"]) == 2
    assert {path: path.read_bytes() for path in (ran / "figures").iterdir()} == before


def test_a_figure_that_lost_a_picture_is_made_again(ran, capsys):
    (ran / "figures" / "figure-14.svg").unlink()
    assert cli.main(["reproduce", "--figure", "14", "--quick", "--resume", "--json", "--out", str(ran)]) == 0
    assert {row["figure"]: row["status"] for row in last(capsys)["figures"]}["14"] == "made"
    assert (ran / "figures" / "figure-14.svg").is_file()


def test_other_settings_are_refused_where_it_goes_on(ran, refusal):
    words = ["reproduce", "--figure", "14", "--resume", "--out", str(ran)]
    assert "quick = false" in refusal(*words)
    assert "seed = 3" in refusal(*words, "--quick", "--seed", "3")


def test_without_a_language_model_the_others_are_made(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SEMRES_ASSETS", str(tmp_path / "nothing"))
    assert cli.main(["reproduce", "--figure", "10,14", "--quick", "--json", "--out", str(tmp_path)]) == 0
    message = capsys.readouterr()
    assert message.err.startswith("semres: figure 10 is left out: ")
    rows = {row["figure"]: row for row in json.loads(message.out.splitlines()[-1])["figures"]}
    assert (rows["10"]["status"], rows["14"]["status"]) == ("missing", "made")
    assert rows["10"]["reason"] in message.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--figure", "7"], "no figure '7'; there are 2, 3, 4a, 4b, 5a, 5b, 5c, 10, 14, all"),
        (["--figure", ""], "at least one of 2, 3"),
        (["--figure", "14", "--seed", "-1"], "got -1"),
    ],
)
def test_bad_input_is_refused(words, message, tmp_path, refusal):
    assert message in refusal("reproduce", "--out", str(tmp_path), *words)
    assert not list(tmp_path.iterdir())
