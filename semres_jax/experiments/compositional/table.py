"""A study of codes for tuples of features as one dataset."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax import frontier
from semres_jax._types import Accuracy
from semres_jax.experiments.toy.table import stacked
from semres_jax.storage.attributes import DISTANCE, NATS, labelled

if TYPE_CHECKING:
    import xarray


class Trained(NamedTuple):
    """What was trained in one program.

    Attributes:
        steps: (T,) recorded ones.
        conditions: name, final maps, and gates and losses at these steps, of each.
        rows: what each was tested as, with scores of (runs,).
    """

    steps: np.ndarray
    conditions: list[dict[str, Any]]
    rows: list[dict[str, Any]]


# Texts and numbers of a row, its scores over runs, what conditions have at the recorded steps: what they are.
_ABOUT = {
    "slots": "slots of a stimulus, S",
    "code": "own: a map and a similarity for each slot; shared: one map of all features",
    "training": "similarity of each feature alone, or end to end with identification of wholes",
    "aggregate": "how similarities of slots make one of wholes",
}
_SCORES = {
    "p_s": "generalization: probability of a right answer in the similarity task of a feature, mean over features",
    "p_i": "identification: probability of telling a whole from another one",
    "p_s_sampling": "standard error of p_s over the probes taken; 0 where all are",
    "slot_p_i": "probability of telling a feature from another one by its slot alone, mean over slots",
    "predicted_p_i": "p_i predicted from the family that fits each slot best",
    "ball_p_i": "p_i predicted from each slot's mean ball measure, as if its similarity were constant",
    "mean_b": "mean over slots and probes of the share of other features whose learned similarity is above 0",
    "epsilon": "resolution fitted to the profile of a slot, mean over slots",
    "gate": "share of the product against the mean, after the last step",
    "relative_floor": "floor over the mean similarity of a feature to itself, floor included",
}
_PATHS = {
    "path_gate": "share of the product against the mean",
    "path_loss_sim": "similarity loss, without its weight",
    "path_loss_id": "identification loss of wholes, without its weight",
}
_UNITS = {
    "path_loss_sim": NATS, "path_loss_id": NATS, "epsilon": DISTANCE, "slots": "slots", "step": "steps",
}  # fmt: skip


def joined(trained: Sequence[Trained], fronts: Mapping[str, Accuracy], optimal_floor: float) -> "xarray.Dataset":
    """One dataset of all that was trained, NaN where a score or a slot is not there; distances from all fronts too."""
    import xarray

    rows = [row for part in trained for row in part.rows]
    conditions = [condition for part in trained for condition in part.conditions]
    content: dict[str, Any] = {}
    for name, meaning in _ABOUT.items():
        content[name] = (("row",), [row[name] for row in rows], {"long_name": meaning})
    nothing = np.full(rows[0]["p_s"].shape, np.nan)
    for name, meaning in _SCORES.items():
        content[name] = (("row", "run"), np.stack([row.get(name, nothing) for row in rows]), {"long_name": meaning})
    p_s, p_i = content["p_s"][1], content["p_i"][1]
    for name, front in fronts.items():
        off = frontier.distance(p_s, p_i, front).distance
        meaning = f"signed distance from the front of {_similarity(name)} on one slot's features, positive beyond it"
        content[f"off_{name}"] = (("row", "run"), off, {"long_name": meaning})
    for name, meaning in _PATHS.items():
        paths = np.stack([condition[name] for condition in conditions])
        content[name] = (("condition", "run", "step"), paths, {"long_name": meaning})
    maps = stacked([condition["maps"] for condition in conditions]).astype(np.float32)
    dims = ("condition", "run", "slot", "stimulus", "dimension")
    content["maps"] = (dims, maps, {"long_name": "rows w_x of the maps after the last step"})
    for name in ("p_s", "p_i"):
        front = stacked([getattr(front, name) for front in fronts.values()])
        what = {"long_name": f"{name} along the front of one similarity on the features of one slot"}
        content[f"front_{name}"] = (("family", "point"), front, what)
    coordinates: dict[str, Any] = {
        "row": ("row", [row["row"] for row in rows], {"long_name": "what was trained, and how it was tested"}),
        "condition": ("condition", [x["condition"] for x in conditions], {"long_name": "what was trained"}),
        "step": ("step", trained[0].steps, {"long_name": "step of Adam"}),
        "family": list(fronts),
    }
    attributes = {"steps": int(trained[0].steps[-1]), "stimuli": maps.shape[3], "optimal_floor": optimal_floor}
    return labelled(xarray.Dataset(content, coordinates, attributes), _UNITS)


def _similarity(name: str) -> str:
    return "the best similarity with the floor of one slot" if name == "optimal" else f"one {name} similarity"
