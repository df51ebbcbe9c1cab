"""What `measure.similarity_choice` finds, as one immutable result: for people, for files."""

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax._showing import frame, html_table
from semres_jax._types import Quantity
from semres_jax.measure.choices.fits import ChoiceFit
from semres_jax.measure.choices.goodness import RatioTest
from semres_jax.storage.attributes import DISTANCE, NATS, labelled

if TYPE_CHECKING:
    import xarray

HEADS = ("stimulus", "shown", "right", "answered", "bias", "confused most with", "similarity")
_PARTS = {
    "": "", "_stderr": "standard error of ", "_low": "lower end of the interval of ",
    "_high": "upper end of the interval of ",
}  # fmt: skip


class ByDistance(NamedTuple):
    """Similarities as a function of given distances, with biases, beside similarities that are free.

    Attributes:
        fit: of `measure.fit_choices`, biases of answers as those of labels.
        against_free: likelihood-ratio test of what free similarities explain beyond it.
        against_free_p: share of tables simulated from the fit whose ratio is as large; NaN where none was simulated.
        biases: likelihood-ratio test of biases in the fit; what ε would be without them is in `unbiased`.
        unbiased: the fit without biases, its intervals not searched.
    """

    fit: ChoiceFit
    against_free: RatioTest
    against_free_p: float
    biases: RatioTest
    unbiased: ChoiceFit


