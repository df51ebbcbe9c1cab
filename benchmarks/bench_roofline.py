"""What share of the machine's measured peaks the inner loop of Monte Carlo reaches.

Peaks are measured on the same cores in the same run: 32-bit integer operations (chains of them that stay in registers,
as XLA and as Numba compile them; the best counts), uniform words alone, float32 flops of a matrix product, and the
memory's bandwidth. Operations of a trial are counted by hand, from the algorithm: the fewest that we know of, so that
shares are no flattery.
"""

import functools
import itertools
import math
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from measuring import best_times, cores, installed, sized
from report import main, row, say

from semres_jax import Constant, Exponential, estimate, spaces
from semres_jax.montecarlo.uniforms import pcg4d

CIRCLE = spaces.get("circle")
NS, METHODS = (2, 8, 32), ("prng", "lattice")

# 32-bit operations, by the algorithm of semres_jax/montecarlo; to be kept in step with it.
# pcg4d, four words: 2 for the trial (the other three inputs are the same for all), 7 + 8 for two rounds of four
# multiply-adds (y * w of the first is the same for all), 8 for the shifts and exclusive ors between.
PRNG_BLOCK, PRNG_WORDS = 25, 4
# A lattice's word: one addition. On the circle the probe of a lattice is at 0, so that items only have words.
LATTICE_WORD = 1
# An item: subtract the probe's word (pseudo-random ones only), compare, count.
SUBTRACT, ITEM = 1, 2
# A trial: its K into the histogram.
TRIAL = 1

# Chains of operations that nothing can shorten: (function of a value, two unknowns and a shift; operations).
CHAINS = {
    "operations (add, shift, xor)": (lambda v, a, b, s: ((v + a) ^ (v >> s)) + b, 4),
    "operations, every third a multiplication": (lambda v, a, b, s: ((v * a) + b) ^ a, 3),
}
# Links of a chain, and chains side by side, so that none waits for its own last result.
STEPS, BESIDE = 12, 8
# Lanes of a tile, and bytes of an array that is in no cache.
LANES, FAR = 2**18, 2**28
# Of a row.
COLUMNS = 2**12
# Of a square matrix.
SIDE = 2048
# As semres_jax/montecarlo/sharding.py compiles its loop: a row is one core's, a tile is shared out by XLA.
OPTIONS: Any = {"xla_cpu_prefer_vector_width": 512}
ROW_OPTIONS: Any = OPTIONS | {"xla_cpu_multi_thread_eigen": False}

WHY = {
    "prng": "prng, why not more: three words of four are used at n = 2, and about a third of pcg4d's operations are "
    "32-bit multiplications, which take a core two cycles a vector and wait ten for each other within a trial.",
    "lattice": "lattice, why not more: a comparison gives a mask, which takes one more instruction to become a number "
    "that can be added up, and masks are made by one of the core's two vector units; words are read from the cache.",
    "memory": "Nothing of a trial goes through memory: words, distances and counts stay in registers and caches, so "
    "bandwidth is no bound; if words were stored it would be, by the line above.",
    "flops": "Flops are no measure of the constant similarity, whose trials are integers; exponential ones need an "
    "exponential function for each item and two divisions, in float64.",
}


def operations(method: str, n: int) -> int:
    """The fewest 32-bit operations of a trial."""
    prng = math.ceil(PRNG_BLOCK * (n + 1) / PRNG_WORDS) + SUBTRACT * n
    return (prng if method == "prng" else LATTICE_WORD * n) + ITEM * n + TRIAL


class Program(NamedTuple):
    """`run(size)` does `per_step` units of work `size` times; sizes are multiples of `start`."""

    run: Callable[[int], Any]
    start: int
    per_step: int = 1


def rates(programs: dict[str, Program], seconds: float, rounds: int) -> dict[str, float]:
    """Units a second of all programs, timed in turn: a machine that drifts must not make shares of its peaks."""
    sizes = {name: sized(program.run, seconds, program.start) for name, program in programs.items()}
    best, _ = best_times({name: functools.partial(p.run, sizes[name]) for name, p in programs.items()}, rounds)
    return {name: program.per_step * sizes[name] / best[name] for name, program in programs.items()}


