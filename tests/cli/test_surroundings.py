"""Commands in the surroundings that users have: streams, terminals, homes, caches, settings of other programs."""

import os
import re
import subprocess
import sys

import pytest
from rich import console

from semres_jax import cli, plots
from semres_jax.cli import _common, _programs, _surroundings

TINY = ("sweep", "--n", "2", "--epsilon", "0.1,0.2")
MAIN = "import sys; from semres_jax.cli import main; sys.exit(main())"


def command(*words, stdout=subprocess.PIPE, shell="", cwd=None, **environment):
    """A command in a process of its own: what `subprocess.run` gives. A shell may redirect its streams."""
    environment = {name: str(value) for name, value in (os.environ | environment).items() if value is not None}
    words = [sys.executable, "-c", MAIN, *words]
    words = ["sh", "-c", f'exec "$@" {shell}', "sh", *words] if shell else words
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment, timeout=120,
        cwd=cwd,
    )  # fmt: skip


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
def test_a_full_standard_output_is_told_in_a_line():
    with open("/dev/full", "w") as full:
        done = command("sweep", "--help", stdout=full)
    assert done.returncode == 2
    assert done.stderr == (
        "semres: cannot write to standard output: no space left on device; files that were written are whole\n"
    )


def test_a_reader_that_is_gone_changes_nothing():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = command("sweep", "--help", stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [1, 2])
def test_a_closed_stream_changes_nothing(number):
    done = command("sweep", "--n", "two", shell=f"{number}>&-")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_results_are_written_where_nothing_can_be_printed(tmp_path, monkeypatch):
    class Full:
        encoding = "ascii"

        def write(self, text):
            raise BrokenPipeError

        flush = write

    drawn = []
    monkeypatch.setattr(plots, "save_sweep", lambda table, folder: drawn.append(folder) or [])
    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.main([*TINY, "--out", str(tmp_path)]) == 0
    assert {"sweep.json", "sweep.nc"} <= {path.name for path in tmp_path.iterdir()}
    assert drawn == [tmp_path]


def test_letters_that_a_stream_lacks_are_written_as_codes(tmp_path):
    with open(tmp_path / "told", "w+", encoding="ascii") as file:
        stream = _surroundings.Stream(file)
        stream.write("0.75 ± 0.01 \udcff\n")
        stream.flush()
        assert stream.error is None
        file.seek(0)
        assert file.read() == "0.75 \\xb1 0.01 \\udcff\n"


@pytest.mark.parametrize("columns", ["5", "1", "-3", "abc", "33"])
def test_help_has_an_end_in_any_terminal(columns):
    done = command("optimal", "--help", COLUMNS=columns)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--delta" in done.stdout


HEADS = ("space", "similarity", "epsilon", "p_S", "p_I ± error", "deficit")
ROWS = [(f"a space of {n} points", "exponential", "0.125", "0.7856123", "0.5123 ± 0.0001", "1.23e-4") for n in (3, 10)]


@pytest.mark.parametrize("width", [40, 57, 80, 81, 120, 200])
def test_tables_lose_no_digit_in_a_narrow_terminal(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(console.Console, "is_terminal", True)
    _common.print_cells(HEADS, ROWS, left=("space", "similarity"))
    message = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    for row in [HEADS, *ROWS]:
        for cell in row:
            assert cell in message
    assert max(map(len, message.splitlines())) <= max(width, 53)
    assert message.count("a space of 10 points") == len(message.split("\n\n"))


def test_cells_have_no_control_characters(capsys):
    _common.print_cells(("space", "n"), [("cat\x1b[31m\ndog", "2")])
    assert "cat\\x1b[31m\\ndog  2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimla"], "did you mean 'optimal'?"),
        (["measure", "choises"], "did you mean 'choices'?"),
        (["validate", "--tirals", "3"], "did you mean '--trials'?"),
        (["sweep", "--method", "latice"], "did you mean 'lattice'? There are exact, lattice, prng"),
        (["bench", "--part", "montcarlo"], "did you mean 'montecarlo'?"),
        (["sweep", "--space", "\x07red"], r"unknown space '\x07red'"),
    ],
)
def test_the_nearest_word_is_told(words, message, refusal):
    assert message in refusal(*words)


def test_without_a_home_nothing_is_kept(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "jax")
    monkeypatch.setattr(_programs.Path, "home", homeless)
    _programs.keep()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


COMPILED = """
from semres_jax.cli import _programs, _surroundings
_programs.keep()
with _surroundings.quiet_libraries():
    import jax
    unit = jax.numpy.eye(3)
    print(jax.jit(lambda x: (x @ x).sum())(unit), jax.jit(lambda x: jax.numpy.sort(x) + 1)(unit).sum())
"""


def test_damaged_programs_are_told_once_and_made_anew(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMP")}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

    def run():
        words = [sys.executable, "-c", COMPILED]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
        assert done.stdout == "3.0 12.0\n"
        return done.stderr

    assert run() == ""
    kept = list(tmp_path.rglob("*-cache"))
    assert len(kept) >= 2
    for number, path in enumerate(kept):
        path.write_bytes([b"", b"\x00" * 64, path.read_bytes()[:100]][number % 3])
    message = run()
    assert re.fullmatch(r"semres: warning: cannot use all compiled programs in .*; compiling anew\n", message)
    assert not list(tmp_path.rglob("*-cache"))
    assert run() == ""


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"JAX_PLATFORMS": "nonsense"}, "semres: JAX finds no device to compute on: .*'nonsense'.*"),
        ({"JAX_ENABLE_X64": "maybe"}, "semres: invalid truth value 'maybe'.*"),
    ],
)
def test_a_machine_that_JAX_does_not_know(environment, message, tmp_path):
    done = command(*TINY, "--out", str(tmp_path / "out"), **environment)
    assert done.returncode == 2
    assert re.fullmatch(message + "\n", done.stderr)


def test_settings_of_other_programs_change_nothing(tmp_path):
    """matplotlib's, of a screen that isn't there; Python's, of warnings; bytes that are no UTF-8 in a name."""
    (tmp_path / "matplotlibrc").write_bytes(b"text.usetex: True\nno: \xff\xfe\n")
    out = os.fsdecode(os.fsencode(tmp_path) + b"/o\xff\x1b")
    strange = {"MPLBACKEND": "no_backend", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii"}
    strange |= {"MPLCONFIGDIR": str(tmp_path / "matplotlibrc"), "PYTHONPATH": os.getcwd()}
    done = command(*TINY, "--out", out, cwd=tmp_path, **strange)
    assert (done.returncode, done.stderr) == (0, "")
    assert "o\\udcff\\x1b: sweep.nc" in done.stdout
    assert {"sweep.nc", "fronts.png", "fronts.svg"} <= set(os.listdir(out))


def test_what_nobody_expected_is_one_line_and_a_bug_in_python(monkeypatch, capsys, tmp_path):
    def fails(self):
        raise TypeError("no\nlines")

    monkeypatch.setattr(cli.Sweep, "run", fails)
    with pytest.raises(TypeError):
        cli.main(["sweep"])
    monkeypatch.setattr(sys, "argv", ["semres", "sweep"])
    monkeypatch.setattr(cli._interrupts, "never_lost", lambda of_process: cli.contextlib.nullcontext())
    monkeypatch.setattr(cli._programs, "keep", lambda: None)
    assert cli.main() == 2
    assert re.fullmatch(
        r"semres: unexpected TypeError \(test_surroundings.py, line \d+\): no lines; SEMRES_TRACEBACK=1 shows .*\n",
        capsys.readouterr().err,
    )
