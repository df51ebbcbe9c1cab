"""`semres measure choices`: resolution, floor and answer biases from a table of choices."""

import dataclasses
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from semres_jax.cli._common import (
    COMMAND_LINE,
    _list_of,
    _option,
    checking_input,
    count,
    finish,
    number,
    output_folder,
    progress_bar,
)

if TYPE_CHECKING:
    import xarray

_WIDE = 200


def fit_or_number(text: str) -> float | str:
    """ "fit", or a number.

    Example:
        >>> from semres_jax.cli import _measure_choices
        >>> _measure_choices.fit_or_number("fit"), _measure_choices.fit_or_number("0.5")
        ('fit', 0.5)
    """
    return "fit" if text == "fit" else number(text)


_Names = Annotated[tuple[str, ...] | None, _option(_list_of(str.strip), "NAME,NAME,...")]
_FitOr = Annotated[float | str, _option(fit_or_number, "fit|X")]


@dataclasses.dataclass(frozen=True)
class MeasureChoices:
    """Fit resolution, floor and answer biases to a table of choices, with profile-likelihood intervals.

    FILE is CSV with a line of names first. Wide: distance_1, distance_2, .., choice (number of the chosen item, or its
    label), and if there are any label_1, .., score_1, ... Long: trial, distance, chosen (1 or 0), and position, label,
    score if any. vlm-spatial: D00_DIST, D00_SHAPE, D00_X, D00_Y, .., answer. Items: n, right, trials, for the n-item
    law. Writes measure.nc, measure.json and figures.
    """

    file: tyro.conf.Positional[Path]
    """Table of choices, CSV; "vlm" for the one that ships, of a vision-language model."""
    format: str = "auto"
    """wide, long, vlm-spatial, items; auto goes by the columns."""
    family: Annotated[_Names, tyro.conf.arg(help_behavior_hint="(default: all; the best by AIC is told)")] = None
    """constant, linear, exponential, gaussian, powerlaw."""
    bias: Annotated[_Names, tyro.conf.arg(help_behavior_hint="(default: all that the table can tell)")] = None
    """none, label, position, both: answer biases that are fitted."""
    delta: _FitOr = "fit"
    """Noise floor, 0 to 1."""
    exponent: _FitOr = 1.0
    """Luce's exponent (of the power law: its own); 1 where a family can't tell it."""
    level: Annotated[float, _option(number, "X")] = 0.95
    """Of the intervals."""
    bootstrap: Annotated[int, _option(count, "INT")] = 200
    """Tables simulated for the tests of fit; 0: none."""
    unit: str = ""
    """Unit of the distances, for the figures."""
    seed: Annotated[int, _option(count, "INT")] = 0
    """Of the simulated tables."""
    out: Path = Path("results/measure")
    """Folder for the results; made if missing."""
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Measure, print, write."""
        with checking_input():
            from semres_jax.data import choices as reading

            if self.format not in ("auto", *reading.FORMATS):
                raise ValueError(f"--format must be auto, {', '.join(reading.FORMATS)}; got {self.format!r}")
            if not 0 < self.level < 1:
                raise ValueError(f"--level must be above 0 and below 1; got {self.level:g}")
            if self.bootstrap < 0 or self.seed < 0:
                raise ValueError(f"--bootstrap and --seed must be at least 0; got {self.bootstrap} and {self.seed}")
            shipped = str(self.file) == "vlm" and not self.file.exists()
            kind = "vlm-spatial" if shipped else self.format
            if kind == "auto":
                kind = reading.format_of(self.file)
        return self._items() if kind == "items" else self._choices(kind, shipped)

    def _choices(self, kind: str, shipped: bool) -> int:
        with checking_input():
            from semres_jax import data, measure, plots
            from semres_jax.measure.choices.table import FAMILIES, choices_table
            from semres_jax.storage import results

            table = data.vlm_spatial() if shipped else data.read_choices(self.file, kind)
            families, biases = FAMILIES if self.family is None else self.family, self.bias
            if not families or biases == ():
                raise ValueError(f"--{'bias' if families else 'family'} needs at least one name")
            # What can't be fitted at all is refused before the folder is made.
            for family in families:
                for bias in biases or ("none",):
                    measure.check_choices(table, family, bias, self.delta, self.exponent)
            folder = output_folder(self.out)
        attributes = results.provenance(seed=self.seed, command=COMMAND_LINE.get())
        attributes |= {"title": "fits to choices", "unit": "pixel" if shipped else self.unit}
        started = time.perf_counter()
        with progress_bar() as progress, checking_input():
            found = choices_table(
                table, families=families, biases=biases, delta=self.delta, exponent=self.exponent, level=self.level,
                bootstrap=self.bootstrap, seed=self.seed, progress=progress,
            )  # fmt: skip
        attributes |= {"seconds": round(time.perf_counter() - started, 3), "source": str(self.file)}
        found = found.assign_attrs(attributes | found.attrs)
        results.write(found, folder / "measure.nc")
        content = attributes | summary(found)
        results.write_json(content, folder / "measure.json")
        print_table(content)
        pictures = plots.save_choices(found, folder)
        return finish("measure", folder, "measure", content, pictures, as_json=self.json)

    def _items(self) -> int:
        with checking_input():
            import numpy as np
            import xarray

            from semres_jax import measure, plots
            from semres_jax.data import choices as reading
            from semres_jax.storage import results

            n, right, trials = reading.read_items(self.file)
            bootstrap = max(self.bootstrap, 1)
            fit = measure.items_law(n, right, trials, level=self.level, bootstrap=bootstrap, seed=self.seed)
            folder = output_folder(self.out)
        attributes = results.provenance(seed=self.seed, command=COMMAND_LINE.get())
        attributes |= {"title": "n-item law", "seconds": 0.0, "source": str(self.file)}
        numbers = {
            name: value for name, value in fit._asdict().items() if name not in ("n", "expected", "share", "p_value")
        }
        numbers |= {"p_value": fit.p_value if self.bootstrap else math.nan}
        content = attributes | numbers | {"n": n, "right": right, "trials": trials, "expected": fit.expected}
        table = xarray.Dataset(
            {name: ("row", np.asarray(content[name])) for name in ("n", "right", "trials", "expected")},
            attrs=attributes | numbers,
        )
        results.write(table, folder / "measure.nc")
        results.write_json(content, folder / "measure.json")
        print(
            f"p_I(n) = (1 - (1 - a)^n) / (a n): a = {fit.a:.4g}, {self.level:.0%} interval {fit.low:.4g} to "
            f"{fit.high:.4g}; deviance {fit.deviance:.3g} of {len(n)} rows, p = {numbers['p_value']:.2g}"
        )
        return finish("measure", folder, "measure", content, plots.save_items(content, folder), as_json=self.json)


def summary(table: "xarray.Dataset") -> dict[str, Any]:
    """What measure.json and the last line say: a row for each fit, and what is best."""
    rows = []
    for family in table.family.values:
        for bias in table.bias.values:
            one = table.sel(family=family, bias=bias)
            row: dict[str, Any] = {"family": str(family), "bias": str(bias)}
            for name in ("epsilon", "delta", "exponent"):
                row |= {name + end: float(one[name + end]) for end in ("", "_low", "_high")}
            names = ("log_likelihood", "aic", "aicc", "bic", "mcfadden_r2", "parameters", "slope", "starts", "agreeing")
            row |= {name: one[name].item() for name in names}
            for kind in ("label", "position"):
                key = f"{kind}_bias"
                if key in table and bias in (kind, "both"):
                    row[key] = {
                        str(name): [float(one[key + end].sel({kind: name})) for end in ("", "_low", "_high")]
                        for name in table[kind].values
                    }
            rows.append(row)
    rows.sort(key=lambda row: row["aic"])
    fits = {}
    for fit in table.fit.values:
        one = table.sel(fit=fit)
        names = ("calibration_chi_square", "calibration_p", "gap_chi_square", "gap_p", "deviance_p")
        fits[str(fit)] = {name: float(one[name]) for name in names if name in table}
    attributes = {name: value for name, value in table.attrs.items() if name.startswith(("best_", "ratio_"))}
    told = {name: table.attrs[name] for name in ("trials", "items", "left_out", "level")}
    notes = [line for line in table.attrs["notes"].split("\n") if line]
    return {"rows": rows, "fits": fits, "notes": notes} | attributes | told


def print_table(content: dict[str, Any]) -> None:
    """One row for each fit, the best first, its biases, tests and notes on standard output."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("family", "bias"):
        shown.add_column(head, no_wrap=True)
    for head in ("epsilon", "delta", "exponent", "ln L", "k", "AIC - best", "BIC - best", "R2", "agreeing"):
        shown.add_column(head, justify="right", no_wrap=True)
    best = content["rows"][0]
    least = min(row["bic"] for row in content["rows"])
    for row in content["rows"]:
        shown.add_row(
            row["family"], row["bias"], *(escape(_cell(row, name)) for name in ("epsilon", "delta", "exponent")),
            f"{row['log_likelihood']:.2f}", str(row["parameters"]), f"{row['aic'] - best['aic']:.1f}",
            f"{row['bic'] - least:.1f}", f"{row['mcfadden_r2']:.3f}", f"{row['agreeing']}/{row['starts']}",
            style="bold" if row is best else None,
        )  # fmt: skip
    console = Console() if Console().is_terminal else Console(width=_WIDE)
    console.print(shown)
    for kind in ("label", "position"):
        if f"{kind}_bias" in best:
            told = (f"{name} {_ends(*found, signed=True)}" for name, found in best[f"{kind}_bias"].items())
            print(f"{kind} biases of the best (log odds): {'; '.join(told)}")
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
        print(f"note: {note}")


def _cell(row: dict[str, Any], name: str) -> str:
    return _ends(row[name], row[f"{name}_low"], row[f"{name}_high"], top=1.0 if name == "delta" else math.inf)


def _ends(value: float, low: float, high: float, *, signed: bool = False, top: float = math.inf) -> str:
    """An estimate with its interval; what doesn't end says so."""
    if math.isnan(low):
        return f"{value:.4g} given"
    first = "no end" if low == (-math.inf if signed else 0) and not (top == 1 and low == 0) else f"{low:.3g}"
    last = "no end" if high == math.inf else f"{high:.3g}"
    return f"{value:.3g} [{first}, {last}]"
