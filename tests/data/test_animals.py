"""The animal silhouettes. scripts/make_animals.py is run by hand (data/README.md says how), not here."""

import itertools

import numpy as np
import pytest

from semres_jax.data import animal_images, animal_tree, load_animals, silhouette_points


def test_shapes_and_counts():
    animals = load_animals()
    assert animals.images.shape == (10_000, 28, 28)
    assert animals.images.dtype == np.uint8
    assert animals.labels.shape == animals.group.shape == (10_000,)
    assert animals.class_names == (
        *("bear", "bird", "cat", "cow", "dog"),
        *("elephant", "giraffe", "horse", "sheep", "zebra"),
    )
    assert (np.bincount(animals.labels) == 1000).all()
    assert animals.images.min() == 0
    assert animals.images.max() == 255


def test_groups_cover_all_exact_copies():
    """9,716 distinct pictures; a group is named by its first member and never mixes classes."""
    animals = load_animals()
    flat = animals.images.reshape(len(animals.images), -1)
    _, which = np.unique(flat, axis=0, return_inverse=True)
    assert which.max() + 1 == 9_716
    assert len(np.unique(animals.group)) == 9_697
    for copies in np.unique(which[np.bincount(which)[which] > 1]):
        assert len(np.unique(animals.group[which == copies])) == 1
    assert (animals.group[animals.group] == animals.group).all()
    assert (animals.group <= np.arange(len(animals.group))).all()
    assert (animals.labels[animals.group] == animals.labels).all()


def test_loaded_once_and_read_only():
    animals = load_animals()
    assert load_animals() is animals
    with pytest.raises(ValueError, match="read-only"):
        animals.images[0] = 0


def _origin(points):
    """Indices of the pictures that `points` are, in `load_animals()`."""
    animals = load_animals()
    where = {image.tobytes(): index for index, image in reversed(list(enumerate(animals.images)))}
    return np.array([where[np.rint(point * 255).astype(np.uint8).tobytes()] for point in points])


@pytest.mark.parametrize("count", [10, 2000, 8120])
def test_points_are_balanced_and_without_copies(count):
    animals, points = load_animals(), silhouette_points(count)
    assert points.shape == (count, 784)
    assert points.dtype == np.float32
    assert points.min() == 0
    assert points.max() == 1
    origin = _origin(points)
    assert (np.bincount(animals.labels[origin]) == count // 10).all()
    assert len(np.unique(animals.group[origin])) == count


def test_points_are_deterministic():
    np.testing.assert_array_equal(silhouette_points(), silhouette_points())
    assert silhouette_points().shape == (2000, 784)


@pytest.mark.parametrize("count", [0, 5, 1234, 8130, -10])
def test_points_refuse_counts_that_cannot_be_balanced(count):
    with pytest.raises(ValueError, match=f"count must be a multiple of 10 from 10 to 8120; got {count}"):
        silhouette_points(count)


def test_the_tree_is_ultrametric_and_dated():
    """A tree is ultrametric if of the three distances of any triple the two largest are equal."""
    tree = animal_tree()
    table = np.asarray(tree.distances)
    assert sorted(tree.labels) == list(load_animals().class_names)
    for triple in itertools.combinations(range(10), 3):
        near, far, farther = sorted(table[i, j] for i, j in itertools.combinations(triple, 2))
        assert near <= far == farther
    assert np.unique(table[table > 0] / 2).tolist() == [4.25, 18.7, 28.9, 45.0, 52.4, 66.3, 67.5, 80.3, 318.0]


@pytest.mark.parametrize(
    ("animal", "other", "age"),
    [
        ("bird", "zebra", 318.0),
        ("elephant", "cow", 80.3),
        ("cat", "horse", 67.5),
        ("giraffe", "zebra", 66.3),
        ("cat", "bear", 52.4),
        ("bear", "dog", 45.0),
        ("giraffe", "sheep", 28.9),
        ("cow", "sheep", 18.7),
        ("horse", "zebra", 4.25),
    ],
)
def test_dates(animal, other, age):
    """The nine nodes of the table in data/README.md."""
    animals = animal_images()
    assert animals.distances[animals.class_names.index(animal), animals.class_names.index(other)] == age


def test_images_with_distances():
    animals, stored = animal_images(), load_animals()
    assert animals.images.shape == (10_000, 28, 28, 1)
    assert animals.images.dtype == np.uint8
    assert animals.labels.dtype == animals.group.dtype == np.int32
    assert animals.distances.dtype == np.float64
    np.testing.assert_array_equal(animals.images[..., 0], stored.images)
    np.testing.assert_array_equal(animals.labels, stored.labels)
    for array in (animals.images, animals.labels, animals.group, animals.distances):
        assert not array.flags.writeable
    assert animal_images() is animals
