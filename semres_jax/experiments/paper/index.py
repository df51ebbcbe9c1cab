"""The index of the figures: one page of HTML beside their files, with links that are relative."""

import dataclasses
import html
import math
from collections.abc import Sequence
from typing import Any

from semres_jax.experiments.paper.figures import UNMADE, Figure
from semres_jax.experiments.paper.numbers import Number

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#1a1a1a}"
    "img{max-width:100%;height:auto;margin:.5em 0}table{border-collapse:collapse;font-size:.85em}"
    "table{display:block;overflow-x:auto}code,a{overflow-wrap:anywhere}"  # on a phone
    "td,th{padding:.15em .8em .15em 0;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}"
    "td.n{font-variant-numeric:tabular-nums;white-space:nowrap}h2{margin-top:2.5em}code{background:#f2f2f2}"
)


@dataclasses.dataclass(frozen=True)
class Record:
    """What became of a figure in a run.

    Attributes:
        name, figure: which.
        status: "made", "kept" (it was there), "missing" (it can't be made here), or "left out" (nobody asked for it).
        reason: why it is missing or left out.
        files: paths below the folder of the index.
        numbers: of the figure.
        seconds: that it took.
        command: that made it.
    """

    name: str
    figure: Figure
    status: str
    reason: str = ""
    files: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    seconds: float = 0.0
    command: str = ""

    def summary(self) -> dict[str, Any]:
        """The same as JSON has it."""
        about = {name: getattr(self.figure, name) for name in ("title", "shows", "differs")}
        plain = {name: getattr(self, name) for name in ("status", "reason", "files", "seconds", "command")}
        return {"figure": self.name} | about | plain | {"numbers": [number._asdict() for number in self.numbers]}


def index(records: Sequence[Record], about: str) -> str:
    """The page: every figure with its picture, what differs, its numbers and command; then what can't be made.

    Args:
        records: of all figures, in the order of the paper.
        about: a line on the run.

    Example:
        >>> from semres_jax.experiments import paper
        >>> record = paper.Record("2", paper.FIGURES["2"], "left out", "not asked for")
        >>> "Not made: not asked for" in paper.index([record], "a test")
        True
    """
    places = "".join(
        f'<li><a href="#figure-{record.name}">Figure {record.name}</a>: {_text(record.figure.title)}'
        f"{'' if record.files else ' (not made)'}</li>"
        for record in records
    )
    unmade = "".join(f"<tr><td>{_text(a)}</td><td>{_text(b)}</td><td>{_text(c)}</td></tr>" for a, b, c in UNMADE)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Bound by semanticity: figures made here</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>Figures of “Bound by semanticity”, made here</h1>\n"
        f"<p>Nurisso et al., arXiv 2506.14797. {_text(about)} Lines are theory, marks are data with error bars; where "
        f"something else holds, the figure says so.</p>\n<ul>{places}</ul>\n"
        + "\n".join(map(_section, records))
        + '\n<h2 id="unmade">What can\'t be made here</h2>\n<table><tr><th>what</th><th>why</th><th>what stands for it'
        f"</th></tr>{unmade}</table>\n</body></html>\n"
    )


def _section(record: Record) -> str:
    figure = record.figure
    lines = [f'<h2 id="figure-{record.name}">Figure {record.name}. {_text(figure.title)}</h2>']
    picture = next((file for file in record.files if file.endswith(".png")), None)
    if picture is None:
        lines.append(f"<p><strong>Not made: {_text(record.reason)}</strong></p>")
    else:
        lines.append(f'<img src="{_text(picture)}" alt="{_text(figure.title)}">')
    lines.append(f"<p><b>The paper shows:</b> {_text(figure.shows)}</p>")
    lines.append(f"<p><b>What differs here, and why:</b> {_text(figure.differs)}</p>")
    if record.numbers:
        rows = "".join(map(_row, record.numbers))
        heads = "<tr><th>number</th><th>here</th><th>compared with</th><th>which is</th></tr>"
        lines.append(f"<table>{heads}{rows}</table>")
    command = f"made by <code>{_text(record.command)}</code> in {record.seconds:.1f} s; " if record.command else ""
    links = ", ".join(f'<a href="{_text(file)}">{_text(file.rpartition("/")[2])}</a>' for file in record.files)
    lines.append(f"<p>{command}more of it: <code>{_text(figure.command)}</code>{'; files: ' * bool(links)}{links}</p>")
    return "\n".join(lines)


def _row(number: Number) -> str:
    error = "" if not number.error > 0 else f" ± {number.error:.2g}"
    here = f"{_value(number.here)}{error}"
    cells = (f'<td class="n">{text}</td>' for text in (here, _value(number.expected)))
    return f"<tr><td>{_text(number.what)}</td>{''.join(cells)}<td>{_text(number.source)}</td></tr>"


def _value(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.5g}"


def _text(text: str) -> str:
    return html.escape(text, quote=True)
