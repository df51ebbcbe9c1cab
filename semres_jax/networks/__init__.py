"""Networks that are trained and laid over the laws, and weights for them from files.

`toy` is a ReLU autoencoder with tied weights, `resnet` has residual networks for images.
"""

from semres_jax._lazy import submodules
from semres_jax.networks import resnet as resnet, weights as weights
from semres_jax.networks.toy import ToyAutoencoder as ToyAutoencoder

__getattr__, __dir__ = submodules(__name__)
