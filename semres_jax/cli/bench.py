"""`semres bench`: the benchmarks, each in a process of its own, one report."""

import dataclasses
import importlib.util
import time
from pathlib import Path
from typing import Annotated, Any

import tyro

from semres_jax._files import there_are
from semres_jax.cli._common import (
    COMMAND_LINE,
    BadInput,
    Force,
    Names,
    checking_input,
    progress_bar,
    results_folder,
    say_json,
)
from semres_jax.cli._surroundings import say


@dataclasses.dataclass(frozen=True)
class Bench:
    """Measure speed against NumPy, PyTorch and Numba on this machine, each part in a process of its own.

    Writes bench.json, rewritten after each part, and bench.md with the same lines. A part that fails leaves the others;
    the exit status is then 1. A bar that is not met is told, and is no failure.

    Example: semres bench --part exact,sweep --quick
    """

    part: Annotated[Names, tyro.conf.arg(help_behavior_hint="(default: all)")] = None
    """Parts to run; --list names them."""
    quick: bool = False
    """Smaller and fewer runs: whether everything works, not figures to quote."""
    list: bool = False
    """Name the parts, and stop."""
    out: Path = Path("results/bench")
    """Folder for results."""
    force: Force = False
    keep: bool = False
    """In a checkout, also write to benchmarks/results/, named by device, jax version and date."""
    json: bool = False
    """End standard output with one line of JSON."""

    def run(self) -> int:
        """Measure, write, print, and give the exit status."""
        folder = _suite_folder()
        suite, report = _module(folder, "suite"), _module(folder, "report")
        if self.list:
            for name, part in suite.PARTS.items():
                print(f"{name:12} {part.what} (about {part.minutes} min)")
            return 0
        names = list(suite.PARTS if self.part is None else dict.fromkeys(self.part))
        if not names:
            raise BadInput(f"--part needs at least one name; there are {', '.join(suite.PARTS)}")
        if unknown := [name for name in names if name not in suite.PARTS]:
            raise BadInput(f"no part {unknown[0]!r} of the benchmarks; {there_are(unknown[0], suite.PARTS)}")
        if self.keep and self.quick:
            raise BadInput("--keep is for full runs; leave out --quick")
        if self.keep and not (folder / "results").is_dir():
            raise BadInput("--keep needs a checkout of the project, with benchmarks/results; leave it out")
        from semres_jax.storage import results

        with checking_input():
            out, _ = results_folder(self.out, "bench", force=self.force)
        if absent := suite.missing():
            say(f"not installed, left out: {', '.join(absent)}; `scripts/setup bench` brings them")
        started = time.perf_counter()
        content: dict[str, Any] = {}

        def kept(parts: dict[str, Any]) -> None:
            nonlocal content
            content = suite.report(parts, self.quick, COMMAND_LINE.get())
            results.write_json(content, out / "bench.json")
            with results.replacing(out / "bench.md") as temporary:
                temporary.write_text(report.markdown(content), encoding="utf-8")

        with progress_bar() as tell:
            suite.run(names, self.quick, lambda text, *at: tell(text[:_WIDTH], *at), kept)
        if content["machine"]:
            print(report.headline(content["machine"]))
        report.print_tables(content["parts"])
        files = f"{out}: bench.json, bench.md"
        if self.keep and content["machine"]:
            target = folder / "results" / suite.file_name(content["machine"])
            results.write_json(suite.merged(_read(target), content), target)
            files += f"; kept as {target.name}"
        print(f"{time.perf_counter() - started:.0f} s; results in {files}")
        code = 1 if content["failed"] else 0
        if self.json:
            say_json({"command": "bench", "exit": code, "out": str(out)} | {k: content[k] for k in _SHORT})
        return code


# Of what is told of a part while it runs.
_WIDTH = 70
# What the last line for machines has of the report; all that was measured is in bench.json.
_SHORT = ("machine", "quick", "rows", "failed", "left_out")


def _suite_folder() -> Path:
    """Where the programs are: in an installed package beside its modules, in a checkout beside the package."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "benchmarks"
    for folder in (package / "_benchmarks", checkout):
        if (folder / "suite.py").is_file():
            return folder
    raise BadInput(f"no benchmarks: neither in this package nor in {str(checkout)!r}; run it in a checkout")


def _module(folder: Path, name: str) -> Any:
    """A module of that folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"semres_benchmarks_{name}", folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(path: Path) -> dict[str, Any] | None:
    import json

    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
