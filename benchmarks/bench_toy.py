"""Training of the toy network against eager PyTorch: runs times steps a second; and how long `semres toy` takes.

All train the network of the paper's figure 4: 50 stimuli on a circle, 10 dimensions, 128 trials of a probe and two
other items for each step of Adam. There are many ways to write that in PyTorch (`toy_peers.py`); they are raced, and
the fastest is the peer. Beside it is one whole step compiled, of many runs at once. What programs have learned is
compared by exact scores. They are warmed up and timed in turn; the best round counts, and compilation is told apart.
"""

import functools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from measuring import best_times, cores, timed
from report import main, row, say
from toy_peers import BATCH, COMPILES, EPOCH, FLOOR, PLAIN, SPACE, Compiled, Way, race

import semres_jax
from semres_jax.laws import tables
from semres_jax.training import toy

RUNS = 16
# Tries at how many steps take as long as asked.
GUESSES = 8
# Steps after which what was learned is compared: the climb is over, and runs differ little. Standard errors allowed.
LEARNED, ALLOWED = 2000, 4.0
# The bars: how many times the peer's rate, and seconds of `semres toy --preset fig4`.
BARS, COMMAND_BAR = {RUNS: 60.0, 1: 40.0}, 60.0
# Share of the cores that sixteen runs keep busy, 1.8 of 2.
BUSY = 0.9


def named(runs: int) -> str:
    return f"{runs} run{'s' * (runs > 1)}"


def ours(runs: int, steps: int, seed: int = 0) -> np.ndarray:
    """(runs, N, m) weights after so many steps."""
    key = jax.random.key(seed)
    return toy.train(SPACE, toy.Design(), toy.Hyper(), key=key, runs=runs, steps=steps, records=[]).weights[:, -1, 0]


def busy(program) -> float:
    """Cores that a call keeps busy on average."""
    cpu, wall = time.process_time(), time.perf_counter()
    program()
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


def steps_for(program, seconds: float) -> int:
    """Steps that take about so long."""
    steps = 10 * EPOCH
    for _ in range(GUESSES):
        # The better of two: threads are slow to start, and a call has a fixed cost that must not be scaled up.
        took = min(timed(functools.partial(program, steps)) for _ in range(2))
        if seconds / 2 < took < 2 * seconds:
            break
        steps = max(EPOCH, round(steps * min(seconds / took, 8.0)))
    return max(EPOCH, round(steps * seconds / took))


def throughput(single: Way, batched: Way, seconds: float, rounds: int) -> dict:
    """Runs times steps a second of each program. PyTorch is tried with each number of threads."""
    first_calls = {}
    for runs in BARS:  # the first of two calls alike compiles; the number of steps is no part of the program
        first, second = (timed(lambda runs=runs: ours(runs, LEARNED)) for _ in range(2))
        first_calls[f"semres_jax, {named(runs)}"] = first - second
    programs: dict = {}
    groups: dict[str, list[str]] = {}

    def add(group: str, label: str, runs: int, program) -> None:
        programs[label] = (runs, program)
        groups.setdefault(group, []).append(label)

    for runs in BARS:
        add(f"ours_{runs}", f"semres_jax, {named(runs)}", runs, lambda s, r=runs: ours(r, s))
    for group, label, way, runs in (
        ("plain", "PyTorch, plain", PLAIN, None),
        ("fastest", "PyTorch, fastest", single, None),
        ("one_loop", f"PyTorch, {RUNS} runs in one loop", batched, RUNS),
        *((f"compiled_{runs}", f"PyTorch compiled, {named(runs)}", Compiled(), runs) for runs in BARS if COMPILES),
    ):
        for k in sorted(k for k in {1, 2, cores()} if k <= cores()):
            run = lambda s, way=way, runs=runs, k=k: way.train(s, runs, k)  # noqa: E731
            add(group, f"{label}, {k} thread{'s' * (k > 1)}", runs or 1, run)
    steps = {label: steps_for(program, seconds) for label, (_, program) in programs.items()}
    best, _ = best_times({label: lambda p=p, s=steps[label]: p(s) for label, (_, p) in programs.items()}, rounds)
    label = f"semres_jax, {named(RUNS)}"
    used = max(busy(functools.partial(ours, RUNS, steps[label])) for _ in range(rounds))
    rate = {label: runs * steps[label] / best[label] for label, (runs, _) in programs.items()}
    top = {group: max(rate[label] for label in labels) for group, labels in groups.items()}
    # One run after another, eager PyTorch has the rate of one run, however many there are.
    peers = {"eager": max(top["plain"], top["fastest"]), "plain": top["plain"]}
    ratios = {f"{runs}_over_{peer}": top[f"ours_{runs}"] / value for runs in BARS for peer, value in peers.items()}
    if COMPILES:
        ratios |= {f"{runs}_over_compiled": top[f"ours_{runs}"] / top[f"compiled_{runs}"] for runs in BARS}
    ratios[f"{RUNS}_over_one_loop"] = top[f"ours_{RUNS}"] / top["one_loop"]
    return {
        "steps": steps,
        "seconds": best,
        "seed_steps_per_s": rate,
        "cores_used": used,
        "first_call_extra_s": first_calls,
        "ratios": ratios,
    }


