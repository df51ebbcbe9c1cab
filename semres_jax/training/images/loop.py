"""Training of residual networks on images: an epoch is one jitted scan over data that stay on the device.

On a CPU members (a run at an alpha each) are trained in threads, one on a core; elsewhere as many as memory allows are
trained at once, under `vmap`.
"""

import dataclasses
import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from semres_jax._checks import require_count
from semres_jax._random import key_or_default, setting
from semres_jax._types import Array
from semres_jax.data.image_sets import ImageSet, Split
from semres_jax.execution import Execution
from semres_jax.networks import resnet
from semres_jax.storage.fingerprints import fingerprint
from semres_jax.training.checkpoints import Store, held
from semres_jax.training.diverged import Diverged as Diverged, refuse_diverged
from semres_jax.training.images import batches, epochs
from semres_jax.training.images.epochs import Recipe as Recipe

# Share of a device's memory that members trained at once may take, and numbers that an image takes per pixel of it:
# activations kept for the gradient, of the large networks, generously.
_MEMORY, _PER_PIXEL = 0.6, 600

Watch = Callable[[np.ndarray, np.ndarray, np.ndarray], dict[str, Any]]


class History(NamedTuple):
    """What a training leaves, for A alphas, R runs, T epochs.

    Attributes:
        alphas: (A,).
        loss_id, loss_sim: (A, R, T) means over the steps of an epoch, without their weights.
        accuracy: (A, R, T) share of test images whose class has the largest score.
        watched: what `watch` gave, each (A, R, T, ...).
        embeddings: (A, R, images, F) float32 of the test and the held-out images after the last epoch.
    """

    alphas: np.ndarray
    loss_id: np.ndarray
    loss_sim: np.ndarray
    accuracy: np.ndarray
    watched: dict[str, np.ndarray]
    embeddings: np.ndarray


def train(
    images: ImageSet,
    parts: Split,
    recipe: Recipe | None = None,
    *,
    alphas: Sequence[float] = (0.0,),
    key: Any = None,
    runs: int = 1,
    watch: Watch | None = None,
    together: int | None = None,
    checkpoint: Any = None,
    resume: bool = False,
    execution: Execution | None = None,
) -> History:
    """Train networks to tell classes, to have their distances, or both.

        L = (1 - α) L_id + α L_sim

    with L_id the cross-entropy of a linear classifier on the embedding, and L_sim the mean squared difference of the
    distances of all pairs in a batch to those of their classes, each over its mean (`losses`). Source: the image
    experiments of Nurisso et al., arXiv 2506.14797, but for the normalisation and the balanced batches.

    Args:
        images: and the distances between their classes.
        parts: `data.split` of them. Nothing is learned from test or held-out images, and nothing is chosen by them.
        recipe: None for `Recipe()`.
        alphas: weights of the loss of distances, from 0 to 1.
        key: run r of every alpha starts from fold_in(key, r) and sees the same batches; None: `jax.random.key(0)`.
        runs: R, at least 1.
        watch: called after each epoch of each member with the (N, F) embeddings of its test and held-out images (in
            the order of `parts`), and the (K, F) weights and (K,) biases of its classifier, in threads; gives named
            arrays, always of the same names and shapes.
        together: members that are trained at once under vmap; None: as many as memory allows, one on a CPU.
        checkpoint: a folder for checkpoints, written after every epoch.
        resume: go on from the newest checkpoints there; the result is that of a run in one go.
        execution: progress in epochs of all members.

    Raises:
        ValueError: alphas out of [0, 1], or twice the same with checkpoints; checkpoints of other settings, or of
            another `watch`, or damaged; a folder that another process is using; weights that do not fit; more than one
            process.
        results.Unwritable: a checkpoint can't be written; those before it stay as they are.
        Diverged: a loss was not finite. The last good weights are in the checkpoint.

    Example (a minute and a half on two cores):

        animals = data.animal_images()
        history = images.train(animals, data.split(animals), alphas=[0.0, 0.9])
        history.accuracy[:, 0, -1], history.embeddings.shape
    """
    if jax.process_count() > 1:
        raise ValueError(f"resnet trains in one process; jax.distributed joined {jax.process_count()} (start it alone)")
    recipe, key, execution = recipe or Recipe(), key_or_default(key), execution or Execution()
    runs, values = require_count("runs", runs, 1), _checked_alphas(alphas, checkpoint is not None)
    scale = batches.IMAGENET if recipe.weights else None
    data = batches.resident(images, parts.train, recipe.per_class, scale)
    shown = np.concatenate([parts.test, parts.held_out])
    tested = np.searchsorted(np.unique(images.labels[parts.train]), images.labels[parts.test])
    job = _Job(recipe, data, jnp.asarray(images.images[shown]), tested, watch)
    first = job.start(key, 0)  # weights that do not fit are refused before a checkpoint is touched
    members = [(float(alpha), run) for alpha in values for run in range(runs)]
    size = job.together(len(members)) if together is None else require_count("together", together, 1)
    sets = [members[i : i + size] for i in range(0, len(members), size)]
    settings = dataclasses.asdict(recipe) | setting(key) | {"images": _fingerprint(images, parts)}
    if recipe.weights:  # another file may come to have that name
        settings["weights_content"] = fingerprint(jax.tree.leaves(first.params))
    done, lock, stop = [0], threading.Lock(), threading.Event()

    def say(epochs: int) -> None:
        with lock:
            done[0] += epochs
            execution.tell("training", done[0], len(members) * recipe.epochs)

    def trained(group: list[tuple[float, int]]) -> list[dict[str, np.ndarray]]:
        named = "_".join(f"alpha{_written(a)}-run{r}" for a, r in group)
        folder = None if checkpoint is None else Path(checkpoint) / named
        own = settings | {"alphas": [a for a, _ in group], "runs": [r for _, r in group]}
        return job.train(group, key, Store(folder, own, resume, lock), say, stop)

    workers = min(len(sets), os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
    with held(checkpoint), ThreadPoolExecutor(workers) as pool:
        try:
            histories = [row for rows in pool.map(trained, sets) for row in rows]
        except BaseException:  # Ctrl-C too: threads end with their epoch, and nothing new is begun
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    columns = {name: np.stack([row[name] for row in histories]) for name in histories[0]}
    columns = {name: x.reshape(len(values), runs, *x.shape[1:]) for name, x in columns.items()}
    own = {name: columns.pop(name) for name in ("loss_id", "loss_sim", "accuracy", "embeddings")}
    return History(alphas=values, watched=columns, **own)


def _checked_alphas(alphas: Sequence[float], different: bool) -> np.ndarray:
    values = np.asarray(alphas, np.float32).ravel()
    if not values.size or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"alphas must be at least one number from 0 to 1; got {list(alphas)}")
    if different and len(set(values.tolist())) < values.size:
        written = ", ".join(map(_written, values.tolist()))
        raise ValueError(f"alphas with checkpoints must differ in float32; got {written}")
    return values


