"""Places of stimuli from triplets alone: an embedding whose similarity function is the fitted one."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from semres_jax import similarity
from semres_jax._checks import require, require_count
from semres_jax._random import key_or_default
from semres_jax._showing import html_table
from semres_jax._surroundings import on_host
from semres_jax._types import Accuracy
from semres_jax.data.triplets import Triplets, triplets_of
from semres_jax.execution import Execution
from semres_jax.laws import enumeration
from semres_jax.measure.people._scores import Scores, kept, scored, split
from semres_jax.similarity import Family, Similarity
from semres_jax.spaces.finite import Finite
from semres_jax.storage.attributes import NATS, PURE, labelled

if TYPE_CHECKING:
    import xarray

HEADS = (
    "dimensions",
    "held-out ln L",
    "chance",
    "held-out right",
    "training ln L",
    "delta",
    "starts agreeing",
    "steps",
)


@dataclasses.dataclass(frozen=True, eq=False)
class TripletEmbedding:
    """An embedding made from triplets by `embed_triplets`.

    Attributes:
        layout, judgements: of the triplets.
        names: of the stimuli; their numbers, where they have none.
        family, exponent: of the similarity function, and Luce's.
        scores: of each number of dimensions; `best` is the one by which what ended the fit is most likely.
        points: (N, D) of the best, in units of the resolution, along its principal axes.
        delta: floor of the best.
        p_s, p_i: exact accuracies, n = 2, of the fitted similarity on the stimuli at these places.
        counts: how many judgements were fitted at first, ended this fit (and were fitted then), and were held out.
        notes: what to know, a line each.
    """

    layout: str
    judgements: float
    names: tuple[str, ...]
    family: str
    exponent: float
    scores: tuple[Scores, ...]
    points: np.ndarray
    delta: float
    p_s: float
    p_i: float
    counts: tuple[float, float, float]
    notes: tuple[str, ...]

    @property
    def best(self) -> Scores:
        """The number of dimensions by which what ended the fit is most likely."""
        return max(self.scores, key=lambda score: score.look.max())

    @property
    def distances(self) -> np.ndarray:
        """(N, N) between the stimuli, in units of the resolution."""
        return np.sqrt(((self.points[:, None] - self.points) ** 2).sum(-1))

    @property
    def space(self) -> Finite:
        """The stimuli with these distances, for everything that takes a space."""
        return Finite(self.distances, labels=self.names)

    @property
    def similarity(self) -> Similarity:
        """The similarity function: its resolution is the unit of the distances."""
        return similarity.get(self.family)(1.0, self.delta)

    @property
    def chance(self) -> float:
        """ln P of a judgement at random."""
        return -float(np.log(3 if self.layout == "odd" else 2))

    def __str__(self) -> str:
        best = self.best
        return (
            f"{len(self.points)} stimuli in {best.dimensions} dimensions from {self.judgements:g} {self.layout} "
            f"triplets: held-out ln L = {best.held_out:.4f} a judgement, right {best.right:.4f}; {self.family}"
        )

    def __repr__(self) -> str:
        return f"TripletEmbedding({self})"

    def _repr_html_(self) -> str:
        columns: dict[str, list[str]] = dict(zip(HEADS, map(list, zip(*self.table(), strict=True)), strict=True))
        return html_table(columns, "; ".join(self.lines()))

    def table(self) -> list[tuple[str, ...]]:
        """Rows to print under `HEADS`."""
        return [
            (str(row.dimensions), f"{row.held_out:.4f}", f"{self.chance:.4f}", f"{row.right:.4f}",
             f"{row.train[row.best]:.4f}", f"{row.delta:.3g}", f"{row.agreeing}/{len(row.look)}",
             str(row.steps[row.best]))
            for row in self.scores
        ]  # fmt: skip

    def lines(self) -> list[str]:
        """What belongs under the table."""
        fitted, looked, left = self.counts
        return [
            f"{self.judgements:g} judgements: {fitted:g} fitted, {looked:g} end fits and join then, {left:g} held out",
            f"{self.family} similarity on these places (n = 2): p_S = {self.p_s:.4f}, p_I = {self.p_i:.4f}",
            *(f"note: {note}" for note in self.notes),
        ]

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON: a row for each number of dimensions."""
        rows = [
            {"dimensions": row.dimensions, "held_out": row.held_out._asdict(), "right": row.right._asdict(),
             "train": float(row.train[row.best]), "look": float(row.look[row.best]), "delta": row.delta,
             "agreeing": row.agreeing, "starts": len(row.look), "steps": int(row.steps[row.best])}
            for row in self.scores
        ]  # fmt: skip
        names = ("layout", "judgements", "family", "exponent", "delta", "p_s", "p_i", "chance")
        return {name: getattr(self, name) for name in names} | {
            "rows": rows, "best_dimensions": self.best.dimensions, "stimuli": len(self.points), "counts": self.counts,
            "notes": list(self.notes),
        }  # fmt: skip

    def dataset(self) -> "xarray.Dataset":
        """Everything as a labelled dataset: dimensions stimulus, other, axis, dimensions, start."""
        import xarray

        def words(dims: Any, values: Any, text: str, units: str = PURE) -> Any:
            return dims, np.asarray(values), {"long_name": text, "units": units}

        unit, both = "ε", ("dimensions", "start")
        likelihood = "mean log likelihood of a judgement"
        variables = {
            "point": words(("stimulus", "axis"), self.points, "place of a stimulus", unit),
            "distance": words(("stimulus", "other"), self.distances, "distance between stimuli", unit),
            "train": words(both, [row.train for row in self.scores], f"{likelihood} that was fitted", NATS),
            "look": words(both, [row.look for row in self.scores], f"{likelihood} that ended the fit", NATS),
            "steps": words(both, [row.steps for row in self.scores], "steps to the best", "steps"),
            "floor": words("dimensions", [row.delta for row in self.scores], "noise floor Δ of the best start"),
            "p_s": words((), self.p_s, "generalization p_S of the fitted similarity on these places"),
            "p_i": words((), self.p_i, "identification p_I of the fitted similarity on these places"),
        }
        ends = {"": "", "_stderr": "standard error of ", "_low": "lower end of the 95 % interval of ",
                "_high": "upper end of the 95 % interval of "}  # fmt: skip
        for name, text, units in (
            ("held_out", f"{likelihood} that was held out", NATS),
            ("right", "share of judgements held out in which the closest pair was chosen", PURE),
        ):
            for part, (end, what) in enumerate(ends.items()):
                values = [getattr(row, name)[part] for row in self.scores]
                variables[name + end] = words("dimensions", values, what + text, units)
        coords = {
            "stimulus": ("stimulus", list(self.names), {"long_name": "stimulus"}),
            "other": ("other", list(self.names), {"long_name": "other stimulus"}),
            "axis": ("axis", np.arange(1, self.points.shape[1] + 1), {"long_name": "principal axis"}),
            "dimensions": (
                "dimensions",
                [row.dimensions for row in self.scores],
                {"long_name": "number of dimensions"},
            ),
            "start": ("start", np.arange(1, len(self.best.look) + 1), {"long_name": "start, by its number"}),
        }
        names = ("layout", "judgements", "family", "exponent", "delta", "chance")
        attributes = {name: getattr(self, name) for name in names} | {
            "best_dimensions": self.best.dimensions, "notes": "\n".join(self.notes)
        }  # fmt: skip
        return labelled(xarray.Dataset(variables, coords, attributes))


