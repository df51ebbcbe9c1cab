"""The figures of the paper (Nurisso et al., arXiv 2506.14797), made here: data, numbers, and an index to look at."""

from semres_jax.experiments.paper.figures import (
    FIGURES as FIGURES,
    UNMADE as UNMADE,
    Figure as Figure,
    Unmade as Unmade,
    chosen as chosen,
)
from semres_jax.experiments.paper.index import Record as Record, index as index
from semres_jax.experiments.paper.numbers import Number as Number
from semres_jax.experiments.paper.setting import Setting as Setting
