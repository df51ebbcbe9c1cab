"""A model's own similarity of embeddings: the strengths that Luce's rule shares, and the dissimilarities behind them.

Everything is float64, row blocks against all: a full table is the block of all rows.
"""

from typing import Any, NamedTuple

import numpy as np

from semres_jax._checks import concrete

SIMILARITIES = ("relu", "cosine", "euclidean")
FLOOR = 1e-10
# The largest dot product of embeddings is within this factor of 1, or they are taken to be in a unit of their own.
_UNIT = 1e3
# Squared distances below this share of the squared lengths are found again by subtracting: inner products lose there.
_CLOSE = 1e-4
# Numbers of embeddings made float64 at once, and pairs subtracted at once.
_NUMBERS, _PAIRS = 2**25, 2**12


class Own(NamedTuple):
    """How a model's own similarity is computed of (N, D) points.

    Attributes:
        kind: one of `SIMILARITIES`.
        points: (N, D), as given: perhaps a file mapped into memory.
        mean: (D,) of the points, which Euclidean distances are centred at.
        top: largest similarity (relu), that of the longest to itself; or largest distance (euclidean), 1 until known.
        alike: whether all points are the same.
    """

    kind: str
    points: Any
    mean: np.ndarray
    top: float
    alike: bool = False

    def require_apart(self) -> None:
        """Raise `ValueError` where all points are one."""
        if self.alike:
            count = len(self.points)
            raise ValueError(f"all {count} embeddings are the same point (a collapse): nothing tells stimuli apart")

    def with_top(self, top: float) -> "Own":
        return self._replace(top=float(top))


def own(points: Any, kind: str) -> Own:
    """Checked, in one pass over the points.

    Raises:
        ValueError: unknown kind; points of another shape or kind; NaN, infinite or (cosine) zero rows, which are named.
    """
    if kind not in SIMILARITIES:
        raise ValueError(f"similarity must be one of {', '.join(SIMILARITIES)}; got {kind!r}")
    points = rows_of(points, 3, "embeddings", "stimuli")
    shape = points.shape
    total, bad, empty, longest, alike = np.zeros(shape[1]), [], [], 0.0, True
    for first in range(0, shape[0], _rows(shape[1])):
        block = np.asarray(points[first : first + _rows(shape[1])], np.float64)
        bad += (first + np.flatnonzero(~np.isfinite(block).all(1))).tolist()
        empty += (first + np.flatnonzero(~block.any(1))).tolist()
        total += np.where(np.isfinite(block), block, 0.0).sum(0)
        alike = alike and bool((block == np.asarray(points[:1], np.float64)).all())
        longest = max(longest, float(np.einsum("nd,nd->n", block, block).max()))
    finite_rows(bad, "embeddings")
    if empty and kind != "euclidean":
        raise ValueError(f"{listed(empty)} of the embeddings {'is' if len(empty) == 1 else 'are'} all 0: "
                         f"no {kind} similarity; leave out or use euclidean")  # fmt: skip
    return Own(kind, points, total / shape[0], longest if kind == "relu" else 1.0, alike)


def rows_of(points: Any, least: int, name: str, rows: str = "rows") -> Any:
    """Points as an array of shape (rows, dimensions), or as they are in their file.

    Raises:
        ValueError: no numbers, another shape, fewer rows than `least`.
    """
    plain = isinstance(points, np.ndarray) and not isinstance(points, np.ma.MaskedArray) and points.dtype.kind in "biuf"
    if not plain and not type(points).__module__.startswith("h5py"):  # these stay in their files
        points = concrete(points, name)
        if points is None:
            raise ValueError(f"{name} must be known numbers; got a traced or missing array")
    shape = np.shape(points)
    if len(shape) != 2 or shape[0] < least or shape[1] < 1:
        raise ValueError(f"{name} must have shape ({rows}, dimensions), at least {least} rows; got shape {shape}")
    return points


