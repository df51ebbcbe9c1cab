"""Ctrl-C at any moment of a command: one line, exit code 130, within seconds, and whole files."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

# A run of minutes, in a process whose garbage collector spends most of its time in a callback.
PROGRAM = """
import gc, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
gc.callbacks.append(lambda phase, info: time.sleep({pause}))
gc.set_threshold(300, 5, 5)
from semres_jax.cli import main
print("ready", flush=True)
sys.exit(main())
"""
# Seconds that an interrupted command may take on a machine that is busy with other tests; it takes one at most else.
SECONDS = 10.0


@pytest.mark.parametrize(("after", "pause"), [(0.05, 0.01), (0.8, 0.01), (1.6, 0.01), (3.0, 0.005), (5.0, 0.0)])
def test_the_first_one_ends_a_command_in_one_line(after, pause, tmp_path):
    words = [sys.executable, "-c", PROGRAM.format(pause=pause), "validate", "--trials", "1e9", "--out", str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        started = time.perf_counter()
        said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (130, "semres: interrupted; files written so far are whole\n")
    assert time.perf_counter() - started < SECONDS
    for path in tmp_path.iterdir():
        assert not path.name.startswith(".semres-")
        if path.suffix == ".json":
            json.loads(path.read_text())


def test_it_comes_again_where_a_finalizer_drops_it():
    program = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from semres_jax.cli import _interrupts
class Dropping:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
with _interrupts.never_lost(of_process=False):
    try:
        Dropping()
        time.sleep(30)
    except KeyboardInterrupt:
        print("raised")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=os.environ)
    assert (done.stdout, done.stderr, done.returncode) == ("raised\n", "", 0)


def test_a_command_that_computes_and_cannot_stop_leaves_no_lock(tmp_path):
    program = """
import hashlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from semres_jax.cli import _interrupts
from semres_jax.storage.locks import Lock
with _interrupts.never_lost(of_process=True), Lock(sys.argv[1]):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # for minutes, as a compiled program may
"""
    words = [sys.executable, "-c", program, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        assert [path.name for path in tmp_path.iterdir()] == [".semres-lock"]
        time.sleep(0.3)  # until it computes
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == "semres: interrupted; files written so far are whole\n"
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_being_taken_is_taken_first(tmp_path):
    program = """
import fcntl, os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from semres_jax.cli import _interrupts
from semres_jax.storage import locks
take = fcntl.flock
def interrupted(*how):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    take(*how)
fcntl.flock = interrupted
with _interrupts.never_lost(of_process=False):
    try:
        with locks.Lock(sys.argv[1]):
            time.sleep(30)
    except KeyboardInterrupt:
        print("raised")
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("raised\n", "")
    assert list(tmp_path.iterdir()) == []
