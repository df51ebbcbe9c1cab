"""What a language model's answers to the year task say: accuracies, law, resolution, states by depth; one result."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax._showing import frame
from semres_jax._types import Quantity
from semres_jax.execution import Execution
from semres_jax.measure.embeddings.result import Embedded
from semres_jax.measure.language import asking, fits
from semres_jax.measure.language.asking import Design
from semres_jax.measure.language.fits import Resolution, Slope
from semres_jax.measure.language.scoring import Answers, Law, Scores, excess, later, law, mean_of
from semres_jax.measure.language.year_task import CELL, YEARS
from semres_jax.storage.attributes import labelled

if TYPE_CHECKING:
    import xarray

    from semres_jax.measure.language.backends import Backend

# Differences from chance that are rarer by chance than this are called that; there are several tasks.
_CERTAIN = 0.01
# Of variables of a task that are no probabilities; what they and others are, in words.
_UNITS = {
    "year": "years", "probe": "years", "half": "years", "offset": "years", "epsilon": "years", "log_p": "nats",
    "n": "items",
}  # fmt: skip
_SHARES = {"p_right": "the probability of the right name", "accuracy": "the share of right answers"}
_CURVES = {
    "middle": (("offset_cell",), "years from the middle of a pair to the probe"),
    "half": (("curve",), "D, half the years between a pair"),
    "seen": (("curve", "offset_cell"), "probability of the later of a pair"),
    "stderr": (("curve", "offset_cell"), "standard error of the probability of the later of a pair"),
    "fitted": (("curve", "offset_cell"), "probability of the later of a pair by the exponential fit"),
}
_LAYERS = {
    "epsilon": "fitted resolution ε of a layer", "epsilon_stderr": "standard error of the fitted resolution ε",
    "delta": "fitted noise floor Δ of a layer",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Language:
    """What a language model makes of years.

    Attributes:
        design: what was asked.
        answers: by task.
        cells: by task, `Scores` by D or n, ascending.
        overall: by task, means of what is above chance, P(right) - 1/n.
        law: of identification by n, where there is more than one n: of P(right), "probability", and "argmax".
        slopes: by task, how log-odds follow distance.
        resolutions: by task, families fitted.
        layers: what `measure.embeddings` makes of the states of years, from the embedding to the last layer.
    """

    design: Design
    answers: dict[str, Answers]
    cells: dict[str, dict[int, Scores]]
    overall: dict[str, Scores]
    law: dict[str, Law]
    slopes: dict[str, Slope]
    resolutions: dict[str, list[Resolution]]
    layers: list[Embedded]

    def verdict(self, task: str) -> str:
        """In words: above chance, below it, or not told from it."""
        score = self.overall[task].probability
        if not score.p < _CERTAIN:
            return "not told from chance"
        return f"{'above' if score.mean.value > 0 else 'below'} chance"

    def sentences(self) -> list[str]:
        """What was found in words, a line for each task and each law."""
        lines = []
        for task, slope in self.slopes.items():
            above, places = self.overall[task].probability, slope.places
            lines.append(
                f"{task}: {self.verdict(task)} (P(right) - chance {above.mean:+.4f}, p = {above.p:.2g}); "
                f"resolution {slope.epsilon:.0f} years, slope p = {slope.p:.2g}; "
                f"first place {places.get('first', 0):+.2f}, last {places.get('last', 0):+.2f} nats; "
                f"any of the names: {float(self.answers[task].covered.mean()):.3f}"
                + (f"; {none} names have a probability of 0" if (none := self.answers[task].impossible) else "")
            )
        for name, fit in self.law.items():
            lines.append(
                f"identification by {name}: a = {fit.ball:.3f} in (1 - (1 - a)^n)/(a n), "
                f"{fit.years:.0f} years; chi2 {fit.chi2:.1f} / {fit.degrees}"
            )
        return lines

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON."""
        laws = {f"law_{name}": _plain(fit, "predicted") for name, fit in self.law.items()}
        return {"tasks": list(map(self._task_summary, self.answers)), **laws, "layers": self._layer_rows()}

    def _layer_rows(self) -> list[dict[str, Any]]:
        rows = []
        for k, layer in enumerate(self.layers):
            fit, accuracies = layer.fits[layer.best], {"p_s": layer.p_s._asdict(), "p_i": layer.p_i._asdict()}
            numbers = {"epsilon": fit.epsilon.value, "epsilon_stderr": fit.epsilon.stderr, "delta": fit.delta.value}
            rows.append({"layer": k, **accuracies, "family": layer.best, **numbers, "mean_b": layer.mean_b})
        return rows

    def _task_summary(self, task: str) -> dict[str, Any]:
        answers, slope, overall = self.answers[task], self.slopes[task], self.overall[task]
        return {
            "task": task,
            "prompts": len(answers.weight),
            "groups": slope.groups,
            "p_right": float(answers.probability.mean()),
            "accuracy": float(answers.hit.mean()),
            "chance": float((1 / answers.trials.n).mean()),
            "answered": float(answers.covered.mean()),
            "impossible": answers.impossible,
            "verdict": self.verdict(task),
            "above_chance": overall.probability.summary(),
            "argmax_above_chance": overall.argmax.summary(),
            "slope_per_year": slope.beta.value,
            "slope_stderr": slope.beta.stderr,
            "slope_p": slope.p,
            "epsilon_years": slope.epsilon._asdict(),
            "dispersion": slope.dispersion,
            "place_bias": slope.places,
            "label_bias_sd": float(np.std(list(slope.labels.values()))) if slope.labels else None,
            "cells": [
                {"at": at, "p_right": scores.probability.summary(), "accuracy": scores.argmax.summary()}
                for at, scores in self.cells[task].items()
            ],
            "resolutions": [_plain(row, "probability") for row in self.resolutions[task]],
        }

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each task and cell (distance or number of items): means above chance."""
        cells = [(task, at, scores) for task, named in self.cells.items() for at, scores in named.items()]
        columns: dict[str, Any] = {"task": [task for task, _, _ in cells], "at": [at for _, at, _ in cells]}
        for name in Scores._fields:
            means = [getattr(scores, name) for _, _, scores in cells]
            columns[name] = Quantity(*map(np.array, zip(*(mean.mean for mean in means), strict=True)))
            columns |= {f"{name}_chance": [mean.chance for mean in means], f"{name}_p": [mean.p for mean in means]}
        return frame(columns)

    def dataset(self) -> "xarray.Dataset":
        """Every prompt (dimensions TASK_prompt, TASK_item), means by cell, curves of pairs, families, layers."""
        import xarray

        content: dict[str, Any] = {}
        for task in self.answers:
            content |= self._task_variables(task)
        if "pairs" in self.answers:
            for name, table in curves(self.answers["pairs"], self.slopes["pairs"].probability).items():
                dims, text = _CURVES[name]
                content[f"curve_{name}"] = (dims, table, {"long_name": text})
        for name, fit in self.law.items():
            text = f"{name} of identification by the law of n items"
            content[f"law_{name}_predicted"] = (("identify_cell",), fit.predicted, {"long_name": text})
        if self.layers:
            rows = self._layer_rows()
            for field in ("p_s", "p_i"):
                for part in Quantity._fields:
                    values = [float(row[field][part]) for row in rows]
                    text = f"{part} of {field} of the states of a layer"
                    own = (("layer",), values, {"long_name": text})
                    content[f"layer_{field}" + ("" if part == "value" else f"_{part}")] = own
            families = np.array([row["family"] for row in rows], dtype=object)
            content["layer_family"] = (("layer",), families, {"long_name": "family that fits a layer best"})
            for field, text in _LAYERS.items():
                content[f"layer_{field}"] = (("layer",), [row[field] for row in rows], {"long_name": text})
            years_apart = {"long_name": "years between two years", "units": "years"}
            content["layer_distance"] = (("years_apart",), self.layers[0].profile.distance, years_apart)
            profiles = np.stack([layer.profile.mean for layer in self.layers])
            text = "mean similarity of states, relative to a year's own"
            content["layer_profile"] = (("layer", "years_apart"), profiles, {"long_name": text})
        units = {f"{task}_{name}": unit for task in self.answers for name, unit in _UNITS.items()}
        years = dict.fromkeys(("curve_middle", "curve_half", "layer_epsilon"), "years")
        return labelled(xarray.Dataset(content, {"end": ["value", "low", "high"]}), units | years)

    def _task_variables(self, task: str) -> dict[str, Any]:
        """Variables of `dataset`: prompts, cells and families of one task."""
        answers, trials, rows = self.answers[task], self.answers[task].trials, self.resolutions[task]
        by, at, cell = (f"{task}_prompt",), (f"{task}_prompt", f"{task}_item"), (f"{task}_cell",)
        fitted, model = self.slopes[task].probability, f"{task}_model"
        variables = {
            "name": (at, trials.labels.astype(object), "name, in the order of presentation"),
            "year": (at, trials.year, "year of birth; -1: no such item"),
            "log_p": (at, answers.log_p, "log-probability of the name after the prompt"),
            "probability": (at, answers.weight, "probability among the prompt's names; of generated text, 1 or 0"),
            "probe": (by, trials.probe, "year asked for"),
            "right": (by, trials.right, "place of the right answer, from 0"),
            "n": (by, trials.n, "number of names"),
            "group": (by, trials.group, "prompts that show the same years in other orders"),
            "half": (by, trials.half, "D, half the years between a pair"),
            "offset": (by, trials.offset, "years from the middle of the items to the probe"),
            "at": (cell, list(self.cells[task]), "D, half the years between a pair" if task == "pairs" else "items"),
            "fitted": (at, fitted, "probability by the exponential fit with biases"),
        }
        content: dict[str, Any] = {
            f"{task}_{name}": (dims, values, {"long_name": text}) for name, (dims, values, text) in variables.items()
        }
        for field, what in (("probability", "p_right"), ("argmax", "accuracy")):
            means = [getattr(scores, field).mean for scores in self.cells[task].values()]
            for part, values in zip(Quantity._fields, zip(*means, strict=True), strict=True):
                text = f"{part} of {_SHARES[what]}, by D or n"
                content[f"{task}_cell_{what}_{part}"] = (cell, list(values), {"long_name": text})
        for field in ("epsilon", "delta"):
            values = [[getattr(getattr(row, field), end) for end in ("value", "low", "high")] for row in rows]
            text = f"fitted {'resolution ε' if field == 'epsilon' else 'noise floor Δ'}, and its interval"
            content[f"{task}_{field}"] = ((model, "end"), np.reshape(values, (-1, 3)), {"long_name": text})
        names = [f"{row.family}, biases {row.bias}, delta {row.floor}" for row in rows]
        return content | {model: ((model,), np.array(names, dtype=object), {"long_name": "what was fitted"})}


def _plain(row: Any, without: str) -> dict[str, Any]:
    """Fields of a row for JSON, all but one."""
    fields = {name: value for name, value in row._asdict().items() if name != without}
    return {name: value._asdict() if isinstance(value, Quantity) else value for name, value in fields.items()}


def years(
    backend: "Backend",
    *,
    tasks: Sequence[str] = asking.TASKS,
    prompts: int = 2000,
    counts: Sequence[int] = asking.COUNTS,
    halves: Sequence[int] = asking.HALVES,
    template: str = "chat",
    generate: bool = False,
    key: Any = None,
    batch: int = 64,
    likelihood: bool = True,
    execution: Execution | None = None,
) -> "Language":
    """Ask a language model the year task, and say what its answers and its states of years are worth.

    Of n people with years of birth that a prompt states, who was born closest to a year, or in it? Answers are scored
    by the log-probability of each name after the prompt, and their probabilities among these names are Luce's choice.
    The tasks are those of Nurisso et al., arXiv 2506.14797, Fig. 5b and Fig. 10, balanced: see `semres measure llm`.

    Args:
        backend: `backends.Local`, `backends.Endpoint`, or another of these methods.
        tasks: "pairs" (two people at c ± D and a sweeping probe), "items" (closest of n), "identify" (which of n),
            "layers" (states of years, of a backend with layers).
        prompts: the most there may be.
        counts: n of items and identify.
        halves: D of pairs, in years.
        template: chat, paper, question, completion or examples: how it is put.
        generate: take the first name in what the model writes, instead.
        key: JAX random key, of all random numbers; `jax.random.key(0)` if not given.
        batch: prompts at once.
        likelihood: fit families of similarities by `measure.choices` too.
        execution: its `progress` is told, its `saved`, which must be open, keeps answers.

    Raises:
        ValueError: unknown task or template, too few prompts, names of one length that there aren't.

    Example:
        >>> from semres_jax import measure
        >>> measure.years(None, tasks=["months"])
        Traceback (most recent call last):
        ValueError: task must be one of pairs, items, identify, layers; got 'months'
    """
    plan = asking.design(
        backend, tasks=tasks, prompts=prompts, counts=counts, halves=halves, template=template, key=key
    )
    answers, states = asking.ask(backend, plan, generate=generate, batch=batch, execution=execution)
    return analyse(plan, answers, states, likelihood=likelihood, execution=execution)


def analyse(
    design: Design, answers: dict[str, Answers], states: np.ndarray | None, *, likelihood: bool = True,
    execution: Execution | None = None,
) -> Language:  # fmt: skip
    """Everything that `Language` has, of answers and states as `asking.ask` gives them.

    Args:
        design: what was asked.
        answers: by task.
        states: (layers, years, D), or None.
        likelihood: fit families by `measure.choices` too.
        execution: its `progress` is told.
    """
    execution = execution or Execution()
    planned = 2 * len(answers) + (0 if states is None else len(states))
    cells, overall, slopes, resolutions = {}, {}, {}, {}
    for task, answer in answers.items():
        trials, values = answer.trials, (answer.probability, answer.hit)
        cells[task] = _cells(trials.half if task == "pairs" else trials.n, answer)
        overall[task] = Scores(*(excess(value - 1 / trials.n, trials.group) for value in values))
        slopes[task] = fits.slope(answer)
        execution.tell(f"slope of {task}", 2 * len(slopes) - 1, planned)
        resolutions[task] = fits.resolutions(answer, slopes[task]) if likelihood else []
        execution.tell(f"resolution by {task}", 2 * len(slopes), planned)
    identify, laws, layers = cells.get("identify", {}), {}, []
    if len(identify) > 1:
        for name, scores in zip(Scores._fields, zip(*identify.values(), strict=True), strict=True):
            laws[name] = law(list(identify), scores, YEARS[1] - YEARS[0])
    if states is not None:
        from semres_jax.measure.embeddings.position import embeddings

        assert design.years is not None
        apart = np.abs(design.years[:, None] - design.years[None]).astype(np.float64)
        for k, points in enumerate(np.asarray(states, np.float64)):
            own = points - points.mean(0)  # what all years share says nothing of any
            layers.append(embeddings(own, apart, similarity="cosine", optimal="none", bootstrap=200))
            execution.tell(f"states of layer {k}", 2 * len(answers) + k + 1, planned)
    return Language(design, answers, cells, overall, laws, slopes, resolutions, layers)


def _cells(by: np.ndarray, answers: Answers) -> dict[int, Scores]:
    """Scores of the prompts of each D, or n."""
    trials, scores = answers.trials, {}
    for at in np.unique(by).tolist():
        here = by == at
        values, chance = (answers.probability[here], answers.hit[here]), 1 / int(trials.n[here][0])
        scores[at] = Scores(*(mean_of(value, trials.group[here], chance) for value in values))
    return scores


def curves(answers: Answers, fitted: np.ndarray) -> dict[str, np.ndarray]:
    """P(later of a pair) against the probe's offset from the middle: rows D, columns cells of `CELL` years.

    `middle` (cells), `half` (rows), and `seen`, `stderr`, `fitted` (rows, cells), NaN where nothing was asked.
    """
    trials, cell = answers.trials, answers.trials.offset_cell
    halves, places = np.unique(trials.half), np.arange(cell.min(), cell.max() + 1)
    seen, model = later(answers), later(answers._replace(weight=fitted))
    tables = np.full((3, len(halves), len(places)), np.nan)
    for i, half in enumerate(halves):
        for j, place in enumerate(places):
            here = (trials.half == half) & (cell == place)
            if here.any():
                mean = mean_of(seen[here], trials.group[here]).mean
                tables[:, i, j] = mean.value, mean.stderr, model[here].mean()
    names = ("seen", "stderr", "fitted")
    return {"middle": (places + 0.5) * CELL, "half": halves, **dict(zip(names, tables, strict=True))}
