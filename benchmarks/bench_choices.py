"""Fits of choices: many trials with one family, all families, against SciPy with the gradient written by hand.

The peer does a part of ours: the maximum of an exponential similarity from six starts, by BFGS with the gradient of its
conditional logit, and an interval of the resolution alone by root finding. Its maximum has to be ours. Memory is the
peak of a process of its own.
"""

import functools
from collections.abc import Callable

import numpy as np
from measuring import apart, best_times, compiling, timed
from report import figure, main, row, say
from scipy import optimize, special

from semres_jax import measure
from semres_jax.data import Choices
from semres_jax.similarity import KINDS

EPSILON, FLOOR = 0.2, 0.05
TRIALS, PAIRS = 20_000, 4_000
# Log likelihoods of peer and ours, and ends of the interval relative to the resolution.
CLOSE, SAME_END = 1e-4, 1e-3


@functools.cache
def drawn(trials: int, items: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Distances and choices of an exponential similarity with a floor."""
    rng = np.random.default_rng(0)
    d = rng.random((trials, items))
    strength = FLOOR + (1 - FLOOR) * np.exp(-d / EPSILON)
    share = strength / strength.sum(1, keepdims=True)
    return d, (rng.random(trials)[:, None] > share.cumsum(1)[:, :-1]).sum(1)


def ours(trials: int, family: str = "exponential"):
    return measure.fit_choices(*drawn(trials), family=family)


def less(theta: np.ndarray, d: np.ndarray, chosen: np.ndarray) -> tuple[float, np.ndarray]:
    """-ln L of an exponential similarity and its gradient in ln epsilon and logit delta, as one would write it."""
    epsilon, delta = np.exp(theta[0]), special.expit(theta[1])
    near = np.exp(-d / epsilon)
    strength = delta + (1 - delta) * near
    slopes = np.stack([(1 - delta) * near * d / epsilon, delta * (1 - delta) * (1 - near)]) / strength
    p = strength / strength.sum(1, keepdims=True)
    rows = np.arange(len(d))
    gradient = slopes[:, rows, chosen].sum(1) - (p * slopes).sum((1, 2))
    return -float(np.log(p[rows, chosen]).sum()), -gradient


def scipys(trials: int) -> tuple[float, float, float, float]:
    """Log likelihood, resolution and the ends of its interval."""
    data = drawn(trials)
    climbs = [
        optimize.minimize(less, [np.log(epsilon), -2.0], args=data, jac=True, method="BFGS")
        for epsilon in np.geomspace(0.02, 2, 6)
    ]
    best = min(climbs, key=lambda climb: climb.fun)
    cut = special.chdtri(1, 0.05) / 2

    def height(log_epsilon: float) -> float:
        others = optimize.minimize_scalar(lambda logit: less(np.array([log_epsilon, logit]), *data)[0],
                                          bracket=(best.x[1] - 0.5, best.x[1] + 0.5))  # fmt: skip
        return float(others.fun) - best.fun - cut

    ends = [optimize.brentq(height, best.x[0], best.x[0] + step, xtol=1e-6) for step in (-1.0, 1.0)]
    return -best.fun, *np.exp([best.x[0], *ends])


def agree(trials: int) -> None:
    fit, (value, *numbers) = ours(trials), scipys(trials)
    gap = max(abs(x - y) for x, y in zip(numbers, (fit.epsilon.value, *fit.epsilon[2:]), strict=True))
    if abs(fit.log_likelihood - value) > CLOSE or gap > SAME_END * numbers[0]:
        raise SystemExit(f"SciPy and semres_jax differ: ln L by {fit.log_likelihood - value:.2g}, epsilon by {gap:.2g}")


def everything(trials: int) -> Callable[[], object]:
    """All families of a table with labels, with all biases and tests of fit."""
    d, chosen = drawn(trials)
    labels = np.random.default_rng(1).permuted(np.tile([1, 2], (trials, 1)), axis=1)
    table = Choices(d, chosen, labels, np.tile([1, 2], (trials, 1)))
    return functools.partial(measure.choices_table, table)


def slope(sizes: list[int], rounds: int) -> tuple[float, dict]:
    """Of log best seconds in log trials; the quadratic phase of climbs differs by a step or two between sizes."""
    best, _ = best_times({size: functools.partial(ours, size) for size in sizes}, rounds)
    return float(np.polyfit(np.log(sizes), np.log([best[size] for size in sizes]), 1)[0]), best


def run(quick: bool) -> dict:
    rounds, trials, pairs = (1, TRIALS // 4, PAIRS // 8) if quick else (3, TRIALS, PAIRS)
    say("the same maximum")
    agree(trials)
    rows = []
    say(f"{trials:,} trials, one family")
    with compiling() as compiled:
        best, first = best_times(
            {"ours": functools.partial(ours, trials), "scipy": functools.partial(scipys, trials)}, rounds
        )
    rows.append(row(
        f"{trials:,} two-alternative trials, exponential with a floor: maximum, both intervals", best["ours"], "s",
        peer="SciPy, six BFGS with the gradient by hand, interval of the resolution alone", peer_value=best["scipy"],
        better="less", bar="value <= 10", note=f"Fits of choices compiled {compiled.programs} programs.",
    ))  # fmt: skip
    others = [family for family in KINDS if family not in ("exponential", "tabulated")]
    for family in others:
        seconds = timed(functools.partial(ours, trials, family))
        rows.append(row(f"{trials:,} trials, {family} with a floor, the first call", seconds, "s", bar="value <= 10"))
    say(f"{pairs:,} trials, all families")
    seconds = timed(everything(pairs))
    what = f"{pairs:,} two-alternative trials, all families, biases and tests of fit"
    rows.append(row(what, seconds, "s", bar="value <= 60"))
    say("slope, memory")
    sizes = [size // (8 if quick else 1) for size in (40_000, 80_000, 160_000, 320_000)]
    fitted, seconds_by_size = slope(sizes, rounds)
    what = f"seconds against {sizes[0]:,} to {sizes[-1]:,} trials, exponential: slope (theory: 1)"
    rows.append(row(what, fitted, "", bar="value <= 1.1"))
    least, most = (apart("bench_choices", "ours", size)["gigabytes"] for size in (sizes[0], sizes[-1]))
    note = f"A process that fits {sizes[0]:,} trials holds {figure(least)} GB."
    rows.append(
        row(f"peak memory of a process that fits {sizes[-1]:,} trials", most, "GB", bar="value <= 2", note=note)
    )
    return {"rows": rows, "seconds": best, "first": first, "seconds_by_trials": seconds_by_size}


if __name__ == "__main__":
    main(run, __doc__)
