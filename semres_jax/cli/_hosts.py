"""`--distributed`: a command run by all processes of a cluster at once, of which the first prints and writes."""

import contextlib
import dataclasses
import os
import re
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from semres_jax.cli._common import BadInput

# Seconds until all processes must have come together, and that one which failed waits for the others to hear of it.
JOIN_SECONDS, LEAVE_SECONDS = 120, 5
BAD_INPUT = 2
# How JAX says, in errors of several types, that a process which was waited for is gone.
_GONE = re.compile(
    r"\b(UNKNOWN|INTERNAL|UNAVAILABLE|ABORTED|DEADLINE_EXCEEDED)\b.*(gloo|nccl|coordination|barrier)", re.I
)


def run(command: Any, coded: Callable[[Callable[[], int]], int]) -> int:
    """Join the other processes and run the command in all of them.

    Process 0 alone prints results and has --out; the others have a temporary folder in its place, and print nothing but
    why they failed, if they do. A process that failed ends within `LEAVE_SECONDS`, whether the others have heard of it
    or not; those fail where they next need it, or when JAX misses its heartbeat (100 s).

    Args:
        command: with `run()` and `out`.
        coded: runs a function, and makes bad input and Ctrl-C one line on standard error and an exit code.

    Raises:
        BadInput: there is no cluster.
    """
    _join()
    import jax

    index, failed = jax.process_index(), True

    def named() -> int:
        nonlocal failed
        try:
            with contextlib.nullcontext(command) if index == 0 else _in_silence(command) as mine:
                code = mine.run()
            failed = False
            return code
        except (BadInput, ValueError, RuntimeError, OSError) as error:
            line = " ".join(str(error).split())
            if _GONE.search(line):
                print(f"semres: process {index} lost another one, which says why ({line[:120]})", file=sys.stderr)
                return 1
            if isinstance(error, BadInput):
                raise BadInput(f"process {index}: {error}" if index else str(error)) from error
            raise

    with _own_output():
        try:
            code = coded(named)
        except Exception:
            traceback.print_exc()
            code = 1
        leaving = threading.Thread(target=jax.distributed.shutdown, daemon=True)
        leaving.start()
        leaving.join(LEAVE_SECONDS if failed else None)
        if leaving.is_alive():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # at its end Python would wait for the others again
    return code


def _join() -> None:
    """`jax.distributed.initialize`, which finds processes and coordinator in the environment.

    Raises:
        BadInput: it finds none.
    """
    import jax

    def late() -> None:
        where = os.environ.get("JAX_COORDINATOR_ADDRESS", "the host of process 0")
        line = f"--distributed waited {JOIN_SECONDS} s for the other processes (did all start? can they reach {where}?)"
        print(f"semres: {line}", file=sys.stderr, flush=True)
        os._exit(BAD_INPUT)  # JAX would abort, with a trace of its C++

    # Otherwise SIGTERM does nothing but set a mark for those who ask for it.
    jax.config.update("jax_enable_preemption_service", False)
    waiting = threading.Timer(JOIN_SECONDS, late)
    waiting.daemon = True
    waiting.start()
    try:
        jax.distributed.initialize(initialization_timeout=2 * JOIN_SECONDS)
    except (ValueError, TypeError, KeyError, RuntimeError, OSError) as error:
        raise BadInput(
            f"--distributed found no cluster that JAX knows: {' '.join(str(error).split())[:120]} (start one process "
            "on each host with srun or mpirun, or leave it out)"
        ) from None
    finally:
        waiting.cancel()


@contextlib.contextmanager
def _in_silence(command: Any) -> Iterator[Any]:
    """The command with a folder of its own, and nothing printed."""
    with (
        tempfile.TemporaryDirectory() as own,
        open(os.devnull, "w") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        yield dataclasses.replace(command, out=Path(own))


@contextlib.contextmanager
def _own_output() -> Iterator[None]:
    """Standard output for what is printed in Python alone: the library behind JAX tells of its connections there."""
    sys.stdout.flush()
    kept = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    try:
        with os.fdopen(os.dup(kept), "w") as own, contextlib.redirect_stdout(own):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
