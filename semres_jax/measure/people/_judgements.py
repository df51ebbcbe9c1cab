"""Tables of judgements, checked: what strengths they give, whose counts they are, what their stimuli are called."""

import dataclasses
from typing import Any

import numpy as np

from semres_jax._checks import concrete, require
from semres_jax._names import axis_labels, different, labels_list, places, text_of_labels

KINDS = ("similarity", "confusion", "dissimilarity")
STRENGTHS = ("linear", "exponential")


@dataclasses.dataclass(frozen=True)
class Judgements:
    """A checked table of judgements.

    Attributes:
        kind: one of `KINDS`.
        strengths: (N, N), at least 0, positive on the diagonal; row p is of probe p. Of counts these themselves.
        tables: (S, N, N) the strengths of each subject; of one table S is 1.
        counted: whether strengths are how often each answer was given to each stimulus.
        names: of the stimuli; () where they have none.
        remarks: what was made of the table, in words.
    """

    kind: str
    strengths: np.ndarray
    tables: np.ndarray
    counted: bool
    names: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def asymmetry(self) -> float:
        """Share of the variance of entries off the diagonal that tells (p, x) from (x, p)."""
        other = ~np.eye(len(self.strengths), dtype=bool)
        table = self.strengths / self.strengths.sum(1, keepdims=True) if self.counted else self.strengths
        whole = float(table[other].var())
        return float(((table - table.T)[other] ** 2).mean() / 4 / whole) if whole > 0 else 0.0

    @property
    def answer(self) -> float:
        """What one answer counts for in the strengths; 0 where they aren't counts."""
        return float(self.counted)

    @property
    def over(self) -> str:
        """What intervals are over."""
        if len(self.tables) > 1:
            return "subjects and stimuli"
        return "answers" if self.counted else "stimuli"

    def ceiling(self) -> tuple[float, float] | None:
        """How well the best model could agree with single subjects, from below and above; None of one table."""
        if len(self.tables) < 2:
            return None
        from semres_jax.measure.people.subjects import noise_ceiling

        return noise_ceiling(self.tables, "corr")

    def with_remark(self, line: str) -> "Judgements":
        return dataclasses.replace(self, remarks=(*self.remarks, line))

    def part(self, rows: np.ndarray) -> "Judgements":
        """The same of some stimuli, in another order."""
        names = tuple(self.names[row] for row in rows) if self.names else ()
        tables = self.tables[:, rows[:, None], rows]
        return dataclasses.replace(self, strengths=self.strengths[np.ix_(rows, rows)], tables=tables, names=names)


