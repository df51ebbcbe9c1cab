"""The toy network's experiments: conditions trained, their learned resolution fitted, laid over exact fronts."""

from semres_jax.experiments.toy.presets import PRESETS as PRESETS, Preset as Preset
from semres_jax.experiments.toy.run import (
    FAMILIES as FAMILIES,
    Condition as Condition,
    folder_name as folder_name,
    shown_steps as shown_steps,
    study as study,
)
from semres_jax.experiments.toy.summaries import summary as summary
