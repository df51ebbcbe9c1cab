"""The jitted part of training on images: an epoch of one or several members, and embeddings of images."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from semres_jax._checks import require, require_count
from semres_jax._types import Array
from semres_jax.networks import resnet
from semres_jax.training.images import batches
from semres_jax.training.images.batches import Resident

# Images that are embedded at once.
_EMBEDDED = 256


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained: by SGD with Nesterov momentum, the learning rate rising for a while, then falling as a
    half cosine to 0.

    Args:
        network: small, resnet18, resnet34, resnet50.
        epochs: at least 1.
        per_class: images of every class in a batch, at least 2. A batch has the same number of each.
        learning_rate: its largest, above 0.
        momentum: from 0 to below 1.
        weight_decay: at least 0.
        warmup: epochs in which the learning rate rises, less than `epochs` (else half of them).
        augment: mirror and move images at random.
        dtype: of what is computed, float32 or bfloat16.
        weights: a file of weights of ImageNet to start from (`networks.weights.load`); empty: random.

    Raises:
        ValueError: out of range, unknown words.

    Example:
        >>> from semres_jax.training import images as image_training
        >>> image_training.Recipe(epochs=3, network="resnet18").per_class
        12
    """

    network: str = "small"
    epochs: int = 12
    per_class: int = 12
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 1.0
    augment: bool = True
    dtype: str = "float32"
    weights: str = ""

    def __post_init__(self):
        for name, least in (("epochs", 1), ("per_class", 2)):
            require_count(name, getattr(self, name), least)
        require("learning_rate", self.learning_rate, 1e-30, 1e30, "a positive number, such as 0.1")
        for name in ("weight_decay", "warmup"):
            require(name, getattr(self, name), 0.0, 1e30, "at least 0")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be from 0 to below 1; got {self.momentum:g}")
        words = {"network": tuple(resnet.ARCHITECTURES), "dtype": ("float32", "bfloat16")}
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}")


class State(NamedTuple):
    """Where a member is; `bad` is the first step without a finite loss, -1 for none."""

    params: Any
    stats: Any
    moments: Any
    bad: Any


def optimiser(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """Gradients with weight decay and Nesterov's momentum; the rate warms up and falls like a cosine.

    Args:
        recipe: rates and epochs.
        steps: of an epoch.
    """
    total = recipe.epochs * steps
    warm = int(recipe.warmup * steps) if recipe.warmup < recipe.epochs else total // 2
    rate = optax.warmup_cosine_decay_schedule(0.0, recipe.learning_rate, warm, total)
    decay = optax.add_decayed_weights(recipe.weight_decay)
    return optax.chain(decay, optax.sgd(rate, momentum=recipe.momentum, nesterov=True))


def descended(state: State, loss: Any, descent: optax.GradientTransformation, number: Array) -> tuple[State, Any]:
    """The state after the step of that number, and what the loss tells beside itself.

    Args:
        state: before the step.
        loss: of the parameters; gives (loss, (averages of batch normalisation, what it tells)).
        descent: `optimiser`.
        number: of the step, kept where the loss is the first that isn't finite.
    """
    (total, (stats, told)), slope = jax.value_and_grad(loss, has_aux=True)(state.params)
    change, moments = descent.update(slope, state.moments, state.params)
    params = optax.apply_updates(state.params, change)
    finite = jax.tree.reduce(lambda ok, leaf: ok & jnp.all(jnp.isfinite(leaf)), params, jnp.isfinite(total))
    bad = jnp.where((state.bad < 0) & ~finite, number, state.bad)
    new = State(params, stats, moments, bad)
    # Of a member without a loss the last good weights stay.
    return jax.tree.map(lambda a, b: jnp.where(bad < 0, a, b), new, state._replace(bad=bad)), told


@functools.partial(jax.jit, static_argnames=("recipe", "graph", "steps"))
def epoch(
    states: State, data: Resident, alphas: Array, keys: Any, number: Array, recipe: Recipe, graph: Any, steps: int
) -> tuple[State, Array]:
    """(members,) states after one more epoch, and (members, 2) means of both losses over its steps."""
    descent = optimiser(recipe, steps)

    def member(state: State, alpha: Array, key: Any) -> tuple[State, Array]:
        ordered, drawn = jax.random.split(jax.random.fold_in(key, number))
        index = batches.order(ordered, data, recipe.per_class, steps).reshape(steps, -1)

        def step(state: State, now: tuple[Array, Array]) -> tuple[State, Array]:
            place, picked = now
            x = batches.batch(jax.random.fold_in(drawn, place), data, picked, recipe.augment)

            def loss(params: Any) -> tuple[Array, tuple[Any, Array]]:
                net = nnx.merge(graph, params, state.stats, copy=True)
                embedded = net.embed(x, train=True)
                both = batches.losses(embedded, net.classifier(embedded), data.distances, recipe.per_class)
                total = (1.0 - alpha) * both[0] + alpha * both[1]
                return total, (nnx.state(net, nnx.BatchStat), jnp.stack(both))

            return descended(state, loss, descent, number * steps + place)

        state, both = jax.lax.scan(step, state, (jnp.arange(steps), index))
        return state, jnp.mean(both, axis=0)

    if alphas.shape[0] > 1:
        return jax.vmap(member)(states, alphas, keys)
    # One member without vmap: batched weights would turn convolutions into grouped ones, which are slow on a CPU.
    single = member(*jax.tree.map(lambda x: x[0], (states, alphas, keys)))
    return jax.tree.map(lambda x: x[None], single)


@functools.partial(jax.jit, static_argnames="graph")
def embed(states: State, images: Array, scale: Array, graph: Any) -> tuple[Array, Array]:
    """(members, N, F) embeddings and (members, N, K) scores of uint8 images."""

    def member(state: State) -> tuple[Array, Array]:
        net = nnx.merge(graph, state.params, state.stats)

        def some(x: Array) -> tuple[Array, Array]:
            embedded = net.embed(batches.normal(x, scale))
            return embedded, net.classifier(embedded)

        count = images.shape[0]
        size = min(_EMBEDDED, count)
        filled = jnp.pad(images, ((0, -count % size), (0, 0), (0, 0), (0, 0)))
        pieces = jax.lax.map(some, filled.reshape(-1, size, *images.shape[1:]))
        return jax.tree.map(lambda x: x.reshape(-1, x.shape[-1])[:count], pieces)

    pairs = [member(jax.tree.map(lambda x, k=k: x[k], states)) for k in range(states.bad.shape[0])]
    return jax.tree.map(lambda *x: jnp.stack(x), *pairs)
