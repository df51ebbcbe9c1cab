"""Training of the small residual network against eager PyTorch, and exact scores against sampled trials.

    scripts/setup bench && .venv/bin/python benchmarks/bench_resnet.py [--quick] > resnet.json

Both train the same network (77,290 parameters) on the same silhouettes with the same step: a balanced batch of 120,
mirrored and moved at random, cross-entropy and the loss of distances, SGD with Nesterov momentum and decay. PyTorch
runs with either layout of images in memory; its faster one is the peer. Programs are warmed up and timed in turn; the
best round counts, compilation is told apart. Scores: accuracies of 2,000 images at 64 resolutions, against trials that
are sampled and embedded image by image. On a GPU: ResNet-50, 224 pixels, batch of 256, bfloat16. JSON goes to standard
output, a table to standard error.
"""

import argparse
import itertools
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from bench_montecarlo import machine
from flax import nnx
from torch import nn

import semres_jax
from semres_jax import data, measure
from semres_jax.experiments.resnet import SHARES, distances
from semres_jax.networks import resnet as networks
from semres_jax.training import _images, resnet

ALPHA, EACH, STEPS = 0.5, 12, 40
ANIMALS = data.animal_images()
PARTS = data.split(ANIMALS)
DATA = _images.resident(ANIMALS, PARTS.train, EACH)
CLASSES = len(ANIMALS.class_names)
BATCH = CLASSES * EACH
# Images that are scored, and those on which sampling image by image is measured.
SCORED, MEASURED = 2000, 100
# The bars: PyTorch's rate, and how many times sampling takes as long.
LEVEL, FASTER = 1.0, 1000.0
# Dense bfloat16 rate of the cards that this has run on, flops a second by their data sheets; multiply-adds of a forward
# pass of ResNet-50 at 224 pixels, of which training takes three (forward, both gradients).
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
RESNET50_MULTIPLY_ADDS = 4.09e9


class Ours:
    """So many members, each in a thread of its own, as `training.resnet.train` does."""

    def __init__(self, members: int):
        self.recipe = resnet.Recipe(each=EACH)
        self.job = resnet._Job(self.recipe, DATA, jnp.asarray(ANIMALS.images[:1]), np.zeros(1, int), None)
        self.keys = jax.random.key(0)[None]
        self.states = [jax.tree.map(lambda x: x[None], self.job.start(0, run)) for run in range(members)]

    def __call__(self) -> None:
        def one(state):
            alpha = jnp.full(1, ALPHA)
            done = resnet._epochs.epoch(
                state, DATA, alpha, self.keys, jnp.int32(3), self.recipe, self.job._graph, STEPS
            )  # fmt: skip
            return jax.block_until_ready(done)[0]

        with ThreadPoolExecutor(len(self.states)) as pool:
            self.states = list(pool.map(one, self.states))


class TorchBlock(nn.Module):
    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(out), nn.BatchNorm2d(out)])
        same = channels == out and stride == 1
        short = [] if same else [nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)]
        self.short = nn.Sequential(*short)

    def forward(self, x):
        y = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[1](self.second(y)) + self.short(x))


class TorchSmall(nn.Module):
    """`networks.resnet.make("small", ...)` in PyTorch."""

    def __init__(self):
        super().__init__()
        (_, widths, _, _) = networks.ARCHITECTURES["small"]
        self.stem, self.norm = nn.Conv2d(1, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0])
        ways = [(widths[0], widths[0], 1), *((a, b, 2) for a, b in itertools.pairwise(widths))]
        self.blocks = nn.Sequential(*(TorchBlock(*way) for way in ways))
        self.classifier = nn.Linear(widths[-1], CLASSES)

    def embed(self, x):
        return self.blocks(F.relu(self.norm(self.stem(x)))).mean((2, 3))

    def forward(self, x):
        embedded = self.embed(x)
        return embedded, self.classifier(embedded)


