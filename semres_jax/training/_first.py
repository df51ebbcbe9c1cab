"""What only the first of several processes does, such as files, and all of them have to know."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from semres_jax.montecarlo import sharding


def on_first(action: Callable[[], Any]) -> Any:
    """What `action` returns in process 0, in every process; what it raises is raised in all of them.

    All processes must call it, in the same order.

    Args:
        action: called in process 0 alone; what it returns can be pickled.
    """
    index, count = sharding.hosts()
    if count == 1:
        return action()
    told, trouble = b"", None
    if index == 0:
        try:
            told = pickle.dumps((action(), None))
        except BaseException as error:  # Ctrl-C too: the others must not wait for what does not come
            trouble = error
            told = pickle.dumps((None, error))
    length = int(sharding.gather(np.uint64(len(told)))[0])
    sent = np.zeros(length, np.uint8)
    sent[: len(told)] = np.frombuffer(told, np.uint8)
    if trouble is not None:
        sharding.gather(sent)
        raise trouble
    value, error = pickle.loads(sharding.gather(sent)[0].tobytes())
    if error is not None:
        raise error
    return value
