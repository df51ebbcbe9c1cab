"""Square tables that users bring: numbers of pairs of stimuli, with the names of the stimuli."""

from typing import Any

import numpy as np

from semres_jax._checks import concrete
from semres_jax._names import axis_labels, different, labels_list, places, text_of_labels


def square(table: Any, names: Any = None, what: str = "counts") -> tuple[np.ndarray, tuple[str, ...]]:
    """(N, N) float64 and N names: those given, those of a labelled table (columns follow its rows), or numbers.

    Args:
        table: whatever is array-like, a pandas.DataFrame and an xarray.DataArray too.
        names: N different names; None: the table's own, or "0", "1", ...
        what: the table is called in messages.

    Raises:
        ValueError: not numbers, not square, fewer than 2 rows, NaN or infinity, names that don't fit. One line.
    """
    array = concrete(table, what)
    if array is None:
        raise ValueError(f"{what} must be known numbers; got a traced or missing array")
    array = array.astype(np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise ValueError(f"{what} must be a square table (N, N), N at least 2; got shape {array.shape}")
    rows, columns = axis_labels(table, 0), axis_labels(table, 1)
    given = next((some for some in (names, rows, columns) if some is not None), range(len(array)))
    known = different(text_of_labels(labels_list(list(given), f"names of {what}")), f"names of {what}")
    if len(known) != len(array):
        raise ValueError(f"names must be {len(array)}, one for each row of {what}; got {len(known)}")
    if rows is not None and columns is not None:
        own = different(text_of_labels(labels_list(rows)), f"names of rows of {what}")
        order = places(own, columns, f"the rows of {what}")
        if len(set(order.tolist())) != len(own):
            raise ValueError(f"rows and columns of {what} must have the same names")
        array = array[:, np.argsort(order)]
    bad = ~np.isfinite(array)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise ValueError(f"{what} must be finite; row {known[i]!r}, column {known[j]!r} has {array[i, j]:g}")
    return array, known
