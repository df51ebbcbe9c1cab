"""Training of the toy network against eager PyTorch: runs times steps a second; and how long `semres toy` takes.

All train the network of the paper's figure 4: 50 stimuli on a circle, 10 dimensions, 128 trials of a probe and two
other items for each step of Adam. There are many ways to write that in PyTorch; they are raced, and the fastest is the
peer. What programs have learned is compared by exact scores. They are warmed up and timed in turn; the best round
counts, and compilation is told apart.
"""

import dataclasses
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import torch
import torch.nn.functional as F
from measuring import best_times, cores, timed
from report import main, row, say

import semres_jax
from semres_jax import spaces
from semres_jax.laws import tables
from semres_jax.training import toy

STIMULI, HIDDEN, BATCH, RATE, SCALE, WEIGHT, FLOOR = 50, 10, 128, 7e-3, 2.0, 0.1, 1e-10
SPACE = spaces.grid(spaces.get("circle"), STIMULI)
RUNS = 16
# Batches of an epoch of the paper, 2,000 samples.
EPOCH = 15
# Steps of a round of the race.
RACED = 150
# Tries at how many steps take as long as asked.
GUESSES = 8
# Steps after which what was learned is compared: the climb is over, and runs differ little. Standard errors allowed.
LEARNED, ALLOWED = 2000, 4.0
# The bars: how many times the peer's rate, and seconds of `semres toy --preset fig4`.
BARS, COMMAND_BAR = {RUNS: 60.0, 1: 40.0}, 60.0


def ours(runs: int, steps: int, seed: int = 0) -> np.ndarray:
    """(runs, N, m) weights after so many steps."""
    key = jax.random.key(seed)
    return toy.train(SPACE, toy.Design(), toy.Hyper(), key=key, runs=runs, steps=steps, records=[]).weights[:, -1, 0]


# The peer: how trials are drawn. `draw(count)` gives (count,) probes, (count, 2) items, and their chances to be right.

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
        many = () if runs is None else (runs,)
        first = None if runs is None else torch.arange(runs)[:, None] * STIMULI
        weights = torch.nn.Parameter(torch.rand(*many, STIMULI, HIDDEN) * SCALE)
        optimizer = torch.optim.Adam([weights], lr=RATE, **OPTIONS["adam"][self.adam])
        for start in range(0, steps, self.ahead):
            batches = min(self.ahead, steps - start)
            drawn = draw(batches * BATCH * (runs or 1))
            probe, items, right = (x.reshape(batches, *many, BATCH, *x.shape[1:]) for x in drawn)
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


def steps_for(program, seconds: float) -> int:
    """Steps that take about so long."""
    steps = 10 * EPOCH
    for _ in range(GUESSES):
        # The better of two: threads are slow to start, and a call has a fixed cost that must not be scaled up.
        took = min(timed(functools.partial(program, steps)) for _ in range(2))
        if seconds / 2 < took < 2 * seconds:
            break
        steps = max(EPOCH, round(steps * min(seconds / took, 8.0)))
    return max(EPOCH, round(steps * seconds / took))


def throughput(one: Way, many: Way, seconds: float, rounds: int) -> dict:
    """Runs times steps a second of each program. PyTorch is tried with each number of threads."""
    compiled = {}
    for runs in BARS:  # the first of two calls alike compiles; the number of steps is no part of the program
        first, second = (timed(lambda runs=runs: ours(runs, LEARNED)) for _ in range(2))
        compiled[f"semres_jax, {runs} run{'s' * (runs > 1)}"] = first - second
    programs: dict = {}
    groups: dict[str, list[str]] = {}

    def add(group: str, label: str, runs: int, program) -> None:
        programs[label] = (runs, program)
        groups.setdefault(group, []).append(label)

    for runs in BARS:
        add(f"ours_{runs}", f"semres_jax, {runs} run{'s' * (runs > 1)}", runs, lambda s, r=runs: ours(r, s))
    for group, label, way, runs in (
        ("plain", "PyTorch, plain", PLAIN, None),
        ("fastest", "PyTorch, fastest", one, None),
        ("one_loop", f"PyTorch, {RUNS} runs in one loop", many, RUNS),
    ):
        for k in sorted(k for k in {1, 2, cores()} if k <= cores()):
            run = lambda s, way=way, runs=runs, k=k: way.train(s, runs, k)  # noqa: E731
            add(group, f"{label}, {k} thread{'s' * (k > 1)}", runs or 1, run)
    steps = {label: steps_for(program, seconds) for label, (_, program) in programs.items()}
    best, _ = best_times({label: lambda p=p, s=steps[label]: p(s) for label, (_, p) in programs.items()}, rounds)
    rate = {label: runs * steps[label] / best[label] for label, (runs, _) in programs.items()}
    top = {group: max(rate[label] for label in labels) for group, labels in groups.items()}
    # One run after another, eager PyTorch has the rate of one run, however many there are.
    peers = {"eager": max(top["plain"], top["fastest"]), "plain": top["plain"]}
    ratios = {f"{runs}_over_{peer}": top[f"ours_{runs}"] / value for runs in BARS for peer, value in peers.items()}
    ratios[f"{RUNS}_over_one_loop"] = top[f"ours_{RUNS}"] / top["one_loop"]
    return {
        "steps": steps,
        "seconds": best,
        "seed_steps_per_s": rate,
        "first_call_extra_s": compiled,
        "ratios": ratios,
    }


