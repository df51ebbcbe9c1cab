"""Conditions of a toy experiment as one table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.measure import FITTED
from semres_jax.storage.attributes import DISTANCE, NAMES, NATS, labelled

if TYPE_CHECKING:
    import xarray

# How stimuli share the dimensions of a map.
GEOMETRY = (
    "feature_dimensions", "mean_feature_dimensions", "interference", "passed_interference", "per_feature",
)  # fmt: skip
_WHOLE = ("items", "hidden", "slots", "stimuli")
# Variables by name: what they are.
_MEANINGS = {
    "p_s": "generalization: probability of a right answer in the similarity task",
    "p_i": "identification: probability of a right answer in the identification task",
    "p_s_stderr": "standard error of p_s over sampled trials; 0 where it is an exact sum",
    "p_i_stderr": "standard error of p_i over sampled trials; 0 where it is an exact sum",
    "loss_sim": "expected similarity loss, without its weight",
    "loss_rec": "reconstruction loss, without its weight",
    "mean_b": "mean over probes of the share of other stimuli whose learned similarity is above 0",
    "var_b": "variance over probes of the share of other stimuli whose learned similarity is above 0",
    "relative_floor": "floor over the mean similarity of a stimulus to itself, floor included",
    "profile": "mean similarity over pairs at a distance, relative to the probe's similarity to itself",
    "profile_sd": "standard deviation of the same over pairs",
    "distance": "distances between stimuli",
    "pairs": "number of ordered pairs at each distance",
    "epsilon": "resolution fitted to the profile, by family",
    "epsilon_stderr": "standard error of epsilon",
    "fit_delta": "floor fitted to the profile, by family",
    "delta_stderr": "standard error of fit_delta; NaN where it is 0",
    "aic": "Akaike's information criterion of the fit; smaller is better",
    "predicted_p_s": "p_s of the fitted similarity on the same stimuli, exactly",
    "predicted_p_i": "p_i of the fitted similarity on the same stimuli, exactly",
    "front_epsilon": "resolutions along the exact front of a family on the same stimuli",
    "front_p_s": "p_s along it",
    "front_p_i": "p_i along it",
    "optimal_p_s": "p_s along the front of the best similarity with the learned relative floor, same stimuli",
    "optimal_p_i": "p_i along it",
    "weights": "rows w_x of the network's map after the last step",
    "similarity": "similarity ReLU(w_x . w_p) of the first run and slot at the shown steps",
    "shown_step": "step of a table of similarities",
    "tested_p_s": "p_s with test_n items after the last step",
    "tested_p_i": "p_i with test_n items after the last step",
    "lambda_sim": "weight of the similarity loss",
    "lambda_rec": "weight of the reconstruction loss",
    "learning_rate": "learning rate of Adam",
    "floor": "added to every similarity",
    "items": "items of a training trial",
    "hidden": "dimensions of the embedding",
    "slots": "slots, each with a map of its own",
    "stimuli": "stimuli of a slot",
    "decision": "how similarities of slots make a strength",
    "label": "how distances of slots make the right answer",
    **{name: NAMES[name][0] for name in GEOMETRY},
}
# Of variables that are no probabilities, shares or ratios.
_UNITS = {
    "loss_sim": NATS, "loss_rec": "mean square", "distance": DISTANCE, "epsilon": DISTANCE, "front_epsilon": DISTANCE,
    "pairs": "pairs", "step": "steps", "shown_step": "steps", "n": "items", "test_n": "items", "items": "items",
    "hidden": "dimensions", "slots": "slots", "stimuli": "stimuli",
}  # fmt: skip


def joined(conditions: list[dict[str, Any]], steps: int) -> "xarray.Dataset":
    """One dataset of all conditions, NaN where one has fewer levels, items, slots or stimuli than another."""
    import xarray

    axes = {name: sorted({int(n) for x in conditions for n in x.get(name, ())}) for name in ("n", "test_n")}
    content: dict[str, Any] = {}
    for name, meaning in _MEANINGS.items():
        dims = next((condition[name][0] for condition in conditions if name in condition), None)
        if dims is None:
            continue
        columns = [_spread(condition, name, dims, axes) for condition in conditions]
        if isinstance(columns[0], str):
            content[name] = (("condition",), columns, {"long_name": meaning})
            continue
        whole = stacked(columns)
        if name in ("weights", "similarity", "feature_dimensions"):
            whole = whole.astype(np.float32)
        elif name in _WHOLE:
            whole = whole.astype(np.int64)
        content[name] = (("condition", *dims), whole, {"long_name": meaning})
    names = [condition["condition"] for condition in conditions]
    coordinates: dict[str, Any] = {
        "condition": ("condition", names, {"long_name": "condition of the experiment"}),
        "step": ("step", conditions[0]["steps"], {"long_name": "step of Adam"}),
        "n": ("n", axes["n"], {"long_name": "items of a trial"}),
        "family": list(FITTED),
    }
    if axes["test_n"]:
        coordinates["test_n"] = ("test_n", axes["test_n"], {"long_name": "items of a trial after the last step"})
    return labelled(xarray.Dataset(content, coordinates, {"steps": steps, "conditions": len(conditions)}), _UNITS)


def _spread(condition: dict[str, Any], name: str, dims: tuple[str, ...], axes: dict[str, list[int]]) -> Any:
    """A variable of one condition, with NaN at numbers of items that others have."""
    if name not in condition:
        return np.full((0,) * len(dims), np.nan)
    value = condition[name][1]
    if isinstance(value, str):
        return value
    value = np.asarray(value, float)
    for axis in axes.keys() & set(dims):  # always the last
        wide = np.full((*value.shape[:-1], len(axes[axis])), np.nan)
        wide[..., [axes[axis].index(int(n)) for n in condition[axis]]] = value
        value = wide
    return value


def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of different lengths on top of each other, NaN where the shorter ones have ended."""
    out = np.full((len(arrays), *np.max([x.shape for x in arrays], axis=0).astype(int)), np.nan)
    for row, x in enumerate(arrays):
        out[(row, *map(slice, x.shape))] = x
    return out
