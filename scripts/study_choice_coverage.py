"""How often 90 % profile intervals of `measure.choices` hold the truth: all families, with biases and without.

    python scripts/study_choice_coverage.py [FAMILY ...]

Designs of 400 trials of 4 items, distances uniform on [0, 1], floor 0.05; 200 tables of each design. Prints a line for
each. The interval of a constant similarity's resolution is not one of regular likelihood theory: its line shows by how
much it is off.
"""

import sys
import time

import numpy as np

from semres_jax import measure

TRIALS, ITEMS, TABLES, LEVEL = 400, 4, 200, 0.9
FLOOR = 0.05
BIAS = np.array([0.8, -0.3, -0.5, 0.0])
SIMILARITIES = {
    "exponential": lambda d: np.exp(-d / 0.2),
    "gaussian": lambda d: np.exp(-((d / 0.2) ** 2) / 2),
    "powerlaw": lambda d: 1 / (1 + d / 0.05),
    "linear": lambda d: np.maximum(0, 1 - d / 0.5),
    "constant": lambda d: (d <= 0.3) * 1.0,
}


def study(family: str, bias: str) -> None:
    """One design: draw a table, fit it, take the fit for the truth."""
    rng = np.random.default_rng(1)
    d = rng.uniform(0, 1, (TRIALS, ITEMS))
    labels = np.array([rng.permutation(ITEMS) for _ in range(TRIALS)])
    score = np.log(FLOOR + (1 - FLOOR) * SIMILARITIES[family](d)) + (BIAS[labels] if bias == "label" else 0.0)
    chosen = (score + rng.gumbel(size=score.shape)).argmax(1)  # Luce's rule
    fit = measure.choices(d, chosen, labels=labels, family=family, bias=bias, intervals=False)
    started = time.perf_counter()
    found = measure.choice_coverage(fit, count=TABLES, level=LEVEL)
    told = ", ".join(f"{name} {share:.3f}" for name, share in found.items())
    print(f"{family:12s} {bias:6s} {told}  ({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or SIMILARITIES:
        for kind in ("none", "label"):
            study(name, kind)
