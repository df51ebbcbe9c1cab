"""Image sets from a user's own folder of class folders."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax._types import Progress
from semres_jax.data._decode import SUFFIXES, decode_all
from semres_jax.data._tables import read_distances, read_leaves
from semres_jax.data.image_sets import ImageSet, class_distances
from semres_jax.spaces.tree import Tree


def image_folder(
    folder: str | os.PathLike[str],
    *,
    tree: Tree | str | os.PathLike[str] | None = None,
    distances: Any = None,
    leaves: Mapping[str, str] | str | os.PathLike[str] | None = None,
    size: int = 64,
    grey: bool = False,
    progress: Progress | None = None,
) -> ImageSet:
    """The images of a folder with one sub-folder for each class, with distances between the classes.

    Classes are in alphabetical order of their folders, images in that of their files. Files count by their ending
    (jpg, jpeg, png, bmp, gif, webp, tif, tiff, ppm, pgm); hidden files and folders, and folders inside the class
    folders, don't. Each image becomes the centre square of its picture, resized to `size` pixels a side, upright
    (EXIF), 8-bit RGB or grey, transparency over white. Images equal in the end are copies and share a group; near
    copies aren't looked for.

    Args:
        folder: with sub-folders named as the classes.
        tree: a `spaces.Tree`, the path of a Newick file, or Newick text; distances are path lengths on it.
        distances: instead of `tree`: the path of a CSV file (class names in the first line and the first column), of a
            .npy file, or (K, K) numbers; without names, in alphabetical order of the classes.
        leaves: for a tree whose leaves aren't called as the folders: {class: leaf} for all classes, or the path of a
            CSV file with the first line "class,leaf".
        size: pixels a side, at least 1.
        grey: one channel instead of three.
        progress: called with what is being done, images done and images in all, after each image.

    Raises:
        ValueError: a folder without class folders, a class without images, an image that can't be decoded, neither or
            both of `tree` and `distances`, a table or mapping that doesn't fit the classes, a class that isn't in the
            tree, two classes at distance 0.
        FileNotFoundError: no such folder or file.

    Example:
        >>> import pathlib, tempfile
        >>> from PIL import Image
        >>> from semres_jax import data
        >>> with tempfile.TemporaryDirectory() as name:
        ...     for grade, animal in enumerate(["ape", "bat", "cow"]):
        ...         folder = pathlib.Path(name, animal)
        ...         folder.mkdir()
        ...         Image.new("RGB", (40, 30), (80 * grade, 0, 0)).save(folder / "1.png")
        ...     pictures = data.image_folder(name, tree="(ape:80,(bat:70,cow:70):10);", size=16)
        >>> pictures.images.shape, pictures.distances[0].tolist()
        ((3, 16, 16, 3), [0.0, 160.0, 160.0])
    """
    if (tree is None) == (distances is None):
        given = "neither" if tree is None else "both"
        raise ValueError(f"give either tree or distances, to say how far apart the classes are; got {given}")
    folder = Path(folder)
    files = _files(folder)
    names = tuple(files)
    # Before the images, which take longer.
    if tree is not None:
        given_leaves = read_leaves(leaves) if isinstance(leaves, (str, os.PathLike)) else leaves
        table = class_distances(names, tree if isinstance(tree, Tree) else Tree.from_newick(tree), given_leaves)
    elif leaves is not None:
        raise ValueError("leaves say which leaf of a tree a class is; give them with tree, not with distances")
    else:
        table = class_distances(names, read_distances(distances, names))
    paths = [path for name in names for path in files[name]]
    images, group = decode_all(paths, size=size, grey=grey, progress=progress)
    labels = np.repeat(np.arange(len(names), dtype=np.int32), [len(files[name]) for name in names])
    unit = "path length on the tree" if tree is not None else "unit of the table of distances"
    return ImageSet(folder.resolve().name, images, labels, names, group, table, unit)


def _files(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class, classes and files in alphabetical order."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no image folder {str(folder)!r}")
    classes = _by_name(path for path in folder.iterdir() if path.is_dir())
    if not classes:
        raise ValueError(f"the image folder {str(folder)!r} has no sub-folders; put each class into one of its own")
    files = {}
    for place in classes:
        files[place.name] = _by_name(x for x in place.iterdir() if x.is_file() and x.suffix.lower() in SUFFIXES)
        if not files[place.name]:
            endings = " ".join(suffix[1:] for suffix in SUFFIXES)
            raise ValueError(f"class {place.name!r} has no images in {str(place)!r}; files count that end in {endings}")
    return files


def _by_name(paths: Iterable[Path]) -> list[Path]:
    """Without hidden ones, in the order of code points (that of paths depends on the machine)."""
    return sorted((path for path in paths if not path.name.startswith(".")), key=lambda path: path.name)
