"""Training of the small residual network against eager PyTorch, and exact scores against sampled trials.

Both train the same network (77,290 parameters) on the same silhouettes with the same step: a balanced batch of 120,
mirrored and moved at random, cross-entropy and the loss of distances, SGD with Nesterov momentum and decay. PyTorch
runs with either layout of images in memory; its faster one is the peer. Programs are warmed up and timed in turn; the
best round counts, compilation is told apart. Scores: accuracies of 2,000 images at 64 resolutions, against trials that
are sampled and embedded image by image. ResNet-50 on a GPU is in bench_gpu.py.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from flax import nnx
from measuring import best_times, cores, timed
from report import main, row, say
from torch import nn

from semres_jax import data, measure
from semres_jax.experiments.images.run import SHARES, distances
from semres_jax.networks import resnet as networks
from semres_jax.training import images as image_training
from semres_jax.training.images import batches, epochs, loop

ALPHA, EACH, STEPS = 0.5, 12, 40
ANIMALS = data.animal_images()
PARTS = data.split(ANIMALS)
DATA = batches.resident(ANIMALS, PARTS.train, EACH)
CLASSES = len(ANIMALS.class_names)
BATCH = CLASSES * EACH
# Images that are scored, and those on which sampling image by image is measured.
SCORED, MEASURED = 2000, 100
# The bars: PyTorch's rate, and how many times sampling takes as long.
LEVEL, FASTER = 1.0, 1000.0


class Ours:
    """So many members, each in a thread of its own, as `training.resnet.train` does."""

    def __init__(self, members: int):
        self.recipe = image_training.Recipe(per_class=EACH)
        self.job = loop._Job(self.recipe, DATA, jnp.asarray(ANIMALS.images[:1]), np.zeros(1, int), None)
        self.keys = jax.random.key(0)[None]
        self.states = [
            jax.tree.map(lambda x: x[None], self.job.start(jax.random.key(0), run)) for run in range(members)
        ]

    def __call__(self) -> None:
        def single(state):
            alpha = jnp.full(1, ALPHA)
            done = epochs.epoch(
                state, DATA, alpha, self.keys, jnp.int32(3), self.recipe, self.job._graph, STEPS
            )  # fmt: skip
            return jax.block_until_ready(done)[0]

        with ThreadPoolExecutor(len(self.states)) as pool:
            self.states = list(pool.map(single, self.states))


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
    members = cores()
    torch.set_num_threads(members)
    programs = {
        "semres_jax, one run": (Ours(1), 1),
        f"semres_jax, {members} runs at once": (Ours(members), members),
        "PyTorch, channels last": (Peer(torch.channels_last), 1),
        "PyTorch, channels first": (Peer(torch.contiguous_format), 1),
    }
    best, first = best_times({name: program for name, (program, _) in programs.items()}, rounds)
    rates = {name: runs * STEPS * BATCH / best[name] for name, (_, runs) in programs.items()}
    return {"batch": BATCH, "images_per_second": rates, "first_call_extra_s": first}


def scoring(rounds: int) -> dict:
    """All accuracies of 2,000 images at 64 resolutions against sampled trials."""
    firsts = np.flatnonzero(ANIMALS.group == np.arange(len(ANIMALS.group)))
    exemplars = SCORED // CLASSES
    some = np.concatenate([firsts[ANIMALS.labels[firsts] == c][:exemplars] for c in range(CLASSES)])
    labels = ANIMALS.labels[some]
    net = TorchSmall().eval().to(memory_format=torch.channels_last)
    pixels = torch.tensor(ANIMALS.images[some].astype(np.float32) / 255).permute(0, 3, 1, 2)
    with torch.no_grad():
        embedded = net.embed(pixels).numpy()

        def exact() -> measure.Levels:
            return measure.levels(distances(embedded), labels, ANIMALS.distances, SHARES)

        measured = exact()
        best = min(timed(exact) for _ in range(rounds))
        single = [pixels[k : k + 1].contiguous(memory_format=torch.channels_last) for k in range(MEASURED)]
        for x in single[:10]:
            net.embed(x)
        alone = min(timed(lambda: [net.embed(x) for x in single]) for _ in range(rounds)) / MEASURED
    # At every resolution, for both tasks, one trial for each image as the probe: it and two others are embedded.
    sampled = alone * 3 * 2 * SCORED * len(SHARES)
    return {
        "images": SCORED,
        "resolutions": len(SHARES),
        "seconds": best,
        "embedding_one_image_seconds": alone,
        "sampled_seconds": sampled,
        "sampled_standard_error": float(np.sqrt(0.25 / SCORED)),
        "largest_p_s": float(measured.p_s.max()),
    }


def training_rows(measured: dict) -> list[dict]:
    rates = measured["images_per_second"]
    peer = max((name for name in rates if name.startswith("PyTorch")), key=lambda name: rates[name])
    return [
        row(
            f"small residual network, batch {BATCH}, {name.removeprefix('semres_jax, ')}",
            rate,
            "images/s",
            peer=f"eager {peer}",
            peer_value=rates[peer],
            bar=f"ratio >= {LEVEL:g}",
            note="Three quarters of our step are convolutions as XLA's CPU backend has them: forward and to the images "
            "about as fast as its bare matrix product, to the kernels at two thirds of that. Half of the rest is batch "
            "normalisation; written by hand it takes less of a core, and longer where one run has several.",
        )
        for name, rate in rates.items()
        if name.startswith("semres_jax")
    ]


def scoring_row(measured: dict) -> dict:
    return row(
        f"exact scores of {measured['images']:,} embedded images at {measured['resolutions']} resolutions",
        measured["seconds"],
        "s",
        peer=f"sampled image by image (standard error {measured['sampled_standard_error']:.2g})",
        peer_value=measured["sampled_seconds"],
        better="less",
        bar=f"ratio >= {FASTER:g}",
    )


def run(quick: bool) -> dict:
    rounds = 2 if quick else 8
    say("training")
    trained = training(rounds)
    say("scoring")
    scored = scoring(rounds)
    return {"rows": [*training_rows(trained), scoring_row(scored)], "training": trained, "scoring": scored}


if __name__ == "__main__":
    main(run, __doc__)
