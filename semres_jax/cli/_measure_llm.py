"""`semres measure llm`: the year task of a language model, and the states of its years."""

import contextlib
import dataclasses
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from semres_jax._files import shown
from semres_jax.cli._common import (
    COMMAND_LINE,
    UNTIL_THE_END,
    BadInput,
    Counts,
    Force,
    Report,
    Whole,
    _list_of,
    _option,
    checking_input,
    going_on,
    print_cells,
    progress_bar,
    warnings_as_lines,
)

if TYPE_CHECKING:
    from semres_jax.measure.language.analysis import Language
    from semres_jax.measure.language.backends import Backend
    from semres_jax.storage.resume import Saved

_TEMPLATE = Literal["chat", "paper", "question", "completion", "examples"]
_STATE = "measure.state"
_TASKS = ("pairs", "items", "identify", "layers")


@dataclasses.dataclass(frozen=True)
class MeasureLlm:
    """Ask a language model who was born closest to a year, or in it: accuracies, n curves, its resolution in years.

    Names are scored by their log-probabilities after the prompt; every pair is shown in both orders with both names.
    Writes measure.nc, measure.json, figures, and measure.state from which --resume goes on: it asks only what was not
    answered yet.

    Example: semres measure llm --model smollm2 --task pairs,items --prompts 500
    """

    model: Annotated[str | None, tyro.conf.arg(metavar="FILE.gguf|FOLDER|smollm2")] = None
    """A GGUF file, a folder as Hugging Face has it, or a model that scripts/fetch_assets fetched."""
    endpoint: Annotated[str | None, tyro.conf.arg(metavar="URL")] = None
    """A server of OpenAI's completions with log-probabilities, such as http://127.0.0.1:8080, is asked instead: vLLM,
    SGLang, llama.cpp's, llama-cpp-python's. Its key is taken from the environment variable SEMRES_API_KEY, or else
    OPENAI_API_KEY, and is written nowhere."""
    served: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: the first it lists)")] = (
        None
    )
    """The model's name on the server."""
    task: Annotated[tuple[str, ...], _option(_list_of(str.strip), "TASK,TASK,...")] = _TASKS
    """What is asked: pairs (two people born D years before and after a middle, a probe that sweeps), items (closest of
    n), identify (which of n), layers (states of years; not by an endpoint)."""
    prompts: Whole = 2000
    """The most prompts there may be: 4 parts pairs, 2 items, 2 identify, 2 layers, of the tasks that are asked for."""
    n: Counts = (2, 4, 8, 16, 32)
    """Numbers of people, of items and identify."""
    offsets: Counts = (2, 5, 20, 50, 100, 200)
    """D of pairs, in years: half the distance between two people."""
    template: _TEMPLATE = "chat"
    """How it is put. chat has the paper's words in the model's chat template, paper has them as plain text; question,
    completion and examples are other plain texts, the last with four solved ones before."""
    generate: bool = False
    """Let the model write, and take the first of the names it writes; other answers are none."""
    no_likelihood: bool = False
    """Leave out families of similarities fitted by likelihood, the slowest part of what follows the prompts."""
    seed: int = 0
    """Seed of all random numbers."""
    batch: Whole = 64
    """Prompts that are asked at once, and kept together; answers of a server are kept one by one."""
    resume: bool = False
    """Go on from what is in --out, to the same numbers as if the run had never been stopped."""
    out: Path = Path("results/measure/llm")
    """Folder for the results; made if missing."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Ask, fit, print, write."""
        with checking_input(), warnings_as_lines():
            import jax

            from semres_jax import plots
            from semres_jax.execution import Execution
            from semres_jax.measure.language import analysis, asking

            backend = self._backend()
            tasks = self.task if backend.depth or self.task != _TASKS else _TASKS[:-1]
            if self.seed < 0:
                raise ValueError(f"--seed must be at least 0; got {self.seed}")
            plan = asking.design(
                backend, tasks=tasks, prompts=self.prompts, counts=self.n or (), halves=self.offsets or (),
                template=self.template, key=jax.random.key(self.seed), names=self._names_there(),
            )  # fmt: skip
            title = "the year task of a language model"
            about = {"model": backend.name, "template": self.template, "generate": int(self.generate)}
            report = Report(
                "measure llm", self.out, "measure", title=title, seed=self.seed, force=self.force,
                goes_on_from=_STATE * self.resume, **about,
            )  # fmt: skip
            saved = going_on(report.folder / _STATE, resume=self.resume, results=lambda table: None)
        settings = {
            "model": backend.name, "tasks": tasks, "prompts": self.prompts, "n": self.n, "offsets": self.offsets,
            "template": self.template, "generate": self.generate, "seed": self.seed, "batch": self.batch,
            "names": plan.names,
        }  # fmt: skip
        with checking_input(saved), saved, progress_bar() as progress:
            saved.open(settings)
            execution = Execution(progress=progress, saved=saved)
            _keep_server(saved, getattr(backend, "url", None), plan.names)
            with checking_answers():
                answers, states = asking.ask(
                    backend, plan, generate=self.generate, batch=self.batch, execution=execution
                )
            asking_took = round(saved.seconds, 3)
            result = analysis.analyse(plan, answers, states, likelihood=not self.no_likelihood, execution=execution)
        table, took = result.dataset(), {"seconds_asking": asking_took, "seconds": round(saved.seconds, 3)}
        report.write(table, {"prompts": plan.prompts, "names": plan.names} | result.summary(), **took)
        saved.complete()
        print_result(result)
        return report.end(plots.save_measure_llm(table, report.folder), as_json=self.json)

    def _backend(self) -> "Backend":
        """What is asked, closed when the command ends; what its URL has of secrets leaves the command line."""
        from semres_jax.measure import backends

        more = {} if self.served is None else {"served": self.served}
        try:
            backend = backends.open_backend(self.model, self.endpoint, **more)
        except ImportError as error:
            raise ValueError(str(error)) from None
        until, url = UNTIL_THE_END.get(), getattr(backend, "url", None)
        if until is not None:
            until.callback(backend.close)
        if url is not None and self.endpoint:
            words = (word.replace(self.endpoint, url) for word in shlex.split(COMMAND_LINE.get()))
            COMMAND_LINE.set(shlex.join(words))
        return backend

    def _names_there(self) -> "list[str] | None":
        """The names that an earlier run took, whose lengths are not asked again."""
        from semres_jax.storage.resume import Saved

        if not (self.resume and (self.out / _STATE).is_file()):
            return None
        with Saved(self.out / _STATE, resume=True) as saved:
            there = saved.finished("names")
        return None if there is None else there["names"].tolist()


