"""The image experiment as one labelled table."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.data.image_sets import ImageSet
from semres_jax.training.images.loop import History, Recipe

if TYPE_CHECKING:
    import xarray

_PER_NETWORK = ("alpha", "run")
# Variables by name: dimensions after those of the network, and what they are.
_MEANINGS: dict[str, tuple[tuple[str, ...], str]] = {
    "epsilon": (("share",), "resolution that reaches the share (unit of the embedding)"),
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
    "graded_epsilon": (("graded_share",), "resolution of graded similarities (unit of the embedding)"),
    "linear_p_s": (("graded_share",), "p_s of the linear similarity"),
    "linear_p_i": (("graded_share",), "p_i of the linear similarity"),
    "exponential_p_s": (("graded_share",), "p_s of the exponential similarity"),
    "exponential_p_i": (("graded_share",), "p_i of the exponential similarity"),
    "held_p_s": (("share",), "p_s of probes of the classes that training has not seen"),
    "held_p_i": (("share",), "p_i of probes of the classes that training has not seen"),
    "held_tie_rate": ((), "tie_rate of these probes"),
    "class_distance": (("class", "other"), "mean distance of two classes' images, over its mean over classes"),
}
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
    names: np.ndarray,
    known: np.ndarray,
    held_out: Sequence[str],
    graded_shares: Any,
    shares: np.ndarray,
    tested_shares: np.ndarray,
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
    path = (*_PER_NETWORK, "epoch")
    content["accuracy"] = (path, history.accuracy, {"long_name": "share of test images classified rightly"})
    content["loss_id"] = (path, history.loss_id, {"long_name": "cross-entropy in training (nats)"})
    content["loss_sim"] = (path, history.loss_sim, {"long_name": "loss of distances in training (mean square)"})
    for name in ("p_s", "p_i"):
        meaning = {"long_name": f"{name} after each epoch"}
        content[f"path_{name}"] = ((*path, "share"), history.watched[name].astype(np.float32), meaning)
    classes = np.unique(labels)
    table = images.distances[np.ix_(classes, classes)]
    content["tree_distance"] = (("class", "other"), table, {"long_name": f"distance of two classes ({images.unit})"})
    content["trained"] = (("class",), np.isin(classes, known).astype(np.int8), {"long_name": "1: seen in training"})
    content["label"] = (("image",), labels.astype(np.int32), {"long_name": "class of an embedded image"})
    content["embedding"] = (
        (*_PER_NETWORK, "image", "feature"),
        history.embeddings,
        {"long_name": "embeddings of test and held-out images after the last epoch"},
    )
    coordinates = {
        "alpha": ("alpha", history.alphas.round(7), {"long_name": "weight of the loss of distances"}),
        "epoch": ("epoch", np.arange(1, recipe.epochs + 1), {"long_name": "epochs of training"}),
        "share": ("share", shares, {"long_name": "share of other classes' images within epsilon, mean b"}),
        "tested_share": ("tested_share", tested_shares, {"long_name": "the same, where predictions are tested"}),
        "class": names[classes].astype(str),
        "other": names[classes].astype(str),
    }
    if len(graded_shares):
        coordinates["graded_share"] = ("graded_share", np.asarray(graded_shares), {"long_name": "the same, for graded"})
    settings = {name: value for name, value in dataclasses.asdict(recipe).items() if not isinstance(value, bool)}
    settings |= {
        "augment": int(recipe.augment),
        "data": images.name,
        "unit": images.unit,
        "held_out": ",".join(held_out),
    }
    return xarray.Dataset(content, coordinates, settings)
