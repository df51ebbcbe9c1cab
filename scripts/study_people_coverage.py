"""How often 90 % intervals of what people say hold the truth: tables simulated from a known similarity.

    python scripts/study_people_coverage.py STUDY [--sets 200] [--first 0]

STUDY is one of those in `STUDIES`. Each prints rows of a Markdown table.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from semres_jax import measure, similarity

LEVEL = 0.9
FLOOR = 0.05
EPSILON = {"exponential": 0.3, "gaussian": 0.3, "linear": 0.8}


def plane(rng: np.random.Generator, size: int) -> np.ndarray:
    """Distances of stimuli uniform in a square of side 1."""
    x = rng.random((size, 2))
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


def rated(g: np.ndarray, rng: np.random.Generator, precision: float) -> np.ndarray:
    """Ratings from 0 to 1 around similarities: of a beta distribution, so that 1 is always 1; not symmetric."""
    sure = g >= 1
    inside = np.where(sure, 0.5, g)
    return np.where(sure, 1.0, rng.beta(inside * precision, (1 - inside) * precision))


def judged(family: str, size: int = 30, precision: float = 15.0, floor: float = FLOOR):
    """Ratings of one table; stimuli drawn anew."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
        d = plane(rng, size)
        g = np.asarray(similarity.get(family)(EPSILON[family], floor)(d), float)
        return rated(g, rng, precision), d, {}

    return draw, floor


def confused(family: str, size: int = 16, answers: int = 200, floor: float = FLOOR):
    """Counts of answers to each stimulus by Luce's rule."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
        d = plane(rng, size)
        g = np.asarray(similarity.get(family)(EPSILON[family], floor)(d), float)
        counts = np.stack([rng.multinomial(answers, row) for row in g / g.sum(1, keepdims=True)])
        return counts.astype(float), d, {"kind": "confusion"}

    return draw, floor


def subjects(family: str, size: int = 24, people: int = 10, precision: float = 5.0, spread: float = 0.2):
    """Subjects whose resolutions differ, ln ε normal, each with noise of its own; stimuli drawn anew."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
        d = plane(rng, size)
        tables = []
        for log in spread * rng.normal(size=people):
            g = np.asarray(similarity.get(family)(EPSILON[family] * np.exp(log), FLOOR)(d), float)
            tables.append(rated(g, rng, precision))
        return np.stack(tables), d, {}

    return draw, FLOOR


DESIGNS: dict[str, tuple[str, tuple[Callable, float]]] = {
    "similarities, exponential": ("exponential", judged("exponential")),
    "similarities, gaussian": ("gaussian", judged("gaussian")),
    "similarities, linear": ("linear", judged("linear")),
    "counts, exponential": ("exponential", confused("exponential")),
    "counts, gaussian": ("gaussian", confused("gaussian")),
    "counts, linear": ("linear", confused("linear")),
    "few counts, exponential": ("exponential", confused("exponential", answers=60)),
    "subjects, exponential": ("exponential", subjects("exponential")),
}


def similarities(sets: int, first: int) -> None:
    """Resolution and floor of judged tables: ratings over stimuli, counts over answers, subjects who differ."""
    print("| design | number | held | above | below | median | truth | s / table |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (family, (draw, floor)) in DESIGNS.items():
        rows, started = [], time.perf_counter()
        for k in range(first, first + sets):
            table, d, settings = draw(np.random.default_rng([k, 1]))
            fit = measure.similarities(
                table, d, families=[family], n=[2], fronts={}, optimal="none", bootstrap=400, level=LEVEL, key=k,
                **settings,
            ).fits[family]  # fmt: skip
            rows.append([[number.value, number.low, number.high] for number in (fit.resolution, fit.delta)])
        seconds = (time.perf_counter() - started) / sets
        truths = {"ε": EPSILON[family], "Δ": floor}
        for (number, truth), values in zip(truths.items(), np.moveaxis(np.array(rows), 1, 0), strict=True):
            above, below = (values[:, 1] > truth).mean(), (values[:, 2] < truth).mean()
            held, middle = ((values[:, 1] <= truth) & (truth <= values[:, 2])).mean(), np.median(values[:, 0])
            print(f"| {name} | {number} | {held:.3f} | {above:.3f} | {below:.3f} | {middle:.4f} | {truth:g} | "
                  f"{seconds:.2f} |", flush=True)  # fmt: skip


STUDIES = {"similarities": similarities}

if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("study", choices=STUDIES)
    words.add_argument("--sets", type=int, default=200)
    words.add_argument("--first", type=int, default=0)
    given = words.parse_args()
    STUDIES[given.study](given.sets, given.first)
