"""The image experiment: networks between telling classes and having their distances, laid over the laws."""

from semres_jax.experiments.images.run import distances as distances, study as study
from semres_jax.experiments.images.summaries import summary as summary
