"""What users set of JAX changes no number and stops nothing."""

import jax
import numpy as np
import pytest

from semres_jax import Exponential, Linear, accuracy, estimate, frontier, spaces

LINE = spaces.Finite(np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0))).astype(np.float32))


def numbers():
    slope = jax.grad(lambda e: accuracy("circle", Linear(e, 0.1)).p_i)(0.3)
    own = [accuracy(LINE, Exponential(0.7)).p_s, estimate(LINE, Exponential(0.7), key=1, trials=2**8).p_s, slope]
    return [*map(float, own), *frontier.sweep("circle", "linear", 2, epsilon=[0.2]).p_s.values.ravel().tolist()]


@pytest.fixture(scope="module")
def want():
    return numbers()


@pytest.mark.parametrize(
    "setting",
    [lambda: jax.numpy_dtype_promotion("strict"), lambda: jax.numpy_rank_promotion("raise"),
     lambda: jax.debug_nans(True), lambda: jax.disable_jit(True), lambda: jax.default_matmul_precision("bfloat16"),
     lambda: jax.default_prng_impl("rbg")],
    ids=["strict", "ranks", "nans", "no jit", "matmul", "rbg"],
)  # fmt: skip
def test_settings_of_users_change_no_number(setting, want):
    with setting():
        assert numbers() == want
