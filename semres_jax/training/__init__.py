"""Training inside jitted loops, with checkpoints: `toy`, `images`."""

from semres_jax._lazy import submodules
from semres_jax.training.diverged import Diverged as Diverged

__getattr__, __dir__ = submodules(__name__)
