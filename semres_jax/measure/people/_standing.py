"""The numbers that follow from a table of strengths on given stimuli, and their intervals, whatever these are over."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit  # scipy comes with jax

from semres_jax._random import generator
from semres_jax._types import Quantity
from semres_jax.frontier.families import Front, table as family_table
from semres_jax.frontier.pareto import distance
from semres_jax.laws import tables
from semres_jax.measure import intervals
from semres_jax.measure.embeddings import influence, stimulus_sums
from semres_jax.measure.embeddings.position import on_fronts
from semres_jax.measure.embeddings.result import Fitted, Placed
from semres_jax.measure.members import Contributions, Influence, Sample
from semres_jax.measure.people._judgements import Judgements
from semres_jax.measure.resolution import Profile, fit_profile, profile
from semres_jax.similarity import Family
from semres_jax.spaces.finite import Finite

# Step in ln ε of `influence.of_fit`: noise of judgements blurs a kink. With that for embeddings, 0.2, standard errors
# of a linear similarity's resolution were up to three quarters too large (scripts/study_people_coverage.py).
_STEP = 0.05
# Contributions of more stimuli are not kept.
_KEPT = 256
# Replicates of tables that are worked on at once, in numbers.
_NUMBERS = 2**22


class Place(NamedTuple):
    """What accuracies and fits are on: stimuli, families, fronts."""

    space: Finite
    ranks: tables.Ranking
    families: Sequence[Family]
    fronts: Mapping[str, Front]


class Numbers(NamedTuple):
    """K numbers of a table: p_S, p_I, distances from the fronts, then ln ε and then Δ of each family.

    Attributes:
        values: (K,).
        slopes: (K, N) what each stimulus contributes; NaN where it isn't known.
        pairs: K tables (N, N) of what pairs of stimuli add, or None.
    """

    values: np.ndarray
    slopes: np.ndarray
    pairs: list[np.ndarray | None]


class Standing(NamedTuple):
    """Where a table stands: accuracies of two items, fits, distances from fronts, with intervals; contributions."""

    p_s: Quantity
    p_i: Quantity
    profile: Profile
    fits: dict[str, Fitted]
    fronts: dict[str, Placed]
    influence: Contributions | None


def standing(place: Place, given: Judgements, *, bootstrap: int, level: float, key: Any) -> Standing:
    """Numbers of the whole table, with intervals over counts, over subjects and stimuli, or over stimuli."""
    whole = numbers(place, given.strengths, given.answer)
    if not bootstrap:
        ends = intervals.over_stimuli(*whole, count=0)
    elif given.counted and len(given.tables) == 1:
        ends = _centred(whole.values, _over_counts(place, given.strengths, bootstrap, key), level)
    elif len(given.tables) > 1:
        ends = _centred(whole.values, _over_subjects(place, given, whole, bootstrap, key), level)
    else:
        ends = _over_stimuli(whole, 2 + len(place.fronts), bootstrap, key, level)
    p_s, p_i, *rest = (Quantity(*map(float, row)) for row in zip(*ends, strict=True))
    gaps, rest = rest[: len(place.fronts)], rest[len(place.fronts) :]
    logs, floors = rest[: len(place.families)], rest[len(place.families) :]
    shape = _profile(place.space, given.strengths, given.answer)
    fits = {family.label: _fitted(place, shape, family, log, _within(floor))
            for family, log, floor in zip(place.families, logs, floors, strict=True)}  # fmt: skip
    placed = {}
    for (name, front), gap in zip(place.fronts.items(), gaps, strict=True):
        near = distance(p_s.value, p_i.value, front)
        placed[name] = Placed(front, gap, float(near.p_s), float(near.p_i))
    return Standing(_within(p_s), _within(p_i), shape, fits, placed, _contributions(place, given, whole))


def _contributions(place: Place, given: Judgements, whole: Numbers) -> Contributions | None:
    """What stimuli contribute, for what compares; None of too many stimuli."""
    size = len(given.strengths)
    if size > _KEPT:
        return None
    rows = zip(whole.values, whole.slopes, whole.pairs, strict=True)
    p_s, p_i, *rest = (Influence(float(value), slope, pairs) for value, slope, pairs in rows)
    logs = rest[len(place.fronts) :][: len(place.families)]
    moving = {family.label: log for family, log in zip(place.families, logs, strict=True) if log.pairs is not None}
    return Contributions(Sample(given.names or tuple(range(size)), place.space), p_s, p_i, moving)


def _profile(space: Finite, strengths: np.ndarray, answer: float) -> Profile:
    """The profile of (..., N, N) tables; of counts nearly without bias, as E n_px / (n_pp + 1) is P_px / P_pp.

    Of M answers to a stimulus it is that times 1 - (1 - P_pp)^M; n_px / n_pp would be more by a share of 1/n_pp.
    """
    return profile(space, strengths + answer * np.eye(strengths.shape[-1]))


def numbers(place: Place, strengths: np.ndarray, answer: float = 0.0) -> Numbers:
    """The numbers of one table, with what stimuli contribute to them.

    Args:
        place: what they are on.
        strengths: (N, N).
        answer: what one answer counts for, of counts.
    """
    space, size = place.space, len(strengths)
    own = stimulus_sums.graded(space, place.ranks, strengths, 2)
    values, slopes, pairs = [own.p_s, own.p_i], [own.slope_s, own.slope_i], [own.pairs_s, own.pairs_i]
    _, _, there = on_fronts(Sample(tuple(range(size)), space), own, place.fronts, count=0, key=None)
    for placed in there.values():
        assert placed.influence is not None
        values, slopes, pairs = (
            [*known, part] for known, part in zip((values, slopes, pairs), placed.influence[:3], strict=True)
        )
    relative, table = strengths / (np.diagonal(strengths)[:, None] + answer), np.asarray(space.distances, np.float64)
    shape, unknown = _profile(space, strengths, answer), (np.full(size, np.nan), None)
    moved = []
    for family in place.families:
        best = fit_profile(shape, family)
        epsilon, delta = float(best.epsilon.value), float(best.delta.value)
        moves = influence.of_fit(table, relative, family, epsilon, delta, _STEP) if epsilon > 0 else None
        rows = [] if moves is None else list(zip(*moves, strict=True))
        moved.append(
            [(value, *row) for value, row in zip((_log(epsilon), delta), [*rows, unknown, unknown], strict=False)]
        )
    fitted = [entry for which in range(2) for entry in (family[which] for family in moved)]
    columns = [[entry[part] for entry in fitted] for part in range(3)]
    return Numbers(np.array([*values, *columns[0]], float), np.stack([*slopes, *columns[1]]), [*pairs, *columns[2]])


def _log(epsilon: Any) -> Any:
    """ln ε; a resolution of 0 is kept finite."""
    return np.log(np.maximum(epsilon, 1e-300))


def _values(place: Place, counts: np.ndarray) -> np.ndarray:
    """(B, K) the numbers of (B, N, N) tables of counts."""
    pairs = np.array([tables.of_ranking(place.space, place.ranks, table, 2) for table in counts])
    p_s, p_i = np.clip(pairs, 0.0, 1.0).T
    gaps = [distance(p_s, p_i, front).distance for front in place.fronts.values()]
    shape = _profile(place.space, counts, 1.0)
    fits = [fit_profile(shape, family) for family in place.families]
    rows = [p_s, p_i, *gaps, *(_log(fit.epsilon.value) for fit in fits), *(fit.delta.value for fit in fits)]
    return np.stack(rows, axis=1)


def _over_stimuli(whole: Numbers, first: int, count: int, key: Any, level: float) -> Quantity:
    """Intervals over stimuli: of the first numbers by replicates, of fits by Student's t.

    Noise of judgements is in pairs of stimuli alone; what single stimuli add to the variance, cut off at 0, as for
    replicates it must be, makes too much of it: nominal 90 % held 94 to 98 % (scripts/study_people_coverage.py).
    """
    some = whole.values[:first], whole.slopes[:first], whole.pairs[:first]
    made = intervals.over_stimuli(*some, count=count, key=key, level=level)
    errors = [intervals.error(*row) for row in zip(whole.slopes[first:], whole.pairs[first:], strict=True)]
    stderr, freedom = np.array(errors).T
    values, reach = whole.values[first:], stdtrit(freedom, (1 + level) / 2) * stderr
    rows = zip(made, (values, stderr, values - reach, values + reach), strict=True)
    return Quantity(*(np.concatenate(parts) for parts in rows))


def _over_counts(place: Place, counts: np.ndarray, count: int, key: Any) -> np.ndarray:
    """(count, K) the numbers of tables whose rows are drawn again, as many answers from the shares of each."""
    rng, totals, rows = generator(key), counts.sum(1), []
    step = max(1, _NUMBERS // counts.size)
    for first in range(0, count, step):
        drawn = np.stack([rng.multinomial(int(total), row / total, min(step, count - first))
                          for row, total in zip(counts, totals, strict=True)], axis=1).astype(np.float64)  # fmt: skip
        rows.append(_values(place, drawn))
    return np.concatenate(rows)


def _over_subjects(place: Place, given: Judgements, whole: Numbers, count: int, key: Any) -> np.ndarray:
    """(count, K) the numbers with other subjects and other stimuli: of the jackknife's pseudo-values of subjects."""
    from semres_jax.measure.people import subjects

    people = len(given.tables)
    total, of = given.tables.sum(0), 1.0 if given.counted else people - 1.0
    without = [numbers(place, (total - own) / of, given.answer) for own in given.tables]
    made = np.full((count, len(whole.values)), np.nan)
    # Where a fit jumps, or its floor is at its bound, what stimuli contribute isn't known.
    known = [k for k in range(len(whole.values)) if all(part.pairs[k] is not None for part in (whole, *without))]

    def pseudo(numbers_of: Callable[[Numbers], np.ndarray]) -> np.ndarray:
        return np.stack([people * numbers_of(whole) - (people - 1) * numbers_of(part) for part in without])

    made[:, known] = subjects.replicates(
        pseudo(lambda part: part.values[known]), pseudo(lambda part: part.slopes[known].T),
        pseudo(lambda part: np.stack([np.asarray(part.pairs[k]) for k in known], axis=-1)), count=count, key=key,
    )  # fmt: skip
    return made


