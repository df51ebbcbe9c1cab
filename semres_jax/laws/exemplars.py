"""Two different images of one thing: probes that are other exemplars of their class, enumerated."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import choice
from semres_jax._checks import concrete, require_exponent
from semres_jax._types import Accuracy, Array, ArrayLike
from semres_jax.laws._counting import distinct_values
from semres_jax.laws._precision import host_in_float64
from semres_jax.laws.reciprocal import ZERO, decays, shortened, strength_logs, sum_over_nodes
from semres_jax.similarity import Constant, Similarity, flatten
from semres_jax.spaces.base import MetricSpace

# Numbers in a block of probes times exemplars, or times classes and resolutions.
_NUMBERS = 2**22
# Cells that distances are sorted into before they are compared.
_CELLS = 4096


class Exemplars(NamedTuple):
    """Accuracies between exemplars, elementwise over a grid of similarities.

    Attributes:
        p_s: probability of choosing the item of the closer class (generalization).
        p_i: probability of choosing the item of the probe's own class (identification).
        tie_rate: share of the similarity trials whose two classes are equally far from the probe's; one number.
        hit_rate: probability that another exemplar of the probe's class is within ε of it.
        mean_b: probability that an exemplar of another class is.
        near, far: probability that the exemplar of the nearer, and of the farther, of two other classes is; two tied
            classes count half in each. All four NaN but for the constant similarity.
    """

    p_s: Any
    p_i: Any
    tie_rate: float
    hit_rate: Any
    mean_b: Any
    near: Any
    far: Any


@host_in_float64
def exemplars(
    distances: ArrayLike,
    labels: Sequence[Any] | np.ndarray,
    similarity: Similarity,
    class_distances: ArrayLike | MetricSpace,
    *,
    exponent: ArrayLike = 1.0,
    weights: ArrayLike | None = None,
    probes: Sequence[Any] | None = None,
) -> Exemplars:
    """Accuracies when every item and the probe are different exemplars of classes, n = 2: exact sums over all draws.

    The probe p is an exemplar of a class drawn uniformly. Identification: one item is another exemplar x of its class,
    the other an exemplar y of another class. Similarity: the items are exemplars of two other classes, and the right
    one is of the class closer to the probe's by `class_distances`; of classes equally close each is right half the
    time. Classes, and exemplars within them, are equally likely. With strengths h = g(d(·, p))^a and averages over
    these draws, tied classes included,

        p_I = <h_x / (h_x + h_y)>,   p_S = <h_near / (h_near + h_far)>;   1/2 where both strengths are 0.

    The sums factorise as 1/(h_x + h_y) = ∫ e^{-s h_x} e^{-s h_y} ds (relative error 1e-14). For the constant
    similarity, with f = Δ^a and κ = 1/(1+f) - 1/2, p_S = 1/2 + κ (near - far), p_I = 1/2 + κ (hit_rate - mean_b): at
    Δ = 0 `laws.two_exemplars`. Source: new, of this project.

    Args:
        distances: (N, N) between exemplars, symmetric, at least 0.
        labels: (N,) class of each exemplar: integers, strings, or anything that sorts. At least 3 classes, of at least
            2 exemplars each.
        similarity: any, of any shape.
        class_distances: (C, C) between classes in the sorted order of their labels, symmetric, compared exactly; or a
            finite space: its table, of which the classes are found by name where the space has `labels` (`spaces.Tree`,
            which may have more leaves than there are classes).
        exponent: a, the Luce exponent, at least 0; finite but for the constant similarity.
        weights: (N,) above 0, how much each exemplar counts within its class; None: all the same. A gradient in them
            at 1 is the influence of an exemplar.
        probes: labels of the classes that probes are drawn from, uniformly; None: all. Items are of all classes.

    Returns:
        Exemplars; arrays of the similarity's shape, but for tie_rate. Differentiable in the numbers of the similarity
        (of the constant similarity in delta only), and in weights but for the constant similarity. Time grows like N² C
        (65 + 3.6 ln(1/h)), h the smallest strength: N = 685 of C = 137 classes take 2 s; 200 resolutions of the
        constant similarity 0.1 s.

    Raises:
        ValueError: tables of wrong shape, not finite, negative or not symmetric; a class with one exemplar, or that the
            space does not name; fewer than 3 classes; exponent negative, or infinite where it can't be.

    Example:
        >>> import numpy as np
        >>> from semres_jax import Constant
        >>> from semres_jax.laws import enumeration
        >>> x = np.array([0.0, 0.1, 1.0, 1.1, 3.0, 3.1])
        >>> species = np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0]])
        >>> coarse = enumeration.exemplars(abs(x[:, None] - x), list("aabbcc"), Constant(1.2), species)
        >>> round(float(coarse.p_s), 4), round(float(coarse.p_i), 4)
        (0.8333, 0.8333)
    """
    table = square("distances", distances)
    names, own = _classes(labels, len(table))
    between = _class_table(class_distances, names)
    power = require_exponent(exponent)
    drawn = Draws(between, own, _shares(weights, own), _probing(probes, names))
    shape = similarity.shape
    if isinstance(similarity, Constant):
        numbers = _constant(table, drawn, similarity, exponent)
    else:
        if power is not None and np.isinf(power):
            raise ValueError("exponent must be finite for exemplars, but for the constant similarity; got inf")
        dtype = jnp.result_type(0.0, *jax.tree.leaves(similarity))
        arrays = (table, drawn.own, drawn.order, drawn.farther, drawn.share, drawn.weight)
        p_s, p_i = _averages(
            *(jnp.asarray(x, dtype if np.issubdtype(x.dtype, np.floating) else None) for x in arrays),
            flatten(similarity),
            jnp.asarray(exponent, dtype),
        )
        numbers = (p_s + drawn.tie_rate / 2, p_i, *(np.full(p_i.shape, np.nan),) * 4)
    p_s, p_i, *moments = (x.reshape(shape)[()] for x in numbers)
    return Exemplars(p_s, p_i, drawn.tie_rate, *moments)


class Draws:
    """What is known of the draws before any similarity is.

    Attributes:
        own: (N,) class of each exemplar.
        order: (C, C) for each class of a probe, the others from near to far; the class itself comes last.
        farther: (C, C) for each of them, the place from which on classes are strictly farther (C - 1: none).
        share: (N,) probability of an exemplar within its class.
        probing: (C,) probability that the probe is of a class.
        weight: (N,) probability of the probe.
        near, far: (C, C) probability that of the probe's class (rows) and two others, one is the nearer, the farther.
        tie_rate: share of tied pairs.
    """

    def __init__(self, between: np.ndarray, own: np.ndarray, share: Any, probing: np.ndarray):
        count = len(between)
        self.own, self.share, self.probing = own, share, probing
        self.weight = share * probing[own]
        others = np.where(np.eye(count, dtype=bool), np.inf, between)
        self.order = np.argsort(others, axis=1, kind="stable")
        placed = np.take_along_axis(others, self.order, axis=1)[:, :-1]
        self.farther = np.stack([row.searchsorted(row, side="right") for row in placed])
        nearer = np.stack([row.searchsorted(row, side="left") for row in placed])
        tied = self.farther - nearer - 1
        pairs = (count - 1) * (count - 2) / 2
        self.near, self.far = (np.zeros((count, count)) for _ in range(2))
        np.put_along_axis(self.near, self.order[:, :-1], (count - 1 - self.farther + tied / 2) / pairs, axis=1)
        np.put_along_axis(self.far, self.order[:, :-1], (nearer + tied / 2) / pairs, axis=1)
        self.tie_rate = float(probing @ tied.sum(1) / 2 / pairs)

    @classmethod
    def of(cls, labels: Any, class_distances: Any, size: int, probes: Sequence[Any] | None = None) -> "Draws":
        """Of the arguments of `exemplars`, all exemplars of a class alike."""
        names, own = _classes(labels, size)
        return cls(_class_table(class_distances, names), own, _shares(None, own), _probing(probes, names))


def shares_within(table: np.ndarray, rows: np.ndarray, drawn: Draws, epsilons: np.ndarray) -> np.ndarray:
    """(rows, C, E) shares of the exemplars of each class within each of E sorted resolutions of the probes in `rows`.

    Of the probe's own class the other exemplars only.
    """
    return shares_reached(first_reaching(epsilons, table[rows]), rows, drawn, epsilons.size)


def shares_reached(place: np.ndarray, rows: np.ndarray, drawn: Draws, levels: int) -> np.ndarray:
    """`shares_within` for (rows, N) numbers of the first resolution that reaches each exemplar."""
    count, width = len(drawn.near), levels + 1
    place = place + width * (np.arange(len(rows))[:, None] * count + drawn.own[None])
    share = np.broadcast_to(drawn.share, place.shape).copy()
    share[np.arange(len(rows)), rows] = 0.0
    within = np.bincount(place.ravel(), share.ravel(), len(rows) * count * width).reshape(len(rows), count, width)
    within = np.cumsum(within, axis=2)[..., :-1]
    within[np.arange(len(rows)), drawn.own[rows]] /= (1.0 - drawn.share[rows])[:, None]
    return within


def first_reaching(epsilons: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Number of the first of sorted epsilons that reaches each distance: `searchsorted`, several times faster.

    Distances are put into cells; only those that share their cell with an epsilon have to be compared with it.
    """
    scale = _CELLS / max(float(d.max(initial=0.0)), float(epsilons[-1]), 1e-300)
    cell, edges = ((x * scale).astype(np.int32) for x in (d, epsilons))
    place = edges.searchsorted(np.arange(_CELLS + 1), side="left")[cell]
    unclear = np.isin(np.arange(_CELLS + 1), edges)[cell]
    place[unclear] = epsilons.searchsorted(d[unclear], side="left")
    return place


