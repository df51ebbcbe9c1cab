"""Monte Carlo on the circle against NumPy, PyTorch and Numba: trials a second, error at equal time, many resolutions.

    scripts/setup bench && .venv/bin/python benchmarks/bench_montecarlo.py [--quick] > results.json

Every program makes the same trials (constant similarity, epsilon 0.1, both tasks), is warmed up, and is timed in
turn with the others, so that a drift of the machine hits all; the best of the rounds counts. Compilation is told apart.
A table goes to standard error, JSON to standard output. Peers that are not installed are left out.
"""

import argparse
import json
import os
import platform
import sys
import time
from importlib import metadata, util

import jax
import numpy as np
import peers

from semres_jax import Constant, estimate, spaces

EPSILON = 0.1
CIRCLE = spaces.get("circle")
PEERS = {
    "numpy (chunks, 2 threads)": ("numpy", peers.numpy_peer),
    "pytorch (eager)": ("torch", peers.torch_peer),
    "numba (prange)": ("numba", peers.numba_peer),
    "numba (prange, own 16-lane xoshiro128+)": ("numba", peers.numba_xoshiro_peer),
}
# The peers written with their library's own random numbers, and all of them.
LIBRARY_PEERS = tuple(list(PEERS)[:3])


def ours(method: str):
    def run(trials: int, n: int, eps: float, seed: int):
        e = estimate(CIRCLE, Constant(eps), key=jax.random.key(seed), trials=trials, n=n, method=method)
        return e.p_s, e.p_i, e.p_s_stderr, e.p_i_stderr

    return run


def best_times(programs: dict, rounds: int) -> tuple[dict, dict]:
    """Best wall time of each program over interleaved rounds, and what its first call cost on top."""
    first, best = {}, dict.fromkeys(programs, np.inf)
    for name, program in programs.items():
        first[name] = timed(program)
    for _ in range(rounds):
        for name, program in programs.items():
            best[name] = min(best[name], timed(program))
    return best, {name: max(first[name] - best[name], 0.0) for name in programs}


def timed(program) -> float:
    started = time.perf_counter()
    program()
    return time.perf_counter() - started


def throughput(n: int, trials: int, rounds: int) -> dict:
    runs = {name: peer for name, (module, peer) in PEERS.items() if util.find_spec(module)}
    runs |= {f"semres_jax {method}": ours(method) for method in ("prng", "lattice")}
    for name, run in runs.items():  # a peer that computes something else is no peer
        p_s, p_i, p_s_stderr, p_i_stderr = run(2**18, n, EPSILON, 1)
        exact = exact_circle(n)
        if abs(p_s - exact[0]) > 5 * p_s_stderr or abs(p_i - exact[1]) > 5 * p_i_stderr:
            raise SystemExit(f"{name} computes {p_s, p_i}, not {exact}")
    best, compiled = best_times({k: lambda r=r: r(trials, n, EPSILON, 0) for k, r in runs.items()}, rounds)
    rate = {name: trials / seconds / 1e6 for name, seconds in best.items()}
    mine = {method: rate[f"semres_jax {method}"] for method in ("prng", "lattice")}
    groups = {
        "best_library_peer": [rate[k] for k in LIBRARY_PEERS if k in rate],
        "best_peer": [rate[k] for k in PEERS if k in rate],
    }
    ratios = {f"{m}_over_{g}": mine[m] / max(values) for g, values in groups.items() if values for m in mine}
    return {"n": n, "trials": trials, "million_trials_per_s": rate, "first_call_extra_s": compiled, "ratios": ratios}


def exact_circle(n: int) -> tuple[float, float]:
    from semres_jax import accuracy

    return tuple(float(p) for p in accuracy(CIRCLE, Constant(EPSILON), n=n))


