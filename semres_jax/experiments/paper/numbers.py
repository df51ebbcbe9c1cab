"""Single numbers of each figure, beside those that the paper or its laws have."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax import laws
from semres_jax.experiments import images, toy
from semres_jax.experiments.paper.theory import BALLS, FLOORS

if TYPE_CHECKING:
    import xarray

# The paper's only number on years, of models of 2 to 7 billion weights.
_YEARS_TOLD = 75.0


class Number(NamedTuple):
    """A number that a figure shows.

    Attributes:
        what: it is.
        here: its value here; NaN where there is none.
        error: its standard error; NaN where it has none.
        expected: what it is compared with; NaN where there is nothing.
        source: of that.
    """

    what: str
    here: float
    error: float = math.nan
    expected: float = math.nan
    source: str = ""


def two_items(table: "xarray.Dataset") -> list[Number]:
    """Highest simulated p_S at each floor against theorem 2; what Var(b) takes from other spaces, against theorem 1."""
    rows = []
    for delta in FLOORS:
        part = table.sel(delta=delta, space="circle")
        at = int(part.p_s.argmax())
        b = float(part.mean_b[at])
        expected = 0.5 + (b - b * b) * (1 - delta) / (1 + delta)
        what = f"highest simulated p_S on the circle, Δ = {delta:g}, at b = {b:.3f}"
        rows.append(Number(what, float(part.p_s[at]), float(part.p_s_stderr[at]), expected, "theorem 2"))
    for space in table.space.values[~table.homogeneous.values]:
        curve = table.sel(space=space)
        at = int(curve.curve_p_s.argmax())
        b, var = float(curve.curve_mean_b[at]), float(curve.curve_var_b[at])
        what = f"highest exact p_S, {space}, at mean b = {b:.3f}, Var(b) = {var:.4f}"
        rows.append(Number(what, float(curve.curve_p_s[at]), 0.0, 0.5 + b - b * b - var, "theorem 1"))
    return rows


def many_items(table: "xarray.Dataset") -> list[Number]:
    """Where p_S of n items is best, and how n p_I saturates."""
    rows = []
    for n, b, top in zip(table.n.values, table.best_b.values, table.best_p_s.values, strict=True):
        crossing = float(laws.identification(b, int(n)))
        rows.append(Number(f"highest p_S of n = {n}, at b = {b:.4f}", float(top), 0.0, crossing, "p_I there (our law)"))
    last = table.isel(n=-1)
    n = int(last.n)
    for b in BALLS:
        part = last.sel(ball=b)
        law = float(laws.identification(b, n))
        rows.append(
            Number(f"simulated p_I, n = {n}, b = {b:g}", float(part.p_i), float(part.p_i_stderr), law, "theorem 3")
        )
    return rows


def toy_paths(table: "xarray.Dataset") -> list[Number]:
    """Where paths of toy networks peak and end, and how far from the front of the family that fits."""
    top, rows = 0.5 + 1 / (6 - 4 * math.log(2)), []
    for row in toy.summary(table):
        expected = (top, "highest of proposition 1") if row["condition"] == "circle" else (math.nan, "")
        what = f"{row['condition']}: best p_S of the mean path, step {row['best_step']}"
        rows.append(Number(what, float(row["best_p_s"]), math.nan, *expected))
        for name in ("p_s", "p_i", "off_front"):
            word = {"p_s": "last p_S", "p_i": "last p_I"}.get(name, f"last distance from the front, {row['family']}")
            if name in row:
                rows.append(Number(f"{row['condition']}: {word}", float(row[name]), float(row[f"{name}_stderr"])))
    return rows


def toy_profiles(table: "xarray.Dataset") -> list[Number]:
    """Resolution and floor of the linear similarity fitted to the circle's profile at the shown steps."""
    part = table.sel(condition="circle", family="linear")
    steps = part.shown_step.values
    rows = []
    for step in steps[np.isfinite(steps)]:
        here = part.sel(step=step)
        value, error = _over_runs(here.epsilon.values)
        less = ", which is below the smallest distance" if value < float(part.distance[0]) else ""
        rows.append(Number(f"ε of the linear similarity at step {step:g} (share of the circle){less}", value, error))
    return rows


