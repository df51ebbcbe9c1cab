"""Options of a command as its help shows them: in groups, with what may be written, and no None.

A command is a flat dataclass. `grouped` makes of it what tyro reads: the same options in boxes of problem, number, run
and output; `flat` makes the command again of what tyro has read. Names of options and their meaning stay.
"""

import ast
import contextlib
import dataclasses
import itertools
import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import PrimitiveConstructorSpec

# Which group an option is in by its name; those that no group has say what the problem is.
GROUPS: dict[str, tuple[str, ...]] = {
    "problem": (),
    "number": (
        "epsilon", "delta", "n", "exponent", "trials", "weights", "levels", "batch", "lambda_sim", "lambda_rec",
        "learning_rate", "runs", "steps", "records", "test_items", "size", "alpha", "epochs", "per_class", "dtype",
        "shares", "level", "bootstrap", "limit", "prompts", "offsets",
    ),
    "run": ("method", "seed", "quick", "plan", "list", "resume", "distributed"),
    "output": ("out", "force", "json", "latex", "keep", "unit"),
}  # fmt: skip
_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
# The command that a class of this module stands for.
_COMMAND = "__semres_command__"


def grouped(kind: type) -> type:
    """The command as tyro is to read it, with a nested dataclass for each group that it has options in.

    Example:
        >>> import dataclasses
        >>> from semres_jax.cli._groups import grouped
        >>> from semres_jax.cli.laws import Laws
        >>> [field.name for field in dataclasses.fields(grouped(Laws))]
        ['output']
    """
    texts, hints = _texts(kind), get_type_hints(kind, include_extras=True)
    at_top: list[Any] = []
    inside: dict[str, list[Any]] = {group: [] for group in GROUPS}
    for field in dataclasses.fields(kind):
        hint = _readable(hints[field.name], texts.get(field.name))
        if field.default is dataclasses.MISSING:  # a positional argument
            at_top.append((field.name, hint))
        else:
            inside[_GROUP_OF.get(field.name, "problem")].append((field.name, hint, field.default))
    for group, fields in inside.items():
        if fields:
            made = dataclasses.make_dataclass(group.title(), fields, frozen=True)
            made.__doc__ = ""
            at_top.append((group, tyro.conf.OmitArgPrefixes[made], dataclasses.field(default_factory=made)))
    whole = dataclasses.make_dataclass(kind.__name__, at_top, frozen=True, namespace={_COMMAND: kind})
    whole.__doc__ = kind.__doc__
    return whole


def flat(read: Any) -> Any:
    """The command that tyro has read; commands inside a command too."""
    own = {field.name: getattr(read, field.name) for field in dataclasses.fields(read)}
    kind = getattr(read, _COMMAND, None)
    if kind is None:
        inner = {name: flat(value) for name, value in own.items() if hasattr(value, _COMMAND)}
        return dataclasses.replace(read, **inner) if inner else read
    options: dict[str, Any] = {}
    for name, value in own.items():
        options |= vars(value) if name in GROUPS and dataclasses.is_dataclass(value) else {name: value}
    return kind(**options)


def _texts(kind: type) -> dict[str, str]:
    """The docstrings of fields, which only the source has; none where there is no source."""
    with contextlib.suppress(OSError, TypeError, SyntaxError):
        module = ast.parse(Path(str(sys.modules[kind.__module__].__file__)).read_text(encoding="utf-8"))
        body = next(node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)
        return {
            field.target.id: " ".join(text.value.value.split())
            for field, text in itertools.pairwise(body)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
        }
    return {}


def _readable(hint: Any, text: str | None) -> Any:
    """A type with its help text; where None stands for what other options decide, help doesn't offer to write None."""
    bare, extras = (get_args(hint)[0], get_args(hint)[1:]) if get_origin(hint) is Annotated else (hint, ())
    added: dict[str, Any] = {} if text is None else {"help": text}
    kinds = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else ()
    if type(None) in kinds:
        if not any(getattr(extra, "help_behavior_hint", None) for extra in extras):
            added["help_behavior_hint"] = ""
        own = any(isinstance(extra, PrimitiveConstructorSpec) or getattr(extra, "metavar", None) for extra in extras)
        written = [_written(part) for part in kinds if part is not type(None)]
        if not own:
            added["metavar"] = "|".join(written)
    return Annotated[(bare, *extras, tyro.conf.arg(**added))] if added else hint


def _written(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"{{{','.join(map(str, get_args(kind)))}}}"
    return {Path: "PATH", str: "TEXT", float: "X", int: "INT"}.get(kind, "VALUE")
