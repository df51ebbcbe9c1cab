"""Where embeddings stand: accuracies of their own similarity, the similarity function it is most like, the fronts."""

import dataclasses
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semres_jax import _watching, spaces
from semres_jax._names import axis_labels
from semres_jax._random import generator
from semres_jax._surroundings import on_host
from semres_jax._types import ArrayLike, Quantity
from semres_jax.execution import Execution
from semres_jax.frontier.families import Front, family_front, table as family_table
from semres_jax.frontier.finite import optimal_finite
from semres_jax.frontier.optimal import optimal_front
from semres_jax.laws import enumeration, tables
from semres_jax.laws.exemplars import Draws
from semres_jax.measure import intervals
from semres_jax.measure.embeddings import exemplar_sums, exemplars, influence, similarities, stimulus_sums
from semres_jax.measure.embeddings.request import Request, labels_of, matched, of_the_classes, table_of
from semres_jax.measure.embeddings.result import Embedded, Fitted, Placed, Thresholds
from semres_jax.measure.geometry.collapse import geometry
from semres_jax.measure.members import Contributions, Influence, Sample
from semres_jax.measure.resolution import FITTED, Profile, fit_profile, profile, reach
from semres_jax.similarity import Family, get as family_of
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.finite import Finite
from semres_jax.spaces.points import Points

SHARES = np.concatenate([np.geomspace(0.01, 0.1, 9), np.linspace(0.15, 0.95, 17)])
FRONTS = ("constant", "linear")
LIMIT = 2048
_OPTIMAL_WEIGHTS = (1.0, 0.9, 0.75, 0.6, 0.45)
# Of the front of all similarities: certain to 2e-4 down to a floor of 1e-10, and twenty times as fast as to 1e-6.
_OPTIMAL_LEVELS = 129


