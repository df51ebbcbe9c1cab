"""From what users hand in to the arrays of the choice model: checks, and what can be told from such choices at all."""

from typing import Any

import numpy as np

from semres_jax import similarity
from semres_jax._trials import arrays
from semres_jax.measure.choices import _model as model
from semres_jax.similarity import Family

BIASES = ("none", "label", "position", "both")
# As many biases of one kind as a fit takes.
_MOST = 64


def counted(distances: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, n) distances with 0 where there is no item, whether there is one, and counts of choices.

    Raises:
        ValueError: one line that names the argument, the trial (from 1) and the value.
    """
    d = distances
    there = ~np.isnan(d)
    _refuse(there & ~(np.isfinite(d) & (d >= 0)), d, "distances must be finite and at least 0 (NaN: no such item)")
    few = there.sum(1) < 2
    if few.any():
        raise ValueError(f"every trial needs at least 2 items; trial {(k := few.argmax()) + 1} has {there[k].sum()}")
    given = chosen
    if given.shape == d.shape:
        counts = given
        _refuse(~(np.isfinite(counts) & (counts >= 0)), counts, "counts of choices must be finite and at least 0")
        _refuse(~there & (counts > 0), counts, "an item that isn't there can't be chosen")
    elif given.shape == d.shape[:1] and given.dtype.kind in "iu":
        outside = (given < 0) | (given >= d.shape[1])
        outside |= ~there[np.arange(len(d)), np.where(outside, 0, given)]
        if outside.any():
            chose = f"trial {(k := outside.argmax()) + 1} chose item {given[k]}, counted from 0, of {there[k].sum()}"
            raise ValueError(f"choice not among items: {chose}")
        counts = (np.arange(d.shape[1]) == given[:, None]).astype(np.float64)
    else:
        raise ValueError(
            f"chosen must be (trials,) whole numbers, the item counted from 0, or (trials, items) counts; "
            f"got shape {given.shape} of {given.dtype} for distances of shape {d.shape}"
        )
    if not counts.sum() > 0:
        raise ValueError("chosen holds no choice; got counts of 0 alone")
    return np.where(there, d, 0.0), there, counts


def set_up(
    distances: Any,
    chosen: Any,
    *,
    labels: Any = None,
    positions: Any = None,
    family: Any,
    delta: float | int | str,
    exponent: float | int | str,
    bias: str,
) -> model.Setup:
    """The model that `fit_choices` fits; its errors are those of `fit_choices`."""
    family = similarity.get(family)
    if bias not in BIASES:
        raise ValueError(f"bias must be one of {', '.join(BIASES)}; got {bias!r}")
    handed = arrays(distances, chosen, labels=labels, positions=positions)
    labels, positions = handed["labels"], handed["positions"]
    d, there, counts = counted(handed["distances"], handed["chosen"])
    spread = np.where(there, d, -np.inf).max(1) - np.where(there, d, np.inf).min(1)
    if not spread.max() > 0:
        raise ValueError("the items of each trial are all at one distance, which says nothing of a resolution")
    floor, power = _number("delta", delta, 0.0, 1.0), _number("exponent", exponent, 1e-3, 1e3)
    if power is None and (reason := hidden_exponent(family, delta)):
        raise ValueError(f"exponent can't be fitted with the {family.label} similarity{reason}")
    parts: list[np.ndarray] = []
    names: list[Any] = list(model.NUMBERS)
    groups: list[slice] = []
    # Biases that aren't fitted are there too, at 0: fits with and without them are one likelihood.
    if labels is None and bias in ("label", "both"):
        raise ValueError(f"bias {bias!r} needs labels, (trials, items)")
    if positions is None and bias in ("position", "both"):
        positions = np.broadcast_to(np.arange(1, d.shape[1] + 1), d.shape)
    for kind, given in (("label", labels), ("position", positions)):
        if given is not None:
            _add(kind, given, there, parts, names, groups, bias in (kind, "both"))
    design = np.concatenate(parts, axis=-1) if parts else np.zeros((*d.shape, 0))
    _require_rank(design, there, groups, names, bias)
    start = np.zeros(len(names))
    start[0] = np.log(np.median(d[there & (d > 0)]))
    first = 0.05 if floor is None else floor
    with np.errstate(divide="ignore"):  # the logistic function of -1000 and 1000 is 0 and 1, all digits
        start[1] = np.clip(np.log(first) - np.log1p(-first), -1000.0, 1000.0)
    start[2] = 0.0 if power is None else np.log(power)
    free = np.array([True, floor is None, power is None, *(bias in (kind, "both") for kind, _ in names[3:])])
    return model.Setup(family, model.Table(d, there, design), counts, start, free, groups, names)


def hidden_exponent(family: Family, delta: float | int | str) -> str:
    """Why Luce's exponent can't be told with a family, "" where it can."""
    if family.kind.steps:
        return ": only delta^exponent is seen; give it"
    if delta != "fit" and float(delta) == 0 and model.scale_free(family):
        return " and delta 0: only its ratio to epsilon is seen; give exponent, or fit delta"
    return ""


def paired(labels: Any, positions: Any) -> bool:
    """Whether each label is always at one position and each position has one label: their biases are one thing."""
    columns = np.ravel(labels).tolist(), np.ravel(positions).tolist()
    return len(set(zip(*columns, strict=True))) == len(set(columns[0])) == len(set(columns[1]))


def _add(kind: str, given: Any, there: np.ndarray, parts: list, names: list, groups: list, fitted: bool) -> None:
    table = np.asarray(given)
    values = sorted(set(table[there].tolist()))
    if len(values) > _MOST:
        if fitted:
            raise ValueError(f"{len(values)} different {kind}s are too many for a bias each; at most {_MOST}")
        return
    if fitted:
        groups.append(slice(len(names), len(names) + len(values)))
    names.extend((kind, value) for value in values)
    parts.append(np.stack([(table == value) & there for value in values], axis=-1).astype(np.float64))


def _require_rank(design: np.ndarray, there: np.ndarray, groups: list[slice], names: list, bias: str) -> None:
    """Biases show in comparisons within trials only: as many of these as there are biases, less one each kind."""
    if not groups:
        return
    mean = design.sum(1, keepdims=True) / there.sum(1)[:, None, None]
    within = ((design - mean) * there[..., None]).reshape(-1, design.shape[-1])
    square = within.T @ within
    places = [np.arange(group.start - 3, group.stop - 3) for group in groups]
    for place in places:
        kind = names[place[0] + 3][0]
        if np.linalg.matrix_rank(square[np.ix_(place, place)], hermitian=True) < max(len(place) - 1, 1):
            raise ValueError(
                f"{kind} biases can't be told: trials that hold two of them do not link all {len(place)} {kind}s; "
                f"leave out bias={bias!r}"
            )
    both = np.concatenate(places)
    if np.linalg.matrix_rank(square[np.ix_(both, both)], hermitian=True) < len(both) - len(groups):
        raise ValueError(
            "labels and positions go together in these trials, so that their biases are one thing; "
            "use bias='label' or bias='position'"
        )


def _number(name: str, given: float | int | str, low: float, high: float) -> float | None:
    """None where it is to be fitted."""
    if given == "fit":
        return None
    if isinstance(given, str) or not low <= float(given) <= high:
        raise ValueError(f"{name} must be 'fit' or a number from {low:g} to {high:g}; got {given!r}")
    return float(given)


def _refuse(bad: np.ndarray, values: np.ndarray, what: str) -> None:
    if bad.any():
        trial, item = np.argwhere(bad)[0]
        raise ValueError(f"{what}; trial {trial + 1}, item {item + 1} has {values[trial, item]:g}")
