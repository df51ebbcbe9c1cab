"""How often intervals of what is measured of people hold the truth, in simulations from known resolutions.

    python scripts/study_people_coverage.py similarities [--tables 200] [--level 0.9] [DESIGN ...]

Study "similarities" (`measure.similarities`): tables of a family of known ε and floor, as judged similarities with
noise (stimuli drawn anew, intervals over stimuli), as confusion counts (intervals over answers), and of several
subjects who differ (intervals over subjects and stimuli). Prints a row of a Markdown table for ε and Δ of each design:
coverage, and beside it the shares of intervals above and below the truth, the median estimate, the truth, seconds.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from semres_jax import measure, similarity

FLOOR = 0.05
EPSILON = {"exponential": 0.3, "gaussian": 0.3, "linear": 0.8}


def plane(rng: np.random.Generator, size: int) -> np.ndarray:
    """Distances of stimuli uniform in a square of side 1."""
    x = rng.random((size, 2))
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


def judged(family: str, size: int = 30, noise: float = 0.08, floor: float = FLOOR):
    """Ratings of similarity with noise, also on the diagonal where it is least; not symmetric."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
        d = plane(rng, size)
        g = np.asarray(similarity.get(family)(EPSILON[family], floor)(d), float)
        own = np.eye(size, dtype=bool)
        return np.clip(g + noise * rng.normal(size=d.shape) * np.where(own, 0.2, 1.0), 0, None), d, {}

    return draw, floor


def confused(family: str, size: int = 16, answers: int = 200, floor: float = FLOOR):
    """Counts of answers to each stimulus by Luce's rule."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
        d = plane(rng, size)
        g = np.asarray(similarity.get(family)(EPSILON[family], floor)(d), float)
        counts = np.stack([rng.multinomial(answers, row) for row in g / g.sum(1, keepdims=True)])
        return counts.astype(float), d, {"kind": "confusion"}

    return draw, floor


def subjects(family: str, size: int = 24, people: int = 10, noise: float = 0.15, spread: float = 0.2):
    """Subjects whose resolutions differ, ln ε normal, each with noise of its own; stimuli drawn anew."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
        d = plane(rng, size)
        own = np.eye(size, dtype=bool)
        tables = []
        for log in spread * rng.normal(size=people):
            g = np.asarray(similarity.get(family)(EPSILON[family] * np.exp(log), FLOOR)(d), float)
            tables.append(np.clip(g + noise * rng.normal(size=d.shape) * np.where(own, 0.2, 1.0), 0, None))
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


def similarities(names: list[str], tables: int, level: float) -> None:
    """Rows of all designs."""
    print(f"| design | number | coverage of {level:.0%} | above | below | median | truth | s / table |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names or DESIGNS:
        family, (draw, floor) = DESIGNS[name]
        rows, started = [], time.perf_counter()
        for k in range(tables):
            table, d, settings = draw(np.random.default_rng([k, 1]))
            fit = measure.similarities(
                table, d, families=[family], n=[2], fronts={}, optimal="none", bootstrap=500, level=level, key=k, **settings
            ).fits[family]  # fmt: skip
            rows.append([[number.value, number.low, number.high] for number in (fit.resolution, fit.delta)])
        seconds = (time.perf_counter() - started) / tables
        for number, truth, values in zip(("ε", "Δ"), (EPSILON[family], floor), np.moveaxis(np.array(rows), 1, 0), strict=True):
            above, below = (values[:, 1] > truth).mean(), (values[:, 2] < truth).mean()
            held = ((values[:, 1] <= truth) & (truth <= values[:, 2])).mean()
            print(f"| {name} | {number} | {held:.3f} | {above:.3f} | {below:.3f} | {np.median(values[:, 0]):.4f} | {truth:g} "
                  f"| {seconds:.2f} |", flush=True)  # fmt: skip


STUDIES = {"similarities": similarities}

if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("study", choices=STUDIES)
    words.add_argument("designs", nargs="*", metavar="DESIGN")
    words.add_argument("--tables", type=int, default=200)
    words.add_argument("--level", type=float, default=0.9)
    given = words.parse_args()
    STUDIES[given.study](given.designs, given.tables, given.level)
