"""Where a given model stands: what resolution its similarities have, and its accuracies."""

from semres_jax._lazy import submodules
from semres_jax.measure.choices.fits import ChoiceFit as ChoiceFit, fit_choices as fit_choices
from semres_jax.measure.choices.goodness import (
    Bins as Bins,
    GoodnessOfFit as GoodnessOfFit,
    RatioTest as RatioTest,
    choice_coverage as choice_coverage,
    choice_profile as choice_profile,
    goodness_of_fit as goodness_of_fit,
    ratio_test as ratio_test,
    simulated_choices as simulated_choices,
)
from semres_jax.measure.choices.items import ItemsFit as ItemsFit, fit_items_law as fit_items_law
from semres_jax.measure.choices.table import (
    check_choices as check_choices,
    choices_table as choices_table,
    summarize_choices as summarize_choices,
)
from semres_jax.measure.compared import Comparison as Comparison, Differences as Differences
from semres_jax.measure.comparison import compare as compare
from semres_jax.measure.embeddings.exemplars import (
    Levels as Levels,
    at_equal_shares as at_equal_shares,
    graded as graded,
    levels as levels,
)
from semres_jax.measure.embeddings.position import embeddings as embeddings, fronts as fronts
from semres_jax.measure.embeddings.result import Embedded as Embedded
from semres_jax.measure.embeddings.stimulus_sums import Scored as Scored
from semres_jax.measure.geometry.collapse import Geometry as Geometry, geometry as geometry
from semres_jax.measure.geometry.features import Superposition as Superposition, superposition as superposition
from semres_jax.measure.language import Language as Language, years as years
from semres_jax.measure.members import (
    Contributions as Contributions,
    Influence as Influence,
    Member as Member,
    Sample as Sample,
)
from semres_jax.measure.people.confusions import (
    ByDistance as ByDistance,
    SimilarityChoice as SimilarityChoice,
    similarity_choice as similarity_choice,
)
from semres_jax.measure.people.judged import Judged as Judged
from semres_jax.measure.people.similarities import similarities as similarities
from semres_jax.measure.people.subjects import noise_ceiling as noise_ceiling
from semres_jax.measure.people.triplet_embedding import (
    TripletEmbedding as TripletEmbedding,
    embed_triplets as embed_triplets,
)
from semres_jax.measure.people.triplet_fit import TripletFit as TripletFit
from semres_jax.measure.people.triplets import fit_triplets as fit_triplets, triplets as triplets
from semres_jax.measure.resolution import (
    FITTED as FITTED,
    Fit as Fit,
    Profile as Profile,
    fit_profile as fit_profile,
    profile as profile,
    reach as reach,
)

__getattr__, __dir__ = submodules(
    __name__,
    backends="semres_jax.measure.language.backends",
    _endpoint="semres_jax.measure.language.backends.endpoint",
)

choices = fit_choices  # scripts call it so
