"""Binding: which features of several wholes, shown at once, belong together.

n wholes, tuples of S independent features, are shown and kept in two stores, that of features (which values each slot
has seen) and that of conjunctions (which wholes). A whole q is as familiar as

    M(q) = (1-c) (1/S) Σ_s max_i g_s(q_s, x_is) + c max_i Π_s g_s(q_s, x_is),

c being the share of conjunctive units. A shown whole has M = 1. A recombination has the features of two shown ones,
those of a random subset of slots from one of them, all 2^S - 2 subsets but none and all being as likely, the rest from
the other: each of its features was shown, so the first store takes it for shown. Luce's rule between the two gives the
rate of illusory conjunctions (A. Treisman and H. Schmidt, Cognitive Psychology 14, 1982).

With constant similarity on homogeneous slots M = 1 - c + c Δ^J, J being the least number of slots in which a shown item
is outside the ball of the recombination. If k of its features are from the first item, this one can only be outside in
the other S-k slots, and the second item only in these k: different slots, so the two are independent, outside in
Binomial(S-k, 1-b) and Binomial(k, 1-b) slots. Each further item is outside in Binomial(S, 1-b) slots whatever the
recombination is, since all points of a homogeneous space have balls of one measure; so it is independent of these two.
"""

from typing import Any

import numpy as np
from scipy import stats

from semres_jax._checks import concrete, refuse_traced, require, require_among, require_count
from semres_jax._types import ArrayLike
from semres_jax.choice import LURES

# Bisections of a share between 0 and 1: to the last digit.
_HALVINGS = 60


def illusory_conjunctions(
    b: ArrayLike,
    *,
    slots: Any,
    n: Any = 2,
    conjunctive: ArrayLike = 1.0,
    delta: ArrayLike = 0.0,
    lures: str = "one",
) -> Any:
    """P(error): how often a recombination of shown wholes is chosen where a shown whole is right.

        lures="one":  E[M / (1 + M)],  M = 1 - c + c Δ^J,   P(J >= j) = Σ_k w_k T_k(j) T_{S-k}(j) T_S(j)^{n-2},

    T_k(j) = P(Binomial(k, 1-b) >= j), w_k = C(S,k)/(2^S - 2). Without a floor m/2 + (1-m)(1-c)/(2-c), m = P(J = 0)
    being the probability that some shown item is taken for the recombination: 1-m averages over k
    (1-b^k)(1-b^{S-k})(1-b^S)^{n-2}. At c = 0 it is 1/2, whatever n, S and b. Source: new, of this project; the
    derivation is in the module.

        lures="all":  E[L / (1 + L)],  L = Σ M over all n^S - n recombinations of the n items,

    for c = 0 (M = 1) or n = 2: two items alike in t of S slots leave u = S - t, and the strengths of the second store
    add up to 2^t Σ_a C(u,a) Δ^{min(a,u-a)} - 2. For more items it depends on the space (`montecarlo.estimate_binding`).

    Args:
        b: ball measure of a slot in [0, 1], any shape.
        slots: S, at least 2.
        n: number of shown items, at least 2.
        conjunctive: c in [0, 1], share of conjunctive units, broadcasting against b, as delta.
        delta: floor of a slot in [0, 1].
        lures: "one" recombination beside the shown item, or "all" of them.

    Returns:
        Probabilities in float64 NumPy of the broadcast shape, to 1e-12.

    Raises:
        ValueError: S or n below 2, b, conjunctive or delta outside [0, 1]; lures unknown, or "all" of more than two
            items.
        TypeError: an argument is traced.

    Example:
        >>> from semres_jax import laws
        >>> [float(laws.illusory_conjunctions(0.5, slots=2, conjunctive=c)) for c in (0.0, 1.0)]
        [0.5, 0.375]
        >>> float(laws.illusory_conjunctions(0.0, slots=2, n=3, conjunctive=0.0, lures="all"))
        0.8571428571428571
    """
    slots, n = _counts(slots, n)
    balls, share, floor = _numbers("illusory_conjunctions", b=b, conjunctive=conjunctive, delta=delta)
    require_among("lures", lures, LURES)
    if lures == "all":
        return _against_all(balls, share, floor, slots, n)[()]
    return _error(_tails(balls, slots, n), share, floor)[()]


