"""Commands whose folder another process is writing to: one line, exit code 2, and nothing is touched."""

import platform

import pytest

from semres_jax import cli
from semres_jax.storage import locks
from tests.test_locks import holder as holder

pytestmark = pytest.mark.skipif(locks.fcntl is None, reason="this operating system has no such locks")

COMMANDS = {
    "toy": ("--steps", "5"),
    "resnet": ("--quick",),
    "sprites": ("--quick",),
    "sweep": ("--epsilon", "0.1,0.2"),
    "validate": ("--quick", "--space", "circle"),
    "optimal": ("--delta", "0.5"),
}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_second_run_on_a_folder_in_use_is_refused(command, tmp_path, holder, refusal):
    process = holder(tmp_path)
    for more in [()] if command == "optimal" else [(), ("--resume",)]:
        printed = refusal(command, *COMMANDS[command], "--out", str(tmp_path), *more)
        named = f"process {process.pid} on {platform.node()}"
        assert printed == f"semres: '{tmp_path}' is in use by {named}: wait until it ends, or name another folder\n"
    assert [path.name for path in tmp_path.iterdir()] == [locks.LOCK_NAME]


def test_a_folder_is_free_once_the_command_ends(tmp_path, capsys):
    for n in ("2", "1", "2"):  # one item is bad input
        words = ("sweep", "--epsilon", "0.1", "--n", n, "--out", str(tmp_path))
        assert cli.main(words) == (0 if n == "2" else 2)
        assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
