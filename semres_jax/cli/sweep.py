"""`semres sweep`: accuracies over a grid of resolutions, floors, items, similarities and spaces."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax.cli import _sweep_slots
from semres_jax.cli._common import (
    Count,
    Counts,
    Distributed,
    Force,
    Names,
    Numbers,
    Report,
    checking_input,
    going_on,
    grid_option,
    is_first_host,
    print_cells,
    progress_bar,
    require_seed,
)

if TYPE_CHECKING:
    import xarray


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Compute p_S and p_I over a grid: exactly, or by simulation.

    Writes sweep.nc, sweep.json, figures (fronts, the best resolution, many items, families of similarities), and
    sweep.state from which --resume goes on. With --slots 1,2,4,8 wholes of several features are swept, exactly:
    figures of features against wholes, and of many items.

    Example: semres sweep --space "sphere(9)" --similarity linear --epsilon 0.1:1:50 --n 2,32
    """

    space: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME|FILE.nwk", help_behavior_hint="(default: circle)")
    ] = ()
    """A name, as in "sphere(9)" or "animals", or a file of a tree or of distances (.csv, .npy); repeat for more."""
    similarity: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: constant)")] = ()
    """constant, linear, exponential, gaussian, powerlaw or powerlaw(EXPONENT); repeat for more."""
    epsilon: Annotated[
        tuple[float, ...] | None, grid_option, tyro.conf.arg(help_behavior_hint="(default: 101 up to the diameter)")
    ] = None
    """Resolutions, in the unit of the space: first:last:how many, first:last:how many:log, or a list."""
    delta: Numbers = (0.0,)
    """Noise floors, in [0, 1], increasing."""
    n: Annotated[Counts, tyro.conf.arg(help_behavior_hint="(default: 2,3,8,32; with --slots 2,8,32,128)")] = None
    """Numbers of items."""
    slots: Annotated[Counts, tyro.conf.arg(help_behavior_hint="(default: no wholes)")] = None
    """Numbers of features of a whole, each compared by a slot: wholes are swept, exactly, instead of single stimuli."""
    aggregate: Annotated[Names, tyro.conf.arg(help_behavior_hint="(default: product,mean)")] = None
    """With --slots, how similarities of slots make that of a whole: product, mean."""
    exponent: Numbers = (1.0,)
    """Luce exponents, increasing; inf is argmax."""
    method: Literal["exact", "lattice", "prng"] = "exact"
    """exact: closed forms, quadrature, enumeration. lattice, prng: simulation."""
    trials: Annotated[Count, tyro.conf.arg(help_behavior_hint="(default: 1048576)")] = None
    """Trials of a simulation for each space, similarity, n and exponent, as in 1e6."""
    replace: bool = False
    """On finite spaces, let stimuli repeat."""
    seed: int = 0
    """Seed of all random numbers."""
    resume: bool = False
    """Go on from what is in --out, to the same numbers as if the run had never been stopped."""
    out: Path = Path("results/sweep")
    """Folder for the results; made if missing."""
    force: Force = False
    distributed: Distributed = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Sweep, print, write."""
        if self.slots is not None:
            return _sweep_slots.run(self)
        with checking_input():
            import jax

            from semres_jax import Execution, frontier, plots, spaces
            from semres_jax.frontier.sweep import optima_rows

            require_seed(self.seed)
            if self.aggregate is not None:
                raise ValueError("--aggregate is for --slots, the numbers of features of wholes")
            if self.trials is not None and self.method == "exact":
                raise ValueError("--trials is for --method lattice or prng; the exact method makes none")
            if self.trials is not None and self.trials < 1:
                raise ValueError(f"--trials must be at least 1; got {self.trials}")
            places = spaces.by_label(self.space or ("circle",))
            title = "generalization and identification over a grid"
            report = Report(
                "sweep",
                self.out,
                "sweep",
                title=title,
                seed=self.seed,
                force=self.force,
                goes_on_from="sweep.state" * self.resume,
            )

            def write(table: "xarray.Dataset", complete: bool = False) -> dict[str, Any]:
                own = {name: value for name, value in table.attrs.items() if name not in report.attributes}
                return report.write(table, {"optima": optima_rows(table)}, **own, complete=int(complete))

            saved = going_on(report.folder / "sweep.state", resume=self.resume, results=write)
        with checking_input(saved), saved, progress_bar() as progress:
            table = frontier.sweep(
                places,
                list(self.similarity or ("constant",)),
                list((2, 3, 8, 32) if self.n is None else self.n),
                epsilon=None if self.epsilon is None else list(self.epsilon),
                delta=list(self.delta),
                exponent=list(self.exponent),
                method=self.method,
                trials=self.trials,
                key=jax.random.key(self.seed),
                replace=self.replace,
                execution=Execution(progress=progress, saved=saved),
            )
        if not is_first_host():
            return 0
        content = write(table, complete=True)
        saved.complete()
        print_table(content["optima"])
        return report.end(plots.save_sweep(table, report.folder), as_json=self.json)


def print_table(rows: list[dict[str, Any]]) -> None:
    """The best resolution of each curve on standard output."""
    heads = {"mean_b": "mean b", "p_s": "p_S", "p_i": "p_I", "tie_rate": "ties"}
    cells = [
        [f"{x:.5g}" if isinstance(x, float) and x == x else "–" if x != x else str(x) for x in row.values()]
        for row in rows
    ]
    print("the best p_S of each grid")
    print_cells([heads.get(name, name) for name in rows[0]], cells, left=("space", "similarity"))
