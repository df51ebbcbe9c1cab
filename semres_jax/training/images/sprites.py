"""Training on sprites: one network whose embedding is cut into heads, each with the tasks of a feature, or is whole."""

import dataclasses
import functools
import threading
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from semres_jax._checks import require, require_count
from semres_jax._random import key_or_default, setting
from semres_jax._types import Array
from semres_jax.data import rendering
from semres_jax.data.rendering import Sprites
from semres_jax.execution import Execution
from semres_jax.networks.resnet import Placed
from semres_jax.training.checkpoints import Store, held
from semres_jax.training.diverged import refuse_diverged
from semres_jax.training.images import batches, epochs

# A training is so many pieces, after each of which it says where it is and leaves a checkpoint.
PIECES = 4
_WARM = 0.1  # share of the steps in which the learning rate rises


@dataclasses.dataclass(frozen=True)
class SpriteRecipe:
    """How a network is trained on sprites, by SGD as `Recipe` has it, with a batch of every stimulus at each step.

    Args:
        features: dimensions of the embedding, an even number of at least 2: two heads have half of them each.
        steps: at least 1, rounded up to a multiple of 4.
        renderings: of every stimulus in a batch.
        alpha: weight of the loss of distances, from 0 to 1; the rest is that of the classifiers.
        learning_rate: its largest, above 0.
        widths: channels of the two stages of the network.

    Raises:
        ValueError: out of range.

    Example:
        >>> from semres_jax.training.images import sprites
        >>> sprites.SpriteRecipe(features=8).sees("two heads").astype(int).tolist()
        [[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]]
    """

    features: int = 16
    steps: int = 800
    renderings: int = 1
    alpha: float = 0.5
    learning_rate: float = 0.2
    widths: tuple[int, int] = (16, 32)

    def __post_init__(self):
        require_count("features", self.features, 2)
        if self.features % 2:
            raise ValueError(f"features must be even, half of them for each head; got {self.features}")
        for name in ("steps", "renderings"):
            require_count(name, getattr(self, name), 1)
        require("alpha", self.alpha, 0.0, 1.0, "from 0 to 1")
        require("learning_rate", self.learning_rate, 1e-30, 1e30, "a positive number, such as 0.1")

    def sees(self, code: str) -> np.ndarray:
        """(2, features) which dimensions of the embedding each feature's tasks see, 0 or 1, for a code of `CODES`."""
        half = np.arange(self.features) < self.features // 2
        return np.stack([half, ~half] if code == "two heads" else [np.ones_like(half)] * 2).astype(np.float32)


# Both are the same network; the heads of "two heads" are halves of its embedding.
CODES = ("two heads", "one embedding")


class SpriteHistory(NamedTuple):
    """What a training on sprites leaves.

    Attributes:
        losses: (codes, runs, pieces, 2 features, 2) means over the steps of a piece: cross-entropy (nats) and loss of
            distances (mean square), without their weights.
        accuracy: (codes, runs, 2 features) share of test renderings whose value has the largest score.
        embeddings: (codes, runs, draws, A P, features) float32 of renderings of test silhouettes.
    """

    losses: np.ndarray
    accuracy: np.ndarray
    embeddings: np.ndarray


class _Drawn(NamedTuple):
    """Silhouettes on the device, by animal, with the distances of both features over their means in a batch."""

    pictures: Any
    members: Any
    counts: Any
    tables: Any


