"""`semres bench`: parts as processes, their lines, what is written; with parts that do nothing. Nothing is timed."""

import json
import shutil
import signal
import tomllib
from pathlib import Path

import pytest

from semres_jax import cli
from semres_jax.cli import bench

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
SUITE, REPORT = (bench._module(FOLDER, name) for name in ("suite", "report"))
MACHINE = {
    "processor": "abacus",
    "cores": 2,
    "device": "cpu",
    "python": "3.11",
    "versions": {"jax": "0.10.1"},
    "date": "2026-11-22",
}
# A part that writes the lines it was made with, as a real one does.
FAKE = """
import json, sys
assert sys.argv[1] == "--result"
print("counting", file=sys.stderr)
json.dump({"machine": %r, "rows": %r}, open(sys.argv[2], "w"))
"""
BROKEN = "import sys; sys.exit('the abacus is broken')"


def line(what: str = "beads", **other) -> dict:
    return REPORT.row(what, 30.0, "beads/s", peer="fingers", peer_value=10.0, **other)


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """A folder of benchmarks with the given programs as parts; what `semres bench` is then run with."""
    folder = tmp_path / "benchmarks"

    def make(**programs: str):
        (folder / "results").mkdir(parents=True)
        for name, program in programs.items():
            (folder / f"bench_{name}.py").write_text(program)
        shutil.copy(FOLDER / "report.py", folder)
        listed = {name: f'Part("bench_{name}.py", "nothing", "0")' for name in programs}
        entries = ", ".join(f"{name!r}: {part}" for name, part in listed.items())
        source = (FOLDER / "suite.py").read_text() + f"\nPARTS = {{{entries}}}\n"
        (folder / "suite.py").write_text(source)
        monkeypatch.setattr(bench, "_suite_folder", lambda: folder)
        return folder

    return make


def fake(*rows: dict) -> str:
    return FAKE % (MACHINE, list(rows))


def test_a_row_knows_its_ratio_and_whether_its_bar_is_met():
    assert line(bar="ratio >= 3")["ratio"] == 3.0
    assert line(bar="ratio >= 3")["met"] is True
    assert line(bar="ratio >= 3.5")["met"] is False
    assert line(bar="value <= 29")["met"] is False
    assert line()["met"] is None
    less = REPORT.row("seconds", 2.0, "s", peer="theirs", peer_value=5.0, better="less", bar="value <= 2")
    assert (less["ratio"], less["met"]) == (2.5, True)


def test_a_line_is_words():
    assert REPORT.cells(line(bar="ratio >= 4")) == (
        "beads", "30 beads/s", "fingers: 10", "3", "at least 4 times: NOT MET",
    )  # fmt: skip
    assert REPORT.cells(REPORT.row("alone", 1234.5, "s", bar="value <= 2000")) == (
        "alone", "1,234 s", "", "", "at most 2000 s: met",
    )  # fmt: skip


def test_every_part_is_run_written_and_printed(parts, tmp_path, capsys):
    parts(first=fake(line("beads", note="An abacus.")), second=fake(line("stones")))
    assert cli.main(["bench", "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = capsys.readouterr().out
    assert "beads" in printed
    assert "abacus, 2 cores" in printed
    last = json.loads(printed.splitlines()[-1])
    assert [(row["part"], row["what"]) for row in last["rows"]] == [("first", "beads"), ("second", "stones")]
    written = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert written["rows"] == last["rows"]
    assert written["machine"] == MACHINE
    assert "| beads | 30 beads/s | fingers: 10 | 3 |  |" in (tmp_path / "out" / "bench.md").read_text()


def test_a_part_that_fails_leaves_the_others(parts, tmp_path, capsys):
    parts(first=BROKEN, second=fake(line()))
    assert cli.main(["bench", "--out", str(tmp_path / "out")]) == 1
    assert "first: FAILED: the abacus is broken" in capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert written["failed"] == {"first": "the abacus is broken"}
    assert len(written["rows"]) == 1


def test_interrupting_leaves_the_finished_parts(parts, tmp_path, request):
    interrupting = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
    parts(first=fake(line()), second=interrupting)
    # A shell that starts the tests in the background has Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    assert cli.main(["bench", "--out", str(tmp_path / "out")]) == 130
    assert list(json.loads((tmp_path / "out" / "bench.json").read_text())["parts"]) == ["first"]


def test_what_is_kept_is_named_and_merged(parts, tmp_path):
    folder = parts(montecarlo=fake(line("beads")), exact=fake(line("stones")))
    for part in ("montecarlo", "exact"):
        assert cli.main(["bench", "--part", part, "--keep", "--force", "--out", str(tmp_path / "out")]) == 0
    kept = json.loads((folder / "results" / "cpu2-jax0.10.1-2026-11-22.json").read_text())
    assert [row["what"] for row in kept["rows"]] == ["beads", "stones"]


def test_another_machine_is_not_merged():
    old = SUITE.report({"exact": {"machine": MACHINE | {"cores": 64}, "rows": [line()]}}, False, "")
    new = SUITE.report({"toy": {"machine": MACHINE, "rows": [line()]}}, False, "")
    assert list(SUITE.merged(old, new)["parts"]) == ["toy"]


def test_a_part_without_its_peer_is_left_out(monkeypatch):
    monkeypatch.setattr(SUITE, "missing", lambda packages=(): list(packages))
    kept: list = []
    found = SUITE.run(["toy"], True, lambda *_: None, lambda parts: kept.append(dict(parts)))
    assert found == kept[-1] == {"toy": {"left_out": "not installed: torch"}}


def test_bad_input_is_refused(refusal, monkeypatch, tmp_path):
    assert "no part 'abacus' of the benchmarks; there are montecarlo, exact," in refusal("bench", "--part", "abacus")
    assert "leave out --quick" in refusal("bench", "--keep", "--quick")
    (tmp_path / "file").touch()
    assert "file" in refusal("bench", "--out", str(tmp_path / "file" / "out"))
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "semres_jax" / "cli" / "bench.py"))
    assert "no benchmarks" in refusal("bench")


def test_parts_are_listed(capsys):
    assert cli.main(["bench", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SUITE.PARTS)


def test_every_program_is_there_and_ships():
    programs = {path.name for path in FOLDER.glob("*.py")} - {"check_quadrature.py"}
    assert {part.program for part in SUITE.PARTS.values()} == {p for p in programs if p.startswith("bench_")}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    shipped = {f"benchmarks/{name}": f"semres_jax/_benchmarks/{name}" for name in programs}
    assert build["force-include"] == shipped
