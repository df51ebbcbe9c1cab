"""Standard errors of an estimate, of what was drawn and of what was not.

The scatter of what was drawn underestimates the error where few trials carry it: where similarity is narrow, a few
close items in thousands of trials make all of 1 - p_I, and some of the few are missing. So the squares add up of

1. the scatter: s²/N of plain Monte Carlo, the variance of the mean over independent shifts of a lattice;
2. two more of the trials that carry the variance, as A. Agresti and B. Coull (The American Statistician 52, 1998) count
   two more events. On a lattice, shifts agree on the mean square of the credits where what makes it is resolved. Its
   relative variance τ² over shifts is one over the number of trials that carry it, and s²τ²/N is the square of what one
   of them adds to the mean. With plain Monte Carlo that is (a/N)², where a is by how much the nearest item that was
   drawn, or the farthest, changes a credit;
3. one item where none was seen. In N trials an event of probability 1/N goes unseen as often as not: (a/N)², where a²
   is the mean square of how much an item nearer than the nearest that was drawn changes a credit, beside that item,
   over the ball within its distance; likewise for the farthest.

By slots there is no distance that decides: the largest and smallest strength that was drawn stand for the nearest and
the farthest item, and an item where none was seen may be the probe's equal.

Where trials are counted by K, the items within epsilon, no distances are told. A lattice adds, for 3, one trial with
one item more, or less, than any had; plain Monte Carlo, for 2 and 3, the most that an item changes. Where no two trials
differ, or no two shifts, 2 and 3 are 1/N², the square of a count of one, unless no two trials can differ.

1 dominates in all but rare events and few trials: distances of 0 and of a diameter are nearly drawn, and shifts agree
on squares as they do on means. After A. Maurer and M. Pontil, "Empirical Bernstein bounds and sample-variance
penalization", COLT 2009, whose bound has a term (range of the credits)/N beside that of the scatter.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete
from semres_jax._types import Array
from semres_jax.montecarlo import _slots
from semres_jax.similarity import Similarity, Slots, flatten
from semres_jax.spaces.finite import Finite

# Points differ by steps of 2^-32 at best; no standard error is reported below that.
RESOLUTION = 2.0**-32
# Variances of one credit that are rounding.
_ROUNDING = 1e-14
# Trials that are added to those that carry the variance.
_MORE = 2
# Items nearer than the nearest that was drawn: nodes in each halving of the mass of its ball, and halvings. However
# little of the ball changes a credit, that is what went unseen.
_NODES, _HALVINGS = 8, 48


class Extremes(NamedTuple):
    """Strengths of single items, by member of a grid: those that are possible, and the extremes of those drawn.

    Attributes:
        nearer: (nodes, members) of items nearer than any that was drawn.
        weights: (nodes,) how likely these are, together 1.
        farthest, largest, smallest: (members,) of the farthest item, and of the nearest and farthest that were drawn.
    """

    nearer: np.ndarray
    weights: np.ndarray
    farthest: np.ndarray
    largest: np.ndarray
    smallest: np.ndarray


def standard_errors(
    run: Any, scatter: np.ndarray, means: np.ndarray, squares: np.ndarray, counts: np.ndarray | None
) -> np.ndarray:
    """(2, members) standard errors of p_S and p_I.

    Args:
        run: the `Run`.
        scatter: (2, members) part 1.
        means: (2, shifts, members) of the credits, by shift.
        squares: the same of their squares.
        counts: (members, n + 1) of trials by K, where they are counted.
    """
    mean = in_order_mean(means)
    # of the credits about their mean over all, in each shift
    spread = np.maximum(squares - 2.0 * mean[:, None] * means + mean[:, None] ** 2, 0.0)
    whole = in_order_mean(spread)
    lattice, flat = run.method == "lattice", _ROUNDING / run.trials
    more = np.zeros_like(scatter)
    if lattice:
        flat, carried = _ROUNDING**2, whole > _ROUNDING
        more = _MORE * np.where(carried, variance_of_mean(spread) / np.where(carried, whole * run.trials, 1.0), 0.0)
    typical = (1.0 / mean[1] - 1.0) / (run.n - 1)  # the strength of which p_I would be what it is
    known = _extremes(run, typical)
    if lattice and counts is not None:
        missed = uncounted(counts, np.stack(run.credits_by_count()), mean)
    else:
        missed = unseen(run.n, mean[1], known)
        if not lattice:
            drawn = Extremes(known.largest[None], np.ones(1), known.smallest, typical, typical)
            missed += _MORE * unseen(run.n, mean[1], drawn)
    missed = np.where(scatter < flat, 1.0, missed) * (known.nearer.max(axis=0) > known.farthest)
    stderr = np.sqrt(scatter + more + missed / run.trials**2 + RESOLUTION**2)
    return np.full_like(stderr, np.inf) if run.trials == 1 else stderr


def uncounted(counts: np.ndarray, credits: np.ndarray, means: np.ndarray) -> np.ndarray:
    """(2, members) squares of a where trials are counted: of the credits of the next K above and below those that were.

    Args:
        counts: (members, n + 1) of trials, by K.
        credits: (2, members, n + 1) of both tasks, by K.
        means: (2, members) of the credits.
    """
    occurred, last = counts > 0, counts.shape[1] - 1
    squares = np.zeros_like(means)
    for k in (occurred.argmax(axis=1) - 1, last + 1 - occurred[:, ::-1].argmax(axis=1)):
        there = (k >= 0) & (k <= last)
        credit = np.take_along_axis(credits, np.where(there, k, 0)[None, :, None], axis=2)[..., 0]
        squares += np.where(there, (credit - means) ** 2, 0.0)
    return squares


def unseen(n: int, p_i: np.ndarray, known: Extremes) -> np.ndarray:
    """(2, members) mean squares of a: by how much an item where none was seen changes the credits of p_S and p_I."""
    up = np.maximum(known.nearer - known.largest, 0.0)
    down = np.maximum(known.smallest - known.farthest, 0.0)
    others = 1.0 / p_i - 1.0  # the sum of strengths of which p_I is what it is
    typical = np.clip(others / (n - 1), known.farthest, known.largest)
    nearer = 1.0 / (1.0 + others) - 1.0 / (1.0 + others + up)
    farther = 1.0 / (1.0 + np.maximum(others - down, 0.0)) - 1.0 / (1.0 + others)
    identify = known.weights @ nearer**2 + farther**2
    down = np.minimum(down, typical)
    near, typical_sum = known.nearer + (n - 1) * known.largest, n * typical - down
    nearer = np.where(up > 0, known.nearer / np.where(up > 0, near, 1.0) - 1.0 / n, 0.0)
    farther = np.where(down > 0, typical / np.where(down > 0, typical_sum, 1.0) - 1.0 / n, 0.0)
    return np.stack([known.weights @ nearer**2 + farther**2, identify])


def _extremes(run: Any, typical: np.ndarray) -> Extremes:
    """What is known of the strengths of a run; where no distances were told, the typical one is all that was drawn."""
    if isinstance(run.similarity, Slots):
        farthest = _strengths(run.similarity, run.exponent, _slots.farthest(run.space, run.similarity))
        return Extremes(np.ones((1, len(farthest))), np.ones(1), farthest, run.reach[:, 0], -run.reach[:, 1])
    near, far = _possible(run.space, run.replace)
    reach = run.reach[0]  # the same for all members
    known = bool(np.isfinite(reach).all())
    nearest, farthest = (-reach[0], reach[1]) if known else (near, far)
    if known and not run.space.discrete:
        # Small balls grow as the power of the radius that is the dimension.
        halves = 0.5 ** np.arange(1, _HALVINGS + 1)[:, None]
        within = (halves * (1.0 + (np.arange(_NODES) + 0.5) / _NODES)).ravel()
        weights = np.repeat(halves, _NODES) / (_NODES * halves.sum())
        nodes = nearest * within ** (1.0 / run.space.uniforms)
    else:
        nodes, weights = np.array([near]), np.ones(1)
    farthest, largest, smallest, *nearer = _strengths(
        run.similarity, run.exponent, np.array([far, nearest, farthest, *nodes])
    )
    if not known:
        largest = smallest = typical
    largest, smallest = (np.clip(x, farthest, nearer[0]) for x in (largest, smallest))
    return Extremes(np.stack(nearer), weights, farthest, largest, smallest)


def in_order_mean(values: np.ndarray) -> np.ndarray:
    """Mean over axis 1, the shifts: added up in the same order whatever the number of members, so in the same bits."""
    return np.ascontiguousarray(np.moveaxis(values, 1, -1)).mean(axis=-1)


def variance_of_mean(values: np.ndarray) -> np.ndarray:
    """Of independent shifts along axis 1."""
    return np.ascontiguousarray(np.moveaxis(values, 1, -1)).var(axis=-1, ddof=1) / values.shape[1]


def _possible(space: Any, replace: bool) -> tuple[float, float]:
    """Smallest and largest distance between probe and item that there are."""
    table = concrete(space.distances) if isinstance(space, Finite) else None
    if table is None or replace or len(table) < 2:
        return 0.0, float(space.diameter)
    others = ~np.eye(len(table), dtype=bool)
    return float(np.min(table, where=others, initial=np.inf)), float(np.max(table))


def _strengths(similarity: Similarity, exponent: float, d: Any) -> np.ndarray:
    """(distances, members) what one item at a distance counts, relative to one at 0; (members,) at one by feature."""
    infinite = bool(np.isinf(exponent))
    with jax.enable_x64(True):
        flat = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), flatten(similarity))
        relative = np.asarray(_at(flat, d, 1.0 if infinite else exponent, infinite)).T
    # At an infinite distance, where a space has no last one, a power law of exponent 0 is 0 times infinity.
    return np.nan_to_num(relative, nan=1.0)


@functools.partial(jax.jit, static_argnames="infinite")
def _at(members: Similarity, d: Any, exponent: Array, infinite: bool) -> Array:
    def member(similarity: Similarity) -> Array:
        if infinite:
            return jnp.where(similarity.order(d) >= similarity.order(jax.tree.map(jnp.zeros_like, d)), 1.0, 0.0)
        return similarity(d) ** exponent

    return jax.vmap(member)(members)