def train(
    stimuli: Sprites,
    recipe: SpriteRecipe | None = None,
    *,
    codes: tuple[str, ...] = CODES,
    runs: int = 1,
    draws: int = 4,
    key: Any = None,
    checkpoint: Any = None,
    resume: bool = False,
    execution: Execution | None = None,
) -> SpriteHistory:
    """Train the same network with two heads, each for one feature, and with one embedding for both.

        L = mean over features s of (1 - α) L_id,s + α L_sim,s

    with the losses of `training.images.train`: cross-entropy of the feature's values by a linear classifier, and mean
    squared difference of distances to the feature's own. With two heads those of feature s see half s of the embedding,
    with one embedding all of it. Weights, numbers of weights, batches and renderings are the same for both codes.

    Args:
        stimuli: `data.sprites`.
        recipe: None for `SpriteRecipe()`.
        codes: of `CODES`.
        runs: trainings of each, at least 1; run r starts from fold_in(key, r).
        draws: renderings of every stimulus to test with.
        key: None: `jax.random.key(0)`.
        checkpoint, resume: as in `training.images.train`.
        execution: progress in pieces of trainings.

    Raises:
        ValueError: an unknown code; counts below 1; checkpoints of other settings.
        Diverged: a loss was not finite.

    Example: `semres sprites --quick`.
    """
    recipe, key, execution = recipe or SpriteRecipe(), key_or_default(key), execution or Execution()
    runs, draws = require_count("runs", runs, 1), require_count("draws", draws, 1)
    for code in codes:
        if code not in CODES:
            raise ValueError(f"code must be one of {', '.join(CODES)}; got {code!r}")
    job = _Job(stimuli, recipe, draws)
    rows, planned = [], len(codes) * runs * PIECES

    def say(done: int) -> None:
        execution.tell("training", len(rows) * PIECES + done, planned)

    settings = dataclasses.asdict(recipe) | {"widths": list(recipe.widths)} | setting(key)
    settings |= {"positions": stimuli.shape[1], "draws": draws}
    with held(checkpoint):
        for code, run in ((code, run) for code in codes for run in range(runs)):
            folder = None if checkpoint is None else Path(checkpoint) / f"{code.replace(' ', '-')}-run{run}"
            store = Store(folder, settings | {"code": code, "run": run}, resume, threading.Lock())
            rows.append(job.train(code, run, key, store, say))
    columns = (np.stack(column).reshape(len(codes), runs, *column[0].shape) for column in zip(*rows, strict=True))
    return SpriteHistory(*columns)


