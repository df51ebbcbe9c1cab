"""What `measure.embeddings` finds, as one immutable result: for people, for files."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax._showing import frame, html_table
from semres_jax._types import Quantity
from semres_jax.frontier.families import Front
from semres_jax.measure.geometry.collapse import Geometry
from semres_jax.measure.intervals import LEVEL
from semres_jax.measure.members import Contributions, Influence
from semres_jax.measure.resolution import Profile
from semres_jax.storage.attributes import DISTANCE, labelled

if TYPE_CHECKING:
    import xarray


# Fewer than these, and intervals hold the truth less often than they say (scripts/study_embedding_coverage.py).
_FEW_STIMULI, _FEW_EXEMPLARS = 12, 5
# Contributions of more stimuli are not kept.
_KEPT = 256
HEADS = ("", "p_S", "p_I", "epsilon", "delta", "AIC - best", "distance of the model")
_SETTINGS = ("design", "similarity", "floor", "n", "rows", "dimensions", "stimuli")
# Of variables that are no probabilities, shares or ratios; the front of the optimal similarity is along weights.
UNITS = {
    "distance": DISTANCE, "fit_epsilon": DISTANCE, "resolution": DISTANCE, "front_epsilon": DISTANCE, "pairs": "pairs",
    "level_epsilon": "unit of the dissimilarity",
}  # fmt: skip
_PARTS = {
    "": "", "_stderr": "standard error of ",
    "_low": "lower end of the {:g} % interval of ", "_high": "upper end of the {:g} % interval of ",
}  # fmt: skip


class Thresholds(NamedTuple):
    """The constant similarity on the model's own dissimilarities, at E resolutions.

    Attributes:
        share: (E,) wanted, of other stimuli (other classes' exemplars) within ε.
        epsilon: (E,) the smallest dissimilarity that reaches it.
        mean_b, var_b: (E,) mean and variance over probes of the share that is within ε: more than `share` where many
            dissimilarities are equal.
        hit_rate: (E,) probability that another exemplar of the probe's class is within ε; 1 for one embedding each.
        p_s, p_i: accuracies (E,), with intervals.
    """

    share: np.ndarray
    epsilon: np.ndarray
    mean_b: np.ndarray
    var_b: np.ndarray
    hit_rate: np.ndarray
    p_s: Quantity
    p_i: Quantity


class Fitted(NamedTuple):
    """A family fitted to the model's own similarity over the given distances, and what it predicts.

    Attributes:
        epsilon, delta: resolution, in the unit of the given distances, and floor, with the standard errors of
            `measure.fit_profile`, which takes pairs for independent.
        aic: Akaike's criterion; families rank by it.
        p_s, p_i: accuracies of the fitted similarity on the same stimuli, exactly.
        resolution: epsilon with what it is off by over stimuli, which isn't known for classes, and for the constant
            similarity, whose fit jumps from distance to distance.
    """

    epsilon: Quantity
    delta: Quantity
    aic: float
    p_s: float
    p_i: float
    resolution: Quantity


class Placed(NamedTuple):
    """A front, and where the model's own accuracies lie from it.

    Attributes:
        front: of p_s, p_i, and what they were found at (resolutions, or weights of p_S for the optimal one).
        distance: signed, in units of probability; positive beyond the front.
        p_s, p_i: the front's nearest point.
        influence: what stimuli, or exemplars, contribute to the distance; for what compares; else None.
    """

    front: Front
    distance: Quantity
    p_s: float
    p_i: float
    influence: Influence | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Embedded:
    """Where embeddings stand.

    Attributes:
        design: "stimuli" (one embedding each; the probe is the item) or "classes" (the probe is another exemplar).
        similarity, floor, n: as given.
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
        fronts: by name, "constant", "linear" and, where wanted, "optimal".
        influence: what stimuli, or exemplars, contribute, for `measure.compare`; None of more than 256 of them.
        geometry: effective dimension, and of classes neural collapse, of the rows that were measured.
    """

    design: str
    similarity: str
    floor: float
    n: int
    rows: int
    dimensions: int
    stimuli: int
    sampled: tuple[str, ...]
    p_s: Quantity
    p_i: Quantity
    mean_b: float
    var_b: float
    tie_rate: float
    levels: Thresholds
    profile: Profile
    fits: Mapping[str, Fitted]
    delta: float
    fronts: Mapping[str, Placed]
    geometry: Geometry
    influence: Contributions | None = None

    def without_large(self) -> "Embedded":
        """The same without contributions where their tables, of all pairs of stimuli, are large."""
        if self.influence is None or len(self.influence.sample.names) <= _KEPT:
            return self
        return dataclasses.replace(self, influence=None)

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
        return (
            f"{self.rows} embeddings, {self.similarity}: p_S = {self.p_s:.4f}, p_I = {self.p_i:.4f}; "
            f"{self.best}, epsilon = {self.fits[self.best].epsilon.value:.4g}"
        )

    def __repr__(self) -> str:
        return f"Embedded({self})"

    def _repr_html_(self) -> str:
        columns: dict[str, list[str]] = dict(zip(HEADS, map(list, zip(*self.table(), strict=True)), strict=True))
        return html_table(columns, "; ".join(self.notes()))

    def table(self) -> list[tuple[str, ...]]:
        """Rows to print under `HEADS`: the model, what each family predicts of it, the nearest point of each front."""
        least = self.fits[self.best].aic
        own = [f"{p:.4f}" if np.isfinite(p.low) else f"{p.value:.4f}" for p in (self.p_s, self.p_i)]
        rows = [("model", *own, "", "", "", "")]
        rows += [
            (f"{name} fit predicts", f"{fit.p_s:.4f}", f"{fit.p_i:.4f}", f"{fit.resolution:.4g}",
             f"{fit.delta.value:.3g}", f"{fit.aic - least:.1f}", "")
            for name, fit in self.fits.items()
        ]  # fmt: skip
        return rows + [
            (f"{name} front, nearest", f"{front.p_s:.4f}", f"{front.p_i:.4f}", "", "", "", f"{front.distance:+.4f}")
            for name, front in self.fronts.items()
        ]

    def notes(self) -> list[str]:
        """Lines that belong under the table: what was measured, sampled, and what to be careful with."""
        what = "stimuli, one embedding each" if self.design == "stimuli" else "classes; the probe is another exemplar"
        measured = f"{self.rows} x {self.dimensions} embeddings of {self.stimuli} {what}; n = {self.n}"
        reach = f"share above the floor {self.mean_b:.3f}, variance {self.var_b:.2g}; ties {self.tie_rate:.1%}"
        if not np.isfinite(self.p_s.low) and np.isfinite(self.p_s.stderr):
            reach += f"; standard errors of p_S and p_I {self.p_s.stderr:.4f} and {self.p_i.stderr:.4f}"
        careful = {"sampled": self.sampled, "caution": self.cautions}
        lines = [f"{measured}; {reach}", *(f"{word}: {line}" for word, lines in careful.items() for line in lines)]
        return [*lines, str(self.geometry), *(f"caution: {line}" for line in self.geometry.cautions)]

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON: one row for each family and each front."""
        families = [
            {"family": name, "epsilon": fit.epsilon.value, "delta": fit.delta.value,
             "epsilon_stderr": fit.epsilon.stderr, "delta_stderr": fit.delta.stderr, "aic": fit.aic,
             "p_s": fit.p_s, "p_i": fit.p_i, "resolution": fit.resolution._asdict()}
            for name, fit in self.fits.items()
        ]  # fmt: skip
        fronts = [
            {"front": name, "nearest_p_s": front.p_s, "nearest_p_i": front.p_i} | front.distance._asdict()
            for name, front in self.fronts.items()
        ]
        return {name: getattr(self, name) for name in _SETTINGS} | {
            "sampled": list(self.sampled), "cautions": list(self.cautions), "p_s": self.p_s._asdict(),
            "p_i": self.p_i._asdict(), "mean_b": self.mean_b, "var_b": self.var_b, "tie_rate": self.tie_rate,
            "best_family": self.best, "families": families, "fronts": fronts, "optimal_delta": self.delta,
            "geometry": self.geometry.summary(),
        }  # fmt: skip

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame: rows for the model, for what each family predicts, for each front's nearest point.

        Columns are those of `table`, numbers with their errors and intervals in columns of their own; NaN where a row
        has none.
        """
        return data_frame("model", self.p_s, self.p_i, self.fits, self.fronts)

    def dataset(self) -> "xarray.Dataset":
        """Everything as a labelled dataset: dimensions share, level (of given distance), family, front, point."""
        import xarray

        attributes = {name: getattr(self, name) for name in _SETTINGS} | {
            "sampled": "; ".join(self.sampled), "cautions": "; ".join(self.cautions),
            "best_family": self.best, "optimal_delta": self.delta,
        }  # fmt: skip
        rows = [*_of_model(self), *of_fits(self.fits.values()), *of_fronts(list(self.fronts.values()))]
        share = "share of others that the threshold was to reach"
        coords: dict[str, Any] = {"share": ("share", self.levels.share, {"long_name": share})}
        coords["family"] = list(self.fits)
        if self.fronts:
            coords["front"] = ("front", list(self.fronts), {"long_name": "front of similarities"})
        return labelled(xarray.Dataset(variables(rows) | self.geometry.numbers(), coords, attributes), UNITS)


def _of_model(model: Embedded) -> list[tuple[str, Any, Any, str]]:
    levels, profile = model.levels, model.profile
    return [
        ("p_s", (), model.p_s, "generalization p_S of the model's own similarity"),
        ("p_i", (), model.p_i, "identification p_I of the model's own similarity"),
        ("mean_b", (), model.mean_b, "mean share of other stimuli with a similarity above the floor"),
        ("var_b", (), model.var_b, "variance over probes of that share"),
        ("tie_rate", (), model.tie_rate, "share of similarity trials whose items are equally far"),
        ("level_epsilon", "share", levels.epsilon, "threshold of the model's own dissimilarity"),
        ("level_mean_b", "share", levels.mean_b, "mean share of others within the threshold"),
        ("level_var_b", "share", levels.var_b, "variance over probes of the share of others within the threshold"),
        ("level_hit_rate", "share", levels.hit_rate, "probability that the probe's own item is within the threshold"),
        ("level_p_s", "share", levels.p_s, "generalization p_S at the threshold"),
        ("level_p_i", "share", levels.p_i, "identification p_I at the threshold"),
        ("distance", "level", profile.distance, "given distance between stimuli"),
        ("pairs", "level", profile.pairs, "ordered pairs at the distance"),
        ("profile", "level", profile.mean, "mean similarity relative to the probe's own"),
        ("profile_sd", "level", np.sqrt(np.maximum(profile.variance, 0.0)), "its standard deviation over pairs"),
    ]


def of_fits(fits: Collection[Fitted]) -> list[tuple[str, Any, Any, str]]:
    """Variables of fits along families."""
    columns = zip(*fits, strict=True)
    epsilon, delta, aic, p_s, p_i, resolution = map(stacked, columns)
    variables = [
        ("fit_epsilon", epsilon.value, "fitted resolution, in the unit of the given distances"),
        ("fit_delta", delta.value, "fitted floor"),
        ("fit_epsilon_stderr", epsilon.stderr, "standard error of the fitted resolution, pairs taken for independent"),
        ("fit_delta_stderr", delta.stderr, "standard error of the fitted floor, pairs taken for independent"),
        ("fit_aic", aic, "Akaike's information criterion"),
        ("predicted_p_s", p_s, "generalization p_S of the fitted similarity on the same stimuli"),
        ("predicted_p_i", p_i, "identification p_I of the fitted similarity on the same stimuli"),
        ("resolution", resolution, "fitted resolution over stimuli"),
    ]
    return [(name, "family", values, text) for name, values, text in variables]


def data_frame(who: str, p_s: Quantity, p_i: Quantity, fits: Mapping[str, Fitted], fronts: Mapping[str, Placed]) -> Any:
    """What was measured of a model, or of people, what each family predicts, each front's nearest point, in rows."""
    placed, fitted, none = list(fronts.values()), list(fits.values()), Quantity(np.nan)
    of = [who, *["fit"] * len(fits), *["front"] * len(fronts)]
    few = [none] * len(fronts)
    columns: dict[str, Any] = {"of": of, "name": ["", *fits, *fronts]}
    for name, own in (("p_s", p_s), ("p_i", p_i)):
        columns[name] = stacked([own, *(Quantity(getattr(some, name)) for some in (*fitted, *placed))])
    columns["epsilon"] = stacked([none, *(fit.resolution for fit in fitted), *few])
    columns["delta"] = stacked([none, *(fit.delta for fit in fitted), *few])
    columns["aic"] = [np.nan, *(fit.aic for fit in fitted), *[np.nan] * len(fronts)]
    columns["distance"] = stacked([none, *[none] * len(fits), *(front.distance for front in placed)])
    return frame(columns)


def curves(fronts: Sequence[Front]) -> list[tuple[str, Any, Any, str]]:
    """Variables of fronts along their points."""
    if not fronts:
        return []
    longest, both = max(len(front.p_s) for front in fronts), ("front", "point")
    epsilon, p_s, p_i = (
        np.stack([np.pad(np.asarray(row, float), (0, longest - len(row)), constant_values=np.nan) for row in column])
        for column in zip(*fronts, strict=True)
    )
    return [
        ("front_epsilon", both, epsilon, "resolution along the front; optimal: weight of p_S"),
        ("front_p_s", both, p_s, "generalization p_S of the front"),
        ("front_p_i", both, p_i, "identification p_I of the front"),
    ]


def of_fronts(fronts: Sequence[Placed]) -> list[tuple[str, Any, Any, str]]:
    """Variables of fronts along their points, and of distances from them."""
    if not fronts:
        return []
    columns = zip(*(placed[1:4] for placed in fronts), strict=True)
    distance, nearest_p_s, nearest_p_i = map(stacked, columns)
    return [
        *curves([placed.front for placed in fronts]),
        ("front_distance", "front", distance, "signed distance from the front"),
        ("nearest_p_s", "front", nearest_p_s, "p_S of the front's nearest point"),
        ("nearest_p_i", "front", nearest_p_i, "p_I of the front's nearest point"),
    ]


def stacked(values: Sequence[Any]) -> Any:
    """Quantities as one of arrays; other values as they are."""
    return Quantity(*map(np.array, zip(*values, strict=True))) if isinstance(values[0], Quantity) else values


def variables(rows: Iterable[tuple[str, Any, Any, str]], level: float = LEVEL) -> dict[str, Any]:
    """Variables of a dataset from names, dimensions, values and descriptions; four of each `Quantity`."""
    variables: dict[str, Any] = {}
    for name, dims, value, text in rows:
        parts = value if isinstance(value, Quantity) else (value,)
        for part, (end, what) in zip(parts, _PARTS.items(), strict=False):
            variables[name + end] = (dims, np.asarray(part), {"long_name": what.format(100 * level) + text})
    return variables
