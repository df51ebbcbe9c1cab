"""`semres explore`: one interactive page of the laws, the exact sweeps and own runs."""

import dataclasses
import time
from pathlib import Path
from typing import Annotated

import tyro

from semres_jax._files import shown
from semres_jax.cli._common import (
    COMMAND_LINE,
    Force,
    checking_input,
    progress_bar,
    say_json,
    warnings_as_lines,
)


@dataclasses.dataclass(frozen=True)
class Explore:
    """Make one HTML page to look at the tradeoff with sliders: it needs no server and no network.

    It holds exact numbers for all of its settings, and own runs as layers over them: of toy networks with a slider for
    the step, of residual networks by alpha, of measured embeddings, choices and language models, of sweeps.

    Example: semres explore results/toy --space circle --space "sphere(9)" --out mine.html
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of runs, as --out of semres toy, resnet, measure and sweep named them."""
    space: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="NAME|FILE.nwk", help_behavior_hint="(default: circle, interval, sphere(2), tree)"),
    ] = ()
    """A name, as in "sphere(9)" or "torus(2)", or a file of a tree or of distances (.csv, .npy); repeat for more."""
    out: Path = Path("explore.html")
    """The page is written to this file; an older page there is replaced."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Read, compute, write."""
        started = time.perf_counter()
        with checking_input():
            from semres_jax import Execution, explore, spaces
            from semres_jax.explore import grids, page, runs
            from semres_jax.storage import results

            layers = [layer for folder in self.runs for layer in runs.layers_of(folder)]
            places = spaces.by_label(self.space or grids.SPACES)
            page.check(places, layers)
            _require_free(self.out, page.MARK, self.force)
            results.output_folder(self.out.parent)
        with progress_bar() as progress, warnings_as_lines():
            how = Execution(progress=progress)
            content = explore.make_page(places, layers, command=COMMAND_LINE.get(), execution=how).encode()
        results.write_bytes(content, self.out)
        seconds = round(time.perf_counter() - started, 1)
        counts = {"bytes": len(content), "spaces": list(places), "layers": [layer["name"] for layer in layers]}
        print(
            f"{seconds:.1f} s; {shown(self.out)} ({len(content) / 1e6:.1f} MB): {len(places)} spaces, {len(layers)} "
            "layers of runs; open it in a browser"
        )
        if self.json:
            say_json({"command": "explore", "exit": 0, "out": str(self.out), "seconds": seconds} | counts)
        return 0


def _require_free(out: Path, mark: str, force: bool) -> None:
    """Raise `ValueError` where the page would take the place of something else."""
    if out.is_dir():
        raise ValueError(f"{shown(out)!r} is a folder; --out names a file, such as explore.html")
    if not out.exists() or (force and out.is_file()):
        return
    ours = False
    if out.is_file():
        with out.open("rb") as file:
            ours = mark.encode() in file.read(4096)
    if not ours:
        raise ValueError(
            f"{shown(out)!r} is there and no page of semres explore: --force replaces a file, --out names another one"
        )
