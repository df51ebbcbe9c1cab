"""The parts of `semres bench`: each is run in a process of its own, and their lines make one report.

A process of its own, so that one part's compiled programs, memory and threads are not another's, and that a part that
fails leaves the others. Nothing heavy is imported here.
"""

import collections
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
# What a failed part leaves of its standard error in the report.
TAIL = 40


class Part(NamedTuple):
    """`program` is a file of this folder; `needs` are packages without which it has nothing to compare with."""

    program: str
    what: str
    minutes: str
    needs: tuple[str, ...] = ()
    accelerator: bool = False


PARTS = {
    "montecarlo": Part("bench_montecarlo.py", "trials a second against NumPy, PyTorch, Numba; equal time", "3"),
    "exact": Part("bench_exact.py", "exact curves against Monte Carlo, finite spaces against NumPy", "2"),
    "sampling": Part("bench_sampling.py", "trials a second by space, against NumPy and the circle", "4"),
    "finite": Part("bench_finite.py", "finite spaces against NumPy, without a table, a million embeddings", "15"),
    "sweep": Part("bench_sweep.py", "a frontier sweep against scripts that go cell by cell; the second one", "1"),
    "toy": Part("bench_toy.py", "training of the toy network against eager PyTorch", "5", ("torch",)),
    "resnet": Part("bench_resnet.py", "steps of a residual network against eager PyTorch; scores", "3", ("torch",)),
    "choices": Part("bench_choices.py", "fits of choices against SciPy; all families; cost in trials", "1"),
    "triplets": Part("bench_triplets.py", "a million triplets; embeddings of triplets against cblearn", "3"),
    "startup": Part("bench_startup.py", "import, help, the first answer, programs kept between runs", "1"),
    "compile": Part("bench_compile.py", "compile times of the main programs", "1"),
    "scaling": Part("bench_scaling.py", "one core against all, one device against two", "2"),
    "slopes": Part("bench_slopes.py", "cost against trials, n, stimuli and number of resolutions", "1"),
    "roofline": Part("bench_roofline.py", "the inner loop against the machine's measured peaks", "1"),
    "gpu": Part("bench_gpu.py", "the same on a GPU, against PyTorch and CuPy; ResNet-50", "5", (), True),
}
# Peers that parts leave out, each on its own, where they are not installed.
PEERS = ("torch", "numba")


def missing(packages: tuple[str, ...] = PEERS) -> list[str]:
    """Those that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def run(
    names: list[str], quick: bool, tell: Callable[[str, int, int], None], kept: Callable[[dict], None]
) -> dict[str, dict]:
    """Run parts one after the other.

    Args:
        names: of `PARTS`.
        quick: smaller and fewer runs.
        tell: called with (what is being done, parts done, parts there are).
        kept: called with all results so far after each part.

    Returns:
        By name, what the part's `run` gave, with `seconds`, or `left_out` (why), or `failed` (its last line) and
        `stderr` (its last lines).
    """
    parts: dict[str, dict] = {}
    for done, name in enumerate(names):
        tell(f"{name} (about {PARTS[name].minutes} min)", done, len(names))
        if absent := missing(PARTS[name].needs):
            parts[name] = {"left_out": f"not installed: {', '.join(absent)}"}
        else:
            parts[name] = run_one(PARTS[name], quick, lambda line, n=name, d=done: tell(f"{n}: {line}", d, len(names)))
        kept(parts)
    return parts


def run_one(part: Part, quick: bool, tell: Callable[[str], None]) -> dict:
    """Run one part's program in a process, and read what it wrote."""
    import json

    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        words = [sys.executable, str(FOLDER / part.program), "--result", str(result), *["--quick"] * quick]
        started = time.perf_counter()
        process = subprocess.Popen(
            words,
            env=environment(part),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us, and a part may have children of its own
        )
        tail: collections.deque[str] = collections.deque(maxlen=TAIL)
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if line.strip():
                    tail.append(line.rstrip())
                    tell(line.strip())
            code = process.wait()
        finally:
            _end(process)
        seconds = time.perf_counter() - started
        if code or not result.exists():
            last = tail[-1] if tail else f"exit code {code}, and nothing said"
            return {"failed": last, "stderr": list(tail), "exit": code, "seconds": seconds}
        return json.loads(result.read_text(encoding="utf-8")) | {"seconds": seconds}


def environment(part: Part) -> dict[str, str]:
    """Of a part's process: this package, no programs kept from earlier runs, the CPU unless it wants a GPU."""
    settings = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    if FOLDER.name == "benchmarks":  # a checkout, whose package need not be installed
        settings["PYTHONPATH"] = os.pathsep.join(filter(None, [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))
    if not part.accelerator:
        settings["JAX_PLATFORMS"] = "cpu"
    return os.environ | settings


def _end(process: subprocess.Popen) -> None:
    """End a process, and those that it started, if it still runs."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
    if process.stderr is not None:
        process.stderr.close()


def report(parts: dict[str, dict], quick: bool, command: str) -> dict:
    """What is written: the machine, every line with its part's name, then the parts with all that they measured."""
    machine = next((part["machine"] for part in parts.values() if "machine" in part), None)
    return {
        "machine": machine,
        "quick": quick,
        "command": command,
        "rows": [{"part": name} | line for name, part in parts.items() for line in part.get("rows", [])],
        "failed": {name: part["failed"] for name, part in parts.items() if part.get("failed")},
        "left_out": {name: part["left_out"] for name, part in parts.items() if part.get("left_out")},
        "parts": parts,
    }


def file_name(machine: dict) -> str:
    """Of a report that is kept: device, version of jax, date."""
    device = f"cpu{machine['cores']}" if machine["device"] == "cpu" else machine["device"].lower().replace(" ", "-")
    return f"{device}-jax{machine['versions']['jax']}-{machine['date']}.json"


def merged(old: dict | None, new: dict) -> dict:
    """A report to keep, with the parts of an older one of the same machine that this run has not made anew.

    Its command is what would make all of it again; the one that was typed may name folders of one machine.
    """
    same = ("processor", "cores", "device", "python", "versions")
    both = new["parts"]
    if old and old.get("machine") and all(old["machine"].get(k) == new["machine"][k] for k in same):
        both = old["parts"] | both
    parts = {name: both[name] for name in PARTS if name in both}
    return report(parts, new["quick"], f"semres bench --keep --part {','.join(parts)}") | {"machine": new["machine"]}
