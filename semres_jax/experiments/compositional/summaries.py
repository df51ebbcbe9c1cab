"""A study of codes for tuples of features in a few numbers for each way of training and testing."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.experiments.toy.summaries import over_runs

if TYPE_CHECKING:
    import xarray

_ABOUT = ("slots", "code", "training", "aggregate")
_SCORES = (
    "p_s", "p_i", "slot_p_i", "predicted_p_i", "ball_p_i", "mean_b", "epsilon", "gate", "p_s_sampling",
)  # fmt: skip


def summary(data: "xarray.Dataset") -> list[dict[str, Any]]:
    """One row for each way of training and testing: means over runs after the last step.

    Keys of a row:
        row, slots, code, training, aggregate: what it is.
        p_s, p_i, slot_p_i, mean_b, epsilon, gate: as in the dataset of `study`.
        off_constant, off_linear, ...: signed distance from the front of one similarity on the features of one slot.
        predicted_p_i, ball_p_i: from each slot alone; miss_predicted, miss_ball: mean distance of p_i from there.
        NAME_stderr, NAME_low, NAME_high: standard error over runs, and interval of 95 % by Student's t.

    What a row has not is NaN. An example is that of `study`.
    """
    return [_row(data.isel(row=place)) for place in range(data.sizes["row"])]


def _row(data: "xarray.Dataset") -> dict[str, Any]:
    values = {name: data[name].values for name in (*_SCORES, *(f"off_{name}" for name in data.family.values))}
    for name in ("predicted", "ball"):
        values[f"miss_{name}"] = np.abs(values[f"{name}_p_i"] - values["p_i"])
    row: dict[str, Any] = {"row": str(data.row.values)} | {name: data[name].item() for name in _ABOUT}
    for name, x in values.items():
        quantity = over_runs(x)
        row |= {name: quantity.value} | {
            f"{name}_{part}": getattr(quantity, part) for part in ("stderr", "low", "high")
        }
    return row
