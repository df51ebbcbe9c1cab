"""`semres measure choices`: resolution, floor and answer biases from a table of choices."""

import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from semres_jax._files import shown
from semres_jax.cli._common import (
    Force,
    Names,
    Report,
    _option,
    checking_input,
    count,
    going_on,
    number,
    print_cells,
    progress_bar,
    require_seed,
)

if TYPE_CHECKING:
    from semres_jax.data import Choices
    from semres_jax.data.choices import ItemCounts


def fit_or_number(text: str) -> float | str:
    """ "fit", or a number.

    Example:
        >>> from semres_jax.cli import _measure_choices
        >>> _measure_choices.fit_or_number("fit"), _measure_choices.fit_or_number("0.5")
        ('fit', 0.5)
    """
    return "fit" if text == "fit" else number(text)


_FitOr = Annotated[float | str, _option(fit_or_number, "fit|X")]


@dataclasses.dataclass(frozen=True)
class MeasureChoices:
    """Fit resolution, floor and answer biases to a table of choices, with profile-likelihood intervals.

    FILE is CSV with a line of names first, between commas, semicolons or tabs. Wide: distance_1, distance_2, .., choice
    (number of the chosen item, from 1, or its label), and if there are any label_1, .., score_1, ... Long: trial,
    distance, chosen (1 or 0), and position, label, score if any, and subject, session or block where numbers of trials
    begin anew. vlm-spatial: D00_DIST, D00_SHAPE, D00_X, D00_Y, .., answer. Items: n, right, trials, for the n-item law,
    which takes seconds and always starts anew. NA or an empty cell: no answer, or no such item; both are counted.
    Writes measure.nc, measure.json and figures; while a run is unfinished also measure.state, for --resume.

    Example: semres measure choices vlm --family exponential --bias none,label
    """

    file: tyro.conf.Positional[Path]
    """This CSV file holds the table of choices; "vlm" is the one that ships, of a vision-language model."""
    format: str = "auto"
    """The table is read as wide, long, vlm-spatial or items; auto goes by its columns."""
    family: Annotated[Names, tyro.conf.arg(help_behavior_hint="(default: all; the best by AIC is told)")] = None
    """These similarities are fitted: constant, linear, exponential, gaussian, powerlaw, powerlaw(EXPONENT)."""
    bias: Annotated[Names, tyro.conf.arg(help_behavior_hint="(default: all that the table can tell)")] = None
    """These answer biases are fitted: none, label, position, both."""
    delta: _FitOr = "fit"
    """The noise floor is fitted, or is this number from 0 to 1."""
    exponent: _FitOr = 1.0
    """Luce's exponent (of powerlaw: its own) is fitted, or is this number; it is 1 where a family can't tell it."""
    level: Annotated[float, _option(number, "X")] = 0.95
    """The intervals hold with this probability."""
    bootstrap: Annotated[int, _option(count, "INT")] = 200
    """So many tables are simulated for the tests of fit; 0 leaves these out."""
    unit: str = ""
    """The figures name this unit of the distances."""
    seed: Annotated[int, _option(count, "INT")] = 0
    """The random numbers of the simulated tables begin with this seed."""
    resume: bool = False
    """An unfinished run in --out goes on, to the same numbers as if it had never been stopped."""
    out: Path = Path("results/measure/choices")
    """The results go to this folder, which is made if missing."""
    force: Force = False
    json: bool = False
    """The run ends with one line of JSON on standard output."""

    def run(self) -> int:
        """Measure, print, write."""
        with checking_input():
            from semres_jax.data import choices as tables

            if self.format not in ("auto", *tables.FORMATS):
                raise ValueError(f"--format must be auto, {', '.join(tables.FORMATS)}; got {self.format!r}")
            for name in ("family", "bias"):
                if getattr(self, name) == ():
                    raise ValueError(f"--{name} needs at least one name")
            if not 0 < self.level < 1:
                raise ValueError(f"--level must be above 0 and below 1; got {self.level:g}")
            if self.bootstrap < 0:
                raise ValueError(f"--bootstrap must be at least 0; got {self.bootstrap}")
            require_seed(self.seed)
            shipped = str(self.file) == "vlm" and not self.file.exists()
            table = tables.vlm_spatial() if shipped else tables.read_table(self.file, self.format)
        return self._items(table) if isinstance(table, tables.ItemCounts) else self._choices(table, shipped)

    def _choices(self, table: "Choices", shipped: bool) -> int:
        with checking_input():
            import jax

            from semres_jax import Execution, measure, plots
            from semres_jax.storage.fingerprints import fingerprint

            settings: dict[str, Any] = {"families": self.family, "biases": self.bias, "delta": self.delta}
            settings |= {"exponent": self.exponent}
            # What can't be fitted at all is refused before the folder is made.
            measure.check_choices(table, **settings)
            about = {"unit": "pixel" if shipped else self.unit, "source": str(self.file)}
            report = Report(
                "measure", self.out, "measure", title="fits to choices", seed=self.seed, force=self.force,
                goes_on_from="measure.state" * self.resume, **about,
            )  # fmt: skip
            saved = going_on(report.folder / "measure.state", resume=self.resume, results=lambda table: None)
        with checking_input(), saved, progress_bar() as progress:
            content = fingerprint([table.distances, table.chosen, table.labels, table.positions])
            more = {"level": self.level, "bootstrap": self.bootstrap, "seed": self.seed, "table": content}
            saved.open(settings | more)
            fits = measure.choices_table(
                table, **settings, level=self.level, bootstrap=self.bootstrap, key=jax.random.key(self.seed),
                execution=Execution(progress=progress, saved=saved),
            )  # fmt: skip
        print_table(report.write(fits, measure.summarize_choices(fits), seconds=round(saved.seconds, 3)))
        (report.folder / "measure.state").unlink(missing_ok=True)
        return report.end(plots.save_choices(fits, report.folder), as_json=self.json)

    def _items(self, counts: "ItemCounts") -> int:
        with checking_input():
            import jax

            from semres_jax import measure, plots

            if self.resume:
                print("semres: counts of items take seconds; starting anew", file=sys.stderr)
            key = jax.random.key(self.seed)
            fit = measure.fit_items_law(*counts, level=self.level, bootstrap=self.bootstrap, key=key)
            about = {"seconds": 0.0, "source": str(self.file)}
            report = Report(
                "measure", self.out, "measure", title="n-item law", seed=self.seed, force=self.force, **about
            )
        content = report.write(fit.dataset(), fit.summary(), seconds=0.0)
        print(fit)
        return report.end(plots.save_items(content, report.folder), as_json=self.json)


