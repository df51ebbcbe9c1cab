"""How the benchmarks measure: programs in turn, the best round counts, compilation apart; and on which machine."""

import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np

# Duration events of JAX that make up a compilation: to a jaxpr, to MLIR, to machine code.
COMPILING = "/jax/core/compile/"
VERSIONS = ("semres-jax", "jax", "jaxlib", "flax", "optax", "numpy", "torch", "numba", "cupy")


def timed(program: Callable[[], Any]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    program()
    return time.perf_counter() - started


def best_times(programs: dict, rounds: int) -> tuple[dict, dict]:
    """Best wall time of each program over rounds in which they take turns, and what its first call cost on top.

    In turn, so that a drift of the machine hits all of them.
    """
    first = {name: timed(program) for name, program in programs.items()}
    best = dict.fromkeys(programs, np.inf)
    for _ in range(rounds):
        for name, program in programs.items():
            best[name] = min(best[name], timed(program))
    return best, {name: max(first[name] - best[name], 0.0) for name in programs}


def sized(run: Callable[[int], Any], seconds: float, start: int, most: int = 2**34) -> int:
    """The power of two times `start` at which a call of `run` takes at least so long: its fixed cost is small then."""
    size = start
    run(size)  # compiles
    while size < most:
        took = timed(partial(run, size))
        if took >= seconds:
            return size
        grown = size * 2 ** max(1, min(int(np.log2(seconds / took)), 5))
        size = min(grown, most)
        run(size)
    return size


def held(program: Callable[..., Any], *settings: Any) -> dict[str, float]:
    """Seconds of one call, programs compiled, and the most memory that this process has held, in GB."""
    import resource

    seconds = timed(partial(program, *settings))
    unit = 1.0 if sys.platform == "darwin" else 1024.0  # bytes there, kibibytes elsewhere
    return {"seconds": seconds, "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9}


def apart(module: str, name: str, *settings: Any) -> dict[str, float]:
    """What is `held` by a process of its own that calls a function of a benchmark; settings as literals of Python."""
    folder = os.path.dirname(__file__)
    call = f"measuring.held({module}.{name}, *{settings!r})"
    code = f"import json, sys; sys.path.insert(0, {folder!r}); import measuring, {module}; print(json.dumps({call}))"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    if done.returncode:
        raise SystemExit(done.stderr.strip()[-1000:])
    return json.loads(done.stdout.splitlines()[-1])


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def processor() -> str:
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def machine() -> dict:
    """What the figures belong to: processor, cores, load before, device, versions, commit, date."""
    from semres_jax.storage.results import provenance

    versions = {}
    for name in VERSIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    where = provenance()
    return {
        "processor": processor(),
        "cores": cores(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "device": where["device_kind"],
        "platform": where["platform"],
        "python": where["python"],
        "versions": versions,
        "commit": where["commit"],
        "date": time.strftime("%Y-%m-%d"),
    }


class Compiled:
    """What JAX compiled within a `compiling` block: seconds, and programs."""

    def __init__(self) -> None:
        self.seconds, self.programs = 0.0, 0


@contextmanager
def compiling() -> Iterator[Compiled]:
    """Count programs that JAX compiles, and the seconds that it takes, by its own monitoring events."""
    from jax import monitoring

    compiled, listening = Compiled(), True

    def listen(event: str, seconds: float, **_) -> None:
        if listening and event.startswith(COMPILING):
            compiled.seconds += seconds
            compiled.programs += event.endswith("backend_compile_duration")

    monitoring.register_event_duration_secs_listener(listen)
    try:
        yield compiled
    finally:
        listening = False  # there is no public way to take a listener back
