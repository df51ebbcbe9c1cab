from semres_jax.montecarlo.estimate import estimate as estimate
