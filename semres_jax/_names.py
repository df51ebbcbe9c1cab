"""Names of stimuli: what labels may be, those that tables bring, and which label means which name."""

import datetime
import numbers
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np

from semres_jax._checks import brief
from semres_jax._files import composed

# Classes of what pandas and NumPy put where nothing is.
_MISSING = ("NAType", "NaTType", "MaskedConstant")


def labels_list(labels: Any, what: str = "labels") -> list[Any]:
    """Labels as Python's own values, text composed.

    Raises:
        ValueError: not along one axis, a label that is missing (its row is named), or neither text nor a number.
    """
    if hasattr(labels, "iloc") and np.ndim(labels) == 2 and np.shape(labels)[1] == 1:  # a table of one column
        labels = labels.iloc[:, 0]
    text_or_unordered = isinstance(labels, (str, bytes, Mapping, Set, Iterator)) or not isinstance(labels, Iterable)
    if text_or_unordered or len(getattr(labels, "shape", (0,))) != 1:
        raise ValueError(f"{what} must be a list of names, one for each row; got {brief(labels)}")
    return [_plain(label, row, what) for row, label in enumerate(labels)]


def text_of_labels(labels: list[Any]) -> list[str]:
    """Labels as names: 1 and 1.0 are "1"."""
    return [str(int(x)) if isinstance(x, float) and x.is_integer() else str(x) for x in labels]


def different(names: Iterable[str], what: str = "labels") -> tuple[str, ...]:
    """Names, once they are known to differ."""
    names = tuple(names)
    name, count = Counter(names).most_common(1)[0] if names else ("", 1)
    if count > 1:
        raise ValueError(f"{what} must differ; {name!r} appears {count} times")
    return names


def axis_labels(table: Any, axis: int) -> Any:
    """The names that a DataFrame, a Series or an xarray.DataArray has along an axis; None where it only counts."""
    if hasattr(table, "iloc"):
        index = table.index if axis == 0 else table.columns
    elif hasattr(table, "dims") and hasattr(table, "coords"):
        index = table.coords[table.dims[axis]].values if table.dims[axis] in table.coords else None
    else:
        return None
    if index is None:
        return None
    values = list(index)
    counted = all(isinstance(x, (int, np.integer)) and not isinstance(x, bool) and x == k for k, x in enumerate(values))
    return None if counted else values


def ordered(table: Any, names: tuple[str, ...], what: str) -> Any:
    """A labelled square table with rows and columns in the order of names; one without labels as it is.

    Raises:
        ValueError: other names, or as many as there are names in one direction only.
    """
    if not names or np.ndim(table) != 2:
        return table
    axes = [axis_labels(table, axis) for axis in range(2)]
    if axes == [None, None]:
        return table
    array = np.asarray(table)
    for axis, labels in enumerate(axes):
        if labels is None:
            continue
        where = places(names, labels_list(labels, f"names of {what}"), "the space")
        if sorted(where.tolist()) != list(range(len(names))):
            raise ValueError(f"{what} must have each of the {len(names)} names of the space once; got {len(labels)}")
        array = np.take(array, np.argsort(where), axis=axis)
    return array


def places(names: tuple[str, ...], labels: list[Any], what: str = "the distances") -> np.ndarray:
    """Where each label is among names: by its text, or else as a number ("001" for 1) where no two names are alike.

    Raises:
        ValueError: a label that is none of the names.
    """
    place = {composed(name): k for k, name in enumerate(names)}
    texts = text_of_labels(labels)
    if not set(texts) <= set(place):
        numbered = {_number(name): k for name, k in place.items()}
        if len(numbered) == len(place) and {_number(text) for text in texts} <= set(numbered):
            place, texts = numbered, [_number(text) for text in texts]
    for row, text in enumerate(texts):
        if text not in place:
            raise ValueError(f"label {labels[row]!r} of row {row} is none of the {len(names)} names of {what}")
    return np.array([place[text] for text in texts], int)


def _number(name: str) -> str:
    """A name of digits only, without zeros in front."""
    return str(int(name)) if name.isascii() and name.isdigit() and len(name) < 100 else name


def _plain(label: Any, row: int, what: str) -> Any:
    if isinstance(label, np.datetime64):
        label = None if np.isnat(label) else str(label)
    if hasattr(label, "item") and np.ndim(label) == 0:  # of NumPy, JAX, xarray
        label = label.item()
    nothing = isinstance(label, numbers.Number) and label != label
    if label is None or nothing or type(label).__name__ in _MISSING:
        raise ValueError(f"row {row} has no label: {label!r} stands for a missing one (leave the row out, or name it)")
    if isinstance(label, bytes):
        return composed(label.decode("utf-8", "backslashreplace"))
    if isinstance(label, str):
        return composed(str(label))
    if isinstance(label, datetime.date):
        return label.isoformat()
    if isinstance(label, bool):
        return str(label)
    if not isinstance(label, numbers.Real):
        raise ValueError(f"{what} must be text or numbers; got {brief(label)} in row {row}")
    return int(label) if isinstance(label, numbers.Integral) else float(label)
