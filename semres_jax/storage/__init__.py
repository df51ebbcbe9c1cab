"""Files: results that say where they come from (`results`), and long runs that may be killed (`resume`, `locks`)."""

from semres_jax._lazy import submodules

__getattr__, __dir__ = submodules(__name__)
