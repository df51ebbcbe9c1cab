"""The study on sprites: train both codes, score them by exact sums, lay them over what a single similarity can do."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import data, frontier
from semres_jax._random import key_or_default
from semres_jax._types import Accuracy
from semres_jax.data import rendering
from semres_jax.data.rendering import Sprites
from semres_jax.execution import Execution
from semres_jax.experiments.sprites.scores import of_code
from semres_jax.experiments.sprites.table import dataset
from semres_jax.laws import closed_form, tables
from semres_jax.training.images import sprites as training
from semres_jax.training.images.sprites import CODES, SpriteRecipe

if TYPE_CHECKING:
    import xarray

# Shares of other stimuli within the resolution of a slot, from fine to coarse.
SHARES = np.concatenate([np.geomspace(0.001, 0.08, 8), np.linspace(0.1, 0.9, 17)])
_THEOREM_1 = np.linspace(0.0, 0.5, 501)


def study(
    recipe: SpriteRecipe | None = None,
    *,
    positions: int = 8,
    runs: int = 5,
    draws: int = 4,
    key: Any = None,
    checkpoints: Any = None,
    resume: bool = False,
    execution: Execution | None = None,
) -> "xarray.Dataset":
    """Train two heads and one embedding on sprites, score them at every resolution, and lay them over the fronts.

    A stimulus is an animal at a place; feature s of a trial is which of two items is closest in it (on the tree, around
    the circle). With two heads slot s decides feature s, and the product or the mean of both slots' similarities
    identifies the whole; the one embedding decides all. Silhouettes of the test are others than those of training.

    Args:
        recipe: of training; None for `SpriteRecipe()`.
        positions: places around the circle, 4, 8 or 16.
        runs: trainings of each code; intervals are Student's over them.
        draws: renderings of every stimulus to test with, at least 2: accuracies are means over them.
        key: of all random numbers; None: `jax.random.key(0)`.
        checkpoints, resume: as in `training.images.train`.
        execution: progress in pieces of trainings and codes scored.

    Returns:
        A dataset with dimensions code, run, family (of similarities), picture (of probe and item to identify), feature,
        aggregate, share (of other stimuli within a slot's resolution): `feature_p_s`, its mean `p_s`, `p_i`,
        `whole_p_s`; `beyond`, the signed distance of (p_s, p_i) from the front of all single similarities of two values
        (`frontier.shared_front`), `beyond_theorem_1` from p_S = 1/2 + b - b², p_I = 1 - b/2, `beyond_learned` from the
        one embedding of the same run, `over_most`, p_s less what any single similarity can have
        (`frontier.shared_most`); each with `_low` and `_high`, 95 % over runs. `independent_p_i` is p_I as it would be
        of two constant similarities, independent and sure of the probe's own stimulus (`laws.compositional`).

    Raises:
        ValueError, training.images.Diverged: as `data.sprites` and `training.images.sprites.train`; draws below 2.

    Example: `semres sprites --quick`, which writes the dataset and its figures.
    """
    recipe, key, execution = recipe or SpriteRecipe(), key_or_default(key), execution or Execution()
    if draws < 2:
        raise ValueError(f"draws must be at least 2, as another picture of a stimulus is to be found; got {draws}")
    stimuli = data.sprites(positions, key=key)
    members = len(CODES) * runs
    planned = members * (training.PIECES + 1)
    part = execution.within("training", lambda what, done, _: execution.tell(what, done, planned))
    history = training.train(
        stimuli, recipe, runs=runs, draws=draws, key=key, checkpoint=checkpoints, resume=resume, execution=part
    )
    fronts = {
        "front": frontier.shared_front(stimuli.features),
        "theorem_1": Accuracy(*(np.asarray(p) for p in closed_form.constant(_THEOREM_1))),
        "slots": slots_front(stimuli),
    }
    scoring = execution.within("scoring", lambda what, k, _: execution.tell(what, planned - members + k, planned))
    values = _scored(history.embeddings, recipe, stimuli, fronts, scoring)
    return dataset(stimuli, recipe, history, values, fronts, SHARES, samples(stimuli, key))


def slots_front(stimuli: Sprites) -> Accuracy:
    """What constant similarities of two slots reach that know the features exactly, by the product: pairs of balls.

    Every pair of resolutions of both slots, in the order of the first; p_S is the mean over features.
    """
    strengths = []
    for space in stimuli.features:
        table = np.asarray(space.distances)
        strengths.append((table[None] <= np.unique(table)[:, None, None]).astype(float))
    with jax.enable_x64(True):
        by_slot = [tables.accuracy(space, h).p_s for space, h in zip(stimuli.features, strengths, strict=True)]
        wholes = strengths[0][:, None] * strengths[1][None]
        p_i = tables.accuracy(stimuli.space, wholes).p_i
    return Accuracy(np.add.outer(*map(np.asarray, by_slot)).ravel() / 2, np.asarray(p_i).ravel())


def _scored(
    embeddings: np.ndarray, recipe: SpriteRecipe, stimuli: Sprites, fronts: dict[str, Accuracy], execution: Execution
) -> dict[str, np.ndarray]:
    """Named (codes, runs, ...) arrays of everything that is measured."""
    places = list(np.ndindex(embeddings.shape[:2]))
    most, scores = frontier.shared_most(stimuli.features), []
    for k, place in enumerate(places, 1):
        own = of_code(embeddings[place], recipe.sees(CODES[place[0]]), stimuli, SHARES)
        scores.append(own | _beyond(own, fronts, most))
        execution.tell("scoring", k, len(places))
    columns = {name: np.stack([own[name] for own in scores]) for name in scores[0]}
    values = {name: x.reshape(*embeddings.shape[:2], *x.shape[1:]) for name, x in columns.items()}
    return values | {"beyond_learned": _beyond_learned(values["p_s"], values["p_i"])}


def _beyond(own: dict[str, np.ndarray], fronts: dict[str, Accuracy], most: float) -> dict[str, np.ndarray]:
    """Mean p_S over features, and distances of it and p_I from fronts, (families, pictures, aggregates, shares)."""
    p_s = own["feature_p_s"].mean(2)
    pair = np.broadcast_to(p_s[:, :, None], own["p_i"].shape), own["p_i"]
    return {
        "p_s": p_s,
        "beyond": frontier.distance(*pair, fronts["front"]).distance,
        "beyond_theorem_1": frontier.distance(*pair, fronts["theorem_1"]).distance,
        "over_most": p_s - most,
    }


def _beyond_learned(p_s: np.ndarray, p_i: np.ndarray) -> np.ndarray:
    """Distances from the one embedding's own curve, of the same run, family and picture; shapes as in the dataset."""
    out, single = np.empty_like(p_i), CODES.index("one embedding")
    for place in np.ndindex(p_i.shape[1:4]):
        curve = Accuracy(p_s[(single, *place)], p_i[(single, *place, 0)])
        at = (slice(None), *place)
        out[at] = frontier.distance(p_s[at][:, None], p_i[at], curve).distance
    return out


def samples(stimuli: Sprites, key: Any) -> np.ndarray:
    """(A, P, 16, 32) one rendering of each stimulus, of training silhouettes."""
    part = stimuli.parts.train
    labels = stimuli.images.labels[part]
    places = [np.flatnonzero(labels == c) for c in range(stimuli.shape[0])]
    most = min(map(len, places))
    members = jnp.asarray(np.stack([place[:most] for place in places]))
    pictures = jnp.asarray(stimuli.images.images[part][..., 0])
    counts = jnp.full(stimuli.shape[0], most)
    return np.asarray(rendering.draw(key, pictures, members, counts, stimuli.shape[1], 1))[:, :, 0]
