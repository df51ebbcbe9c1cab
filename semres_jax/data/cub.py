"""The birds of CUB-200-2011, from the user's own copy."""

import os
from pathlib import Path

import numpy as np

from semres_jax._files import composed, shown, text_of
from semres_jax._types import Progress
from semres_jax.data._decode import decode_all
from semres_jax.data._tables import read_leaves
from semres_jax.data.image_sets import ImageSet, class_distances, listed, nearest
from semres_jax.spaces.tree import Tree


def cub(
    folder: str | os.PathLike[str],
    tree: Tree | str | os.PathLike[str],
    leaves: str | os.PathLike[str],
    *,
    size: int = 224,
    progress: Progress | None = None,
) -> ImageSet:
    """Images of CUB-200-2011 with distances from a tree: Wah et al. (2011), Caltech technical report CNS-TR-2011-001.

    The table `leaves` says which classes are wanted and which leaf of the tree each is; classes it doesn't name are
    left out. No name is guessed: a bird is on the tree because somebody wrote so. Classes and images are in the order
    of the data set. Bounding boxes aren't used; each image is the centre square of its picture (see `image_folder`).
    All 11,788 images at 224 pixels a side take 1.8 GB.

    Args:
        folder: CUB_200_2011, with classes.txt, images.txt, image_class_labels.txt and images.
        tree: a `spaces.Tree`, or what `spaces.Tree.from_newick` reads; distances are path lengths on it.
        leaves: path of a CSV file with the first line "class,leaf" and classes as in classes.txt, such as
            "001.Black_footed_Albatross,Phoebastria_nigripes".
        size: pixels a side, at least 1.
        progress: called with what is being done, images done and images in all, after each image.

    Raises:
        ValueError: a table or tree that doesn't fit (an unknown class or leaf is named), two classes at distance 0, a
            broken line in a file of the data set, an image that can't be decoded.
        FileNotFoundError: no such folder or file.

    Example:
        >>> from semres_jax import data
        >>> data.cub("CUB_200_2011", "birds.nwk", "leaves.csv")
        Traceback (most recent call last):
        FileNotFoundError: no 'classes.txt' in 'CUB_200_2011'; give the folder CUB_200_2011 with its text files
    """
    folder = Path(folder)
    files = ("classes.txt", "images.txt", "image_class_labels.txt")
    class_of_id, image_of_id, class_of_image = (_pairs(folder, name) for name in files)
    leaf_of_class = read_leaves(leaves)
    class_of_id = {number: composed(name) for number, name in class_of_id.items()}
    known = list(class_of_id.values())
    if len(set(known)) < len(known):
        twice = next(name for name in known if known.count(name) > 1)
        raise ValueError(
            f"classes.txt in {shown(folder)!r} has the class {shown(twice)!r} twice; give each its own name"
        )
    for name in leaf_of_class:
        if name not in known:
            raise ValueError(
                f"{shown(leaves)!r} names the unknown class {shown(name)!r}; {nearest(name, known)}the classes are "
                f"{listed(known)}"
            )
    names = tuple(name for name in known if name in leaf_of_class)
    table = class_distances(names, tree if isinstance(tree, Tree) else Tree.from_newick(tree), leaf_of_class)

    position = {name: label for label, name in enumerate(names)}
    paths, labels = [], []
    for image, path in image_of_id.items():
        if class_of_image.get(image) not in class_of_id:
            raise ValueError(
                f"image {shown(image)} ({shown(path)}) has no class that classes.txt knows in image_class_labels.txt"
            )
        name = class_of_id[class_of_image[image]]
        if name in position:
            paths.append(folder / "images" / path)
            labels.append(position[name])
    present = set(labels)
    for name, label in position.items():
        if label not in present:
            raise ValueError(f"class {shown(name)!r} has no images in images.txt; remove it from {shown(leaves)!r}")
    images, group = decode_all(paths, size=size, progress=progress)
    unit = "path length on the tree"
    return ImageSet("CUB-200-2011", images, np.array(labels, np.int32), names, group, table, unit)


def _pairs(folder: Path, name: str) -> dict[str, str]:
    """First to second word of the lines of a text file of the data set."""
    path = folder / name
    if not os.path.exists(path):
        raise FileNotFoundError(f"no {name!r} in {shown(folder)!r}; give the folder CUB_200_2011 with its text files")
    pairs: dict[str, str] = {}
    for number, line in enumerate(text_of(path, "file of the data set").split("\n"), 1):
        if not line.strip():
            continue
        words = line.split(maxsplit=1)
        if len(words) != 2 or words[0] in pairs:
            raise ValueError(
                f"line {number} of {shown(path)!r} must be a number of its own and a name; got {shown(line)!r}"
            )
        pairs[words[0]] = words[1].strip()
    return pairs
