"""`semres validate`: every exact law against the simulation."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax.cli._common import (
    Count,
    Counts,
    Distributed,
    Force,
    Numbers,
    Report,
    checking_input,
    going_on,
    is_first_host,
    print_cells,
    progress_bar,
    require_seed,
    say_json,
)

if TYPE_CHECKING:
    import xarray

    from semres_jax.experiments.validation import Case

_TRIALS, _QUICK_TRIALS = 2**22, 2**19
_NS = (2, 3, 8, 32)
# Trials of all cases together from which on a run is planned first.
_LONG = 2**34
# Quickly: two items on every space, many on a few; compiling is what takes the time.
_QUICK_NS, _QUICK_MANY, _QUICK_SPACES = (2,), (8, 32), ("circle", "interval", "tree(137)")
_QUICK_QUANTILES = (0.0, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


@dataclasses.dataclass(frozen=True)
class Validate:
    """Compare every exact law with simulations: how many standard errors lie between?

    Writes validation.nc, validation.json, figures, and validate.state from which --resume goes on. Exit code 1 where
    any difference exceeds five standard errors.

    Example: semres validate --space circle --space animals --n 2,8 --quick
    """

    space: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME|FILE.nwk", help_behavior_hint="(default: one of each kind)")
    ] = ()
    """A name, as in "sphere(9)" or "animals", or a file of a tree or of distances (.csv, .npy); repeat for more."""
    n: Annotated[Counts, tyro.conf.arg(help_behavior_hint="(default: 2,3,8,32; with --quick 2, and 8,32 on a few)")] = (
        None
    )
    """Numbers of items."""
    delta: Numbers = (0.0, 0.05)
    """Noise floors, in [0, 1]."""
    trials: Annotated[Count, tyro.conf.arg(help_behavior_hint="(default: 4194304; 524288 with --quick)")] = None
    """Trials for each space and n, as in 1e6."""
    method: Literal["prng", "lattice"] = "prng"
    """prng: independent trials, the cleanest standard errors. lattice: quasi-Monte Carlo, the smallest."""
    seed: int = 0
    """Seed of all random numbers."""
    resume: bool = False
    """Go on from what is in --out, to the same numbers as if the run had never been stopped."""
    out: Path = Path("results/validate")
    """Folder for the results; made if missing."""
    force: Force = False
    distributed: Distributed = False
    json: bool = False
    """End with one line of JSON on standard output."""
    plan: bool = False
    """Say how long the run would take and with how much memory, and stop. Long runs say so before they begin."""
    quick: bool = False
    """Fewer trials, items and resolutions, on every space: under a minute."""

    def run(self) -> int:
        """Validate, print, write; 0 where every law holds, 1 where one doesn't."""
        with checking_input():
            import jax

            from semres_jax import Execution, plots
            from semres_jax.experiments import validation

            require_seed(self.seed)
            trials = self.trials if self.trials is not None else (_QUICK_TRIALS if self.quick else _TRIALS)
            if trials < 1:
                raise ValueError(f"--trials must be at least 1; got {trials}")
            cases = self._cases()
            if self.plan:
                with progress_bar() as progress:
                    todo, how = [case for case in cases if not case.note], Execution(progress=progress)
                    expected = validation.plan(todo, trials=trials, method=self.method, execution=how)
                print(expected)
                if self.json:
                    say_json({"command": "validate", "exit": 0, "plan": expected._asdict()})
                return 0
            title = "exact laws against simulation"
            report = Report(
                "validate",
                self.out,
                "validation",
                title=title,
                seed=self.seed,
                method=self.method,
                force=self.force,
                goes_on_from="validate.state" * self.resume,
            )

            def write(table: "xarray.Dataset", complete: bool = False) -> dict[str, Any]:
                summary = validation.summary(table)
                return report.write(table, summary, seconds=round(saved.seconds, 3), complete=int(complete))

            saved = going_on(report.folder / "validate.state", resume=self.resume, results=write)
        long = trials * len(cases) >= _LONG
        with checking_input(saved), saved, progress_bar() as progress:
            table = validation.validate(
                cases,
                trials=trials,
                key=jax.random.key(self.seed),
                method=self.method,
                execution=Execution(progress=progress, saved=saved),
                expected=(lambda plan: print(plan) if is_first_host() else None) if long else None,
            )
        if not is_first_host():
            return 1 if validation.summary(table)["failed"] else 0
        content = write(table, complete=True)
        saved.complete()
        print_table(content)
        code = 1 if content["failed"] else 0
        return report.end(plots.save_all(table, report.folder), as_json=self.json, code=code)

    def _cases(self) -> "list[Case]":
        from semres_jax import spaces
        from semres_jax.experiments import validation

        quantiles = _QUICK_QUANTILES if self.quick else validation.QUANTILES
        by_label = spaces.by_label(self.space) if self.space else validation.default_spaces()
        few = self.quick and self.n is None
        ns = self.n if self.n is not None else (_QUICK_NS if few else _NS)
        cases = validation.cases(by_label, ns=ns, deltas=self.delta, quantiles=quantiles)
        if few:
            some = {label: space for label, space in by_label.items() if self.space or label in _QUICK_SPACES}
            cases += validation.cases(some, ns=_QUICK_MANY, deltas=self.delta, quantiles=quantiles)
        return cases


def print_table(content: dict[str, Any]) -> None:
    """One row for each (space, n, delta) on standard output; red where a law fails."""
    failing = [row["worst_z"] > content["z_limit"] for row in content["rows"]]
    cells = [
        (row["space"], str(row["n"]), f"{row['delta']:g}", _known(row["worst_z"], ".2f"),
         _known(row["worst_error"], ".1e"), _known(row["trials_per_second"], ".1e"), "FAILS" if fails else row["note"])
        for row, fails in zip(content["rows"], failing, strict=True)
    ]  # fmt: skip
    heads = ("space", "n", "delta", "worst |z|", "worst error", "trials/s", "")
    print_cells(heads, cells, left=("space", ""), styles=["bold red" if fails else None for fails in failing])
    limit, failures = content["z_limit"], len(content["failed"])
    outcome = f"{failures} of them further than {limit:g}" if failures else f"none further than {limit:g}"
    largest = _known(content["worst_z"], ".2f")
    print(f"largest |z| of {len(content['rows'])} rows: {largest}, {outcome}")


def _known(value: float | None, spec: str) -> str:
    return "–" if value is None or value != value else format(value, spec)
