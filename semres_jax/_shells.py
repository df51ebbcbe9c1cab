"""Resolutions that are a distance of the space but for the rounding of float32, put on that distance."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete
from semres_jax._resolved import Similarity
from semres_jax._slots import Slots


def coarse_resolutions(similarity: Similarity, space: Any) -> tuple[Any, ...]:
    """The fields of `similarity` that `on_shells` has to move: distances known to float32 only, or compared with such.

    The similarity is any, before its leaves are widened; traced or not. Only where the space is `discrete` are there
    distances that have mass, and where g has no kinks nothing is compared. Of `Slots` the fields of each slot.
    """
    if isinstance(similarity, Slots):
        pairs = zip(similarity.slots, space.factors, strict=True)
        fields = tuple(coarse_resolutions(slot, factor) for slot, factor in pairs)
        return fields if any(fields) else ()
    if not space.discrete or not similarity.kinks():
        return ()

    def coarse(leaf: Any) -> bool:
        # Of its own kind: `jnp.result_type` would call float64 of NumPy float32 where JAX's own precision is that.
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.dtype(float)
        return jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 64

    names = [name for name in ("epsilon", "distances") if hasattr(similarity, name)]
    table = any(coarse(leaf) for leaf in jax.tree.leaves(space))
    return tuple(name for name in names if table or coarse(getattr(similarity, name)))


def on_shells(similarity: Similarity, space: Any, fields: Sequence[Any]) -> Similarity:
    """`similarity` with resolutions that are a shell's distance but for the rounding of float32 put on that shell.

    A resolution of 0.7 in float32 is less than 0.7 by 1e-8: compared in float64 with a distance of 0.7 it would not
    hold it. Where one of the two is known to float32 only, what rounds to the same float32 is the same distance.
    Nothing moves where the space's `shells` are not known. Fields are as `coarse_resolutions` tells.
    """
    if not fields:
        return similarity
    if isinstance(similarity, Slots):
        parts = zip(similarity.slots, space.factors, fields, strict=True)
        return dataclasses.replace(similarity, slots=tuple(on_shells(*part) for part in parts))
    epsilon = concrete(getattr(similarity, "epsilon", None))
    known = space.by_rows or concrete(space.distances) is not None
    if similarity.steps and fields == ("epsilon",) and known and epsilon is not None:
        # Within that are just the distances that are within the shell; no need to sort all of them.
        return _with_leaves(similarity, {"epsilon": _last_alike(epsilon)})
    if space.shells is None:
        return similarity
    known = np.sort(np.asarray(space.shells, np.float64).ravel())

    def moved(value: Any) -> Any:
        xp: Any = np if concrete(value) is not None else jnp
        value = xp.asarray(value)
        rounded = value.astype(np.float32)
        place = xp.maximum(xp.searchsorted(xp.asarray(known.astype(np.float32)), rounded, side="right") - 1, 0)
        shell = xp.asarray(known)[place]
        gap = xp.where(shell.astype(np.float32) == rounded, shell - value, 0.0)
        return value + (gap if xp is np else jax.lax.stop_gradient(gap))

    return _with_leaves(similarity, {name: moved(getattr(similarity, name)) for name in fields})


def _last_alike(value: np.ndarray) -> np.ndarray:
    """The largest float64 that rounds to the same float32: within it are just the distances that round to no more."""
    rounded = value.astype(np.float32)
    beyond = np.nextafter(rounded, np.float32(np.inf)).astype(np.float64)
    middle = rounded + (beyond - rounded) / 2
    return np.where(middle.astype(np.float32) == rounded, middle, np.nextafter(middle, 0.0))


def _with_leaves(similarity: Similarity, values: dict[str, Any]) -> Similarity:
    leaves, structure = jax.tree_util.tree_flatten_with_path(similarity)
    return jax.tree.unflatten(structure, [values.get(path[0].name, leaf) for path, leaf in leaves])
