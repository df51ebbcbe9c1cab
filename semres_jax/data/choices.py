"""Tables of choices: which of a few items was chosen, and how far each was from the probe."""

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semres_jax._files import shown
from semres_jax._trials import arrays
from semres_jax.data._cells import Cells, is_missing
from semres_jax.data.image_sets import listed

FORMATS = ("wide", "long", "vlm-spatial", "items")
_VLM = re.compile(r"d\d\d_(dist|shape|x|y)")
# What the columns of the other formats are told by, the first that fits.
_NEEDED = {"items": {"n", "right", "trials"}, "long": {"trial", "distance", "chosen"}}
_YES, _NO = ("true", "t", "yes", "y"), ("false", "f", "no", "n")
# Columns beside the number of a trial that say whose it is.
_WHOSE = re.compile(
    "(sub|subj|subject|participant|ppt|observer|person|worker|rater|user|model|group|experiment|session|block|run|day)"
    "_?(id|number|no|nr|name|code)?"
)
# Trials times items of a table.
_MOST_ENTRIES = 50_000_000
_SPATIAL = "vlm_spatial_qwen.csv"


@dataclasses.dataclass(frozen=True, eq=False)
class Choices:
    """T choices among up to n items each, from a file or of arrays, lists or tables of pandas.

    Rows of tables with an index are matched by it to those of the distances.

    Attributes:
        distances: (T, n) of the items from the probe; NaN where a trial has fewer items.
        chosen: (T,) index of the chosen item, from 0.
        labels: (T, n) what the items are called, or None.
        positions: (T, n) where they were shown; the number of the column, from 1, where the file doesn't say.
        scores: (T, n) of the answers, such as a model's logits, NaN where unknown; or None.
        left_out: how many trials had no usable answer, or too few items with a distance.
        absent: how many items of the other trials had no distance.
    """

    distances: Any
    chosen: Any
    labels: Any = None
    positions: Any = None
    scores: Any = None
    left_out: int = 0
    absent: int = 0

    def __post_init__(self):
        tables = {name: getattr(self, name) for name in ("labels", "positions", "scores")}
        for name, value in arrays(self.distances, self.chosen, **tables).items():
            object.__setattr__(self, name, value)


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
    table = read_table(path, format)
    if isinstance(table, ItemCounts):
        raise ValueError(f"{shown(path)!r} holds counts of identifications (n, right, trials); read_items reads it")
    return table


def read_table(path: str | os.PathLike[str], format: str = "auto") -> "Choices | ItemCounts":
    """What a file holds: choices as `read_choices` gives them, or counts as `read_items` does.

    Args:
        path: of the file.
        format: one of `FORMATS`; "auto" goes by the columns.

    Raises:
        ValueError, FileNotFoundError: as these.
    """
    readers = {"wide": _wide, "long": _long, "vlm-spatial": _vlm_spatial, "items": _items}
    if format not in ("auto", *readers):
        raise ValueError(f"format must be auto, {', '.join(readers)}; got {format!r}")
    cells = Cells(path)
    return readers[_format(cells) if format == "auto" else format](cells)


def format_of(path: str | os.PathLike[str]) -> str:
    """Which of `FORMATS` a file has, by its columns."""
    return _format(Cells(path))


class ItemCounts(NamedTuple):
    """Of `trials` identifications among n items, how many were right; what `measure.fit_items_law` takes, (k,) each."""

    n: np.ndarray
    right: np.ndarray
    trials: np.ndarray


def read_items(path: str | os.PathLike[str]) -> ItemCounts:
    """Counts of identifications from a CSV file with the columns n, right and trials.

    Raises:
        ValueError: a column is missing, an entry is no whole number or can't be such a count; names the line.
        FileNotFoundError: no such file.
    """
    return _items(Cells(path))


