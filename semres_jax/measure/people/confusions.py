"""The similarity-choice model of confusions: what is alike, and which answers are liked, told apart by counts."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse, special

from semres_jax._checks import require_count
from semres_jax._names import places
from semres_jax._random import generator
from semres_jax._types import Quantity
from semres_jax.measure.choices.fits import fit_choices
from semres_jax.measure.choices.goodness import RatioTest, ratio_test, refitted_likelihoods
from semres_jax.measure.embeddings.request import table_of
from semres_jax.measure.people import _quasi_symmetry as quasi_symmetry
from semres_jax.measure.people._choice_result import HEADS as HEADS, ByDistance as ByDistance, SimilarityChoice
from semres_jax.measure.people._squares import square

# Numbers of simulated tables that are worked on together.
_NUMBERS = 2**21
# A bias so many nats off others has no end that counts tell.
_NO_END = 15.0
# Share of expected counts below 5 from which χ² is called rough (Cochran, Biometrics 10, 417, 1954).
_FEW, _SHARE = 5.0, 0.2


def similarity_choice(
    counts: Any,
    *,
    names: Any = None,
    distances: Any = None,
    family: Any = "exponential",
    delta: float | int | str = "fit",
    exponent: float | int | str = 1.0,
    level: float = 0.95,
    bootstrap: int = 200,
    key: Any = None,
) -> SimilarityChoice:
    """Similarities and response biases of confusions by maximum likelihood: the similarity-choice model.

        P(j | i) = β_j η_ij / Σ_k β_k η_ik,    η_ij = η_ji,  η_ii = 1,  β_j > 0,  Σ β_j = 1

    of Luce (in Handbook of Mathematical Psychology 1, 1963) after Shepard (Psychometrika 22, 325, 1957). It says that
    counts are quasi-symmetric, and is fitted as such: row, column and symmetric sums are those of the counts. Biases
    are of answers, whatever is shown; resolution is in η.

    With distances, η_ij = g(d_ij; ε, Δ) is fitted beside it, with biases too (`measure.fit_choices`, a row being a
    trial of N items): nested in free similarities, so that a ratio of likelihoods compares them.

    Intervals are quantiles of replicates whose rows are drawn from the shares of their counts; standard errors are
    those of first order. In scripts/study_people_coverage.py nominal 90 % intervals of biases of 16 stimuli held the
    truth in 87 to 90 % (of 100 and 400 answers to each), of similarities in 86 to 89 %, of ε in 87 to 92 %.

    Zeros: a pair that was never confused has a similarity of 0 and no part in the test. Where some stimuli are confused
    with others one way only, there is no finite maximum: probabilities are those of its limit, biases have no end, and
    a caution says so. Where no confusions link two groups of stimuli, their biases can't be compared, and those of
    each group keep the mean of ln(β / α) that they would have without confusions.

    Args:
        counts: (N, N) how often stimulus i (row) was answered by j (column), at least 0: an array or a labelled table,
            columns in any order. Counts are weights: fractions are allowed.
        names: N names of the stimuli; None: those of the table, or numbers from 0.
        distances: between the stimuli: an (N, N) table, by its names where both have them, or what `spaces.get` takes.
        family, delta, exponent: of the fit by distance, as in `fit_choices`.
        level: of intervals, above 0 and below 1.
        bootstrap: replicates for intervals and for p-values; 0: neither. None are drawn where counts are not whole
            numbers.
        key: of these; None: `jax.random.key(0)`.

    Returns:
        `SimilarityChoice`, with `table()`, `summary()`, `dataset()`, `to_dataframe()`.

    Raises:
        ValueError: not a square table, fewer than 3 stimuli, counts negative or not finite, a stimulus that was never
            shown or never identified, shares instead of counts, other names of distances, what `fit_choices` raises.

    Example:
        >>> from semres_jax import measure
        >>> fit = measure.similarity_choice([[60, 20, 10], [30, 50, 20], [10, 10, 80]], names=["p", "t", "k"])
        >>> print(fit)
        3 stimuli: biases 0.245 to 0.417 (k); G2 = 0.1915 of 1 degrees of freedom, p = 0.7
        >>> fit.similarity.value.round(3).tolist()[0]
        [1.0, 0.445, 0.144]
    """
    table, known = _counts(counts, names)
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1; got {level!r}")
    bootstrap = require_count("bootstrap", bootstrap, 0)
    whole = bool((table == table.round()).all())
    count = bootstrap if whole else 0
    fit = quasi_symmetry.fitted(table[None])
    bias, similarity = (part[0] for part in quasi_symmetry.parts(fit, table[None]))
    expected = fit.expected[0] / table.sum(1, keepdims=True)
    log_likelihood = _log_likelihood(table[None], fit.expected)
    ends = _ends(table, count, level, key)
    numbers = [
        Quantity(value, stderr, *end)
        for value, stderr, end in zip((bias, similarity), quasi_symmetry.errors(fit, table, bias, similarity), ends,
                                      strict=True)
    ]  # fmt: skip
    g2, x2 = float(_g2(table[None], fit.expected)[0]), _x2(table, fit.expected[0])
    confused = int(np.triu(table + table.T, 1).astype(bool).sum())
    groups = sparse.csgraph.connected_components(table + table.T, directed=False)[0]
    freedom = confused - (len(table) - groups)
    by_distance = None
    if distances is not None:
        model = {"family": family, "delta": delta, "exponent": exponent, "level": level}
        rows = _distances(distances, known, counts)
        free = float(log_likelihood[0]), len(table) - 1 + len(table) * (len(table) - 1) // 2
        by_distance = _by_distance(rows, table, known, free, count, key, model)
    return SimilarityChoice(
        known, table, numbers[0], numbers[1], expected, level, float(log_likelihood[0]),
        len(table) - groups + confused, g2, x2, freedom, _chi2_p(freedom, g2), _chi2_p(freedom, x2),
        _simulated_p(table, fit.expected[0], g2, count, key), float(fit.slope[0]),
        tuple(_cautions(table, fit, known, groups, bootstrap > 0 and not whole)), by_distance,
    )  # fmt: skip


def _counts(counts: Any, names: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Checked counts and names."""
    table, known = square(counts, names)
    if len(table) < 3:
        raise ValueError(f"counts must be of at least 3 stimuli (any table of 2 fits exactly); got {len(table)}")
    if (table < 0).any():
        i, j = np.argwhere(table < 0)[0]
        raise ValueError(f"counts must be at least 0; row {known[i]!r}, column {known[j]!r} has {table[i, j]:g}")
    if not table.any(1).all():
        raise ValueError(f"stimulus {known[int((~table.any(1)).argmax())]!r} was never shown: its row of counts is 0; "
                         "leave out its row and its column")  # fmt: skip
    if (table.sum(1) <= 1 + 1e-6).all():
        raise ValueError("counts must be counts of answers; rows sum to 1 at most, as shares do: multiply each row by "
                         "how many answers it is of")  # fmt: skip
    never = np.diagonal(table) == 0
    if never.any():
        raise ValueError(f"stimulus {known[int(never.argmax())]!r} was never identified: its similarities have no end; "
                         "leave it out, or add half a count to every cell (counts + 0.5)")  # fmt: skip
    return table, known


