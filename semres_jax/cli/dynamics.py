"""`semres dynamics`: the residual stream of a language model as a dynamical system, beside its resolution by depth."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax._files import shown
from semres_jax.cli._common import (
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
    require_seed,
    warnings_as_lines,
)

if TYPE_CHECKING:
    from semres_jax.experiments.dynamics import Claim

_STATE = "dynamics.state"
_Model = tyro.conf.arg(metavar="smollm2|FILE.gguf|FOLDER|random")


@dataclasses.dataclass(frozen=True)
class Dynamics:
    """Study the residual stream of a language model along depth: what two papers claim of it, beside controls.

    States of texts' last tokens: continuity, speed, density, rotations, paths, returns after a push; Jacobians of
    layers and their products; resolution by depth. Writes dynamics.nc, dynamics.json with a row for each claim,
    figures, and dynamics.state from which --resume goes on.

    Example: semres dynamics --model smollm2 --samples 64 --jacobian-samples 1
    """

    model: Annotated[str, _Model] = "smollm2"
    """A model that scripts/fetch_assets fetched, a GGUF file, or a folder as Hugging Face has it; random is a small
    network with random weights that reads bytes, to try things."""
    endpoint: Annotated[str | None, tyro.conf.arg(metavar="URL", help_behavior_hint="(refused)")] = None
    """A server, as semres measure llm asks it, tells no states of its layers: give a file or a folder as --model."""
    against: Annotated[str | None, tyro.conf.arg(metavar="MODEL", help_behavior_hint="(default: none)")] = None
    """A second model to compare with, in the same files and figures."""
    texts: Annotated[Path | None, tyro.conf.arg(help_behavior_hint="(default: 512 passages of Jane Austen's)")] = None
    """A text file with a passage on each line; those of fewer tokens are left out."""
    tokens: Whole = 64
    """Of each text so many first tokens are read, and the last of these is looked at."""
    samples: Annotated[Whole | None, tyro.conf.arg(help_behavior_hint="(default: 512, or all there are)")] = None
    """So many texts."""
    jacobian_samples: Whole = 4
    """Jacobians are taken at so many of these texts; 0 leaves them out."""
    control: Annotated[tuple[str, ...], _option(_list_of(str.strip), "NAME,NAME,...|none")] = ("init", "shuffled")
    """Networks to compare with: init (all matrices random), shuffled (the entries of each permuted)."""
    part: Literal["layer", "attention", "mlp"] = "layer"
    """Of what Jacobians are: whole layers, or their halves (which have no products)."""
    context: Literal["full", "alone"] = "full"
    """Whether Jacobians are of a token that sees the text before it, or itself alone."""
    layers: Annotated[Counts, tyro.conf.arg(help_behavior_hint="(default: all)")] = None
    """Jacobians are of these layers, from 0; products need all."""
    years: Whole = 100
    """So many years are the stimuli of the resolution by depth; 0 leaves it out."""
    seed: int = 0
    """Seed of all random numbers but those of controls."""
    resume: bool = False
    """Go on from what is in --out, to the same numbers as if the run had never been stopped."""
    out: Path = Path("results/dynamics")
    """Folder for the results; made if missing."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Plan, compute, print, write."""
        # Two threads of BLAS that spin beside other processes take ten times as long over matrices of this size.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        with checking_input(), warnings_as_lines():
            import jax

            from semres_jax import data, plots
            from semres_jax.execution import Execution
            from semres_jax.experiments import dynamics

            require_seed(self.seed)
            if self.endpoint is not None:
                dynamics.open_subject(self.endpoint if "://" in self.endpoint else f"http://{self.endpoint}")
            subjects, settings = self._subjects(), self._settings()
            texts, key = data.passages(self.texts), jax.random.key(self.seed)
            plan = dynamics.plan(subjects, texts, settings)
            title = "the residual stream along depth"
            report = Report(
                "dynamics", self.out, "dynamics", title=title, seed=self.seed, force=self.force,
                goes_on_from=_STATE * self.resume, model=", ".join(subject.name for subject in subjects),
            )  # fmt: skip
            saved = going_on(report.folder / _STATE, resume=self.resume, results=lambda table: None)
        print(f"plan: {shown(str(plan), 2000)}", flush=True)
        with checking_input(saved), saved, progress_bar() as progress, warnings_as_lines():
            saved.open(dynamics.run_settings(plan, settings, key))
            with checking_networks():
                execution = Execution(progress=progress, saved=saved)
                table = dynamics.study(subjects, texts, settings, key=key, execution=execution)
            rows = dynamics.claims(table)
            report.write(table, self._summary(plan, rows), seconds=round(saved.seconds, 3))
            saved.complete()
        print_claims(rows)
        return report.end(plots.save_dynamics(table, report.folder), as_json=self.json)

    def _subjects(self) -> list[Any]:
        from semres_jax.experiments import dynamics

        try:
            return [dynamics.open_subject(name) for name in (self.model, self.against) if name is not None]
        except ImportError as error:
            raise ValueError(str(error)) from None

    def _settings(self) -> Any:
        from semres_jax.experiments import dynamics

        controls = () if self.control == ("none",) else self.control
        return dynamics.Settings(
            tokens=self.tokens, samples=self.samples, jacobian_samples=self.jacobian_samples, controls=controls,
            part=self.part, context=self.context, layers=self.layers, years=self.years,
        )  # fmt: skip

    def _summary(self, plan: Any, rows: "list[Claim]") -> dict[str, Any]:
        sizes = [
            {"network": network.name, "layers": network.subject.layers, "width": network.subject.width}
            for network in plan.networks
        ]
        settings = dataclasses.asdict(self._settings()) | {"samples": len(plan.tokens[0])}
        return {"networks": sizes, "settings": settings, "claims": [row.summary() for row in rows]}


@contextlib.contextmanager
def checking_networks() -> Iterator[None]:
    """What a network's states and Jacobians don't allow is `BadInput`; what is done is kept."""
    try:
        yield
    except ValueError as error:
        raise BadInput(" ".join(str(error).split())) from error


def print_claims(rows: "list[Claim]") -> None:
    """A row for each claim on standard output."""
    models = {row.network for row in rows}
    heads = ("paper", "claim", *(("model",) if len(models) > 1 else ()), "number", "controls and nulls", "verdict")
    cells = []
    for row in rows:
        controls = ", ".join(f"{name} {value.value:.3g}" for name, value in row.controls.items())
        model = (shown(row.network, 24),) if len(models) > 1 else ()
        cells.append((row.paper, row.claim, *model, f"{row.number:.3g}", controls, row.verdict))
    print_cells(heads, cells, left=[head for head in heads if head != "number"])
    sys.stdout.flush()
