"""Starts commands as children that can be killed: everything is imported once, and forked before JAX starts.

Reads lines of JSON: the words of a command; `file`, that is to change before the time counts (null: at once); `seconds`
until SIGKILL (null: never); `most`, bytes in a file (null: any). Answers each with its exit code (-9 where it was
killed) and standard error.
"""

import json
import os
import resource
import signal
import sys
import time

import jax

from semres_jax import cli, frontier, plots
from semres_jax.experiments.validation import run as validation_run
from semres_jax.frontier import _parts
from semres_jax.storage import results, resume

_PATIENCE, _SLEEP = 100.0, 0.002
# Seconds that a file takes to get its name: so that a run is long enough for all kills, and many come in between.
_SLOW_DISK = 0.015


def main(folder: str) -> None:
    resume.SECONDS_BETWEEN_WRITES, resume._MOST_SPENT_WRITING = 0.0, float("inf")
    validation_run._TRIALS_AT_ONCE = _parts._TRIALS_AT_ONCE = 2**16
    replace = os.replace

    def slowly(*paths):
        time.sleep(_SLOW_DISK)
        replace(*paths)

    results.os.replace = slowly
    plots.save_all = plots.save_sweep = lambda table, folder: []
    # Programs are compiled by the first child that needs them.
    jax.config.update("jax_compilation_cache_dir", os.path.join(folder, "programs"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    print("ready", frontier.__name__, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), os.path.join(folder, "told"))), flush=True)


def answer(order: dict, log: str) -> dict:
    before = changed(order["file"])
    child = os.fork()
    if not child:
        run(order, log)
    began = time.monotonic()
    counts = None if order["file"] else began
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        now = time.monotonic()
        if done:
            break
        if counts is None and changed(order["file"]) != before:
            counts = now
        if now - began > _PATIENCE or (order["seconds"] is not None and counts and now - counts > order["seconds"]):
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(_SLEEP)
    with open(log) as file:
        return {"code": os.waitstatus_to_exitcode(status), "told": file.read()}


def changed(file: str | None) -> int:
    return os.stat(file).st_mtime_ns if file and os.path.exists(file) else 0


def run(order: dict, log: str) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    if order["most"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["most"], order["most"]))
    code = 1
    try:
        code = cli.main(order["words"])
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
