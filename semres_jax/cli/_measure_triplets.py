"""`semres measure triplets`: the resolution behind triplets, or an embedding made from them."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax._files import shown
from semres_jax.cli._common import (
    Force,
    Names,
    Report,
    Whole,
    _list_of,
    _option,
    checking_input,
    count,
    going_on,
    number,
    print_cells,
    progress_bar,
    require_seed,
)
from semres_jax.cli._measure_choices import _FitOr, print_table

if TYPE_CHECKING:
    from semres_jax.data import Triplets

_Sizes = Annotated[tuple[int, ...], _option(_list_of(count), "INT,INT,...")]


@dataclasses.dataclass(frozen=True)
class MeasureTriplets:
    """Measure people (or models) by triplets: odd-one-out, or "a is more like p than b".

    FILE is .csv, with a line of names first or without, or .npy of (T, 3): whole numbers from 0 as in the files of
    THINGS, or names; a column "count" (or a fourth one) says how often. Layout odd: i, j, k, the pair (i, j) was chosen
    as most alike and k is the odd one out. Layout anchor: p, a, b, a is more like p than b is. Columns named anchor,
    near, far, or with one named odd, tell it; else give --layout. With --distances or --tree: resolution, floor, tests
    of fit, p_S and p_I, distances to the fronts. Without: places of the stimuli, whose similarity function is the
    fitted one, with the likelihood of triplets held out. Writes measure.nc, measure.json and figures; while a run is
    unfinished also measure.state, for --resume.

    Example: semres measure triplets judged.csv --layout odd --dimensions 1,2,3
    """

    file: tyro.conf.Positional[Path]
    """This .csv or .npy file holds the triplets."""
    layout: Literal["auto", "odd", "anchor"] = "auto"
    """The three columns mean this; auto goes by their names."""
    distances: Path | None = None
    """The distances between the stimuli: a .npy table, or a .csv table with names in its first line and column."""
    tree: Path | None = None
    """The distances are taken from this Newick file instead; triplets name its leaves."""
    family: Annotated[
        Names,
        tyro.conf.arg(help_behavior_hint="(default: all, the best by AIC is told; without distances gaussian)"),
    ] = None
    """These similarities are fitted: constant, linear, exponential, gaussian, powerlaw, powerlaw(EXPONENT); without
    distances one of the last four."""
    delta: _FitOr = "fit"
    """The noise floor is fitted, or is this number from 0 to 1."""
    exponent: _FitOr = 1.0
    """Luce's exponent (of powerlaw: its own) is fitted, or is this number; it is 1 where a family can't tell it."""
    dimensions: _Sizes = (2,)
    """Without distances, the places have so many coordinates: the best of several numbers is told."""
    starts: Whole = 6
    """Without distances, the fit begins from so many random places."""
    held_out: Annotated[float, _option(number, "X")] = 0.1
    """Without distances, this share of the sets of three stimuli is held out to tell how good the places are."""
    level: Annotated[float, _option(number, "X")] = 0.95
    """With distances, the intervals hold with this probability."""
    bootstrap: Whole = 200
    """With distances, so many tables are simulated for the tests of fit; 0 leaves these out."""
    unit: str = ""
    """The figures name this unit of the distances."""
    seed: Whole = 0
    """The random numbers of simulated tables, of what is held out and of the starts begin with this seed."""
    resume: bool = False
    """An unfinished run in --out goes on, to the same numbers as if it had never been stopped."""
    out: Path = Path("results/measure/triplets")
    """The results go to this folder, which is made if missing."""
    force: Force = False
    json: bool = False
    """The run ends with one line of JSON on standard output."""

    def run(self) -> int:
        """Read, measure, print, write."""
        with checking_input():
            from semres_jax import data

            require_seed(self.seed)
            if self.family == ():
                raise ValueError("--family needs at least one name")
            if self.distances is not None and self.tree is not None:
                raise ValueError("give either --distances or --tree, how far apart the stimuli are; got both")
            if not 0 < self.level < 1:
                raise ValueError(f"--level must be above 0 and below 1; got {self.level:g}")
            if self.bootstrap < 0:
                raise ValueError(f"--bootstrap must be at least 0; got {self.bootstrap}")
            triplets = data.read_triplets(self.file, self.layout)
            space = self._space()
        return self._embedded(triplets) if space is None else self._fitted(triplets, space)

    def _space(self) -> Any:
        from semres_jax.data.embeddings import distances_and_names
        from semres_jax.spaces import Finite, Tree

        if self.tree is not None:
            return Tree.from_newick(self.tree)
        if self.distances is None:
            return None
        table, names = distances_and_names(self.distances)
        return Finite(table, labels=names or None)

    def _report(self, title: str, **about: Any) -> tuple[Report, Any]:
        report = Report(
            "measure triplets", self.out, "measure", title=title, seed=self.seed, force=self.force,
            goes_on_from="measure.state" * self.resume, source=self.file.name, **about,
        )  # fmt: skip
        return report, going_on(report.folder / "measure.state", resume=self.resume, results=lambda table: None)

    def _fitted(self, triplets: "Triplets", space: Any) -> int:
        from semres_jax.measure.people.triplet_fit import HEADS

        with checking_input():
            import jax

            from semres_jax import Execution, measure, plots
            from semres_jax.measure.people.triplets import check_triplets

            settings: dict[str, Any] = {"families": self.family, "delta": self.delta, "exponent": self.exponent}
            # What can't be fitted at all is refused before the folder is made.
            check_triplets(triplets, space, **settings)
            report, saved = self._report("fits to triplets", unit=self.unit)
        with checking_input(), saved, progress_bar() as progress:
            saved.open(self._run_of(triplets, settings, space))
            fit = measure.fit_triplets(
                triplets, space, **settings, level=self.level, bootstrap=self.bootstrap,
                key=jax.random.key(self.seed), execution=Execution(progress=progress, saved=saved),
            )  # fmt: skip
        table = fit.dataset().assign_attrs(unit=self.unit)
        print_table(report.write(table, fit.summary(), seconds=round(saved.seconds, 3)) | {"notes": []})
        print_cells(HEADS, fit.table(), left=("",), styles=["bold"])
        print(*(shown(line, 2000) for line in fit.lines()), sep="\n")
        (report.folder / "measure.state").unlink(missing_ok=True)
        return report.end(plots.save_triplets(table, report.folder), as_json=self.json)

    def _embedded(self, triplets: "Triplets") -> int:
        from semres_jax.measure.people.triplet_embedding import HEADS

        with checking_input():
            import jax

            from semres_jax import Execution, measure, plots
            from semres_jax.measure.people.triplet_embedding import check_embedding

            if self.family is not None and len(self.family) > 1:
                raise ValueError(f"without distances --family must be one name; got {','.join(self.family)}")
            settings: dict[str, Any] = {"family": (self.family or ("gaussian",))[0]}
            settings |= {name: getattr(self, name) for name in ("delta", "exponent", "dimensions", "held_out")}
            check_embedding(triplets, **settings)
            if self.starts < 1:
                raise ValueError(f"--starts must be at least 1; got {self.starts}")
            settings["starts"] = self.starts
            report, saved = self._report("embedding of triplets")
        with checking_input(), saved, progress_bar() as progress:
            saved.open(self._run_of(triplets, settings))
            made = measure.embed_triplets(
                triplets, **settings, key=jax.random.key(self.seed),
                execution=Execution(progress=progress, saved=saved),
            )  # fmt: skip
        table = made.dataset()
        report.write(table, made.summary(), seconds=round(saved.seconds, 3))
        best = [None if row is not made.best else "bold" for row in made.scores]
        print_cells(HEADS, made.table(), left=("",), styles=best)
        print(*(shown(line, 2000) for line in made.lines()), sep="\n")
        (report.folder / "measure.state").unlink(missing_ok=True)
        return report.end(plots.save_triplets(table, report.folder), as_json=self.json)

    def _run_of(self, triplets: "Triplets", settings: dict[str, Any], space: Any = None) -> dict[str, Any]:
        """Everything that decides the numbers."""
        from semres_jax.storage.fingerprints import fingerprint

        content = [triplets.items, triplets.counts, list(triplets.names), triplets.layout]
        content += [] if space is None else [space.distances, list(space.labels)]
        more = {"level": self.level, "bootstrap": self.bootstrap, "seed": self.seed}
        return settings | more | {"triplets": fingerprint(content)}
