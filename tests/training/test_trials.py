"""Trials of the toy network: drawn fairly, labelled fairly, and their expectations."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.laws import tables
from semres_jax.training.toy import drawing, expected

SIGMAS = 5
SEED = jnp.array([12, 34], jnp.uint32)
# Trapezoid rule of the logarithm, as `_expected` says.
LOGARITHM = 1e-8


def drawn(**kwargs):
    return jax.jit(lambda: drawing.draw(SEED, jnp.uint32(3), **kwargs))()


def test_every_tuple_of_distinct_stimuli_is_equally_likely():
    batch, size, items = 2**17, 6, 3
    trials = drawn(stimuli=size, slots=1, batch=batch, items=items)
    chosen = np.column_stack([trials.probe[0], trials.items[0]])
    assert all(len(set(row)) == items + 1 for row in chosen[:1000])
    tuples = 6 * 5 * 4 * 3
    counts = np.unique(chosen @ size ** np.arange(items + 1), return_counts=True)[1]
    assert counts.size == tuples
    chi = ((counts - batch / tuples) ** 2 / (batch / tuples)).sum()
    assert abs(chi - (tuples - 1)) < SIGMAS * np.sqrt(2 * (tuples - 1))


def test_slots_and_batches_are_independent():
    batch = 2**16
    trials = drawn(stimuli=8, slots=2, batch=batch, items=2)
    table = np.zeros((8, 8))
    np.add.at(table, (np.asarray(trials.probe[0]), np.asarray(trials.probe[1])), 1)
    chi = ((table - batch / 64) ** 2 / (batch / 64)).sum()
    assert abs(chi - 63) < SIGMAS * np.sqrt(2 * 63)
    other = drawing.draw(SEED, jnp.uint32(4), stimuli=8, slots=2, batch=batch, items=2)
    same = float(jnp.mean(other.probe[0] == trials.probe[0]))
    assert abs(same - 1 / 8) < SIGMAS * np.sqrt(7 / 64 / batch)


@pytest.mark.parametrize(
    ("label", "right"),
    [("min", [0.5, 0.5, 0]), ("max", [0.5, 0, 0.5]), ("l1", [1, 0, 0]), ("l2", [1, 0, 0])],
)
def test_labels_of_slots(label, right):
    d = np.array([[[1.0, 1.0, 2.0]], [[2.0, 3.0, 2.0]]])  # two slots, one trial, three items
    table = d**2 if label == "l2" else d
    np.testing.assert_array_equal(drawing.right_items(jnp.asarray(table), label)[0], right)


def test_sums_of_distances_that_tie_but_for_rounding_share():
    d = np.array([[[0.1, 0.2]], [[0.3, 0.2]]], np.float32)
    np.testing.assert_array_equal(drawing.right_items(jnp.asarray(d), "l1")[0], [0.5, 0.5])


def test_label_tables_keep_near_ties_apart():
    d = np.array([[0, 1, 1 + 1e-12], [1, 0, 1], [1 + 1e-12, 1, 0]])
    assert drawing.label_table(d, 1, "min").tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]


@pytest.mark.parametrize("n", [2, 3])
def test_expected_loss_is_the_mean_over_all_trials(x64, n):
    tree = spaces.Tree.from_newick("(((a:1,b:1,c:1):1,(d:1,e:1):1):1,(f:2,g:2):1);")
    rng = np.random.default_rng(0)
    strengths = np.exp(rng.uniform(-20, 3, (7, 7)))
    losses = []
    for p in range(7):
        for items in itertools.combinations([x for x in range(7) if x != p], n):
            h, d = strengths[p, list(items)], np.asarray(tree.distances)[p, list(items)]
            losses.append(np.log(h.sum()) - np.log(h)[d == d.min()].mean())
    ranks = tables.ranking(tree)
    near = expected.near_probability(ranks, n)
    np.testing.assert_allclose(near.sum(1), 1, rtol=1e-12)
    trials = expected.mean_nll(jnp.asarray(strengths), ranks, near, n)
    np.testing.assert_allclose(trials, np.mean(losses), atol=1e-12 if n == 2 else LOGARITHM)
