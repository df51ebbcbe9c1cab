"""What a language model's answers to the year task say: accuracies, law, resolution, states by depth; one result."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.measure.embeddings.result import Embedded
from semres_jax.measure.language import asking, fits
from semres_jax.measure.language.asking import Design
from semres_jax.measure.language.fits import Resolution, Slope
from semres_jax.measure.language.scoring import LEVEL, Answers, Law, Mean, later, law, mean_of
from semres_jax.measure.language.year_task import YEARS

if TYPE_CHECKING:
    import xarray

# Cells of a pair's sweep, in years.
WIDTH = 100
# Differences from chance that are rarer by chance than this are called that; there are several tasks.
_CERTAIN = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class Language:
    """What a language model makes of years.

    Attributes:
        design: what was asked.
        answers: by task.
        cells: by task, (D or n, `Mean` of P(right), `Mean` of how often the likeliest name is right), ascending.
        overall: by task, means of what is above chance, P(right) - 1/n.
        law: of identification by n, where there is more than one n; and that of the likeliest names.
        slopes: by task, how log-odds follow distance.
        resolutions: by task, families fitted.
        layers: what `measure.embeddings` makes of the states of years, from the embedding to the last layer.
    """

    design: Design
    answers: dict[str, Answers]
    cells: dict[str, list[tuple[int, Mean, Mean]]]
    overall: dict[str, tuple[Mean, Mean]]
    law: dict[str, Law]
    slopes: dict[str, Slope]
    resolutions: dict[str, list[Resolution]]
    layers: list[Embedded]

    def verdict(self, task: str) -> str:
        """In words: above chance, below it, or not told from it."""
        mean = self.overall[task][0]
        if not mean.p < _CERTAIN:
            return "not told from chance"
        return f"{'above' if mean.value > 0 else 'below'} chance"

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON."""
        tasks = []
        for task, answers in self.answers.items():
            slope = self.slopes[task]
            epsilon = dict(zip(("value", "low", "high"), slope.epsilon, strict=True))
            row: dict[str, Any] = {
                "task": task,
                "prompts": len(answers.weight),
                "groups": slope.groups,
                "p_right": float(answers.probability.mean()),
                "accuracy": float(answers.hit.mean()),
                "chance": float((1 / answers.trials.n).mean()),
                "answered": float(answers.covered.mean()),
                "verdict": self.verdict(task),
                "above_chance": self.overall[task][0]._asdict(),
                "argmax_above_chance": self.overall[task][1]._asdict(),
                "slope_per_year": slope.value,
                "slope_stderr": slope.stderr,
                "slope_p": slope.p,
                "epsilon_years": epsilon,
                "dispersion": slope.dispersion,
                "place_bias": slope.places,
                "label_bias_sd": float(np.std(list(slope.labels.values()))) if slope.labels else None,
                "cells": [
                    {"at": at, "p_right": mean._asdict(), "accuracy": hit._asdict()}
                    for at, mean, hit in self.cells[task]
                ],
                "resolutions": [
                    {k: v for k, v in one._asdict().items() if k != "probability"} for one in self.resolutions[task]
                ],
            }
            tasks.append(row)
        found: dict[str, Any] = {"tasks": tasks}
        for name, one in self.law.items():
            found[f"law_{name}"] = {k: v for k, v in one._asdict().items() if k != "predicted"}
        found["layers"] = [
            {
                "layer": k,
                "p_s": one.p_s._asdict(),
                "p_i": one.p_i._asdict(),
                "family": one.best,
                "epsilon": one.fits[one.best].epsilon.value,
                "epsilon_stderr": one.fits[one.best].epsilon.stderr,
                "delta": one.fits[one.best].delta.value,
                "mean_b": one.mean_b,
            }
            for k, one in enumerate(self.layers)
        ]
        return found

    def dataset(self) -> "xarray.Dataset":
        """Every prompt (dimensions TASK_prompt, TASK_item), means by cell, curves of pairs, families, layers."""
        import xarray

        content: dict[str, Any] = {}
        for task, answers in self.answers.items():
            trials, by, at = answers.trials, (f"{task}_prompt",), (f"{task}_prompt", f"{task}_item")
            put = {
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
            }
            for name, (dims, values, told) in put.items():
                content[f"{task}_{name}"] = (dims, values, {"long_name": told})
            cells = self.cells[task]
            content[f"{task}_at"] = ((f"{task}_cell",), [cell[0] for cell in cells], {"long_name": "D, or n"})
            for k, what in ((1, "p_right"), (2, "accuracy")):
                for field in ("value", "stderr", "low", "high"):
                    values = [getattr(cell[k], field) for cell in cells]
                    content[f"{task}_cell_{what}_{field}"] = ((f"{task}_cell",), values)
            for field in ("epsilon", "delta"):
                values = [getattr(one, field) for one in self.resolutions[task]]
                content[f"{task}_{field}"] = ((f"{task}_model", "end"), np.reshape(values, (-1, 3)))
            names = [f"{one.family}, biases {one.bias}, delta {one.floor}" for one in self.resolutions[task]]
            content[f"{task}_model"] = ((f"{task}_model",), np.array(names, dtype=object))
            fitted = self.slopes[task].probability
            content[f"{task}_fitted"] = (at, fitted, {"long_name": "probability by the exponential fit with biases"})
        if "pairs" in self.answers:
            for name, table in curves(self.answers["pairs"], self.slopes["pairs"].probability).items():
                dims = {1: ("offset_cell",), 2: ("curve", "offset_cell")}
                content[f"curve_{name}"] = (dims[table.ndim] if name != "half" else ("curve",), table)
        for name, one in self.law.items():
            content[f"law_{name}_predicted"] = (("identify_cell",), one.predicted)
        if self.layers:
            for field in ("p_s", "p_i"):
                for part in ("value", "stderr", "low", "high"):
                    values = [float(getattr(getattr(one, field), part)) for one in self.layers]
                    content[f"layer_{field}" + ("" if part == "value" else f"_{part}")] = (("layer",), values)
            best = [one.fits[one.best] for one in self.layers]
            content["layer_family"] = (("layer",), np.array([one.best for one in self.layers], dtype=object))
            content["layer_epsilon"] = (("layer",), [fit.epsilon.value for fit in best])
            content["layer_epsilon_stderr"] = (("layer",), [fit.epsilon.stderr for fit in best])
            content["layer_delta"] = (("layer",), [fit.delta.value for fit in best])
            content["layer_distance"] = (("years_apart",), self.layers[0].profile.distance, {"units": "years"})
            content["layer_profile"] = (("layer", "years_apart"), np.stack([one.profile.mean for one in self.layers]))
        return xarray.Dataset(content, {"end": ["value", "low", "high"]})


