"""`semres` as a whole: help, bad input, exit codes."""

import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import semres_jax
from semres_jax import cli
from semres_jax.cli import _groups, measure

# Nothing of this is needed for help, which must be there at once.
HEAVY = ("jax", "numpy", "xarray", "sympy", "matplotlib", "dendropy", "scipy")
BROKEN = "((cat:1,lion:1):2,dog:3"


@pytest.mark.parametrize("words", [["--help"], [], *([name, "--help"] for name in cli.COMMANDS)])
def test_help_is_told_on_stdout(words, capsys):
    assert cli.main(words) == 0
    message = capsys.readouterr()
    assert message.out.startswith("usage: semres")
    assert message.err == ""


def test_help_imports_nothing_heavy():
    code = "import sys; from semres_jax.cli import main; main(['validate', '--help'])"
    code += f"; print(set({HEAVY}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--n", "1"], "at least 2"),
        (["--n", "two"], "'two' is not a whole number"),
        (["--trials", "0"], "at least 1; got 0"),
        (["--trials", "1.5"], "'1.5' is not a whole number"),
        (["--delta", "0,1.5"], "between 0 and 1; got 1.5"),
        (["--delta", ""], "at least one value"),
        (["--space", "circel"], "did you mean 'circle'?"),
        (["--space", "sphere(dim=0)"], "got 0"),
        (["--space", "nowhere.nwk"], "no Newick file 'nowhere.nwk'"),
        (["--method", "guess"], "'guess'"),
        (["--seed", "x"], "'x'"),
        (["--bogus"], "--bogus"),
    ],
)
def test_bad_input_is_refused(words, message, tmp_path, refusal):
    space = [] if "--space" in words else ["--space", "circle"]
    assert message in refusal("validate", "--out", str(tmp_path / "out"), *space, *words)


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"semres {semres_jax.__version__}\n"


@pytest.mark.parametrize("words", [[name] for name in cli.COMMANDS] + [["measure", name] for name in measure.KINDS])
def test_help_has_an_example_that_is_a_command(words, capsys, monkeypatch):
    """No option is written as None, and options stand in boxes of what they are about."""
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main([*words, "--help"]) == 0
    page = capsys.readouterr().out
    assert "None" not in page
    if words == ["measure"]:
        return
    line = re.search(r"Example: semres (.*)", page)[1]
    made = cli.parse(shlex.split(line))
    assert type(getattr(made, "what", made)) is (measure.KINDS[words[1]] if words[1:] else cli.COMMANDS[words[0]])
    places = [page.find(f"{group} options") for group in _groups.GROUPS]
    assert places[-1] > 0
    assert [place for place in places if place > 0] == sorted(place for place in places if place > 0)


@pytest.mark.parametrize("kind", [*cli.COMMANDS.values(), *measure.KINDS.values()])
def test_what_tyro_reads_is_the_command(kind):
    """Nothing is lost on the way through groups: names, defaults, order of fields."""
    if kind is measure.Measure:
        return
    fields = kind.__dataclass_fields__
    needed = {"file": Path("file")} if "file" in fields else {"files": (Path("file"),)} if "files" in fields else {}
    assert _groups.flat(_groups.grouped(kind)(**needed)) == kind(**needed)
    known = {name for name, field in kind.__dataclass_fields__.items() if field.default is not dataclasses.MISSING}
    assert known | set(needed) == set(kind.__dataclass_fields__)


def test_groups_name_options_that_there_are():
    kinds = [*cli.COMMANDS.values(), *measure.KINDS.values()]
    options = {name for kind in kinds for name in kind.__dataclass_fields__}
    assert {name for names in _groups.GROUPS.values() for name in names} <= options


def test_completion_in_bash(capsys):
    assert cli.main(["--tyro-print-completion", "bash"]) == 0
    script = capsys.readouterr().out
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    asked = f"{script}\nCOMP_WORDS=(semres toy --la); COMP_CWORD=2; COMP_LINE='semres toy --la'; COMP_POINT=15\n"
    asked += "$(complete -p semres | sed 's/.*-F //;s/ .*//') semres --la toy; echo ${COMPREPLY[@]}"
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # the script asks Python what there is
    bash = ["bash", "-c", asked]
    done = subprocess.run(bash, capture_output=True, text=True, check=True, env=os.environ | {"PATH": path})
    assert done.stdout.split() == ["--lambda-sim", "--lambda-rec", "--label"]


@pytest.mark.parametrize("shell", cli.SHELLS)
def test_completion_is_printed(shell, capsys):
    assert cli.main(["--tyro-print-completion", shell]) == 0
    script = capsys.readouterr().out
    assert "lambda-sim" in script
    assert "embeddings" in script


def test_completion_of_an_unknown_shell(refusal):
    assert "no completion for shell 'pwsh'" in refusal("--tyro-print-completion", "pwsh")


def test_unknown_command(refusal):
    refusal("valdate")


def test_broken_newick_file(tmp_path, refusal):
    (tmp_path / "broken.nwk").write_text(BROKEN)
    assert "broken.nwk" in refusal("validate", "--space", str(tmp_path / "broken.nwk"), "--out", str(tmp_path))


def test_folder_below_a_file(tmp_path, refusal):
    (tmp_path / "file").write_text("")
    error = refusal("validate", "--space", "circle", "--out", str(tmp_path / "file" / "out"))
    assert repr(str(tmp_path / "file")) in error
