"""Labelled images with a distance between their classes, and how they are split into training and test data."""

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from semres_jax._files import composed, shown
from semres_jax._random import words
from semres_jax.spaces.finite import Finite
from semres_jax.spaces.tree import Tree

# A loss on distances sees nothing with two classes: there is one distance, and no order among distances.
_FEWEST_CLASSES = 3
# A test picture needs another exemplar of its class.
_FEWEST_TEST = 2


class ImageSet(NamedTuple):
    """N images of K classes, and how far apart the classes are.

    Attributes:
        name: of the data set, for titles and file names.
        images: (N, H, W, C) uint8; C is 3 (RGB) or 1 (grey).
        labels: (N,) int32, positions in `class_names`.
        class_names: names of the K classes.
        group: (N,) int32; copies of each other share a number, the index of the first of them.
        distances: (K, K) float64, symmetric, 0 on the diagonal and nowhere else, in the order of `class_names`.
        unit: of `distances`, in words.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    group: np.ndarray
    distances: np.ndarray
    unit: str


class Split(NamedTuple):
    """Indices into an `ImageSet`, each part sorted, without overlap.

    Attributes:
        train: (n,) int64, to learn from.
        test: (m,) int64, other pictures of the same classes.
        held_out: (h,) int64, pictures of classes that training never sees; empty if no class is held out.
    """

    train: np.ndarray
    test: np.ndarray
    held_out: np.ndarray


def split(images: ImageSet, *, key: Any = None, test: float = 0.2, held_out: Sequence[str] = ()) -> Split:
    """Training and test data, class by class, with all copies of a picture on the same side.

    Of each class a share `test` of its different pictures (at least 2, and never all) is test data. A picture and its
    copies are one group and stay together. `test` and `held_out` keep only the first picture of a group: found again
    as "another exemplar of the class", a copy would count as a success and be none. `train` keeps all. A group whose
    pictures bear different labels is in no part, since its class isn't known.

    The same key gives the same split on every machine, and holding out a class doesn't move the pictures of another.

    Args:
        images: what to split.
        key: of the random numbers; None: `jax.random.key(0)`.
        test: share of the different pictures of each class, in (0, 1).
        held_out: names of classes that are only tested; all their pictures go to `held_out`.

    Raises:
        ValueError: unknown class held out; fewer than 3 classes left to train with; a class with fewer than 3
            different pictures (2 if held out); `test` not in (0, 1).

    Example:
        >>> import jax
        >>> from semres_jax import data
        >>> animals = data.animal_images()
        >>> parts = data.split(animals, key=jax.random.key(1), held_out=["bird"])
        >>> len(parts.train), len(parts.test), len(parts.held_out)
        (7201, 1776, 812)
    """
    entropy = words(key)
    if not 0.0 < test < 1.0:
        raise ValueError(f"test must be a share between 0 and 1, both excluded; got {test:g}")
    withheld = _positions(images.class_names, held_out)
    firsts = _different_pictures(images)
    tested, withheld_pictures = [], []
    for label, name in enumerate(images.class_names):
        first = firsts[images.labels[firsts] == label]
        if label in withheld:
            _require_pictures(name, len(first), _FEWEST_TEST, f"{_FEWEST_TEST} to test with")
            withheld_pictures.append(first)
            continue
        _require_pictures(name, len(first), 1 + _FEWEST_TEST, f"1 to train and {_FEWEST_TEST} to test with")
        count = int(np.clip(np.floor(test * len(first) + 0.5), _FEWEST_TEST, len(first) - 1))
        tested.append(first[_order(entropy, label, len(first))[:count]])
    test_indices, held_indices = _sorted(tested), _sorted(withheld_pictures)
    # By group, not by picture: copies of a test picture must not be trained on.
    trained = np.isin(images.group, images.group[firsts])
    trained &= ~np.isin(images.group, images.group[test_indices]) & ~np.isin(images.group, images.group[held_indices])
    return Split(np.flatnonzero(trained).astype(np.int64), test_indices, held_indices)


def class_distances(names: Sequence[str], tree_or_table: Any, leaves: Mapping[str, str] | None = None) -> np.ndarray:
    """Distances between classes: path lengths on a tree of which each class is a leaf, or a table as it is.

    Args:
        names: of the K classes, in the order wanted.
        tree_or_table: a `spaces.Tree`, or (K, K) numbers in the order of `names`.
        leaves: the leaf of each class, for a tree; None: each class is called as its leaf is. Names are compared in
            Unicode's composed form (NFC).

    Returns:
        (K, K) float64 in the unit of the tree or table: on an ultrametric tree twice the time since divergence.

    Raises:
        ValueError: `leaves` without a class or with an unknown one; a leaf not in the tree; a table of another shape,
            asymmetric, negative or not finite; two classes at distance 0 (two classes with the same leaf, too).

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.data.image_sets import class_distances
        >>> tree = spaces.Tree.from_newick("((Felis_catus:1,lion:1):2,dog:3);")
        >>> class_distances(["cat", "dog"], tree, {"cat": "Felis_catus", "dog": "dog"}).tolist()
        [[0.0, 6.0], [6.0, 0.0]]
    """
    if isinstance(tree_or_table, Tree):
        table = _on_tree(names, tree_or_table, leaves)
    elif leaves is not None:
        raise ValueError("leaves go with a tree; a table of distances names its classes itself")
    else:
        table = _checked_table(names, tree_or_table)
    twins = np.argwhere((table == 0.0) & ~np.eye(len(names), dtype=bool))
    if len(twins):
        first, second = (names[int(k)] for k in twins[0])
        both = {} if leaves is None else _composed(leaves)
        leaf = both.get(composed(first))
        same = f" (both are leaf {shown(leaf)!r})" if leaf is not None and leaf == both.get(composed(second)) else ""
        raise ValueError(
            f"classes {shown(first)!r} and {shown(second)!r} are at distance 0{same}, so distance can't tell them "
            "apart: merge them, or mend the tree or table"
        )
    return table


def _on_tree(names: Sequence[str], tree: Tree, leaves: Mapping[str, str] | None) -> np.ndarray:
    names = [composed(name) for name in names]
    leaves = {name: name for name in names} if leaves is None else _composed(leaves)
    for name in leaves:
        if name not in names:
            near = nearest(name, names)
            raise ValueError(
                f"leaves names the class {shown(name)!r}, which isn't there; {near}the classes are {listed(names)}"
            )
    position = {composed(leaf): k for k, leaf in enumerate(tree.labels)}
    for name in names:
        if name not in leaves:
            raise ValueError(
                f"leaves has no leaf for class {shown(name)!r}; give every class one, or leave the class out"
            )
        if leaves[name] not in position:
            raise ValueError(
                f"class {shown(name)!r} should be leaf {shown(leaves[name])!r}, which the tree lacks; "
                f"{nearest(leaves[name], tree.labels)}its leaves are {listed(tree.labels)} (`leaves` says which leaf a "
                "class is)"
            )
    rows = [position[leaves[name]] for name in names]
    return np.asarray(tree.distances, np.float64)[np.ix_(rows, rows)]


def _composed(leaves: Mapping[str, str]) -> dict[str, str]:
    """Leaf of each class, all in Unicode's composed form."""
    pairs = {composed(str(name)): composed(str(leaf)) for name, leaf in leaves.items()}
    if len(pairs) < len(leaves):
        raise ValueError("leaves names a class twice, in two Unicode forms (NFC and NFD); give each class one leaf")
    return pairs


