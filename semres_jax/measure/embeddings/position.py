"""Where embeddings stand: accuracies of their own similarity, the similarity function it is most like, the fronts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semres_jax._types import ArrayLike
from semres_jax.frontier.families import Front, family_front, table as family_table
from semres_jax.frontier.finite import optimal_finite
from semres_jax.frontier.optimal import optimal_front
from semres_jax.laws import enumeration, tables
from semres_jax.laws.exemplars import Draws
from semres_jax.measure import _fit_errors, intervals as resampling
from semres_jax.measure.embeddings import exemplar_sums, exemplars, off_front, request, similarities, stimulus_sums
from semres_jax.measure.embeddings.result import Embedded, Fitted, Number, Placed, Thresholds
from semres_jax.measure.resolution import FITTED, Profile, fit, profile, reach
from semres_jax.similarity import Family, Similarity, get as family_of
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.finite import Finite

SHARES = np.concatenate([np.geomspace(0.01, 0.1, 9), np.linspace(0.15, 0.95, 17)])
FRONTS = ("constant", "linear")
LIMIT = 2048
_OPTIMAL_WEIGHTS = (1.0, 0.9, 0.75, 0.6, 0.45)
# Of the front of all similarities: certain to 2e-4 down to a floor of 1e-10, and twenty times as fast as to 1e-6.
_OPTIMAL_LEVELS = 129


def embeddings(
    points: Any,
    distances: ArrayLike | MetricSpace,
    *,
    labels: Sequence[Any] | np.ndarray | None = None,
    similarity: str = "relu",
    floor: float = similarities.FLOOR,
    shares: ArrayLike = SHARES,
    n: int = 2,
    fronts: Mapping[str, Front] | None = None,
    optimal: str = "homogeneous",
    delta: float | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    limit: int = LIMIT,
    families: Sequence[str | type[Similarity]] = FITTED,
) -> Embedded:
    """Where embeddings stand: accuracies of their own similarity, what similarity function it is, how far from fronts.

    Without labels, or with a different one for each row, a stimulus has one embedding, and the probe of the
    identification test is the item itself. With labels that repeat, stimuli are classes, rows their exemplars, and the
    probe is another exemplar of its class (as `measure.levels`).

    The model's own similarity of embeddings x, y is the strength that Luce's rule shares:

        relu: ReLU(x·y) + floor;   cosine: max(0, cos(x, y)) + floor;   euclidean: max(0, 1 - |x - y| / top) + floor

    with `top` the largest distance there is. Thresholds are of the dissimilarity: top - ReLU(x·y), 1 - cos, |x - y|.
    The given distances say which item is right, and what the model's similarity is a function of.

    Accuracies are exact sums over all trials (`laws.tables.accuracy`). Standard errors and intervals (n = 2) are over
    stimuli: what the next stimuli of the same kind would give; the truth is the mean over all sets of stimuli that
    could have been drawn. Leaving a stimulus, or a pair of them, out changes p_S, an average over triples, and p_I,
    over pairs, by what it contributes, and replicates weigh these contributions by how often a stimulus is drawn (no
    copies: those would be at distance 0). How, and how often the intervals hold the truth: see
    `measure.bootstrap.over_stimuli`. So it is for the resolution of fits, on a logarithmic scale. For thresholds what
    pairs add is counted twice: their intervals are on the safe side. The largest distance of "euclidean", and whatever
    else of the similarity is taken from the stimuli, is held as it is. Fronts of families are exact on the same
    stimuli, and move with them; that of all similarities doesn't.

    Of classes, exemplars are drawn again and classes stay. Fronts, profile and fits are those of classes as stimuli: of
    mean similarities relative to the mean within the probe's class, one stimulus each, which is why measured accuracies
    differ from what fits predict where exemplars of a class do. Intervals over fewer than five exemplars a class hold
    less often than they say (`Embedded.cautions`). Source: new, of this project.

    Args:
        points: (N, D) embeddings; float of any precision, also mapped from a file.
        distances: (N, N) between stimuli (classes), or a finite space: `spaces.Finite`, `spaces.Tree`. Rows are in the
            order of the points without labels; found by name where the space has names (`spaces.Tree`, which may have
            more leaves); else in the sorted order of the labels.
        labels: (N,) name of the stimulus (class) of each row.
        similarity: "relu", "cosine" or "euclidean".
        floor: added to the similarity, in its unit; the toy network's 1e-10.
        shares: (E,) in (0, 1], ascending: shares of other stimuli within ε that thresholds are set at.
        n: items of a trial.
        fronts: from `measure.fronts` of the same distances, where many embeddings are measured; {} for none.
        optimal: which front of the best similarities is found: "homogeneous" (`frontier.optimal_front`: of all
            similarities in [Δ, 1] on a homogeneous space; certain to 2e-4), "finite" (`frontier.optimal_finite`: on
            these stimuli; half a minute and more) or "none".
        delta: floor Δ of the optimal front; None: the lowest similarity of two stimuli relative to the probe's own, so
            that the model's similarity is one of those that the front is of.
        bootstrap: replicates of the intervals; 0: no intervals.
        seed: of what is sampled and of replicates.
        limit: of more stimuli than this a random part, as many, is measured; of more exemplars, so many probe (as many
            of each class), and all are items. No table is larger than limit times N, or kept. Graded accuracies of more
            than 1024 exemplars are those of trials with one exemplar of each class drawn for each probe. `sampled` says
            so, and standard errors count it.
        families: what is fitted to the profile, as in `similarity.get`.

    Returns:
        `Embedded`.

    Raises:
        ValueError: embeddings not finite (the rows are named) or of another shape, labels or distances that don't
            match, settings out of range; one line each.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure, spaces
        >>> angle = 2 * np.pi * np.arange(12) / 12
        >>> ring = spaces.grid(spaces.get("circle"), 12)
        >>> found = measure.embeddings(np.stack([np.cos(angle), np.sin(angle)], 1), ring, optimal="none")
        >>> round(float(found.p_s.value), 4), round(float(found.p_i.value), 4), found.best
        (0.7643, 0.855, 'linear')
    """
    kinds = [family_of(family) for family in families]
    asked = request.checked(similarity, floor, shares, n, optimal, delta, bootstrap, seed, limit)
    model = similarities.own(points, asked.similarity)
    count = len(model.points)
    if labels is not None and len(labels) != count:
        raise ValueError(request.lengths(labels, count))
    if labels is not None and len({x.item() if isinstance(x, np.generic) else x for x in labels}) < count:
        return of_classes(model, distances, labels, fronts, kinds, asked)
    table, names = request.table_of(distances)
    space, places = request.matched(table, names, labels, count)
    return of_stimuli(model, space, places, fronts, kinds, asked)


def fronts(
    space: ArrayLike | MetricSpace, *, n: int = 2, families: Sequence[str | type[Similarity]] = FRONTS
) -> dict[str, Front]:
    """Exact fronts of families of similarities on given stimuli, to hand to many `embeddings`.

    Args:
        space: a table of distances, or a finite space.
        n: items of a trial.
        families: as in `similarity.get`.

    Raises:
        ValueError: unknown family.

    Example:
        >>> from semres_jax import measure, spaces
        >>> ring = spaces.grid(spaces.get("circle"), 12)
        >>> sorted(measure.fronts(ring))
        ['constant', 'linear']
    """
    finite = space if isinstance(space, MetricSpace) else Finite(np.asarray(space, np.float64))
    kinds = [family_of(family) for family in families]
    return {kind.label: family_front(finite, kind, n=n) for kind in kinds}


def of_stimuli(
    model: similarities.Own,
    space: Finite,
    places: np.ndarray,
    known: Any,
    kinds: Sequence[Family],
    asked: request.Asked,
) -> Embedded:
    """One embedding of each stimulus: the probe is the item."""
    sampled: tuple[str, ...] = ()
    count = len(places)
    if count > asked.limit:
        rng = np.random.default_rng(np.random.SeedSequence([asked.seed, 2]))
        some = np.sort(rng.choice(count, asked.limit, replace=False))
        space, places = Finite(np.asarray(space.distances)[np.ix_(some, some)]), places[some]
        sampled, known = (f"{asked.limit} of {count} stimuli",), None
    found = similarities.raw(model, places, places)
    found = (found + found.T) / 2
    if asked.similarity == "euclidean":
        model = model.with_top(found.max())
    strengths = similarities.strengths(model, found, asked.floor)
    if not (np.diagonal(strengths) > 0).all():
        row = int(places[np.argmin(np.diagonal(strengths))])
        raise ValueError(f"row {row} has no similarity to itself; give a floor above 0")
    ranks = tables.ranking(space)
    space.require_distinct(asked.n)
    own = stimulus_sums.graded(space, ranks, strengths, asked.n)
    levels = _levels(model, space, ranks, found, asked)
    seen = profile(space, strengths)
    fits = {kind.label: _fitted(space, ranks, seen, kind, asked, strengths) for kind in kinds}
    relative = strengths / np.diagonal(strengths)[:, None]
    lowest = float(relative[~np.eye(len(relative), dtype=bool)].min())
    delta = lowest if asked.delta is None else asked.delta
    known = fronts(space, n=asked.n) if known is None else dict(known)
    known |= optimal_fronts(space, delta, asked)
    # The front of all similarities is taken as it is, also that of these stimuli.
    off = {name: off_front.off(None if name == "optimal" else space, name, one, own) for name, one in known.items()}
    columns = [own.slope_s, own.slope_i, *(one.slope for one in off.values())]
    values = [own.p_s, own.p_i, *(one.distance for one in off.values())]
    both = [own.pairs_s, own.pairs_i, *(one.pairs for one in off.values())]
    p_s, p_i, *gaps = over_stimuli(np.array(values), np.stack(columns), both, asked)
    p_s, p_i = (probability(one) for one in (p_s, p_i))
    mean_b, var_b = reach(strengths, asked.floor)
    return Embedded(
        design="stimuli",
        similarity=asked.similarity,
        floor=asked.floor,
        n=asked.n,
        rows=len(model.points),
        dimensions=model.points.shape[1],
        stimuli=count,
        sampled=sampled,
        p_s=p_s,
        p_i=p_i,
        mean_b=float(mean_b),
        var_b=float(var_b),
        tie_rate=enumeration.tie_rate(space, n=asked.n),
        levels=levels,
        profile=seen,
        fits=fits,
        delta=delta,
        fronts={name: Placed(one, gap, off[name].p_s, off[name].p_i)
                for (name, one), gap in zip(known.items(), gaps, strict=True)},
    )  # fmt: skip


def of_classes(
    model: similarities.Own,
    distances: Any,
    labels: Any,
    known: Any,
    kinds: Sequence[Family],
    asked: request.Asked,
) -> Embedded:
    """Several embeddings a class: the probe is another exemplar."""
    if asked.n > 2:
        raise ValueError(f"classes with several exemplars are measured with n = 2 items; got n = {asked.n}")
    table, names = request.table_of(distances)
    between = request.of_the_classes(table, names, labels)
    space = Finite(between)
    drawn = Draws.of(labels, between, len(labels))
    chosen = exemplar_sums.probes(drawn, asked.limit, asked.seed)
    model = model.with_top(exemplar_sums.top(model, chosen))
    epsilon, which = np.unique(
        exemplar_sums.thresholds(model, drawn, chosen, asked.shares, asked.seed), return_inverse=True
    )
    sums = exemplar_sums.summed(model, drawn, chosen, epsilon, asked.floor)
    own, told = exemplar_sums.graded(model, space, drawn, chosen, asked.floor, asked.seed)
    inner = np.diagonal(sums.between)
    if not (inner > 0).all():
        raise ValueError(f"exemplars of class {int(np.argmin(inner))} (in sorted order) are not similar at all; "
                         "give a floor above 0")  # fmt: skip
    ranks = tables.ranking(space)
    seen = profile(space, sums.between)
    fits = {kind.label: _fitted(space, ranks, seen, kind, asked) for kind in kinds}
    delta = float(min(sums.lowest / inner.mean(), 1.0)) if asked.delta is None else asked.delta
    known = fronts(space) if known is None else dict(known)
    known |= optimal_fronts(space, delta, asked)
    off = {name: off_front.off(None, name, one, own) for name, one in known.items()}
    columns = np.stack([own.slope_s, own.slope_i, *(one.slope for one in off.values())])
    values = np.array([own.p_s, own.p_i, *(one.distance for one in off.values())])
    p_s, p_i, *gaps = numbers(values, columns, drawn.own, asked, 2)
    slopes = sums.slopes[:2]
    if len(epsilon) > 1 and (np.diff(sums.mean_b) > 0).all():
        slopes = np.stack([exemplars.at_equal_shares(slope, p, sums.mean_b, sums.slopes[2])
                           for slope, p in zip(slopes, (sums.p_s, sums.p_i), strict=True)])  # fmt: skip
    both = numbers(np.stack([sums.p_s, sums.p_i]), slopes, drawn.own, asked, 2)
    at_s, at_i = (Number(*(x[which] for x in one)) for one in both)
    sampled = (f"{len(chosen.rows)} of {len(labels)} exemplars probe",) if chosen.sampled else ()
    return Embedded(
        design="classes",
        similarity=asked.similarity,
        floor=asked.floor,
        n=2,
        rows=len(labels),
        dimensions=model.points.shape[1],
        stimuli=len(between),
        sampled=sampled + ((told,) if told else ()),
        p_s=p_s,
        p_i=p_i,
        mean_b=sums.reach[0],
        var_b=sums.reach[1],
        tie_rate=drawn.tie_rate,
        levels=Thresholds(
            asked.shares, epsilon[which], sums.mean_b[which], sums.var_b[which], sums.hit_rate[which], at_s, at_i
        ),
        profile=seen,
        fits=fits,
        delta=delta,
        fronts={name: Placed(one, gap, off[name].p_s, off[name].p_i)
                for (name, one), gap in zip(known.items(), gaps, strict=True)},
    )  # fmt: skip


def over_stimuli(values: np.ndarray, slopes: np.ndarray, pairs: Sequence[Any], asked: request.Asked) -> list[Number]:
    """Values (K,) with standard errors and, where replicates are asked for, intervals over stimuli."""
    columns = resampling.over_stimuli(values, slopes, pairs, count=asked.bootstrap, seed=asked.seed)
    return [Number(*(x[()] for x in row)) for row in zip(values, *columns, strict=True)]


def probability(number: Number) -> Number:
    """A probability's interval ends at 0 and 1."""
    return number._replace(low=np.clip(number.low, 0.0, 1.0), high=np.clip(number.high, 0.0, 1.0))


