"""Networks that are trained and laid over the laws: `toy`, a ReLU autoencoder with tied weights."""

from semres_jax.networks.toy import ToyAutoencoder as ToyAutoencoder
