"""`semres measure embeddings`: a file of embeddings, laid over the laws."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax.cli._common import (
    COMMAND_LINE,
    Whole,
    checking_input,
    finish,
    grid_option,
    output_folder,
)

if TYPE_CHECKING:
    from semres_jax.measure import Embedded

_WIDE = 200


@dataclasses.dataclass(frozen=True)
class MeasureEmbeddings:
    """Measure embeddings: accuracies, the similarity function that they are most like, distances to the fronts.

    Writes measure.nc, measure.json and figures.
    """

    file: tyro.conf.Positional[Path]
    """.npy, .npz, .h5 or .safetensors file of embeddings, a row for each stimulus or exemplar."""
    distances: Path | None = None
    """.npy table between stimuli (with labels: in their sorted order), or .csv with names in first line and column."""
    tree: Path | None = None
    """Newick file, instead of distances; labels are names of leaves."""
    labels: Path | None = None
    """.csv file with a column "label" (and "row" or "name"): stimulus, or class, of each embedding."""
    key: str | None = None
    """Name of the array in a file of several."""
    similarity: Literal["relu", "cosine", "euclidean"] = "relu"
    """The model's own: ReLU(x.y), max(0, cos), or 1 - |x - y| / largest."""
    floor: float = 1e-10
    """Added to that similarity."""
    shares: Annotated[tuple[float, ...] | None, grid_option, tyro.conf.arg(help_behavior_hint="(default: 26)")] = None
    """Shares of other stimuli within the thresholds of dissimilarity."""
    n: Whole = 2
    """Number of items; more than 2 for one embedding a stimulus."""
    optimal: Literal["homogeneous", "finite", "none"] = "homogeneous"
    """Front of the best similarities: of any homogeneous space, of these very stimuli (slow), or none."""
    delta: float | None = None
    """Floor of that front; default the lowest relative similarity there is."""
    bootstrap: Whole = 1000
    """Replicates of intervals; 0 for none."""
    limit: Whole = 2048
    """More stimuli, or probes, than this are sampled."""
    seed: Whole = 0
    """Seed of what is sampled, and of replicates."""
    out: Path = Path("results/measure")
    """Folder for the results; made if missing."""
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Read, measure, print, write."""
        with checking_input():
            from semres_jax import data, measure, plots
            from semres_jax.data.embeddings import read_distances
            from semres_jax.measure.embeddings.position import SHARES
            from semres_jax.spaces import Tree
            from semres_jax.storage import results

            if (self.distances is None) == (self.tree is None):
                given = "neither" if self.tree is None else "both"
                raise ValueError(f"give either --distances or --tree, how far apart the stimuli are; got {given}")
            try:
                points, names = data.read_embeddings(self.file, self.key)
            except ImportError as error:
                raise ValueError(str(error)) from error
            labels: Any = names or None
            if self.labels is not None:
                labels = data.read_labels(self.labels, len(points), names)
            if self.tree is not None:
                if labels is None:
                    raise ValueError("--tree needs --labels: which leaf each embedding is of")
                between: Any = Tree.from_newick(self.tree)
            elif labels is None and self.distances is not None and self.distances.suffix.lower() == ".csv":
                raise ValueError("distances with names, as in .csv files, need --labels: the name of each embedding")
            else:
                between = read_distances(self.distances, [] if labels is None else sorted(set(labels)))
            folder = output_folder(self.out)
            attributes = results.provenance(seed=self.seed, command=COMMAND_LINE.get())
            attributes |= {"title": "measured embeddings", "file": self.file.name}
            started = time.perf_counter()
            found = measure.embeddings(
                points,
                between,
                labels=labels,
                shares=SHARES if self.shares is None else self.shares,
                similarity=self.similarity,
                floor=self.floor,
                n=self.n,
                optimal=self.optimal,
                delta=self.delta,
                bootstrap=self.bootstrap,
                seed=self.seed,
                limit=self.limit,
            )
        attributes |= {"seconds": round(time.perf_counter() - started, 3)}
        table = found.dataset()
        table = table.assign_attrs(attributes | table.attrs)
        results.write(table, folder / "measure.nc")
        content = attributes | found.summary()
        results.write_json(content, folder / "measure.json")
        print_table(found)
        pictures = plots.save_embeddings(table, folder)
        return finish("measure embeddings", folder, "measure", content, pictures, as_json=self.json)


def print_table(found: "Embedded") -> None:
    """The model, what each family predicts of it, and how far it is from each front."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("", no_wrap=True)
    for head in ("p_S", "p_I", "epsilon", "delta", "AIC - best", "distance of the model"):
        shown.add_column(head, justify="right", no_wrap=True)
    shown.add_row("model", _within(found.p_s), _within(found.p_i), "", "", "", "", style="bold")
    least = found.fits[found.best].aic
    for name, fit in found.fits.items():
        low, high = fit.resolution.low, fit.resolution.high
        error = f" [{low:.4g}, {high:.4g}]" if low == low else ""
        cells = [f"{fit.p_s:.4f}", f"{fit.p_i:.4f}", f"{fit.epsilon:.4g}{error}", f"{fit.delta:.3g}"]
        shown.add_row(f"{name} fit predicts", *cells, f"{fit.aic - least:.1f}", "")
    for name, one in found.fronts.items():
        shown.add_row(f"{name} front, nearest", f"{one.p_s:.4f}", f"{one.p_i:.4f}", "", "", "",
                      _within(one.distance, sign="+"))  # fmt: skip
    console = Console() if Console().is_terminal else Console(width=_WIDE)
    console.print(shown, highlight=False)
    what = "stimuli, one embedding each" if found.design == "stimuli" else "classes; the probe is another exemplar"
    told = f"{found.rows} x {found.dimensions} embeddings of {found.stimuli} {what}; n = {found.n}; "
    told += f"share above the floor {found.mean_b:.3f}, variance {found.var_b:.2g}; ties {found.tie_rate:.1%}"
    print(told)
    for line in found.sampled:
        print(f"sampled: {line}")
    for line in found.cautions:
        print(f"caution: {line}")


def _within(number: Any, sign: str = "") -> str:
    value = f"{number.value:{sign}.4f}"
    if number.low == number.low:
        return f"{value} [{number.low:{sign}.4f}, {number.high:{sign}.4f}]"
    return value