def equal_time(seconds: float, keys: int) -> dict:
    """Root mean square error of both methods when each may take `seconds`, over independent keys."""
    exact = np.array(exact_circle(2))
    out: dict = {}
    for method in ("prng", "lattice"):
        run, trials = ours(method), 2**24
        run(trials, 2, EPSILON, 0)
        while (took := timed(lambda run=run, trials=trials: run(trials, 2, EPSILON, 0))) < seconds / 2:
            trials *= 2
        run(trials, 2, EPSILON, 0)  # the size that counts is compiled
        took, errors = 0.0, []
        for key in range(keys):
            started = time.perf_counter()
            result = run(trials, 2, EPSILON, key)
            took += (time.perf_counter() - started) / keys
            errors.append(np.array(result[:2]) - exact)
        rms = np.sqrt(np.mean(np.square(errors), axis=0))
        # scaled to the same time by each method's own law: 1/sqrt(t) and 1/t
        scale = (took / seconds) ** (0.5 if method == "prng" else 1.0)
        out[method] = {"trials": trials, "seconds": took, "rms_p_s": rms[0] * scale, "rms_p_i": rms[1] * scale}
    out["seconds"] = seconds
    out["ratio_p_s"] = out["prng"]["rms_p_s"] / out["lattice"]["rms_p_s"]
    out["ratio_p_i"] = out["prng"]["rms_p_i"] / out["lattice"]["rms_p_i"]
    return out


def many_resolutions(n: int, trials: int, rounds: int) -> dict:
    out = {}
    for method in ("prng", "lattice"):
        sweeps = {count: Constant(np.linspace(0.005, 0.495, count)) for count in (1, 64)}
        sweeps[1] = Constant(EPSILON)
        programs = {
            str(count): lambda s=s, method=method: estimate(
                CIRCLE, s, key=jax.random.key(0), trials=trials, n=n, method=method
            )
            for count, s in sweeps.items()
        }
        best, _ = best_times(programs, rounds)
        out[method] = {"ns_per_trial": {k: t / trials * 1e9 for k, t in best.items()}, "ratio": best["64"] / best["1"]}
    return {"n": n, "trials": trials, **out}


def machine() -> dict:
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    versions = {}
    for name in ("semres-jax", "jax", "numpy", "torch", "numba"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "processor": model,
        "cores": peers.cores(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "device": str(jax.devices()[0].device_kind),
        "python": platform.python_version(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a quarter of the trials, fewer rounds")
    options = parser.parse_args()
    less, rounds = (4, 3) if options.quick else (1, 7)
    out: dict = {"machine": machine()}
    out["throughput"] = [throughput(2, 2**27 // less, rounds), throughput(32, 2**23 // less, rounds)]
    out["equal_time"] = equal_time(0.25 if options.quick else 1.0, 12)
    out["many_resolutions"] = [many_resolutions(2, 2**25 // less, rounds), many_resolutions(32, 2**21 // less, rounds)]
    table(out)
    print(json.dumps(out, indent=1))


def table(out: dict) -> None:
    say = lambda *parts: print(*parts, file=sys.stderr)  # noqa: E731
    m = out["machine"]
    say(f"{m['processor']}, {m['cores']} cores, Python {m['python']}, jax {m['versions']['jax']}")
    for part in out["throughput"]:
        say(f"\nn = {part['n']}, {part['trials']:,} trials: million trials/s (first call, extra seconds)")
        for name, rate in part["million_trials_per_s"].items():
            say(f"  {name:42} {rate:9.1f}  ({part['first_call_extra_s'][name]:.2f})")
        for name, ratio in part["ratios"].items():
            say(f"  {name:42} {ratio:9.2f}")
    e = out["equal_time"]
    say(f"\nerror after {e['seconds']} s: lattice {e['ratio_p_s']:,.0f} (p_S), {e['ratio_p_i']:,.0f} (p_I) times less")
    for part in out["many_resolutions"]:
        for method in ("prng", "lattice"):
            ns, ratio = part[method]["ns_per_trial"], part[method]["ratio"]
            say(
                f"64 resolutions, n = {part['n']}, {method}: {ns['64']:.2f} against {ns['1']:.2f} ns, {ratio:.1f} times"
            )


if __name__ == "__main__":
    main()
