"""The image experiment as one labelled table."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.data.image_sets import ImageSet
from semres_jax.storage.attributes import NAMES, labelled
from semres_jax.training.images.loop import History, Recipe

if TYPE_CHECKING:
    import xarray

# Shares of the exemplars of other classes within ε: from fine to coarse, the same for every network. Predictions are
# tested at a few of them.
SHARES = np.concatenate([np.geomspace(0.002, 0.05, 16), np.linspace(0.06, 0.98, 48)])
TESTED = (16, 21, 29, 39, 52)
# What is measured of the geometry of the test images after each epoch.
GEOMETRY = (
    "participation", "class_participation", "nc1", "nc1_ratio", "nc2_norms", "nc2_cosines", "nc2_angles", "nc3", "nc4",
)  # fmt: skip
_PER_NETWORK = ("alpha", "run")
# Variables by name: dimensions after those of the network, and what they are.
_MEANINGS: dict[str, tuple[tuple[str, ...], str]] = {
    "epsilon": (("share",), "resolution that reaches the share"),
    "p_s": (("share",), "generalization: probability of choosing the item of the class closer to the probe's"),
    "p_i": (("share",), "identification: probability of choosing another image of the probe's class"),
    "p_own": (("share",), "p_s if classes were as far apart as their images (theorem 1 for different classes)"),
    "hit_rate": (("share",), "probability that another image of the probe's class is within epsilon"),
    "mean_b": (("share",), "probability that an image of another class is within epsilon"),
    "near": (("share",), "probability that an image of the nearer of two other classes is within epsilon"),
    "far": (("share",), "probability that an image of the farther of two other classes is within epsilon"),
    "var_b": (("share",), "variance over probes of the share of other classes' images within epsilon"),
    "spread_b": (("share",), "mean over probes of the variance over classes of the share within epsilon"),
    "tie_rate": ((), "share of similarity trials whose two classes are equally far from the probe's"),
    "half_p_s": (("tested_share",), "p_s on the second half of the test images"),
    "half_p_i": (("tested_share",), "p_i on the second half of the test images"),
    "law_p_s": (("tested_share",), "1/2 + (near - far) / 2 with what the first half has"),
    "law_p_i": (("tested_share",), "1/2 + (hit rate - mean b) / 2 with what the first half has"),
    "chi2_p_s": ((), "chi square per degree of freedom of half_p_s against law_p_s"),
    "chi2_p_i": ((), "chi square per degree of freedom of half_p_i against law_p_i"),
    "chi2_p_s_no_class": ((), "the same with the first half's images in random classes"),
    "chi2_p_i_no_class": ((), "the same with the first half's images in random classes"),
    "chi2_p_s_no_tree": ((), "the same with the first half's classes at random places of the tree"),
    "chi2_p_s_theorem_1": ((), "the same with p_own of the first half"),
    "graded_epsilon": (("graded_share",), "resolution of graded similarities"),
    "linear_p_s": (("graded_share",), "p_s of the linear similarity"),
    "linear_p_i": (("graded_share",), "p_i of the linear similarity"),
    "exponential_p_s": (("graded_share",), "p_s of the exponential similarity"),
    "exponential_p_i": (("graded_share",), "p_i of the exponential similarity"),
    "held_p_s": (("share",), "p_s of probes of the classes that training has not seen"),
    "held_p_i": (("share",), "p_i of probes of the classes that training has not seen"),
    "held_tie_rate": ((), "tie_rate of these probes"),
    "class_distance": (("class", "other"), "mean distance of two classes' images, over its mean over classes"),
}
_CLASSES = {"class": "class of images", "other": "another class of images"}
# Of variables that are no probabilities, shares or ratios.
_UNITS = {
    "epsilon": "unit of the embedding", "graded_epsilon": "unit of the embedding", "embedding": "unit of the embedding",
    "loss_id": "nats", "epoch": "epochs",
}  # fmt: skip
_BOUNDS = {
    "low": "lower 95 % bound of {} over runs and images",
    "high": "upper 95 % bound of {} over runs and images",
    "change": "{} over that of the first alpha, less 1",
    "change_low": "lower 95 % bound of {}_change",
    "change_high": "upper 95 % bound of {}_change",
}


def dataset(
    images: ImageSet,
    recipe: Recipe,
    history: History,
    values: dict[str, Any],
    labels: np.ndarray,
    known: np.ndarray,
    held_out: Sequence[str],
    graded_shares: Any,
) -> "xarray.Dataset":
    """All that was trained and measured; attributes say how."""
    import xarray

    content: dict[str, Any] = {}
    for name, (dims, meaning) in _MEANINGS.items():
        if name not in values:
            continue
        content[name] = ((*_PER_NETWORK, *dims), values[name], {"long_name": meaning})
        for bound, words in _BOUNDS.items():
            bounded = f"{name}_{bound}"
            if bounded in values:
                content[bounded] = (("alpha", *dims), values[bounded], {"long_name": words.format(name)})
    path, classes = (*_PER_NETWORK, "epoch"), np.unique(labels)
    table = images.distances[np.ix_(classes, classes)]
    watched = {name: history.watched[name].astype(np.float32) for name in ("p_s", "p_i")}
    rest = {
        "accuracy": (path, history.accuracy, "share of test images classified rightly"),
        "loss_id": (path, history.loss_id, "cross-entropy in training"),
        "loss_sim": (path, history.loss_sim, "loss of distances in training (mean square)"),
        **{f"path_{name}": ((*path, "share"), p, f"{name} after each epoch") for name, p in watched.items()},
        **{name: (path, history.watched[name], NAMES[name][0]) for name in GEOMETRY},
        "tree_distance": (("class", "other"), table, "distance of two classes"),
        "trained": ("class", np.isin(classes, known).astype(np.int8), "1: seen in training"),
        "label": ("image", labels.astype(np.int32), "class of an embedded image"),
        "embedding": (
            (*_PER_NETWORK, "image", "feature"), history.embeddings,
            "embeddings of test and held-out images after the last epoch",
        ),
        "alpha": ("alpha", history.alphas.round(7), "weight of the loss of distances"),
        "epoch": ("epoch", np.arange(1, recipe.epochs + 1), "epochs of training"),
        "share": ("share", SHARES, "share of other classes' images within epsilon, mean b"),
        "tested_share": ("tested_share", SHARES[list(TESTED)], "the same, where predictions are tested"),
        "graded_share": ("graded_share", np.asarray(graded_shares), "the same, for graded"),
    }  # fmt: skip
    content |= {name: (dims, numbers, {"long_name": meaning}) for name, (dims, numbers, meaning) in rest.items()}
    if not len(graded_shares):
        del content["graded_share"]
    names = np.array(images.class_names)[classes].astype(str)
    settings = dataclasses.asdict(recipe) | {"augment": int(recipe.augment)}
    settings |= {"data": images.name, "unit": images.unit, "held_out": ",".join(held_out)}
    described = {name: (name, names, {"long_name": text}) for name, text in _CLASSES.items()}
    unit = images.unit.replace(" since ", " of ")  # "... since ..." are dates to whoever opens the file
    return labelled(xarray.Dataset(content, described, settings), _UNITS | {"tree_distance": unit})
