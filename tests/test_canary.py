"""Does the installed jax compute right? Releases 0.10.2 and 0.11.0 do not on CPU (jax-ml/jax#39103).

In a process of its own, compiled as it comes, whatever these tests' programs are compiled with.
"""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

# Sums of nine positive terms: far above their rounding, far below a row that is wrong (by 0.1 % and more).
RELATIVE_MARGIN = {"float32": 1e-5, "float64": 1e-13}
POWERS = (10, 13, 14, 15, 16)


@jax.jit
def _squared_lengths(matrix, vectors):
    return jax.vmap(lambda vector: jnp.sum((matrix @ vector) ** 2))(vectors)


def _error(power: int, dtype: str) -> float:
    """The largest relative error of products with 2^power + 1 vectors of 3; infinite in another precision."""
    random = np.random.default_rng(power)
    matrix = random.random((3, 3)).astype(dtype)
    vectors = random.random((2**power + 1, 3)).astype(dtype)
    exact = ((vectors.astype(np.float64) @ matrix.T.astype(np.float64)) ** 2).sum(axis=-1)
    products = _squared_lengths(jnp.asarray(matrix), jnp.asarray(vectors))
    return float(np.abs(products / exact - 1).max()) if products.dtype == dtype else np.inf


@pytest.fixture(scope="module")
def errors():
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"} | {"JAX_ENABLE_X64": "1"}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("dtype", RELATIVE_MARGIN)
@pytest.mark.parametrize("power", POWERS)
def test_matrix_vector_products_just_above_a_power_of_two(power, dtype, errors):
    """The faulty releases get vectors of 3 wrong from row 2^14 (float64) or 2^15 (float32) on, 2 or 4 never."""
    assert errors[f"{power} {dtype}"] <= RELATIVE_MARGIN[dtype]


if __name__ == "__main__":
    print(json.dumps({f"{power} {dtype}": _error(power, dtype) for power in POWERS for dtype in RELATIVE_MARGIN}))
