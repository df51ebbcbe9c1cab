"""Splits that keep copies together, and distances between classes."""

import hashlib

import jax
import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.data import ImageSet, animal_images, split
from semres_jax.data.image_sets import class_distances

TREE = "(ape:9,((bat:3,cat:3):4,(dog:0,eel:0):7):2);"


def made_up(labels, group=None):
    labels = np.asarray(labels, np.int32)
    count = int(labels.max()) + 1
    group = np.arange(len(labels)) if group is None else group
    names = tuple("abcdefghij"[:count])
    images = np.zeros((len(labels), 2, 2, 1), np.uint8)
    return ImageSet("made up", images, labels, names, np.asarray(group, np.int32), 1.0 - np.eye(count), "steps")


def with_copies(seed):
    """Classes of unequal size, pictures with up to dozens of copies, in no order."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(5), rng.integers(30, 60, 5))
    group = np.arange(len(labels))
    for label in range(5):
        members = np.flatnonzero(labels == label)
        original = np.sort(rng.choice(members, len(members) // 2, replace=False))
        copies = np.setdiff1d(members, original)
        group[copies] = rng.choice(original[:8], len(copies))
    shuffle = rng.permutation(len(labels))
    labels, group = labels[shuffle], group[shuffle]
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    return made_up(labels, first[which])


@pytest.mark.parametrize("seed", range(12))
def test_no_group_crosses_a_split(seed):
    images = with_copies(seed)
    parts = split(images, key=jax.random.key(seed), test=0.3, held_out=["b"])
    groups = [set(images.group[part].tolist()) for part in parts]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert groups[0] | groups[1] | groups[2] == set(images.group.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_animals_keep_their_copies_together(seed):
    animals = animal_images()
    parts = split(animals, key=jax.random.key(seed), held_out=["bird", "cow"])
    assert not np.isin(animals.group[parts.train], animals.group[parts.test]).any()
    assert len(np.unique(animals.group[parts.held_out])) == len(parts.held_out) == 812 + 995


@pytest.mark.parametrize("seed", range(4))
def test_what_each_part_holds(seed):
    images = with_copies(seed)
    parts = split(images, key=jax.random.key(seed), test=0.25, held_out=["e", "a"])
    labels = images.labels
    assert set(labels[parts.held_out]) == {0, 4}
    assert set(labels[parts.train]) == set(labels[parts.test]) == {1, 2, 3}
    for part in (parts.test, parts.held_out):
        assert (images.group[part] == part).all(), "one picture of a group, the first"
    for label in range(5):
        groups = np.unique(images.group[labels == label])
        if label in (0, 4):
            assert (labels[parts.held_out] == label).sum() == len(groups)
            continue
        tested = parts.test[labels[parts.test] == label]
        assert len(tested) == np.floor(0.25 * len(groups) + 0.5)
        rest = np.flatnonzero((labels == label) & ~np.isin(images.group, tested))
        np.testing.assert_array_equal(parts.train[labels[parts.train] == label], rest)
    for part in parts:
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


def test_the_same_everywhere():
    """Pinned: another machine or NumPy must not give another split."""
    parts = split(made_up(np.repeat([0, 1, 2], 10)), key=jax.random.key(7))
    assert parts.test.tolist() == [1, 8, 11, 14, 22, 26]
    digest = hashlib.sha256(split(animal_images(), key=jax.random.key(3)).test.astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "530b53da4997e527"


def test_seeds_differ_and_repeat():
    images = with_copies(0)
    first, again, other = (split(images, key=jax.random.key(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.test, other.test)


def test_holding_out_moves_no_other_class():
    images = with_copies(5)
    all_classes, without = split(images, key=jax.random.key(1)), split(images, key=jax.random.key(1), held_out=["c"])
    for part in ("train", "test"):
        kept = getattr(all_classes, part)
        np.testing.assert_array_equal(getattr(without, part), kept[images.labels[kept] != 2])
    assert not len(all_classes.held_out)


def test_at_least_two_to_test_and_one_to_train():
    images = made_up(np.repeat([0, 1, 2], 3))
    for share in (0.01, 0.99):
        parts = split(images, test=share)
        assert np.bincount(images.labels[parts.test]).tolist() == [2, 2, 2]
        assert np.bincount(images.labels[parts.train]).tolist() == [1, 1, 1]


def test_copies_with_different_labels_are_left_out():
    images = made_up(np.repeat([0, 1, 2], 4), [0, 1, 2, 3, 4, 1, 6, 7, 8, 9, 10, 11])
    used = np.concatenate(split(images))
    assert sorted(used.tolist()) == [0, 2, 3, 4, 6, 7, 8, 9, 10, 11]


def test_one_name_held_out_is_a_name():
    images = made_up(np.repeat([0, 1, 2, 3], 5))
    np.testing.assert_array_equal(split(images, held_out="b").held_out, split(images, held_out=["b"]).held_out)


@pytest.mark.parametrize(
    ("labels", "group", "options", "message"),
    [
        ([0, 1, 2, 3] * 4, None, {"held_out": ["x"]}, "unknown class 'x'; the classes are 'a', 'b', 'c', 'd'$"),
        ([0, 1, 2, 3] * 4, None, {"held_out": ["a", "b"]}, "at least 3 classes must be left.* takes 2 of 4"),
        ([0, 1] * 4, None, {}, "at least 3 classes must be left.* takes 0 of 2"),
        ([0, 0, 0, 1, 1, 1, 2], None, {}, "class 'c' has 1 different picture and needs 3, 1 to train and 2 to test"),
        ([0, 0, 0, 1, 1, 1, 2, 2], None, {}, "class 'c' has 2 different pictures and needs 3"),
        ([0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2, 3, 3, 5, 6, 7, 8], {}, "class 'b' has 2 different pictures"),
        ([0, 1, 2] * 3 + [3], None, {"held_out": ["d"]}, "class 'd' has 1 different picture and needs 2, 2 to test"),
        ([0, 1, 2] * 4, None, {"test": 0.0}, "test must be a share between 0 and 1, both excluded; got 0$"),
        ([0, 1, 2] * 4, None, {"test": 1.0}, "test must be .* got 1$"),
        ([0, 1, 2] * 4, None, {"test": -0.5}, "test must be .* got -0.5$"),
        ([0, 1, 2] * 4, None, {"test": float("nan")}, "test must be .* got nan$"),
        ([0, 1, 2] * 4, None, {"key": -1}, "key must be a JAX random key; got -1"),
    ],
)
def test_what_split_refuses(labels, group, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        split(made_up(labels, group), **options)
    assert "\n" not in str(caught.value)


def test_distances_on_a_tree():
    tree = spaces.Tree.from_newick(TREE)
    assert class_distances(["cat", "ape", "bat"], tree).tolist() == [[0, 18, 6], [18, 0, 18], [6, 18, 0]]
    renamed = class_distances(["katze", "affe"], tree, {"affe": "ape", "katze": "cat"})
    assert renamed.tolist() == [[0, 18], [18, 0]]
    assert renamed.dtype == np.float64


def test_distances_in_a_table():
    table = [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
    assert class_distances(["a", "b", "c"], table).tolist() == table


@pytest.mark.parametrize(
    ("names", "leaves", "message"),
    [
        (["ape", "yak"], None, "class 'yak' should be leaf 'yak', which the tree lacks; its leaves are 'ape', 'bat'"),
        (["ape", "yak"], {"ape": "ape", "yak": "gnu"}, "class 'yak' should be leaf 'gnu', which the tree lacks"),
        (["ape", "yak"], {"ape": "ape"}, "leaves has no leaf for class 'yak'"),
        (["ape"], {"ape": "ape", "yak": "cat"}, "leaves names the class 'yak', which isn't there"),
        (["ape", "dog", "eel"], None, "classes 'dog' and 'eel' are at distance 0, so .*: merge them, or mend the tree"),
        (["x", "y", "z"], {"x": "ape", "y": "cat", "z": "cat"}, r"'y' and 'z' are at distance 0 \(both are leaf 'cat'"),
    ],
)
def test_what_a_tree_refuses(names, leaves, message):
    with pytest.raises(ValueError, match=message) as caught:
        class_distances(names, spaces.Tree.from_newick(TREE), leaves)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0, 1], [1, 0]], r"distances must have shape \(3, 3\), one row for each class; got \(2, 2\)"),
        ([[0, 1, 2], [1, 0]], "distances must be a table of 3 rows of 3 numbers"),
        ([[0, 1, 2], [1, 0, "x"], [2, 3, 0]], "distances must be a table of 3 rows of 3 numbers"),
        ([[0, 1, 2], [4, 0, 3], [2, 3, 0]], "distances must be symmetric"),
        ([[0, 1, 2], [1, 0, 0], [2, 0, 0]], "classes 'b' and 'c' are at distance 0"),
    ],
)
def test_what_a_table_is_refused_for(table, message):
    with pytest.raises(ValueError, match=message):
        class_distances(["a", "b", "c"], table)


def test_leaves_need_a_tree():
    with pytest.raises(ValueError, match="leaves go with a tree"):
        class_distances(["a", "b"], [[0, 1], [1, 0]], {"a": "a", "b": "b"})
