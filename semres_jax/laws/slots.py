"""Where the tradeoff ends: wholes that are tuples of features, each compared by a slot of its own.

A stimulus has S independent features; a slot compares one of them, with a constant similarity of ball measure b and
floor Δ. Features are generalized by their slots, wholes are identified by the product of the slots' similarities
(conjunction) or by their mean (addition): `semres_jax.Slots`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from semres_jax._checks import concrete, refuse_traced, require, require_count, require_items
from semres_jax._showing import html_table, members, rows, short
from semres_jax._types import ArrayLike
from semres_jax.laws import _slot_sums, closed_form
from semres_jax.laws._slot_engine import (
    MOST_DIFFERENT,
    accuracy as accuracy,
    equal_slots as equal_slots,
    identification as identification,
)
from semres_jax.similarity import AGGREGATES

_UNIT = "a probability between 0 and 1"
# Their binomials fit into float64.
MOST_SLOTS = 1000
# n b^S at which p_I of a product without a floor is 1/2, as b^S falls: the root of (1 - e^{-x})/x = 1/2, which is
# 2 + W(-2 e^{-2}) with Lambert's W. Recomputed, and compared, by `symbolic`'s law "slots_half_point".
HALF_POINT = 1.5936242600400401
# What slots share: see `shared_floor`.
MODELS = ("signal", "units")


class Compositional(NamedTuple):
    """Exact accuracies of a code of slots, elementwise over whatever was swept.

    Attributes:
        feature: p_S of a feature: probability of choosing the item closest in it, by its slot alone; with different
            slots the mean over them. In [0, 1], as all three.
        whole: p_S of wholes: probability of choosing the item whose largest distance over the features is smallest.
        p_i: p_I of wholes: probability of choosing the item that the probe is.

    Example:
        >>> from semres_jax import laws
        >>> laws.compositional(0.5, slots=2)
        Compositional(feature=0.75, whole=0.6875, p_i=0.875)
    """

    feature: Any
    whole: Any
    p_i: Any

    def __repr__(self) -> str:
        return f"Compositional({', '.join(f'{name}={short(part)}' for name, part in self._asdict().items())})"

    def _repr_html_(self) -> str:
        return html_table({name: members(part, lambda x: f"{x:.6g}") for name, part in self._asdict().items()})

    def to_dataframe(self, **swept: Any) -> Any:
        """A pandas.DataFrame with a row for each member, after columns of what was swept, as `Accuracy.to_dataframe`.

        Example:
            >>> from semres_jax import laws
            >>> b = [0.25, 0.5]
            >>> laws.compositional(b, slots=2).to_dataframe(b=b).round(3).values.tolist()
            [[0.25, 0.688, 0.559, 0.969], [0.5, 0.75, 0.688, 0.875]]
        """
        return rows(self._asdict(), swept)


def compositional(
    b: ArrayLike, *, slots: Any, aggregate: Any = "product", n: Any = 2, delta: ArrayLike = 0.0
) -> Compositional:
    """Accuracies of S slots of constant similarity on features that are independent and homogeneous.

    With K ~ Binomial(S, 1-b) slots of an item outside the probe's balls, its strength h is Δ^K by the product and
    (S - K + KΔ)/S by the mean;

        p_S of a feature = theorem 2 or 3 for that slot (`constant`),   p_I = E[1 / (1 + Σ_{n-1 items} h)]
        p_S of wholes = E[h of the nearest / Σ_{n items} h], nearest by the largest distance over the features,

    1/n where all strengths are 0. Without a floor the product is the constant similarity of ball measure B = b^S:
    p_I = (1 - (1-B)^n)/(n B), and the mean has p_I = Σ_k C(S,k) b^k (1-b)^{S-k} S/(S+k) at n = 2. Of two items with
    j, j' >= 1 features outside, the former is nearer with probability j'/(j+j'). Source: new, of this project.

    Args:
        b: ball measure of a slot in [0, 1], any shape. With slots=None the last axis has one for each slot.
        slots: S, from 1 to 1000; or None, for different slots: as many as the last axis of b has, up to 12.
        aggregate: "product" or "mean".
        n: number of items, at least 2.
        delta: floor of a slot in [0, 1], broadcasting against b (with slots=None along the slots, too).

    Returns:
        Compositional in float64 NumPy, of the shape of b and delta (without the axis of different slots), to 1e-12.
        p_S of wholes is that of continuous distances, which don't tie. Those of different slots are compared as ranks,
        the share of stimuli that is closer, as on circles.

    Raises:
        ValueError: slots or n too small, an unknown aggregate, b or delta outside [0, 1], too many different slots.
        TypeError: an argument is traced.

    Example:
        >>> from semres_jax import laws
        >>> [round(float(laws.compositional(0.5, slots=2, aggregate=a).p_i), 4) for a in ("product", "mean")]
        [0.875, 0.7083]
    """
    refuse_traced("laws.compositional", b, delta)
    n = require_items(n)
    require_aggregate(aggregate)
    balls, floors = _checked(b, delta)
    feature = np.asarray(closed_form.constant(balls, n=n, delta=floors).p_s)
    if slots is None:
        if balls.ndim == 0 or not 1 <= balls.shape[-1] <= MOST_DIFFERENT:
            raise ValueError(
                f"with slots=None the last axis of b or delta has the different slots, 1 to {MOST_DIFFERENT}; got "
                f"b of shape {np.shape(b)}"
            )
        feature, shape = feature.mean(axis=-1), balls.shape[:-1]
        rows_of = (x.reshape(-1, balls.shape[-1]) for x in (balls, floors))
        cells = [_different(own, floor, aggregate, n) for own, floor in zip(*rows_of, strict=True)]
    else:
        slots, shape = require_slots(slots), balls.shape
        cells = [_alike(own, floor, slots, aggregate, n) for own, floor in _pairs(balls, floors)]
    whole, p_i = np.array(cells).reshape(-1, 2).T
    return Compositional(feature[()], whole.reshape(shape)[()], p_i.reshape(shape)[()])


def many_items(b: Any, n: ArrayLike, *, slots: Any, aggregate: Any = "product", delta: Any = 0.0) -> np.ndarray:
    """p_I of `compositional` for one code and many numbers of items, fractions too: for curves over n.

    Args:
        b, delta: single numbers in [0, 1].
        n: numbers of items, at least 1, any shape.
        slots, aggregate: as `compositional`.

    Returns:
        p_I of the shape of n, float64.

    Raises:
        ValueError: an argument out of its range.

    Example:
        >>> from semres_jax import laws
        >>> laws.slots.many_items(0.5, [2, 100], slots=8).round(4).tolist()
        [0.998, 0.8291]
    """
    slots, aggregate = require_slots(slots), require_aggregate(aggregate)
    require("n", n, 1.0, np.inf, "numbers of items, at least 1")
    balls, floors = _checked(b, delta)
    if balls.ndim:
        raise ValueError(f"b and delta must be single numbers; got shape {balls.shape}")
    classes, counts = (
        _slot_sums.alike(float(balls), float(floors), slots, aggregate),
        np.asarray(concrete(n), np.float64),
    )
    return np.array([_slot_sums.identification(classes, x) for x in counts.ravel().tolist()]).reshape(counts.shape)


def items_at_half(b: ArrayLike, slots: Any, *, aggregate: Any = "product", delta: ArrayLike = 0.0) -> Any:
    """The number of items at which p_I of wholes falls to 1/2, as a real number.

    The product without a floor has (1 - (1-B)^n)/(n B) = 1/2 with B = b^S: n B -> `HALF_POINT` = 1.5936, so that n
    grows like b^{-S}. For the mean n -> 1 + 1/b as S grows: more slots don't help. Source: new, of this project.

    Args:
        b, slots, aggregate, delta: as `compositional`, of equal slots.

    Returns:
        Real numbers above 1, of the shape of b and delta, float64; infinity beyond 10^280, as where b = 0 and no floor
        is left.

    Raises:
        ValueError, TypeError: as `compositional`.

    Example:
        >>> from semres_jax import laws
        >>> [round(float(laws.slots.items_at_half(0.5, s)), 2) for s in (1, 2, 4, 8)]
        [3.69, 6.9, 26.04, 408.51]
    """
    refuse_traced("laws.slots.items_at_half", b, delta)
    slots, aggregate = require_slots(slots), require_aggregate(aggregate)
    balls, floors = _checked(b, delta)
    cells = [_at_half(_slot_sums.alike(x, y, slots, aggregate)) for x, y in _pairs(balls, floors)]
    return np.array(cells).reshape(balls.shape)[()]


def _at_half(classes: _slot_sums.Classes) -> float:
    from scipy.optimize import brentq

    if not classes.chance @ np.exp(classes.log_strength) > 1e-280:
        return np.inf
    beyond = 4.0
    while _slot_sums.identification(classes, beyond) > 0.5:
        beyond *= 4.0
    root = brentq(lambda x: _slot_sums.identification(classes, np.exp(x)) - 0.5, 0.0, np.log(beyond), xtol=1e-14)
    return float(np.exp(root))  # pyright: ignore[reportArgumentType, reportCallIssue]


def shared_floor(delta: ArrayLike, slots: ArrayLike, model: Any = "signal") -> Any:
    """The floor Δ_S of each of S slots that share what one slot would have for itself, with floor Δ.

        signal: the noise power ν = Δ/(1-Δ) of one slot, in units of its signal's, is that of a precision; a slot with a
            share 1/S of it has S ν, so Δ_S = S Δ / (1 + (S-1) Δ)
        units: Δ is the chance overlap of m random units, which goes as 1/√m; a slot has m/S: Δ_S = min(1, Δ √S)

    By "signal" the product's floor Δ_S^S falls to e^{-1/ν}, and p_I at fixed b tends to 1/(1 + (n-1) e^{-(1-b)/ν}):
    noise bounds the escape. By "units" all is lost at S = 1/Δ². Source: new, of this project; both are models.

    Args:
        delta: Δ in [0, 1], any shape.
        slots: S, whole numbers from 1 on, broadcasting.
        model: "signal" or "units".

    Raises:
        ValueError: an argument out of its range.

    Example:
        >>> from semres_jax import laws
        >>> [round(float(laws.slots.shared_floor(0.1, 4, model)), 4) for model in ("signal", "units")]
        [0.3077, 0.2]
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}; got {model!r}")
    require("delta", delta, 0.0, 1.0, "a floor between 0 and 1")
    require("slots", slots, 1.0, np.inf, "numbers of slots, at least 1")
    delta, slots = np.asarray(delta, np.float64), np.asarray(slots, np.float64)
    if model == "signal":
        return slots * delta / (1.0 + (slots - 1.0) * delta)
    return np.minimum(1.0, delta * np.sqrt(slots))