def years(
    backend: Any,
    *,
    tasks: Sequence[str] = asking.TASKS,
    prompts: int = 2000,
    counts: Sequence[int] = asking.COUNTS,
    halves: Sequence[int] = asking.HALVES,
    template: str = "chat",
    generate: bool = False,
    seed: int = 0,
    batch: int = 64,
    likelihood: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> "Language":
    """Ask a language model the year task, and say what its answers and its states of years are worth.

    Of n people with years of birth that a prompt states, who was born closest to a year, or in it? Answers are scored
    by the log-probability of each name after the prompt, and their probabilities among these names are Luce's choice.
    The tasks are those of Nurisso et al., arXiv 2506.14797, Fig. 5b and Fig. 10, balanced: see `semres measure llm`.

    Args:
        backend: `backends.Local`, `backends.Endpoint`, or another of these methods.
        tasks: "pairs" (two people at c ± D and a sweeping probe), "items" (closest of n), "identify" (which of n),
            "layers" (states of years, of a backend with `hidden`).
        prompts: the most there may be.
        counts: n of items and identify.
        halves: D of pairs, in years.
        template: chat, paper, question, completion or examples: how it is put.
        generate: take the first name in what the model writes, instead.
        seed: of all random numbers.
        batch: prompts at once.
        likelihood: fit families of similarities by `measure.choices` too.
        progress: called with (what, done, planned).

    Raises:
        ValueError: unknown task or template, too few prompts, names of one length that there aren't.

    Example:
        >>> from semres_jax import measure
        >>> measure.years(None, tasks=["months"])
        Traceback (most recent call last):
        ValueError: task must be one of pairs, items, identify, layers; got 'months'
    """
    asked = asking.design(
        backend, tasks=tasks, prompts=prompts, counts=counts, halves=halves, template=template, seed=seed
    )
    answers, states = asking.ask(backend, asked, generate=generate, batch=batch, progress=progress)
    return analyse(asked, answers, states, likelihood=likelihood, progress=progress)


def analyse(
    design: Design,
    answers: dict[str, Answers],
    states: np.ndarray | None,
    *,
    likelihood: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Language:
    """Everything that `Language` has, of answers and states as `asking.ask` gives them.

    Args:
        likelihood: fit families by `measure.choices` too.
        progress: called with (what, done, planned).
    """
    done, planned = 0, 2 * len(answers) + (0 if states is None else len(states))

    def tell(what: str) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(what, done, planned)

    cells, overall, slopes, resolutions = {}, {}, {}, {}
    for task, one in answers.items():
        trials = one.trials
        by = trials.half if task == "pairs" else trials.n
        cells[task] = [
            (int(at), *(mean_of(x[by == at], trials.group[by == at], 1 / int(trials.n[by == at][0]))
                        for x in (one.probability, one.hit)))
            for at in np.unique(by)
        ]  # fmt: skip
        above = [x - 1 / trials.n for x in (one.probability, one.hit)]
        overall[task] = (excess(above[0], trials.group), excess(above[1], trials.group))
        slopes[task] = fits.slope(one)
        tell(f"slope of {task}")
        resolutions[task] = fits.resolutions(one, slopes[task]) if likelihood else []
        tell(f"resolution by {task}")
    laws = {}
    if len(cells.get("identify", ())) > 1:
        counts = [cell[0] for cell in cells["identify"]]
        for k, name in ((1, "probability"), (2, "argmax")):
            laws[name] = law(counts, [cell[k] for cell in cells["identify"]], YEARS[1] - YEARS[0])
    layers = []
    if states is not None:
        from semres_jax.measure.embeddings.position import embeddings

        assert design.years is not None
        apart = np.abs(design.years[:, None] - design.years[None]).astype(np.float64)
        for k, points in enumerate(np.asarray(states, np.float64)):
            # What all years share says nothing of any.
            layers.append(
                embeddings(points - points.mean(0), apart, similarity="cosine", optimal="none", bootstrap=200)
            )
            tell(f"states of layer {k}")
    return Language(design, answers, cells, overall, laws, slopes, resolutions, layers)


def excess(values: np.ndarray, group: np.ndarray) -> Mean:
    """Mean of differences from chance, with a t-interval, from how groups vary."""
    from scipy import special  # scipy comes with jax; 0.1 s to import

    names, where = np.unique(group, return_inverse=True)
    each = np.bincount(where, values) / np.bincount(where)
    many, value = len(names), float(each.mean())
    if many < 2:
        return Mean(value, math.nan, math.nan, math.nan, 0.0, math.nan, many)
    stderr = float(each.std(ddof=1) / math.sqrt(many))
    half = float(special.stdtrit(many - 1, (1 + LEVEL) / 2)) * stderr
    p = 2 * float(special.stdtr(many - 1, -abs(value) / stderr)) if stderr > 0 else float(value == 0)
    return Mean(value, stderr, value - half, value + half, 0.0, p, many)


def curves(answers: Answers, fitted: np.ndarray) -> dict[str, np.ndarray]:
    """P(later of a pair) against the probe's offset from the middle: rows D, columns cells of `WIDTH` years.

    `middle` (cells), `half` (rows), and `seen`, `stderr`, `fitted` (rows, cells), NaN where nothing was asked.
    """
    trials = answers.trials
    cell = np.floor(trials.offset / WIDTH).astype(int)
    halves, places = np.unique(trials.half), np.arange(cell.min(), cell.max() + 1)
    seen, model = later(answers), later(answers._replace(weight=fitted))
    tables = np.full((3, len(halves), len(places)), np.nan)
    for i, half in enumerate(halves):
        for j, place in enumerate(places):
            here = (trials.half == half) & (cell == place)
            if here.any():
                mean = mean_of(seen[here], trials.group[here])
                tables[:, i, j] = mean.value, mean.stderr, model[here].mean()
    return {
        "middle": (places + 0.5) * WIDTH,
        "half": halves,
        "seen": tables[0],
        "stderr": tables[1],
        "fitted": tables[2],
    }
