"""`semres toy`: the toy ReLU network, trained and laid over the exact fronts."""

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax.cli._common import (
    Count,
    Counts,
    Distributed,
    Force,
    Report,
    Whole,
    _list_of,
    _option,
    checking_input,
    number,
    print_cells,
    progress_bar,
    require_seed,
    warnings_as_lines,
)
from semres_jax.cli._surroundings import say
from semres_jax.cli._toy_features import Job, of_features

if TYPE_CHECKING:
    import xarray

    from semres_jax.experiments.toy.run import Condition

_STIMULI, _STEPS = 50, 7500
_Grid = Annotated[tuple[float, ...] | None, _option(_list_of(number), "X,X,...")]
_Default = tyro.conf.arg
# Options of the problem: numbers that make a grid, and what decides programs.
_NUMBERS = ("lambda_sim", "lambda_rec", "learning_rate", "floor")
_SHAPES = ("hidden", "items", "batch", "slots", "decision", "label", "loss")


@dataclasses.dataclass(frozen=True)
class Toy:
    """Train the toy network: ReLU, tied weights, one-hot stimuli of any space; score it exactly at every recorded step.

    Writes toy.nc, toy.json, figures, and checkpoints from which --resume goes on. A list of numbers for a weight, the
    learning rate or the floor trains them all in one compiled program.

    Example: semres toy --space tree --lambda-rec 0,0.3 --runs 4 --steps 2000
    """

    preset: Literal["fig4", "items", "slots", "reconstruction", "heterogeneity", "floors", "compositional"] | None = (
        None
    )
    """A named experiment instead of one space. It has its own of the problem's options, --batch, --learning-rate and
    both --lambda."""
    space: Annotated[tuple[str, ...], _Default(metavar="NAME|FILE.nwk", help_behavior_hint="(default: circle)")] = ()
    """The space is circle, interval, torus, another by name, tree (bird families) or a Newick file; repeat for more."""
    stimuli: Annotated[Count, _Default(help_behavior_hint="(default: 50; of a tree its leaves)")] = None
    """So many stimuli are spread evenly over the space."""
    hidden: Annotated[Count, _Default(help_behavior_hint="(default: 10)")] = None
    """The embedding has so many dimensions."""
    items: Annotated[Count, _Default(help_behavior_hint="(default: 2)")] = None
    """A trial of the training has so many items."""
    batch: Annotated[Count, _Default(help_behavior_hint="(default: 128)")] = None
    """A step of the training has so many trials."""
    lambda_sim: Annotated[_Grid, _Default(help_behavior_hint="(default: 0.1)")] = None
    """The similarity loss has this weight, or each of several."""
    lambda_rec: Annotated[_Grid, _Default(help_behavior_hint="(default: 0)")] = None
    """The reconstruction loss has this weight, or each of several."""
    learning_rate: Annotated[_Grid, _Default(help_behavior_hint="(default: 0.007)")] = None
    """Adam has this learning rate, or each of several."""
    floor: Annotated[_Grid, _Default(help_behavior_hint="(default: 1e-10)")] = None
    """This is added to every similarity, or each of several."""
    slots: Annotated[Count, _Default(help_behavior_hint="(default: 1)")] = None
    """A stimulus has so many slots, each with a map of its own."""
    decision: Literal["max", "sum"] | None = None
    """An item's strength is the largest similarity of its slots (max, the default) or their sum."""
    label: Literal["min", "max", "l1", "l2"] | None = None
    """The right item has the smallest of this function of the distances of its slots (default: min)."""
    loss: Literal["trials", "full"] | None = None
    """The loss is that of trials drawn for each step (trials, the default) or the expectation over all (full)."""
    runs: Whole = 10
    """Each condition is trained so many times, from different starts and on different trials."""
    steps: Annotated[Count, _Default(help_behavior_hint="(default: 7500; slots, compositional: 3000)")] = None
    """The training has so many steps."""
    records: Whole = 100
    """About so many steps are recorded, more densely at the start."""
    test_items: Annotated[Counts, _Default(help_behavior_hint="(default: none; items: 2 to 16)")] = None
    """The trained network is tested with these numbers of items."""
    seed: int = 0
    """All random numbers follow from this seed."""
    resume: bool = False
    """Go on from the checkpoints in --out."""
    out: Path = Path("results/toy")
    """Results go to this folder, which is made if it is missing."""
    force: Force = False
    distributed: Distributed = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Train, measure, print, write."""
        with checking_input():
            import jax

            from semres_jax import Execution
            from semres_jax.training import Diverged

            self.check()
            job = of_features() if self.preset == "compositional" else self.job()
            report = Report(
                "toy",
                self.out,
                "toy",
                title="toy ReLU networks over the laws",
                seed=self.seed,
                preset=self.preset or "",
                force=self.force,
                goes_on_from="checkpoints" * self.resume,
            )
        folder = report.folder
        if self.resume and not (folder / "checkpoints").is_dir():
            say(f"no checkpoints in {folder}; starting anew")

        def write(data: "xarray.Dataset", complete: bool = False) -> dict[str, Any]:
            return report.write(data, data.attrs | {"rows": job.summary(data)}, complete=int(complete))

        # Input is checked before a condition is trained.
        with checking_input(None, Diverged), progress_bar() as progress, warnings_as_lines():
            data = job.study(
                runs=self.runs,
                steps=job.steps if self.steps is None else self.steps,
                records=self.records,
                key=jax.random.key(self.seed),
                checkpoints=folder / "checkpoints",
                resume=self.resume,
                execution=Execution(progress=progress, finished=write),
            )
        content = write(data, complete=True)
        job.print_table(content["rows"])
        return report.end(job.save(data, folder), as_json=self.json)

    def check(self) -> None:
        """Raise `ValueError` for an option out of range, or one that the preset sets."""
        require_seed(self.seed)
        tested = [("test-items", n, 2) for n in self.test_items or ()]
        for name, value, least in [
            ("runs", self.runs, 1),
            ("records", self.records, 2),
            ("steps", self.steps, 1),
            *tested,
        ]:
            if value is not None and value < least:
                raise ValueError(f"--{name} must be at least {least}; got {value}")
        if self.preset is None:
            return
        own = ("space", "stimuli", *_NUMBERS, *_SHAPES, *(("test_items",) if self.preset == "compositional" else ()))
        given = [f"--{name.replace('_', '-')}" for name in own if getattr(self, name) not in (None, ())]
        if given:
            raise ValueError(f"--preset {self.preset} sets {', '.join(given)} itself; leave one of them out")

    def job(self) -> Job:
        """What is done with one similarity of items.

        Raises:
            ValueError: what `check` can't know.
        """
        from semres_jax import plots
        from semres_jax.experiments import toy

        conditions, steps, more = self.conditions()
        study = functools.partial(toy.study, conditions, **more)
        return Job(study, steps, toy.summary, print_table, plots.save_toy)

    def conditions(self) -> "tuple[list[Condition], int, dict[str, Any]]":
        """Conditions, steps, and what else `study` is to do."""
        from semres_jax import spaces
        from semres_jax.experiments.toy.presets import PRESETS
        from semres_jax.experiments.toy.run import Condition
        from semres_jax.training.toy.loop import Design, Hyper

        if self.preset is not None:
            preset = PRESETS[self.preset]
            tested = preset.test_items if self.test_items is None else self.test_items
            return preset.conditions(), preset.steps, {"test_items": tested, "optimal": preset.optimal}
        given = {name: getattr(self, name) for name in (*_NUMBERS, *_SHAPES) if getattr(self, name) is not None}
        design = Design(**{name: given[name] for name in _SHAPES if name in given})
        grid = _grid({name: given[name] for name in _NUMBERS if name in given})
        conditions = []
        for label, space in spaces.by_label(self.space or ("circle",)).items():
            own = isinstance(space, spaces.Finite)
            stimuli = self.stimuli if self.stimuli is not None else (space.size if own else _STIMULI)
            spread = spaces.grid(space, stimuli or 0)
            most = max(design.items, *(self.test_items or (2,)))
            if spread.size <= most:
                raise ValueError(
                    f"{most} different items and a probe need {most + 1} stimuli; {label} has {spread.size} "
                    "(fewer --items, or more --stimuli)"
                )
            conditions.append(Condition(label, spread, design, Hyper(**grid)))
        return conditions, _STEPS, {"test_items": self.test_items or ()}


def _grid(numbers: dict[str, tuple[float, ...]]) -> dict[str, Any]:
    """All combinations of the numbers given, each name an axis."""
    import numpy as np

    for name, values in numbers.items():
        if not values:
            raise ValueError(f"--{name.replace('_', '-')} needs at least one number")
    several = [name for name, values in numbers.items() if len(values) > 1]
    grid: dict[str, Any] = {name: values[0] for name, values in numbers.items() if len(values) == 1}
    for axis, name in enumerate(several):
        grid[name] = np.array(numbers[name]).reshape([-1 if k == axis else 1 for k in range(len(several))])
    return grid


def print_table(rows: list[dict[str, Any]]) -> None:
    """One row for each condition on standard output: means over runs, with standard errors."""
    from semres_jax import Quantity

    def over_runs(row: dict[str, Any], name: str) -> str:
        return f"{Quantity(row[name], row[f'{name}_stderr']):.4f}"

    cells = [
        (row["condition"], str(row["items"]), f"{row['best_p_s']:.4f}", str(row["best_step"]), over_runs(row, "p_s"),
         over_runs(row, "p_i"), row["family"], over_runs(row, "epsilon"), f"{row['mean_b']:.3f}", f"{row['var_b']:.5f}",
         f"{row['off_front']:+.4f}", f"{row['mean_feature_dimensions']:.4f}", f"{row['passed_interference']:.3g}")
        for row in rows
    ]  # fmt: skip
    heads = (
        "condition", "n", "best p_S", "at step", "p_S", "p_I", "fits best", "epsilon", "mean b", "Var b", "off", "dims",
        "passed",
    )  # fmt: skip
    print_cells(heads, cells, left=("condition", "fits best"))
    print("after the last step, mean and standard error over runs; off: distance from the exact front of that family;")
    print("dims: dimensions of a stimulus (Elhage et al.), passed: interference after the ReLU over a stimulus's own")
