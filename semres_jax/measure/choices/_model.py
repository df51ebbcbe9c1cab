"""The likelihood of choices under Luce's rule, its maximum by damped Newton steps, and the ends of its profiles.

Parameters of a fit are one vector θ = (ln ε, logit Δ, ln a, biases); what a fit may move is a basis of the directions
that are allowed, so that fixed parameters, biases that sum to zero and profiles are one program.
"""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.measure.choices import _slopes
from semres_jax.similarity import KINDS, Constant, Exponential, Family, Gaussian, Linear, PowerLaw

# Kinds whose likelihood is smooth in ε, and those where it has steps or kinks at the distances and nowhere else, whose
# slopes are written out. Of others, such as a user's own, nothing is known.
SMOOTH, WINDOWED = (Exponential, Gaussian, PowerLaw), (Constant, Linear)
# ln ε, logit Δ, ln a; biases follow.
NUMBERS = ("epsilon", "delta", "exponent")
# Ranges of θ. A floor below 1e-15 counts as 0; biases past 25 as infinite.
FLOOR = -36.0
_DELTA, _EXPONENT, _BIAS = (FLOOR, 20.0), (-7.0, 7.0), (-25.0, 25.0)
_BELOW, ABOVE = 7.0, 9.0
# Newton's last step is the one that promises less than this in the log likelihood.
_GAIN = 1e-8
_STEPS = 80
# Largest change of any entry of θ in one step; damping at which there is no way up.
_LONGEST, _DAMPED = 2.0, 1e7
# Ends of intervals are found to this in the root of twice the drop, which is one at one standard error.
_END = 1e-6
_ROUNDS = 60
# Rows of θ that go through the compiled program together.
_ROWS = 16


class Table(NamedTuple):
    """What choices were between; one table for all the sets of choices that are fitted together.

    Attributes:
        distances: (T, n) from the probe, 0 where there is no item.
        there: (T, n) whether there is an item.
        design: (T, n, B) which biases each item has, 0 or 1.
    """

    distances: Any
    there: Any
    design: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Setup:
    """One model of one table of choices: what is fitted, what is fixed, and the arrays.

    Attributes:
        family: of the similarity.
        table: distances, items, design.
        counts: (T, n) how often each item was chosen.
        start: (P,) θ of a start; entries that are not free stay.
        free: (P,) what is fitted.
        groups: entries whose sum is 0: biases of labels, of positions.
        names: (P,) of the entries: "epsilon", "delta", "exponent", ("label", name), ("position", name).
    """

    family: Family
    table: Table
    counts: np.ndarray
    start: np.ndarray
    free: np.ndarray
    groups: list[slice]
    names: list[Any]

    # Whether the likelihood has steps, kinks, either of them in ε at the distances, and is smooth between them.
    steps = property(lambda self: self.family.kind is Constant)
    straight = property(lambda self: self.family.kind is Linear)
    windowed = property(lambda self: self.family.kind in WINDOWED)
    parameters = property(lambda self: int(self.free.sum()) - len(self.groups))  # how many numbers are fitted

    def bounds(self) -> np.ndarray:
        """(2, P) least and largest θ: ε from a thousandth of the least distance to thousands of the largest."""
        d = self.table.distances[self.table.there]
        low, high = np.log(d[d > 0].min()) - _BELOW, np.log(d.max()) + ABOVE
        return np.array([(low, high), _DELTA, _EXPONENT, *[_BIAS] * self.table.design.shape[-1]]).T

    def basis(self, *held: int) -> np.ndarray:
        """(P, P) orthonormal columns spanning the moves of the free entries that aren't held, Σ = 0 in each group.

        Columns of 0 fill up the rest.
        """
        size = len(self.free)
        rules = [np.eye(size)[k] for k in range(size) if not self.free[k] or k in held]
        rules += [np.eye(size)[group].sum(0) for group in self.groups]
        if not rules:
            return np.eye(size)
        _, values, rows = np.linalg.svd(np.array(rules))
        rank = int((values > 1e-9).sum())
        columns = np.zeros((size, size))
        columns[:, : size - rank] = rows[rank:].T
        # Tiny entries would move what must stay.
        columns[np.abs(columns) < 1e-14] = 0.0
        return columns

    def push(self, which: int, *held: int) -> np.ndarray:
        """(P,) an allowed move that changes entry `which` by 1."""
        whole = self.basis(*held)
        move = whole @ whole[which]
        return move / move[which]


