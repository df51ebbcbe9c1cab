"""The same runs held to one core and on all of them, and over one JAX device and two.

A process of its own for each (the number of cores and devices is set before JAX starts), in turns. Monte Carlo must
give the same bits in all of them.
"""

import argparse
import functools
import json
import os
import subprocess
import sys

from measuring import best_times, cores, sized
from report import main, row, say

RUNS, BAR = 16, 1.8
# Name, n and method of the Monte Carlo runs.
DRAWN = {f"estimate, circle, n = {n}, {method}": (n, method) for n in (2, 32) for method in ("prng", "lattice")}
TOY = f"training.toy.train, {RUNS} runs"
HELD, ALL, TWO = "one core, one device", "all cores, one device", "all cores, two devices"


def child(held: bool, devices: int, seconds: float, rounds: int, sizes: dict) -> dict:
    """Units of work a second of every program, in this process; what was drawn, to the last bit.

    `sizes` are those of an earlier child, so that all do the same; where empty, what takes so many seconds.
    """
    if held:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import jax

    jax.config.update("jax_num_cpu_devices", devices)
    from semres_jax import Constant, estimate, spaces
    from semres_jax.training import toy

    circle = spaces.get("circle")
    bits: dict[str, list[str]] = {}

    def draw(name: str, trials: int) -> None:
        n, method = DRAWN[name]
        e = estimate(circle, Constant(0.1), key=jax.random.key(0), trials=trials, n=n, method=method)
        bits[name] = [float(e.p_s).hex(), float(e.p_i).hex()]

    train = lambda steps: toy.train(  # noqa: E731
        spaces.grid(circle, 50), toy.Design(), toy.Hyper(), runs=RUNS, steps=steps, records=[]
    )
    programs = {name: functools.partial(draw, name) for name in DRAWN} | {TOY: train}
    starts = dict.fromkeys(DRAWN, 2**20) | {TOY: 150}
    sizes = sizes or {name: sized(program, seconds, starts[name]) for name, program in programs.items()}
    best, _ = best_times({name: functools.partial(p, sizes[name]) for name, p in programs.items()}, rounds)
    return {"sizes": sizes, "rate": {name: sizes[name] / best[name] for name in programs}, "bits": bits}


def in_process(held: bool, devices: int, *settings) -> dict:
    words = [sys.executable, __file__, "--child", json.dumps([held, devices, *settings])]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    if done.returncode:
        raise SystemExit(done.stderr.strip()[-1000:])
    return json.loads(done.stdout.splitlines()[-1])


def run(quick: bool) -> dict:
    if cores() < 2 or not hasattr(os, "sched_setaffinity"):
        return {"rows": [], "left_out": "needs two cores, and a system on which a process can be held to one"}
    seconds, rounds, turns = (0.1, 2, 1) if quick else (0.5, 4, 3)
    ways = {HELD: (True, 1), ALL: (False, 1), TWO: (False, 2)}
    rate: dict[str, dict[str, float]] = {way: {} for way in ways}
    sizes, bits = {}, None
    for turn in range(turns):
        for way, (held, devices) in ways.items():
            say(f"{way}, turn {turn + 1} of {turns}")
            measured = in_process(held, devices, seconds, rounds, sizes)
            sizes, bits = measured["sizes"], bits or measured["bits"]
            if measured["bits"] != bits:
                raise SystemExit(f"{way}: other bits than {HELD}: {measured['bits']}, {bits}")
            for name, value in measured["rate"].items():
                rate[way][name] = max(value, rate[way].get(name, 0.0))
    rows = []
    for name in (*DRAWN, TOY):
        unit, scale = ("thousand seed-steps/s", RUNS / 1e3) if name == TOY else ("million trials/s", 1e-6)
        at = {way: values[name] * scale for way, values in rate.items()}
        held, two = {"peer": HELD, "peer_value": at[HELD]}, {"peer": ALL, "peer_value": at[ALL]}
        rows.append(row(f"{name}: {cores()} cores", at[ALL], unit, **held, bar=f"ratio >= {BAR:g}"))
        rows.append(row(f"{name}: {cores()} cores, two devices", at[TWO], unit, **two))
    return {"rows": rows, "sizes": sizes, "rate": rate}


if __name__ == "__main__":
    if "--child" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--child", type=json.loads)
        print(json.dumps(child(*parser.parse_args().child)))
    else:
        main(run, __doc__)
