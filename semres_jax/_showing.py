"""How results look at a prompt and in a notebook: numbers in one line, small tables, data frames."""

import html
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

# Members that a table in a notebook has at most, and numbers of an array that a line has at either end of it.
_MOST_ROWS, _SHOWN = 12, 3


def concrete(value: Any) -> bool:
    """Whether numbers are known here: no tracer, no shape alone, no part of an array of another host."""
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except Exception:
        return False


def short(value: Any) -> str:
    """A number, or the ends of an array of them, in one line; whatever isn't known yet as it calls itself.

    Example:
        >>> import numpy as np
        >>> from semres_jax._showing import short
        >>> short(np.float64(0.75)), short(np.linspace(0, 1, 9)), short(np.eye(2))
        ('0.75', '[0.0, 0.125, 0.25, ..., 0.75, 0.875, 1.0]', 'array of shape (2, 2), 0.0 to 1.0')
    """
    if not concrete(value):
        return repr(value)
    array = np.asarray(value)
    if array.ndim == 0:
        return str(array[()])
    if array.ndim > 1:
        known = array[np.isfinite(array)]
        return f"array of shape {array.shape}" + (f", {known.min()!s} to {known.max()!s}" if known.size else "")
    parts = [*array] if array.size <= 2 * _SHOWN else [*array[:_SHOWN], "...", *array[-_SHOWN:]]
    return f"[{', '.join(map(str, parts))}]"


def members(values: Any, write: Callable[[Any], str]) -> list[str]:
    """The first members of an array as texts, and a sign where there are more."""
    flat = np.ravel(values)
    return [write(x) for x in flat[:_MOST_ROWS].tolist()] + (["⋮"] if flat.size > _MOST_ROWS else [])


def html_table(columns: Mapping[str, list[str]], note: str = "") -> str:
    """Texts in columns under their names, as a small table of a notebook, with a note under it.

    Example:
        >>> from semres_jax._showing import html_table
        >>> html_table({"p < 1": ["0.5"]})
        '<table><thead><tr><th>p &lt; 1</th></tr></thead><tbody><tr><td>0.5</td></tr></tbody></table>'
    """

    def row(tag: str, texts: Any) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)}</tr>"

    below = f"<caption style='caption-side: bottom'>{html.escape(note)}</caption>" if note else ""
    body = "".join(row("td", texts) for texts in itertools.zip_longest(*columns.values(), fillvalue=""))
    return f"<table>{below}<thead>{row('th', columns)}</thead><tbody>{body}</tbody></table>"


def frame(columns: Mapping[str, Any], index: str = "row", names: Any = None) -> Any:
    """A pandas.DataFrame of columns of one length, its index called `index`, with names or numbers from 0.

    Numbers with their uncertainty become columns NAME, NAME_stderr, NAME_low, NAME_high.

    Example:
        >>> from semres_jax import Quantity
        >>> from semres_jax._showing import frame
        >>> frame({"p_s": Quantity([0.7], [0.1], [0.5], [0.9])}).columns.tolist()
        ['p_s', 'p_s_stderr', 'p_s_low', 'p_s_high']
    """
    import xarray

    parts: dict[str, Any] = {}
    for name, values in columns.items():
        if hasattr(values, "_fields"):
            parts |= {
                name if part == "value" else f"{name}_{part}": np.asarray(x) for part, x in values._asdict().items()
            }
        else:
            parts[name] = np.asarray(values, None if np.asarray(values).dtype.kind not in "US" else object)
    length = max(x.size for x in parts.values())
    content = {name: (index, np.broadcast_to(x, (length,))) for name, x in parts.items()}
    return xarray.Dataset(content, {index: list(range(length) if names is None else names)}).to_dataframe()


def rows(columns: Mapping[str, Any], swept: Mapping[str, Any]) -> Any:
    """A pandas.DataFrame of columns that broadcast to one shape, those of `swept` first, a row for each member.

    Raises:
        ValueError: one of `swept` doesn't broadcast to the shape of the others, or has the name of one.
    """
    import xarray

    shape, content = np.broadcast_shapes(*map(np.shape, columns.values())), {}
    for name, value in (*swept.items(), *columns.items()):
        if name in content:
            raise ValueError(f"{name} is a column already; call what was swept by another name")
        try:
            content[name] = ("member", np.broadcast_to(np.asarray(value), shape).ravel())
        except ValueError:
            raise ValueError(f"{name} must broadcast to shape {shape}, the members'; got {np.shape(value)}") from None
    return xarray.Dataset(content, {"member": np.arange(math.prod(shape))}).to_dataframe()