def families() -> list[str]:
    """Names of all kinds that can be fitted: those with a resolution and a floor."""
    fields = {name: getattr(kind, "__dataclass_fields__", {}) for name, kind in KINDS.items()}
    return [name for name, there in fields.items() if "epsilon" in there and "delta" in there]


@lru_cache
def scale_free(family: Family) -> bool:
    """Whether ln g without a floor is a power of d / ε, so that g raised to any power is g of another ε."""
    d = np.linspace(0.02, 1.0, 25)
    with jax.enable_x64(True):
        curve = jax.jvp(lambda log_epsilon: family(jnp.exp(log_epsilon)).log(d), (0.0,), (1.0,))
    log, slope = map(np.asarray, curve)
    below = np.isfinite(log) & (log < 0)
    power = slope[below] / log[below]
    return bool(power.size) and bool(np.ptp(power) < 1e-6 * abs(power).max())


def _log_strength(numbers: Any, d: Any, family: Family) -> tuple[Array, Array]:
    """a ln g(d) of one item, 0 where g = 0, and whether g > 0."""
    epsilon, delta, exponent = jnp.exp(numbers[0]), jax.nn.sigmoid(numbers[1]), jnp.exp(numbers[2])
    if family.kind is PowerLaw and not family.fixed:  # its own exponent and Luce's are one
        log = PowerLaw(epsilon, exponent, delta).log(d)
        exponent = jnp.ones_like(exponent)
    else:
        log = family(epsilon, delta).log(d)
    positive = log > -jnp.inf
    return exponent * jnp.where(positive, log, 0.0), positive


def _log_choice(theta: Any, table: Table, family: Family) -> Array:
    """(T, n) ln P(choose i) = b_i + a ln g(d_i) - ln Σ; -inf where g = 0, unless it is for all: then by bias alone."""
    strength, positive = _log_strength(theta[:3], table.distances, family)
    positive = positive & table.there
    alive = jnp.where(positive.any(axis=-1, keepdims=True), positive, table.there)
    score = jnp.where(alive, strength + table.design @ theta[3:], 0.0)
    top = jnp.max(jnp.where(alive, score, -jnp.inf), axis=-1, keepdims=True)
    total = jnp.sum(jnp.where(alive, jnp.exp(jnp.where(alive, score - top, 0.0)), 0.0), axis=-1, keepdims=True)
    return jnp.where(alive, score - top - jnp.log(total), -jnp.inf)


@partial(jax.jit, static_argnames="family")
def log_choices(theta: Any, table: Table, *, family: Family) -> Array:
    """(B, T, n) of (B, P)."""
    return jax.vmap(lambda row: _log_choice(row, table, family))(theta)


def _derivatives(theta: Any, counts: Any, table: Table, family: Family) -> tuple[Array, Array, Array]:
    """Log likelihood, its gradient and Hessian in θ.

    The score of an item is linear in the biases, so that JAX has to differentiate the three numbers of its strength
    only: with J the slopes of scores, gradient = Σ (c - N p) J, Hessian = -Σ N Jᵀ (diag p - p pᵀ) J + Σ (c - N p) ∂²s.
    """
    d = table.distances.ravel()
    shape = table.distances.shape

    # Forward slopes of far tails are infinities times 0; a kind of one's own may have no others.
    slopes_by = jax.grad if family.kind in SMOOTH else jax.jacfwd

    def slopes_of(numbers: Any, distance: Any) -> tuple[Array, Array]:
        slope = slopes_by(lambda numbers: _log_strength(numbers, distance, family)[0])(numbers)
        return slope, slope

    bend, slope = jax.vmap(jax.jacfwd(slopes_of, has_aux=True), (None, 0))(theta[:3], d)
    slope, bend = slope.reshape(*shape, 3), bend.reshape(*shape, 3, 3)
    log_p = _log_choice(theta, table, family)
    p = jnp.exp(log_p)
    total = counts.sum(axis=-1, keepdims=True)
    rest = jnp.where(p > 0, counts - total * p, 0.0)
    slopes = jnp.concatenate([slope, table.design], axis=-1)
    mean = jnp.einsum("tn,tnp->tp", p, slopes)
    weighted = jnp.sqrt(total * p)[..., None] * slopes
    around = jnp.sqrt(total) * mean
    hessian = around.T @ around - jnp.einsum("tnp,tnq->pq", weighted, weighted)
    hessian = hessian.at[:3, :3].add(jnp.einsum("tn,tnpq->pq", rest, bend))
    value = jnp.sum(jnp.where(counts > 0, counts * jnp.where(counts > 0, log_p, 0.0), 0.0))
    return value, jnp.einsum("tn,tnp->p", rest, slopes), hessian


