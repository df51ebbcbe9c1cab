"""States along depth: are units continuous, do they speed up, get dense, turn; all with what a walk would do.

States are x_b, b = 0 .. B - 1, of N texts and D units, as `boundaries` gives them: (B, N, D). Updates are
Δ_b = x_{b+1} - x_b. Every number comes with a standard error over texts: the texts are a sample, units and depth are
not. Of statistics that aren't means over texts it is that of their first-order influences (infinitesimal jackknife).
"""

from typing import Any, NamedTuple

import numpy as np

from semres_jax._checks import concrete
from semres_jax._random import generator
from semres_jax._types import Quantity

FEWEST = 3
# An activation is large above this, in the unit of the states.
LARGE = 1.0


class Continuity(NamedTuple):
    """How alike a unit is at neighbouring boundaries.

    Attributes:
        r: (B - 1,) mean over units of the correlation over texts of x_b and x_{b+1}.
        null: (B - 1,) what it would be if updates were as large and knew nothing of the state.
        mean: of `r` over depth.
        constant: (B,) units that are the same for all texts; they have no correlation and are left out.
    """

    r: Quantity
    null: np.ndarray
    mean: Quantity
    constant: np.ndarray


class Motion(NamedTuple):
    """How states move, means over texts.

    Attributes:
        norm: (B,) length of a state.
        velocity: (B - 1,) length of an update.
        relative: (B - 1,) the same over the length of the state before it.
        acceleration: (B - 2,) change of velocity.
        relative_acceleration: (B - 2,) change of the relative velocity.
        turning: (B - 2,) radians between an update and the next: π/2 where they know nothing of each other.
        tortuosity: length of the path of a text over the distance between its ends.
        walk: what tortuosity would be if updates of these lengths were at right angles, as in a random walk.
        mean_tortuosity, mean_walk: the same of the mean path of all texts.
    """

    norm: Quantity
    velocity: Quantity
    relative: Quantity
    acceleration: Quantity
    relative_acceleration: Quantity
    turning: Quantity
    tortuosity: Quantity
    walk: Quantity
    mean_tortuosity: float
    mean_walk: float


class Density(NamedTuple):
    """How many units take part, (B,) means over texts.

    Attributes:
        large: share of units above 1 in absolute value: grows with the length of states, whatever their shape.
        participation: (Σ a²)² / (D Σ a⁴) of a state, from 1/D (one unit) to 1 (all alike); of no scale.
        hoyer: (√D - ‖a‖₁ / ‖a‖₂) / (√D - 1), from 0 (all alike) to 1 (one unit); of no scale (Hoyer 2004).
    """

    large: Quantity
    participation: Quantity
    hoyer: Quantity


def continuity(states: Any) -> Continuity:
    """Correlations of units between neighbouring boundaries, over texts.

    The null of an update that is uncorrelated with the state is √(Var x / (Var x + Var Δ)), unit by unit.

    Args:
        states: (B, N, D), at least 3 texts.

    Raises:
        ValueError: fewer texts or boundaries, states that are not finite, no unit that varies.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> walk = np.cumsum(np.random.default_rng(0).normal(size=(5, 400, 30)), axis=0)
        >>> result = dynamics.continuity(walk)
        >>> bool(abs(result.r.value - np.sqrt(np.arange(1, 5) / np.arange(2, 6))).max() < 0.02)
        True
    """
    x = checked(states)
    centred = x - x.mean(1, keepdims=True)
    spread = np.sqrt((centred**2).mean(1))
    flat = spread <= 1e-12 * np.maximum(abs(x).max(1), 1e-300)
    count = len(x) - 1
    r, null, influence = np.zeros(count), np.zeros(count), np.zeros((count, x.shape[1]))
    for b in range(count):
        both = ~(flat[b] | flat[b + 1])
        if not both.any():
            raise ValueError(f"no unit varies over texts at both boundaries {b} and {b + 1}; give different texts")
        first, second = (centred[k][:, both] / spread[k][both][None] for k in (b, b + 1))
        unit = (first * second).mean(0)
        r[b] = unit.mean()
        influence[b] = (first * second - unit[None] * (first**2 + second**2) / 2).mean(1)
        update = (centred[b + 1] - centred[b])[:, both].var(0)
        null[b] = np.sqrt(spread[b][both] ** 2 / (spread[b][both] ** 2 + update)).mean()
    error = influence.std(1, ddof=1) / np.sqrt(x.shape[1])
    whole = influence.mean(0).std(ddof=1) / np.sqrt(x.shape[1])
    return Continuity(Quantity(r, error), null, Quantity(r.mean(), whole), flat.sum(1))


def motion(states: Any) -> Motion:
    """Lengths of states and updates along depth, and how straight the path is.

    Args:
        states: (B, N, D), at least 3 boundaries and 3 texts.

    Raises:
        ValueError: fewer of them, states that are not finite.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> line = np.arange(1.0, 6.0)[:, None, None] * np.ones((1, 3, 4))
        >>> straight = dynamics.motion(line)
        >>> float(straight.tortuosity.value), straight.velocity.value.tolist()
        (1.0, [2.0, 2.0, 2.0, 2.0])
    """
    x = checked(states, boundaries=3)
    update = np.diff(x, axis=0)
    norm, velocity = (np.linalg.norm(y, axis=-1) for y in (x, update))
    relative = _ratio(velocity, norm[:-1])
    cosine = _ratio((update[1:] * update[:-1]).sum(-1), velocity[1:] * velocity[:-1])
    turning = np.arccos(np.clip(cosine, -1, 1))
    changes = [np.diff(y, axis=0) for y in (velocity, relative)]
    mean, walk = (float(ratio[0]) for ratio in _tortuosity(x.mean(1, keepdims=True)))
    values = [over_texts(part) for part in (norm, velocity, relative, *changes, turning, *_tortuosity(x))]
    return Motion(*values[:8], mean_tortuosity=mean, mean_walk=walk)


