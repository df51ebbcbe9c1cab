"""Questions about all that `jax.vmap` maps over at once.

A condition that differs along a mapped axis makes `lax.cond` compute both branches. Asked of the whole axis, it decides
as it does without `vmap`: whatever a branch computes for members that don't need it must mean nothing to them.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from semres_jax._types import Array


def _of_all(reduced: Callable[[Array], Array]) -> Callable[[Array], Array]:
    @jax.custom_batching.custom_vmap
    def whole(values: Array) -> Array:
        return reduced(values)

    @whole.def_vmap
    def _(_size: int, _mapped: list[bool], values: Array) -> tuple[Array, bool]:
        return whole(values), False

    return lambda values: whole(jax.lax.stop_gradient(values))


lowest_of_all = _of_all(jnp.min)
any_of_all = _of_all(jnp.any)
