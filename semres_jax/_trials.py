"""Choices that users hand in as arrays, lists or tables of pandas: rows matched by their names, numbers as float64."""

from typing import Any

import numpy as np


def arrays(distances: Any, chosen: Any, **more: Any) -> dict[str, Any]:
    """Distances, chosen and what there is more (labels, positions, scores) as checked arrays, by their names.

    Raises:
        ValueError: no numbers, shapes that don't fit, other rows than those of the distances, an item without a name.
            One line that names the argument and the trial, from 1.
    """
    index = getattr(distances, "index", None) if hasattr(distances, "iloc") else None
    d = _numbers("distances", distances)
    if d.ndim != 2 or d.shape[0] < 1 or d.shape[1] < 2:
        raise ValueError(f"distances must be (trials, items), at least 2 items; got shape {d.shape}")
    given: dict[str, Any] = {"distances": d, "chosen": _chosen(_matched("chosen", chosen, index))}
    for name, values in more.items():
        if values is None:
            given[name] = None
            continue
        values = _matched(name, values, index)
        given[name] = _numbers(name, values) if name == "scores" else _names(name, values, ~np.isnan(d))
        if given[name].shape != d.shape:
            raise ValueError(f"{name} must be of the shape of distances, {d.shape}; got {given[name].shape}")
    return given


def _matched(name: str, values: Any, index: Any) -> Any:
    """A table with the rows of the distances, in their order, where both have names of rows."""
    own = values.index if hasattr(values, "iloc") else None
    if index is None or own is None or own.equals(index):
        return values
    if own.is_unique and index.is_unique and set(own) == set(index):
        return values.loc[index]
    raise ValueError(
        f"{name} and distances have other rows in their index; give both the same index, or neither (to_numpy())"
    )


def _plain(values: Any) -> np.ndarray:
    """A NumPy array of what is array-like; NaN where it is masked or missing."""
    if hasattr(values, "iloc"):
        values = values.to_numpy(dtype=object, na_value=np.nan)
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(object), np.nan)
    return np.asarray(values)


def _numbers(name: str, values: Any) -> np.ndarray:
    try:
        array = _plain(values)
        if array.dtype.kind == "O":  # numbers among other things, or a column of lists
            array = np.array(array.tolist(), np.float64)
        if array.dtype.kind in "cmM":
            raise TypeError(f"an array of {array.dtype}")
        return np.asarray(array, np.float64)
    except (ValueError, TypeError) as error:  # ragged lists and tracers too
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"{name} must be real numbers, as many in each row; got {reason}") from None


def _chosen(values: Any) -> np.ndarray:
    if np.ndim(values) == 1 and getattr(values, "dtype", None) in (np.dtype(bool), "boolean"):
        raise ValueError("chosen must be whole numbers, the item counted from 0, for each trial; got an array of bool")
    numbers = _numbers("chosen", values)
    if numbers.ndim != 1:
        return numbers
    odd = ~(np.isfinite(numbers) & (numbers == np.round(numbers)))
    if odd.any():
        what = "leave out trials without a choice" if np.isnan(numbers[odd][0]) else "items count from 0"
        raise ValueError(f"chosen must be whole numbers; trial {odd.argmax() + 1} has {numbers[odd][0]:g} ({what})")
    return numbers.astype(np.int64)


def _names(name: str, values: Any, there: np.ndarray) -> np.ndarray:
    """Names or numbers, all of one type; what stands where there is no item doesn't count."""
    try:
        array = _plain(values)
    except (ValueError, TypeError):  # ragged lists
        raise ValueError(
            f"{name} must be of the shape of distances, {there.shape}; got rows of other lengths"
        ) from None
    if array.shape != there.shape or array.dtype.kind not in "OUf":
        return array
    if array.dtype.kind == "U":
        missing = array == ""
    else:
        missing = np.array([[x is None or x != x or not str(x) for x in row] for row in array.tolist()])
    if (missing & there).any():
        trial, item = np.argwhere(missing & there)[0].tolist()
        raise ValueError(f"{name} has no name for item {item + 1} of trial {trial + 1}; give each item one")
    if array.dtype.kind != "O":
        return array
    kinds = {"str" if isinstance(x, str) else "number" for x in array[there].tolist()}
    if len(kinds) > 1:
        raise ValueError(f"{name} must be all names or all numbers; got both")
    filled = np.where(there, array, "" if kinds == {"str"} else 0)
    return np.array(filled.tolist())