def finite_rows(bad: list[int], name: str) -> None:
    """Raise `ValueError` where there are rows that are not finite."""
    if bad:
        has = "has" if len(bad) == 1 else "have"
        raise ValueError(f"{name} must be finite; {listed(bad)} {has} NaN or infinity")


def floor_of(model: Own) -> float:
    """The floor where none is given: 1e-10, and of embeddings in another unit as small a share of the largest."""
    return FLOOR if model.kind != "relu" or 1.0 / _UNIT <= model.top <= _UNIT else FLOOR * model.top


def listed(rows: list[int], most: int = 8) -> str:
    """Numbers of rows for a message, counted from 0."""
    more = f", ... ({len(rows)} rows)" if len(rows) > most else ""
    return f"row{'s' * (len(rows) > 1)} {', '.join(map(str, rows[:most]))}{more}"


def raw(model: Own, rows: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
    """(rows, N) float64: ReLU(x·y), cos(x, y), or |x - y|. `columns`: of these points only."""
    count, wide = model.points.shape
    columns = np.arange(count) if columns is None else columns
    left = _prepared(model, rows)
    products = np.empty((len(rows), len(columns)))
    for first in range(0, len(columns), _rows(wide)):
        right = _prepared(model, columns[first : first + _rows(wide)])
        product = left @ right.T
        product = _euclidean(left, right, product) if model.kind == "euclidean" else _bounded(model, product)
        products[:, first : first + len(right)] = product
    if model.kind != "relu":
        products[rows[:, None] == columns[None]] = float(model.kind == "cosine")
    return products


def paired(model: Own, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(rows, K) float64, as `raw`, with other (rows, K) columns for each row."""
    left = _prepared(model, rows)
    right = _prepared(model, columns.ravel()).reshape(*columns.shape, -1)
    if model.kind == "euclidean":
        return np.sqrt(((left[:, None] - right) ** 2).sum(-1))
    return _bounded(model, np.matmul(right, left[..., None])[..., 0])


def _bounded(model: Own, product: np.ndarray) -> np.ndarray:
    return np.maximum(product, 0.0, out=product) if model.kind == "relu" else np.clip(product, -1.0, 1.0, out=product)


def strengths(model: Own, products: np.ndarray, floor: float) -> np.ndarray:
    """Strengths of `raw` numbers: ReLU(x·y), max(0, cos), or 1 - |x - y| / top; plus a floor."""
    if model.kind == "euclidean":
        return np.maximum(1.0 - products / model.top, 0.0) + floor
    return np.maximum(products, 0.0) + floor


def dissimilarities(model: Own, products: np.ndarray) -> np.ndarray:
    """Dissimilarities, at least 0, of `raw` numbers: top - ReLU(x·y), 1 - cos, or |x - y|."""
    if model.kind == "euclidean":
        return products
    return np.maximum((model.top if model.kind == "relu" else 1.0) - products, 0.0)


def _rows(wide: int) -> int:
    return max(1, _NUMBERS // wide)


def _prepared(model: Own, rows: np.ndarray) -> np.ndarray:
    # A range of rows is read as one piece of the file.
    whole = len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
    block = np.asarray(model.points[rows[0] : rows[-1] + 1] if whole else model.points[rows], np.float64)
    if model.kind == "euclidean":
        return block - model.mean
    if model.kind == "cosine":
        block = block / np.abs(block).max(1, keepdims=True)  # squares neither overflow nor vanish
        return block / np.linalg.norm(block, axis=1, keepdims=True)
    return block


def _euclidean(left: np.ndarray, right: np.ndarray, product: np.ndarray) -> np.ndarray:
    lengths = [(x**2).sum(1) for x in (left, right)]
    scale = lengths[0][:, None] + lengths[1][None]
    squared = np.maximum(scale - 2.0 * product, 0.0)
    close = np.argwhere(squared < _CLOSE * scale)
    for first in range(0, len(close), _PAIRS):
        i, j = close[first : first + _PAIRS].T
        squared[i, j] = ((left[i] - right[j]) ** 2).sum(1)
    return np.sqrt(squared)
