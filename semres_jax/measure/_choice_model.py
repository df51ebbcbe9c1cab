"""The likelihood of choices under Luce's rule, its maximum by damped Newton steps, and the ends of its profiles.

Parameters of a fit are one vector θ = (ln ε, logit Δ, ln a, biases); what a fit may move is a basis of the directions
that are allowed, so that fixed parameters, biases that sum to zero and profiles are one program.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import similarity
from semres_jax._types import Array

FAMILIES = ("constant", "linear", "exponential", "gaussian", "powerlaw")
# Families whose likelihood is smooth in ε; that of the others has steps (constant) or kinks (linear) at the distances.
SMOOTH = ("exponential", "gaussian", "powerlaw")
# ln ε, logit Δ, ln a; biases follow.
NUMBERS = ("epsilon", "delta", "exponent")
# Ranges of θ. A floor below 1e-15 counts as 0; biases past 25 as infinite.
FLOOR = -36.0
_DELTA, _EXPONENT, _BIAS = (FLOOR, 20.0), (-7.0, 7.0), (-25.0, 25.0)
_BELOW, _ABOVE = 7.0, 9.0
# Newton ends where the next step promises less than this in the log likelihood.
_GAIN = 1e-11
_STEPS = 80
# Largest change of any entry of θ in one step; shares of a step that are tried together.
_LONGEST = 2.0
_SHARES = (1.0, 0.3, 0.05)
# Ends of intervals are found to this in the root of twice the drop, which is one at one standard error.
_END = 1e-6
_ROUNDS = 60


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


def _log_strength(numbers: Array, d: Array, family: str) -> tuple[Array, Array]:
    """a ln g(d) of one item, 0 where g = 0, and whether g > 0."""
    epsilon, delta, exponent = jnp.exp(numbers[0]), jax.nn.sigmoid(numbers[1]), jnp.exp(numbers[2])
    if family == "powerlaw":  # its own exponent and Luce's are one
        log = similarity.PowerLaw(epsilon, exponent, delta).log(d)
        exponent = jnp.ones_like(exponent)
    else:
        kind: Any = similarity.KINDS[family]
        log = kind(epsilon, delta).log(d)
    positive = log > -jnp.inf
    return exponent * jnp.where(positive, log, 0.0), positive


def log_choice(theta: Array, table: Table, family: str) -> Array:
    """(T, n) ln P(choose i) = b_i + a ln g(d_i) - ln Σ; -inf where g = 0, unless it is for all: then by bias alone."""
    strength, positive = _log_strength(theta[:3], table.distances, family)
    return _log_shares(strength, positive, table.design @ theta[3:], table.there)


def _log_shares(strength: Array, positive: Array, bias: Array, there: Array) -> Array:
    positive = positive & there
    alive = jnp.where(positive.any(axis=-1, keepdims=True), positive, there)
    score = jnp.where(alive, strength + bias, 0.0)
    top = jnp.max(jnp.where(alive, score, -jnp.inf), axis=-1, keepdims=True)
    total = jnp.sum(jnp.where(alive, jnp.exp(jnp.where(alive, score - top, 0.0)), 0.0), axis=-1, keepdims=True)
    return jnp.where(alive, score - top - jnp.log(total), -jnp.inf)


def _total(log_p: Array, counts: Array) -> Array:
    return jnp.sum(jnp.where(counts > 0, counts * jnp.where(counts > 0, log_p, 0.0), 0.0))


def log_likelihood(theta: Array, counts: Array, table: Table, family: str) -> Array:
    """Σ counts · ln P; -inf where an item was chosen that can't be."""
    return _total(log_choice(theta, table, family), counts)


def _derivatives(theta: Array, counts: Array, table: Table, family: str) -> tuple[Array, Array, Array]:
    """Log likelihood, its gradient and Hessian in θ.

    The score of an item is linear in the biases, so that JAX has to differentiate the three numbers of its strength
    only: with J the slopes of scores, gradient = Σ (c - N p) J, Hessian = -Σ N Jᵀ (diag p - p pᵀ) J + Σ (c - N p) ∂²s.
    """
    d = table.distances.ravel()
    shape = table.distances.shape

    def strength(numbers: Array, one: Array) -> Array:
        return _log_strength(numbers, one, family)[0]

    slope = jax.vmap(jax.jacfwd(strength), (None, 0))(theta[:3], d).reshape(*shape, 3)
    bend = jax.vmap(jax.jacfwd(jax.jacrev(strength)), (None, 0))(theta[:3], d).reshape(*shape, 3, 3)
    log_p = log_choice(theta, table, family)
    p = jnp.exp(log_p)
    many = counts.sum(axis=-1, keepdims=True)
    rest = jnp.where(p > 0, counts - many * p, 0.0)
    slopes = jnp.concatenate([slope, table.design], axis=-1)
    mean = jnp.einsum("tn,tnp->tp", p, slopes)
    weighted = jnp.sqrt(many * p)[..., None] * slopes
    around = jnp.sqrt(many) * mean
    hessian = around.T @ around - jnp.einsum("tnp,tnq->pq", weighted, weighted)
    hessian = hessian.at[:3, :3].add(jnp.einsum("tn,tnpq->pq", rest, bend))
    return _total(log_p, counts), jnp.einsum("tn,tnp->p", rest, slopes), hessian


