"""p_S of wholes by slots of any similarity, against sums, quadrature, simulation and fine grids."""

import numpy as np
import pytest

from semres_jax import Constant, Exponential, Gaussian, Linear, Slots, accuracy, estimate, laws, spaces
from semres_jax.laws import _slot_wholes, quadrature

EXACT = 1e-10
CIRCLE, SPHERE = spaces.Circle(), spaces.Sphere(2)
BOTH = [("product", 2), ("mean", 2), ("mean", 3), ("mean", 64)]


@pytest.mark.parametrize(("aggregate", "n"), BOTH)
@pytest.mark.parametrize("delta", [0.0, 0.1])
def test_constant_slots_have_the_sums_over_patterns(aggregate, n, delta):
    slots = [Constant(0.25, delta), Constant(0.1, delta), Constant(0.3, delta)]
    pair = spaces.Product((CIRCLE,) * 3)
    probes = [np.zeros(())] * 3
    whole = _slot_wholes.nearest(pair.factors, probes, slots, aggregate, n, 1.0)
    assert whole == pytest.approx(accuracy(pair, Slots(slots, aggregate), n=n).p_s, abs=EXACT)


@pytest.mark.parametrize(("space", "slot"), [(CIRCLE, Linear(0.3)), (SPHERE, Gaussian(0.3, 0.01))])
def test_one_slot_is_a_similarity(space, slot):
    alone = spaces.Product((space,))
    two, three = quadrature.accuracies(space, slot, ns=(2, 3))
    for aggregate, n, law in (("product", 2, two), ("mean", 2, two), ("mean", 3, three)):
        np.testing.assert_allclose(accuracy(alone, Slots([slot], aggregate), n=n), law, rtol=0, atol=EXACT)


@pytest.mark.parametrize(("aggregate", "n"), [("product", 2), ("mean", 2), ("mean", 8)])
def test_graded_slots_against_simulation(aggregate, n):
    space = spaces.Product((CIRCLE, SPHERE, CIRCLE))
    slots = Slots([Linear([0.2, 0.4]), Gaussian(0.5, 0.05), Exponential(0.05)], aggregate)
    exact, drawn = accuracy(space, slots, n=n), estimate(space, slots, n=n, key=3, trials=2**17)
    assert np.shape(exact.p_s) == (2,)
    assert (np.abs(exact.p_s - drawn.p_s) < 5 * drawn.p_s_stderr).all()
    assert (np.abs(exact.p_i - drawn.p_i) < 5 * drawn.p_i_stderr).all()


def test_powers_of_products_are_those_of_their_slots():
    pair = spaces.Product((CIRCLE, CIRCLE))
    squared = accuracy(pair, Slots([Exponential(0.1)] * 2), exponent=2.0)
    np.testing.assert_allclose(accuracy(pair, Slots([Exponential(0.05)] * 2)), squared, rtol=0, atol=EXACT)


def test_what_is_too_much_is_told():
    pair = spaces.Product((CIRCLE, CIRCLE))
    with pytest.raises(ValueError, match="exact for n = 2 items; got n = 3"):
        accuracy(pair, Slots([Linear(0.2)] * 2), n=3)
    with pytest.raises(ValueError, match=r"ln\(1/g\) is at most 3000; here it reaches 1e\+04"):
        accuracy(pair, Slots([Exponential(1e-4)] * 2))
    assert 0 < laws.slots.identification(pair, Slots([Exponential(1e-4)] * 2)) < 1
