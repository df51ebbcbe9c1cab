"""Monte Carlo over devices and hosts: the same tiles, and so the same bits, whatever their number."""

import functools
import os
import pickle
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

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
        def one(i, tiles):
            return tiles.at[i].set(kernel(static, first + i, *arguments))

        return jax.lax.fori_loop(0, count, one, jax.numpy.zeros((most, *sums.shape), sums.dtype))

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


def hosts() -> tuple[int, int]:
    """Index of this process among those that `jax.distributed` joined, and how many they are: (0, 1) where it did not.

    Example:
        >>> from semres_jax.montecarlo import sharding
        >>> sharding.hosts()
        (0, 1)
    """
    return jax.process_index(), jax.process_count()


def gather(tree: Any) -> list[Any]:
    """What every process has, in their order: the same list in all of them. All must call it, in the same order.

    Args:
        tree: pytree of NumPy arrays, of the same shapes and types everywhere.

    Returns:
        A pytree for each process, bit for bit as it was there.

    Example:
        >>> import numpy as np
        >>> from semres_jax.montecarlo import sharding
        >>> sharding.gather({"sum": np.arange(2)})
        [{'sum': array([0, 1])}]
    """
    if jax.process_count() == 1:
        return [tree]
    from jax.experimental import multihost_utils

    leaves, structure = jax.tree.flatten(tree)
    leaves = [np.asarray(leaf) for leaf in leaves]
    # As bytes, which pass through devices unchanged whatever their precision, and in one call.
    packed = np.frombuffer(b"".join(leaf.tobytes() for leaf in leaves), np.uint8)
    received = np.asarray(multihost_utils.process_allgather(packed)).reshape(jax.process_count(), -1)
    return [jax.tree.unflatten(structure, _unpacked(row, leaves)) for row in received]


def _unpacked(row: np.ndarray, like: list[np.ndarray]) -> list[np.ndarray]:
    ends = np.cumsum([leaf.nbytes for leaf in like])
    parts = np.split(row, ends[:-1])
    return [
        np.frombuffer(part.tobytes(), leaf.dtype).reshape(leaf.shape).copy()
        for part, leaf in zip(parts, like, strict=True)
    ]


def under_way(devices: tuple[Any, ...]) -> int:
    """How many calls to have under way at a time: one for each core and one waiting, or two for each other device."""
    return _cores() + 1 if devices[0].platform == "cpu" else 2 * len(devices)


@functools.cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def on_first(action: Callable[[], Any]) -> Any:
    """What `action` returns in process 0, in every process; what it raises is raised in all of them.

    All processes must call it, in the same order.

    Args:
        action: called in process 0 alone; what it returns can be pickled.
    """
    index, count = hosts()
    if count == 1:
        return action()
    told, trouble = b"", None
    if index == 0:
        try:
            told = pickle.dumps((action(), None))
        except BaseException as error:  # Ctrl-C too: the others must not wait for what does not come
            trouble = error
            told = pickle.dumps((None, error))
    length = int(gather(np.uint64(len(told)))[0])
    sent = np.zeros(length, np.uint8)
    sent[: len(told)] = np.frombuffer(told, np.uint8)
    if trouble is not None:
        gather(sent)
        raise trouble
    value, error = pickle.loads(gather(sent)[0].tobytes())
    if error is not None:
        raise error
    return value
