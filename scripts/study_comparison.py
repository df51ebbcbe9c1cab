"""How uniform p-values of `measure.compare` are for two models that are alike, and how often it tells two that aren't.

    python scripts/study_comparison.py [DESIGN ...] [--sets 1000] [--stimuli 24 40] [--power] [--exemplars]

Stimuli are drawn anew for each set, and two copies of their embedding with independent noise. Copies with noise of the
same size are alike: p-values should be uniform. Prints a line for each design, number of stimuli and quantity: the
p-value of a Kolmogorov-Smirnov test, shares of p-values below 0.5, 0.1, 0.05 and 0.01, the root mean square standard
error over the spread of the differences, and the median standard error. With --power the second copy has more noise:
the share of p-values below 0.05, and how often 95 % intervals hold the mean difference of all sets. With --exemplars
exemplars of six classes of a ring are drawn anew, three, five and ten of each, instead of stimuli.
"""

import argparse

import numpy as np

from semres_jax import measure, spaces
from semres_jax.measure import intervals

QUANTITIES, FAMILY, MORE, EXEMPLARS = ("p_s", "p_i", "ln epsilon"), "exponential", 0.35, "exemplars"


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
        measured = model.influence
        assert measured is not None
        unknown = measure.Influence(np.nan, np.full(size, np.nan))
        numbers.append([measured.p_s, measured.p_i, measured.log_epsilon.get(FAMILY, unknown)])
    return [intervals.paired(a, b) for a, b in zip(*numbers, strict=True)]


def pair_of_classes(seed: int, members: int) -> list[intervals.Paired]:
    """Differences of p_S and p_I of two noisy copies of fresh exemplars, so many of each class."""
    rng, own, turn = np.random.default_rng([seed, members]), np.repeat(np.arange(6), members), np.pi * np.arange(6) / 3
    exemplars = np.stack([np.cos(turn), np.sin(turn), np.cos(2 * turn)], 1)[own]
    exemplars += 0.4 * rng.normal(size=exemplars.shape)
    numbers = []
    for _ in range(2):
        measured = measure.embeddings(
            exemplars + 0.4 * rng.normal(size=exemplars.shape), spaces.grid(spaces.get("circle"), 6), labels=own,
            similarity="cosine", floor=0.01, fronts={}, optimal="none", shares=[0.3], bootstrap=0,
        ).influence  # fmt: skip
        assert measured is not None
        numbers.append([measured.p_s, measured.p_i])
    return [intervals.paired(a, b, own) for a, b in zip(*numbers, strict=True)]


def study(name: str, size: int, sets: int, more: float) -> None:
    """One design with so many stimuli, or exemplars of each class."""
    from scipy import stats

    if name == EXEMPLARS:
        rows = [pair_of_classes(seed, size) for seed in range(sets)]
    else:
        rows = [pair(name, seed, size, more) for seed in range(sets)]
    for place, quantity in enumerate(QUANTITIES[: len(rows[0])]):
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
    parser.add_argument("--exemplars", action="store_true", help="of six classes, three, five and ten of each")
    given = parser.parse_args()
    for count in (3, 5, 10) if given.exemplars else ():
        study(EXEMPLARS, count, given.sets, 0.0)
    for chosen in [] if given.exemplars else given.designs or DESIGNS:
        for count in given.stimuli:
            study(chosen, count, given.sets, MORE if given.power else 0.0)
