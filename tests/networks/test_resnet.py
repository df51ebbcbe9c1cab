"""Residual networks: convolutions and their gradients, sizes, states."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from semres_jax.networks import _convolution, resnet

# Parameters of the networks of the literature with 1,000 classes (He et al. 2016; as torchvision counts them).
PARAMETERS = {"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "small": 77_290}


@pytest.mark.parametrize(("size", "stride", "side"), [(3, 1, 6), (3, 2, 7), (1, 1, 5), (1, 2, 6), (7, 2, 9)])
def test_gradients_of_convolutions(size, stride, side, x64):
    keys = jax.random.split(jax.random.key(0), 3)
    images = jax.random.normal(keys[0], (4, side, side + 1, 3), jnp.float64)
    kernel = jax.random.normal(keys[1], (size, size, 3, 5), jnp.float64)

    def plain(images, kernel):
        border = [(size // 2, size // 2)] * 2
        return lax.conv_general_dilated(
            images, kernel, (stride, stride), border, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    want, back = jax.vjp(plain, images, kernel)
    got, ours = jax.vjp(lambda x, k: _convolution._convolve(x, k, stride), images, kernel)
    slope = jax.random.normal(keys[2], want.shape, jnp.float64)
    chex.assert_trees_all_close(got, want, rtol=0, atol=1e-12)
    chex.assert_trees_all_close(ours(slope), back(slope), rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", resnet.ARCHITECTURES)
def test_numbers_of_parameters(name):
    channels, classes = (1, 10) if name == "small" else (3, 1000)
    net = nnx.eval_shape(lambda: resnet.make(name, classes, channels=channels, rngs=nnx.Rngs(0)))
    _, params, stats = nnx.split(net, nnx.Param, nnx.BatchStat)
    assert sum(x.size for x in jax.tree.leaves(params)) == PARAMETERS[name]
    assert {x.dtype.name for x in jax.tree.leaves((params, stats))} == {"float32"}


@pytest.mark.parametrize("bottleneck", [False, True])
def test_bfloat16_and_the_state_of_normalisation(bottleneck):
    images = jax.random.normal(jax.random.key(1), (8, 16, 16, 3))
    nets = {
        dtype: resnet.ResNet(3, (1, 1), (4, 8), bottleneck=bottleneck, dtype=dtype, rngs=nnx.Rngs(0))
        for dtype in (jnp.float32, jnp.bfloat16)
    }
    exact, coarse = (net(images) for net in nets.values())
    assert coarse.dtype == jnp.float32
    # bfloat16 has 8 bits; errors of layers add up.
    chex.assert_trees_all_close(coarse, exact, rtol=0, atol=0.05 * float(jnp.abs(exact).max()))
    net = nets[jnp.float32]
    before = jax.tree.map(np.asarray, nnx.state(net, nnx.BatchStat))
    net(images)
    chex.assert_trees_all_equal(nnx.state(net, nnx.BatchStat), before)
    net(images, train=True)
    first = net.stem(images)
    wanted = 0.9 * 0.0 + 0.1 * jnp.mean(first, axis=(0, 1, 2))
    chex.assert_trees_all_close(net.stem_norm.mean[...], wanted, atol=1e-6)


def test_bad_input():
    rngs = nnx.Rngs(0)
    with pytest.raises(ValueError, match=r"network must be one of small, .*'resnet19'"):
        resnet.make("resnet19", 10, rngs=rngs)
    with pytest.raises(ValueError, match="stem must be 'large' or 'small'; got 'tiny'"):
        resnet.ResNet(10, stem="tiny", rngs=rngs)
    with pytest.raises(ValueError, match="every stage needs a number of blocks and a width"):
        resnet.ResNet(10, (1, 1), (4,), rngs=rngs)
    with pytest.raises(ValueError, match="classes must be"):
        resnet.ResNet(0, rngs=rngs)
