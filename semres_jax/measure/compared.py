"""What `measure.compare` finds, as one immutable result: for people, for files."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax._showing import html_table
from semres_jax._types import Quantity
from semres_jax.frontier.families import Front
from semres_jax.measure.embeddings.result import curves, stacked, variables
from semres_jax.measure.members import Member, Sample
from semres_jax.storage.attributes import DISTANCE, labelled

if TYPE_CHECKING:
    import xarray

    from semres_jax.measure.embeddings.result import Placed

PAIR_HEADS = ("difference", "of", "value", "95 % interval", "p", "corrected p")
_UNITS = {"epsilon": DISTANCE, "front_epsilon": DISTANCE, "freedom": "numbers"}
# Quantities in tables; distances from fronts are called after the front.
_CALLED = {"p_s": "p_S", "p_i": "p_I", "log_epsilon": "ln epsilon"}


class Differences(NamedTuple):
    """Of one quantity, the first model of each pair less the second; (P,) for P pairs.

    Attributes:
        difference: with standard errors and 95 % intervals.
        p: two-sided p-values.
        corrected: over all pairs.
        freedom: degrees of freedom.
    """

    difference: Quantity
    p: np.ndarray
    corrected: np.ndarray
    freedom: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Models of the same stimuli, and how they differ.

    Attributes:
        members: by name.
        fronts: by name, the same for all members.
        placed: by member and front, where the member lies from it.
        differences: by quantity, "p_s", "p_i", "log_epsilon" and "NAME_front", of `pairs`.
        family: whose ε is compared; None: no family has it for all members.
        n: items of a trial.
        delta: floor of the optimal front.
        correction: of p-values over pairs.
        paths: names of members in order, by name.
        sample: what all members were measured on.
    """

    members: Mapping[str, Member]
    fronts: Mapping[str, Front]
    placed: "Mapping[str, Mapping[str, Placed]]"
    differences: Mapping[str, Differences]
    family: str | None
    n: int
    delta: float
    correction: str
    paths: Mapping[str, tuple[str, ...]]
    sample: Sample

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names of both members of each difference."""
        return list(itertools.combinations(self.members, 2))

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to be careful with, in words."""
        lines = dict.fromkeys(line for member in self.members.values() for line in member.cautions)
        floors = [member.floors.get(self.family or "", np.nan) for member in self.members.values()]
        if any(floor == 0 for floor in floors) and any(floor > 0 for floor in floors):
            text = "are 0 for some models only: ln epsilon is compared as if their floors were alike"
            lines[f"floors of {self.family} fits {text}"] = None
        if self.n > 2:
            lines["differences have no intervals and p-values for more than 2 items"] = None
        return tuple(lines)

    def __str__(self) -> str:
        low = {name: int((tests.corrected < 0.05).sum()) for name, tests in self.differences.items()}
        text = ", ".join(f"{_called(name)} {count}" for name, count in low.items())
        return f"{len(self.members)} models; of {len(self.pairs)} pairs differ (p < 0.05): {text}"

    def __repr__(self) -> str:
        return f"Comparison({self})"

    def _repr_html_(self) -> str:
        tables = ((self.heads(), self.table(), ""), (PAIR_HEADS, self.pairs_table(), "; ".join(self.notes())))
        return "".join(
            html_table(dict(zip(heads, map(list, zip(*rows, strict=True)), strict=True)), note)
            for heads, rows, note in tables
        )

    def heads(self) -> tuple[str, ...]:
        """Of `table`."""
        epsilon = () if self.family is None else (f"epsilon ({self.family})",)
        return ("", "p_S", "p_I", *epsilon, *(f"from {name} front" for name in self.fronts))

    def table(self) -> list[tuple[str, ...]]:
        """Rows to print under `heads()`: each member, with 95 % intervals."""
        rows = []
        for name, member in self.members.items():
            numbers = [_text(member.p_s, ".4f"), _text(member.p_i, ".4f")]
            numbers += [] if self.family is None else [_text(self._resolution(member), ".4g")]
            rows.append((name, *numbers, *(_text(there.distance, "+.4f") for there in self.placed[name].values())))
        return rows

    def pairs_table(self, most: int | None = None) -> list[tuple[str, ...]]:
        """Rows to print under `PAIR_HEADS`: of each pair all quantities; or of the `most` pairs that differ most."""
        rows = []
        for place in self.clearest(most):
            first, second = self.pairs[place]
            for quantity, tests in self.differences.items():
                value, _, low, high = (float(part[place]) for part in tests.difference)
                ends = f"[{low:+.4f}, {high:+.4f}]" if np.isfinite(low) else ""
                p = [f"{x[place]:.2g}" if np.isfinite(x[place]) else "" for x in (tests.p, tests.corrected)]
                text = f"{value:+.4f}" if np.isfinite(value) else ""
                rows.append((f"{first} - {second}", _called(quantity), text, ends, *p))
        return rows

    def clearest(self, most: int | None = None) -> list[int]:
        """Places of pairs, in order: all, or those whose smallest p-value of any quantity is the smallest."""
        count = len(self.pairs)
        if most is None or count <= most:
            return list(range(count))
        p = np.array([np.where(np.isfinite(tests.p), tests.p, 1.0) for tests in self.differences.values()])
        return sorted(np.argsort(p.min(0), kind="stable")[:most].tolist())

    def notes(self) -> list[str]:
        """Lines that belong under the tables: what was compared, and what to be careful with."""
        labels = self.sample.labels
        count = len(self.sample.names)
        what = f"{count} stimuli" if labels is None else f"{count} exemplars of {len(np.unique(labels))} classes"
        count, holm = len(self.pairs), self.correction == "holm"
        corrected = f"; corrected over {count} pairs of models (Holm)" if holm and count > 1 else ""
        lines = [f"the same {what} for all; n = {self.n}; two-sided p-values{corrected}"]
        if self.family is None:
            why = "no family has them for all" if labels is None else "what exemplars contribute to them isn't known"
            lines.append(f"resolutions are not compared: {why}")
        return lines + [f"caution: {line}" for line in self.cautions]

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON: a row for each model, and one for each pair and quantity."""
        models = []
        for name, member in self.members.items():
            row: dict[str, Any] = {"model": name, "kind": member.kind}
            row |= {"p_s": member.p_s._asdict(), "p_i": member.p_i._asdict()}
            row |= {} if self.family is None else {"epsilon": self._resolution(member)._asdict()}
            models.append(row | {"fronts": [{"front": front} | there.distance._asdict()
                                            for front, there in self.placed[name].items()]})  # fmt: skip
        differences = [
            {"first": first, "second": second, "quantity": quantity}
            | {part: float(x[place]) for part, x in tests.difference._asdict().items()}
            | {"p": float(tests.p[place]), "corrected_p": float(tests.corrected[place])}
            for place, (first, second) in enumerate(self.pairs)
            for quantity, tests in self.differences.items()
        ]
        return self._attributes() | {
            "cautions": list(self.cautions), "paths": {name: list(path) for name, path in self.paths.items()},
            "models": models, "differences": differences,
        }  # fmt: skip

    def dataset(self) -> "xarray.Dataset":
        """Everything as a labelled dataset: dimensions model, front, point, quantity, pair."""
        import xarray

        members, names = self.members.values(), list(self.members)
        step = {name: (path, k) for path, layers in self.paths.items() for k, name in enumerate(layers)}
        rows: list[tuple[str, Any, Any, str]] = [
            ("p_s", "model", stacked([member.p_s for member in members]), "generalization p_S"),
            ("p_i", "model", stacked([member.p_i for member in members]), "identification p_I"),
            ("kind", "model", [member.kind for member in members], "model or people"),
            ("path", "model", [step.get(name, ("", 0))[0] for name in names], "path that the model is a step of"),
            (
                "step",
                "model",
                [step.get(name, ("", -1))[1] for name in names],
                "step of that path, from 0; -1: of none",
            ),
        ]
        if self.family is not None:
            epsilon = stacked([self._resolution(member) for member in members])
            rows.append(("epsilon", "model", epsilon, f"resolution of the {self.family} fit"))
        gaps = [[there.distance for there in self.placed[name].values()] for name in names]
        distance = Quantity(*np.moveaxis(np.array(gaps, float), -1, 0))
        rows.append(("front_distance", ("model", "front"), distance, "signed distance from the front"))
        rows += curves(list(self.fronts.values()))
        tests = list(self.differences.values())
        both = ("quantity", "pair")
        difference = Quantity(*(np.stack(parts) for parts in zip(*(x.difference for x in tests), strict=True)))
        rows += [
            ("difference", both, difference, "first model less the second"),
            ("p", both, np.stack([x.p for x in tests]), "two-sided p-value of the difference"),
            ("corrected_p", both, np.stack([x.corrected for x in tests]), "p-value, corrected over pairs"),
            ("freedom", both, np.stack([x.freedom for x in tests]), "degrees of freedom"),
            ("first", "pair", [first for first, _ in self.pairs], "first model of the pair"),
            ("second", "pair", [second for _, second in self.pairs], "second model of the pair"),
        ]
        coords: dict[str, Any] = {
            "model": ("model", names, {"long_name": "model"}),
            "front": ("front", list(self.fronts), {"long_name": "front of similarities"}),
            "quantity": ("quantity", list(self.differences), {"long_name": "what is compared"}),
            "pair": ("pair", [f"{first} - {second}" for first, second in self.pairs], {"long_name": "pair of models"}),
        }
        attributes = self._attributes() | {"cautions": "; ".join(self.cautions)}
        return labelled(xarray.Dataset(variables(rows), coords, attributes), _UNITS)

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each quantity and pair: difference, standard error, interval, p-values."""
        data = self.dataset()
        return data[[name for name, x in data.data_vars.items() if x.dims == ("quantity", "pair")]].to_dataframe()

    def _resolution(self, member: Member) -> Quantity:
        return member.resolution.get(self.family or "", Quantity(np.nan))

    def _attributes(self) -> dict[str, Any]:
        labels = self.sample.labels
        return {
            "design": "stimuli" if labels is None else "classes", "n": self.n, "units": len(self.sample.names),
            "family": self.family or "", "optimal_delta": self.delta, "correction": self.correction,
        }  # fmt: skip


def _called(quantity: str) -> str:
    return _CALLED.get(quantity, quantity.replace("_", " "))


def _text(number: Quantity, spec: str) -> str:
    if not np.isfinite(number.value):
        return ""
    return f"{number:{spec}}" if np.isfinite(number.low) else f"{number.value:{spec}}"
