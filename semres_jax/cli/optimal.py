"""`semres optimal`: the best similarity there is for a floor, and the front of all similarities."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro

from semres_jax.cli._common import (
    Count,
    Force,
    Numbers,
    Report,
    Whole,
    _option,
    checking_input,
    count,
    grid,
    print_cells,
    progress_bar,
)
from semres_jax.cli._surroundings import say


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

    Example: semres optimal --delta 0.02,0.1 --weights 11
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
    resume: bool = False
    """A run takes seconds and keeps no state: one that was stopped starts anew, and says so."""
    out: Path = Path("results/optimal")
    """Folder for the results; made if missing."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Find, print, write; 0 where every optimum is certain to 1e-6, 1 where one isn't."""
        with checking_input():
            from semres_jax import Execution, frontier, plots
            from semres_jax.frontier import optimal_fronts
            from semres_jax.frontier.optimal import checked

            weights = frontier.WEIGHTS if self.weights is None else self.weights
            if not self.delta or not weights:
                raise ValueError(f"--{'weights' if self.delta else 'delta'} needs at least one value, such as 0.1")
            for delta in self.delta:
                for weight in weights:
                    checked(delta, weight, self.n, self.levels)
            report = Report("optimal", self.out, "optimal", title="optimal similarity functions", force=self.force)
            if self.resume:
                say(f"a run of seconds keeps no state to resume in {report.folder}; starting anew")
        with progress_bar() as progress:
            how = Execution(progress=progress)
            table = frontier.optimal_table(self.delta, weights=weights, n=self.n, levels=self.levels, execution=how)
        content = report.write(table, optimal_fronts.summary(table))
        print_table(content)
        code = 1 if content["failed"] else 0
        return report.end(plots.save_optimal(table, report.folder), as_json=self.json, code=code)


def print_table(content: dict[str, Any]) -> None:
    """One row for each floor on standard output; red where an optimum is not certain."""
    failing = [not row["gap"] <= content["gap_limit"] for row in content["rows"]]
    cells = [
        (f"{row['delta']:g}", str(row["n"]), f"{row['p_s']:.6f}", f"{row['constant_p_s']:.6f}", f"{row['deficit']:.2e}",
         f"{row['atom_one']:.4f} {row['atom_floor']:.4f}", f"{row['gap']:.1e}",
         "GAP TOO LARGE" if fails else row["certificate"])
        for row, fails in zip(content["rows"], failing, strict=True)
    ]  # fmt: skip
    heads = ("delta", "n", "p_S = p_I", "constant", "deficit", "atoms 1, delta", "gap", "certificate")
    print_cells(heads, cells, left=("certificate",), styles=["bold red" if fails else None for fails in failing])
    print("constant: the best p_S of a constant similarity; gap: the largest along the front")
