"""A similarity of one's own is one class: everything that takes a family takes it, by class or by name."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import Linear, frontier, measure, similarity, spaces
from semres_jax.similarity import Similarity


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cosine(Similarity):
    """Half a cosine wave that ends at its resolution."""

    epsilon: Any
    delta: Any = 0.0
    name: ClassVar[str] = "cosine"
    ends: ClassVar[bool] = True

    def __call__(self, d):
        wave = (1 + jnp.cos(jnp.pi * jnp.minimum(jnp.asarray(d) / self.epsilon, 1.0))) / 2
        return self.delta + (1 - self.delta) * wave

    def kinks(self):
        return (self.epsilon,)


RING = spaces.grid(spaces.Circle(), 24)


@pytest.fixture(params=["class", "name", "similarity"])
def family(request, monkeypatch):
    if request.param == "name":
        monkeypatch.setitem(similarity.KINDS, "cosine", Cosine)
        return "cosine"
    return Cosine if request.param == "class" else Cosine(0.3)


def test_sweeps(family):
    table = frontier.sweep([spaces.Circle(), RING], family, [2, 3], epsilon=[0.1, 0.3], delta=[0.0, 0.2])
    assert table.similarity.values.tolist() == ["cosine"]
    simulated = frontier.sweep(RING, family, 2, epsilon=[0.1, 0.3], method="lattice", trials=2**14)
    exact = table.sel(space=RING.label, n=2, delta=0.0)
    for p in ("p_s", "p_i"):
        off = simulated[p].values.ravel() - exact[p].values.ravel()
        assert (abs(off) <= 5 * simulated[f"{p}_stderr"].values.ravel() + 1e-12).all()


def test_fits_and_fronts(family):
    best = measure.fit_profile(measure.profile(RING, Cosine(0.3, 0.1)(RING.distances)), family)
    assert best.epsilon.value == pytest.approx(0.3, rel=1e-5)
    assert best.delta.value == pytest.approx(0.1, abs=1e-5)
    front = frontier.family_front(RING, family, points=12)
    assert front.p_i[0] == pytest.approx(1.0, abs=0.05)
    table = frontier.optimal_table([0.1], weights=[1.0], levels=17, families=[family, "linear"])
    assert table.family.values.tolist() == ["cosine", "linear"]
    # Its front on the circle is that of a sweep with the same floor.
    swept = frontier.sweep(spaces.Circle(), family, 2, epsilon=np.linspace(0.05, 2, 40), delta=[0.1]).squeeze()
    p_s, p_i = (swept[p].values[frontier.pareto(swept.p_s.values, swept.p_i.values)] for p in ("p_s", "p_i"))
    curve = table.sel(family="cosine", delta=0.1)
    curve = frontier.Front(np.arange(curve.reach.size), curve.front_p_s.values, curve.front_p_i.values)
    assert len(p_s) > 5
    assert abs(frontier.distance(p_s, p_i, curve).distance).max() < 2e-3


def test_choices(family):
    rng = np.random.default_rng(0)
    distances = rng.random((300, 3))
    odds = np.asarray(Cosine(0.8, 0.05)(distances), float)
    chosen = np.array([rng.choice(3, p=row / row.sum()) for row in odds])
    fit = measure.fit_choices(distances, chosen, family=family)
    assert fit.family == "cosine"
    assert fit.epsilon.low < 0.8 < fit.epsilon.high
    assert fit.log_likelihood > np.log(odds / odds.sum(1, keepdims=True))[np.arange(300), chosen].sum()


def test_families_by_name_class_and_similarity():
    assert similarity.get("powerlaw(3)").label == similarity.get(similarity.PowerLaw(0.2, 3.0)).label == "powerlaw(3)"
    assert similarity.get(Linear) == similarity.get("linear") == similarity.get(Linear(0.3, 0.2))
    assert float(similarity.get("powerlaw(3)")(np.array([0.5, 1.0]))(1.0)[1]) == pytest.approx(1 / 8)
    for wrong in ("linear(3)", "powerlaw(x)", "powerlaw(-1)", "tabulated", 3, "power law"):
        with pytest.raises(ValueError, match=r"similarit|exponent") as refused:
            similarity.get(wrong)
        assert "\n" not in str(refused.value)
