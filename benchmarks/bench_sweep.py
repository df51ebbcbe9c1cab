"""A frontier sweep in one call, against scripts that go cell by cell, and what a second sweep compiles.

A cell is one space, similarity, resolution, floor and number of items, with p_S and p_I. Scripts are timed on some of
the cells, the rest is a product. All numbers are compared before they are timed.
"""

import itertools
import tempfile

import numpy as np
from measuring import apart, best_times, compiling, timed
from report import main, row, say

from semres_jax import Exponential, accuracy, frontier, spaces
from semres_jax.similarity import KINDS

PLACES = {"circle": spaces.get("circle"), "interval": spaces.get("interval")}
SIMILARITIES, NS, DELTAS = ("constant", "exponential"), (2, 8), (0.0, 0.1)
# Trials of a cell in a script that samples, and Gauss-Legendre nodes of one that integrates.
SAMPLED, NODES = 100_000, 48
# Floors of the grid that is written, and how much more memory ten times the cells may take.
FLOORS, FLAT = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5), 1.1
NODE, WEIGHT = ((x + shift) / 2 for x, shift in zip(np.polynomial.legendre.leggauss(NODES), (1, 0), strict=True))
WHAT = "sweep over circle and interval, constant and exponential, n = 2, 8, exact"


def sweep(epsilons: np.ndarray, deltas: tuple[float, ...] = DELTAS):
    return frontier.sweep(PLACES, list(SIMILARITIES), list(NS), epsilon=epsilons, delta=list(deltas))


def some(epsilons: np.ndarray, picks: int) -> list[tuple]:
    """So many resolutions of every combination of the rest."""
    few = epsilons[np.linspace(0, len(epsilons) - 1, picks).astype(int)]
    return list(itertools.product(PLACES, SIMILARITIES, few, DELTAS, NS))


def one(place: str, kind: str, epsilon: float, delta: float, n: int) -> tuple[float, float]:
    measured = accuracy(PLACES[place], KINDS[kind](epsilon, delta), n=n)
    return float(measured.p_s), float(measured.p_i)


def sampled(rng: np.random.Generator, place: str, kind: str, epsilon: float, delta: float, n: int):
    """One cell as a script without JAX samples it."""
    points = rng.random((n + 1, SAMPLED), dtype=np.float32)
    d = np.abs(points[1:] - points[0])
    if place == "circle":
        d = np.minimum(d, 1 - d)
    g = (d <= epsilon).astype(np.float32) if kind == "constant" else np.exp(-d / np.float32(epsilon))
    g = delta + (1 - delta) * g
    total = g.sum(0)
    p_s = np.divide(g.max(0), total, out=np.full(SAMPLED, 1 / n, np.float32), where=total > 0)
    return float(p_s.mean()), float((1 / (1 + g[:-1].sum(0))).mean())


def by_hand(epsilon: float, delta: float) -> tuple[float, float]:
    """Exponential similarity on the circle, n = 2, as a NumPy script that is written for it integrates it.

    With u <= v uniform on [0, 1], p_S = 2 ∫∫ g(u/2) / (g(u/2) + g(v/2)) over u < v, and p_I = ∫ 1 / (1 + g(v/2)).
    """
    v, w = NODE, WEIGHT
    far = delta + (1 - delta) * np.exp(-v / (2 * epsilon))
    near = delta + (1 - delta) * np.exp(-v[:, None] * v / (2 * epsilon))  # u = v times a node
    p_s = 2 * (w * v) @ ((near / (near + far[:, None])) @ w)
    return float(p_s), float(w @ (1 / (1 + far)))


def _strength(d: np.ndarray, epsilon: float, delta: float) -> np.ndarray:
    return delta + (1 - delta) * np.exp(-d / epsilon)


def by_hand_of_many(epsilon: float, delta: float, n: int) -> tuple[float, float]:
    """Exponential similarity on the circle, any n: 1/x = ∫ e^{-xs} ds by the trapezoid rule in ln s.

    With u uniform on [0, 1], A = ∫_u^1 e^{-sg}: p_S = n ∫∫ g e^{-sg} A^{n-1}, p_I = ∫ e^{-s} A(0, s)^{n-1}.
    """
    log_s = np.arange(-22.0 - np.log(n), 3.7 - np.log(_strength(0.5, epsilon, delta)), 0.3)
    s, w = np.exp(log_s), 0.3 * np.exp(log_s)
    g = _strength(NODE / 2, epsilon, delta)
    far = NODE[:, None] + (1 - NODE[:, None]) * NODE
    beyond = np.exp(-s[:, None, None] * _strength(far / 2, epsilon, delta)) @ WEIGHT * (1 - NODE)
    kept = np.exp(-s[:, None] * g)
    p_s = n * (w @ (g * kept * beyond ** (n - 1))) @ WEIGHT
    return float(p_s), float((w * np.exp(-s)) @ (kept @ WEIGHT) ** (n - 1))