class _Job:
    """What all trainings share."""

    def __init__(self, stimuli: Sprites, recipe: SpriteRecipe, draws: int):
        self._recipe, self._draws, self._shape = recipe, draws, stimuli.shape
        self._data, self._test = (_on_device(stimuli, part, recipe.renderings) for part in stimuli.parts[:2])
        self._steps = -(-recipe.steps // PIECES)
        self._sgd = epochs.Recipe(epochs=PIECES, learning_rate=recipe.learning_rate, warmup=_WARM * PIECES)

        def network(key: Any) -> Placed:
            rngs = nnx.Rngs(params=key)
            return Placed(sum(stimuli.shape), rendering.CANVAS, recipe.features, widths=recipe.widths, rngs=rngs)

        self._graph = nnx.graphdef(nnx.eval_shape(network, jax.random.key(0)))
        self._fresh = jax.jit(lambda key: nnx.split(network(key), nnx.Param, nnx.BatchStat)[1:])

    def train(self, code: str, run: int, key: Any, store: Store, say: Any) -> tuple[np.ndarray, ...]:
        """Losses, accuracy and embeddings of a run, from where the store has it."""
        start, drawn, tested = jax.random.split(jax.random.fold_in(key, run), 3)
        params, stats = self._fresh(start)
        moments = epochs.optimiser(self._sgd, self._steps).init(params)
        state = epochs.State(params, stats, moments, jnp.full((), -1, jnp.int32))
        sees = jnp.asarray(self._recipe.sees(code))
        with store:
            state, content = store.restore(state)
            losses: list[Any] = list(content["losses"]) if content else []
            for piece in range(len(losses), PIECES):
                say(piece)
                more = self._sgd, self._graph, self._steps, self._recipe
                state, told = epoch(state, self._data, sees, drawn, jnp.int32(piece), *more)
                losses.append(np.asarray(told))
                store.save(piece + 1, state, {"losses": np.stack(losses)})
                refuse_diverged(state.bad[None], lambda _, step: self._described(code, run, step), store.folder)
        say(PIECES)
        embedded, scores = embed(state, self._test, sees, tested, self._graph, self._shape[1], self._draws)
        guess = np.stack([np.asarray(score).argmax(-1) for score in scores])
        values = np.indices((*self._shape, self._draws))[:2]
        accuracy = (guess == values).mean((1, 2, 3))
        flat = np.moveaxis(np.asarray(embedded), 2, 0).reshape(self._draws, -1, self._recipe.features)
        return np.stack(losses), accuracy, flat

    def _described(self, code: str, run: int, step: int) -> str:
        return f"step {step} of run {run} with {code}, learning_rate = {self._recipe.learning_rate:g}"


def _on_device(stimuli: Sprites, part: np.ndarray, renderings: int) -> _Drawn:
    """The silhouettes of one part of the split."""
    animals, positions = stimuli.shape
    resident = batches.resident(stimuli.images, part, positions * renderings)
    places = batches.over_mean(np.asarray(stimuli.space.factors[1].distances), animals * renderings)
    tables = resident.distances, jnp.asarray(places)
    return _Drawn(resident.images[..., 0], resident.members, resident.counts, tables)


def _scores(classifier: Any, embedded: Array, sees: Array, animals: int) -> list[tuple[Array, Array]]:
    """Of each feature what its tasks see of (B, F) embeddings, and (B, values) scores of its values."""
    seen = [embedded * mask[None] for mask in sees]
    cuts = (slice(None, animals), slice(animals, None))
    return [(x, classifier(x)[:, cut]) for x, cut in zip(seen, cuts, strict=True)]


def _losses(classifier: Any, embedded: Array, sees: Array, shape: tuple[int, int, int], tables: Any) -> Array:
    """(2 features, 2) cross-entropy and loss of distances of (A P R, F) embeddings; shape is (A, P, R)."""
    told = []
    for s, (seen, scores) in enumerate(_scores(classifier, embedded, sees, shape[0])):
        # In the order of the feature's values, as the loss wants them.
        seen, scores = (jnp.moveaxis(y.reshape(*shape, -1), s, 0).reshape(y.shape) for y in (seen, scores))
        told.append(jnp.stack(batches.losses(seen, scores, tables[s], embedded.shape[0] // shape[s])))
    return jnp.stack(told)


@functools.partial(jax.jit, static_argnames=("sgd", "graph", "steps", "recipe"))
def epoch(
    state: epochs.State, data: _Drawn, sees: Array, key: Any, piece: Array, sgd: Any, graph: Any, steps: int,
    recipe: SpriteRecipe,
) -> tuple[epochs.State, Array]:  # fmt: skip
    """The state after one more piece, and (2, 2) means over its steps of each feature's two losses."""
    descent = epochs.optimiser(sgd, steps)
    animals, positions = (table.shape[0] for table in data.tables)
    shape = (animals, positions, recipe.renderings)

    def step(state: epochs.State, place: Array) -> tuple[epochs.State, Array]:
        number = piece * steps + place
        drawn = jax.random.fold_in(key, number)
        x = rendering.draw(drawn, data.pictures, data.members, data.counts, positions, recipe.renderings)
        x = x.reshape(-1, *rendering.CANVAS, 1)

        def loss(params: Any) -> tuple[Array, tuple[Any, Array]]:
            net = nnx.merge(graph, params, state.stats, copy=True)
            both = _losses(net.classifier, net.embed(x, train=True), sees, shape, data.tables)
            total = jnp.mean((1.0 - recipe.alpha) * both[:, 0] + recipe.alpha * both[:, 1])
            return total, (nnx.state(net, nnx.BatchStat), both)

        return epochs.descended(state, loss, descent, number)

    state, told = jax.lax.scan(step, state, jnp.arange(steps))
    return state, jnp.mean(told, axis=0)


@functools.partial(jax.jit, static_argnames=("graph", "positions", "draws"))
def embed(
    state: epochs.State, data: _Drawn, sees: Array, key: Any, graph: Any, positions: int, draws: int
) -> tuple[Array, list[Array]]:
    """(A, P, draws, F) embeddings of test renderings, and of each feature (A, P, draws, values) scores."""
    net = nnx.merge(graph, state.params, state.stats)
    x = rendering.draw(key, data.pictures, data.members, data.counts, positions, draws)
    embedded = net.embed(x.reshape(-1, *rendering.CANVAS, 1))
    scores = [score for _, score in _scores(net.classifier, embedded, sees, x.shape[0])]
    return jax.tree.map(lambda y: y.reshape(*x.shape[:3], -1), (embedded, scores))
