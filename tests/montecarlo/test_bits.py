"""The same bits on any number of devices, in chunks of any size, alone and in a grid; no number is drawn twice."""

import jax
import numpy as np
import pytest

import semres_jax
from semres_jax import Constant, Exponential, Gaussian, Linear, PowerLaw, Tabulated, estimate, spaces
from semres_jax.montecarlo import sharding

KEY = jax.random.key(2506)
SIGMAS = 5.0
EPSILON = np.linspace(0.05, 0.5, 10)
DISTANCES = np.array([0.0, 0.2, 0.6])
KINDS = {
    "constant": Constant(EPSILON, 0.02),
    "linear": Linear(EPSILON, 0.02),
    "exponential": Exponential(EPSILON),
    "gaussian": Gaussian(EPSILON, 0.1),
    "powerlaw": PowerLaw(EPSILON, 2.0),
    "tabulated": Tabulated(DISTANCES, np.stack([np.ones(10), np.linspace(0.3, 0.8, 10), np.full(10, 0.1)], axis=-1)),
}
NAMES = ("interval", "circle", "sphere", "hamming", "finite")


def _bits(e):
    return np.stack([*e[:6]])


@pytest.mark.thorough(keep=4)
@pytest.mark.parametrize("method", ["lattice", "prng"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_same_bits_on_any_number_of_devices_and_in_any_chunks(kind, name, method):
    how = {"key": KEY, "trials": 2**14 + 1234, "method": method}
    reference = _bits(estimate(spaces.get(name), KINDS[kind], devices=1, **how))
    for other in ({"devices": 2}, {"devices": 3, "chunk": 2**11}, {"devices": 4}, {"chunk": 2**13}):
        np.testing.assert_array_equal(_bits(estimate(spaces.get(name), KINDS[kind], **how, **other)), reference)


@pytest.mark.parametrize(("kind", "method"), [("exponential", "lattice"), ("powerlaw", "prng")])
def test_same_bits_where_every_device_has_its_share(kind, method, monkeypatch):
    """As on accelerators: on a CPU one device does for all, which share its cores."""
    how = {"key": KEY, "trials": 2**14 + 1234, "method": method}
    reference = _bits(estimate(spaces.get("interval"), KINDS[kind], **how))
    used = set()
    monkeypatch.setattr(sharding, "separate", lambda devices: devices)
    put = jax.device_put
    monkeypatch.setattr(jax, "device_put", lambda x, device=None, **more: used.add(device) or put(x, device, **more))
    np.testing.assert_array_equal(_bits(estimate(spaces.get("interval"), KINDS[kind], **how)), reference)
    assert used >= set(jax.local_devices())


def test_every_number_of_devices_and_every_chunk_runs_the_same_program():
    sharding.over_tiles.cache_clear()
    for how in ({"devices": 1}, {"devices": 3}, {"chunk": 2**11}, {"devices": 4, "chunk": 2**13}):
        estimate(spaces.get("circle"), KINDS["gaussian"], key=KEY, trials=2**14, n=3, **how)
    assert sharding.over_tiles.cache_info().misses == 1


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize("method", ["lattice", "prng"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "tabulated"])
def test_a_member_of_a_grid_has_the_bits_that_it_has_alone(kind, method):
    how = {"key": KEY, "trials": 2**14 + 77, "method": method, "n": 5}
    together = _bits(estimate(spaces.get("interval"), KINDS[kind], **how))
    for i in (3, 7):
        single = jax.tree.map(lambda leaf, i=i: leaf[i] if np.ndim(leaf) else leaf, KINDS[kind])
        np.testing.assert_array_equal(_bits(estimate(spaces.get("interval"), single, **how)), together[:, i])


@pytest.mark.parametrize("n", [33, 40])
def test_many_items_of_several_uniforms_each_are_different_on_a_lattice(n):
    """The last of them, where they do not fill a block of words, were those before it once more."""
    e = estimate(spaces.get("ball"), Constant(0.15), key=jax.random.key(0), trials=2**14, n=n)
    exact = semres_jax.accuracy(spaces.get("ball"), Constant(0.15), n=n)
    assert abs(e.p_s - exact.p_s) < SIGMAS * e.p_s_stderr
    assert abs(e.p_i - exact.p_i) < SIGMAS * e.p_i_stderr


def test_a_lattice_draws_binary_strings_no_worse_than_chance_by_far():
    """The 4 bits beyond the first 16 read, and those of a word beyond the log2 of the points, vary with the points."""
    space, similarity = spaces.Hamming(20), Exponential(0.3)
    exact = semres_jax.accuracy(space, similarity)
    errors = {}
    for method in ("lattice", "prng"):
        runs = [estimate(space, similarity, key=jax.random.key(k), trials=2**12, method=method) for k in range(16)]
        errors[method] = [np.sqrt(np.mean([(run[i] - exact[i]) ** 2 for run in runs])) for i in (0, 1)]
    assert errors["lattice"][0] < 4 * errors["prng"][0]
    assert errors["lattice"][1] < errors["prng"][1]
