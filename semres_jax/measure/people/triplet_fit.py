"""What fits to triplets find, as one immutable result: for people, for files."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from semres_jax._showing import html_table
from semres_jax.measure.choices.fits import ChoiceFit
from semres_jax.measure.choices.table import summarize_choices
from semres_jax.measure.embeddings.result import of_fronts, variables
from semres_jax.measure.people._place import Place
from semres_jax.storage.attributes import DISTANCE, labelled

if TYPE_CHECKING:
    import xarray

HEADS = ("", "p_S", "p_I", "distance")
_SETTINGS = ("layout", "triplets", "judgements", "stimuli", "level")
_UNITS = {"front_epsilon": DISTANCE}


@dataclasses.dataclass(frozen=True, eq=False)
class TripletFit:
    """A similarity that was fitted to triplets over given distances, and where that puts people.

    Attributes:
        layout: "odd" or "anchor".
        triplets, judgements: how many there were, and how often they were judged.
        stimuli: how many the distances are between.
        rows: how many different sets of distances the judgements were between.
        level: of all intervals.
        best, fits: the fit with the smallest AIC, and all by family.
        predicted: by family, exact p_S and p_I of its fit on the stimuli, n = 2.
        place: accuracies by the best fit, and distances from the fronts.
        notes: what to know about these numbers, a line each.
        choices: the table of `choices_table`, of profiles and tests of fit.
    """

    layout: str
    triplets: int
    judgements: float
    stimuli: int
    rows: int
    level: float
    best: ChoiceFit
    fits: Mapping[str, ChoiceFit]
    predicted: Mapping[str, tuple[float, float]]
    place: Place
    notes: tuple[str, ...]
    choices: "xarray.Dataset" = dataclasses.field(repr=False)

    @property
    def p_s(self) -> Any:
        """Generalization: measured where triplets have an anchor, else by the fit."""
        return self.place.p_s

    @property
    def p_i(self) -> Any:
        """Identification, by the fit."""
        return self.place.p_i

    def __str__(self) -> str:
        return (
            f"{self.judgements:g} {self.layout} triplets of {self.stimuli} stimuli: p_S = {self.p_s:.4f}, p_I = "
            f"{self.p_i:.4f}; {self.best.family}"
        )

    def __repr__(self) -> str:
        return f"TripletFit({self})"

    def _repr_html_(self) -> str:
        columns: dict[str, list[str]] = dict(zip(HEADS, map(list, zip(*self.table(), strict=True)), strict=True))
        return html_table(columns, "; ".join([repr(self.best), *self.notes]))

    def table(self) -> list[tuple[str, ...]]:
        """Rows to print under `HEADS`: where people stand, what families predict, the nearest point of each front."""
        how = "p_S measured, p_I by the fit" if self.layout == "anchor" else "by the fit"
        rows = [(f"people ({how})", f"{self.p_s:.4f}", f"{self.p_i:.4f}", "")]
        rows += [
            (f"{family} fit predicts", f"{p_s:.4f}", f"{p_i:.4f}", "") for family, (p_s, p_i) in self.predicted.items()
        ]
        return rows + [
            (f"{name} front, nearest", f"{placed.p_s:.4f}", f"{placed.p_i:.4f}", f"{placed.distance:+.4f}")
            for name, placed in self.place.fronts.items()
        ]

    def lines(self) -> list[str]:
        """What belongs under the table."""
        right = f"as the distances say: {self.place.accuracy:.4f} of judgements, {self.place.expected:.4f} by the fit"
        if self.layout == "odd":
            right += " (odd one out, chance 1/3: no p_S)"
        elif abs(self.place.expected - self.place.fit_p_s.value) > 2 * self.place.accuracy.stderr:
            right += (
                f"; the fit expects {self.place.fit_p_s.value:.4f} of all triplets: those judged are no random part"
            )
        return [right, *(f"note: {note}" for note in self.notes)]

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON: those of `summarize_choices`, with accuracies and a row for each front."""
        fronts = [
            {"front": name, "nearest_p_s": placed.p_s, "nearest_p_i": placed.p_i} | placed.distance._asdict()
            for name, placed in self.place.fronts.items()
        ]
        predicted = [{"family": name, "p_s": p_s, "p_i": p_i} for name, (p_s, p_i) in self.predicted.items()]
        return summarize_choices(self.choices) | {name: getattr(self, name) for name in _SETTINGS} | {
            "rows_of_distances": self.rows, "accuracy": self.place.accuracy._asdict(),
            "expected_accuracy": self.place.expected, "p_s": self.p_s._asdict(), "p_i": self.p_i._asdict(),
            "fit_p_s": self.place.fit_p_s._asdict(), "predicted": predicted, "fronts": fronts,
            "notes": list(self.notes),
        }  # fmt: skip

    def dataset(self) -> "xarray.Dataset":
        """The table of `choices_table` with accuracies, what families predict, and fronts."""
        measured = "as measured" if self.layout == "anchor" else "by the fit"
        families = list(map(str, self.choices.family.values))
        by_family = list(zip(*(self.predicted[name] for name in families), strict=True))
        rows = [
            ("accuracy", (), self.place.accuracy, "share of judgements as the distances say"),
            ("expected_accuracy", (), self.place.expected, "share of judgements as the distances say, by the fit"),
            ("p_s", (), self.p_s, f"generalization p_S of people, {measured}"),
            ("p_i", (), self.p_i, "identification p_I of people, by the fit"),
            ("fit_p_s", (), self.place.fit_p_s, "generalization p_S by the fit, over all triplets"),
            ("predicted_p_s", "family", by_family[0], "generalization p_S of the fitted similarity on the stimuli"),
            ("predicted_p_i", "family", by_family[1], "identification p_I of the fitted similarity on the stimuli"),
            *of_fronts(list(self.place.fronts.values())),
        ]
        table = variables(rows)
        for _, _, words in table.values():
            words["long_name"] = words["long_name"].replace("95 %", f"{self.level:.0%}")
        dataset = self.choices.assign(table)
        if self.place.fronts:
            dataset = dataset.assign_coords(
                front=("front", list(self.place.fronts), {"long_name": "front of similarities"})
            )
        attributes = {name: getattr(self, name) for name in _SETTINGS} | {
            "n": 2, "notes": "\n".join(self.notes), "trials": self.judgements,
        }  # fmt: skip
        return labelled(dataset.assign_attrs(attributes), _UNITS)