class Peer:
    """The same step in eager PyTorch."""

    def __init__(self, layout: torch.memory_format):
        self.layout = layout
        self.net = TorchSmall().to(memory_format=layout)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
        ours = nnx.state(networks.make("small", CLASSES, channels=1, rngs=nnx.Rngs(0)), nnx.Param)
        assert sum(p.numel() for p in self.net.parameters()) == sum(x.size for x in jax.tree.leaves(ours))
        self.images = torch.tensor(np.asarray(DATA.images))[..., 0]
        self.members = [torch.tensor(np.asarray(m[:n])) for m, n in zip(DATA.members, DATA.counts, strict=True)]
        self.mean, self.spread = (float(x[0]) for x in DATA.scale)
        self.labels = torch.arange(CLASSES).repeat_interleave(EACH)
        table = torch.tensor(np.asarray(DATA.distances))
        self.wanted = table[self.labels[:, None], self.labels[None]]

    def batch(self, index):
        rows, columns = (torch.arange(28).expand(BATCH, 28) for _ in range(2))
        columns = torch.where(torch.rand(BATCH, 1) < 0.5, 27 - columns, columns)
        rows, columns = ((x + torch.randint(-2, 3, (BATCH, 1))).clamp(0, 27) for x in (rows, columns))
        x = self.images[index[:, None, None], rows[:, :, None], columns[:, None, :]]
        x = (x.float() / 255 - self.mean) / self.spread
        return x[:, None].contiguous(memory_format=self.layout)

    def __call__(self) -> None:
        self.net.train()
        shuffled = [m[torch.randperm(len(m))] for m in self.members]
        for step in range(STEPS):
            index = torch.cat([m[(step * EACH + torch.arange(EACH)) % len(m)] for m in shuffled])
            self.optimizer.zero_grad()
            embedded, scores = self.net(self.batch(index))
            far = torch.cdist(embedded, embedded, compute_mode="donot_use_mm_for_euclid_dist")
            pairs = BATCH * (BATCH - 1)
            sim = ((far / (far.sum() / pairs) - self.wanted) ** 2).sum() / pairs
            loss = (1 - ALPHA) * F.cross_entropy(scores, self.labels) + ALPHA * sim
            loss.backward()
            self.optimizer.step()


def training(rounds: int) -> dict:
    cores = os.cpu_count() or 1
    torch.set_num_threads(cores)
    programs = {
        "semres_jax, one run": (Ours(1), 1),
        f"semres_jax, {cores} runs at once": (Ours(cores), cores),
        "PyTorch, channels last": (Peer(torch.channels_last), 1),
        "PyTorch, channels first": (Peer(torch.contiguous_format), 1),
    }
    first, best = {}, {}
    for name, (program, _) in programs.items():
        start = time.perf_counter()
        program()
        first[name] = time.perf_counter() - start
    for _ in range(rounds):
        for name, (program, _) in programs.items():
            start = time.perf_counter()
            program()
            best[name] = min(best.get(name, np.inf), time.perf_counter() - start)
    rates = {name: runs * STEPS * BATCH / best[name] for name, (_, runs) in programs.items()}
    peer = max(rate for name, rate in rates.items() if name.startswith("PyTorch"))
    ours = {name: rate / peer for name, rate in rates.items() if name.startswith("semres")}
    return {
        "batch": BATCH,
        "images_per_second": rates,
        "compile_seconds": {name: first[name] - best[name] for name in ours},
        "ratio_to_best_peer": ours,
        "bar": LEVEL,
        "met": {name: bool(ratio >= LEVEL) for name, ratio in ours.items()},
    }


