"""A training that is killed, at any moment and any number of times, ends as one that never was."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# Far more than a machine busy with other tests needs.
SECONDS = 300


pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


@pytest.fixture(scope="module")
def counts(request, tmp_path_factory):
    """What `killed` tells of a job and a number of kills, and the folder of both."""
    job, kills = request.param
    folder = tmp_path_factory.mktemp(job)
    # Programs from a cache make XLA tell at length of two features that are no instructions.
    own = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    words = [sys.executable, "-m", "tests.training.killed", job, str(kills), str(folder)]
    done = subprocess.run(words, env=own, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"folder": folder, "wanted": kills}


@pytest.mark.parametrize("counts", [("toy", 4), ("resnet", 1)], indirect=True, scope="module")
def test_killed_and_resumed_it_is_the_same(counts):
    kills = counts["wanted"]
    assert counts["kills"] == kills
    assert counts["resumed"] >= kills // 4, counts  # it did go on from checkpoints
    assert counts["ends"] >= 1


@pytest.mark.parametrize("counts", [("toy", 4)], indirect=True, scope="module")
def test_a_second_training_in_the_folder_of_the_first(counts):
    """Refused while the first is alive; afterwards what the first has left is nothing to go on from."""
    in_use, resumed, after, anew, without_locks, mixed, anew_again = counts["second of two"]
    folder = str(counts["folder"] / "two")
    for line in (in_use, resumed):
        assert re.fullmatch(rf"'{folder}' is in use by process \d+ on .*: wait until it ends, .*", line)
    assert after.startswith(f"can't resume with seed = 1: the checkpoint in '{folder}' was made with 0 (")
    assert anew == without_locks == anew_again == "it began anew"
    assert re.match(rf"can't resume with seed = 1: checkpoint \d+ in '{folder}' was made with 0 ", mixed)
    assert not any("\n" in line for line in (in_use, after, mixed))