def _log_likelihood(tables: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(B,) Σ n ln(m / row sum)."""
    return special.xlogy(tables, expected / expected.sum(2, keepdims=True)).sum((1, 2))


def _g2(tables: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(B,) deviances, at least 0."""
    ratio = np.divide(tables, expected, out=np.ones_like(expected), where=(tables > 0) & (expected > 0))
    return np.maximum(2 * special.xlogy(tables, ratio).sum((1, 2)), 0.0)


def _x2(table: np.ndarray, expected: np.ndarray) -> float:
    return float(np.divide((table - expected) ** 2, expected, out=np.zeros_like(table), where=expected > 0).sum())


def _chi2_p(freedom: int, statistic: float) -> float:
    return float(special.chdtrc(freedom, statistic)) if freedom > 0 else math.nan


def _drawn(totals: np.ndarray, shares: np.ndarray, count: int, key: Any, use: int) -> Iterator[np.ndarray]:
    """(count, N, N) tables with rows drawn from shares, so many at a time as a computer's memory bears."""
    rng, step = generator(key, use), max(1, _NUMBERS // shares.size)
    for first in range(0, count, step):
        size = (min(step, count - first), len(shares))
        yield rng.multinomial(totals.astype(int), shares, size).astype(np.float64)


def _ends(table: np.ndarray, count: int, level: float, key: Any) -> list[np.ndarray]:
    """Ends of intervals of biases (2, N) and similarities (2, N, N), quantiles of replicates; NaN of none."""
    totals = table.sum(1)
    if not count:
        return [np.full((2, *table.shape[:k]), np.nan) for k in (1, 2)]
    pairs: list[list[np.ndarray]] = [[], []]
    for tables in _drawn(totals, table / totals[:, None], count, key, 1):
        for kept, part in zip(pairs, quasi_symmetry.parts(quasi_symmetry.fitted(tables), tables), strict=True):
            kept.append(part)
    # Of infinite ones there is no value in between.
    where = [(1 - level) / 2, (1 + level) / 2]
    return [np.quantile(np.concatenate(kept), where, axis=0, method="inverted_cdf") for kept in pairs]


def _simulated_p(table: np.ndarray, expected: np.ndarray, g2: float, count: int, key: Any) -> float:
    """Share of tables with the same symmetric sums that the model makes, and is fitted to again, whose G² is as large.

    Given these sums only the N - 1 differences of λ are unknown: the test holds its level where pairs are confused once
    or twice, and where never. Tables drawn with the rows' sums instead have never what was never seen, and reject too
    often (24 % instead of 5 % of 16 stimuli with 100 answers each).
    """
    if not count:
        return math.nan
    above = np.triu_indices(len(table), 1)
    sums, share = (table + table.T)[above].astype(int), expected[above]
    share = np.divide(share, share + expected.T[above], out=np.full_like(share, 0.5), where=sums > 0)
    rng, step, larger = generator(key, 2), max(1, _NUMBERS // table.size), 0
    for first in range(0, count, step):
        drawn = rng.binomial(sums, share, (min(step, count - first), len(sums)))
        tables = np.zeros((len(drawn), *table.shape)) + np.diag(np.diagonal(table))
        tables[:, *above], tables[:, above[1], above[0]] = drawn, sums - drawn
        larger += int((_g2(tables, quasi_symmetry.fitted(tables).expected) >= g2 - 1e-9).sum())
    return (1 + larger) / (1 + count)


def _cautions(
    table: np.ndarray, fit: quasi_symmetry.Fitted, names: tuple[str, ...], groups: int, fractions: bool
) -> Iterator[str]:
    small = float((fit.expected[0] < _FEW).mean())
    if small > _SHARE:
        yield f"{small:.0%} of expected counts are below {_FEW:g}: p-values by χ² are rough, take the simulated one"
    pairs = len(table) * (len(table) - 1) // 2
    if never := pairs - int(np.triu(table + table.T, 1).astype(bool).sum()):
        yield f"{never} of {pairs} pairs were never confused: their similarity is 0"
    if groups > 1:
        yield f"no confusions link {groups} groups of stimuli: biases compare within a group only"
    far = np.flatnonzero(abs(fit.odds[0]) > _NO_END)
    if len(far):
        listed = ", ".join(names[k] for k in far[:8]) + (", ..." if len(far) > 8 else "")
        yield f"confused one way only, so that its bias has no end: {listed}"
    if fractions:
        yield "counts are not whole numbers: nothing was simulated; standard errors are those of first order"


def _distances(distances: Any, names: tuple[str, ...], counts: Any) -> np.ndarray:
    """(N, N) distances in the order of the counts: by names where the distances have any."""
    table, own = table_of(distances)
    if len(table) != len(names):
        raise ValueError(f"distances are between {len(table)} stimuli, but counts of {len(names)}; give the same")
    if own and set(own) != set(map(str, range(len(names)))) and names != tuple(map(str, range(len(names)))):
        order = places(own, list(names))
        table = table[np.ix_(order, order)]
    return table


def _by_distance(
    distances: np.ndarray,
    table: np.ndarray,
    names: tuple[str, ...],
    free: tuple[float, int],
    count: int,
    key: Any,
    model: dict[str, Any],
) -> ByDistance:
    """The fit by distance, and what free similarities (log likelihood, parameters) and biases add to it."""
    labels = np.broadcast_to(np.array(names), table.shape)
    fit = fit_choices(distances, table, labels=labels, bias="label", **model)
    unbiased = fit_choices(distances, table, labels=labels, intervals=False, **model)
    statistic, freedom = max(0.0, 2 * (free[0] - fit.log_likelihood)), free[1] - fit.parameters
    p = math.nan
    if count:
        larger, shares = 0, fit.probabilities / fit.probabilities.sum(1, keepdims=True)
        for tables in _drawn(table.sum(1), shares, count, key, 3):
            most = _log_likelihood(tables, quasi_symmetry.fitted(tables).expected)
            larger += int((2 * (most - refitted_likelihoods(fit, tables)) >= statistic - 1e-9).sum())
        p = (1 + larger) / (1 + count)
    test = RatioTest(statistic, freedom, _chi2_p(freedom, statistic))
    return ByDistance(fit, test, p, ratio_test(unbiased, fit), unbiased)
