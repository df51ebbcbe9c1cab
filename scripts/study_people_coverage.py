"""How often 90 % intervals of what people say hold the truth: tables simulated from a known similarity.

    python scripts/study_people_coverage.py STUDY [--sets 200] [--first 0]

STUDY is one of those in `STUDIES`. Each prints rows of a Markdown table.
"""

import argparse

import numpy as np

from semres_jax import measure
from semres_jax.measure.people import subjects

LEVEL = 0.9
# Of each confusion design: stimuli, answers a row, resolution, floor.
CONFUSIONS = ((16, 100, 0.2, 0.05), (16, 400, 0.2, 0.05), (16, 100, 0.1, 0.02))
# Subjects, stimuli, and the spread of subjects, of stimuli, and of both together.
GROUPS = (
    (5, 20, 1, 1, 1),
    (10, 30, 1, 1, 1),
    (20, 30, 1, 1, 3),
    (10, 30, 0, 1, 1),
    (10, 30, 1, 0, 1),
    (10, 30, 0, 0, 1),
)


def confusions(sets: int, first: int) -> None:
    """Points in the unit square, biases of spread 0.4 in log odds; exponential similarity."""
    print("| stimuli | answers a row | ε | Δ | number | held the truth | p < 0.05 by χ² | simulated p < 0.05 |")
    print("|---|---|---|---|---|---|---|---|")
    for size, answers, epsilon, delta in CONFUSIONS:
        inside: dict[str, list[float]] = {name: [] for name in ("bias", "similarity", "epsilon", "delta", "log bias")}
        p_values = []
        for k in range(first, first + sets):
            table, distances, bias = confusion_table(size, answers, epsilon, delta, np.random.default_rng(k))
            fit = measure.similarity_choice(table, distances=distances, level=LEVEL, key=k)
            similarity = delta + (1 - delta) * np.exp(-distances / epsilon)
            above = np.triu_indices(size, 1)
            numbers = {"epsilon": (fit.by_distance.fit.epsilon, epsilon), "delta": (fit.by_distance.fit.delta, delta)}
            log_bias = np.log(bias) - np.log(bias).mean()
            for name, (number, truth) in numbers.items():
                inside[name].append(number.low <= truth <= number.high)
            inside["bias"].append(((fit.bias.low <= bias) & (bias <= fit.bias.high)).mean())
            held = (fit.similarity.low <= similarity) & (similarity <= fit.similarity.high)
            inside["similarity"].append(held[above].mean())
            ends = fit.by_distance.fit.label_bias
            inside["log bias"].append(np.mean([ends[name].low <= truth <= ends[name].high
                                               for name, truth in zip(fit.names, log_bias, strict=True)]))  # fmt: skip
            p_values.append((fit.p_value, fit.bootstrap_p, fit.by_distance.against_free.p_value,
                             fit.by_distance.against_free_p))  # fmt: skip
        rejected = (np.array(p_values) < 0.05).mean(0)
        for name, held in inside.items():
            tests = rejected[:2] if name in ("bias", "similarity") else rejected[2:]
            print(f"| {size} | {answers} | {epsilon:g} | {delta:g} | {name} | {np.mean(held):.3f} | {tests[0]:.3f} | "
                  f"{tests[1]:.3f} |", flush=True)  # fmt: skip


def confusion_table(
    size: int, answers: int, epsilon: float, delta: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of a similarity-choice model of points in the unit square, their distances, the biases."""
    points = rng.random((size, 2))
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    bias = np.exp(rng.normal(0, 0.4, size))
    bias /= bias.sum()
    strength = bias * (delta + (1 - delta) * np.exp(-distances / epsilon))
    shares = strength / strength.sum(1, keepdims=True)
    return np.array([rng.multinomial(answers, row) for row in shares], float), distances, bias


def groups(sets: int, first: int) -> None:
    """Means over subjects and stimuli of a crossed design, whose slopes are exact."""
    print("| subjects | stimuli | spread of subjects | of stimuli | of both | held 0 |")
    print("|---|---|---|---|---|---|")
    for people, stimuli, *spreads in GROUPS:
        held = 0
        for k in range(first, first + sets):
            rng = np.random.default_rng(k)
            parts = rng.normal(size=(people, 1)), rng.normal(size=(1, stimuli)), rng.normal(size=(people, stimuli))
            table = sum(spread * part for spread, part in zip(spreads, parts, strict=True))
            values = table.mean(1)
            slopes = (table - values[:, None]) / stimuli
            low, high = np.quantile(subjects.replicates(values, slopes, count=1000, key=k), [0.05, 0.95])
            held += low <= 0 <= high
        print("|", people, "|", stimuli, "|", " | ".join(map(str, spreads)), "|", f"{held / sets:.3f} |", flush=True)


STUDIES = {
    "confusions": confusions,
    "groups": groups,
}

if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("study", choices=STUDIES)
    words.add_argument("--sets", type=int, default=200)
    words.add_argument("--first", type=int, default=0)
    given = words.parse_args()
    STUDIES[given.study](given.sets, given.first)
