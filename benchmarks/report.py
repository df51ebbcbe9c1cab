"""The lines of every table: what was measured, against what, and whether it is what was asked for."""

import argparse
import json
import operator
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIGNS = {">=": (operator.ge, "at least"), "<=": (operator.le, "at most")}
COLUMNS = ("what", "semres_jax", "compared with", "times", "bar")


def row(
    what: str,
    value: float,
    unit: str,
    *,
    peer: str | None = None,
    peer_value: float | None = None,
    better: str = "more",
    bar: str | None = None,
    note: str = "",
) -> dict:
    """One line.

    Args:
        what: words that tell the line from all others of the suite.
        value: ours, in `unit`.
        peer: what it is compared with, and `peer_value` its number in the same unit.
        better: "more" or "less": `ratio` is how many times better ours is than the peer's.
        bar: what is asked for, as "ratio >= 3" or "value <= 60".
        note: a sentence, printed below the table.
    """
    ratio = None
    if peer_value is not None:
        ratio = value / peer_value if better == "more" else peer_value / value
    met = None
    if bar is not None:
        of, sign, number = bar.split()
        measured = {"ratio": ratio, "value": value}[of]
        met = measured is not None and bool(SIGNS[sign][0](measured, float(number)))
    numbers = {"value": value, "peer_value": peer_value, "ratio": ratio}
    numbers = {name: None if number is None else float(number) for name, number in numbers.items()}
    return {"what": what, "unit": unit, "peer": peer, **numbers, "bar": bar, "met": met, "note": note}


def figure(number: float) -> str:
    """Three digits, or all before the point.

    >>> figure(2096.7), figure(3.4159), figure(0.00002)
    ('2,097', '3.42', '2e-05')
    """
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def cells(line: dict) -> tuple[str, ...]:
    """A line as the words of its columns."""
    unit = line["unit"]
    amount = lambda number: f"{figure(number)} {unit}".strip() if number is not None else ""  # noqa: E731
    other = line["peer"] or ""
    if line["peer_value"] is not None:
        other = f"{other}: {figure(line['peer_value'])}"
    bar = ""
    if line["bar"]:
        of, sign, number = line["bar"].split()
        wanted = f"{float(number):g} times" if of == "ratio" else f"{float(number):g} {unit}".strip()
        bar = f"{SIGNS[sign][1]} {wanted}: {'met' if line['met'] else 'NOT MET'}"
    return line["what"], amount(line["value"]), other, figure(line["ratio"]) if line["ratio"] is not None else "", bar


def say(text: str) -> None:
    """Progress: what is being done now."""
    print(text, file=sys.stderr, flush=True)


def headline(machine: dict) -> str:
    versions = machine["versions"]
    named = ", ".join(f"{n} {versions[n]}" for n in ("jax", "numpy", "torch", "numba", "cupy") if versions.get(n))
    device = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return f"{machine['processor']}, {machine['cores']} cores{device}; Python {machine['python']}, {named}"


def print_tables(parts: dict[str, dict], stream: Any = None) -> None:
    """A table for each part that has lines, its notes, and a line for each that has not."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, soft_wrap=False)
    if not console.is_terminal:  # a file has no width that lines must be broken for
        console = Console(file=stream, width=200)
    for name, part in parts.items():
        if part.get("failed"):
            console.print(f"{name}: FAILED: {part['failed']}", style="bold red", markup=False)
        elif part.get("left_out"):
            console.print(f"{name}: left out: {part['left_out']}", markup=False)
        if not part.get("rows"):
            continue
        table = Table(title=name, title_justify="left", title_style="bold")
        for column, justify in zip(COLUMNS, ("left", "right", "left", "right", "left"), strict=True):
            table.add_column(column, justify=justify, overflow="fold")
        for line in part["rows"]:
            style = "red" if line["met"] is False else None
            table.add_row(*(cell.replace("[", "\\[") for cell in cells(line)), style=style)
        console.print(table)
        for note in notes(part):
            console.print(f"  {note}", markup=False, highlight=False)


def notes(part: dict) -> list[str]:
    return list(dict.fromkeys(line["note"] for line in part["rows"] if line["note"]))


def markdown(content: dict) -> str:
    """All lines as Markdown, word for word what the tables say: what a document quotes."""
    lines = [f"{headline(content['machine'])}; {content['machine']['date']}", ""] if content.get("machine") else []
    for name, part in content["parts"].items():
        if not part.get("rows"):
            lines += [f"{name}: {part.get('failed') or part.get('left_out')}", ""]
            continue
        lines += [f"| {name} | {' | '.join(COLUMNS[1:])} |", "|---" * len(COLUMNS) + "|"]
        lines += [f"| {' | '.join(cell.replace('|', '/') for cell in cells(line))} |" for line in part["rows"]]
        lines += ["", *(f"{note}\n" for note in notes(part))]
    return "\n".join(lines).rstrip() + "\n"


def main(run: Callable[[bool], dict], doc: str | None) -> None:
    """A part as a program of its own: `--quick`, `--result FILE`; without a file, a table and JSON are printed."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer runs")
    parser.add_argument("--result", type=Path, help="write JSON to this file, and print nothing")
    options = parser.parse_args()
    from measuring import machine

    from semres_jax.storage.results import plain, write_json

    content = {"machine": machine(), "quick": options.quick} | run(options.quick)
    if options.result:
        write_json(content, options.result)
        return
    print(headline(content["machine"]), file=sys.stderr)
    print_tables({Path(sys.argv[0]).stem: content}, sys.stderr)
    print(json.dumps(plain(content), indent=1))