@on_host("measure.embeddings")
def embeddings(
    points: Any,
    distances: Any,
    *,
    labels: Any = None,
    similarity: str = "relu",
    floor: float | None = None,
    shares: ArrayLike = SHARES,
    n: int = 2,
    fronts: Mapping[str, Front] | None = None,
    optimal: str = "homogeneous",
    delta: float | None = None,
    bootstrap: int = 1000,
    key: Any = None,
    limit: int = LIMIT,
    families: Sequence[Any] = FITTED,
    execution: Execution | None = None,
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
    `measure.intervals.over_stimuli`. So it is for the resolution of fits, on a logarithmic scale. For thresholds what
    pairs add is counted twice: their intervals are on the safe side. The largest distance of "euclidean", and whatever
    else of the similarity is taken from the stimuli, is held as it is. Fronts of families are exact on the same
    stimuli, and move with them; that of all similarities doesn't.

    Of classes, exemplars are drawn again and classes stay. Fronts, profile and fits are those of classes as stimuli: of
    mean similarities relative to the mean within the probe's class, one stimulus each, which is why measured accuracies
    differ from what fits predict where exemplars of a class do. Intervals over fewer than five exemplars a class hold
    less often than they say (`Embedded.cautions`). Source: new, of this project.

    Args:
        points: (N, D) embeddings; numbers of any precision, also mapped from a file, a list of lists, a DataFrame.
        distances: (N, N) between stimuli (classes), or a finite space: `spaces.Finite`, `spaces.Tree`; of too many
            stimuli for a table also `spaces.Points`, in the order of the points. Where they have
            names (labels of the space, a DataFrame, an xarray.DataArray) rows are found by name, and there may be more
            of them. Else rows are in the order of the points without labels; in the sorted order of the labels with.
        labels: (N,) name of the stimulus (class) of each row, text or numbers; None: the names of the rows of a table,
            where distances have names, too.
        similarity: "relu", "cosine" or "euclidean".
        floor: added to the similarity, in its unit; None: the toy network's 1e-10; where the largest dot
            product is below 1e-3 or above 1e3 (embeddings in another unit), that share of it.
        shares: (E,) in (0, 1], ascending: shares of other stimuli within ε that thresholds are set at.
        n: items of a trial.
        fronts: from `measure.fronts` of the same distances, where many embeddings are measured; {} for none.
        optimal: which front of the best similarities is found: "homogeneous" (`frontier.optimal_front`: of all
            similarities in [Δ, 1] on a homogeneous space; certain to 2e-4), "finite" (`frontier.optimal_finite`: on
            these stimuli; half a minute and more) or "none".
        delta: floor Δ of the optimal front; None: the lowest similarity of two stimuli relative to the probe's own, so
            that the model's similarity is one of those that the front is of.
        bootstrap: replicates of the intervals; 0: no intervals.
        key: of what is sampled and of replicates; None: `jax.random.key(0)`.
        limit: of more stimuli than this a random part, as many, is measured; of more exemplars, so many probe (as many
            of each class), and all are items. No table is larger than limit times N, or kept. Graded accuracies of more
            than 1024 exemplars are those of trials with one exemplar of each class drawn for each probe. `sampled` says
            so, and standard errors count it.
        families: what is fitted to the profile, as in `similarity.get`.
        execution: how to run; `progress` counts probes, then sampled trials.

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
        >>> model = measure.embeddings(np.stack([np.cos(angle), np.sin(angle)], 1), ring, optimal="none")
        >>> round(float(model.p_s.value), 4), round(float(model.p_i.value), 4), model.best
        (0.7643, 0.855, 'linear')
    """
    how = execution or Execution()
    with _watching.watched(lambda done, planned: how.tell("embeddings", done, planned)):
        return placed(
            points, distances, labels, fronts, similarity=similarity, floor=floor, shares=shares, n=n, optimal=optimal,
            delta=delta, bootstrap=bootstrap, key=key, limit=limit, families=families,
        ).without_large()  # fmt: skip


def placed(points: Any, distances: Any, labels: Any, fronts: Any, *, similarity: str, **settings: Any) -> Embedded:
    """As `embeddings`, with what stimuli contribute however many they are."""
    if isinstance(distances, Points):
        if labels is not None or np.shape(points)[:1] != (distances.size,):
            raise ValueError(
                f"{distances.label} as distances needs a row for each stimulus, in the same order, and no labels; got "
                f"{np.shape(points)[0]} embeddings (spaces.Finite goes by labels)"
            )
        if distances.weighted:
            raise ValueError(f"stimuli must be equally likely; {distances.label} has unequal weights")
        model, request = _asked(points, fronts, similarity, settings)
        return of_stimuli(model, distances, np.arange(distances.size), request, None)
    table, known_names = table_of(distances)
    names = labels_of(labels, points, known_names, len(table))
    model, request = _asked(points, fronts, similarity, settings)
    count = len(model.points)
    if names is not None and len(set(names)) < count:
        own_names = axis_labels(points, 0) or range(count)
        return of_classes(model, Finite(of_the_classes(table, known_names, names)), names, request, own_names)
    return of_stimuli(model, *matched(table, known_names, names, count), request, names)


def _asked(points: Any, fronts: Any, similarity: str, settings: dict[str, Any]) -> tuple[similarities.Own, Request]:
    model = similarities.own(points, similarity)
    if settings["floor"] is None:
        settings = settings | {"floor": similarities.floor_of(model)}
    request = Request(similarity=similarity, fronts=fronts, **settings)
    if similarity == "relu" and request.floor >= model.top > 0:
        warnings.warn(
            f"floor {request.floor:g} is above the largest similarity, {model.top:.3g}: everything looks alike (leave "
            "floor out, or give one in the unit of the similarity)",
            stacklevel=5,
        )
    return model, request


@on_host("measure.fronts")
def fronts(space: Any, *, n: int = 2, families: Sequence[Any] = FRONTS) -> dict[str, Front]:
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
    named = isinstance(space, (MetricSpace, str, os.PathLike))
    finite = spaces.get(space) if named else Finite(space)
    return {family.label: family_front(finite, family, n=n) for family in map(family_of, families)}


def of_stimuli(
    model: similarities.Own, space: Finite | Points, places: np.ndarray, request: Request, names: Sequence[Any] | None
) -> Embedded:
    """One embedding of each stimulus, at these places and with these names: the probe is the item."""
    sampled: tuple[str, ...] = ()
    count = len(places)
    space.require_distinct(request.n)
    model.require_apart()
    if count > request.limit:
        few = np.sort(generator(request.key, 2).choice(count, request.limit, replace=False))
        space, places = _part(space, few), places[few]
        sampled, request = (f"{request.limit} of {count} stimuli",), dataclasses.replace(request, fronts=None)
    elif isinstance(space, Points):
        space = _part(space, np.arange(count))
    products = similarities.raw(model, places, places)
    products = (products + products.T) / 2
    if request.similarity == "euclidean":
        model = model.with_top(products.max())
    strengths = similarities.strengths(model, products, request.floor)
    diagonal = np.diagonal(strengths)
    if not (diagonal > 0).all():
        raise ValueError(f"row {int(places[np.argmin(diagonal)])} has no similarity to itself; give a floor above 0")
    ranks = tables.ranking(space)
    space.require_distinct(request.n)
    relative = strengths / diagonal[:, None]
    mean_b, var_b = reach(strengths, request.floor)
    return _embedded(
        request, model, space, stimulus_sums.graded(space, ranks, strengths, request.n), strengths,
        lowest=float(relative[~np.eye(len(relative), dtype=bool)].min()), design="stimuli", stimuli=count,
        sample=Sample(tuple(places.tolist() if names is None else (names[place] for place in places)), space),
        sampled=sampled, mean_b=float(mean_b), var_b=float(var_b), tie_rate=enumeration.tie_rate(space, n=request.n),
        levels=_levels(model, space, ranks, products, request),
        geometry=geometry(model.points if count == len(places) else model.points[np.sort(places)]),
    )  # fmt: skip


def _part(space: Finite | Points, rows: np.ndarray) -> Finite:
    """Some of the stimuli, with a table of their distances."""
    if isinstance(space, Points):
        return Finite.from_points(np.asarray(space.points)[rows], space.metric)
    return Finite(np.asarray(space.distances)[np.ix_(rows, rows)])


def of_classes(
    model: similarities.Own, space: Finite, labels: Sequence[Any], request: Request, names: Sequence[Any]
) -> Embedded:
    """Several embeddings a class, with these names: the probe is another exemplar."""
    if request.n > 2:
        raise ValueError(f"classes with several exemplars are measured with n = 2 items; got n = {request.n}")
    model.require_apart()
    drawn = Draws.of(labels, np.asarray(space.distances), len(labels))
    chosen = exemplar_sums.probes(drawn, request.limit, request.key)
    model = model.with_top(exemplar_sums.top(model, chosen))
    epsilon = exemplar_sums.thresholds(model, drawn, chosen, request.shares, request.key)
    epsilon, which = np.unique(epsilon, return_inverse=True)
    sums = exemplar_sums.summed(model, drawn, chosen, epsilon, request.floor)
    own, words = exemplar_sums.graded(model, space, drawn, chosen, request.floor, request.key)
    inner = np.diagonal(sums.between)
    if not (inner > 0).all():
        raise ValueError(f"exemplars of class {int(np.argmin(inner))} (in sorted order) are not similar at all; "
                         "give a floor above 0")  # fmt: skip
    sampled = (f"{len(chosen.rows)} of {len(labels)} exemplars probe",) if chosen.sampled else ()
    return _embedded(
        request, model, space, own, sums.between,
        lowest=float(min(sums.lowest / inner.mean(), 1.0)), design="classes", stimuli=len(inner),
        sample=Sample(tuple(names), space, drawn.own),
        sampled=sampled + ((words,) if words else ()), mean_b=sums.reach[0], var_b=sums.reach[1],
        tie_rate=drawn.tie_rate, levels=_thresholds(request, sums.levels, which, drawn.own),
        geometry=geometry(model.points, drawn.own),
    )  # fmt: skip


def _embedded(
    request: Request, model: similarities.Own, space: Finite, own: stimulus_sums.Scored, strengths: np.ndarray,
    *, lowest: float, sample: Sample, **fields: Any,
) -> Embedded:  # fmt: skip
    """What both designs have: fits, fronts, and intervals over the exemplars, or the stimuli, of a sample."""
    labels = sample.labels
    ranks, shape = tables.ranking(space), profile(space, strengths)
    relative = strengths / np.diagonal(strengths)[:, None] if labels is None else None
    delta = lowest if request.delta is None else request.delta
    known = fronts(space, n=request.n) if request.fronts is None else request.fronts
    known = {**known, **optimal_fronts(space, delta, request.optimal, n=request.n)}
    p_s, p_i, there = on_fronts(sample, own, known, **request.replicates)
    placed = {name: front._replace(influence=None) for name, front in there.items()}
    fits, log_epsilon = {}, {}
    for family in request.families:
        fits[family.label], moved = _fitted(space, ranks, shape, family, request, relative)
        log_epsilon |= {} if moved is None else {family.label: moved}
    scored = (Influence(own.p_s, own.slope_s, own.pairs_s), Influence(own.p_i, own.slope_i, own.pairs_i))
    return Embedded(
        similarity=request.similarity, floor=request.floor, n=request.n, rows=len(model.points),
        dimensions=model.points.shape[1], p_s=p_s, p_i=p_i, profile=shape, fits=fits, delta=delta, fronts=placed,
        influence=Contributions(sample, *scored, log_epsilon), **fields,
    )  # fmt: skip


def on_fronts(
    sample: Sample, own: stimulus_sums.Scored, known: Mapping[str, Front], *, count: int, key: Any
) -> tuple[Quantity, Quantity, dict[str, Placed]]:
    """Accuracies, and where they lie from fronts, with intervals of so many replicates over the sample.

    The optimal front, of all similarities, is taken as it is, also that of these stimuli; others move with them.
    """
    labels = sample.labels
    moving = [sample.space if labels is None and name != "optimal" else None for name in known]
    off = [influence.off(where, *front, own) for where, front in zip(moving, known.items(), strict=True)]
    values = np.array([own.p_s, own.p_i, *(gap.distance for gap in off)])
    slopes = np.stack([own.slope_s, own.slope_i, *(gap.slope for gap in off)])
    if labels is None:
        pairs = [own.pairs_s, own.pairs_i, *(gap.pairs for gap in off)]
        estimates = intervals.over_stimuli(values, slopes, pairs, count=count, key=key)
        for end in (estimates.low, estimates.high):
            end[:2] = np.clip(end[:2], 0.0, 1.0)
    else:
        estimates = intervals.over_exemplars(values, slopes, labels, count=count, key=key)
    p_s, p_i, *gaps = (Quantity(*row) for row in zip(*estimates, strict=True))
    return (
        p_s,
        p_i,
        {
            name: Placed(front, gap, there.p_s, there.p_i, Influence(there.distance, there.slope, there.pairs))
            for (name, front), gap, there in zip(known.items(), gaps, off, strict=True)
        },
    )


def _levels(
    model: similarities.Own, space: Finite, ranks: tables.Ranking, products: np.ndarray, request: Request
) -> Thresholds:
    apart = similarities.dissimilarities(model, products)
    ordered = np.sort(apart[np.triu_indices(len(apart), 1)])
    wanted = np.ceil(request.shares * len(ordered) * (1 - 1e-12)).astype(int) - 1
    epsilon, which = np.unique(ordered[np.maximum(wanted, 0)], return_inverse=True)
    sums = stimulus_sums.within(ranks, apart, epsilon, slopes=request.n == 2 and request.bootstrap > 0)
    if request.n > 2:
        p_s, p_i = np.transpose([tables.of_ranking(space, ranks, apart <= x, request.n) for x in epsilon])
        sums = sums._replace(p_s=p_s, p_i=p_i)
    return _thresholds(request, sums, which, np.zeros(len(apart), int))


def _thresholds(request: Request, sums: stimulus_sums.Sums, which: np.ndarray, labels: np.ndarray) -> Thresholds:
    """Those of the sums that belong to the shares; a resolution is what reaches a share: it moves with the stimuli."""
    values, slopes = np.stack([sums.p_s, sums.p_i]), sums.slopes[:2]
    if np.isfinite(slopes).all() and len(sums.epsilon) > 1 and (np.diff(sums.mean_b) > 0).all():
        slopes = np.stack([exemplars.at_equal_shares(slope, p, sums.mean_b, sums.slopes[2])
                           for slope, p in zip(slopes, values, strict=True)])  # fmt: skip
    estimates = intervals.over_exemplars(values, slopes, labels, **request.replicates)
    p_s, p_i = (Quantity(*(part[k][which] for part in estimates)) for k in range(2))
    moments = (x[which] for x in (sums.epsilon, sums.mean_b, sums.var_b, sums.hit_rate))
    return Thresholds(request.shares, *moments, p_s=p_s, p_i=p_i)


def _fitted(
    space: Finite, ranks: tables.Ranking, shape: Profile, family: Family, request: Request, relative: np.ndarray | None
) -> tuple[Fitted, Influence | None]:
    """A family's fit; with the relative similarity of stimuli also what they contribute to its resolution."""
    best = fit_profile(shape, family)
    epsilon, delta = (Quantity(*map(float, number)) for number in (best.epsilon, best.delta))
    distances, resolution = np.asarray(space.distances, np.float64), Quantity(epsilon.value)
    table = family_table(family, distances, epsilon.value, delta.value)
    moved = None
    if relative is not None:
        moved = influence.log_resolution(distances, relative, family, epsilon.value, delta.value)
    if moved is not None and request.bootstrap:
        log = intervals.over_stimuli(np.log([epsilon.value]), moved.slope[None], [moved.pairs], **request.replicates)
        resolution = Quantity(epsilon.value, epsilon.value * log.stderr[0], *np.exp([log.low[0], log.high[0]]))
    fit = Fitted(epsilon, delta, float(best.aic), *tables.of_ranking(space, ranks, table, request.n), resolution)
    return fit, moved


def optimal_fronts(space: Finite, delta: float, optimal: str, *, n: int = 2) -> dict[str, Front]:
    """The front of all similarities with values down to a floor, where it is wanted."""
    if optimal == "none" or not 0 < delta < 1:
        return {}
    if optimal == "finite":
        rows = [(weight, *optimal_finite(space, delta, weight=weight).accuracy) for weight in _OPTIMAL_WEIGHTS]
    else:
        optima = optimal_front(delta, n=n, levels=_OPTIMAL_LEVELS)
        rows = [(optimum.weight, *optimum.accuracy) for optimum in optima]
    return {"optimal": Front(*np.array(rows, float).T)}
