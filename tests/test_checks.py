"""The door for numbers: whatever is array-like is taken as real numbers, or refused in a line that names it."""

import decimal
import fractions

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xarray as xr

from semres_jax import Constant, PowerLaw, Tabulated, accuracy, estimate, spaces
from semres_jax._checks import concrete, require_count
from semres_jax._random import checked_key


class Quantity:
    """As astropy's, which NumPy strips of its unit."""

    value, unit = 0.25, "km"

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value)


@pytest.mark.parametrize(
    "given",
    [[0.25, 0.5], (0.25, 0.5), pd.Series([0.25, 0.5]), pd.Series([0.25, 0.5], dtype="Float64"),
     xr.DataArray([0.25, 0.5]), np.array([0.25, 0.5], object), [decimal.Decimal("0.25"), fractions.Fraction(1, 2)],
     np.array([0.25, 0.5], ">f8"), np.array([0.25, 0.5], np.longdouble), np.array([0.25, 0.5]) + 0j,
     np.array([0.25, 0.5], ml_dtypes.bfloat16), jnp.asarray([0.25, 0.5], jnp.bfloat16),
     np.array([0.25, 0.5], np.float16),
     np.array([0.25, 0.5], ml_dtypes.float8_e5m2), np.ma.array([0.25, 0.5]), np.asfortranarray([0.25, 0.5])],
)  # fmt: skip
def test_numbers_of_every_make_are_the_same_numbers(given):
    epsilon = Constant(given).epsilon
    assert epsilon.dtype in (np.float64, np.float32)
    np.testing.assert_array_equal(np.asarray(epsilon), [0.25, 0.5])
    assert np.asarray(concrete(range(3))).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: Constant(pd.Series([0.2, -0.3])), "epsilon must be a distance, at least 0; got -0.3"),
     (lambda: Constant(0.2, jnp.asarray([1.5], jnp.bfloat16)), "delta must be a floor between 0 and 1; got 1.5"),
     (lambda: PowerLaw(0.2, "2"), "exponent must be numbers; got the text '2'"),
     (lambda: Constant(np.array(["0.2"])), "epsilon must be numbers; got text, such as '0.2'"),
     (lambda: Constant(0.2 + 1j), "epsilon must be real numbers; got the complex"),
     (lambda: Constant(np.ma.array([0.1, 0.2], mask=[0, 1])), "no missing entries; got 1 that are masked"),
     (lambda: Constant(pd.Series([0.1, None], dtype=object)), "no missing entries; got"),
     (lambda: Constant([0.1, None]), "no missing entries; got None"),
     (lambda: Constant(np.array([0.1, {}], object)), "epsilon must be numbers; got {} among them"),
     (lambda: Constant(x for x in (0.1, 0.2)), "got generator"),
     (lambda: Constant({0.1, 0.2}), "got set"), (lambda: Constant([0.1, [0.2, 0.3]]), "rows of different lengths"),
     (lambda: Constant(Quantity()), "plain numbers; got a quantity in km"),
     (lambda: Constant(np.datetime64("2026-01-01")), "epsilon must be numbers; got entries of the kind datetime64"),
     (lambda: Constant(jax.random.key(0)), "got a random key"),
     (lambda: spaces.Finite(scipy.sparse.csr_matrix(np.eye(3))), "distances must be an array .*toarray"),
     (lambda: Tabulated(pd.Series([0.0, 2.0, 1.0]), [1.0, 0.5, 0.1]), "distances must start at 0 and increase"),
     (lambda: spaces.Hyperbolic("1"), "radius must be numbers; got the text '1'"),
     (lambda: require_count("n", "2", 2), "n must be a whole number of at least 2; got '2'"),
     (lambda: require_count("n", np.bool_(True), 2), "n must be a whole number"),
     (lambda: accuracy("circle", 0.25), "similarity must be one with its resolution.*got 0.25"),
     (lambda: accuracy("circle", "linear"), r"such as Linear\(0.25\); got 'linear'"),
     (lambda: accuracy("cirle", Constant(0.1)), "did you mean 'circle'"),
     (lambda: accuracy(0.5, Constant(0.1)), "a name or file that spaces.get knows; got 0.5"),
     (lambda: accuracy(np.zeros((2, 2)), Constant(0.1)), r"spaces.Finite\(table\)"),
     (lambda: accuracy("circle", Constant(None)), "epsilon of the constant similarity must be a number"),
     (lambda: accuracy("circle", Constant(0.1), exponent="1"), "exponent must be numbers; got the text '1'"),
     (lambda: checked_key(-1), "got -1 .*a seed of at least 0"), (lambda: checked_key(True), "key must be"),
     (lambda: checked_key(jax.random.split(jax.random.key(0), 3)), r"got an array of them of shape \(3,\)")],
)  # fmt: skip
def test_what_is_no_number_is_refused_in_a_line_that_names_it(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("n", [3, 3.0, np.int64(3), np.array(3), np.array([3])])
def test_whole_numbers_of_every_make(n):
    assert require_count("n", n, 2) == 3


def test_names_and_seeds_work_where_spaces_and_keys_do():
    assert accuracy("sphere(9)", Constant(0.4)) == accuracy(spaces.Sphere(9), Constant(0.4))
    for key in (jax.random.PRNGKey(7), np.asarray(jax.random.PRNGKey(7))):
        np.testing.assert_array_equal(jax.random.key_data(jax.random.key(7)), key)
        assert checked_key(key).shape == (2,)
    assert checked_key(np.int64(7)) == jax.random.key(7)


@pytest.mark.parametrize(
    "call",
    [lambda: jax.vmap(lambda k: estimate("circle", Constant(0.1), key=k).p_s)(jax.random.split(jax.random.key(1), 2)),
     lambda: jax.grad(lambda e: estimate("circle", Constant(e), key=1).p_s)(0.1),
     lambda: jax.jit(lambda e: estimate("circle", Constant([e, 0.2]), key=1).p_s)(0.1)],
)  # fmt: skip
def test_estimate_says_that_it_cannot_be_traced(call):
    with pytest.raises(TypeError, match=r"estimate can't be traced by jit, vmap or grad.*accuracy can"):
        call()