def print_table(content: dict[str, Any]) -> None:
    """One row for each fit, the best first, its biases, tests and notes on standard output."""
    best = content["rows"][0]
    least = min(row["bic"] for row in content["rows"])
    cells = [
        (row["family"], row["bias"], *(_cell(row, name) for name in ("epsilon", "delta", "exponent")),
         f"{row['log_likelihood']:.2f}", str(row["parameters"]), f"{row['aic'] - best['aic']:.1f}",
         f"{row['bic'] - least:.1f}", f"{row['mcfadden_r2']:.3f}", f"{row['agreeing']}/{row['starts']}")
        for row in content["rows"]
    ]  # fmt: skip
    heads = (
        "family",
        "bias",
        "epsilon",
        "delta",
        "exponent",
        "ln L",
        "k",
        "AIC - best",
        "BIC - best",
        "R2",
        "agreeing",
    )
    print_cells(heads, cells, left=("family", "bias"), styles=["bold"])
    for kind in ("label", "position"):
        if f"{kind}_bias" in best:
            biases = (f"{shown(name)} {_shown(*ends)}" for name, ends in best[f"{kind}_bias"].items())
            print(f"{kind} biases of the best (log odds): {'; '.join(biases)}")
    if "ratio_p" in content:
        print(
            f"biases: likelihood ratio chi2 = {content['ratio_statistic']:.1f} with {content['ratio_freedom']} degrees "
            f"of freedom, p = {content['ratio_p']:.2g}"
        )
    for fit, tests in content["fits"].items():
        if tests:
            print(
                f"goodness of fit, {fit}: calibration p = {tests['calibration_p']:.2g}, closest item by gap p = "
                f"{tests['gap_p']:.2g}, deviance p = {tests['deviance_p']:.2g}"
            )
    for note in content["notes"]:
        print(f"note: {shown(note, 2000)}")


def _cell(row: dict[str, Any], name: str) -> str:
    text = _shown(row[name], row[f"{name}_low"], row[f"{name}_high"])
    return text if name == "delta" else text.replace("[0, ", "[no end, ")


def _shown(value: float, low: float, high: float) -> str:
    """A number with its interval; what doesn't end says so."""
    from semres_jax import Quantity

    if math.isnan(low):
        return f"{value:.4g} given"
    return str(Quantity(value, low=low, high=high)).replace("[-inf, ", "[no end, ").replace(", inf]", ", no end]")
