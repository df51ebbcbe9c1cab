"""Monte Carlo over devices and hosts: the same tiles, and so the same bits, whatever their number."""

import functools
import os
from collections.abc import Callable
from typing import Any

import jax

# Vectors as wide as the processor has them (the default stops at half of AVX-512), and a program to a core instead of
# a loop to all cores: several calls are under way at a time. No effect elsewhere.
_COMPILER_OPTIONS = {"xla_cpu_prefer_vector_width": 512, "xla_cpu_multi_thread_eigen": False}


@functools.lru_cache(maxsize=256)
def over_tiles(kernel: Callable, static: tuple, sums: jax.ShapeDtypeStruct, most: int) -> Callable:
    """Compile `kernel(static, tile, *arguments) -> sums` for a run of tiles on one device: that of the arguments.

    Every device runs this very program, whatever their number. One program spread over several would be compiled in
    another way for each number of them, and its sums would end in other bits.

    Args:
        kernel: a module-level function of one tile, given by its index; traced once per (static, most).
        static: its hashable static arguments.
        sums: shape and dtype of what it returns.
        most: how many tiles one call takes at most.

    Returns:
        A function (first, count, *arguments) -> sums of shape (most, ...), of which the first `count` are those of the
        tiles first, ..., first + count - 1. Nothing is computed for the rest.
    """

    def run(first, count, *arguments):
        def fill(i, tiles):
            return tiles.at[i].set(kernel(static, first + i, *arguments))

        return jax.lax.fori_loop(0, count, fill, jax.numpy.zeros((most, *sums.shape), sums.dtype))

    return jax.jit(run, compiler_options=_COMPILER_OPTIONS)


def separate(devices: tuple[Any, ...]) -> tuple[Any, ...]:
    """Those of the devices that add something: the first for CPU devices of a process, which share its cores.

    Calls that are under way at a time keep all cores busy from one device, and nothing is compiled twice.
    """
    return devices[:1] if devices[0].platform == "cpu" else devices


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


def under_way(devices: tuple[Any, ...]) -> int:
    """How many calls to have under way at a time: one for each core and one waiting, or two for each other device."""
    return _cores() + 1 if devices[0].platform == "cpu" else 2 * len(devices)


@functools.cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