class Climbed(NamedTuple):
    """Where a climb ended: θ, its log likelihood, the largest slope that is left, and steps."""

    theta: Any
    value: Any
    slope: Any
    steps: Any


def _climb(theta: Array, basis: Array, counts: Array, table: Table, bounds: Array, family: str) -> Climbed:
    """The nearest maximum of the log likelihood along `basis` (P, P), columns of 0 being no direction.

    Newton's step with the absolute values of the Hessian's eigenvalues, damped where no share of it climbs.
    """
    idle = jnp.diag(jnp.where(jnp.abs(basis).sum(axis=0) > 0, 0.0, 1.0))

    def look(theta: Array) -> tuple[Array, Array, Array]:
        value, gradient, hessian = _derivatives(theta, counts, table, family)
        return value, basis.T @ gradient, basis.T @ hessian @ basis - idle

    def going_on(state: Any) -> Any:
        _, _, _, damping, gain, k = state
        return (k < _STEPS) & (gain > _GAIN) & (damping < 1e9)

    def step(state: Any) -> Any:
        theta, value, _, damping, _, k = state
        _, gradient, hessian = look(theta)
        size, axis = jnp.linalg.eigh(hessian)
        along = axis.T @ gradient
        stiff = jnp.maximum(jnp.abs(size), 1e-12)
        gain = jnp.sum(along**2 / stiff)
        move = basis @ (axis @ (along / (stiff + damping * jnp.max(stiff))))
        longest = jnp.max(jnp.abs(move))
        move = move * jnp.minimum(1.0, _LONGEST / jnp.maximum(longest, 1e-300))
        tries = jnp.stack([jnp.clip(theta + share * move, bounds[0], bounds[1]) for share in _SHARES])
        values = jax.vmap(lambda one: log_likelihood(one, counts, table, family))(tries)
        best = jnp.argmax(values)
        better = values[best] > value
        theta = jnp.where(better, tries[best], theta)
        damping = jnp.where(better, damping / 10, jnp.maximum(damping * 30, 1e-6))
        return theta, jnp.where(better, values[best], value), jnp.max(jnp.abs(gradient)), damping, gain, k + 1

    start = log_likelihood(theta, counts, table, family)
    state = (theta, start, jnp.zeros_like(start), jnp.zeros_like(start), jnp.full_like(start, jnp.inf), 0)
    theta, value, slope, _, _, k = jax.lax.while_loop(going_on, step, state)
    return Climbed(theta, value, slope, k)


@partial(jax.jit, static_argnames="family")
def climb(theta: Array, basis: Array, counts: Array, table: Table, bounds: Array, *, family: str) -> Climbed:
    """Maxima for S starts (D, S, P) of each of D sets of choices (D, T, n); one basis for all."""
    each = jax.vmap(_climb, (0, None, None, None, None, None))
    return jax.vmap(lambda t, c: each(t, basis, c, table, bounds, family))(theta, counts)


@partial(jax.jit, static_argnames="family")
def climb_each(theta: Array, basis: Array, counts: Array, table: Table, bounds: Array, *, family: str) -> Climbed:
    """Maxima for B starts (B, P), each with a basis of its own (B, P, P), of one set of choices."""
    return jax.vmap(lambda t, b: _climb(t, b, counts, table, bounds, family))(theta, basis)


class Ends(NamedTuple):
    """Where profiles drop to a value: the entry of θ, and whether it does so within the range."""

    at: Any
    closed: Any


