"""Trials a second by space: spheres, balls, gaussians, the hyperbolic disk, against NumPy and against the circle.

Constant similarity without floor, both tasks, n = 2. The peer is what one writes for one space: coordinates in float32,
in a way that suits the space, balls told by a number that is cheaper than the distance, blocks that fit the cache, a
thread a core. Every program is checked against the exact law, warmed up, and timed in turn with the others.
"""

import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np
from measuring import best_times, cores, sized
from peers import Result, summary
from report import main, row, say

from semres_jax import Constant, Exponential, accuracy, estimate, spaces

METHODS = ("prng", "lattice")
BAR = "ratio >= 4"
# Trials of a block times the numbers of a trial.
BLOCK_NUMBERS = 1 << 16


class Case(NamedTuple):
    """A space and a resolution; coordinates (numbers, trials) of random points; the statistic, and its edge."""

    space: spaces.MetricSpace
    epsilon: float
    numbers: int
    points: Callable[[np.random.Generator, int], np.ndarray]
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]
    edge: float


def square(rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.random((2, number), dtype=np.float32)


def disk(rng: np.random.Generator, number: int, edge: float = 1.0) -> np.ndarray:
    u = square(rng, number)
    radius, turn = np.sqrt(u[0]) * np.float32(edge), u[1] * np.float32(2 * math.pi)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)])


def globe(rng: np.random.Generator, number: int) -> np.ndarray:
    u = square(rng, number)
    height, turn = 2 * u[0] - 1, u[1] * np.float32(2 * math.pi)
    around = np.sqrt(1 - height * height)
    return np.stack([around * np.cos(turn), around * np.sin(turn), height])


