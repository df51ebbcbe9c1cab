"""Runs of a training spread over the cores of a CPU, over devices, over hosts: in parts, the same ones everywhere."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from semres_jax._types import Array
from semres_jax.storage import processes

# Runs of a part on a CPU, at most: those that share a core.
_PART = 8


class Parts:
    """`advance` of all runs, in parts of equal size of which host p of P takes every P-th.

    On a CPU the size depends on the number of runs alone, and the result is the same bit for bit for any number of
    devices and hosts; products over another number of runs may be summed in another order. On other devices each one
    takes an equal share of the runs in one go, as is fastest there, and the last bits depend on how many they are.

    Args:
        advance: (state, seeds, hyper, task, targets, *settings) -> (state, columns), jitted, with the settings
            static. `state` is a named tuple with runs in front of all its leaves but `step`, `columns` are arrays of
            shape (targets, runs, ...).
        runs: how many.
        task, settings: passed on.
        devices: local ones. One CPU runs parts in threads; several devices run one part each in one program.
    """

    def __init__(
        self, advance: Callable[..., Any], runs: int, task: Any, settings: tuple[Any, ...], devices: tuple[Any, ...]
    ):
        self._advance, self._runs, self._task, self._settings = advance, runs, task, settings
        self._host, self._hosts = processes.hosts()
        on_cpu = devices[0].platform == "cpu"
        parts = max(2, -(-runs // _PART)) if on_cpu else len(devices) * self._hosts
        self._size = -(-runs // min(runs, parts))
        self._share = -(-runs // (self._size * self._hosts))  # parts of each host; the last are repeated to fill up
        self._devices = devices[: self._share]
        self._compiled = False

    def __call__(self, state: Any, seeds: Array, hyper: Any, targets: Array) -> tuple[Any, list[np.ndarray]]:
        whole = jax.tree.map(np.asarray, (state._replace(step=None), seeds, hyper))
        mine = [self._host + i * self._hosts for i in range(self._share)]
        threads = len(self._devices) == 1
        done = (self._in_threads if threads else self._on_devices)(whole, state.step, targets, mine)
        every = processes.gather(done)
        # Part k was the k // P-th of host k % P.
        parts = [every[host][i] for i in range(self._share) for host in range(self._hosts)]
        states, scored = zip(*parts, strict=True)
        joined = jax.tree.map(lambda *x: np.concatenate(x)[: self._runs], *states)
        columns = [np.concatenate(column, axis=1)[:, : self._runs] for column in zip(*scored, strict=True)]
        return joined._replace(step=np.asarray(targets)[-1]), columns

    def _rows(self, whole: Any, part: int) -> Any:
        """The runs of a part; the last one once more where there are too few."""
        first = min(part * self._size, self._runs - 1)
        rows = np.minimum(np.arange(first, first + self._size), self._runs - 1)
        return jax.tree.map(lambda x: x[rows], whole)

    def _in_threads(self, whole: Any, step: Any, targets: Array, mine: list[int]) -> list[Any]:
        def advanced(part: int) -> Any:
            with jax.enable_x64(True), jax.default_device(self._devices[0]):  # threads have contexts of their own
                state, seeds, hyper = self._rows(whole, part)
                outcome = self._advance(state._replace(step=step), seeds, hyper, self._task, targets, *self._settings)
                state, columns = jax.tree.map(np.asarray, outcome)
                return state._replace(step=None), columns

        # The first compiles, the others find the program.
        done = [] if self._compiled else [advanced(mine[0])]
        self._compiled = True
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return done + list(pool.map(advanced, mine[len(done) :]))

    def _on_devices(self, whole: Any, step: Any, targets: Array, mine: list[int]) -> list[Any]:
        program, width, done = _program(self._advance, self._settings, self._devices), len(self._devices), []
        for first in range(0, len(mine), width):
            some = (mine[first : first + width] + mine[-1:] * width)[:width]
            rows = jax.tree.map(lambda *x: np.concatenate(x), *(self._rows(whole, part) for part in some))
            state, columns = jax.tree.map(np.asarray, program(*rows, step, self._task, targets))
            for at in range(0, width * self._size, self._size):
                own = slice(at, at + self._size)
                done.append((jax.tree.map(lambda x, own=own: x[own], state), [x[:, own] for x in columns]))
        return done[: len(mine)]


@functools.lru_cache(maxsize=16)
def _program(advance: Callable[..., Any], settings: tuple[Any, ...], devices: tuple[Any, ...]) -> Any:
    """`advance` of a part on each device, runs of all of them in front."""
    mesh = Mesh(np.array(devices), ("device",))
    split, everywhere = PartitionSpec("device"), PartitionSpec()

    def local(state: Any, seeds: Array, hyper: Any, step: Array, task: Any, targets: Array) -> Any:
        state, columns = advance(state._replace(step=step), seeds, hyper, task, targets, *settings)
        return state._replace(step=None), columns

    specs = (split, split, split, everywhere, everywhere, everywhere)
    out = (split, PartitionSpec(None, "device"))
    return jax.jit(jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=out, check_vma=False))
