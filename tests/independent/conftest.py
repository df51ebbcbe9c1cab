"""Programs are compiled without most optimisations here: compiling is nearly all of the time that the cells take."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def quickly_compiled():
    """In the place of the fixture of that name above this folder."""
    if not jax.config.values["jax_disable_most_optimizations"]:
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", True)