@on_host("measure.embed_triplets")
def embed_triplets(
    triplets: Any,
    *,
    layout: str | None = None,
    counts: Any = None,
    family: Any = "gaussian",
    delta: float | int | str = "fit",
    exponent: float | int | str = 1.0,
    dimensions: int | Sequence[int] = 2,
    starts: int = 6,
    steps: int = 1000,
    held_out: float = 0.1,
    key: Any = None,
    execution: Execution | None = None,
) -> TripletEmbedding:
    """Places of stimuli, D coordinates each, by which triplets are most likely under a similarity function.

    The likelihood is that of `fit_triplets`, with d_ij = |x_i - x_j| and ε = 1: only distances over ε are seen, so
    that ε is their unit. With the gaussian similarity, no floor and anchor triplets it is stochastic triplet embedding
    (van der Maaten and Weinberger, MLSP 2012); the floor is the share of judgements at random, as the laws have it.

    Sets of three stimuli are split at random: `held_out` of them are left out of everything and tell how good the
    embedding is; a tenth of the others end the fit of each start (when they no longer become likelier) and choose among
    starts and numbers of dimensions. Then the same starts are trained again, with that tenth, for as many steps. Adam
    climbs from all starts at once.

    Args:
        triplets, layout, counts: as in `fit_triplets`.
        family: a similarity that is positive and has slopes everywhere: "gaussian", "exponential", "powerlaw",
            "powerlaw(EXPONENT)", a class of your own.
        delta: "fit", or the floor, 0 to below 1.
        exponent: Luce's, above 0; it can't be told from the shape of the places.
        dimensions: of the places, or several numbers to choose from.
        starts: how many.
        steps: of each start, at most.
        held_out: share of the sets of three stimuli, from 0 (nothing is held out) to 0.4.
        key: of the split and the starts; None: `jax.random.key(0)`.
        execution: whose progress is called; its `saved`, which must be open, keeps each number of dimensions.

    Returns:
        `TripletEmbedding`.

    Raises:
        ValueError: a stimulus that is in no triplet, a similarity that ends or has steps, settings out of range; as
            `data.Triplets`.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(10, 1))
        >>> p, a, b = np.argsort(rng.random((3000, 10)), axis=1)[:, :3].T
        >>> nearer = abs(x[p] - x[a])[:, 0] < abs(x[p] - x[b])[:, 0]
        >>> said = np.stack([p, np.where(nearer, a, b), np.where(nearer, b, a)], axis=1)
        >>> made = measure.embed_triplets(said, layout="anchor", dimensions=1, starts=3, steps=500)
        >>> made.points.shape, bool(abs(np.corrcoef(made.points[:, 0], x[:, 0])[0, 1]) > 0.9)
        ((10, 1), True)
    """
    given = triplets_of(triplets, layout, counts)
    settings = check_embedding(given, family, delta, exponent, dimensions, held_out)
    kind, floor, sizes = settings
    starts, steps = require_count("starts", starts, 1), require_count("steps", steps, 1)
    how, key = execution or Execution(), key_or_default(key)
    notes: list[str] = []
    data = split(given, held_out, key, notes)
    scores, places = [], []
    for done, size in enumerate(sizes):
        how.tell(f"{size} dimensions", done, len(sizes))
        trained = kept(
            data, size, how, size=given.stimuli, family=kind, delta=floor, exponent=float(exponent), starts=starts,
            steps=steps, key=jax.random.fold_in(key, size),
        )  # fmt: skip
        score, points = scored(data, trained, size, kind, float(exponent))
        scores.append(score)
        places.append(points)
    best = max(range(len(sizes)), key=lambda k: scores[k].look.max())
    own = scores[best].delta
    distances = np.sqrt(((places[best][:, None] - places[best]) ** 2).sum(-1))
    stands: Accuracy = enumeration.accuracy(Finite(distances), kind(1.0, own), n=2, exponent=float(exponent))
    return TripletEmbedding(
        given.layout, given.judgements, given.names or tuple(map(str, range(given.stimuli))), kind.label,
        float(exponent), tuple(scores), places[best], own, float(stands.p_s), float(stands.p_i), data.counts,
        tuple(notes),
    )  # fmt: skip


