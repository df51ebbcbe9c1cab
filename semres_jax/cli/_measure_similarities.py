"""`semres measure similarities`: a table of what people say is alike, laid over the laws."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax._files import shown
from semres_jax.cli._common import (
    Counts,
    Force,
    Report,
    Whole,
    checking_input,
    print_cells,
    require_seed,
)
from semres_jax.cli._surroundings import say

if TYPE_CHECKING:
    from semres_jax.measure import Judged

_SETTINGS = ("kind", "strength", "diagonal", "n", "optimal", "delta", "bootstrap", "level", "dimensions")


@dataclasses.dataclass(frozen=True)
class MeasureSimilarities:
    """Measure a table of similarities, confusions or dissimilarities, of people, animals or models.

    Rows are what is shown, columns what it is compared with, or taken for; the table need not be symmetric. Tells
    accuracies of n items and the law of one number beside them, resolution and floor against distance, and distances to
    the fronts, with intervals; of counts of confusions also the similarity-choice model, which tells biases of
    answers from similarity. Without --distances and --tree the geometry is recovered from the table itself, by
    non-metric scaling (scikit-learn), and that is said. Writes measure.nc, measure.json and figures.

    Example: semres measure similarities confusions.csv --kind confusion --distances edits.csv
    """

    file: tyro.conf.Positional[Path]
    """A .csv file with names in its first line and column, or bare numbers; or a .npy or .npz file, also of several
    subjects: (subjects, N, N)."""
    kind: Literal["similarity", "confusion", "dissimilarity"] = "similarity"
    """What is in the table; whole numbers of confusions are counts, others are shares."""
    distances: Path | None = None
    """The true distances between the stimuli: a .csv table with names, or a .npy table in the order of FILE."""
    tree: Path | None = None
    """A Newick file to take the distances from instead; its leaves have the names in FILE."""
    key: str | None = None
    """The name of the array, in a .npz file of several."""
    strength: Literal["linear", "exponential"] = "linear"
    """A dissimilarity d makes a strength 1 - d / largest, or exp(-d / mean)."""
    diagonal: Annotated[float | None, tyro.conf.arg(help_behavior_hint="(default: as in FILE; dissimilarity: 0)")] = (
        None
    )
    """The entry of a stimulus with itself, where FILE has none (empty, or NaN)."""
    n: Annotated[Counts, tyro.conf.arg(help_behavior_hint="(default: 2,3,4,8,16, as far as there are stimuli)")] = None
    """The numbers of items."""
    optimal: Literal["homogeneous", "finite", "none"] = "homogeneous"
    """Which front of the best similarities is found: that of any homogeneous space, of these very stimuli (slow), or
    none."""
    delta: float | None = None
    """The floor of that front; by default it is the lowest relative similarity there is."""
    dimensions: Whole = 2
    """The number of dimensions of a geometry that is recovered."""
    bootstrap: Whole = 1000
    """The number of replicates that intervals are made of; 0 leaves intervals out."""
    level: float = 0.95
    """The intervals hold with this probability."""
    seed: Whole = 0
    """The seed of the replicates and of the starts of the scaling."""
    resume: bool = False
    """A run takes seconds and keeps no state: one that was stopped starts anew, and says so."""
    out: Path = Path("results/measure/similarities")
    """The folder for the results; it is made if missing."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Read, measure, print, write."""
        with checking_input():
            import jax

            from semres_jax import data, measure, plots

            require_seed(self.seed)
            if self.distances is not None and self.tree is not None:
                raise ValueError("give --distances or --tree, how far apart the stimuli are, or neither; got both")
            if self.n == ():
                raise ValueError("--n needs at least one number of items")
            table, names = data.read_similarities(self.file, self.key)
            if self.tree is not None and not names:
                raise ValueError(f"--tree needs names in {shown(self.file)!r}: which leaf each stimulus is")
            between = _between(self.distances, self.tree)
            about = {"title": "measured similarities", "file": self.file.name}
            report = Report("measure similarities", self.out, "measure", seed=self.seed, force=self.force, **about)
            if self.resume:
                say(f"a run of seconds keeps no state to resume in {report.folder}; starting anew")
            settings: dict[str, Any] = {name: getattr(self, name) for name in _SETTINGS}
            people = measure.similarities(
                table, between, names=names or None, key=jax.random.key(self.seed), **settings
            )
        made = people.dataset()
        report.write(made, people.summary())
        print_table(people)
        return report.end(plots.save_similarities(made, report.folder), as_json=self.json)


def _between(distances: Path | None, tree: Path | None) -> Any:
    """The space of a file, with the names that it has; None where there is no file."""
    from semres_jax.data.embeddings import distances_and_names
    from semres_jax.spaces import Finite, Tree

    if tree is not None:
        return Tree.from_newick(tree)
    if distances is None:
        return None
    table, names = distances_and_names(distances)
    return Finite(table, labels=names)


def print_table(people: "Judged") -> None:
    """People, what each family predicts of them, how far they are from each front; by numbers of items; notes."""
    from semres_jax.measure.people.confusions import HEADS as CHOICE_HEADS
    from semres_jax.measure.people.judged import HEADS, ITEM_HEADS

    rows = people.table()
    print_cells(HEADS, rows, left=("",), styles=["bold" if row[0] == "people" else None for row in rows])
    print()
    print_cells(ITEM_HEADS, people.by_items())
    if people.choice is not None:
        print()
        print_cells(CHOICE_HEADS, people.choice.table(), left=("stimulus", "confused most with"))
    print(*(shown(note, 2000) for note in people.notes()), sep="\n")
