"""Tables of distances that users bring, checked row by row: no copy is made that isn't needed."""

from typing import Any

import numpy as np

from semres_jax import _memory
from semres_jax._checks import concrete, number_leaf
from semres_jax._names import axis_labels, different, labels_list, places, text_of_labels

# Asymmetry, diagonal and negative distances up to this share of the largest one are rounding of whoever made the table.
ROUNDING = 1e-6
# Numbers looked at at once.
_NUMBERS = 2**22


def named(table: Any, labels: Any, what: str = "points") -> tuple[str, ...]:
    """Names of the rows: those given, or those that a DataFrame or an xarray.DataArray brings.

    Raises:
        ValueError: names missing, or twice; as many as there are rows are asked for by `fitting`.
    """
    given = () if labels is None else labels
    if isinstance(given, tuple) and all(type(label) is str for label in given) and given:
        return different(given)
    given = labels_list(given)
    if not given and (of_rows := axis_labels(table, 0)) is not None:
        given = labels_list(of_rows, f"names of {what}")
    return different(text_of_labels(given))


def checked(given: Any, labels: Any) -> tuple[Any, tuple[str, ...]]:
    """A table of distances as it is stored, with the names of its rows; columns follow the rows where both have names.

    Raises:
        ValueError: what isn't a table of distances; the first offending entry is named.
    """
    names = named(given, labels)
    columns = axis_labels(given, 1) if np.ndim(given) == 2 else None
    table = number_leaf(given, "distances")
    array = concrete(table, "distances")
    if array is None:
        return table, names
    if array.ndim == 1:
        table = array = _square(array)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] < 1:
        raise ValueError(
            "distances must be a square table of shape (N, N), N >= 1, or the N (N - 1) / 2 numbers of scipy's pdist; "
            f"got shape {array.shape}"
        )
    if columns is not None:
        columns = different(text_of_labels(labels_list(columns, "names of columns")), "names of columns")
        if not names:
            names = columns
        elif columns != names:
            order = _order(names, columns)
            table = array = array[:, order]
    if names and len(names) != len(array):
        raise ValueError(f"labels must name each of the {len(array)} points; got {len(names)}")
    return _without_rounding(array, table), names


def _order(names: tuple[str, ...], columns: tuple[str, ...]) -> np.ndarray:
    """Which column is of which row."""
    if len(columns) != len(names) or set(places(names, list(columns))) != set(range(len(names))):
        raise ValueError("rows and columns of distances must have the same names")
    return np.argsort(places(names, list(columns)))


def _square(condensed: np.ndarray) -> np.ndarray:
    """The table of the distances above its diagonal, row by row, as scipy's pdist gives them."""
    size = int(np.ceil(np.sqrt(2.0 * condensed.size)))
    if size * (size - 1) != 2 * condensed.size or not condensed.size:
        raise ValueError(
            f"distances must be a square table of shape (N, N), or N (N - 1) / 2 numbers; got shape {condensed.shape}"
        )
    _memory.require(2 * size * size * condensed.itemsize, f"{size} stimuli")
    from scipy.spatial.distance import squareform

    return squareform(condensed.astype(np.float64) if condensed.dtype.kind != "f" else condensed, checks=False)


def _without_rounding(array: np.ndarray, table: Any) -> Any:
    """The table, once it is known to be one of distances: as it is, or a copy without the rounding."""
    lowest, highest, uneven = np.inf, 0.0, False
    for rows in _blocks(len(array)):
        block = array[rows]
        _refuse(~np.isfinite(block), block, rows, "distances must be finite numbers")
        lowest, highest = min(lowest, block.min()), max(highest, block.max())
    diagonal = np.abs(np.diagonal(array))
    slack = ROUNDING * float(highest)
    for rows in _blocks(len(array)) if lowest < -slack else ():
        _refuse(array[rows] < -slack, array[rows], rows, "distances must be at least 0")
    if (diagonal > slack).any():
        k = int(np.argmax(diagonal > slack))
        raise ValueError(f"the distance of a point to itself must be 0; got d({k}, {k}) = {array[k, k]:g}")
    for rows in _blocks(len(array)):
        block, across = array[rows], array[:, rows].T
        if (block != across).any():
            uneven = True
            _refuse(np.abs(block - across) > slack, block, rows, "distances must be symmetric", across)
    noise = max(-min(float(lowest), 0.0), float(diagonal.max()))
    if not (uneven or noise):
        return table
    _memory.require(array.nbytes + array.nbytes // 4, f"{len(array)} stimuli whose distances are rounded")
    clean = np.array(array)
    for rows in _blocks(len(array)) if uneven else ():
        clean[rows] = (array[rows] + array[:, rows].T) / 2.0
    # What is no more than the rounding that shows on the diagonal or below 0 is 0: copies.
    for rows in _blocks(len(array)) if noise else ():
        block = clean[rows]
        block[block <= noise] = 0.0
    np.fill_diagonal(clean, 0.0)
    return clean


def _blocks(size: int) -> list[slice]:
    step = max(1, _NUMBERS // size)
    return [slice(first, min(first + step, size)) for first in range(0, size, step)]


def _refuse(bad: np.ndarray, block: np.ndarray, rows: slice, what: str, across: np.ndarray | None = None) -> None:
    if bad.any():
        i, j = (int(k) for k in np.argwhere(bad)[0])
        opposite = "" if across is None else f" but d({j}, {i + rows.start}) = {across[i, j]:g}"
        raise ValueError(f"{what}; got d({i + rows.start}, {j}) = {block[i, j]:g}{opposite}")


def checked_weights(given: Any, table: Any, names: tuple[str, ...]) -> Any:
    """Probabilities of the points; a Series with names is put in the order of the table's."""
    of_rows = axis_labels(given, 0) if np.ndim(given) == 1 else None
    weights = number_leaf(given, "weights")
    array = concrete(weights, "weights")
    if array is None:
        return weights
    size = np.shape(table)[:1]
    if array.shape != size and size:
        raise ValueError(f"weights must have shape {size}, one for each point; got {array.shape}")
    if of_rows is not None and names:
        own = different(text_of_labels(labels_list(of_rows, "names of weights")), "names of weights")
        weights = array = array[np.argsort(places(names, list(own)))].astype(np.float64)
    bad = ~(array >= 0) | ~np.isfinite(array)
    if bad.any():
        raise ValueError(f"weights must be at least 0; got weight {array[bad][0]:g} of point {int(np.argmax(bad))}")
    if abs(array.sum(dtype=np.float64) - 1.0) > ROUNDING:
        raise ValueError(f"weights must sum to 1; got {array.sum(dtype=np.float64):g} (divide them by their sum)")
    return weights