def learned(one: Way, many: Way, runs: int) -> dict:
    """Exact p_S and p_I after the same number of steps, mean over runs, and how far those of the peers are off."""
    weights = {
        "semres_jax": ours(RUNS, LEARNED, seed=1),
        "PyTorch, plain": np.stack([PLAIN.train(LEARNED, seed=s) for s in range(runs)]),
        "PyTorch, fastest": np.stack([one.train(LEARNED, seed=100 + s) for s in range(runs)]),
        f"PyTorch, {RUNS} runs in one loop": many.train(LEARNED, RUNS, seed=200),
    }
    found: dict = {}
    for label, each in weights.items():
        with jax.enable_x64(True):
            scores = tables.accuracy(SPACE, toy.similarity_tables(each) + FLOOR)
        found[label] = {"runs": len(each)}
        for name, values in zip(("p_s", "p_i"), np.asarray(scores), strict=True):
            found[label] |= {name: values.mean(), f"{name}_stderr": values.std(ddof=1) / np.sqrt(len(each))}
    mine, off = found["semres_jax"], []
    for theirs in found.values():
        if theirs is not mine:
            for name in ("p_s", "p_i"):
                stderr = np.hypot(mine[f"{name}_stderr"], theirs[f"{name}_stderr"])
                theirs[f"{name}_off"] = (theirs[name] - mine[name]) / stderr
                off.append(abs(theirs[f"{name}_off"]))
    return {"steps": LEARNED, "programs": found, "largest_off": max(off)}


def command() -> dict:
    """Seconds of `semres toy --preset fig4` as a whole in a process of its own, compilation and figures included."""
    # The package that is measured here, and no programs compiled before.
    path = [str(Path(semres_jax.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    program = "from semres_jax.cli import main; raise SystemExit(main())"
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", program, "toy", "--preset", "fig4", "--out", folder]
        started = time.perf_counter()
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=3600)
        seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"semres toy --preset fig4: {done.stderr.strip()[-2000:]}")
    return {"seconds": seconds}


def rows(out: dict) -> list[dict]:
    t = out["throughput"]
    rate = t["seed_steps_per_s"]
    top = lambda label: max(value for name, value in rate.items() if name.startswith(label))  # noqa: E731
    compared = (("PyTorch, fastest", "the fastest eager PyTorch, one run after another", True),)
    compared += (("PyTorch, plain", "eager PyTorch as usually written, one run after another", False),)
    lines = []
    for runs, bar in BARS.items():
        label = f"{runs} run{'s' * (runs > 1)}"
        # The better of both counts where it comes to the bar: what is raced may lose to the plain one.
        eager = max(top("PyTorch, fastest"), top("PyTorch, plain"))
        for name, peer, judged in compared:
            lines.append(
                row(
                    f"toy network, batch {BATCH}, {label}, against {peer}",
                    rate[f"semres_jax, {label}"] / 1e3,
                    "thousand seed-steps/s",
                    peer="PyTorch",
                    peer_value=(eager if judged else top(name)) / 1e3,
                    bar=f"ratio >= {bar:g}" if judged else None,
                )
            )
    lines.append(
        row(
            f"toy network, batch {BATCH}, {RUNS} runs, against {RUNS} runs in one batched loop",
            rate[f"semres_jax, {RUNS} runs"] / 1e3,
            "thousand seed-steps/s",
            peer="PyTorch",
            peer_value=top(f"PyTorch, {RUNS}") / 1e3,
        )
    )
    same = out["learned"]["largest_off"]
    what = f"toy network, exact p_S and p_I after {LEARNED:,} steps against the peers'"
    lines.append(row(what, same, "standard errors", bar=f"value <= {ALLOWED:g}"))
    if "command" in out:
        seconds = out["command"]["seconds"]
        lines.append(row("semres toy --preset fig4 as a whole", seconds, "s", bar=f"value <= {COMMAND_BAR:g}"))
    return lines


def run(quick: bool) -> dict:
    seconds, rounds, runs = (0.3, 2, 4) if quick else (3.5, 3, 10)
    say("race of the ways to write it in PyTorch")
    (one, raced_one), (many, raced_many) = race(None, 2 * rounds), race(RUNS, rounds)
    say("throughput")
    out: dict = {"throughput": throughput(one, many, seconds, rounds)}
    out["ways"] = {
        "plain": str(PLAIN),
        "fastest": str(one),
        "one_loop": str(many),
        "raced_steps_per_s": {"one run": raced_one, f"{RUNS} runs in one loop": raced_many},
    }
    say("what is learned")
    out["learned"] = learned(one, many, runs)
    if not quick:
        say("semres toy --preset fig4")
        out["command"] = command()
    return out | {"rows": rows(out)}


if __name__ == "__main__":
    main(run, __doc__)