def _items(cells: Cells) -> ItemCounts:
    cells.need(*ItemCounts._fields)
    n, right, trials = (
        cells.numbers(name, least=least, missing=False) for name, least in (("n", 2.0), ("right", 0.0), ("trials", 1.0))
    )
    for name, values in (("n", n), ("right", right), ("trials", trials)):
        for k in np.flatnonzero(values != values.round())[:1].tolist():
            raise ValueError(f"{cells.where(k)}: {name} must be a whole number; got {values[k]:g}")
    for k in np.flatnonzero(right > trials)[:1].tolist():
        raise ValueError(f"{cells.where(k)}: right must be at most trials; got {right[k]:g} of {trials[k]:g}")
    return ItemCounts(n, right, trials)


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


def _format(cells: Cells) -> str:
    if "answer" in cells.columns and any(map(_VLM.fullmatch, cells.columns)):
        return "vlm-spatial"
    if "choice" in cells.columns and cells.numbered("distance"):
        return "wide"
    for kind, needed in _NEEDED.items():
        if needed <= set(cells.columns):
            return kind
    raise ValueError(
        f"{shown(cells.path)!r} has columns of no known format; give distance_1,distance_2,..,choice (wide), "
        f"trial,distance,chosen (long) or n,right,trials; got {cells.listed()}"
    )


def _wide(cells: Cells) -> Choices:
    cells.need("choice")
    names, labels, scores = (cells.numbered(kind) for kind in ("distance", "label", "score"))
    if len(names) < 2:
        raise ValueError(f"{shown(cells.path)!r} needs the columns distance_1 and distance_2; it has {cells.listed()}")
    for kind, columns in (("label", labels), ("score", scores)):
        if columns and len(columns) != len(names):
            counts = f"{len(names)} distances and {len(columns)} {kind}s"
            raise ValueError(f"{shown(cells.path)!r} has {counts}; give one for each")
    distances = np.stack([cells.numbers(name, least=0.0) for name in names], axis=1)
    answers = cells.column("choice")
    # A trial with an answer, and with as many items left as a choice is between.
    there = ~np.isnan(distances)
    kept = np.array([not is_missing(answer) for answer in answers]) & (there.sum(1) > 1)
    words = np.array([cells.texts(name) for name in labels]).T if labels else None
    if words is not None:
        lines = np.broadcast_to(np.arange(len(cells))[:, None], there.shape)
        _require_names(cells, words, there & kept[:, None], lines, labels)
    rows = np.flatnonzero(kept).tolist()
    chosen = _places(cells, rows, answers, words, there)
    given = np.stack([_scores(cells, name) for name in scores], axis=1)[rows] if scores else None
    return _made(cells, distances[rows], chosen, None if words is None else words[rows], None, given, len(cells))


def _places(cells: Cells, rows: list[int], answers: list[str], labels: np.ndarray | None, there: np.ndarray) -> Any:
    """Index of the chosen item of each row: by its label or its number, whichever all rows can be read by."""
    numbers = {answer: cells.whole(answer) for answer in set(answers)}
    values = {} if labels is None else {text: cells.number(text) for text in set(labels.ravel().tolist())}
    by_label, by_number = np.full(len(rows), -1), np.full(len(rows), -1)
    for i, k in enumerate(rows):
        answer, items = answers[k], there[k].nonzero()[0].tolist()
        number = numbers[answer]
        if number is not None and number - 1 in items:
            by_number[i] = number - 1
        if labels is not None:
            words = labels[k].tolist()
            named = [item for item in items if words[item] == answer]
            if not named and (value := cells.number(answer)) is not None:  # 7.0 is 7
                named = [item for item in items if values[words[item]] == value]
            if len(named) > 1:
                raise ValueError(
                    f"{cells.where(k)}: choice {answer!r} is the label of {len(named)} items; give its "
                    "number, and labels that differ within a trial"
                )
            by_label[i] = named[0] if named else -1
    alone = (by_label >= 0) & (by_number < 0), (by_number >= 0) & (by_label < 0)
    unclear = (by_label >= 0) & (by_number >= 0) & (by_label != by_number)
    for i in np.flatnonzero(unclear)[:1].tolist() if alone[0].any() == alone[1].any() else ():
        raise ValueError(
            f"{cells.where(rows[i])}: choice {answers[rows[i]]!r} may be item {by_number[i] + 1} by its number or item "
            f"{by_label[i] + 1} by its label; give labels that are no numbers"
        )
    places = np.where((by_label >= 0) & ((by_number < 0) | alone[0].any()), by_label, by_number)
    for i in np.flatnonzero(places < 0).tolist():
        k = rows[i]
        items = [f"{item + 1}" if labels is None else str(labels[k, item]) for item in np.flatnonzero(there[k])]
        counts = " (choices count from 1; leave the cell empty where there is none)" if numbers[answers[k]] == 0 else ""
        answer = shown(answers[k], 40)
        raise ValueError(f"{cells.where(k)}: choice not among items: {answer!r} is none of {listed(items)}{counts}")
    return places


