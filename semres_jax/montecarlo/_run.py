"""One estimate in the making: its trials, tile by tile, over devices and hosts, and what they add up to."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax import choice
from semres_jax._shells import coarse_resolutions, on_shells
from semres_jax._surroundings import usual
from semres_jax._types import Array
from semres_jax.montecarlo import _rows, _slots, sharding, tally
from semres_jax.montecarlo.exact_sum import ExactSum
from semres_jax.montecarlo.uniforms import WordSource, joined, lattice_rows, lattice_words, padded, prng_words, streams
from semres_jax.similarity import Constant, Similarity, Slots, flatten
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.hamming import Hamming
from semres_jax.spaces.product import Product
from semres_jax.storage import processes
from semres_jax.storage.fingerprints import fingerprint

# A lattice run has between SHIFTS and 2 SHIFTS - 1 independent shifts, whose scatter gives the standard error.
SHIFTS = 16
# Distances in one tile: as many as a core's cache takes, elsewhere as many as keep the device busy.
_TILE, _TILE_ELSEWHERE = 2**19, 2**24
# log2 of the points of a lattice that is full: their steps of 2^-32 of the unit cube serve no more. A run goes on with
# lattices of other shifts then.
LOG2_LATTICE = 31
# log2 of the trials that one seed of the pseudo-random generator serves, and trials of one pass at most.
_LOG2_STREAM, _PASS = 30, 2**40
# Trials of one call of the devices at most, and bytes of its sums.
_LONGEST, _BYTES = 2**26, 2**24
# Seconds between two calls that end, which is how often progress is digest, and between two merges of the hosts' sums.
_CALL_SECONDS, _MERGE_SECONDS = 0.05, 2.0
# Nats of ln(1/g) from which on a strength is about to underflow, and how far unbounded spaces are looked at.
_UNDERFLOW, _FAR = 600.0, 64.0
# Arrays of a state beside the sums: where the run is.
_PLACE = ("plan", "trials", "level", "shifts", "tiles")


class _Static(NamedTuple):
    """What decides the compiled program of a tile, apart from the shapes of its arguments."""

    n: int
    method: str
    replace: bool
    lanes: int
    whole: bool  # no trial of any tile is to be left out
    counting: bool  # constant similarity: integer counts, else credits
    rule: str  # how credits are made of strengths: see `tally`
    crowd: int  # counting: how close the epsilons lie
    rows: _rows.Shape | None  # counting at one epsilon: how the trials of a tile are laid out


class _Plan(NamedTuple):
    """Where the trials of a pass are: `streams` runs of points start, ..., start + points - 1, tile after tile."""

    first: int  # of the streams
    streams: int
    start: int
    points: int
    log2_points: int  # lattice: the number of points that the steps between them are made for
    half: bool  # lattice: the points halfway between those of the level before


def _tile(static: _Static, tile: Array, streams, space, similarity, exponent, layout) -> Array:
    """Sums over one tile: moments or counts of its `lanes` trials."""
    start, points, log2_points, half, per_stream = layout
    if static.method == "prng":  # one long run of trials, a new seed every _STREAM
        first = start + tile * static.lanes
        stream = (first >> _LOG2_STREAM) - (start >> _LOG2_STREAM)
        offset, last = first & (2**_LOG2_STREAM - 1), points - tile * static.lanes
    else:
        stream = jax.lax.div(tile, per_stream)
        offset = (tile - stream * per_stream) * static.lanes
        last = points - offset
    offset, last, seed = offset.astype(jnp.uint32), jnp.clip(last, 0, static.lanes), streams[stream]
    # The points halfway are the odd ones of a lattice of twice the size.
    stride = jnp.uint32(1) + half.astype(jnp.uint32)
    start, level = stride * offset + half.astype(jnp.uint32), log2_points + half
    coordinates = _coordinates(space)
    if static.rows is not None:
        columns = static.rows.columns
        if static.method == "prng":

            def prng_rows(first: Array, number: int) -> WordSource:
                starts = offset + (first + jnp.arange(number)).astype(jnp.uint32) * jnp.uint32(columns)
                return prng_words(seed, starts[:, None] + jnp.arange(columns, dtype=jnp.uint32)[None])

            rows: Callable[[Array, int], WordSource] = prng_rows
        else:
            relative = space.wraps and space.has_ticks
            each_row = lattice_rows(seed, start, stride, columns, level, sum(coordinates), relative)

            def rows_of_points(first: Array, number: int) -> WordSource:
                return joined(each_row(first, number), coordinates)

            rows = rows_of_points

        valid = None if static.whole else last
        return _rows.counts(space, static.n, static.replace, similarity[0], rows, static.rows, valid)[None]
    lane = jnp.arange(static.lanes, dtype=jnp.uint32)
    if static.method == "prng":
        words = prng_words(seed, offset + lane)
    else:
        words = joined(lattice_words(seed, start + stride * lane, level, sum(coordinates)), coordinates)
    valid = None if static.whole else lane < last.astype(jnp.uint32)
    if isinstance(similarity, Slots):
        features = tally.of_pairs(space, words, static.n, static.replace, space.distances_by_feature)
        return _slots.credits(features, space, similarity, static.rule, exponent, valid)
    d = tally.distances(space, words, static.n, static.replace)
    if static.counting:
        return tally.histogram(d, similarity, static.crowd, valid)
    return tally.credits(d, similarity, static.rule, exponent, valid)


def _steep(space: MetricSpace, similarity: Any, exponent: float) -> bool:
    """Whether the strength of a far item may be 0 in float64 though the similarity is not."""
    # An infinite exponent compares by `Similarity.order`, whatever the strengths.
    if not isinstance(similarity, Similarity) or not np.isfinite(exponent):
        return False
    far = _slots.farthest(space, similarity, _FAR)
    depth = -np.asarray(jax.vmap(lambda member: member.log(far))(similarity)) * exponent
    return bool(np.any(np.isfinite(depth) & (depth > _UNDERFLOW)))


class Run:
    """One estimate in the making: sums so far, by shift, and how to extend them."""

    def __init__(self, space, similarity, key, n, exponent, method, replace, chunk, devices):
        self.space, self.n, self.exponent, self.method, self.replace = space, n, exponent, method, replace
        self.chunk, self.devices = chunk, sharding.separate(devices)
        self.shape = similarity.shape
        # Equal weights make items exchangeable, which the counts of K take for granted.
        self.counting = isinstance(similarity, Constant) and not (space.weighted and not replace)
        if coarse := coarse_resolutions(similarity, space):
            similarity = on_shells(jax.tree.map(_float64, similarity), space, coarse)
        self.similarity = similarity
        with jax.enable_x64(True):
            if self.counting:
                epsilon = np.asarray(getattr(similarity, "epsilon", None), np.float64)
                epsilon = np.broadcast_to(epsilon, self.shape)
                self.epsilons, self.member = np.unique(epsilon, return_inverse=True)
                swept: Any = self.epsilons
            else:
                swept = flatten(similarity)
            self.steep = _steep(space, swept, exponent)
            few = self.counting and len(self.epsilons) == 1 and self.n <= tally.UNROLLED_ITEMS
            self.by_rows = few and _rows.suit(devices)
            arguments = jax.tree.map(_float64, (space, swept, np.float64(exponent)))
            self.arguments = [jax.device_put(arguments, device) for device in self.devices]
        self.key = key
        # Places are counted in tiles, whose size depends on the device.
        self._name = int(fingerprint((key, arguments, similarity, n, method, replace, self._lanes(2**40))), 16)
        self.sums: ExactSum | None = None
        # how far distances went, or strengths by slots, where `credits` tells
        self.reach = np.full((int(np.prod(self.shape)), len(tally.REACH)), -np.inf)
        self.plan = 0  # trials asked for
        self.trials = 0  # of the passes that are done
        self.tiles = 0  # done of the pass that is not
        self.level = -1  # lattice: log2 of the points per shift so far
        self.shifts = 1

    def state(self) -> dict[str, np.ndarray]:
        """Where the run is, as arrays: `restore` goes on from there."""
        place = {name: np.array(getattr(self, name), np.int64) for name in _PLACE}
        whole, fraction, nan = (self.sums or ExactSum((0,))).arrays()
        sums = {"whole": whole, "fraction": fraction, "nan": nan, "reach": self.reach}
        return {**place, **sums, "run": np.array(self._name, np.uint64)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of the same run.

        Raises:
            ValueError: it is that of another one.
        """
        names = {*_PLACE, "whole", "fraction", "nan", "reach", "run"}
        if missing := sorted(names - set(state)):
            raise ValueError(f"state is none of an estimate: it lacks {', '.join(missing)}")
        if int(state["run"]) != self._name:
            raise ValueError(
                "state is that of another estimate (space, similarity, key, n, exponent, method, replace and the kind "
                "of device must be the same; leave it out to start anew)"
            )
        for name in _PLACE:
            setattr(self, name, int(state[name]))
        self.reach = np.array(np.broadcast_to(state["reach"], self.reach.shape), np.float64)
        if state["whole"].size:
            self.sums = ExactSum(state["whole"].shape)
            self.sums.merge(*(np.asarray(state[name]) for name in ("whole", "fraction", "nan")))

    def extend(self, trials: int, progress, keep) -> None:
        """Go on to (about) `trials` trials in all."""
        self.plan = trials
        if self.method == "prng":
            tile = self._lanes(2**40)
            while self.trials < trials:  # whole tiles, then what is left of one
                left = min(trials - self.trials, _PASS)
                stream = self.trials >> _LOG2_STREAM
                points = left // tile * tile or left
                streams = ((self.trials + points - 1) >> _LOG2_STREAM) + 1 - stream
                self._pass(_Plan(stream, streams, self.trials, points, 0, False), progress, keep)
            return
        if not self.trials:
            self.level = min(max(0, (trials // SHIFTS).bit_length() - 1), LOG2_LATTICE)
            self.shifts = max(2, -(-trials // 2**self.level))
            if (shifts := self.shifts) >= 2 * SHIFTS:  # several lattices, of as many each as come out closest
                self.shifts = min(range(SHIFTS, 2 * SHIFTS), key=lambda some: -(-shifts // some) * some)
            self._pass(_Plan(0, self.shifts, 0, 2**self.level, self.level, False), progress, keep)
        while self.trials < trials and self.level < LOG2_LATTICE:
            self._pass(_Plan(0, self.shifts, 0, 2**self.level, self.level, True), progress, keep)
        while self.trials < trials:
            # Full. Another lattice for each of the shifts, averaged with those before it.
            first = self.trials >> self.level
            self._pass(_Plan(first, self.shifts, 0, 2**self.level, self.level, False), progress, keep)

    def _pass(self, plan: _Plan, progress, keep) -> None:
        """The rest of the tiles of a plan."""
        lanes = self._lanes(plan.points)
        per_stream = -(-plan.points // lanes)
        tiles = per_stream * (1 if self.method == "prng" else plan.streams)
        static = self._static(lanes, plan.points % lanes == 0)
        with jax.enable_x64(True):
            shape = self._shape_of_sums()
            # The program depends on neither chunk nor devices, or sums would too, in their last bits.
            most = min(_LONGEST // lanes, _BYTES // (int(np.prod(shape.shape)) * shape.dtype.itemsize), tiles)
            most = _power_of_two(max(1, most))  # few sizes, few compilations
            program = sharding.over_tiles(_tile, static, shape, most)
            layout = (plan.start, plan.points, plan.log2_points, plan.half, per_stream)
            layout = tuple(np.int64(x) for x in layout)
            seeds = self._seeds(plan)
            if self.sums is None:
                self.sums = ExactSum((self.shifts, *self._moments(np.zeros(shape.shape)).shape))

            def call(device: int, first: int, count: int) -> Array:
                return program(np.int64(first), np.int64(count), seeds[device], *self.arguments[device], layout)

            def add(sums: ExactSum, first: int, values: np.ndarray) -> None:
                indices = np.arange(first, first + len(values))
                sums.add(indices * 0 if self.method == "prng" else indices // per_stream, self._moments(values))
                if values.shape[-1] > sums.whole.shape[-1]:
                    self.reach = np.maximum(self.reach, values[..., sums.whole.shape[-1] :].max(axis=0))

            def reached(tile: int) -> None:
                self.tiles = tile
                done, part = divmod(tile, per_stream)  # of a lattice's shift; the streams of "prng" are one run
                done = self.trials + done * plan.points + min(part * lanes, plan.points)
                if tile == tiles:
                    self.trials, self.tiles, self.level = done, 0, self.level + plan.half
                if progress is not None:
                    progress(done, max(self.plan, done))
                if keep is not None:
                    keep(self.state)

            size = max(1, min(most, self.chunk // lanes)) if self.chunk else most
            if processes.hosts()[1] == 1:
                for first, values in self._calls(call, self.tiles, tiles, size):
                    add(self.sums, first, values)
                    reached(first + len(values))
            else:
                self._pass_of_hosts(self.sums, tiles, size, call, add, reached)

    def _pass_of_hosts(
        self, sums: ExactSum, tiles: int, size: int, call: Callable, add: Callable, reached: Callable
    ) -> None:
        """Each host adds up its share of a stretch of tiles; then all of them merge, and know as much."""
        index, hosts = processes.hosts()
        length = hosts * len(self.devices)
        while (start := self.tiles) < tiles:
            stop, began = min(start + length, tiles), time.perf_counter()
            low, high = (start + (stop - start) * (index + k) // hosts for k in (0, 1))
            own = ExactSum(sums.whole.shape)
            for first, values in self._calls(call, low, high, size):
                add(own, first, values)
            shares = processes.gather((*own.arrays(), self.reach, np.float64(time.perf_counter() - began)))
            for *share, reach, _ in shares:
                sums.merge(*share)
                self.reach = np.maximum(self.reach, reach)
            longest = max(float(seconds) for *_, seconds in shares)
            length = max(hosts * len(self.devices), int(length * min(4.0, _MERGE_SECONDS / longest)))
            reached(stop)
            if stop == tiles:
                return

    def _static(self, lanes: int, whole: bool) -> _Static:
        finite = np.isfinite(self.exponent)
        rule = tally.LUCE if self.counting or self.exponent == 1.0 else tally.POWER if finite else tally.ARGMAX
        if self.steep and finite and not self.counting:
            rule = tally.STEEP
        crowd = tally.crowding(self.epsilons, self.space.has_ticks) if self.counting else 0
        rows = _rows.shape(self.space, self.n, lanes) if self.by_rows else None
        return _Static(self.n, self.method, self.replace, lanes, whole, self.counting, rule, crowd, rows)

    def _calls(self, call: Callable, first: int, stop: int, most: int):
        """Tiles first, ..., stop - 1 in calls of as many as take a while, several under way at a time: yields the
        first tile of each and the sums of its tiles, in order."""
        devices = itertools.cycle(range(len(self.devices)))
        size, under_way = most if self.chunk else 1, sharding.under_way(self.devices)
        waiting: deque[tuple[int, int, Any]] = deque()
        ended = None

        def finish(device: int, at: int, count: int) -> np.ndarray:
            with usual(), jax.enable_x64(True):  # threads have contexts of their own
                return np.asarray(call(device, at, count))[:count]

        with ThreadPoolExecutor(under_way) as pool:
            try:
                while first < stop or waiting:
                    while first < stop and len(waiting) < under_way:
                        count = min(size, stop - first)
                        waiting.append((first, count, pool.submit(finish, next(devices), first, count)))
                        first += count
                    at, count, sums = waiting.popleft()
                    yield at, sums.result()
                    now = time.perf_counter()
                    if ended is not None and not self.chunk:
                        size = min(most, max(1, int(count * min(4.0, _CALL_SECONDS / max(now - ended, 1e-9)))))
                    ended = now
            finally:
                pool.shutdown(cancel_futures=True)

    def _seeds(self, plan: _Plan) -> list[Array]:
        """Words for every stream that the plan touches, on every device."""
        if self.method == "prng":
            words = streams(self.key, plan.streams, 2, plan.first)
        else:
            # One for each coordinate of all points, which may come in whole blocks.
            points = padded(self.n + 1)
            words = streams(self.key, plan.streams, points * sum(_coordinates(self.space)), plan.first)
        return [jax.device_put(words, device) for device in self.devices]

    def _shape_of_sums(self) -> jax.ShapeDtypeStruct:
        """What one tile adds up to."""
        if self.counting:
            return jax.ShapeDtypeStruct((len(self.epsilons), self.n + 1), np.int32)
        return jax.ShapeDtypeStruct((int(np.prod(self.shape)), len(tally.MOMENTS) + len(tally.REACH)), np.float64)

    def credits_by_count(self) -> tuple[np.ndarray, np.ndarray]:
        """Where trials are counted: both credits of each member of the grid, (members, n + 1), by K."""
        delta = np.asarray(getattr(self.similarity, "delta", 0.0), np.float64)
        return choice.constant_credits(self.n, np.broadcast_to(delta, self.shape).ravel(), self.exponent)

    def _moments(self, sums: np.ndarray) -> np.ndarray:
        """What adds up of the sums of tiles."""
        return sums if self.counting else sums[..., : len(tally.MOMENTS)]

    def _lanes(self, points: int) -> int:
        """Trials in a tile: a power of two; short runs have a few tiles too, so that they can be timed and spread."""
        cores = self.devices[0].platform == "cpu"
        most = max((_TILE if cores else _TILE_ELSEWHERE) // _power_of_two(self.n), 1)
        if self.by_rows:
            most = _rows.most_lanes(self.space, self.n)
        elif cores and self.space.has_statistic:  # whose coordinates are arrays
            most = min(most, max(2 * _TILE // _power_of_two((self.n + 1) * self.space.uniforms), 1))
        least = _rows.least_lanes(self.space) if self.by_rows else 2**10
        return min(most, max(_power_of_two(points) // 16, _power_of_two(min(points, least))))


def _coordinates(space: MetricSpace) -> tuple[int, ...]:
    """How many coordinates of a lattice each uniform of a point takes: two where more than a byte is read of it."""
    if isinstance(space, Hamming):
        return tuple(1 + (space.dim - 16 * k > 8) for k in range(space.uniforms))
    if isinstance(space, Product):
        return tuple(itertools.chain.from_iterable(_coordinates(factor) for factor in space.factors))
    return (1,) * space.uniforms


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()


def _float64(leaf):
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
        return leaf
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array