@partial(jax.jit, static_argnames="family")
def ends(
    theta: Array,
    which: Array,
    sign: Array,
    basis: Array,
    push: Array,
    target: Array,
    counts: Array,
    table: Table,
    bounds: Array,
    *,
    family: str,
) -> Ends:
    """How far B entries of θ can be moved until the best log likelihood, the others refitted, is `target`.

    Args:
        theta: (B, P) from where, not below the target.
        which, sign: (B,) the entry, and -1 or 1.
        basis: (B, P, P) directions in which the others may follow, none of which moves the entry.
        push: (B, P) an allowed direction that moves the entry by 1.
    """

    def one(theta: Array, which: Array, sign: Array, basis: Array, push: Array) -> Ends:
        edge = jnp.where(sign > 0, bounds[1][which], bounds[0][which])

        def drop(value: Array) -> Array:  # above 0 inside; near linear in the entry
            return jnp.sqrt(2 * jnp.maximum(level - value, 0.0)) - jnp.sqrt(2 * (level - target))

        start = log_likelihood(theta, counts, table, family)
        level = start + 1e-9

        def going_on(state: Any) -> Any:
            inner, outer, height, depth, _, found, _, k, done = state
            width = jnp.where(found, jnp.abs(inner[which] - outer[which]), jnp.inf)
            return (k < _ROUNDS) & ~done & (width > 1e-9) & (jnp.abs(height) > _END) & (jnp.abs(depth) > _END)

        def step(state: Any) -> Any:
            inner, outer, height, depth, stride, found, last, k, done = state
            here, there = inner[which], outer[which]
            # Chords of the curve, its ends weighed down where they stay (Illinois), and halves where it jumps.
            share = jnp.where(jnp.isfinite(depth), height / (height - jnp.where(jnp.isfinite(depth), depth, 0.0)), 0.5)
            share = jnp.clip(jnp.where(k % 5 == 4, 0.5, share), 0.001, 0.999)
            expanded = jnp.where(sign > 0, jnp.minimum(here + stride, edge), jnp.maximum(here - stride, edge))
            entry = jnp.where(found, here + share * (there - here), expanded)
            guess = inner + push * (entry - here)
            guess = jnp.where(found & jnp.isfinite(depth), inner + share * (outer - inner), guess)
            got = _climb(guess.at[which].set(entry), basis, counts, table, bounds, family)
            new = -drop(got.value)
            inside = got.value >= target
            at_edge = entry == edge
            inner = jnp.where(inside, got.theta, inner)
            outer = jnp.where(inside, outer, got.theta)
            old_height, old_depth = height, depth
            height = jnp.where(inside, new, jnp.where(found & (last == -1), old_height / 2, old_height))
            depth = jnp.where(inside, jnp.where(found & (last == 1), old_depth / 2, old_depth), new)
            found_now = found | ~inside
            last = jnp.where(inside, 1, -1)
            return inner, outer, height, depth, stride * 2, found_now, last, k + 1, inside & at_edge

        first = jnp.where(jnp.isfinite(start), -drop(start), 0.0)
        state = (theta, theta, first, -jnp.inf, 0.2, False, 0, 0, theta[which] == edge)
        inner, outer, height, depth, _, found, _, _, done = jax.lax.while_loop(going_on, step, state)
        closed = found & ~done
        near = jnp.where(jnp.abs(depth) <= _END, outer[which], inner[which])
        return Ends(jnp.where(closed, near, edge), closed)

    return jax.vmap(one)(theta, which, sign, basis, push)


def bounds(table: Table) -> np.ndarray:
    """(2, P) least and largest θ: ε from a thousandth of the least distance to thousands of the largest."""
    some = np.asarray(table.distances)[np.asarray(table.there)]
    some = some[some > 0]
    low, high = np.log(some.min()) - _BELOW, np.log(some.max()) + _ABOVE
    many = table.design.shape[-1]
    return np.array([(low, high), _DELTA, _EXPONENT, *[_BIAS] * many]).T


def basis(free: np.ndarray, groups: list[slice], fixed: int | None = None) -> np.ndarray:
    """(P, P) orthonormal columns spanning the moves of the free entries with Σ = 0 in each group, `fixed` unmoved.

    Columns of 0 fill up the rest.
    """
    size = len(free)
    rules = [np.eye(size)[k] for k in range(size) if not free[k] or k == fixed]
    for group in groups:
        rule = np.zeros(size)
        rule[group] = 1.0
        rules.append(rule)
    if not rules:
        return np.eye(size)
    _, values, rows = np.linalg.svd(np.array(rules))
    rank = int((values > 1e-9).sum())
    found = np.zeros((size, size))
    found[:, : size - rank] = rows[rank:].T
    # Tiny entries would move what must stay.
    found[np.abs(found) < 1e-14] = 0.0
    return found


def push(free: np.ndarray, groups: list[slice], which: int) -> np.ndarray:
    """(P,) an allowed move that changes entry `which` by 1."""
    whole = basis(free, groups)
    move = whole @ whole[which]
    return move / move[which]
