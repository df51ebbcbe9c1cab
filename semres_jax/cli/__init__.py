"""The command line: `semres COMMAND`. A command parses, calls the library, prints and writes; nothing else is here.

A command is a frozen dataclass, one per file, whose fields are its options (their docstrings are the help texts) and
whose `run()` gives the exit code: 0 done, 1 a check failed. Bad input ends in 2 and one line on standard error, Ctrl-C
in 130. Who reads standard output may stop (`| head -1`): that changes nothing; where it can't be written, as on a full
disk, the results are in their files all the same, and the exit code is 2. Modules of commands import nothing heavy
before `run`: help is there in well under a second.
"""

import contextlib
import gc
import io
import itertools
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Union

import tyro

from semres_jax._files import there_are
from semres_jax._version import __version__
from semres_jax.cli import _interrupts, _programs, _surroundings
from semres_jax.cli._common import COMMAND_LINE, UNTIL_THE_END, BadInput
from semres_jax.cli._groups import flat, grouped
from semres_jax.cli._surroundings import say
from semres_jax.cli.bench import Bench
from semres_jax.cli.dynamics import Dynamics
from semres_jax.cli.explore import Explore
from semres_jax.cli.laws import Laws
from semres_jax.cli.measure import Measure
from semres_jax.cli.optimal import Optimal
from semres_jax.cli.reproduce import Reproduce
from semres_jax.cli.resnet import Resnet
from semres_jax.cli.sprites import Sprites
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
    "sprites": Sprites,
    "measure": Measure,
    "dynamics": Dynamics,
    "explore": Explore,
    "reproduce": Reproduce,
    "laws": Laws,
    "bench": Bench,
}

_DESCRIPTION = """Generalization and identification at finite resolution: laws, simulations, models.

semres COMMAND --help has an example of each command; semres --version says which version this is.
semres --tyro-print-completion bash (or zsh, fish) prints a completion script for that shell."""
_COMPLETION, SHELLS = ("--tyro-print-completion", "--tyro-write-completion"), ("bash", "zsh", "fish")
# Objects made between two looks for circles of garbage. Imports of a few large libraries make hundreds of thousands,
# hardly any of which go: with Python's own 700, a short command spends a tenth of its time looking.
_OBJECTS = 200_000
# Set to anything, errors that nobody expected are raised with their traceback.
_TRACEBACKS = "SEMRES_TRACEBACK"
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
    of_process = argv is None
    if of_process:
        gc.set_threshold(_OBJECTS)

    def parsed_and_run() -> int:
        if words == ["--version"]:
            print(f"semres {__version__}")
            return DONE
        command = parse(words or ["--help"])
        COMMAND_LINE.set(shlex.join(["semres", *words]))
        _programs.keep()
        if not getattr(command, "distributed", False):
            return command.run()
        from semres_jax.cli import _hosts

        return _hosts.run(command, _told)

    with (
        _surroundings.streams(of_process=of_process) as out,
        _surroundings.quiet_libraries() if of_process else contextlib.nullcontext(),
        _interrupts.never_lost(of_process=of_process and "--distributed" not in words),
        contextlib.ExitStack() as until_the_end,
    ):
        UNTIL_THE_END.set(until_the_end)
        code = _told(parsed_and_run, bugs=not of_process)
        lost = _surroundings.unwritten(out)
        if lost is not None:
            say(lost)
            code = BAD_INPUT
    if of_process:
        gc.freeze()  # the process ends: nothing is looked for once more
    return code


def _told(run: Callable[[], int], *, bugs: bool = True) -> int:
    """The exit code of a command; what goes wrong is one line on standard error.

    Args:
        bugs: whether errors that nobody expected are raised, as they are where Python code calls the command.
    """
    try:
        return run()
    except SystemExit as stop:  # help, and parse errors, which have been told
        return DONE if stop.code is None else stop.code if isinstance(stop.code, int) else BAD_INPUT
    except (BadInput, Unwritable) as error:
        say(error)
        return BAD_INPUT
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or _interrupts.happened():  # some libraries raise others instead
            _interrupts.tell()
            return INTERRUPTED
        reason = _of_the_machine(error)
        if reason is None and (bugs or os.environ.get(_TRACEBACKS)):
            raise
        say(reason or _as_bug(error))
        return BAD_INPUT


