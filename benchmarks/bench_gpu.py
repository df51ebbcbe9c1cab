"""The same on a GPU: trials a second against PyTorch and CuPy on the same card and against the card's limit; training.

Left out where JAX finds no GPU. `--dry` goes through everything on the CPU instead, in a small size and without CuPy:
its figures mean nothing. Memory is shared by three libraries: JAX is told not to take it all at the start.
"""

import functools
import os
import sys

# Before JAX starts.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import gpu_peers
import jax
import jax.numpy as jnp
import numpy as np
from bench_roofline import (
    BESIDE,
    CHAINS,
    METHODS,
    NS,
    PRNG_WORDS,
    STEPS,
    Program,
    chain,
    operations,
    rates,
    words,
    xla_tiles,
)
from measuring import best_times, installed, sized, timed
from report import main, row, say

from semres_jax import Constant, accuracy, data, estimate, spaces
from semres_jax.training import images as image_training, toy
from semres_jax.training.images import batches, epochs, loop

EPSILON = 0.1
CIRCLE = spaces.get("circle")
# Trials of a call to the device: more than the default, which suits a CPU.
CHUNK = 2**28
# Dense bfloat16 rate of the cards that this has run on, flops a second by their data sheets; multiply-adds of a forward
# pass of ResNet-50 at 224 pixels, of which training takes three (forward, both gradients).
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
RESNET50_MULTIPLY_ADDS = 4.09e9


def ours(method: str, chunk: int):
    def run(trials: int, n: int, eps: float, seed: int):
        key = jax.random.key(seed)
        e = estimate(CIRCLE, Constant(eps), key=key, trials=trials, n=n, method=method, chunk=chunk)
        return e.p_s, e.p_i, e.p_s_stderr, e.p_i_stderr

    return run


def programs(device: str) -> tuple[dict, dict]:
    """Peers by name, and ours by method."""
    measured: dict = {}
    if installed("torch"):
        import torch

        if device == "cpu" or torch.cuda.is_available():
            measured["PyTorch, eager"] = gpu_peers.torch_eager(device)
            measured["PyTorch, torch.compile"] = gpu_peers.torch_compiled(device)
        else:
            say("PyTorch is installed without CUDA: left out")
    if installed("cupy") and device == "cuda":
        measured["CuPy, arrays"] = gpu_peers.cupy_arrays
        measured["CuPy, a CUDA kernel written for it"] = gpu_peers.cupy_kernel
    return measured, {method: ours(method, CHUNK) for method in METHODS}


def throughput(n: int, device: str, seconds: float, rounds: int, start: int) -> dict:
    others, mine = programs(device)
    exact = tuple(float(p) for p in accuracy(CIRCLE, Constant(EPSILON), n=n))
    failed: dict[str, str] = {}
    for name, run in {**others, **mine}.items():
        try:
            p_s, p_i, p_s_stderr, p_i_stderr = run(2**18, n, EPSILON, 1)
        except Exception as error:  # a peer that does not run on this card is told, and the rest goes on
            if name in mine:
                raise
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            continue
        if abs(p_s - exact[0]) > 5 * p_s_stderr or abs(p_i - exact[1]) > 5 * p_i_stderr:
            raise SystemExit(f"{name} computes {p_s, p_i}, not {exact}")
    runs = {name: run for name, run in {**others, **mine}.items() if name not in failed}
    calls = {name: functools.partial(lambda r, t: r(t, n, EPSILON, 0), run) for name, run in runs.items()}
    trials = {name: sized(call, seconds, start, 2**36) for name, call in calls.items()}
    best, first = best_times({name: functools.partial(call, trials[name]) for name, call in calls.items()}, rounds)
    rate = {name: trials[name] / seconds / 1e6 for name, seconds in best.items()}
    return {"n": n, "trials": trials, "million_trials_per_s": rate, "first_call_extra_s": first, "failed": failed}


def throughput_rows(measured: dict) -> list[dict]:
    n, rate = measured["n"], measured["million_trials_per_s"]
    peers = [name for name in rate if name not in METHODS]
    rows = []
    for method in METHODS:
        best = max(peers, key=lambda name: rate[name]) if peers else None
        rows.append(
            row(
                f"GPU, estimate, circle, n = {n}, {method}, against the best peer",
                rate[method],
                "million trials/s",
                peer=best or "no peer installed",
                peer_value=rate[best] if best else None,
            )
        )
    rows += [row(f"GPU, peer alone, circle, n = {n}: {name}", rate[name], "million trials/s") for name in peers]
    return rows


def limits(seconds: float, rounds: int, lanes: int, numbers: int) -> dict:
    """Operations, words and bytes a second of the device."""
    programs = {
        name: Program(xla_tiles(chain(step), lanes, None), lanes, STEPS * BESIDE * per_step)
        for name, (step, per_step) in CHAINS.items()
    }
    measured = rates(programs | {"words": Program(xla_tiles(words, lanes, None), lanes, PRNG_WORDS)}, seconds, rounds)
    a, b = jnp.ones(numbers, jnp.float32), jnp.ones(numbers, jnp.float32)
    add = jax.jit(jnp.add)
    best, _ = best_times({"": lambda: jax.block_until_ready(add(a, b))}, rounds)
    measured["bytes"] = 12 * numbers / best[""]
    return measured


