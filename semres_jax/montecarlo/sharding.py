"""Tiles of trials over devices: the same tiles, and so the same bits, whatever their number."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

# Vectors as wide as the processor has them; the default stops at half of AVX-512. No effect elsewhere.
_COMPILER_OPTIONS = {"xla_cpu_prefer_vector_width": 512}


@lru_cache(maxsize=64)
def over_devices(
    kernel: Callable, static: tuple, sums: jax.ShapeDtypeStruct, devices: tuple[Any, ...], per_device: int
) -> Callable:
    """Compile `kernel(static, tile, *arguments) -> sums` for a run of tiles, spread over `devices`.

    Args:
        kernel: a module-level function of one tile, given by its index; traced once per (static, devices).
        static: its hashable static arguments.
        sums: shape and dtype of what it returns.
        devices: where to run.
        per_device: how many tiles one call gives to each device.

    Returns:
        A function (first, count, *arguments) -> sums of shape (per_device * len(devices), ...): the sums of tiles
        first, ..., first + count - 1 in order, then zeros; nothing is computed for those.
    """
    mesh = Mesh(np.array(devices), ("device",))
    everywhere, split = PartitionSpec(), PartitionSpec("device")

    def local(first, count, *arguments):
        mine = jax.lax.axis_index("device") * per_device

        def one(i, tiles):
            return tiles.at[i].set(kernel(static, first + mine + i, *arguments))

        nothing = jax.numpy.zeros((per_device, *sums.shape), sums.dtype)
        return jax.lax.fori_loop(0, jax.numpy.clip(count - mine, 0, per_device), one, nothing)

    def run(first, count, *arguments):
        specs = (everywhere,) * (2 + len(arguments))
        sharded = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False)
        return sharded(first, count, *arguments)

    return jax.jit(run, compiler_options=_COMPILER_OPTIONS)


def resolve(devices: Any) -> tuple[Any, ...]:
    """The devices of a run: those given, the first so many, or all local ones.

    Raises:
        ValueError: fewer devices are there than asked for.
    """
    local = tuple(jax.local_devices())
    if devices is None:
        return local
    if isinstance(devices, int):
        if not 1 <= devices <= len(local):
            raise ValueError(f"devices must be between 1 and {len(local)}, the number found here; got {devices}")
        return local[:devices]
    if not devices:
        raise ValueError("devices must not be empty; leave it out to use all")
    return tuple(devices)