def by_hand_on_the_interval(epsilon: float, delta: float) -> tuple[float, float]:
    """Exponential similarity on the interval, n = 2: probes in one half, distances that come twice and once."""
    p_s = p_i = 0.0
    for probe, weight in zip(NODE / 2, WEIGHT, strict=True):
        pieces = ((0.0, probe, 2.0), (probe, 1 - 2 * probe, 1.0))  # from, width, density
        ways = [
            (width * density * WEIGHT, _strength(start + width * NODE, epsilon, delta))
            for start, width, density in pieces
        ]
        (near, g_near), (far, g_far) = ways
        p_i += weight * (near @ (1 / (1 + g_near)) + far @ (1 / (1 + g_far)))
        both = 2 * near @ (g_near[:, None] / (g_near[:, None] + g_far)) @ far
        for start, width, density in pieces:  # two in the same piece, the closer one first
            g = _strength(start + width * NODE, epsilon, delta)
            closer = _strength(start + width * NODE[:, None] * NODE, epsilon, delta)
            both += 2 * (width * density) ** 2 * (WEIGHT * NODE) @ ((closer / (closer + g[:, None])) @ WEIGHT)
        p_s += weight * both
    return float(p_s), float(p_i)


def cells_per_second(resolutions: int, picks: int, rounds: int) -> dict:
    epsilons = np.linspace(0.01, 0.5, resolutions)
    cells = some(epsilons, picks)
    table = sweep(epsilons)
    rng = np.random.default_rng(0)
    for place, kind, epsilon, delta, n in cells:
        at = table.sel(space=place, similarity=kind, epsilon=epsilon, delta=delta, n=n)
        swept = float(at.p_s), float(at.p_i)
        if not np.allclose(swept, one(place, kind, epsilon, delta, n), rtol=0, atol=1e-9):
            raise SystemExit(f"sweep and accuracy differ at {place, kind, epsilon, delta, n}")
        if not np.allclose(swept, sampled(rng, place, kind, epsilon, delta, n), rtol=0, atol=0.01):
            raise SystemExit(f"sweep and sampling differ at {place, kind, epsilon, delta, n}")
    programs = {
        "sweep": lambda: sweep(epsilons),
        "accuracy": lambda: [one(*cell) for cell in cells],
        "sampled": lambda: [sampled(rng, *cell) for cell in cells],
    }
    best, _ = best_times(programs, rounds)
    size = int(table.p_s.size)
    count = {"sweep": size, "accuracy": len(cells), "sampled": len(cells)}
    return {"cells": size, "timed_cells": count, "cells_per_s": {k: count[k] / best[k] for k in best}}


# What a script can be written for: what it is called, place, numbers of items, and the script.
BY_HAND = {
    "circle, exponential, n = 2": ("circle", [2], by_hand, 1),
    "circle, exponential, n = 8": ("circle", [8], lambda e, d: by_hand_of_many(e, d, 8), 16),
    "circle, exponential, n = 2, 8, 32": (
        "circle", [2, 8, 32], lambda e, d: [by_hand(e, d), by_hand_of_many(e, d, 8), by_hand_of_many(e, d, 32)], 16,
    ),
    "interval, exponential, n = 2": ("interval", [2], by_hand_on_the_interval, 16),
}  # fmt: skip


