"""Fronts of the tradeoff: grids in one call, non-dominated sets and distances to them, the best similarity there is."""
