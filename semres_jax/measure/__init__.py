"""Where a given model stands: what resolution its similarities have."""

from semres_jax.measure.resolution import (
    FAMILIES as FAMILIES,
    Fit as Fit,
    Profile as Profile,
    fit as fit,
    profile as profile,
    reach as reach,
)
