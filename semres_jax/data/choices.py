"""Tables of choices: which of a few items was chosen, and how far each was from the probe."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterable
from itertools import count, starmap, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semres_jax.data._tables import _rows
from semres_jax.data.image_sets import listed

FORMATS = ("wide", "long", "vlm-spatial", "items")
_VLM = re.compile(r"D\d\d_DIST")
# What the columns of the other formats are told by, the first that fits.
_NEEDED = {
    "items": {"n", "right", "trials"}, "wide": {"distance_1", "choice"}, "long": {"trial", "distance", "chosen"}
}  # fmt: skip
_YES, _NO = ("1", "true", "yes"), ("", "0", "false", "no")
_SPATIAL = "vlm_spatial_qwen.csv"


@dataclasses.dataclass(frozen=True, eq=False)
class Choices:
    """T choices among up to n items each.

    Attributes:
        distances: (T, n) of the items from the probe; NaN where a trial has fewer items.
        chosen: (T,) index of the chosen item, from 0.
        labels: (T, n) what the items are called, or None.
        positions: (T, n) where they were shown; the number of the column, from 1, where the file doesn't say.
        scores: (T, n) of the answers, such as a model's logits, NaN where unknown; or None.
        left_out: how many rows had no usable answer.
    """

    distances: np.ndarray
    chosen: np.ndarray
    labels: np.ndarray | None = None
    positions: np.ndarray | None = None
    scores: np.ndarray | None = None
    left_out: int = 0


def read_choices(path: str | os.PathLike[str], format: str = "auto") -> Choices:
    """Choices from a CSV file whose first line names its columns.

    - wide, a line for each trial: `distance_1` .. `distance_n`, `choice`, the number of the chosen item from 1 or its
      label; `label_1` .. and `score_1` .. if there are any. An empty distance: no such item.
    - long, a line for each item: `trial`, `distance`, `chosen` (1 or 0), and `position`, `label`, `score` if any.
    - vlm-spatial, the tables of Nurisso et al. for models that see: `D00_DIST`, `D00_SHAPE`, `D00_X`, `D00_Y`, D01 ..,
      `answer`, and a column of scores named for each shape. Positions are the coordinates of the shapes.

    Trials with no answer (vlm-spatial: none that is a shape) are left out and counted.

    Args:
        path: of the file.
        format: "wide", "long" or "vlm-spatial"; "auto" goes by the columns.

    Raises:
        ValueError: unknown columns, entries that are no numbers, a choice that isn't among the items; names the line.
        FileNotFoundError: no such file.

    Example:
        >>> import pathlib, tempfile
        >>> from semres_jax import data
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "choices.csv")
        ...     _ = file.write_text("distance_1,distance_2,choice\\n0.1,0.5,1\\n0.4,0.2,2\\n0.3,0.2,1\\n")
        ...     table = data.read_choices(file)
        >>> table.chosen.tolist(), table.distances[0].tolist()
        ([0, 1, 0], [0.1, 0.5])
    """
    rows = _Rows(path)
    kind = rows.format() if format == "auto" else format
    readers = {"wide": _wide, "long": _long, "vlm-spatial": _vlm_spatial}
    if kind not in readers:
        raise ValueError(f"format must be auto, {', '.join(readers)}; got {kind!r}")
    return readers[kind](rows)


def format_of(path: str | os.PathLike[str]) -> str:
    """Which of `FORMATS` a file has, by its columns."""
    return _Rows(path).format()


class ItemCounts(NamedTuple):
    """Of `trials` identifications among n items, how many were right; what `measure.fit_items_law` takes, (k,) each."""

    n: np.ndarray
    right: np.ndarray
    trials: np.ndarray


def read_items(path: str | os.PathLike[str]) -> ItemCounts:
    """Counts of identifications from a CSV file with the columns n, right and trials.

    Raises:
        ValueError: a column is missing, an entry is no number.
        FileNotFoundError: no such file.
    """
    rows = _Rows(path)
    rows.need(*ItemCounts._fields)
    return ItemCounts(*(np.array([rows.number(k, name) for k in rows.all]) for name in ItemCounts._fields))


def vlm_spatial() -> Choices:
    """400 choices of Qwen2.5-VL-7B: which of four shapes in the corners of a picture is closest to a red X, in pixels.

    Each shape is always in the same corner. Scores are logits of the answers' first token, times a million. Source:
    Nurisso et al., see README.md of this folder.

    Example:
        >>> from semres_jax import data
        >>> table = data.vlm_spatial()
        >>> closest = table.distances.argmin(axis=1)
        >>> table.distances.shape, float((closest == table.chosen).mean())
        ((400, 4), 0.5425)
    """
    return read_choices(Path(__file__).parent / _SPATIAL)


class _Rows:
    """Lines of a CSV file by the names of its columns; errors name file and line."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        (_, self.columns), *rows = _rows(self.path, "choices")
        self.lines, self.cells, self.all = [line for line, _ in rows], [row for _, row in rows], range(len(rows))
        if len(set(self.columns)) < len(self.columns):
            twice = next(name for name in self.columns if self.columns.count(name) > 1)
            raise ValueError(f"{str(self.path)!r} has the column {twice!r} twice")
        if not self.cells:
            raise ValueError(f"{str(self.path)!r} has no line after its first, which names the columns")
        for k, row in enumerate(self.cells):
            if len(row) != len(self.columns):
                must = f"must have {len(self.columns)} entries, one for each column"
                raise ValueError(f"{self.where(k)} {must}; got {len(row)}")

    def format(self) -> str:
        if "answer" in self.columns and any(map(_VLM.fullmatch, self.columns)):
            return "vlm-spatial"
        for kind, needed in _NEEDED.items():
            if needed <= set(self.columns):
                return kind
        raise ValueError(
            f"{str(self.path)!r} has columns of no known format; give distance_1,distance_2,..,choice (wide), "
            f"trial,distance,chosen (long) or n,right,trials; got {listed(self.columns)}"
        )

    def need(self, *names: str) -> None:
        for name in names:
            if name not in self.columns:
                raise ValueError(f"{str(self.path)!r} has no column {name!r}; its columns are {listed(self.columns)}")

    def numbered(self, prefix: str) -> list[str]:
        """prefix1, prefix2, .. as far as they go."""
        return list(takewhile(self.columns.__contains__, (f"{prefix}{k}" for k in count(1))))

    def text(self, k: int, name: str) -> str:
        return self.cells[k][self.columns.index(name)]

    def number(self, k: int, name: str, *, empty: bool = False) -> float:
        text = self.text(k, name)
        if empty and not text:
            return np.nan
        with contextlib.suppress(ValueError):
            if np.isfinite(number := float(text)):
                return number
        raise ValueError(f"{self.where(k)}: {name} must be a number; got {text!r}")

    def distance(self, k: int, name: str, *, empty: bool = False) -> float:
        number = self.number(k, name, empty=empty)
        if number < 0:
            raise ValueError(f"{self.where(k)}: {name} must be at least 0; got {number:g}")
        return number

    def score(self, k: int, name: str) -> float:
        """As `number`, but for -inf, which is a score."""
        return -np.inf if self.text(k, name).lower() in ("-inf", "-infinity") else self.number(k, name, empty=True)

    def where(self, k: int) -> str:
        return f"line {self.lines[k]} of {str(self.path)!r}"


