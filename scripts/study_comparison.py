"""How uniform p-values of `measure.compare` are for two models that are alike, and how often it tells two that aren't.

    python scripts/study_comparison.py [DESIGN ...] [--sets 1000] [--stimuli 24 40] [--power]

Stimuli are drawn anew for each set, and two copies of their embedding with independent noise. Copies with noise of the
same size are alike: p-values should be uniform. Prints a line for each design, number of stimuli and quantity: the
p-value of a Kolmogorov-Smirnov test, shares of p-values below 0.5, 0.1, 0.05 and 0.01, the root mean square standard
error over the spread of the differences, and the median standard error. With --power the second copy has more noise:
the share of p-values below 0.05, and how often 95 % intervals hold the mean difference of all sets.
"""

import argparse

import numpy as np

from semres_jax import measure, spaces
from semres_jax.measure import intervals

QUANTITIES, FAMILY, MORE = ("p_s", "p_i", "ln epsilon"), "exponential", 0.35


def circle(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of a circle, the first four waves: all stimuli are alike but for their noise."""
    x = rng.random(size)
    turns = 2 * np.pi * x[:, None] * np.arange(1, 5)
    gap = np.abs(x[:, None] - x[None])
    return np.concatenate([np.cos(turns), np.sin(turns)], 1) / 2, np.minimum(gap, 1 - gap)


def normal(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal stimuli in a plane, eight random features of a Gaussian similarity: some are harder than others."""
    x, chosen = rng.normal(size=(size, 2)), np.random.default_rng(0)
    points = np.cos(x @ chosen.normal(size=(2, 8)) + 2 * np.pi * chosen.random(8)) / 2
    return points, np.linalg.norm(x[:, None] - x[None], axis=-1)


DESIGNS = {
    "circle, noise 0.5": (circle, 0.5),
    "circle, noise 0.2": (circle, 0.2),
    "plane, noise 0.5": (normal, 0.5),
    "plane, noise 0.15": (normal, 0.15),
}


def pair(name: str, seed: int, size: int, more: float = 0.0) -> list[intervals.Paired]:
    """Differences of two noisy copies, the second with more noise, on fresh stimuli; in the order of QUANTITIES."""
    (draw, noise), rng = DESIGNS[name], np.random.default_rng([seed, size])
    points, distances = draw(rng, size)
    space, numbers = spaces.Finite((distances + distances.T) / 2), []
    for extra in (0.0, more):
        noisy = points + (noise + extra) / np.sqrt(points.shape[1]) * rng.normal(size=points.shape)
        model = measure.embeddings(
            noisy, space, fronts={}, optimal="none", shares=[0.3], bootstrap=0, families=[FAMILY]
        )
        found = model.influence
        assert found is not None
        unknown = measure.Influence(np.nan, np.full(size, np.nan))
        numbers.append([found.p_s, found.p_i, found.log_epsilon.get(FAMILY, unknown)])
    return [intervals.paired(a, b) for a, b in zip(*numbers, strict=True)]


def study(name: str, size: int, sets: int, more: float) -> None:
    """One design with so many stimuli."""
    from scipy import stats

    rows = [pair(name, seed, size, more) for seed in range(sets)]
    for place, quantity in enumerate(QUANTITIES):
        column = [row[place] for row in rows if np.isfinite(row[place].p)]
        p, (value, stderr, low, high) = np.array([x.p for x in column]), np.transpose([x.difference for x in column])
        ratio = np.sqrt((stderr**2).mean()) / value.std()
        words = f"{name:18s} N = {size:3d}  {quantity:10s} "
        if more:
            held = ((low <= value.mean()) & (value.mean() <= high)).mean()
            print(f"{words} difference {value.mean():+.4f}, power {(p < 0.05).mean():.3f}, held {held:.3f}", flush=True)
            continue
        shares = " ".join(f"{(p < level).mean():.3f}" for level in (0.5, 0.1, 0.05, 0.01))
        test: float = stats.kstest(p, "uniform").pvalue
        print(
            f"{words} KS {test:.4f}  below {shares}  se/sd {ratio:.2f}  median se {np.median(stderr):.3f}", flush=True
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("designs", nargs="*", metavar="DESIGN", help="; ".join(DESIGNS))
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--stimuli", type=int, nargs="+", default=[24, 40])
    parser.add_argument("--power", action="store_true", help=f"noise of the second model is larger by {MORE}")
    given = parser.parse_args()
    for chosen in given.designs or DESIGNS:
        for count in given.stimuli:
            study(chosen, count, given.sets, MORE if given.power else 0.0)
