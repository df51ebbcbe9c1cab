"""Exact curves against this project's own Monte Carlo, against a recount in NumPy, and what a second sweep compiles.

    .venv/bin/python benchmarks/bench_exact.py [--quick] > exact.json

Programs are checked against exact values before they are timed, warmed up, and timed in turn with each other; the best
round counts, and compilation is told apart. A table goes to standard error, JSON to standard output.
"""

import argparse
import json
import logging
import sys
import time

import jax
import numpy as np
from bench_montecarlo import best_times, machine

from semres_jax import Constant, Exponential, accuracy, estimate, frontier, spaces
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
            found = quadrature.accuracy(spaces.Circle(), similarity, n=n)
            return np.asarray(found.p_s), np.asarray(found.p_i)

    best, compiled = best_times({"exact": exact}, rounds)
    with jax.enable_x64(True):
        found = quadrature.integrate(spaces.Circle(), similarity, n=n)
        error = float(max(found.p_s_error.max(), found.p_i_error.max()))
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


class Compilations(logging.Handler):
    """Names of the programs that JAX compiles while this is entered, by its own log."""

    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("Compiling "):
            self.names.append(message.split()[1])

    def __enter__(self) -> "Compilations":
        logger = logging.getLogger("jax")
        self.told = logger.propagate
        logger.propagate = False
        logger.addHandler(self)
        jax.config.update("jax_log_compiles", True)
        return self

    def __exit__(self, *_) -> None:
        jax.config.update("jax_log_compiles", False)
        logger = logging.getLogger("jax")
        logger.removeHandler(self)
        logger.propagate = self.told


def second_sweep() -> dict:
    """The same spaces, similarities and n with other resolutions and floors: seconds, and programs compiled."""
    places, kinds, ns = [spaces.Circle(), spaces.Interval()], ["constant", "exponential"], [2, 8]

    def sweep(low: float, high: float, delta: list[float]):
        return lambda: frontier.sweep(places, kinds, ns, epsilon=np.linspace(low, high, 32), delta=delta)

    with Compilations() as first:
        first_s, _ = seconds_of(sweep(0.01, 0.5, [0.0, 0.1]))
    with Compilations() as second:
        second_s, table = seconds_of(sweep(0.02, 0.4, [0.05, 0.2]))
    here = table.sel(space="interval", similarity="constant", n=8)
    want = accuracy(places[1], Constant(here.epsilon.values[:, None], here.delta.values[None]), n=8)
    if np.max(np.abs(np.subtract((here.p_s, here.p_i), want))) > 1e-10:
        raise SystemExit("the sweep differs from laws.accuracy")
    return {
        "cells": int(table.p_s.size),
        "first_s": first_s,
        "second_s": second_s,
        "compiled_first": len(first.names),
        "compiled_second": len(second.names),
        "compiled_second_names": second.names,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, a quarter of the Monte Carlo")
    options = parser.parse_args()
    rounds, budget = (3, 15.0) if options.quick else (7, 60.0)
    out: dict = {"machine": machine(), "quick": options.quick}
    out["second_sweep"] = second_sweep()  # before anything else has compiled
    out["finite"] = finite(2000, rounds)
    out["curve"] = curve(32, rounds, budget)
    found = out["curve"]
    # What is asked for, and whether it holds.
    out["bars"] = {
        "exact < 1 % of the lattice, even if its error fell like 1/t": found["exact_over_least_lattice"] < 0.01,
        "finite < 1 s": out["finite"]["seconds"]["semres_jax"] < 1.0,
        "finite >= 50 times faster than NumPy": out["finite"]["numpy_over_semres_jax"] >= 50.0,
        "second sweep compiles nothing": out["second_sweep"]["compiled_second"] == 0,
    }
    table(out)
    print(json.dumps(out, indent=1))


def table(out: dict) -> None:
    say = lambda *parts: print(*parts, file=sys.stderr)  # noqa: E731
    m, c, f, s = out["machine"], out["curve"], out["finite"], out["second_sweep"]
    say(f"{m['processor']}, {m['cores']} cores, Python {m['python']}, jax {m['versions']['jax']}")
    extra, error = c["exact_first_call_extra_s"], c["exact_error_estimate"]
    say(f"\n{c['resolutions']} resolutions, exponential, circle, n = {c['n']}")
    say(f"  quadrature {c['exact_s']:12.3f} s  (first call, extra {extra:.1f} s; error at most {error:.0e})")
    mc = c["lattice"]
    how = "measured"
    if mc["extrapolated"]:
        how = f"extrapolated with slope {mc['slope']:.2f}; at least {mc['least_seconds']:,.0f} s, with slope -1"
    say(f"  lattice    {mc['seconds']:12,.0f} s  to standard error {mc['target_stderr']:.0e}, {how}")
    for p in mc["measured"]:
        say(f"    {p['trials']:12,} trials {p['seconds']:8.2f} s   worst standard error {p['worst_stderr']:.1e}")
    say(f"  ratio      {c['exact_over_lattice']:12.1e}    (with slope -1: {c['exact_over_least_lattice']:.1e})")
    say(f"\nfinite, {f['points']:,} points, {f['resolutions']} resolutions, n = 2")
    for name, seconds in f["seconds"].items():
        say(f"  {name:10} {seconds:12.3f} s")
    say(f"  ratio      {f['numpy_over_semres_jax']:12.1f}")
    say(f"\nsweep of {s['cells']} cells, then of others: seconds (programs compiled)")
    for name in ("first", "second"):
        say(f"  {name:10} {s[f'{name}_s']:12.2f} s  ({s[f'compiled_{name}']})")
    say("")
    for name, holds in out["bars"].items():
        say(f"  {'holds ' if holds else 'FAILS '} {name}")


if __name__ == "__main__":
    main()
