"""What the numbers of a study are called: dimensions, words and units; and all of them as one dataset."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.experiments.dynamics.parts import KINDS, MEASURES, STARTS, Numbers
from semres_jax.storage.attributes import labelled

if TYPE_CHECKING:
    pass

_STATE, _TURN, _YEARS = "unit of the states", "radians", "years"
_B, _S, _T, _L = ("boundary",), ("step",), ("turn",), ("layer",)
_PUSH, _FLOW, _PRODUCT, _LEVEL = (
    ("push", "boundary"),
    ("grid_row", "grid_column"),
    ("text", "kind", "start", "layer"),
    ("level",),
)
_MEASURED = {
    "henrici": "departure from normality over the norm h", "symmetric": "symmetric share of the squared norm",
    "rotation": "share of eigenvalues' squares in imaginary parts", "complex": "share of eigenvalues that aren't real",
    "abscissa": "numerical abscissa ω", "pr": "participation ratio of the singular values' squares",
    "erank": "effective rank of the singular values' squares",
}  # fmt: skip
# (dimensions after the network's, words, unit) by name; NAME_stderr, NAME_low and NAME_high follow NAME.
VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "continuity": (_S, "correlation of a unit with itself at the next boundary, mean over units", "1"),
    "continuity_null": (_S, "the same where updates are as large and know nothing of the state", "1"),
    "continuity_mean": ((), "correlation of a unit with itself at the next boundary, mean over units and depth", "1"),
    "rotated": (_S, "correlation of a unit with itself at the next boundary, in a random basis", "1"),
    "rotated_mean": ((), "the same, mean over depth, in a random basis", "1"),
    "permuted": (_S, "correlation of a unit with another at the next boundary", "1"),
    "constant": (_B, "units that are the same for all texts", "units"),
    "norm": (_B, "length of the state", _STATE),
    "velocity": (_S, "length of the update of a sub-layer", _STATE),
    "relative": (_S, "length of the update of a sub-layer over that of the state", "1"),
    "acceleration": (_T, "change of the velocity", _STATE),
    "relative_acceleration": (_T, "change of the relative velocity", "1"),
    "turning": (_T, "angle between an update and the next", _TURN),
    "tortuosity": ((), "length of a text's path over the distance of its ends", "1"),
    "walk": ((), "the same of a path with these steps at right angles", "1"),
    "mean_tortuosity": ((), "length of the mean path over the distance of its ends", "1"),
    "mean_walk": ((), "the same of a path with these steps at right angles, of the mean path", "1"),
    "layer_velocity": (_L, "length of the update of a layer", _STATE),
    "layer_relative": (_L, "length of the update of a layer over that of the state", "1"),
    "large": (_B, "share of units above 1 in absolute value", "1"),
    "participation": (_B, "participation ratio of units over their number", "1"),
    "hoyer": (_B, "Hoyer's sparsity of units", "1"),
    "rotations": ((), "turns of a unit in the plane of its update and that update's gradient", "turns"),
    "rotations_layers": ((), "turns of a unit, boundaries in a random order", "turns"),
    "rotations_increments": ((), "turns of a unit, updates in a random order", "turns"),
    "rotations_signs": ((), "turns of a unit, updates with random signs", "turns"),
    "rotations_walk": ((), "turns of a random walk", "turns"),
    "path_points": (("boundary", "axis"), "place of the mean path along its principal axes", _STATE),
    "path_shares": (("axis",), "share of the mean path's variance along an axis", "1"),
    "path_walk": (("axis",), "the same of random walks with as long steps", "1"),
    "path_walk_sd": (("axis",), "standard deviation of that over walks", "1"),
    "path_walk_points": (("boundary", "axis"), "place of a random walk along its principal axes", _STATE),
    "codes_points": (("boundary", "code"), "mean code of the autoencoder at a boundary", "1"),
    "codes_spread": (("boundary", "code"), "standard deviation of codes over texts", "1"),
    "codes_explained": ((), "share of the variance that comes back from the autoencoder's codes", "1"),
    "codes_linear": ((), "share of the variance along as many principal axes", "1"),
    "information": (_S, "mutual information of a unit with itself at the next boundary", "nats"),
    "information_shuffled": (_S, "the same with texts permuted", "nats"),
    "information_gaussian": (_S, "mutual information that the correlation alone tells", "nats"),
    "graph_boundary_share": ((), "rank correlation of growth with edges that leave a unit's community", "1"),
    "graph_degree": ((), "rank correlation of growth with a unit's number of edges", "1"),
    "graph_spread": ((), "rank correlation of growth with a unit's standard deviation", "1"),
    "graph_modularity": ((), "modularity of communities of units", "1"),
    "graph_agreement": ((), "normalised mutual information of communities from other seeds", "1"),
    "graph_count": ((), "number of communities of units", "communities"),
    "push_layer": (("push",), "layer before which states are pushed", "layers"),
    "return": (_PUSH, "distance from the way of the state, over the length of the push", "1"),
    "return_relative": (_PUSH, "the same with both over the length of the state", "1"),
    "kept": (_PUSH, "share of a teleport that is kept", "1"),
    "kept_in_plane": (_PUSH, "share that is kept of a teleport within the plane of two principal axes", "1"),
    "flow_layer": ((), "layer whose flow in a plane is shown", "layers"),
    "flow_points": ((*_FLOW, "component"), "place in the plane, from the mean state", _STATE),
    "flow_update": ((*_FLOW, "component"), "what the layer adds to a state there, within the plane", _STATE),
    "flow_outside": (_FLOW, "length of what it adds out of the plane", _STATE),
    "flow_states": (("pushed_text", "component"), "where states of texts are in the plane", _STATE),
    **{
        f"{letter}_{name}": (("text", "layer"), f"{_MEASURED[name]} of {letter.upper()}", "1")
        for letter in "ju" for name in MEASURES
    },
    "shown_layer": (("shown",), "layer whose eigenvalues are kept", "layers"),
    "eigenvalues": (("shown", "eigenvalue", "part"), "eigenvalue of U of the first text", "1"),
    "product_pr": (_PRODUCT, "participation ratio of a product of Jacobians", "1"),
    "product_erank": (_PRODUCT, "effective rank of a product of Jacobians", "1"),
    "product_log_norm": (_PRODUCT, "logarithm of the Frobenius norm of a product of Jacobians", "nats"),
    "year_p_s": (_LEVEL, "generalization p_S of the states of years (probability)", "1"),
    "year_p_i": (_LEVEL, "identification p_I of the states of years (probability)", "1"),
    "year_epsilon": (_LEVEL, "resolution ε of the states of years", _YEARS),
    "year_front": (_LEVEL, "distance from the front of constant similarities", "1"),
    "year_velocity": (_L, "length of a layer's update of states of years", _STATE),
    "year_relative": (_L, "the same over the length of the state", "1"),
    "year_participation": (_LEVEL, "participation ratio of units over their number, states of years", "1"),
    "year_dimension": (_LEVEL, "participation ratio of the covariance over years", "1"),
    "year_along": (_L, "gain of the layer's Jacobian along the direction of years", "1"),
    "year_typical": (_L, "gain of the layer's Jacobian along differences of two years", "1"),
    "year_carried": (_L, "share of the slope on years that comes through the last position's own state", "1"),
    "relation_name": (("relation",), "what changes with what", ""),
    "relation_rho": (("relation",), "rank correlation of changes over layers", "1"),
    "relation_largest": (("relation",), "largest of its circular shifts along depth", "1"),
    "relation_p": (("relation",), "share of circular shifts that are as large", "1"),
}  # fmt: skip
_ENDS = {
    "_stderr": "standard error of the ", "_low": "lower end of the interval of the ",
    "_high": "upper end of the interval of the ",
}  # fmt: skip


def table(names: Sequence[str], numbers: Sequence[Mapping[str, Any]], texts: Sequence[Sequence[Numbers]]) -> Any:
    """A dataset of all networks, filled up with NaN where they have not as many layers or units.

    Args:
        names: of networks.
        numbers: of each, by the names of `VARIABLES`.
        texts: of each, what Jacobians of single texts gave.
    """
    import xarray

    rows = [dict(own) | _over_texts(of_texts) for own, of_texts in zip(numbers, texts, strict=True)]
    content: dict[str, Any] = {}
    for name in sorted({name for row in rows for name in row}):
        described = _described(name)
        if described is None:
            continue
        dims, words, unit = described
        values = [np.asarray(row[name]) if name in row else None for row in rows]
        content[name] = (("network", *dims), _stacked(values), {"long_name": words} | ({"units": unit} if unit else {}))
    axes = np.array(["first axis", "second axis"], dtype=object)
    coords: dict[str, Any] = {"network": ("network", np.array(names, dtype=object), {"long_name": "network"})}
    if "flow_points" in content:
        coords["component"] = ("component", axes, {"long_name": "axis of the plane"})
    if "product_pr" in content:
        coords["kind"] = ("kind", np.array(KINDS, dtype=object), {"long_name": "what is multiplied"})
        coords["start"] = ("start", list(STARTS), {"long_name": "first layer of a product", "units": "layers"})
    if "eigenvalues" in content:
        halves = np.array(["real", "imaginary"], dtype=object)
        coords["part"] = ("part", halves, {"long_name": "part of a complex number"})
    return labelled(xarray.Dataset(content, coords))


def _described(name: str) -> tuple[tuple[str, ...], str, str] | None:
    if name in VARIABLES:
        return VARIABLES[name]
    for end, words in _ENDS.items():
        if name.endswith(end) and name.removesuffix(end) in VARIABLES:
            dims, of, unit = VARIABLES[name.removesuffix(end)]
            return dims, words + of, unit
    return None


def _over_texts(texts: Sequence[Numbers]) -> Numbers:
    """Rows of texts stacked; of the eigenvalues those of the first."""
    if not texts:
        return {}
    once = {name: texts[0][name] for name in ("eigenvalues", "shown_layer")}
    return once | {
        name: np.stack([own[name] for own in texts])
        for name in texts[0]
        if VARIABLES.get(name, ((),))[0][:1] == ("text",)
    }


def _stacked(values: Sequence[np.ndarray | None]) -> np.ndarray:
    """Arrays of one number of dimensions, or None, in one that has room for all."""
    there = [value for value in values if value is not None]
    shape = tuple(np.max([value.shape for value in there], axis=0).astype(int)) if there[0].ndim else ()
    if there[0].dtype.kind in "OSU":
        made = np.full((len(values), *shape), "", dtype=object)
    else:
        made = np.full((len(values), *shape), np.nan)
    for k, value in enumerate(values):
        if value is not None:
            made[(k, *map(slice, value.shape))] = value
    return made
