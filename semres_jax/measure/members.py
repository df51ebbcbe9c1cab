"""What takes part in a comparison: a model, or people, with what each stimulus contributes to its numbers."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from semres_jax._types import Quantity
from semres_jax.spaces.finite import Finite


class Bound(NamedTuple):
    """How ln ε of a fit hangs on its floor, which may not fall below 0.

    Attributes:
        floor: of the fit; where that is 0, what it would be without the bound, by one step of Newton's.
        pull: q; ln ε is what it would be without the bound, and q min(floor, 0).
        slopes: (2, N) of ln ε and the floor without the bound, as those of `Influence`.
        pairs: (2, N, N) of both.
    """

    floor: float
    pull: float
    slopes: np.ndarray
    pairs: np.ndarray


class Influence(NamedTuple):
    """A number that follows from a sample, and what each unit of the sample contributes to it.

    Attributes:
        value: the number.
        slope: (N,) change per weight of a stimulus, the jackknife's, which sum to 0; or of an exemplar, within its
            class, stretched as `measure.intervals.over_exemplars` takes them. NaN where they aren't known.
        pairs: (N, N) what each pair of stimuli adds beyond both; None where that isn't known, and of exemplars.
        bound: of ln ε, how it hangs on a floor that may not fall below 0; None where that isn't known.
    """

    value: float
    slope: np.ndarray
    pairs: np.ndarray | None = None
    bound: Bound | None = None


class Sample(NamedTuple):
    """What was drawn: the same for all that are compared.

    Attributes:
        names: (N,) of the stimuli, or of the exemplars, in the order of the slopes; numbers where they have no names.
        space: distances between the stimuli, or the classes.
        labels: (N,) number of the class of each exemplar; None: each stimulus is there once.
    """

    names: tuple[Any, ...]
    space: Finite
    labels: np.ndarray | None = None

    def difference(self, other: "Sample") -> str:
        """How another sample differs from this one, in words; empty: it doesn't."""
        what = "stimuli" if self.labels is None else "exemplars"
        if (self.labels is None) != (other.labels is None):
            return "one has an embedding for each stimulus, the other exemplars of classes"
        if len(self.names) != len(other.names):
            return f"{len(self.names)} and {len(other.names)} {what}"
        place = next(
            (k for k, pair in enumerate(zip(self.names, other.names, strict=True)) if pair[0] != pair[1]), None
        )
        if place is not None:
            return f"number {place} (from 0) of the {what} is {self.names[place]!r} and {other.names[place]!r}"
        if self.labels is not None and other.labels is not None and (self.labels != other.labels).any():
            return f"exemplar {int(np.argmax(self.labels != other.labels))} (from 0) is of different classes"
        if not np.array_equal(np.asarray(self.space.distances), np.asarray(other.space.distances)):
            return "distances between the stimuli differ"
        return ""


class Contributions(NamedTuple):
    """What a paired analysis needs of one model.

    Attributes:
        sample: whose contributions they are.
        p_s, p_i: accuracies.
        log_epsilon: ln ε of the families whose resolution moves smoothly with the stimuli.
    """

    sample: Sample
    p_s: Influence
    p_i: Influence
    log_epsilon: Mapping[str, Influence]


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """One model, or people, of a comparison.

    Attributes:
        name: of its own in the comparison.
        p_s, p_i: accuracies with their intervals.
        influence: what stimuli contribute, over the same sample as all other members.
        resolution: ε by family, with intervals, in the unit of the distances.
        aic: of the families; that with the smallest sum over all members is compared.
        floors: of the fits, by family; a fit with a floor of 0 varies less than one with a floor above it.
        lowest: the smallest similarity of two stimuli relative to the probe's own, which the optimal front goes down
            to; NaN: not known.
        kind: "model" or "people", for pictures.
        cautions: what to be careful with, in words.
    """

    name: str
    p_s: Quantity
    p_i: Quantity
    influence: Contributions
    resolution: Mapping[str, Quantity] = dataclasses.field(default_factory=dict)
    aic: Mapping[str, float] = dataclasses.field(default_factory=dict)
    floors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lowest: float = float("nan")
    kind: str = "model"
    cautions: tuple[str, ...] = ()
