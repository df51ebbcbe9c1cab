"""The geometry of embeddings, beside their accuracies: effective dimension and neural collapse.

What the neighbouring literature measures of the same numbers. Everything is float64 on the host, in one or two passes
over the rows, which may be in a file.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax import _memory
from semres_jax._names import labels_list
from semres_jax._surroundings import on_host
from semres_jax.measure.embeddings.request import labels_of
from semres_jax.measure.embeddings.similarities import finite_rows, rows_of
from semres_jax.measure.geometry.features import finite_numbers
from semres_jax.storage.attributes import labelled

if TYPE_CHECKING:
    import xarray

# Numbers of embeddings made float64 at once.
_NUMBERS = 2**22
_COUNTS = ("rows", "dimensions", "classes", "singles")


class Geometry(NamedTuple):
    """How points lie, for C classes; None where it wasn't asked for, NaN where it isn't defined (all points the same).

    Attributes:
        rows, dimensions: of the points.
        classes: C; 0 without labels.
        singles: classes with one point, which doesn't vary within its class.
        participation: effective dimension, the participation ratio (Σλ)² / Σλ² of the eigenvalues of the covariance of
            all points, from 1 (a line) to the number of dimensions (all directions alike).
        class_participation: that of the C class means, at most C - 1.
        nc1: tr(Σ_W Σ_B⁺) / C, variability within classes against that between them, along the directions in which
            classes differ; at least 0, and 0 where classes are points.
        nc1_ratio: tr Σ_W / tr Σ_B, the same without regard to directions.
        nc2_norms: coefficient of variation of the lengths of the centred class means; 0: equal lengths.
        nc2_cosines: standard deviation of the cosines of two centred class means; 0: equal angles.
        nc2_angles: mean of |cos + 1 / (C - 1)|, how far these are from those of a simplex; 0: as wide as can be.
        nc3: ‖W / ‖W‖ - M / ‖M‖‖ (Frobenius), class weights W against centred class means M; 0: the same up to scale.
        nc4: share of points that the classifier takes for another class than that of the nearest class mean.
    """

    rows: int
    dimensions: int
    classes: int
    singles: int
    participation: float
    class_participation: float | None = None
    nc1: float | None = None
    nc1_ratio: float | None = None
    nc2_norms: float | None = None
    nc2_cosines: float | None = None
    nc2_angles: float | None = None
    nc3: float | None = None
    nc4: float | None = None

    def numbers(self) -> dict[str, float]:
        """What was measured, by name."""
        return {name: x for name, x in self._asdict().items() if name not in _COUNTS and x is not None}

    @property
    def cautions(self) -> tuple[str, ...]:
        """What not to read into the numbers, in words; empty: nothing."""
        words = []
        if self.classes and self.singles == self.classes:
            words.append(
                "every class has one exemplar: nothing varies within classes, NC1 is 0 whatever the points are"
            )
        elif self.singles:
            words.append(f"{self.singles} of {self.classes} classes have one exemplar, which adds nothing to NC1")
        if self.dimensions < self.classes - 1:
            words.append(f"{self.dimensions} dimensions have no room for a simplex of {self.classes} classes, NC2 = 0")
        return tuple(words)

    def __str__(self) -> str:
        text = f"effective dimension {self.participation:.4g} of {self.dimensions} (participation ratio)"
        if not self.classes:
            return text
        text += (
            f", {self.class_participation:.4g} of the means of {self.classes} classes; neural collapse: "
            f"NC1 {self.nc1:.3g} (tr W / tr B {self.nc1_ratio:.3g}), NC2 lengths {self.nc2_norms:.3g}, "
            f"angles {self.nc2_angles:.3g}"
        )
        return text + (f", NC3 {self.nc3:.3g}, NC4 {self.nc4:.3g}" if self.nc3 is not None else "")

    def __repr__(self) -> str:
        return f"Geometry({self})"

    def summary(self) -> dict[str, Any]:
        """Numbers for JSON."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return counts | self.numbers() | {"cautions": list(self.cautions)}

    def dataset(self) -> "xarray.Dataset":
        """What was measured as labelled variables without dimensions; how many points there were as attributes."""
        import xarray

        counts = {name: getattr(self, name) for name in _COUNTS}
        return labelled(xarray.Dataset({name: ((), x) for name, x in self.numbers().items()}, attrs=counts))


