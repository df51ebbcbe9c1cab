"""What `semres validate` goes through: spaces by name, and their cases of one similarity and number of items each."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from semres_jax import spaces
from semres_jax._checks import require, require_items
from semres_jax.experiments.validation.resolutions import QUANTILES, resolutions
from semres_jax.similarity import Constant, Linear, Similarity
from semres_jax.spaces import MetricSpace

NS, DELTAS = (2, 3, 8, 32), (0.0, 0.05)
# The linear similarity on the circle, in units of the diameter: beyond 1 it never reaches 0.
_LINEAR_REACHES = (0.0, 0.1, 0.25, 0.5, 0.618, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)


@dataclasses.dataclass(frozen=True)
class Case:
    """One space, similarity and number of items, at all resolutions and floors.

    Attributes:
        label: names the space, and the similarity where it isn't the constant one.
        space, n: what is drawn: n items and a probe.
        similarity: of shape (resolution, delta).
        note: why the case is left out; empty where it isn't.
    """

    label: str
    space: MetricSpace
    n: int
    similarity: Similarity
    note: str = ""

    @property
    def name(self) -> str:
        """What the case is called while it runs; its random numbers are made from it."""
        return f"{self.label}, n = {self.n}"


def default_spaces() -> dict[str, MetricSpace]:
    """One space of every kind, the bird tree among them, and 2,000 animal silhouettes; by label."""
    return spaces.by_label([*spaces.catalogue(), "animals"])


def cases(
    by_label: Mapping[str, MetricSpace],
    *,
    ns: Sequence[int] = NS,
    deltas: Sequence[float] = DELTAS,
    quantiles: Sequence[float] = QUANTILES,
) -> list[Case]:
    """All cases of the given spaces: the constant similarity everywhere, and the linear one where proposition 1 holds.

    That is the circle with n = 2 and delta = 0, where they are asked for, at resolutions past the diameter too. A
    finite space with fewer than n + 1 stimuli is a case with a note, and is left out of the run.

    Raises:
        ValueError: no spaces, items or floors; n below 2, delta outside [0, 1].

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.experiments import validation
        >>> [case.label for case in validation.cases({"circle": spaces.Circle()}, ns=[2])]
        ['circle', 'circle, linear']
    """
    for name, values in (("space", by_label), ("n", ns), ("delta", deltas)):
        if not len(values):
            raise ValueError(f"{name} must name at least one value; got none")
    ns = sorted({require_items(n) for n in ns})
    require("delta", np.asarray(deltas, np.float64), 0.0, 1.0, "a floor between 0 and 1")
    floors = np.unique(np.asarray(deltas, np.float64))
    result = []
    for label, space in by_label.items():
        grid = Constant(resolutions(space, quantiles)[:, None], floors)
        for n in ns:
            few = space.size is not None and n + 1 > space.size
            note = f"left out: {n} items and a probe of {space.size} stimuli" if few else ""
            result.append(Case(label, space, n, grid, note))
        if isinstance(space, spaces.Circle) and 2 in ns and floors[0] == 0:
            every = max(1, len(_LINEAR_REACHES) // len(quantiles))
            reaches = np.array(_LINEAR_REACHES[::every])
            result.append(Case(f"{label}, linear", space, 2, Linear(space.diameter * reaches[:, None], 0.0)))
    return result
