"""`semres optimal`: the best similarity there is for a floor, and the front of all similarities."""

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any

import tyro

from semres_jax.cli._common import (
    COMMAND_LINE,
    Count,
    Numbers,
    Whole,
    _option,
    checking_input,
    count,
    finish,
    grid,
    output_folder,
    progress_bar,
)

_WIDE = 200


def read_weights(text: str) -> tuple[float, ...]:
    """Weights as a grid or a list, or as a count of equal steps from 0 to 1.

    Example:
        >>> from semres_jax.cli import optimal
        >>> optimal.read_weights("3"), optimal.read_weights("0.5:1:2"), optimal.read_weights("0.1,0.7")
        ((0.0, 0.5, 1.0), (0.5, 1.0), (0.1, 0.7))
    """
    return grid(f"0:1:{text}" if text.strip().isdigit() and count(text) > 1 else text)


@dataclasses.dataclass(frozen=True)
class Optimal:
    """Find the similarity functions that are best for a floor, among all there are, with a certificate.

    Writes optimal.nc, optimal.json and figures. Exit code 1 where an optimum is not certain to 1e-6.
    """

    delta: Numbers = (0.001, 0.02, 0.1, 0.5)
    """Noise floors, each above 0 and below 1."""
    n: Whole = 2
    """Number of items. For more than 2 the optimum is certified to be stationary, not to be global."""
    weights: Annotated[
        tuple[float, ...] | None,
        _option(read_weights, "INT|FIRST:LAST:INT|X,X,..."),
        tyro.conf.arg(help_behavior_hint="(default: 21, closer at both ends)"),
    ] = None
    """Weights of p_S against p_I along the front; 1 is always there."""
    levels: Annotated[Count, tyro.conf.arg(help_behavior_hint="(default: as many as it takes)")] = None
    """Levels of similarity, evenly spaced in its logarithm."""
    out: Path = Path("results/optimal")
    """Folder for the results; made if missing."""
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Find, print, write; 0 where every optimum is certain to 1e-6, 1 where one isn't."""
        with checking_input():
            from semres_jax import Execution, frontier, plots
            from semres_jax.frontier import optimal_fronts
            from semres_jax.frontier.optimal import asked
            from semres_jax.storage import results

            weights = frontier.WEIGHTS if self.weights is None else self.weights
            if not self.delta or not weights:
                raise ValueError(f"--{'weights' if self.delta else 'delta'} needs at least one value, such as 0.1")
            for delta in self.delta:
                for weight in weights:
                    asked(delta, weight, self.n, self.levels)
            folder = output_folder(self.out)
        attributes = results.provenance(command=COMMAND_LINE.get()) | {"title": "optimal similarity functions"}
        started = time.perf_counter()
        with progress_bar() as progress:
            how = Execution(progress=progress)
            table = frontier.optimal_table(self.delta, weights=weights, n=self.n, levels=self.levels, execution=how)
        attributes |= {"seconds": round(time.perf_counter() - started, 3)}
        table = table.assign_attrs(attributes | table.attrs)
        results.write(table, folder / "optimal.nc")
        content = attributes | optimal_fronts.summary(table)
        results.write_json(content, folder / "optimal.json")
        print_table(content)
        pictures, code = plots.save_optimal(table, folder), 1 if content["failed"] else 0
        return finish("optimal", folder, "optimal", content, pictures, as_json=self.json, code=code)


def print_table(content: dict[str, Any]) -> None:
    """One row for each floor on standard output; red where an optimum is not certain."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("delta", "n", "p_S = p_I", "constant", "deficit", "atoms 1, delta", "gap"):
        shown.add_column(head, justify="right", no_wrap=True)
    shown.add_column("certificate", no_wrap=True)
    for row in content["rows"]:
        failed = not row["gap"] <= content["gap_limit"]
        cells = [f"{row['delta']:g}", str(row["n"]), f"{row['p_s']:.6f}", f"{row['constant_p_s']:.6f}"]
        cells += [f"{row['deficit']:.2e}", f"{row['atom_one']:.4f} {row['atom_floor']:.4f}", f"{row['gap']:.1e}"]
        told = "GAP TOO LARGE" if failed else row["certificate"]
        shown.add_row(*cells, told, style="bold red" if failed else None)
    console = Console() if Console().is_terminal else Console(width=_WIDE)
    console.print(shown)
    print("constant: the best p_S of a constant similarity; gap: the largest along the front")
