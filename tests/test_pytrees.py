"""Spaces and similarities of different kinds are different structures: semres_jax/_pytrees.py says why."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from semres_jax import Exponential, Similarity, accuracy, estimate, frontier, spaces
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


class Plain(Similarity):
    def __init__(self, epsilon, kind="falls"):
        self.epsilon, self.kind = epsilon, kind

    def __call__(self, d):
        return jnp.exp(-jnp.asarray(d) / self.epsilon)


class Inherited(Plain):
    pass


class Fixed(Similarity):
    def __call__(self, d):
        return jnp.exp(-jnp.asarray(d) / 0.2)


@dataclasses.dataclass
class Declared(Similarity):
    epsilon: float
    delta: float = 0.0
    steps: int = 3

    def __call__(self, d):
        return self.delta + (1 - self.delta) * jnp.exp(-jnp.asarray(d) / self.epsilon)


class Segment(spaces.MetricSpace):
    diameter = 1.0

    def __init__(self, scale=1.0, dim=1):
        self.scale, self.dim = scale, dim

    @property
    def uniforms(self):
        return self.dim

    def point(self, u):
        return jnp.asarray(u)[..., 0]

    def distance(self, x, y):
        return self.scale * jnp.abs(x - y)


def test_a_subclass_is_a_pytree_by_being_one():
    want = accuracy("circle", Exponential(0.2))
    for own in (Plain(0.2), Inherited(0.2), Fixed(), Declared(0.2)):
        np.testing.assert_allclose(accuracy("circle", own), want, rtol=0, atol=1e-12)
        assert own.shape == ()
        assert own.name == type(own).__name__
    grid = accuracy("circle", Plain(pd.Series([0.1, 0.2]))).p_s
    np.testing.assert_allclose(grid[1], want.p_s, rtol=0, atol=1e-12)
    table = frontier.sweep("circle", Declared, 2, epsilon=[0.1, 0.2])
    np.testing.assert_allclose(table.p_s.values.ravel(), grid, rtol=0, atol=1e-12)


def test_an_own_space_without_a_decorator():
    own = estimate(Segment(), Exponential(0.2), key=0, trials=2**10)
    assert own.p_s == estimate("interval", Exponential(0.2), key=0, trials=2**10).p_s
    leaves, structure = jax.tree.flatten(Segment(2.0, dim=3))
    assert leaves == [2.0]
    assert structure != jax.tree.structure(Segment(2.0))
    assert jax.tree.unflatten(structure, leaves).uniforms == 3
