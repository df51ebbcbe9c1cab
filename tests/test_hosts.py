"""The same bits on 1, 2, 4, 8 devices and in two processes that JAX joined over the loopback, as a cluster does."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

from semres_jax import Execution, cli, plots
from tests import hosts_job

ROOT = Path(__file__).parent.parent
# Far more than a machine busy with other tests needs.
SECONDS = 240


def started(words, **variables) -> subprocess.Popen:
    """A process of its own, with what a cluster would say in its environment."""
    left_out = ("SLURM_", "JAX_", "OMPI_", "KUBERNETES_")  # not XLA_FLAGS: bits are compared with those of this process
    own = {k: v for k, v in os.environ.items() if not k.startswith(left_out) and not k.lower().endswith("_proxy")}
    own |= {k: v for k, v in os.environ.items() if k.startswith(("JAX_COMPILATION_CACHE_", "JAX_PERSISTENT_CACHE_"))}
    own |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)} | variables
    return subprocess.Popen(
        [sys.executable, *words], env=own, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def pair(words) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = {"SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
    cluster |= {"JAX_COORDINATOR_ADDRESS": address, "JAX_COORDINATOR_BIND_ADDRESS": address}
    return [started(words, **cluster, SLURM_PROCID=str(k), SLURM_LOCALID=str(k)) for k in range(2)]


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Folder, and what was said, of: two joined processes, and one with eight devices; and what is found here."""
    joined, eight, here = (tmp_path_factory.mktemp(name) for name in ("joined", "eight", "here"))
    processes = [*pair(["-m", "tests.hosts_job", str(joined)]), started(["-m", "tests.hosts_job", str(eight)])]
    arrays = hosts_job.everything(here)
    said = [ended(process) for process in processes]
    assert [code for code, _, _ in said] == [0, 0, 0], said
    return joined, eight, arrays, said


def compare(path: Path, arrays: dict[str, np.ndarray]) -> set[str]:
    """Names that the file has besides those that are the same."""
    there = np.load(path)
    for name, values in arrays.items():
        np.testing.assert_array_equal(there[name], values, err_msg=name)
    return set(there.files) - set(arrays)


@pytest.mark.parametrize("process", [0, 1])
def test_two_processes_find_the_same_bits_as_one(ran, process):
    assert compare(ran[0] / f"found{process}.npz", ran[2]) == {"refused"}


def test_eight_devices_find_the_same_bits_as_four_two_and_one(ran):
    assert len(compare(ran[1] / "found0.npz", ran[2])) == 9
    there = np.load(ran[1] / "found0.npz")
    for name, values in hosts_job.trained(execution=Execution(devices=2)).items():
        np.testing.assert_array_equal(there[f"{name} on 1"], values, err_msg=name)
        np.testing.assert_array_equal(there[f"toy {name}"], values, err_msg=name)


def test_a_checkpoint_is_refused_by_all(ran):
    for process in range(2):
        assert "can't resume with seed = 4" in str(np.load(ran[0] / f"found{process}.npz")["refused"])


def test_only_the_first_prints_and_writes(ran, tmp_path, monkeypatch, capsys):
    joined, _, _, said = ran
    assert json.loads(said[0][1].strip().splitlines()[-1])["exit"] == 0
    assert said[0][1].splitlines()[0].startswith("the best p_S")  # not with what libraries say
    assert said[1][1] == ""
    assert not (joined / "out1").exists()
    monkeypatch.setattr(plots, "save_sweep", lambda table, folder: [])
    assert cli.main([*hosts_job.SWEPT, "--out", str(tmp_path)]) == 0
    with (
        xarray.open_dataset(joined / "out0" / "sweep.nc", engine="h5netcdf") as there,
        xarray.open_dataset(tmp_path / "sweep.nc", engine="h5netcdf") as here,
    ):
        xarray.testing.assert_equal(there, here)


DIES = """
import dataclasses, os, pathlib, signal, sys, threading
import numpy as np
from semres_jax import cli
from semres_jax.cli import _hosts
from semres_jax.storage import processes

@dataclasses.dataclass(frozen=True)
class Command:
    out: pathlib.Path = pathlib.Path(".")
    def run(self):
        processes.gather(np.zeros(1))
        if processes.hosts()[0] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        processes.gather(np.zeros(1))
        return 0

_hosts.LEAVE_SECONDS = 0.5
sys.exit(cli._told(lambda: _hosts.run(Command(), cli._told)))
"""


def test_a_process_that_dies_does_not_leave_the_other_waiting():
    (code, out, err), (killed, _, _) = [ended(process) for process in pair(["-c", DIES])]
    assert killed == -signal.SIGKILL
    assert code == 1
    assert out == ""
    assert "semres: process 0 lost another one" in err


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "--distributed found no cluster that JAX knows"),
        (
            {
                "JAX_COORDINATOR_ADDRESS": "127.0.0.1:9",
                "SLURM_JOB_ID": "1",
                "SLURM_STEP_NODELIST": "localhost",
                "SLURM_NTASKS": "2",
                "SLURM_PROCID": "1",
                "SLURM_LOCALID": "1",
            },
            "--distributed waited 1 s for the other processes",
        ),
    ],
)
def test_a_cluster_that_does_not_come_together_is_one_line(variables, message):
    script = "import sys; from semres_jax import cli; from semres_jax.cli import _hosts; _hosts.JOIN_SECONDS = 1;"
    process = started(["-c", f"{script} sys.exit(cli.main(['toy', '--distributed']))"], **variables)
    code, _, err = ended(process)
    assert code == 2
    assert err.count("\n") == 1
    assert message in err