def _of_the_machine(error: BaseException) -> str | None:
    """What to say of an error that no input and no bug is the cause of."""
    text = " ".join(str(error).split())
    if isinstance(error, RuntimeError) and "Unable to initialize backend" in text:  # JAX_PLATFORMS
        return f"JAX finds no device to compute on: {text}"
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        return f"not enough memory: {text or 'Python got no more'}; ask for less at once"
    return None


def _as_bug(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})" if frames else ""
    return f"unexpected {type(error).__name__}{place}: {error}; {_TRACEBACKS}=1 shows where it comes from"


def parse(words: Sequence[str]) -> Any:
    """The command that the words make.

    Raises:
        SystemExit: with code 0 after help or a completion was printed, with code 2 after one line on standard error.
        BadInput: a shell that there is no completion for.
    """
    kinds = tuple(
        Annotated[grouped(kind) if name in words and kind is not Measure else kind, tyro.conf.subcommand(name)]
        for name, kind in COMMANDS.items()
    )
    if len(words) > 1 and words[0] in _COMPLETION and words[1] not in SHELLS:
        raise BadInput(f"no completion for shell {words[1]!r}; {there_are(words[1], SHELLS)}")
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), _surroundings.wide_enough():
            return flat(
                tyro.cli(
                    Union[kinds],  # noqa: UP007 # pyright: ignore
                    prog="semres",
                    description=_DESCRIPTION,
                    args=words,
                    config=(tyro.conf.FlagCreatePairsOff, tyro.conf.UseAppendAction),
                )
            )
    except SystemExit as stop:
        if stop.code:
            say(_one_line(errors.getvalue()))
        raise


# Between the parts of an error of tyro's.
_RULE = re.compile("[─-]{3,}")


def _one_line(boxed: str) -> str:
    """tyro's boxed error as one line: what stands in the box up to the first rule, and the nearest word that there is.

    Example:
        >>> from semres_jax.cli import _one_line
        >>> _one_line("│ Unrecognized options: swep\\n│ ───\\n│ Available subcommands: validate, sweep")
        "Unrecognized options: swep; did you mean 'sweep'? There are validate, sweep"
    """
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", boxed).splitlines()]
    inside = [line.strip(" │") for line in lines if line.startswith("│")]
    if not inside:  # where standard output isn't in UTF-8 the box is a title and a rule
        inside = lines[2:] if len(lines) > 2 and _RULE.fullmatch(lines[1]) else lines
    message = " ".join(itertools.takewhile(lambda line: not _RULE.fullmatch(line), inside))
    inside = ["─" if _RULE.fullmatch(line) else line for line in inside]
    message = re.sub(r"\.?\s*For full helptext,? (?:run|see) (.*)", r"; see \1", " ".join(message.split()))
    whole = " ".join(" ".join(inside).split())
    wrong = re.match(r"Unrecognized options: ([^\s,]+)|invalid choice '([^']*)'", message)
    option = re.search(r"Perhaps you meant: (--[\w-]+)", whole)
    commands = re.search(r"Available subcommands: ([\w, -]+?) ?(?:─|$)", whole)
    choices = re.search(r" Expected one of \(([^)]*)\)\.?", message)
    if wrong is not None and choices is not None:  # in an order that changes from run to run
        names = sorted(name for name in re.findall(r"'([^']*)'", choices[1]) if name != "None")
        return f"{message[: choices.start()].rstrip('.')}; {there_are(wrong[2], names)}"
    if wrong is not None and option is not None:
        return f"{message}; did you mean '{option[1]}'?"
    if wrong is not None and commands is not None and not wrong[1].startswith("-"):
        return f"{message}; {there_are(wrong[1], commands[1].split(', '))}"
    return message or "this command line makes no sense; see semres --help"
