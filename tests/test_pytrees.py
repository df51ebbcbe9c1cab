"""Spaces and similarities of different kinds are different structures: semres_jax/_pytrees.py says why."""

import itertools

import jax
import numpy as np

from semres_jax import spaces
from semres_jax.similarity import KINDS, Constant


def test_no_two_kinds_share_a_structure():
    similarities = [kind(0.5) if name != "tabulated" else kind([0.0, 1.0], [1.0, 0.0]) for name, kind in KINDS.items()]
    every = [*spaces.catalogue().values(), *similarities]
    for a, b in itertools.combinations(every, 2):
        assert jax.tree.structure(a) != jax.tree.structure(b), (a, b)


def test_parameters_that_decide_shapes_are_structure_and_others_leaves():
    assert jax.tree.structure(spaces.Ball(2)) == jax.tree.structure(spaces.Ball(2))
    assert jax.tree.structure(spaces.Ball(2)) != jax.tree.structure(spaces.Ball(3))
    assert jax.tree.structure(Constant(0.1)) == jax.tree.structure(Constant(0.2, 0.5))
    leaves, structure = jax.tree.flatten(Constant([0.1, 0.2], 0.5))
    again = jax.tree.unflatten(structure, leaves)
    np.testing.assert_array_equal(again.epsilon, [0.1, 0.2])
    assert float(again.delta) == 0.5


def test_leaves_have_names():
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(Constant(0.1))]
    assert paths == [".epsilon", ".delta"]