@dataclasses.dataclass(frozen=True, eq=False)
class SimilarityChoice:
    """Similarities and response biases of confusions.

    Attributes:
        names: (N,) of the stimuli, which are the answers too.
        counts: (N, N) that were given.
        bias: (N,) response biases β, their sum 1, with standard errors and intervals.
        similarity: (N, N) η, symmetric, 1 on the diagonal; above 1 where two are confused more than identified.
        expected: (N, N) P(j | i) of the model.
        level: of the intervals.
        log_likelihood: Σ n_ij ln P(j | i).
        parameters: how many numbers were fitted: N - 1 biases and the similarities of pairs that are confused.
        g2, x2: 2 Σ n ln(n / m) and Σ (n - m)² / m, m expected counts.
        freedom: (N - 1) (N - 2) / 2 degrees of freedom of both, where all pairs are confused.
        p_value, x2_p_value: P(χ² is as large): too rough where many counts are below 5.
        bootstrap_p: share of tables simulated from the model, and fitted again, whose G² is as large; NaN if none.
        slope: largest slope of the log likelihood that is left, in counts.
        cautions: what to be careful with, a line each.
        by_distance: the model with similarities as a function of given distances; None where none were given.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    bias: Quantity
    similarity: Quantity
    expected: np.ndarray
    level: float
    log_likelihood: float
    parameters: int
    g2: float
    x2: float
    freedom: int
    p_value: float
    x2_p_value: float
    bootstrap_p: float
    slope: float
    cautions: tuple[str, ...]
    by_distance: ByDistance | None

    def __str__(self) -> str:
        favourite = int(np.argmax(self.bias.value))
        test = f"G2 = {self.g2:.4g} of {self.freedom} degrees of freedom, p = {self._p:.2g}"
        low, high = self.bias.value.min(), self.bias.value.max()
        return f"{len(self.names)} stimuli: biases {low:.3f} to {high:.3f} ({self.names[favourite]}); {test}"

    def __repr__(self) -> str:
        return f"SimilarityChoice({self})"

    def _repr_html_(self) -> str:
        columns: dict[str, list[str]] = dict(zip(HEADS, map(list, zip(*self.table(), strict=True)), strict=True))
        return html_table(columns, "; ".join(self.notes()))

    @property
    def _p(self) -> float:
        return self.p_value if np.isnan(self.bootstrap_p) else self.bootstrap_p

    def table(self) -> list[tuple[str, ...]]:
        """Rows to print under `HEADS`: each stimulus, its bias, and the one that it is most similar to."""
        others = np.where(np.eye(len(self.names), dtype=bool), -np.inf, self.similarity.value)
        rows = []
        for k, name in enumerate(self.names):
            near, shown = int(others[k].argmax()), self.counts[k].sum()
            bias, alike = (Quantity(*(part[at] for part in numbers)) for numbers, at in (
                (self.bias, k), (self.similarity, (k, near))))  # fmt: skip
            rows.append((name, f"{shown:g}", f"{self.counts[k, k] / shown:.3f}", f"{self.counts[:, k].sum():g}",
                         f"{bias:.4f}", self.names[near], f"{alike:.3f}"))  # fmt: skip
        return rows

    def notes(self) -> list[str]:
        """Lines that belong under the table: the fit, its test, and what to be careful with."""
        own = f"similarity-choice model: G2 = {self.g2:.4g}, X2 = {self.x2:.4g}, {self.freedom} degrees of freedom, "
        own += f"p = {self.p_value:.2g} and {self.x2_p_value:.2g}{_simulated(self.bootstrap_p)}"
        lines = [own]
        if self.by_distance is not None:
            fit, test, p, biases, unbiased = self.by_distance
            fitted = {name: number for name, number in fit.quantities().items() if not name.startswith("label ")}
            numbers = ", ".join(f"{name} = {number:.4g}" for name, number in fitted.items())
            by = f"similarity by distance, biases beside it: {fit.family}, {numbers}; without biases "
            lines.append(by + f"epsilon = {unbiased.epsilon.value:.4g} (biases: p = {biases.p_value:.2g})")
            ratio = f"free similarities against those by distance: chi2 = {test.statistic:.4g} of {test.freedom} "
            lines.append(ratio + f"degrees of freedom, p = {test.p_value:.2g}{_simulated(p)}")
        return lines + [f"caution: {line}" for line in self.cautions]

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON: one row for each stimulus, the tests of fit, the fit by distance."""
        columns = {part: np.asarray(values).tolist() for part, values in self.bias._asdict().items()}
        rows = [{"stimulus": name, **{part: values[k] for part, values in columns.items()}}
                for k, name in enumerate(self.names)]  # fmt: skip
        content = {"stimuli": len(self.names), "biases": rows, "notes": list(self.cautions)} | self._tests()
        return content | ({} if self.by_distance is None else {"by_distance": self._distances()})

    def _tests(self) -> dict[str, Any]:
        names = ("level", "log_likelihood", "parameters", "g2", "x2", "freedom", "p_value", "x2_p_value",
                 "bootstrap_p", "slope")  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def _distances(self) -> dict[str, Any]:
        assert self.by_distance is not None
        fit, test, p, biases, unbiased = self.by_distance
        numbers = {name: getattr(fit, name)._asdict() for name in ("epsilon", "delta", "exponent")}
        return {"family": fit.family, **numbers} | {
            "aic": fit.aic, "log_likelihood": fit.log_likelihood, "notes": list(fit.notes),
            "ratio": test.statistic, "ratio_freedom": test.freedom, "ratio_p": test.p_value, "ratio_bootstrap_p": p,
            "biases_ratio": biases.statistic, "biases_p": biases.p_value,
            "unbiased_epsilon": unbiased.epsilon.value, "unbiased_delta": unbiased.delta.value,
        }  # fmt: skip

    def to_dataframe(self) -> Any:
        """A row for each stimulus: how often it was shown, identified and answered, its bias with its uncertainty."""
        content: dict[str, Any] = {
            "shown": self.counts.sum(1),
            "right": np.diagonal(self.counts),
            "answered": self.counts.sum(0),
        }
        return frame(content | {"bias": self.bias}, "stimulus", list(self.names))

    def dataset(self) -> "xarray.Dataset":
        """Everything as a labelled dataset of dimensions stimulus and response; tests of fit are attributes."""
        import xarray

        both = ("stimulus", "response")
        variables: dict[str, Any] = {
            "counts": (both, self.counts, {"long_name": "how often the response was given", "units": "answers"}),
            "expected": (both, self.expected, {"long_name": "probability of the response by the model"}),
        }
        for name, dims, values, words in (
            ("bias", "response", self.bias, "response bias, a share of 1"),
            ("similarity", both, self.similarity, "similarity of the choice model"),
        ):
            for part, (end, what) in zip(values, _PARTS.items(), strict=True):
                variables[name + end] = (dims, part, {"long_name": what + words})
        attributes = {"notes": "\n".join(self.cautions)} | self._tests()
        if self.by_distance is not None:
            variables |= _of_distances(self.by_distance.fit, self.names)
            attributes |= {f"by_distance_{name}": value for name, value in self._distances().items()
                           if isinstance(value, (str, int, float))}  # fmt: skip
        coords = {"stimulus": ("stimulus", list(self.names), {"long_name": "stimulus"}),
                  "response": ("response", list(self.names), {"long_name": "response"})}  # fmt: skip
        return labelled(xarray.Dataset(variables, coords, attributes))


def _simulated(p: float) -> str:
    return "" if np.isnan(p) else f", simulated p = {p:.2g}"


def _of_distances(fit: ChoiceFit, names: tuple[str, ...]) -> dict[str, Any]:
    """Variables of a dataset from the fit by distance."""
    variables: dict[str, Any] = {}
    for name, unit in (("epsilon", DISTANCE), ("delta", "1"), ("exponent", "1")):
        number = getattr(fit, name)
        variables |= {name: ((), number.value, {"units": unit})}
        for end in ("low", "high"):
            variables[f"{name}_{end}"] = ((), getattr(number, end), {"units": unit})
    biases = [fit.label_bias[name] for name in names]
    for end in ("value", "low", "high"):
        what = _PARTS["" if end == "value" else f"_{end}"]
        words = {"long_name": f"{what}bias of the response beside similarity by distance, log odds", "units": NATS}
        full = "distance_bias" if end == "value" else f"distance_bias_{end}"
        variables[full] = ("response", [getattr(bias, end) for bias in biases], words)
    return variables