class BestSlots(NamedTuple):
    """How many slots are worth having at a given noise.

    Attributes:
        slots: S, the best number; the smallest of equally good ones.
        value: weight p_S + (1 - weight) p_I there.
        feature, p_i: p_S of a feature and p_I of wholes there.
        floor: the floor of each slot there.
    """

    slots: int
    value: float
    feature: float
    p_i: float
    floor: float


def best_slots(
    delta: Any, *, b: float = 0.5, n: Any = 2, model: Any = "signal", weight: float = 0.5, most: Any = 64
) -> BestSlots:
    """The number of slots with the largest weight p_S(feature) + (1 - weight) p_I(whole), by the product.

    Every slot more lets wholes differ in one feature more and raises the floor of all (`shared_floor`).

    Args:
        delta: floor of one slot that has all for itself, in [0, 1].
        b, n: ball measure of every slot, number of items.
        model: "signal" or "units".
        weight: of features, in [0, 1].
        most: the largest number of slots that is tried, from 1 to 1000.

    Raises:
        ValueError: an argument out of its range.

    Example:
        >>> from semres_jax import laws
        >>> [laws.slots.best_slots(delta, weight=0.8).slots for delta in (0.001, 0.01, 0.1)]
        [8, 5, 1]
    """
    most, n = require_slots(most), require_items(n)
    require("weight", weight, 0.0, 1.0, "the weight of p_S, between 0 and 1")
    numbers = np.arange(1, most + 1)
    floors = shared_floor(float(np.asarray(delta)), numbers, model)
    feature = np.asarray(closed_form.constant(b, n=n, delta=floors).p_s)
    classes = [_slot_sums.alike(float(b), float(floors[k - 1]), int(k), "product") for k in numbers]
    p_i = np.array([_slot_sums.identification(own, n) for own in classes])
    value = weight * feature + (1 - weight) * p_i
    k = int(np.argmax(value))
    return BestSlots(k + 1, *(float(x[k]) for x in (value, feature, p_i, floors)))