def _centred(values: np.ndarray, replicates: np.ndarray, level: float) -> Quantity:
    """Intervals of replicates around the values themselves, not around what replicates are on average."""
    spread = replicates.std(0, ddof=1)
    return intervals.interval(values + replicates - replicates.mean(0), values, level)._replace(stderr=spread)


def _within(share: Quantity) -> Quantity:
    """A probability, or a floor, whose interval stays within 0 and 1."""
    return share._replace(low=float(np.clip(share.low, 0.0, 1.0)), high=float(np.clip(share.high, 0.0, 1.0)))


def _fitted(place: Place, shape: Profile, family: Family, log: Quantity, floor: Quantity) -> Fitted:
    """A family's fit, with intervals of ε, which is fitted in logarithms, and of Δ."""
    best = fit_profile(shape, family)
    epsilon, delta = (Quantity(float(number.value), float(number.stderr)) for number in (best.epsilon, best.delta))
    table = family_table(family, np.asarray(place.space.distances, np.float64), epsilon.value, delta.value)
    p_s, p_i = tables.of_ranking(place.space, place.ranks, table, 2)
    ends = (float(np.exp(end)) for end in (log.low, log.high))
    resolution = Quantity(epsilon.value, epsilon.value * log.stderr, *ends)
    return Fitted(epsilon, floor, float(best.aic), p_s, p_i, resolution)
