"""Does the installed jax compute right? Releases 0.10.2 and 0.11.0 do not on CPU (jax-ml/jax#39103)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

# Sums of nine positive terms: far above their rounding, far below a row that is wrong (by 0.1 % and more).
RELATIVE_MARGIN = {np.float32: 1e-5, np.float64: 1e-13}


@jax.jit
def _squared_lengths(matrix, vectors):
    return jax.vmap(lambda vector: jnp.sum((matrix @ vector) ** 2))(vectors)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [10, 13, 14, 15, 16])
def test_matrix_vector_products_just_above_a_power_of_two(power, dtype, x64):
    """The faulty releases get vectors of 3 wrong from row 2^14 (float64) or 2^15 (float32) on, 2 or 4 never."""
    random = np.random.default_rng(power)
    matrix = random.random((3, 3)).astype(dtype)
    vectors = random.random((2**power + 1, 3)).astype(dtype)
    exact = ((vectors.astype(np.float64) @ matrix.T.astype(np.float64)) ** 2).sum(axis=-1)
    found = _squared_lengths(jnp.asarray(matrix), jnp.asarray(vectors))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, exact, rtol=RELATIVE_MARGIN[dtype], atol=0)
