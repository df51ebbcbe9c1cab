"""Tables of choices: which of a few items was chosen, and how far each was from the probe."""

import dataclasses
import os
import re
from pathlib import Path

import numpy as np

from semres_jax.data._tables import _rows
from semres_jax.data.image_sets import listed

FORMATS = ("wide", "long", "vlm-spatial", "items")
_VLM = re.compile(r"D\d\d_DIST")
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
        ...     found = data.read_choices(file)
        >>> found.chosen.tolist(), found.distances[0].tolist()
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


def read_items(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, right, trials) from a CSV file with these columns: of `trials` identifications among n items, how many were
    right. For `measure.items_law`.

    Raises:
        ValueError: a column is missing, an entry is no number.
        FileNotFoundError: no such file.
    """
    rows = _Rows(path)
    rows.need("n", "right", "trials")
    n, right, trials = (np.array([rows.number(k, name) for k in range(len(rows.cells))]) for name in rows.asked)
    return n, right, trials


def vlm_spatial() -> Choices:
    """400 choices of Qwen2.5-VL-7B: which of four shapes in the corners of a picture is closest to a red X, in pixels.

    Each shape is always in the same corner. Scores are logits of the answers' first token, times a million. Source:
    Nurisso et al., see README.md of this folder.

    Example:
        >>> from semres_jax import data
        >>> found = data.vlm_spatial()
        >>> closest = found.distances.argmin(axis=1)
        >>> found.distances.shape, float((closest == found.chosen).mean())
        ((400, 4), 0.5425)
    """
    return read_choices(Path(__file__).parent / _SPATIAL)


class _Rows:
    """Lines of a CSV file by the names of its columns; errors name file and line."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        try:
            rows = _rows(self.path, "choices")
        except UnicodeDecodeError:
            raise ValueError(f"{str(path)!r} is no text in UTF-8; give a CSV file") from None
        self.columns = rows[0][1]
        self.lines = [line for line, _ in rows[1:]]
        self.cells = [row for _, row in rows[1:]]
        self.asked: tuple[str, ...] = ()
        if len(set(self.columns)) < len(self.columns):
            twice = next(name for name in self.columns if self.columns.count(name) > 1)
            raise ValueError(f"{str(self.path)!r} has the column {twice!r} twice")
        if not self.cells:
            raise ValueError(f"{str(self.path)!r} has no line after its first, which names the columns")
        for line, row in zip(self.lines, self.cells, strict=True):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"line {line} of {str(self.path)!r} must have {len(self.columns)} entries, one for each column; "
                    f"got {len(row)}"
                )

    def format(self) -> str:
        names = set(self.columns)
        if "answer" in names and any(_VLM.fullmatch(name) for name in names):
            return "vlm-spatial"
        if {"n", "right", "trials"} <= names:
            return "items"
        if "distance_1" in names and "choice" in names:
            return "wide"
        if {"trial", "distance", "chosen"} <= names:
            return "long"
        raise ValueError(
            f"{str(self.path)!r} has columns of no known format; give distance_1,distance_2,..,choice (wide), "
            f"trial,distance,chosen (long) or n,right,trials; got {listed(self.columns)}"
        )

    def need(self, *names: str) -> None:
        self.asked = names
        for name in names:
            if name not in self.columns:
                raise ValueError(f"{str(self.path)!r} has no column {name!r}; its columns are {listed(self.columns)}")

    def numbered(self, prefix: str) -> list[str]:
        """prefix1, prefix2, .. as far as they go."""
        names = []
        while f"{prefix}{len(names) + 1}" in self.columns:
            names.append(f"{prefix}{len(names) + 1}")
        return names

    def text(self, k: int, name: str) -> str:
        return self.cells[k][self.columns.index(name)]

    def number(self, k: int, name: str, *, empty: bool = False) -> float:
        text = self.text(k, name)
        if empty and not text:
            return np.nan
        try:
            found = float(text)
        except ValueError:
            found = np.nan
        if not np.isfinite(found):
            raise ValueError(f"{self.where(k)}: {name} must be a number; got {text!r}")
        return found

    def score(self, k: int, name: str) -> float:
        """As `number`, but for -inf, which is a score."""
        return -np.inf if self.text(k, name).lower() in ("-inf", "-infinity") else self.number(k, name, empty=True)

    def where(self, k: int) -> str:
        return f"line {self.lines[k]} of {str(self.path)!r}"


