"""Metric measure spaces: where stimuli come from, and how far apart they are.

`get("sphere", dim=9)` makes a space by name or out of a file, `catalogue()` one of each, `register` adds a kind.
"""

from semres_jax._lazy import submodules
from semres_jax.spaces.ball import Ball as Ball
from semres_jax.spaces.base import MetricSpace as MetricSpace, space as space, static as static
from semres_jax.spaces.circle import Circle as Circle
from semres_jax.spaces.finite import Finite as Finite
from semres_jax.spaces.gaussian import Gaussian as Gaussian
from semres_jax.spaces.grids import grid as grid
from semres_jax.spaces.hamming import Hamming as Hamming
from semres_jax.spaces.hyperbolic import Hyperbolic as Hyperbolic
from semres_jax.spaces.interval import Interval as Interval
from semres_jax.spaces.named import by_label as by_label, catalogue as catalogue, get as get, register as register
from semres_jax.spaces.own import from_functions as from_functions
from semres_jax.spaces.points import Points as Points
from semres_jax.spaces.product import Product as Product
from semres_jax.spaces.sphere import Sphere as Sphere
from semres_jax.spaces.torus import Torus as Torus
from semres_jax.spaces.tree import Tree as Tree

__getattr__, __dir__ = submodules(__name__)
