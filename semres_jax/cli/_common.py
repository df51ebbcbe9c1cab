"""What commands share: how lists and counts are written, bad input, progress, the last line for machines."""

import contextlib
import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from semres_jax._files import shown
from semres_jax.cli._folders import COMMAND_LINE, UNTIL_THE_END as UNTIL_THE_END, results_folder
from semres_jax.cli._surroundings import say

if TYPE_CHECKING:
    import xarray

    from semres_jax.storage.resume import Saved

# Between two refreshes of the progress bar's text.
_REFRESH = 0.1
# Columns of a terminal between two of a table.
_GAP = 2


class BadInput(Exception):
    """What the user gave can't be used. Its message is one line that names the value and what would do."""


@contextlib.contextmanager
def checking_input(saved: "Saved | None" = None, *more: type[Exception]) -> Iterator[None]:
    """Where input is read and checked: what the library refuses there, as these errors and `more`, is `BadInput`.

    Args:
        saved: of a run that checks everything before it opens this; what is refused later is a bug.
    """
    try:
        yield
    except (ValueError, OSError, *more) as error:
        if saved is not None and saved.opened and not isinstance(error, more):
            raise
        raise BadInput(" ".join(str(error).split())) from error


def is_first_host() -> bool:
    """Whether this process is the one, of all that `jax.distributed` joined, that writes files and prints."""
    from semres_jax.storage import processes

    return processes.hosts()[0] == 0


def going_on(path: Path, *, resume: bool, results: Callable[[Any], Any]) -> "Saved":
    """Where a long command keeps what it has done; says on standard error what becomes of what is there.

    Raises:
        ValueError: the file is none of these, or is broken, and is left alone.
    """
    from semres_jax.storage.resume import Saved

    lines = {
        (True, "nothing"): f"nothing to resume in {path.parent}; starting anew",
        (True, "complete"): f"the run in {path.parent} is complete; nothing is computed again",
        (False, "unfinished"): f"replacing the unfinished run in {path.parent} (--resume goes on from it)",
        (False, "broken"): f"replacing {path}, which is broken",
    }

    def begins(there: str) -> None:
        if is_first_host() and (resume, there) in lines:
            say(lines[resume, there])

    return Saved(path, resume=resume, results=results, begins=begins)


def require_seed(seed: int) -> None:
    """Raise `ValueError` unless seeds of JAX's keys tell this one from all others: they have 32 bits."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed must be a whole number from 0 to {2**32 - 1}; got {seed}")


def count(text: str) -> int:
    """A whole number, also as 1e6.

    Example:
        >>> from semres_jax.cli import _common
        >>> _common.count("1e6")
        1000000
    """
    try:
        value = float(text)
        if value.is_integer():
            return int(text) if text.strip().isdigit() else int(value)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r} is not a whole number such as 3 or 1e6")


def number(text: str) -> float:
    """A real number."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number such as 0.05") from None


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _option(read: Callable[[str], Any], metavar: str) -> PrimitiveConstructorSpec:
    """One word of the command line, read by `read`; None stands for a default that depends on other options."""
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: read(words[0]),
        is_instance=lambda value: True,
        str_from_instance=lambda value: [_written(value)],
    )


