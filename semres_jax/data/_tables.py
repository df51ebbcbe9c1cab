"""Small tables that users write: which leaf of a tree a class is, and distances between classes."""

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax._files import composed, shown, text_of
from semres_jax.data.image_sets import listed

_DECLARED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)


def read_leaves(path: str | os.PathLike[str]) -> dict[str, str]:
    """class -> leaf from a CSV file whose first line is "class,leaf" (or with ; or tabs, as spreadsheets save it).

    Names are in Unicode's composed form (NFC).

    Raises:
        ValueError: no text in UTF-8, another first line, a line without two entries, a class twice, no class at all.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    rows = _rows(path, "leaves", ",;\t")
    if [cell.lower() for cell in rows[0][1]] != ["class", "leaf"]:
        got = shown(",".join(rows[0][1]))
        raise ValueError(f"the first line of {shown(path)!r} must be 'class,leaf'; got {got!r}")
    leaves: dict[str, str] = {}
    for number, row in rows[1:]:
        if len(row) != 2 or not all(row):
            got = shown(",".join(row))
            raise ValueError(f"line {number} of {shown(path)!r} must be a class and its leaf; got {got!r}")
        name, leaf = map(composed, row)
        if name in leaves:
            raise ValueError(f"class {shown(name)!r} appears twice in {shown(path)!r}; give it one leaf")
        leaves[name] = leaf
    if not leaves:
        raise ValueError(f"{shown(path)!r} names no class; write a line 'class,leaf' for each")
    return leaves


def read_distances(source: Any, names: Sequence[str] | None = None) -> Any:
    """A table of distances: from a CSV file with names, in the order of `names`, a .npy file, or an array as it is.

    Raises:
        ValueError: a file of another kind or broken, a CSV table that isn't square or has other classes than `names`.
        FileNotFoundError: no such file.
    """
    if not isinstance(source, (str, os.PathLike)):
        return source
    path = Path(source)
    if path.suffix.lower() == ".csv":
        return _named_distances(path, names)
    if path.suffix.lower() != ".npy":
        raise ValueError(f"distances must be an array, a .csv file with names or a .npy file; got {str(path)!r}")
    _require_file(path, "distances")
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"cannot read {str(path)!r} as a NumPy array: {reason[:200]}") from None


def _named_distances(path: Path, names: Sequence[str] | None) -> np.ndarray:
    rows = _rows(path, "distances")
    columns = rows[0][1][1:]
    table: dict[str, dict[str, float]] = {}
    for number, row in rows[1:]:
        where = f"line {number} of {str(path)!r}"
        if len(row) != len(columns) + 1:
            raise ValueError(f"{where} must be a class and {len(columns)} distances; got {len(row)} entries")
        try:
            table[row[0]] = dict(zip(columns, map(float, row[1:]), strict=True))
        except ValueError:
            raise ValueError(f"{where}, class {row[0]!r}, has an entry that is no number") from None
    if len(set(columns)) < len(columns) or len(rows) - 1 != len(columns) or set(table) != set(columns):
        raise ValueError(
            f"{str(path)!r} must have the same classes in its first line and its first column, each once; "
            f"got {len(columns)} columns and {len(rows) - 1} rows"
        )
    names = columns if names is None else names
    for name in columns:
        if name not in names:
            raise ValueError(f"{str(path)!r} has the unknown class {name!r}; the classes are {listed(names)}")
    for name in names:
        if name not in table:
            raise ValueError(f"class {name!r} is missing from {str(path)!r}; add its row and column")
    return np.array([[table[row][column] for column in names] for row in names], np.float64)


def _rows(path: Path, argument: str, separators: str = ",") -> list[tuple[int, list[str]]]:
    """Lines that aren't empty, with their numbers, blanks around entries removed.

    Args:
        separators: what may stand between entries; the first line tells which of them does.
    """
    text = text_of(path, f"file of {argument}")
    separator, skipped = ",", 0
    if len(separators) > 1:
        first, _, rest = text.partition("\n")
        if declared := _DECLARED.fullmatch(first.strip()):  # Excel's first line "sep=;"
            separator, text, skipped = declared[1], rest, 1
        else:
            names = re.sub(r'"[^"]*"', "", next((line for line in text.split("\n", 100) if line.strip()), ""))
            separator = max(separators, key=names.count)
    try:
        reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
        rows = [
            (reader.line_num + skipped, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))
        ]
    except csv.Error as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"cannot read {shown(path)!r} as CSV: {reason}; is a quotation mark left open or within an entry?"
        ) from None
    if not rows:
        raise ValueError(f"the file of {argument}, {shown(path)!r}, is empty")
    return rows


def _require_file(path: Path, argument: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"no file of {argument} {str(path)!r}")
