"""A sweep cut into parts, and how they are spread over cores, devices and hosts."""

import concurrent.futures
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from semres_jax import _watching
from semres_jax._surroundings import in_usual
from semres_jax.execution import Execution
from semres_jax.laws import engines, quadrature
from semres_jax.montecarlo.estimate import estimate
from semres_jax.similarity import Constant, Similarity
from semres_jax.spaces.base import MetricSpace
from semres_jax.storage import processes

# Members of a grid in one call of a program: by quadrature on homogeneous spaces, and elsewhere, where each takes a
# hundred times as long. Whatever the size of the grid, the program is the same.
_CHUNK, _SMALL_CHUNK = 512, 32
# Trials in a call of the devices; as `estimate` sees fit.
_TRIALS_AT_ONCE: int | None = None
# Batches of each host between two exchanges of results.
_ROUND = 16
# Seconds between two looks at parts that are under way.
_LOOK = 0.5


class Part(NamedTuple):
    """Some members of the grid at one space, similarity and exponent, for some of the numbers of items."""

    at: tuple[int, int, int]  # space, similarity, exponent
    what: str
    space: MetricSpace
    make: Callable[[Any, Any], Similarity]
    epsilon: np.ndarray
    delta: np.ndarray
    exponent: float
    ns: tuple[int, ...]
    replace: bool
    members: slice
    columns: slice

    @property
    def name(self) -> str:
        """What its numbers are kept under."""
        return f"{self.what}, exponent {self.exponent!r}, n = {self.ns}, from member {self.members.start}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of its numbers: what they are, members, numbers of items."""
        return 6, len(self.epsilon), len(self.ns)

    def simulate(self, key: Any, method: str, trials: int | None, execution: Execution) -> np.ndarray:
        """(6, members, 1) numbers: the first six of `Estimate`."""
        own = jax.random.fold_in(key, zlib.crc32(f"{self.what}|{self.ns}|{self.exponent}".encode()))
        run = estimate(
            self.space,
            self.make(self.epsilon, self.delta),
            key=own,
            trials=trials,
            n=self.ns[0],
            exponent=self.exponent,
            method=method,
            replace=self.replace,
            chunk=_TRIALS_AT_ONCE,
            execution=execution.within(self.name),
        )
        return np.stack(run[:6])[..., None]


def _chunk(space: MetricSpace) -> int:
    return _CHUNK if space.size is None and space.probe_uniforms == 0 else _SMALL_CHUNK


Finished = Callable[[Part, np.ndarray], None]


def cut(places, families, counts, powers, members, method: str, replace: bool) -> list[Part]:
    """The work, cut so that it can be spread and kept; refused before anything is computed."""
    parts = []
    for i, (label, space) in enumerate(places.items()):
        for j, (name, make) in enumerate(families.items()):
            for k, power in enumerate(powers):
                if method == "exact":
                    for n in counts:
                        engines.engine_for(space, make(0.1, 0.0), n=n, exponent=power, replace=replace)
                exact = method == "exact"
                # A finite space is counted, and a simulation run, for the whole grid at once; a simulation by its n.
                size = _chunk(space) if exact and space.size is None else len(members[i][0])
                columns = [slice(0, len(counts))] if exact else [slice(c, c + 1) for c in range(len(counts))]
                for start in range(0, len(members[i][0]), size):
                    some = slice(start, start + size)
                    parts += [
                        Part(
                            (i, j, k), f"{label}, {name}", space, make, members[i][0][some], members[i][1][some],
                            power, tuple(counts[own]), replace, some, own,
                        )
                        for own in columns
                    ]  # fmt: skip
    return parts


