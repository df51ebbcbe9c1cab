"""The image experiment: networks between telling classes and having their distances, laid over the laws."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import data as images_data, measure
from semres_jax._checks import require_count
from semres_jax._random import generator, key_or_default
from semres_jax.data.image_sets import ImageSet
from semres_jax.execution import Execution
from semres_jax.experiments.images.summaries import summary as summary
from semres_jax.experiments.images.table import SHARES, TESTED, dataset
from semres_jax.measure import intervals
from semres_jax.training import images as image_training

if TYPE_CHECKING:
    import xarray

GRADED = ("linear", "exponential")
# Shares of the exemplars of other classes within ε at which graded similarities are summed.
GRADED_SHARES = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])
# Test images of each class that it takes to make two halves, each with another exemplar for a probe.
_HALVED = 4
# Exemplars of each class that graded similarities are summed over: time grows like their square.
_GRADED_EACH = 50


def study(
    images: ImageSet,
    recipe: image_training.Recipe | None = None,
    *,
    alphas: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0),
    runs: int = 3,
    key: Any = None,
    held_out: Sequence[str] = (),
    graded_shares: Sequence[float] | np.ndarray = GRADED_SHARES,
    checkpoints: Any = None,
    resume: bool = False,
    execution: Execution | None = None,
) -> "xarray.Dataset":
    """Train at every alpha, embed the test images, and score them by exact sums over their distances.

    Training, test and held-out images, and the batches of run r, are the same for every alpha. Accuracies are those of
    `measure.levels`, n = 2: items and probe are different images, of different classes but where one is to be
    identified. The resolution ε is what reaches a share of the other classes' images, the same for all networks.

    Args:
        images: with the distances of their classes.
        recipe: of training; None for `training.images.Recipe()`.
        alphas: weights of the loss of distances, from 0 to 1.
        runs: trainings of each.
        key: of all random numbers, those of the split too; None: `jax.random.key(0)`.
        held_out: names of classes that only the test sees.
        graded_shares: where linear and exponential similarities are summed too, over 50 test images of each class;
            () for nowhere.
        checkpoints, resume: as in `training.images.train`.
        execution: progress in epochs and networks scored.

    Returns:
        A dataset with dimensions alpha, run, epoch, share (of other classes' images within ε), class, ...: accuracies
        with 95 % intervals over runs and images, what the laws predict, held-out classes, embeddings and their
        distances, and after each epoch the geometry of the test images (`measure.geometry`: neural collapse NC1 to NC4
        with the network's classifier, effective dimension). All have `long_name`, `units`. Predictions are tested where
        each class has four test images.

    Raises:
        ValueError, training.images.Diverged: as `training.images.train` and `data.split`.

    Example: `semres resnet --quick`, which writes the dataset and its figures.
    """
    recipe, key, execution = recipe or image_training.Recipe(), key_or_default(key), execution or Execution()
    runs = require_count("runs", runs, 1)
    parts = images_data.split(images, key=key, held_out=held_out)
    parts = parts._replace(held_out=_as_many(images.labels, parts))
    known = np.unique(images.labels[parts.train])
    labels = images.labels[np.concatenate([parts.test, parts.held_out])]
    tested = len(parts.test)
    trained_table = images.distances[np.ix_(known, known)]

    def watch(embeddings: np.ndarray, weights: np.ndarray, biases: np.ndarray) -> dict[str, Any]:
        seen, own = embeddings[:tested], labels[:tested]
        levels = measure.levels(distances(seen), own, trained_table, SHARES)
        shape = measure.geometry(seen, own, weights=weights, biases=biases)
        return {"p_s": levels.p_s, "p_i": levels.p_i, **shape.numbers()}

    members = len(alphas) * runs
    epochs = members * recipe.epochs
    training = execution.within("training", lambda what, done, _: execution.tell(what, done, epochs + members))
    history = image_training.train(
        images, parts, recipe, alphas=alphas, key=key, runs=runs, watch=watch, checkpoint=checkpoints, resume=resume,
        execution=training,
    )  # fmt: skip
    scored = []
    for k, place in enumerate(np.ndindex(len(alphas), runs), 1):
        embeddings = history.embeddings[place]
        scored.append(_scored(embeddings, labels, tested, images.distances, graded_shares, key))
        execution.tell("scoring", epochs + k, epochs + members)
    columns = {name: np.stack([network[name] for network in scored]) for name in scored[0]}
    values = {name: column.reshape(len(alphas), runs, *column.shape[1:]) for name, column in columns.items()}
    values |= _intervals(values, labels, tested, key)
    return dataset(images, recipe, history, values, labels, known, held_out, graded_shares)


def _as_many(labels: np.ndarray, parts: images_data.Split) -> np.ndarray:
    """Of the held-out images of each class no more than the test has of its largest, evenly through the list."""
    most = np.bincount(labels[parts.test]).max()
    chosen = [parts.held_out[:0]]
    for c in np.unique(labels[parts.held_out]):
        members = parts.held_out[labels[parts.held_out] == c]
        count = min(most, len(members))
        chosen.append(members[np.arange(count) * len(members) // count])
    return np.concatenate(chosen)


def distances(embeddings: np.ndarray) -> np.ndarray:
    """(N, N) Euclidean distances of (N, F) embeddings, float64, by differences."""
    from scipy.spatial.distance import pdist, squareform

    return squareform(pdist(np.asarray(embeddings, np.float64)))


def _scored(
    embeddings: np.ndarray, labels: np.ndarray, tested: int, class_table: np.ndarray, graded_shares: Any, key: Any
) -> dict[str, Any]:
    """Named arrays of one network: everything that is measured after the last epoch."""
    table = distances(embeddings)
    inside, own = table[:tested, :tested], labels[:tested]
    known = np.unique(own)
    within = class_table[np.ix_(known, known)]
    levels = measure.levels(inside, own, within, SHARES)
    names = ("epsilon", "p_s", "p_i", "p_own", "hit_rate", "mean_b", "near", "far", "var_b", "spread_b", "tie_rate")
    out: dict[str, Any] = {name: getattr(levels, name) for name in names}
    out |= _slopes(levels, "")
    if np.bincount(own)[known].min() >= _HALVED:
        out |= _predicted(inside, own, within, key)
    if len(graded_shares):
        some = np.concatenate([np.flatnonzero(own == c)[:_GRADED_EACH] for c in known])
        few, mine = inside[np.ix_(some, some)], own[some]
        at = measure.levels(few, mine, within, graded_shares)
        out["graded_epsilon"] = at.epsilon
        for family in GRADED:
            p_s, p_i, slope_s, slope_i = measure.graded(few, mine, within, family, at.epsilon)[:4]
            out |= {f"{family}_p_s": p_s, f"{family}_p_i": p_i}
            for p, value, slope in (("s", p_s, slope_s), ("i", p_i, slope_i)):
                out[f"{family}_slope_{p}"] = measure.at_equal_shares(slope, value, graded_shares, at.slope_b)
        out["graded_images"] = some
    absent = np.setdiff1d(np.unique(labels), known)
    if absent.size:
        held = measure.levels(table, labels, class_table, SHARES, probes=absent.tolist())
        out |= {f"held_{name}": getattr(held, name) for name in ("p_s", "p_i", "tie_rate")} | _slopes(held, "held_")
    classes = np.unique(labels)
    belongs = (labels[:, None] == classes[None]).astype(float)
    sizes = belongs.sum(0)
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    far = belongs.T @ table @ belongs / pairs
    out["class_distance"] = far / far[~np.eye(len(classes), dtype=bool)].mean()
    return out


def _predicted(table: np.ndarray, own: np.ndarray, class_table: np.ndarray, key: Any) -> dict[str, Any]:
    """The laws from one half of the images against the accuracies of the other half, and alternatives to them.

    p_S = 1/2 + (near - far) / 2 and p_I = 1/2 + (hit rate - <b>) / 2 with what the first half has at a share; measured
    on the second half at its own ε of that share. The alternatives know the same of the first half, but its images bear
    labels in random order (no class there), or its classes sit on the tree in random order; or take it that images are
    as far apart as their classes (theorem 1). χ² of the levels over their number, with the covariance of both halves.
    """
    rng = generator(key, 1)
    half = np.zeros(len(own), bool)
    for c in np.unique(own):
        members = rng.permutation(np.flatnonzero(own == c))
        half[members[: len(members) // 2]] = True
    first, second = (table[np.ix_(x, x)] for x in (half, ~half))
    mine, theirs = own[half], own[~half]
    seen, law = (measure.levels(*half, class_table, SHARES) for half in ((second, theirs), (first, mine)))
    tested = SHARES[list(TESTED)]
    no_class = measure.levels(first, rng.permutation(mine), class_table, tested)
    moved = _moved(len(class_table), rng)
    no_tree = measure.levels(first, mine, class_table[np.ix_(moved, moved)], tested)
    out: dict[str, Any] = {}
    for p in "si":
        name, some = f"p_{p}", list(TESTED)
        measured, wanted = (getattr(x, name)[some] for x in (seen, law))
        slopes = [_slopes(half, "")[f"slope_{p}"][:, some].astype(np.float64) for half in (seen, law)]
        noise = slopes[0].T @ slopes[0] + slopes[1].T @ slopes[1]
        out |= {f"half_{name}": measured, f"law_{name}": wanted}
        out[f"chi2_{name}"] = _chi_square(measured - wanted, noise)
        out[f"chi2_{name}_no_class"] = _chi_square(measured - getattr(no_class, name), noise)
        if p == "s":
            out["chi2_p_s_no_tree"] = _chi_square(measured - no_tree.p_s, noise)
            out["chi2_p_s_theorem_1"] = _chi_square(measured - law.p_own[some], noise)
    return out


def _slopes(levels: measure.Levels, which: str) -> dict[str, np.ndarray]:
    """Slopes of both accuracies at equal shares."""
    pairs = {"slope_s": (levels.slope_s, levels.p_s), "slope_i": (levels.slope_i, levels.p_i)}
    return {
        which + name: measure.at_equal_shares(slope, p, SHARES, levels.slope_b).astype(np.float32)
        for name, (slope, p) in pairs.items()
    }


def _moved(count: int, rng: np.random.Generator) -> np.ndarray:
    """A random order that leaves no class in its place."""
    while True:
        order = rng.permutation(count)
        if (order != np.arange(count)).all():
            return order


def _chi_square(off: np.ndarray, covariance: np.ndarray) -> float:
    """Per degree of freedom, of differences with a covariance."""
    return float(off @ np.linalg.solve(covariance, off) / len(off))


def _intervals(values: dict[str, Any], labels: np.ndarray, tested: int, key: Any) -> dict[str, Any]:
    """Bounds over runs and images of the means over runs; slopes are used up."""
    own, out = labels[:tested], {}

    def drawn(name: str, slope: str, of: np.ndarray) -> np.ndarray:
        return intervals.replicates(values[name], values.pop(slope), of, key=key)

    def bound(name: str, replicates: np.ndarray, mean: np.ndarray) -> None:
        ends = intervals.interval(replicates, mean)
        out[f"{name}_low"], out[f"{name}_high"] = ends.low, ends.high

    for p in "si":
        name = f"p_{p}"
        mean, replicates = values[name].mean(1), drawn(name, f"slope_{p}", own)
        bound(name, replicates, mean)
        # Against the first alpha, with the same runs and images in both.
        out[f"{name}_change"] = mean / mean[:1] - 1
        bound(f"{name}_change", replicates / replicates[:, :1] - 1, out[f"{name}_change"])
        if f"held_{name}" in values:
            held = drawn(f"held_{name}", f"held_slope_{p}", labels)
            bound(f"held_{name}", held, values[f"held_{name}"].mean(1))
    if "graded_images" in values:
        some = own[values.pop("graded_images")[0, 0]]
        for name, slope in ((f"{family}_p_{p}", f"{family}_slope_{p}") for family in GRADED for p in "si"):
            bound(name, drawn(name, slope, some), values[name].mean(1))
    return out
