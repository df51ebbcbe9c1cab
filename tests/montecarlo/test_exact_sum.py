import numpy as np

from semres_jax.montecarlo.exact_sum import ExactSum


def test_order_does_not_matter_and_digits_are_kept():
    """2^40 synthetic trials of mean 1/3 in 2^16 tiles: the sum is exact to 1e-12 relative, in any order."""
    rng = np.random.default_rng(0)
    tiles = 2.0**24 * rng.random(2**16)
    sums = []
    for order in (np.arange(2**16), rng.permutation(2**16)):
        total = ExactSum((1,))
        for part in np.split(order, 64):
            total.add(np.zeros(len(part), int), tiles[part][:, None][:, 0])
        sums.append(total.value()[0])
    assert sums[0] == sums[1]
    from fractions import Fraction

    exact = float(sum(Fraction(float(t)) for t in tiles))
    assert abs(sums[0] - exact) <= 2**16 * 2.0**-41 + abs(exact) * 2.0**-52


def test_integers_negative_numbers_and_nan():
    total = ExactSum((2, 2))
    total.add(np.array([0, 1, 1]), np.array([[1, 2], [3, 4], [5, 6]]))
    total.add(np.array([0, 0]), np.array([[-0.25, 0.5], [0.125, np.nan]]))
    np.testing.assert_array_equal(total.value(), [[0.875, np.nan], [8.0, 10.0]])
