"""Training of residual networks on images: an epoch is one jitted scan over data that stay on the device."""

from semres_jax.training.diverged import Diverged as Diverged
from semres_jax.training.images.epochs import Recipe as Recipe
from semres_jax.training.images.loop import History as History, train as train
