"""How often 95 % intervals of `measure.embeddings` hold the truth: p_S, p_I and the fitted resolution over stimuli.

    python scripts/study_embedding_coverage.py [--stimuli 8 12 30 100] [--sets 400] [DESIGN ...]

The truth is that of the population that stimuli are drawn from: p_S is an average over triples of stimuli and p_I over
pairs, so that the mean over sets of any size is the population's, and the mean over all sets drawn here is taken. The
population's resolution is that of the best fit to 700 stimuli, a mean over four sets of its logarithm.
Prints a line for each design and number of stimuli: held, and in brackets above the truth, below it; and the root mean
square standard error over the spread of the values.
"""

import argparse

import jax
import numpy as np

from semres_jax import measure

FAMILY, TRUE_STIMULI, TRUE_SETS = "exponential", 700, 4


def circle(x: np.ndarray) -> np.ndarray:
    """Distances on a circle of length 1."""
    d = np.abs(x[:, None] - x[None])
    return np.minimum(d, 1 - d)


def alike(width: float):
    """A circle, all stimuli alike: products of embeddings are a bump of the distance."""

    def draw(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        x, k = rng.random(size), np.arange(1, 60)
        power = np.exp(-((2 * np.pi * k * width) ** 2) / 2)
        turns = 2 * np.pi * x[:, None] * k
        power = np.sqrt(power / power.sum())
        return np.concatenate([power * np.cos(turns), power * np.sin(turns)], 1), circle(x)

    return draw


def waves(seed: int):
    """A circle, few waves of random phase: longer embeddings in some places than in others."""

    def draw(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.random.default_rng(seed)
        x, turns = rng.random(size), chosen.integers(1, 4, 6)
        return np.cos(2 * np.pi * (x[:, None] * turns + chosen.random(6))) / turns, circle(x)

    return draw


def features(width: float, dimensions: int = 2, kind: str = "gaussian"):
    """Normal stimuli (or uniform in a cube), random features of a Gaussian similarity of that width."""

    def draw(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=(size, dimensions)) if kind == "gaussian" else rng.random((size, dimensions))
        chosen = np.random.default_rng(0)
        points = np.cos(x @ chosen.normal(size=(dimensions, 60)) / width + 2 * np.pi * chosen.random(60))
        return points / np.sqrt(30), np.linalg.norm(x[:, None] - x[None], axis=-1)

    return draw


DESIGNS = {
    "circle, width 0.05": alike(0.05),
    "circle, width 0.1": alike(0.1),
    "circle, width 0.25": alike(0.25),
    "waves 0": waves(0),
    "waves 1": waves(1),
    "waves 2": waves(2),
    "gaussian, width 0.2": features(0.2),
    "gaussian, width 0.5": features(0.5),
    "gaussian, width 1.5": features(1.5),
    "cube, width 0.2": features(0.2, 1, "cube"),
    "cube, width 0.5": features(0.5, 2, "cube"),
}


def measured(draw, seed: list[int], size: int, replicates: int = 1000) -> np.ndarray:
    """(3, 4) p_S, p_I and ln resolution: value, standard error and ends of the interval."""
    points, distances = draw(np.random.default_rng(seed), size)
    model = measure.embeddings(
        points, (distances + distances.T) / 2, fronts={}, optimal="none", shares=[0.3], bootstrap=replicates,
        families=[FAMILY], key=jax.random.key(seed[0]),
    )  # fmt: skip
    resolution = model.fits[FAMILY].resolution
    ends = np.log([resolution.value, resolution.low, resolution.high])
    return np.array([model.p_s, model.p_i, [ends[0], resolution.stderr / resolution.value, *ends[1:]]], float)


def study(name: str, sizes: list[int], sets: int) -> None:
    """One design."""
    draw = DESIGNS[name]
    sets_of = {size: np.stack([measured(draw, [k, size], size) for k in range(sets)]) for size in sizes}
    values = np.stack([x[:, :, 0] for x in sets_of.values()])  # (sizes, sets, 3)
    precision = 1 / values.var(1)
    truth = (values.mean(1) * precision).sum(0) / precision.sum(0)
    truth[2] = np.mean([measured(draw, [k, TRUE_STIMULI], TRUE_STIMULI, 2)[2, 0] for k in range(TRUE_SETS)])
    for size, x in sets_of.items():
        above, below = (x[:, :, 2] > truth).mean(0), (x[:, :, 3] < truth).mean(0)
        ratio = np.sqrt((x[:, :, 1] ** 2).mean(0)) / x[:, :, 0].std(0)
        words = [f"{label} {1 - a - b:.3f} ({a:.3f}, {b:.3f}) {r:.2f}" for label, a, b, r in
                zip(("p_S", "p_I", "resolution"), above, below, ratio, strict=True)]  # fmt: skip
        print(f"{name:20s} {size:4d}  {'   '.join(words)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("designs", nargs="*", metavar="DESIGN", help="; ".join(DESIGNS))
    parser.add_argument("--stimuli", type=int, nargs="+", default=[8, 12, 30, 100])
    parser.add_argument("--sets", type=int, default=400)
    given = parser.parse_args()
    for chosen in given.designs or DESIGNS:
        study(chosen, given.stimuli, given.sets)
