"""The same Monte Carlo, written as well as we can in NumPy, PyTorch and Numba: what semres_jax is measured against.

One trial on the circle of circumference 1, constant similarity of resolution eps without floor: probe p and items
x_1 .. x_n uniform, s_i = 1 where the arc from x_i to p is at most eps, else 0. Both tasks use the same draws:

- similarity credit: 1/K with K = Σ_{i<=n} s_i, and 1/n if K = 0;
- identification credit: 1 / (1 + Σ_{i<n} s_i), the probe among the first n - 1 items.

Every peer is called as `peer(trials, n, eps, seed)` and gives `(p_s, p_i, p_s_stderr, p_i_stderr)`. All of them use
what a specialist would: both credits depend on small counts, so one pass over cached blocks tallies those, means
and variances follow from the tally; work is spread over all cores; random numbers are 32-bit where the library
lets us choose. The libraries are imported by the peer that needs them.
"""

import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

Result = tuple[float, float, float, float]

# Trials to a block times the numbers of a trial: 2^16 of 32 bits are a quarter of a mebibyte, within a core's cache.
BLOCK_NUMBERS = 1 << 16


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def summary(tally: np.ndarray, n: int) -> Result:
    """Means and standard errors from `tally`, (n, 2): trials by [hits among the first n - 1 items, hit of the last]."""
    others, last = np.indices(tally.shape)
    hits = others + last
    trials = int(tally.sum())
    out = []
    for credit in (np.where(hits == 0, 1.0 / n, 1.0 / np.maximum(hits, 1)), 1.0 / (1.0 + others)):
        mean = float((tally * credit).sum()) / trials
        variance = float((tally * (credit - mean) ** 2).sum()) / max(trials - 1, 1)
        out.append((mean, math.sqrt(variance / trials)))
    return out[0][0], out[1][0], out[0][1], out[1][1]


