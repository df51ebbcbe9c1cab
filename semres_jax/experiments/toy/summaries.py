"""A toy experiment in a few numbers for each condition: where it ends, how far from which front."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import frontier
from semres_jax._types import Accuracy, Quantity
from semres_jax.experiments.toy.table import GEOMETRY

if TYPE_CHECKING:
    import xarray


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
        mean_feature_dimensions, interference, passed_interference, per_feature: how stimuli share the dimensions of the
            map after the last step (`measure.superposition`), with their standard errors.
        off_optimal: from the front of the best similarity with the relative floor that was learned, where it is there.

    An example is that of `study`.
    """
    return [_row(data.isel(condition=i)) for i in range(data.sizes["condition"])]


def _row(data: "xarray.Dataset") -> dict[str, Any]:
    n, quantities = int(data["items"]), {}
    tested = data.sel(n=n) if n in data.n.values else data.isel(n=0)
    path = tested.p_s.values.mean(0)
    best = int(path.argmax())
    if n == 2:
        top = tested.isel(step=best)
        b, loss = top.mean_b.values, 1.5 - math.log(2)
        quantities["lacks"] = over_runs(0.5 + b - loss * b**2 - top.p_s.values)
        quantities["lacks_by_var"] = over_runs(loss * top.var_b.values)
    last = tested.isel(step=-1)
    for name in ("p_s", "p_i", "loss_sim", "loss_rec", "mean_b", "var_b", "relative_floor"):
        quantities[name] = over_runs(last[name].values)
    for name in (name for name in GEOMETRY[1:] if name in data):
        quantities[name] = over_runs(last[name].values)
    families = list(data.family.values)
    family = int(np.nanargmin(last.aic.values.mean(0)))
    fitted = last.isel(family=family)
    for name in ("epsilon", "fit_delta", "predicted_p_s", "predicted_p_i"):
        quantities[name] = over_runs(fitted[name].values)
    off = np.hypot(last.p_s.values - fitted.predicted_p_s.values, last.p_i.values - fitted.predicted_p_i.values)
    quantities["off_predicted"] = over_runs(off)
    places = {"off_front": family, "off_constant": families.index("constant")}
    fronts = {name: Accuracy(data.front_p_s.values[k], data.front_p_i.values[k]) for name, k in places.items()}
    if "optimal_p_s" in data:
        fronts["off_optimal"] = Accuracy(data.optimal_p_s.values, data.optimal_p_i.values)
    for name, front in fronts.items():
        known = np.isfinite(front.p_s)
        if known.any():
            front = Accuracy(front.p_s[known], front.p_i[known])
            off = frontier.distance(last.p_s.values, last.p_i.values, front).distance
            quantities[name] = over_runs(np.asarray(off))
    return {
        "condition": str(data.condition.values),
        "items": n,
        "slots": int(data.slots),
        **{name: float(data[name]) for name in ("floor", "lambda_sim", "lambda_rec", "learning_rate")},
        "best_p_s": path[best],
        "best_p_i": tested.p_i.values.mean(0)[best],
        "best_step": int(data.step[best]),
        "family": str(families[family]),
        "front_best_p_s": float(np.nanmax(fronts["off_front"].p_s)),
        **{name: quantity.value for name, quantity in quantities.items()},
        **{f"{name}_stderr": quantity.stderr for name, quantity in quantities.items()},
    }


def over_runs(values: np.ndarray) -> Quantity:
    """Mean over runs, its standard error, and its interval of 95 % by Student's t; NaN for a single run.

    Example:
        >>> import numpy as np
        >>> from semres_jax.experiments.toy import summaries
        >>> f"{summaries.over_runs(np.array([1.0, 2.0, 3.0])):.3f}"
        '2.000 [-0.484, 4.484]'
    """
    mean, runs = float(np.mean(values)), len(values)
    if runs == 1:
        return Quantity(mean)
    from scipy.special import stdtrit  # scipy comes with jax

    stderr = float(np.std(values, ddof=1) / np.sqrt(runs))
    reach = float(stdtrit(runs - 1, 0.975)) * stderr
    return Quantity(mean, stderr, mean - reach, mean + reach)
