"""The toy network's training: one jitted loop over steps and recorded steps, for many runs and settings at once.

Trials are drawn, the loss is taken, Adam steps, and at recorded steps both accuracies are summed over all trials: one
compiled program. Settings that are numbers (`Hyper`) are arrays, and a grid of them is trained in that same program.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from semres_jax._checks import require_count
from semres_jax._random import key_or_default, setting
from semres_jax._types import Array
from semres_jax.execution import Execution
from semres_jax.montecarlo import sharding
from semres_jax.networks.toy import ToyAutoencoder
from semres_jax.spaces.base import MetricSpace
from semres_jax.storage.fingerprints import fingerprint
from semres_jax.training.checkpoints import Store
from semres_jax.training.diverged import Diverged as Diverged, refuse_diverged
from semres_jax.training.toy.gradient import Terms, slopes, terms
from semres_jax.training.toy.losses import Task, make_task, scores, similarity_tables as similarity_tables
from semres_jax.training.toy.settings import Design as Design, Hyper as Hyper, Numbers
from semres_jax.training.toy.spread import Parts

# Parts of a run between which there is progress, a checkpoint, and Ctrl-C is heard.
_SEGMENTS = 12


class History(NamedTuple):
    """What a training leaves, for hyper-parameters of shape (...), R runs, T recorded steps, K numbers of items.

    Attributes:
        steps: (T,) recorded steps.
        test_items: (K,) numbers of items.
        p_s, p_i: (..., R, T, K) accuracies, exact sums over all trials for one slot, estimates for several.
        p_s_stderr, p_i_stderr: their standard errors over sampled trials; 0 for one slot.
        loss_sim, loss_rec: (..., R, T) expected similarity loss (nats) and reconstruction loss, without their weights.
        weights: (..., R, T, S, N, m) float32.
    """

    steps: np.ndarray
    test_items: np.ndarray
    p_s: np.ndarray
    p_i: np.ndarray
    p_s_stderr: np.ndarray
    p_i_stderr: np.ndarray
    loss_sim: np.ndarray
    loss_rec: np.ndarray
    weights: np.ndarray


class State(NamedTuple):
    """Where runs are: leaves with runs in front; `bad` is the first step without a finite loss, -1 for none."""

    params: Any
    moments: Any
    bad: Array
    step: Any


def record_steps(steps: int, records: int = 100) -> np.ndarray:
    """About `records` steps from 0 to `steps`, at equal ratios of t + 10: dense where the path is fast.

    Example:
        >>> from semres_jax.training import toy
        >>> toy.record_steps(100, 5).tolist()
        [0, 8, 23, 50, 100]
    """
    steps, records = require_count("steps", steps, 0), require_count("records", records, 2)
    return np.unique(np.round(np.geomspace(10, steps + 10, records) - 10).astype(np.int64))


def train(
    space: MetricSpace,
    design: Design | None = None,
    hyper: Hyper | None = None,
    *,
    key: Any = None,
    runs: int = 10,
    steps: int = 7500,
    records: int | Sequence[int] | np.ndarray = 100,
    checkpoint: Any = None,
    resume: bool = False,
    execution: Execution | None = None,
) -> History:
    """Train the toy network on the similarity task of a finite space, on reconstruction, or on both.

        L = λ_sim <-ln share of the right item> + λ_rec <(ReLU(W Wᵀ) - 1)²>

    with strengths ReLU(w_x · w_p) + floor shared by Luce's rule, trials of a probe and n items all different, ties in
    distance splitting the right answer, and Adam. Source: the toy experiments of Nurisso et al., arXiv 2506.14797.

    Runs are spread over devices, and over the processes that `jax.distributed` joined, all of which call this and get
    the same. On CPUs the history is the same, bit for bit, for any number of devices and processes; on GPUs the runs
    are cut in as many parts as there are devices, and the last bits depend on how many they are.

    Args:
        space: finite, of equally likely stimuli.
        design: network, trials and loss; None for those of the paper's figure 4.
        hyper: numbers, of any shape; None for those of the paper's figure 4.
        key: run r of every member of the grid starts from fold_in(key, r) and sees the same trials; None:
            `jax.random.key(0)`.
        runs: R, at least 1.
        steps: of Adam.
        records: how many steps are recorded, or which; 0 and the last are always. Results do not depend on it.
        checkpoint: a folder for checkpoints, written between parts of the run and at its end, by the first process.
        resume: go on from the newest checkpoint there, where there is one; the result is that of a run in one go.
        execution: devices, and progress in steps.

    Returns:
        `History`. In a second call with numbers of the same shapes nothing is compiled, but where another loss has
        weight 0 in all of them: of that one nothing is computed.

    Raises:
        ValueError: too few stimuli for the items, unequal weights, a checkpoint of other settings or damaged ones.
        results.Unwritable: a checkpoint can't be written; those before it stay as they are.
        Diverged: a loss was not finite. The last good weights are in the checkpoint.

    Example:
        >>> import numpy as np
        >>> from semres_jax import spaces
        >>> from semres_jax.training import toy
        >>> line = spaces.Finite(np.abs(np.arange(6.0)[:, None] - np.arange(6.0)))
        >>> history = toy.train(line, toy.Design(hidden=3, batch=16), runs=2, steps=30, records=[10])
        >>> history.steps.tolist(), history.p_s.shape
        ([0, 10, 30], (2, 3, 1))
    """
    design, hyper = Design() if design is None else design, Hyper() if hyper is None else hyper
    key, execution = key_or_default(key), execution or Execution()
    runs, steps = require_count("runs", runs, 1), require_count("steps", steps, 0)
    recorded = recorded_steps(records, steps)
    with jax.enable_x64(True):
        task = make_task(space, design)
        every = every_run(hyper, key, runs)
        state = _start(every.keys, every.hyper, space.size or 0, design)
        advance = Parts(_advance, len(every.keys), task, (design, terms(hyper)), sharding.resolve(execution.devices))
        with Store(checkpoint, settings(space, design, hyper, key, runs), resume) as store:
            columns = advanced(advance, state, every, recorded, store, execution)
    return History(recorded, np.array(design.test_items), *columns)


class EveryRun(NamedTuple):
    """All runs of a grid of settings, one after another: member 0 of the grid has the first R of them.

    Attributes:
        hyper: its leaves (members R,) float32.
        keys: of each run.
        seeds: (members R, 2) uint32: of the trials.
        grid: shape of the grid, and R.
    """

    hyper: Any
    keys: list[Any]
    seeds: Array
    grid: tuple[int, ...]

    def described(self, number: int, step: int) -> str:
        """A step of a run in words."""
        values = ", ".join(f"{name} = {x[number]:g}" for name, x in self.hyper.numbers().items())
        return f"step {step} of run {number % self.grid[-1]} with {values}"


def every_run(hyper: Any, key: Any, runs: int) -> EveryRun:
    """Run r of every member of a grid starts from fold_in(key, r) and sees the same trials."""
    grid = hyper.shape
    flat = jax.tree.map(lambda x: np.repeat(np.broadcast_to(x, grid).ravel(), runs).astype(np.float32), hyper)
    keys = [jax.random.fold_in(key, r) for r in range(runs)] * math.prod(grid)
    seeds = jnp.stack([jax.random.bits(jax.random.fold_in(run, 1), (2,), jnp.uint32) for run in keys])
    return EveryRun(flat, keys, seeds, (*grid, runs))


def advanced(
    advance: Parts, state: Any, every: EveryRun, recorded: np.ndarray, store: Store, execution: Execution
) -> list[np.ndarray]:
    """Go to all recorded steps, in parts with a checkpoint after each: what is scored there, (..., R, T, ...) arrays.

    Args:
        advance: makes of (state, seeds, hyper, target steps) a state and (targets, runs, ...) scores.
        state: to begin with, where the store has none.
        every: runs.
        recorded: (T,) steps.
        store, execution: as in `train`.
    """
    state, rows = restored(store, state, recorded)
    refuse_diverged(state.bad, every.described, store.folder)
    length = -(-len(recorded) // _SEGMENTS)
    while len(rows) < len(recorded):
        part = recorded[len(rows) : len(rows) + length]
        targets = np.append(part, np.full(length - len(part), part[-1])).astype(np.int32)
        state, columns = advance(state, every.seeds, every.hyper, jnp.asarray(targets))
        rows += [tuple(x[row] for x in columns) for row in range(len(part))]
        content = [np.stack(column) for column in zip(*rows, strict=True)]
        store.save(int(state.step), state, {"steps": recorded[: len(rows)], "scores": content})
        refuse_diverged(state.bad, every.described, store.folder)
        execution.tell("training", int(part[-1]), int(recorded[-1]))
    columns = [np.stack(column, axis=1) for column in zip(*rows, strict=True)]
    return [x.reshape(*every.grid, *x.shape[1:]) for x in columns]


def settings(space: MetricSpace, design: Any, hyper: Numbers, key: Any, runs: int) -> dict[str, Any]:
    """What has to be the same when a run is resumed."""
    stimuli = {"space": space.label, "distances": fingerprint(space.distances)}
    numbers = {name: value.tolist() for name, value in hyper.numbers().items()}
    return stimuli | dataclasses.asdict(design) | numbers | setting(key) | {"runs": runs}


def restored(store: Store, state: Any, recorded: np.ndarray) -> tuple[Any, list[tuple[np.ndarray, ...]]]:
    """The state of the newest checkpoint and scores of the steps recorded so far, or the state given and no scores.

    Raises:
        ValueError: the checkpoint lacks the scores of a step, or is past the last one.
    """
    state, content = store.restore(state)
    if content is None:
        return state, []
    there, now = np.asarray(content["steps"]).tolist(), int(state.step)
    wanted = [int(step) for step in recorded if step <= now]
    missing = [step for step in wanted if step not in there]
    past = now > recorded[-1]
    if missing or past:
        what = f"is at step {now}, past the last one asked for" if past else f"has no record of step {missing[0]}"
        raise ValueError(
            f"can't resume: the checkpoint in {str(store.folder)!r} {what} (give the steps and records that it was "
            "made with, or leave out resume)"
        )
    columns = [np.asarray(x) for x in content["scores"]]
    return state, [tuple(column[there.index(step)] for column in columns) for step in wanted]


def recorded_steps(records: int | Sequence[int] | np.ndarray, steps: int) -> np.ndarray:
    """The steps that `records` asks for, how many or which, with 0 and the last.

    Raises:
        ValueError: one before 0 or after the last.
    """
    if np.ndim(records) == 0:
        return record_steps(steps, int(records))  # pyright: ignore[reportArgumentType]
    recorded = np.unique(np.append(np.asarray(records, np.int64), [0, steps]))
    if recorded[0] < 0 or recorded[-1] > steps:
        wrong = recorded[0] if recorded[0] < 0 else recorded[-1]
        raise ValueError(f"recorded steps must be from 0 to steps = {steps}; got {wrong}")
    return recorded


def _start(keys: list[Any], hyper: Hyper, size: int, design: Design) -> State:
    """Fresh networks, and Adam's moments of zero."""

    return begun(fresh(keys, hyper.scale, stimuli=size, hidden=design.hidden, slots=design.slots))


