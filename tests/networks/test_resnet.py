"""Residual networks: convolutions and their gradients, sizes, states."""

import chex
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import lax

from semres_jax.networks import _convolution, resnet

# Parameters of the networks of the literature with 1,000 classes (He et al. 2016; as torchvision counts them).
PARAMETERS = {"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "small": 77_290}


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize(("size", "stride", "side"), [(3, 1, 6), (1, 2, 6), (7, 2, 9)])
def test_gradients_of_convolutions(size, stride, side, x64):
    keys = jax.random.split(jax.random.key(0), 3)
    images = jax.random.normal(keys[0], (4, side, side + 1, 3), jnp.float64)
    kernel = jax.random.normal(keys[1], (size, size, 3, 5), jnp.float64)

    def plain(images, kernel):
        border = [(size // 2, size // 2)] * 2
        return lax.conv_general_dilated(
            images, kernel, (stride, stride), border, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    slope = jax.random.normal(keys[2], jax.eval_shape(plain, images, kernel).shape, jnp.float64)

    def values_and_slopes(f):
        value, back = jax.vjp(f, images, kernel)
        return value, back(slope)

    want = jax.jit(lambda: values_and_slopes(plain))()
    got = jax.jit(lambda: values_and_slopes(lambda x, k: _convolution._convolve(x, k, stride)))()
    chex.assert_trees_all_close(got, want, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", resnet.ARCHITECTURES)
def test_numbers_of_parameters(name):
    channels, classes = (1, 10) if name == "small" else (3, 1000)
    net = nnx.eval_shape(lambda: resnet.make(name, classes, channels=channels, rngs=nnx.Rngs(0)))
    _, params, stats = nnx.split(net, nnx.Param, nnx.BatchStat)
    assert sum(x.size for x in jax.tree.leaves(params)) == PARAMETERS[name]
    assert {x.dtype.name for x in jax.tree.leaves((params, stats))} == {"float32"}


def test_bfloat16_and_the_state_of_normalisation():
    images = jax.random.normal(jax.random.key(1), (8, 16, 16, 3))

    @jax.jit
    def both(images):
        """Scores in float32 and bfloat16, and states of normalisation before and after."""
        nets = [
            resnet.ResNet(3, (1,), (4,), bottleneck=True, dtype=dtype, rngs=nnx.Rngs(0))
            for dtype in (jnp.float32, jnp.bfloat16)
        ]
        scores = [net(images) for net in nets]
        net = nets[0]
        states = [nnx.to_pure_dict(nnx.state(net, nnx.BatchStat))]
        net(images, train=True)
        states.append(nnx.to_pure_dict(nnx.state(net, nnx.BatchStat)))
        return scores, states, jnp.mean(net.stem(images), axis=(0, 1, 2))

    (exact, coarse), (before, after), mean = both(images)
    assert coarse.dtype == jnp.float32
    # bfloat16 has 8 bits; errors of layers add up.
    chex.assert_trees_all_close(coarse, exact, rtol=0, atol=0.05 * float(jnp.abs(exact).max()))
    # Without train=True nothing moves; with it, a tenth of the way to the batch.
    chex.assert_trees_all_equal(before["stem_norm"], {"mean": jnp.zeros(4), "var": jnp.ones(4)})
    chex.assert_trees_all_close(after["stem_norm"]["mean"], 0.1 * mean, atol=1e-6)


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
