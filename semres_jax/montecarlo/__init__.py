"""Monte Carlo on any space with a distance and a sampler: trials in chunks over devices, with standard errors."""

from semres_jax._lazy import submodules
from semres_jax.montecarlo.binding import estimate_binding as estimate_binding
from semres_jax.montecarlo.estimate import estimate as estimate

__getattr__, __dir__ = submodules(__name__)
