"""Settings of all tests: four CPU devices, no silent rank promotion, x64 as a fixture, annotations checked."""

import jax
import pytest
from jaxtyping import install_import_hook

# Before anything starts a JAX backend or imports the package. Four devices, so that sharding is tested everywhere.
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
install_import_hook("semres_jax", "beartype.beartype")

# Tests of what is trained, measured, drawn and typed: compiling is most of their time, and none of it is about the last
# digits. Laws, engines, spaces and Monte Carlo are tested as they are compiled for users, but for three files of laws
# whose programs are the largest, and which compare them with sums written out.
_QUICKLY_COMPILED = {"cli", "data", "experiments", "measure", "networks", "plots", "training"}
_LARGE = {"test_any_similarity.py", "test_exemplars.py", "test_tables.py"}


@pytest.fixture(autouse=True, scope="module")
def quickly_compiled(request):
    """Without most of the compiler's optimisations, in the folders where that makes no difference to a test."""
    quickly = request.path.parent.name in _QUICKLY_COMPILED or request.path.name in _LARGE
    jax.config.update("jax_disable_most_optimizations", quickly)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def x64():
    """64-bit numbers within the test, as the commands switch them on for laws and quadratures."""
    with jax.enable_x64(True):
        yield
