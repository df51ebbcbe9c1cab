"""People by their triplets: the resolution behind judgements over given distances, or an embedding made from them."""

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from semres_jax._surroundings import on_host
from semres_jax.data.choices import Choices
from semres_jax.data.triplets import Triplets, triplets_of
from semres_jax.execution import Execution
from semres_jax.frontier.families import Front
from semres_jax.measure.choices.table import check_choices, choices_fits
from semres_jax.measure.embeddings.position import fronts as fronts_of
from semres_jax.measure.embeddings.request import table_of
from semres_jax.measure.people._judged import judged
from semres_jax.measure.people._place import place, predicted
from semres_jax.measure.people.triplet_embedding import TripletEmbedding, embed_triplets
from semres_jax.measure.people.triplet_fit import TripletFit
from semres_jax.spaces.finite import Finite

# More different sets of distances than these are fitted with families that are smooth in ε, unless others are named:
# the windows of the others take minutes and gigabytes. And more stimuli than these get no fronts of families.
_MANY, _FRONTS = 100_000, 2048
_SMOOTH = ("exponential", "gaussian", "powerlaw")


@overload
def triplets(triplets: Any, distances: None = None, **settings: Any) -> TripletEmbedding: ...
@overload
def triplets(triplets: Any, distances: Any, **settings: Any) -> TripletFit: ...


def triplets(triplets: Any, distances: Any = None, **settings: Any) -> TripletFit | TripletEmbedding:
    """People (or models) by their triplets: `fit_triplets` where distances are given, `embed_triplets` where not.

    Args:
        triplets: what `data.read_triplets` gives, the path of such a file, or an array (T, 3) with its `layout`.
        distances: (N, N) between the stimuli, or a finite space; None: none are known.
        settings: of either function.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> line = abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
        >>> said = [[0, 1, 2], [0, 1, 3], [3, 2, 0], [1, 3, 0], [2, 1, 0], [1, 0, 3]]
        >>> judged = measure.triplets(said, line, layout="anchor", families=["exponential"], delta=0.0, bootstrap=0)
        >>> print(judged)
        6 anchor triplets of 4 stimuli: p_S = 0.8333 [0.3687, 0.9772], p_I = 0.8819 [0.5231, 0.9807]; exponential
    """
    return embed_triplets(triplets, **settings) if distances is None else fit_triplets(triplets, distances, **settings)


