"""What `measure.embeddings` finds, as one immutable result: for people, for files."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax.frontier.families import Front
from semres_jax.measure.resolution import Profile

if TYPE_CHECKING:
    import xarray


# Fewer than these, and intervals hold the truth less often than they say (scripts/study_embedding_coverage.py).
_FEW_STIMULI, _FEW_EXEMPLARS = 12, 5


class Number(NamedTuple):
    """A value, its standard error over stimuli (or exemplars), and its 95 % interval; NaN where one isn't known."""

    value: Any
    stderr: Any
    low: Any
    high: Any


class Thresholds(NamedTuple):
    """The constant similarity on the model's own dissimilarities, at E resolutions.

    Attributes:
        share: (E,) asked for, of other stimuli (other classes' exemplars) within ε.
        epsilon: (E,) the smallest dissimilarity that reaches it.
        mean_b, var_b: (E,) mean and variance over probes of the share that is within ε: more than `share` where many
            dissimilarities are equal.
        hit_rate: (E,) probability that another exemplar of the probe's class is within ε; 1 for one embedding each.
        p_s, p_i: `Number`s of (E,).
    """

    share: np.ndarray
    epsilon: np.ndarray
    mean_b: np.ndarray
    var_b: np.ndarray
    hit_rate: np.ndarray
    p_s: Number
    p_i: Number


class Fitted(NamedTuple):
    """A family fitted to the model's own similarity over the given distances, and what it predicts.

    Attributes:
        epsilon, delta: resolution, in the unit of the given distances, and floor, as `measure.fit`.
        epsilon_stderr, delta_stderr: those of `measure.fit`, which takes pairs for independent.
        aic: Akaike's criterion; families rank by it.
        p_s, p_i: accuracies of the fitted similarity on the same stimuli, exactly.
        resolution: epsilon with what it is off by over stimuli; NaN for classes, and for the constant similarity, whose
            fit jumps from distance to distance.
    """

    epsilon: float
    delta: float
    epsilon_stderr: float
    delta_stderr: float
    aic: float
    p_s: float
    p_i: float
    resolution: Number


class Placed(NamedTuple):
    """A front, and where the model's own accuracies lie from it.

    Attributes:
        front: of p_s, p_i, and what they were found at (resolutions, or weights of p_S for the optimal one).
        distance: signed, in units of probability; positive beyond the front.
        p_s, p_i: the front's nearest point.
    """

    front: Front
    distance: Number
    p_s: float
    p_i: float


