"""What `measure.similarities` finds, as one immutable result: for people, for files."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax._showing import html_table
from semres_jax._types import Quantity
from semres_jax.measure.embeddings.result import (
    UNITS,
    Fitted,
    Placed,
    data_frame,
    of_fits,
    of_fronts,
    stacked,
    variables,
)
from semres_jax.measure.members import Contributions, Member
from semres_jax.measure.people.confusions import SimilarityChoice
from semres_jax.measure.resolution import Profile
from semres_jax.storage.attributes import labelled

if TYPE_CHECKING:
    import xarray

# Fewer stimuli than these, and intervals over them hold the truth less often than they say.
_FEW = 12
# Kruskal's words for stress-1 above this: poor.
_POOR = 0.2
HEADS = ("", "p_S", "p_I", "epsilon", "delta", "AIC - best", "distance of people")
ITEM_HEADS = ("n", "p_S", "p_I", "n p_I", "law p_I", "law, own b", "fit p_S", "fit p_I")
_SETTINGS = ("kind", "stimuli", "subjects", "geometry", "stress", "asymmetry", "over", "level")


class Items(NamedTuple):
    """Accuracies of K numbers of items, and what laws say of them.

    Attributes:
        n: (K,) numbers of items, ascending, the first of them 2.
        p_s, p_i: (K,) with intervals for n = 2 alone.
        law: (K,) p_I by the law of one number at the ball measure that p_I of two items gives, with that one's ends.
        law_by_probe: (K,) the same law at every probe's own ball measure, averaged.
        fit_p_s, fit_p_i: (K,) of the best family's fit on the same stimuli.
    """

    n: np.ndarray
    p_s: Quantity
    p_i: Quantity
    law: Quantity
    law_by_probe: np.ndarray
    fit_p_s: np.ndarray
    fit_p_i: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """Where people stand.

    Attributes:
        kind: of judgements, as given.
        stimuli, subjects: how many there are.
        names: of the stimuli, in the order of what is measured; () where they have none.
        geometry: "given", or "recovered" from the judgements themselves.
        points: (N, dimensions) of a recovered geometry; else None.
        stress: Kruskal's stress-1 of a recovered geometry; else NaN.
        asymmetry: share of the variance of strengths of different stimuli that is between (p, x) and (x, p).
        remarks: what was made of the table, in words.
        over: what intervals are over: "stimuli", "answers", "subjects and stimuli"; "" where there are none.
        level: of the intervals.
        items: accuracies of numbers of items, and what laws say.
        ball, var_b: mean and variance over probes of the ball measure that they act as if they had, n = 2.
        tie_rate: share of similarity trials, n = 2, whose items are equally far.
        profile: strengths relative to the probe's own over distance.
        fits: by family, with intervals of ε (`resolution`) and Δ; `best` names the one with the smallest AIC.
        delta: floor that the optimal front is of: the lowest strength relative to the probe's own.
        fronts: by name, n = 2.
        influence: what stimuli contribute, for what compares; None of more than 256 stimuli.
        ceiling: noise ceiling of several subjects, from below and above (Pearson's r of tables); else None.
        choice: of counts of confusions the similarity-choice model, biases apart from similarity; else None.
    """

    kind: str
    stimuli: int
    subjects: int
    names: tuple[str, ...]
    geometry: str
    points: np.ndarray | None
    stress: float
    asymmetry: float
    remarks: tuple[str, ...]
    over: str
    level: float
    items: Items
    ball: Quantity
    var_b: float
    tie_rate: float
    profile: Profile
    fits: Mapping[str, Fitted]
    delta: float
    fronts: Mapping[str, Placed]
    ceiling: tuple[float, float] | None
    influence: Contributions | None
    choice: SimilarityChoice | None = None

    @property
    def p_s(self) -> Quantity:
        """Generalization of two items."""
        return Quantity(*(float(part[0]) for part in self.items.p_s))

    @property
    def p_i(self) -> Quantity:
        """Identification of two items."""
        return Quantity(*(float(part[0]) for part in self.items.p_i))

    @property
    def best(self) -> str:
        """The family with the smallest AIC."""
        return min(self.fits, key=lambda name: self.fits[name].aic)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to be careful with, in words."""
        lines = []
        if self.geometry == "recovered":
            lines.append("p_S, profile, fits and fronts are on a geometry that was fitted to the same table; p_I isn't")
        if self.stress > _POOR:
            lines.append(f"stress {self.stress:.2f} is poor: people's similarities don't fit into so few dimensions")
        if "stimuli" in self.over and self.stimuli < _FEW:
            lines.append(f"intervals over fewer than {_FEW} stimuli: nominal 95 % held 90 to 99 %")
        return tuple(lines)

    def __str__(self) -> str:
        where = "" if self.geometry == "given" else f", geometry recovered with stress {self.stress:.3f}"
        return (
            f"{self.kind} of {self.stimuli} stimuli{where}: p_S = {self.p_s:.4f}, p_I = {self.p_i:.4f}; "
            f"{self.best}, epsilon = {self.fits[self.best].epsilon.value:.4g}"
        )

    def __repr__(self) -> str:
        return f"Judged({self})"

    def _repr_html_(self) -> str:
        columns: dict[str, list[str]] = dict(zip(HEADS, map(list, zip(*self.table(), strict=True)), strict=True))
        return html_table(columns, "; ".join(self.notes()))

    def table(self) -> list[tuple[str, ...]]:
        """Rows to print under `HEADS`: people, what each family predicts of them, the nearest point of each front."""
        least = self.fits[self.best].aic
        rows = [("people", _number(self.p_s, ".4f"), _number(self.p_i, ".4f"), "", "", "", "")]
        rows += [
            (f"{name} fit predicts", f"{fit.p_s:.4f}", f"{fit.p_i:.4f}", _number(fit.resolution, ".4g"),
             _number(fit.delta, ".3f"), f"{fit.aic - least:.1f}", "")
            for name, fit in self.fits.items()
        ]  # fmt: skip
        return rows + [
            (f"{name} front, nearest", f"{front.p_s:.4f}", f"{front.p_i:.4f}", "", "", "",
             _number(front.distance, "+.4f"))
            for name, front in self.fronts.items()
        ]  # fmt: skip

    def by_items(self) -> list[tuple[str, ...]]:
        """Rows to print under `ITEM_HEADS`: accuracies of n items, what the laws and the best fit say of them."""
        own = self.items
        columns = (own.p_s.value, own.p_i.value, own.n * own.p_i.value, own.law.value, own.law_by_probe, own.fit_p_s,
                   own.fit_p_i)  # fmt: skip
        return [
            (str(count), *(f"{value:.4f}" for value in row))
            for count, *row in zip(own.n, *columns, strict=True)
        ]  # fmt: skip

    def notes(self) -> list[str]:
        """Lines that belong under the table: what was measured, over what intervals are, what to be careful with."""
        who = f" of {self.subjects} subjects" if self.subjects > 1 else ""
        over = f"; {100 * self.level:g} % intervals over {self.over}" if self.over else ""
        where = "given distances" if self.geometry == "given" else (
            f"distances recovered by non-metric scaling in {_dimensions(self)} dimensions, stress {self.stress:.3f}"
        )  # fmt: skip
        ball = f"ball measure {_number(self.ball, '.3f')}, variance over probes {self.var_b:.2g}"
        lines = [
            f"{self.kind} of {self.stimuli} stimuli{who}; {where}{over}",
            f"{ball}; ties {self.tie_rate:.1%}; asymmetry {self.asymmetry:.1%} of the variance",
        ]
        if self.ceiling is not None:
            lines.append("noise ceiling, correlation with single subjects: {:.3f} to {:.3f}".format(*self.ceiling))
        lines += [*(f"note: {line}" for line in self.remarks), *(f"caution: {line}" for line in self.cautions)]
        return lines if self.choice is None else [*lines, *self.choice.notes()]

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON: one row for each number of items, family and front."""
        items = [
            {name: float(column[k]) for name, column in _columns(self.items).items()} | {"n": int(n)}
            for k, n in enumerate(self.items.n)
        ]
        families = [
            {"family": name, "epsilon": fit.resolution._asdict(), "delta": fit.delta._asdict(), "aic": fit.aic,
             "p_s": fit.p_s, "p_i": fit.p_i}
            for name, fit in self.fits.items()
        ]  # fmt: skip
        fronts = [
            {"front": name, "nearest_p_s": front.p_s, "nearest_p_i": front.p_i} | front.distance._asdict()
            for name, front in self.fronts.items()
        ]
        return {name: getattr(self, name) for name in _SETTINGS} | {
            "names": list(self.names), "remarks": list(self.remarks), "cautions": list(self.cautions),
            "p_s": self.p_s._asdict(), "p_i": self.p_i._asdict(), "mean_b": self.ball._asdict(), "var_b": self.var_b,
            "tie_rate": self.tie_rate, "items": items, "best_family": self.best, "families": families,
            "fronts": fronts, "optimal_delta": self.delta,
            "noise_ceiling": None if self.ceiling is None else list(self.ceiling),
            "similarity_choice": None if self.choice is None else self.choice.summary(),
        }  # fmt: skip

    def member(self, name: str = "people") -> Member:
        """People as `measure.compare` takes them, beside models of the same stimuli.

        Args:
            name: of theirs in the comparison.

        Raises:
            ValueError: contributions of so many stimuli weren't kept.
        """
        if self.influence is None:
            raise ValueError(f"contributions of {self.stimuli} stimuli were not kept; measure a part of them")
        fits = self.fits.items()
        return Member(
            name, self.p_s, self.p_i, self.influence, {family: fit.resolution for family, fit in fits},
            {family: fit.aic for family, fit in fits}, {family: float(fit.delta.value) for family, fit in fits},
            lowest=self.delta, kind="people", cautions=self.cautions,
        )  # fmt: skip

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame: rows for people, for what each family predicts, for each front's nearest point.

        Columns are those of `table`, numbers with their errors and intervals in columns of their own; NaN where a row
        has none.
        """
        return data_frame("people", self.p_s, self.p_i, self.fits, self.fronts)

    def dataset(self) -> "xarray.Dataset":
        """Everything as a labelled dataset: dimensions n, level (of distance), family, front, point, stimulus."""
        import xarray

        attributes = {name: getattr(self, name) for name in _SETTINGS} | {
            "remarks": "; ".join(self.remarks), "cautions": "; ".join(self.cautions), "best_family": self.best,
            "optimal_delta": self.delta,
        }  # fmt: skip
        if self.ceiling is not None:
            attributes |= dict(zip(("noise_ceiling_low", "noise_ceiling_high"), self.ceiling, strict=True))
        rows = [*_of_people(self), *of_fronts(list(self.fronts.values()))]
        rows += [row for row in of_fits(self.fits.values()) if row[0] != "fit_delta_stderr"]
        coords: dict[str, Any] = {"n": self.items.n, "family": list(self.fits)}
        if self.fronts:
            coords["front"] = ("front", list(self.fronts), {"long_name": "front of similarities"})
        if self.names:
            coords["stimulus"] = ("stimulus", list(self.names), {"long_name": "stimulus"})
        made = labelled(xarray.Dataset(variables(rows, self.level), coords, attributes), UNITS)
        if self.choice is None:
            return made
        choice = self.choice.dataset()
        choice.attrs = made.attrs | {f"choice_{name}": value for name, value in choice.attrs.items()}
        return choice.rename({name: f"choice_{name}" for name in choice.data_vars}).merge(made)


def _number(number: Quantity, spec: str) -> str:
    """With its interval where there is one; else alone."""
    if np.isfinite(number.low) and np.isfinite(number.high):
        return format(number._replace(stderr=np.nan), spec)
    return format(float(number.value), spec)


def _dimensions(judged: Judged) -> int:
    return 0 if judged.points is None else judged.points.shape[1]


def _columns(items: Items) -> dict[str, np.ndarray]:
    """What there is for each number of items, by name."""
    return {
        "p_s": items.p_s.value, "p_s_low": items.p_s.low, "p_s_high": items.p_s.high, "p_i": items.p_i.value,
        "p_i_low": items.p_i.low, "p_i_high": items.p_i.high, "law_p_i": items.law.value,
        "law_p_i_by_probe": items.law_by_probe, "predicted_p_s": items.fit_p_s, "predicted_p_i": items.fit_p_i,
    }  # fmt: skip


def _of_people(judged: Judged) -> list[tuple[str, Any, Any, str]]:
    items, profile = judged.items, judged.profile
    rows: list[tuple[str, Any, Any, str]] = [
        ("p_s", "n", items.p_s, "generalization p_S of people's own similarity"),
        ("p_i", "n", items.p_i, "identification p_I of people's own similarity"),
        ("law_p_i", "n", items.law, "identification p_I by the law of one number"),
        (
            "law_p_i_by_probe",
            "n",
            items.law_by_probe,
            "identification p_I by the law at every probe's own ball measure",
        ),
        ("best_p_s", "n", items.fit_p_s, "generalization p_S of the best fit"),
        ("best_p_i", "n", items.fit_p_i, "identification p_I of the best fit"),
        ("mean_b", (), judged.ball, "mean ball measure that probes act as if they had"),
        ("var_b", (), judged.var_b, "variance over probes of that ball measure"),
        ("tie_rate", (), judged.tie_rate, "share of similarity trials whose items are equally far"),
        ("distance", "level", profile.distance, "distance between stimuli"),
        ("pairs", "level", profile.pairs, "ordered pairs at the distance"),
        ("profile", "level", profile.mean, "mean similarity relative to the probe's own"),
        ("profile_sd", "level", np.sqrt(np.maximum(profile.variance, 0.0)), "its standard deviation over pairs"),
        ("floor", "family", stacked([fit.delta for fit in judged.fits.values()]), "fitted floor"),
    ]
    if judged.points is not None:
        rows.append(("points", ("stimulus", "dimension"), judged.points, "recovered places, largest distance 1"))
    return rows