def fresh(keys: list[Any], scale: Any, **sizes: int) -> Any:
    """Parameters of a new `ToyAutoencoder` of those sizes for each key, runs in front."""

    def network(key: Any) -> ToyAutoencoder:
        return ToyAutoencoder(**sizes, scale=1.0, rngs=nnx.Rngs(params=key))

    params = [nnx.state(network(jax.random.fold_in(key, 0)), nnx.Param) for key in keys]
    params = jax.tree.map(lambda *x: jnp.stack(x), *params)
    return jax.tree.map(lambda x: x * jnp.asarray(scale)[:, None, None, None], params)


def begun(params: Any) -> State:
    """Where runs with those parameters begin."""
    runs = len(jax.tree.leaves(params)[0])
    moments = jax.vmap(optax.adam(1.0).init)(params)
    return State(params, moments, jnp.full(runs, -1, jnp.int32), jnp.zeros((), jnp.int32))


@functools.partial(jax.jit, static_argnames=("design", "weighed"))
def _advance(
    state: State, seeds: Array, hyper: Hyper, task: Task, targets: Array, design: Design, weighed: Terms
) -> tuple[State, tuple[Array, ...]]:
    """Train to each of the target steps in turn and score there: the state, and scores with targets in front."""

    def step(number: Array, carry: Any) -> Any:
        params = carry[0]
        (maps,), tree = jax.tree.flatten(params)
        losses, slope = slopes(maps, seeds, hyper, number.astype(jnp.uint32), task, design, weighed)
        return stepped(carry, number, losses, tree.unflatten([slope]), hyper.learning_rate)

    def record(state: State, target: Array) -> tuple[State, tuple[Array, ...]]:
        turned = _turned(state.params), _turned(state.moments), state.bad
        params, moments, bad = jax.lax.fori_loop(state.step, target, step, turned)
        params, moments = _turned(params), _turned(moments)
        weights = jax.tree.leaves(params)[0]
        scored = jax.lax.map(lambda x: scores(x[0], x[1], x[2], task, design), (weights, seeds, hyper.floor))
        return State(params, moments, bad, target), (*scored, weights)

    return jax.lax.scan(record, state, targets)


