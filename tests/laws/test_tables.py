"""Accuracies of tables of strengths, against sums over all trials."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import Exponential, Linear, spaces
from semres_jax.laws import enumeration, tables

EXACT = 1e-12  # sums of at most a million positive terms, and a quadrature of 1e-14


def brute_force(distances: np.ndarray, strengths: np.ndarray, n: int) -> tuple[float, float]:
    """All probes, all sets of items, one by one."""
    size, p_s, p_i = len(distances), [], []

    def share(h: np.ndarray) -> np.ndarray:
        return h / h.sum() if h.sum() > 0 else np.full(len(h), 1 / len(h))

    for p in range(size):
        others = [x for x in range(size) if x != p]
        for items in itertools.combinations(others, n):
            near = distances[p, list(items)]
            p_s.append(share(strengths[p, list(items)])[near == near.min()].mean())
        for items in itertools.combinations(others, n - 1):
            p_i.append(share(strengths[p, [p, *items]])[0])
    return float(np.mean(p_s)), float(np.mean(p_i))


def ring(size: int) -> spaces.Finite:
    i = np.arange(size)
    gap = np.abs(i[:, None] - i)
    return spaces.Finite(np.minimum(gap, size - gap).astype(float))


SPACES = {
    "ring": ring(8),
    "large groups": spaces.Tree.from_newick("(((a:1,b:1,c:1,d:1):1,(e:1,f:1):1):1,(g:2,h:2):1);"),
}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kind", ["wide", "zeros", "all zero"])
def test_any_table_against_all_trials(x64, name, kind):
    space = SPACES[name]
    rng = np.random.default_rng(1)
    size = space.size
    strengths = np.exp(rng.uniform(-25, 3, (size, size)))
    if kind != "wide":
        strengths = np.where(rng.uniform(size=(size, size)) < 0.6, 0.0, strengths)
    if kind == "all zero":
        strengths = np.zeros((size, size))
    for n in (2, 4):
        exact = tables.accuracy(space, strengths, n=n)
        np.testing.assert_allclose(exact, brute_force(np.asarray(space.distances), strengths, n), rtol=EXACT)


def test_a_similarity_as_a_table(x64):
    space = ring(8)
    for similarity in (Exponential(2.0), Linear(5.0)):
        for n in (2, 4):
            exact = tables.accuracy(space, similarity(space.distances), n=n)
            np.testing.assert_allclose(exact, enumeration.accuracy(space, similarity, n=n), rtol=EXACT)


def test_many_tables_and_many_n_at_once(x64):
    space, rng = ring(8), np.random.default_rng(2)
    strengths = rng.uniform(size=(2, 3, 8, 8))
    exact = tables.accuracy(space, strengths, n=4)
    assert exact.p_s.shape == (2, 3)
    ranks = tables.ranking(space)
    several = tables.by_probe(jnp.asarray(strengths[1, 2]), ranks, (2, 4, 7))
    assert several.p_i.shape == (3, 8)
    np.testing.assert_allclose(jnp.mean(several.p_s[1]), exact.p_s[1, 2], rtol=EXACT)
    np.testing.assert_allclose(jnp.mean(several.p_i[1]), exact.p_i[1, 2], rtol=EXACT)


def test_rows_may_be_scaled_and_gradients_are_those_of_differences(x64):
    space, rng = ring(8), np.random.default_rng(3)
    strengths = jnp.asarray(rng.uniform(size=(8, 8)))
    scaled = strengths * np.logspace(-30, 30, 8)[:, None]
    np.testing.assert_allclose(tables.accuracy(space, scaled, n=4), tables.accuracy(space, strengths, n=4), rtol=EXACT)
    slope = jax.grad(lambda h: tables.accuracy(space, h, n=4).p_s)(strengths)
    step = 1e-5 * rng.normal(size=(8, 8))
    rise = tables.accuracy(space, strengths + step, n=4).p_s - tables.accuracy(space, strengths - step, n=4).p_s
    np.testing.assert_allclose(2 * np.sum(slope * step), rise, rtol=1e-6)


@pytest.mark.parametrize(
    ("strengths", "n", "message"),
    [
        (np.ones((3, 4)), 2, r"4 by 4, as the distances; got \(3, 4\)"),
        (-np.ones((4, 4)), 2, "at least 0; got -1"),
        (np.full((4, 4), np.nan), 2, "got nan"),
        (np.ones((4, 4)), 4, "need 5 stimuli"),
        (np.ones((4, 4)), 1, "n must be at least 2"),
    ],
)
def test_bad_input(strengths, n, message):
    with pytest.raises(ValueError, match=message):
        tables.accuracy(ring(4), strengths, n=n)


def test_a_space_without_a_table_or_with_weights_is_refused():
    with pytest.raises(ValueError, match="no known table"):
        tables.ranking(spaces.get("circle"))
    with pytest.raises(ValueError, match="unequal weights"):
        tables.ranking(spaces.Finite(1.0 - np.eye(3), [0.5, 0.25, 0.25]))
