"""Exact accuracies of codes with slots on stimuli that are tuples of features, at every resolution."""

from collections.abc import Sequence

import jax
import numpy as np

from semres_jax.data.rendering import Sprites
from semres_jax.laws import tables
from semres_jax.similarity import AGGREGATES, Constant, Exponential, Slots

FAMILIES = {"constant": Constant, "exponential": Exponential}
# Whether the probe is the same picture as the item to be identified, or another picture of the same stimulus.
PICTURES = ("same", "another")


def distances(probes: np.ndarray, items: np.ndarray, sees: np.ndarray) -> list[np.ndarray]:
    """(N, N) Euclidean distances from probes to items, a table for each slot, in float64.

    Args:
        probes, items: (N, F) embeddings of the N stimuli, renderings of their own in each.
        sees: (S, F) which dimensions decide each feature; equal rows are one slot.
    """
    from scipy.spatial.distance import cdist

    slots = list(dict.fromkeys(map(tuple, sees.tolist())))
    x, y = (np.asarray(points, np.float64) for points in (probes, items))
    return [cdist(x[:, np.array(slot) > 0], y[:, np.array(slot) > 0]) for slot in slots]


def resolutions(table: np.ndarray, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """The smallest ε within which at least these shares of the distances to other stimuli are."""
    others = table[~np.eye(len(table), dtype=bool)]
    return np.quantile(others, shares, method="inverted_cdf")


def scored(
    slots: Sequence[np.ndarray], stimuli: Sprites, shares: Sequence[float] | np.ndarray, family: str
) -> dict[str, np.ndarray]:
    """Accuracies, n = 2 distinct items, of a code at resolutions that reach these shares in each of its slots.

    Feature s is decided by slot s, or by the only one, and identification and the similarity of wholes by the product
    and by the mean of all: exact sums over all stimuli (`laws.tables.accuracy`).

    Args:
        slots: (N, N) distances from every stimulus as a probe to all as items, as `distances` gives them: as many
            tables as features, or one.
        stimuli: whose features they are.
        shares: of the other stimuli within ε, b of a slot.
        family: "constant" or "exponential", without a floor.

    Returns:
        feature_p_s (features, shares); p_i and whole_p_s (aggregates, shares), of "product" and "mean".

    Raises:
        ValueError: another number of slots; an unknown family.
    """
    features = stimuli.features
    if len(slots) not in (1, len(features)):
        raise ValueError(f"slots must be 1 or {len(features)} tables of distances; got {len(slots)}")
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}; got {family!r}")
    make, epsilon = FAMILIES[family], [resolutions(table, shares)[:, None, None] for table in slots]
    with jax.enable_x64(True):
        similarities = [make(own) for own in epsilon]
        apart = [table[None] for table in slots]
        strengths = [np.asarray(g(d)) for g, d in zip(similarities, apart, strict=True)]
        wholes = [np.asarray(Slots(similarities, aggregate)(apart)) for aggregate in AGGREGATES]
        by_slot = strengths if len(strengths) > 1 else strengths * len(features)
        feature = [tables.accuracy(space, h).p_s for space, h in zip(features, by_slot, strict=True)]
        # One slot is its own product and its own mean.
        of_wholes = [tables.accuracy(stimuli.space, h) for h in wholes[: None if len(slots) > 1 else 1]]
    of_wholes = of_wholes * (len(AGGREGATES) // len(of_wholes))
    return {
        "feature_p_s": np.stack(feature),
        "p_i": np.stack([accuracy.p_i for accuracy in of_wholes]),
        "whole_p_s": np.stack([accuracy.p_s for accuracy in of_wholes]),
    }


def of_code(
    embeddings: np.ndarray, sees: np.ndarray, stimuli: Sprites, shares: Sequence[float] | np.ndarray
) -> dict[str, np.ndarray]:
    """`scored` of (draws, N, F) embeddings, means over draws: (families, pictures, ...) arrays.

    For the same picture items and probe of a draw are the same renderings; for another, items are those of the next.
    """
    draws = len(embeddings)
    out: dict[str, list[np.ndarray]] = {}
    for family in FAMILIES:
        for step in range(len(PICTURES)):
            pairs = [(embeddings[k], embeddings[(k + step) % draws]) for k in range(draws)]
            each = [scored(distances(*pair, sees), stimuli, shares, family) for pair in pairs]
            for name in each[0]:
                out.setdefault(name, []).append(np.mean([x[name] for x in each], axis=0))
    columns = {name: np.stack(x) for name, x in out.items()}
    return {name: x.reshape(len(FAMILIES), len(PICTURES), *x.shape[1:]) for name, x in columns.items()}
