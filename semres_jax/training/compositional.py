"""Toy networks whose stimuli are tuples of independent features: a map for each slot, or one map of the whole.

What is compared may be put together from slots in a way that the network chooses: a gate between the product and the
mean of their similarities is trained with the maps. Loop, checkpoints and steps of Adam are those of `training.toy`.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import require, require_count
from semres_jax._pytrees import pytree
from semres_jax._random import key_or_default
from semres_jax._types import Array, ArrayLike
from semres_jax.execution import Execution
from semres_jax.montecarlo import sharding
from semres_jax.spaces import Finite
from semres_jax.storage.fingerprints import fingerprint
from semres_jax.training.checkpoints import Store
from semres_jax.training.toy import drawing, loop
from semres_jax.training.toy.losses import make_task, nll
from semres_jax.training.toy.settings import Design as OneSlot, Numbers
from semres_jax.training.toy.spread import Parts

CODES = ("own", "shared")
# Both losses are recorded on so many trials, the same at every step.
_TEST_TRIALS = 2048
# A learned gate begins at least so far from both ends.
_END = 1e-6


@pytree
class Hyper(Numbers):
    """The settings of a training that are numbers; arrays of one shape, or single numbers, make a grid.

    Args:
        lambda_sim: weight of the similarity loss, at least 0.
        lambda_id: weight of the identification loss, at least 0; not both 0.
        gate: γ, share of the product against the mean when similarities of slots are put together, in [0, 1]; where it
            is learned, what it begins with.
        learns: 1 where the gate is learned, 0 where it stays.
        learning_rate: of Adam, above 0.
        floor: added to every similarity, above 0.
        scale: weights start uniform in [0, scale), above 0.

    Raises:
        ValueError: out of range, or both weights 0.

    Example:
        >>> from semres_jax.training import compositional
        >>> compositional.Hyper(gate=[0.0, 0.5, 1.0], learns=[0, 1, 0]).shape
        (3,)
    """

    lambda_sim: Any = 1.0
    lambda_id: Any = 1.0
    gate: Any = 0.5
    learns: Any = 1.0
    learning_rate: Any = 7e-3
    floor: Any = 1e-10
    scale: Any = 2.0

    def __post_init__(self):
        self._stored()
        self._require_weights("lambda_sim", "lambda_id", "1 and 1")
        for name in ("gate", "learns"):
            require(name, getattr(self, name), 0.0, 1.0, "between 0 and 1")


@dataclasses.dataclass(frozen=True)
class Design:
    """The settings of a training that decide shapes or programs.

    Args:
        hidden: m, hidden units altogether.
        code: "own": a map for each of S slots, to m/S units (a multiple of S), each with a similarity of its own;
            "shared": one map of all features to all m units, and one similarity of wholes.
        batch: trials of a step, of each task.

    Raises:
        ValueError: out of range, unknown code.
    """

    hidden: int = 24
    code: str = "own"
    batch: int = 128

    def __post_init__(self):
        for name in ("hidden", "batch"):
            object.__setattr__(self, name, require_count(name, getattr(self, name), 1))
        if self.code not in CODES:
            raise ValueError(f"code must be one of {', '.join(CODES)}; got {self.code!r}")

    def units(self, slots: int) -> int:
        """Hidden units that each map goes to.

        Raises:
            ValueError: more slots than units, or they can't be shared out.
        """
        if self.code == "shared":
            return self.hidden
        if slots > self.hidden:
            raise ValueError(f"{slots} slots need at least as many hidden units; got hidden = {self.hidden}")
        if self.hidden % slots:
            near = self.hidden - self.hidden % slots
            raise ValueError(
                f"{self.hidden} hidden units can't be shared out among {slots} slots; {near} or {near + slots} would do"
            )
        return self.hidden // slots


class History(NamedTuple):
    """What a training leaves, for hyper-parameters of shape (...), R runs, T recorded steps.

    Attributes:
        steps: (T,) recorded steps.
        gate: (..., R, T) γ.
        loss_sim, loss_id: (..., R, T) losses in nats, without their weights, on 2048 trials of each run.
        maps: (..., R, T, S, N, m') float32 weights of each slot's features.
    """

    steps: np.ndarray
    gate: np.ndarray
    loss_sim: np.ndarray
    loss_id: np.ndarray
    maps: np.ndarray


def aggregate(ratios: ArrayLike, gate: ArrayLike) -> Array:
    """Relative strength of a whole from those of its slots, r_s = g_s(p, x) / g_s(p, p), along the first axis.

        R = γ Π_s r_s + (1 - γ) Σ_s r_s / S

    Source: new, of this project. γ = 1 is conjunction, γ = 0 addition (`similarity.Slots`).

    Args:
        ratios: (S, ...).
        gate: γ, between 0 and 1; broadcasts with (...).

    Example:
        >>> from semres_jax.training import compositional
        >>> compositional.aggregate([0.5, 0.25], [0.0, 0.5, 1.0]).tolist()
        [0.375, 0.25, 0.125]
    """
    ratios, gate = jnp.asarray(ratios), jnp.asarray(gate)
    return gate * jnp.prod(ratios, axis=0) + (1.0 - gate) * jnp.mean(ratios, axis=0)


def train(
    spaces: Sequence[Finite],
    design: Design | None = None,
    hyper: Hyper | None = None,
    *,
    key: Any = None,
    runs: int = 10,
    steps: int = 3000,
    records: int | Sequence[int] | np.ndarray = 40,
    checkpoint: Any = None,
    resume: bool = False,
    execution: Execution | None = None,
) -> History:
    """Train toy networks on tuples of features: on similarity of each feature, on identification of wholes, or on both.

        L = λ_sim <-ln share of the item nearest on feature s> + λ_id <ln(1 + R)>

    Similarity, n = 2: a probe and two items, all different on feature s, and the item is right that is nearest there.
    With maps of its own ("own") slot s decides by its similarity ReLU(w_x · w_p) + floor; a shared map decides by that
    of wholes, z = Σ_s w_{x_s}, whose other features are drawn independently. Averaged over features. Identification,
    n = 2: a probe that is one of two different wholes; 1 / (1 + R) is the share of the right one, with R as in
    `aggregate` for slots of their own, and the similarity of wholes over that of the probe to itself for a shared map.
    Adam, and trials as in `training.toy.train`. Source: new, of this project.

    Args:
        spaces: of each slot's features: finite, equally likely, all of N stimuli.
        design: network and trials; None: 24 units, a map for each slot, 128 trials.
        hyper: numbers, of any shape; None: both losses of weight 1, a gate that is learned from 1/2 on.
        key, runs, steps, records, checkpoint, resume, execution: as in `training.toy.train`.

    Returns:
        `History`.

    Raises:
        ValueError: no slots, more than hidden units, slots of different sizes; as `training.toy.train`.
        Diverged: a loss was not finite.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.training import compositional
        >>> ring = spaces.grid(spaces.get("circle"), 6)
        >>> design = compositional.Design(hidden=4, batch=16)
        >>> history = compositional.train([ring, ring], design, runs=2, steps=20, records=[10])
        >>> history.gate.shape, history.maps.shape
        ((2, 3), (2, 3, 2, 6, 2))
    """
    design, hyper = Design() if design is None else design, Hyper() if hyper is None else hyper
    key, execution = key_or_default(key), execution or Execution()
    runs, steps = require_count("runs", runs, 1), require_count("steps", steps, 0)
    recorded = loop.recorded_steps(records, steps)
    slots = slot_spaces(spaces)
    sizes = {"stimuli": slots[0].size or 0, "hidden": design.units(len(slots)), "slots": len(slots)}
    with jax.enable_x64(True):
        labels = jnp.stack([make_task(space, OneSlot()).labels for space in slots])
        every = loop.every_run(hyper, key, runs)
        state = _start(every, sizes)
        advance = Parts(_advance, len(every.keys), labels, (design,), sharding.resolve(execution.devices))
        kept = loop.settings(slots[0], design, hyper, key, runs)
        kept |= {f"slot_{place}": fingerprint(space.distances) for place, space in enumerate(slots)}
        with Store(checkpoint, kept, resume) as store:
            columns = loop.advanced(advance, state, every, recorded, store, execution)
    return History(recorded, *columns)


def slot_spaces(spaces: Sequence[Finite]) -> list[Finite]:
    """The spaces of slots, which share one table of weights.

    Raises:
        ValueError: none, one that is not finite, or different numbers of stimuli.
    """
    slots = list(spaces)
    require_count("slots", len(slots), 1)
    sizes = [space.size for space in slots]
    if len(set(sizes)) > 1:
        raise ValueError(f"slots must have equally many stimuli, as their maps are one array; got {sizes}")
    return slots


def strengths(probe: Array, items: Array, floor: Any) -> Array:
    """ReLU(z · z') + floor of embeddings along the last axis, which broadcast."""
    return jax.nn.relu(jnp.sum(probe * items, axis=-1)) + floor


def _start(every: loop.EveryRun, sizes: dict[str, int]) -> loop.State:
    """Fresh maps, and gates as the odds of the product."""
    gate = jnp.clip(jnp.asarray(every.hyper.gate), _END, 1.0 - _END)
    return loop.begun((jnp.log(gate / (1.0 - gate)), loop.fresh(every.keys, every.hyper.scale, **sizes)))


def _gate(odds: Array, hyper: Hyper) -> Array:
    """γ: of a learned gate by its log odds, else as it is."""
    return jnp.where(hyper.learns > 0, jax.nn.sigmoid(odds), hyper.gate)


@functools.partial(jax.jit, static_argnames="design")
def _advance(
    state: loop.State, seeds: Array, hyper: Hyper, labels: Array, targets: Array, design: Design
) -> tuple[loop.State, tuple[Array, ...]]:
    """Train to each of the target steps in turn: the state, and gates, losses and maps with targets in front."""

    def total(params: Any, seed: Array, hyper: Hyper, number: Array) -> Array:
        sim, identity = losses(params, seed, number, hyper, labels, design)
        return hyper.lambda_sim * sim + hyper.lambda_id * identity

    def step(number: Array, carry: Any) -> Any:
        of_runs = jax.vmap(jax.value_and_grad(total), in_axes=(0, 0, 0, None))
        values, slope = of_runs(carry[0], seeds, hyper, number.astype(jnp.uint32))
        return loop.stepped(carry, number, values, slope, hyper.learning_rate)

    def record(state: loop.State, target: Array) -> tuple[loop.State, tuple[Array, ...]]:
        carry = jax.lax.fori_loop(state.step, target, step, (state.params, state.moments, state.bad))
        odds, maps = carry[0]
        test = dataclasses.replace(design, batch=_TEST_TRIALS)

        def scored(row: Any) -> tuple[Array, Array]:
            # The bitwise complement of the seeds: other trials than those of the training.
            return losses(row[0], ~row[1], jnp.uint32(0), row[2], labels, test)

        sim, identity = jax.lax.map(scored, (carry[0], seeds, hyper))
        return loop.State(carry[0], carry[1], carry[2], target), (
            _gate(odds, hyper),
            sim,
            identity,
            jax.tree.leaves(maps)[0],
        )

    return jax.lax.scan(record, state, targets)


def losses(params: Any, seed: Array, number: Array, hyper: Hyper, labels: Array, design: Design) -> tuple[Array, Array]:
    """Similarity and identification loss of a batch, in nats.

    Args:
        params: log odds of the gate, and the network's parameters with (S, N, m') maps.
        seed: (2,) uint32.
        number: of the batch, uint32 scalar.
        hyper: numbers.
        labels: (S, N, N) what decides which item is nearest.
        design: network and trials.
    """
    odds, (maps,) = params[0], jax.tree.leaves(params[1])
    slots, size, _ = maps.shape
    trials = drawing.draw(seed, number, stimuli=size, slots=slots, batch=design.batch, items=2)
    nearest = drawing.pick(labels, trials)
    right = drawing.right_items(nearest.reshape(1, -1, 2), "min").reshape(nearest.shape)
    pairs = jax.random.fold_in(jax.random.wrap_key_data(seed, impl="threefry2x32"), number)
    wholes = jax.random.randint(pairs, (slots, design.batch, 3), 0, size, jnp.int32)
    asked = jnp.concatenate([trials.probe[..., None], trials.items], axis=-1)  # (S, B, 3): a probe and two items
    one_hot = functools.partial(jax.nn.one_hot, num_classes=size, dtype=maps.dtype)
    z = jnp.einsum("sbkn,snm->sbkm", one_hot(wholes), maps)
    z_asked = jnp.einsum("sbkn,snm->sbkm", one_hot(asked), maps)
    different = jnp.any(wholes[..., 0] != wholes[..., 1], axis=0)
    if design.code == "own":
        by_feature = strengths(z_asked[:, :, :1], z_asked[:, :, 1:], hyper.floor)
        itself, other = (strengths(z[:, :, 0], z[:, :, k], hyper.floor) for k in (0, 1))
        ratio = aggregate(other / itself, _gate(odds, hyper))
    else:
        z_whole = jnp.sum(z, axis=0)
        # Feature s as asked, the others as drawn.
        z_feature = z_whole[None] + z_asked - z
        by_feature = strengths(z_feature[:, :, :1], z_feature[:, :, 1:], hyper.floor)
        itself, other = (strengths(z_whole[:, 0], z_whole[:, k], hyper.floor) for k in (0, 1))
        ratio = other / itself
    sim = jnp.mean(nll(by_feature, right))
    return sim, jnp.sum(jnp.log1p(ratio) * different) / jnp.maximum(jnp.sum(different), 1)
