"""Real data: small sets that ship with the package (README.md says where each file comes from and how it was made),
and loaders for images that users have."""

from semres_jax._lazy import submodules
from semres_jax.data.animals import (
    Animals as Animals,
    animal_images as animal_images,
    animal_tree as animal_tree,
    load_animals as load_animals,
    silhouette_points as silhouette_points,
)
from semres_jax.data.choices import Choices as Choices, read_choices as read_choices, vlm_spatial as vlm_spatial
from semres_jax.data.cub import cub as cub
from semres_jax.data.embeddings import (
    EmbeddingFile as EmbeddingFile,
    read_embeddings as read_embeddings,
    read_labels as read_labels,
)
from semres_jax.data.folders import image_folder as image_folder
from semres_jax.data.image_sets import ImageSet as ImageSet, Split as Split, split as split
from semres_jax.data.passages import passages as passages
from semres_jax.data.rendering import Sprites as Sprites, render as render, sprites as sprites
from semres_jax.data.similarities import SimilarityFile as SimilarityFile, read_similarities as read_similarities
from semres_jax.data.triplets import Triplets as Triplets, read_triplets as read_triplets

__getattr__, __dir__ = submodules(__name__)
