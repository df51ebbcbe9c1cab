"""`semres explore`, from the words typed to the file written."""

import json

import pytest

from semres_jax import cli, explore


@pytest.fixture
def quick(monkeypatch):
    """Pages without their numbers, which other tests make; what was asked for."""
    asked = []

    def page(places, layers, *, command, execution):
        asked.append((list(places), [layer["name"] for layer in layers], command))
        execution.tell("circle", 1, 1)
        return f"<!DOCTYPE html>{explore.page.MARK}{len(asked)}"

    monkeypatch.setattr(explore, "make_page", page)
    return asked


def test_the_page_is_written_and_the_last_line_is_json(quick, tmp_path, capsys):
    out = tmp_path / "new" / "page.html"
    assert cli.main(["explore", "--space", "circle", "--space", "sphere(9)", "--out", str(out), "--json"]) == 0
    message = capsys.readouterr()
    last = json.loads(message.out.splitlines()[-1])
    assert last["spaces"] == ["circle", "sphere(9)"]
    assert (last["command"], last["exit"], last["out"], last["bytes"]) == ("explore", 0, str(out), out.stat().st_size)
    assert message.err == ""
    assert quick == [(["circle", "sphere(9)"], [], cli._common.COMMAND_LINE.get())]
    assert cli.main(["explore", "--out", str(out)]) == 0  # a page takes the place of an older one
    assert out.read_text().endswith("2")
    assert quick[1][0] == ["circle", "interval", "sphere(2)", "tree(137)"]


def test_other_files_are_replaced_by_force_alone(quick, tmp_path, refusal):
    out = tmp_path / "notes.html"
    out.write_text("mine")
    assert "no page of semres explore: --force replaces a file" in refusal("explore", "--out", str(out))
    assert out.read_text() == "mine"
    assert cli.main(["explore", "--out", str(out), "--force"]) == 0
    assert out.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no folder 'nowhere'"),
        (["."], "holds no results of a run"),
        (["--space", "circel"], "did you mean 'circle'?"),
        (["--space", "torus(3, l2)"], "no exact engine"),
        (["--out", "."], "is a folder; --out names a file"),
        (["--quick"], "--quick"),
    ],
)
def test_bad_input_is_refused(words, message, quick, tmp_path, monkeypatch, refusal):
    monkeypatch.chdir(tmp_path)
    assert message in refusal("explore", *words)
    assert not any(tmp_path.iterdir())
    assert quick == []
