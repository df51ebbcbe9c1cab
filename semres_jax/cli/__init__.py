"""The command line: `semres COMMAND`. A command parses, calls the library, prints and writes; nothing else is here.

A command is a frozen dataclass, one per file, whose fields are its options (their docstrings are the help texts) and
whose `run()` gives the exit code: 0 done, 1 a check failed. Bad input ends in 2 and one line on standard error, Ctrl-C
in 130. Modules of commands import nothing heavy before `run`: help is there in well under a second.
"""

import contextlib
import io
import itertools
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Union

import tyro

from semres_jax.cli import _interrupts, _programs
from semres_jax.cli._common import COMMAND_LINE, UNTIL_THE_END, BadInput
from semres_jax.cli.bench import Bench
from semres_jax.cli.laws import Laws
from semres_jax.cli.measure import Measure
from semres_jax.cli.optimal import Optimal
from semres_jax.cli.resnet import Resnet
from semres_jax.cli.sweep import Sweep
from semres_jax.cli.toy import Toy
from semres_jax.cli.validate import Validate
from semres_jax.storage.results import Unwritable

# One line for each command, in the order of the help text.
COMMANDS: dict[str, type] = {
    "validate": Validate,
    "sweep": Sweep,
    "optimal": Optimal,
    "toy": Toy,
    "resnet": Resnet,
    "measure": Measure,
    "laws": Laws,
    "bench": Bench,
}

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, _interrupts.INTERRUPTED


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `semres`; default those of this process.

    Returns:
        The exit code: 0 done, 1 a check failed, 2 bad input, 130 interrupted.

    Example:
        >>> from semres_jax import cli
        >>> cli.main(["validate", "--n", "two"])
        2
    """
    words = list(sys.argv[1:] if argv is None else argv)

    def parsed_and_run() -> int:
        command = parse(words or ["--help"])
        COMMAND_LINE.set(shlex.join(["semres", *words]))
        _programs.keep()
        if not getattr(command, "distributed", False):
            return command.run()
        from semres_jax.cli import _hosts

        return _hosts.run(command, _told)

    with (
        _interrupts.never_lost(of_process=argv is None and "--distributed" not in words),
        contextlib.ExitStack() as until_the_end,
    ):
        UNTIL_THE_END.set(until_the_end)
        return _told(parsed_and_run)


def _told(run: Callable[[], int]) -> int:
    """The exit code of a command; what goes wrong is one line on standard error."""
    try:
        return run()
    except SystemExit as stop:  # help, and parse errors, which have been told
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    except (BadInput, Unwritable) as error:
        print(f"semres: {error}", file=sys.stderr)
        return BAD_INPUT
    except (Exception, KeyboardInterrupt) as error:
        if not (isinstance(error, KeyboardInterrupt) or _interrupts.happened()):  # some libraries raise others instead
            raise
        _interrupts.tell()
        return INTERRUPTED


def parse(words: Sequence[str]) -> Any:
    """The command that the words make.

    Raises:
        SystemExit: with code 0 after help was printed, with code 2 after one line on standard error.
    """
    kinds = tuple(Annotated[kind, tyro.conf.subcommand(name)] for name, kind in COMMANDS.items())
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                Union[kinds],  # noqa: UP007 # pyright: ignore
                prog="semres",
                description="Generalization and identification at finite resolution: laws, simulations, models.",
                args=words,
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.UseAppendAction),
            )
    except SystemExit as stop:
        if stop.code:
            print(f"semres: {_one_line(errors.getvalue())}", file=sys.stderr)
        raise


def _one_line(boxed: str) -> str:
    """tyro's boxed error as one line: what stands in the box, up to the first rule."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", boxed).splitlines()
    inside = [line.strip(" │") for line in lines if line.startswith("│")] or lines
    message = " ".join(itertools.takewhile(lambda line: line.strip("─"), inside))
    message = re.sub(r"\.?\s*For full helptext,? (?:run|see) (.*)", r"; see \1", " ".join(message.split()))
    return message or "this command line makes no sense; see semres --help"
