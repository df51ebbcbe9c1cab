"""The study on sprites as one labelled table, and in a few numbers."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit  # scipy comes with jax

from semres_jax import frontier
from semres_jax._types import Accuracy, Quantity
from semres_jax.data.rendering import Sprites
from semres_jax.experiments.sprites.scores import FAMILIES, PICTURES
from semres_jax.laws import enumeration, slots
from semres_jax.measure.intervals import LEVEL
from semres_jax.similarity import AGGREGATES
from semres_jax.storage.attributes import labelled
from semres_jax.training.images.sprites import CODES, SpriteHistory, SpriteRecipe

if TYPE_CHECKING:
    import xarray

FEATURES = ("animal", "place")
_HEAD, _SHARES = ("code", "run", "family", "picture"), ("share",)
# Variables by name: dimensions after those of `_HEAD`, and what they are.
_MEANINGS: dict[str, tuple[tuple[str, ...], str]] = {
    "feature_p_s": (("feature",), "generalization over a feature: probability of choosing the item closest in it"),
    "p_s": ((), "generalization: mean of feature_p_s over features"),
    "p_i": (("aggregate",), "identification: probability of choosing the item that the probe is"),
    "whole_p_s": (("aggregate",), "probability of choosing the item whose most different feature is closest"),
    "beyond": (("aggregate",), "signed distance of (p_s, p_i) from the front of single similarities of two values"),
    "beyond_theorem_1": (("aggregate",), "signed distance of (p_s, p_i) from the curve of theorem 1"),
    "beyond_learned": (("aggregate",), "signed distance of (p_s, p_i) from the curve of the one embedding of the run"),
    "over_most": ((), "p_s less the most that any single similarity can have"),
}
_BOUNDED = ("feature_p_s", "p_s", "p_i", "beyond", "beyond_theorem_1", "beyond_learned", "over_most")


def over_runs(values: np.ndarray, axis: int) -> Quantity:
    """Means over runs with their standard errors and Student's 95 % intervals; of one run neither is known."""
    runs, mean = values.shape[axis], values.mean(axis)
    if runs < 2:
        nothing = np.full(mean.shape, np.nan)
        return Quantity(mean, nothing, nothing, nothing)
    stderr = values.std(axis, ddof=1) / np.sqrt(runs)
    reach = float(stdtrit(runs - 1, (1 + LEVEL) / 2)) * stderr
    return Quantity(mean, stderr, mean - reach, mean + reach)