def _tortuosity(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) length of paths (B, N, D) over the distance of their ends, and over that of steps at right angles."""
    steps, ends = np.linalg.norm(np.diff(x, axis=0), axis=-1), np.linalg.norm(x[-1] - x[0], axis=-1)
    return _ratio(steps.sum(0), ends), _ratio(steps.sum(0), np.sqrt((steps**2).sum(0)))


def density(states: Any) -> Density:
    """How many units of a state take part, by a fixed threshold and by two measures without a scale.

    Args:
        states: (B, N, D).

    Raises:
        ValueError: fewer than 3 texts, states that are not finite.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> alike = dynamics.density(2.0 * np.ones((1, 3, 4)))
        >>> [float(x.value[0]) for x in alike]
        [1.0, 1.0, 0.0]
    """
    x = abs(checked(states, boundaries=1))
    size = x.shape[-1]
    square = (x**2).sum(-1)
    participation = _ratio(square**2, size * (x**4).sum(-1))
    hoyer = (np.sqrt(size) - _ratio(x.sum(-1), np.sqrt(square))) / (np.sqrt(size) - 1)
    return Density(*map(over_texts, ((x > LARGE).mean(-1), participation, hoyer)))


def rotations(states: Any) -> Quantity:
    """Turns of a unit in the plane of its update and that update's gradient along depth, mean over units and texts.

        R = Σ_b wrap(θ_{b+1} - θ_b) / 2π,     θ_b = angle of (Δ_b, ∇Δ_b)

    with ∇ the central difference along depth, of second order at the ends too, and wrap to within half a turn. Noise
    turns: a random walk of 61 points has R = -10.42, whatever its dimension. Negative turns are those of a wave.

    Args:
        states: (B, N, D), at least 4 boundaries.

    Raises:
        ValueError: fewer of them, states that are not finite.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> depth = np.arange(41) / 40
        >>> wave = np.sin(2 * np.pi * 3 * depth)[:, None, None] * np.ones((1, 3, 1))
        >>> round(float(dynamics.rotations(wave).value), 1)  # it turns three times
        -3.0
    """
    update = np.diff(checked(states, boundaries=4), axis=0)
    angle = np.arctan2(np.gradient(update, axis=0, edge_order=2), update)
    step = np.diff(angle, axis=0)
    turns = ((step + np.pi) % (2 * np.pi) - np.pi).sum(0) / (2 * np.pi)
    return over_texts(turns.mean(-1))


def rotation_nulls(states: Any, *, key: Any = None) -> dict[str, Quantity]:
    """What `rotations` gives of states whose way along depth is made random.

    Args:
        states: (B, N, D), at least 4 boundaries.
        key: of what is random.

    Returns:
        "layers": boundaries in a random order; "increments": updates in a random order, one for all; "signs": each
        update of a unit with a random sign; "walk": a random walk of normal steps of one size.

    Example:
        >>> import numpy as np
        >>> from semres_jax import dynamics
        >>> nulls = dynamics.rotation_nulls(np.random.default_rng(0).normal(size=(61, 50, 20)))
        >>> round(float(nulls["walk"].value), 1)
        -10.4
    """
    x, rng = checked(states, boundaries=4), generator(key)
    start, update = x[:1], np.diff(x, axis=0)
    signs = rng.choice([-1.0, 1.0], update.shape)
    walked = {
        "increments": update[rng.permutation(len(update))], "signs": update * signs,
        "walk": rng.standard_normal(update.shape),
    }  # fmt: skip
    made = {name: np.concatenate([start, start + np.cumsum(steps, axis=0)]) for name, steps in walked.items()}
    return {name: rotations(way) for name, way in ({"layers": x[rng.permutation(len(x))]} | made).items()}


def over_texts(values: np.ndarray) -> Quantity:
    """Mean over the last axis, of texts, with its standard error.

    Example:
        >>> import numpy as np
        >>> from semres_jax.dynamics.trajectories import over_texts
        >>> print(over_texts(np.array([1.0, 2.0, 3.0])))
        2.0(6)
    """
    return Quantity(values.mean(-1), values.std(-1, ddof=1) / np.sqrt(values.shape[-1]))


def checked(states: Any, *, boundaries: int = 2) -> np.ndarray:
    """(B, N, D) float64, finite, of so many boundaries and 3 texts at least, or `ValueError`."""
    x = np.asarray(concrete(states, "states"), np.float64)
    if x.ndim != 3 or not x.size:
        raise ValueError(f"states must have shape (boundaries, texts, units); got shape {x.shape}")
    if len(x) < boundaries or x.shape[1] < FEWEST:
        raise ValueError(
            f"at least {boundaries} boundaries and {FEWEST} texts are needed; got {len(x)} and {x.shape[1]}"
        )
    if not np.isfinite(x).all():
        b, text, unit = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"states must be finite; at boundary {b} unit {unit} of text {text} is {x[b, text, unit]}")
    return x


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """NaN where nothing is below."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
