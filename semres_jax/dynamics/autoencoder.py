"""States of all depths in two numbers: what a network that isn't linear keeps of them, beside principal axes."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from semres_jax._checks import require_count
from semres_jax._random import generator, key_or_default
from semres_jax._types import Array
from semres_jax.dynamics.trajectories import checked

_RATE, _BATCH, _RECORDS = 3e-3, 256, 20
# Of the texts, those that the network doesn't see.
_HELD_OUT = 0.25


class Compressed(NamedTuple):
    """States in K numbers.

    Attributes:
        points: (B, K) codes of boundaries, mean over held-out texts.
        spread: (B, K) their standard deviation over these.
        explained: share of the variance of held-out texts' states that comes back from their codes.
        linear: the same of as many principal axes of the other texts.
        loss: (20,) mean squared error of training, from its first to its last twentieth.
    """

    points: np.ndarray
    spread: np.ndarray
    explained: float
    linear: float
    loss: np.ndarray


class Autoencoder(nnx.Module):
    """D -> hidden -> K -> hidden -> D numbers with tanh between; nothing after the codes and the output.

    Args:
        size: D.
        hidden: width between.
        codes: K.
        rngs: the stream `params` makes the weights.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from semres_jax.dynamics.autoencoder import Autoencoder
        >>> net = Autoencoder(6, 4, 2, rngs=nnx.Rngs(0))
        >>> net.encode(jnp.ones((3, 6))).shape, net(jnp.ones((3, 6))).shape
        ((3, 2), (3, 6))
    """

    def __init__(self, size: int, hidden: int, codes: int, *, rngs: nnx.Rngs):
        self.into = nnx.Linear(size, hidden, rngs=rngs)
        self.narrow = nnx.Linear(hidden, codes, rngs=rngs)
        self.widen = nnx.Linear(codes, hidden, rngs=rngs)
        self.out = nnx.Linear(hidden, size, rngs=rngs)

    def encode(self, x: Array) -> Array:
        """(..., K) codes of (..., D)."""
        return self.narrow(jnp.tanh(self.into(x)))

    def __call__(self, x: Array) -> Array:
        """(..., D) what comes back of (..., D)."""
        return self.out(jnp.tanh(self.widen(self.encode(x))))


def compress(states: Any, *, codes: int = 2, hidden: int = 64, steps: int = 2000, key: Any = None) -> Compressed:
    """Train an autoencoder on states of all boundaries together, and see what of other texts comes back.

    States are divided by their root mean square length at their boundary, or the last layers, whose states are the
    longest, would be all that there is; then by the standard deviation of all. Adam, rate 3e-3 falling to 0 with a
    cosine, batches of 256, mean squared error.

    Args:
        states: (B, N, D), at least 4 texts, of which a quarter is held out.
        codes: K, below D.
        hidden: width of the layers between.
        steps: of training.
        key: of weights and batches.

    Raises:
        ValueError: fewer texts, states that are not finite, or all the same.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> angle = np.linspace(0, 3, 9)[:, None] + 0.01 * np.random.default_rng(0).normal(size=(9, 8))
        >>> arc = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], axis=-1)
        >>> made = dynamics.compress(arc, codes=1, hidden=16, steps=1000)
        >>> bool(made.explained > 0.9 > made.linear)
        True
    """
    x = checked(states)
    size = x.shape[-1]
    for name, count in (("codes", codes), ("hidden", hidden), ("steps", steps)):
        require_count(name, count, 1)
    if codes >= size or x.shape[1] < 4:
        raise ValueError(f"fewer codes than units, and 4 texts, are needed; got {codes} of {size}, {x.shape[1]} texts")
    length = np.sqrt((x**2).sum(-1).mean(1))
    x = x / np.where(length > 0, length, 1.0)[:, None, None]
    order = generator(key).permutation(x.shape[1])
    held = max(1, round(_HELD_OUT * x.shape[1]))
    seen, other = x[:, order[held:]].reshape(-1, size), x[:, order[:held]]
    mean = seen.mean(0, keepdims=True)
    scale = (seen - mean).std()
    if not scale > 0:
        raise ValueError("states are all the same; nothing is there to compress")
    seen = ((seen - mean) / scale).astype(np.float32)
    other = ((other - mean[None]) / scale).astype(np.float32)
    params, losses = _trained(jnp.asarray(seen), hidden, codes, max(1, steps // _RECORDS), key_or_default(key))
    net = nnx.merge(_graph(size, hidden, codes), params)
    inside, back = np.asarray(net.encode(jnp.asarray(other))), np.asarray(net(jnp.asarray(other)))
    axes = np.linalg.eigh(np.asarray(seen.T @ seen, np.float64))[1][:, -codes:].astype(np.float32)
    total = (other**2).sum()
    explained, linear = (float(1 - ((other - made) ** 2).sum() / total) for made in (back, other @ axes @ axes.T))
    return Compressed(inside.mean(1), inside.std(1), explained, linear, np.asarray(losses, np.float64))


def _graph(size: int, hidden: int, codes: int) -> Any:
    return nnx.graphdef(nnx.eval_shape(lambda: Autoencoder(size, hidden, codes, rngs=nnx.Rngs(0))))


@functools.partial(jax.jit, static_argnames=("hidden", "codes", "steps"))
def _trained(x: Array, hidden: int, codes: int, steps: int, key: Any) -> tuple[Any, Array]:
    """Parameters after 20 times so many steps on (M, D), and the mean loss of each of the 20."""
    start, drawn = jax.random.split(key)
    graph, params = nnx.split(Autoencoder(x.shape[1], hidden, codes, rngs=nnx.Rngs(params=start)))
    optimiser = optax.adam(optax.cosine_decay_schedule(_RATE, steps * _RECORDS))

    def loss_of(params: Any, batch: Array) -> Array:
        return jnp.mean((nnx.merge(graph, params)(batch) - batch) ** 2)

    def step(carry: Any, number: Array) -> tuple[Any, Array]:
        params, moments = carry
        rows = jax.random.randint(jax.random.fold_in(drawn, number), (min(_BATCH, len(x)),), 0, len(x))
        loss, slope = jax.value_and_grad(loss_of)(params, x[rows])
        change, moments = optimiser.update(slope, moments, params)
        return (optax.apply_updates(params, change), moments), loss

    (params, _), losses = jax.lax.scan(step, (params, optimiser.init(params)), jnp.arange(steps * _RECORDS))
    return params, losses.reshape(_RECORDS, steps).mean(1)
