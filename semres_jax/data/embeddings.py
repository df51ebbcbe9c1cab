"""Embeddings that users have in files, and the labels of their rows."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semres_jax.data._tables import _rows, read_distances as read_distances
from semres_jax.data.image_sets import listed

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
    if not path.is_file():
        raise FileNotFoundError(f"no file of embeddings {str(path)!r}")
    if path.suffix.lower() == ".npy" and key is not None:
        raise ValueError(f"a .npy file holds one array without a name; {str(path)!r} has no {key!r}")
    points, names = _picked(path, _arrays(path, key), key)
    if points.ndim != 2 or points.dtype.kind not in "biuf":
        raise ValueError(
            f"embeddings must be a table of numbers, a row for each stimulus; {str(path)!r} has shape {points.shape} "
            f"of {points.dtype}"
        )
    return EmbeddingFile(points, names)


def read_labels(path: str | os.PathLike[str], count: int, names: Sequence[str] = ()) -> list[Any]:
    """The label of each of `count` rows from a CSV file whose first line names a column "label".

    Labels are in the order of the rows; or by a column "row" (numbers from 0) or, of named rows, "name". Other columns
    are left alone. Labels become whole numbers where all of them are.

    Raises:
        ValueError: no such column, a line of another length, a label for a row that isn't there, rows twice or without
            a label.
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
    (_, heads), *lines = _rows(path, "labels")
    heads = [cell.lower() for cell in heads]
    if "label" not in heads:
        raise ValueError(f"the first line of {str(path)!r} must name a column 'label'; got {','.join(heads)[:200]!r}")
    by = next((word for word in ("row", "name") if word in heads), "")
    place = {name: k for k, name in enumerate(names)}
    labels: dict[int, str] = {}
    for order, (number, cells) in enumerate(lines):
        entry = dict(zip(heads, cells, strict=False))
        if len(cells) != len(heads) or not entry["label"]:
            raise ValueError(f"line {number} of {str(path)!r} must have {len(heads)} entries; got {','.join(cells)!r}")
        label, row = entry["label"], order
        if by == "row":
            if not entry[by].isdigit():
                raise ValueError(f"line {number} of {str(path)!r}: {entry[by]!r} is no number of a row")
            row = int(entry[by])
        elif by == "name" and place:
            row = place.get(entry[by], count)
        which = repr(entry[by]) if by == "name" else f"row {row}"
        if row >= count:
            raise ValueError(f"label {label!r} on line {number} of {str(path)!r} is of {which}, which has no embedding "
                             f"(there are {count})")  # fmt: skip
        if row in labels:
            raise ValueError(f"{which} has two labels in {str(path)!r}, {labels[row]!r} and {label!r}")
        labels[row] = label
    if len(labels) < count:
        first = next(k for k in range(count) if k not in labels)
        which = f"{names[first]!r}" if place else f"row {first}"
        raise ValueError(f"{which} of {count} embeddings has no label in {str(path)!r}, which has {len(labels)}")
    values = [labels[row] for row in range(count)]
    return [int(x) for x in values] if all(x.lstrip("-").isdigit() for x in values) else values


def _arrays(path: Path, key: str | None) -> Mapping[str, Any]:
    """Arrays by name; where a key is given and there, that one."""
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        from semres_jax.networks import weights

        return weights.read(path)
    try:
        if suffix == ".npy":
            return {"": np.load(path, mmap_mode="r", allow_pickle=False)}
        if suffix == ".npz":
            # NumPy leaves a file open that turns out not to be one.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                if not hasattr(file, "files"):
                    raise ValueError("not a zip file of arrays")
                return {name: file[name] for name in file.files if key in (None, name)} or dict.fromkeys(file.files)
        import h5py

        with h5py.File(path, "r") as file:
            sets: dict[str, Any] = {}
            file.visititems(lambda name, item: sets.update({name: item}) if isinstance(item, h5py.Dataset) else None)
            return {name: item[()] for name, item in sets.items() if key in (None, name)} or dict.fromkeys(sets)
    except (ValueError, EOFError, OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{str(path)!r} is truncated, corrupt or of another kind: {reason}") from None


def _picked(path: Path, arrays: Mapping[str, Any], key: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    if key is not None:
        if arrays.get(key) is None:
            raise ValueError(f"{str(path)!r} has no array {key!r}; it has {listed(list(arrays))}")
        return np.asarray(arrays[key]), ()
    if len(arrays) == 1:
        return np.asanyarray(next(iter(arrays.values()))), ()  # a mapped file stays one
    shapes = {np.shape(x) for x in arrays.values()}
    if len(shapes) == 1 and len(next(iter(shapes))) == 1:
        return np.stack(list(arrays.values())), tuple(arrays)
    what = f"{len(arrays)} arrays, {listed(list(arrays))}" if arrays else "no array"
    raise ValueError(f"{str(path)!r} holds {what}; say which one the embeddings are (key)")
