"""The gradient of the toy network's losses, written out for all runs at once: it is most of what a training costs.

Both losses depend on the weights through the products w_x . w_y alone. So a step takes the table of all products,
makes the table S of slopes at them, of both orders of x and y together, and the gradient is one more product, S W.
What differentiation of the plain loss makes of it is the same numbers in two to three times the work.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.training.toy import drawing, expected
from semres_jax.training.toy.losses import Task
from semres_jax.training.toy.settings import Design, Hyper

# Places in a table that are never out of it, nor counted from its end.
_SURE: dict[str, Any] = {"mode": "promise_in_bounds", "wrap_negative_indices": False}


class Terms(NamedTuple):
    """Which losses have a weight above 0 in any run: nothing is computed of the other."""

    similarity: bool
    reconstruction: bool


def terms(hyper: Hyper) -> Terms:
    """Those of concrete settings."""
    return Terms(*(bool(np.any(np.asarray(x) > 0)) for x in (hyper.lambda_sim, hyper.lambda_rec)))


def slopes(
    maps: Array, seeds: Array, hyper: Hyper, number: Array, task: Task, design: Design, weighed: Terms
) -> tuple[Array, Array]:
    """Numbers that are finite just where the losses are, and gradients, of all runs.

    Args:
        maps: (R, S, m, N) float32 weights, those of a stimulus along the last but one axis.
        seeds: (R, 2) uint32.
        hyper: leaves (R,).
        number: of the step, uint32 scalar: which trials are drawn.
        task, design: what is learned, and how.
        weighed: `terms(hyper)`; static.

    Returns:
        (R,) and (R, S, m, N).
    """
    # Without the barrier XLA takes both from one layout, by a product that is half as fast on a CPU.
    rows = jax.lax.optimization_barrier(jnp.swapaxes(maps, -1, -2))
    products = _product(rows, maps)
    level, parts = jnp.zeros(maps.shape[:1], maps.dtype), []
    if weighed.similarity:
        take = _over_trials if design.loss == "trials" else _over_all
        value, part = take(products, seeds, hyper, number, task, design)
        level, parts = level + value, [part]
    if weighed.reconstruction:
        off = jax.nn.relu(products) - jnp.eye(products.shape[-1], dtype=products.dtype)[None, None]
        level = level + hyper.lambda_rec * jnp.mean(off**2, axis=(1, 2, 3))
        # Twice for the square, and twice for the two orders.
        both = 4.0 / off[0].size * jnp.where(products > 0, off, 0.0)
        parts.append(_of_runs(hyper.lambda_rec) * both)
    return level, _product(maps, sum(parts[1:], parts[0]))


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)  # on a GPU: no numbers of 19 bits


def _of_runs(x: Array) -> Array:
    return x[:, None, None, None]


def _over_trials(
    products: Array, seeds: Array, hyper: Hyper, number: Array, task: Task, design: Design
) -> tuple[Array, Array]:
    """Of the similarity loss of a batch: the mean strength of the items of a trial, and slopes at the products."""
    runs, slots, size, _ = products.shape
    sizes = {"stimuli": size, "slots": slots, "batch": design.batch, "items": design.items}
    probe, items = jax.vmap(lambda seed: drawing.draw_apart(seed, number, **sizes))(seeds)
    # Item after item along the last axis: copies of whole rows, where a stack would be made number by number.
    forth = jnp.concatenate([probe * size + item for item in items], axis=-1)
    back = jnp.concatenate([item * size + probe for item in items], axis=-1)
    apart = (runs, slots, design.items, design.batch)
    distances = task.labels.reshape(-1).at[forth].get(**_SURE).reshape(apart)
    chances = jax.vmap(lambda d: drawing.right_items(d, design.label, axis=-2))(distances)
    whole = jnp.int32 if products.size < 2**31 else jnp.int64
    table = jnp.arange(runs * slots, dtype=whole).reshape(runs, slots, 1) * size**2
    forth, back = forth + table, back + table
    picked = products.reshape(-1).at[forth].get(**_SURE).reshape(apart)

    def loss(picked: Array, chances: Array, floor: Array) -> tuple[Array, Array]:
        strengths = drawing.decide(jax.nn.relu(picked) + floor, design.decision)
        total = jnp.sum(strengths, axis=0)
        nll = jnp.log(total) - jnp.sum(chances * jnp.log(strengths), axis=0)
        return jnp.mean(nll), jnp.sum(total * (1.0 / design.batch))

    slope, total = jax.vmap(jax.grad(loss, has_aux=True))(picked, chances, hyper.floor)
    slope = _of_runs(hyper.lambda_sim) * slope
    if jax.default_backend() == "cpu":
        slope, both = slope.reshape(forth.shape), jnp.zeros(products.size, slope.dtype)
        return total, both.at[forth].add(slope, **_SURE).at[back].add(slope, **_SURE).reshape(products.shape)
    return total, _by_products(slope, probe, items, size)


def _by_products(slope: Array, probe: Array, items: list[Array], size: int) -> Array:
    """(R, S, N, N) sums of (R, S, n, B) slopes at probe and item, in both orders, for a GPU.

    A scatter there adds in any order, and two runs of one program would differ in their last bits.
    """
    probe, *items = (jax.nn.one_hot(x, size, dtype=slope.dtype) for x in (probe, *items))
    put: Any = sum(slope[:, :, k, :, None] * item for k, item in enumerate(items))
    sums = _product(jnp.swapaxes(probe, -1, -2), put)
    return sums + jnp.swapaxes(sums, -1, -2)


def _over_all(
    products: Array, seeds: Array, hyper: Hyper, number: Array, task: Task, design: Design
) -> tuple[Array, Array]:
    """The same of the exact expectation over all trials, for one slot: the loss itself, and slopes."""

    def loss(products: Array, floor: Array) -> Any:
        return expected.mean_nll(jax.nn.relu(products[0]) + floor, task.ranks, task.near, design.items)

    value, slope = jax.vmap(jax.value_and_grad(loss))(products, hyper.floor)
    return value, _of_runs(hyper.lambda_sim) * (slope + jnp.swapaxes(slope, -1, -2))
