"""All families and all biases of one table of choices, as a dataset with profiles and tests of fit."""

import math
from collections.abc import Callable, Sequence
from itertools import zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import similarity
from semres_jax._types import Quantity
from semres_jax.execution import Execution
from semres_jax.measure.choices._model import NUMBERS, families as all_families
from semres_jax.measure.choices._setup import BIASES, hidden_exponent, paired, set_up
from semres_jax.measure.choices.fits import ChoiceFit, fitted, profile
from semres_jax.measure.choices.goodness import Bins, choice_profile, goodness_of_fit, ratio_test
from semres_jax.storage.attributes import labelled

if TYPE_CHECKING:
    import xarray

    from semres_jax.data import Choices
    from semres_jax.similarity import Family

# Resolutions along a profile; of tables with more items than these, all trials together, fewer.
_CURVE, _LARGE, _FEW = 91, 300_000, 21
_CRITERIA = ("log_likelihood", "aic", "aicc", "bic", "mcfadden_r2", "parameters", "slope", "starts", "agreeing")
_TESTS = ("calibration_chi_square", "calibration_p", "gap_chi_square", "gap_p", "deviance_p")
# Parts of a number in a dataset, and what its name ends in.
_ENDS = {"value": "", "low": "_low", "high": "_high"}
_UNKNOWN = Quantity(math.nan)


def choices_table(
    table: "Choices",
    *,
    families: Sequence[Any] | None = None,
    biases: Sequence[str] | None = None,
    delta: float | int | str = "fit",
    exponent: float | int | str = 1.0,
    level: float = 0.95,
    bootstrap: int = 200,
    key: Any = None,
    execution: Execution | None = None,
) -> "xarray.Dataset":
    """Fit every family with every bias; profiles and tests of fit for the best, by AIC, with bias and without.

    Args:
        table: from `data.read_choices`.
        families: what `similarity.get` takes; None: all of `similarity.KINDS` that have a resolution and a floor.
        biases: of "none", "label", "position", "both"; None: all that can be told from the table.
        delta, exponent, level: as in `fit_choices`. An exponent that can't be fitted with a family is 1 there.
        bootstrap: tables simulated for the tests of fit; 0: no tests.
        key: of these; None: `jax.random.key(0)`.
        execution: whose progress is called; its `saved`, which must be open, keeps each fit and the tests.

    Returns:
        Dimensions family and bias: epsilon, delta, exponent, each with _low and _high; log_likelihood, aic, aicc, bic,
        mcfadden_r2, parameters, slope, starts, agreeing. (family, bias, label | position): label_bias, position_bias.
        (fit, resolution): profile, of the fits "best" and "no bias" (of the best's family). (fit, bin): what
        `goodness_of_fit` has. Attributes: best_family, best_bias, notes, ratio tests.

    Raises:
        ValueError: as `fit_choices`.
    """
    return choices_fits(
        table, families=families, biases=biases, delta=delta, exponent=exponent, level=level, bootstrap=bootstrap,
        key=key, execution=execution,
    )[0]  # fmt: skip


def choices_fits(
    table: "Choices",
    *,
    families: Sequence[Any] | None,
    biases: Sequence[str] | None,
    delta: float | int | str,
    exponent: float | int | str,
    level: float,
    bootstrap: int,
    key: Any,
    execution: Execution | None,
) -> "tuple[xarray.Dataset, dict[tuple[str, str], ChoiceFit]]":
    """What `choices_table` gives, and the fits themselves by family and bias. Arguments as there."""
    execution = execution or Execution()
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1; got {level!r}")
    kinds, biases, notes = check_choices(table, families=families, biases=biases, delta=delta, exponent=exponent)
    if table.absent:
        notes.insert(0, f"{table.absent} items without a distance were left out of their trials")
    if table.left_out:
        notes.insert(0, f"{table.left_out} trials without a usable answer were left out")
    pairs = [(family, bias) for family in kinds for bias in biases]
    fits: dict[tuple[str, str], ChoiceFit] = {}
    for done, (family, bias) in enumerate(pairs):
        execution.tell(f"{family.label}, bias {bias}", done, len(pairs) + 2)
        setup, cell = set_up(**_model_of(table, family, bias, delta, exponent)), f"{family.label}, bias {bias}"
        fits[family.label, bias] = fit = fitted(setup, level, True, execution.saved, cell)
        notes += [f"{family.label}, bias {bias}: {note}" for note in fit.notes]
    best = min(fits, key=lambda pair: fits[pair].aic)
    shown = {"best": fits[best]}
    if best[1] != "none" and (best[0], "none") in fits:
        shown["no bias"] = fits[best[0], "none"]
    attributes = {
        "best_family": best[0], "best_bias": best[1], "level": level, "trials": len(table.chosen),
        "items": table.distances.shape[1], "left_out": table.left_out, "notes": "\n".join(dict.fromkeys(notes)),
        "bootstrap": bootstrap,
    }  # fmt: skip
    if "no bias" in shown:
        test = ratio_test(shown["no bias"], shown["best"])
        attributes |= {"ratio_statistic": test.statistic, "ratio_freedom": test.freedom, "ratio_p": test.p_value}
    dataset = _profiles(_numbers(fits, [family.label for family in kinds], biases), shown)
    if bootstrap:
        execution.tell("tests of fit", len(pairs), len(pairs) + 2)
        dataset = dataset.assign(_kept_tests(list(shown.values()), bootstrap, key, execution))
    return labelled(dataset.assign_attrs(attributes)), fits


