"""What a long validation is going to take: every case is run for a moment, on the programs that the run itself uses."""

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from semres_jax.execution import Execution
from semres_jax.experiments.validation.cases import Case
from semres_jax.montecarlo.estimate import estimate
from semres_jax.storage import processes

# Of each case, once it is compiled.
_SECONDS, _CALLS = 0.3, 4


class Plan(NamedTuple):
    """Expected cost of a run.

    Attributes:
        names: of the cases.
        trials: of each case.
        seconds: of simulation of each case, at the speed that was measured.
        memory: bytes at most so far, all programs loaded: what a run takes does not grow with its trials.
    """

    names: tuple[str, ...]
    trials: int
    seconds: tuple[float, ...]
    memory: int

    def __str__(self) -> str:
        longest = max(range(len(self.names)), key=lambda i: self.seconds[i])
        return (
            f"plan: {len(self.names)} cases of {self.trials:.3g} trials, about {_duration(sum(self.seconds))} of "
            f"simulation here (longest: {self.names[longest]}, {_duration(self.seconds[longest])}); memory "
            f"{self.memory / 2**20:,.0f} MB, which does not grow with the trials"
        )


class _Enough(Exception):
    pass


def plan(cases: Sequence[Case], *, trials: int, method: str = "prng", execution: Execution | None = None) -> Plan:
    """Run the beginning of every case, and expect the rest to go on so.

    Args:
        cases: without those that are left out.
        trials, method: as of `validate`.
        execution: how to run; `progress` counts cases.

    Returns:
        The plan.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.experiments import validation
        >>> run = validation.cases({"circle": spaces.Circle()}, ns=[2], deltas=[0.0])
        >>> expected = validation.plan(run, trials=10**9)
        >>> expected.names, bool(sum(expected.seconds) > 0)
        (('circle, n = 2', 'circle, linear, n = 2'), True)
    """
    seconds, how = [], execution or Execution()
    for i, case in enumerate(cases):
        how.tell(f"planning: {case.name}", i, len(cases))
        seconds.append(trials / _speed(case, trials, method, how.devices))
    return Plan(tuple(case.name for case in cases), trials, tuple(seconds), peak_memory())


def _speed(case: Case, trials: int, method: str, devices: Any) -> float:
    """Trials a second."""
    began = time.perf_counter()
    ticks: list[tuple[float, int]] = []

    def tick(what: str, done: int, planned: int) -> None:
        ticks.append((time.perf_counter(), done))
        # The first calls, which are short, tell less than the last. Several hosts have to stop at the same one.
        enough = ticks[-1][0] - ticks[0][0] > _SECONDS if processes.hosts()[1] == 1 else len(ticks) > _CALLS
        if len(ticks) > 2 and enough:
            raise _Enough

    with contextlib.suppress(_Enough):
        estimate(
            case.space, case.similarity, key=jax.random.key(0), trials=trials, n=case.n, method=method,
            devices=devices, progress=tick,
        )  # fmt: skip
    start, end = (ticks[0], ticks[-1]) if len(ticks) > 1 else ((began, 0), ticks[-1])
    return max(end[1] - start[1], 1) / max(end[0] - start[0], 1e-9)


def peak_memory() -> int:
    """Bytes that this process, and the devices it uses beside its own memory, held at most."""
    import resource

    # Kilobytes, but on a Mac bytes.
    process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    stats = [device.memory_stats() or {} for device in jax.local_devices() if device.platform != "cpu"]
    return process + sum(device.get("peak_bytes_in_use", 0) for device in stats)


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