def numbers(
    values: np.ndarray, slopes: np.ndarray, labels: np.ndarray, asked: request.Asked, probabilities: int
) -> list[Number]:
    """Values (K, ...) with standard errors and, where replicates are asked for, intervals, of slopes (K, N, ...).

    The first `probabilities` of the values are that: their replicates are laid out on the scale of log odds.
    """
    stderr = np.sqrt((slopes**2).sum(1))
    low = high = np.full(values.shape, np.nan)
    if asked.bootstrap:
        moved = resampling.replicates(values[:, None], slopes[:, None], labels, count=asked.bootstrap, seed=asked.seed)
        # Each class's mean takes one degree of freedom; the slopes already have the variance that this leaves.
        moved = resampling.student(len(labels) - len(np.unique(labels))) * (moved - values)
        _, low, high = resampling.interval(values + moved, values)
        for k in range(probabilities):
            low[k], high[k] = resampling.of_probability(values[k], low[k], high[k])
    return [Number(*(x[()] for x in one)) for one in zip(values, stderr, low, high, strict=True)]


def _levels(model: Any, space: Finite, ranks: Any, found: np.ndarray, asked: request.Asked) -> Thresholds:
    apart = similarities.dissimilarities(model, found)
    size = len(apart)
    ordered = np.sort(apart[np.triu_indices(size, 1)])
    wanted = np.ceil(asked.shares * len(ordered) * (1 - 1e-12)).astype(int) - 1
    epsilon, which = np.unique(ordered[np.maximum(wanted, 0)], return_inverse=True)
    with_slopes = asked.n == 2 and asked.bootstrap > 0
    got = stimulus_sums.within(ranks, apart, epsilon, slopes=with_slopes)
    p_s, p_i, slope_s, slope_i = got.scored[:4]
    if asked.n > 2:
        each = [stimulus_sums.graded(space, ranks, np.asarray(apart <= one, np.float64), asked.n) for one in epsilon]
        p_s, p_i = (np.array([one[k] for one in each]) for k in range(2))
        slope_s = slope_i = np.full((size, len(epsilon)), np.nan)
    slopes = np.stack([slope_s, slope_i])
    if with_slopes and len(epsilon) > 1 and (np.diff(got.mean_b) > 0).all():
        # ε is what reaches a share of the stimuli there are: it moves with them.
        steep = [np.gradient(p, got.mean_b)[None] * got.slope_b for p in (p_s, p_i)]
        slopes = slopes - np.stack(steep)
    both = numbers(np.stack([p_s, p_i]), slopes, np.zeros(size, int), asked, 2)
    at_s, at_i = (Number(*(x[which] for x in one)) for one in both)
    hit = np.ones(len(which))
    return Thresholds(asked.shares, epsilon[which], got.mean_b[which], got.var_b[which], hit, at_s, at_i)