@on_host("measure.fit_triplets")
def fit_triplets(
    triplets: Any,
    distances: Any,
    *,
    layout: str | None = None,
    counts: Any = None,
    families: Sequence[Any] | None = None,
    delta: float | int | str = "fit",
    exponent: float | int | str = 1.0,
    level: float = 0.95,
    bootstrap: int = 200,
    fronts: Mapping[str, Front] | None = None,
    key: Any = None,
    execution: Execution | None = None,
) -> TripletFit:
    """The resolution behind triplets over given distances, by maximum likelihood, and where that puts people.

    A judgement is a choice by Luce's rule between pairs of stimuli, s(d) = g(d; ε, Δ)^a the strength of a pair:

        anchor: P(a is more like p than b) = s(d_pa) / (s(d_pa) + s(d_pb))
        odd:    P(i and j are most alike)  = s(d_ij) / (s(d_ij) + s(d_ik) + s(d_jk))

    so that everything is as in `fit_choices`, of 2 items or 3: estimates, profile intervals, families ranked by AIC,
    tests of fit. Judgements between equal distances are counted together, which changes no number.

    An anchor triplet is a trial of the similarity task with two items and the anchor as probe. The share of judgements
    as the distances say, ties counted by half, is therefore p_S itself, measured, wherever triplets were drawn at
    random. In an odd-one-out trial there is no probe and chance is 1/3: its share is no p_S, and p_S is what the fit
    predicts. So is p_I, in both layouts: nobody was asked to identify, but similarity and choice rule are known then,
    and the exact sums over all pairs and triples of stimuli (`laws.enumeration`) follow. Intervals of shares and of
    what is predicted are over judgements, taken for independent of each other, and stimuli stay; where judgements are
    of few people they are too narrow. In scripts/study_triplet_coverage.py (200 tables of 1,500 judgements each)
    nominal 90 % of predicted p_S held 84 to 92 %, of p_I 84 to 93 %, but for 81 % of a power law with a floor, of
    measured p_S 92 to 95 %. Source: odd-one-out by Luce's rule on pairs as in Hebart et al. (Nature Human
    Behaviour 4, 1173, 2020), who have exp(x·y) for s; the mapping to p_S and p_I is new, of this project.

    Args:
        triplets: what `data.read_triplets` gives, the path of such a file, or an array (T, 3) with its `layout`.
        distances: (N, N) between the stimuli, a finite space, or a file of them. Triplets find them by name where both
            have names, else stimuli are numbered as the rows are.
        layout: "odd" or "anchor", where `triplets` doesn't say so itself.
        counts: (T,) how often each judgement was made, in place of those of `triplets`.
        families: what `similarity.get` takes; None: all that have a resolution and a floor, but for more than 100,000
            different sets of distances exponential, gaussian and powerlaw.
        delta, exponent, level: as in `fit_choices`; `level` is also that of accuracies.
        bootstrap: tables simulated for the tests of fit; 0: no tests, and no picture of them.
        fronts: from `measure.fronts` of the same distances; {} for none; None: those of the constant and the linear
            similarity, for up to 2048 stimuli.
        key: of the simulated tables; None: `jax.random.key(0)`.
        execution: as for `choices_table`.

    Returns:
        `TripletFit`.

    Raises:
        ValueError: triplets without a layout, or as `data.Triplets` refuses them; numbers out of range, names that are
            unknown to the distances (the line is named); as `fit_choices`.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> rng = np.random.default_rng(0)
        >>> x = rng.random(12)
        >>> p, a, b = np.argsort(rng.random((2000, 12)), axis=1)[:, :3].T
        >>> s = lambda d: np.exp(-d / 0.2)
        >>> first = rng.random(2000) < s(abs(x[p] - x[a])) / (s(abs(x[p] - x[a])) + s(abs(x[p] - x[b])))
        >>> said = np.stack([p, np.where(first, a, b), np.where(first, b, a)], axis=1)
        >>> fit = measure.fit_triplets(said, abs(x[:, None] - x), layout="anchor", families=["exponential"])
        >>> print(fit.best.epsilon)
        0.198 [0.175, 0.217]
    """
    given = triplets_of(triplets, layout, counts)
    table, names = table_of(distances)
    items = given.among(names, len(table))
    data = judged(given, items, table)
    notes = []
    if families is None and len(data.distances) > _MANY:
        families = _SMOOTH
        notes.append(
            f"{len(data.distances)} different sets of distances: constant and linear, which take minutes, are left out "
            "(name them to have them)"
        )
    settings: dict[str, Any] = {"families": families, "biases": ["none"], "delta": delta, "exponent": exponent}
    choices = Choices(data.distances, data.counts)
    check_choices(choices, **settings)
    dataset, by_pair = choices_fits(choices, **settings, level=level, bootstrap=bootstrap, key=key, execution=execution)
    fits = {family: fit for (family, _), fit in by_pair.items()}
    best = fits[dataset.attrs["best_family"]]
    space = Finite(table, labels=names or None)
    shown = len(np.unique(items))
    if shown < len(table):
        notes.append(f"{len(table) - shown} of {len(table)} stimuli are in no triplet; accuracies are of all")
    if fronts is None:
        if len(table) > _FRONTS:
            notes.append(f"no fronts of more than {_FRONTS} stimuli (measure.fronts makes them)")
        fronts = fronts_of(space) if len(table) <= _FRONTS else {}
    where = place(space, best, data, fronts, measured=given.layout == "anchor", level=level)
    by_family = {family: tuple(predicted(space, fit).tolist()) for family, fit in fits.items()}
    return TripletFit(
        given.layout, len(given.items), given.judgements, len(table), len(data.distances), level, best, fits, by_family,
        where, (*notes, *filter(None, dataset.attrs["notes"].split("\n"))), dataset,
    )  # fmt: skip


def check_triplets(triplets: Triplets, distances: Any, **settings: Any) -> None:
    """Raise `ValueError` for what `fit_triplets` would refuse, before anything is fitted.

    Args:
        settings: families, delta, exponent.
    """
    table, names = table_of(distances)
    data = judged(triplets, triplets.among(names, len(table)), table)
    few = Choices(data.distances[:2000], data.counts[:2000])
    check_choices(few, biases=["none"], **settings)
