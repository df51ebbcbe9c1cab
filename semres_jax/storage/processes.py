"""The processes that `jax.distributed` joined: how many they are, and what they tell each other."""

import pickle
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def hosts() -> tuple[int, int]:
    """Index of this process among those that `jax.distributed` joined, and how many they are: (0, 1) where it did not.

    Example:
        >>> from semres_jax.storage import processes
        >>> processes.hosts()
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
        >>> from semres_jax.storage import processes
        >>> processes.gather({"sum": np.arange(2)})
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


def on_first(action: Callable[[], Any]) -> Any:
    """What `action` returns in process 0, in every process; what it raises is raised in all of them.

    All processes must call it, in the same order.

    Args:
        action: called in process 0 alone; what it returns can be pickled.
    """
    index, count = hosts()
    if count == 1:
        return action()
    message, trouble = b"", None
    if index == 0:
        try:
            message = pickle.dumps((action(), None))
        except BaseException as error:  # Ctrl-C too: the others must not wait for what does not come
            trouble = error
            message = pickle.dumps((None, error))
    length = int(gather(np.uint64(len(message)))[0])
    sent = np.zeros(length, np.uint8)
    sent[: len(message)] = np.frombuffer(message, np.uint8)
    if trouble is not None:
        gather(sent)
        raise trouble
    value, error = pickle.loads(gather(sent)[0].tobytes())
    if error is not None:
        raise error
    return value
