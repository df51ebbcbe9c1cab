"""Sprites: a network with a head for each feature against the same network with one embedding, laid over the fronts."""