def _wide(rows: _Rows) -> Choices:
    rows.need("distance_1", "distance_2", "choice")
    names, labels, scores = (rows.numbered(f"{kind}_") for kind in ("distance", "label", "score"))
    for kind, columns in (("label", labels), ("score", scores)):
        if columns and len(columns) != len(names):
            counts = f"{len(names)} distances and {len(columns)} {kind}s"
            raise ValueError(f"{str(rows.path)!r} has {counts}; give one for each")

    def trial(k: int) -> dict[str, Any] | None:
        if not rows.text(k, "choice"):
            return None
        distances = [rows.distance(k, name, empty=True) for name in names]
        words = [rows.text(k, name) for name in labels]
        fields = {"distance": distances, "label": words, "score": [rows.score(k, name) for name in scores]}
        chosen = _place(rows, k, rows.text(k, "choice"), words, distances)
        return {"chosen": chosen} | {kind: values for kind, values in fields.items() if values}

    return _made(rows, len(names), map(trial, rows.all))


def _place(rows: _Rows, k: int, answer: str, labels: list[str], distances: list[float]) -> int:
    """Index of the chosen item: by its label, else by its number."""
    there = np.flatnonzero(~np.isnan(distances)).tolist()
    named = [i for i in there if labels and labels[i] == answer]
    if len(named) > 1:
        raise ValueError(f"{rows.where(k)}: choice {answer!r} is the label of {len(named)} items; give its number")
    if not named and answer.isdigit() and int(answer) - 1 in there:
        named = [int(answer) - 1]
    if not named:
        items = listed([labels[i] if labels else str(i + 1) for i in there])
        raise ValueError(f"{rows.where(k)}: choice not among items: {answer!r} is none of {items}")
    return named[0]