def learned(single: Way, batched: Way, runs: int) -> dict:
    """Exact p_S and p_I after the same number of steps, mean over runs, and how far those of the peers are off."""
    weights = {
        "semres_jax": ours(RUNS, LEARNED, seed=1),
        "PyTorch, plain": np.stack([PLAIN.train(LEARNED, seed=s) for s in range(runs)]),
        "PyTorch, fastest": np.stack([single.train(LEARNED, seed=100 + s) for s in range(runs)]),
        f"PyTorch, {RUNS} runs in one loop": batched.train(LEARNED, RUNS, seed=200),
    }
    if COMPILES:
        weights["PyTorch, compiled"] = Compiled().train(LEARNED, RUNS, seed=300)
    measured: dict = {}
    for label, trained in weights.items():
        with jax.enable_x64(True):
            scores = tables.accuracy(SPACE, toy.similarity_tables(trained) + FLOOR)
        measured[label] = {"runs": len(trained)}
        for name, values in zip(("p_s", "p_i"), np.asarray(scores), strict=True):
            measured[label] |= {name: values.mean(), f"{name}_stderr": values.std(ddof=1) / np.sqrt(len(trained))}
    mine, off = measured["semres_jax"], []
    for theirs in measured.values():
        if theirs is not mine:
            for name in ("p_s", "p_i"):
                stderr = np.hypot(mine[f"{name}_stderr"], theirs[f"{name}_stderr"])
                theirs[f"{name}_off"] = (theirs[name] - mine[name]) / stderr
                off.append(abs(theirs[f"{name}_off"]))
    return {"steps": LEARNED, "programs": measured, "largest_off": max(off)}


def command() -> dict:
    """Seconds of `semres toy --preset fig4` as a whole in a process of its own, compilation and figures included."""
    # The package that is measured here, and no programs compiled before.
    path = [str(Path(semres_jax.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    program = "from semres_jax.cli import main; raise SystemExit(main())"
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", program, "toy", "--preset", "fig4", "--out", folder]
        started = time.perf_counter()
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=3600)
        seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"semres toy --preset fig4: {done.stderr.strip()[-2000:]}")
    return {"seconds": seconds}


def rows(out: dict) -> list[dict]:
    t = out["throughput"]
    rate = t["seed_steps_per_s"]
    top = lambda label: max(value for name, value in rate.items() if name.startswith(label))  # noqa: E731
    compared = (("PyTorch, fastest", "the fastest eager PyTorch, one run after another", True),)
    compared += (("PyTorch, plain", "eager PyTorch as usually written, one run after another", False),)
    lines = []
    for runs, bar in BARS.items():
        label = named(runs)
        # The better of both counts where it comes to the bar: what is raced may lose to the plain one.
        eager = max(top("PyTorch, fastest"), top("PyTorch, plain"))
        for name, peer, judged in compared:
            lines.append(
                row(
                    f"toy network, batch {BATCH}, {label}, against {peer}",
                    rate[f"semres_jax, {label}"] / 1e3,
                    "thousand seed-steps/s",
                    peer="PyTorch",
                    peer_value=(eager if judged else top(name)) / 1e3,
                    bar=f"ratio >= {bar:g}" if judged else None,
                )
            )
    lines.append(
        row(
            f"toy network, batch {BATCH}, {RUNS} runs, against {RUNS} runs in one batched loop",
            rate[f"semres_jax, {RUNS} runs"] / 1e3,
            "thousand seed-steps/s",
            peer="PyTorch",
            peer_value=top(f"PyTorch, {RUNS}") / 1e3,
        )
    )
    for runs in BARS if COMPILES else ():
        lines.append(
            row(
                f"toy network, batch {BATCH}, {named(runs)}, against PyTorch's compiled step, batched over runs",
                rate[f"semres_jax, {named(runs)}"] / 1e3,
                "thousand seed-steps/s",
                peer="PyTorch",
                peer_value=top(f"PyTorch compiled, {named(runs)}") / 1e3,
            )
        )
    if cores() > 1:
        what = f"toy network, {RUNS} runs: cores kept busy, of {cores()}"
        lines.append(row(what, t["cores_used"], "cores", bar=f"value >= {BUSY * cores():g}"))
    same = out["learned"]["largest_off"]
    what = f"toy network, exact p_S and p_I after {LEARNED:,} steps against the peers'"
    lines.append(row(what, same, "standard errors", bar=f"value <= {ALLOWED:g}"))
    if "command" in out:
        seconds = out["command"]["seconds"]
        lines.append(row("semres toy --preset fig4 as a whole", seconds, "s", bar=f"value <= {COMMAND_BAR:g}"))
    return lines


def run(quick: bool) -> dict:
    seconds, rounds, runs = (0.3, 2, 4) if quick else (3.5, 3, 10)
    say("race of the ways to write it in PyTorch")
    (single, raced_one), (batched, raced_many) = race(None, 2 * rounds), race(RUNS, rounds)
    say("throughput")
    out: dict = {"throughput": throughput(single, batched, seconds, rounds)}
    out["ways"] = {
        "plain": str(PLAIN),
        "fastest": str(single),
        "one_loop": str(batched),
        "raced_steps_per_s": {"one run": raced_one, f"{RUNS} runs in one loop": raced_many},
    }
    say("what is learned")
    out["learned"] = learned(single, batched, runs)
    if not quick:
        say("semres toy --preset fig4")
        out["command"] = command()
    return out | {"rows": rows(out)}


if __name__ == "__main__":
    main(run, __doc__)