def _fitted(
    space: Finite, ranks: Any, seen: Profile, family: Family, asked: request.Asked, strengths: Any = None
) -> Fitted:
    """A family's fit; with the strengths of single stimuli also what its resolution is off by over them."""
    best = fit(seen, family)
    epsilon, delta, spread, floor_spread, aic = (
        float(x) for x in (best.epsilon, best.delta, best.epsilon_stderr, best.delta_stderr, best.aic)
    )
    distances = np.asarray(space.distances, np.float64)
    there = stimulus_sums.graded(space, ranks, family_table(family, distances, epsilon, delta), asked.n, slopes=False)
    resolution = Number(epsilon, np.nan, np.nan, np.nan)
    if strengths is not None and asked.bootstrap:
        relative = strengths / np.diagonal(strengths)[:, None]
        moved = _fit_errors.log_resolution(distances, relative, family, epsilon, delta)
        if moved is not None:
            (log,) = over_stimuli(np.log([epsilon]), moved[0][None], [moved[1]], asked)
            resolution = Number(epsilon, epsilon * log.stderr, np.exp(log.low), np.exp(log.high))
    return Fitted(epsilon, delta, spread, floor_spread, aic, there.p_s, there.p_i, resolution)


def optimal_fronts(space: Finite, delta: float, asked: request.Asked) -> dict[str, Front]:
    """The front of all similarities with values down to a floor, where it is asked for."""
    if asked.optimal == "none" or not 0 < delta < 1:
        return {}
    if asked.optimal == "finite":
        weights = _OPTIMAL_WEIGHTS
        each = [optimal_finite(space, delta, weight=weight).accuracy for weight in weights]
    else:
        found = optimal_front(delta, n=asked.n, levels=_OPTIMAL_LEVELS)
        weights, each = [one.weight for one in found], [one.accuracy for one in found]
    points = (np.array([float(getattr(one, p)) for one in each]) for p in ("p_s", "p_i"))
    return {"optimal": Front(np.asarray(weights), *points)}
