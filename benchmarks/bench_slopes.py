"""How cost grows: slopes of log seconds against log size, and what theory expects.

Sizes begin where a call takes much longer than its fixed cost; each is warmed up and timed in turn with the others.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from measuring import best_times, sized
from report import figure, main, row, say

from semres_jax import Constant, Exponential, accuracy, estimate, spaces

CIRCLE = spaces.get("circle")
# Resolutions of the sums over finite spaces.
RESOLUTIONS = 200
# A slope may exceed the theory by so much.
MARGIN = 0.1


def drawn(trials: int, n: int = 2, epsilons: int = 1, method: str = "lattice"):
    similarity = Constant(np.linspace(0.005, 0.495, epsilons))
    return estimate(CIRCLE, similarity, key=jax.random.key(0), trials=trials, n=n, method=method)


def integrated(epsilons: int):
    return accuracy(CIRCLE, Exponential(np.linspace(0.02, 0.5, epsilons)), n=32)


@functools.cache
def points(size: int) -> spaces.Finite:
    where = np.random.default_rng(0).random((size, 2))
    return spaces.Finite(np.linalg.norm(where[:, None] - where[None], axis=-1))


def counted(size: int):
    return accuracy(points(size), Constant(np.linspace(0.0025, 0.5, RESOLUTIONS)), n=2)


def slope(program: Callable[[int], Any], sizes: list[int], rounds: int) -> dict:
    """Least squares through (log size, log best seconds), and the standard error of the slope."""
    best, _ = best_times({size: functools.partial(program, size) for size in sizes}, rounds)
    x, y = np.log(sizes), np.log([best[size] for size in sizes])
    x = x - x.mean()
    fitted = float(x @ y / (x @ x))
    left = y - y.mean() - fitted * x
    error = float(np.sqrt(left @ left / max(len(x) - 2, 1) / (x @ x)))
    return {"sizes": sizes, "seconds": [best[size] for size in sizes], "slope": fitted, "slope_stderr": error}


def run(quick: bool) -> dict:
    # A call at the first size takes about so long.
    seconds, rounds, steps = (0.05, 2, 3) if quick else (0.2, 5, 4)
    cases: dict[str, tuple[Callable[[int], Any], list[int], str, float]] = {}
    for method in ("prng", "lattice"):
        program = functools.partial(drawn, method=method)
        first = sized(program, seconds, 2**20)
        cases[f"seconds against trials, circle, n = 2, {method}"] = (
            program,
            [first * 2**k for k in range(steps)],
            "1",
            1 + MARGIN,
        )
        # The probe is drawn too, and all n + 1 points cost the same.
        by_trials = functools.partial(lambda trials, method, n: drawn(trials, n, method=method), first // 2, method)
        cases[f"seconds against n = 2 to 32, circle, {method}"] = (by_trials, [2, 4, 8, 16, 32], "1", 1 + MARGIN)
        by_members = functools.partial(lambda trials, method, k: drawn(trials, 2, k, method), first // 4, method)
        cases[f"seconds against 1 to 256 resolutions in one pass, circle, n = 2, {method}"] = (
            by_members,
            [1, 4, 16, 64, 256],
            "well below 1",
            0.7,
        )
    sizes = [500, 1000, 2000] if quick else [1000, 2000, 4000, 6000]
    cases[f"seconds against N, exact, N points in the plane, {RESOLUTIONS} resolutions, n = 2"] = (
        counted,
        sizes,
        "2, of N² distances",
        2 + MARGIN,
    )
    cases["seconds against 64 to 1,024 resolutions, exact, exponential, circle, n = 32"] = (
        integrated,
        [64, 256, 1024],
        "at most 1",
        1 + MARGIN,
    )
    measured, rows = {}, []
    for name, (program, at, expected, most) in cases.items():
        say(name)
        measured[name] = slope(program, at, rounds)
        what = f"{name}: slope (theory: {expected}; standard error {figure(measured[name]['slope_stderr'])})"
        rows.append(row(what, measured[name]["slope"], "", bar=f"value <= {most:g}"))
    return {"rows": rows, "slopes": measured}


if __name__ == "__main__":
    main(run, __doc__)
