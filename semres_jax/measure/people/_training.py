"""Places of stimuli that make judgements likely: all starts in one compiled loop, ended by judgements held out."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from semres_jax.similarity import Family

# Step of Adam, largest and relative to it at the end; steps between two looks at what is held out; looks without a
# gain of more than this, in nats a judgement, after which a start is done.
_RATE, _LAST, _EVERY, _PATIENCE, _GAIN = 0.03, 0.01, 20, 10, 1e-5
# Logit of the floor that a fit starts from; spreads of the starts, in units of ε.
_FLOOR, _SPREADS = -3.0, (0.5, 2.0)


class Part(NamedTuple):
    """Judgements to train on, or to look at.

    Attributes:
        pairs: (T, n) numbers of the pairs that each is between; the first was chosen.
        weight: (T,) how often each was made, summing to 1.
    """

    pairs: Any
    weight: Any


class Trained(NamedTuple):
    """Of S starts: places (S, N, D), logit of the floor (S,), steps (S,) taken to the best."""

    points: np.ndarray
    logit: np.ndarray
    steps: np.ndarray


class Training:
    """Adam on the log likelihood of judgements, from the same random starts each time.

    Args:
        ends: (U, 2) the stimuli of each pair.
        pairs: (T, n) judgements, as in `Part`.
        size, dimensions: number of stimuli, of coordinates.
        family: of the similarity, with ε = 1.
        delta: the floor; None: it is fitted.
        exponent: Luce's.
        starts: how many.
        steps: at most.
        key: of the starts.
    """

    def __init__(
        self, ends: np.ndarray, pairs: np.ndarray, size: int, dimensions: int, family: Family, *,
        delta: float | None, exponent: float, starts: int, steps: int, key: Any,
    ):  # fmt: skip
        place, spread = jax.random.split(key)
        spreads = jnp.exp(jax.random.uniform(spread, (starts, 1, 1), jnp.float32, *map(np.log, _SPREADS)))
        points = spreads * jax.random.normal(place, (starts, size, dimensions), jnp.float32)
        with np.errstate(divide="ignore"):
            logit = _FLOOR if delta is None else np.clip(np.log(delta) - np.log1p(-delta), -80.0, 80.0)
        self._start = points, jnp.full(starts, logit, jnp.float32)
        self._data = jnp.asarray(ends, jnp.int32), jnp.asarray(pairs, jnp.int32)
        self._exponent = jnp.asarray(exponent, jnp.float32)
        self._how = {"family": family, "free": delta is None, "looks": -(-steps // _EVERY)}

    def run(self, fit: np.ndarray, look: np.ndarray, steps: np.ndarray | None = None) -> Trained:
        """Where starts end.

        Args:
            fit, look: (T,) weights of the judgements that are fitted, and of those that end the fit, each with sum 1.
            steps: (S,) to take; None: to the best of what is looked at.
        """
        weights = (jnp.asarray(weight, jnp.float32) for weight in (fit, look))
        count = np.zeros(len(self._start[1])) if steps is None else steps
        trained = _trained(
            *self._start, *self._data, *weights, self._exponent, jnp.asarray(count, jnp.int32), **self._how
        )
        return Trained(*map(np.asarray, trained))


def _log_likelihood(model: Any, ends: Any, part: Part, exponent: Any, family: Family) -> Any:
    """Mean ln P of the chosen pairs, in nats a judgement."""
    points, logit = model
    off = points[ends[:, 0]] - points[ends[:, 1]]
    square = jnp.sum(off * off, axis=-1)
    apart = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
    # The floor in logarithms: that of a floor near 0 or 1 has a slope, too.
    score = exponent * jnp.logaddexp(
        family(jnp.float32(1.0)).log(apart) - jax.nn.softplus(logit), -jax.nn.softplus(-logit)
    )
    chosen = jax.nn.log_softmax(score[part.pairs], axis=-1)[:, 0]
    return jnp.sum(part.weight * chosen)


@partial(jax.jit, static_argnames=("family", "free", "looks"))
def _trained(
    points: Any, logit: Any, ends: Any, pairs: Any, fit: Any, look: Any, exponent: Any, stops: Any, *,
    family: Family, free: bool, looks: int,
) -> Any:  # fmt: skip
    rule = optax.adam(optax.cosine_decay_schedule(_RATE, looks * _EVERY, _LAST))

    def loss(model: Any) -> Any:
        return -_log_likelihood(model, ends, Part(pairs, fit), exponent, family)

    def step(state: Any, _: Any) -> tuple[Any, None]:
        model, memory = state
        slope = jax.grad(loss)(model)
        if not free:
            slope = (slope[0], jnp.zeros_like(slope[1]))
        change, memory = rule.update(slope, memory)
        return (optax.apply_updates(model, change), memory), None

    def turn(state: Any, stop: Any) -> Any:
        """So many steps of one start, and a look."""
        model, memory, best, height, at, idle, taken = state
        (model, memory), _ = jax.lax.scan(step, (model, memory), None, length=_EVERY)
        taken = taken + _EVERY
        now = _log_likelihood(model, ends, Part(pairs, look), exponent, family)
        better = jnp.where(stop > 0, taken == stop, now > height)
        idle = jnp.where(jnp.where(stop > 0, taken < stop, now > height + _GAIN), 0, idle + 1)
        idle = jnp.where((stop > 0) & (taken >= stop), _PATIENCE, idle)
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), model, best)
        return model, memory, best, jnp.maximum(now, height), jnp.where(better, taken, at), idle, taken

    def going(state: Any) -> Any:
        return jnp.any(state[5] < _PATIENCE) & (state[6][0] < looks * _EVERY)

    model, none = (points, logit), jnp.zeros(len(points), jnp.int32)
    state = (model, jax.vmap(rule.init)(model), model, jnp.full(len(points), -jnp.inf, jnp.float32), none, none, none)
    best, _, at = jax.lax.while_loop(going, lambda state: jax.vmap(turn)(state, stops), state)[2:5]
    return *best, at