def compute(
    parts: Sequence[Part],
    devices: tuple[Any, ...],
    finished: Finished,
    under_way: Callable[[Part, float], None] = lambda part, share: None,
) -> None:
    """Every part exactly, `finished` is called with it and its numbers, (6, members, ns) of which the last four are 0.

    `under_way` is called with parts that take long, and the share of them that is done.

    One process works in threads (programs run without Python's lock), and the first error or Ctrl-C stops the rest. Of
    several, each computes every so-maniest batch, and all hear what all have computed.
    """
    batches = _batches(parts, len(devices))
    index, hosts = processes.hosts()
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1)
    stopped, shares_done = threading.Event(), {}

    def run(number: int) -> list[np.ndarray]:
        def watch(done: int, planned: int) -> None:
            if stopped.is_set():
                raise concurrent.futures.CancelledError
            shares_done[number] = max(done / planned, shares_done.get(number, 0.0))

        with _watching.watched(watch):
            return _exact(batches[number], devices)

    try:
        if hosts == 1:
            waiting = {pool.submit(run, number): number for number in range(len(batches))}
            left = set(waiting)
            while left:
                done, left = concurrent.futures.wait(left, _LOOK, concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    _tell(batches[waiting[future]], future.result(), finished)
                for number in [waiting[future] for future in left if waiting[future] in shares_done][:1]:
                    under_way(batches[number][0], shares_done[number])
            return
        for start in range(0, len(batches), _ROUND * hosts):
            shares = [batches[start : start + _ROUND * hosts][host::hosts] for host in range(hosts)]
            own = pool.map(lambda batch: _exact(batch, devices), shares[index])
            # Every process has to give an array of the same shape.
            sizes = [sum(int(np.prod(part.shape)) for batch in share for part in batch) for share in shares]
            flat = np.concatenate([np.zeros(0), *(numbers.ravel() for some in own for numbers in some)])
            flat = np.pad(flat, (0, max(sizes) - len(flat)))
            for share, numbers in zip(shares, processes.gather(flat), strict=True):
                for batch in share:
                    ends = np.cumsum([int(np.prod(part.shape)) for part in batch])
                    arrays = np.split(np.asarray(numbers)[: ends[-1]], ends[:-1])
                    numbers = numbers[ends[-1] :]
                    _tell(
                        batch, (array.reshape(part.shape) for array, part in zip(arrays, batch, strict=True)), finished
                    )
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _tell(batch: Sequence[Part], numbers: Iterable[np.ndarray], finished: Finished) -> None:
    for part, own in zip(batch, numbers, strict=True):
        finished(part, own)


def _batches(parts: Sequence[Part], devices: int) -> list[list[Part]]:
    """Parts for one call: those that differ in their members only and go by quadrature, one for each device."""
    batches: list[list[Part]] = []
    for part in parts:
        last = batches[-1] if batches else []
        alike = 0 < len(last) < devices and last[0].at == part.at and last[0].ns == part.ns
        if alike and _by_quadrature(last[0]) and _by_quadrature(part):
            last.append(part)
        else:
            batches.append([part])
    return batches


@in_usual  # threads have contexts of their own
def _exact(batch: Sequence[Part], devices: tuple[Any, ...]) -> list[np.ndarray]:
    """The numbers of each part of a batch."""
    first = batch[0]
    size = max(_chunk(first.space), len(first.epsilon))
    # Each device gets as many members as a single one would: the same program and so the same bits.
    rows = size * (1 if len(batch) == 1 else len(devices))
    epsilon, delta = (
        np.concatenate([_padded(getattr(part, name), size) for part in batch]) for name in ("epsilon", "delta")
    )
    similarity = first.make(_padded(epsilon, rows), _padded(delta, rows))
    if _by_quadrature(first):
        with jax.enable_x64(True):
            among = devices[:1] if len(batch) == 1 else devices
            wanted = np.concatenate([np.arange(size) < len(part.epsilon) for part in batch])
            values = quadrature.accuracies(
                first.space,
                similarity,
                ns=first.ns,
                exponent=first.exponent,
                devices=among,
                wanted=np.pad(wanted, (0, rows - len(wanted))),
            )
            values = np.asarray(values)
    else:
        options = {"exponent": first.exponent, "replace": first.replace}
        values = np.asarray([engines.accuracy(first.space, similarity, n=n, **options) for n in first.ns])
    values = np.moveaxis(values, 0, -1)  # (2, rows, ns)
    parts = [values[:, i * size : i * size + len(part.epsilon)] for i, part in enumerate(batch)]
    return [np.concatenate([own, np.zeros((4, *own.shape[1:]))]) for own in parts]


def _padded(values: np.ndarray, size: int) -> np.ndarray:
    """The last again and again."""
    return values[np.minimum(np.arange(size), len(values) - 1)]


def _by_quadrature(part: Part) -> bool:
    similarity = part.make(part.epsilon, part.delta)
    named = engines.engine_for(part.space, similarity, n=part.ns[0], exponent=part.exponent, replace=part.replace)
    return named == "quadrature" and not isinstance(similarity, Constant)
