"""How often 90 % intervals of what people say hold the truth: tables simulated from a known similarity.

    python scripts/study_people_coverage.py STUDY [--sets 200] [--first 0]

STUDY is one of those in `STUDIES`. Each prints rows of a Markdown table.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from semres_jax import measure, similarity, spaces
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

# Of judged tables: resolutions and floor.
FLOOR = 0.05
EPSILON = {"exponential": 0.3, "gaussian": 0.3, "linear": 0.8}


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


def differing(family: str, size: int = 24, people: int = 10, precision: float = 5.0, spread: float = 0.7):
    """Subjects whose similarities differ, g + a g (1 - g) with a mean of 0, each with noise; stimuli drawn anew."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
        d = plane(rng, size)
        g = np.asarray(similarity.get(family)(EPSILON[family], FLOOR)(d), float)
        made = [rated(g + a * g * (1 - g), rng, precision) for a in rng.uniform(-spread, spread, people)]
        return np.stack(made), d, {}

    return draw, FLOOR


DESIGNS: dict[str, tuple[str, tuple[Callable, float]]] = {
    "similarities, exponential": ("exponential", judged("exponential")),
    "similarities, gaussian": ("gaussian", judged("gaussian")),
    "similarities, linear": ("linear", judged("linear")),
    "counts, exponential": ("exponential", confused("exponential")),
    "counts, gaussian": ("gaussian", confused("gaussian")),
    "counts, linear": ("linear", confused("linear")),
    "few counts, exponential": ("exponential", confused("exponential", answers=60)),
    "subjects, exponential": ("exponential", differing("exponential")),
    "few subjects, gaussian": ("gaussian", differing("gaussian", people=4)),
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
    "similarities": similarities,
    "accuracies": accuracies,
}

if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("study", choices=STUDIES)
    words.add_argument("--sets", type=int, default=200)
    words.add_argument("--first", type=int, default=0)
    given = words.parse_args()
    STUDIES[given.study](given.sets, given.first)
