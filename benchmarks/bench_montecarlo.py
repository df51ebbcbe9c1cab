"""Monte Carlo on the circle against NumPy, PyTorch and Numba: trials a second, error at equal time, many resolutions.

Every program makes the same kind of trials (constant similarity, epsilon 0.1, both tasks), is checked against the exact
law, warmed up, and timed in turn with the others, so that a drift of the machine hits all; the best of the rounds
counts. Each makes as many trials as take it a fraction of a second. Peers that are not installed are left out.
"""

import functools

import jax
import numpy as np
import peers
from measuring import best_times, installed, sized, timed
from report import main, row, say

from semres_jax import Constant, accuracy, estimate, spaces

EPSILON = 0.1
CIRCLE = spaces.get("circle")
PEERS = {
    "NumPy (chunks, a thread a core)": ("numpy", peers.numpy_peer),
    "PyTorch (eager, a thread a core)": ("torch", peers.torch_peer),
    "Numba (prange, its own generator)": ("numba", peers.numba_peer),
    "Numba (prange, hand-written 16-lane generator)": ("numba", peers.numba_xoshiro_peer),
}
# The peers written with their library's own random numbers; the last is no longer what one writes for an experiment.
LIBRARY_PEERS = tuple(list(PEERS)[:3])
METHODS = ("prng", "lattice")
# What is asked for against the best of all peers, by n and method.
BARS = {2: {"prng": 1.0, "lattice": 15.0}, 8: {}, 32: {"prng": 3.0, "lattice": 15.0}}


def ours(method: str):
    def run(trials: int, n: int, eps: float, seed: int):
        e = estimate(CIRCLE, Constant(eps), key=jax.random.key(seed), trials=trials, n=n, method=method)
        return e.p_s, e.p_i, e.p_s_stderr, e.p_i_stderr

    return run


def programs() -> dict:
    """All that are there, ours too."""
    runs = {name: peer for name, (module, peer) in PEERS.items() if installed(module)}
    return runs | {method: ours(method) for method in METHODS}


def throughput(n: int, seconds: float, rounds: int) -> dict:
    runs = programs()
    exact = tuple(float(p) for p in accuracy(CIRCLE, Constant(EPSILON), n=n))
    for name, run in runs.items():  # a peer that computes something else is no peer
        p_s, p_i, p_s_stderr, p_i_stderr = run(2**18, n, EPSILON, 1)
        if abs(p_s - exact[0]) > 5 * p_s_stderr or abs(p_i - exact[1]) > 5 * p_i_stderr:
            raise SystemExit(f"{name} computes {p_s, p_i}, not {exact}")
    trials = {name: sized(lambda t, r=run: r(t, n, EPSILON, 0), seconds, 2**20) for name, run in runs.items()}
    best, _ = best_times({k: lambda k=k, r=r: r(trials[k], n, EPSILON, 0) for k, r in runs.items()}, rounds)
    rate = {name: trials[name] / seconds / 1e6 for name, seconds in best.items()}
    return {"n": n, "trials": trials, "million_trials_per_s": rate}


def throughput_rows(measured: dict) -> list[dict]:
    n, rate = measured["n"], measured["million_trials_per_s"]
    rows = []
    for method in METHODS:
        for label, group in (("best peer", tuple(PEERS)), ("best with its library's random numbers", LIBRARY_PEERS)):
            there = [name for name in group if name in rate]
            best = max(there, key=lambda name: rate[name])
            bar = BARS[n].get(method) if group == tuple(PEERS) else None
            rows.append(
                row(
                    f"estimate, circle, n = {n}, {method}, against the {label}",
                    rate[method],
                    "million trials/s",
                    peer=best,
                    peer_value=rate[best],
                    bar=None if bar is None else f"ratio >= {bar:g}",
                )
            )
    for name in PEERS:
        if name in rate:
            rows.append(row(f"peer alone, circle, n = {n}: {name}", rate[name], "million trials/s"))
    return rows


def equal_time(seconds: float, keys: int) -> dict:
    """Root mean square error of both methods when each may take `seconds`, over independent keys."""
    exact = np.array(accuracy(CIRCLE, Constant(EPSILON)))
    out: dict = {"seconds": seconds}
    for method in METHODS:
        run = functools.partial(ours(method), n=2, eps=EPSILON)
        trials = sized(lambda t, run=run: run(t, seed=0), seconds / 2, 2**22)
        took, errors = 0.0, []
        for key in range(keys):
            result: list = []
            took += timed(lambda key=key, run=run, trials=trials, result=result: result.extend(run(trials, seed=key)))
            errors.append(np.array(result[:2]) - exact)
        took /= keys
        rms = np.sqrt(np.mean(np.square(errors), axis=0))
        # scaled to the same time by each method's own law: 1/sqrt(t) and 1/t
        scale = (took / seconds) ** (0.5 if method == "prng" else 1.0)
        out[method] = {"trials": trials, "seconds": took, "rms_p_s": rms[0] * scale, "rms_p_i": rms[1] * scale}
    return out


def equal_time_rows(measured: dict) -> list[dict]:
    return [
        row(
            f"error of {name} after {measured['seconds']:g} s, circle, n = 2, lattice",
            measured["lattice"][key],
            "",
            peer="our prng",
            peer_value=measured["prng"][key],
            better="less",
        )
        for name, key in (("p_S", "rms_p_s"), ("p_I", "rms_p_i"))
    ]


def many_resolutions(n: int, seconds: float, rounds: int) -> dict:
    out: dict = {"n": n}
    for method in METHODS:
        similarities = {"1": Constant(EPSILON), "64": Constant(np.linspace(0.005, 0.495, 64))}
        run = lambda s, trials, method=method: estimate(  # noqa: E731
            CIRCLE, s, key=jax.random.key(0), trials=trials, n=n, method=method
        )
        trials = sized(lambda t, run=run, s=similarities["1"]: run(s, t), seconds / 4, 2**20)
        runs_of = {k: lambda s=s, run=run, trials=trials: run(s, trials) for k, s in similarities.items()}
        best, _ = best_times(runs_of, rounds)
        out[method] = {"trials": trials, "ns_per_trial": {k: t / trials * 1e9 for k, t in best.items()}}
    return out


def many_rows(measured: dict) -> list[dict]:
    return [
        row(
            f"64 resolutions in one pass, circle, n = {measured['n']}, {method}",
            measured[method]["ns_per_trial"]["64"],
            "ns a trial",
            peer="64 passes with one",
            peer_value=64 * measured[method]["ns_per_trial"]["1"],
            better="less",
        )
        for method in METHODS
    ]


def run(quick: bool) -> dict:
    seconds, rounds = (0.1, 2) if quick else (0.4, 7)
    out: dict = {"rows": [], "throughput": [], "many_resolutions": []}
    for n in BARS:
        say(f"throughput, n = {n}")
        out["throughput"].append(throughput(n, seconds, rounds))
        out["rows"] += throughput_rows(out["throughput"][-1])
    say("error at equal time")
    out["equal_time"] = equal_time(0.25 if quick else 1.0, 6 if quick else 12)
    out["rows"] += equal_time_rows(out["equal_time"])
    for n in (2, 32):
        say(f"many resolutions, n = {n}")
        out["many_resolutions"].append(many_resolutions(n, seconds, rounds))
        out["rows"] += many_rows(out["many_resolutions"][-1])
    return out


if __name__ == "__main__":
    main(run, __doc__)
