"""What tests of commands share."""

from collections.abc import Callable

import pytest

from semres_jax import cli


@pytest.fixture
def refusal(capsys) -> Callable[..., str]:
    """Run a command that must refuse: exit code 2 and one line on standard error, which is returned."""

    def run(*words: str) -> str:
        assert cli.main(words) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert error.startswith("semres: ")
        return error

    return run
