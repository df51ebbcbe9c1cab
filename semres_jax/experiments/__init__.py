"""Experiments that bring the pieces together: networks trained, measured, and laid over the laws. `toy`."""
