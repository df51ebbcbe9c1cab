"""Words are counter-based, uniform and independent as far as the estimator can tell; lattices are lattices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax.montecarlo import uniforms

SIGMAS = 5.0


def _words(trials=2**16, blocks=3, stream=0, seed=0):
    trial = jnp.arange(trials, dtype=jnp.uint32)
    return np.stack(uniforms.prng_words(_seed(seed, stream), trial)(0, blocks))


def _seed(seed, stream, words=2):
    return uniforms.streams(jax.random.key(seed), stream + 1, words)[stream]


def test_pcg4d_follows_its_published_definition():
    """Against a scalar program in Python integers, written from the paper's formulas."""

    def reference(x, y, z, w):
        mask = 2**32 - 1
        v = [(a * 1664525 + 1013904223) & mask for a in (x, y, z, w)]
        for last in (False, True):
            v[0] = (v[0] + v[1] * v[3]) & mask
            v[1] = (v[1] + v[2] * v[0]) & mask
            v[2] = (v[2] + v[0] * v[1]) & mask
            v[3] = (v[3] + v[1] * v[2]) & mask
            if not last:
                v = [a ^ (a >> 16) for a in v]
        return v

    words = [(0, 0, 0, 0), (1, 2, 3, 4), (2**32 - 1, 5, 2**31, 77)]
    for given in words:
        got = [int(v) for v in uniforms.pcg4d(*(jnp.uint32(v) for v in given))]
        assert got == reference(*given)


def test_any_part_of_a_stream_can_be_made_alone():
    whole = _words(trials=64)
    part = uniforms.prng_words(_seed(0, 0), jnp.arange(40, 50, dtype=jnp.uint32))(1, 1)
    np.testing.assert_array_equal(np.stack(part), whole[4:8, 40:50])


def test_words_are_uniform_and_uncorrelated():
    words = _words()
    dimensions, trials = words.shape
    u = words / 2.0**32
    for bits in (4, 8):  # chi-square of the leading and of the trailing bits of every dimension
        for digits in (words >> (32 - bits), words & (2**bits - 1)):
            for row in digits:
                expected = trials / 2**bits
                chi = ((np.bincount(row, minlength=2**bits) - expected) ** 2).sum() / expected
                freedom = 2**bits - 1
                assert abs(chi - freedom) < SIGMAS * np.sqrt(2 * freedom)
    # correlations between dimensions, and between trials up to 16 apart
    c = np.corrcoef(u)[np.triu_indices(dimensions, 1)]
    assert np.abs(c).max() < SIGMAS / np.sqrt(trials)
    for lag in range(1, 17):
        serial = [np.corrcoef(row[:-lag], row[lag:])[0, 1] for row in u]
        assert np.abs(serial).max() < SIGMAS / np.sqrt(trials)


def test_joint_cells_of_pairs_and_triples_are_uniform():
    u = _words(trials=2**18, blocks=1)
    for dimensions in ((0, 1), (0, 2), (1, 3), (0, 1, 2), (1, 2, 3)):
        bits = 12 // len(dimensions)
        cell = np.zeros(u.shape[1], np.int64)
        for d in dimensions:
            cell = (cell << bits) | (u[d] >> (32 - bits))
        expected = u.shape[1] / 2**12
        chi = ((np.bincount(cell, minlength=2**12) - expected) ** 2).sum() / expected
        assert abs(chi - 4095) < SIGMAS * np.sqrt(2 * 4095)


def test_streams_and_seeds_differ():
    a, b, c = _words(trials=2**12), _words(trials=2**12, stream=1), _words(trials=2**12, seed=1)
    for x, y in ((a, b), (a, c)):
        assert np.mean(x == y) < 1e-3
        assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < SIGMAS / np.sqrt(x.size)


@pytest.mark.parametrize("m", [0, 1, 5, 10])
def test_lattice_projections_are_perfectly_stratified(m):
    """Every coordinate of a shifted rank-1 lattice visits each of the 2^m strata once."""
    trial = jnp.arange(2**m, dtype=jnp.uint32)
    words = uniforms.lattice_words(_seed(3, 2, 8), trial, jnp.int32(m))(0, 2)
    for word in np.stack(words):
        strata = np.sort((word - word.min()) >> np.uint32(32 - m)) if m else [0]
        np.testing.assert_array_equal(strata, np.arange(2**m))


def test_differences_to_the_probe_are_perfectly_stratified():
    """What distances depend on; with the probe's component odd they would visit every other stratum, twice."""
    m, trial = 8, jnp.arange(2**8, dtype=jnp.uint32)
    probe, *items = uniforms.lattice_words(_seed(3, 0, 4), trial, jnp.int32(m), even=1)(0, 1)
    for item in items:
        gap = np.asarray(item - probe)
        strata = np.sort((gap - gap.min()) >> np.uint32(32 - m))
        np.testing.assert_array_equal(strata, np.arange(2**m))


def test_doubled_lattice_is_the_lattice_and_the_points_halfway():
    shift = _seed(0, 0, 4)

    def points(trial, m):
        words = uniforms.lattice_words(shift, jnp.asarray(trial, jnp.uint32), jnp.int32(m))(0, 1)
        return {tuple(p) for p in np.stack(words)[:3].T.tolist()}

    index = np.arange(2**6)
    assert points(index, 6) | points(2 * index + 1, 7) == points(np.arange(2**7), 7)


def test_generating_vector_is_odd_and_extends():
    long = uniforms.generating_vector(3000)
    assert (long % 2 == 1).all()
    np.testing.assert_array_equal(uniforms.generating_vector(10), long[:10])


def test_to_unit_stays_inside(x64):
    ends = jnp.array([0, 2**32 - 1], jnp.uint32)
    low, high = np.asarray(uniforms.to_unit(ends))
    assert 0 < low < high < 1
    with jax.enable_x64(False):
        low, high = np.asarray(uniforms.to_unit(ends))
        assert 0 < low < high < 1
        assert low.dtype == np.float32