@on_host("measure.geometry")
def geometry(
    points: Any,
    labels: Any = None,
    *,
    weights: Any = None,
    biases: Any = None,
    classes: Sequence[Any] | np.ndarray | None = None,
) -> Geometry:
    """How points lie: effective dimension; with labels neural collapse; with the weights of a classifier self-duality.

    With points h of classes c = 1 ... C, class means μ_c and their mean μ, M the matrix of the μ_c - μ,

        Σ_W = mean over classes, and points in them, of (h - μ_c)(h - μ_c)ᵀ
        Σ_B = mean over classes of (μ_c - μ)(μ_c - μ)ᵀ

    and Σ_B⁺ the pseudo-inverse; directions in which class means differ by no more than rounding are left out. All
    classes weigh the same, whatever the number of their points. Source of NC1 to NC4: Papyan, Han and Donoho,
    "Prevalence of neural collapse during the terminal phase of deep learning training", PNAS 117 (2020) 24652, who
    have as many points in each class.

    Args:
        points: (N, D), at least 2 rows; numbers of any precision, also mapped from a file, lists, a DataFrame.
        labels: (N,) name of the class of each row, text or numbers; at least two classes.
        weights: (C, D) of a linear classifier, a row for each class.
        biases: (C,) of the classifier; None: 0. Only NC4 has to do with them.
        classes: the classes in the order of the rows of `weights`; None: sorted.

    Raises:
        ValueError: points not finite (the rows are named) or of another shape; labels that don't match, of one class
            only; a class without points; weights or biases of another shape or not finite.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> simplex = np.eye(3)[[0, 0, 1, 1, 2, 2]]
        >>> collapsed = measure.geometry(simplex, list("aabbcc"), weights=2 * np.eye(3) - 2 / 3)
        >>> round(collapsed.participation, 9), collapsed.nc1, round(collapsed.nc2_angles, 9), round(collapsed.nc3, 9)
        (2.0, 0.0, 0.0, 0.0)
        >>> round(measure.geometry(np.random.default_rng(0).normal(size=(1000, 4)) * [3, 1, 1, 1]).participation, 1)
        1.7
    """
    table = rows_of(points, 2, "points")
    own, names = _places(points, labels, classes)  # as given: tables name their rows
    points = table
    given = _given(weights, biases, len(names), points.shape[1])
    centre, means, counts = _means(points, own, max(1, len(names)))
    singles = int((counts == 1).sum()) if names else 0
    shape = Geometry(len(points), points.shape[1], len(names), singles, _participation(points, centre))
    if not names:
        return shape
    middle = means[0] + (means - means[:1]).mean(0)  # of equal means exactly these
    apart = means - middle
    return shape._replace(
        class_participation=_ratio(*_moments(apart)),
        **_against_between(points, own, means, apart, counts),
        **_equal(apart),
        **({} if given is None else _dual(points, own, means, apart, *given)),
    )


def _places(points: Any, labels: Any, classes: Any) -> tuple[np.ndarray, list[Any]]:
    """The place of each row's class among the names, and these; no names without labels."""
    if labels is None:
        return np.zeros(len(points), int), []
    given: Any = labels_of(labels, points, (), len(points))
    names = sorted(set(given)) if classes is None else labels_list(classes, "classes")
    place = {name: k for k, name in enumerate(names)}
    unknown = next((label for label in given if label not in place), None)
    if unknown is not None:
        raise ValueError(
            f"label {unknown!r} is none of the {len(names)} classes; name all of them, or leave classes out"
        )
    if len(place) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"classes must differ; {twice!r} is there {names.count(twice)} times")
    if len(names) < 2:
        raise ValueError(
            f"labels must name at least two classes; got {names[0]!r} only (leave labels out: no collapse)"
        )
    own = np.array([place[label] for label in given], int)
    empty = np.flatnonzero(np.bincount(own, minlength=len(names)) == 0)
    if empty.size:
        raise ValueError(
            f"class {names[empty[0]]!r} has no points; leave it out of classes, and its row out of weights"
        )
    return own, names


