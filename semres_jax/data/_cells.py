"""Cells of a table of choices by the names of its columns, as people and their programs write them."""

import math
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from semres_jax._files import shown
from semres_jax.data._tables import _rows
from semres_jax.data.image_sets import listed

# How R, pandas, spreadsheets and people write that there is nothing.
_MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", ".", "-"))
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d*,\d+(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# What may be a number with a comma for the thousands, as well as one with a decimal comma.
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_POINT = re.compile(r"[+-]?\d*\.\d+", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
# Columns of items: what people call them, and what we do.
_KINDS = {"distance": "distance", "dist": "distance", "label": "label", "score": "score"}
_OF_ITEM = re.compile(rf"({'|'.join(_KINDS)})_?(\d+)(.*)", re.ASCII)
# Letters of a name, and of a column of names, each as long as the longest.
_LONGEST_NAME, _MOST_LETTERS = 500, 50_000_000


def is_missing(text: str) -> bool:
    """Whether a cell says that there is nothing."""
    return text.lower() in _MISSING


class Cells:
    """Cells of a file by the names of its columns, which count as the same in upper case, with blanks, dots or dashes.

    Errors name file and line.

    Attributes:
        columns: names of the columns as they are read.
        cells: (lines, columns).
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        (_, heads), *rows = _rows(self.path, "choices", ",;\t")
        self.heads = _without_end(heads, 0)
        self.columns = [re.sub(r"[\s._-]+", "_", name.lower()) for name in self.heads]
        self.lines = [line for line, _ in rows]
        self.cells = [_without_end(row, len(self.columns)) for _, row in rows]
        twice = next((name for name in self.heads if name and self.heads.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{shown(self.path)!r} has the column {shown(twice)!r} twice")
        if not self.cells:
            raise ValueError(f"{shown(self.path)!r} has no line after its first, which names the columns")
        for k, row in enumerate(self.cells):
            if row == self.heads:
                raise ValueError(
                    f"{self.where(k)} repeats the first line, as where files were joined: remove it, and see that no "
                    "trial has the number of another"
                )
            if len(row) != len(self.columns):
                must = f"must have {len(self.columns)} entries, one for each column"
                raise ValueError(f"{self.where(k)} {must}; got {len(row)}")
        for i, name in enumerate(self.columns):
            if i and not name and any(row[i] for row in self.cells):  # the first: numbers of rows
                raise ValueError(f"{shown(self.path)!r} has entries in column {i + 1}, but no name for it; name it")

    def __len__(self) -> int:
        return len(self.cells)

    def where(self, k: int) -> str:
        """Where row k is in the file."""
        return f"line {self.lines[k]} of {shown(self.path)!r}"

    def need(self, *names: str) -> None:
        """Refuse a file without these columns."""
        for name in names:
            if name not in self.columns:
                raise ValueError(f"{shown(self.path)!r} has no column {name!r}; its columns are {self.listed()}")

    def listed(self) -> str:
        """Names of the columns for a message."""
        return listed([shown(name, 40) for name in self.heads])

    def column(self, name: str) -> list[str]:
        """The cells of a column; `name` as in `columns`."""
        if self.columns.count(name) > 1:
            alike = [head for head, known in zip(self.heads, self.columns, strict=True) if known == name]
            raise ValueError(f"{shown(self.path)!r} has {name!r} in several columns: {listed(alike)}; leave one")
        i = self.columns.index(name)
        return [row[i] for row in self.cells]

    def numbered(self, kind: str) -> list[str]:
        """Columns of a kind for item 1, 2, ..; refuses names that leave out an item."""
        of_items = [(of, name) for name in self.columns if (of := _OF_ITEM.fullmatch(name)) and _KINDS[of[1]] == kind]
        places: dict[int, str] = {}
        # What is said of an item besides, as distance_1_error, comes last, and needs the item's own column.
        for of, name in sorted(of_items, key=lambda pair: bool(pair[0][3])):
            number, more = int(of[2][-9:]), of[3]
            if more and number in places and not more.strip("_").isdigit():
                continue
            if more or number < 1 or number in places or len(of[2]) > 9:
                other = f" beside {self._head(places[number])!r}" if number in places else ""
                raise ValueError(
                    f"{shown(self.path)!r} has the column {self._head(name)!r}{other}; items count from 1: name the "
                    f"columns {kind}_1, {kind}_2, .. (and count choices from 1)"
                )
            places[number] = name
        for number in sorted(places):
            if number > 1 and number - 1 not in places:
                raise ValueError(
                    f"{shown(self.path)!r} has the column {self._head(places[number])!r}, but no {kind}_{number - 1}; "
                    f"name the columns {kind}_1, {kind}_2, .. without a gap"
                )
        return [places[number] for number in sorted(places)]

    def _head(self, name: str) -> str:
        return shown(self.heads[self.columns.index(name)])

    def numbers(
        self, name: str, *, least: float = -math.inf, missing: bool = True, infinite: Sequence[str] = ()
    ) -> np.ndarray:
        """(lines,) float64: a column of numbers, NaN where there is none.

        Args:
            least: none may be below it.
            missing: whether cells without a number may be.
            infinite: texts that may stand for -inf.
        """
        values = np.empty(len(self))
        for k, text in enumerate(self.column(name)):
            number = self.number(text)
            if number is None:
                if missing and is_missing(text):
                    number = math.nan
                elif text.lower() in infinite:
                    number = -math.inf
                else:
                    raise ValueError(f"{self.where(k)}: {name} must be a number; got {self._hint(text)}")
            elif math.isinf(number) or number < least:
                must = "finite" if math.isinf(number) else f"at least {least:g}"
                hint = " (leave the cell empty where there is none)" if number < least and missing else ""
                raise ValueError(f"{self.where(k)}: {name} must be {must}; got {shown(text, 40)}{hint}")
            values[k] = number
        return values

    def number(self, text: str) -> float | None:
        """What a cell says, None where that is no number; inf where it is infinite."""
        if _NUMBER.fullmatch(text):
            return float(text)
        if "," in text and self._decimal_commas and _COMMA.fullmatch(text):
            return float(text.replace(",", "."))
        return math.inf if _INFINITE.fullmatch(text) and not text.startswith("-") else None

    def whole(self, text: str) -> int | None:
        """A whole number, also as 1.0; None where the cell is something else."""
        number = self.number(text)
        return int(number) if number is not None and number.is_integer() else None

    @cached_property
    def _decimal_commas(self) -> bool:
        """Whether commas within cells are decimal: none is where thousands have it, no cell has a point instead."""
        commas = {cell for row in self.cells for cell in row if "," in cell and _COMMA.fullmatch(cell)}
        points = any("." in cell and _POINT.fullmatch(cell) for row in self.cells for cell in row)
        return not points and not all(map(_THOUSANDS.fullmatch, commas))

    def _hint(self, text: str) -> str:
        if _COMMA.fullmatch(text):
            return f"{text!r}, whose comma may be one of thousands: write decimal points"
        return repr(shown(text, 40))

    def texts(self, name: str) -> list[str]:
        """A column of names."""
        texts = self.column(name)
        longest = max(range(len(texts)), key=lambda k: len(texts[k]))
        if len(texts[longest]) > (most := min(_LONGEST_NAME, _MOST_LETTERS // len(texts))):
            raise ValueError(f"{self.where(longest)}: {name} has {len(texts[longest])} characters; at most {most}")
        return texts


def _without_end(row: list[str], least: int) -> list[str]:
    """Without empty cells at the end, which spreadsheets leave, but for as many as there are columns."""
    end = len(row)
    while end > least and not row[end - 1]:
        end -= 1
    return row[:end]
