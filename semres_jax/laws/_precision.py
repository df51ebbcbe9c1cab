"""Exact numbers in float64, whatever JAX's precision and whether arguments are known or traced.

What is known is computed at once, and answered in NumPy. What is traced (in `jit`, `grad`, `vmap`) runs the same
program in 64 bits inside the trace, and is answered in the precision around. A panel of a quadrature or a node of a sum
in float32 would lose the digits that gradients live on.

Derivatives are taken forward, inside the same 64 bits: accuracies hang on few numbers, loops keep their dynamic length,
and the reverse mode of JAX meets nothing but a product with a Jacobian.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from semres_jax._checks import concrete
from semres_jax._types import Array

# Directions of a gradient computed at once.
_DIRECTIONS = 8


def traced(*trees: Any) -> bool:
    """Whether any leaf is known to JAX's tracing only."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(trees))


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
        with jax.ensure_compile_time_eval(), jax.enable_x64(True):
            exact = f(*jax.tree.unflatten(structure, [_widened(leaf) for leaf in leaves]))
            return jax.tree.map(lambda p: np.asarray(p, np.float64), exact)
    own = [False] * len(jax.tree.leaves(shared)) + [True] * len(jax.tree.leaves(members))
    at = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]
    floating = [leaf for leaf in leaves if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    dtype = jnp.result_type(*floating, 0.0)
    known = [None if isinstance(leaf, Tracer) else _widened(leaf) for leaf in leaves]

    outputs: list[Any] = []

    def run(*values: Array) -> list[Array]:
        filled = list(known)
        for k, value in zip(at, values, strict=True):
            filled[k] = value
        results, tree = jax.tree.flatten(f(*jax.tree.unflatten(structure, filled)))
        outputs.append(tree)
        return results

    results = _differentiable(run, tuple(own[k] for k in at), dtype)(*(leaves[k] for k in at))
    return jax.tree.unflatten(outputs[0], results)


def host_in_float64(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that answers in float64 NumPy where no argument is traced, and as it is where one is."""

    @functools.wraps(f)
    def answer(*args: Any, **settings: Any) -> Any:
        if traced(args, settings):
            return f(*args, **settings)
        with jax.ensure_compile_time_eval(), jax.enable_x64(True):
            args, settings = jax.tree.map(_widened, (args, settings))
            return jax.tree.map(lambda p: np.asarray(p, np.float64)[()], f(*args, **settings))

    return answer


def _widened(leaf: Any) -> Any:
    """A known leaf in float64 NumPy where it is floating."""
    number = concrete(leaf)
    return leaf if number is None or number.dtype.kind != "f" else number.astype(np.float64, copy=False)[()]


def _wide_dtype(leaf: Any) -> Any:
    return jnp.float64 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf.dtype


def _differentiable(run: Callable[..., list[Array]], own: tuple[bool, ...], dtype: Any) -> Callable[..., list[Array]]:
    """`run` on values of any precision, answering in `dtype`, with derivatives that are taken in 64 bits.

    Args:
        run: values in float64 -> arrays with the axis of the members in front.
        own: which values have that axis, too.
        dtype: of the results.
    """

    @jax.custom_jvp
    def answer(*values: Any) -> list[Array]:
        with jax.enable_x64(True):
            wide = [jax.lax.convert_element_type(value, _wide_dtype(value)) for value in values]
            return [jax.lax.convert_element_type(p, dtype) for p in run(*wide)]

    def rule(primals: Any, tangents: Any) -> tuple[list[Array], list[Array]]:
        results = answer(*primals)
        slopes = [jnp.zeros_like(p) for p in results]
        for k, tangent in enumerate(tangents):
            if isinstance(tangent, jax.custom_derivatives.SymbolicZero):
                continue
            jacobians = _differentiable(functools.partial(_jacobian, run, k, own[k]), own, dtype)(*primals)
            product = _members_product if own[k] else _product
            slopes = [slope + product(j, tangent.astype(dtype)) for slope, j in zip(slopes, jacobians, strict=True)]
        return results, slopes

    answer.defjvp(rule, symbolic_zeros=True)
    return answer


def _product(jacobian: Array, tangent: Array) -> Array:
    return jnp.tensordot(jacobian, tangent, axes=tangent.ndim)


def _members_product(jacobian: Array, tangent: Array) -> Array:
    """Each member's Jacobian times its own tangent."""
    return jax.vmap(_product)(jacobian, tangent)


def _jacobian(run: Callable[..., list[Array]], k: int, own: bool, *values: Array) -> list[Array]:
    """The derivatives of what `run` gives by value k, whose axes come last (but for that of the members)."""
    value = values[k]
    shape = value.shape[1:] if own else value.shape
    size = int(np.prod(shape, dtype=int))

    def slope(direction: Array) -> list[Array]:
        tangent = jnp.broadcast_to(direction.reshape(shape), value.shape).astype(value.dtype)
        return jax.jvp(lambda x: run(*values[:k], x, *values[k + 1 :]), (value,), (tangent,))[1]

    directions = jnp.eye(size, dtype=value.dtype)
    several = size > _DIRECTIONS
    columns = jax.lax.map(slope, directions, batch_size=_DIRECTIONS) if several else jax.vmap(slope)(directions)
    return [jnp.moveaxis(column, 0, -1).reshape(*column.shape[1:], *shape) for column in columns]
