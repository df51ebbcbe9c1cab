"""The toy network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from semres_jax.networks import ToyAutoencoder


def test_reconstruction_of_one_hot_stimuli_is_a_column_of_the_similarity():
    net = ToyAutoencoder(6, 3, slots=2, rngs=nnx.Rngs(1))
    everyone = jnp.broadcast_to(jnp.eye(6)[:, None], (6, 2, 6))
    maps = np.asarray(net.maps[...])
    expected = np.maximum(np.einsum("sxm,sym->sxy", maps, maps), 0.0)
    np.testing.assert_allclose(net(everyone), np.moveaxis(expected, 0, 1), rtol=1e-6)
    np.testing.assert_allclose(net.similarity(), expected, rtol=1e-6)
    np.testing.assert_allclose(net.encode(everyone), np.moveaxis(maps, 0, 1), rtol=1e-6)


def test_weights_start_uniform_up_to_the_scale():
    maps = np.asarray(ToyAutoencoder(200, 50, scale=3.0, rngs=nnx.Rngs(0)).maps[...])
    assert maps.min() >= 0
    assert maps.max() < 3
    # The mean of 10,000 uniform numbers has a standard error of 3 / sqrt(12 * 10,000).
    assert abs(maps.mean() - 1.5) < 5 * 3 / np.sqrt(12 * maps.size)


def test_negative_products_are_cut():
    net = ToyAutoencoder(2, 1, rngs=nnx.Rngs(0))
    net.maps[...] = jnp.array([[[1.0], [-2.0]]])
    assert net.similarity().tolist() == [[[1.0, 0.0], [0.0, 4.0]]]
    assert jax.tree.leaves(nnx.state(net))[0].shape == (1, 2, 1)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"hidden": 0}, "hidden must be at least 1; got 0"),
        ({"stimuli": 1}, "stimuli must be at least 2; got 1"),
        ({"slots": 0}, "slots must be at least 1; got 0"),
        ({"scale": 0.0}, "scale must be a positive number; got 0"),
    ],
)
def test_bad_input(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ToyAutoencoder(**({"stimuli": 3, "hidden": 2} | kwargs), rngs=nnx.Rngs(0))