def blocks(drawn: Draws, levels: int) -> list[np.ndarray]:
    """Rows of probes for `shares_within`, so many at once that they fit the memory."""
    size = len(drawn.own)
    rows = max(1, _NUMBERS // max(size, len(drawn.near) * (levels + 1)))
    return [np.arange(i, min(i + rows, size)) for i in range(0, size, rows)]


def _constant(table: np.ndarray, drawn: Draws, similarity: Constant, exponent: Any) -> tuple[Any, ...]:
    """p_s, p_i, hit_rate, mean_b, near, far of all members: four sums of weights over the pairs within epsilon."""
    members: Any = flatten(similarity)
    epsilons, member = distinct_values(members.epsilon)
    count, size = len(drawn.near), len(table)
    if isinstance(epsilons, np.ndarray):
        within = np.zeros((4, epsilons.size))
        for rows in blocks(drawn, epsilons.size):
            shares = shares_within(table, rows, drawn, epsilons)
            hit = shares[np.arange(len(rows)), drawn.own[rows]]
            other = (shares.sum(1) - hit) / (count - 1)
            near, far = (np.einsum("pc,pce->pe", x[drawn.own[rows]], shares) for x in (drawn.near, drawn.far))
            within += np.stack([drawn.weight[rows] @ x for x in (hit, other, near, far)])
    else:
        same = drawn.own[:, None] == drawn.own[None]
        hits = np.where(same & ~np.eye(size, dtype=bool), 1.0 / (1.0 - drawn.share)[:, None], 0.0)
        pairs = (x[drawn.own][:, drawn.own] for x in (drawn.near, drawn.far))
        weights = [hits, np.where(same, 0.0, 1.0 / (count - 1)), *pairs]
        weights = jnp.asarray(np.stack(weights) * drawn.weight[:, None] * drawn.share[None], epsilons.dtype)
        reached = lambda e: jnp.sum(jnp.where((jnp.asarray(table) <= e)[None], weights, 0.0), axis=(1, 2))  # noqa: E731
        within = jax.lax.map(reached, epsilons).T
    hit, mean_b, near, far = (x[member] for x in within)
    gain = 1.0 / (1.0 + choice.power(jnp.asarray(members.delta), exponent)) - 0.5
    return 0.5 + gain * (near - far), 0.5 + gain * (hit - mean_b), hit, mean_b, near, far


@jax.jit
def _averages(table, own, order, farther, share, weight, similarity: Similarity, exponent: Array) -> Accuracy:
    """(members,) accuracies, tied pairs of classes left out of p_S."""
    count, size = order.shape[0], table.shape[0]
    member_of = (own[None] == jnp.arange(count)[:, None]).astype(table.dtype)  # (C, N)
    mean = member_of * share[None]

    def accuracies(member: Similarity) -> Accuracy:
        def probe(p: Array) -> Array:
            c = own[p]
            far_first = jnp.argsort(-table[p])
            sorted_logs = shortened(strength_logs(member, table[p][far_first], exponent))
            log_h = jnp.zeros_like(table[p]).at[far_first].set(sorted_logs)
            nothing = jnp.where(log_h == ZERO, 1.0, 0.0).astype(table.dtype)
            itself = jnp.arange(size) == p
            inner = jnp.where(itself, 0.0, mean[c] / (1.0 - share[p]))

            def credits(e: Array, own_e: Array) -> Array:
                """(2, Q) sums of p_S and p_I for (N, Q) factors of items, and of the right ones."""
                e = jnp.matmul(mean, e, precision="highest")
                right = jnp.matmul(mean, own_e, precision="highest")
                hit = jnp.matmul(inner[None], own_e, precision="highest")[0]
                ranked, right = e[order[c, :-1]], right[order[c, :-1]]
                beyond = jnp.cumsum(ranked[::-1], axis=0)[::-1]
                beyond = jnp.concatenate([beyond, jnp.zeros_like(beyond[:1])])[farther[c]]
                generalized = jnp.sum(right * beyond, axis=0) * (2.0 / ((count - 1) * (count - 2)))
                return jnp.stack([generalized, hit * jnp.sum(ranked, axis=0) / (count - 1)])

            def chunk(log_s: Array, ratio: Array) -> Array:
                sh, e = decays(log_h, log_s)
                return jnp.sum(credits(e, ratio[None] * sh * e), axis=1)

            lowest = jnp.min(jnp.where(log_h == ZERO, 0.0, log_h))
            neither = credits(nothing[:, None], nothing[:, None] / 2.0)[:, 0]
            return sum_over_nodes(chunk, 2, lowest) + neither

        by_probe = jax.lax.map(probe, jnp.arange(size))
        return Accuracy(*(jnp.sum(weight * p) for p in by_probe.T))

    return jax.lax.map(accuracies, similarity)


def square(name: str, given: Any) -> np.ndarray:
    """A table of distances in float64.

    Raises:
        ValueError: it is not square, known, finite, at least 0 and symmetric; `name` says which table.
    """
    table = concrete(given)
    if table is None or table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"{name} must be a square table of known numbers; got shape {np.shape(given)}")
    table = table.astype(np.float64)
    for bad, what in (
        (~np.isfinite(table), "finite"),
        (table < 0, "at least 0"),
        (abs(table - table.T) > 1e-6 * np.abs(table).max(initial=0.0), "symmetric"),
    ):
        if bad.any():
            i, j = (int(k) for k in np.argwhere(bad)[0])
            raise ValueError(f"{name} must be {what}; got d({i}, {j}) = {table[i, j]:g}, d({j}, {i}) = {table[j, i]:g}")
    return table


