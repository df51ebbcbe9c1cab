"""`semres measure embeddings | similarities | triplets | choices | llm`: where models and people stand."""

import dataclasses
from typing import Annotated, Union

import tyro

from semres_jax.cli._groups import grouped
from semres_jax.cli._measure_choices import MeasureChoices
from semres_jax.cli._measure_embeddings import MeasureEmbeddings
from semres_jax.cli._measure_llm import MeasureLlm
from semres_jax.cli._measure_similarities import MeasureSimilarities
from semres_jax.cli._measure_triplets import MeasureTriplets

# One line for each kind of model, in the order of the help text.
KINDS: dict[str, type] = {
    "embeddings": MeasureEmbeddings,
    "similarities": MeasureSimilarities,
    "triplets": MeasureTriplets,
    "choices": MeasureChoices,
    "llm": MeasureLlm,
}
_What = Union[tuple(Annotated[grouped(kind), tyro.conf.subcommand(name)] for name, kind in KINDS.items())]  # noqa: UP007 # pyright: ignore


@dataclasses.dataclass(frozen=True)
class Measure:
    """Measure a given model, or people: embeddings, similarities or confusions, triplets, choices, a language model."""

    what: tyro.conf.OmitArgPrefixes[tyro.conf.OmitSubcommandPrefixes[_What]]  # pyright: ignore
    """What kind of model."""

    def run(self) -> int:
        """Measure, print, write."""
        return self.what.run()  # pyright: ignore