@dataclasses.dataclass(frozen=True, eq=False)
class Embedded:
    """Where embeddings stand.

    Attributes:
        design: "stimuli" (one embedding each; the probe is the item) or "classes" (the probe is another exemplar).
        similarity, floor, n: as asked for.
        rows, dimensions: of the embeddings that were given.
        stimuli: how many stimuli, or classes, the distances are between.
        sampled: what was not summed over all there is, in words; empty: everything is exact.
        p_s, p_i: accuracies of the model's own graded similarity.
        mean_b, var_b: mean and variance over probes of the share of other stimuli whose similarity is above the floor.
        tie_rate: share of similarity trials whose items are equally far by the given distances.
        levels: accuracies of thresholds on the model's own dissimilarity.
        profile: the model's own similarity, relative to the probe's own, over the given distances.
        fits: by family; `best` names the one with the smallest AIC.
        delta: floor that the optimal front is of: the smallest similarity there is, relative to the probe's own.
        fronts: by name, "constant", "linear" and, where asked for, "optimal".
    """

    design: str
    similarity: str
    floor: float
    n: int
    rows: int
    dimensions: int
    stimuli: int
    sampled: tuple[str, ...]
    p_s: Number
    p_i: Number
    mean_b: float
    var_b: float
    tie_rate: float
    levels: Thresholds
    profile: Profile
    fits: Mapping[str, Fitted]
    delta: float
    fronts: Mapping[str, Placed]

    @property
    def best(self) -> str:
        """The family with the smallest AIC."""
        return min(self.fits, key=lambda name: self.fits[name].aic)

    @property
    def cautions(self) -> tuple[str, ...]:
        """How intervals of so few stimuli, or exemplars a class, fall short, in words; empty: they don't, by much."""
        if not np.isfinite(self.p_s.low):
            return ()
        if self.design == "classes" and self.rows < _FEW_EXEMPLARS * self.stimuli:
            return (f"intervals over fewer than {_FEW_EXEMPLARS} exemplars a class: nominal 95 % held 84 to 97 %",)
        if self.design == "stimuli" and self.stimuli < _FEW_STIMULI:
            return (f"intervals over fewer than {_FEW_STIMULI} stimuli: nominal 95 % held 90 to 99 %",)
        return ()

    def __str__(self) -> str:
        fit = self.fits[self.best]
        return (
            f"{self.rows} embeddings, {self.similarity}: p_S = {_told(self.p_s)}, p_I = {_told(self.p_i)}; "
            f"{self.best}, epsilon = {fit.epsilon:.4g}"
        )

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON: one row for each family and each front."""
        return {
            "design": self.design,
            "similarity": self.similarity,
            "floor": self.floor,
            "n": self.n,
            "rows": self.rows,
            "dimensions": self.dimensions,
            "stimuli": self.stimuli,
            "sampled": list(self.sampled),
            "cautions": list(self.cautions),
            "p_s": self.p_s._asdict(),
            "p_i": self.p_i._asdict(),
            "mean_b": self.mean_b,
            "var_b": self.var_b,
            "tie_rate": self.tie_rate,
            "best_family": self.best,
            "families": [
                {"family": name} | fit._asdict() | {"resolution": fit.resolution._asdict()}
                for name, fit in self.fits.items()
            ],
            "fronts": [
                {"front": name, "nearest_p_s": one.p_s, "nearest_p_i": one.p_i} | one.distance._asdict()
                for name, one in self.fronts.items()
            ],
            "optimal_delta": self.delta,
        }

    def dataset(self) -> "xarray.Dataset":
        """Everything as a labelled dataset: dimensions share, level (of given distance), family, front, point."""
        import xarray

        content: dict[str, Any] = {}

        def put(name: str, dims: tuple[str, ...], values: Any, told: str) -> None:
            content[name] = (dims, np.asarray(values), {"long_name": told})

        def put_number(name: str, dims: tuple[str, ...], number: Number, told: str) -> None:
            put(name, dims, number.value, told)
            put(f"{name}_stderr", dims, number.stderr, f"standard error of {told}")
            put(f"{name}_low", dims, number.low, f"lower end of the 95 % interval of {told}")
            put(f"{name}_high", dims, number.high, f"upper end of the 95 % interval of {told}")

        put_number("p_s", (), self.p_s, "generalization p_S of the model's own similarity")
        put_number("p_i", (), self.p_i, "identification p_I of the model's own similarity")
        put("mean_b", (), self.mean_b, "mean share of other stimuli with a similarity above the floor")
        put("var_b", (), self.var_b, "variance over probes of that share")
        put("tie_rate", (), self.tie_rate, "share of similarity trials whose items are equally far")
        levels, share = self.levels, ("share",)
        put("level_epsilon", share, levels.epsilon, "threshold of the model's own dissimilarity")
        put("level_mean_b", share, levels.mean_b, "mean share of others within the threshold")
        put("level_var_b", share, levels.var_b, "variance over probes of the share of others within the threshold")
        put("level_hit_rate", share, levels.hit_rate, "probability that the probe's own item is within the threshold")
        put_number("level_p_s", share, levels.p_s, "generalization p_S at the threshold")
        put_number("level_p_i", share, levels.p_i, "identification p_I at the threshold")
        put("distance", ("level",), self.profile.distance, "given distance between stimuli")
        put("pairs", ("level",), self.profile.pairs, "ordered pairs at the distance")
        put("profile", ("level",), self.profile.mean, "mean similarity relative to the probe's own")
        spread = np.sqrt(np.maximum(self.profile.variance, 0.0))
        put("profile_sd", ("level",), spread, "its standard deviation over pairs")
        told = {
            "epsilon": "fitted resolution, in the unit of the given distances",
            "delta": "fitted floor",
            "epsilon_stderr": "standard error of the fitted resolution, pairs taken for independent",
            "delta_stderr": "standard error of the fitted floor, pairs taken for independent",
            "aic": "Akaike's information criterion",
            "p_s": "generalization p_S of the fitted similarity on the same stimuli",
            "p_i": "identification p_I of the fitted similarity on the same stimuli",
        }
        for field, words in told.items():
            name = f"predicted_{field}" if field in ("p_s", "p_i") else f"fit_{field}"
            put(name, ("family",), [getattr(fit, field) for fit in self.fits.values()], words)
        each = Number(*(np.array([fit.resolution[k] for fit in self.fits.values()]) for k in range(4)))
        put_number("resolution", ("family",), each, "fitted resolution over stimuli")
        names = list(self.fronts)
        if names:
            places = list(self.fronts.values())
            longest = max(len(one.front.p_s) for one in places)

            def padded(field: str) -> np.ndarray:
                rows = [np.asarray(getattr(one.front, field), float) for one in places]
                return np.stack([np.append(row, np.full(longest - len(row), np.nan)) for row in rows])

            put(
                "front_epsilon",
                ("front", "point"),
                padded("epsilon"),
                "resolution along the front; optimal: weight of p_S",
            )
            put("front_p_s", ("front", "point"), padded("p_s"), "generalization p_S of the front")
            put("front_p_i", ("front", "point"), padded("p_i"), "identification p_I of the front")
            each = Number(*(np.array([one.distance[k] for one in places]) for k in range(4)))
            put_number("front_distance", ("front",), each, "signed distance from the front")
            put("nearest_p_s", ("front",), [one.p_s for one in places], "p_S of the front's nearest point")
            put("nearest_p_i", ("front",), [one.p_i for one in places], "p_I of the front's nearest point")
        coords: dict[str, Any] = {"share": levels.share, "family": list(self.fits)}
        attributes = {
            "design": self.design, "similarity": self.similarity, "floor": self.floor, "n": self.n, "rows": self.rows,
            "dimensions": self.dimensions, "stimuli": self.stimuli, "sampled": "; ".join(self.sampled),
            "cautions": "; ".join(self.cautions),
            "best_family": self.best, "optimal_delta": self.delta,
        }  # fmt: skip
        return xarray.Dataset(content, coords | ({"front": names} if names else {}), attributes)


def _told(number: Number) -> str:
    return f"{number.value:.4f}" + (f" ± {number.stderr:.4f}" if np.isfinite(number.stderr) else "")
