"""All families and all biases of one table of choices, as a dataset with profiles and tests of fit."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.measure.choices._model import FAMILIES
from semres_jax.measure.choices._setup import BIASES, paired, set_up
from semres_jax.measure.choices.fits import ChoiceFit, choices
from semres_jax.measure.choices.goodness import Bins, choice_profile, goodness_of_fit, ratio_test

if TYPE_CHECKING:
    import xarray

    from semres_jax.data import Choices

# Resolutions along a profile.
_CURVE = 91
_NUMBERS = ("epsilon", "delta", "exponent")
_VALUES = ("log_likelihood", "aic", "aicc", "bic", "mcfadden_r2", "parameters", "slope", "starts", "agreeing")


def choices_table(
    table: "Choices",
    *,
    families: Sequence[str] = FAMILIES,
    biases: Sequence[str] | None = None,
    delta: float | int | str = "fit",
    exponent: float | int | str = 1.0,
    level: float = 0.95,
    bootstrap: int = 200,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> "xarray.Dataset":
    """Fit every family with every bias; profiles and tests of fit for the best, by AIC, with bias and without.

    Args:
        table: from `data.read_choices`.
        families: names of similarities.
        biases: of "none", "label", "position", "both"; None: all that can be told from the table.
        delta, exponent, level: as in `choices`. An exponent that can't be fitted with a family is 1 there.
        bootstrap: tables simulated for the tests of fit; 0: no tests.
        seed: of these.
        progress: called with (what, done, planned).

    Returns:
        Dimensions family and bias: epsilon, delta, exponent, each with _low and _high; log_likelihood, aic, aicc, bic,
        mcfadden_r2, parameters, slope, starts, agreeing. (family, bias, label | position): label_bias, position_bias.
        (fit, resolution): profile, of the fits "best" and "no bias" (of the best's family). (fit, bin): what
        `goodness_of_fit` has. Attributes: best_family, best_bias, notes, ratio tests.

    Raises:
        ValueError: as `choices`.
    """
    notes = [f"{table.left_out} trials without a usable answer were left out"] if table.left_out else []
    asked: dict[str, Any] = {"labels": table.labels, "positions": table.positions}
    if biases is None:
        biases, more = _tellable(table)
        notes += more
    if not families or not biases:
        raise ValueError("families and biases need at least one name each")
    fits: dict[tuple[str, str], ChoiceFit] = {}
    pairs = [(family, bias) for family in families for bias in biases]
    for pair in pairs:  # refuse before anything takes long
        check_choices(table, *pair, delta, exponent)
    for done, (family, bias) in enumerate(pairs):
        if progress:
            progress(f"{family}, bias {bias}", done, len(pairs) + 2)
        power = _power(family, exponent, delta)
        fits[family, bias] = choices(
            table.distances, table.chosen, **asked, family=family, bias=bias, delta=delta, exponent=power, level=level
        )
        notes += [f"{family}, bias {bias}: {note}" for note in fits[family, bias].notes]
    best = min(fits, key=lambda pair: fits[pair].aic)
    shown = {"best": fits[best]}
    if best[1] != "none" and (best[0], "none") in fits:
        shown["no bias"] = fits[best[0], "none"]
    found = _fits(fits, list(families), list(biases))
    low = min(max(fit.epsilon.low, fit.epsilon.value / 8) for fit in shown.values()) * 0.8
    high = max(min(fit.epsilon.high, fit.epsilon.value * 8) for fit in shown.values()) * 1.25
    resolution = np.geomspace(low, high, _CURVE)
    found = found.assign_coords(fit=list(shown), resolution=resolution)
    found["profile"] = (("fit", "resolution"), [choice_profile(fit, resolution) for fit in shown.values()])
    if bootstrap:
        if progress:
            progress("tests of fit", len(pairs), len(pairs) + 2)
        tests = [goodness_of_fit(fit, count=bootstrap, seed=seed) for fit in shown.values()]
        for name in ("calibration", "gap"):
            bins: list[Bins] = [getattr(test, name) for test in tests]
            for field in Bins._fields:
                found[f"{name}_{field}"] = (("fit", "bin"), _padded([getattr(x, field) for x in bins]))
            found[f"{name}_chi_square"] = ("fit", [x.chi_square for x in bins])
            found[f"{name}_p"] = ("fit", [getattr(test, f"{name}_p") for test in tests])
        found["deviance_p"] = ("fit", [test.deviance_p for test in tests])
    ratio = {}
    if "no bias" in shown:
        test = ratio_test(shown["no bias"], shown["best"])
        ratio = {"ratio_statistic": test.statistic, "ratio_freedom": test.freedom, "ratio_p": test.p_value}
    return found.assign_attrs(
        best_family=best[0], best_bias=best[1], level=level, trials=len(table.chosen), items=table.distances.shape[1],
        left_out=table.left_out, notes="\n".join(dict.fromkeys(notes)), bootstrap=bootstrap, seed=seed, **ratio,
    )  # fmt: skip


def _power(family: str, exponent: float | int | str, delta: float | int | str) -> float | str:
    """The exponent asked for, or 1 where it can't be fitted."""
    alone = family == "constant" or (family in ("exponential", "gaussian") and delta != "fit" and float(delta) == 0)
    return 1.0 if exponent == "fit" and alone else exponent


def check_choices(
    table: "Choices", family: str, bias: str, delta: float | int | str = "fit", exponent: float | int | str = 1.0
) -> None:
    """Raise the `ValueError` that a fit would, without fitting."""
    set_up(
        table.distances, table.chosen, labels=table.labels, positions=table.positions, family=family, bias=bias,
        delta=delta, exponent=_power(family, exponent, delta),
    )  # fmt: skip


def _tellable(table: "Choices") -> tuple[list[str], list[str]]:
    """Which biases can be told from a table, and a line for each that can't."""
    there = ~np.isnan(table.distances)
    if table.labels is not None and table.positions is not None and paired(table.labels[there], table.positions[there]):
        return ["none", "label"], ["each label is always at one position: a bias of the one is a bias of the other"]
    found, notes = [], []
    for bias in BIASES:
        if table.labels is None and bias in ("label", "both"):
            continue
        try:
            check_choices(table, "exponential", bias)
        except ValueError as error:
            if bias == "none":
                raise
            notes.append(f"no bias {bias!r}: {error}")
        else:
            found.append(bias)
    return found, notes


def _fits(fits: dict[tuple[str, str], ChoiceFit], families: list[str], biases: list[str]) -> "xarray.Dataset":
    import xarray

    found = xarray.Dataset(coords={"family": families, "bias": biases})
    over = ("family", "bias")

    def grid(of: Callable[[ChoiceFit], Any]) -> list[list[Any]]:
        return [[of(fits[family, bias]) for bias in biases] for family in families]

    for name in _NUMBERS:
        for field, end in (("value", ""), ("low", "_low"), ("high", "_high")):
            found[name + end] = (over, grid(lambda fit, n=name, f=field: getattr(getattr(fit, n), f)))
    for name in _VALUES:
        found[name] = (over, grid(lambda fit, n=name: getattr(fit, n)))
    for kind in ("label", "position"):
        key = f"{kind}_bias"
        names = sorted({name for fit in fits.values() for name in getattr(fit, key)})
        if not names:
            continue
        found = found.assign_coords({kind: [str(name) for name in names]})
        for field, end in (("value", ""), ("low", "_low"), ("high", "_high")):

            def row(fit: ChoiceFit, key: str = key, names: list = names, field: str = field) -> list[float]:
                return [getattr(getattr(fit, key)[x], field) if x in getattr(fit, key) else math.nan for x in names]

            found[key + end] = ((*over, kind), grid(row))
    return found


def _padded(rows: list[np.ndarray]) -> np.ndarray:
    most = max(map(len, rows))
    return np.array([np.pad(row.astype(float), (0, most - len(row)), constant_values=np.nan) for row in rows])
