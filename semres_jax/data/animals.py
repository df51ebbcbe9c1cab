"""Animal silhouettes that ship with the package: real, labelled stimuli with their copies marked and a dated tree."""

import functools
import importlib.resources
import io
from typing import NamedTuple

import numpy as np

from semres_jax.data.image_sets import ImageSet, class_distances
from semres_jax.spaces.tree import Tree

# Two 4-bit grey levels to a byte, as scripts/make_animals.py writes them: level times this is the grey value.
_LEVEL = 17


class Animals(NamedTuple):
    """Labelled 28 x 28 pictures of animals.

    Attributes:
        images: (N, 28, 28) uint8, 0 background to 255 ink, in 16 levels.
        labels: (N,) uint8, positions in `class_names`.
        class_names: names of the classes, in alphabetical order.
        group: (N,) int32; exact and near copies of each other share a number, the index of the first of them. Splits
            into training and test data must keep groups whole.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    group: np.ndarray


@functools.cache
def load_animals() -> Animals:
    """All 10,000 animal pictures, 1,000 of each of ten classes, in the order of their source.

    Source, licence (MIT) and what counts as a near copy are in `semres_jax/data/README.md`. The arrays are shared
    between calls and read-only; copy what is to be changed.

    Example:
        >>> from semres_jax.data import load_animals
        >>> animals = load_animals()
        >>> animals.images.shape, animals.class_names[animals.labels[0]]
        ((10000, 28, 28), 'bear')
    """
    content = importlib.resources.files("semres_jax.data").joinpath("animals.npz").read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        packed, labels, group = stored["packed"], stored["labels"], stored["group"].astype(np.int32)
        class_names = tuple(str(name) for name in stored["class_names"])
    images = np.empty((len(packed), 2 * packed.shape[1], packed.shape[2]), np.uint8)
    images[:, 0::2] = (packed >> 4) * _LEVEL
    images[:, 1::2] = (packed & 15) * _LEVEL
    for array in (images, labels, group):
        array.setflags(write=False)
    return Animals(images, labels, class_names, group)


@functools.cache
def animal_tree() -> Tree:
    """The dated tree of the ten animals: ultrametric, branch lengths in million years.

    Its `distances` are path lengths, twice the time since two animals diverged. Where each of the nine dates comes
    from, how sure it is and what is disputed is in `semres_jax/data/README.md`.

    Example:
        >>> from semres_jax.data import animal_tree
        >>> tree = animal_tree()
        >>> cat, dog = tree.labels.index("cat"), tree.labels.index("dog")
        >>> float(tree.distances[cat, dog]) / 2
        52.4
    """
    resource = importlib.resources.files("semres_jax.data").joinpath("animals.nwk")
    return Tree.from_newick(resource.read_text(encoding="utf-8"))


@functools.cache
def animal_images() -> ImageSet:
    """The pictures of `load_animals` as (10000, 28, 28, 1), with million years since divergence between the classes.

    Distances are half the path lengths on `animal_tree`. The arrays are shared between calls and read-only.

    Example:
        >>> from semres_jax.data import animal_images
        >>> animals = animal_images()
        >>> animals.images.shape, animals.unit
        ((10000, 28, 28, 1), 'million years since divergence')
        >>> bird = animals.class_names.index("bird")
        >>> float(animals.distances[bird].max())
        318.0
    """
    animals = load_animals()
    labels = animals.labels.astype(np.int32)
    distances = class_distances(animals.class_names, animal_tree()) / 2.0
    for array in (labels, distances):
        array.setflags(write=False)
    unit = "million years since divergence"
    images = animals.images[..., None]
    return ImageSet("animals", images, labels, animals.class_names, animals.group, distances, unit)


def silhouette_points(count: int = 2000) -> np.ndarray:
    """Silhouettes as points of a Euclidean space: different drawings only, the same number of every class.

    Of each group of copies the first stands for all; of those, each class gives `count / 10`, evenly spaced through
    its list. No chance is involved: the same count gives the same points.

    Args:
        count: number of points, a multiple of the ten classes and at most 8,120 (birds have 812 different drawings).

    Returns:
        (count, 784) float32, 0 background to 1 ink, ordered by class.

    Raises:
        ValueError: `count` is no such number.

    Example:
        >>> from semres_jax import data
        >>> data.silhouette_points(100).shape
        (100, 784)
    """
    animals = load_animals()
    classes = len(animals.class_names)
    first = np.flatnonzero(animals.group == np.arange(len(animals.group)))
    members = [first[animals.labels[first] == label] for label in range(classes)]
    most = classes * min(len(drawings) for drawings in members)
    if count % classes or not classes <= count <= most:
        raise ValueError(f"count must be a multiple of {classes} from {classes} to {most}; got {count}")
    share = int(count) // classes
    chosen = np.concatenate([drawings[np.arange(share) * len(drawings) // share] for drawings in members])
    return animals.images[chosen].reshape(len(chosen), -1).astype(np.float32) / 255