def conjunctive_share(bound: ArrayLike, b: ArrayLike, *, slots: Any, n: Any = 2, delta: ArrayLike = 0.0) -> Any:
    """The least share of conjunctive units that brings the rate of illusory conjunctions down to a bound.

    Without a floor c = (1 - 2y)/(1 - y) with y = (e - m/2)/(1 - m), m as in `illusory_conjunctions`: it solves
    m/2 + (1-m)(1-c)/(2-c) = e, and is 2r/(1 + r) with r = (1 - 2e)/(1 - m). With a floor it is found by bisection, as
    the rate falls with c. Source: new, of this project.

    Args:
        bound: e in [0, 1], the rate of errors that is borne, broadcasting against b and delta.
        b, slots, n, delta: as `illusory_conjunctions`.

    Returns:
        Shares in [0, 1] in float64 NumPy of the broadcast shape: 0 for bounds of 1/2 and more, NaN where even
        conjunctive units alone err more often.

    Raises:
        ValueError: as `illusory_conjunctions`.

    Example:
        >>> from semres_jax import laws
        >>> laws.conjunctive_share([0.1, 0.2, 0.4], 0.1, slots=2, n=4).round(3).tolist()
        [nan, 0.861, 0.402]
    """
    slots, n = _counts(slots, n)
    e, balls, floor = _numbers("conjunctive_share", bound=bound, b=b, delta=delta)
    tails = _tails(balls, slots, n)
    low, high = np.zeros_like(e), np.ones_like(e)
    possible = _error(tails, high, floor) <= e
    for _ in range(_HALVINGS if (floor > 0).any() else 0):
        middle = (low + high) / 2
        enough = _error(tails, middle, floor) <= e
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    some = np.where(possible & (tails[0] > 0), tails[0], 1.0)
    rise = np.clip((1.0 - 2.0 * e) / some, 0.0, 1.0)  # of the error: c/(2-c) times this is what the bound asks for
    share = np.where(e >= 0.5, 0.0, np.where(floor > 0, high, 2.0 * rise / (1.0 + rise)))
    return np.where(possible, share, np.nan)[()]


def _counts(slots: Any, n: Any) -> tuple[int, int]:
    few = require_count("slots", slots, 2, " (features of one slot can't be put together in another way)")
    return few, require_count("n", n, 2, " shown items, whose features are put together in another way")


def _numbers(function: str, **given: Any) -> list[np.ndarray]:
    """Numbers between 0 and 1, by their names, as float64 arrays of one shape."""
    refuse_traced(f"laws.{function}", *given.values())
    whats = {"bound": "a rate of errors", "b": "a probability", "conjunctive": "a share", "delta": "a floor"}
    for name, value in given.items():
        require(name, value, 0.0, 1.0, f"{whats[name]} between 0 and 1")
    return list(np.broadcast_arrays(*(np.asarray(concrete(value), np.float64) for value in given.values())))


def _tails(b: np.ndarray, slots: int, n: int) -> np.ndarray:
    """P(J >= j) for j = 1, 2, ... along a first axis, then the shape of b."""
    k, far = np.arange(1, slots), 1.0 - b[..., None]
    weights = stats.binom.pmf(k, slots, 0.5)
    weights = weights / weights.sum()
    tails = []
    for j in range(slots // 2):  # of the first two items one has no more than half of the slots to be outside in
        of_two = (weights * stats.binom.sf(j, k, far) * stats.binom.sf(j, slots - k, far)).sum(axis=-1)
        tails.append(of_two * stats.binom.sf(j, slots, 1.0 - b) ** (n - 2))
    return np.stack(tails)


def _error(tails: np.ndarray, share: Any, floor: np.ndarray) -> Any:
    """E[M/(1+M)], as its value at J = 0 and its changes from J = j-1 to J = j times P(J >= j)."""
    strengths = np.stack([1.0 - share + share * floor**j for j in range(len(tails) + 1)])
    chosen = strengths / (1.0 + strengths)
    return chosen[0] + (np.diff(chosen, axis=0) * tails).sum(axis=0)


def _against_all(b: np.ndarray, share: np.ndarray, floor: np.ndarray, slots: int, n: int) -> Any:
    count = float(n) ** slots - n
    if n == 2:
        error = np.zeros_like(b)
        for unlike in range(slots + 1):
            a = np.arange(unlike + 1)
            ways = np.exp2(slots - unlike) * stats.binom.pmf(a, unlike, 0.5) * np.exp2(unlike)
            conjunctions = (ways * floor[..., None] ** np.minimum(a, unlike - a)).sum(axis=-1) - 2.0
            total = (1.0 - share) * count + share * conjunctions
            error = error + stats.binom.pmf(unlike, slots, 1.0 - b) * total / (1.0 + total)
        return error
    if (share > 0).any():
        raise ValueError(
            f"all recombinations of {n} items have no law that holds on every space; use n=2, conjunctive=0, or "
            "montecarlo.estimate_binding"
        )
    return np.full_like(b, count / (1.0 + count))
