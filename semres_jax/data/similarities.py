"""Square tables of what people say is alike that users have in files: similarities, confusions, dissimilarities."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semres_jax._files import composed, require_file, shown
from semres_jax.data import _arrays
from semres_jax.data._tables import TEXTS, square_csv
from semres_jax.data.image_sets import listed


class SimilarityFile(NamedTuple):
    """What a file holds.

    Attributes:
        table: (N, N), or (S, N, N) of S subjects, float64; NaN where an entry is missing.
        names: of the stimuli, where the file has them; else ().
    """

    table: np.ndarray
    names: tuple[str, ...]


def read_similarities(path: str | os.PathLike[str], key: str | None = None) -> SimilarityFile:
    """A square table of a .csv file (or .tsv, also gzipped), or a table, or one of each subject, of .npy or .npz.

    A CSV file has names in its first line and its first column, or bare numbers; commas, semicolons or tabs between
    entries; rows are put in the order of the columns; entries may be missing (empty, NA, NaN). A .npz file may hold one
    array, of (N, N) or (S, N, N), and beside it one of text, "names"; or a square table for each subject.

    Args:
        path: of the file.
        key: name of the array in a .npz file of several.

    Raises:
        ValueError: another kind of file, a broken one, a table that isn't square, entries that are no numbers, several
            arrays that aren't tables of one size.
        FileNotFoundError: no such file.

    Example:
        >>> import pathlib, tempfile
        >>> from semres_jax.data import read_similarities
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "judged.csv")
        ...     _ = file.write_text(",red,green,blue\\nred,1,.2,.1\\ngreen,.3,1,.4\\nblue,.1,.5,\\n")
        ...     table, names = read_similarities(file)
        >>> names, table[1].tolist(), table[2].tolist()
        (('red', 'green', 'blue'), [0.3, 1.0, 0.4], [0.1, 0.5, nan])
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.name.lower().endswith(TEXTS):
        if key is not None:
            raise ValueError(f"a text file holds one table without a name; {shown(path)!r} has no {shown(key)!r}")
        return SimilarityFile(*square_csv(path, "similarities", missing=True))
    if suffix not in (".npy", ".npz"):
        raise ValueError(f"a table of similarities must be in a .csv, .tsv, .npy or .npz file; got {shown(path)!r}")
    require_file(path, "file of similarities")
    if suffix == ".npy" and key is not None:
        raise ValueError(f"a .npy file holds one array without a name; {shown(path)!r} has no {shown(key)!r}")
    array, names = (_arrays.npy(path, "file of similarities"), ()) if suffix == ".npy" else _of_npz(path, key)
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2] or array.dtype.kind not in "biuf":
        raise ValueError(
            f"similarities must be a square table of numbers, (N, N), or (subjects, N, N); {shown(path)!r} has shape "
            f"{array.shape} of {array.dtype}"
        )
    return SimilarityFile(np.array(array, np.float64), names)


def _of_npz(path: Path, key: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The array, or those of all subjects one after the other, and names."""
    stored = dict(_arrays.stored(path, "file of similarities", None))
    names = stored.pop("names", None)
    texts = () if names is None else tuple(composed(str(name)) for name in _arrays.read(names, path).ravel())
    if key is not None:
        if key not in stored:
            raise ValueError(f"{shown(path)!r} has no array {shown(key)!r}; it has {listed(list(map(shown, stored)))}")
        return _arrays.read(stored[key], path), texts
    if len({entry.shape for entry in stored.values()}) != 1 or (
        len(stored) > 1 and len(next(iter(stored.values())).shape) != 2
    ):
        what = f"{len(stored)} arrays, {listed(list(map(shown, stored)))}" if stored else "no array of numbers"
        raise ValueError(
            f"{shown(path)!r} holds {what}; give one of shape (N, N) or (subjects, N, N), a square one for each "
            "subject, or say which (key)"
        )
    tables = [_arrays.read(entry, path) for entry in stored.values()]
    return (tables[0] if len(tables) == 1 else np.stack(tables)), texts
