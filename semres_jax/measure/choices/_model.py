"""The likelihood of choices under Luce's rule, its maximum by damped Newton steps, and the ends of its profiles.

Parameters of a fit are one vector θ = (ln ε, logit Δ, ln a, biases); what a fit may move is a basis of the directions
that are allowed, so that fixed parameters, biases that sum to zero and profiles are one likelihood.
"""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax.measure.choices import _likelihood as likelihood
from semres_jax.measure.choices._strengths import SMOOTH as SMOOTH, WINDOWED as WINDOWED
from semres_jax.similarity import KINDS, Constant, Family, Linear

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
# Largest change in a step that is not tried out; the logarithm of what can't be.
_NEARBY, _NEVER = 0.5, -1e5
# Ends of intervals are found to this in the root of twice the drop, which is one at one standard error.
_END = 1e-6
# Their first stride, at most; rounds.
_STRIDE, _ROUNDS = 0.5, 60


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


def log_choices(theta: np.ndarray, table: Table, *, family: Family) -> np.ndarray:
    """(B, T, n) ln P(choose i) of (B, P): b_i + a ln g(d_i) - ln Σ; -inf where g = 0, unless it is for all."""
    return np.moveaxis(likelihood.log_shares(theta, table, family)[0], 0, 2)


def derivatives(
    setup: Setup,
    theta: np.ndarray,
    counts: np.ndarray | None = None,
    *,
    which: np.ndarray | None = None,
    wanted: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log likelihoods (B,), gradients (B, P) and Hessians (B, P, P) of B rows of θ.

    Args:
        setup: the model.
        theta: (B, P).
        counts: (D, T, n) choices, if not those of the model.
        which: (B,) whose choices each row is of; None: the only ones there are, or each row has its own.
        wanted: (P,) entries of θ whose derivatives are needed; None: those that are free.
    """
    counts = setup.counts[None] if counts is None else counts
    wanted = setup.free if wanted is None else wanted
    value, gradient, hessian = likelihood.derivatives(theta, counts, setup.table, setup.family, wanted, which)
    # Where a kind of one's own has no slope there is nothing to climb by.
    return value, np.where(np.isfinite(gradient), gradient, 0.0), np.where(np.isfinite(hessian), hessian, 0.0)


class Climbed(NamedTuple):
    """Where climbs ended: θ (B, P), log likelihoods (B,), the largest slope that is left of what could move."""

    theta: np.ndarray
    value: np.ndarray
    slope: np.ndarray


def climb(
    setup: Setup,
    theta: np.ndarray,
    basis: np.ndarray,
    counts: np.ndarray | None = None,
    *,
    which: np.ndarray | None = None,
) -> Climbed:
    """The nearest maxima of the log likelihood, from B starts at once.

    Args:
        setup: the model.
        theta: (B, P) starts.
        basis: (B or 1, P, P) directions that are allowed, in columns; those of 0 are none.
        counts, which: as in `derivatives`.
    """
    theta, value, gradient, _ = _climbed(setup, theta, basis, counts, which)
    return Climbed(
        theta,
        value,
        abs(np.einsum("bpk,bp->bk", np.broadcast_to(basis, (len(theta), *basis.shape[1:])), gradient)).max(1),
    )


def _climbed(
    setup: Setup,
    theta: np.ndarray,
    basis: np.ndarray,
    counts: np.ndarray | None = None,
    which: np.ndarray | None = None,
    wanted: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where climbs end, with the log likelihood and its derivatives there.

    Newton's steps with the absolute values of the Hessian's eigenvalues, damped where they don't climb. Rows that have
    arrived are left out.
    """
    theta, size = theta.copy(), len(theta)
    least, most = setup.bounds()
    counts = setup.counts[None] if counts is None else counts
    if which is None:
        which = np.arange(size) if len(counts) > 1 else np.zeros(size, int)
    wanted = (basis != 0).any((0, 2)) if wanted is None else wanted
    basis = np.broadcast_to(basis, (size, *basis.shape[1:]))
    idle = np.eye(theta.shape[1]) * (abs(basis).sum(1) == 0)[:, None, :]
    value, gradient, hessian = derivatives(setup, theta, counts, which=which, wanted=wanted)
    damping = np.zeros(size)
    active = np.arange(size)
    for _ in range(_STEPS):
        if not len(active):
            break
        span = basis[active]
        # What would leave its range stays at its end, so that the others can move.
        out = ((theta <= least) & (gradient < 0)) | ((theta >= most) & (gradient > 0))
        span = np.where((out[active] & (np.arange(theta.shape[1]) < 3))[..., None], 0.0, span)
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
        if (abs(tried[:, 3:]) == _BIAS[1]).any():  # biases that end there still sum to 0
            tried = theta[active] + np.einsum("bpk,bqk,bq->bp", span, span, tried - theta[active])
        got = derivatives(setup, tried, counts, which=which[active], wanted=wanted)
        last = gain < _GAIN
        better = (got[0] > value[active]) | (last & (got[0] > value[active] - _GAIN))
        took = active[better]
        theta[took], value[took], gradient[took], hessian[took] = (x[better] for x in (tried, *got))
        damping[active] = np.where(better, damping[active] / 10, np.maximum(damping[active] * 10, 1e-3))
        active = active[~last & (damping[active] < _DAMPED)]
    return theta, value, gradient, hessian


def ahead(setup: Setup, theta: np.ndarray, basis: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's first steps in many tables of choices, of which sums over trials are products of matrices.

    Args:
        setup: the model.
        theta: (K, P) from where.
        basis: (P, P) as for `climb`.
        counts: (D, T, n).

    Returns:
        (K, D, P) where the steps lead, by the expected information, and (K, D) log likelihoods there, to second order.
    """
    flat, size = counts.reshape(len(counts), -1), theta.shape[1]
    design = setup.table.design.reshape(flat.shape[1], size - 3)
    totals = setup.counts.sum(1)
    moved, height = [], []
    for row in theta:
        log_p, p, slopes = likelihood.log_shares(row[None], setup.table, setup.family)
        log_p, p, *slopes = (np.broadcast_to(x, p.shape)[:, 0].T for x in (log_p, p, *slopes))
        own = np.stack([np.maximum(log_p, _NEVER), *slopes], axis=-1).reshape(-1, 4)
        expected = p * totals[:, None]
        sums = flat @ own
        slope = np.hstack([sums[:, 1:], flat @ design]) - expected.ravel() @ np.hstack([own[:, 1:], design])
        hessian = derivatives(setup, row[None], expected[None])[2][0]
        step = slope @ basis @ np.linalg.pinv(-basis.T @ hessian @ basis, hermitian=True) @ basis.T
        height.append(sums[:, 0] + (slope * step).sum(1) / 2)
        far = abs(step).max(1, keepdims=True)
        moved.append(row + step * np.minimum(1.0, _NEARBY / np.maximum(far, 1e-300)))
    least, most = setup.bounds()
    moved = np.array(moved)
    return np.where(moved == theta[:, None], moved, np.clip(moved, least, most)), np.array(height)


def highest(climbs: Sequence[Climbed]) -> Climbed:
    """Of several climbs in each of B rows the one that got highest; the first among equals."""
    value = np.array([got.value for got in climbs])
    best = np.where(np.isnan(value), -np.inf, value).argmax(0), np.arange(value.shape[1])
    return Climbed(*(np.array(x)[best] for x in zip(*climbs, strict=True)))


class Ends(NamedTuple):
    """Where profiles drop to a value: the entry of θ, and whether it does so within the range."""

    at: np.ndarray
    closed: np.ndarray


def ends(setup: Setup, theta: np.ndarray, which: np.ndarray, sign: np.ndarray, target: np.ndarray) -> Ends:
    """How far B entries of θ can be moved until the best log likelihood, the others refitted, is `target`.

    Newton's steps in the root of twice the drop, which is near linear: at a maximum of all others the slope of the
    profile is that of the likelihood. The others are guessed along their own way. Strides double at most until the
    profile is below; then steps that leave what is between, and every fifth one, are halves: there may be jumps. Where
    there are steps or kinks in ε it stays.

    Args:
        setup: the model.
        theta: (B, P) from where, not below the target.
        which, sign: (B,) the entry, and -1 or 1.
        target: (B,) the value.
    """
    held = (0,) if setup.windowed else ()
    moves = {j: (setup.basis(*held, j), setup.push(j, *held)) for j in set(which.tolist())}
    basis, push = (np.array([moves[j][part] for j in which.tolist()]) for part in (0, 1))
    wanted, rows = (push != 0).any(0) | (basis != 0).any((0, 2)), np.arange(len(theta))
    least, most = setup.bounds()
    edge = np.where(sign > 0, most[which], least[which])
    theta = theta.copy()
    value, _, hessian = derivatives(setup, theta, wanted=wanted)
    level = value + 1e-9
    full = np.sqrt(2 * np.maximum(level - target, 0.0))
    lean = _leaning(basis, push, hessian)
    bend = -np.einsum("bp,bpq,bq->b", lean, hessian, lean)
    height, step = full.copy(), np.where(bend > 0, full / np.sqrt(np.maximum(bend, 1e-300)), np.inf)
    inner, outer = theta[rows, which], edge.copy()
    stride, passed, at_edge = _STRIDE, np.zeros(len(theta), bool), inner == edge
    for k in range(_ROUNDS):
        a = rows[~at_edge & (abs(height) > _END) & ~(passed & (abs(inner - outer) <= 1e-9))]
        if not len(a):
            break
        now = theta[a, which[a]]
        there = now + sign[a] * step[a]
        between = (sign[a] * (there - inner[a]) > 0) & (sign[a] * (outer[a] - there) > 0) & (k % 5 < 4)
        entry = now + sign[a] * np.minimum(np.minimum(step[a], stride), abs(edge[a] - now))
        entry = np.where(passed[a], np.where(between, there, (inner[a] + outer[a]) / 2), entry)
        guess = np.clip(theta[a] + lean[a] * (entry - now)[:, None], least, most)
        guess = np.where(lean[a] == 0, theta[a], guess)  # what is given may be past the bounds
        guess[np.arange(len(a)), which[a]] = entry
        theta[a], value, gradient, hessian = _climbed(setup, guess, basis[a], wanted=wanted)
        inside, lean[a] = value >= target[a], _leaning(basis[a], push[a], hessian)
        inner[a], outer[a] = np.where(inside, entry, inner[a]), np.where(inside, outer[a], entry)
        passed[a] |= ~inside
        at_edge[a] = inside & ~passed[a] & (entry == edge[a])
        root = np.sqrt(2 * np.maximum(level[a] - value, 0.0))
        height[a] = full[a] - root
        fall = -sign[a] * (gradient * push[a]).sum(1)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step[a] = np.where(fall > 0, height[a] * root / fall, np.inf)
        stride *= 2
    ended = abs(height) <= _END
    return Ends(np.where(at_edge, edge, np.where(ended, theta[rows, which], inner)), passed | ended)


def _leaning(basis: np.ndarray, push: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """(B, P) how all entries move along a profile when the pushed one moves by 1."""
    turned = np.swapaxes(basis, 1, 2)
    back = np.linalg.pinv(turned @ hessian @ basis, hermitian=True) @ (turned @ hessian @ push[..., None])
    return push - (basis @ back)[..., 0]
