"""Memory is asked before it is used: what the kernel, control groups and limits leave, and the line when it's short."""

import subprocess
import sys

import pytest

from semres_jax import _memory

GIB = 2**30


def _written(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


MEMINFO = {"proc/meminfo": "MemTotal:  20000000 kB\nMemAvailable:   4194304 kB\n"}  # 4 GiB
NEW, OLD = "sys/fs/cgroup/", "sys/fs/cgroup/memory/"


@pytest.mark.parametrize(
    ("files", "room"),
    [
        ({}, None),
        (MEMINFO, 4 * GIB),
        # A container of version 2: its own group is the root.
        (
            MEMINFO
            | {"proc/self/cgroup": "0::/\n", NEW + "memory.max": f"{2 * GIB}\n", NEW + "memory.current": f"{GIB}\n"}
            | {NEW + "memory.stat": f"anon 5\ninactive_file {GIB // 2}\n"},
            GIB + GIB // 2,
        ),
        # A job of a cluster: the limit is two groups above.
        (
            MEMINFO
            | {"proc/self/cgroup": "0::/job/step/task\n", NEW + "job/step/task/memory.max": "max\n"}
            | {NEW + "job/step/task/memory.current": "7\n"}
            | {NEW + "job/memory.max": f"{3 * GIB}", NEW + "job/memory.current": f"{GIB}"},
            2 * GIB,
        ),
        # Version 1, where no limit is a number near 2^63; a group that is over its limit leaves nothing.
        (
            MEMINFO
            | {"proc/self/cgroup": "9:cpu:/x\n4:memory:/docker/77\n"}
            | {OLD + "memory.limit_in_bytes": "9223372036854771712", OLD + "memory.usage_in_bytes": f"{GIB}"},
            4 * GIB,
        ),
        (
            MEMINFO
            | {"proc/self/cgroup": "4:cpuset,memory:/docker/77\n"}
            | {
                OLD + "docker/77/memory.limit_in_bytes": f"{GIB}",
                OLD + "docker/77/memory.usage_in_bytes": f"{2 * GIB}",
            },
            0,
        ),
    ],
)
def test_available_memory_is_the_least_of_what_is_left(tmp_path, files, room):
    _written(tmp_path, files)
    assert _memory.available(tmp_path) == room


def test_this_machine_says():
    assert _memory.available() is None or _memory.available() > 0


def test_a_limit_of_the_shell_counts():
    code = (
        "import importlib.util, resource, sys\n"
        "spec = importlib.util.spec_from_file_location('memory', sys.argv[1])\n"
        "memory = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(memory)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))\n"
        "print(memory.available() < 2**29)\n"
    )
    if sys.platform != "linux":
        pytest.skip("macOS doesn't keep to limits of the address space")
    done = subprocess.run([sys.executable, "-c", code, _memory.__file__], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_what_does_not_fit_is_said_in_a_line(monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 1_500_000_000)
    _memory.require(1_400_000_000, "13000 stimuli")
    with pytest.raises(ValueError, match=r"^20000 stimuli need 3\.2 GB of memory; there are 1\.5 GB") as info:
        _memory.require(3_200_000_000, "20000 stimuli")
    assert "\n" not in str(info.value)
    monkeypatch.setattr(_memory, "available", lambda: None)
    _memory.require(10**30, "too many stimuli")
