"""A training that is killed, at any moment and any number of times, ends as one that never was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# Far more than a machine busy with other tests needs.
SECONDS = 300


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize(("job", "kills"), [("toy", 4), ("resnet", 1)])
def test_killed_and_resumed_it_is_the_same(job, kills, tmp_path):
    # Programs from a cache make XLA tell at length of two features that are no instructions.
    own = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    words = [sys.executable, "-m", "tests.training.killed", job, str(kills), str(tmp_path)]
    done = subprocess.run(words, env=own, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["kills"] == kills
    assert counts["resumed"] >= kills // 4, counts  # it did go on from checkpoints
    assert counts["ends"] >= 1