@partial(jax.jit, static_argnames="family")
def _derivatives_of_rows(theta: Any, counts: Any, table: Table, *, family: Family) -> tuple[Array, Array, Array]:
    return jax.vmap(lambda t, c: _derivatives(t, c, table, family))(theta, counts)


def derivatives(
    setup: Setup, theta: np.ndarray, counts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log likelihoods (B,), gradients (B, P) and Hessians (B, P, P) of B rows of θ, and of counts (B or 1, T, n).

    Rows go through one compiled program, `_ROWS` at a time; those of `WINDOWED` kinds, through NumPy.
    """
    counts = setup.counts[None] if counts is None else counts
    if setup.windowed:
        return _slopes.derivatives(theta, counts, setup.table, setup.family)
    parts = []
    for first in range(0, len(theta), _ROWS):
        rows = np.arange(first, first + _ROWS)
        rows = np.where(rows < len(theta), rows, first)
        some = counts[rows] if len(counts) > 1 else np.broadcast_to(counts, (_ROWS, *counts.shape[1:]))
        got = _derivatives_of_rows(theta[rows], some, setup.table, family=setup.family)
        parts.append([np.asarray(x)[: len(theta) - first] for x in got])
    value, gradient, hessian = (np.concatenate(x) for x in zip(*parts, strict=True))
    # Where a kind of one's own has no slope there is nothing to climb by.
    return value, np.where(np.isfinite(gradient), gradient, 0.0), np.where(np.isfinite(hessian), hessian, 0.0)


class Climbed(NamedTuple):
    """Where climbs ended: θ (B, P), log likelihoods (B,), the largest slope that is left of what could move."""

    theta: np.ndarray
    value: np.ndarray
    slope: np.ndarray


def climb(setup: Setup, theta: np.ndarray, basis: np.ndarray, counts: np.ndarray | None = None) -> Climbed:
    """The nearest maxima of the log likelihood, from B starts at once.

    Newton's steps with the absolute values of the Hessian's eigenvalues, damped where they don't climb. Rows that have
    arrived are left out.

    Args:
        setup: the model.
        theta: (B, P) starts.
        basis: (B or 1, P, P) directions that are allowed, in columns; those of 0 are none.
        counts: (B or 1, T, n) choices, if not those of the model.
    """
    theta, size = theta.copy(), len(theta)
    least, most = setup.bounds()
    counts = setup.counts[None] if counts is None else counts
    basis = np.broadcast_to(basis, (size, *basis.shape[1:]))
    idle = np.eye(theta.shape[1]) * (abs(basis).sum(1) == 0)[:, None, :]
    value, gradient, hessian = derivatives(setup, theta, counts)
    damping = np.zeros(size)
    active = np.arange(size)
    for _ in range(_STEPS):
        if not len(active):
            break
        span = basis[active]
        stiff, axis = np.linalg.eigh(np.swapaxes(span, 1, 2) @ hessian[active] @ span - idle[active])
        stiff = np.maximum(abs(stiff), 1e-10)
        along = np.einsum("bpk,bp->bk", axis, np.einsum("bpk,bp->bk", span, gradient[active]))
        gain = (along**2 / stiff).sum(1) / 2
        move = along / (stiff + damping[active, None] * stiff.max(1, keepdims=True))
        move = np.einsum("bpk,bk->bp", span, np.einsum("bpk,bk->bp", axis, move))
        move *= np.minimum(1.0, _LONGEST / np.maximum(abs(move).max(1), 1e-300))[:, None]
        tried = np.clip(theta[active] + move, least, most)
        # What is given may be past the bounds: a floor of 0.
        tried = np.where(move == 0, theta[active], tried)
        got = derivatives(setup, tried, counts[active] if len(counts) > 1 else counts)
        last = gain < _GAIN
        better = (got[0] > value[active]) | (last & (got[0] > value[active] - _GAIN))
        took = active[better]
        theta[took], value[took], gradient[took], hessian[took] = (x[better] for x in (tried, *got))
        damping[active] = np.where(better, damping[active] / 10, np.maximum(damping[active] * 10, 1e-3))
        active = active[~last & (damping[active] < _DAMPED)]
    slope = abs(np.einsum("bpk,bp->bk", basis, gradient)).max(1)
    return Climbed(theta, value, slope)


def highest(climbs: Sequence[Climbed]) -> Climbed:
    """Of several climbs in each of B rows the one that got highest; the first among equals."""
    value = np.array([got.value for got in climbs])
    best = np.where(np.isnan(value), -np.inf, value).argmax(0), np.arange(value.shape[1])
    return Climbed(*(np.array(x)[best] for x in zip(*climbs, strict=True)))


class Ends(NamedTuple):
    """Where profiles drop to a value: the entry of θ, and whether it does so within the range."""

    at: np.ndarray
    closed: np.ndarray


def ends(setup: Setup, theta: np.ndarray, which: np.ndarray, sign: np.ndarray, target: Any) -> Ends:
    """How far B entries of θ can be moved until the best log likelihood, the others refitted, is `target`.

    Strides that double until the profile is below, then chords of the root of twice the drop, which is near linear:
    Illinois' rule, and halves where it jumps. Where there are steps or kinks in ε it stays.

    Args:
        setup: the model.
        theta: (B, P) from where, not below the target.
        which, sign: (B,) the entry, and -1 or 1.
        target: the value, one or (B,).
    """
    held = (0,) if setup.windowed else ()
    moves = {j: (setup.basis(*held, j), setup.push(j, *held)) for j in set(which.tolist())}
    basis, push = (np.array([moves[j][part] for j in which.tolist()]) for part in (0, 1))
    rows = np.arange(len(theta))
    target = np.broadcast_to(np.asarray(target, np.float64), rows.shape)
    least, most = setup.bounds()
    edge = np.where(sign > 0, most[which], least[which])
    start = derivatives(setup, theta)[0]
    level = start + 1e-9
    full = np.sqrt(2 * np.maximum(level - target, 0.0))

    def height(value: np.ndarray, some: np.ndarray) -> np.ndarray:  # above 0 inside
        return full[some] - np.sqrt(2 * np.maximum(level[some] - value, 0.0))

    inner, outer = theta.copy(), theta.copy()
    high, low = height(start, rows), np.full(len(theta), -np.inf)
    stride, last = np.full(len(theta), 0.2), np.zeros(len(theta), int)
    passed, at_edge = np.zeros(len(theta), bool), inner[rows, which] == edge
    for k in range(_ROUNDS):
        width = np.where(passed, abs(inner - outer)[rows, which], np.inf)
        active = rows[~at_edge & (width > 1e-9) & (abs(high) > _END) & (abs(low) > _END)]
        if not len(active):
            break
        j, a, between = which[active], active, passed[active]
        here, there = inner[a, j], outer[a, j]
        share = np.full(len(a), 0.5)
        if k % 5 < 4:
            straight = np.isfinite(low[a])
            share[straight] = np.clip((high[a] / (high[a] - low[a]))[straight], 0.001, 0.999)
        stepped = here + sign[a] * np.minimum(stride[a], abs(edge[a] - here))
        entry = np.where(between, here + share * (there - here), stepped)
        guess = inner[a] + push[a] * (entry - here)[:, None]
        chord = inner[a] + share[:, None] * (outer[a] - inner[a])
        guess = np.where((between & np.isfinite(low[a]))[:, None], chord, guess)
        guess[np.arange(len(a)), j] = entry
        got = climb(setup, guess, basis[a])
        new, inside = height(got.value, a), got.value >= target[a]
        inner[a[inside]], outer[a[~inside]] = got.theta[inside], got.theta[~inside]
        # An end that stays twice running is weighed down.
        low[a] = np.where(inside, np.where(last[a] == 1, low[a] / 2, low[a]), new)
        high[a] = np.where(inside, new, np.where(last[a] == -1, high[a] / 2, high[a]))
        at_edge[a] = inside & ~between & (entry == edge[a])
        last[a] = np.where(between, np.where(inside, 1, -1), 0)
        passed[a] |= ~inside
        stride[a] *= 2
    at = np.where(abs(low) <= _END, outer[rows, which], inner[rows, which])
    return Ends(np.where(at_edge, edge, at), passed)
