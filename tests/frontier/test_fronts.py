"""Fronts of families without a floor fall as the resolution grows: no drop at epsilon = 0, where both are best."""

import numpy as np
import pytest

from semres_jax import frontier, spaces

ROUNDING = 1e-12
RING = spaces.grid(spaces.get("circle"), 30)


def falls(p):
    return (np.diff(p) <= ROUNDING).all()


def test_fronts_on_given_stimuli():
    """The exponential one falls in both; the others do where they are not dominated."""
    epsilon, p_s, p_i = frontier.family_front(RING, "exponential", n=2, points=40)
    assert epsilon[0] > 0
    assert falls(p_s)
    assert falls(p_i)
    assert p_s[0] > 0.9 < p_i[0]
    for family in ("constant", "linear"):
        _, p_s, p_i = frontier.family_front(RING, family, n=2, points=40)
        assert falls(p_i)
        assert frontier.pareto(p_s, p_i)[: int(np.argmax(p_s)) + 1].sum() > 5


@pytest.mark.parametrize("space", [spaces.Circle(), RING], ids=["circle", "ring"])
@pytest.mark.parametrize("family", ["exponential", "gaussian", "powerlaw(2)"])
def test_sweeps_from_resolution_zero(space, family):
    table = frontier.sweep(space, family, 2, epsilon=[0.0, 0.005, 0.01, 0.05, 0.2, 0.5]).squeeze()
    assert falls(table.p_s.values)
    assert falls(table.p_i.values)
    assert abs(table.p_i[0] - 1) < ROUNDING
    assert frontier.pareto(table.p_s.values, table.p_i.values)[0]
    assert frontier.optima(table.expand_dims(["delta", "n"])).epsilon.item() == 0
