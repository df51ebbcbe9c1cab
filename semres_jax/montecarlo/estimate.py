"""The Monte Carlo estimator: any space with a distance and a sampler, any similarity, any number of items."""

import dataclasses
import inspect
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from semres_jax._checks import brief, concrete, require_count, require_exponent, require_items
from semres_jax._random import checked_key, setting
from semres_jax._surroundings import on_host
from semres_jax._types import Estimate, Progress
from semres_jax.execution import Execution
from semres_jax.montecarlo import sharding
from semres_jax.montecarlo._errors import RESOLUTION as RESOLUTION
from semres_jax.montecarlo._reading import read
from semres_jax.montecarlo._run import SHIFTS as SHIFTS, Run
from semres_jax.similarity import checked
from semres_jax.spaces.named import on_space

DEFAULT_TRIALS = 2**20
# Trials at most where only a standard error is asked for: a quarter of an hour at 10^9 a second.
MOST_TRIALS = 2**40
_COUNTABLE = 2**60
# Standard errors below so many times 2^-32 hardly fall any more.
_FLOOR = 1.5


@on_host("estimate")
@on_space
def estimate(
    space: Any,
    similarity: Any,
    *,
    key: Any,
    trials: Any = None,
    target_stderr: Any = None,
    n: Any = 2,
    exponent: Any = 1.0,
    method: str = "lattice",
    replace: bool = False,
    chunk: int | None = None,
    devices: Any = None,
    progress: Callable[..., Any] | None = None,
    execution: Execution | None = None,
) -> Estimate:
    """Monte Carlo estimate of p_S and p_I, both from the same trials, with standard errors.

    A trial draws a probe and n items from the space's measure. Its credit is the Luce probability of the right answer
    (`semres_jax.choice`), in the similarity task for the item closest to the probe, in the identification task for the
    probe itself among n - 1 of the items.

    Wholes of several features, compared by `Slots` on a `Product`, have the strengths that the slots give, while the
    closest is that of the smallest distance by the product's metric; if k are as close, each is right with 1/k. With an
    infinite exponent strengths that are alike to 12 digits tie.

    The answer depends on key, trials and method alone, bit for bit: not on `chunk`, the number of devices or of the
    processes that `jax.distributed` joined, nor on whether it was made in one go. Every process gets all of it.

    Balls of spheres, balls, gaussians, hyperbolic disks and tori by "l2" are told in 32 bits where these are certain,
    and in 64 bits where an item is so near to the edge that rounding may matter: counts are those of 64 bits.

    Args:
        space: any `MetricSpace`, or its name or file, as `spaces.get` takes it.
        similarity: any `Similarity`; a stacked one (`similarity.stack`, or array leaves) sees the same trials in all
            its members, in one compiled pass. `Slots` take a product of as many features.
        key: a JAX random key, or a seed.
        trials: how many; for the lattice rounded up to a whole number of shifts (by less than 1/16). With
            `target_stderr`: at most about so many. Default 2^20.
        target_stderr: stop as soon as every standard error is at most this; > 0. Without `trials` it warns where that
            is out of reach: after 2^40 trials, or when standard errors are down to the 2^-32 that points are apart.
        n: number of items, >= 2.
        exponent: Luce exponent >= 0; infinity is argmax.
        method: "lattice" (randomised quasi-Monte Carlo: error falls almost as 1/trials, standard error from 16 to 31
            independent shifts; a lattice is full at 2^31 points, beyond 16 to 31 times as many trials several are
            averaged) or "prng" (plain Monte Carlo).
        replace: on finite spaces, whether stimuli may repeat; elsewhere it makes no difference.
        chunk, devices, progress: those of `execution`, where they are given; progress is told after each call of the
            devices, and may leave out what is being done: a function of (done, planned).
        execution: how to run. With `saved` the estimate goes on from what is kept under `cell`, and keeps its sums
            there; a `Saved` that isn't open yet is opened for this estimate alone, and completed with it.

    Returns:
        `Estimate`, arrays of the similarity's shape in float64. On finite spaces without replacement mean_b and var_b
        are those of the share of the *other* stimuli within epsilon. Standard errors add to the scatter what rare
        events that were hardly drawn, or not at all, may contribute: they are bounds where few trials carry the
        estimate. On spaces with atoms a resolution in float32 means the distance that it is rounded from.

    Raises:
        TypeError: an argument is traced (in `jit`, `vmap`, `grad`): trials are made on the host's word.
        ValueError: n < 2, trials < 1 or above 2^60, target_stderr <= 0, unknown method, more distinct stimuli than
            there are; slots on another space than a product of as many features; what was saved is of another
            estimate.

    Warns:
        UserWarning: `target_stderr` is out of reach and no number of trials was given.

    Example:
        >>> import jax
        >>> from semres_jax import Constant, estimate, spaces
        >>> e = estimate(spaces.get("circle"), Constant(0.25), key=jax.random.key(0), trials=2**20)
        >>> bool(abs(e.p_s - 0.75) < 5 * e.p_s_stderr)
        True
    """
    started = time.perf_counter()
    checked(similarity, space)
    n = require_items(n)
    limit = require_count("trials", trials, 1) if trials is not None else None
    if limit is not None and limit > _COUNTABLE:
        raise ValueError(f"trials must be at most 2^60, to be counted in 64 bits; got {trials}")
    if target_stderr is not None:
        known = concrete(target_stderr, "target_stderr")
        if known is None or known.ndim or not known > 0:
            raise ValueError(f"target_stderr must be one positive number; got {brief(target_stderr)}")
        target_stderr = float(known)
    if method not in ("lattice", "prng"):
        raise ValueError(f"method must be 'lattice' or 'prng'; got {method!r}")
    given = {"chunk": chunk, "devices": devices, "progress": _listener(progress)}
    how = dataclasses.replace(execution or Execution(), **{name: x for name, x in given.items() if x is not None})
    if how.chunk is not None:
        require_count("chunk", how.chunk, 1)
    key = checked_key(key)
    power = float(require_exponent(exponent))  # pyright: ignore[reportArgumentType]
    if not replace:
        space.require_distinct(n)
    run = Run(space, similarity, key, n, power, method, replace, how.chunk, sharding.resolve(how.devices))
    cap = limit if limit is not None else (MOST_TRIALS if target_stderr is not None else DEFAULT_TRIALS)
    plan = cap if target_stderr is None else min(cap, DEFAULT_TRIALS)
    saved = how.saved
    if saved is not None and not saved.opened:
        from semres_jax.storage.fingerprints import fingerprint

        saved.open({
            "run": "estimate", "trials": limit, "target_stderr": target_stderr, "n": n, "exponent": repr(power),
            "method": method, "replace": replace, "space": fingerprint(space), "similarity": fingerprint(similarity),
        } | setting(key))  # fmt: skip
        if (numbers := saved.finished(how.cell)) is None:
            result = _extended(run, plan, cap, target_stderr, limit, how, started)
            numbers = {name: np.asarray(value) for name, value in result._asdict().items()}
            saved.finish(how.cell, numbers)
        saved.complete()
        scalars: Any = {"trials": int(numbers["trials"]), "seconds": float(numbers["seconds"])}
        return Estimate(**numbers | scalars)
    return _extended(run, plan, cap, target_stderr, limit, how, started)


