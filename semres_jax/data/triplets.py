"""Triplets: judgements of which two of three stimuli are most alike, or which of two is more like a third."""

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax._checks import concrete
from semres_jax._files import composed, shown, there_are
from semres_jax._names import axis_labels, places, text_of_labels
from semres_jax.data import _arrays
from semres_jax.data._cells import is_missing
from semres_jax.data._tables import _rows

LAYOUTS = ("odd", "anchor")
# What columns are called, by what they hold: in the order of the layout.
_WORDS = {
    "odd": ("odd", "oddone", "odd_one", "odd_one_out", "oddoneout"),
    "anchor": ("anchor", "probe", "p", "reference", "ref", "standard", "target", "query", "head"),
    "near": ("near", "nearer", "nearest", "close", "closer", "closest", "chosen", "choice", "a", "similar", "winner"),
    "far": ("far", "farther", "further", "other", "b", "dissimilar", "loser", "rejected", "unchosen"),
    "count": ("count", "counts", "n", "weight", "weights", "times", "frequency", "freq"),
}
_PLAIN = ("i", "j", "k")
_SAY = (
    "say --layout odd (layout='odd': i and j were chosen as most alike, k is the odd one out) or --layout anchor "
    "(layout='anchor': the second is more like the first than the third is)"
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# Past this float64 skips whole numbers.
_MOST = 2**53


@dataclasses.dataclass(frozen=True, eq=False)
class Triplets:
    """T judgements of three stimuli each, from a file or an array.

    Attributes:
        items: (T, 3). Layout odd: (i, j, k), i and j were chosen as most alike and k is the odd one out. Layout anchor:
            (p, a, b), a was said to be more like p than b is. Given as whole numbers from 0, or as names; kept as
            numbers, those of `names` where there are any.
        layout: "odd" or "anchor".
        counts: (T,) how often each judgement was made; once if not given.
        names: of the stimuli, where they have any: sorted, if not given.
        where: what a judgement is called in messages, by its number from 0.

    Raises:
        ValueError: another layout, no judgement, items that are neither whole numbers from 0 nor names, a judgement
            with the same stimulus twice, counts that are negative or all 0. One line that names the judgement.

    Example:
        >>> from semres_jax import data
        >>> judged = data.Triplets([["cat", "dog", "car"], ["car", "bus", "dog"]], "odd")
        >>> judged.items.tolist(), judged.names
        ([[2, 3, 1], [1, 0, 3]], ('bus', 'car', 'cat', 'dog'))
    """

    items: Any
    layout: str
    counts: Any = None
    names: tuple[str, ...] = ()
    where: Any = dataclasses.field(default=lambda k: f"triplet {k + 1}", repr=False)

    def __post_init__(self):
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout of triplets must be {' or '.join(LAYOUTS)}; got {self.layout!r}: {_SAY}")
        items, names = _numbered(self.items, tuple(self.names), self.where)
        twice = (items[:, 0] == items[:, 1]) | (items[:, 0] == items[:, 2]) | (items[:, 1] == items[:, 2])
        for k in np.flatnonzero(twice)[:1].tolist():
            row = ", ".join(shown(names[x] if names else x, 40) for x in items[k])
            raise ValueError(f"{self.where(k)} has the same stimulus twice ({row}); a triplet is three different ones")
        vars(self).update(items=items, names=names, counts=_counted(self.counts, len(items), self.where))

    @property
    def stimuli(self) -> int:
        """How many stimuli there are: as many as names, or the largest number and one more."""
        return len(self.names) or int(self.items.max()) + 1

    @property
    def judgements(self) -> float:
        """The sum of the counts."""
        return float(self.counts.sum())

    def among(self, labels: Sequence[str], size: int) -> np.ndarray:
        """(T, 3) places of the stimuli among `size` others, which may have labels: by name, or as they are numbered.

        Raises:
            ValueError: a name that is none of the labels, a number that is out of range, names where there are none.
        """
        if self.names:
            if not labels:
                raise ValueError(
                    f"the triplets have names, as {shown(self.names[0], 40)!r}, but the distances have none; give a "
                    "table with names (.csv, DataFrame), or triplets of whole numbers from 0"
                )
            known = {composed(label) for label in labels}
            for k, row in enumerate(self.items) if not set(self.names) <= known else ():
                for name in (self.names[x] for x in row):
                    if name not in known:
                        raise ValueError(
                            f"{self.where(k)} has {shown(name, 40)!r}, a name that is unknown to the distances: "
                            f"{there_are(name, list(labels)[:20])}"
                        )
            return places(tuple(labels), list(self.names))[self.items]
        texts = text_of_labels(np.unique(self.items).tolist())
        if labels and set(texts) <= set(labels):  # names that are numbers
            place = {label: k for k, label in enumerate(labels)}
            return np.array([place[text] for text in texts])[np.searchsorted(np.unique(self.items), self.items)]
        for k in np.flatnonzero((self.items >= size).any(1))[:1].tolist():
            raise ValueError(
                f"{self.where(k)} has the stimulus {self.items[k].max()}, out of range: there are {size}, numbered "
                f"from 0 to {size - 1}"
            )
        return self.items


def read_triplets(path: str | os.PathLike[str], layout: str = "auto") -> Triplets:
    """Triplets from a .csv file, with a line of names first or without, or a .npy file of (T, 3).

    Entries are whole numbers from 0, as in the files of THINGS, or names. What columns are called tells the layout: one
    of them `odd` (odd_one_out), the other two then are the pair; or `anchor` (probe, p, reference), `near` (closer,
    chosen, a) and `far` (other, b). i, j, k and files without names do not: layout must be given. A column `count` (n,
    weight), or a fourth one of a file without names, says how often each judgement was made. Other columns are left
    alone where the names tell which three are meant.

    Args:
        path: of the file; columns between commas, semicolons or tabs.
        layout: "odd": i, j, k, the pair (i, j) was chosen as most alike and k is the odd one out; "anchor": p, a, b, "a
            is more like p than b"; "auto": as the columns say.

    Raises:
        ValueError: an unknown layout, columns that don't tell, entries as `Triplets` refuses them; names the line.
        FileNotFoundError: no such file.

    Example:
        >>> import pathlib, tempfile
        >>> from semres_jax import data
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "judged.csv")
        ...     _ = file.write_text("anchor,near,far,count\\n0,1,2,3\\n2,1,0,1\\n")
        ...     judged = data.read_triplets(file)
        >>> judged.layout, judged.items.tolist(), judged.counts.tolist()
        ('anchor', [[0, 1, 2], [2, 1, 0]], [3.0, 1.0])
    """
    if layout not in ("auto", *LAYOUTS):
        raise ValueError(f"layout must be auto, {', '.join(LAYOUTS)}; got {layout!r}")
    path = Path(path)
    if path.suffix.lower() == ".npy":
        return _from_npy(path, layout)
    rows = _rows(path, "triplets", ",;\t")
    heads = [re.sub(r"[\s._-]+", "_", cell.lower()) for cell in rows[0][1]]
    columns, stated, named = _columns(heads, rows, path, layout)
    if layout == "auto" and not stated:
        raise ValueError(f"the columns of {shown(path)!r} don't tell what its triplets mean: {_SAY}")
    rows = rows[named:]
    if not rows:
        raise ValueError(f"{shown(path)!r} has no triplet after its first line, which names the columns")
    lines = [line for line, _ in rows]

    def where(k: int) -> str:
        return f"line {lines[k]} of {shown(path)!r}"

    width = max(columns) + 1
    for k, (_, row) in enumerate(rows):
        if len(row) < width or (not named and len(row) > width and any(row[width:])):
            raise ValueError(f"{where(k)} must have {width} entries; got {len(row)}")
    cells = np.array([[row[column] for column in columns] for _, row in rows])
    counts = _numbers(cells[:, 3], where) if len(columns) == 4 else None
    return Triplets(cells[:, :3], stated or layout, counts, where=where)


def _from_npy(path: Path, layout: str) -> Triplets:
    if layout == "auto":
        raise ValueError(f"{shown(path)!r} has no columns with names that tell what its triplets mean: {_SAY}")
    table = np.asarray(_arrays.npy(path, "file of triplets"))
    if table.ndim != 2 or table.shape[1] not in (3, 4) or not len(table):
        raise ValueError(
            f"{shown(path)!r} must hold (T, 3) stimuli, or (T, 4) with counts last; got shape {table.shape}"
        )

    def where(k: int) -> str:
        return f"row {k} (from 0) of {shown(path)!r}"

    counts = None
    if table.shape[1] == 4:
        counts = _numbers(table[:, 3], where) if table.dtype.kind == "U" else table[:, 3]
    return Triplets(table[:, :3], layout, counts, where=where)


def _columns(heads: list[str], rows: list, path: Path, layout: str) -> tuple[list[int], str, bool]:
    """Which columns are the three stimuli (and the counts), the layout that names tell, and if there are names."""
    at = {kind: [k for k, head in enumerate(heads) if head in words] for kind, words in _WORDS.items()}
    several = next((kind for kind, which in at.items() if len(which) > 1), None)
    count = at["count"][:1]
    stated, columns = "", []
    rest = [k for k in range(len(heads)) if k not in count]
    if at["odd"]:
        stated, columns = "odd", [k for k in rest if k not in at["odd"]] + at["odd"]
        pair = [heads.index(name) for name in ("i", "j") if name in heads]
        columns = [*pair, *at["odd"]] if len(pair) == 2 else columns
    elif at["anchor"] and at["near"] and at["far"]:
        stated, columns = "anchor", [*at["anchor"], *at["near"], *at["far"]]
    elif set(_PLAIN) <= set(heads):
        columns = [heads.index(name) for name in _PLAIN]
    if columns:
        if len(columns) != 3 or several:
            raise ValueError(
                f"{shown(path)!r} must have three columns of stimuli, each named once; got {shown(','.join(heads))!r}"
            )
        if stated and layout not in ("auto", stated):
            raise ValueError(
                f"the columns of {shown(path)!r} say layout {stated}, but {layout} is given; leave layout out, or "
                "rename them"
            )
        return columns + count, stated, True
    # Words over numbers are names of columns that we don't know.
    numbers = [all(map(_NUMBER.fullmatch, row)) for _, row in rows[:2]]
    named = bool(count) or (len(numbers) == 2 and numbers == [False, True])
    if len(rest) != 3 and not (len(heads) == 4 and not count):
        raise ValueError(
            f"{shown(path)!r} must have three columns of stimuli, and one of counts if any; got {len(heads)}"
        )
    if named and len(rest) != 3:
        raise ValueError(
            f"{shown(path)!r} has columns of unknown names, {shown(','.join(heads))!r}; name them anchor,near,far or "
            "i,j,odd, and count if there is one"
        )
    return (rest if len(rest) == 3 else [0, 1, 2, 3]) + count, "", named


def _numbers(cells: np.ndarray, where: Any) -> np.ndarray:
    """Cells as numbers, or a message with the first that is none."""
    try:
        return cells.astype(np.float64)
    except ValueError:
        k = next(k for k, cell in enumerate(cells) if not _NUMBER.fullmatch(cell))
        raise ValueError(f"{where(k)}: count must be a number; got {shown(cells[k], 40)!r}") from None


def _numbered(given: Any, names: tuple[str, ...], where: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """(T, 3) numbers of stimuli, and their names where they have any."""
    if hasattr(given, "iloc"):
        given = given.to_numpy()
    array = np.asarray(given) if isinstance(given, (list, tuple)) else given
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "UO":
        array = concrete(array, "triplets")
        if array is None:
            raise ValueError("triplets must be known numbers; got traced ones")
    if array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise ValueError(f"triplets must be (T, 3), at least one of them; got shape {array.shape}")
    if array.dtype.kind in "UO":
        texts = array.astype(str)
        flat, index = np.unique(texts, return_inverse=True)
        for text in (text for text in flat.tolist() if is_missing(text)):
            k = int(np.argwhere(texts == text)[0, 0])
            raise ValueError(f"{where(k)} has {text!r} where a stimulus should be; leave the judgement out")
        if not all(map(_NUMBER.fullmatch, flat.tolist())):
            known = np.array([composed(text) for text in flat.tolist()])
            own, place = np.unique(known, return_inverse=True)
            return place[index].reshape(array.shape), tuple(own.tolist())
        array = flat.astype(np.float64)[index].reshape(array.shape)
    whole = (array >= 0) & (array == np.floor(array)) & (array < _MOST)
    for k, column in np.argwhere(~whole)[:1].tolist():
        raise ValueError(f"{where(k)} must hold whole numbers from 0, or names of stimuli; got {array[k, column]:g}")
    items = array.astype(np.int64)
    if names and int(items.max()) >= len(names):
        raise ValueError(f"there are {len(names)} names, but a stimulus with the number {items.max()} (from 0)")
    return items, names


def _counted(given: Any, size: int, where: Any) -> np.ndarray:
    """(T,) counts, checked."""
    if given is None:
        return np.ones(size)
    counts = concrete(given, "counts")
    if counts is None or counts.shape != (size,):
        raise ValueError(f"counts must be one number for each of {size} triplets; got shape {np.shape(given)}")
    counts = counts.astype(np.float64)
    for k in np.flatnonzero(~(np.isfinite(counts) & (counts >= 0)))[:1].tolist():
        raise ValueError(f"{where(k)}: count must be finite and at least 0; got {counts[k]:g}")
    if not counts.sum() > 0:
        raise ValueError("counts are all 0: there is no judgement")
    return counts


def triplets_of(given: Any, layout: str | None, counts: Any = None) -> Triplets:
    """What users hand in as triplets: `Triplets`, the path of a file, or an array with its layout.

    Raises:
        ValueError: an array without a layout, another layout than that of `Triplets`; as `Triplets`, `read_triplets`.
    """
    if isinstance(given, (str, os.PathLike)):
        given = read_triplets(given, layout or "auto")
    if isinstance(given, Triplets):
        if layout not in (None, "auto", given.layout):
            raise ValueError(f"these triplets have layout {given.layout!r}; got layout={layout!r}")
        return given if counts is None else dataclasses.replace(given, counts=counts)
    heads = axis_labels(given, 1) if hasattr(given, "iloc") else None
    if heads and layout in (None, "auto"):
        columns, stated, _ = _columns([str(head).lower() for head in heads], [], Path("table"), "auto")
        table = given.to_numpy()[:, columns]
        own = table[:, 3].astype(np.float64) if len(columns) == 4 and counts is None else counts
        if stated:
            return Triplets(table[:, :3], stated, own)
    if layout in (None, "auto"):
        raise ValueError(f"an array doesn't tell what its triplets mean: {_SAY}")
    return Triplets(given, layout, counts)
