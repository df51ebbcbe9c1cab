"""What a change of a state becomes: pushed aside, put where another text is, or anywhere in a plane.

Only the state at the last position changes; those before it stay as they are in the text.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from semres_jax import _watching
from semres_jax._checks import concrete, require_count
from semres_jax._random import generator
from semres_jax._types import Quantity
from semres_jax.dynamics.states import boundaries, checked, run_from, within
from semres_jax.dynamics.trajectories import over_texts
from semres_jax.networks import llama

# Positions whose states are continued at once.
_POSITIONS = 2048


class Returned(NamedTuple):
    """How far a pushed state is from where it would be, over the length of the push; (K,) by boundary.

    Attributes:
        boundary: those after the push, from the one where it is 1.
        distance: ‖x' - x‖ / ‖δ‖: below 1 the push has shrunk.
        relative: the same with both over the length of x there and at the push: states grow along depth.
    """

    boundary: np.ndarray
    distance: Quantity
    relative: Quantity


def perturb(
    weights: llama.Weights, tokens: Any, boundary: int, *, size: float = 0.1, directions: int = 4, key: Any = None
) -> Returned:
    """Push the last state of texts in random directions, and see whether the network brings it back.

    Args:
        weights: of a network.
        tokens: (B, T) texts of equal length, at least 3.
        boundary: where it is pushed, below 2L.
        size: length of the push as a share of that of the state.
        directions: random ones for each text, uniform.
        key: of these.

    Raises:
        ValueError: as `boundaries`; a size that isn't above 0, no direction.

    Example:
        >>> import jax
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> result = dynamics.perturb(weights, [[7, 8], [3, 2], [1, 5]], 2)
        >>> result.boundary.tolist(), round(float(result.distance.value[0]), 6)
        ([2, 3, 4, 5, 6], 1.0)
    """
    table = checked(weights, tokens)
    require_count("directions", directions, 1)
    if not size > 0:
        raise ValueError(f"size must be above 0; got {size}")
    within("boundary", boundary, 2 * len(weights.layers.query) - 1)
    whole = boundaries(weights, table, every_position=True)
    last, width = whole[:, :, -1].astype(np.float64), whole.shape[-1]
    rng = generator(key)
    push = rng.standard_normal((directions, len(table), width))
    push *= size * np.linalg.norm(last[boundary], axis=-1)[None, :, None] / np.linalg.norm(push, axis=-1, keepdims=True)
    there = np.stack(
        [moved for _, moved in _continued(weights, whole[boundary], last[boundary][None] + push, boundary)]
    )
    apart = np.linalg.norm(there - last[boundary:][None], axis=-1) / np.linalg.norm(push, axis=-1)[:, None]
    lengths = np.linalg.norm(last[boundary:], axis=-1)
    relative = apart * (lengths[:1] / lengths)[None]
    which = np.arange(boundary, len(whole))
    return Returned(which, over_texts(apart.mean(0)), over_texts(relative.mean(0)))


class Kept(NamedTuple):
    """What is left of a state put in another text's place; (K,) by boundary.

    Attributes:
        boundary: those from the teleport on.
        share: ⟨x' - x^A, x^B - x^A⟩ / ‖x^B - x^A‖²: 1 where A went on like B, 0 where it went back to its own way.
    """

    boundary: np.ndarray
    share: Quantity


def teleport(weights: llama.Weights, tokens: Any, boundary: int, *, plane: Any = None, key: Any = None) -> Kept:
    """Put the last state of each text where that of another one is, and see where it goes.

    Args:
        weights: of a network.
        tokens: (B, T) texts of equal length, at least 3; each gets the state of the next in a random circle of them.
        boundary: where, below 2L.
        plane: (K, D) orthonormal axes; only what lies in them is exchanged. None: everything.
        key: of the circle.

    Raises:
        ValueError: as `boundaries`; axes that are not orthonormal.

    Example:
        >>> import jax
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> result = dynamics.teleport(weights, [[7, 8], [3, 2], [1, 5]], 4)
        >>> round(float(result.share.value[0]), 6)
        1.0
    """
    table = checked(weights, tokens)
    within("boundary", boundary, 2 * len(weights.layers.query) - 1)
    whole = boundaries(weights, table, every_position=True)
    last = whole[:, :, -1].astype(np.float64)
    circle = generator(key).permutation(len(table))
    other = np.empty(len(table), int)
    other[circle] = np.roll(circle, -1)
    difference = last[:, other] - last
    start = difference[boundary]
    if plane is not None:
        axes = _axes(plane, last.shape[-1])
        start = start @ axes.T @ axes
    ((_, moved),) = _continued(weights, whole[boundary], (last[boundary] + start)[None], boundary)
    square = (difference[boundary:] ** 2).sum(-1)
    shares = np.divide(((moved - last[boundary:]) * difference[boundary:]).sum(-1), square,
                       out=np.full(square.shape, np.nan), where=square > 0)  # fmt: skip
    return Kept(np.arange(boundary, len(whole)), over_texts(shares))


class Flow(NamedTuple):
    """Where states of a plane go in the next layer.

    Attributes:
        points: (G, G, 2) coordinates in the plane, from `origin`, in the unit of the states.
        update: (G, G, 2) mean over texts of what a layer adds to a state there, in the plane.
        outside: (G, G) mean length of what it adds out of the plane.
    """

    points: np.ndarray
    update: np.ndarray
    outside: np.ndarray


def plane_flow(
    weights: llama.Weights, tokens: Any, layer: int, plane: Any, *, origin: Any, reach: float, count: int = 9
) -> Flow:
    """The update of a layer for last states put on a grid of a plane.

    Args:
        weights: of a network.
        tokens: (B, T) texts of equal length, whose earlier positions are the context.
        layer: from 0.
        plane: (2, D) orthonormal axes, the first two principal ones of the states for instance.
        origin: (D,) where the grid's middle is.
        reach: how far the grid goes to each side, in the unit of the states.
        count: G, points a side.

    Raises:
        ValueError: as `boundaries`; axes that are not two orthonormal ones, a reach that isn't above 0.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> axes = np.eye(16)[:2]
        >>> flow = dynamics.plane_flow(weights, [[7, 8]], 1, axes, origin=np.zeros(16), reach=1.0, count=3)
        >>> flow.points[2, 0].tolist(), flow.update.shape
        ([-1.0, 1.0], (3, 3, 2))
    """
    table = checked(weights, tokens)
    axes = _axes(plane, weights.embedding.shape[1])
    if len(axes) != 2 or not reach > 0:
        raise ValueError(f"a plane of two axes and a reach above 0 are needed; got {len(axes)} axes, reach {reach}")
    within("layer", layer, len(weights.layers.query) - 1)
    whole = boundaries(weights, table, every_position=True)[2 * layer]
    side = np.linspace(-reach, reach, require_count("count", count, 2))
    points = np.stack(np.meshgrid(side, side), axis=-1)
    states = np.asarray(concrete(origin, "origin"), np.float64) + points.reshape(-1, 2) @ axes
    places = np.repeat(states[:, None], len(table), axis=1)
    update = np.stack(
        [moved[2] - moved[0] for _, moved in _continued(weights, whole, places, 2 * layer, 2 * layer + 2)]
    )
    inside = update @ axes.T
    outside = np.linalg.norm(update - inside @ axes, axis=-1).mean(1)
    return Flow(points, inside.mean(1).reshape(points.shape), outside.reshape(points.shape[:2]))


def _continued(
    weights: llama.Weights, states: np.ndarray, places: np.ndarray, boundary: int, until: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """(K, N, D) states from a boundary on, for every (N, D) that last states of (N, T, D) are put at."""
    for turn, place in enumerate(places):
        moved = states.copy()
        moved[:, -1] = place
        step = max(1, _POSITIONS // states.shape[1])
        pieces = (moved[first : first + step] for first in range(0, len(moved), step))
        rows = [run_from(weights, piece, boundary, until=until) for piece in pieces]
        _watching.report(turn + 1, len(places))
        yield turn, np.concatenate(rows, axis=1).astype(np.float64)


def _axes(plane: Any, width: int) -> np.ndarray:
    axes = np.asarray(concrete(plane, "plane"), np.float64)
    if axes.ndim != 2 or axes.shape[1] != width:
        raise ValueError(f"plane must have shape (axes, {width}); got shape {axes.shape}")
    if not np.allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-4):
        raise ValueError("axes of the plane must be orthonormal; make them so, by np.linalg.qr for instance")
    return axes
