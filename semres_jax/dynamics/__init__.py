"""Depth as time: the residual stream of a transformer as a dynamical system."""

from semres_jax._lazy import submodules
from semres_jax.dynamics.autoencoder import Compressed as Compressed, compress as compress
from semres_jax.dynamics.bridge import (
    Bridge as Bridge,
    Gains as Gains,
    Relation as Relation,
    gains as gains,
    resolution_by_depth as resolution_by_depth,
    stimuli as stimuli,
)
from semres_jax.dynamics.controls import rotated as rotated, shuffled as shuffled, untrained as untrained
from semres_jax.dynamics.information import Information as Information, mutual_information as mutual_information
from semres_jax.dynamics.interventions import (
    Flow as Flow,
    Kept as Kept,
    Returned as Returned,
    perturb as perturb,
    plane_flow as plane_flow,
    teleport as teleport,
)
from semres_jax.dynamics.jacobians import Jacobian as Jacobian, jacobians as jacobians, pushed as pushed
from semres_jax.dynamics.matrices import (
    Spectra as Spectra,
    normal_part as normal_part,
    scrambled as scrambled,
    spectra as spectra,
)
from semres_jax.dynamics.mean_path import Path as Path, paths as paths
from semres_jax.dynamics.products import Product as Product, product as product
from semres_jax.dynamics.states import boundaries as boundaries, run_from as run_from
from semres_jax.dynamics.trajectories import (
    Continuity as Continuity,
    Density as Density,
    Motion as Motion,
    continuity as continuity,
    density as density,
    motion as motion,
    rotation_nulls as rotation_nulls,
    rotations as rotations,
)
from semres_jax.dynamics.units import (
    Communities as Communities,
    Coupling as Coupling,
    communities as communities,
    coupling as coupling,
)

__getattr__, __dir__ = submodules(__name__)