def stepped(carry: Any, number: Array, losses: Array, slope: Any, rate: Array) -> Any:
    """Parameters, moments and `bad` of all runs after a step of Adam; of a run without a loss the last good ones stay.

    Args:
        carry: parameters, a pytree with runs in front, Adam's moments, (R,) first step without a finite loss, or -1.
        number: of the step.
        losses: (R,).
        slope: of the parameters.
        rate: (R,) learning rates.
    """
    params, moments, bad = carry
    change, new_moments = jax.vmap(_adam)(rate, slope, moments)
    new, finite = optax.apply_updates(params, change), jnp.isfinite(losses)
    for leaf in jax.tree.leaves(new):
        finite = finite & jnp.all(jnp.isfinite(leaf), axis=tuple(range(1, leaf.ndim)))
    bad = jnp.where((bad < 0) & ~finite, number, bad)
    kept = jax.vmap(lambda bad, x, y: jax.tree.map(functools.partial(jnp.where, bad < 0), x, y))
    return *kept(bad, (new, new_moments), (params, moments)), bad


def _adam(rate: Array, slope: Any, moments: Any) -> tuple[Any, Any]:
    """What is to be added to the weights of a run, and its new moments."""
    return optax.adam(rate).update(slope, moments)


def _turned(tree: Any) -> Any:
    """Maps as (R, S, m, N), in which products are fastest, of (R, S, N, m), and the other way round."""
    return jax.tree.map(lambda x: jnp.swapaxes(x, -1, -2) if x.ndim == 4 else x, tree)
