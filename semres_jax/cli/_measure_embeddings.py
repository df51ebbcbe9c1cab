"""`semres measure embeddings`: a file of embeddings, laid over the laws."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax._files import shown
from semres_jax.cli._common import (
    Force,
    Report,
    Whole,
    checking_input,
    grid_option,
    print_cells,
    progress_bar,
    require_seed,
)
from semres_jax.cli._surroundings import say

if TYPE_CHECKING:
    from semres_jax.measure import Embedded

_WIDE = 200
_SETTINGS = ("similarity", "floor", "n", "optimal", "delta", "bootstrap", "limit")


@dataclasses.dataclass(frozen=True)
class MeasureEmbeddings:
    """Measure embeddings: accuracies, the similarity function that they are most like, distances to the fronts.

    Writes measure.nc, measure.json and figures, once all is measured: a run that is stopped starts anew (seconds to
    minutes; thousands of stimuli take the longest, --limit and --bootstrap shorten it), and what an earlier run wrote
    stays whole until then.

    Several files are models of the same stimuli, named after their files: their differences are told with intervals
    and p-values, corrected over all pairs of models, and all of them are drawn in one plane.

    Example: semres measure embeddings states.npy --distances table.csv --similarity cosine
    """

    files: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="PATH [PATH ...]", help_behavior_hint="")
    ]
    """A .npy, .npz, .h5 or .safetensors file of embeddings, with a row for each stimulus or exemplar; or several, with
    the same rows, which are compared."""
    distances: Path | None = None
    """The distances between the stimuli: a .npy table (with labels, in their sorted order), or a .csv table with names
    in its first line and column."""
    tree: Path | None = None
    """A Newick file to take the distances from instead; the labels name its leaves."""
    labels: Path | None = None
    """A .csv file with a column "label" (and "row" or "name"), which says the stimulus, or class, of each embedding."""
    key: str | None = None
    """The name of the array, in a file of several."""
    layers: bool = False
    """The files are layers of one model, in this order, and are joined in the picture."""
    similarity: Literal["relu", "cosine", "euclidean"] = "relu"
    """The model's own similarity: ReLU(x.y), max(0, cos), or 1 - |x - y| / largest."""
    floor: Annotated[
        float | None, tyro.conf.arg(help_behavior_hint="(default: 1e-10, in the unit of the embeddings)")
    ] = None
    """This is added to that similarity."""
    shares: Annotated[tuple[float, ...] | None, grid_option, tyro.conf.arg(help_behavior_hint="(default: 26)")] = None
    """The shares of other stimuli that are within the thresholds of dissimilarity; of a single file."""
    n: Whole = 2
    """The number of items; it may be more than 2 where each stimulus has one embedding."""
    optimal: Literal["homogeneous", "finite", "none"] = "homogeneous"
    """Which front of the best similarities is found: that of any homogeneous space, of these very stimuli (slow), or
    none."""
    delta: float | None = None
    """The floor of that front; by default it is the lowest relative similarity there is."""
    bootstrap: Whole = 1000
    """The number of replicates that intervals are made of; 0 leaves intervals out."""
    limit: Whole = 2048
    """Where there are more stimuli, or probes, than this, so many are sampled."""
    uncorrected: bool = False
    """Of several files: leave p-values as they are, not corrected over all pairs of models (by Holm's method)."""
    seed: Whole = 0
    """The seed of what is sampled and of the replicates."""
    resume: bool = False
    """A run takes seconds and keeps no state: one that was stopped starts anew, and says so."""
    out: Path = Path("results/measure/embeddings")
    """The folder for the results; it is made if missing."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Read, measure, print, write."""
        if len(self.files) > 1:
            from semres_jax.cli._compare_embeddings import compare

            return compare(self)
        with checking_input():
            import jax

            from semres_jax import Execution, measure, plots

            require_usable(self)
            file: Path = next(iter(self.files))
            if self.layers:
                raise ValueError(f"--layers needs the files of several layers; got {shown(str(file))!r} alone")
            points, labels, between = read(self, file)
            about = {"title": "measured embeddings", "file": file.name}
            report = Report("measure embeddings", self.out, "measure", seed=self.seed, force=self.force, **about)
            if self.resume:
                say(f"a run of seconds keeps no state to resume in {report.folder}; starting anew")
            settings: dict[str, Any] = {name: getattr(self, name) for name in _SETTINGS}
            settings |= {} if self.shares is None else {"shares": self.shares}
            with progress_bar() as progress:
                model = measure.embeddings(
                    points, between, labels=labels, key=jax.random.key(self.seed),
                    execution=Execution(progress=progress), **settings,
                )  # fmt: skip
        table = model.dataset()
        report.write(table, model.summary())
        print_table(model)
        return report.end(plots.save_embeddings(table, report.folder), as_json=self.json)


def require_usable(options: MeasureEmbeddings) -> None:
    """Raise `ValueError` where options don't go together."""
    require_seed(options.seed)
    if not options.files:
        raise ValueError("give at least one file of embeddings, such as states.npy")
    if (options.distances is None) == (options.tree is None):
        given = "neither" if options.tree is None else "both"
        raise ValueError(f"give either --distances or --tree, how far apart the stimuli are; got {given}")


def read(options: MeasureEmbeddings, file: Path) -> tuple[Any, Any, Any]:
    """Embeddings of a file, their labels, and the distances between the stimuli."""
    from semres_jax import data
    from semres_jax.spaces import Tree

    try:
        points, names = data.read_embeddings(file, options.key)
    except ImportError as error:
        raise ValueError(str(error)) from error
    labels: Any = data.read_labels(options.labels, len(points), names) if options.labels else names or None
    if labels is None and options.tree is not None:
        raise ValueError("--tree needs --labels: which leaf each embedding is of")
    return points, labels, Tree.from_newick(options.tree) if options.tree else _distances(options.distances, labels)


def _distances(path: Any, labels: Any) -> Any:
    """Distances of a file, with the names that it has."""
    from semres_jax.data.embeddings import distances_and_names
    from semres_jax.spaces import Finite

    table, names = distances_and_names(path)
    if names and labels is None:
        raise ValueError("distances with names, as in .csv files, need --labels: the name of each embedding")
    if labels is not None and not names and path.suffix.lower() == ".csv":
        raise ValueError(
            f"{shown(path)!r} is a table of numbers only; beside --labels its first line and its first column must be "
            "names (or leave out --labels: rows in the order of the embeddings)"
        )
    return Finite(table, labels=names)


def print_table(model: "Embedded") -> None:
    """The model, what each family predicts of it, how far it is from each front, and what was measured."""
    from semres_jax.measure.embeddings.result import HEADS

    rows = model.table()
    print_cells(HEADS, rows, left=("",), styles=["bold" if row[0] == "model" else None for row in rows])
    print(*(shown(note, 2000) for note in model.notes()), sep="\n")