def _given(weights: Any, biases: Any, count: int, wide: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Weights and biases of a classifier, checked; None where there are none."""
    if weights is None:
        if biases is not None:
            raise ValueError("biases belong to weights; give both, or weights alone")
        return None
    if not count:
        raise ValueError("weights of classes need labels: which class each point is of")
    rows = finite_numbers(weights, "weights")
    if rows.shape != (count, wide):
        turned = " (this is its transpose: classes go down)" if rows.shape == (wide, count) else ""
        raise ValueError(f"weights must have shape ({count}, {wide}), classes by dimensions; got {rows.shape}{turned}")
    offsets = np.zeros(count) if biases is None else finite_numbers(biases, "biases")
    if offsets.shape != (count,):
        raise ValueError(f"biases must have shape ({count},), one for each class; got {offsets.shape}")
    return rows, offsets


def _blocks(points: Any) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows in float64, some at a time."""
    size = max(1, _NUMBERS // points.shape[1])
    for first in range(0, len(points), size):
        rows = slice(first, min(first + size, len(points)))
        yield rows, np.asarray(points[rows], np.float64)


def _means(points: Any, own: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(D,) mean of all points, (C, D) of classes and how many they have: exact where all points of a class are one."""
    first = np.unique(own, return_index=True)[1]
    start = np.concatenate([np.asarray(points[row : row + 1], np.float64) for row in first.tolist()])
    sums, bad = np.zeros_like(start), []
    for rows, block in _blocks(points):
        bad += (rows.start + np.flatnonzero(~np.isfinite(block).all(1))).tolist()
        if not bad:
            _add_by_class(sums, block - start[own[rows]], own[rows])
    finite_rows(bad, "points")
    counts = np.bincount(own, minlength=count)
    means = start + sums / counts[:, None]
    return means[0] + counts @ (means - means[:1]) / len(points), means, counts


def _add_by_class(sums: np.ndarray, rows: np.ndarray, own: np.ndarray) -> None:
    order = np.argsort(own, kind="stable")
    there, begins = np.unique(own[order], return_index=True)
    sums[there] += np.add.reduceat(rows[order], begins, axis=0)


def _participation(points: Any, centre: np.ndarray) -> float:
    """(tr S)² / tr S² of the scatter S, or of the points' own table of products where that is smaller."""
    count, wide = points.shape
    side = min(count, wide)
    _memory.require(16 * side * side, f"a table of {side} x {side} products")
    products = np.zeros((side, side))
    if wide <= count:
        for _, block in _blocks(points):
            block = block - centre
            products += block.T @ block
    else:
        step = max(1, _NUMBERS // count)
        for first in range(0, wide, step):
            part = np.asarray(points[:, first : first + step], np.float64) - centre[first : first + step]
            products += part @ part.T
    return _ratio(float(np.trace(products)), float((products**2).sum()))


def _moments(rows: np.ndarray) -> tuple[float, float]:
    """Sums of the eigenvalues of the scatter of rows, and of their squares."""
    products = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    return float(np.trace(products)), float((products**2).sum())


def _ratio(total: float, square: float) -> float:
    return total**2 / square if square > 0 else float("nan")


def _against_between(
    points: Any, own: np.ndarray, means: np.ndarray, apart: np.ndarray, counts: np.ndarray
) -> dict[str, float]:
    """NC1 and its simple ratio: scatter within classes along the directions of the class means, and altogether."""
    count, wide = apart.shape
    precision = np.finfo(points.dtype if points.dtype.kind == "f" else "f8").eps
    lengths, directions = np.linalg.svd(apart, full_matrices=False)[1:]
    known = lengths[: count - 1] > max(count, wide) * precision * max(lengths[0], float(np.abs(means).max()))
    lengths, directions = lengths[: count - 1][known], directions[: count - 1][known]
    weight, inside, along = 1.0 / (count * counts[own]), 0.0, np.zeros(len(lengths))
    for rows, block in _blocks(points):
        off = block - means[own[rows]]
        inside += float(weight[rows] @ (off**2).sum(1))
        along += weight[rows] @ (off @ directions.T) ** 2
    between = float((apart**2).sum()) / count
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.float64(inside) / between)
    # Σ_B⁺ is Σ v vᵀ C / s²; its C goes with that of the definition. Without a direction to differ in: none or all.
    return {"nc1": float((along / lengths**2).sum()) if known.any() else ratio, "nc1_ratio": ratio}


def _equal(apart: np.ndarray) -> dict[str, float]:
    """NC2: how equal the lengths of the centred class means are, and the angles between them."""
    count = len(apart)
    lengths = np.linalg.norm(apart, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = apart / lengths[:, None]
        variation = float(lengths.std() / lengths.mean())
    cosines = (unit @ unit.T)[np.triu_indices(count, 1)]
    off = np.abs(cosines + 1 / (count - 1))
    return {"nc2_norms": variation, "nc2_cosines": float(cosines.std()), "nc2_angles": float(off.mean())}


def _dual(
    points: Any, own: np.ndarray, means: np.ndarray, apart: np.ndarray, weights: np.ndarray, biases: np.ndarray
) -> dict[str, float]:
    """NC3, weights against class means, and NC4, the classifier against the nearest class mean."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = weights / np.linalg.norm(weights) - apart / np.linalg.norm(apart)
    middle = means - apart
    other, half = 0, (apart**2).sum(1) / 2
    for _, block in _blocks(points):
        nearest = ((block - middle[:1]) @ apart.T - half[None]).argmax(1)
        other += int(((block @ weights.T + biases[None]).argmax(1) != nearest).sum())
    return {"nc3": float(np.linalg.norm(gap)), "nc4": other / len(points)}
