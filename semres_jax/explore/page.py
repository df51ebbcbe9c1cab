"""The page, put together of its files, the exact numbers and the layers of own runs."""

import html
import importlib.resources
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from semres_jax.execution import Execution
from semres_jax.explore import grids
from semres_jax.spaces.base import MetricSpace
from semres_jax.storage.results import plain, provenance

# What tells a page from other files.
MARK = '<meta name="generator" content="semres explore">'
# A page of more bytes opens slowly, and is refused before anything is computed.
MOST_BYTES = 5_000_000
_SCRIPTS = ("laws.js", "model.js", "draw.js", "page.js")
# Of the programs, the best similarities and what else doesn't depend on spaces and runs.
_BASE_BYTES = 200_000
_SOURCE = "Nurisso et al., arXiv 2506.14797"


def check(spaces: Mapping[str, MetricSpace], layers: Sequence[Any] = ()) -> None:
    """Raise `ValueError` where no page can be made: as `grids.checked`, or as it would be too large.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.explore.page import check
        >>> check(spaces.by_label(["circle", "interval"]))
    """
    if not spaces:
        raise ValueError("a page needs at least one space, such as circle")
    grids.checked(spaces)
    runs = len(_json(layers))
    size = _BASE_BYTES + grids.BYTES * len(spaces) + runs
    if size > MOST_BYTES:
        raise ValueError(
            f"a page of {len(spaces)} spaces and {runs / 1e6:.1f} MB of runs has about {size / 1e6:.1f} MB, and "
            f"{MOST_BYTES / 1e6:.0f} MB is the most; give fewer of them"
        )


def make_page(
    spaces: Mapping[str, MetricSpace],
    layers: Sequence[Any] = (),
    *,
    command: str = "",
    execution: Execution | None = None,
) -> str:
    """One HTML file with everything in it: no server, no request.

    Its sliders stop where there are exact numbers (`grids.numbers`); where a law in closed form holds the page computes
    it, in double precision, at any number. The element "numbers" has them as text, and as data attributes with all
    digits.

    Args:
        spaces: by label.
        layers: of own runs, as `runs.layers_of` gives them.
        command: that the page is made by.
        execution: its `progress` is told.

    Returns:
        The content of the file.

    Raises:
        ValueError: as `check`.

    Example:
        >>> from semres_jax import explore, spaces
        >>> page = explore.make_page({"three": spaces.grid(spaces.Circle(), 3)})
        >>> page[:15], len(page) < 1_000_000
        ('<!DOCTYPE html>', True)
    """
    check(spaces, layers)
    started, made = time.perf_counter(), provenance(command=command)
    content = grids.numbers(spaces, execution=execution) | {"layers": layers}
    made["seconds"] = round(time.perf_counter() - started, 1)
    parts = {
        "style": _file("page.css"),
        "script": "\n".join(map(_file, _SCRIPTS)),
        "data": _json(content | {"made": made}),
        "footer": _footer(made),
        "mark": MARK,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _file("page.html"))


def _file(name: str) -> str:
    return importlib.resources.files("semres_jax.explore").joinpath(name).read_text(encoding="utf-8")


def _json(content: Any) -> str:
    """JSON that may stand in HTML: no text in it begins or ends an element."""
    text = json.dumps(plain(content), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def _footer(made: Mapping[str, Any]) -> str:
    words = {name: html.escape(str(value)) for name, value in made.items()}
    command = f"<code>{words['command']}</code>" if "command" in words else "<code>semres explore</code>"
    return (
        f"<p>Made by {command}, semres_jax {words['semres_jax']} (commit {words['commit']}, jax {words['jax']}), "
        f"{words['started']}, in {words['seconds']} s. Laws in closed form ({_SOURCE}) are computed here, in double "
        "precision; all other numbers are exact sweeps of the engine, in single precision (3·10<sup>−8</sup>), and "
        "sliders then stop where the sweeps have them. p<sub>S</sub>, p<sub>I</sub>: probabilities of a right answer; "
        "⟨b⟩: the share of stimuli within ε of a probe, on average over probes.</p>"
    )
