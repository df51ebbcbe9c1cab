"""Embeddings that users have in files, and the labels of their rows."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semres_jax._files import composed, require_file, shown
from semres_jax.data import _arrays
from semres_jax.data._tables import (
    NOTHING,
    _rows,
    distances_and_names as distances_and_names,
    read_distances as read_distances,
)
from semres_jax.data.image_sets import listed

_WHOLE = re.compile(r"(0|[1-9]\d*)(\.0+)?|-[1-9]\d*(\.0+)?", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)\.\d+", re.ASCII)
SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".safetensors")


class EmbeddingFile(NamedTuple):
    """What a file holds.

    Attributes:
        points: (N, D) numbers; of a .npy file mapped, not read.
        names: of the rows, where the file has one vector for each name; else ().
    """

    points: Any
    names: tuple[str, ...]


def read_embeddings(path: str | os.PathLike[str], key: str | None = None) -> EmbeddingFile:
    """The (N, D) array of a .npy, .npz, .h5 (.hdf5) or .safetensors file.

    A file of several arrays needs the name of one; or else all are vectors of one length, one for each stimulus.

    Args:
        path: of the file.
        key: name of the array; in .h5 files with the groups it is in, as "layer/12".

    Raises:
        ValueError: another kind of file, a truncated or corrupt one, no or several arrays, none of that name, an array
            that isn't (N, D).
        FileNotFoundError: no such file.
        ImportError: a .safetensors file without the package safetensors.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from semres_jax.data.embeddings import read_embeddings
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "words.npz")
        ...     np.savez(file, cat=np.ones(4), dog=np.zeros(4))
        ...     points, names = read_embeddings(file)
        >>> points.shape, names
        ((2, 4), ('cat', 'dog'))
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"embeddings must be in a file that ends in {', '.join(SUFFIXES)}; got {str(path)!r}")
    require_file(path, "file of embeddings")
    if path.suffix.lower() == ".npy" and key is not None:
        raise ValueError(f"a .npy file holds one array without a name; {shown(path)!r} has no {shown(key)!r}")
    points, names = _picked(path, key)
    if points.ndim != 2 or points.dtype.kind not in "biuf":
        raise ValueError(
            f"embeddings must be a table of numbers, a row for each stimulus; {shown(path)!r} has shape {points.shape} "
            f"of {points.dtype}"
        )
    return EmbeddingFile(points, names)


def read_labels(path: str | os.PathLike[str], count: int, names: Sequence[str] = ()) -> list[Any]:
    """The label of each of `count` rows from a CSV file whose first line names a column "label".

    Labels are in the order of the rows; or by a column "row" (numbers from 0) or, of named rows, "name". Other columns
    are left alone. Labels become numbers where all of them are (1.0 is 1, as pandas writes it; 007 is a name).

    Raises:
        ValueError: no such column, a line of another length, a label for a row that isn't there, rows twice or without
            a label (empty, NA, nan).
        FileNotFoundError: no such file.

    Example:
        >>> import pathlib, tempfile
        >>> from semres_jax.data.embeddings import read_labels
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "labels.csv")
        ...     _ = file.write_text("row,label\\n1,dog\\n0,cat\\n")
        ...     read_labels(file, 2)
        ['cat', 'dog']
    """
    path = Path(path)
    (_, heads), *lines = _rows(path, "labels", ",;\t")
    heads, where = [cell.lower() for cell in heads], shown(path)
    if heads.count("label") != 1:
        raise ValueError(f"the first line of {where!r} must name one column 'label'; got {shown(','.join(heads))!r}")
    by = next((word for word in ("row", "name") if word in heads), "")
    place = {name: k for k, name in enumerate(names)}
    labels: dict[int, str] = {}
    for order, (number, cells) in enumerate(lines):
        if len(cells) != len(heads):
            got = shown(",".join(cells))
            raise ValueError(f"line {number} of {where!r} must have {len(heads)} entries; got {got!r}")
        entry = dict(zip(heads, map(composed, cells), strict=True))
        label, row = entry["label"], order
        if label.lower() in NOTHING:
            raise ValueError(f"line {number} of {where!r} has no label: {label!r}; name it, or leave its row out")
        if by == "row":
            row = whole(entry[by])
            if row is None or row < 0:
                raise ValueError(f"line {number} of {where!r}: {shown(entry[by])!r} is no number of a row")
        elif by == "name" and place:
            row = place.get(entry[by], count)
        which = repr(shown(entry[by])) if by == "name" else f"row {row}"
        if row >= count:
            raise ValueError(f"label {shown(label)!r} on line {number} of {where!r} is of {which}, which has no "
                             f"embedding (there are {count})")  # fmt: skip
        if row in labels:
            raise ValueError(f"{which} has two labels in {where!r}, {shown(labels[row])!r} and {shown(label)!r}")
        labels[row] = label
    if len(labels) < count:
        first = next(k for k in range(count) if k not in labels)
        which = f"{names[first]!r}" if place else f"row {first}"
        raise ValueError(f"{which} of {count} embeddings has no label in {where!r}, which has {len(labels)}")
    values = [labels[row] for row in range(count)]
    numbers = [_number(value) for value in values]
    return values if None in numbers else numbers


def whole(text: str) -> int | None:
    """A whole number from 0 as people and pandas write it, 7 or 7.0, but not 007, which is a name."""
    return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) and len(text) < 19 else None


def _number(text: str) -> int | float | None:
    """A number whose text is this one, so that 22.5 comes before 112.5 and is found by name, too; or as `whole`."""
    number = whole(text)
    return float(text) if number is None and _DECIMAL.fullmatch(text) and str(float(text)) == text else number


def _picked(path: Path, key: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    if path.suffix.lower() == ".npy":
        return _arrays.npy(path, "file of embeddings"), ()  # a mapped file stays one
    stored = _arrays.stored(path, "file of embeddings", key)
    if key is not None and key not in stored:
        raise ValueError(f"{shown(path)!r} has no array {shown(key)!r}; it has {listed(list(map(shown, stored)))}")
    if key is not None or len(stored) == 1:
        return _arrays.read(stored[key] if key is not None else next(iter(stored.values())), path), ()
    shapes = {entry.shape for entry in stored.values()}
    if len(shapes) == 1 and len(next(iter(shapes))) == 1:
        return np.stack([_arrays.read(entry, path) for entry in stored.values()]), tuple(map(composed, stored))
    what = f"{len(stored)} arrays, {listed(list(map(shown, stored)))}" if stored else "no array"
    raise ValueError(f"{shown(path)!r} holds {what}; say which one the embeddings are (key)")
