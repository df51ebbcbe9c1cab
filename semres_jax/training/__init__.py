"""Training inside jitted loops, with checkpoints: `toy`, `resnet`."""

from semres_jax.training import resnet as resnet, toy as toy
