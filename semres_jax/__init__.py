"""A JAX simulation engine for the tradeoff between generalization and identification at finite semantic resolution.

Importing it runs nothing and sets no JAX option; names are loaded when first used.
"""

from typing import TYPE_CHECKING

from semres_jax._lazy import submodules
from semres_jax._version import __version__ as __version__

if TYPE_CHECKING:
    from semres_jax import (
        choice as choice,
        data as data,
        experiments as experiments,
        explore as explore,
        frontier as frontier,
        laws as laws,
        measure as measure,
        montecarlo as montecarlo,
        networks as networks,
        plots as plots,
        similarity as similarity,
        spaces as spaces,
        storage as storage,
        training as training,
    )
    from semres_jax._types import Accuracy as Accuracy, Estimate as Estimate, Quantity as Quantity
    from semres_jax.execution import Execution as Execution
    from semres_jax.frontier.sweep import sweep as sweep
    from semres_jax.laws.engines import accuracy as accuracy, engine_for as engine_for
    from semres_jax.montecarlo.estimate import estimate as estimate
    from semres_jax.similarity import (
        Constant as Constant,
        Exponential as Exponential,
        Gaussian as Gaussian,
        Linear as Linear,
        PowerLaw as PowerLaw,
        Similarity as Similarity,
        Slots as Slots,
        Tabulated as Tabulated,
    )

_MEMBERS = {
    "_types": ("Accuracy", "Estimate", "Quantity"),
    "execution": ("Execution",),
    "frontier.sweep": ("sweep",),
    "laws.engines": ("accuracy", "engine_for"),
    "montecarlo.estimate": ("estimate",),
    "similarity": (
        "Constant",
        "Exponential",
        "Gaussian",
        "Linear",
        "PowerLaw",
        "Similarity",
        "Slots",
        "Tabulated",
    ),
}

__getattr__, __dir__ = submodules(__name__, _MEMBERS)