def _list_of(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(read(word) for word in text.split(",") if word.strip())


def grid(text: str) -> tuple[float, ...]:
    """Numbers as first:last:how many (equal steps), with :log after it (equal ratios), or as a list.

    Example:
        >>> from semres_jax.cli import _common
        >>> _common.grid("0:1:3"), _common.grid("0.01:1:3:log"), _common.grid("0.1,0.7")
        ((0.0, 0.5, 1.0), (0.01, 0.1, 1.0), (0.1, 0.7))
    """
    words = text.split(":")
    if len(words) == 1:
        return _list_of(number)(text)
    if len(words) not in (3, 4) or words[3:] not in ([], ["log"]):
        raise ValueError(f"{text!r} is no grid such as 0:0.5:200 (first, last, how many), 0.01:1:50:log, or 0.1,0.2")
    first, last, points = number(words[0]), number(words[1]), count(words[2])
    if points < 2:
        raise ValueError(f"a grid from {first:g} to {last:g} needs at least 2 numbers; got {points}")
    if len(words) == 3:
        return tuple(first + (last - first) * i / (points - 1) for i in range(points))
    if not first > 0:
        raise ValueError(f"a grid of equal ratios must begin above 0; got {first:g}")
    ratio = last / first
    return tuple(float(f"{first * ratio ** (i / (points - 1)):.12g}") for i in range(points))


grid_option = _option(grid, "FIRST:LAST:INT[:log]|X,X,...")
Whole = Annotated[int, _option(count, "INT")]
# None stands for a default that depends on other options; 0 is a number like others, mind `or`.
Count = Annotated[int | None, _option(count, "INT")]
Counts = Annotated[tuple[int, ...] | None, _option(_list_of(count), "INT,INT,...")]
Numbers = Annotated[tuple[float, ...], _option(_list_of(number), "X,X,...")]
Names = Annotated[tuple[str, ...] | None, _option(_list_of(str.strip), "NAME,NAME,...")]
# An option of every command that can run on many hosts: `distributed: Distributed = False`.
Distributed = Annotated[bool, tyro.conf.arg(help="Join the processes of a cluster: JAX's own environment, as SLURM's.")]
# An option of every command that writes to a folder: `force: Force = False`.
Force = Annotated[bool, tyro.conf.arg(help="Replace the results in --out, whatever run they are of.")]


def print_cells(
    heads: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str] = (), styles: Sequence[str | None] = ()
) -> None:
    """A table on standard output, in several blocks of columns where a terminal is too narrow for one.

    Args:
        heads: of the columns.
        rows: what stands in them.
        left: heads of columns that begin at the left; others end at the right. Those at the start, and in any case the
            first, are repeated in each block.
        styles: of the rows.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    room = Console().width if Console().is_terminal else sum(widths) + _GAP * len(widths)
    keys = max(1, next((k for k, head in enumerate(heads) if head not in left), len(heads)))
    for place, columns in enumerate(_blocks(widths, keys, room)):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(shown(heads[column]), justify="left" if heads[column] in left else "right", no_wrap=True)
        for row, style in itertools.zip_longest(cells, styles):
            table.add_row(*(Text(row[column]) for column in columns), style=style)
        if place:
            print()
        Console(width=sum(widths[column] + _GAP for column in columns)).print(table, highlight=False)


def _blocks(widths: Sequence[int], keys: int, room: int) -> list[list[int]]:
    """Columns of a table by the blocks that they stand in, each with the first `keys` columns.

    Example:
        >>> from semres_jax.cli import _common
        >>> _common._blocks([5, 3, 3, 3], 1, 15), _common._blocks([5, 3, 3, 3], 1, 80)
        ([[0, 1, 2], [0, 3]], [[0, 1, 2, 3]])
    """
    blocks = [list(range(keys))]
    for column in range(keys, len(widths)):
        if len(blocks[-1]) > keys and sum(widths[k] + _GAP for k in [*blocks[-1], column]) - _GAP > room:
            blocks.append(list(range(keys)))
        blocks[-1].append(column)
    return blocks


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error while the block runs; nothing at all where that is no terminal.

    Yields:
        A function of (what is being done, done, planned).
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    share, what = TextColumn("{task.percentage:3.0f}%"), TextColumn("{task.description}", markup=False)
    columns = (BarColumn(), share, TimeRemainingColumn(), what)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)
        last = 0.0

        def tick(what: str, done: int, planned: int) -> None:
            nonlocal last
            if done >= planned or time.monotonic() - last > _REFRESH:
                last = time.monotonic()
                bar.update(task, description=shown(what), completed=done, total=planned)

        yield tick


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Warnings of the library as one line each on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            for warning in caught:
                say(f"warning: {warning.message}")


def say_json(content: dict[str, Any]) -> None:
    """The machine-readable last line."""
    from semres_jax.storage.results import plain

    sys.stdout.flush()
    print(json.dumps(plain(content), allow_nan=False), flush=True)


class Report:
    """The results of a command: NAME.nc, NAME.json and pictures in a folder, with where they come from.

    Args:
        command: whose results they are, for the last line.
        out: the folder, made if missing and locked until the command ends; of several hosts the first has it.
        name: of the files.
        title: of the results.
        force: replace what is in the folder, whatever run it is of.
        goes_on_from: what a run that resumes goes on from in the folder, if it is there.
        seed: of all random numbers, where there are any.
        more: further attributes of both files.

    Raises:
        OSError, ValueError: as `results_folder`.
    """

    def __init__(
        self,
        command: str,
        out: Path,
        name: str,
        *,
        title: str,
        force: bool = False,
        goes_on_from: str = "",
        seed: int | None = None,
        **more: Any,
    ):
        from semres_jax.storage.results import provenance

        self.command, self.name, self.folder, self._outdated = command, name, out, list[str]()
        if is_first_host():
            self.folder, self._outdated = results_folder(out, name, force=force, goes_on_from=goes_on_from)
        self.attributes = provenance(seed=seed, command=COMMAND_LINE.get()) | {"title": title} | more
        self.content: dict[str, Any] = {}
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long the command has been at work."""
        return round(time.perf_counter() - self._started, 3)

    def write(self, table: "xarray.Dataset", summary: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Both files, each whole: the table, and a summary of it, which comes back with all attributes.

        Pictures that an earlier run left in the folder go first: they never stand beside numbers of another run.

        Args:
            more: attributes that are known by now; `seconds` unless it is given.
        """
        from semres_jax.storage import results

        for file in self._outdated:
            (self.folder / file).unlink(missing_ok=True)
        self._outdated = []
        attributes = self.attributes | {"seconds": self.seconds} | more
        results.write(table.assign_attrs(attributes | table.attrs | more), self.folder / f"{self.name}.nc")
        self.content = attributes | summary
        results.write_json(self.content, self.folder / f"{self.name}.json")
        return self.content

    def end(self, pictures: list[str], *, as_json: bool, code: int = 0) -> int:
        """The last lines of the command, once its JSON names all files; its exit code."""
        from semres_jax.storage import results

        self.content["files"] = [f"{self.name}.nc", f"{self.name}.json", *pictures]
        results.write_json(self.content, self.folder / f"{self.name}.json")
        print(f"{self.content['seconds']:.1f} s; results in {shown(self.folder)}: {', '.join(self.content['files'])}")
        if as_json:
            say_json({"command": self.command, "exit": code, "out": str(self.folder)} | self.content)
        return code
