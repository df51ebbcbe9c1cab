"""A toy experiment in a few numbers for each condition: where it ends, how far from which front."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax import frontier

if TYPE_CHECKING:
    import xarray


class _Front(NamedTuple):
    p_s: np.ndarray
    p_i: np.ndarray


def summary(data: "xarray.Dataset") -> list[dict[str, Any]]:
    """One row for each condition, means over runs with standard errors (NaN for a single run).

    Keys of a row:
        condition, items, slots, floor, lambda_sim, lambda_rec, learning_rate: what was trained.
        best_p_s, best_p_i, best_step: the highest p_S of the mean path.
        p_s, p_i, loss_sim, loss_rec, mean_b, var_b, relative_floor: after the last step, with p_s_stderr, ...
        family: the one that fits best after the last step (smallest mean AIC), and its epsilon, fit_delta.
        predicted_p_s, predicted_p_i: of that fit on the same stimuli; off_predicted: mean distance from there.
        off_front: signed distance from the exact front of that family on the same stimuli, negative below it;
            front_best_p_s: the highest p_S of that front. off_constant: from the front of the constant similarity.
        lacks: of two items, how much less the best p_S of the mean path is than 1/2 + b - (3/2 - ln 2) b² at its mean
            ball measure b, the law of the linear similarity without Var(b) (proposition 1 of Nurisso et al.);
            lacks_by_var: (3/2 - ln 2) Var(b), what Var(b) accounts for.
        off_optimal: from the front of the best similarity with the relative floor that was learned, where it is there.

    An example is that of `study`.
    """
    return [_row(data.isel(condition=i)) for i in range(data.sizes["condition"])]


def _row(one: "xarray.Dataset") -> dict[str, Any]:
    row: dict[str, Any] = {"condition": str(one.condition.values), "items": int(one["items"]), "slots": int(one.slots)}
    row |= {name: float(one[name]) for name in ("floor", "lambda_sim", "lambda_rec", "learning_rate")}
    tested = one.sel(n=row["items"]) if row["items"] in one.n.values else one.isel(n=0)
    path = tested.p_s.values.mean(0)
    best = int(path.argmax())
    row |= {"best_p_s": path[best], "best_p_i": tested.p_i.values.mean(0)[best], "best_step": int(one.step[best])}
    if row["items"] == 2:
        top = tested.isel(step=best)
        b, loss = top.mean_b.values, 1.5 - math.log(2)
        row["lacks"], row["lacks_stderr"] = _mean(0.5 + b - loss * b**2 - top.p_s.values)
        row["lacks_by_var"], row["lacks_by_var_stderr"] = _mean(loss * top.var_b.values)
    last = tested.isel(step=-1)
    for name in ("p_s", "p_i", "loss_sim", "loss_rec", "mean_b", "var_b", "relative_floor"):
        row[name], row[f"{name}_stderr"] = _mean(last[name].values)
    family = int(np.nanargmin(last.aic.values.mean(0)))
    row["family"] = str(one.family.values[family])
    fitted = last.isel(family=family)
    for name in ("epsilon", "fit_delta", "predicted_p_s", "predicted_p_i"):
        row[name], row[f"{name}_stderr"] = _mean(fitted[name].values)
    off = np.hypot(last.p_s.values - fitted.predicted_p_s.values, last.p_i.values - fitted.predicted_p_i.values)
    row["off_predicted"], row["off_predicted_stderr"] = _mean(off)
    fronts = {"off_front": (one.front_p_s.values[family], one.front_p_i.values[family])}
    constant = list(one.family.values).index("constant")
    fronts["off_constant"] = (one.front_p_s.values[constant], one.front_p_i.values[constant])
    if "optimal_p_s" in one:
        fronts["off_optimal"] = (one.optimal_p_s.values, one.optimal_p_i.values)
    row["front_best_p_s"] = float(np.nanmax(fronts["off_front"][0]))
    for name, (p_s, p_i) in fronts.items():
        known = np.isfinite(p_s)
        if known.any():
            front = _Front(p_s[known], p_i[known])
            found = frontier.distance(last.p_s.values, last.p_i.values, front).distance
            row[name], row[f"{name}_stderr"] = _mean(np.asarray(found))
    return row


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Mean over runs and its standard error."""
    stderr = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(stderr)
