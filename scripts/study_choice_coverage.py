"""How often 90 % intervals of `measure.fit_choices` hold the truth: all families, with and without floor and biases.

    python scripts/study_choice_coverage.py [--tables 200] [--first 0] [FAMILY ...]

Designs of 400 trials of 4 items, distances uniform on [0, 1], floor 0.05 or none (given as 0 to the fit), label biases
or none; and of 200 trials of 2 of 3 items. Tables are drawn anew, distances and choices, and fitted. Prints a row of a
Markdown table for each number: coverage, median estimate, truth; and whether all estimates were in their intervals.
"""

import argparse
import time

import numpy as np

from semres_jax import measure

LEVEL, FLOOR = 0.9, 0.05
BIASES = {4: np.array([0.8, -0.3, -0.5, 0.0]), 2: np.array([0.8, -0.2, -0.6])}
TRIALS = {4: 400, 2: 200}
EPSILON = {"exponential": 0.2, "gaussian": 0.2, "powerlaw": 0.05, "linear": 0.5, "constant": 0.3}
SIMILARITIES = {
    "exponential": lambda d, epsilon: np.exp(-d / epsilon),
    "gaussian": lambda d, epsilon: np.exp(-((d / epsilon) ** 2) / 2),
    "powerlaw": lambda d, epsilon: 1 / (1 + d / epsilon),
    "linear": lambda d, epsilon: np.maximum(0, 1 - d / epsilon),
    "constant": lambda d, epsilon: (d <= epsilon) * 1.0,
}


def draw(
    family: str, items: int, floor: float, bias: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances, labels, choices by Luce's rule: the largest of logarithms of strengths with Gumbel noise."""
    trials = TRIALS[items]
    d = rng.uniform(0, 1, (trials, items))
    labels = np.array([rng.permutation(len(bias))[:items] for _ in range(trials)])
    g = floor + (1 - floor) * SIMILARITIES[family](d, EPSILON[family])
    g[g.sum(1) == 0] = 1.0
    with np.errstate(divide="ignore"):
        score = np.log(g) + bias[labels]
    return d, labels, (score + rng.gumbel(size=score.shape)).argmax(1)


def study(family: str, items: int, floor: float, biased: bool, tables: int, first: int) -> None:
    """Rows of one design."""
    bias = BIASES[items] if biased else np.zeros_like(BIASES[items])
    truth = {"epsilon": EPSILON[family], "delta": floor} | {f"label {k}": b for k, b in enumerate(bias)}
    values: dict[str, list] = {}
    inside, within = {}, True
    started = time.perf_counter()
    for k in range(first, first + tables):
        d, labels, chosen = draw(family, items, floor, bias, np.random.default_rng(k))
        fit = measure.fit_choices(
            d, chosen, labels=labels, family=family, delta="fit" if floor else 0.0, level=LEVEL,
            bias="label" if biased else "none",
        )  # fmt: skip
        for name, number in fit.quantities().items():
            values.setdefault(name, []).append(number.value)
            inside[name] = inside.get(name, 0) + (number.low <= truth[name] <= number.high)
            within &= number.low <= number.value <= number.high
    seconds = (time.perf_counter() - started) / tables
    design = f"{family}, {items} items, floor {floor:g}, {'biases' if biased else 'no biases'}"
    for name, numbers in values.items():
        print(
            f"| {design} | {name} | {inside[name] / tables:.3f} | {np.median(numbers):.4f} | {truth[name]:g} "
            f"| {'yes' if within else 'no'} | {seconds:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("--tables", type=int, default=200)
    words.add_argument("--first", type=int, default=0)
    words.add_argument("families", nargs="*")
    given = words.parse_args()
    print("| design | number | coverage | median | truth | estimates within | s / table |")
    print("|---|---|---|---|---|---|---|")
    for name in given.families or SIMILARITIES:
        for size in (4, 2):
            for level in (FLOOR, 0.0):
                for kind in (False, True):
                    study(name, size, level, kind, given.tables, given.first)
