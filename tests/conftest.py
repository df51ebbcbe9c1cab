"""Settings of all tests: four CPU devices, no silent rank promotion, x64 as a fixture, annotations checked."""

import jax
import pytest
from jaxtyping import install_import_hook

# Before anything starts a JAX backend or imports the package. Four devices, so that sharding is tested everywhere.
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
install_import_hook("semres_jax", "beartype.beartype")


@pytest.fixture
def x64():
    """64-bit numbers within the test, as the commands switch them on for laws and quadratures."""
    with jax.enable_x64(True):
        yield
