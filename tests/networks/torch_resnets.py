"""Residual networks in torchvision's layout, written apart from ours: random weights, and the networks in torch.

Nothing here is imported from the package. torch is imported by the functions that need it.
"""

import numpy as np

# Blocks of each stage, and whether they are bottlenecks.
NETWORKS = {"resnet18": ((2, 2, 2, 2), False), "resnet34": ((3, 4, 6, 3), False), "resnet50": ((3, 4, 6, 3), True)}
SEEDS = {"resnet18": 18, "resnet34": 34, "resnet50": 50}
WIDTHS = (64, 128, 256, 512)
CLASSES = 100
SAMPLES = 50  # numbers of each layer that are compared with the stored reference


def images(batch: int, size: int, seed: int = 7) -> np.ndarray:
    """(B, H, W, 3) float32, uniform with mean 0 and variance 1."""
    return _uniform(np.random.PCG64(seed), (batch, size, size, 3), 3.0**0.5)


def random_weights(
    blocks: tuple[int, ...],
    bottleneck: bool,
    seed: int,
    widths: tuple[int, ...] = WIDTHS,
    classes: int = CLASSES,
    channels: int = 3,
) -> dict[str, np.ndarray]:
    """A state dict with torchvision's names, order and shapes, such that activations stay near 1.

    Kernels have variance 2 / fan-in, moments of batch normalisation are near those of images of variance 1, and the
    last scale of a block is small, so that sums of many blocks do not grow.
    """
    bits = np.random.PCG64(seed)
    entries: dict[str, np.ndarray] = {}

    def kernel(name: str, *shape: int) -> None:
        entries[f"{name}.weight"] = _uniform(bits, shape, (6.0 / np.prod(shape[1:])) ** 0.5)

    def norm(name: str, size: int, scale: float = 1.0) -> None:
        entries[f"{name}.weight"] = scale * (1.0 + _uniform(bits, (size,), 0.2))
        entries[f"{name}.bias"] = _uniform(bits, (size,), 0.2)
        entries[f"{name}.running_mean"] = _uniform(bits, (size,), 0.2)
        entries[f"{name}.running_var"] = 1.5 + _uniform(bits, (size,), 0.5)
        entries[f"{name}.num_batches_tracked"] = np.array(1234, np.int64)

    kernel("conv1", widths[0], channels, 7, 7)
    norm("bn1", widths[0])
    here = widths[0]
    for i, (count, width) in enumerate(zip(blocks, widths, strict=True), 1):
        out = 4 * width if bottleneck else width
        for j in range(count):
            at = f"layer{i}.{j}"
            kernel(f"{at}.conv1", width, here, *((1, 1) if bottleneck else (3, 3)))
            norm(f"{at}.bn1", width)
            kernel(f"{at}.conv2", width, width, 3, 3)
            norm(f"{at}.bn2", width, 1.0 if bottleneck else 0.4)
            if bottleneck:
                kernel(f"{at}.conv3", out, width, 1, 1)
                norm(f"{at}.bn3", out, 0.4)
            if j == 0 and (i > 1 or here != out):
                kernel(f"{at}.downsample.0", out, here, 1, 1)
                norm(f"{at}.downsample.1", out, 0.7)
            here = out
    entries["fc.weight"] = _uniform(bits, (classes, here), here**-0.5)
    entries["fc.bias"] = _uniform(bits, (classes,), 0.1)
    return entries


def weights_of(name: str) -> dict[str, np.ndarray]:
    """The random weights of a network of `NETWORKS`, always the same."""
    return random_weights(*NETWORKS[name], seed=SEEDS[name])


def sample(layer: np.ndarray) -> np.ndarray:
    """SAMPLES numbers spread over a (B, H, W, C) layer, by a stride prime to its sizes."""
    flat = np.asarray(layer).reshape(-1)
    return flat[np.arange(SAMPLES) * 7919 % flat.size]


def torch_network(blocks: tuple[int, ...], bottleneck: bool, widths: tuple[int, ...] = WIDTHS, classes: int = CLASSES):
    """A `torch.nn.Module` with torchvision's names; its `layers(x)` are named activations, NCHW, the scores last."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, here: int, width: int, stride: int):
            super().__init__()
            out = 4 * width if bottleneck else width
            if bottleneck:
                self.conv1 = nn.Conv2d(here, width, 1, bias=False)
                self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
                self.conv3 = nn.Conv2d(width, out, 1, bias=False)
                self.bn3 = nn.BatchNorm2d(out)
            else:
                self.conv1 = nn.Conv2d(here, width, 3, stride, 1, bias=False)
                self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
            self.downsample = None
            if stride != 1 or here != out:
                self.downsample = nn.Sequential(nn.Conv2d(here, out, 1, stride, bias=False), nn.BatchNorm2d(out))

        def forward(self, x):
            y = torch.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y))
            if bottleneck:
                y = self.bn3(self.conv3(torch.relu(y)))
            return torch.relu(y + (x if self.downsample is None else self.downsample(x)))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(widths[0])
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            here = widths[0]
            for i, (count, width) in enumerate(zip(blocks, widths, strict=True), 1):
                stage = []
                for j in range(count):
                    stage.append(Block(here, width, 2 if i > 1 and j == 0 else 1))
                    here = 4 * width if bottleneck else width
                setattr(self, f"layer{i}", nn.Sequential(*stage))
            self.fc = nn.Linear(here, classes)

        def layers(self, x):
            outputs = {"conv1": self.conv1(x)}
            outputs["stem"] = x = self.maxpool(torch.relu(self.bn1(outputs["conv1"])))
            for i in range(1, len(blocks) + 1):
                for j, block in enumerate(getattr(self, f"layer{i}")):
                    outputs[f"layer{i}.{j}"] = x = block(x)
            outputs["embedding"] = x.mean((2, 3))
            outputs["scores"] = self.fc(outputs["embedding"])
            return outputs

    return Network()


def torch_layers(net, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """`net.layers` as arrays, NHWC, of (B, H, W, C) pictures."""
    import torch

    with torch.no_grad():
        layers = net.layers(torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))))
    return {name: x.numpy().transpose(0, 2, 3, 1) if x.ndim == 4 else x.numpy() for name, x in layers.items()}


def _uniform(bits: np.random.PCG64, shape: tuple[int, ...], bound: float) -> np.ndarray:
    """Float32 in [-bound, bound), from the bits themselves: their stream is what NumPy promises to keep."""
    count = int(np.prod(shape, dtype=int))
    raw = bits.random_raw((count + 1) // 2).astype("<u8").view("<u4")[:count]
    return (raw.reshape(shape) * (2.0 * bound / 2**32) - bound).astype(np.float32)
