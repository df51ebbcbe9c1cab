"""A frontier sweep in one call, against scripts that go cell by cell, and what a second sweep compiles.

A cell is one space, similarity, resolution, floor and number of items, with p_S and p_I. Scripts are timed on some of
the cells, the rest is a product. All numbers are compared before they are timed.
"""

import itertools

import numpy as np
from measuring import best_times, compiling, timed
from report import main, row, say

from semres_jax import Exponential, accuracy, frontier, spaces
from semres_jax.similarity import KINDS

PLACES = {"circle": spaces.get("circle"), "interval": spaces.get("interval")}
SIMILARITIES, NS, DELTAS = ("constant", "exponential"), (2, 8), (0.0, 0.1)
# Trials of a cell in a script that samples, and Gauss-Legendre nodes of one that integrates.
SAMPLED, NODES = 100_000, 48
NODE, WEIGHT = ((x + shift) / 2 for x, shift in zip(np.polynomial.legendre.leggauss(NODES), (1, 0), strict=True))
WHAT = "sweep over circle and interval, constant and exponential, n = 2, 8, exact"


def sweep(epsilons: np.ndarray, deltas: tuple[float, ...] = DELTAS):
    return frontier.sweep(PLACES, list(SIMILARITIES), list(NS), epsilon=epsilons, delta=list(deltas))


def some(epsilons: np.ndarray, each: int) -> list[tuple]:
    """So many resolutions of every combination of the rest."""
    few = epsilons[np.linspace(0, len(epsilons) - 1, each).astype(int)]
    return list(itertools.product(PLACES, SIMILARITIES, few, DELTAS, NS))


def one(place: str, kind: str, epsilon: float, delta: float, n: int) -> tuple[float, float]:
    found = accuracy(PLACES[place], KINDS[kind](epsilon, delta), n=n)
    return float(found.p_s), float(found.p_i)


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


def cells_per_second(resolutions: int, each: int, rounds: int) -> dict:
    epsilons = np.linspace(0.01, 0.5, resolutions)
    cells = some(epsilons, each)
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


def against_hand(resolutions: int, rounds: int) -> dict:
    """The one case that a script can be written for: homogeneous, two items."""
    epsilons, deltas = np.linspace(0.02, 0.5, resolutions), np.linspace(0.0, 0.3, 8)
    swept = lambda: frontier.sweep(  # noqa: E731
        PLACES["circle"], Exponential, [2], epsilon=epsilons, delta=deltas
    )
    every = list(itertools.product(epsilons, deltas))
    table, mine = swept(), np.array([by_hand(e, d) for e, d in every])
    off = np.abs(np.stack([table.p_s.values.ravel(), table.p_i.values.ravel()], 1) - mine).max()
    if off > 1e-8:
        raise SystemExit(f"sweep and the quadrature by hand differ by {off}")
    best, _ = best_times({"sweep": swept, "by hand": lambda: [by_hand(e, d) for e, d in every]}, rounds)
    return {"cells": len(every), "difference": off, "cells_per_s": {k: len(every) / t for k, t in best.items()}}


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
    resolutions, each, rounds = (32, 2, 1) if quick else (256, 4, 3)
    say("first and second sweep")
    again = second_sweep(resolutions)  # before anything else has compiled
    say("cell by cell")
    found = cells_per_second(resolutions, each, rounds)
    say("quadrature by hand")
    hand = against_hand(resolutions, rounds)
    rate = found["cells_per_s"]
    what = f"{WHAT}, {found['cells']:,} cells"
    easy = f"sweep over the circle, exponential, n = 2, exact, {hand['cells']:,} cells"
    by_numpy = f"NumPy quadrature written for it, equal to {hand['difference']:.0e}"
    rows = [
        row(what, rate["sweep"], "cells/s", peer="a loop over `accuracy`, warm", peer_value=rate["accuracy"]),
        row(
            f"{what}: against sampling",
            rate["sweep"],
            "cells/s",
            peer=f"NumPy, {SAMPLED:,} trials a cell (errors of 0.001)",
            peer_value=rate["sampled"],
        ),
        row(easy, hand["cells_per_s"]["sweep"], "cells/s", peer=by_numpy, peer_value=hand["cells_per_s"]["by hand"]),
        row(
            f"a second sweep of {again['cells']:,} cells with other numbers",
            again["seconds"][1],
            "s",
            peer=f"the first, which compiles {again['programs'][0]} programs",
            peer_value=again["seconds"][0],
            better="less",
        ),
        row("programs that a second sweep compiles", again["programs"][1], "", bar="value <= 0"),
    ]
    return {"rows": rows, "second_sweep": again, "cells_per_s": found, "by_hand": hand}


if __name__ == "__main__":
    main(run, __doc__)
