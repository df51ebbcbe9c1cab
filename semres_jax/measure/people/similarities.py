"""Where people stand: accuracies of what they say is alike, the similarity function that it is, how far from fronts."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import similarity
from semres_jax._checks import concrete, require_count
from semres_jax._random import key_or_default
from semres_jax._surroundings import on_host
from semres_jax._types import Quantity
from semres_jax.frontier.families import Front, table as family_table
from semres_jax.laws import enumeration, identification, tables
from semres_jax.measure.embeddings import position
from semres_jax.measure.embeddings.request import Request, matched, table_of
from semres_jax.measure.people._judgements import Judgements, judgements
from semres_jax.measure.people._recovered import Recovered, recovered
from semres_jax.measure.people._standing import Place, Standing, standing
from semres_jax.measure.people.confusions import SimilarityChoice, similarity_choice
from semres_jax.measure.people.judged import Items, Judged
from semres_jax.measure.resolution import FITTED
from semres_jax.spaces.finite import Finite

ITEMS = (2, 3, 4, 8, 16)
# Of the similarity-choice model: biases that fits by distance take, and tables that are simulated at most.
_MOST_BIASES, _TABLES = 64, 200


@on_host("measure.similarities")
def similarities(
    table: Any,
    distances: Any = None,
    *,
    kind: str = "similarity",
    strength: str = "linear",
    diagonal: float | int | None = None,
    names: Any = None,
    n: Sequence[int] | None = None,
    fronts: Mapping[str, Front] | None = None,
    optimal: str = "homogeneous",
    delta: float | None = None,
    bootstrap: int = 1000,
    level: float = 0.95,
    key: Any = None,
    families: Sequence[Any] = FITTED,
    dimensions: int = 2,
) -> Judged:
    """Where a table of judgements stands: p_S, p_I of n items, resolution and floor, distances from the fronts.

    Rows are probes, columns items; entry (p, x) is the strength h_px that Luce's rule shares, the diagonal that of the
    probe's own item, and the given distances say which item is right (ties share):

        p_S = <h_px / (h_px + h_py)>, x nearer to p than y;   p_I = <h_pp / (h_pp + h_px)>

    for n = 2, exactly, by sums over all triples and pairs of different stimuli; for more items as in
    `laws.tables.accuracy`. The scale of a row doesn't matter: confusions, of which the similarity-choice model says
    that a row is proportional to similarity times the bias of the answer, are taken as they are, biases included.
    Dissimilarities become strengths by 1 - d / largest, as ratings on a scale are turned round, or by exp(-d / mean),
    as Shepard's law of generalization has it (Science 237, 1317, 1987).

    The ball measure that a probe acts as if it had is b_p = 2 (1 - p_I of the probe), n = 2: of a constant similarity
    it is the share of stimuli within ε. The law of one number (theorem 3 of Nurisso et al., arXiv 2506.14797),

        p_I(n) = (1 - (1 - b)^n) / (b n),

    at b = <b_p> has nothing left to fit; at every probe's own b_p, averaged, it is what Var(b) changes. n p_I tends to
    1/b. Families are fitted to h_px / h_pp against distance (`measure.fit_profile`).

    `Judged.member` is what `measure.compare` takes, so that people stand beside models of the same stimuli.

    Without distances the geometry is recovered from the order of the similarities themselves by non-metric
    multidimensional scaling (Kruskal 1964, by scikit-learn), and all that needs distances is on that: p_I is not
    touched, but p_S and the profile are better than they can be, as the geometry was fitted to the same table.

    Intervals: of counts over the answers, rows drawn again from their shares; of several subjects over subjects and
    stimuli, which are crossed (`measure.people.subjects`); of one table of others over stimuli
    (`measure.intervals.over_stimuli`; of fits `measure.intervals.error`). They are for n = 2. Of counts the profile is
    n_px / (n_pp + 1), which has nearly no bias. How often nominal 90 % held ε, 200 tables of each design of
    scripts/study_people_coverage.py: ratings of 30 stimuli 91 % (exponential, gaussian, linear); counts of 16 stimuli,
    200 answers to each, 92 to 94 %, 60 answers 90 %; 10 and 4 subjects, 24 stimuli, 92 and 89 %.

    Args:
        table: (N, N), or (S, N, N) of S subjects, whose mean (of counts the sum) is measured; a pandas.DataFrame or an
            xarray.DataArray brings names, and its columns are put in the order of its rows. It need not be symmetric.
        distances: between the stimuli: a table, `spaces.Finite`, `spaces.Tree`, a name of a space that has a table.
            Where both have names, stimuli are found by these; else they are in the same order. None: recovered.
        kind: "similarity"; "confusion" (rows stimulus, columns response; whole numbers are counts, others shares); or
            "dissimilarity".
        strength: "linear" or "exponential", of dissimilarities.
        diagonal: entry of a stimulus with itself, where the table has NaN there; of dissimilarities 0.
        names: of the stimuli; None: those of the table.
        n: numbers of items, from 2 to N - 1, of which 2 is always one; None: 2, 3, 4, 8, 16, as far as they go.
        fronts: from `measure.fronts` of the same distances; {} for none; None: of the constant and linear similarity.
        optimal, delta: the front of the best similarities, as in `measure.embeddings`.
        bootstrap: replicates of the intervals; 0: no intervals.
        level: of the intervals, above 0 and below 1.
        key: of the replicates, and of the starts of the scaling; None: `jax.random.key(0)`.
        families: what is fitted to the profile, as in `similarity.get`.
        dimensions: of the recovered geometry.

    Returns:
        `Judged`.

    Raises:
        ValueError: a table that isn't square, has NaN or negative entries (the first is named), or nothing on its
            diagonal; stimuli that were never shown; names that don't match; settings out of range; no distances and no
            scikit-learn. One line each.

    Example:
        >>> import numpy as np
        >>> from semres_jax import Exponential, measure, spaces
        >>> line = spaces.Finite.from_points(np.arange(8.0))
        >>> people = measure.similarities(Exponential(2.0)(line.distances), line, n=[2], optimal="none", bootstrap=0)
        >>> print(people)
        similarity of 8 stimuli: p_S = 0.7163 ± 0.0339, p_I = 0.7858 ± 0.0232; exponential, epsilon = 2
    """
    request = _request(fronts, optimal, delta, bootstrap, level, key, families)
    given = judgements(table, kind, strength, diagonal, names)
    geometry = None
    if distances is None:
        geometry = recovered(given, require_count("dimensions", dimensions, 1), request.key)
        space = Finite(geometry.distances)
    else:
        space, given = _laid(given, distances)
    items = _items(n, space.size)
    known = position.fronts(space) if fronts is None else dict(fronts)
    lowest = _lowest(given.strengths)
    floor = lowest if delta is None else float(delta)
    known = {**known, **position.optimal_fronts(space, floor, request.optimal)}
    if optimal != "none" and not floor > 0:
        given = given.with_remark("no front of the best similarities, as the lowest one is 0 (give delta, its floor)")
    place = Place(space, tables.ranking(space), request.families, known)
    stands = standing(place, given, bootstrap=request.bootstrap, level=level, key=request.key)
    return _judged(given, place, stands, items, geometry, floor, request, level)


def _request(fronts: Any, optimal: str, delta: Any, bootstrap: int, level: float, key: Any, families: Any) -> Request:
    """The settings that embeddings have too, checked as there."""
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1; got {level!r}")
    if isinstance(families, str) or not len(families):
        raise ValueError(f"families must be a list of at least one similarity; got {families!r}")
    return Request(
        similarity="people", floor=0.0, shares=[0.5], n=2, optimal=optimal, delta=delta, bootstrap=bootstrap,
        key=key_or_default(key), limit=16, families=families, fronts=fronts,
    )  # fmt: skip


def _laid(given: Judgements, distances: Any) -> tuple[Finite, Judgements]:
    """The space of the stimuli that were judged, and the table in its order."""
    between, known = table_of(distances)
    labels = list(given.names) if given.names and known else None
    if labels is None and len(between) != len(given.strengths):
        raise ValueError(
            f"distances are between {len(between)} stimuli, but the table has {len(given.strengths)}; give one for "
            "each, in the same order, or names in both"
        )
    space, order = matched(between, known, labels, len(given.strengths))
    return space, given.part(order)


def _items(n: Any, size: int) -> tuple[int, ...]:
    """Numbers of items, ascending, 2 among them."""
    if n is None:
        return tuple(items for items in ITEMS if items < size)
    values: Any = np.atleast_1d(np.asarray(concrete(n, "n"))).ravel().tolist()
    items = sorted({2, *(require_count("n", value, 2, " (the probe needs items to choose from)") for value in values)})
    if items[-1] >= size:
        raise ValueError(f"n must be at most {size - 1}, as there are {size} stimuli and items differ; got {items[-1]}")
    return tuple(items)


def _lowest(strengths: np.ndarray) -> float:
    """The lowest similarity of two stimuli relative to the probe's own."""
    relative = strengths / np.diagonal(strengths)[:, None]
    return float(min(relative[~np.eye(len(relative), dtype=bool)].min(), 1.0))


