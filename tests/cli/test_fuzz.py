"""Random command lines end in an exit code, with one line on standard error where it is 2: never in a traceback.

SEMRES_FUZZ says how many there are (default 60), for a long run by hand. Parsing, reading of files and all checks are
the commands' own. What they compute and write once their input is checked is left out: the vectors would take hours.
"""

import dataclasses
import os
import signal
import string
import typing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from semres_jax import cli
from semres_jax.cli import measure

COUNT = int(os.environ.get("SEMRES_FUZZ", "60"))
SECONDS = 60

_COMMANDS = {(name,): kind for name, kind in cli.COMMANDS.items() if name not in ("measure", "laws")}
_COMMANDS |= {("measure", name): kind for name, kind in measure.KINDS.items()}
_NUMBERS = (
    "0 1 2 -1 3 -0 1e6 1e400 nan inf -inf 0.5 1.5 0x10 ٣ 1_000 2147483648 99999999999999999999 1e-320 two 1,2,x , ,,1 "
    "0.1,0.2 0.2,0.1 0.1,0.1 0:1:3 0:1:3:log 1:0:3 0:1 0.1:1:5:log 0:nan:3 0:inf:2 :: 2,3 0,0.5 nan,nan 1;2 0:1:1e3"
)
_WORDS = (
    "circle sphere(2) sphere(-1) sphere( torus(2,l2) circel hamming(3) tree(137) animals none fit linear powerlaw(2) "
    "powerlaw(nan) powerlaw() linaer exact lattice prng auto wide items pairs chat vlm fig4 None True -- - --out "
    "--help -h / . /dev/null nowhere.csv nowhere.nwk nowhere.npy http:// http://127.0.0.1:9 ü \udcff %s {} [red] "
    "points.npy table.npy tree.nwk choices.csv torn.npy torn.csv"
)
_ODD = ("", " ", " 2 ", "\x1b[31m", "a\nb", "x" * 300, "x" * 5000)
# What an option is given half of the time.
_RIGHT = {
    "--n": "2", "--delta": "0.1", "--epsilon": "0.1,0.2", "--space": "circle", "--similarity": "linear", "--seed": "3",
    "--exponent": "1", "--weights": "3", "--levels": "33", "--runs": "2", "--steps": "9", "--tree": "tree.nwk",
    "--distances": "table.npy", "--alpha": "0,1", "--epochs": "1", "--part": "exact", "--bootstrap": "0",
    "--bias": "none", "--family": "linear", "--level": "0.9", "--limit": "100", "--floor": "1e-9", "--hidden": "3",
    "--out": "new",
}  # fmt: skip
_WORDS, _NUMBERS = _WORDS.split(" "), _NUMBERS.split(" ")
_VALUES = st.one_of(
    st.sampled_from(_NUMBERS), st.sampled_from(_WORDS), st.sampled_from(_ODD), st.text(string.printable, max_size=6)
)


def _options(kind: type) -> list[str]:
    return [f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(kind)]


@st.composite
def _vectors(draw: typing.Any) -> list[str]:
    """A command, mostly right, and options, mostly its own, with values that are right or wrong, or missing."""
    command = draw(st.sampled_from(sorted(_COMMANDS)))
    own = _options(_COMMANDS[command])
    words = list(draw(st.sampled_from([command] * 9 + [command[:1], ("measure", *command)])))
    if "file" in _COMMANDS[command].__dataclass_fields__ and draw(st.integers(0, 5)):
        words.append(draw(st.sampled_from(["points.npy", "choices.csv", "vlm", "torn.csv", "table.npy"])))
    for _ in range(draw(st.integers(0, 4))):
        option = draw(st.one_of(st.sampled_from(own), st.sampled_from([*own, "--nonsense", "--n", "--no-json"])))
        shape = draw(st.sampled_from("vvvvvve1"))
        value = _RIGHT[option] if option in _RIGHT and draw(st.booleans()) else draw(_VALUES)
        words += [f"{option}={value}"] if shape == "e" else [option]
        words += [value] if shape == "v" else []
    if not draw(st.integers(0, 4)):
        words.insert(draw(st.integers(0, len(words))), draw(_VALUES))
    return [word for word in words if word != "--distributed" and "\0" not in word]


class _Enough(SystemExit):
    """What a command computes is about to begin: its input was taken."""


# What begins once all input is checked, or is slow before that.
_WORK = (
    "storage.resume.Saved.open", "experiments.validation.plan", "frontier.optimal_table", "experiments.toy.study",
    "experiments.images.study", "data.animal_images", "measure.choices_table", "measure.fit_items_law",
    "measure.embeddings", "measure.similarities", "explore.make_page", "experiments.paper.Setting",
)  # fmt: skip


@pytest.fixture
def checks_only(monkeypatch, tmp_path):
    """Commands end where their work would begin; in the working folder are a few files, of which two are torn."""

    def enough(*_: object, **__: object) -> None:
        raise _Enough(0)

    for name in _WORK:
        monkeypatch.setattr(f"semres_jax.{name}", enough)
    monkeypatch.setattr(cli.bench, "results_folder", enough)
    monkeypatch.chdir(tmp_path)
    np.save("points.npy", np.eye(4))
    np.save("table.npy", 1.0 - np.eye(4))
    Path("tree.nwk").write_text("((a:1,b:1):1,c:2);")
    Path("choices.csv").write_text("distance_1,distance_2,choice\n0.1,0.5,1\n0.4,0.2,2\n0.3,0.2,1\n")
    Path("torn.npy").write_bytes(Path("table.npy").read_bytes()[:90])
    Path("torn.csv").write_text('distance_1,distance_2,choice\n0.1,"0.5')


def _late(*_: object) -> None:
    raise TimeoutError(f"a command took longer than {SECONDS} s")


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="hangs are noticed by an alarm")
def test_random_command_lines(checks_only, capfd):
    ends: dict[int, int] = {}

    @settings(max_examples=COUNT, derandomize="SEMRES_FUZZ" not in os.environ, deadline=None, database=None,
              suppress_health_check=list(HealthCheck), phases=(Phase.generate,))  # fmt: skip
    @given(_vectors())
    def run(words: list[str]) -> None:
        before = signal.signal(signal.SIGALRM, _late)
        signal.alarm(SECONDS)
        try:
            code = cli.main(words)
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        err = capfd.readouterr().err
        ends[code] = ends.get(code, 0) + 1
        assert code in (0, 1, 2), words
        assert "Traceback" not in err, words
        if code == 2:
            assert err.startswith("semres: "), (words, err)
            assert err.count("\n") == 1, (words, err)
            assert len(err) < 2100, (words, err)

    run()
    print(f"exit codes: {ends}")
    assert ends.get(2, 0) >= COUNT / 4, ends
    assert ends.get(0, 0) >= COUNT / 20, ends