def summarize_choices(table: "xarray.Dataset") -> dict[str, Any]:
    """A table of `choices_table` in plain words and numbers: a row for each fit, the best first, and what is best."""
    rows = []
    for family in table.family.values:
        for bias in table.bias.values:
            fit = table.sel(family=family, bias=bias)
            names = [name + end for name in NUMBERS for end in _ENDS.values()]
            row: dict[str, Any] = {"family": str(family), "bias": str(bias)}
            row |= {name: fit[name].item() for name in (*names, *_CRITERIA)}
            for kind in ("label", "position"):
                if f"{kind}_bias" in table and bias in (kind, "both"):
                    ends = np.stack([fit[f"{kind}_bias{end}"].values for end in _ENDS.values()], -1)
                    row[f"{kind}_bias"] = dict(zip(map(str, table[kind].values), ends.tolist(), strict=True))
            rows.append(row)
    rows.sort(key=lambda row: row["aic"])
    tests = [name for name in _TESTS if name in table]
    fits = {str(fit): {name: float(table[name].sel(fit=fit)) for name in tests} for fit in table.fit.values}
    notes = [line for line in table.attrs["notes"].split("\n") if line]
    attributes = {name: value for name, value in table.attrs.items() if name.startswith(("best_", "ratio_"))}
    attributes |= {name: table.attrs[name] for name in ("trials", "items", "left_out", "level")}
    return {"rows": rows, "fits": fits, "notes": notes} | attributes


def check_choices(
    table: "Choices",
    *,
    families: Sequence[Any] | None = None,
    biases: Sequence[str] | None = None,
    delta: float | int | str = "fit",
    exponent: float | int | str = 1.0,
) -> "tuple[list[Family], list[str], list[str]]":
    """What `choices_table` would fit: families, biases, and a line for each bias that can't be told from the table.

    Raises:
        ValueError: what it would raise.
    """
    chosen = list(map(similarity.get, all_families() if families is None else families))
    fitted, notes = _tellable(table) if biases is None else (list(biases), [])
    if not chosen or not fitted:
        raise ValueError("families and biases need at least one name each")
    for family in chosen:
        for bias in fitted:
            set_up(**_model_of(table, family, bias, delta, exponent))
    return chosen, fitted, notes


def _model_of(table: "Choices", family: Any, bias: str, delta: Any = "fit", exponent: Any = 1.0) -> dict[str, Any]:
    """What `fit_choices` and `set_up` take; the exponent is 1 where it was to be fitted and can't be."""
    power = 1.0 if exponent == "fit" and hidden_exponent(family, delta) else exponent
    names = ("distances", "chosen", "labels", "positions")
    return {name: getattr(table, name) for name in names} | {
        "family": family, "bias": bias, "delta": delta, "exponent": power
    }  # fmt: skip


def _tellable(table: "Choices") -> tuple[list[str], list[str]]:
    """Which biases can be told from a table, and a line for each that can't."""
    there = ~np.isnan(table.distances)
    if table.labels is not None and table.positions is not None and paired(table.labels[there], table.positions[there]):
        return ["none", "label"], ["each label is always at one position: a bias of the one is a bias of the other"]
    biases, notes = [], []
    for bias in BIASES:
        if table.labels is None and bias in ("label", "both"):
            continue
        try:
            set_up(**_model_of(table, "exponential", bias))
        except ValueError as error:
            if bias == "none":
                raise
            notes.append(f"no bias {bias!r}: {error}")
        else:
            biases.append(bias)
    return biases, notes


