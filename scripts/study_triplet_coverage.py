"""How often 90 % intervals of `measure.fit_triplets` hold the truth: both layouts, families, floor and no floor.

    python scripts/study_triplet_coverage.py [--tables 200] [--first 0] [--layout odd] [FAMILY ...]

Each table has 25 new stimuli, uniform in the unit square, and 1,500 triplets of them drawn at random (some more than
once), judged by Luce's rule on the strengths of pairs. Floor 0.05, fitted, or none, given as 0. Prints a row of a
Markdown table for each number: coverage of ε and of the floor; of p_S by the fit and p_I against their exact values on
the same stimuli; and of p_S as measured, where there is one (its truth is over all triplets).
"""

import argparse
import time

import numpy as np

from semres_jax import measure, similarity, spaces
from semres_jax.laws import enumeration

LEVEL, FLOOR = 0.9, 0.05
STIMULI, TRIPLETS = 25, 1500
EPSILON = {"exponential": 0.2, "gaussian": 0.2, "powerlaw": 0.05, "linear": 0.5, "constant": 0.3}


def draw(layout: str, similarity_function, table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(T, 3) triplets as they were judged: the largest of logarithms of strengths with Gumbel noise."""
    three = np.argsort(rng.random((TRIPLETS, STIMULI)), axis=1)[:, :3]
    i, j, k = three.T
    d = np.stack([table[i, j], table[i, k], *([table[j, k]] if layout == "odd" else [])], axis=1)
    g = np.asarray(similarity_function(d), np.float64)
    g[g.sum(1) == 0] = 1.0
    with np.errstate(divide="ignore"):
        chosen = (np.log(g) + rng.gumbel(size=g.shape)).argmax(1)
    orders = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])
    return np.take_along_axis(three, orders[chosen], axis=1)


def study(layout: str, family: str, floor: float, tables: int, first: int) -> None:
    """Rows of one design."""
    truth = {"epsilon": EPSILON[family], "delta": floor}
    inside: dict[str, int] = {}
    estimates: dict[str, list[float]] = {}
    started = time.perf_counter()
    for seed in range(first, first + tables):
        rng = np.random.default_rng(seed)
        space = spaces.Finite.from_points(rng.random((STIMULI, 2)))
        g = similarity.get(family)(EPSILON[family], floor)
        said = draw(layout, g, np.asarray(space.distances), rng)
        fit = measure.fit_triplets(
            said, space, layout=layout, families=[family], delta="fit" if floor else 0.0, level=LEVEL, bootstrap=0,
            fronts={},
        )  # fmt: skip
        exact = enumeration.accuracy(space, g)
        numbers = fit.best.quantities() | {"p_S by the fit": fit.place.fit_p_s, "p_I by the fit": fit.p_i}
        truths = truth | {"p_S by the fit": exact.p_s, "p_I by the fit": exact.p_i}
        if layout == "anchor":
            numbers["p_S measured"], truths["p_S measured"] = fit.p_s, exact.p_s
        for name, number in numbers.items():
            if np.isfinite(number.low) or name in truth:
                inside[name] = inside.get(name, 0) + bool(number.low <= truths[name] <= number.high)
                estimates.setdefault(name, []).append(float(number.value - truths[name]))
    seconds = (time.perf_counter() - started) / tables
    for name, held in inside.items():
        print(
            f"| {layout} | {family}, floor {floor:g} | {name} | {held / tables:.3f} "
            f"| {np.median(estimates[name]):+.4f} | {seconds:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("--tables", type=int, default=200)
    words.add_argument("--first", type=int, default=0)
    words.add_argument("--layout", choices=("odd", "anchor"))
    words.add_argument("families", nargs="*")
    given = words.parse_args()
    print("| layout | family | number | coverage | median estimate - truth | s / table |")
    print("|---|---|---|---|---|---|")
    for kind in [given.layout] if given.layout else ["odd", "anchor"]:
        for name in given.families or EPSILON:
            for level in (FLOOR, 0.0):
                study(kind, name, level, given.tables, given.first)