def scoring(rounds: int) -> dict:
    """All accuracies of 2,000 images at 64 resolutions against sampled trials."""
    firsts = np.flatnonzero(ANIMALS.group == np.arange(len(ANIMALS.group)))
    each = SCORED // CLASSES
    some = np.concatenate([firsts[ANIMALS.labels[firsts] == c][:each] for c in range(CLASSES)])
    labels = ANIMALS.labels[some]
    net = TorchSmall().eval().to(memory_format=torch.channels_last)
    pixels = torch.tensor(ANIMALS.images[some].astype(np.float32) / 255).permute(0, 3, 1, 2)
    with torch.no_grad():
        embedded = net.embed(pixels).numpy()

        def exact() -> measure.Levels:
            return measure.levels(distances(embedded), labels, ANIMALS.distances, SHARES)

        found = exact()
        best = np.inf
        for _ in range(rounds):
            start = time.perf_counter()
            exact()
            best = min(best, time.perf_counter() - start)
        one = [pixels[k : k + 1].contiguous(memory_format=torch.channels_last) for k in range(MEASURED)]
        for x in one[:10]:
            net.embed(x)
        alone = np.inf
        for _ in range(rounds):
            start = time.perf_counter()
            for x in one:
                net.embed(x)
            alone = min(alone, (time.perf_counter() - start) / MEASURED)
    # At every resolution, for both tasks, one trial for each image as the probe: it and two others are embedded.
    sampled = alone * 3 * 2 * SCORED * len(SHARES)
    return {
        "images": SCORED,
        "resolutions": len(SHARES),
        "seconds": best,
        "embedding_one_image_seconds": alone,
        "sampled_seconds": sampled,
        "sampled_standard_error": float(np.sqrt(0.25 / SCORED)),
        "ratio": sampled / best,
        "bar": FASTER,
        "met": bool(sampled / best >= FASTER),
        "largest_p_s": float(found.p_s.max()),
    }


def large(batch: int, side: int, steps: int, rounds: int, name: str = "resnet50") -> dict:
    """Training of a large network in bfloat16 on images that stay on the device: images a second, share of the peak."""
    device = jax.devices()[0]
    rng = np.random.default_rng(0)
    classes, each = 8, batch // 8
    images = rng.integers(0, 256, (classes * each * 2, side, side, 3), dtype=np.uint8)
    labels = np.repeat(np.arange(classes), each * 2).astype(np.int32)
    table = np.abs(np.arange(classes)[:, None] - np.arange(classes)[None]).astype(float)
    group = np.arange(len(labels))
    made = data.ImageSet("noise", images, labels, tuple("abcdefgh"), group, table, "")
    recipe = resnet.Recipe(network=name, each=each, dtype="bfloat16")
    resident = _images.resident(made, np.arange(len(labels)), each)
    job = resnet._Job(recipe, resident, jnp.asarray(images[:1]), np.zeros(1, int), None)
    state = jax.tree.map(lambda x: x[None], job.start(0, 0))
    keys, alpha = jax.random.key(0)[None], jnp.full(1, ALPHA)
    best, first = np.inf, 0.0
    for k in range(rounds + 1):
        start = time.perf_counter()
        done = resnet._epochs.epoch(state, resident, alpha, keys, jnp.int32(3), recipe, job._graph, steps)
        state, _ = jax.block_until_ready(done)
        took = time.perf_counter() - start
        first, best = (took, best) if k == 0 else (first, min(best, took))
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
        "share_of_peak": flops / peak if peak and name == "resnet50" else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds instead of eight")
    parser.add_argument("--gpu", action="store_true", help="the large network only, on the accelerator that is there")
    asked = parser.parse_args()
    rounds = 2 if asked.quick else 8
    out: dict = {"semres_jax": semres_jax.__version__} | machine()
    if asked.gpu or jax.default_backend() != "cpu":
        out["large"] = large(256, 224, 20, rounds)
    else:
        out["training"] = training(rounds)
        out["scoring"] = scoring(rounds)
    table(out)
    json.dump(out, sys.stdout, indent=1)
    print()


def table(out: dict) -> None:
    say = lambda text: print(text, file=sys.stderr)  # noqa: E731
    for name, rate in out.get("training", {}).get("images_per_second", {}).items():
        ratio = out["training"]["ratio_to_best_peer"].get(name)
        say(f"{name:32s} {rate:8.0f} images/s" + (f"  {ratio:.2f} of the best peer" if ratio else ""))
    if "scoring" in out:
        s = out["scoring"]
        say(f"scores of {s['images']} images at {s['resolutions']} resolutions: {s['seconds']:.2f} s; sampled trial by "
            f"trial {s['sampled_seconds']:.0f} s, {s['ratio']:.0f} times")  # fmt: skip
    if "large" in out:
        s = out["large"]
        share = f", {100 * s['share_of_peak']:.0f} % of the peak" if s["share_of_peak"] else ""
        say(f"{s['network']} on {s['device']}: {s['images_per_second']:.0f} images/s{share}")


if __name__ == "__main__":
    main()