def _numbers(fits: dict[tuple[str, str], ChoiceFit], families: list[str], biases: list[str]) -> "xarray.Dataset":
    """What was fitted, of each family with each bias."""
    import xarray

    known = {kind: sorted({name for fit in fits.values() for name in getattr(fit, f"{kind}_bias")})
             for kind in ("label", "position")}  # fmt: skip
    known = {kind: names for kind, names in known.items() if names}
    coords = {"family": families, "bias": biases} | {kind: list(map(str, names)) for kind, names in known.items()}
    dataset = xarray.Dataset(coords=coords)

    def put(name: str, value: Callable[[ChoiceFit], Any], *more: str) -> None:
        values = [[value(fits[family, bias]) for bias in biases] for family in families]
        dataset[name] = (("family", "bias", *more), values)

    for name in _CRITERIA:
        put(name, attrgetter(name))
    for part, end in _ENDS.items():
        for name in NUMBERS:
            put(name + end, attrgetter(f"{name}.{part}"))
        for kind, names in known.items():
            put(f"{kind}_bias{end}", lambda fit, part=part, kind=kind, names=names: [
                getattr(getattr(fit, f"{kind}_bias").get(name, _UNKNOWN), part) for name in names], kind)  # fmt: skip
    return dataset


def _profiles(dataset: "xarray.Dataset", fits: dict[str, ChoiceFit]) -> "xarray.Dataset":
    """Profiles of the resolution over where any of the fits puts it; of large tables around their intervals only."""
    numbers = [fit.epsilon for fit in fits.values()]
    low = min(max(number.low, number.value / 8) for number in numbers)
    high = max(min(number.high, number.value * 8) for number in numbers)
    if max(fit.setup.counts.size for fit in fits.values()) > _LARGE:
        # What is far off takes most of the climbs, and is far below all that matters.
        resolution = np.geomspace(low * low / high, high * high / low, _FEW)
        logs = np.log(resolution)
        curves = [
            np.maximum(2 * (fit.log_likelihood - profile(fit.setup, logs, fit.theta, near=True)), 0.0)
            for fit in fits.values()
        ]
    else:
        resolution = np.geomspace(low * 0.8, high * 1.25, _CURVE)
        curves = [choice_profile(fit, resolution) for fit in fits.values()]
    return dataset.assign_coords(fit=list(fits), resolution=resolution).assign(profile=(("fit", "resolution"), curves))


def _kept_tests(fits: list[ChoiceFit], count: int, key: Any, execution: Execution) -> dict[str, Any]:
    """As `_tests`; what was kept of them is not simulated again."""
    saved, cell = execution.saved, "tests of fit"
    kept = None if saved is None else saved.finished(cell)
    if kept is None:
        kept = {name: np.asarray(values) for name, (_, values) in _tests(fits, count, key).items()}
        if saved is not None:
            saved.finish(cell, kept)
    return {name: (("fit", "bin")[: values.ndim], values) for name, values in kept.items()}


def _tests(fits: list[ChoiceFit], count: int, key: Any) -> dict[str, Any]:
    """Tests of fit as variables of a dataset."""
    tests = [goodness_of_fit(fit, count=count, key=key) for fit in fits]
    variables: dict[str, Any] = {"deviance_p": ("fit", [test.deviance_p for test in tests])}
    # Of few different trials there are fewer bins of one kind than of the other.
    blank = [math.nan] * max(len(bins.middle) for test in tests for bins in (test.calibration, test.gap))
    for name in ("calibration", "gap"):
        bins: list[Bins] = [getattr(test, name) for test in tests]
        for field, rows in zip(Bins._fields, zip(*bins, strict=True), strict=True):
            variables[f"{name}_{field}"] = (
                ("fit", "bin"), np.transpose(list(zip_longest(blank, *rows, fillvalue=math.nan)))[1:]
            )  # fmt: skip
        variables[f"{name}_chi_square"] = ("fit", [some.chi_square for some in bins])
        variables[f"{name}_p"] = ("fit", [getattr(test, f"{name}_p") for test in tests])
    return variables