def check_embedding(
    triplets: Triplets, family: Any, delta: Any, exponent: Any, dimensions: Any, held_out: Any
) -> tuple[Family, float | None, list[int]]:
    """What `embed_triplets` fits: the family, the floor if it is given, the numbers of dimensions; or its errors."""
    kind = similarity.get(family)
    if kind.kind.steps or kind.kind.ends:
        raise ValueError(
            f"an embedding needs a similarity with slopes everywhere; got {kind.label} (use gaussian, exponential or "
            "powerlaw)"
        )
    if isinstance(delta, str) and delta != "fit":
        raise ValueError(f"delta must be 'fit' or a number from 0 to below 1; got {delta!r}")
    if delta != "fit":
        require("delta", delta, 0.0, 1 - 1e-9, "'fit' or a number from 0 to below 1")
    if isinstance(exponent, str):
        raise ValueError(
            f"exponent of an embedding must be a number: it can't be told from its shape; got {exponent!r}"
        )
    require("exponent", exponent, 1e-3, 1e3, "from 0.001 to 1000")
    require("held_out", held_out, 0.0, 0.4, "a share from 0 to 0.4")
    sizes = [require_count("dimensions", size, 1) for size in np.ravel(dimensions).tolist()]
    if not sizes or len(set(sizes)) < len(sizes):
        raise ValueError(f"dimensions must be one number, or several different ones; got {dimensions!r}")
    shown = np.bincount(triplets.items.ravel(), minlength=triplets.stimuli)
    for k in np.flatnonzero(shown == 0)[:1].tolist():
        name = repr(triplets.names[k]) if triplets.names else str(k)
        raise ValueError(
            f"stimulus {name} is in no triplet, so that its place can't be told; number them from 0 without gaps, or "
            "give names"
        )
    return kind, None if delta == "fit" else float(delta), sizes