def _shares(trials: int, parts: int) -> list[int]:
    return [trials // parts + (part < trials % parts) for part in range(parts)]


def closed_form(eps: float) -> tuple[float, float]:
    """p_S = 1/2 + b - b² and p_I = 1 - b/2 at n = 2, with b = 2 eps: what every peer must come to."""
    b = min(2.0 * eps, 1.0)
    return 0.5 + b - b * b, 1.0 - 0.5 * b


def _threshold(eps: float) -> tuple[int, int]:
    """(e, w): with numbers 2^32 around the circle, x is within eps of p just if (x - p + e) mod 2^32 <= w."""
    e = min(round(eps * 2**32), 2**31 - 1)
    return e, 2 * e


def _tally_of_two(first: int, second: int, both: int, trials: int) -> np.ndarray:
    """The tally at n = 2 from how often each item and both of them were hit."""
    return np.array([[trials - first - second + both, second - both], [first - both, both]])


# --- NumPy ------------------------------------------------------------------------------------------------------------


def _numpy_worker(trials: int, n: int, eps: float, seed: np.random.SeedSequence) -> np.ndarray:
    # Raw output of SFC64, 32 bits a number, arcs by integers that wrap around as the circle does: half the time of
    # float32 uniforms, and one comparison instead of a minimum.
    source = np.random.SFC64(seed)
    e, w = (np.uint32(v) for v in _threshold(eps))
    small = np.uint8 if n < 256 else np.uint32
    block = max(256, BLOCK_NUMBERS // (n + 1) // 2 * 2)
    hit = np.empty((n, block), bool)
    both = np.empty(block, bool)
    others = np.empty(block, small)
    tally = np.zeros((n, 2), np.int64)
    while trials > 0:
        now = min(block, trials)
        drawn = source.random_raw((n + 1) * block // 2).view(np.uint32).reshape(n + 1, block)
        drawn[0] -= e
        np.subtract(drawn[1:], drawn[0], out=drawn[1:])
        np.less_equal(drawn[1:], w, out=hit)
        if n == 2:
            np.logical_and(hit[0, :now], hit[1, :now], out=both[:now])
            counts = (int(np.count_nonzero(a[:now])) for a in (*hit, both))
            tally += _tally_of_two(*counts, now)
        else:
            np.add.reduce(hit[:-1].view(np.uint8), axis=0, dtype=small, out=others)
            for last in (0, 1):
                tally[:, last] += np.bincount(others[:now][hit[-1, :now] == last], minlength=n)
        trials -= now
    return tally


def numpy_peer(trials: int, n: int, eps: float, seed: int) -> Result:
    """NumPy: cached blocks, in place, SFC64, a thread a core (NumPy gives the interpreter lock back while it works)."""
    workers = cores()
    seeds = np.random.SeedSequence(seed).spawn(workers)
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(_numpy_worker, _shares(trials, workers), [n] * workers, [eps] * workers, seeds)
        return summary(sum(parts, np.zeros((n, 2), np.int64)), n)


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def _torch_worker(trials: int, n: int, eps: float, seed: int) -> np.ndarray:
    import torch

    torch.set_num_threads(1)  # of this worker: blocks are too small to share out
    generator = torch.Generator().manual_seed(seed)
    e, _ = _threshold(eps)
    block = max(256, BLOCK_NUMBERS // (n + 1) // 2 * 2)
    # 64 random bits at a time, read as two int32. An arc is |x - p| with wrap-around; arc - e - 1 is negative, all sign
    # bits after a shift, just where the item is hit: -1 a hit. Comparisons into bool are five times slower here.
    raw = torch.empty((n + 1) * block // 2, dtype=torch.int64)
    drawn = raw.view(torch.int32).view(n + 1, block)
    items = drawn[1:]
    both = torch.empty(block, dtype=torch.int32)
    tally = np.zeros((n, 2), np.int64)
    while trials > 0:
        now = min(block, trials)
        raw.random_(-(2**63), None, generator=generator)
        items.sub_(drawn[0]).abs_().sub_(e + 1).bitwise_right_shift_(31)
        if n == 2:
            torch.bitwise_and(items[0], items[1], out=both)
            first, second = (-int(row[:now].sum(dtype=torch.int32)) for row in items)
            tally += _tally_of_two(first, second, -int(both[:now].sum(dtype=torch.int32)), now)
        else:
            torch.sum(items[:-1], dim=0, dtype=torch.int32, out=both)
            both.mul_(-2).sub_(items[-1])
            tally += torch.bincount(both[:now], minlength=2 * n).numpy().reshape(n, 2)
        trials -= now
    return tally


def torch_peer(trials: int, n: int, eps: float, seed: int) -> Result:
    """Eager PyTorch on CPU: cached blocks, in place, a thread a core with a generator each."""
    workers = cores()
    seeds = [int(s.generate_state(1, np.uint64)[0] >> 1) for s in np.random.SeedSequence(seed).spawn(workers)]
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(_torch_worker, _shares(trials, workers), [n] * workers, [eps] * workers, seeds)
        return summary(sum(parts, np.zeros((n, 2), np.int64)), n)


# --- Numba ------------------------------------------------------------------------------------------------------------


@functools.cache
def _numba_plain() -> Callable:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def run(shares, n, eps, seeds):
        tally = np.zeros((len(shares), n, 2), np.int64)
        for part in numba.prange(len(shares)):
            np.random.seed(seeds[part])  # noqa: NPY002 (what Numba compiles is its own generator, one a thread)
            mine = np.zeros((n, 2), np.int64)
            for _ in range(shares[part]):
                p = np.random.random()  # noqa: NPY002
                others = 0
                last = 0
                for _ in range(n):
                    others += last
                    gap = abs(np.random.random() - p)  # noqa: NPY002
                    last = int(min(gap, 1.0 - gap) <= eps)
                mine[others, last] += 1
            tally[part] = mine
        return tally

    return run


@functools.cache
def _numba_xoshiro() -> Callable:
    import numba
    from numba import uint32, uint64

    lanes = 16  # generators side by side: the compiler turns a step of all into vector instructions

    @numba.njit(inline="always")
    def draw(state, out):
        """One step of xoshiro128+ in each lane; `state` is (4, lanes)."""
        for j in range(lanes):
            a, b, c, d = state[0, j], state[1, j], state[2, j], state[3, j]
            out[j] = uint32(a + d)
            t = uint32(b << uint32(9))
            c = uint32(c ^ a)
            d = uint32(d ^ b)
            b = uint32(b ^ c)
            a = uint32(a ^ d)
            c = uint32(c ^ t)
            d = uint32((d << uint32(11)) | (d >> uint32(21)))
            state[0, j], state[1, j], state[2, j], state[3, j] = a, b, c, d

    @numba.njit(inline="always")
    def seeded(seed):
        """Four words a lane out of splitmix64."""
        state = np.empty((4, lanes), np.uint32)
        at = uint64(seed)
        for i in range(4):
            for j in range(lanes):
                at = uint64(at + uint64(0x9E3779B97F4A7C15))
                z = uint64((at ^ (at >> uint64(30))) * uint64(0xBF58476D1CE4E5B9))
                z = uint64((z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB))
                state[i, j] = uint32((z ^ (z >> uint64(31))) >> uint64(32))
        return state

    @numba.njit(parallel=True, fastmath=True)
    def run(shares, n, e, w, seeds):
        tally = np.zeros((len(shares), n, 2), np.int64)
        for part in numba.prange(len(shares)):
            state = seeded(seeds[part])
            p = np.empty(lanes, np.uint32)
            x = np.empty(lanes, np.uint32)
            others = np.empty(lanes, np.uint32)
            last = np.empty(lanes, np.uint32)
            mine = np.zeros((n, 2), np.int64)
            left = shares[part]
            if n == 2:  # three sums in registers instead of a table
                first, second, both = 0, 0, 0
                while left >= lanes:
                    draw(state, p)
                    draw(state, x)
                    for j in range(lanes):
                        others[j] = uint32(uint32(x[j] - p[j] + e) <= w)
                    draw(state, x)
                    for j in range(lanes):
                        last[j] = uint32(uint32(x[j] - p[j] + e) <= w)
                    for j in range(lanes):
                        first += others[j]
                        second += last[j]
                        both += others[j] & last[j]
                    left -= lanes
                mine[1, 1] = both
                mine[1, 0] = first - both
                mine[0, 1] = second - both
                mine[0, 0] = shares[part] - left - first - second + both
            while left > 0:
                draw(state, p)
                for j in range(lanes):
                    others[j] = uint32(0)
                    last[j] = uint32(0)
                for _ in range(n):
                    draw(state, x)
                    for j in range(lanes):
                        others[j] = uint32(others[j] + last[j])
                        last[j] = uint32(uint32(x[j] - p[j] + e) <= w)
                for j in range(min(lanes, left)):
                    mine[others[j], last[j]] += 1
                left -= lanes
            tally[part] = mine
        return tally

    return run


def _numba_call(run: Callable, trials: int, n: int, seed: int, *numbers) -> Result:
    shares = np.array(_shares(trials, cores()), np.int64)
    seeds = np.random.SeedSequence(seed).generate_state(len(shares), np.uint32)
    return summary(run(shares, n, *numbers, seeds).sum(axis=0), n)


def numba_peer(trials: int, n: int, eps: float, seed: int) -> Result:
    """Numba: one fused scalar loop a core, Numba's own Mersenne Twister. The first call compiles."""
    return _numba_call(_numba_plain(), trials, n, seed, eps)


def numba_xoshiro_peer(trials: int, n: int, eps: float, seed: int) -> Result:
    """Numba: the same loop over 16 lanes of a hand-written xoshiro128+, which vectorises. The first call compiles."""
    e, w = (np.uint32(v) for v in _threshold(eps))
    return _numba_call(_numba_xoshiro(), trials, n, seed, e, w)


PEERS: dict[str, Callable[[int, int, float, int], Result]] = {
    "numpy": numpy_peer,
    "torch": torch_peer,
    "numba": numba_peer,
    "numba_xoshiro": numba_xoshiro_peer,
}
