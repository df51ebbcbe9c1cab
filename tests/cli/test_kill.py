"""Long commands that are killed at random moments, on full disks and in folders that vanish: nothing is lost."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

from semres_jax.storage import resume
from tests.killed import same_bits

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the children of this test are forked")

_KILLS = 10
# Of the kills so many at least have to come while cells are computed.
_MID_RUN = 8
# Seconds after the first write of a child, and after its start.
_LATER, _SOON = 0.12, 0.5
_TRIALS = 2**21
COMMANDS = {
    "validation": ("validate", "--delta", "0,0.05", "--quick"),
    "sweep": ("sweep", "--method", "lattice", "--epsilon", "0.01:0.4:6"),
}
STATES = {"validation": "validate.state", "sweep": "sweep.state"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A function of (words, file, seconds, most): exit code and standard error of a command."""
    folder = tmp_path_factory.mktemp("server")
    words = [sys.executable, str(Path(__file__).with_name("kill_server.py")), str(folder)]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}  # XLA says a lot about programs that it compiled itself
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet) as process:
        assert process.stdout.readline().startswith("ready")

        def run(*words, file=None, seconds=None, most=None):
            order = {"words": words, "file": file and str(file), "seconds": seconds, "most": most}
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            return answer["code"], answer["told"]

        yield run
        process.stdin.close()


@pytest.fixture(scope="module", params=list(COMMANDS))
def job(request, server, tmp_path_factory):
    """(name, words without folder, results of a run that nothing happened to)."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    words = [*COMMANDS[name], "--space", "circle", "--space", "finite", "--n", "8", "--trials", str(_TRIALS)]
    assert server(*words, "--out", str(folder)) == (0, "")
    return name, words, xarray.load_dataset(folder / f"{name}.nc")


def _whole(folder: Path, name: str) -> tuple[int, int, int]:
    """Everything in the folder opens; how far the run has come: cells, trials and tiles of the next."""
    done = (0, 0, 0)
    for path in folder.iterdir():
        if path.name.startswith(".semres-"):
            continue  # in the making
        if path.suffix == ".nc":
            table = xarray.load_dataset(path)
            trials = table.trials.values  # NaN of a case that is not finished
            assert name == "sweep" or (np.isnan(trials) | (trials == _TRIALS)).all()
        elif path.suffix == ".json":
            json.loads(path.read_text())
        else:
            assert path.name == STATES[name]
            header, finished, running = resume._parsed(path.read_bytes())
            assert len(running) <= 1
            at = next(iter(running.values()), {"trials": np.array(0), "tiles": np.array(0)})
            done = (len(finished), int(at["trials"]), int(at["tiles"]))
            assert not header["complete"]
    return done


def test_killed_at_random_moments(job, server, tmp_path):
    name, words, expected = job
    words = [*words, "--out", str(tmp_path), "--resume"]
    rng, steps = np.random.default_rng(sum(map(ord, name))), [(0, 0, 0)]
    for kill in range(_KILLS):
        soon = kill % 5 == 4
        file = None if soon else tmp_path / STATES[name]
        code, _ = server(*words, file=file, seconds=rng.uniform(0.0, _SOON if soon else _LATER))
        assert code == -9, "a run ended before it was killed: it is too short for this test"
        steps.append(_whole(tmp_path, name))
    assert steps == sorted(steps)
    assert sum(later > before for before, later in itertools.pairwise(steps)) >= _MID_RUN, steps
    assert server(*words) == (0, "")
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    same_bits(xarray.load_dataset(tmp_path / f"{name}.nc"), expected)
    state = (tmp_path / STATES[name]).read_bytes()
    code, printed = server(*words)
    assert (code, printed) == (0, f"semres: the run in {tmp_path} is complete; nothing is computed again\n")
    same_bits(xarray.load_dataset(tmp_path / f"{name}.nc"), expected)
    assert resume._parsed(state)[1].keys() == resume._parsed((tmp_path / STATES[name]).read_bytes())[1].keys()


def test_a_full_disk_and_a_folder_that_vanishes(job, server, tmp_path):
    """The limit on the size of a file is real: what is written past it fails, in HDF5 and elsewhere."""
    name, words, _ = job
    folder = tmp_path / "out"
    words = [*words, "--out", str(folder), "--resume"]
    assert server(*words, file=folder / STATES[name], seconds=0.0)[0] == -9
    content = (folder / STATES[name]).read_bytes()
    code, printed = server(*words, most=1000)
    assert code == 2
    assert printed == (
        f"semres: cannot write '{folder / STATES[name]}': file too large; what was written before is whole and stays\n"
    )
    assert (folder / STATES[name]).read_bytes() == content
    folder.rename(tmp_path / "away")
    folder.symlink_to(tmp_path / "nowhere")
    code, printed = server(*words)
    assert code == 2
    assert printed.startswith(f"semres: cannot write to folder '{folder}': file exists")
    assert printed.count("\n") == 1