def _long(rows: _Rows) -> Choices:
    rows.need("trial", "distance", "chosen")
    trials: dict[str, list[int]] = {}
    for k in rows.all:
        trials.setdefault(rows.text(k, "trial"), []).append(k)
    readers = {"distance": rows.distance, "position": rows.text, "label": rows.text, "score": rows.score}

    def trial(name: str, lines: list[int]) -> dict[str, Any] | None:
        marks = [rows.text(k, "chosen").lower() for k in lines]
        for k, mark in zip(lines, marks, strict=True):
            if mark not in _YES + _NO:
                raise ValueError(f"{rows.where(k)}: chosen must be 1 or 0; got {mark!r}")
        chosen = [i for i, mark in enumerate(marks) if mark in _YES]
        if len(chosen) > 1:
            raise ValueError(f"{rows.where(lines[chosen[1]])}: trial {name!r} has a second chosen item; one a trial")
        if not chosen:
            return None
        columns = (column for column in readers if column in rows.columns)
        return {"chosen": chosen[0]} | {column: [readers[column](k, column) for k in lines] for column in columns}

    return _made(rows, max(map(len, trials.values())), starmap(trial, trials.items()))


def _vlm_spatial(rows: _Rows) -> Choices:
    items = sorted(name[:3] for name in rows.columns if _VLM.fullmatch(name))
    rows.need("answer", *(f"{item}_{field}" for item in items for field in ("SHAPE", "DIST", "X", "Y")))

    def trial(k: int) -> dict[str, Any] | None:
        shapes = [rows.text(k, f"{item}_SHAPE") for item in items]
        matches = [shape.lower() == rows.text(k, "answer").lower() for shape in shapes]
        if sum(matches) != 1:
            return None
        corners = [[rows.number(k, f"{item}_{axis}") for axis in "XY"] for item in items]
        return {
            "chosen": matches.index(True),
            "distance": [rows.distance(k, f"{item}_DIST") for item in items],
            "label": shapes,
            "position": [f"({x:g}, {y:g})" for x, y in corners],
            "score": [rows.score(k, shape) if shape in rows.columns else np.nan for shape in shapes],
        }

    return _made(rows, len(items), map(trial, rows.all))


def _made(rows: _Rows, items: int, answers: Iterable[dict[str, Any] | None]) -> Choices:
    """Choices of trials that are None where there is no usable answer."""
    trials = list(answers)
    kept = [trial for trial in trials if trial is not None]
    if not kept:
        raise ValueError(f"{str(rows.path)!r} has no usable answer in {len(trials)} trials")

    def table(name: str, filler: Any) -> Any:
        if name not in kept[0]:
            return None
        return np.array([trial[name] + [filler] * (items - len(trial[name])) for trial in kept])

    labels, positions, scores = table("label", ""), table("position", ""), table("score", np.nan)
    if positions is None:
        positions = np.tile([str(i + 1) for i in range(items)], (len(kept), 1))
    scores = None if scores is None or np.isnan(scores).all() else scores
    chosen = np.array([trial["chosen"] for trial in kept])
    return Choices(table("distance", np.nan), chosen, labels, positions, scores, len(trials) - len(kept))
