"""The Monte Carlo estimator: any space with a distance and a sampler, any similarity, any number of items."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import choice
from semres_jax._checks import concrete, require_count
from semres_jax._types import Array, Estimate
from semres_jax.laws import enumeration
from semres_jax.montecarlo import sharding, tally
from semres_jax.montecarlo.exact_sum import ExactSum
from semres_jax.montecarlo.uniforms import lattice_words, prng_words
from semres_jax.similarity import Constant, Similarity, flatten
from semres_jax.spaces._base import MetricSpace

DEFAULT_TRIALS = 2**20
# A lattice run has between SHIFTS and 2 SHIFTS - 1 independent shifts, whose scatter gives the standard error.
SHIFTS = 16
# Points differ by steps of 2^-32 at best; no standard error is reported below that.
RESOLUTION = 2.0**-32
# Distances in one tile, and trials that one seed of the pseudo-random generator serves.
_TILE, _STREAM = 2**19, 2**30
# Trials between two looks of the host: progress, standard error, Ctrl-C.
DEFAULT_CHUNK = 2**24


def estimate(
    space: MetricSpace,
    similarity: Similarity,
    *,
    key: Any,
    trials: int | None = None,
    target_stderr: float | None = None,
    n: int = 2,
    exponent: Any = 1.0,
    method: str = "lattice",
    replace: bool = False,
    chunk: int = DEFAULT_CHUNK,
    devices: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate:
    """Monte Carlo estimate of p_S and p_I, both from the same trials, with standard errors.

    A trial draws a probe and n items from the space's measure. Its credit is the Luce probability of the right answer
    (`semres_jax.choice`), in the similarity task for the item closest to the probe, in the identification task for the
    probe itself among n - 1 of the items.

    The answer depends on key, trials and method alone, bit for bit: not on `chunk` or the number of devices.

    Args:
        space: any `MetricSpace`.
        similarity: any `Similarity`; a stacked one (`similarity.stack`, or array leaves) sees the same trials in all
            its members, in one compiled pass.
        key: a JAX random key.
        trials: how many; for the lattice rounded up to a whole number of shifts (by less than 1/16). With
            `target_stderr`: at most about so many. Default 2^20.
        target_stderr: stop as soon as every standard error is at most this; > 0.
        n: number of items, >= 2.
        exponent: Luce exponent >= 0; infinity is argmax.
        method: "lattice" (randomised quasi-Monte Carlo: error falls almost as 1/trials, standard error from 16 to 31
            independent shifts) or "prng" (plain Monte Carlo).
        replace: on finite spaces, whether stimuli may repeat; elsewhere it makes no difference.
        chunk: trials per dispatch to the devices.
        devices: devices, or how many; default all local ones.
        progress: called with (trials done, trials planned) after each chunk.

    Returns:
        `Estimate`, arrays of the similarity's shape in float64. On finite spaces without replacement mean_b and var_b
        are those of the share of the *other* stimuli within epsilon.

    Raises:
        ValueError: n < 2, trials < 1, target_stderr <= 0, unknown method, more distinct stimuli than there are.

    Example:
        >>> import jax
        >>> from semres_jax import Constant, estimate, spaces
        >>> e = estimate(spaces.get("circle"), Constant(0.25), key=jax.random.key(0), trials=2**20)
        >>> bool(abs(e.p_s - 0.75) < 5 * e.p_s_stderr)
        True
    """
    started = time.perf_counter()
    n = require_count("n", n, 2, " (the probe needs items to choose from)")
    limit = require_count("trials", trials, 1) if trials is not None else None
    if target_stderr is not None and not target_stderr > 0:
        raise ValueError(f"target_stderr must be positive; got {target_stderr}")
    if method not in ("lattice", "prng"):
        raise ValueError(f"method must be 'lattice' or 'prng'; got {method!r}")
    require_count("chunk", chunk, 1)
    if not (isinstance(key, jax.Array) and (jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or key.shape == (2,))):
        raise ValueError(f"key must be a JAX random key; got {key!r} (try jax.random.key(0))")
    power = concrete(exponent)
    if power is None or power.ndim or not power >= 0:
        raise ValueError(f"exponent must be one number, at least 0; got {exponent!r}")
    if not replace:
        enumeration.require_distinct(space, n)
    run = _Run(space, similarity, key, n, float(power), method, replace, chunk, sharding.resolve(devices))
    cap = limit if limit is not None else (2**40 if target_stderr is not None else DEFAULT_TRIALS)
    plan = cap if target_stderr is None else min(cap, DEFAULT_TRIALS)
    while True:
        run.extend(plan, progress)
        result = run.result(started)
        if target_stderr is None or run.trials >= cap:
            return result
        worst = max(float(np.max(result.p_s_stderr)), float(np.max(result.p_i_stderr)))
        if worst <= target_stderr:
            return result
        # plain Monte Carlo knows what it still needs; a lattice can only be doubled
        needed = 2.0 if method == "lattice" else min(1.1 * (worst / target_stderr) ** 2, 64.0)
        plan = min(cap, int(np.ceil(run.trials * max(needed, 1.1))))


class _Static(NamedTuple):
    """What decides the compiled program of a tile, apart from the shapes of its arguments."""

    n: int
    method: str
    replace: bool
    lanes: int
    whole: bool  # no trial of any tile is to be left out
    counting: bool  # constant similarity: integer counts, else credits
    luce: bool  # exponent 1
    crowd: int  # counting: how close the epsilons lie


class _Plan(NamedTuple):
    """Where the trials of a pass are: `streams` runs of points start, ..., start + points - 1, tile after tile."""

    streams: int
    start: int
    points: int
    log2_points: int  # lattice: the number of points that the steps between them are made for
    half: bool  # lattice: the points halfway between those of the level before


def _tile(static: _Static, tile: Array, key, space, similarity, exponent, layout) -> Array:
    """Sums over one tile: moments or counts of its `lanes` trials."""
    start, points, log2_points, half = layout
    half = half != 0
    per_stream = -(-points // static.lanes)
    stream, part = tile // per_stream, tile % per_stream
    if static.method == "prng":  # one long run of trials, a new seed every _STREAM
        first = start + tile * static.lanes
        stream, offset, last = first // _STREAM, first % _STREAM, points - tile * static.lanes
    else:
        offset, last = part * static.lanes, points - part * static.lanes
    lane = jnp.arange(static.lanes, dtype=jnp.uint32)
    trial = offset.astype(jnp.uint32) + lane
    if static.method == "prng":
        words = prng_words(key, stream, trial)
    else:
        # The points halfway are the odd ones of a lattice of twice the size.
        trial = jnp.where(half, 2 * trial + 1, trial)
        dimensions = (static.n + 1) * space.uniforms
        words = lattice_words(key, stream, trial, log2_points + half, dimensions, even=space.uniforms)
    d = tally.distances(space, words, static.n, static.replace)
    valid = None if static.whole else lane < jnp.clip(last, 0, static.lanes).astype(jnp.uint32)
    if static.counting:
        return tally.histogram(d, similarity, static.crowd, valid)
    return tally.credits(d, similarity, None if static.luce else exponent, valid)


class _Run:
    """One estimate in the making: sums so far, by shift, and how to extend and to read them."""

    def __init__(self, space, similarity, key, n, exponent, method, replace, chunk, devices):
        self.space, self.n, self.exponent, self.method, self.replace = space, n, exponent, method, replace
        self.chunk, self.devices, self.key = chunk, devices, key
        self.shape = similarity.shape
        # Equal weights make items exchangeable, which the counts of K take for granted.
        self.counting = isinstance(similarity, Constant) and not (enumeration.unequal(space) and not replace)
        self.similarity = similarity
        with jax.enable_x64(True):
            if self.counting:
                epsilon = np.broadcast_to(np.asarray(similarity.epsilon, np.float64), self.shape)
                self.epsilons, self.member = np.unique(epsilon, return_inverse=True)
                swept: Any = self.epsilons
            else:
                swept = flatten(similarity)
            replicated = jax.sharding.NamedSharding(
                jax.sharding.Mesh(np.array(devices), ("device",)), jax.sharding.PartitionSpec()
            )
            arguments = (key, space, swept, np.float64(exponent))
            self.arguments = jax.device_put(jax.tree.map(_float64, arguments), replicated)
        self.sums: ExactSum | None = None
        self.trials = 0
        self.level = -1  # lattice: log2 of the points per shift so far
        self.shifts = 1

    def extend(self, trials: int, progress) -> None:
        """Go on to (about) `trials` trials in all."""
        if self.method == "prng":
            tile = self._lanes(_TILE)
            for part in ((trials - self.trials) // tile * tile, (trials - self.trials) % tile):
                if part:  # whole tiles, then what is left of one
                    self._pass(_Plan(1, self.trials, part, 0, False), trials, progress)
            return
        if self.level < 0:
            self.level = min(max(0, (trials // SHIFTS).bit_length() - 1), 31)
            self.shifts = max(2, -(-trials // 2**self.level))
            self._pass(_Plan(self.shifts, 0, 2**self.level, self.level, False), trials, progress)
            return
        while self.trials < trials and self.level < 31:
            self._pass(_Plan(self.shifts, 0, 2**self.level, self.level, True), trials, progress)
            self.level += 1

    def _pass(self, plan: _Plan, planned: int, progress) -> None:
        lanes = self._lanes(plan.points)
        per_stream = -(-plan.points // lanes)
        tiles = plan.streams * per_stream
        whole, luce = plan.points % lanes == 0, self.counting or self.exponent == 1.0
        crowd = tally.crowding(self.epsilons, self.space.has_ticks) if self.counting else 0
        static = _Static(self.n, self.method, self.replace, lanes, whole, self.counting, luce, crowd)
        per_device = max(1, min(-(-self.chunk // lanes), -(-tiles // len(self.devices))))
        per_device = _power_of_two(per_device)  # few sizes, few compilations
        with jax.enable_x64(True):
            shape = self._shape_of_sums()
            program = sharding.over_devices(_tile, static, shape, self.devices, per_device)
            step = per_device * len(self.devices)
            layout = tuple(np.int64(x) for x in (plan.start, plan.points, plan.log2_points, plan.half))
            waiting: list[tuple[int, int, Array]] = []
            for first in range(0, tiles, step):
                count = min(step, tiles - first)
                waiting.append((first, count, program(np.int64(first), np.int64(count), *self.arguments, layout)))
                if len(waiting) == 2:  # the host adds up one chunk while the devices work on the next
                    self._add(*waiting.pop(0), per_stream, plan, lanes, planned, progress)
            for item in waiting:
                self._add(*item, per_stream, plan, lanes, planned, progress)

    def _shape_of_sums(self) -> jax.ShapeDtypeStruct:
        """What one tile adds up to."""
        if self.counting:
            return jax.ShapeDtypeStruct((len(self.epsilons), self.n + 1), np.int32)
        return jax.ShapeDtypeStruct((int(np.prod(self.shape)), len(tally.MOMENTS)), np.float64)

    def _lanes(self, points: int) -> int:
        """Trials in a tile: a power of two; short runs have a few tiles too, so that they can be timed and spread."""
        return min(
            max(_TILE // _power_of_two(self.n), 1), max(_power_of_two(points) // 4, _power_of_two(min(points, 2**10)))
        )

    def _add(self, first, count, sums, per_stream, plan, lanes, planned, progress) -> None:
        values = np.asarray(sums)[:count]
        if self.sums is None:
            self.sums = ExactSum((self.shifts, *values.shape[1:]))
        shift = np.zeros(count, int) if self.method == "prng" else np.arange(first, first + count) // per_stream
        self.sums.add(shift, values)
        tiles_done = first + count
        whole, part = divmod(tiles_done, per_stream)
        done = whole * plan.points + min(part * lanes, plan.points)
        if tiles_done == plan.streams * per_stream:
            self.trials += plan.streams * plan.points
            done = 0
        if progress is not None:
            progress(self.trials + done, max(planned, self.trials + done))

    def result(self, started: float) -> Estimate:
        """What the sums say."""
        assert self.sums is not None
        per_shift = self.trials // self.shifts
        read = self._from_counts if self.counting else self._from_moments
        means, squares = read(self.sums.value() / per_shift)  # (4, shifts, members); (3, members)
        mean = means.mean(axis=1)
        if self.method == "prng":
            variance, rounding = np.maximum(squares - mean[:3] ** 2, 0.0) / max(self.trials - 1, 1), 1e-14 / self.trials
        else:
            variance, rounding = means[:3].var(axis=1, ddof=1) / self.shifts, 1e-28
        p_s, p_i, mean_b, square_b = mean
        # E[b]² is estimated without bias by mean² - (standard error of the mean)².
        var_b = square_b - (mean_b**2 - variance[2])
        if self.space.size is not None and not self.replace:
            mean_b, var_b = self._among_the_others(mean_b, square_b, variance[2])
        # Where no two trials (or shifts) differ, an event of probability up to about 1/trials may still have been
        # missed: the standard error of a count of one, not zero.
        stderr = np.sqrt(np.where(variance < rounding, 1.0 / self.trials**2, variance) + RESOLUTION**2)
        if self.trials == 1:
            stderr = np.full_like(stderr, np.inf)
        fields = (p_s, p_i, stderr[0], stderr[1], mean_b, var_b)
        arrays = [np.asarray(field).reshape(self.shape)[()] for field in fields]
        return Estimate(*arrays, trials=self.trials, seconds=time.perf_counter() - started)

    def _from_counts(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means per shift of (p_S, p_I, K/n, pairs) and overall mean squares of the first three."""
        n = self.n
        delta = np.broadcast_to(np.asarray(self.similarity.delta, np.float64), self.shape).ravel()
        similar, identify = choice.constant_credits(n, delta, self.exponent)  # (members, n + 1)
        counts = counts[:, self.member.ravel(), :]  # (shifts, members, n + 1)
        k = np.arange(n + 1)
        share = np.broadcast_to(k / n, similar.shape)
        pairs = np.broadcast_to(k * (k - 1) / (n * (n - 1)), similar.shape)
        values = np.stack([similar, identify, share, pairs])
        means = np.einsum("smk,vmk->vsm", counts, values)
        squares = np.einsum("smk,vmk->vm", counts, values[:3] ** 2) / self.shifts
        return means, squares

    def _from_moments(self, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = self.n
        p_s, p_s2, p_i, p_i2, k, k2 = np.moveaxis(moments, -1, 0)  # each (shifts, members)
        means = np.stack([p_s, p_i, k / n, (k2 - k) / (n * (n - 1))])
        squares = np.stack([p_s2, p_i2, k2 / n**2]).mean(axis=1)
        return means, squares

    def _among_the_others(self, mean_b, square_b, variance):
        """Moments of the share of the other stimuli within epsilon, from distinct draws."""
        if not enumeration.unequal(self.space):
            others = self.space.size - 1
            # E over distinct pairs is k(k - 1) / (m(m - 1)) for a probe with k of the m others in its ball.
            square_b = square_b * (others - 1) / others + mean_b / others
            return mean_b, square_b - (mean_b**2 - variance)
        epsilon = getattr(self.similarity, "epsilon", None)
        if epsilon is None:
            return mean_b, square_b * np.nan
        return enumeration.share_moments(self.space, np.broadcast_to(epsilon, self.shape).ravel())


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()


def _float64(leaf):
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
        return leaf
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array
