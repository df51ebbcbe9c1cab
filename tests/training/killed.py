"""Trainings that are killed and resumed, as `python -m tests.training.killed JOB KILLS FOLDER`; and two in one folder.

Children are forked from this process, which has imported everything and started nothing, and find their programs
compiled: what is left to kill is start, training and saving. The first child is left alone; the others get SIGKILL at a
random moment and are resumed, until there were enough kills and a training came to its end again.
"""

import contextlib
import json
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint  # noqa: F401 # otherwise every child imports it

from semres_jax import Execution, data, spaces
from semres_jax.networks import resnet as networks
from semres_jax.storage import locks
from semres_jax.training import images as image_training, toy
from tests.training import images

# Longest time from the start of a child, and from a checkpoint, to a kill.
_AT_START, _LATER = 1.0, 0.08


def toy_history(**checkpoints: Any) -> tuple:
    ring = spaces.grid(spaces.get("circle"), 8)
    design = toy.Design(hidden=3, batch=8)
    options = {"runs": 2, "steps": 60, "records": range(0, 60, 4), "execution": Execution(devices=1)} | checkpoints
    return tuple(toy.train(ring, design, **options))


def resnet_history(**checkpoints: Any) -> tuple:
    networks.ARCHITECTURES["tiny"] = ((1,), (4,), False, "small")
    bars = images.made_up()
    recipe = image_training.Recipe("tiny", epochs=5, per_class=2, learning_rate=0.05)
    history = image_training.train(bars, data.split(bars), recipe, alphas=[0.5], **checkpoints)
    return tuple(x for x in history if not isinstance(x, dict))


def forked(train: Callable[..., tuple], file: Path, pipe: int, **checkpoints: Any) -> int:
    """Process id of a child that trains, writes a byte to `pipe` after each checkpoint, and a file at its end."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        history = train(execution=Execution(1, progress=lambda *_: os.write(pipe, b".") and None), **checkpoints)
        np.savez(file, *history)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def two_in_one_folder(folder: Path) -> list[str]:
    """A training of seed 1 is started where one of seed 0 is under way, which is killed later: what the second said."""
    said: list[str] = []

    def second(**options: Any) -> None:
        """The second training, stopped after its first checkpoint; what it said, or where it ended."""
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            line = "it began anew"
            try:
                toy_history(key=jax.random.key(1), checkpoint=folder, execution=Execution(1, progress=stop), **options)
            except Stopped:
                pass
            except ValueError as error:
                line = str(error)
            finally:
                os.write(writer, line.encode())
                os._exit(0)
        os.close(writer)
        os.waitpid(pid, 0)
        with os.fdopen(reader) as lines:
            said.append(lines.read())

    class Stopped(Exception):
        pass

    def stop(what: str, done: int, planned: int) -> None:
        raise Stopped

    @contextlib.contextmanager
    def first(locked: bool) -> Any:
        """One that waits after its first checkpoint, to be let on to the next and to be killed."""
        written, go = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            locks.fcntl = locks.fcntl if locked else None

            def wait(what: str, done: int, planned: int) -> None:
                os.write(written[1], b".")
                os.read(go[0], 1)

            toy_history(checkpoint=folder, execution=Execution(1, progress=wait))
            os._exit(0)
        os.read(written[0], 1)

        def on() -> None:
            os.write(go[1], b".")
            os.read(written[0], 1)

        yield on
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    with first(locked=True):
        second()
        second(resume=True)
    second(resume=True)
    second()
    with first(locked=False) as on:  # as where a file system has no locks
        second()
        on()
    second(resume=True)
    second()
    return said


def main(job: str, kills: int, folder: Path) -> dict[str, Any]:
    """How often it was killed, resumed with something there, came to its end; for toy what the second of two said."""
    jax.config.update("jax_compilation_cache_dir", str(folder / "programs"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    warnings.filterwarnings("ignore", message="os.fork")  # nothing runs here that a child could miss
    train = {"toy": toy_history, "resnet": resnet_history}[job]
    seed = int(np.random.default_rng().integers(2**32))  # any moment will do
    rng = np.random.default_rng(seed)
    counts: dict[str, Any] = {"kills": 0, "resumed": 0, "ends": 0, "seed": seed}
    reader, writer = os.pipe()
    pid = forked(train, folder / "whole.npz", writer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(reader), os.close(writer)
    resume = False
    while counts["kills"] < kills or not counts["ends"]:
        reader, writer = os.pipe()
        there = resume and any(path.name.isdigit() for path in (folder / "kept").rglob("*"))
        pid = forked(train, folder / "resumed.npz", writer, checkpoint=folder / "kept", resume=resume)
        os.close(writer)
        if counts["kills"] < kills:
            wait = int(rng.integers(0, 4))
            trained = all(os.read(reader, 1) for _ in range(wait))  # not where it ended before
            if trained:
                time.sleep(rng.uniform(0, _LATER if wait else _AT_START))
                os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(reader)
        assert code in (0, -signal.SIGKILL), (code, counts)
        resume = code != 0  # after its end it begins anew in the same folder
        counts["kills"] += code != 0
        counts["resumed"] += there
        if code == 0:
            counts["ends"] += 1
            whole, again = np.load(folder / "whole.npz"), np.load(folder / "resumed.npz")
            assert whole.files == again.files
            for name in whole.files:
                np.testing.assert_array_equal(again[name], whole[name], err_msg=f"{name} {counts}")
    return counts if job == "resnet" else counts | {"second of two": two_in_one_folder(folder / "two")}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
