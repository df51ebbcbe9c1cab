"""Folders of results: a finished run is not replaced without a word, and no old picture stands beside new numbers."""

import json

import pytest

from semres_jax import cli, plots
from semres_jax.cli import measure


@pytest.fixture
def sweep(monkeypatch, tmp_path, capsys):
    """A function of words and a picture that the run draws: exit code and standard error. It runs in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*words, picture="fronts.png"):
        def save(table, folder):
            (folder / picture).write_text("drawn")
            return [picture]

        monkeypatch.setattr(plots, "save_sweep", save)
        code = cli.main(["sweep", "--epsilon", "0.1,0.2", *words])
        return code, capsys.readouterr().err

    return run


def test_a_finished_run_of_other_settings_stays(sweep, tmp_path):
    assert sweep("--n", "2", "--out", "a") == (0, "")
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    code, printed = sweep("--n", "3", "--out", "a")
    assert code == 2
    assert printed.startswith(
        "semres: 'a' holds the finished results of `semres sweep --epsilon 0.1,0.2 --n 2 --out a` of "
    )
    assert printed.endswith(": --force replaces them, --out names another folder\n")
    assert printed.count("\n") == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before
    assert sweep("--n", "3", "--out", "b") == (0, "")
    assert sweep("--n", "3", "--out", "a", "--force", picture="items.png") == (0, "")
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"sweep.nc", "sweep.json", "sweep.state", "items.png"}
    assert json.loads((tmp_path / "a" / "sweep.json").read_text())["files"] == ["sweep.nc", "sweep.json", "items.png"]


def test_the_same_command_is_done_again_however_it_is_put(sweep, tmp_path):
    for words in (["--n", "2", "--seed", "0"], ["--n=2", "--json"], ["--space", "circle", "--n", "2"]):
        code, printed = sweep(*words, "--out", "a")
        assert (code, printed[:50]) == (
            (0, "") if "--space" not in words else (2, "semres: 'a' holds the finished results of `semres ")
        )


def test_without_a_folder_named_the_next_run_has_its_own(sweep, tmp_path):
    assert sweep("--n", "2") == (0, "")
    code, printed = sweep("--n", "3")
    assert code == 0
    assert printed.startswith("semres: results/sweep holds the finished results of `semres sweep ")
    assert printed.endswith("; these go to results/sweep-2 (--force would replace the others)\n")
    assert sweep("--n", "2") == (0, "")
    assert sweep("--n", "4")[1].endswith("; these go to results/sweep-3 (--force would replace the others)\n")
    commands = [json.loads((tmp_path / "results" / name / "sweep.json").read_text())["command"].split()[-1]
                for name in ("sweep", "sweep-2", "sweep-3")]  # fmt: skip
    assert commands == ["2", "3", "4"]
    assert sweep("--n", "5", "--force") == (0, "")


@pytest.mark.parametrize(
    ("content", "code"),
    [("{}", 2), ("[1]", 2), ('{"complete": 0, "command": "semres sweep --n 9"}', 0), ('{"half', 0)],
)
def test_what_was_a_finished_run(content, code, sweep, tmp_path):
    (tmp_path / "sweep.json").write_text(content)
    assert sweep("--n", "2", "--out", ".")[0] == code
    if code:
        assert (tmp_path / "sweep.json").read_text() == content


def test_files_that_a_run_lists_outside_its_folder_are_left_alone(sweep, tmp_path):
    (tmp_path / "a").mkdir()
    for path in (tmp_path / "mine.png", tmp_path / "a" / "notes.txt"):
        path.write_text("mine")
    content = {"command": "semres sweep --n 3", "files": ["../mine.png", "notes.txt", 3, str(tmp_path / "mine.png")]}
    (tmp_path / "a" / "sweep.json").write_text(json.dumps(content))
    assert sweep("--n", "2", "--out", "a", "--force") == (0, "")
    assert (tmp_path / "mine.png").exists()
    assert (tmp_path / "a" / "notes.txt").exists()


def test_each_command_has_its_own_folder():
    kinds = [kind for kind in (*cli.COMMANDS.values(), *measure.KINDS.values()) if "out" in kind.__dataclass_fields__]
    folders = [kind.__dataclass_fields__["out"].default for kind in kinds]
    assert len(set(folders)) == len(folders) == 15
    assert all("force" in kind.__dataclass_fields__ for kind in kinds)
