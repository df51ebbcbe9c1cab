"""Image sets from a user's own folder of class folders."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax._files import composed, shown
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
    copies aren't looked for. Names of classes are in Unicode's composed form (NFC), whatever the file system's.

    Args:
        folder: with sub-folders named as the classes.
        tree: a `spaces.Tree`, or what `spaces.Tree.from_newick` reads; distances are path lengths on it.
        distances: instead of `tree`: the path of a CSV file (class names in the first line and the first column), of a
            .npy file, or (K, K) numbers; without names, in alphabetical order of the classes.
        leaves: for a tree whose leaves aren't called as the folders: {class: leaf} for all classes, or the path of a
            CSV file with the first line "class,leaf".
        size: pixels a side, at least 1.
        grey: one channel instead of three.
        progress: called with what is being done, images done and images in all, after each image.

    Raises:
        ValueError: a folder without class folders or that may not be read, a class without images, two classes whose
            names differ in their Unicode form alone, a link to nothing, an image that can't be decoded, neither or
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
    return ImageSet(composed(shown(folder.resolve().name)), images, labels, names, group, table, unit)


def _files(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class, classes and files in alphabetical order."""
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ValueError(f"the image folder {shown(folder)!r} is a file; give a folder with one sub-folder per class")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"no image folder {shown(folder)!r}")
    classes = [path for path in _by_name(folder) if _is_there(path) and path.is_dir()]
    if not classes:
        raise ValueError(f"the image folder {shown(folder)!r} has no sub-folders; put each class into one of its own")
    files: dict[str, list[Path]] = {}
    for place in classes:
        name = composed(place.name)
        if name in files:
            raise ValueError(
                f"two sub-folders of {shown(folder)!r} are called {shown(name)!r}, in two Unicode forms (NFC and NFD); "
                "put their images into one"
            )
        images = [path for path in _by_name(place) if path.suffix.lower() in SUFFIXES]
        files[name] = [path for path in images if _is_there(path) and path.is_file()]
        if not files[name]:
            endings = " ".join(suffix[1:] for suffix in SUFFIXES)
            raise ValueError(
                f"class {shown(name)!r} has no images in {shown(place)!r}; files count that end in {endings}"
            )
    return files


def _by_name(folder: Path) -> list[Path]:
    """What isn't hidden, in the order of code points of composed names (that of paths depends on the machine)."""
    try:
        paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise ValueError(f"cannot read the folder {shown(folder)!r}: {error.strerror or error}") from None
    return sorted(paths, key=lambda path: (composed(path.name), path.name))


def _is_there(path: Path) -> bool:
    """True, or a `ValueError` for a link that leads nowhere, to a file that isn't there or in a circle."""
    if os.path.exists(path):
        return True
    if not os.path.islink(path):
        raise ValueError(f"{shown(path)!r} may not be looked at; change its folder's permissions")
    target = shown(os.readlink(path))
    advice = "run 'git annex get'" if ".git/annex" in target else "mend or remove it"
    raise ValueError(f"{shown(path)!r} is a link to {target!r}, where nothing can be read; {advice}")
