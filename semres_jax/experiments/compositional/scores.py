"""Exact accuracies of codes for tuples of features: identification of wholes by laws of ratios, features by nodes."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import require
from semres_jax._types import Array, ArrayLike
from semres_jax.laws import reciprocal, tables
from semres_jax.spaces import Finite
from semres_jax.training.compositional import strengths

AGGREGATES = ("product", "mean", "gate")
# Ratios below e^-_FAR are as good as 0: they change no digit of what they are added to.
_FAR = 60.0
# Frequencies up to which 1 / sinh(π ω) counts, and how far apart two periods of the sum are.
_HIGHEST, _APART = 12.0, 40.0
# Combinations of ratios that are summed over one by one, at most, and in one go.
_COMBINATIONS, _AT_ONCE = 4e9, 2**16
# A shared map: wholes at most, probes of which all are taken, octaves by which the range of its nodes grows.
_MOST_WHOLES, _MOST_PROBES, _OCTAVES = 2**14, 2**10, 12


class Ratios(NamedTuple):
    """The distribution of r = g(p, x) / g(p, p) over independent p and x of a slot.

    Attributes:
        value: (K,) different ratios.
        share: (K,) their probabilities.
        stimuli: N of the slot.
    """

    value: np.ndarray
    share: np.ndarray
    stimuli: int


def ratios(table: ArrayLike) -> Ratios:
    """That of a slot with an (N, N) table of strengths, those of a probe in its row.

    Example:
        >>> from semres_jax.experiments.compositional import ratios
        >>> slot = ratios([[2.0, 1.0], [0.0, 4.0]])
        >>> slot.value.tolist(), slot.share.tolist()
        ([0.0, 0.5, 1.0], [0.25, 0.25, 0.5])
    """
    table = np.asarray(table, np.float64)
    own = np.diagonal(table)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not (own > 0).all():
        raise ValueError(f"a slot's table must be square with a positive diagonal; got shape {table.shape}")
    value, count = np.unique(table / own[:, None], return_counts=True)
    return Ratios(value, count / table.size, len(table))


def identification(slots: Sequence[Ratios], aggregate: str = "product", gate: float = 1.0) -> float:
    """Probability of identifying a whole among two different ones, by S independent slots: exact.

        p_I = E[1 / (1 + R)],   R = γ Π_s r_s + (1 - γ) Σ_s r_s / S

    over a probe and another whole, which may share features but not all of them: the average over independent wholes,
    less that of equal ones (R = 1). With γ = 1 it is 1/2 - ∫_0^∞ Im Π_s E[r_s^{iω}] / sinh(πω) dω, as
    1 / (1 + e^y) = 1/2 - ∫ sin(ωy) / sinh(πω) dω; with γ = 0 it is ∫_0^∞ e^{-t} Π_s E[e^{-t r_s / S}] dt: both for any
    S. In between it is a sum over all combinations of different ratios. Source: new, of this project.

    Args:
        slots: distributions of ratios, S of them.
        aggregate: "product" (γ = 1), "mean" (γ = 0), or "gate".
        gate: γ of "gate".

    Raises:
        ValueError: no slots, unknown aggregate, γ outside [0, 1], too many combinations for "gate".

    Example:
        >>> import numpy as np
        >>> from semres_jax.experiments.compositional import identification, Ratios
        >>> half = Ratios(np.array([0.0, 1.0]), np.array([0.5, 0.5]), 10**6)  # constant, b = 1/2, of many stimuli
        >>> [round(identification([half] * 2, how), 6) for how in ("product", "mean")]  # 1 - 1/8, 17/24
        [0.875, 0.708333]
    """
    if not slots:
        raise ValueError("slots must be at least 1; got none")
    if aggregate not in AGGREGATES:
        raise ValueError(f"aggregate must be one of {', '.join(AGGREGATES)}; got {aggregate!r}")
    require("gate", gate, 0.0, 1.0, "between 0 (mean) and 1 (product)")
    gate = {"product": 1.0, "mean": 0.0}.get(aggregate, float(gate))
    if len(slots) == 1 or gate == 1.0:
        independent = _of_product(slots)
    else:
        independent = _of_mean(slots) if gate == 0.0 else _of_gate(slots, gate)
    same = math.prod(1.0 / slot.stimuli for slot in slots)
    return (independent - same / 2) / (1.0 - same)


def _of_product(slots: Sequence[Ratios]) -> float:
    """E[1 / (1 + Π r_s)] by characteristic functions of ln r_s, which multiply.

    At odd multiples of half a step the sum over ω is that of tanh over shifts of 2π / step with alternating signs,
    which cancel but for e^-(2π / step - |ln Π r|). With a ratio of 0 in any slot the credit is 1.
    """
    near = [slot.value > math.exp(-_FAR) for slot in slots]
    logs = [np.log(slot.value[some]) for slot, some in zip(slots, near, strict=True)]
    all_near = math.prod(float(slot.share[some].sum()) for slot, some in zip(slots, near, strict=True))
    step = 2 * math.pi / (sum(float(np.abs(log).max()) for log in logs) + _APART)
    omega = (np.arange(math.ceil(_HIGHEST / step)) + 0.5) * step
    whole = np.ones(omega.size, complex)
    for slot, some, log in zip(slots, near, logs, strict=True):
        whole = whole * (np.exp(1j * omega[:, None] * log[None]) @ slot.share[some])
    return float(1.0 - all_near / 2 - step * np.sum(np.imag(whole) / np.sinh(math.pi * omega)))


def _of_mean(slots: Sequence[Ratios]) -> float:
    """E[1 / (1 + Σ r_s / S)] by Laplace transforms, which multiply."""
    t, weight = reciprocal.nodes(1.0 + max(float(slot.value.max()) for slot in slots))
    whole = weight * np.exp(-t)
    for slot in slots:
        whole = whole * (np.exp(-t[:, None] * slot.value[None] / len(slots)) @ slot.share)
    return float(whole.sum())


def _of_gate(slots: Sequence[Ratios], gate: float) -> float:
    """E[1 / (1 + R)] over all combinations of different ratios, slots with few first."""
    slots = sorted(slots, key=lambda slot: slot.value.size)
    combinations = math.prod(float(slot.value.size) for slot in slots)
    if combinations > _COMBINATIONS:
        raise ValueError(
            f"a gate between product and mean is a sum over all combinations of ratios, {_COMBINATIONS:g} at most; "
            f"got {combinations:.2g} (product and mean have none of that)"
        )
    last, (product, total, share) = slots[-1], (np.ones(1), np.zeros(1), np.ones(1))
    for slot in slots[:-1]:
        product = np.outer(product, slot.value).ravel()
        total = np.add.outer(total, slot.value).ravel()
        share = np.outer(share, slot.share).ravel()
    # 1 + R is a + b r for the ratio r of the last slot.
    a = 1.0 + (1.0 - gate) / len(slots) * total
    b = gate * product + (1.0 - gate) / len(slots)
    rows, credit = max(1, _AT_ONCE // last.value.size), 0.0
    for first in range(0, a.size, rows):
        part = slice(first, first + rows)
        inverse = np.multiply.outer(b[part], last.value)
        inverse += a[part, None]
        np.reciprocal(inverse, out=inverse)
        credit += float(share[part] @ (inverse @ last.share))
    return credit


class Whole(NamedTuple):
    """Accuracies of one map of all features, n = 2.

    Attributes:
        p_s: mean over features, exact or over the probes that were taken.
        p_s_stderr: standard error over probes; 0 where all were taken.
        p_i: exact.
    """

    p_s: float
    p_s_stderr: float
    p_i: float


def of_shared(spaces: Sequence[Finite], maps: ArrayLike, floor: float) -> Whole:
    """Mean feature p_S and whole p_I of one map of all features, by sums over all wholes as items.

    Similarity of feature s: items and probe differ in feature s, the other features are drawn independently. With
    1/x = ∫ e^{-xt} dt the sums over the two items part. The probes are all wholes, where these are up to 1024; else the
    N^{S-1} whose last feature is the sum of the others modulo N, in which any S - 1 features are independent.
    Identification: all pairs of different wholes. Source: new, of this project.

    Args:
        spaces: of S slots of N stimuli.
        maps: (S, N, m).
        floor: added to every similarity.

    Raises:
        ValueError: more than 16,384 wholes.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> from semres_jax.experiments.compositional import of_shared
        >>> ring = spaces.grid(spaces.get("circle"), 4)
        >>> whole = of_shared([ring] * 2, np.eye(8).reshape(2, 4, 8), 1e-10)  # strength: how many features are shared
        >>> round(whole.p_s, 4), round(whole.p_i, 4)
        (0.5, 0.8667)
    """
    maps = np.asarray(maps, np.float64)
    slots, size, _ = maps.shape
    count = size**slots
    if count > _MOST_WHOLES:
        raise ValueError(f"a shared map is scored on up to {_MOST_WHOLES} wholes; got {size}^{slots} = {count}")
    features = np.indices((size,) * slots).reshape(slots, count)
    z = np.sum([own[feature] for own, feature in zip(maps, features, strict=True)], axis=0)
    chosen = np.arange(count)
    if count > _MOST_PROBES:
        chosen = np.flatnonzero(features[:-1].sum(0) % size == features[-1])
    right = np.stack([_right(space)[feature[chosen]] for space, feature in zip(spaces, features, strict=True)])
    own = (z**2).sum(-1) + floor
    t, weight = reciprocal.nodes(2.0 ** (_OCTAVES * math.ceil(math.log2(own.max() / floor) / _OCTAVES)))
    with jax.enable_x64(True):
        by_probe, credit = _of_shared(z, own, z[chosen], np.swapaxes(right, 0, 1), floor, t, weight, (size,) * slots)
    p_s = np.asarray(by_probe)
    stderr = 0.0 if p_s.size == count else float(p_s.std(ddof=1) / math.sqrt(p_s.size))
    # Of a whole with itself the credit is 1/2.
    return Whole(float(p_s.mean()), stderr, (float(credit) - count / 2) / (count * (count - 1)))


def _right(space: Finite) -> np.ndarray:
    """(N, N, N) for probe p, items a and b: the chance that a is the right one, over the number of pairs of others."""
    ranks = tables.ranking(space)
    size = len(ranks.order)
    place = np.full((size, size), -1)
    np.put_along_axis(place, np.asarray(ranks.order), np.asarray(ranks.group), axis=1)
    a, b = place[:, :, None], place[:, None, :]
    right = np.where(a == b, 0.5, (a > b).astype(float))  # farthest first: the nearer is in a later group
    return right * ((a >= 0) & (b >= 0) & ~np.eye(size, dtype=bool)[None]) / math.comb(size - 1, 2)


@functools.partial(jax.jit, static_argnames="shape")
def _of_shared(
    z: Array, own: Array, probes: Array, right: Array, floor: Array, t: Array, weight: Array, shape: tuple[int, ...]
) -> tuple[Array, Array]:
    """(P,) mean p_S over features of probes, and the sum of identification's credits over all pairs of wholes."""
    slots = len(shape)

    def similar(x: tuple[Array, Array]) -> Array:
        probe, right = x
        h = strengths(probe[None], z, floor) / (2.0 * floor)  # so that sums of two are 1 or more
        decay = jnp.exp(-h[:, None] * t[None]).reshape(*shape, t.size)
        slope = h.reshape(*shape, 1) * decay
        total = jnp.zeros((), z.dtype)
        for slot in range(slots):
            others = tuple(k for k in range(slots) if k != slot)
            nearer, farther = (jnp.mean(y, axis=others) for y in (slope, decay))  # (N, nodes) each
            total = total + jnp.sum(right[slot] * ((weight[None] * nearer) @ farther.T))
        return total / slots

    def identified(x: tuple[Array, Array]) -> Array:
        probe, itself = x
        return jnp.sum(itself / (itself + strengths(probe[None], z, floor)))

    return jax.lax.map(similar, (probes, right)), jnp.sum(jax.lax.map(identified, (z, own)))
