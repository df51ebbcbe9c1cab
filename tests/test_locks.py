"""Folders in use, by processes of their own: refused while those live, free as soon as they are killed."""

import os
import platform
import subprocess
import sys

import pytest

from semres_jax.storage import locks
from semres_jax.storage.locks import LOCK_NAME, Lock
from semres_jax.storage.resume import Saved
from semres_jax.training.checkpoints import Checkpoints

pytestmark = pytest.mark.skipif(locks.fcntl is None, reason="this operating system has no such locks")

# A process that holds what it is told, without importing JAX, until it is killed or its standard input ends.
_HOLDER = """
import runpy, sys
held = runpy.run_path(sys.argv[1])["Lock"](sys.argv[2])
print("held", flush=True)
sys.stdin.read()
held.release()
"""


@pytest.fixture
def holder():
    """A function that starts another process which holds a path."""
    started = []

    def start(path):
        words = [sys.executable, "-c", _HOLDER, locks.__file__, str(path)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def in_use(path, process):
    return f"^'{path}' is in use by process {process.pid} on {platform.node()}: wait until it ends, or name another"


def test_one_process_at_a_time(tmp_path, holder):
    process = holder(tmp_path)
    for _ in range(2):
        with pytest.raises(ValueError, match=in_use(tmp_path, process)) as refused:
            Lock(tmp_path)
    assert "\n" not in str(refused.value)
    process.kill()
    process.communicate()
    assert (tmp_path / LOCK_NAME).exists()  # and is no obstacle
    with Lock(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"process {os.getpid()} on {platform.node()}"
    assert list(tmp_path.iterdir()) == []
    process = holder(tmp_path)
    process.communicate("", timeout=60)
    Lock(tmp_path).release()


def test_a_file_is_held_apart_from_its_folder(tmp_path, holder):
    process = holder(tmp_path / "run.state")
    with Lock(tmp_path), Lock(tmp_path / "other.state"):
        pass
    with pytest.raises(ValueError, match=in_use(tmp_path / "run.state", process)):
        Lock(tmp_path / "run.state")


def test_a_process_may_hold_a_folder_several_times(tmp_path):
    first, second = Lock(tmp_path), Lock(f"{tmp_path}/.")
    first.release()
    first.release()
    assert (tmp_path / LOCK_NAME).exists()
    del second
    assert not (tmp_path / LOCK_NAME).exists()


def test_where_there_are_no_locks_nobody_is_refused(tmp_path, holder, monkeypatch):
    holder(tmp_path)
    monkeypatch.setattr(locks, "fcntl", None)
    with Lock(tmp_path):
        pass
    assert (tmp_path / LOCK_NAME).exists()
    Lock(tmp_path / "nowhere" / "run.state").release()


@pytest.mark.parametrize("resume", [False, True])
def test_checkpoints_and_states_in_use(tmp_path, holder, resume):
    with Checkpoints(tmp_path, {"hidden": 3}):
        pass
    with Saved(tmp_path / "run.state") as saved:
        saved.open({"trials": 7})
        saved.finish("circle", {})
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert {path.name for path in before} == {"settings.json", "run.state"}
    for path, open_it in (
        (tmp_path, lambda: Checkpoints(tmp_path, {"hidden": 4 - resume}, resume=resume)),
        (tmp_path / "run.state", lambda: Saved(tmp_path / "run.state", resume=resume)),
    ):
        process = holder(path)
        with pytest.raises(ValueError, match=in_use(path, process)):
            open_it()
        process.kill()
        process.communicate()
    assert {path: path.read_bytes() for path in before} == before
    with Saved(tmp_path / "run.state", resume=True), Checkpoints(tmp_path, {"hidden": 3}, resume=True):
        assert sum(path.name.startswith(LOCK_NAME) for path in tmp_path.iterdir()) == 2
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in before}
