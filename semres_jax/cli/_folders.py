"""Folders of results: made, locked, and never taken from a finished run without a word."""

import contextlib
import dataclasses
import io
import itertools
import json
import shlex
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from semres_jax._files import shown

# What the user typed, for the provenance of results; `main` sets it.
COMMAND_LINE: ContextVar[str] = ContextVar("COMMAND_LINE", default="")
# What ends with the command, as the locks of its folders; `main` sets and closes it.
UNTIL_THE_END: ContextVar[contextlib.ExitStack | None] = ContextVar("UNTIL_THE_END", default=None)
# Options that don't change what a run computes.
_NO_SETTINGS = ("out", "json", "force", "resume", "distributed")
_PICTURES = (".png", ".svg")
_LONGEST_COMMAND = 100


def output_folder(path: Path) -> Path:
    """The folder that a command writes to, made if missing, and locked until the command ends.

    Raises:
        OSError: it can't be made or written to.
        ValueError: another run is using it.
    """
    from semres_jax.storage.locks import Lock
    from semres_jax.storage.results import output_folder as made

    folder, until = made(path), UNTIL_THE_END.get()
    if until is not None:
        until.enter_context(Lock(folder))
    return folder


def results_folder(out: Path, name: str, *, force: bool = False, goes_on_from: str = "") -> tuple[Path, list[str]]:
    """The folder for results NAME.nc and NAME.json, as `output_folder`, and pictures there that will be out of date.

    The same command again replaces its results. Those of a finished run with other settings stay: if the user named the
    folder, the command is refused; otherwise it has a folder of its own, with a number, and says so.

    Args:
        out: what the user named, or the command's default.
        name: of the results.
        force: replace whatever is there.
        goes_on_from: file or folder in `out` that the command, resuming, goes on from if it is there.

    Raises:
        OSError: as `output_folder`.
        ValueError: as `output_folder`; or the folder holds a finished run.
    """
    from semres_jax.cli._surroundings import say

    resumes = goes_on_from != "" and (out / goes_on_from).exists()
    other = None if force or resumes else _other_run(out, name)
    folder = out
    if other is not None and _names_folder(COMMAND_LINE.get()):
        raise ValueError(
            f"{shown(out)!r} holds the finished results of {other}: --force replaces them, --out names another folder"
        )
    if other is not None:
        numbered = (out.with_name(f"{out.name}-{number}") for number in itertools.count(2))
        folder = next(path for path in numbered if _other_run(path, name) is None)
        say(f"{out} holds the finished results of {other}; these go to {folder} (--force would replace the others)")
    folder = output_folder(folder)
    content = _content(folder / f"{name}.json")
    listed = content.get("files", []) if isinstance(content, dict) else []
    names = [file for file in listed if isinstance(file, str)] if isinstance(listed, list) else []
    return folder, [file for file in names if Path(file).name == file and file.endswith(_PICTURES)]


def _content(path: Path) -> Any:
    """What a file of JSON holds; None where there is none, or none that is whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _other_run(folder: Path, name: str) -> str | None:
    """What a finished run in the folder was, if its settings were others: its command, shortened, and when it began."""
    content = _content(folder / f"{name}.json")
    if content is None or not COMMAND_LINE.get():
        return None
    about = content if isinstance(content, dict) else {}
    if about.get("complete") == 0 or _same_run(str(about.get("command", "")), COMMAND_LINE.get()):
        return None
    command = shown(about.get("command", "another program"), _LONGEST_COMMAND)
    return f"`{command}`" + (f" of {shown(about['started'])}" if "started" in about else "")


def _same_run(line: str, other: str) -> bool:
    """Whether two command lines ask for the same computation."""
    if line == other:
        return True
    settings = [_settings(line), _settings(other)]
    return settings[0] is not None and settings[0] == settings[1]


def _settings(line: str) -> Any:
    from semres_jax.cli import parse

    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            command = parse(shlex.split(line)[1:])
    except (SystemExit, ValueError):
        return None
    command = getattr(command, "what", command)
    names = [field.name for field in dataclasses.fields(command) if field.name not in _NO_SETTINGS]
    return type(command), [getattr(command, name) for name in names]


def _names_folder(line: str) -> bool:
    return any(word.split("=")[0] == "--out" for word in shlex.split(line))