def against_hand(what: str, resolutions: int, rounds: int) -> dict:
    """A sweep against the script for it, which is timed on every so-maniest cell."""
    place, ns, script, every = BY_HAND[what]
    epsilons, deltas = np.linspace(0.02, 0.5, max(resolutions // every, 8)), np.linspace(0.0, 0.3, 8)
    swept = lambda: frontier.sweep(PLACES[place], Exponential, ns, epsilon=epsilons, delta=deltas)  # noqa: E731
    cells = list(itertools.product(epsilons, deltas))
    table, some = swept(), np.random.default_rng(0).permutation(len(cells))[: max(len(cells) // every, 8)]
    mine = np.array([np.ravel(script(*cells[i])) for i in some])
    got = np.stack([table.p_s.values.reshape(-1, len(ns)), table.p_i.values.reshape(-1, len(ns))], -1)
    off = np.abs(got.reshape(len(cells), -1)[some] - mine).max()
    if off > 1e-8:
        raise SystemExit(f"sweep and the quadrature by hand differ by {off}: {what}")
    best, _ = best_times({"sweep": swept, "by hand": lambda: [script(*cells[i]) for i in some]}, rounds)
    count = {"sweep": len(cells) * len(ns), "by hand": len(some) * len(ns)}
    return {"cells": count["sweep"], "difference": off, "cells_per_s": {k: count[k] / t for k, t in best.items()}}


def written(cells: int) -> None:
    """So many cells as `semres sweep` computes them and writes them to a file."""
    from semres_jax.cli import main as semres

    with tempfile.TemporaryDirectory() as folder:
        grid = ["--epsilon", f"0.01:0.5:{cells // len(FLOORS)}", "--delta", ",".join(map(str, FLOORS))]
        if semres(["sweep", "--similarity", "exponential", *grid, "--n", "2", "--out", folder]):
            raise SystemExit(f"semres sweep of {cells:,} cells failed")


def second_sweep(resolutions: int) -> dict:
    """The same spaces, similarities and n with other resolutions and floors: seconds, and programs compiled."""
    with compiling() as first:
        first_s = timed(lambda: sweep(np.linspace(0.01, 0.5, resolutions)))
    with compiling() as second:
        second_s = timed(lambda: sweep(np.linspace(0.02, 0.4, resolutions), (0.05, 0.2)))
    return {
        "cells": resolutions * len(PLACES) * len(SIMILARITIES) * len(NS) * len(DELTAS),
        "seconds": [first_s, second_s],
        "programs": [first.programs, second.programs],
    }


def run(quick: bool) -> dict:
    resolutions, picks, rounds = (32, 2, 1) if quick else (256, 4, 3)
    say("first and second sweep")
    again = second_sweep(resolutions)  # before anything else has compiled
    say("cell by cell")
    measured = cells_per_second(resolutions, picks, rounds)
    say("quadrature by hand")
    hand = {what: against_hand(what, 8 * resolutions, rounds) for what in BY_HAND}
    say("a large grid, to a file")
    many = 10**5 if quick else 10**6
    few_held, many_held = (apart("bench_sweep", "written", cells) for cells in (many // 10, many))
    large = f"semres sweep of {many:,} cells, circle, exponential, n = 2, with its files, from a new process"
    rate = measured["cells_per_s"]
    what = f"{WHAT}, {measured['cells']:,} cells"
    rows = [
        row(what, rate["sweep"], "cells/s", peer="a loop over `accuracy`, warm", peer_value=rate["accuracy"]),
        row(
            f"{what}: against sampling",
            rate["sweep"],
            "cells/s",
            peer=f"NumPy, {SAMPLED:,} trials a cell (errors of 0.001)",
            peer_value=rate["sampled"],
        ),
        *(
            row(
                f"sweep over {what}, exact, {by['cells']:,} cells",
                by["cells_per_s"]["sweep"],
                "cells/s",
                peer=f"NumPy quadrature written for it, equal to {by['difference']:.0e}",
                peer_value=by["cells_per_s"]["by hand"],
                bar="ratio >= 1",
            )
            for what, by in hand.items()
        ),
        row(
            f"a second sweep of {again['cells']:,} cells with other numbers",
            again["seconds"][1],
            "s",
            peer=f"the first, which compiles {again['programs'][0]} programs",
            peer_value=again["seconds"][0],
            better="less",
        ),
        row(large, many_held["seconds"], "s"),
        row(
            f"{large}: peak memory",
            many_held["gigabytes"],
            "GB",
            peer=f"{many // 10:,} cells",
            better="less",
            peer_value=few_held["gigabytes"],
            bar=f"value <= {FLAT * few_held['gigabytes']:.2f}",
            note="A cell takes 49 bytes of the table in the file, once in memory and twice more while it is written.",
        ),
        row("programs that a second sweep compiles", again["programs"][1], "", bar="value <= 0"),
    ]
    return {"rows": rows, "second_sweep": again, "cells_per_s": measured, "by_hand": hand}


if __name__ == "__main__":
    main(run, __doc__)