def _require_names(cells: Cells, words: np.ndarray, there: np.ndarray, lines: Any, columns: Sequence[str]) -> None:
    """Refuse items without a name: they would be taken for one and the same."""
    missing = np.isin(words, [word for word in set(words.ravel().tolist()) if is_missing(word)]) & there
    for k, item in np.argwhere(missing)[:1].tolist():
        raise ValueError(
            f"{cells.where(int(lines[k, item]))}: {columns[item]} is {str(words[k, item])!r}, which is no name; name "
            "the item, or leave out the column"
        )


def _scores(cells: Cells, name: str) -> np.ndarray:
    return cells.numbers(name, infinite=("-inf", "-infinity"))


def _long(cells: Cells) -> Choices:
    cells.need("trial", "distance", "chosen")
    trials, marked = _trials(cells), _marks(cells)
    if len(trials) * max(map(len, trials)) > _MOST_ENTRIES:
        raise ValueError(
            f"{shown(cells.path)!r} has a trial of {max(map(len, trials))} items among {len(trials)} trials: more than "
            f"{_MOST_ENTRIES:,} entries of a table; is the trial's number right?"
        )
    places = np.full((len(trials), max(map(len, trials))), -1)
    for row, lines in zip(places, trials, strict=True):
        row[: len(lines)] = lines
    real = places >= 0

    def table(values: Any, filler: Any) -> np.ndarray:
        return np.where(real, np.asarray(values)[places], filler)

    def refuse(bad: np.ndarray, what: str, which: int = 0) -> None:
        """Where an entry is bad: its trial, by the line of so many bad ones."""
        for row in np.flatnonzero(bad.any(1))[:1]:
            k = int(places[row][bad[row]][which])
            raise ValueError(f"{cells.where(k)}: trial {shown(cells.column('trial')[k], 40)!r} {what}")

    distances, marks = table(cells.numbers("distance", least=0.0), np.nan), table(marked, False)
    there = ~np.isnan(distances)
    refuse(real & (real.sum(1) < 2)[:, None], "has one item; a choice is between two at least, with a line for each")
    again = "one is to be chosen; where numbers of trials begin anew, give a column 'subject', 'session' or 'block'"
    refuse(marks & (marks.sum(1) > 1)[:, None], f"has a second chosen item, {again}", 1)
    kept = marks.any(1) & (there.sum(1) > 1)
    refuse(marks & ~there & kept[:, None], "has a choice not among items: the chosen item has no distance")
    names = {name: table(cells.texts(name), "") for name in ("label", "position") if name in cells.columns}
    for name, words in names.items():
        _require_names(cells, words, there & kept[:, None], places, [name] * places.shape[1])
    scores = table(_scores(cells, "score"), np.nan)[kept] if "score" in cells.columns else None
    words, positions = (names[name][kept] if name in names else None for name in ("label", "position"))
    absent = int((real & ~there)[kept].sum())
    return _made(cells, distances[kept], marks.argmax(1)[kept], words, positions, scores, len(trials), absent)


