"""Small networks, state dicts that fit them, and files of these, for tests of weights."""

import functools
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from safetensors.numpy import save_file

from semres_jax.networks import resnet
from tests.networks import torch_archive, torch_resnets

TINY = {"blocks": (2, 1), "widths": (4, 8)}


@functools.cache
def _parts(name: str, **options):
    if name == "tiny":
        net = nnx.eval_shape(lambda: resnet.ResNet(**TINY, **options, rngs=nnx.Rngs(0)))
    else:
        net = nnx.eval_shape(lambda: resnet.make(name, torch_resnets.CLASSES, **options, rngs=nnx.Rngs(0)))
    return nnx.split(net)


def empty(name: str, **options) -> resnet.ResNet:
    """A network without numbers: drawing them, only to replace them, would take most of the time."""
    return nnx.merge(*_parts(name, **options))


def tiny(bottleneck: bool = False, classes: int = 5) -> resnet.ResNet:
    return empty("tiny", bottleneck=bottleneck, classes=classes)


def entries(bottleneck: bool = False, **changes) -> dict[str, np.ndarray]:
    """A state dict for `_tiny`; a change to None takes an entry out."""
    entries = torch_resnets.random_weights(TINY["blocks"], bottleneck, 1, TINY["widths"], classes=5)
    return {name: value for name, value in (entries | changes).items() if value is not None}


def save(path: Path, entries: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".safetensors":
        save_file(entries, path)
        return path
    return torch_archive.write(path, entries)


def same(net: resnet.ResNet, other: resnet.ResNet) -> bool:
    a, b = (jax.tree.leaves(nnx.state(x)) for x in (net, other))
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