def xla_tiles(kernel: Callable, lanes: int = LANES, options: Any = OPTIONS) -> Callable[[int], Any]:
    """A program of so many lanes in tiles, like that of `estimate`: nothing but a sum of each tile is stored.

    `kernel` gives a word a lane from its number and unknowns, which no compiler can know.
    """
    unknown = tuple(jnp.asarray(x, jnp.uint32) for x in (1664525, 1013904223, 16))

    def tiles(count, unknown):
        def one(i, total):
            lane = jnp.arange(lanes, dtype=jnp.uint32) + i.astype(jnp.uint32) * jnp.uint32(lanes)
            words = kernel(lane, *unknown).reshape(-1, 1024)
            return total + jnp.sum(words, axis=1, dtype=jnp.uint32).sum(dtype=jnp.uint32)

        return jax.lax.fori_loop(0, count, one, jnp.uint32(0))

    program = jax.jit(tiles, compiler_options=options)
    return lambda size: jax.block_until_ready(program(jnp.int32(max(1, size // lanes)), unknown))


def xla_rows(kernel: Callable, pool: ThreadPoolExecutor) -> Callable[[int], Any]:
    """The same a row at a time and a thread a core, like the loop of `estimate` on CPUs: a row stays in the cache."""
    unknown = tuple(jnp.asarray(x, jnp.uint32) for x in (1664525, 1013904223, 16))

    def rows(first, count, unknown):
        def one(i, sums):
            lane = jnp.arange(COLUMNS, dtype=jnp.uint32)[None] + (first + i).astype(jnp.uint32) * jnp.uint32(COLUMNS)
            place = (i & 1, 0)
            so_far = jax.lax.dynamic_slice(sums, place, (1, COLUMNS))
            return jax.lax.dynamic_update_slice(sums, so_far ^ kernel(lane, *unknown), place)

        return jax.lax.fori_loop(0, count, one, jnp.zeros((2, COLUMNS), jnp.uint32))

    program = jax.jit(rows, compiler_options=ROW_OPTIONS)

    def run(size: int) -> None:
        share = max(1, size // (COLUMNS * cores()))
        firsts = [jnp.int32(k * share) for k in range(cores())]
        list(pool.map(lambda first: jax.block_until_ready(program(first, jnp.int32(share), unknown)), firsts))

    return run


def chain(step: Callable) -> Callable:
    """The kernel of chains side by side."""

    def kernel(lane, a, b, s):
        chains = [lane * jnp.uint32(2 * k + 1) for k in range(BESIDE)]
        for _ in range(STEPS):
            chains = [step(v, a, b, s) for v in chains]
        return functools.reduce(operator.xor, chains)

    return kernel


def words(lane: Any, a: Any, b: Any, s: Any) -> Any:
    """The kernel of pseudo-random words that are only made and combined by exclusive or."""
    x, y, z, w = pcg4d(lane, s, a, b)
    return x ^ y ^ z ^ w


def numba_chain(step: Callable) -> Callable[[int], Any]:
    """The same chains over a block in each core's cache, as Numba compiles them, one after the other."""
    import numba
    from numba import uint32

    inlined = numba.njit(inline="always")(step)
    block = 2**12

    @numba.njit(parallel=True)
    def run(times, a, b, s, blocks):
        for part in numba.prange(len(blocks)):
            mine = blocks[part]
            for _ in range(times * BESIDE):
                for j in range(block):
                    v = mine[j]
                    # written out: STEPS of them
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    v = uint32(inlined(v, a, b, s))
                    mine[j] = v

    blocks = np.arange(cores() * block, dtype=np.uint32).reshape(cores(), block)
    a, b, s = (np.uint32(x) for x in (1664525, 1013904223, 16))
    return lambda size: run(max(1, size // blocks.size), a, b, s, blocks)


def integers(pool: ThreadPoolExecutor) -> dict[str, Program]:
    """Each chain, by how it is compiled."""
    makers = {"XLA, tiles": lambda step: xla_tiles(chain(step)), "XLA, rows": lambda step: xla_rows(chain(step), pool)}
    if installed("numba"):
        makers["Numba"] = numba_chain
    return {
        f"{name}, {maker}": Program(make(step), 2**22, STEPS * BESIDE * per_step)
        for name, (step, per_step) in CHAINS.items()
        for maker, make in makers.items()
    }


def words_alone(pool: ThreadPoolExecutor) -> dict[str, Program]:
    """Pseudo-random words, by how they are compiled."""
    made = {"tiles": xla_tiles(words), "rows": xla_rows(words, pool)}
    return {f"words, {name}": Program(run, 2**18, PRNG_WORDS) for name, run in made.items()}


def products() -> dict[str, Program]:
    """Float32 matrix products by NumPy's BLAS and by XLA."""
    ours, theirs = (np.random.default_rng(k).random((SIDE, SIDE), dtype=np.float32) for k in range(2))
    left, right = jnp.asarray(ours), jnp.asarray(theirs)
    product = jax.jit(jnp.matmul)

    def by_numpy(times: int) -> None:
        for _ in range(times):
            ours @ theirs

    def by_xla(times: int) -> None:
        for _ in range(times):
            product(left, right).block_until_ready()

    return {"NumPy": Program(by_numpy, 1, 2 * SIDE**3), "XLA": Program(by_xla, 1, 2 * SIDE**3)}


def sums(pool: ThreadPoolExecutor) -> Program:
    """Bytes of a = b + c over arrays that are in no cache, a thread a core; 12 a number."""
    few = FAR // 4
    a, b, c = np.empty(few, np.float32), np.ones(few, np.float32), np.ones(few, np.float32)
    ends = np.linspace(0, few, cores() + 1).astype(int)
    parts = [slice(i, j) for i, j in itertools.pairwise(ends)]

    def run(times: int) -> None:
        for _ in range(times):
            list(pool.map(lambda part: np.add(b[part], c[part], out=a[part]), parts))

    return Program(run, 1, 12 * few)


def draws() -> dict[str, Program]:
    """Trials of `estimate`."""

    def draw(trials: int, n: int, method: str, similarity: Any = Constant):
        return estimate(CIRCLE, similarity(0.1), key=jax.random.key(0), trials=trials, n=n, method=method)

    measured = {f"{m}, n = {n}": functools.partial(draw, n=n, method=m) for m in METHODS for n in NS}
    measured["exponential"] = functools.partial(draw, n=2, method="lattice", similarity=Exponential)
    return {name: Program(run, 2**18) for name, run in measured.items()}


def share_row(what: str, ours: float, peak: float, unit: str, of: str, note: str = "") -> dict:
    """`ratio` of these lines is the share of the peak."""
    return row(what, ours, unit, peer=of, peer_value=peak, note=note)


def run(quick: bool) -> dict:
    seconds, rounds = (0.1, 2) if quick else (0.4, 7)
    say("operations, words, flops, bandwidth, and the inner loop, in turn")
    multiplied, drawn = products(), draws()
    with ThreadPoolExecutor(cores()) as pool:
        chains, made = integers(pool), words_alone(pool)
        rate = rates(chains | made | multiplied | drawn | {"bytes": sums(pool)}, seconds, rounds)
    plain, mixed = (max(rate[c] for c in chains if c.startswith(f"{name}, ")) for name in CHAINS)
    alone, moved, flops = max(rate[w] for w in made), rate["bytes"], max(rate[name] for name in multiplied)
    rows = [row(f"peak: 32-bit {name}", rate[name] / 1e9, "billion/s") for name in chains]
    rows += [
        row("peak: pseudo-random words, made and thrown away", alone / 1e9, "billion/s"),
        row("peak: float32 flops, matrix product", flops / 1e9, "billion/s"),
        row("peak: memory, a = b + c", moved / 1e9, "GB/s"),
    ]
    for method in METHODS:
        name, peak = ("mixed 32-bit operations", mixed) if method == "prng" else ("32-bit operations", plain)
        for n in NS:
            trials, count = rate[f"{method}, n = {n}"], operations(method, n)
            what = f"roofline, {method}, n = {n}: share of the peak at {count} operations a trial"
            rows.append(share_row(what, trials * count / 1e9, peak / 1e9, "billion/s", name, WHY[method]))
            if method == "prng":
                what = f"roofline, prng, n = {n}: share of making the words alone"
                rows.append(share_row(what, trials * (n + 1) / 1e9, alone / 1e9, "billion words/s", "words alone"))
    most = max(rate[f"lattice, n = {n}"] * (n + 1) for n in NS)
    what = "roofline, lattice: what storing and reading its words would take of the memory's bandwidth"
    rows.append(share_row(what, 8 * most / 1e9, moved / 1e9, "GB/s", "a = b + c", WHY["memory"]))
    exponential = rate["exponential"] / 1e6
    rows.append(
        row("estimate, circle, exponential, n = 2, lattice", exponential, "million trials/s", note=WHY["flops"])
    )
    counts = {f"{method}, n = {n}": operations(method, n) for method in METHODS for n in NS}
    return {"rows": rows, "per_second": rate, "operations": counts}


if __name__ == "__main__":
    main(run, __doc__)
