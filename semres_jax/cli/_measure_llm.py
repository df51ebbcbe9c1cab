"""`semres measure llm`: the year task of a language model, and the states of its years."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax.cli._common import (
    COMMAND_LINE,
    BadInput,
    Counts,
    Whole,
    _list_of,
    _option,
    checking_input,
    finish,
    going_on,
    output_folder,
    progress_bar,
)

if TYPE_CHECKING:
    from semres_jax.measure.language.analysis import Language

_WIDE = 200
_TEMPLATE = Literal["chat", "paper", "question", "completion", "examples"]
_TASKS = ("pairs", "items", "identify", "layers")


@dataclasses.dataclass(frozen=True)
class MeasureLlm:
    """Ask a language model who was born closest to a year, or in it: accuracies, n curves, its resolution in years.

    Names are scored by their log-probabilities after the prompt; every pair is shown in both orders with both names.
    Writes measure.nc, measure.json, figures, and measure.state from which --resume goes on.
    """

    model: Annotated[str | None, tyro.conf.arg(metavar="FILE.gguf|FOLDER|smollm2")] = None
    """A GGUF file, a folder as Hugging Face has it, or a model that scripts/fetch_assets fetched."""
    endpoint: Annotated[str | None, tyro.conf.arg(metavar="URL")] = None
    """Instead, a server of OpenAI's completions with log-probabilities, such as http://127.0.0.1:8080."""
    task: Annotated[tuple[str, ...], _option(_list_of(str.strip), "TASK,TASK,...")] = _TASKS
    """pairs (two people born D years before and after a middle, a probe that sweeps), items (closest of n), identify
    (which of n), layers (states of years; not by an endpoint)."""
    prompts: Whole = 2000
    """The most prompts: 4 parts pairs, 2 items, 2 identify, 2 layers, of the tasks that are asked for."""
    n: Counts = (2, 4, 8, 16, 32)
    """Numbers of people, of items and identify."""
    offsets: Counts = (2, 5, 20, 50, 100, 200)
    """D of pairs, in years: half the distance between two people."""
    template: _TEMPLATE = "chat"
    """chat: the paper's words in the model's chat template. paper: as plain text. question, completion, examples: other
    plain texts, the last with four solved ones before."""
    generate: bool = False
    """Let the model write, and take the first of the names it writes; other answers are none."""
    no_likelihood: bool = False
    """Leave out families of similarities fitted by likelihood, the slowest part of what follows the prompts."""
    seed: int = 0
    """Seed of all random numbers."""
    batch: Whole = 64
    """Prompts that are asked at once, and kept together."""
    resume: bool = False
    """Go on from what is in --out, to the same numbers as if the run had never been stopped."""
    out: Path = Path("results/measure")
    """Folder for the results; made if missing."""
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Ask, fit, print, write."""
        with checking_input():
            from semres_jax import plots
            from semres_jax.measure import backends
            from semres_jax.measure.language import analysis, asking
            from semres_jax.storage import results

            try:
                backend = backends.open_backend(self.model, self.endpoint)
            except ImportError as error:
                raise ValueError(str(error)) from None
            tasks = tuple(self.task)
            if self.endpoint is not None and tasks == _TASKS:
                tasks = _TASKS[:-1]
            elif self.endpoint is not None and "layers" in tasks:
                raise ValueError("a server tells no states of its layers; leave layers out of --task")
            if self.seed < 0:
                raise ValueError(f"--seed must be at least 0; got {self.seed}")
            asked = asking.design(
                backend, tasks=tasks, prompts=self.prompts, counts=self.n or (), halves=self.offsets or (),
                template=self.template, seed=self.seed,
            )  # fmt: skip
            folder = output_folder(self.out)
            saved = going_on(folder / "measure.state", resume=self.resume, results=lambda table: None)
            attributes = results.provenance(seed=self.seed, command=COMMAND_LINE.get())
            attributes |= {"title": "the year task of a language model", "model": backend.name}
            attributes |= {"template": self.template, "generate": int(self.generate)}
        settings = {
            "model": backend.name, "tasks": tasks, "prompts": self.prompts, "n": self.n, "offsets": self.offsets,
            "template": self.template, "generate": self.generate, "seed": self.seed, "batch": self.batch,
            "names": asked.names,
        }  # fmt: skip
        try:
            with saved, progress_bar() as progress:
                saved.open(settings)
                answers, states = asking.ask(
                    backend, asked, generate=self.generate, batch=self.batch, saved=saved, progress=progress
                )
                attributes["seconds_asking"] = round(saved.seconds, 3)
                found = analysis.analyse(asked, answers, states, likelihood=not self.no_likelihood, progress=progress)
        except (ValueError, ConnectionError) as error:
            if saved.opened and not isinstance(error, ConnectionError):  # everything else is checked before
                raise
            raise BadInput(" ".join(str(error).split())) from error
        attributes["seconds"] = round(saved.seconds, 3)
        table = found.dataset().assign_attrs(attributes)
        results.write(table, folder / "measure.nc")
        content = attributes | {"prompts": asked.prompts, "names": asked.names} | found.summary()
        results.write_json(content, folder / "measure.json")
        saved.complete()
        print_table(found)
        pictures = plots.save_measure_llm(table, folder)
        return finish("measure llm", folder, "measure", content, pictures, as_json=self.json)


def print_table(found: "Language") -> None:
    """Accuracies, resolutions and states of layers on standard output."""
    from rich.console import Console
    from rich.table import Table

    console = Console() if Console().is_terminal else Console(width=_WIDE)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("task", "at", "groups", "P(right)", "95 %", "likeliest right", "95 %", "chance", "p"):
        shown.add_column(head, justify="left" if head == "task" else "right", no_wrap=True)
    for task, cells in found.cells.items():
        for k, (at, mean, hit) in enumerate(cells):
            what = f"{'D' if task == 'pairs' else 'n'} = {at}"
            numbers = [str(mean.groups), f"{mean.value:.3f}", _interval(mean), f"{hit.value:.3f}", _interval(hit)]
            shown.add_row(task if k == 0 else "", what, *numbers, f"{mean.chance:.3f}", f"{mean.p:.2g}")
    if found.cells:
        console.print(shown)
    for task, slope in found.slopes.items():
        above = found.overall[task][0]
        years = " to ".join(_years(x) for x in slope.epsilon[1:])
        ends = f"{above.low:+.4f} to {above.high:+.4f}"
        console.print(
            f"{task}: {found.verdict(task)} (P(right) - chance {above.value:+.4f}, {ends}"
            f", p = {above.p:.2g}); resolution {_years(slope.epsilon[0])} years ({years}), slope p = {slope.p:.2g}; "
            f"first place {slope.places.get('first', 0):+.2f}, last {slope.places.get('last', 0):+.2f} nats; "
            f"any of the names: {float(found.answers[task].covered.mean()):.3f}",
            highlight=False,
        )  # fmt: skip
    for name, law in found.law.items():
        console.print(
            f"identification by {name}: a = {law.ball:.3f} ({law.low:.3f} to {law.high:.3f}) in (1 - (1 - a)^n)/(a n),"
            f" {law.years:.0f} years ({law.years_low:.0f} to {law.years_high:.0f}); "
            f"chi2 {law.chi2:.1f} / {law.degrees}",
            highlight=False,
        )  # fmt: skip
    _print_families(console, found)
    _print_layers(console, found)


def _print_families(console: Any, found: "Language") -> None:
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for head in (
        "task",
        "family",
        "biases",
        "epsilon (years)",
        "95 %",
        "delta",
        "quasi-AIC",
        "McFadden R2",
        "chi2 / cells",
    ):
        shown.add_column(head, justify="right", no_wrap=True)
    for task, rows in found.resolutions.items():
        for one in rows:
            ends = f"{_years(one.epsilon[1])} to {_years(one.epsilon[2])}" if one.epsilon[1] == one.epsilon[1] else "–"
            shown.add_row(
                task, one.family, one.bias, _years(one.epsilon[0]), ends, f"{one.delta[0]:.3g}", f"{one.quasi_aic:.1f}",
                f"{one.mcfadden_r2:.4f}", f"{one.chi2:.1f} / {one.degrees}",
            )  # fmt: skip
    if shown.row_count:
        console.print(shown)


def _print_layers(console: Any, found: "Language") -> None:
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("layer", "p_S", "p_I", "family", "epsilon (years)", "delta"):
        shown.add_column(head, justify="right", no_wrap=True)
    last = len(found.layers) - 1
    for k, one in enumerate(found.layers):
        if k % 5 and k != last:
            continue
        fit = one.fits[one.best]
        both = [f"{x.value:.4f} ± {x.stderr:.4f}" for x in (one.p_s, one.p_i)]
        shown.add_row(str(k), *both, one.best, f"{fit.epsilon:.1f}", f"{fit.delta.value:.3f}")
    if shown.row_count:
        console.print(shown)
        print("layers: states of the year's last digit, less their mean over years, by cosine; 0 is the embedding")


def _interval(mean: Any) -> str:
    return f"{mean.low:.3f} to {mean.high:.3f}"


def _years(value: float) -> str:
    return "infinite" if value == float("inf") else f"{value:.0f}" if value == value else "–"
