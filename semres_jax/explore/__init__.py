"""The interactive page: the engine's exact numbers, and own runs over them, in one HTML file that needs no network."""

from semres_jax._lazy import submodules
from semres_jax.explore.page import make_page as make_page

__getattr__, __dir__ = submodules(__name__)
