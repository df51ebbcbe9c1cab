"""`semres` as a whole: help, bad input, exit codes."""

import subprocess
import sys

import pytest

from semres_jax import cli

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


def test_unknown_command(refusal):
    refusal("valdate")


def test_broken_newick_file(tmp_path, refusal):
    (tmp_path / "broken.nwk").write_text(BROKEN)
    assert "broken.nwk" in refusal("validate", "--space", str(tmp_path / "broken.nwk"), "--out", str(tmp_path))


def test_folder_below_a_file(tmp_path, refusal):
    (tmp_path / "file").write_text("")
    error = refusal("validate", "--space", "circle", "--out", str(tmp_path / "file" / "out"))
    assert repr(str(tmp_path / "file")) in error
