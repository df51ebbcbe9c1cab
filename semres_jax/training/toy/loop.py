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
from semres_jax.training.toy.settings import Design as Design, Hyper as Hyper
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


class _State(NamedTuple):
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
    recorded = _recorded(records, steps)
    with jax.enable_x64(True):
        task = make_task(space, design)
        grid = hyper.shape
        members = math.prod(grid)
        flat = jax.tree.map(lambda x: np.repeat(np.broadcast_to(x, grid).ravel(), runs).astype(np.float32), hyper)
        keys = [jax.random.fold_in(key, r) for r in range(runs)] * members
        words = jnp.stack([jax.random.bits(jax.random.fold_in(run, 1), (2,), jnp.uint32) for run in keys])
        state = _start(keys, flat, space.size or 0, design)
        advance = Parts(_advance, len(keys), task, (design, terms(hyper)), sharding.resolve(execution.devices))

        def described(number: int, step: int) -> str:
            member, run = divmod(number, runs)
            values = ((name, np.broadcast_to(x, grid).ravel()[member]) for name, x in hyper.numbers().items())
            return f"step {step} of run {run} with {', '.join(f'{name} = {value:g}' for name, value in values)}"

        with Store(checkpoint, settings(space, design, hyper, key, runs), resume) as store:
            state, rows = restored(store, state, recorded)
            refuse_diverged(state.bad, described, checkpoint)
            length = -(-len(recorded) // _SEGMENTS)
            while len(rows) < len(recorded):
                part = recorded[len(rows) : len(rows) + length]
                targets = np.append(part, np.full(length - len(part), part[-1])).astype(np.int32)
                state, columns = advance(state, words, flat, jnp.asarray(targets))
                rows += [tuple(x[row] for x in columns) for row in range(len(part))]
                content = [np.stack(column) for column in zip(*rows, strict=True)]
                store.save(int(state.step), state, {"steps": recorded[: len(rows)], "scores": content})
                refuse_diverged(state.bad, described, checkpoint)
                execution.tell("training", int(part[-1]), steps)
    columns = [np.stack(column, axis=1) for column in zip(*rows, strict=True)]
    shaped = [x.reshape(*grid, runs, *x.shape[1:]) for x in columns]
    return History(recorded, np.array(design.test_items), *shaped)


def settings(space: MetricSpace, design: Design, hyper: Hyper, key: Any, runs: int) -> dict[str, Any]:
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


def _recorded(records: int | Sequence[int] | np.ndarray, steps: int) -> np.ndarray:
    if np.ndim(records) == 0:
        return record_steps(steps, int(records))  # pyright: ignore[reportArgumentType]
    recorded = np.unique(np.append(np.asarray(records, np.int64), [0, steps]))
    if recorded[0] < 0 or recorded[-1] > steps:
        wrong = recorded[0] if recorded[0] < 0 else recorded[-1]
        raise ValueError(f"recorded steps must be from 0 to steps = {steps}; got {wrong}")
    return recorded


def _start(keys: list[Any], hyper: Hyper, size: int, design: Design) -> _State:
    """Fresh networks, and Adam's moments of zero."""

    def network(key: Any) -> ToyAutoencoder:
        return ToyAutoencoder(size, design.hidden, slots=design.slots, scale=1.0, rngs=nnx.Rngs(params=key))

    params = [nnx.state(network(jax.random.fold_in(key, 0)), nnx.Param) for key in keys]
    params = jax.tree.map(lambda *x: jnp.stack(x), *params)
    params = jax.tree.map(lambda x: x * jnp.asarray(hyper.scale)[:, None, None, None], params)
    moments = jax.vmap(optax.adam(1.0).init)(params)
    return _State(params, moments, jnp.full(len(keys), -1, jnp.int32), jnp.zeros((), jnp.int32))


@functools.partial(jax.jit, static_argnames=("design", "weighed"))
def _advance(
    state: _State, seeds: Array, hyper: Hyper, task: Task, targets: Array, design: Design, weighed: Terms
) -> tuple[_State, tuple[Array, ...]]:
    """Train to each of the target steps in turn and score there: the state, and scores with targets in front."""

    def step(number: Array, carry: Any) -> Any:
        params, moments, bad = carry
        (maps,), tree = jax.tree.flatten(params)
        losses, slope = slopes(maps, seeds, hyper, number.astype(jnp.uint32), task, design, weighed)
        change, new_moments = jax.vmap(_adam)(hyper.learning_rate, tree.unflatten([slope]), moments)
        new = optax.apply_updates(params, change)
        finite = jnp.isfinite(losses) & jnp.all(jnp.isfinite(jax.tree.leaves(new)[0]), axis=(1, 2, 3))
        bad = jnp.where((bad < 0) & ~finite, number, bad)
        # Of a run without a loss the last good weights stay.
        kept = jax.vmap(lambda bad, x, y: jax.tree.map(functools.partial(jnp.where, bad < 0), x, y))
        return *kept(bad, (new, new_moments), (params, moments)), bad

    def record(state: _State, target: Array) -> tuple[_State, tuple[Array, ...]]:
        turned = _turned(state.params), _turned(state.moments), state.bad
        params, moments, bad = jax.lax.fori_loop(state.step, target, step, turned)
        params, moments = _turned(params), _turned(moments)
        weights = jax.tree.leaves(params)[0]
        scored = jax.lax.map(lambda x: scores(x[0], x[1], x[2], task, design), (weights, seeds, hyper.floor))
        return _State(params, moments, bad, target), (*scored, weights)

    return jax.lax.scan(record, state, targets)


def _adam(rate: Array, slope: Any, moments: Any) -> tuple[Any, Any]:
    """What is to be added to the weights of a run, and its new moments."""
    return optax.adam(rate).update(slope, moments)


def _turned(tree: Any) -> Any:
    """Maps as (R, S, m, N), in which products are fastest, of (R, S, N, m), and the other way round."""
    return jax.tree.map(lambda x: jnp.swapaxes(x, -1, -2) if x.ndim == 4 else x, tree)