def limit_rows(measured: dict, drawn: list[dict]) -> list[dict]:
    plain, mixed = (measured[name] for name in CHAINS)
    rows = [row(f"GPU, peak: 32-bit {name}", measured[name] / 1e9, "billion/s") for name in CHAINS]
    rows.append(row("GPU, peak: pseudo-random words, made and thrown away", measured["words"] / 1e9, "billion/s"))
    rows.append(row("GPU, peak: memory, a = b + c", measured["bytes"] / 1e9, "GB/s"))
    for part in drawn:
        for method, peak in (("prng", mixed), ("lattice", plain)):
            n, count = part["n"], operations(method, part["n"])
            rate = part["million_trials_per_s"][method] * 1e6 * count
            what = f"GPU, roofline, {method}, n = {n}: share of the peak at {count} operations a trial"
            rows.append(row(what, rate / 1e9, "billion/s", peer="32-bit operations", peer_value=peak / 1e9))
    return rows


def toy_rows(all_runs: tuple[int, ...], steps: int, rounds: int) -> list[dict]:
    """Seed-steps a second of the toy network."""
    grid = spaces.grid(CIRCLE, 50)
    rows = []
    for runs in all_runs:
        train = lambda runs=runs: toy.train(  # noqa: E731
            grid, toy.Design(), toy.Hyper(), key=jax.random.key(0), runs=runs, steps=steps, records=[]
        )
        best, _ = best_times({"": train}, rounds)
        rate = runs * steps / best[""] / 1e3
        rows.append(row(f"GPU, training.toy.train, {runs} runs", rate, "thousand seed-steps/s"))
    return rows


def large(batch: int, side: int, steps: int, rounds: int, name: str = "resnet50") -> dict:
    """Training of a large network in bfloat16 on images that stay on the device: images a second, share of the peak."""
    device = jax.devices()[0]
    rng = np.random.default_rng(0)
    classes, per_class = 8, batch // 8
    images = rng.integers(0, 256, (classes * per_class * 2, side, side, 3), dtype=np.uint8)
    labels = np.repeat(np.arange(classes), per_class * 2).astype(np.int32)
    table = np.abs(np.arange(classes)[:, None] - np.arange(classes)[None]).astype(float)
    group = np.arange(len(labels))
    made = data.ImageSet("noise", images, labels, tuple("abcdefgh"), group, table, "")
    recipe = image_training.Recipe(network=name, per_class=per_class, dtype="bfloat16")
    resident = batches.resident(made, np.arange(len(labels)), per_class)
    job = loop._Job(recipe, resident, jnp.asarray(images[:1]), np.zeros(1, int), None)
    state = jax.tree.map(lambda x: x[None], job.start(jax.random.key(0), 0))
    keys, alpha = jax.random.key(0)[None], jnp.full(1, 0.5)

    def train() -> None:
        nonlocal state
        done = epochs.epoch(state, resident, alpha, keys, jnp.int32(3), recipe, job._graph, steps)
        state, _ = jax.block_until_ready(done)

    first = timed(train)
    best = min(timed(train) for _ in range(rounds))
    rate = batch * steps / best
    peak = next((value for card, value in PEAKS.items() if card in device.device_kind), None)
    flops = rate * 3 * 2 * RESNET50_MULTIPLY_ADDS * (side / 224) ** 2
    return {
        "device": device.device_kind,
        "network": name,
        "batch": batch,
        "side": side,
        "images_per_second": rate,
        "compile_seconds": first - best,
        "flops": flops,
        "peak_flops": peak if name == "resnet50" else None,
    }


def large_row(measured: dict) -> dict:
    peak = None if measured["peak_flops"] is None else measured["peak_flops"] / 1e12
    what = f"GPU, training {measured['network']}, {measured['side']} pixels, batch {measured['batch']}, bfloat16"
    images = f"{measured['images_per_second']:,.0f} images/s"
    of = {"peer": "the data sheet's dense bfloat16", "peer_value": peak} if peak else {}
    return row(f"{what}: {images}", measured["flops"] / 1e12, "tera-flops/s", **of)


def run(quick: bool, dry: bool = False) -> dict:
    device = jax.devices()[0]
    if device.platform != "gpu" and not dry:
        return {"rows": [], "left_out": f"no GPU: JAX finds {device.platform} only"}
    seconds, rounds = (0.02, 1) if dry else (0.1, 2) if quick else (0.4, 7)
    out: dict = {"rows": [], "throughput": [], "device": device.device_kind}
    for n in NS[:1] if dry else NS:
        say(f"throughput, n = {n}")
        out["throughput"].append(throughput(n, "cpu" if dry else "cuda", seconds, rounds, 2**18 if dry else 2**24))
        out["rows"] += throughput_rows(out["throughput"][-1])
    say("limits")
    out["limits"] = limits(seconds, rounds, 2**16 if dry else 2**24, 2**16 if dry else 2**28)
    out["rows"] += limit_rows(out["limits"], out["throughput"])
    say("toy network")
    out["rows"] += toy_rows((2,) if dry else (16, 256), 15 if dry else 1500, rounds)
    say("large network")
    out["large"] = large(16, 28, 1, 1, "small") if dry else large(256, 224, 20, rounds)
    out["rows"].append(large_row(out["large"]))
    return out


if __name__ == "__main__":
    dry = "--dry" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--dry"]
    main(functools.partial(run, dry=dry), __doc__)
