"""Training inside jitted loops, with checkpoints: `toy`."""