def _checked_table(names: Sequence[str], table: Any) -> np.ndarray:
    try:
        table = np.array(table, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"distances must be a table of {len(names)} rows of {len(names)} numbers") from None
    if table.shape != (wanted := (len(names), len(names))):
        raise ValueError(f"distances must have shape {wanted}, one row for each class; got {table.shape}")
    return np.asarray(Finite(table).distances)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a message of one line."""
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(repr(shown(name)) for name in names[:most]) + more


def nearest(name: str, names: Sequence[str]) -> str:
    """The part of a message that says which of the names comes closest: in ASCII where they may look the same.

    Example:
        >>> from semres_jax.data.image_sets import nearest
        >>> nearest("Homo sapiens", ["Pan", "Homo_sapiens"]), nearest("сat", ["cat"])
        ("did you mean 'Homo_sapiens'? ", "did you mean 'cat' (you wrote '\\\\u0441at')? ")
    """
    like = {_skeleton(other): other for other in names}
    # Of foreign letters that look the same nothing may be alike but their number.
    lookalikes = [other for other in names if len(other) == len(name) and other.isascii() != name.isascii()]
    near = [like[key] for key in difflib.get_close_matches(_skeleton(name), like, n=1)] or lookalikes
    if not near:
        return ""
    if name.isascii() and near[0].isascii():
        return f"did you mean {shown(near[0])!r}? "
    return f"did you mean {near[0]!a} (you wrote {name!a})? "


def _skeleton(name: str) -> str:
    """A name without what is easily written another way: case, blanks, signs, what can't be seen."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def _positions(class_names: tuple[str, ...], held_out: Sequence[str]) -> set[int]:
    held_out = [composed(name) for name in ((held_out,) if isinstance(held_out, str) else held_out)]
    class_names = tuple(composed(name) for name in class_names)
    for name in held_out:
        if name not in class_names:
            raise ValueError(
                f"held_out has the unknown class {shown(name)!r}; the classes are {listed(class_names, 300)}"
            )
    withheld = {class_names.index(name) for name in held_out}
    if len(class_names) - len(withheld) < _FEWEST_CLASSES:
        raise ValueError(
            f"at least {_FEWEST_CLASSES} classes must be left to train with; held_out takes {len(withheld)} of "
            f"{len(class_names)}"
        )
    return withheld


def _different_pictures(images: ImageSet) -> np.ndarray:
    """The first picture of each group whose pictures all have the same label."""
    _, first, which = np.unique(images.group, return_index=True, return_inverse=True)
    mixed = np.zeros(len(first), bool)
    np.logical_or.at(mixed, which, images.labels != images.labels[first][which])
    return np.sort(first[~mixed])


def _require_pictures(name: str, count: int, fewest: int, purpose: str) -> None:
    if count < fewest:
        raise ValueError(
            f"class {shown(name)!r} has {count} different picture{'s' * (count != 1)} and needs {fewest}, {purpose} "
            "(copies count once); add pictures or leave the class out"
        )


def _order(entropy: list[int], label: int, count: int) -> np.ndarray:
    """A shuffle of range(count), by sorting raw draws: NumPy keeps a bit generator's stream for good, while the
    methods of `Generator`, `permutation` among them, may change from one version to the next."""
    draws = np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=(label,))).random_raw(count)
    return np.argsort(draws, kind="stable")


def _sorted(parts: list[np.ndarray]) -> np.ndarray:
    return np.sort(np.concatenate(parts)).astype(np.int64) if parts else np.zeros(0, np.int64)
