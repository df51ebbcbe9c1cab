"""What a training raises when its loss is no number any more."""

from collections.abc import Callable
from typing import Any

import numpy as np


class Diverged(FloatingPointError):
    """The loss of a run was not finite; the message says at which step and with which settings."""


def refuse_diverged(bad: Any, described: Callable[[int, int], str], folder: Any) -> None:
    """Raise `Diverged` for the first of the members whose loss was not finite, if there is one.

    Args:
        bad: (members,) first step without a finite loss, -1 for none.
        described: step, run and settings in words, of a member and its step.
        folder: of the checkpoints, if there are any.
    """
    bad = np.asarray(bad)
    if (bad < 0).all():
        return
    member = int(np.argmin(np.where(bad < 0, np.iinfo(bad.dtype).max, bad)))
    where = f"in {str(folder)!r}" if folder else "lost: no checkpoint folder was given"
    raise Diverged(
        f"the loss was not finite at {described(member, int(bad[member]))}; last good weights are {where} (a smaller "
        "learning_rate may do)"
    )
