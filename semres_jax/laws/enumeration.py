"""Finite spaces, exactly: sums over all draws of a probe and its items.

`constant` counts which stimuli are within epsilon of which: all resolutions of a grid are counted in one pass over the
distance table. `accuracy` takes any similarity; `exemplars` tells stimuli from the classes that they belong to.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import choice
from semres_jax._checks import concrete, require_exponent, require_items
from semres_jax._types import Accuracy, ArrayLike
from semres_jax.laws import _by_rows, _counting, _subsets
from semres_jax.laws._precision import of_grid, slopes_told
from semres_jax.laws.exemplars import Exemplars as Exemplars, exemplars as exemplars
from semres_jax.similarity import Constant, Similarity
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.named import on_space


@on_space
def accuracy(
    space: MetricSpace, similarity: Similarity, *, n: int = 2, exponent: ArrayLike = 1.0, replace: bool = False
) -> Accuracy:
    """Accuracies of any similarity on a finite space: exact sums over all draws of a probe and n items.

    With strengths h = g(d(x, p))^a and averages over the probe p,

        p_S = <h_nearest / Σ_i h_i>,   p_I = <1 / (1 + Σ_i h_i)> over n - 1 items;  1/n where all strengths are 0.

    1/x = ∫ e^{-xs} ds makes products of the sums, and averages over sets of items grow item by item, farthest first:
    for distinct items of equal weight the mean M_k of Π e^{-sh} over the k-subsets of the j farthest others obeys

        M_k(j+1) = (1 - k/(j+1)) M_k(j) + k/(j+1) e^{-sh} M_{k-1}(j),
        p_S = <Σ_j C(j, n-1)/C(N-1, n) ∫ h e^{-sh} M_{n-1}(j) ds>,   p_I = <∫ e^{-s} M_{n-1}(N-1) ds>.

    Independent items: sums of w e^{-sh} instead. Distinct items of unequal weights w, drawn one after the other as in
    `constant`: pairs factorise for n = 2; n > 2 are the first n of N - 1 clocks of rates w to ring, with one more
    integral over the time of the last. A constant similarity is counted (`constant`) where it can be. An infinite a
    shares the choice among equally strong items. Source: new, of this project.

    Sums are exact; the integral over s has a relative error of 1e-14, that over time one of 1e-13, in float64. Works in
    logarithms of strengths, however small these are: ratios of more than e^45 are as good as infinite. For n = 2 sums
    over pairs take over where they are shorter. For n > 2 among more than 245 stimuli all of which are further apart
    than that, ratios are shortened to what fits into e^11,000; they then are e^(11,000/N) at least.

    Args:
        space: finite, with `distances` and `weights` (`spaces.Finite`, `spaces.Tree`).
        similarity: any, of any shape; members of a grid are done one after the other, in one compiled program.
        n: number of items, at least 2; static.
        exponent: a, the Luce exponent, at least 0, infinity included (a traced one is taken for finite).
        replace: whether stimuli may repeat.

    Returns:
        Accuracy of the similarity's shape: float64 NumPy; where a number is traced, in the precision around, and
        differentiable in the numbers of the similarity (`Constant`, counted, in delta only). No number decides the
        program: nothing is compiled again for other ones, traced or not, of the same shapes, and nodes that the range
        of strengths doesn't need are skipped (under `vmap` they are computed: leave grids to the similarity).
        Time grows like N² n (65 + 3.6 ln(1/h)) with h the smallest strength; memory like the table of distances. N =
        5,000, n = 2, Exponential(0.3) in the unit square: 23 s on two CPU cores, with nothing on top of the 0.8 GB that
        making the space took. Unequal weights and n > 2 distinct items take some 100 times longer.

    Raises:
        ValueError: no table of distances; fewer stimuli than n distinct items and a probe; exponent negative; weights
            traced where n > 2 items are distinct.

    Example:
        >>> from semres_jax import Exponential, spaces
        >>> from semres_jax.laws import enumeration
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(p), 4) for p in enumeration.accuracy(line, Exponential(1.0))]
        [0.654, 0.781]
    """
    n = _require(space, n, replace)
    require_exponent(exponent)
    run = functools.partial(members_accuracy, n=n, replace=replace)
    return of_grid(run, space, similarity, exponent)


def members_accuracy(
    space: MetricSpace, members: Similarity, exponent: Any, *, n: int, replace: bool = False
) -> Accuracy:
    """`accuracy` of the members of a grid along one axis, in the precision around."""
    weighted = space.weighted
    sequential = weighted and n > 2 and not replace
    if isinstance(members, Constant) and not sequential:
        return members_constant(space, members, exponent, n=n, replace=replace)
    if _by_rows.applies(space, members, exponent, n):
        return slopes_told(_by_rows.accuracy(space, members, exponent, replace=replace), space, members)
    if space.distances is None:
        raise ValueError(
            f"{space.label} has no table of distances: of similarities but the constant one, known numbers and two "
            "items are enumerated there (use spaces.Finite.from_points, or semres_jax.estimate)"
        )
    distances, weights = space.distances, space.weights if weighted else None
    clock = None
    if sequential:
        known = concrete(weights)
        if known is None:
            raise ValueError(f"weights must be known numbers, not traced ones, for n = {n} distinct items")
        clock = _subsets.clock_times(np.asarray(known, np.float64), n)
    dtype = jnp.result_type(0.0, distances, *jax.tree.leaves(members))
    distances, weights, clock = jax.tree.map(lambda x: jnp.asarray(x, dtype), (distances, weights, clock))
    if weights is not None:
        weights = weights / jnp.sum(weights)
    power = concrete(exponent)
    sharp = power is not None and bool(np.isinf(power))
    power = jnp.asarray(1.0 if sharp else exponent, dtype)
    accuracies = _subsets.averages(distances, weights, members, power, clock, n=n, replace=replace, sharp=sharp)
    return slopes_told(accuracies, space, members)


@on_space
def constant(
    space: MetricSpace, similarity: Constant, *, n: int = 2, exponent: ArrayLike = 1.0, replace: bool = False
) -> Accuracy:
    """Accuracies of the constant similarity on a finite space, exactly.

    Distinct items (`replace=False`): probe and items are drawn one after the other from the measure restricted to what
    is left. With equal weights the probe has k of the m = N - 1 others within ε, and

        p = <laws.finite_constant(k, m, n, Δ^a)>, averaged over the N probes.

    With unequal weights w, for n = 2, with the floor f = Δ^a and credit c = 1/2 where both items or neither is within
    ε, c = 1/(1+f) where one is,

        p_S = Σ_p w_p Σ_{x≠p} w_x/(1-w_p) Σ_{y≠p,x} w_y/(1-w_p-w_x) c(x, y),
        p_I = Σ_p w_p Σ_{x≠p} w_x/(1-w_p) / (1 + g(x, p)^a).

    Independent items (`replace=True`, the probe itself may be among them): p = Σ_p w_p laws.constant(b_p(ε), n, Δ^a).
    Source: new, of this project, but for the last (theorem 3 of Nurisso et al., arXiv 2506.14797).

    Args:
        space: finite, with `distances` and `weights` (`spaces.Finite`, `spaces.Tree`). d <= ε is decided exactly.
        similarity: of any shape; all its resolutions are counted in one pass.
        n: number of items, at least 2; static.
        exponent: a, the Luce exponent, at least 0.
        replace: whether stimuli may repeat.

    Returns:
        Accuracy of the similarity's shape. Differentiable in delta; steps in epsilon have slope 0. Memory is the number
        of different resolutions times N. Traced resolutions are counted by comparing each with every distance.

    Raises:
        ValueError: no table of distances; fewer stimuli than n distinct items and a probe; unequal weights and n > 2
            distinct items.

    Example:
        >>> from semres_jax import Constant, spaces
        >>> from semres_jax.laws import enumeration
        >>> line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> [round(float(p), 4) for p in enumeration.constant(line, Constant(1.0))]
        [0.8333, 0.6667]
    """
    n = _require(space, n, replace)
    weighted = space.weighted
    if weighted and n > 2 and not replace:
        raise ValueError(
            f"distinct items of unequal weights are enumerated for n = 2 only; got n = {n} (use semres_jax.estimate, "
            "or replace=True)"
        )
    run = functools.partial(members_constant, n=n, replace=replace)
    return of_grid(run, space, similarity, exponent)


def members_constant(
    space: MetricSpace, members: Constant, exponent: Any, *, n: int, replace: bool = False
) -> Accuracy:
    """`constant` of the members of a grid along one axis, in the precision around."""
    weighted = space.weighted
    epsilon, delta = members.epsilon, members.delta
    # The same resolution, or the same floor, in many members of a grid is dealt with once.
    epsilons, at_epsilon = _counting.distinct_values(epsilon)
    deltas, at_delta = _counting.distinct_values(delta)
    floors = choice.power(jnp.asarray(deltas), exponent)
    if n == 2:
        share, split = (x[at_epsilon] for x in _counting.two_items(space, weighted, epsilons, replace))
        gain = 1.0 / (1.0 + floors[at_delta]) - 0.5  # of a far item over one that ties
        return Accuracy(0.5 + gain * split, 0.5 + gain * (1.0 - share))
    if weighted:
        weights, (ball, *_) = _counting.balls(space, epsilons)
        return _counting.independent(weights, ball, at_epsilon, floors, at_delta, n=n)
    return _counting.equal_weights(space, epsilons, at_epsilon, floors, at_delta, n, replace)


@on_space
def tie_rate(space: MetricSpace, *, n: int = 2, replace: bool = False) -> float:
    """Probability that the right answer of the similarity task is shared: another item is as close to the probe.

    Over draws as in `accuracy`; with j(x) the number of stimuli farther from p than x is, and J(x) >= j(x) the number
    that come after it in the order of distance,

        <Σ_x [C(J(x), n-1) - C(j(x), n-1)] / C(N-1, n)> over probes p, for distinct items of equal weight.

    On an ultrametric tree (leaves equally far from the root) the two leaves of a triple whose last common ancestor is
    older are equally far from the third. One of three leaves, taken as the probe, is the outlier: about one similarity
    trial in three with n = 2 is a tie, and its credit is 1/2 whatever the resolution. Source: new, of this project.

    Args:
        space: finite, with `distances` and `weights`. Distances are compared exactly.
        n: number of items, at least 2.
        replace: whether stimuli may repeat; then a stimulus drawn twice ties with itself.

    Raises:
        ValueError: no table of distances; too few stimuli; n > 2 distinct items of unequal weights.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.laws import enumeration
        >>> tree = spaces.Tree.from_newick("((a:1,b:1):1,c:2);")
        >>> round(enumeration.tie_rate(tree), 4)
        0.3333
    """
    n = require_items(n)
    weights = concrete(space.weights)
    if not space.by_rows and concrete(space.distances) is None:
        raise ValueError(f"{space.label} has no known table of distances to enumerate")
    if not replace:
        space.require_distinct(n)
    weighted = space.weighted
    if weighted and not replace and n > 2:
        raise ValueError(f"ties among distinct items of unequal weights are enumerated for n = 2 only; got n = {n}")
    size: Any = space.size
    weights = np.full(size, 1.0 / size) if weights is None else weights / weights.sum(dtype=np.float64)
    return float(weights @ _counting.tie_rates(space, weights, n, replace, weighted))


def _require(space: MetricSpace, n: int, replace: bool) -> int:
    """The number of items, or a `ValueError` where there is nothing to enumerate."""
    n = require_items(n)
    if not space.enumerable:
        raise ValueError(f"{space.label} has no table of distances to enumerate; use semres_jax.estimate")
    if not replace:
        space.require_distinct(n)
    return n
