"""`semres` as a whole: help, bad input, exit codes."""

import subprocess
import sys

import pytest

from semres_jax import cli

# Nothing of this is needed for help, which must be there at once.
HEAVY = ("jax", "numpy", "xarray", "sympy", "matplotlib", "dendropy", "scipy")
BROKEN = "((cat:1,lion:1):2,dog:3"


def _stderr(capsys) -> str:
    return capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], [], *([name, "--help"] for name in cli.COMMANDS)])
def test_help_is_told_on_stdout(words, capsys):
    assert cli.main(words) == 0
    told = capsys.readouterr()
    assert told.out.startswith("usage: semres")
    assert told.err == ""


def test_help_imports_nothing_heavy():
    code = "import sys; from semres_jax.cli import main; main(['validate', '--help'])"
    code += f"; print(set({HEAVY}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("words", "told"),
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
def test_bad_input_is_one_line_and_exit_2(words, told, tmp_path, capsys):
    space = [] if "--space" in words else ["--space", "circle"]
    assert cli.main(["validate", "--out", str(tmp_path / "out"), *space, *words]) == 2
    error = _stderr(capsys)
    assert error.count("\n") == 1
    assert error.startswith("semres: ")
    assert told in error


def test_unknown_command(capsys):
    assert cli.main(["valdate"]) == 2
    assert _stderr(capsys).count("\n") == 1


def test_broken_newick_file(tmp_path, capsys):
    (tmp_path / "broken.nwk").write_text(BROKEN)
    assert cli.main(["validate", "--space", str(tmp_path / "broken.nwk"), "--out", str(tmp_path)]) == 2
    error = _stderr(capsys)
    assert error.count("\n") == 1
    assert "broken.nwk" in error


def test_folder_below_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["validate", "--space", "circle", "--out", str(tmp_path / "file" / "out")]) == 2
    error = _stderr(capsys)
    assert error.count("\n") == 1
    assert repr(str(tmp_path / "file")) in error