@contextlib.contextmanager
def checking_answers() -> Iterator[None]:
    """While a model is asked: what it, or its server, doesn't do is `BadInput`; what it did is kept."""
    try:
        yield
    except (ConnectionError, ValueError) as error:
        kept = "; what was answered is kept, --resume goes on" if isinstance(error, ConnectionError) else ""
        raise BadInput(" ".join(f"{error}{kept}".split())) from error


def _keep_server(saved: "Saved", url: str | None, names: tuple[str, ...]) -> None:
    """Keep which names are used and where the server is; say it where it has moved."""
    import numpy as np

    there = saved.finished("server")
    if there is not None and url not in (None, there["url"].item()):
        print(f"semres: the server is at {url}; it was at {there['url'].item()} before", file=sys.stderr)
    if url is not None:
        saved.finish("server", {"url": np.array(url)})
    saved.finish("names", {"names": np.array(names)})


def print_result(result: "Language") -> None:
    """Accuracies, resolutions and states of layers on standard output."""
    rows = [
        (task, f"{'D' if task == 'pairs' else 'n'} = {at}", str(right.groups), f"{right.mean:.3f}",
         f"{likeliest.mean:.3f}", f"{right.chance:.3f}", f"{right.p:.2g}")
        for task, cells in result.cells.items() for at, (right, likeliest) in cells.items()
    ]  # fmt: skip
    heads = ("task", "at", "groups", "P(right) [95 %]", "likeliest right [95 %]", "chance", "p")
    if rows:
        print_cells(heads, rows, left=("task",))
    for sentence in result.sentences():
        print(shown(sentence, 2000))
    rows = [
        (task, row.family, row.bias, f"{row.epsilon:.0f}", f"{row.delta.value:.3g}", f"{row.quasi_aic:.1f}",
         f"{row.mcfadden_r2:.4f}", f"{row.chi2:.1f} / {row.degrees}")
        for task, families in result.resolutions.items() for row in families
    ]  # fmt: skip
    heads = ("task", "family", "biases", "epsilon (years)", "delta", "quasi-AIC", "McFadden R2", "chi2 / cells")
    if rows:
        print_cells(heads, rows, left=("task",))
    last, rows = len(result.layers) - 1, []
    for k, layer in enumerate(result.layers):
        if k % 5 == 0 or k == last:
            accuracies = (f"{number.value:.4f} ± {number.stderr:.4f}" for number in (layer.p_s, layer.p_i))
            fit = layer.fits[layer.best]
            rows.append((str(k), *accuracies, layer.best, f"{fit.epsilon:.1f}", f"{fit.delta.value:.3f}"))
    if rows:
        print_cells(("layer", "p_S", "p_I", "family", "epsilon (years)", "delta"), rows, left=("task",))
    if rows:
        print("layers: states of the year's last digit, less their mean over years, by cosine; 0 is the embedding")