def _listener(progress: Callable[..., Any] | None) -> Progress | None:
    """A function of (done, planned) as one of (what is being done, done, planned)."""
    try:
        calls = None if progress is None else inspect.signature(progress)
    except ValueError:  # of some functions written in C
        calls = None
    if calls is None or progress is None:
        return progress
    try:
        calls.bind("estimate", 0, 1)
    except TypeError:
        return lambda what, done, planned: progress(done, planned)
    return progress


def _extended(
    run: Run, plan: int, cap: int, target_stderr: float | None, limit: int | None, how: Execution, started: float
) -> Estimate:
    """The run, gone on with until its trials are made or its standard errors are small enough."""
    saved, cell, listener = how.saved, how.cell, how.progress
    if saved is not None and (state := saved.running(cell)) is not None:
        run.restore(state)
        plan = run.plan or plan
    progress = None if listener is None else (lambda done, planned: listener(cell, done, planned))
    keep = None if saved is None else (lambda snapshot: saved.keep(cell, snapshot))
    while True:
        run.extend(plan, progress, keep)
        result = read(run, started)
        if target_stderr is None:
            return result
        worst = max(float(np.max(result.p_s_stderr)), float(np.max(result.p_i_stderr)))
        if worst <= target_stderr or run.trials >= cap:
            if worst > target_stderr and limit is None:
                _warn(target_stderr, worst, run.trials)
            return result
        if worst < _FLOOR * RESOLUTION:
            _warn(target_stderr, worst, run.trials)
            return result
        # plain Monte Carlo knows what it still needs; a lattice can only be doubled
        needed = 2.0 if run.method == "lattice" else min(1.1 * (worst / target_stderr) ** 2, 64.0)
        plan = min(cap, int(np.ceil(run.trials * max(needed, 1.1))))


def _warn(target: float, worst: float, trials: int) -> None:
    floor = f"; 2^-32 = {RESOLUTION:.2g} is the least there is" if target < _FLOOR * RESOLUTION else ""
    warnings.warn(
        f"target_stderr = {target:g} was not reached: the largest standard error is {worst:.2g} after {trials:,} "
        f"trials{floor}",
        stacklevel=4,
    )
