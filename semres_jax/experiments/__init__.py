"""Experiments that bring the pieces together: networks trained, measured, and laid over the laws."""

from semres_jax.experiments import presets as presets, resnet as resnet, toy as toy
