"""Where a language model stands: the year task, asked and scored."""

from semres_jax._lazy import submodules
from semres_jax.measure.language.analysis import Language as Language, years as years

__getattr__, __dir__ = submodules(__name__)
