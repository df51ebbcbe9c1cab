"""Exact accuracies of wholes by slots on products of spaces: by tables, by patterns of slots, by laws of slots."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import brief, concrete, refuse_traced, require_exponent, require_items
from semres_jax._types import Accuracy, ArrayLike
from semres_jax.laws import _slot_laws, _slot_sums, _slot_wholes, closed_form, tables
from semres_jax.similarity import Constant, Slots, flatten
from semres_jax.spaces import MetricSpace, Product
from semres_jax.spaces.named import on_space

# Slots of different balls have 2^S patterns.
MOST_DIFFERENT = 12


@on_space
def accuracy(space: Any, similarity: Any, *, n: Any = 2, exponent: ArrayLike = 1.0, replace: bool = False) -> Accuracy:
    """Exact accuracies of wholes whose features are compared by slots; `semres_jax.accuracy` comes here with `Slots`.

    - On products of finite spaces with a table of distances: sums over all tuples, by any metric of the product.
    - For constant similarities on products of homogeneous continuous spaces by "max": sums over which slots of an item
      are outside, as in `compositional`, but for distances as they are instead of ranks.
    - For any similarities on these: integrals over distances, of products for n = 2, of means for any n, to about
      1e-11.

    Elsewhere `identification` gives p_I alone. Source: new, of this project.

    Args:
        space: a `spaces.Product` of as many factors as there are slots.
        similarity: of any shape.
        n: number of items, at least 2.
        exponent: Luce exponent, at least 0 and finite.
        replace: on products of finite spaces, whether stimuli may repeat; distinct ones must be equally likely.

    Returns:
        Accuracy of the similarity's shape, p_s of wholes, in float64 NumPy.

    Raises:
        ValueError: another space, number of slots or exponent; no exact p_S of wholes (the message names what would
            do).
        TypeError: an argument is traced.

    Example:
        >>> from semres_jax import Constant, Slots, spaces
        >>> from semres_jax.laws import slots
        >>> pair = spaces.Product((spaces.Circle(), spaces.Circle()))
        >>> [round(float(p), 4) for p in slots.accuracy(pair, Slots([Constant(0.25), Constant(0.25)]))]
        [0.6875, 0.875]
    """
    n, power = _settled(space, similarity, n, exponent)
    if space.enumerable:
        if not replace:
            space.require_distinct(n)
        return _of_members(lambda member: _enumerated(space, member, n, power, replace), similarity)
    plain = all(factor.homogeneous and factor.has_ball_measure and not factor.discrete for factor in space.factors)
    if not (plain and space.metric == "max"):
        raise ValueError(
            f"no exact p_S of wholes by slots on {space.label}: that takes a table of distances, or homogeneous "
            "continuous features and the metric max (laws.slots.identification gives p_I alone, semres_jax.estimate "
            "both)"
        )
    if not all(isinstance(slot, Constant) for slot in similarity.slots) or len(similarity.slots) > MOST_DIFFERENT:
        if similarity.aggregate == "product" and n > 2:
            raise ValueError(
                f"p_S of wholes by products of graded slots is exact for n = 2 items; got n = {n} "
                "(laws.slots.identification gives p_I alone, semres_jax.estimate both)"
            )
        p_i = identification(space, similarity, n=n, exponent=exponent)
        p_s = _of_members(lambda member: _graded(space, member, n, power), similarity)
        return Accuracy(p_s, p_i)
    return _of_members(lambda member: _patterns(space, member, n, power), similarity)


@on_space
def identification(space: Any, similarity: Any, *, n: Any = 2, exponent: ArrayLike = 1.0) -> Any:
    """p_I of wholes whose features are compared by slots, for any similarities, items drawn independently.

        mean: p_I = ∫ e^{-t} Π_s E_p[(E e^{-t g_s / S})^{n-1}] dt
        product: p_I = ∫ e^{-t} E_p[A(t)^{n-1}] dt,   A(t) = 1 - t φ_S(t),   φ_{s+1}(t) = E[g φ_s(g t)]

    with φ_0(t) = (1 - e^{-t})/t: functions without singularities, of which polynomials on [0, 38] keep all digits. On
    heterogeneous spaces the average over probes is made slot by slot; for products with n > 2 over all combinations of
    their probes. Whatever the metric of the product. Source: new, of this project; accurate to about 1e-12.

    Args:
        space: a `spaces.Product` of as many factors as there are slots, each finite, or with a ball measure.
        similarity: of any shape.
        n, exponent: as `accuracy`; means of slots take the exponent 1 only.

    Returns:
        p_I of the similarity's shape, in float64 NumPy.

    Raises:
        ValueError: as `accuracy`; a feature whose distances have no exact law; too many probes.
        TypeError: an argument is traced.

    Example:
        >>> from semres_jax import Constant, Linear, Slots, spaces
        >>> from semres_jax.laws import slots
        >>> pair = spaces.Product((spaces.Circle(), spaces.Interval()))
        >>> round(float(slots.identification(pair, Slots([Linear(0.2), Constant(0.1)]), n=8)), 4)
        0.8525
    """
    n, power = _settled(space, similarity, n, exponent)
    if similarity.aggregate == "mean" and power != 1:
        raise ValueError(f"means of slots take the exponent 1 where they are integrated; got {power:g}")
    known: dict[Any, _slot_laws.Slot] = {}

    def p_i(member: Slots) -> Any:
        laws = []
        for factor, slot in zip(space.factors, member.slots, strict=True):
            key = _key(factor, slot)
            if key not in known:
                known[key] = _slot_laws.slot(factor, slot, power)
            laws.append(known[key])
        if similarity.aggregate == "mean":
            return _slot_laws.mean_identification(laws, n)
        return _slot_laws.product_identification(laws, n)

    return _of_members(p_i, similarity)


@on_space
def equal_slots(space: Any, similarity: Any, slots: Sequence[int], aggregates: Sequence[str], ns: Sequence[int]) -> Any:
    """p_I of wholes of several numbers of equal slots, aggregates and numbers of items: `identification`, all at once.

    Args:
        space: of each feature.
        similarity: of each slot, of any shape.
        slots, aggregates, ns: what is to be computed, all combinations.

    Returns:
        float64 NumPy of the similarity's shape, with axes (aggregates, slots, ns) behind it.

    Raises:
        ValueError, TypeError: as `identification`.

    Example:
        >>> from semres_jax import Linear
        >>> from semres_jax.laws import slots
        >>> slots.equal_slots("circle", Linear(0.5), [1, 4], ["product", "mean"], [8])[..., 0].round(3).tolist()
        [[0.229, 0.714], [0.229, 0.224]]
    """
    refuse_traced("laws.slots", space, similarity)
    shape = (len(aggregates), len(slots), len(ns))

    def member_p_i(member: Any) -> np.ndarray:
        own, steps = _slot_laws.slot(space, member, 1.0), {}
        known = {True: _slot_laws.averaged(own), False: own}

        def p_i(aggregate: str, count: int, n: int) -> float:
            if aggregate == "mean":
                return _slot_laws.mean_identification([own] * count, n)
            return _slot_laws.product_identification([known[n == 2]] * count, n, steps)

        return np.array([p_i(*case) for case in itertools.product(aggregates, slots, ns)]).reshape(shape)

    return np.array([member_p_i(member) for member in _members(similarity)]).reshape(*similarity.shape, *shape)


def _settled(space: Any, similarity: Any, n: Any, exponent: Any) -> tuple[int, float]:
    """The number of items and the exponent of arguments that go together."""
    refuse_traced("laws.slots", space, similarity, exponent)
    if not isinstance(similarity, Slots):
        raise ValueError(f"similarity must be Slots([...]), a slot for each feature; got {brief(similarity)}")
    similarity.require_features(space)
    power = float(np.asarray(require_exponent(exponent)))
    if not np.isfinite(power):
        raise ValueError(f"wholes by slots take a finite exponent; got {power:g} (use semres_jax.estimate)")
    return require_items(n), power


def _members(similarity: Any) -> list[Any]:
    """Each member of a grid of similarities."""
    flat, count = flatten(similarity), int(np.prod(similarity.shape, dtype=int))
    return [jax.tree.map(lambda leaf, i=i: np.asarray(leaf, np.float64)[i], flat) for i in range(count)]


def _of_members(f: Callable[[Slots], Any], similarity: Slots) -> Any:
    """f of each member of a grid, in arrays of its shape."""
    values = [f(member) for member in _members(similarity)]
    columns = np.array(values).reshape(*similarity.shape, -1)
    return columns[..., 0][()] if np.ndim(values[0]) == 0 else Accuracy(*(columns[..., k][()] for k in (0, 1)))


def _key(factor: MetricSpace, slot: Any) -> Any:
    """What tells one slot on its space from another."""
    leaves, structure = jax.tree.flatten((factor, slot))
    return str(structure), tuple((np.shape(leaf), np.asarray(leaf).tobytes()) for leaf in leaves)


def _enumerated(space: Product, member: Slots, n: int, power: float, replace: bool) -> Accuracy:
    """By the (N, N) table of strengths of the tuples, the last feature changing fastest."""
    sizes = [factor.size for factor in space.factors]
    places = np.indices(sizes).reshape(len(sizes), -1)
    factors = []
    for factor, slot, at in zip(space.factors, member.slots, places, strict=True):
        table = np.asarray(concrete(factor.distances), np.float64)
        own = _slot_laws.strengths(slot, table.ravel(), 1.0).reshape(table.shape)
        factors.append(own[at[:, None], at[None, :]])
    whole = np.prod(factors, axis=0) if member.aggregate == "product" else np.mean(factors, axis=0)
    whole = whole**power
    if not replace:
        return Accuracy(*map(float, tables.accuracy(space, whole, n=n)))
    return _independent(np.asarray(concrete(space.distances)), whole, concrete(space.weights), n)


def _independent(distances: np.ndarray, strengths: np.ndarray, weights: Any, n: int) -> Accuracy:
    """Of items drawn independently, by probe. Equally near items are put in order by marks, uniform on [0, 1].

    Probes that see the same classes of equally near and equally strong items are done once.
    """
    size = len(distances)
    chance = np.full(size, 1.0 / size) if weights is None else np.asarray(weights) / np.sum(weights, dtype=np.float64)
    mark, weight = _slot_sums.rule([0.0, 1.0], 1, n)
    known: dict[bytes, np.ndarray] = {}
    total = np.zeros(2)
    for p in range(size):
        (kinds, place) = np.unique(np.stack([distances[p], strengths[p]], axis=1), axis=0, return_inverse=True)
        mass = np.bincount(place.ravel(), chance, len(kinds))
        key = kinds.tobytes() + mass.tobytes()
        if key not in known:
            with np.errstate(divide="ignore"):
                classes = _slot_sums.Classes(mass, np.log(kinds[:, 1]))
            known[key] = np.array(
                [
                    _slot_sums.nearest(classes, _tied(kinds[:, 0], mass, mark, weight), n),
                    _slot_sums.identification(classes, n),
                ]
            )
        total += chance[p] * known[key]
    return Accuracy(*total.tolist())


def _tied(distance: np.ndarray, mass: np.ndarray, mark: np.ndarray, weight: np.ndarray) -> _slot_sums.Order:
    """The order of classes at distances, as at nodes of a rule over the marks of each distance."""
    levels, place = np.unique(distance, return_inverse=True)
    earlier = (place[:, None] < np.arange(len(levels))[None])[..., None]
    equal = (place[:, None] == np.arange(len(levels))[None])[..., None]
    nearer = mass[:, None, None] * np.where(earlier, 1.0, np.where(equal, mark, 0.0))
    density = mass[:, None, None] * np.broadcast_to(np.where(equal, 1.0, 0.0), nearer.shape)
    return _slot_sums.Order(np.tile(weight, len(levels)), nearer.reshape(len(mass), -1), density.reshape(len(mass), -1))


def _graded(space: Product, member: Slots, n: int, power: float) -> float:
    """p_S of any similarities on homogeneous features."""
    return _slot_wholes.nearest(space.factors, _probes_of(space), member.slots, member.aggregate, n, power)


def _probes_of(space: Product) -> list[Any]:
    """A point of each homogeneous feature."""
    with jax.enable_x64(True):
        return [factor.probe(jnp.zeros((0,))) for factor in space.factors]


def _patterns(space: Product, member: Slots, n: int, power: float) -> Accuracy:
    """Of constant similarities on homogeneous features."""
    slots: Any = member.slots
    epsilon = np.array([float(slot.epsilon) for slot in slots])
    delta = np.array([float(slot.delta) ** power for slot in slots])
    probes = _probes_of(space)
    with jax.enable_x64(True):
        kinks = [[float(r) for r in own.radius_kinks(p)] for own, p in zip(space.factors, probes, strict=True)]
    b = np.array(
        [_slot_laws.ball(f, p, np.array([e]))[0] for f, p, e in zip(space.factors, probes, epsilon, strict=True)]
    )
    if len(b) == 1:
        return closed_form.constant(b[0], n=n, delta=delta[0])
    classes = _slot_sums.different(b, delta, member.aggregate)

    def values(d: np.ndarray) -> np.ndarray:
        balls = [_slot_laws.ball(factor, p, d) for factor, p in zip(space.factors, probes, strict=True)]
        return np.stack([np.mean(balls, axis=0), *balls])

    def tests(values: np.ndarray) -> Sequence[np.ndarray]:
        all_within = np.prod(values[1:], axis=0)
        return [*values[1:], all_within * np.maximum(1.0 - all_within, 0.0) ** (n - 1)]

    farthest = max(r for own in kinks for r in own)
    ends = [0.0, *(r for own in kinks for r in own), *(e for e in epsilon.tolist() if e < farthest)]
    _, *balls = _slot_laws.resolved(ends, values, tests)
    weighted = np.stack([_slot_laws.slopes(own).ravel() for own in balls])
    order = _slot_sums.different_order(
        np.stack([own.ravel() for own in balls]), weighted, b, np.ones(weighted.shape[1])
    )
    return Accuracy(_slot_sums.nearest(classes, order, n), _slot_sums.identification(classes, n))
