"""Pictures of results: a dataset in, matplotlib Axes out; one module for each command."""

from semres_jax.plots._style import save as save
from semres_jax.plots.validation import (
    many_items as many_items,
    residuals as residuals,
    save_all as save_all,
    tradeoff as tradeoff,
)