def resnet(table: "xarray.Dataset") -> list[Number]:
    """Changes of both accuracies at a mean ball measure of a quarter, by alpha."""
    rows = []
    for place, row in enumerate(images.summary(table)):
        if place == 0:
            continue
        share = int(np.abs(table["share"].values - 0.25).argmin())
        for name, word in (("p_s", "p_S"), ("p_i", "p_I")):
            ends = (100 * float(table[f"{name}_change{end}"].values[place, share]) for end in ("", "_low", "_high"))
            change, low, high = ends
            what = f"α = {row['alpha']:g}: change of {word} at ⟨b⟩ = 0.25 (%), 95 % interval {low:.1f} to {high:.1f}"
            rows.append(Number(what, change))
    return rows


def year_pairs(table: "xarray.Dataset") -> list[Number]:
    """Right answers of two by D, and the resolutions that fit."""
    rows = _cells(table, "pairs", "D")
    for model, ends in zip(table.pairs_model.values, table.pairs_epsilon.values, strict=True):
        value, low, high = (float(end) for end in ends)
        if math.isnan(low):  # no interval was found: of a model at chance such a number says nothing
            continue
        end = f"to {high:.3g}" if math.isfinite(high) else "without an upper end"
        what = f"ε in years, {model}, 95 % interval {low:.3g} {end}"
        rows.append(Number(what, value, math.nan, _YEARS_TOLD, "middle of the paper's 'about 70-80 years'"))
    return rows


def year_items(table: "xarray.Dataset") -> list[Number]:
    """Right answers of n by task."""
    return _cells(table, "items", "n") + _cells(table, "identify", "n")


def _cells(table: "xarray.Dataset", task: str, by: str) -> list[Number]:
    at, prefix = table[f"{task}_at"].values, f"{task}_cell_p_right"
    words = {"pairs": "closest of two", "items": "closest of n", "identify": "identified of n"}
    rows = []
    for place, count in enumerate(at):
        value, low, high = (float(table[f"{prefix}_{end}"].values[place]) for end in ("value", "low", "high"))
        what = f"{words[task]}, {by} = {count:g}: probability of the right name, 95 % interval {low:.3f} to {high:.3f}"
        chance = 0.5 if task == "pairs" else 1 / float(count)
        rows.append(Number(what, value, math.nan, chance, "chance"))
    return rows


def shapes(table: "xarray.Dataset") -> list[Number]:
    """Share of right answers, and the resolution with and without biases."""
    right, count = table.right.values.astype(float), table.sizes["trial"]
    mean = right.mean()
    rows = [Number("share of answers that were right", mean, math.sqrt(mean * (1 - mean) / count), 0.25, "chance")]
    counts = {str(name): int((table.chosen.values == name).sum()) for name in np.unique(table.chosen.values)}
    most = max(counts, key=lambda name: counts[name])
    share = counts[most] / count
    what = f"share of answers '{most}', the commonest"
    rows.append(Number(what, share, math.sqrt(share * (1 - share) / count), 0.25, "no bias"))
    for fit in table.fit.values:
        row = table.sel(fit=fit)
        ends = f"{float(row.epsilon_low):.4g} to {float(row.epsilon_high):.4g}"
        rows.append(Number(f"ε in pixels, {row.family.item()}, {fit}, 95 % interval {ends}", float(row.epsilon_value)))
    difference = float(table.aic[1] - table.aic[0])
    rows.append(
        Number("AIC of the fit without biases less that with biases", difference, math.nan, 0.0, "biases are none")
    )
    return rows


def colours(table: "xarray.Dataset") -> list[Number]:
    """Ball measures fitted to the simulated observers, against those they have."""
    rows: list[Any] = []
    for a in table.observer.values:
        row = table.sel(observer=a)
        ends = f"95 % interval {float(row.low):.4f} to {float(row.high):.4f}, fit p = {float(row.p_value):.2g}"
        rows.append(Number(f"ball measure fitted, {ends}", float(row.a), math.nan, float(a), "that of the observer"))
    return rows


def _over_runs(values: np.ndarray) -> tuple[float, float]:
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), float(error)