def dataset(
    stimuli: Sprites,
    recipe: SpriteRecipe,
    history: SpriteHistory,
    values: dict[str, np.ndarray],
    fronts: dict[str, Accuracy],
    shares: np.ndarray,
    samples: np.ndarray,
) -> "xarray.Dataset":
    """All that was trained and measured; attributes say how."""
    import xarray

    content: dict[str, Any] = {}
    for name, (dims, meaning) in _MEANINGS.items():
        content[name] = ((*_HEAD, *dims, *_SHARES), values[name], {"long_name": meaning})
        if name in _BOUNDED:
            mean = over_runs(values[name], 1)
            for end in ("low", "high"):
                words = {"long_name": f"{'lower' if end == 'low' else 'upper'} 95 % bound of {name} over runs"}
                content[f"{name}_{end}"] = (("code", *_HEAD[2:], *dims, *_SHARES), getattr(mean, end), words)
    for name, front in fronts.items():
        words = {"front": "of all single similarities of two values", "theorem_1": "of theorem 1"}
        text = words.get(name, "of pairs of constant similarities that know the features, by the product")
        stem = name if name == "front" else f"{name}_front"
        for p, what in (("p_s", "generalization p_S"), ("p_i", "identification p_I")):
            content[f"{stem}_{p}"] = (f"{name}_point", np.asarray(getattr(front, p)), {"long_name": f"{what} {text}"})
    independent = [slots.compositional(shares, slots=len(FEATURES), aggregate=how).p_i for how in AGGREGATES]
    ties = [enumeration.tie_rate(space) for space in stimuli.features]
    rest = {
        "independent_p_i": (
            ("aggregate", "share"), independent, "p_i of independent slots of constant similarity by the law",
        ),
        "tie_rate": ("feature", ties, "share of trials whose items are equally far in the feature"),
        "most": ((), frontier.shared_most(stimuli.features), "largest p_s of any single similarity at all"),
        "accuracy": (("code", "run", "feature"), history.accuracy, "share of test renderings classified rightly"),
        "loss_id": (("code", "run", "piece", "feature"), history.losses[..., 0], "cross-entropy in training"),
        "loss_sim": (("code", "run", "piece", "feature"), history.losses[..., 1], "loss of distances in training"),
        "embedding": (
            ("code", "run", "draw", "stimulus", "dimension"), history.embeddings, "embeddings of test renderings",
        ),
        "rendering": (("animal", "place", "row", "column"), samples, "a rendering of each stimulus (1: ink)"),
        "share": ("share", shares, "share of other stimuli within the resolution of a slot, b"),
    }  # fmt: skip
    content |= {name: (dims, numbers, {"long_name": text}) for name, (dims, numbers, text) in rest.items()}
    names = {
        "code": (CODES, "how the embedding is cut"),
        "family": (tuple(FAMILIES), "family of the similarity of a slot"),
        "picture": (PICTURES, "picture of the probe: that of the item to be identified, or another"),
        "feature": (FEATURES, "feature of a stimulus"),
        "aggregate": (AGGREGATES, "what makes one similarity of wholes of those of slots"),
        "animal": (stimuli.images.class_names, "animal of a stimulus"),
    }
    described = {name: (name, np.array(x).astype(str), {"long_name": text}) for name, (x, text) in names.items()}
    settings = dataclasses.asdict(recipe) | {"widths": ",".join(map(str, recipe.widths)), "positions": stimuli.shape[1]}
    units = {"embedding": "unit of the embedding", "loss_id": "nats"}
    return labelled(xarray.Dataset(content, described, settings), units)


def summary(data: "xarray.Dataset") -> list[dict[str, Any]]:
    """One row for each code, family, picture and aggregate (of the one embedding, which has no parts, one for both).

    Keys of a row: code, family, picture, aggregate; `share`, where the mean over runs of what is compared is largest,
    and there: feature_p_s (by feature), p_s, p_i and what is compared, means over runs with NAME_interval, Student's
    95 % over runs. Constant similarities are compared with all others of two values: `beyond`, and beyond_theorem_1.
    Graded ones have no floor and no such front: `over_most` compares them with all similarities. As the share is chosen
    by the mean that is reported, this is a little above its expectation where runs differ much. Two heads are compared
    with the one embedding, too: `beyond_learned`; and `independent_p_i` is the law's p_I at that share.
    """
    rows = []
    for place in np.ndindex(*(data.sizes[dim] for dim in ("family", "picture", "code", "aggregate"))):
        own = data.isel(dict(zip(("family", "picture", "code", "aggregate"), place, strict=True)))
        single = str(own.code.values) == "one embedding"
        if single and place[-1]:
            continue
        compared = ("beyond", "beyond_theorem_1") if str(own.family.values) == "constant" else ("over_most",)
        compared += () if single else ("beyond_learned",)
        at = int(own[compared[0]].mean("run").values.argmax())
        row: dict[str, Any] = {name: str(own[name].values) for name in ("family", "picture", "code")}
        row |= {"aggregate": "itself" if single else str(own["aggregate"].values), "share": float(own["share"][at])}
        row["feature_p_s"] = dict(zip(FEATURES, map(float, own.feature_p_s.mean("run")[:, at]), strict=True))
        for name in ("p_s", "p_i", *compared):
            row[name] = float(own[name].mean("run")[at])
            row[f"{name}_interval"] = [float(own[f"{name}_{end}"][at]) for end in ("low", "high")]
        if not single and compared[0] == "beyond":
            row["independent_p_i"] = float(own.independent_p_i[at])
        rows.append(row)
    return rows