def _classes(labels: Any, size: int) -> tuple[list[Any], np.ndarray]:
    """Sorted names of the classes, and the number of each exemplar's class."""
    given = [x.item() if isinstance(x, np.generic) else x for x in labels]
    if len(given) != size:
        raise ValueError(f"labels must name the class of each of the {size} exemplars; got {len(given)}")
    names = sorted(set(given))
    if len(names) < 3:
        raise ValueError(
            f"exemplars must be of at least 3 classes (a probe's and two others); got {len(names)}: {names}"
        )
    own = np.array([{name: k for k, name in enumerate(names)}[x] for x in given])
    alone = np.flatnonzero(np.bincount(own) < 2)
    if alone.size:
        raise ValueError(
            f"every class needs at least 2 exemplars, one to probe another; {names[alone[0]]!r} has 1 (leave it out)"
        )
    return names, own


def _shares(weights: Any, own: np.ndarray) -> Any:
    """(N,) probability of each exemplar within its class."""
    if weights is None:
        return 1.0 / np.bincount(own)[own]
    known = concrete(weights)
    shape = np.shape(weights)
    if shape != own.shape:
        raise ValueError(f"weights must have shape {own.shape}, one for each exemplar; got {shape}")
    if known is None:
        total = jnp.zeros(own.max() + 1, jnp.result_type(weights)).at[own].add(weights)
        return weights / total[own]
    if not (np.isfinite(known) & (known > 0)).all():
        bad = int(np.argmin(np.isfinite(known) & (known > 0)))
        raise ValueError(f"weights must be finite and above 0; got {known[bad]:g} of exemplar {bad}")
    return known / np.bincount(own, known)[own]


def _probing(probes: Sequence[Any] | None, names: list[Any]) -> np.ndarray:
    """(C,) probability of each class to be the probe's."""
    if probes is None:
        return np.full(len(names), 1.0 / len(names))
    wanted = {x.item() if isinstance(x, np.generic) else x for x in probes}
    unknown = sorted(wanted - set(names), key=str)
    if unknown or not wanted:
        what = f"{unknown[0]!r} is none of the labels" if unknown else "none is given"
        raise ValueError(f"probes must be labels of classes; {what}")
    return np.array([name in wanted for name in names]) / len(wanted)


def _class_table(given: Any, names: list[Any]) -> np.ndarray:
    table = square("class_distances", given.distances if isinstance(given, MetricSpace) else given)
    if isinstance(given, MetricSpace) and (leaves := given.labels):
        missing = [name for name in names if name not in leaves]
        if missing:
            raise ValueError(f"class_distances must name every class; {missing[0]!r} is no leaf of {given.label}")
        places = [leaves.index(name) for name in names]
        return table[np.ix_(places, places)]
    if len(table) != len(names):
        raise ValueError(f"class_distances must have shape {(len(names),) * 2}, one row a class; got {table.shape}")
    return table