def _trials(cells: Cells) -> list[list[int]]:
    """Rows of each trial, told apart by its number and whoever had it.

    Raises:
        ValueError: the number comes again after others, or with a position that was there, so that there may be two.
    """
    of = [name for name in cells.columns if _WHOSE.fullmatch(name)] + ["trial"]
    keys = list(zip(*(cells.column(name) for name in of), strict=True))
    positions = cells.column("position") if "position" in cells.columns else None
    trials: dict[tuple[str, ...], list[int]] = {}
    shown_there: set[tuple[str, ...]] = set()
    for k, key in enumerate(keys):
        if is_missing(key[-1]):
            raise ValueError(f"{cells.where(k)}: trial is {key[-1]!r}; give each trial a number or a name")
        lines = trials.setdefault(key, [])
        place = None if positions is None else positions[k]
        again = lines and keys[k - 1] != key and place is None
        twice = place is not None and (*key, place) in shown_there
        if again or twice:
            what = "comes again after other trials" if again else f"has the position {shown(place, 40)!r} again"
            trial = shown(key[-1], 40)
            raise ValueError(
                f"{cells.where(k)}: trial {trial!r}, which begins on line {cells.lines[lines[0]]}, {what}; give the "
                f"lines of a trial one after the other, and a column 'subject', 'session' or 'block' where numbers "
                "begin anew" + (f" (there is {', '.join(of[:-1])})" if of[1:] else "")
            )
        lines.append(k)
        if place is not None:
            shown_there.add((*key, place))
    return list(trials.values())


def _marks(cells: Cells) -> np.ndarray:
    """(lines,) whether the item was chosen."""
    marks = np.zeros(len(cells), bool)
    for k, text in enumerate(cells.column("chosen")):
        mark = text.lower()
        number = cells.whole(text)
        if mark not in _YES + _NO and number not in (0, 1) and not is_missing(text):
            raise ValueError(f"{cells.where(k)}: chosen must be 1 or 0; got {shown(text, 40)!r}")
        marks[k] = mark in _YES or number == 1
    return marks


def _vlm_spatial(cells: Cells) -> Choices:
    items = sorted({name[:3] for name in cells.columns if _VLM.fullmatch(name)})
    cells.need("answer", *(f"{item}_{field}" for item in items for field in ("shape", "dist", "x", "y")))
    if len(items) < 2:
        raise ValueError(f"{shown(cells.path)!r} has {len(items)} shapes; a choice needs at least 2")
    distances, x, y = (
        np.stack([cells.numbers(f"{item}_{field}", missing=False, least=least) for item in items], axis=1)
        for field, least in (("dist", 0.0), ("x", -np.inf), ("y", -np.inf))
    )
    shapes = np.array([cells.texts(f"{item}_shape") for item in items]).T
    matches = np.char.lower(shapes) == np.array([text.lower() for text in cells.texts("answer")])[:, None]
    kept = np.flatnonzero(matches.sum(1) == 1)
    lines = np.broadcast_to(kept[:, None], shapes[kept].shape)
    _require_names(cells, shapes[kept], lines >= 0, lines, [f"{item}_shape" for item in items])
    scores = np.full(distances.shape, np.nan)
    for shape in sorted(set(shapes[kept].ravel().tolist())):
        if shape.lower() in cells.columns:
            scores = np.where(shapes == shape, _scores(cells, shape.lower())[:, None], scores)
    corners = [[f"({a:g}, {b:g})" for a, b in zip(*row, strict=True)] for row in zip(x[kept], y[kept], strict=True)]
    return _made(
        cells, distances[kept], matches[kept].argmax(1), shapes[kept], np.array(corners), scores[kept], len(cells)
    )


def _made(
    cells: Cells,
    distances: np.ndarray,
    chosen: np.ndarray,
    labels: Any,
    positions: Any,
    scores: Any,
    trials: int,
    absent: int | None = None,
) -> Choices:
    """Choices of the trials that are kept, of so many; the columns' numbers are positions where there are none."""
    if not len(distances):
        raise ValueError(f"{shown(cells.path)!r} has no usable answer in {trials} trials")
    if positions is None:
        positions = np.tile([str(i + 1) for i in range(distances.shape[1])], (len(distances), 1))
    scores = None if scores is None or np.isnan(scores).all() else scores
    absent = int(np.isnan(distances).sum()) if absent is None else absent
    return Choices(distances, chosen, labels, positions, scores, trials - len(distances), absent)
