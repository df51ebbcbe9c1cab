"""The training of the toy network in PyTorch: the ways to write it that are raced, and its step compiled.

All train the network of the paper's figure 4; `bench_toy.py` says how they are compared.
"""

import dataclasses
import functools
import os
import shutil
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from measuring import timed

from semres_jax import spaces

STIMULI, HIDDEN, BATCH, RATE, SCALE, WEIGHT, FLOOR = 50, 10, 128, 7e-3, 2.0, 0.1, 1e-10
SPACE = spaces.grid(spaces.get("circle"), STIMULI)
# Batches of an epoch of the paper, 2,000 samples.
EPOCH = 15
# Steps of a round of the race.
RACED = 150


# How trials are drawn. `draw(count)` gives (count,) probes, (count, 2) items, and their chances to be right.

DISTANCES = torch.tensor(np.asarray(SPACE.distances), dtype=torch.float32)
Trials = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def labelled(probe: torch.Tensor, items: torch.Tensor) -> Trials:
    """With equal shares for the items closest to the probe."""
    d = DISTANCES[probe[:, None], items]
    near = (d == d.amin(1, keepdim=True)).float()
    return probe, items, near / near.sum(1, keepdim=True)


def draw_sort(count: int) -> Trials:
    order = torch.rand(count, STIMULI).argsort(1)
    return labelled(order[:, 0], order[:, 1:3])


def draw_topk(count: int) -> Trials:
    largest = torch.rand(count, STIMULI).topk(3).indices
    return labelled(largest[:, 0], largest[:, 1:])


def draw_multinomial(count: int) -> Trials:
    drawn = torch.multinomial(torch.ones(count, STIMULI), 3)
    return labelled(drawn[:, 0], drawn[:, 1:])


def draw_shift(count: int) -> Trials:
    """Each from the numbers that are left; those from an earlier one on move up by one."""
    probe, first, second = (torch.randint(STIMULI - k, (count,)) for k in range(3))
    items = torch.stack([first, second + (second >= first)], 1)
    return labelled(probe, items + (items >= probe[:, None]))


ALL = torch.cartesian_prod(*[torch.arange(STIMULI)] * 3)
ALL = ALL[(ALL[:, 0] != ALL[:, 1]) & (ALL[:, 0] != ALL[:, 2]) & (ALL[:, 1] != ALL[:, 2])]
ALL = labelled(ALL[:, 0].contiguous(), ALL[:, 1:].contiguous())


def draw_listed(count: int) -> Trials:
    """From a list of all 117,600 trials with their labels: short enough for two items only."""
    which = torch.randint(len(ALL[0]), (count,))
    return ALL[0][which], ALL[1][which], ALL[2][which]


# How w_x . w_p is taken of (N, m) weights, or of (runs, N, m) for many runs in one loop: where to look, and the look.
# `first`: (runs, 1) numbers of each run's first row, None for one run.


def at_rows(probe, items, first):
    return (probe, items) if first is None else (probe + first, items + first[..., None])


def take_rows(weights, probe, items):
    """Rows of the probes times rows of the items."""
    rows = weights.flatten(0, -2)
    return (rows[probe].unsqueeze(-2) * rows[items]).sum(-1)


def at_products(probe, items, first):
    return (probe if first is None else probe + first), items


def take_products(weights, probe, items):
    """Rows of the probes times the whole map, and two entries of each."""
    rows = weights.flatten(0, -2).index_select(0, probe.flatten()).view(*probe.shape, HIDDEN)
    return (rows @ weights.mT).gather(-1, items)


def at_table(probe, items, first):
    return ((probe if first is None else probe + first)[..., None] * STIMULI + items,)


def take_table(weights, where):
    """The table of all stimuli, and entries of it."""
    return (weights @ weights.mT).flatten().index_select(0, where.flatten()).view(where.shape)


def loss_logs(products, right):
    strengths = F.relu(products) + FLOOR
    nll = strengths.sum(-1).log() - (right * strengths.log()).sum(-1)
    return nll.sum() * (WEIGHT / BATCH)


def loss_entropy(products, right):
    logits = (F.relu(products) + FLOOR).log()
    return F.cross_entropy(logits.view(-1, 2), right.reshape(-1, 2), reduction="sum") * (WEIGHT / BATCH)


