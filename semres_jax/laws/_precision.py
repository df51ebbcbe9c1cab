"""Exact numbers in float64, whatever JAX's precision and whether arguments are known or traced.

What is known is computed at once, and answered in NumPy. What is traced (in `jit`, `grad`, `vmap`) runs the same
program in 64 bits inside the trace, and is answered in the precision around. A panel of a quadrature or a node of a sum
in float32 would lose the digits that gradients live on.

Derivatives are taken forward, inside the same 64 bits: accuracies hang on few numbers, loops keep their dynamic length,
and the reverse mode of JAX meets nothing but a product with a Jacobian.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from semres_jax._checks import concrete
from semres_jax._shells import coarse_resolutions, on_shells
from semres_jax._surroundings import at_once, in_usual
from semres_jax._types import Array
from semres_jax.similarity import Similarity, checked, flatten
from semres_jax.spaces.base import MetricSpace

# Directions of a gradient computed at once.
_DIRECTIONS = 8
# By how much an accuracy may exceed 1.
_ROUNDING = 1e-9


def traced(*trees: Any) -> bool:
    """Whether any leaf is known to JAX's tracing only."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(trees))


@in_usual
def in_float64(f: Callable[[Any, Any], Any], shared: Any, members: Any) -> Any:
    """f(shared, members) in 64 bits.

    Args:
        f: maps two pytrees with floating leaves in float64 to a pytree of floating arrays, each with the axis of the
            members in front; each member's results hang on the member itself and on what is shared only.
        shared: any pytree.
        members: a pytree whose leaves have the axis of the members in front (`similarity.flatten`).

    Returns:
        float64 NumPy arrays where no leaf is traced; else JAX arrays of the precision around, differentiable to any
        order, forward and in reverse.
    """
    leaves, structure = jax.tree.flatten((shared, members))
    if not traced(leaves):
        with at_once(), jax.enable_x64(True):
            exact = f(*jax.tree.unflatten(structure, [_widened(leaf) for leaf in leaves]))
            return jax.tree.map(lambda p: np.asarray(p, np.float64), exact)
    own = [False] * len(jax.tree.leaves(shared)) + [True] * len(jax.tree.leaves(members))
    at = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]
    floating = [leaf for leaf in leaves if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    dtype = jnp.result_type(*floating, 0.0)
    known = [None if isinstance(leaf, Tracer) else _widened(leaf) for leaf in leaves]

    outputs: list[Any] = []

    def run(*values: Array) -> list[Array]:
        results, tree = jax.tree.flatten(f(*jax.tree.unflatten(structure, _placed(known, at, values))))
        outputs.append(tree)
        return results

    results = _differentiable(run, tuple(own[k] for k in at), dtype)(*(leaves[k] for k in at))
    return jax.tree.unflatten(outputs[0], results)


@in_usual
def of_grid(
    run: Callable[[MetricSpace, Any, Any], Any], space: MetricSpace, similarity: Similarity, exponent: Any
) -> Any:
    """Accuracies of a similarity of any shape, in 64 bits: what `run` gives for its members along one axis.

    Args:
        run: maps space, members and exponent to a pytree of accuracies with the axis of the members in front.
        space, similarity, exponent: as a user gave them.

    Returns:
        The pytree, the similarity's shape in front, as `in_float64` answers.
    """
    coarse = coarse_resolutions(checked(similarity), space)

    def members(shared: tuple[MetricSpace, Any], members: Similarity) -> Any:
        space, exponent = shared
        return run(space, on_shells(members, space, coarse), exponent)

    accuracies = in_float64(members, (space, exponent), flatten(similarity))
    accuracies = jax.tree.map(lambda p: p.reshape(similarity.shape + p.shape[1:])[()], accuracies)
    if traced(accuracies):
        return accuracies
    # 1 but for the rounding of a sum of weights is 1; what is further off is left to be seen.
    return jax.tree.map(lambda p: np.where(abs(p - 1.0) < _ROUNDING, np.minimum(p, 1.0), p)[()], accuracies)


def slopes_told(accuracies: Any, space: MetricSpace, members: Similarity) -> Any:
    """Accuracies whose slopes by Δ are as good as -inf where g falls to 0 without a floor.

    Its logarithms don't tell them there: that of p_I is finite, that of p_S is not where distances are continuous, as
    far items of nearly no strength lose to what is nearly as weak.
    """
    delta = getattr(members, "delta", None)
    if not traced(delta) or not members.kinks():
        return accuracies
    ends = jax.vmap(lambda member: member.log(space.diameter))(members) == -jnp.inf
    return jax.tree.map(lambda p: _without_slope(p, delta, ends & (delta == 0)), accuracies)


@jax.custom_jvp
def _without_slope(p: Array, number: Array, where: Array) -> Array:
    """p, whose slope by `number` is -inf `where`; both are of p's members."""
    return p


@_without_slope.defjvp
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    p, _, where = primals
    slope, moved, _ = tangents
    lost = jnp.where(where & (moved != 0), -jnp.inf, 0.0)
    return p, slope + lost.reshape(lost.shape + (1,) * (p.ndim - lost.ndim))


def host_in_float64(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that answers in float64 NumPy where no argument is traced, and as it is where one is."""

    @functools.wraps(f)
    @in_usual
    def answer(*args: Any, **settings: Any) -> Any:
        if traced(args, settings):
            return f(*args, **settings)
        with at_once(), jax.enable_x64(True):
            args, settings = jax.tree.map(_widened, (args, settings), is_leaf=lambda x: isinstance(x, list))
            return jax.tree.map(lambda p: np.asarray(p, np.float64)[()], f(*args, **settings))

    return answer


def _widened(leaf: Any) -> Any:
    """A known leaf in float64 NumPy where it is floating; names and the like, which some laws take, as they are."""
    try:
        number = concrete(leaf)
    except ValueError:
        return leaf
    return leaf if number is None or number.dtype.kind != "f" else number.astype(np.float64, copy=False)[()]


def _differentiable(run: Callable[..., Any], own: tuple[bool, ...], dtype: Any) -> Callable[..., Any]:
    """`run` on values of any precision, answering in `dtype`, with derivatives that are taken in 64 bits.

    `run` maps values in float64 to a pytree of arrays with the axis of the members in front; `own` ones have it, too.
    """

    @jax.custom_jvp
    @in_usual
    def answer(*values: Any) -> Any:
        with jax.enable_x64(True):
            dtypes = [jnp.float64 if jnp.issubdtype(value.dtype, jnp.floating) else value.dtype for value in values]
            wide = map(jax.lax.convert_element_type, values, dtypes)
            return jax.tree.map(lambda p: jax.lax.convert_element_type(p, dtype), run(*wide))

    @in_usual  # called later, too: by derivatives of what was traced
    def rule(primals: Any, tangents: Any) -> tuple[Any, Any]:
        moving = [k for k, t in enumerate(tangents) if not isinstance(t, jax.custom_derivatives.SymbolicZero)]
        results, *jacobians = _differentiable(functools.partial(_with_jacobians, run, moving, own), own, dtype)(
            *primals
        )
        slopes = jax.tree.map(jnp.zeros_like, results)
        for k, jacobian in zip(moving, jacobians, strict=True):
            product = jax.vmap(_product) if own[k] else _product  # each member's Jacobian times its own tangent
            tangent = tangents[k].astype(dtype)
            # As good as infinite, and nothing times 0.
            jacobian = jax.tree.map(lambda j: jnp.clip(j, jnp.finfo(dtype).min, jnp.finfo(dtype).max), jacobian)
            slopes = jax.tree.map(lambda slope, j, p=product, t=tangent: slope + p(j, t), slopes, jacobian)
        return results, slopes

    answer.defjvp(rule, symbolic_zeros=True)
    return answer


def _product(jacobian: Array, tangent: Array) -> Array:
    return jnp.tensordot(jacobian, tangent, axes=tangent.ndim)


def _with_jacobians(run: Callable[..., Any], moving: list[int], own: tuple[bool, ...], *values: Array) -> list[Any]:
    """What `run` gives, and its derivatives by each of the moving values, whose axes come last (members' apart)."""
    shapes = [values[k].shape[1:] if own[k] else values[k].shape for k in moving]
    ends = np.cumsum([int(np.prod(shape, dtype=int)) for shape in shapes])

    def slope(direction: Array) -> tuple[Any, Any]:
        parts = jnp.split(direction, ends[:-1])
        tangents = [
            jnp.broadcast_to(part.reshape(shape), values[k].shape)
            for k, part, shape in zip(moving, parts, shapes, strict=True)
        ]
        return jax.jvp(lambda *moved: run(*_placed(values, moving, moved)), [values[k] for k in moving], tangents)

    directions = jnp.eye(ends[-1], dtype=values[moving[0]].dtype)
    if len(directions) <= _DIRECTIONS:
        results, columns = jax.vmap(slope, out_axes=(None, -1))(directions)
    else:
        results = run(*values)
        columns = jax.lax.map(lambda direction: slope(direction)[1], directions, batch_size=_DIRECTIONS)
        columns = jax.tree.map(lambda column: jnp.moveaxis(column, 0, -1), columns)
    split = [jnp.split(column, ends[:-1], axis=-1) for column in jax.tree.leaves(columns)]
    structure = jax.tree.structure(results)
    derivatives = [
        jax.tree.unflatten(structure, [parts[i].reshape(*parts[i].shape[:-1], *shape) for parts in split])
        for i, shape in enumerate(shapes)
    ]
    return [results, *derivatives]


def _placed(values: Sequence[Any], places: Sequence[int], others: Sequence[Any]) -> list[Any]:
    placed = list(values)
    for k, other in zip(places, others, strict=True):
        placed[k] = other
    return placed