def _checked(b: Any, delta: Any) -> tuple[np.ndarray, np.ndarray]:
    """Ball measures and floors, in float64 arrays of one shape."""
    require("b", b, 0.0, 1.0, _UNIT)
    require("delta", delta, 0.0, 1.0, "a floor between 0 and 1")
    balls, floors = np.broadcast_arrays(*(np.asarray(concrete(x), np.float64) for x in (b, delta)))
    return balls, floors


def _pairs(balls: np.ndarray, floors: np.ndarray) -> Iterator[tuple[float, float]]:
    return zip(balls.ravel().tolist(), floors.ravel().tolist(), strict=True)


def require_aggregate(aggregate: Any) -> str:
    """The aggregate, or a `ValueError` unless it is one of "product" and "mean"."""
    if not isinstance(aggregate, str) or aggregate not in AGGREGATES:
        raise ValueError(f"aggregate must be one of {', '.join(AGGREGATES)}; got {aggregate!r}")
    return aggregate


def require_slots(slots: Any) -> int:
    """The number of slots as an int, or a `ValueError`."""
    slots = require_count("slots", slots, 1, " (a whole has features to be compared by)")
    if slots > MOST_SLOTS:
        raise ValueError(f"slots must be at most {MOST_SLOTS}; got {slots}")
    return slots


def _alike(b: float, delta: float, slots: int, aggregate: str, n: int) -> tuple[float, float]:
    """p_S and p_I of wholes of equal slots."""
    if slots == 1 or (aggregate == "product" and delta == 0):
        p_s, p_i = closed_form.constant(b**slots, n=n, delta=delta)
        return float(p_s), float(p_i)
    classes = _slot_sums.alike(b, delta, slots, aggregate)
    order = _slot_sums.alike_order(b, slots, n)
    return _slot_sums.nearest(classes, order, n), _slot_sums.identification(classes, n)


def _different(b: np.ndarray, delta: np.ndarray, aggregate: str, n: int) -> tuple[float, float]:
    """The same of different slots, whose distances are compared as ranks."""
    classes = _slot_sums.different(b, delta, aggregate)
    rank, weight = _slot_sums.rule([0.0, *b, 1.0], len(b), n)
    ball = np.broadcast_to(rank, (len(b), len(rank)))
    order = _slot_sums.different_order(ball, np.ones_like(ball), b, weight)
    return _slot_sums.nearest(classes, order, n), _slot_sums.identification(classes, n)