def normals(dim: int, rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.standard_normal((dim, number), dtype=np.float32)


def directions(dim: int, rng: np.random.Generator, number: int) -> np.ndarray:
    g = normals(dim + 1, rng, number)
    return g / np.sqrt(np.einsum("ij,ij->j", g, g))


def minus_dot(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -np.einsum("ij,ij->j", x, y)


def squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    gap = x - y
    return np.einsum("ij,ij->j", gap, gap)


def squared_around(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    gap = np.abs(x - y)
    gap = np.minimum(gap, 1 - gap)
    return np.einsum("ij,ij->j", gap, gap)


def hyperbolic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """sinh²(d/2)."""
    c_x, c_y = (np.sqrt(1 + np.einsum("ij,ij->j", p, p)) for p in (x, y))
    gap = c_y * x - c_x * y
    return np.einsum("ij,ij->j", gap, gap)


WIDE_DISK = functools.partial(disk, edge=math.sinh(1.0))
CASES = {
    "sphere(2)": Case(spaces.Sphere(2), 1.0, 2, globe, minus_dot, -math.cos(1.0)),
    "sphere(9)": Case(spaces.Sphere(9), 1.5, 10, functools.partial(directions, 9), minus_dot, -math.cos(1.5)),
    "ball(2)": Case(spaces.Ball(2), 0.8, 2, disk, squared, 0.64),
    "gaussian(2)": Case(spaces.Gaussian(2), 1.0, 2, functools.partial(normals, 2), squared, 1.0),
    "gaussian(8)": Case(spaces.Gaussian(8), 4.0, 8, functools.partial(normals, 8), squared, 16.0),
    "hyperbolic": Case(spaces.Hyperbolic(), 1.5, 2, WIDE_DISK, hyperbolic, math.sinh(0.75) ** 2),
    "torus(2, l2)": Case(spaces.Torus(2, "l2"), 0.3, 2, square, squared_around, 0.09),
}


def _worker(case: Case, trials: int, seed: np.random.SeedSequence) -> np.ndarray:
    rng, block = np.random.Generator(np.random.SFC64(seed)), max(256, BLOCK_NUMBERS // (3 * case.numbers))
    tally = np.zeros((2, 2), np.int64)
    edge = np.float32(case.edge)
    while trials > 0:
        now = min(block, trials)
        probe, *items = (case.points(rng, now) for _ in range(3))
        first, last = (case.statistic(probe, item) <= edge for item in items)
        both = np.count_nonzero(first & last)
        of_first, of_last = np.count_nonzero(first), np.count_nonzero(last)
        tally += np.array([[now - of_first - of_last + both, of_last - both], [of_first - both, both]])
        trials -= now
    return tally


def numpy_peer(case: Case, trials: int, seed: int) -> Result:
    workers = cores()
    shares = [trials // workers + (part < trials % workers) for part in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(_worker, [case] * workers, shares, np.random.SeedSequence(seed).spawn(workers))
        return summary(sum(parts, np.zeros((2, 2), np.int64)), 2)


def ours(space: spaces.MetricSpace, similarity, method: str, trials: int, seed: int) -> Result:
    e = estimate(space, similarity, key=jax.random.key(seed), trials=trials, method=method)
    return tuple(float(x) for x in e[:4])  # pyright: ignore[reportReturnType]


def measured(programs: dict, seconds: float, rounds: int) -> dict:
    """Million trials a second of each, as many at a time as take it so long."""
    trials = {name: sized(lambda t, run=run: run(t, 0), seconds, 2**18) for name, run in programs.items()}
    best, _ = best_times({name: lambda n=name, run=run: run(trials[n], 0) for name, run in programs.items()}, rounds)
    return {name: trials[name] / took / 1e6 for name, took in best.items()}


def throughput(name: str, seconds: float, rounds: int) -> dict:
    case = CASES[name]
    programs: dict = {m: functools.partial(ours, case.space, Constant(case.epsilon), m) for m in METHODS}
    programs["NumPy"] = functools.partial(numpy_peer, case)
    programs["circle"] = functools.partial(ours, spaces.get("circle"), Constant(0.25), "prng")
    if case.space.has_ball_measure:
        exact = accuracy(case.space, Constant(case.epsilon))
        for program in (*METHODS, "NumPy"):
            p_s, p_i, p_s_stderr, p_i_stderr = programs[program](2**18, 1)
            if abs(p_s - exact.p_s) > 5 * p_s_stderr or abs(p_i - exact.p_i) > 5 * p_i_stderr:
                raise SystemExit(f"{program} on {name} computes {p_s, p_i}, not {exact}")
    return {"space": name, "million_trials_per_s": measured(programs, seconds, rounds)}


def throughput_rows(name: str, rate: dict) -> list[dict]:
    unit, peer = "million trials/s", "NumPy for this space (float32, a thread a core)"
    rows = [
        row(f"estimate, {name}, n = 2, {m}", rate[m], unit, peer=peer, peer_value=rate["NumPy"], bar=BAR)
        for m in METHODS
    ]
    return [*rows, row(f"{name} beside the circle, prng", rate["prng"], unit, peer="circle", peer_value=rate["circle"])]


def graded(seconds: float, rounds: int) -> dict:
    drawn = {"sphere(2)": spaces.Sphere(2), "gaussian(2)": spaces.Gaussian(2), "circle": spaces.get("circle")}
    return measured(
        {name: functools.partial(ours, space, Exponential(0.3), "lattice") for name, space in drawn.items()},
        seconds,
        rounds,
    )


def run(quick: bool) -> dict:
    seconds, rounds = (0.05, 2) if quick else (0.3, 5)
    out: dict = {"rows": [], "throughput": []}
    for name in CASES:
        say(f"trials a second, {name}")
        out["throughput"].append(throughput(name, seconds, rounds))
        out["rows"] += throughput_rows(name, out["throughput"][-1]["million_trials_per_s"])
    say("an exponential similarity")
    out["graded"] = graded(seconds, rounds)
    for name in ("sphere(2)", "gaussian(2)"):
        what = f"estimate, {name}, exponential, n = 2, lattice"
        value, circle = out["graded"][name], out["graded"]["circle"]
        out["rows"].append(row(what, value, "million trials/s", peer="circle", peer_value=circle))
    return out


if __name__ == "__main__":
    main(run, __doc__)
