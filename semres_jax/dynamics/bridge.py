"""Depth beside resolution: where states of labelled stimuli stand at each layer, and what moves them there.

Stimuli with known distances, years for instance, have states at every boundary between layers, whose similarity is that
of a system of finite resolution: accuracies p_S and p_I, ε, and the distance from the front (`measure.embeddings`).
Quantities that drift along depth all correlate. So what is compared are changes over a layer, and the null is that of
one of them shifted along depth in a circle.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from semres_jax import _watching
from semres_jax._checks import concrete
from semres_jax._random import generator
from semres_jax._types import Quantity
from semres_jax.dynamics.jacobians import pushed
from semres_jax.dynamics.states import boundaries
from semres_jax.dynamics.trajectories import FEWEST, checked, density, over_texts
from semres_jax.networks import llama

FRONT = "constant"
_OUTCOMES = ("p_s", "p_i", "ln ε", "front")


class Relation(NamedTuple):
    """Rank correlation over layers of how two quantities change.

    Attributes:
        outcome, against: what they are.
        rho: Spearman's.
        largest: the largest |rho| of all other circular shifts along depth.
        p: share of shifts, none included, whose |rho| is as large; at least 1 / L.
    """

    outcome: str
    against: str
    rho: float
    largest: float
    p: float


class Bridge(NamedTuple):
    """Stimuli by depth: K = L + 1 boundaries between layers, from the embedding.

    Attributes:
        p_s, p_i: (K,) accuracies of two, with intervals over stimuli.
        epsilon: (K,) resolution by the family that fits best, in the unit of the distances.
        front: (K,) signed distance from the front of constant similarities.
        velocity, relative: (K - 1,) length of a layer's update of stimuli's states, and over that of the state.
        participation: (K,) participation ratio of units over D.
        dimension: (K,) participation ratio of the covariance over stimuli: in how many directions they differ.
        relations: of the change of p_s, p_i, ln ε and the distance from the front over a layer with what it does.
    """

    p_s: Quantity
    p_i: Quantity
    epsilon: Quantity
    front: Quantity
    velocity: Quantity
    relative: Quantity
    participation: Quantity
    dimension: np.ndarray
    relations: tuple[Relation, ...]


class Gains(NamedTuple):
    """What Jacobians of layers do to the direction along which stimuli are ordered, (L,).

    Attributes:
        along: ‖J v‖ / ‖v‖, v the slope of states on the stimuli's values; root mean square over texts.
        typical: the same of differences of two stimuli drawn at random.
        carried: ⟨J v_l, v_{l+1}⟩ / ‖v_{l+1}‖², mean over texts: how much of the slope after the layer comes through the
            last position's own state. The rest comes by attention from earlier positions, which J holds.
    """

    along: np.ndarray
    typical: np.ndarray
    carried: np.ndarray


def stimuli(weights: llama.Weights, texts: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
    """States of stimuli between layers: at the last position, mean over the texts of each.

    Args:
        weights: of a network of L layers.
        texts: for each of S stimuli the tokens of its texts, of any lengths.

    Returns:
        (L + 1, S, D) float64.

    Raises:
        ValueError: fewer than 3 stimuli, one without a text, an empty text, tokens outside the vocabulary.

    Example:
        >>> import jax
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> dynamics.stimuli(weights, [[[7, 8], [9]], [[3]], [[4, 1]]]).shape
        (4, 3, 16)
    """
    if len(texts) < FEWEST or not all(len(row) and all(map(len, row)) for row in texts):
        raise ValueError(f"{FEWEST} stimuli, with a text of one token each, are needed at least; got {len(texts)}")
    rows = [(i, list(tokens), 1 / len(row)) for i, row in enumerate(texts) for tokens in row]
    states = np.zeros((len(weights.layers.query) + 1, len(texts), weights.embedding.shape[1]))
    done = 0
    for length in sorted({len(tokens) for _, tokens, _ in rows}):
        alike = [row for row in rows if len(row[1]) == length]
        made = boundaries(weights, [tokens for _, tokens, _ in alike])[::2]
        for k, (i, _, share) in enumerate(alike):
            states[:, i] += share * made[:, k]
        _watching.report(done := done + len(alike), len(rows))
    return states


def resolution_by_depth(
    states: Any,
    distances: Any,
    *,
    layers: Mapping[str, Any] | None = None,
    bootstrap: int = 200,
) -> Bridge:
    """Accuracies, resolution and distance from the front by depth, beside how states move.

    Similarities are cosines of states less their mean over stimuli, as `semres measure llm` has them.

    Args:
        states: (K, S, D) at boundaries between layers, as `stimuli` gives them.
        distances: (S, S) between stimuli.
        layers: further quantities of the K - 1 layers to compare changes with, by name; NaN where unknown.
        bootstrap: replicates of intervals.

    Raises:
        ValueError: as `measure.embeddings`; a quantity of another number of layers.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> year = np.arange(12.0)
        >>> line = np.stack([np.cos(year / 8), np.sin(year / 8), 0 * year], axis=-1)
        >>> noise = np.random.default_rng(0).normal(size=(5, 12, 3)) / np.arange(1, 6)[:, None, None]
        >>> made = dynamics.resolution_by_depth(line + noise, abs(year[:, None] - year), bootstrap=20)
        >>> made.p_s.value.shape, bool(made.p_s.value[-1] > made.p_s.value[0])
        ((5,), True)
    """
    from semres_jax.measure.embeddings.position import embeddings, fronts

    x = checked(states)
    apart = np.asarray(concrete(distances, "distances"), np.float64)
    front, rows = fronts(apart, families=(FRONT,)), []
    for k, points in enumerate(x):
        own = points - points.mean(0, keepdims=True)
        rows.append(embeddings(own, apart, similarity="cosine", optimal="none", bootstrap=bootstrap, fronts=front))
        _watching.report(k + 1, len(x))
    best = [row.fits[row.best].epsilon for row in rows]
    at_front = [row.fronts[FRONT].distance for row in rows]
    p_s, p_i, epsilon, distance = (
        Quantity(*(np.array(part, float) for part in zip(*values, strict=True)))
        for values in ([row.p_s for row in rows], [row.p_i for row in rows], best, at_front)
    )
    update, norm = np.linalg.norm(np.diff(x, axis=0), axis=-1), np.linalg.norm(x, axis=-1)
    size = density(x).participation
    dimension = np.array([_dimension(points) for points in x])
    relative = over_texts(update / norm[:-1])
    outcomes = (p_s.value, p_i.value, np.log(epsilon.value), distance.value)
    moved = {"dimension": np.diff(dimension), "participation": np.diff(size.value), "relative velocity": relative.value}
    relations = _relations(outcomes, moved | dict(layers or {}))
    return Bridge(p_s, p_i, epsilon, distance, over_texts(update), relative, size, dimension, relations)


def gains(weights: llama.Weights, tokens: Any, states: Any, values: Any, *, pairs: int = 16, key: Any = None) -> Gains:
    """What each layer's Jacobian does to the direction of the stimuli's values, beside differences of stimuli.

    Args:
        weights: of a network of L layers.
        tokens: (B, T) texts of some stimuli, at whose last position Jacobians are taken.
        states: (L + 1, S, D) of all stimuli, as `stimuli` gives them.
        values: (S,) of stimuli, such as years.
        pairs: differences of two stimuli that are drawn.
        key: of these.

    Raises:
        ValueError: values of another number, or all the same; tokens as for `boundaries`.

    Example:
        >>> import jax
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> texts = [[7, 8], [9, 3], [1, 2]]
        >>> made = dynamics.gains(weights, texts, dynamics.stimuli(weights, [[text] for text in texts]), [1, 2, 3])
        >>> made.along.shape, bool((made.typical > 0).all())
        ((3,), True)
    """
    x, at = checked(states), np.asarray(concrete(values, "values"), np.float64)
    if at.shape != x.shape[1:2] or not np.ptp(at) > 0:
        raise ValueError(f"values must be {x.shape[1]} numbers, not all the same; got shape {at.shape}")
    centred = at - at.mean()
    slope = np.einsum("s,ksd->kd", centred, x) / (centred**2).sum()
    rng, rows = generator(key), []
    first = rng.integers(0, len(at), pairs)
    second = (first + rng.integers(1, len(at), pairs)) % len(at)
    for layer in range(len(x) - 1):
        directions = np.concatenate([slope[layer][None], x[layer, first] - x[layer, second]])
        length = np.linalg.norm(directions, axis=-1)
        directions = np.divide(directions, length[:, None], out=np.zeros(directions.shape), where=length[:, None] > 0)
        there = pushed(weights, tokens, layer, directions).astype(np.float64)
        size = np.linalg.norm(there, axis=-1)
        after = slope[layer + 1]
        carried = length[0] * (there[:, 0] @ after).mean() / (after @ after) if after.any() else np.nan
        known = length[1:] > 0
        rows.append((_rms(size[:, 0]), _rms(size[:, 1:][:, known]) if known.any() else np.nan, carried))
        _watching.report(layer + 1, len(x) - 1)
    return Gains(*np.array(rows).T)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def _dimension(points: np.ndarray) -> float:
    """Participation ratio of the eigenvalues of the covariance of (S, D)."""
    centred = points - points.mean(0, keepdims=True)
    products = centred @ centred.T
    square = (products**2).sum()
    return float(np.trace(products) ** 2 / square) if square > 0 else np.nan


def _relations(outcomes: Sequence[Any], moved: Mapping[str, Any]) -> tuple[Relation, ...]:
    """Of the changes of each outcome over layers with everything that layers do."""
    count = len(outcomes[0]) - 1
    for name, values in moved.items():
        if np.shape(values) != (count,):
            raise ValueError(f"{name} must have {count} numbers, one a layer; got shape {np.shape(values)}")
    return tuple(
        _relation(outcome, np.diff(values), against, np.asarray(other, float))
        for outcome, values in zip(_OUTCOMES, outcomes, strict=True)
        for against, other in moved.items()
    )


def _relation(outcome: str, change: np.ndarray, against: str, values: np.ndarray) -> Relation:
    """NaN where a value is missing, or all are the same."""
    if len(change) < 4 or not np.isfinite([change, values]).all() or 0 in (np.ptp(change), np.ptp(values)):
        return Relation(outcome, against, np.nan, np.nan, np.nan)
    ranks = (scipy.stats.rankdata(row) for row in (change, values))
    a, b = ((row - row.mean()) / row.std() for row in ranks)
    rho = np.array([a @ np.roll(b, shift) for shift in range(len(a))]) / len(a)
    close = 1e-12
    return Relation(
        outcome, against, float(rho[0]), float(abs(rho[1:]).max()), float((abs(rho) >= abs(rho[0]) - close).mean())
    )