OPTIONS: dict[str, dict] = {
    "draw": {
        "sort": draw_sort,
        "topk": draw_topk,
        "multinomial": draw_multinomial,
        "shift": draw_shift,
        "listed": draw_listed,
    },
    "forward": {
        "rows": (at_rows, take_rows),
        "products": (at_products, take_products),
        "table": (at_table, take_table),
    },
    "loss": {"logs": loss_logs, "cross entropy": loss_entropy},
    "adam": {"default": {}, "fused": {"fused": True}},
    "ahead": {1: 1, EPOCH: EPOCH, 10 * EPOCH: 10 * EPOCH},
}


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to write it: names of `OPTIONS`; `ahead` is how many batches are drawn in one call."""

    draw: str
    forward: str
    loss: str
    adam: str
    ahead: int

    def __str__(self) -> str:
        return f"{self.draw}, {self.ahead} ahead; {self.forward}; {self.loss}; Adam {self.adam}"

    def train(self, steps: int, runs: int | None = None, threads: int = 1, seed: int = 0) -> np.ndarray:
        """(N, m) weights after so many steps; with `runs`, (runs, N, m) of that many in one loop."""
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        draw, (at, take), loss = (OPTIONS[name][getattr(self, name)] for name in ("draw", "forward", "loss"))
        runs_axis = () if runs is None else (runs,)
        first = None if runs is None else torch.arange(runs)[:, None] * STIMULI
        weights = torch.nn.Parameter(torch.rand(*runs_axis, STIMULI, HIDDEN) * SCALE)
        optimizer = torch.optim.Adam([weights], lr=RATE, **OPTIONS["adam"][self.adam])
        for start in range(0, steps, self.ahead):
            batches = min(self.ahead, steps - start)
            drawn = draw(batches * BATCH * (runs or 1))
            probe, items, right = (x.reshape(batches, *runs_axis, BATCH, *x.shape[1:]) for x in drawn)
            for right_here, *where in zip(right, *at(probe, items, first), strict=True):
                optimizer.zero_grad()
                loss(take(weights, *where), right_here).backward()
                optimizer.step()
        return weights.detach().numpy().copy()


def compiled_step(weights, mean, square, step, where, right):
    """One step of all runs at once: loss, gradient and Adam, as `torch.compile` gets it."""

    def loss(weights):
        return loss_entropy(take_table(weights, where), right)

    slope = torch.func.grad(loss)(weights)
    mean, square = mean.lerp(slope, 0.1), square.lerp(slope * slope, 0.001)
    root = (square / (1 - 0.999**step)).sqrt() + 1e-8
    return weights - RATE / (1 - 0.9**step) * mean / root, mean, square


@functools.cache
def compiled() -> Callable:
    return torch.compile(compiled_step, fullgraph=True, dynamic=False)


@dataclasses.dataclass(frozen=True)
class Compiled:
    """The whole step compiled, of many runs at once; `ahead` is how many batches are drawn in one call."""

    ahead: int = 10 * EPOCH

    def train(self, steps: int, runs: int, threads: int = 1, seed: int = 0) -> np.ndarray:
        """(runs, N, m) weights after so many steps."""
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        first, call = torch.arange(runs)[:, None] * STIMULI, compiled()
        state = (torch.rand(runs, STIMULI, HIDDEN) * SCALE, *(torch.zeros(runs, STIMULI, HIDDEN) for _ in range(2)))
        with torch.no_grad():
            for start in range(0, steps, self.ahead):
                batches = min(self.ahead, steps - start)
                drawn = draw_shift(batches * BATCH * runs)
                probe, items, right = (x.reshape(batches, runs, BATCH, *x.shape[1:]) for x in drawn)
                (where,) = at_table(probe, items, first)
                numbers = torch.arange(start + 1, start + batches + 1, dtype=torch.float32)
                for number, at, chances in zip(numbers, where, right, strict=True):
                    state = call(*state, number, at, chances)
        return state[0].numpy().copy()


# PyTorch compiles for a CPU through the machine's own compiler of C++.
COMPILES = bool(os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++"))
PLAIN = Way(draw="sort", forward="rows", loss="logs", adam="default", ahead=1)


def race(runs: int | None, rounds: int) -> tuple[Way, dict]:
    """The fastest way on one thread, one option decided after the other, and steps a second of all that were raced."""
    best = Way(draw="shift", forward="table", loss="cross entropy", adam="fused", ahead=EPOCH)
    best.train(RACED, runs)  # PyTorch's own first call
    rates = {}
    for name, options in OPTIONS.items():
        ways = [dataclasses.replace(best, **{name: option}) for option in options]
        seconds = dict.fromkeys(ways, np.inf)
        for _ in range(rounds):
            for way in ways:
                seconds[way] = min(seconds[way], timed(lambda way=way: way.train(RACED, runs)))
        best = min(seconds, key=lambda way: seconds[way])
        rates |= {str(way): RACED / took for way, took in seconds.items()}
    return best, rates