_by_probe = jax.jit(tables.by_probe, static_argnames="ns")


def curve(place: Place, strengths: np.ndarray, items: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(len(items),) p_S and p_I of a table for numbers of items."""
    own = tables.of_ranking(place.space, place.ranks, strengths, 2)
    more = tuple(count for count in items if count > 2)
    if not more:
        return np.array([own.p_s]), np.array([own.p_i])
    with jax.enable_x64(True):
        sets = _by_probe(jnp.asarray(strengths, jnp.float64), place.ranks, ns=more)
    p_s, p_i = (np.append(first, np.asarray(part).mean(1)) for first, part in zip(own, sets, strict=True))
    return p_s, p_i


def balls(strengths: np.ndarray) -> np.ndarray:
    """(N,) the ball measure that each probe acts as if it had: 2 (1 - p_I), n = 2.

    Example:
        >>> import numpy as np
        >>> from semres_jax.measure.people.similarities import balls
        >>> balls(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])).tolist()
        [0.5, 0.5, 0.0]
    """
    own = np.diagonal(strengths)[:, None]
    missed = 2 * strengths / (own + strengths)
    np.fill_diagonal(missed, 0.0)
    return missed.sum(1) / (len(strengths) - 1)


def _judged(
    given: Judgements, place: Place, stands: Standing, items: tuple[int, ...], geometry: Recovered | None, floor: float,
    request: Request, level: float,
) -> Judged:  # fmt: skip
    """All of it, with what is said of more items than two."""
    own = balls(given.strengths)
    # Where p_I is high the ball is small.
    ball = Quantity(float(own.mean()), 2 * stands.p_i.stderr, 2 * (1 - stands.p_i.high), 2 * (1 - stands.p_i.low))
    return Judged(
        kind=given.kind, stimuli=len(own), subjects=len(given.tables), names=given.names,
        geometry="given" if geometry is None else "recovered", points=None if geometry is None else geometry.points,
        stress=np.nan if geometry is None else geometry.stress, asymmetry=given.asymmetry, remarks=given.remarks,
        over=given.over if request.bootstrap else "", level=level,
        items=_of_items(place, stands, given.strengths, items, own, ball), ball=ball, var_b=float(own.var()),
        tie_rate=enumeration.tie_rate(place.space, n=2), profile=stands.profile, fits=stands.fits, delta=floor,
        fronts=stands.fronts, ceiling=given.ceiling(), influence=stands.influence,
        choice=_choice(given, place, stands, geometry is None, request, level) if given.counted else None,
    )  # fmt: skip


def _choice(
    given: Judgements, place: Place, stands: Standing, laid: bool, request: Request, level: float
) -> SimilarityChoice:
    """The similarity-choice model of counts, of all subjects together; by given distances too, in the best family."""
    best = min(stands.fits, key=lambda name: stands.fits[name].aic)
    few = laid and len(given.strengths) <= _MOST_BIASES
    return similarity_choice(
        given.tables.sum(0), names=given.names or None, distances=np.asarray(place.space.distances) if few else None,
        family=best, level=level, bootstrap=min(request.bootstrap, _TABLES), key=request.key,
    )  # fmt: skip


def _of_items(
    place: Place, stands: Standing, strengths: np.ndarray, items: tuple[int, ...], own: np.ndarray, ball: Quantity
) -> Items:
    """Accuracies of numbers of items, the law at the ball of all and at those of single probes, the best fit."""
    n, unknown = np.array(items), np.full(len(items), np.nan)
    p_s, p_i = curve(place, strengths, items)
    measured = [Quantity(values, *(np.append(end, unknown[1:]) for end in of_two[1:]))
                for values, of_two in ((p_s, stands.p_s), (p_i, stands.p_i))]  # fmt: skip
    law = [identification(np.clip(b, 0.0, 1.0), n) if np.isfinite(b) else unknown for b in (ball.value, *ball[:1:-1])]
    by_probe = identification(np.minimum(own, 1.0)[:, None], n).mean(0)
    name, best = min(stands.fits.items(), key=lambda pair: pair[1].aic)
    distances = np.asarray(place.space.distances, np.float64)
    fitted = family_table(similarity.get(name), distances, best.epsilon.value, best.delta.value)
    predicted = curve(place, fitted, items)
    return Items(n, measured[0], measured[1], Quantity(law[0], unknown, law[1], law[2]), by_probe, *predicted)
