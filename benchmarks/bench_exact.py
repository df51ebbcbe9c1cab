"""Exact curves against this project's own Monte Carlo, and against a recount in NumPy.

Programs are checked against exact values before they are timed, warmed up, and timed in turn with each other; the best
round counts, and compilation is told apart. Needs no peers but NumPy.
"""

import time

import jax
import numpy as np
from measuring import best_times
from report import main, row, say

from semres_jax import Constant, Exponential, accuracy, estimate, spaces
from semres_jax.laws import quadrature

TARGET = 1e-6
EPSILONS = np.linspace(0.0025, 0.5, 200)


def seconds_of(program) -> tuple[float, object]:
    started = time.perf_counter()
    result = program()
    return time.perf_counter() - started, result


def curve(n: int, rounds: int, budget: float) -> dict:
    """200 resolutions of the exponential similarity on the circle: quadrature against the lattice at equal error."""
    similarity = Exponential(EPSILONS)

    def exact():
        with jax.enable_x64(True):
            figures = quadrature.accuracy(spaces.Circle(), similarity, n=n)
            return np.asarray(figures.p_s), np.asarray(figures.p_i)

    best, compiled = best_times({"exact": exact}, rounds)
    with jax.enable_x64(True):
        figures = quadrature.integrate(spaces.Circle(), similarity, n=n)
        error = float(max(figures.p_s_error.max(), figures.p_i_error.max()))
    points, spent, trials = [], 0.0, 2**12
    while True:
        run = lambda t=trials: estimate(  # noqa: E731
            spaces.Circle(), similarity, key=jax.random.key(1), trials=t, n=n, method="lattice"
        )
        first, result = seconds_of(run)
        for name, truth in zip(("p_s", "p_i"), exact(), strict=True):
            # Standard errors of about 20 shifts: the largest of 400 may well be 6 of them.
            off = np.abs(getattr(result, name) - truth) / getattr(result, f"{name}_stderr")
            if off.max() > 8:
                raise SystemExit(f"lattice and quadrature differ by {off.max():.1f} standard errors in {name}")
        took, result = seconds_of(run)
        worst = float(max(np.max(result.p_s_stderr), np.max(result.p_i_stderr)))
        points.append({"trials": result.trials, "seconds": took, "worst_stderr": worst})
        spent += first + took
        # The next point takes four times as long, and is run twice.
        if worst <= TARGET or spent + 8 * took > budget:
            break
        trials *= 4
    lattice = time_to(points, TARGET)
    return {
        "n": n,
        "resolutions": len(EPSILONS),
        "exact_s": best["exact"],
        "exact_first_call_extra_s": compiled["exact"],
        "exact_error_estimate": error,
        "lattice": {"target_stderr": TARGET, **lattice, "measured": points, "measuring_s": spent},
        "exact_over_lattice": best["exact"] / lattice["seconds"],
        "exact_over_least_lattice": best["exact"] / lattice["least_seconds"],
    }


def time_to(points: list[dict], target: float) -> dict:
    """When the worst standard error reaches `target`: measured, or from the slope of its logarithm over the last."""
    reached = [p for p in points if p["worst_stderr"] <= target]
    if reached:
        return {"seconds": reached[0]["seconds"], "least_seconds": reached[0]["seconds"], "extrapolated": False}
    used = points[-4:]
    time_, stderr = (np.log([p[name] for p in used]) for name in ("seconds", "worst_stderr"))
    if len(used) < 2:
        raise SystemExit("one point is not enough to extrapolate from: raise the budget")
    # The error against the time; no faster than 1/t, the best that a lattice can do, and no slower than 1/sqrt(t).
    measured = float(np.polyfit(time_, stderr, 1)[0])
    slope = min(max(measured, -1.0), -0.5)
    seconds = float(np.exp(time_[-1] + (np.log(target) - stderr[-1]) / slope))
    return {
        "seconds": seconds,
        "extrapolated": True,
        "slope": slope,
        "slope_measured": measured,
        "from_trials": [p["trials"] for p in used],
        "least_seconds": float(np.exp(time_[-1] + stderr[-1] - np.log(target))),  # if it fell like 1/t from here on
    }


def recounted(table: np.ndarray, epsilons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two distinct items, no floor: the others within epsilon of each probe are counted anew for each epsilon."""
    others = len(table) - 1
    p_s, p_i = [], []
    for e in epsilons:
        k = (table <= e).sum(1) - 1
        p_s.append(0.5 + (k * (others - k) / (others * (others - 1.0))).mean())
        p_i.append((1.0 - k / others / 2.0).mean())
    return np.array(p_s), np.array(p_i)


def finite(points: int, rounds: int) -> dict:
    """Points in the plane, 200 resolutions, n = 2: `laws.accuracy` against NumPy."""
    where = np.random.default_rng(0).random((points, 2))
    table = np.linalg.norm(where[:, None] - where[None], axis=-1)
    space = spaces.Finite(table)
    programs = {
        "semres_jax": lambda: accuracy(space, Constant(EPSILONS), n=2),
        "numpy": lambda: recounted(np.asarray(space.distances), EPSILONS),
    }
    off = float(np.max(np.abs(np.subtract(programs["semres_jax"](), programs["numpy"]()))))
    if off > 1e-12:
        raise SystemExit(f"the programs for finite spaces differ by {off}")
    # The comparison above has compiled already; what the first of these calls costs on top is noise.
    best, _ = best_times(programs, rounds)
    return {
        "points": points,
        "resolutions": len(EPSILONS),
        "seconds": best,
        "difference": off,
        "numpy_over_semres_jax": best["numpy"] / best["semres_jax"],
    }


def curve_row(figures: dict) -> dict:
    mc = figures["lattice"]
    how = "measured"
    if mc["extrapolated"]:
        how = "at the least, extrapolated from " + ", ".join(f"{t:,}" for t in mc["from_trials"]) + " trials"
    return row(
        f"p_S and p_I at {figures['resolutions']} resolutions, exponential, circle, n = {figures['n']}, exact",
        figures["exact_s"],
        "s",
        peer=f"our lattice to a standard error of {TARGET:.0e} ({how})",
        peer_value=mc["least_seconds"],
        better="less",
        bar="ratio >= 100",
    )


def finite_rows(figures: dict) -> list[dict]:
    what = f"{figures['points']:,} points in the plane, constant, {figures['resolutions']} resolutions, n = 2, exact"
    seconds = figures["seconds"]
    compared = {"peer": "NumPy, recounting", "peer_value": seconds["numpy"], "better": "less"}
    return [
        row(what, seconds["semres_jax"], "s", **compared, bar="ratio >= 50"),
        row(f"{what}: seconds", seconds["semres_jax"], "s", bar="value <= 1"),
    ]


def run(quick: bool) -> dict:
    rounds, budget = (3, 15.0) if quick else (7, 60.0)
    say("finite space")
    counted = finite(2000, rounds)
    say("curve")
    drawn = curve(32, rounds, budget)
    return {"rows": [curve_row(drawn), *finite_rows(counted)], "curve": drawn, "finite": counted}


if __name__ == "__main__":
    main(run, __doc__)
