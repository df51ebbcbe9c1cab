"""Residual networks for images, in Flax: those of the literature and a small one for small pictures."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from semres_jax._checks import require_count
from semres_jax._types import Array, ArrayLike
from semres_jax.networks._convolution import convolve

_EPSILON, _MOMENTUM = 1e-5, 0.9  # of batch normalisation, as in the literature


class Convolution(nnx.Module):
    """A convolution without bias: (B, H, W, C) to (B, ceil(H / stride), ceil(W / stride), O).

    Attributes:
        kernel: (k, k, C, O), float32; normal with variance 2 / (k² O) at first (He et al. 2015).
    """

    def __init__(self, channels: int, out: int, size: int, stride: int = 1, *, dtype: Any, rngs: nnx.Rngs):
        spread = (2.0 / (size * size * out)) ** 0.5
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), (size, size, channels, out), jnp.float32) * spread)
        self.stride, self.dtype = stride, dtype

    def __call__(self, x: Array) -> Array:
        return convolve(x.astype(self.dtype), self.kernel[...].astype(self.dtype), self.stride)


def _norm(channels: int, dtype: Any, rngs: nnx.Rngs) -> nnx.BatchNorm:
    return nnx.BatchNorm(channels, momentum=_MOMENTUM, epsilon=_EPSILON, dtype=dtype, rngs=rngs)


class Block(nnx.Module):
    """A residual block: two 3 x 3 convolutions, or 1 x 1, 3 x 3, 1 x 1 where it is a bottleneck, and a shortcut.

    The stride is that of the (first) 3 x 3 convolution. The shortcut is the identity, or a strided 1 x 1 convolution
    where the shape changes. Every convolution is followed by batch normalisation.
    """

    def __init__(self, channels: int, width: int, stride: int = 1, *, bottleneck: bool, dtype: Any, rngs: nnx.Rngs):
        out = 4 * width if bottleneck else width
        sizes = [(channels, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        sizes = sizes if bottleneck else [(channels, width, 3, stride), (width, width, 3, 1)]
        self.convolutions = nnx.List([Convolution(*size, dtype=dtype, rngs=rngs) for size in sizes])
        self.norms = nnx.List([_norm(size[1], dtype, rngs) for size in sizes])
        changes = stride != 1 or channels != out
        self.shortcut = nnx.data(Convolution(channels, out, 1, stride, dtype=dtype, rngs=rngs) if changes else None)
        self.shortcut_norm = nnx.data(_norm(out, dtype, rngs) if changes else None)

    def __call__(self, x: Array, *, train: bool) -> Array:
        y = x
        for k, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            y = norm(convolution(y), use_running_average=not train)
            if k < len(self.convolutions) - 1:
                y = jax.nn.relu(y)
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut_norm(self.shortcut(x), use_running_average=not train)
        return jax.nn.relu(x + y)


class ResNet(nnx.Module):
    """A residual network with a linear classifier on averages over pixels (He et al. 2016, arXiv 1512.03385).

    Stages of blocks; from the second on each halves the pixels. Parameters are `nnx.Param`, averages of batch
    normalisation `nnx.BatchStat`, both float32: `nnx.split(net, nnx.Param, nnx.BatchStat)` gives the pure states.

    Args:
        classes: of the classifier.
        blocks: how many in each stage.
        widths: channels of each stage's 3 x 3 convolutions.
        bottleneck: three convolutions to a block, with 4 times as many channels out of it.
        channels: of the images.
        stem: "large": 7 x 7 convolution of stride 2 and maxima of 3 x 3 of stride 2, as in the literature; "small": a
            3 x 3 convolution of stride 2.
        dtype: of what is computed: float32, or bfloat16 on hardware that likes it (averages of batch normalisation,
            embeddings and scores of classes stay float32).
        rngs: the stream `params` makes the weights.

    Raises:
        ValueError: unknown stem; stages and widths of different number; counts below 1.

    Example:
        >>> from flax import nnx
        >>> from semres_jax.networks import resnet
        >>> make = lambda: resnet.ResNet(10, (1, 1), (8, 16), channels=1, stem="small", rngs=nnx.Rngs(0))
        >>> net = nnx.eval_shape(make)  # shapes only; make() has the numbers
        >>> net.features, net.stem.kernel.shape
        (16, (3, 3, 1, 8))
    """

    def __init__(
        self,
        classes: int,
        blocks: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
        *,
        bottleneck: bool = False,
        channels: int = 3,
        stem: str = "large",
        dtype: Any = jnp.float32,
        rngs: nnx.Rngs,
    ):
        require_count("classes", classes, 1)
        require_count("channels", channels, 1)
        if stem not in ("large", "small"):
            raise ValueError(f"stem must be 'large' or 'small'; got {stem!r}")
        if len(blocks) != len(widths) or not blocks:
            raise ValueError(f"every stage needs a number of blocks and a width; got {blocks} and {widths}")
        self.large, self.dtype = stem == "large", dtype
        here = int(widths[0])
        self.stem = Convolution(channels, here, 7 if self.large else 3, 2, dtype=dtype, rngs=rngs)
        self.stem_norm = _norm(here, dtype, rngs)
        stages = []
        for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            stages.append([])
            for k in range(require_count("blocks", count, 1)):
                stride = 2 if stage > 0 and k == 0 else 1
                width = require_count("widths", width, 1)
                stages[-1].append(Block(here, width, stride, bottleneck=bottleneck, dtype=dtype, rngs=rngs))
                here = 4 * width if bottleneck else width
        self.stages = nnx.List([nnx.List(stage) for stage in stages])
        self.classifier = nnx.Linear(here, classes, kernel_init=nnx.initializers.normal(0.01), rngs=rngs)
        self.features = here

    def embed(self, images: ArrayLike, *, train: bool = False) -> Array:
        """(B, F) float32 embeddings of (B, H, W, C) images, averages over pixels of the last block.

        Args:
            images: as the network was trained on, in float.
            train: normalise by the batch, and move the averages of batch normalisation towards it.
        """
        return jnp.mean(self.pixels(images, train=train), axis=(1, 2))

    def pixels(self, images: ArrayLike, *, train: bool = False) -> Array:
        """(B, h, w, channels) float32, what the last block gives. Arguments as `embed`."""
        x = self.stem_norm(self.stem(jnp.asarray(images)), use_running_average=not train)
        x = jax.nn.relu(x)
        if self.large:
            x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # as after the ReLU: 0 is never above a pixel
            x = nnx.max_pool(x, (3, 3), (2, 2))
        for stage in self.stages:
            for block in stage:
                x = block(x, train=train)
        return x.astype(jnp.float32)

    def __call__(self, images: ArrayLike, *, train: bool = False) -> Array:
        """(B, classes) scores of classes, before the softmax. Arguments as `embed`."""
        return self.classifier(self.embed(images, train=train))


class Placed(ResNet):
    """A small residual network whose embedding knows where things are: linear in all pixels of its last block.

    Averages over pixels, as `ResNet` takes them, hardly tell places. The classifier is on the embedding.

    Args:
        classes: of the classifier.
        size: height and width of the images.
        features: dimensions of the embedding.
        blocks, widths, channels, rngs: as in `ResNet`, with the small stem.

    Raises:
        ValueError: counts below 1; stages and widths of different number.

    Example:
        >>> from flax import nnx
        >>> from semres_jax.networks import resnet
        >>> net = nnx.eval_shape(lambda: resnet.Placed(18, (16, 32), 8, rngs=nnx.Rngs(0)))
        >>> net.projection.kernel.shape, net.classifier.kernel.shape
        ((1024, 8), (8, 18))
    """

    def __init__(
        self,
        classes: int,
        size: tuple[int, int],
        features: int,
        blocks: Sequence[int] = (1, 1),
        widths: Sequence[int] = (16, 32),
        *,
        channels: int = 1,
        rngs: nnx.Rngs,
    ):
        require_count("features", features, 1)
        super().__init__(classes, blocks, widths, channels=channels, stem="small", rngs=rngs)
        halved = 2 ** len(blocks)  # the stem halves, and every stage but the first
        pixels = -(-size[0] // halved) * -(-size[1] // halved)
        self.projection = nnx.Linear(pixels * self.features, features, rngs=rngs)
        self.classifier = nnx.Linear(features, classes, kernel_init=nnx.initializers.normal(0.01), rngs=rngs)
        self.features = features

    def embed(self, images: ArrayLike, *, train: bool = False) -> Array:
        x = self.pixels(images, train=train)
        return self.projection(x.reshape(x.shape[0], -1))


# Blocks and widths of each network by name, whether its blocks are bottlenecks, and its stem.
ARCHITECTURES: dict[str, tuple[tuple[int, ...], tuple[int, ...], bool, str]] = {
    "small": ((1, 1), (32, 64), False, "small"),
    "resnet18": ((2, 2, 2, 2), (64, 128, 256, 512), False, "large"),
    "resnet34": ((3, 4, 6, 3), (64, 128, 256, 512), False, "large"),
    "resnet50": ((3, 4, 6, 3), (64, 128, 256, 512), True, "large"),
}


def make(name: str, classes: int, *, channels: int = 3, dtype: Any = jnp.float32, rngs: nnx.Rngs) -> ResNet:
    """A network by name: ResNet-18, 34 and 50 as in the literature, and a small one for pictures of 28 x 28.

    Args:
        name: resnet18, resnet34, resnet50, small.
        classes, channels, dtype, rngs: as in `ResNet`.

    Raises:
        ValueError: unknown name.

    Example:
        >>> from flax import nnx
        >>> from semres_jax.networks import resnet
        >>> nnx.eval_shape(lambda: resnet.make("small", 10, channels=1, rngs=nnx.Rngs(0))).features
        64
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"network must be one of {', '.join(ARCHITECTURES)}; got {name!r}")
    blocks, widths, bottleneck, stem = ARCHITECTURES[name]
    return ResNet(classes, blocks, widths, bottleneck=bottleneck, channels=channels, stem=stem, dtype=dtype, rngs=rngs)