def _written(alpha: float) -> str:
    """In as few digits as tell it from the next float32."""
    return np.format_float_positional(np.float32(alpha), trim="-")


class _Job:
    """What all members of a training share."""

    def __init__(self, recipe: Recipe, data: batches.Resident, shown: Array, own: np.ndarray, watch: Watch | None):
        self._recipe, self._data, self._shown, self._own, self._watch = recipe, data, shown, own, watch
        # Grey images meet ImageNet's weights as three equal colours: those of the scale.
        self._classes, self._channels = data.members.shape[0], data.scale.shape[-1]
        self._steps = max(1, round(int(data.counts.sum()) / (self._classes * recipe.per_class)))
        dtype = jnp.dtype(recipe.dtype)

        def network(key: Any) -> resnet.ResNet:
            rngs = nnx.Rngs(params=key)
            return resnet.make(recipe.network, self._classes, channels=self._channels, dtype=dtype, rngs=rngs)

        self._graph = nnx.graphdef(nnx.eval_shape(network, jax.random.key(0)))
        self._fresh = jax.jit(lambda key: nnx.split(network(key), nnx.Param, nnx.BatchStat)[1:])

    def together(self, members: int) -> int:
        """How many members to train at once, by the memory of the device."""
        memory = jax.local_devices()[0].memory_stats() if jax.default_backend() != "cpu" else None
        free = (memory or {}).get("bytes_limit", 0) * _MEMORY
        pixels = self._classes * self._recipe.per_class * math.prod(self._data.images.shape[1:3])
        return max(1, min(members, int(free // (pixels * _PER_PIXEL * jnp.dtype(self._recipe.dtype).itemsize))))

    def start(self, key: Any, run: int) -> epochs.State:
        params, stats = self._fresh(jax.random.fold_in(jax.random.fold_in(key, run), 0))
        if self._recipe.weights:
            from semres_jax.networks import weights

            net = nnx.merge(self._graph, params, stats)
            weights.load(net, self._recipe.weights, classifier=False)
            _, params, stats = nnx.split(net, nnx.Param, nnx.BatchStat)
        moments = epochs.optimiser(self._recipe, self._steps).init(params)
        return epochs.State(params, stats, moments, jnp.full((), -1, jnp.int32))

    def train(
        self, group: list[tuple[float, int]], key: Any, store: Store, say: Callable[[int], None], stop: threading.Event
    ) -> list[dict[str, np.ndarray]]:
        """Members of a group, from where the store has them to the last epoch: named arrays of each."""
        state = jax.tree.map(lambda *x: jnp.stack(x), *(self.start(key, run) for _, run in group))
        keys = jnp.stack([jax.random.fold_in(jax.random.fold_in(key, run), 1) for _, run in group])
        alphas = jnp.asarray([alpha for alpha, _ in group], jnp.float32)
        embedded: Any = None
        with store:
            state, content = store.restore(state)
            columns = {name: np.asarray(x) for name, x in content["rows"].items()} if content else {}
            done = len(columns["loss_id"]) if columns else 0
            say(len(group) * done)
            self._refuse(state, group, store.folder)
            if done:
                embedded, again = self._seen(state, np.zeros((len(group), 2)))
                _require_records(columns, again, store.folder)
            for epoch in range(done, self._recipe.epochs):
                if stop.is_set():
                    raise KeyboardInterrupt
                how = self._recipe, self._graph, self._steps
                state, losses = epochs.epoch(state, self._data, alphas, keys, jnp.int32(epoch), *how)
                embedded, row = self._seen(state, np.asarray(losses))
                columns = {name: np.concatenate([columns.get(name, x[:0]), x]) for name, x in row.items()}
                store.save(epoch + 1, state, {"rows": columns})  # of a member without a loss, its last good weights
                self._refuse(state, group, store.folder)
                say(len(group))
        columns = {name: np.swapaxes(x, 0, 1) for name, x in columns.items()} | {"embeddings": embedded}
        return [{name: x[k] for name, x in columns.items()} for k in range(len(group))]

    def _seen(self, state: epochs.State, losses: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Embeddings, and named arrays of an epoch: (1, members, ...)."""
        embedded, scores = map(np.asarray, epochs.embed(state, self._shown, self._data.scale, self._graph))
        guess = scores[:, : len(self._own)].argmax(-1)
        row = {"loss_id": losses[:, 0], "loss_sim": losses[:, 1], "accuracy": (guess == self._own[None]).mean(1)}
        if self._watch is not None:
            layer: Any = state.params["classifier"]
            weights, biases = np.swapaxes(np.asarray(layer["kernel"][...]), 1, 2), np.asarray(layer["bias"][...])
            watched = [self._watch(*member) for member in zip(embedded, weights, biases, strict=True)]
            row |= {name: np.stack([member[name] for member in watched]) for name in watched[0]}
        return embedded, {name: x[None] for name, x in row.items()}

    def _refuse(self, state: epochs.State, group: list[tuple[float, int]], folder: Path | None) -> None:
        def described(member: int, step: int) -> str:
            (alpha, run), rate = group[member], self._recipe.learning_rate
            epoch, step = divmod(step, self._steps)
            return f"step {step} of epoch {epoch + 1} of run {run} with alpha = {alpha:g}, learning_rate = {rate:g}"

        refuse_diverged(state.bad, described, folder)


def _require_records(there: dict[str, np.ndarray], wanted: dict[str, np.ndarray], folder: Path | None) -> None:
    """Refuse to go on from a checkpoint without the numbers, epoch by epoch, that this run is to have."""
    missing = [name for name, x in wanted.items() if name not in there or there[name].shape[1:] != x.shape[1:]]
    if missing:
        raise ValueError(
            f"can't resume: the checkpoint in {str(folder)!r} has no record of {missing[0]} after each epoch (it is of "
            "an earlier version, or was watched otherwise; name another folder, or leave out resume)"
        )


def _fingerprint(images: ImageSet, parts: Split) -> str:
    pixels = np.ascontiguousarray(images.images).reshape(len(images.images), -1)
    # Each picture as one entry of so many bytes: numbers would be widened to eight times the size.
    return fingerprint([*pixels.view(f"V{pixels.shape[1]}"), images.labels, images.distances, *parts])
