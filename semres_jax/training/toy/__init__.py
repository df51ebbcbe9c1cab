"""The toy network's training: many runs and settings in one jitted loop."""

from semres_jax.training.diverged import Diverged as Diverged
from semres_jax.training.toy.loop import History as History, record_steps as record_steps, train as train
from semres_jax.training.toy.losses import similarity_tables as similarity_tables
from semres_jax.training.toy.settings import Design as Design, Hyper as Hyper
