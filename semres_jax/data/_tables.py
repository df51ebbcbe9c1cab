"""Small tables that users write: which leaf of a tree a class is, and distances between classes."""

import contextlib
import csv
import io
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax import _memory
from semres_jax._files import composed, shown, text_of
from semres_jax._names import labels_list, places, text_of_labels
from semres_jax.data import _arrays
from semres_jax.data.image_sets import listed

_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}", re.ASCII)
# Bytes that a byte of a table takes while it is read, as measured with entries of three letters.
_IN_MEMORY = 25
_FLOAT_NAME = re.compile(r"-?\d+\.0", re.ASCII)
# How the names of files of text end.
TEXTS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
# What stands where there is no entry.
NOTHING = ("", "na", "n/a", "#n/a", "<na>", "nan", "null")
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


def read_distances(source: Any, names: Sequence[Any] | None = None) -> Any:
    """A table of distances: from a CSV file with names, in the order of `names`, a .npy file, or an array as it is.

    Raises:
        ValueError: a file of another kind or broken, a CSV table that isn't square or has other classes than `names`.
        FileNotFoundError: no such file.
    """
    if not isinstance(source, (str, os.PathLike)):
        return source
    table, known = distances_and_names(source)
    if names is None or Path(source).suffix.lower() == ".npy":
        return table
    where = shown(Path(source))
    if not known:
        raise ValueError(
            f"{where!r} is a table of numbers only; its first line and its first column must be names of the classes "
            "(or save it as .npy, in the order of the classes)"
        )
    wanted = labels_list(list(names), "names")
    texts = text_of_labels(wanted)
    try:
        rows = places(known, wanted).tolist()
    except ValueError:
        rows = [known.index(text) for text in texts if text in known]
    left = [name for k, name in enumerate(known) if k not in rows]
    if left:
        classes = listed([shown(name) for name in texts])
        raise ValueError(f"{where!r} has the unknown class {shown(left[0])!r}; the classes are {classes}")
    if len(rows) < len(texts):
        missing = next(text for text in texts if text not in known)
        raise ValueError(f"class {shown(missing)!r} is missing from {where!r}; add its row and column")
    return table[np.ix_(rows, rows)]


def distances_and_names(source: str | os.PathLike[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """A table of distances from a .npy or .csv file (with commas, semicolons or tabs), and the names that it has.

    A .npy file may hold the N (N - 1) / 2 numbers of `scipy.spatial.distance.pdist` instead.

    Raises:
        ValueError, FileNotFoundError: as `read_distances`.
    """
    path = Path(source)
    if path.name.lower().endswith(TEXTS):
        return square_csv(path)
    if path.suffix.lower() != ".npy":
        raise ValueError(f"distances must be an array, a .csv file with names or a .npy file; got {shown(path)!r}")
    table = np.array(_arrays.npy(path, "file of distances"))
    size = (1 + math.isqrt(1 + 8 * table.size)) // 2
    if table.ndim == 1 and table.size and size * (size - 1) // 2 == table.size:
        from scipy.spatial.distance import squareform

        table = squareform(table, checks=False)
    return table, ()


def square_csv(path: Path, what: str = "distances", missing: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """The square table of a CSV file, rows in the order of its columns, and the names that it has.

    Args:
        path: of the file.
        what: is in the table, for messages.
        missing: whether entries may be empty, NA or NaN, which is NaN.

    Raises:
        ValueError, FileNotFoundError: as `read_distances`.
    """
    where = shown(path)
    if path.is_file():
        _memory.require(_IN_MEMORY * path.stat().st_size, f"the {what} in {where!r}")
    rows = _rows(path, what, ",;\t")
    if len(rows) > 1 and all(len(row) > 1 and not row[-1] for _, row in rows):  # separators at the ends of lines
        rows = [(line, row[:-1]) for line, row in rows]
    if len(rows) > 1 and all(len(row) == 1 and len(row[0].split()) == len(rows) for _, row in rows):
        rows = [(line, row[0].split()) for line, row in rows]  # as numpy.savetxt separates
    first = rows[0][1]
    commas = [cell for _, row in rows for cell in row if "," in cell]
    decimal = any(not _THOUSANDS.fullmatch(cell) for cell in commas)  # else commas may be those of thousands

    def number(text: str) -> float | None:
        if missing and text.lower() in NOTHING:
            return math.nan
        with contextlib.suppress(ValueError):
            if "_" in text:  # Python's own way to write thousands
                return None
            value = float(text.replace(",", ".") if decimal and "." not in text else text)
            return value if math.isfinite(value) else None
        return None

    if len(rows) == len(first) and first[0] and all(number(cell) is not None for cell in first):
        names, lines = (), rows
    else:
        # R leaves out the name of the column of names.
        names = tuple(map(composed, first if len(rows) > 1 and len(rows[1][1]) == len(first) + 1 else first[1:]))
        lines = rows[1:]
    if names and all(_FLOAT_NAME.fullmatch(name) for name in names):  # whole numbers that pandas had with NaN
        names, lines = tuple(map(_whole, names)), [(line, [_whole(row[0]), *row[1:]]) for line, row in lines]
    table = np.empty((len(lines), len(names) or len(first)))
    for k, (line, row) in enumerate(lines):
        cells = row[1:] if names else row
        if len(cells) != table.shape[1]:
            wanted = f"a class and {len(names)} {what}" if names else f"{table.shape[1]} {what}"
            raise ValueError(f"line {line} of {where!r} must be {wanted}; got {len(row)} entries")
        values = [number(cell) for cell in cells]
        if None in values:
            bad = cells[values.index(None)]
            of = f", class {shown(row[0])!r}," if names else ""
            hint = " (write decimal points)" if "," in bad else ""
            raise ValueError(f"line {line} of {where!r}{of} has an entry that is no number: {shown(bad)!r}{hint}")
        table[k] = values
    own = [composed(row[0]) for _, row in lines] if names else []
    if len(set(names)) < len(names) or sorted(own) != sorted(names):
        twice = next((name for part in (names, own) for name in part if part.count(name) > 1), None)
        odd = next(iter(set(names) ^ set(own)), "")
        why = f"{shown(odd)!r} is in one of them only" if twice is None else f"{shown(twice)!r} is there twice"
        raise ValueError(
            f"{where!r} must have the same classes in its first line and its first column, each once; "
            f"got {len(names)} columns and {len(lines)} rows, and {why}"
        )
    order = [own.index(name) for name in names]
    return (table[order] if names else table), names


def _whole(name: str) -> str:
    return name.removesuffix(".0")


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