def _wide(rows: _Rows) -> Choices:
    rows.need("distance_1", "distance_2", "choice")
    names = rows.numbered("distance_")
    labels, scores = rows.numbered("label_"), rows.numbered("score_")
    for kind, got in (("label", labels), ("score", scores)):
        if got and len(got) != len(names):
            raise ValueError(f"{str(rows.path)!r} has {len(names)} distances and {len(got)} {kind}s; give one for each")
    distances, chosen, called, scored, left_out = [], [], [], [], 0
    for k in range(len(rows.cells)):
        answer = rows.text(k, "choice")
        if not answer:
            left_out += 1
            continue
        d = [_distance(rows, k, name, empty=True) for name in names]
        words = [rows.text(k, name) for name in labels]
        chosen.append(_place(rows, k, answer, words, d))
        distances.append(d)
        called.append(words)
        scored.append([rows.score(k, name) for name in scores])
    return _made(rows, distances, chosen, called if labels else None, None, scored if scores else None, left_out)


def _distance(rows: _Rows, k: int, name: str, *, empty: bool = False) -> float:
    found = rows.number(k, name, empty=empty)
    if found < 0:
        raise ValueError(f"{rows.where(k)}: {name} must be at least 0; got {found:g}")
    return found


def _place(rows: _Rows, k: int, answer: str, labels: list[str], distances: list[float]) -> int:
    """Index of the chosen item: by its label, else by its number."""
    there = [i for i, d in enumerate(distances) if not np.isnan(d)]
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
    for k in range(len(rows.cells)):
        trials.setdefault(rows.text(k, "trial"), []).append(k)
    has = {name: name in rows.columns for name in ("position", "label", "score")}
    most, left_out = max(map(len, trials.values())), 0
    columns: dict[str, list[list]] = {name: [] for name in ("distance", *has)}
    chosen = []
    for trial, lines in trials.items():
        marks = [rows.text(k, "chosen").lower() for k in lines]
        for k, mark in zip(lines, marks, strict=True):
            if mark not in _YES + _NO:
                raise ValueError(f"{rows.where(k)}: chosen must be 1 or 0; got {mark!r}")
        took = [i for i, mark in enumerate(marks) if mark in _YES]
        if len(took) > 1:
            raise ValueError(f"{rows.where(lines[took[1]])}: trial {trial!r} has a second chosen item; one a trial")
        if not took:
            left_out += 1
            continue
        none = [""] * (most - len(lines))
        columns["distance"].append([_distance(rows, k, "distance") for k in lines] + [np.nan] * len(none))
        for name in ("position", "label"):
            columns[name].append([rows.text(k, name) for k in lines] + none if has[name] else [])
        gone = [np.nan] * len(none)
        columns["score"].append([rows.score(k, "score") for k in lines] + gone if has["score"] else [])
        chosen.append(took[0])
    labels, positions, scores = (columns[name] if has[name] else None for name in ("label", "position", "score"))
    return _made(rows, columns["distance"], chosen, labels, positions, scores, left_out)


def _vlm_spatial(rows: _Rows) -> Choices:
    items = sorted(name[:3] for name in rows.columns if _VLM.fullmatch(name))
    rows.need("answer", *(f"{item}_{what}" for item in items for what in ("SHAPE", "DIST", "X", "Y")))
    distances, chosen, labels, positions, scores, left_out = [], [], [], [], [], 0
    for k in range(len(rows.cells)):
        shapes = [rows.text(k, f"{item}_SHAPE") for item in items]
        answer = rows.text(k, "answer").lower()
        if [shape.lower() for shape in shapes].count(answer) != 1:
            left_out += 1
            continue
        chosen.append([shape.lower() for shape in shapes].index(answer))
        distances.append([_distance(rows, k, f"{item}_DIST") for item in items])
        labels.append(shapes)
        corners = [[rows.number(k, f"{item}_{axis}") for axis in "XY"] for item in items]
        positions.append([f"({x:g}, {y:g})" for x, y in corners])
        scores.append([rows.score(k, shape) if shape in rows.columns else np.nan for shape in shapes])
    return _made(rows, distances, chosen, labels, positions, scores, left_out)


def _made(
    rows: _Rows,
    distances: list,
    chosen: list[int],
    labels: list | None,
    positions: list | None,
    scores: list | None,
    left_out: int,
) -> Choices:
    if not chosen:
        raise ValueError(f"{str(rows.path)!r} has no usable answer in {left_out} trials")
    d = np.array(distances)
    places = np.tile([str(i + 1) for i in range(d.shape[1])], (len(d), 1)) if positions is None else np.array(positions)
    number = None if scores is None or np.isnan(np.array(scores)).all() else np.array(scores)
    return Choices(d, np.array(chosen), None if labels is None else np.array(labels), places, number, left_out)
