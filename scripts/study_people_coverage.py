"""How often 90 % intervals of what people say hold the truth: tables simulated from a known similarity.

    python scripts/study_people_coverage.py STUDY [--sets 200] [--first 0]

STUDY is one of those in `STUDIES`. Each prints rows of a Markdown table.
"""

import argparse

import numpy as np

from semres_jax import measure, spaces
from semres_jax.laws import tables
from semres_jax.measure.embeddings import stimulus_sums
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


def accuracies(sets: int, first: int) -> None:
    """p_S and p_I of similarity tables of several subjects: points of a normal plane, own resolution and noise.

    The truth is the mean over all sets, and over nine times as many others: p_S and p_I are means over sets of stimuli,
    whose expectation doesn't depend on how many there are.
    """
    print("| subjects | stimuli | spread of ln ε | noise | p_S held | p_I held | p_S | p_I |")
    print("|---|---|---|---|---|---|---|---|")
    for people, stimuli, spread, noise in ((6, 24, 0.3, 0.1), (12, 24, 0.0, 0.3), (4, 40, 0.5, 0.1)):
        centres, held = [], []
        for k in range(first, first + 10 * sets):
            values, slopes, pairs = _subjects_accuracies(people, stimuli, spread, noise, np.random.default_rng(k))
            centres.append(values.mean(0))
            if k < first + sets:
                held.append(
                    np.quantile(subjects.replicates(values, slopes, pairs, count=1000, key=k), [0.05, 0.95], axis=0)
                )
        truth, ends = np.mean(centres, axis=0), np.array(held)
        share = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean(0)
        print("|", " | ".join(map(str, (people, stimuli, spread, noise))), "|", " | ".join(f"{x:.3f}" for x in share),
              "|", " | ".join(f"{x:.4f}" for x in truth), "|", flush=True)  # fmt: skip


def _subjects_accuracies(
    people: int, stimuli: int, spread: float, noise: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, 2) values of p_S and p_I, (S, N, 2) slopes, (S, N, N, 2) what pairs add."""
    points = rng.normal(size=(stimuli, 2))
    space = spaces.Finite.from_points(points)
    ranks, scored = tables.ranking(space), []
    for _ in range(people):
        similarity = np.exp(-np.asarray(space.distances) / (0.7 * np.exp(rng.normal(0, spread))))
        strengths = similarity * np.exp(rng.normal(0, noise, similarity.shape)) + 0.02
        scored.append(stimulus_sums.graded(space, ranks, strengths, 2))
    slopes = np.array([np.stack([of.slope_s, of.slope_i], -1) for of in scored])
    pairs = np.array([np.stack([of.pairs_s, of.pairs_i], -1) for of in scored])
    return np.array([[of.p_s, of.p_i] for of in scored]), slopes, pairs


STUDIES = {
    "confusions": confusions,
    "groups": groups,
    "accuracies": accuracies,
}

if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("study", choices=STUDIES)
    words.add_argument("--sets", type=int, default=200)
    words.add_argument("--first", type=int, default=0)
    given = words.parse_args()
    STUDIES[given.study](given.sets, given.first)