def judgements(table: Any, kind: str, strength: str, diagonal: float | int | None, names: Any) -> Judgements:
    """A table of people as it is measured.

    Args:
        table: (N, N), or (S, N, N) of several subjects.
        kind: one of `KINDS`.
        strength: one of `STRENGTHS`: how dissimilarities become strengths.
        diagonal: similarity (dissimilarity) of a stimulus to itself, where the table has none.
        names: of the stimuli; None: those of the table.

    Raises:
        ValueError: what can't be measured; the first offending entry is named.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    if strength not in STRENGTHS:
        raise ValueError(f"strength must be one of {', '.join(STRENGTHS)}; got {strength!r}")
    tables, names = _square(table, kind, names)
    say = names or tuple(map(str, range(tables.shape[-1])))
    tables, remarks = _with_diagonal(tables, kind, diagonal)
    _require_entries(tables, say)
    counted = False
    if kind == "dissimilarity":
        tables, words = _similar(tables, strength)
        remarks.append(words)
    elif kind == "confusion":
        shown = tables.sum((0, 2))
        if not (shown > 0).all():
            raise ValueError(f"stimulus {say[int(np.argmin(shown))]!r} was never shown: its row is all 0; leave it out")
        counted = bool((tables == np.round(tables)).all() and (shown > 1).all())
        if counted:
            remarks.append(f"{int(shown.sum())} answers counted, {int(shown.min())} or more to each stimulus")
    strengths = tables.sum(0) if counted else tables.mean(0)
    own = np.diagonal(strengths)
    if not (own > 0).all():
        raise ValueError(
            f"stimulus {say[int(np.argmin(own))]!r} has no similarity to itself: its entry on the diagonal is "
            f"{own.min():g}, and strengths are relative to it; leave it out, or give the diagonal"
        )
    if not (strengths != strengths[0, 0]).any():
        raise ValueError("all entries are the same: nothing tells stimuli apart")
    return Judgements(kind, strengths, tables, counted, names, tuple(remarks))


def _square(table: Any, kind: str, names: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """(S, N, N) float64, columns in the order of the rows, and names."""
    array = concrete(table, "table")
    if array is None:
        raise ValueError("table must be known numbers; got a traced or missing array")
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2]:
        raise ValueError(
            f"table must be square, N x N with a row and a column for each stimulus, or (subjects, N, N); got shape "
            f"{array.shape}" + (" (is the first column one of names?)" if array.ndim == 2 else "")
        )
    if array.shape[-1] < 3 or array.shape[0] < 1:
        raise ValueError(f"table must have at least 3 stimuli, and a subject; got shape {array.shape}")
    rows, columns = (axis_labels(table, array.ndim - 2 + k) if hasattr(table, "shape") else None for k in range(2))
    given = labels_list(names, "names") if names is not None else rows if rows is not None else columns
    own = different(text_of_labels(labels_list(given, "names")), "names") if given is not None else ()
    if own and len(own) != array.shape[-1]:
        raise ValueError(f"names must be of all {array.shape[-1]} stimuli; got {len(own)}")
    if rows is not None and columns is not None:
        across = different(text_of_labels(labels_list(columns, "names")), "names of columns")
        along = different(text_of_labels(labels_list(rows, "names")), "names of rows")
        odd = sorted(set(along) ^ set(across))
        if odd:
            raise ValueError(
                f"rows and columns of the table must have the same names; {odd[0]!r} is in one of them only"
            )
        array = array[..., np.argsort(places(along, list(across)))]
    stacked = array.astype(np.float64)
    return stacked.reshape(-1, *stacked.shape[-2:]), own


def _with_diagonal(tables: np.ndarray, kind: str, diagonal: float | int | None) -> tuple[np.ndarray, list[str]]:
    """Tables with something on the diagonal, and what was put there in words."""
    size = tables.shape[-1]
    own = np.einsum("snn->sn", tables)
    if not np.isnan(own).any() and diagonal is None:
        return tables, []
    if diagonal is None and kind != "dissimilarity":
        missing = int(np.isnan(own).sum())
        raise ValueError(
            f"the diagonal has {missing} of {own.size} entries missing: without the similarity of stimuli to "
            "themselves p_S alone is defined, and neither identification nor the profile; give one for all with "
            "diagonal (such as 1, the top of the scale)"
        )
    value = 0.0 if diagonal is None else diagonal
    require("diagonal", value, 0.0, 1e300, "a similarity, or a dissimilarity, of at least 0")
    tables = tables.copy()
    places_of_own = np.arange(size)
    tables[:, places_of_own, places_of_own] = np.where(np.isnan(own), value, own)
    return tables, [f"{int(np.isnan(own).sum())} missing entries of the diagonal are taken as {value:g}"]


def _require_entries(tables: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise `ValueError`, with the first offending entry, unless all are finite and at least 0."""
    for bad, what in ((~np.isfinite(tables), "finite numbers"), (tables < 0, "at least 0")):
        if bad.any():
            subject, p, x = map(int, np.argwhere(bad)[0])
            of = f" of subject {subject}" if len(tables) > 1 else ""
            count = int(bad.sum())
            more = f", and {count - 1} more" if count > 1 else ""
            raise ValueError(
                f"entries must be {what}; row {names[p]!r}, column {names[x]!r}{of} is {tables[subject, p, x]:g}{more}"
            )


def _similar(tables: np.ndarray, strength: str) -> tuple[np.ndarray, str]:
    """Similarities of dissimilarities, each subject's on the scale of its own, and how in words."""
    other = ~np.eye(tables.shape[-1], dtype=bool)
    largest = tables.max((1, 2), keepdims=True)
    if not (largest > 0).all():
        raise ValueError("all dissimilarities are 0: nothing tells stimuli apart")
    if strength == "linear":
        return 1 - tables / largest, "similarity = 1 - dissimilarity / largest"
    scale = tables[:, other].mean(1)[:, None, None]
    return np.exp(-tables / scale), "similarity = exp(-dissimilarity / mean)"
